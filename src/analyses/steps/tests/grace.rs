//! Steps with a grace, against every attempt there is.

use std::cmp::Reverse;

use proptest::prelude::*;

use super::*;

const SECOND: i64 = 1_000_000;

/// Adds to `all` the attempt that `chain` is and all that go on from it.
fn extend(journey: &[Event], steps: &[oracle::Step], rules: &Rules, chain: &mut Vec<usize>, all: &mut Vec<Vec<usize>>) {
    all.extend((!chain.is_empty()).then(|| chain.clone()));
    let time = |at: usize| journey[at].time;
    for at in 0..journey.len() {
        let next = chain.len() < steps.len() && steps[chain.len()].fits(&journey[at]) && !chain.contains(&at);
        let in_time = chain.first().is_none_or(|&first| {
            let before = time(*chain.last().unwrap()) - rules.grace.unwrap();
            time(at) >= time(first).max(before) && time(at) - time(first) <= rules.window.unwrap()
        });
        if next && in_time {
            chain.push(at);
            extend(journey, steps, rules, chain, all);
            chain.pop();
        }
    }
}

/// The reported one of all attempts.
fn exhaustive(journey: &[Event], steps: &[oracle::Step], rules: &Rules) -> Vec<usize> {
    let mut all = Vec::new();
    extend(journey, steps, rules, &mut Vec::new(), &mut all);
    let key = |attempt: &Vec<usize>| {
        let times: Vec<i64> = attempt.iter().map(|&at| journey[at].time).collect();
        (Reverse(times.len()), *times.last().unwrap(), Reverse(times[0]), times, attempt.clone())
    };
    all.into_iter().min_by_key(key).unwrap_or_default()
}

fn with_grace(steps: usize, grace: i64, window: i64) -> Rules {
    Rules { steps, grace: Some(grace * SECOND), window: Some(window * SECOND), ..Rules::default() }
}

fn found(text: &str, grace: i64, window: i64, events: &str) -> Vec<usize> {
    let steps = steps(text);
    attempt(&with_grace(steps.len(), grace, window), &visitor("v", events), &steps, &mut Work::default())
}

#[test]
fn a_step_may_come_a_little_before_the_one_before_it_but_not_before_the_first() {
    assert_eq!(found("A B C", 2, 100, "A@0 C@5 B@7"), [0, 2, 1]);
    assert_eq!(found("A B C", 1, 100, "A@0 C@5 B@7"), [0, 2]);
    assert_eq!(found("A B", 2, 100, "B@9 A@10"), [1], "a funnel does not begin before its first step");
    assert_eq!(found("A B", 2, 10, "A@0 B@10"), [0, 1]);
    assert_eq!(found("A B", 2, 9, "A@0 B@10"), [0]);
}

#[test]
fn one_event_fills_one_step_of_an_attempt_with_grace() {
    assert_eq!(found("A B A", 2, 100, "A@0 B@1"), [0, 1]);
    assert_eq!(found("A B A", 2, 100, "A@0 A@0 B@1"), [0, 2, 1]);
}

#[test]
fn an_excluding_event_ends_an_attempt_with_grace() {
    let depth = |from, to, events: &str| {
        let between = Between { from, to, effect: Effect::Stop };
        let rules = Rules { exclusions: vec![between], ..with_grace(3, 2, 100) };
        let steps = steps("A B C");
        let journey = visitor("v", events);
        let hits = all_hits(&journey, &steps).into_iter().zip(&journey);
        let hits = hits.map(|(hit, event)| Hit { excluded: u16::from(event.event == "X"), ..hit });
        let trail = Trail { hits: hits.collect(), ..Trail::default() };
        rules.attempt(&trail, &mut Work::default()).len()
    };
    assert_eq!(depth(1, 2, "A@0 X@1 B@5 C@6"), 1);
    assert_eq!(depth(2, 3, "A@0 X@1 B@5 C@6"), 3);
    assert_eq!(depth(1, 3, "A@0 B@1 X@2 C@6"), 2);
    assert_eq!(depth(2, 3, "A@0 C@3 X@4 B@5"), 3, "C is before the exclusion begins");
    assert_eq!(depth(1, 2, "A@0 B@1 X@2 C@6"), 3, "C is behind the step that the exclusion ends with");
    for events in ["A@0 X@0 B@0 C@6", "A@0 X@0 B@5 C@6", "A@0 X@5 B@5 C@6"] {
        assert_eq!(depth(1, 2, events), 3, "an event at the time of a step lies beside it");
    }
}

#[test]
fn every_first_step_has_an_attempt_with_grace() {
    let steps = steps("A B C");
    let depths = |entry| {
        let plan = Plan { rules: with_grace(3, 2, 4), entry, ..Plan::default() };
        let mut trail = Trail { hits: hits(&visitor("v", "A@0 A@3 C@4 B@5 A@9"), &steps), ..Trail::default() };
        let mut depths = Vec::new();
        plan.attempts(&mut trail, &mut Attempts::default(), |attempt| depths.push(attempt.len()));
        depths
    };
    assert_eq!(depths(Entry::All), [1, 3, 1]);
    assert_eq!(depths(Entry::Each), [1, 1], "the second A is inside the window of the first");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(5_000))]

    #[test]
    fn no_attempt_with_grace_is_better(journey in journeys(), grace in 0..4i64, window in 0..8i64) {
        let steps = steps("A B C D");
        let rules = with_grace(4, grace, window);
        let found = attempt(&rules, &journey, &steps, &mut Work::default());
        prop_assert_eq!(found, exhaustive(&journey, &steps, &rules));
    }

    #[test]
    fn no_grace_is_the_plain_definition(journey in journeys(), window in 0..8i64) {
        let steps = steps("A B C D");
        let plain = Rules { steps: 4, window: Some(window * SECOND), ..Rules::default() };
        let found = attempt(&with_grace(4, 0, window), &journey, &steps, &mut Work::default());
        prop_assert_eq!(found, attempt(&plain, &journey, &steps, &mut Work::default()));
    }

    #[test]
    fn a_scan_without_modes_comes_as_far_as_events_that_are_used_again(journey in journeys(), text in some_steps(), window in 0..8i64) {
        let steps = steps(&text);
        let rules = |reuse, scan| Rules { steps: steps.len(), window: Some(window * SECOND), reuse, scan, ..Rules::default() };
        let depth = |rules: &Rules| attempt(rules, &journey, &steps, &mut Work::default()).len();
        prop_assert_eq!(depth(&rules(false, Some(Scan::default()))), depth(&rules(true, None)));
    }
}
