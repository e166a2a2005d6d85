//! Retentioneering 5.2: by the order of rows inside a path, each step by its earliest event behind the one before, names may repeat, no
//! window; the share is of all paths and of the step before.

use super::{asked, depth, funnel, paths};
use crate::testing::{ask, visitor};

#[test]
fn steps_go_by_the_order_of_rows_without_a_window() {
    assert_eq!(depth("retentioneering", "a > b", "", "b@5 a@5"), 1, "rows of one time keep their order");
    assert_eq!(depth("retentioneering", "a > b", "ties = 'any'", "b@5 a@5"), 2);
    assert_eq!(depth("retentioneering", "a > b > a", "", &format!("a@0 b@1 a@{}", 900 * 86_400)), 3);
}

#[test]
fn the_earliest_chain_is_taken() {
    let (report, _) = ask(&*funnel("retentioneering", "a > b", ""), &visitor("v", "a@0 a@50 b@60"));
    assert_eq!(report["steps"][1]["time_from_previous_s"]["median"], 60.0);
}

#[test]
fn the_share_is_of_all_paths_and_of_the_step_before() {
    // 1 of 4 paths buys, which is half of those that came to the cart.
    let log =
        [visitor("1", "cart@0 buy@1"), visitor("2", "cart@0"), visitor("3", "x@0"), visitor("4", "buy@0")].concat();
    let (report, _) = ask(&*funnel("retentioneering", "cart > buy", ""), &log);
    let last = &report["steps"][1];
    assert_eq!((&last["of_all"], &last["of_previous"]), (&0.25.into(), &0.5.into()));
}

#[test]
fn repeats_are_kept_and_a_path_is_a_visitor() {
    assert_eq!(paths("retentioneering", "a@0 a@1 b@9000"), serde_json::json!([["a", "a", "b"]]));
    let sessions = asked("paths", "like = 'retentioneering'\ngrain = 'session'").unwrap().rules();
    assert_eq!((&sessions["timeout"], &sessions["node"]), (&"30m".into(), &"event".into()));
}
