//! Elements of lists that are held, against the definition: for each element the funnel over the events whose list has it.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use proptest::prelude::*;
use serde_json::json;

use super::options::{SECOND, plain, question, without};
use super::{entered, refused};
use crate::testing::oracle::funnel::{Effect, Entry, Missing, Options, Ties, Window, reported_by_held};
use crate::testing::oracle::{self, Hop};
use crate::testing::{Event, ask, check_laws, logs, visitor};

/// Values, and by definition their elements.
const VALUES: [(&str, &[&str]); 8] = [
    ("", &[""]),
    ("[]", &[""]),
    ("x", &["x"]),
    (r#"["x"]"#, &["x"]),
    (r#"["y", "x", "y"]"#, &["x", "y"]),
    (r#"["z","x","y"]"#, &["x", "y", "z"]),
    (r#"[null,"z"]"#, &["", "z"]),
    (r#"["x""#, &[r#"["x""#]),
];

fn has(event: &Event, element: &str) -> bool {
    VALUES.iter().any(|(value, elements)| *value == event.device && elements.contains(&element))
}

/// A funnel as written in a job file, what it means, and whether each element is counted.
fn cases() -> Vec<(&'static str, Options, bool)> {
    let hold = || Options { hold: Some(Missing::Match), ..plain() };
    let stop = || without("D", 1, 3, Effect::Stop);
    vec![
        ("", hold(), false),
        ("count = 'held'", hold(), true),
        ("hold_missing = 'never'", Options { hold: Some(Missing::Never), ..plain() }, false),
        ("hold_missing = 'never'\ncount = 'held'", Options { hold: Some(Missing::Never), ..plain() }, true),
        ("entry = 'first'", Options { entry: Entry::First, ..hold() }, false),
        ("entry = 'last'\ncount = 'held'", Options { entry: Entry::Last, ..hold() }, true),
        ("exclude = ['D']", Options { exclusions: vec![stop()], ..hold() }, false),
        (
            "exclude = ['B@2-3']\ncount = 'held'",
            { Options { exclusions: vec![without("B", 2, 3, Effect::Stop)], ..hold() } },
            true,
        ),
        (
            "exclude = ['D']\nexclude_effect = 'remove'\nties = 'arrival'",
            { Options { exclusions: vec![without("D", 1, 3, Effect::Remove)], ties: Ties::Arrival, ..hold() } },
            false,
        ),
        ("steps = 'A >> B >> C'", Options { hops: vec![Hop::Directly; 2], ties: Ties::Arrival, ..hold() }, false),
        (
            "window = '4 events'\ncount = 'held'",
            { Options { window: Window::Events(4), ties: Ties::Arrival, ..hold() } },
            true,
        ),
        ("window = '2 sessions'", Options { window: Window::Sessions(2), ..hold() }, false),
    ]
}

#[test]
fn of_equal_attempts_the_one_with_the_earliest_events_is_reported_whatever_their_elements() {
    for lists in [[r#"["y"]"#, r#"["x"]"#], [r#"["x"]"#, r#"["y"]"#]] {
        let mut log = visitor("1", "A@0 B@5 B@5");
        log[0].device = r#"["x","y"]"#.into();
        for (event, (list, value)) in log[1..].iter_mut().zip(lists.into_iter().zip([1, 2])) {
            (event.device, event.value) = (list.into(), Some(value * 1_000_000));
        }
        let (report, _) = ask(&*question("steps = 'A > B'\nhold = 'each(device)'", json!({})), &log);
        assert_eq!((entered(&report), &report["steps"][1]["value"]), (vec![1, 1], &json!(1.0)), "{lists:?}");
    }
}

/// By definition: for each element that an opening event has, the attempt over the journey in which the events that have it hold it.
fn by_element(options: &Options, openers: &[&Event], journey: &[Event], numbers: &[usize]) -> Vec<Vec<usize>> {
    let elements = VALUES.iter().flat_map(|(_, elements)| elements.iter().copied()).collect::<BTreeSet<_>>();
    let opened = elements.into_iter().filter(|element| openers.iter().any(|event| has(event, element)));
    let attempts = opened.flat_map(|element| {
        let device = |event: &Event| if has(event, element) { element } else { "another" }.to_owned();
        let held: Vec<Event> = journey.iter().map(|event| Event { device: device(event), ..event.clone() }).collect();
        reported_by_held(options, &held, numbers).into_iter().filter(move |(value, _)| value == element)
    });
    attempts.map(|(_, attempt)| attempt).collect()
}

/// The attempts that are counted, each by the times of its steps.
fn expected(options: &Options, each: bool, log: &[Event]) -> Vec<Vec<i64>> {
    let mut counted = Vec::new();
    for journey in oracle::order(log).into_values() {
        let sessions = oracle::sessions(&journey, 5 * SECOND, oracle::Edge::Exceeds);
        let numbers: Vec<usize> =
            sessions.iter().enumerate().flat_map(|(number, session)| vec![number; session.len()]).collect();
        let first_alone = options.entry == Entry::First && !each;
        let openers = journey.iter().filter(|event| event.event == "A");
        let openers: Vec<&Event> = openers.take(if first_alone { 1 } else { usize::MAX }).collect();
        let times = |attempt: Vec<usize>| attempt.into_iter().map(|at| journey[at].time).collect::<Vec<_>>();
        let attempts = by_element(options, &openers, &journey, &numbers).into_iter().map(times);
        if each {
            counted.extend(attempts);
            continue;
        }
        let dirty = match options.exclusions.iter().any(|exclusion| exclusion.effect == Effect::Remove) {
            true => Options { exclusions: Vec::new(), ..options.clone() },
            false => options.clone(),
        };
        let deepest = by_element(&dirty, &openers, &journey, &numbers).iter().map(Vec::len).max();
        let best = attempts.min_by_key(|times| (Reverse(times.len()), times[times.len() - 1], Reverse(times[0])));
        counted.extend(best.filter(|best| Some(best.len()) == deepest));
    }
    counted
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn each_element_is_a_funnel_of_its_own(log in logs(), values in prop::collection::vec(0..VALUES.len(), 40)) {
        let with_list = |(event, value): (&Event, usize)| Event { device: VALUES[value].0.into(), ..event.clone() };
        let log: Vec<Event> = log.iter().zip(values).map(with_list).collect();
        for (text, options, each) in cases() {
            let asked = question(&format!("hold = 'each(device)'\n{text}"), json!({"timeout": "5s"}));
            let (report, _) = ask(&*asked, &log);
            let attempts = expected(&options, each, &log);
            let reached = |step: usize| attempts.iter().filter(|times| times.len() > step).count() as u64;
            prop_assert_eq!(entered(&report), (0..3).map(reached).collect::<Vec<_>>(), "{}", text);
            let sum: i64 = attempts.iter().filter(|times| times.len() == 3).map(|times| times[2] - times[0]).sum();
            let mean = report["steps"][2]["time_from_first_s"]["mean"].as_f64().unwrap_or(0.0);
            prop_assert!((mean * reached(2) as f64 - sum as f64 / 1e6).abs() < 1e-6, "{}", text);
        }
    }

    #[test]
    fn the_laws_hold_for_elements(log in logs()) {
        check_laws(&*question("hold = 'each(device)'\ncount = 'held'", json!({})), &log);
    }
}

#[test]
fn an_event_that_is_excluded_after_its_own_step_does_not_stand_before_it() {
    // The B between is the second step of x, and the excluded event of nobody: it has y too, which must not count beside it.
    let mut log = visitor("v", "A@0 B@1 C@2");
    log.iter_mut().for_each(|event| event.device = r#"["x","y"]"#.into());
    let text = "hold = 'each(device)'\nexclude = ['B@1-2']\nties = 'arrival'";
    assert_eq!(entered(&ask(&*question(text, json!({})), &log).0), [1, 1, 1]);
}

#[test]
fn an_element_holds_beside_a_column() {
    // In these logs every column has the same text, so the column asks for the whole list.
    let mut log = visitor("v", "A@0 B@1 C@2");
    for (event, device) in log.iter_mut().zip([r#"["x","y"]"#, r#"["y"]"#, r#"["x","y"]"#]) {
        event.device = device.into();
    }
    let entered = |hold: &str| entered(&ask(&*question(&format!("hold = {hold}"), json!({})), &log).0);
    assert_eq!(entered("['each(device)']"), [1, 1, 1]);
    assert_eq!(entered("['other', 'each(device)']"), [1, 0, 0]);
}

#[test]
fn what_elements_cannot_answer_is_refused_with_a_hint() {
    for (text, reason) in [
        ("hold = ['each(a)', 'each(b)']", "one list"),
        ("hold = 'each()'", "names no column"),
        ("hold = 'each(a)'\nentry = 'all'", "of every attempt"),
        ("hold = 'each(a)'\nvisitors_out = 'v.csv'", "one element of a list"),
        ("hold = 'each(a)'\nopen = true", "could be held"),
    ] {
        let error = refused(text, json!({}));
        assert!(error.contains(reason), "{text}: {error}");
    }
}
