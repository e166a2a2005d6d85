//! Comparisons, held against the funnels that their sides are.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::options::{cases, question};
use super::{entered, refused, slowed};
use crate::testing::{Event, ask, check_laws, event, logs};

/// Part and whole of each rate on both sides of the comparison of `a` with `b`.
fn shares(report: &Value, a: &str, b: &str) -> [Vec<(u64, u64)>; 2] {
    let rows = report["comparison"].as_array().unwrap().iter().filter(|row| row["a"] == a && row["b"] == b);
    let rows: Vec<&Value> = rows.collect();
    let share = |share: &Value| (share["part"].as_u64().unwrap(), share["whole"].as_u64().unwrap());
    ["in_a", "in_b"].map(|side| rows.iter().map(|row| share(&row[side])).collect())
}

/// The same out of the answer of a funnel of that side alone.
fn expected(report: Option<&Value>, open: bool) -> Vec<(u64, u64)> {
    let Some(report) = report else { return vec![(0, 0); if open { 2 } else { 4 }] };
    let entered = entered(report);
    let continued = |at: usize| report["steps"][at]["continued"].as_u64().unwrap_or(entered[at]);
    let rates = |at: usize| match open {
        true => vec![(continued(at), entered[at - 1])],
        false => vec![(entered[at], entered[0]), (continued(at), entered[at - 1])],
    };
    (1..entered.len()).flat_map(rates).collect()
}

fn segment<'a>(report: &'a Value, value: &str) -> Option<&'a Value> {
    report["segments"].as_array().unwrap().iter().find(|segment| segment["by"]["device"] == value)
}

/// Visitors who view, of whom some buy: so many of so many on each device.
fn shop(devices: &[(&str, usize, usize)]) -> Vec<Event> {
    let on = |&(device, buy, all): &(&str, usize, usize)| {
        let name = device.to_owned();
        (0..all).flat_map(move |number| {
            let id = format!("{name}{number}");
            let events = [("view", 0), ("buy", 5)].into_iter().take(if number < buy { 2 } else { 1 });
            let device = name.clone();
            events
                .map(move |(event_name, at)| Event { device: device.clone(), ..event(&id, at, event_name) })
                .collect::<Vec<_>>()
        })
    };
    devices.iter().flat_map(on).collect()
}

const COMPARED: &str = "steps = 'view > buy'\ncompare = 'device=mobile,desktop'";

#[test]
fn two_devices_are_compared() {
    // Newcombe's first example: 48 of 80 and 56 of 70.
    let log = shop(&[("mobile", 48, 80), ("desktop", 56, 70), ("", 1, 2)]);
    let (report, _) = ask(&*question(COMPARED, json!({})), &log);
    let rows = report["comparison"].as_array().unwrap();
    let names: Vec<&Value> = ["compare", "a", "b", "step", "measure"].map(|name| &rows[0][name]).to_vec();
    assert_eq!(json!(names), json!(["device", "mobile", "desktop", "buy", "of_first"]));
    assert_eq!(rows[0]["in_a"], json!({"part": 48, "whole": 80, "rate": 0.6}));
    assert_eq!(rows[0]["in_b"], json!({"part": 56, "whole": 70, "rate": 0.8}));
    let close = |found: &Value, expected: f64| assert!((found.as_f64().unwrap() - expected).abs() < 5e-5, "{found}");
    close(&rows[0]["difference"], 0.2);
    close(&rows[0]["interval"][0], 0.0524);
    close(&rows[0]["interval"][1], 0.3339);
    // z = 0.2 ÷ √(104/150 × 46/150 × (1/80 + 1/70)) = 2.6502.
    close(&rows[0]["p"], 0.00804);
    // Of the second step both rates are one test.
    assert_eq!((&report["comparison_tests"], rows.len()), (&json!(1), 2));
    assert_eq!((&rows[0]["p_corrected"], &rows[1]["p_corrected"]), (&rows[0]["p"], &rows[0]["p"]));
    assert_eq!(ask(&*question("", json!({})), &log).0.get("comparison"), None, "nobody asked");
}

#[test]
fn all_tests_of_an_answer_are_one_family() {
    let log = shop(&[("mobile", 48, 80), ("desktop", 56, 70)]);
    let text = "steps = 'view > buy > buy'\ncompare = ['device=mobile,desktop', 'new_or_returning=new,returning']";
    let shared = json!({"grain": "session", "by": ["device"]});
    let (report, _) = ask(&*question(text, shared), &log);
    // Segments of one device have nothing on the other side, and no session is returning: so one comparison can be made at all. Of the
    // second step it is one test, of the third two.
    assert_eq!(report["comparison_tests"], 3);
    let total = report["comparison"].as_array().unwrap();
    assert_eq!(total[0]["p_corrected"].as_f64(), total[0]["p"].as_f64().map(|p| p * 3.0));
    assert_eq!((&total[4]["in_b"]["rate"], &total[4]["p"]), (&Value::Null, &Value::Null), "no session is returning");
    for segment in report["segments"].as_array().unwrap() {
        assert_eq!(segment["comparison_tests"], 3);
        assert!(segment["comparison"].as_array().unwrap().iter().all(|row| row["p_corrected"].is_null()));
    }
}

#[test]
fn a_value_that_occurs_nowhere_is_pointed_at() {
    let log = shop(&[("mobile", 1, 2)]);
    let (report, notes) = ask(&*question("steps = 'view > buy'\ncompare = 'device=mobil,mobile'", json!({})), &log);
    assert_eq!(notes, ["the device \"mobil\" occurs nowhere in the log; did you mean \"mobile\"?"]);
    assert_eq!(report["comparison"][0]["in_a"], json!({"part": 0, "whole": 0, "rate": null}));
    assert_eq!((&report["comparison"][0]["difference"], &report["comparison_tests"]), (&Value::Null, &json!(0)));
}

#[test]
fn comparisons_that_cannot_be_made_are_refused_with_a_hint() {
    for (text, reason) in [
        ("compare = 'device'", "is no comparison of two values"),
        ("compare = 'device=mobile'", "is no comparison of two values"),
        ("compare = 'device=a,b,c'", "is no comparison of two values"),
        ("compare = 'device=a,'", "is no comparison of two values"),
        ("compare = '=a,b'", "is no comparison of two values"),
        ("compare = 'device=a,a'", "is on both sides"),
        ("compare = ['device=a,b', 'device= a, b']", "is asked twice"),
        ("compare = 'period:2026-05'", "is no two periods"),
        ("compare = 'period:2026-05..May'", "\"May\" is no period"),
        ("compare = 'period:2026-05..2026-05-31'", "overlap"),
        ("compare = 'period:2026-05..2026-06'\nopen = true", "by when they begin"),
        ("compare = 'period:2026-05..2026-06'\norder = 'any'", "by when they begin"),
        ("compare = 'new_or_returning=new,returning'", "a fact of sessions"),
        ("compare = 'device=a,b'\nsteps = 'A'", "of one step"),
    ] {
        let error = refused(text, json!({}));
        assert!(error.contains(reason), "{text}: {error}");
    }
}

/// Funnels without a first step at which all enter, and by the best session, beside all others.
fn funnels() -> impl Iterator<Item = (&'static str, &'static str)> {
    let more = [("open = true", "visitor"), ("order = 'any'", "visitor")];
    let sessions =
        ["window = 'session'", "window = 'session'\ncount = 'visitors'", "window = 'session'\nentry = 'each'"];
    let sessions = sessions.map(|text| (text, "session"));
    cases().into_iter().map(|(text, _)| (text, "visitor")).chain(more).chain(sessions)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn the_sides_of_a_dimension_are_its_segments(log in logs()) {
        for (text, grain) in funnels() {
            let shared = json!({"timeout": "5s", "grain": grain, "by": ["device"]});
            let text = format!("{text}\ncompare = [\"device='',mobile\", 'device=desktop,mobile']");
            let (report, _) = ask(&*question(&text, shared), &log);
            let open = text.starts_with("open");
            for a in ["", "desktop"] {
                let both = [a, "mobile"].map(|value| expected(segment(&report, value), open));
                prop_assert_eq!(shares(&report, a, "mobile"), both, "{}", text);
            }
        }
    }

    #[test]
    fn where_visitors_keep_a_value_a_side_is_the_funnel_of_its_events_alone(log in logs()) {
        let device = |visitor: &str| ["mobile", "desktop", ""][usize::from(visitor.as_bytes()[1]) % 3];
        let kept = |event: Event| Event { device: device(&event.visitor).into(), ..event };
        let log: Vec<Event> = log.into_iter().map(kept).collect();
        for (text, grain) in funnels() {
            let shared = json!({"timeout": "5s", "grain": grain});
            let alone = |device: &str| {
                let events: Vec<Event> = log.iter().filter(|event| event.device == device).cloned().collect();
                let (report, _) = ask(&*question(text, shared.clone()), &events);
                expected(Some(&report), text.starts_with("open"))
            };
            let compared = format!("{text}\ncompare = 'device=mobile,desktop'");
            let (report, _) = ask(&*question(&compared, shared.clone()), &log);
            prop_assert_eq!(shares(&report, "mobile", "desktop"), ["mobile", "desktop"].map(alone), "{}", text);
        }
    }

    #[test]
    fn the_sides_of_periods_are_funnels_entered_then(log in logs()) {
        // The log ends on the second day at 16:00.
        let log = slowed(&log);
        let windows = ["window = '10h'", "window = 'none'\nentry = 'all'", "steps = 'A > (A|B) > B'", "window = '10h'\nmature = true"];
        let windows = windows.map(|text| (text, "visitor")).into_iter();
        let sessions = ["window = 'session'", "window = 'session'\ncount = 'visitors'"].map(|text| (text, "session"));
        for (text, grain) in windows.chain(sessions) {
            let shared = json!({"timeout": "2h", "grain": grain});
            let compare = "compare = ['period:1970-01-01..1970-01-02', 'period:1970-01-01T05..1970-01-01T06']";
            let (report, _) = ask(&*question(&format!("{text}\n{compare}"), shared.clone()), &log);
            let within = |from: &str, to: &str| {
                let text = format!("{text}\nentered_from = '{from}'\nentered_to = '{to}'");
                expected(Some(&ask(&*question(&text, shared.clone()), &log).0), false)
            };
            let days = [within("1970-01-01", "1970-01-02"), within("1970-01-02", "1970-01-03")];
            prop_assert_eq!(shares(&report, "1970-01-01", "1970-01-02"), days, "{}", text);
            let hours = [within("1970-01-01 05:00", "1970-01-01 06:00"), within("1970-01-01 06:00", "1970-01-01 07:00")];
            prop_assert_eq!(shares(&report, "1970-01-01T05", "1970-01-01T06"), hours, "{}", text);
        }
    }

    #[test]
    fn swapping_the_sides_turns_a_comparison_around(log in logs()) {
        let rows = |compare: &str| {
            let report = ask(&*question(&format!("compare = 'device={compare}'"), json!({})), &log).0;
            report["comparison"].as_array().unwrap().clone()
        };
        for (there, back) in rows("mobile,desktop").iter().zip(rows("desktop,mobile")) {
            prop_assert_eq!((&there["in_a"], &there["in_b"]), (&back["in_b"], &back["in_a"]));
            prop_assert_eq!((&there["p"], &there["p_corrected"]), (&back["p"], &back["p_corrected"]));
            prop_assert_eq!(there["difference"].as_f64(), back["difference"].as_f64().map(|difference| -difference));
        }
    }

    #[test]
    fn the_laws_hold_for_comparisons(log in logs()) {
        let compare = "compare = ['device=mobile,desktop', 'period:1970-01-01..1970-01-02']";
        for (text, grain) in [("", "visitor"), ("window = 'session'\ncount = 'visitors'", "session")] {
            let shared = json!({"timeout": "5s", "grain": grain, "by": ["device"]});
            check_laws(&*question(&format!("{text}\n{compare}"), shared), &log);
        }
        check_laws(&*question("open = true\ncompare = 'device=mobile,desktop'", json!({})), &log);
    }
}
