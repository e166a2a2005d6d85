//! Mixpanel. Uniques: the first event of step 1 opens the only attempt, the window (7 days) runs from it, step k + 1 may come up to 2 s
//! before step k, an exclusion ends the attempt but the visitor keeps its earlier steps. Totals: a new attempt may open behind a
//! conversion, a time-out or an exclusion. Optimised re-entry: every event of step 1 is tried.

use serde_json::Value;

use super::{depth, entered, from, funnel, sessions, sessions_of, sessions_with};
use crate::testing::{Event, ask, visitor};

const DAY: i64 = 86_400;

#[test]
fn the_first_entry_opens_the_only_attempt() {
    let events = format!("a@0 a@{} b@{}", 5 * DAY, 8 * DAY);
    assert_eq!(depth("mixpanel", "a > b", "", &events), 1, "b is 8 days behind the first a");
    assert_eq!(depth("mixpanel:optimized", "a > b", "", &events), 2);
    assert_eq!(depth("mixpanel", "a > b", "", &format!("a@0 b@{}", 7 * DAY)), 2, "the far edge counts");
    assert_eq!(depth("mixpanel", "a > b", "window = '9d'", &events), 2);
}

#[test]
fn a_step_may_come_two_seconds_before_the_one_before() {
    assert_eq!(depth("mixpanel", "a > b > c", "", "a@0 c@8 b@10"), 3);
    assert_eq!(depth("mixpanel", "a > b > c", "", "a@0 c@7 b@10"), 2);
    assert_eq!(depth("mixpanel", "a > b", "", "b@9 a@10"), 1, "nothing comes before the entry");
    assert_eq!(depth("mixpanel", "a > b > c", "ties = 'any'", "a@0 c@8 b@10"), 2);
}

#[test]
fn an_exclusion_ends_the_attempt_and_leaves_its_steps() {
    let exclude = "exclude = ['x@2-3']";
    assert_eq!(depth("mixpanel", "a > b > c", exclude, "a@0 b@1 x@2 c@3"), 2);
    assert_eq!(depth("mixpanel", "a > b > c", exclude, "a@0 x@1 b@2 c@3"), 3);
    // For uniques no other attempt follows.
    assert_eq!(depth("mixpanel", "a > b > c", exclude, "a@0 b@1 x@2 a@3 b@4 c@5"), 2);
}

#[test]
fn totals_open_a_new_attempt_when_the_old_one_is_over() {
    let totals = |more: &str, events: &str| entered("mixpanel:totals", "a > b", more, &visitor("v", events));
    assert_eq!(totals("", "a@0 b@1 a@2 b@3 a@4"), [3, 2], "behind a conversion");
    assert_eq!(totals("", "a@0 a@5 b@6"), [1, 1], "not while one is open");
    assert_eq!(totals("", &format!("a@0 a@{} b@{}", 8 * DAY, 8 * DAY + 1)), [2, 1], "behind a time-out");
    assert_eq!(totals("exclude = ['x']", "a@0 x@1 a@2 b@3"), [2, 1], "behind an exclusion");
}

#[test]
fn hold_freezes_the_value_of_the_first_step() {
    let on = |device: &str, events: &str| {
        visitor("v", events).into_iter().map(|event| Event { device: device.into(), ..event }).collect::<Vec<_>>()
    };
    let log = [on("phone", "a@0"), on("laptop", "b@5"), on("phone", "c@6")].concat();
    assert_eq!(entered("mixpanel", "a > b", "hold = 'device'", &log), [1, 0]);
    assert_eq!(entered("mixpanel", "a > c", "hold = 'device'", &log), [1, 1]);
}

/// Broken down, an attempt is open for each value at step 1.
#[test]
fn each_value_of_a_breakdown_has_an_attempt_of_its_own() {
    let on = |device: &str, events: &str| {
        visitor("v", events).into_iter().map(|event| Event { device: device.into(), ..event }).collect::<Vec<_>>()
    };
    let log = [on("phone", "a@0"), on("laptop", &format!("a@{}", 5 * DAY)), on("", &format!("b@{}", 8 * DAY))].concat();
    let by = |more: &str| {
        let (report, _) = ask(&*funnel("mixpanel", "a > b", &format!("by = 'device'\n{more}")), &log);
        let segments = report["segments"].as_array().unwrap().iter();
        let row = |segment: &Value| {
            let steps = [0, 1].map(|step| segment["steps"][step]["entered"].as_u64().unwrap());
            (segment["by"]["device"].as_str().unwrap().to_owned(), steps)
        };
        segments.map(row).collect::<Vec<_>>()
    };
    assert_eq!(by(""), [("laptop".to_owned(), [1, 1]), ("phone".to_owned(), [1, 0])]);
    assert_eq!(by("touch = 'step:1'"), [("phone".to_owned(), [1, 0])]);
    // A fact of the whole journey is none of step 1: then the default gives way, and says so.
    let rules = funnel("mixpanel", "a > b", "by = 'weekday'").rules();
    assert!(rules["assumptions"].to_string().contains("touch = \\\"entries\\\" of mixpanel gives way"), "{rules:?}");
}

#[test]
fn a_session_lasts_a_day_at_most() {
    let half_hourly = |count: i64| (0..count).map(|n| format!("a@{}", n * 1800)).collect::<Vec<_>>().join(" ");
    let without_midnight =
        |count| sessions_with("mixpanel", "split_at_midnight = false", &visitor("v", &half_hourly(count)));
    assert_eq!((without_midnight(49), without_midnight(50)), (1, 2));
}

#[test]
fn a_session_ends_at_midnight_and_not_at_another_campaign() {
    assert_eq!((sessions("mixpanel", "a@86399 b@86400"), sessions("mixpanel", "a@86400 b@86401")), (2, 1));
    assert_eq!(sessions_of("mixpanel", &[from("ads", "a@0"), from("mail", "a@60")].concat()), 1);
}
