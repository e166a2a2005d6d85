//! Adobe Analytics. Fallout: touchpoints by eventual path or next hit, in the visit or the visitor. A visit ends after 30 minutes without a
//! hit, after 12 hours, or after 2,500 hits.

use super::{asked, depth, entered, sessions};
use crate::testing::visitor;

#[test]
fn touchpoints_are_eventual_or_the_next_hit() {
    assert_eq!(depth("adobe", "a > b", "", "a@0 x@1 b@2"), 2);
    assert_eq!(depth("adobe", "a >> b", "", "a@0 x@1 b@2"), 1);
    assert_eq!(depth("adobe", "a >> b", "", "a@0 x@1 a@2 b@3"), 2, "any instance of a touchpoint may begin");
}

#[test]
fn the_container_is_the_visitor_or_the_visit() {
    let log = visitor("1", "a@0 b@9000 a@9001");
    assert_eq!(entered("adobe", "a > b", "", &log), [1, 1]);
    assert_eq!(entered("adobe", "a > b", "grain = 'session'\nwindow = 'session'", &log), [2, 0]);
    assert_eq!(entered("adobe", "a > b", "entry = 'all'", &log), [2, 1], "every instance");
}

#[test]
fn a_visit_has_12_hours_and_2500_hits() {
    let every =
        |seconds: usize, count: usize| (0..count).map(|n| format!("a@{}", n * seconds)).collect::<Vec<_>>().join(" ");
    // One hit every 20 minutes: the 37th is exactly 12 hours after the first.
    assert_eq!((sessions("adobe", &every(1200, 37)), sessions("adobe", &every(1200, 38))), (1, 2));
    assert_eq!((sessions("adobe", &every(1, 2500)), sessions("adobe", &every(1, 2501))), (1, 2));
}

#[test]
fn a_flow_has_five_columns_of_ten() {
    let rules = asked("flow", "like = 'adobe'").unwrap().rules();
    assert_eq!((&rules["depth"], &rules["top"], &rules["max_events"]), (&5.into(), &10.into(), &2500.into()));
}
