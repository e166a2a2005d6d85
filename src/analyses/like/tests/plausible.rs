//! Plausible: `windowFunnel(86400, 'strict_order')` over the events that fit a goal of the funnel.

use super::{depth, entered};
use crate::testing::visitor;

#[test]
fn no_other_step_may_lie_between_but_any_other_event() {
    assert_eq!(depth("plausible", "a > b > c", "", "a@0 x@1 b@2 y@3 c@4"), 3);
    assert_eq!(depth("plausible", "a > b > c", "", "a@0 c@1 b@2 c@3"), 1, "c comes before its turn");
    assert_eq!(depth("plausible", "a > b > c", "", "c@0 a@1 b@2 c@3"), 3, "nothing has begun at the first c");
    // A step that is done may come again: reentry is tolerated.
    assert_eq!(depth("plausible", "a > b > c", "", "a@0 b@1 a@2 b@3 c@4"), 3);
}

#[test]
fn an_event_may_fill_several_steps_in_a_row() {
    // Scroll depth goals: 50 % and 75 % are both fulfilled by one event.
    assert_eq!(depth("plausible", "page > (half | most) > most", "", "page@0 most@5"), 3);
    assert_eq!(depth("plausible", "page > (half | most) > most", "", "page@0 half@5"), 2);
}

#[test]
fn a_day_is_the_window_and_a_flag_wins() {
    let log = [visitor("1", "a@0 b@86400"), visitor("2", "a@0 b@86401")].concat();
    assert_eq!(entered("plausible", "a > b", "", &log), [2, 1]);
    assert_eq!(entered("plausible", "a > b", "window = '2d'", &log), [2, 2]);
    // Without --strict-among steps every event counts.
    assert_eq!(depth("plausible", "a > b", "strict_among = 'events'", "a@0 x@1 b@2"), 1);
}
