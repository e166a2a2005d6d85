//! Questions that answer with rows: one per session, one per journey.

use std::collections::BTreeMap;

use super::LOOKS;
use super::logs::{self, PASSIVE};
use super::oracle::Event;
use super::oracle::facts::{self, Facts};
use super::oracle::paths::places;

/// A text in RFC 3339, as µs.
fn micros(time: &str) -> i64 {
    chrono::DateTime::parse_from_rfc3339(time).unwrap().timestamp_micros()
}

fn check(row: &BTreeMap<String, String>, of: &Facts, session: &[Event], place: &str) {
    let place = format!("{place}, session {} of {}: {row:?}", of.number, of.visitor);
    let time = |key: &str| micros(&row[key]);
    assert_eq!((time("start"), time("end")), (of.start, of.end), "{place}");
    assert_eq!(row["duration_s"].parse(), Ok((of.end - of.start) as f64 / 1e6), "{place}");
    let new = if of.number == 1 { "new" } else { "returning" };
    let texts = [
        ("visitor", of.visitor.clone()),
        ("session_number", of.number.to_string()),
        ("new_or_returning", new.to_owned()),
        ("events", of.events.to_string()),
        ("page_views", of.page_views.to_string()),
        ("entry_page", of.entry_page.clone().unwrap_or_default()),
        ("exit_page", of.exit_page.clone().unwrap_or_default()),
        ("bounce", of.bounce.to_string()),
        ("device", facts::first_device(session)),
        ("last:device", facts::last_device(session)),
    ];
    for (key, expected) in texts {
        assert_eq!(row[key], expected, "{place}: {key}");
    }
}

#[test]
fn one_row_per_session() {
    for (log, mut rows) in logs::rows("sessions", &["--by", "device", "--by", "last:device"]) {
        let mut expected: Vec<(Facts, Vec<Event>)> = Vec::new();
        for sessions in log.sessions_of_visitors() {
            expected.extend(facts::facts(&sessions, log.page_views, PASSIVE).into_iter().zip(sessions));
        }
        rows.sort_by_key(|row| (row["visitor"].clone(), row["session_number"].parse::<u64>().unwrap()));
        assert_eq!(rows.len(), expected.len(), "log {}", log.seed);
        for (row, (facts, session)) in rows.iter().zip(&expected) {
            check(row, facts, session, &format!("log {}", log.seed));
        }
    }
}

#[test]
fn one_row_per_journey() {
    for look in LOOKS {
        for (log, rows) in logs::rows("journeys", look.flags) {
            let row_of = |row: &BTreeMap<String, String>| {
                let list = |key: &str| serde_json::from_str::<Vec<String>>(&row[key]).unwrap();
                let times: Vec<i64> = list("times").iter().map(|time| micros(time)).collect();
                (row["visitor"].clone(), micros(&row["start"]), row["events"].parse().unwrap(), list("path"), times)
            };
            let mut found: Vec<_> = rows.iter().map(row_of).collect();
            let journey = |journey: &Vec<Event>| {
                let path = look.view(log, |view| places(journey, view));
                let (nodes, times) = path.into_iter().map(|place| (place.node, place.time)).unzip();
                (journey[0].visitor.clone(), journey[0].time, journey.len(), nodes, times)
            };
            let mut expected: Vec<_> = look.journeys(log).iter().map(journey).collect();
            found.sort();
            expected.sort();
            assert_eq!(found, expected, "{}", look.place(log));
        }
    }
}
