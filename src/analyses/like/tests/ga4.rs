//! Google Analytics 4. Data API, `FunnelStep`: `isDirectlyFollowedBy` (default false), `withinDurationFromPriorStep` (inclusive, to the
//! microsecond); funnels are closed or open, and users are counted.

use super::{depth, entered, sessions};
use crate::testing::{Event, event, visitor};

#[test]
fn hops_have_limits_and_the_whole_has_none() {
    let week = 7 * 86_400;
    assert_eq!(depth("ga4", "a > b > c", "", &format!("a@0 b@{} c@{}", 9 * week, 30 * week)), 3);
    assert_eq!(depth("ga4", "a >[5m] b", "", "a@0 b@300"), 2, "within is inclusive");
    let late = [event("v", 0, "a"), Event { time: 300_000_001, ..event("v", 0, "b") }];
    assert_eq!(entered("ga4", "a >[5m] b", "", &late), [1, 0], "a microsecond later");
}

#[test]
fn directly_followed_by_is_about_all_events() {
    assert_eq!(depth("ga4", "a > b", "", "a@0 x@1 b@2"), 2);
    assert_eq!(depth("ga4", "a >> b", "", "a@0 x@1 b@2"), 1);
}

#[test]
fn a_closed_funnel_is_assumed_to_begin_with_the_first_event_of_step_1() {
    let events = "a@0 a@1000 b@1100";
    assert_eq!(depth("ga4", "a >[5m] b", "", events), 1);
    assert_eq!(depth("ga4", "a >[5m] b", "entry = 'best'", events), 2);
}

#[test]
fn an_open_funnel_is_entered_at_every_step() {
    let log = [visitor("1", "a@0 b@1"), visitor("2", "b@0")].concat();
    assert_eq!(entered("ga4", "a > b", "", &log), [1, 1]);
    assert_eq!(entered("ga4", "a > b", "open = true", &log), [1, 2], "how a closed one begins gives way");
}

#[test]
fn a_session_ends_after_more_than_30_minutes_and_not_at_midnight() {
    assert_eq!(sessions("ga4", "a@0 a@1800 a@3600"), 1);
    assert_eq!(sessions("ga4", "a@0 a@1801"), 2);
    assert_eq!(sessions("ga4", "a@86000 a@86500"), 1);
}
