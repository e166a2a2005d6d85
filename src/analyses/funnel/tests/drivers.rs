//! Drivers, held against the definition and against logs made for the purpose.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use serde_json::{Value, json};

use super::options::{cases, question};
use super::refused;
use crate::testing::oracle::funnel::{Options, Ties, Window, reported};
use crate::testing::oracle::{self, Event, Hop, Step};
use crate::testing::{ask, check_laws, logs, visitor};

const SECOND: i64 = 1_000_000;

/// So many visitors each of whom does these events, told apart by a name.
fn crowd(name: &str, count: usize, events: &str) -> Vec<Event> {
    (0..count).flat_map(|number| visitor(&format!("{name}{number}"), events)).collect()
}

/// 100 enter. Of the 40 who chat 30 buy, of the 60 others 15. Everyone scrolls, five see an error.
fn shop() -> Vec<Event> {
    [
        crowd("chat-buy", 30, "view@0 chat@1 scroll@2 buy@3"),
        crowd("chat", 10, "view@0 chat@1 chat@2 scroll@3"),
        crowd("buy", 15, "view@0 scroll@1 buy@3 chat@4"),
        crowd("error", 5, "view@0 error@1 scroll@2"),
        crowd("none", 40, "chat@0 view@1 scroll@2 chat@30"),
        crowd("other", 7, "chat@0 buy@1"),
    ]
    .concat()
}

const ALL: &str = "steps = 'view > buy'\ndrivers = 'all'\nmin_support = 1";

#[test]
fn what_goes_with_converting_is_found() {
    let (report, _) = ask(&*question("steps = 'view > buy'\ndrivers = 5", json!({})), &shop());
    let rows = report["drivers"].as_array().unwrap();
    // Chats before the view, behind the purchase or behind the window of 20 seconds do not count; all scroll, and errors are rare.
    assert_eq!((rows.len(), &report["driver_tests"], &report["drivers_too_rare"]), (1, &json!(1), &json!(2)));
    let names = ["kind", "name", "value"].map(|name| &rows[0][name]);
    assert_eq!(json!(names), json!(["event", "chat", null]));
    let counts = ["with", "with_converted", "without", "without_converted"].map(|name| &rows[0][name]);
    assert_eq!(json!(counts), json!([40, 30, 60, 15]));
    // (30 × 45) ÷ (10 × 15) = 9; log 9 ± 1.96 √(1/30 + 1/10 + 1/15 + 1/45); z = 0.5 ÷ √(0.45 × 0.55 × (1/40 + 1/60)) = 4.9237.
    let close = |found: &Value, expected: f64| {
        assert!((found.as_f64().unwrap() / expected - 1.0).abs() < 1e-3, "{found} is not {expected}");
    };
    assert_eq!(rows[0]["odds_ratio"], 9.0);
    let half = 1.959_964 * (1.0 / 30.0 + 1.0 / 10.0 + 1.0 / 15.0 + 1.0 / 45.0_f64).sqrt();
    close(&rows[0]["interval"][0], 9.0 / half.exp());
    close(&rows[0]["interval"][1], 9.0 * half.exp());
    close(&rows[0]["p"], 8.491e-7);
    assert_eq!(rows[0]["p"], rows[0]["p_corrected"]);
    assert_eq!(ask(&*question("", json!({})), &shop()).0.get("drivers"), None, "nobody asked");
}

#[test]
fn the_surest_comes_first_and_all_tests_count() {
    let log = [shop(), crowd("rare", 1, "view@0 luck@1 buy@2")].concat();
    let (report, _) = ask(&*question(ALL, json!({})), &log);
    let names = |report: &Value| -> Vec<String> {
        report["drivers"].as_array().unwrap().iter().map(|row| row["name"].as_str().unwrap().to_owned()).collect()
    };
    // One has luck and buys, all others scroll: nothing sure can be said of either, and the same of both.
    assert_eq!(names(&report), ["chat", "error", "luck", "scroll"]);
    assert_eq!((&report["driver_tests"], &report["drivers_too_rare"]), (&json!(4), &json!(0)));
    let (best, all) = (&report["drivers"][0], report["drivers"].as_array().unwrap());
    assert_eq!(best["p_corrected"].as_f64(), best["p"].as_f64().map(|p| p * 4.0));
    assert!(all.iter().all(|row| row["p_corrected"].as_f64() >= row["p"].as_f64()));
    // Showing fewer changes nothing else.
    let (fewer, _) = ask(&*question(&ALL.replace("'all'", "1"), json!({})), &log);
    assert_eq!((&fewer["drivers"], &fewer["driver_tests"]), (&json!([best]), &json!(4)));
    assert_eq!(names(&ask(&*question(ALL, json!({"hide": ["chat"]})), &log).0), ["error", "luck", "scroll"]);
}

#[test]
fn steps_and_excluded_events_are_no_drivers() {
    let log = [crowd("a", 3, "A@0 D@1 B@2 C@3"), crowd("b", 3, "A@0 B@1"), crowd("c", 3, "A@0 D@1 X@2")].concat();
    let drivers = |text: &str| {
        let (report, _) = ask(&*question(&format!("{text}\ndrivers = 'all'\nmin_support = 1"), json!({})), &log);
        report["drivers"].as_array().unwrap().iter().map(|row| row["name"].clone()).collect::<Value>()
    };
    assert_eq!(drivers(""), json!(["D", "X"]), "a B would drive all who convert");
    assert_eq!(drivers("exclude = ['D@2-3']"), json!(["X"]));
}

#[test]
fn dimensions_lend_what_is_known_before_the_last_step() {
    let on = |device: &str, mut log: Vec<Event>, at: usize| {
        log[at].device = device.into();
        log
    };
    let log = [
        // The device of a step behind the entry says nothing, and neither does that of the last.
        on("phone", visitor("1", "A@0 B@1 C@2"), 1),
        on("phone", visitor("2", "A@0 B@1 C@2"), 2),
        on("phone", visitor("3", "A@0 X@1"), 0),
        on("laptop", visitor("4", "A@0 X@1"), 1),
        on("laptop", visitor("5", "X@0 A@1 B@2 C@3"), 1),
    ]
    .concat();
    let text = "drivers = 'all'\nmin_support = 1\ndriver_dim = ['device', 'weekday']";
    let (report, _) = ask(&*question(text, json!({"hide": ["X"]})), &log);
    let rows = report["drivers"].as_array().unwrap();
    let of = |value: &str| {
        let row = rows.iter().find(|row| row["value"] == value).unwrap();
        json!([row["kind"], row["name"], row["with"], row["with_converted"]])
    };
    assert_eq!(of("phone"), json!(["dimension", "device", 1, 0]));
    assert_eq!(of("laptop"), json!(["dimension", "device", 2, 1]));
    // All begin on a Thursday.
    assert_eq!((rows.len(), &report["drivers_too_rare"]), (2, &json!(1)));
}

#[test]
fn nobody_and_everybody_converting_leave_the_odds_undefined() {
    let some = |events: &str| {
        let log = [crowd("a", 12, &format!("A@0 D@1 {events}")), crowd("b", 12, &format!("A@0 {events}"))].concat();
        ask(&*question("drivers = 3", json!({})), &log).0["drivers"][0].clone()
    };
    for events in ["", "B@2 C@3"] {
        let row = some(events);
        assert_eq!(
            (&row["odds_ratio"], &row["interval"], &row["p"]),
            (&Value::Null, &Value::Null, &json!(1.0)),
            "{row}"
        );
    }
}

#[test]
fn drivers_that_cannot_be_told_are_refused_with_a_hint() {
    for (text, reason) in [
        ("driver_dim = 'device'", "are about drivers"),
        ("min_support = 3", "are about drivers"),
        ("drivers = 3\nsteps = 'A'", "of one step"),
        ("drivers = 3\nopen = true", "steps in their order"),
        ("drivers = 3\norder = 'any'", "steps in their order"),
        ("drivers = 3\nentry = 'each'", "one attempt each"),
        ("drivers = 3\nentry = 'all'", "one attempt each"),
        ("drivers = 3\nhold = 'device'\ncount = 'held'", "one attempt each"),
        ("drivers = 3\ndriver_dim = ['device', 'device']", "drives once"),
        ("drivers = 3\ndriver_dim = ['last:device']", "every value"),
        ("drivers = 3\ndriver_dim = ['session_number']", "a fact of sessions"),
    ] {
        let error = refused(text, json!({}));
        assert!(error.contains(reason), "{text}: {error}");
    }
}

/// By definition: whether an event lies between the entry and the end of an attempt.
fn lies_between(
    options: &Options,
    journey: &[Event],
    sessions: &[usize],
    attempt: &[usize],
    hop: Option<i64>,
    at: usize,
) -> bool {
    let (first, last) = (attempt[0], attempt[attempt.len() - 1]);
    let time = |at: usize| journey[at].time;
    let fits = |step: &Step| step.fits(&journey[at]);
    if options.steps.iter().any(fits) || options.exclusions.iter().any(|exclusion| fits(&exclusion.what)) {
        return false;
    }
    let behind = match options.ties {
        Ties::Any => time(at) > time(first),
        Ties::Step => time(at) >= time(first),
        Ties::Arrival => at > first,
    };
    let before = match options.ties {
        _ if attempt.len() < options.steps.len() => match (hop, options.window) {
            (Some(hop), _) => time(at) <= time(last) + hop,
            (None, Window::None) => true,
            (None, Window::Time(window)) => time(at) <= time(first) + window,
            (None, Window::Sessions(count)) => sessions[at] < sessions[first] + count,
            (None, Window::Events(count)) => at < first + count,
        },
        Ties::Any | Ties::Step => time(at) < time(last),
        Ties::Arrival => at < last,
    };
    behind && before
}

/// For each candidate, by kind and name, the journeys with it and how many of them converted.
type Candidates = BTreeMap<(String, String), [u64; 2]>;

/// By definition: for each candidate the journeys with it and how many of them converted; and the same of all journeys.
fn candidates(options: &Options, hop: Option<i64>, log: &[Event]) -> (Candidates, [u64; 2]) {
    let (mut with, mut all) = (Candidates::new(), [0, 0]);
    for journey in oracle::order(log).into_values() {
        let sessions = oracle::sessions(&journey, 5 * SECOND, oracle::Edge::Exceeds);
        let sessions: Vec<usize> =
            sessions.iter().enumerate().flat_map(|(number, session)| vec![number; session.len()]).collect();
        let found = reported(options, &journey, &sessions);
        let Some(attempt) = found.first() else { continue };
        let converted = u64::from(attempt.len() == options.steps.len());
        let between = |at: &usize| lies_between(options, &journey, &sessions, attempt, hop, *at);
        let mut met = BTreeSet::from([("device", journey[attempt[0]].device.as_str())]);
        for at in (0..journey.len()).filter(between) {
            met.insert(("event", &journey[at].event));
            met.insert(("device", &journey[at].device));
        }
        for (kind, name) in met.into_iter().filter(|(_, name)| !name.is_empty()) {
            let counts = with.entry((kind.to_owned(), name.to_owned())).or_default();
            *counts = [counts[0] + 1, counts[1] + converted];
        }
        all = [all[0] + 1, all[1] + converted];
    }
    (with, all)
}

fn check(text: &str, options: &Options, hop: Option<i64>, log: &[Event]) -> Result<(), TestCaseError> {
    let asked = format!("{text}\ndrivers = 'all'\nmin_support = 1\ndriver_dim = 'device'");
    let (report, _) = ask(&*question(&asked, json!({"timeout": "5s", "node": "event"})), log);
    let (expected, all) = candidates(options, hop, log);
    let rare = expected.values().filter(|[with, _]| *with == all[0]).count();
    let rows = report["drivers"].as_array().unwrap().iter().map(|row| {
        let name = if row["kind"] == "event" { &row["name"] } else { &row["value"] };
        let kind = if row["kind"] == "event" { "event" } else { row["name"].as_str().unwrap() };
        let count = |name: &str| row[name].as_u64().unwrap();
        let counts = [count("with"), count("with_converted")];
        assert_eq!([count("without"), count("without_converted")], [all[0] - counts[0], all[1] - counts[1]]);
        ((kind.to_owned(), name.as_str().unwrap().to_owned()), counts)
    });
    let rows: BTreeMap<_, _> = rows.collect();
    prop_assert_eq!(report["drivers_too_rare"].as_u64(), Some(rare as u64), "{}", text);
    let expected: BTreeMap<_, _> = expected.into_iter().filter(|(_, [with, _])| *with < all[0]).collect();
    prop_assert_eq!(rows, expected, "{}", text);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn drivers_are_what_lies_between(log in logs()) {
        let one = |text: &str| !["entry = 'each'", "entry = 'all'", "count = 'held'", "previous"].iter().any(|no| text.contains(no));
        for (text, options) in cases().into_iter().filter(|(text, _)| one(text)) {
            check(text, &options, None, &log)?;
        }
        let (_, plain) = cases().swap_remove(0);
        let hops = Options { window: Window::None, limits: vec![Some(4 * SECOND); 2], hops: vec![Hop::Eventually; 2], ..plain };
        check("window = '4s'\nwindow_from = 'previous'", &hops, Some(4 * SECOND), &log)?;
    }

    #[test]
    fn the_laws_hold_for_drivers(log in logs()) {
        let asked = "drivers = 3\nmin_support = 1\ndriver_dim = ['device', 'hour']";
        for (text, grain) in [("", "visitor"), ("window = '2 sessions'", "visitor"), ("window = 'session'\ncount = 'visitors'", "session")] {
            check_laws(&*question(&format!("{text}\n{asked}"), json!({"timeout": "5s", "grain": grain, "by": ["device"]})), &log);
        }
    }

    #[test]
    fn a_visitor_who_counts_by_its_best_session_lends_that_of_it(log in logs()) {
        // Where nobody has a second session, it is the funnel of sessions.
        let asked = |text: &str| {
            let text = format!("{text}\nwindow = 'session'\ndrivers = 'all'\nmin_support = 1\ndriver_dim = 'device'");
            ask(&*question(&text, json!({"timeout": "1h", "grain": "session"})), &log).0
        };
        prop_assert_eq!(&asked("count = 'visitors'")["drivers"], &asked("")["drivers"]);
    }
}
