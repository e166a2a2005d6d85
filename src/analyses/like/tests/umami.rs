//! Umami: step n + 1 at or after step n and at most the window after it, for each hop, both edges included; the same row may serve both.
//! Journeys are the first items of a visit, repeats kept, the 100 most frequent.

use super::{asked, depth, entered, paths};
use crate::testing::visitor;

#[test]
fn each_hop_has_the_window() {
    let window = "window = '60m'";
    assert_eq!(depth("umami", "a > b > c", window, "a@0 b@3600 c@7200"), 3);
    assert_eq!(depth("umami", "a > b > c", window, "a@0 b@3601 c@7200"), 1);
    assert_eq!(depth("umami", "a > b > c", "window = '60m'\nwindow_from = 'first'", "a@0 b@3600 c@7200"), 2);
}

#[test]
fn the_same_row_may_serve_two_steps() {
    assert_eq!(depth("umami", "a > a", "", "a@0"), 2);
    assert_eq!(depth("umami", "a > a", "reuse = false", "a@0"), 1);
    assert_eq!(depth("umami", "a > b", "", "b@5 a@5"), 2, "at the same time is at or after");
}

#[test]
fn visitors_are_counted_and_repeats_are_kept() {
    assert_eq!(entered("umami", "a > b", "", &visitor("v", "a@0 b@5 a@9000 b@9005")), [1, 1]);
    assert_eq!(paths("umami", "a@0 a@1 b@2"), serde_json::json!([["a", "a", "b"]]));
    assert_eq!(asked("paths", "like = 'umami'").unwrap().rules()["top"], 100);
}
