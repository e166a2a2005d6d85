//! What lies between the steps, held against a slow count of the attempts that exhaustive search finds.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use serde_json::{Value, json};

use super::options::{cases, expected, question};
use crate::testing::oracle::funnel::{Options, Window};
use crate::testing::oracle::{self, Event};
use crate::testing::{ask, check_laws, logs, visitor};

/// From, to, outcome and event; visitors, attempts, share and count.
fn row(key: [&str; 4], figures: [Option<f64>; 4]) -> Value {
    let [from, to, outcome, event] = key;
    let count = |figure: Option<f64>| figure.map(|figure| figure as u64);
    let [visitors, attempts, share, times] = figures;
    json!({
        "from": from, "to": to, "outcome": outcome, "event": event,
        "visitors": count(visitors), "attempts": count(attempts), "share": share, "count": count(times),
    })
}

#[test]
fn events_between_steps_are_counted_by_what_became_of_the_attempt() {
    let log = [
        visitor("1", "X@0 A@1 X@2 X@3 Y@4 B@5 Z@6 C@7 Y@8"),
        visitor("2", "A@1 X@2 B@3 Z@4 X@4000"),
        visitor("3", "A@1 Y@2 (other)@3"),
        visitor("4", "A@1"),
    ]
    .concat();
    let some = |figures: [f64; 4]| figures.map(Some);
    let all = json!([
        row(["A", "B", "converted", "X"], some([2.0, 2.0, 1.0, 3.0])),
        row(["A", "B", "converted", "Y"], some([1.0, 1.0, 0.5, 1.0])),
        row(["A", "B", "left", "\\(other)"], some([1.0, 1.0, 0.5, 1.0])),
        row(["A", "B", "left", "Y"], some([1.0, 1.0, 0.5, 1.0])),
        row(["B", "C", "converted", "Z"], some([1.0, 1.0, 1.0, 1.0])),
        row(["B", "C", "left", "Z"], some([1.0, 1.0, 1.0, 1.0])),
    ]);
    assert_eq!(ask(&*question("window = '1h'\nbetween = 'all'", json!({})), &log).0["between"], all);
    let (report, _) = ask(&*question("window = '1h'\nbetween = 1", json!({})), &log);
    assert_eq!(report["between"][1], row(["A", "B", "converted", "(other)"], [None, None, None, Some(1.0)]));
    assert_eq!(report["between"][3], row(["A", "B", "left", "(other)"], [None, None, None, Some(1.0)]));
    assert_eq!(ask(&*question("", json!({})), &log).0.get("between"), None, "nobody asked");
}

#[test]
fn a_visitor_with_several_attempts_is_one() {
    let log = visitor("1", "A@0 X@1 A@2 X@3 B@4");
    let (report, _) = ask(&*question("entry = 'all'\nbetween = 'all'", json!({})), &log);
    let some = |figures: [f64; 4]| figures.map(Some);
    assert_eq!(
        report["between"],
        json!([
            row(["A", "B", "converted", "X"], some([1.0, 2.0, 1.0, 3.0])),
            row(["A", "B", "converted", "A"], some([1.0, 1.0, 0.5, 1.0])),
        ])
    );
}

/// Whether an attempt could go on by the event at a place; `sessions` has the number of the session of each event.
fn could_go_on(options: &Options, journey: &[Event], sessions: &[usize], attempt: &[usize], at: usize) -> bool {
    let (first, last) = (attempt[0], attempt[attempt.len() - 1]);
    let in_window = match options.window {
        Window::Time(span) => journey[at].time - journey[first].time <= span,
        Window::Sessions(count) => sessions[at] - sessions[first] < count,
        Window::Events(count) => at - first < count,
        Window::None => true,
    };
    let limit = options.limits[attempt.len() - 1];
    in_window && limit.is_none_or(|limit| journey[at].time - journey[last].time <= limit)
}

/// By step, outcome and event: the visitors, the attempts, and how often.
type Slow = BTreeMap<(usize, &'static str, String), (BTreeSet<String>, u64, u64)>;

fn counted(options: &Options, log: &[Event]) -> Slow {
    let mut slow = Slow::new();
    for (journey, attempt) in expected(options, false, log).0 {
        let sessions = oracle::sessions(&journey, 5_000_000, oracle::Edge::Exceeds);
        let numbers: Vec<usize> =
            sessions.iter().enumerate().flat_map(|(number, session)| vec![number; session.len()]).collect();
        let mut met = BTreeSet::new();
        for (at, event) in journey.iter().enumerate().filter(|(at, _)| !attempt.contains(at)) {
            for (step, _) in attempt.iter().enumerate().filter(|(step, behind)| *step < 2 && at > **behind) {
                let way = match attempt.get(step + 1) {
                    Some(&next) if at < next => "converted",
                    None if could_go_on(options, &journey, &numbers, &attempt, at) => "left",
                    _ => continue,
                };
                let key = (step, way, event.event.clone());
                let (visitors, attempts, count) = slow.entry(key.clone()).or_default();
                visitors.insert(event.visitor.clone());
                *attempts += u64::from(met.insert(key));
                *count += 1;
            }
        }
    }
    slow
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn what_lies_between_equals_a_slow_count(log in logs()) {
        for (text, options) in cases().into_iter().filter(|(text, _)| !text.contains("steps =")) {
            let (report, _) = ask(&*question(&format!("between = 'all'\n{text}"), json!({"timeout": "5s"})), &log);
            let slow = counted(&options, &log);
            let rows = report["between"].as_array().unwrap();
            prop_assert_eq!(rows.len(), slow.len(), "{}", text);
            for row in rows {
                let step = ["A", "B"].iter().position(|step| row["from"] == *step).unwrap();
                let text_of = |key: &str| row[key].as_str().unwrap().to_owned();
                let outcome = if row["outcome"] == "left" { "left" } else { "converted" };
                let (visitors, attempts, count) = &slow[&(step, outcome, text_of("event"))];
                let figures = (row["visitors"].as_u64(), row["attempts"].as_u64(), row["count"].as_u64());
                prop_assert_eq!(figures, (Some(visitors.len() as u64), Some(*attempts), Some(*count)), "{}", text);
                let entered = |step: usize| report["steps"][step]["entered"].as_u64().unwrap();
                let of = if outcome == "left" { entered(step) - entered(step + 1) } else { entered(step + 1) };
                prop_assert_eq!(row["share"].as_f64(), Some(*attempts as f64 / of as f64));
            }
        }
    }

    #[test]
    fn the_rest_adds_up(log in logs()) {
        let sum = |shown: &str| {
            let (report, _) = ask(&*question(&format!("between = {shown}"), json!({})), &log);
            let mut sums = BTreeMap::new();
            for row in report["between"].as_array().unwrap() {
                *sums.entry((row["from"].to_string(), row["outcome"].to_string())).or_insert(0) += row["count"].as_u64().unwrap();
            }
            sums
        };
        prop_assert_eq!(sum("1"), sum("'all'"));
    }

    #[test]
    fn the_laws_hold_between_steps(log in logs(), option in 0..4usize) {
        let cases: [(&str, Value); 4] = [
            ("between = 'all'\nentry = 'all'", json!({"by": ["device"]})),
            ("between = 2\nhold = 'device'\ncount = 'held'", json!({})),
            ("between = 1\nwindow = '2 sessions'", json!({"timeout": "5s"})),
            ("between = 2\nwindow = 'session'", json!({"timeout": "5s", "grain": "session", "by": ["device"]})),
        ];
        let (text, shared) = cases[option].clone();
        check_laws(&*question(text, shared), &log);
    }
}
