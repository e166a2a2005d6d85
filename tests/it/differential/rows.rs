//! Questions that answer with rows: one per session, one per journey.

use serde_json::Value;

use super::logs::{self, PASSIVE};
use super::oracle::facts::{self, Facts};
use super::oracle::paths::places;
use super::{LOOKS, assert_figures, exists, whole_number};

/// RFC 3339 in UTC, as the JSON has times.
fn micros(time: &Value) -> i64 {
    chrono::DateTime::parse_from_rfc3339(time.as_str().unwrap()).unwrap().timestamp_micros()
}

fn check(row: &Value, of: &Facts, device: &str, place: &str) {
    let place = format!("{place}, session {} of {}: {row}", of.number, of.visitor);
    assert_eq!(row["visitor"], of.visitor.as_str(), "{place}");
    assert_eq!((micros(&row["start"]), micros(&row["end"])), (of.start, of.end), "{place}");
    let figures = [
        ("/session_number", whole_number(of.number)),
        ("/events", whole_number(of.events)),
        ("/page_views", whole_number(of.page_views)),
        ("/duration_s", Some((of.end - of.start) as f64 / 1e6)),
    ];
    assert_figures(row, &figures, &place);
    assert_eq!(row["entry_page"].as_str(), of.entry_page.as_deref(), "{place}");
    assert_eq!(row["exit_page"].as_str(), of.exit_page.as_deref(), "{place}");
    assert_eq!(row["bounce"].as_bool(), Some(of.bounce), "{place}");
    assert_eq!(row["new_or_returning"], if of.number == 1 { "new" } else { "returning" }, "{place}");
    assert_eq!(row["device"].as_str().unwrap_or_default(), device, "{place}");
}

#[test]
fn one_row_per_session() {
    if !exists("sessions") {
        return;
    }
    for (log, mut rows) in logs::rows("sessions", &["--dim", "device"]) {
        let mut expected: Vec<(Facts, String)> = Vec::new();
        for sessions in log.sessions_of_visitors() {
            let devices: Vec<String> = sessions.iter().map(|session| facts::first_device(session)).collect();
            expected.extend(facts::facts(&sessions, log.page_views, PASSIVE).into_iter().zip(devices));
        }
        let key = |row: &Value| (row["visitor"].as_str().unwrap().to_owned(), row["session_number"].as_u64().unwrap());
        rows.sort_by_key(key);
        assert_eq!(rows.len(), expected.len(), "log {}", log.seed);
        for (row, (facts, device)) in rows.iter().zip(&expected) {
            check(row, facts, device, &format!("log {}", log.seed));
        }
    }
}

#[test]
fn one_row_per_journey() {
    if !exists("journeys") {
        return;
    }
    for look in LOOKS {
        for (log, rows) in logs::rows("journeys", look.flags) {
            let row_of = |row: &Value| {
                let nodes: Vec<String> =
                    row["nodes"].as_array().unwrap().iter().map(|node| node.as_str().unwrap().to_owned()).collect();
                let times: Vec<i64> = row["times"].as_array().unwrap().iter().map(micros).collect();
                (row["visitor"].as_str().unwrap().to_owned(), nodes, times)
            };
            let mut found: Vec<(String, Vec<String>, Vec<i64>)> = rows.iter().map(row_of).collect();
            let journey = |journey: &Vec<super::Event>| {
                let path = look.view(log, |view| places(journey, view));
                let (nodes, times) = path.into_iter().map(|place| (place.node, place.time)).unzip();
                (journey[0].visitor.clone(), nodes, times)
            };
            let mut expected: Vec<(String, Vec<String>, Vec<i64>)> = look.journeys(log).iter().map(journey).collect();
            found.sort();
            expected.sort();
            assert_eq!(found, expected, "{}", look.place(log));
        }
    }
}
