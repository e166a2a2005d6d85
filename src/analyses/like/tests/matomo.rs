//! Matomo. A visit ends when the last action is 1,800 s ago or more, at midnight of the site, at another campaign unless it was direct so
//! far, and after 10,000 actions (config/global.ini.php: visit_standard_length, create_new_visit_after_midnight,
//! create_new_visit_when_campaign_changes, create_new_visit_after_x_actions); funnels are of visits; transitions count reloads as loops.

use super::{asked, entered, from, paths, sessions, sessions_of};
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

#[test]
fn visits_end_at_midnight() {
    assert_eq!((sessions("matomo", "a@86399 b@86400"), sessions("matomo", "a@86400 b@86401")), (2, 1));
}

#[test]
fn another_campaign_ends_a_visit_that_has_one_and_is_taken_over_by_a_direct_one() {
    let direct_first = [from("", "a@0"), from("ads", "a@60"), from("", "b@90"), from("mail", "a@120")].concat();
    assert_eq!(sessions_of("matomo", &direct_first), 2);
    let same = [from("ads", "a@0"), from("", "b@60"), from("ads", "a@120")].concat();
    assert_eq!(sessions_of("matomo", &same), 1);
    // The visit is direct, whatever the one before was.
    let returning = [from("ads", "a@0"), from("", "a@4000"), from("mail", "a@4060")].concat();
    assert_eq!(sessions_of("matomo", &returning), 2);
}
