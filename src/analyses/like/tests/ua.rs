//! Universal Analytics. Funnel visualisation: per session, each step once, the order is ignored, and a later step fills those that were
//! skipped. Goal flow: nothing is filled (support.google.com/analytics/answer/2976313).

use super::{asked, entered, from, paths, sessions, sessions_of};
use crate::testing::visitor;

#[test]
fn skipped_steps_are_filled_and_the_order_is_ignored() {
    let log = [
        visitor("1", "cart@0 pay@1 done@2"),
        visitor("2", "pay@0"),         // skipped the cart
        visitor("3", "done@0 cart@5"), // the wrong way round
        visitor("4", "cart@0 x@1"),
        visitor("5", "x@0"),
    ]
    .concat();
    assert_eq!(entered("ua", "cart > pay > done", "", &log), [4, 3, 2]);
    assert_eq!(entered("ua", "cart > pay > done", "backfill = false", &log), [3, 1, 1], "the goal flow");
}

#[test]
fn each_session_counts_for_itself() {
    // Two sessions, 31 minutes apart: the second has the goal alone.
    let log = visitor("1", "cart@0 done@1860");
    assert_eq!(entered("ua", "cart > done", "", &log), [2, 1]);
    assert_eq!(entered("ua", "cart > done", "count = 'visitors'", &log), [1, 1]);
}

#[test]
fn sessions_end_after_more_than_30_minutes_and_paths_keep_the_first_of_equal_nodes() {
    assert_eq!((sessions("ua", "a@0 a@1800"), sessions("ua", "a@0 a@1801")), (1, 2));
    assert_eq!(paths("ua", "a@0 a@1 b@2"), serde_json::json!([["a", "b"]]));
}

// How a session ends: support.google.com/analytics/answer/2731565, "Time-based expiration" and "Campaign change".

#[test]
fn sessions_end_at_midnight() {
    // 23:50 and 0:10.
    assert_eq!(sessions("ua", "a@85800 a@87000"), 2);
    assert_eq!(sessions("ua", "a@85200 a@86399"), 1);
}

#[test]
fn another_campaign_starts_a_session_and_a_direct_visit_changes_nothing() {
    let again = [from("ads", "a@0"), from("", "b@60"), from("ads", "a@120")].concat();
    assert_eq!(sessions_of("ua", &again), 1);
    let other = [from("ads", "a@0"), from("", "b@60"), from("mail", "a@120"), from("", "b@180")].concat();
    assert_eq!(sessions_of("ua", &other), 2);
    let direct_first = [from("", "a@0"), from("ads", "a@60")].concat();
    assert_eq!(sessions_of("ua", &direct_first), 2);
    // The campaign of a direct session is the one that the visitor had last: the same one is no change.
    let returning = [from("ads", "a@0"), from("", "a@4000"), from("ads", "a@4060")].concat();
    assert_eq!(sessions_of("ua", &returning), 2);
}

#[test]
fn each_of_its_rules_can_be_taken_back() {
    let rules = |more: &str| asked("graph", &format!("like = 'ua'\n{more}")).unwrap().rules();
    assert_eq!((&rules("")["split_at_midnight"], &rules("")["split_on_campaign"]), (&true.into(), &true.into()));
    let without = rules("split_at_midnight = false\nsplit_on_campaign = false");
    assert!(without.get("split_at_midnight").is_none() && without.get("split_on_campaign").is_none(), "{without:?}");
    assert_eq!(rules("split_on_campaign = 'not_from_direct'")["split_on_campaign"], "not_from_direct");
}
