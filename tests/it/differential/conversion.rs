//! Conversion by goals.

use serde_json::Value;

use super::logs::{self, Log};
use super::oracle::facts::{self, Conversion, conversion, wilson};
use super::oracle::{self, Event};
use super::{LOOKS, assert_figures, ratio, seconds, whole_number};

const FLAGS: &[&str] = &["--goal", "purchase", "--goal", "cart"];

fn check(goal: &Value, expected: &Conversion, place: &str) {
    let figures = [
        ("/conversions", whole_number(expected.conversions)),
        ("/converting_sessions", whole_number(expected.converting_sessions)),
        ("/converting_visitors", whole_number(expected.converting_visitors)),
        ("/session_rate", ratio(expected.converting_sessions, expected.sessions)),
        ("/visitor_rate", ratio(expected.converting_visitors, expected.visitors)),
        ("/value", expected.value.map(|micros| micros as f64 / 1e6)),
    ];
    assert_figures(goal, &figures, place);
    let bounds = |hits, n| wilson(hits, n).map_or([None; 2], |bounds| bounds.map(Some));
    let [low, high] = bounds(expected.converting_sessions, expected.sessions);
    assert_figures(&goal["intervals"]["session_rate"], &[("/0", low), ("/1", high)], place);
    let [low, high] = bounds(expected.converting_visitors, expected.visitors);
    assert_figures(&goal["intervals"]["visitor_rate"], &[("/0", low), ("/1", high)], place);
    for (grain, to_goal) in [("session", &expected.in_session), ("visitor", &expected.in_life)] {
        let (times, steps) = (&goal["time_to_goal_s"][grain], &goal["steps_to_goal"][grain]);
        if to_goal.times.is_empty() {
            assert!(times.is_null() && steps.is_null(), "{place}: {goal}");
            continue;
        }
        assert_figures(times, &seconds(&to_goal.times), place);
        let expected = [
            ("/mean", oracle::mean(&to_goal.steps)),
            ("/median", oracle::median(&to_goal.steps)),
            ("/p90", oracle::nearest_rank(&to_goal.steps, 90).map(|steps| steps as f64)),
        ];
        assert_figures(steps, &expected, &format!("{place}, steps per {grain}"));
    }
}

/// Compares both goals of a report over `sessions`.
fn check_all(log: &Log, report: &Value, sessions: &[Vec<Event>], place: &str) {
    let goals = report["goals"].as_array().unwrap();
    assert_eq!(goals.len(), 2, "{place}");
    for (row, goal) in goals.iter().zip(["purchase", "cart"]) {
        let place = format!("{place}, {goal}");
        assert_eq!(row["goal"], goal, "{place}");
        let expected = LOOKS[0].view(log, |view| conversion(sessions, view, &|event| event.event == goal));
        check(row, &expected, &place);
    }
}

#[test]
fn goals() {
    for (log, report) in logs::whole("conversion", FLAGS) {
        check_all(log, &report, &log.sessions(), &format!("log {}", log.seed));
    }
}

#[test]
fn goals_by_a_column() {
    for (log, found) in logs::by("conversion", "device", FLAGS) {
        let parts = facts::split(&log.sessions(), &facts::first_device);
        let place = format!("log {}", log.seed);
        assert_eq!(found.keys().collect::<Vec<_>>(), parts.keys().collect::<Vec<_>>(), "{place}");
        for (device, sessions) in &parts {
            check_all(log, &found[device], sessions, &format!("{place}, {device:?}"));
        }
    }
}
