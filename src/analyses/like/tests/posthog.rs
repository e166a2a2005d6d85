//! PostHog, `funnel-udf/src/steps.rs`: the window (14 days) runs from step 1 and its edge counts; the latest entry before step 2 wins; events of
//! equal time go by step; strict means consecutive among all events; an exclusion takes the visitor out of every step if no clean attempt
//! gets as far. Paths: a new one at a gap of 30 minutes or more, of equal neighbours the last time.

use super::{asked, depth, entered, funnel, paths, sessions};
use crate::testing::{ask, visitor};

const DAY: i64 = 86_400;

#[test]
fn the_latest_entry_before_step_2_wins() {
    let (report, _) = ask(&*funnel("posthog", "a > b", ""), &visitor("v", "a@0 a@50 b@60"));
    assert_eq!(report["steps"][1]["time_from_previous_s"]["median"], 10.0);
    // A chain that is further on keeps its own start: b is 14 days and a second behind it, however late another a comes.
    let far = format!("a@0 b@1 a@{} c@{}", 10 * DAY, 14 * DAY + 1);
    assert_eq!(depth("posthog", "a > b > c", "", &far), 2);
    assert_eq!(depth("posthog", "a > b > c", "", &format!("a@0 b@1 c@{}", 14 * DAY)), 3, "the edge counts");
}

#[test]
fn equal_times_go_by_step() {
    assert_eq!(depth("posthog", "a > b > c", "", "c@5 b@5 a@5"), 3);
    assert_eq!(depth("posthog", "a > b", "", "b@4 a@5"), 1);
}

#[test]
fn strict_is_among_all_events() {
    assert_eq!(depth("posthog", "a >> b", "", "a@0 x@1 b@2"), 1);
    assert_eq!(depth("posthog", "a >> b", "", "a@0 x@1 a@2 b@3"), 2);
}

#[test]
fn an_exclusion_removes_the_visitor_from_every_step() {
    let exclude = "exclude = ['x@1-2']";
    let log = [visitor("1", "a@0 x@1 b@2"), visitor("2", "a@0 x@1 a@2 b@3"), visitor("3", "a@0 b@1")].concat();
    assert_eq!(entered("posthog", "a > b", exclude, &log), [2, 2]);
    let stopped = format!("{exclude}\nexclude_effect = 'stop'");
    assert_eq!(entered("posthog", "a > b", &stopped, &log), [3, 2]);
}

#[test]
fn in_any_order_the_most_steps_of_one_window_count() {
    for like in ["posthog:unordered", "posthog"] {
        assert_eq!(entered(like, "a > b > c", "order = 'any'", &visitor("v", "c@0 a@1 x@2")), [1, 1, 0], "{like}");
    }
    let error = asked("funnel", "like = 'posthog:unordered'\nsteps = 'a > b'\nexclude = ['x']").err().unwrap();
    assert!(error.to_string().contains("exclusions"), "{error}");
}

#[test]
fn a_path_ends_at_a_gap_of_30_minutes_and_a_session_at_more() {
    assert_eq!(paths("posthog", "a@0 a@5 b@6 c@1806"), serde_json::json!([["a", "b"], ["c"]]));
    assert_eq!((sessions("posthog", "a@0 b@1800"), sessions("posthog", "a@0 b@1801")), (1, 2));
    let rules = asked("paths", "like = 'posthog'").unwrap().rules();
    assert_eq!(rules["repeats"], "collapse_last");
}
