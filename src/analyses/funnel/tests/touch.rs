//! Breakdowns by the value of one event or of many, held against funnels of changed logs.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use serde::Deserialize;
use serde_json::{Value, json};

use super::options::{Attempt, cases, expected, question};
use super::{entered, refused};
use crate::analyses::funnel::FunnelSpec;
use crate::testing::oracle::{self, Event};
use crate::testing::{ask, check_laws, logs, rows, visitor};

/// A visitor's events, each with its device: `A@0/x`.
fn with_devices(id: &str, events: &str) -> Vec<Event> {
    let (times, devices): (Vec<&str>, Vec<&str>) =
        events.split_whitespace().map(|event| event.split_once('/').unwrap_or((event, ""))).unzip();
    let mut log = visitor(id, &times.join(" "));
    log.iter_mut().zip(devices).for_each(|(event, device)| event.device = device.into());
    log
}

fn answer(text: &str, touch: &str, log: &[Event]) -> Value {
    let shared = json!({"by": ["device"], "timeout": "5s"});
    ask(&*question(&format!("touch = '{touch}'\n{text}"), shared), log).0
}

/// How many enter each step, by device.
fn segments(report: &Value) -> BTreeMap<String, Vec<u64>> {
    let segments = report["segments"].as_array().unwrap().iter();
    segments.map(|segment| (segment["by"]["device"].as_str().unwrap().to_owned(), entered(segment))).collect()
}

fn of<const N: usize>(segments: [(&str, [u64; 3]); N]) -> BTreeMap<String, Vec<u64>> {
    segments.into_iter().map(|(device, entered)| (device.to_owned(), entered.to_vec())).collect()
}

#[test]
fn each_touch_takes_its_own_value() {
    let log = [
        with_devices("1", "D@0/z A@1 A@2/x B@3/y C@4/y B@5/x D@6/z"),
        with_devices("2", "A@1/x B@2"),
        with_devices("3", "A@1/y D@2/x"),
        with_devices("4", "D@1/x"),
    ]
    .concat();
    let by = |touch: &str| segments(&answer("", touch, &log));
    assert_eq!(by("first"), of([("x", [2, 2, 1]), ("y", [1, 0, 0]), ("", [0, 0, 0])]));
    assert_eq!(by("last"), of([("x", [2, 2, 1]), ("y", [1, 0, 0]), ("", [0, 0, 0])]), "1 ends by B at 5");
    // 1 has an A and a B of x, and a B and a C of y, but no A of y.
    assert_eq!(by("all"), of([("x", [2, 1, 0]), ("y", [1, 0, 0]), ("", [1, 0, 0])]));
    // 1 begins without a device and with x, and 2 has none at B.
    assert_eq!(by("step:1"), of([("x", [2, 2, 1]), ("y", [1, 0, 0]), ("", [1, 1, 1])]));
    assert_eq!(by("step:2"), of([("x", [1, 1, 0]), ("y", [1, 1, 1]), ("", [2, 1, 0])]));
    assert_eq!(by("step:3"), of([("y", [1, 1, 1]), ("", [2, 1, 0])]));
    assert_eq!(by("entries"), by("step:1"), "where every event of the first step may open the attempt");
    let report = answer("", "step:2", &log);
    assert_eq!(entered(&report), [3, 2, 1], "the answer itself is as ever");
    assert_eq!(report["segments"][0]["never_entered"], 1, "4 has no value");
}

#[test]
fn every_attempt_is_of_the_value_of_its_own_step() {
    let log = with_devices("1", "A@0/x B@1/x A@2/y C@3 A@4/x B@5/y");
    assert_eq!(
        segments(&answer("entry = 'all'", "step:1", &log)),
        of([("x", [2, 2, 1]), ("y", [1, 1, 0])]),
        "the attempts of x begin at 0 and 4"
    );
    assert_eq!(
        segments(&answer("entry = 'each'\nwindow = '1s'", "step:2", &log)),
        of([("x", [1, 1, 0]), ("y", [1, 1, 0]), ("", [1, 0, 0])])
    );
    // The first A is of x, whatever comes later.
    assert_eq!(segments(&answer("entry = 'first'", "step:1", &log)), of([("x", [1, 1, 1])]));
}

#[test]
fn the_funnel_says_which_events_touch() {
    let log = with_devices("1", "B@0/x A@1 B@2/y");
    let steps = |touch| segments(&answer("steps = 'A > first(B) > C'", touch, &log));
    assert_eq!(steps("last"), of([("x", [1, 0, 0])]), "the second B fits no step");
    let spec = "steps = 'A > first(B) > C'\ntouch = 'last'\nvisitors_out = 'v.csv'";
    assert_eq!(rows(&*question(spec, json!({"by": ["device"]})), &log)[0]["device"], "x");
}

#[test]
fn touches_that_contradict_other_options_are_refused() {
    let refused = |text: &str, by: Value| refused(text, json!({"by": by}));
    for (text, reason) in [
        ("touch = 'step:0'", "there is no step 0"),
        ("touch = 'step:4'", "there is no step 4"),
        ("touch = 'step:1'\nopen = true", "needs attempts at steps in their order"),
        ("touch = 'step:1'\nexclude = ['D']\nexclude_effect = 'remove'", "an exclusion removes"),
        ("touch = 'step:1'\nhold = 'device'\ncount = 'held'", "--count held"),
        ("touch = 'step:1'\ntrend = 'day'", "--trend"),
        ("touch = 'step:1'\nmature = true", "--mature"),
        ("touch = 'all'\nvisitors_out = 'v.csv'", "--visitors-out"),
        ("touch = 'all'\nties = 'step'", "--ties step"),
        ("touch = 'all'\ndropped_next = 1", "--dropped-next"),
        ("touch = 'all'\nbetween = 1", "--between"),
    ] {
        let error = refused(text, json!(["device"]));
        assert!(error.contains(reason), "{text}: {error}");
    }
    assert!(refused("touch = 'last'", json!([])).contains("there is no --by"));
    assert!(refused("touch = 'last'", json!(["first:device"])).contains("first:device says already"));
    assert!(refused("touch = 'all'", json!(["weekday"])).contains("weekday is a fact"));
    let error = FunnelSpec::deserialize("touch = 'some'".parse::<toml::Table>().unwrap()).unwrap_err();
    assert!(error.to_string().contains("does not say whose value counts"), "{error}");
}

#[test]
fn each_value_of_the_first_step_opens_attempts_of_its_own() {
    let log = [with_devices("1", "A@0/x A@9/y B@10/x"), with_devices("2", "D@0/x")].concat();
    let by = |touch: &str, text: &str| segments(&answer(text, touch, &log));
    assert_eq!(by("step:1", "window = '5s'\nentry = 'first'"), of([("x", [1, 0, 0]), ("", [0, 0, 0])]));
    assert_eq!(
        by("entries", "window = '5s'\nentry = 'first'"),
        of([("x", [1, 0, 0]), ("y", [1, 1, 0]), ("", [0, 0, 0])])
    );
    assert_eq!(
        by("entries", "window = '5s'\nentry = 'each'"),
        of([("x", [1, 0, 0]), ("y", [1, 1, 0]), ("", [0, 0, 0])])
    );
    assert_eq!(by("step:1", "window = '20s'\nentry = 'each'"), of([("x", [1, 1, 0]), ("", [0, 0, 0])]));
    assert_eq!(
        by("entries", "window = '20s'\nentry = 'each'"),
        of([("x", [1, 1, 0]), ("y", [1, 1, 0]), ("", [0, 0, 0])])
    );
}

/// How many attempts reach each step.
fn reached<'a>(attempts: impl Iterator<Item = &'a Attempt>) -> Vec<u64> {
    let mut counts = vec![0; 3];
    attempts.for_each(|(_, attempt)| counts[..attempt.len()].iter_mut().for_each(|count| *count += 1));
    counts
}

/// The devices of the events that fit a step, and none where no event fits.
fn devices(log: &[Event]) -> BTreeSet<String> {
    log.iter()
        .filter(|event| ["A", "B", "C"].contains(&event.event.as_str()))
        .map(|event| event.device.clone())
        .collect()
}

/// Every journey with what it is counted for: its device, or that of none.
fn journeys(log: &[Event]) -> Vec<Vec<Event>> {
    oracle::order(log).into_values().collect()
}

/// Cases of steps that no event fits two of.
fn apart() -> impl Iterator<Item = (&'static str, oracle::funnel::Options)> {
    cases().into_iter().filter(|(text, _)| !text.contains("steps = '(A|B)"))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn the_last_value_is_the_first_from_the_end(log in logs()) {
        for (text, options) in apart() {
            let mut slow: BTreeMap<String, Vec<Attempt>> = BTreeMap::new();
            for journey in journeys(&log) {
                let touching = |event: &&Event| !event.device.is_empty() && ["A", "B", "C"].contains(&event.event.as_str());
                let device = journey.iter().rev().find(touching).map_or(String::new(), |event| event.device.clone());
                slow.entry(device).or_default().extend(expected(&options, false, &journey).0);
            }
            let slow: BTreeMap<_, _> = slow.into_iter().map(|(device, attempts)| (device, reached(attempts.iter()))).collect();
            prop_assert_eq!(segments(&answer(text, "last", &log)), slow, "{}", text);
        }
    }

    #[test]
    fn all_values_have_the_funnel_of_their_events_alone(log in logs()) {
        // Sessions are those of all events.
        for (text, _) in apart().filter(|(text, _)| !text.contains("sessions") && !text.contains("ties = 'step'")) {
            let report = answer(text, "all", &log);
            let mut slow = BTreeMap::new();
            let without = journeys(&log).iter().filter(|journey| devices(journey).is_empty()).count();
            let mut values = devices(&log);
            if without > 0 {
                values.insert(String::new());
            }
            for device in values {
                let alone: Vec<Event> = log.iter().filter(|event| event.device == device).cloned().collect();
                let (alone, _) = ask(&*question(text, json!({"timeout": "5s"})), &alone);
                slow.insert(device.clone(), entered(&alone));
                let segment = report["segments"].as_array().unwrap().iter().find(|segment| segment["by"]["device"] == device).unwrap();
                prop_assert_eq!(&segment["steps"][2]["time_from_first_s"], &alone["steps"][2]["time_from_first_s"], "{}", text);
                let of = journeys(&log).iter().filter(|journey| devices(journey).contains(&device)).count();
                let of = if device.is_empty() { of + without } else { of };
                prop_assert_eq!(segment["journeys"].as_u64(), Some(of as u64));
            }
            prop_assert_eq!(segments(&report), slow, "{}", text);
        }
    }

    #[test]
    fn a_step_has_the_values_of_the_attempts_that_do_it(log in logs(), step in 0..3usize) {
        let name = ["A", "B", "C"][step];
        for (text, options) in apart().filter(|(text, _)| !["remove", "on_repeat", "strict_among", "entry", "ties"].iter().any(|rule| text.contains(rule))) {
            let mut slow: BTreeMap<String, Vec<Attempt>> = BTreeMap::new();
            for journey in journeys(&log) {
                let mut any = false;
                for device in ["", "mobile", "desktop"] {
                    // Events of other devices are there, but do not fit the step. (They count as it all the same, which some cases tell.)
                    let other = |event: &Event| event.event == name && event.device != device;
                    let renamed = |event: &Event| if other(event) { Event { event: "other".into(), ..event.clone() } } else { event.clone() };
                    let renamed: Vec<Event> = journey.iter().map(renamed).collect();
                    let found = expected(&options, false, &renamed).0.into_iter().filter(|(_, attempt)| attempt.len() > step);
                    for attempt in found {
                        slow.entry(device.into()).or_default().push(attempt);
                        any = true;
                    }
                }
                if !any {
                    slow.entry(String::new()).or_default().extend(expected(&options, false, &journey).0);
                }
            }
            let slow: BTreeMap<_, _> = slow.into_iter().map(|(device, attempts)| (device, reached(attempts.iter()))).collect();
            prop_assert_eq!(segments(&answer(text, &format!("step:{}", step + 1), &log)), slow, "{}", text);
        }
    }

    #[test]
    fn the_entries_of_each_value_are_a_funnel_of_their_own(log in logs()) {
        for (text, options) in apart().filter(|(text, _)| !["remove", "on_repeat", "strict_among", "ties"].iter().any(|rule| text.contains(rule))) {
            let mut slow: BTreeMap<String, Vec<Attempt>> = BTreeMap::new();
            for journey in journeys(&log) {
                let mut any = false;
                for device in ["", "mobile", "desktop"] {
                    let other = |event: &Event| event.event == "A" && event.device != device;
                    let renamed = |event: &Event| if other(event) { Event { event: "other".into(), ..event.clone() } } else { event.clone() };
                    let renamed: Vec<Event> = journey.iter().map(renamed).collect();
                    let found = expected(&options, false, &renamed).0;
                    if !found.is_empty() {
                        slow.entry(device.into()).or_default().extend(found);
                        any = true;
                    }
                }
                if !any {
                    slow.entry(String::new()).or_default();
                }
            }
            let slow: BTreeMap<_, _> = slow.into_iter().map(|(device, attempts)| (device, reached(attempts.iter()))).collect();
            prop_assert_eq!(segments(&answer(text, "entries", &log)), slow, "{}", text);
        }
    }

    #[test]
    fn every_attempt_that_is_counted_has_one_value(log in logs(), step in 0..3usize) {
        for (text, options) in apart().filter(|(text, _)| text.contains("'each'") || text.contains("'all'")) {
            let mut slow: BTreeMap<String, Vec<Attempt>> = BTreeMap::new();
            for (journey, attempt) in expected(&options, false, &log).0 {
                let device = attempt.get(step).map_or(String::new(), |at| journey[*at].device.clone());
                slow.entry(device).or_default().push((journey, attempt));
            }
            let found = segments(&answer(text, &format!("step:{}", step + 1), &log));
            for (device, entered) in &found {
                let attempts = slow.get(device).map_or(&[][..], Vec::as_slice);
                prop_assert_eq!(entered, &reached(attempts.iter()), "{} {}", text, device);
            }
            prop_assert!(slow.keys().all(|device| found.contains_key(device)));
        }
    }

    #[test]
    fn the_laws_hold_for_every_touch(log in logs(), sessions in any::<bool>()) {
        for (touch, text) in [
            ("last", "entry = 'each'"),
            ("all", "exclude = ['D']"),
            ("all", "order = 'any'"),
            ("step:1", "entry = 'all'"),
            ("entries", "entry = 'first'"),
            ("step:2", "between = 2\ndropped_next = 2"),
        ] {
            let shared = match sessions {
                true => json!({"by": ["device"], "grain": "session", "timeout": "5s"}),
                false => json!({"by": ["device"]}),
            };
            check_laws(&*question(&format!("touch = '{touch}'\n{text}"), shared), &log);
        }
    }
}
