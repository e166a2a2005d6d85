//! The scan, by hand: each mode says what it does with one event.

use super::*;

const SECOND: i64 = 1_000_000;

/// Places of the events of the attempt within 5 seconds.
fn scanned(modes: &[ScanMode], text: &str, events: &str) -> Vec<usize> {
    let steps = steps(text);
    let scan = Some(Scan::new(modes));
    let rules = Rules { steps: steps.len(), window: Some(5 * SECOND), scan, ..Rules::default() };
    let trail = |events: &str| Trail { hits: all_hits(&visitor("v", events), &steps), ..Trail::default() };
    // Nothing of a journey is left for the next one.
    let work = &mut Work::default();
    rules.attempt(&trail("A@0 B@1"), work);
    rules.attempt(&trail(events), work).iter().map(|&hit| hit as usize).collect()
}

#[test]
fn of_all_attempts_at_a_step_the_last_is_kept() {
    assert_eq!(scanned(&[], "A B C", "A@0 B@1 C@5"), [0, 1, 2], "the far edge of the window counts");
    assert_eq!(scanned(&[], "A B C", "A@0 B@1 C@6"), [0, 1]);
    assert_eq!(scanned(&[], "A B C", "A@0 B@1 A@2 B@3 C@6"), [2, 3, 4]);
    assert_eq!(scanned(&[], "A B", "A@0 A@3 B@4"), [1, 2]);
    assert_eq!(scanned(&[], "A B C", "A@0 B@1 A@2 B@3"), [0, 1], "the first that gets as far as any");
    assert_eq!(scanned(&[], "A B C", "B@0 A@1 C@2"), [1]);
    assert!(scanned(&[], "A B", "B@3").is_empty());
}

#[test]
fn an_instant_is_taken_step_by_step() {
    assert_eq!(scanned(&[], "A B C", "C@3 B@3 A@3"), [2, 1, 0]);
    assert_eq!(scanned(&[], "AB B", "B@3"), [0, 0], "one event may fill several steps");
    assert_eq!(scanned(&[], "A B C", "A@0 C@3 B@3 B@3"), [0, 3, 1], "of a step the last one is kept here too");
}

#[test]
fn strict_order_ends_at_what_is_not_next() {
    let ordered = |events| scanned(&[ScanMode::StrictOrder], "A B C", events);
    assert_eq!(ordered("A@0 X@1 B@2"), [0]);
    assert_eq!(ordered("X@0 A@1 B@2"), [1, 2], "nothing ends before the first step");
    assert_eq!(ordered("A@0 X@0 B@1"), [0, 2], "what fits no step comes before what does");
    assert_eq!(ordered("A@0 B@1 X@1"), [0]);
    assert_eq!(ordered("A@0 C@1 B@2 C@3"), [0]);
    assert_eq!(ordered("C@0 A@1 B@2 C@3"), [1, 2, 3]);
    let again = |events| scanned(&[ScanMode::StrictOrder, ScanMode::AllowReentry], "A B C", events);
    assert_eq!(again("A@0 C@1 B@2 C@3"), [0, 2, 3], "a step that is too early is passed over");
    assert_eq!(again("A@0 X@1 B@2"), [0]);
}

#[test]
fn strict_deduplication_ends_at_a_repeat() {
    let strict = |events| scanned(&[ScanMode::StrictDeduplication], "A B C", events);
    assert_eq!(strict("A@0 B@1 B@2 C@3"), [0, 1]);
    assert_eq!(strict("A@0 A@1 B@2 C@3"), [1, 2, 3], "but not at one of the first step");
    assert_eq!(scanned(&[], "A B C", "A@0 B@1 B@2 C@3"), [0, 2, 3]);
}

#[test]
fn strict_increase_wants_a_later_time() {
    assert_eq!(scanned(&[ScanMode::StrictIncrease], "A B", "A@0 B@0 B@1"), [0, 2]);
    assert_eq!(scanned(&[], "A B", "A@0 B@0 B@1"), [0, 1]);
}

#[test]
fn only_strict_order_looks_at_what_fits_no_step() {
    let looks = |mode| Scan::new(&[mode]).looks_at_all();
    assert!(looks(ScanMode::StrictOrder));
    assert!(
        !looks(ScanMode::StrictDeduplication) && !looks(ScanMode::StrictIncrease) && !looks(ScanMode::AllowReentry)
    );
}
