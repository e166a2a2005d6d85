//! Amplitude. The window is 1 day. Uniques: of all attempts the longest, then the earliest; totals: all. Events of one second are used in
//! either order, and the same event twice in one second counts once. Hold constant counts visitor × value.

use super::{depth, entered, funnel};
use crate::testing::{ask, visitor};

#[test]
fn the_longest_attempt_counts_and_of_those_the_earliest() {
    let log = visitor("v", "a@0 b@100000 a@100100 b@100110 c@100120 a@200000 b@200010 c@200020");
    let (report, _) = ask(&*funnel("amplitude", "a > b > c", ""), &log);
    assert_eq!(report["steps"][2]["time_from_first_s"]["median"], 20.0);
    assert_eq!(entered("amplitude", "a > b > c", "", &log), [1, 1, 1]);
    assert_eq!(
        entered("amplitude:totals", "a > b > c", "", &log),
        [3, 2, 2],
        "the first b is more than a day behind its a"
    );
}

#[test]
fn a_day_is_the_window() {
    assert_eq!(depth("amplitude", "a > b", "", "a@0 b@86400"), 2);
    assert_eq!(depth("amplitude", "a > b", "", "a@0 b@86401"), 1);
    assert_eq!(depth("amplitude", "a > b", "window = '2d'", "a@0 b@86401"), 2);
}

#[test]
fn events_of_one_second_go_in_either_order() {
    assert_eq!(depth("amplitude", "a > b > c", "", "c@5 b@5 a@5"), 3);
    assert_eq!(depth("amplitude", "a > b", "", "b@4 a@5"), 1);
}

#[test]
fn the_same_event_twice_in_one_second_counts_once() {
    assert_eq!(depth("amplitude", "a > a", "", "a@0 a@0"), 1);
    assert_eq!(depth("amplitude", "a > a", "", "a@0 a@1"), 2);
    assert_eq!(depth("amplitude", "a > a", "dedupe = '0s'", "a@0 a@0"), 2);
}
