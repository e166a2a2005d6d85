//! Matomo. A visit ends when the last action is 1,800 s ago or more, and after 10,000 actions; funnels are of visits; transitions count
//! reloads as loops.

use super::{asked, entered, paths, sessions};
use crate::testing::visitor;

#[test]
fn exactly_30_minutes_end_a_visit() {
    assert_eq!((sessions("matomo", "a@0 b@1799"), sessions("matomo", "a@0 b@1800")), (1, 2));
    let rules = asked("graph", "like = 'matomo'\ntimeout_edge = 'exceeds'").unwrap().rules();
    assert_eq!((&rules["timeout_edge"], &rules["max_events"]), (&"exceeds".into(), &10_000.into()));
}

#[test]
fn funnels_are_of_visits() {
    let log = visitor("v", "a@0 b@10 a@1810 a@1820");
    assert_eq!(entered("matomo", "a > b", "", &log), [2, 1]);
    assert_eq!(entered("matomo", "a > b", "grain = 'visitor'\nwindow = '1d'", &log), [1, 1]);
}

#[test]
fn reloads_are_kept() {
    assert_eq!(paths("matomo", "a@0 a@1 b@2"), serde_json::json!([["a", "a", "b"]]));
}
