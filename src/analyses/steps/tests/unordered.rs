//! Steps in any order, against every window there is.

use proptest::prelude::*;

use super::oracle::funnel::{self as exhaustive, Window};
use super::*;

const SECOND: i64 = 1_000_000;

/// Places in the journey of the events of the reported attempt, in journey order.
fn found(steps: &[oracle::Step], window: Option<i64>, journey: &[Event]) -> Vec<usize> {
    let hits = hits(journey, steps);
    let mut unordered = Unordered::default();
    // Nothing of a journey is left for the next one.
    unordered.attempt(&super::hits(&visitor("v", "A@0 B@0 C@1 A@2"), steps), steps.len(), None);
    unordered.attempt(&hits, steps.len(), window).iter().map(|&hit| hits[hit as usize].at as usize).collect()
}

fn placed(text: &str, window: Option<i64>, events: &str) -> Vec<usize> {
    found(&steps(text), window.map(|seconds| seconds * SECOND), &visitor("v", events))
}

/// By definition: of all windows that hold the most steps the earliest end, of those the latest begin, and there the earliest events.
fn expected(steps: &[oracle::Step], window: Option<i64>, journey: &[Event]) -> Vec<usize> {
    let most = exhaustive::any_order(steps, window.map_or(Window::None, Window::Time), journey);
    let filled = |events: &[usize]| {
        let events: Vec<Event> = events.iter().map(|&at| journey[at].clone()).collect();
        exhaustive::any_order(steps, Window::None, &events)
    };
    let inside = |from: i64, to: i64| -> Vec<usize> {
        (0..journey.len()).filter(|&at| (from..=to).contains(&journey[at].time)).collect()
    };
    let times = || journey.iter().map(|event| event.time);
    let Some(end) = times().find(|&end| filled(&inside(end - window.unwrap_or(end), end)) == most) else {
        return Vec::new();
    };
    let begin = times().rev().find(|&begin| begin <= end && filled(&inside(begin, end)) == most);
    let mut events = Vec::new();
    for at in inside(begin.unwrap_or(end), end) {
        events.push(at);
        if filled(&events) < events.len() {
            events.pop();
        }
    }
    events
}

#[test]
fn a_window_holds_steps_in_whatever_order() {
    assert_eq!(placed("A B C", None, "C@0 A@4 B@9"), [0, 1, 2]);
    assert_eq!(placed("A B C", Some(9), "C@0 A@4 B@9"), [0, 1, 2], "the far edge counts");
    assert_eq!(placed("A B C", Some(8), "C@0 A@4 B@9"), [0, 1], "the first window that holds two");
    assert!(placed("A B", None, "C@0").is_empty());
}

#[test]
fn of_the_windows_that_are_complete_first_the_latest_begin_is_reported() {
    assert_eq!(placed("A B", None, "A@0 A@5 B@7 A@8"), [1, 2]);
    assert_eq!(placed("A B", None, "A@5 A@5 B@7"), [0, 2], "of one instant the earliest event");
    assert_eq!(placed("A B", Some(3), "A@0 B@9 A@12 B@13"), [1, 2]);
}

#[test]
fn an_event_moves_to_another_step_for_one_that_comes_later() {
    assert_eq!(placed("AB A", None, "A@0 B@1"), [0, 1]);
    assert_eq!(placed("AB BC A", None, "B@0 A@1 A@2"), [0, 1, 2]);
    assert_eq!(placed("A A", None, "A@0"), [0], "one event fills one step");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10_000))]

    #[test]
    fn the_events_are_those_of_the_definition(journey in journeys(), text in some_steps(), window in prop::option::of(0..8i64)) {
        let (steps, window) = (steps(&text), window.map(|seconds| seconds * SECOND));
        prop_assert_eq!(found(&steps, window, &journey), expected(&steps, window, &journey));
    }

    #[test]
    fn no_order_is_deeper(journey in journeys(), text in some_steps(), window in prop::option::of(0..8i64)) {
        let (steps, window) = (steps(&text), window.map(|seconds| seconds * SECOND));
        let rules = Rules { steps: steps.len(), window, ..Rules::default() };
        let count = found(&steps, window, &journey).len();
        prop_assert!(attempt(&rules, &journey, &steps, &mut Work::default()).len() <= count);
        let back: Vec<_> = steps.iter().rev().cloned().collect();
        prop_assert_eq!(found(&back, window, &journey).len(), count);
    }
}
