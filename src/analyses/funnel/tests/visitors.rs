//! The rows of `--visitors-out`, held against examples by hand and against exhaustive search.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::options::{Attempt, cases, expected, plain, question};
use super::{common, entered};
use crate::analyses::Spec;
use crate::analyses::funnel::FunnelSpec;
use crate::testing::oracle::funnel::{Missing, Options};
use crate::testing::{Event, ask, logs, rows, visitor};

/// The rows of `A > B > C` with the options in `text`.
fn written(text: &str, shared: Value, log: &[Event]) -> Vec<Value> {
    rows(&*question(&format!("visitors_out = 'v.jsonl'\n{text}"), shared), log)
}

/// Some columns of rows, as text; the order of visitors is that of their hashes.
fn columns(rows: &[Value], names: &[&str]) -> Vec<String> {
    let cell = |row: &Value, name: &&str| row[name].as_str().map_or_else(|| row[name].to_string(), str::to_owned);
    let mut rows: Vec<String> =
        rows.iter().map(|row| names.iter().map(|name| cell(row, name)).collect::<Vec<_>>().join(" ")).collect();
    rows.sort();
    rows
}

#[test]
fn a_row_says_how_far_who_came_and_when() {
    let log = [visitor("1", "A@0 B@60 C@90"), visitor("2", "A@0 A@5 B@20"), visitor("3", "B@5"), visitor("4", "A@7")];
    let rows = written("window = '1h'", json!({}), &log.concat());
    let names = ["visitor", "reached", "step", "dropped_after"];
    assert_eq!(columns(&rows, &names), ["1 3 C null", "2 2 B B", "4 1 A A"]);
    let second = rows.iter().find(|row| row["visitor"] == "2").unwrap();
    let keys: Vec<&String> = second.as_object().unwrap().keys().collect();
    let expected = ["visitor", "reached", "step", "dropped_after", "entered_at", "step_1_at", "step_2_at", "step_3_at"];
    assert_eq!(keys, expected);
    assert_eq!(
        (&second["entered_at"], &second["step_1_at"], &second["step_2_at"], &second["step_3_at"]),
        (&json!("1970-01-01T00:00:05Z"), &json!("1970-01-01T00:00:05Z"), &json!("1970-01-01T00:00:20Z"), &Value::Null)
    );
}

#[test]
fn sessions_attempts_and_held_values_have_rows_of_their_own() {
    let mut log = visitor("1", "A@0 B@1 A@4000 A@4001 B@4002");
    ["x", "x", "x", "y", "y"].iter().zip(&mut log).for_each(|(device, event)| event.device = (*device).into());
    let sessions = json!({"grain": "session", "by": ["device", "session_number"]});
    let names = ["session_number", "session_start", "device", "by_session_number", "reached", "entered_at"];
    assert_eq!(
        columns(&written("window = 'session'", sessions.clone(), &log), &names),
        ["1 1970-01-01T00:00:00Z x 1 2 1970-01-01T00:00:00Z", "2 1970-01-01T01:06:40Z x 2 2 1970-01-01T01:06:41Z",]
    );
    let best = written("window = 'session'\ncount = 'visitors'", sessions, &log);
    assert_eq!(columns(&best, &names), ["1 1970-01-01T00:00:00Z x 1 2 1970-01-01T00:00:00Z"]);
    let attempts = written("entry = 'all'", json!({}), &log);
    assert_eq!(
        columns(&attempts, &["reached", "entered_at", "step_2_at"]),
        [
            "2 1970-01-01T00:00:00Z 1970-01-01T00:00:01Z",
            "2 1970-01-01T01:06:40Z 1970-01-01T01:06:42Z",
            "2 1970-01-01T01:06:41Z 1970-01-01T01:06:42Z",
        ]
    );
    let held =
        written("hold = 'device'\ncount = 'held'\nsteps = 'A > A > B'\nwindow = '2h'", json!({"by": ["device"]}), &log);
    assert_eq!(columns(&held, &["device", "held_device", "reached"]), ["x x 2", "x y 1"]);
}

#[test]
fn more_attempts_than_are_held_are_written_once_each() {
    let times: Vec<String> = (0..20_000).map(|second| format!("A@{second}")).collect();
    let rows = written("entry = 'all'\nwindow = '1s'", json!({"by": ["device"]}), &visitor("1", &times.join(" ")));
    let entered: std::collections::BTreeSet<&str> =
        rows.iter().map(|row| row["entered_at"].as_str().unwrap()).collect();
    assert_eq!((rows.len(), entered.len()), (20_000, 20_000));
}

#[test]
fn a_file_is_of_a_kind_that_holds_rows() {
    for name in ["v", "v.json", "v.txt", "v.md"] {
        let spec = FunnelSpec { visitors_out: Some(name.into()), ..FunnelSpec::of("A > B") };
        let error = spec.resolve(common(json!({})).resolve(false).unwrap()).err().unwrap();
        assert_eq!(error.advice(), Some("end it in .jsonl, .csv, .parquet"), "{error}");
    }
}

/// A row for each attempt that was found by exhaustive search: who, how far, when.
fn expected_rows((journey, attempt): &Attempt) -> String {
    let time = |at: &usize| format!("{}", journey[*at].time);
    let times = attempt.iter().map(time).chain((attempt.len()..3).map(|_| "null".into()));
    let times: Vec<String> = times.collect();
    format!("{} {} {}", journey[0].visitor, attempt.len(), times.join(" "))
}

fn found(row: &Value) -> String {
    let time = |step: usize| {
        let time = row[format!("step_{step}_at")].as_str()?;
        Some(chrono::DateTime::parse_from_rfc3339(time).unwrap().timestamp_micros())
    };
    let times: Vec<String> =
        (1..=3).map(|step| time(step).map_or("null".into(), |micros| micros.to_string())).collect();
    format!("{} {} {}", row["visitor"].as_str().unwrap(), row["reached"], times.join(" "))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn rows_are_the_attempts_that_the_oracle_finds(log in logs()) {
        let held = Options { hold: Some(Missing::Match), ..plain() };
        let held = ("hold = ['device']\ncount = 'held'", held, true);
        let cases = cases().into_iter().map(|(text, options)| (text, options, false)).chain([held]);
        for (text, options, each_value) in cases {
            let mut rows: Vec<String> = written(text, json!({"timeout": "5s"}), &log).iter().map(found).collect();
            let (attempts, _) = expected(&options, each_value, &log);
            let mut attempts: Vec<String> = attempts.iter().map(expected_rows).collect();
            rows.sort();
            attempts.sort();
            prop_assert_eq!(rows, attempts, "{}", text);
        }
    }

    #[test]
    fn rows_add_up_to_the_answer_by_segment(log in logs(), sessions in any::<bool>(), best in any::<bool>()) {
        let shared = match sessions {
            true => json!({"grain": "session", "timeout": "5s", "by": ["device"]}),
            false => json!({"by": ["device"]}),
        };
        let text = match (sessions, best) {
            (true, true) => "window = 'session'\ncount = 'visitors'",
            (true, false) => "window = 'session'",
            (false, _) => "",
        };
        let (report, _) = ask(&*question(text, shared.clone()), &log);
        let rows = written(text, shared, &log);
        let reached = |step: u64, device: Option<&str>| {
            let of = |row: &&Value| device.is_none_or(|device| row["device"].as_str().unwrap_or("") == device);
            rows.iter().filter(|row| row["reached"].as_u64().unwrap() >= step).filter(of).count() as u64
        };
        prop_assert_eq!(entered(&report), (1..=3).map(|step| reached(step, None)).collect::<Vec<_>>());
        // A visitor counts once in all, and once for each value that one of its sessions has.
        for segment in report["segments"].as_array().unwrap().iter().filter(|_| !(sessions && best)) {
            let device = segment["by"]["device"].as_str();
            prop_assert_eq!(entered(segment), (1..=3).map(|step| reached(step, device)).collect::<Vec<_>>());
        }
    }
}
