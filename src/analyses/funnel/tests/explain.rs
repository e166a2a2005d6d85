//! Why one visitor counts as it does.

use proptest::prelude::*;
use serde::Deserialize;
use serde_json::{Value, json};

use super::super::FunnelSpec;
use super::{common, entered, refused};
use crate::analyses::{Question, Spec};
use crate::testing::{ask, check_laws, logs, visitor};

fn question(text: &str, shared: Value) -> Box<dyn Question> {
    let mut table: toml::Table = text.parse().unwrap();
    table.entry("steps").or_insert("A > B > C".into());
    table.entry("explain").or_insert("1".into());
    let spec = FunnelSpec::deserialize(table).unwrap();
    spec.resolve(common(shared).resolve(false).unwrap()).unwrap()
}

/// For each row event, attempt, step that it fills, and what ended the attempt.
fn explained(text: &str, events: &str) -> Vec<String> {
    let log = [visitor("2", "A@0 B@1 C@2"), visitor("1", events)].concat();
    let (report, _) = ask(&*question(text, json!({})), &log);
    let cell = |row: &Value, name: &str| match &row[name] {
        Value::Null => "-".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let line = |row: &Value| ["event", "attempt", "fills", "ended"].map(|name| cell(row, name)).join(" ");
    report["explain"].as_array().unwrap().iter().map(line).collect()
}

#[test]
fn every_event_is_shown_with_what_it_does() {
    assert_eq!(explained("", "A@0 X@1 B@2 C@3"), ["A 1 1 -", "X - - -", "B 1 2 -", "C 1 3 complete"]);
    assert_eq!(
        explained("entry = 'each'\nwindow = '5s'", "A@0 B@1 A@9"),
        ["A 1 1 -", "B 1 2 nothing that fits the next step follows", "A 2 1 nothing that fits the next step follows"]
    );
    assert_eq!(
        explained("steps = 'A > A'\nreuse = true", "A@0"),
        ["A 1 1 -", "A 1 2 complete"],
        "an event that fills two steps has two rows"
    );
    assert_eq!(explained("", "B@0"), ["B - - -"], "nobody entered");
    assert_eq!(explained("steps = 'A > B'\nbackfill = true", "B@0"), ["B 1 1 -", "B 1 2 complete"]);
    assert_eq!(
        explained("steps = 'A > B > C'\nties = 'grace:2s'", "A@0 C@1 B@2"),
        ["A 1 1 -", "C 1 3 complete", "B 1 2 -"]
    );
}

#[test]
fn what_ended_an_attempt_is_said() {
    let ended = |text: &str, events: &str| {
        let rows = explained(text, events);
        rows.into_iter().find_map(|row| row.split_once(" 2 ").map(|(_, end)| end.to_owned())).unwrap()
    };
    for (text, events, reason) in [
        ("", "A@0 B@1", "nothing that fits the next step follows"),
        ("window = '5s'", "A@0 B@1 C@6", "the next step comes at 1970-01-01T00:00:06Z, after the window"),
        ("steps = 'A > B >[2s] C'", "A@0 B@1 C@6", "the next step comes at 1970-01-01T00:00:06Z, too late for its hop"),
        (
            "scan = ['strict_order']",
            "A@0 B@1 X@2 C@6",
            "the next step at 1970-01-01T00:00:06Z cannot be used by these rules",
        ),
        (
            "dedupe = '2s'\nsteps = 'A > B > B'",
            "A@0 B@1 B@2",
            "the next step at 1970-01-01T00:00:02Z cannot be used by these rules",
        ),
        ("steps = 'A > B >> C'", "A@0 B@1 X@2 C@6", "the next step comes at 1970-01-01T00:00:06Z, not directly"),
        ("exclude = ['X']", "A@0 B@1 X@2 C@6", "stopped by an excluded event at 1970-01-01T00:00:02Z"),
        ("exclude = ['X']", "A@0 B@1 X@2", "stopped by an excluded event at 1970-01-01T00:00:02Z"),
        (
            "on_repeat = 'end_last'",
            "A@0 B@1 B@2 C@6",
            "the next step at 1970-01-01T00:00:06Z cannot be used by these rules",
        ),
        ("window = '2 events'", "A@0 B@1 C@6", "the next step comes at 1970-01-01T00:00:06Z, after the window"),
    ] {
        assert_eq!(ended(text, events), reason, "{text}: {events}");
    }
}

#[test]
fn each_session_is_a_journey_of_its_own() {
    let log = visitor("1", "A@0 A@4000 B@4001");
    let question = question("steps = 'A > B'\nwindow = 'session'\ncount = 'visitors'", json!({"grain": "session"}));
    let (report, _) = ask(&*question, &log);
    let journeys: Vec<u64> =
        report["explain"].as_array().unwrap().iter().map(|row| row["journey"].as_u64().unwrap()).collect();
    assert_eq!((entered(&report), journeys), (vec![1, 1], vec![1, 2, 2]));
}

#[test]
fn only_ordered_steps_are_explained() {
    assert!(refused("explain = '1'\nopen = true\nwindow = 'none'", json!({})).contains("--explain"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn the_laws_hold_with_an_explanation(log in logs()) {
        check_laws(&*question("explain = 'v1'\nexclude = ['D@1-2']", json!({"by": ["device"]})), &log);
    }

    #[test]
    fn an_explanation_shows_as_many_steps_as_are_counted(log in logs()) {
        let log: Vec<_> = log.into_iter().filter(|event| event.visitor == "v1").collect();
        let (report, _) = ask(&*question("explain = 'v1'\nwindow = '20s'", json!({})), &log);
        let rows = report["explain"].as_array().unwrap();
        prop_assert_eq!(rows.len(), log.len());
        let counted: u64 = entered(&report).iter().sum();
        prop_assert_eq!(rows.iter().filter(|row| !row["fills"].is_null()).count() as u64, counted);
        prop_assert_eq!(rows.iter().filter(|row| !row["ended"].is_null()).count() as u64, entered(&report)[0]);
    }
}
