//! Universal Analytics. Funnel visualisation: per session, each step once, the order is ignored, and a later step fills those that were
//! skipped. Goal flow: nothing is filled (support.google.com/analytics/answer/2976313).

use super::{entered, paths, sessions};
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
