use serde_json::Value;

use crate::analyses::graph::GraphSpec;
use crate::analyses::summary::SummarySpec;
use crate::analyses::{CommonSpec, Grain};
use crate::testing::{Event, ask, check_laws, event, logs, question, visitor};

/// `by` values and sessions of a summary broken down by one fact.
fn sessions_by(by: &str, events: &[Event]) -> Vec<(String, u64)> {
    let mut common = CommonSpec::default();
    common.scope.by = vec![by.to_owned()];
    let (report, _) = ask(&*question(SummarySpec::default(), &common), events);
    let segment = |segment: &Value| {
        let value = segment["by"][by].as_str().unwrap().to_owned();
        (value, segment["sessions"].as_u64().unwrap())
    };
    report["segments"].as_array().unwrap().iter().map(segment).collect()
}

fn pairs(expected: &[(&str, u64)]) -> Vec<(String, u64)> {
    expected.iter().map(|(value, count)| ((*value).to_owned(), *count)).collect()
}

/// Seconds since 1970 of a time on 1 May 2026, a Friday.
fn at(hour: i64, minute: i64) -> i64 {
    1_777_593_600 + hour * 3600 + minute * 60
}

#[test]
fn sessions_are_numbered_and_told_new_from_returning() {
    let events: Vec<Event> = (0..11).flat_map(|n| visitor("v", &format!("A@{}", n * 10_000))).collect();
    let events = [events, visitor("w", "A@0 B@5")].concat();
    let numbers = sessions_by("session_number", &events);
    assert_eq!(numbers.len(), 11, "by number, not by text");
    assert_eq!((&numbers[0], &numbers[1], &numbers[10]), (&("1".into(), 2), &("2".into(), 1), &("11".into(), 1)));
    assert_eq!(sessions_by("new_or_returning", &events), pairs(&[("new", 2), ("returning", 10)]));
}

#[test]
fn dates_and_hours_are_those_of_the_first_event() {
    let day = 86_400;
    let times = [at(9, 59), at(23, 50), at(0, 0) + 3 * day, at(10, 0) - 120 * day];
    let events: Vec<Event> = times
        .into_iter()
        .enumerate()
        .flat_map(|(n, time)| {
            // The second session runs past midnight.
            [event(&format!("v{n}"), time, "A"), event(&format!("v{n}"), time + 1200, "B")]
        })
        .collect();
    assert_eq!(sessions_by("weekday", &events), pairs(&[("Monday", 1), ("Thursday", 1), ("Friday", 2)]));
    assert_eq!(sessions_by("hour", &events), pairs(&[("00", 1), ("09", 1), ("10", 1), ("23", 1)]));
    assert_eq!(sessions_by("day", &events), pairs(&[("2026-01-01", 1), ("2026-05-01", 2), ("2026-05-04", 1)]));
    assert_eq!(sessions_by("week", &events), pairs(&[("2026-W01", 1), ("2026-W18", 2), ("2026-W19", 1)]));
    assert_eq!(sessions_by("month", &events), pairs(&[("2026-01", 1), ("2026-05", 3)]));
}

#[test]
fn entry_and_exit_are_pages_of_page_views() {
    let page = |seconds, name: &str, page: &str| Event { page: page.into(), ..event("v", seconds, name) };
    let events = [
        page(0, "click", "/not-viewed"),
        page(1, "page_view", "/a"),
        page(2, "page_view", "/b"),
        page(3, "click", "/c"),
        page(9_000, "click", "/c"),
    ];
    assert_eq!(sessions_by("entry_page", &events), pairs(&[("", 1), ("/a", 1)]));
    assert_eq!(sessions_by("exit_page", &events), pairs(&[("", 1), ("/b", 1)]));
}

#[test]
fn the_first_or_the_last_value_of_a_column_counts() {
    let on = |seconds, device: &str| Event { device: device.into(), ..event("v", seconds, "A") };
    let events = [on(0, ""), on(1, "mobile"), on(2, "desktop"), on(3, "")];
    for by in ["device", "first:device"] {
        assert_eq!(sessions_by(by, &events), pairs(&[("mobile", 1)]));
    }
    assert_eq!(sessions_by("last:device", &events), pairs(&[("desktop", 1)]));
}

#[test]
fn facts_of_sessions_are_refused_where_a_visitor_is_one_journey() {
    let mut common = CommonSpec::default();
    common.scope.by = vec!["session_number".into()];
    common.scope.grain = Some(Grain::Visitor);
    assert!(common.resolve(false).unwrap_err().advice().unwrap().contains("--grain session"));
}

proptest::proptest! {
    #[test]
    fn laws_hold_for_breakdowns_by_facts(events in logs()) {
        for by in ["entry_page", "session_number", "hour", "week", "last:device"] {
            let mut common = CommonSpec::default();
            common.scope.by = vec![by.to_owned(), "exit_page".to_owned()];
            check_laws(&*question(GraphSpec::default(), &common), &events);
        }
    }
}
