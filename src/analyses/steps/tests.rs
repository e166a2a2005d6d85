mod grace;
mod laws;
mod options;
mod rules;
mod scan;
mod unordered;

use proptest::prelude::*;

use super::*;
use crate::testing::oracle;
use crate::testing::{Event, visitor};

/// The steps as lists of names: `A`, `AB` (A or B).
fn steps(text: &str) -> Vec<oracle::Step> {
    let one = |step: &str| oracle::Step::Any(step.chars().map(String::from).collect());
    text.split(' ').map(one).collect()
}

/// All events of a journey, those that fit no step too.
fn all_hits(journey: &[Event], steps: &[oracle::Step]) -> Vec<Hit> {
    let mask =
        |event: &Event| steps.iter().enumerate().map(|(bit, step)| u64::from(step.fits(event)) << bit).sum::<u64>();
    let hit = |(at, event): (usize, &Event)| Hit::new(event.time, mask(event), at);
    journey.iter().enumerate().map(hit).collect()
}

fn hits(journey: &[Event], steps: &[oracle::Step]) -> Vec<Hit> {
    all_hits(journey, steps).into_iter().filter(|hit| hit.mask != 0).collect()
}

/// Places in the journey of the events of the reported attempt.
fn attempt(rules: &Rules, journey: &[Event], steps: &[oracle::Step], work: &mut Work) -> Vec<usize> {
    let trail = Trail { hits: hits(journey, steps), ..Trail::default() };
    rules.attempt(&trail, work).iter().map(|&hit| trail.hits[hit as usize].at as usize).collect()
}

fn plain(text: &str, window: Option<i64>, events: &str) -> Vec<usize> {
    let steps = steps(text);
    let window = window.map(|seconds| seconds * 1_000_000);
    let rules =
        Rules { steps: steps.len(), direct: 0, limits: Vec::new(), window, ties: Ties::Any, ..Rules::default() };
    attempt(&rules, &visitor("v", events), &steps, &mut Work::default())
}

#[test]
fn the_latest_first_step_of_the_earliest_completion_is_reported() {
    assert_eq!(plain("A B", None, "A@0 B@1 B@9 C@10"), [0, 1]);
    assert_eq!(plain("A B C", None, "A@0 B@1 B@9 C@10"), [0, 1, 3]);
    assert_eq!(plain("A B", None, "A@0 A@5 B@9 A@10 B@11"), [1, 2]);
}

#[test]
fn the_far_edge_of_the_window_counts() {
    assert_eq!(plain("A B", Some(10), "A@0 B@10"), [0, 1]);
    assert_eq!(plain("A B", Some(9), "A@0 B@10"), [0]);
    assert_eq!(plain("A B C", Some(10), "A@0 A@50 B@50 C@60"), [1, 2, 3]);
}

#[test]
fn one_event_fills_one_step() {
    assert_eq!(plain("A A", None, "A@0"), [0]);
    assert_eq!(plain("A A", None, "A@0 A@0"), [0, 1]);
    assert_eq!(plain("AB A", None, "A@0 B@0"), [1, 0], "an instant may need a matching");
}

#[test]
fn equal_times_may_be_used_in_any_order() {
    assert_eq!(plain("A B C", None, "C@5 B@5 A@5"), [2, 1, 0]);
    assert_eq!(plain("A B", None, "B@5 A@5"), [1, 0]);
    let ordered =
        Rules { steps: 2, direct: 0, limits: Vec::new(), window: None, ties: Ties::Arrival, ..Rules::default() };
    assert_eq!(attempt(&ordered, &visitor("v", "B@5 A@5"), &steps("A B"), &mut Work::default()), [1]);
}

#[test]
fn a_direct_hop_wants_the_very_next_event() {
    let rules =
        Rules { steps: 2, direct: 0b10, limits: Vec::new(), window: None, ties: Ties::Arrival, ..Rules::default() };
    let run = |events| attempt(&rules, &visitor("v", events), &steps("A B"), &mut Work::default());
    assert_eq!(run("A@0 C@1 B@2"), [0]);
    assert_eq!(run("A@0 C@1 B@2 A@3 B@4"), [3, 4]);
}

#[test]
fn a_hop_with_a_limit_takes_the_step_that_is_near_enough() {
    let within = |limits: &[Option<i64>], text: &str, events: &str| {
        let steps = steps(text);
        let limits = limits.iter().map(|limit| limit.map(|seconds| seconds * 1_000_000)).collect();
        let rules = Rules { steps: steps.len(), direct: 0, limits, window: None, ties: Ties::Any, ..Rules::default() };
        attempt(&rules, &visitor("v", events), &steps, &mut Work::default())
    };
    assert_eq!(within(&[None, Some(5)], "A B", "A@0 B@5"), [0, 1], "the far edge counts");
    assert_eq!(within(&[None, Some(5)], "A B", "A@0 B@6"), [0]);
    assert_eq!(within(&[None, Some(5)], "A B", "A@0 A@3 B@8"), [1, 2], "the first A is too early");
    assert_eq!(within(&[None, None, Some(2)], "A B C", "A@0 B@1 B@5 C@6"), [0, 2, 3], "the first B is too early");
    // The A that starts last gets to the first B too early for C, and may wait for the second.
    assert_eq!(within(&[None, Some(9), Some(2)], "A B C", "A@0 B@1 A@2 B@3 B@8 C@10"), [2, 4, 5]);
    assert_eq!(within(&[None, Some(7), Some(2)], "A B C", "A@1 A@2 B@3 B@8 C@10 C@11"), [1, 3, 4]);
    assert_eq!(within(&[None, Some(0), Some(0)], "A B C", "C@5 B@5 A@5 C@6"), [2, 1, 0], "an instant takes no time");
}

#[test]
fn limits_make_long_journeys_no_trap() {
    let events: Vec<String> = (0..100_000).map(|n| format!("{}@{n}", ["A", "B", "C"][n % 3])).collect();
    let events = visitor("v", &events.join(" "));
    let steps = steps(&["ABC"; 30].join(" "));
    for ties in [Ties::Any, Ties::Arrival] {
        let rules = Rules {
            steps: 30,
            direct: 0,
            limits: vec![Some(50_000_000_000); 30],
            window: None,
            ties,
            ..Rules::default()
        };
        assert_eq!(attempt(&rules, &events, &steps, &mut Work::default()), (0..30).collect::<Vec<_>>());
        // Nothing comes near enough: every event opens an attempt that waits for the end.
        let never = Rules { limits: vec![Some(0); 30], ..rules };
        assert_eq!(attempt(&never, &events, &steps, &mut Work::default()), [0]);
    }
}

#[test]
fn optional_steps_and_blocks_make_long_journeys_no_trap() {
    let events: Vec<String> = (0..100_000).map(|n| format!("{}@{n}", ["A", "B", "C"][n % 3])).collect();
    let events = visitor("v", &events.join(" "));
    let work = &mut Work::default();
    let kinds: Vec<Kind> =
        (0..20).map(|n| if n % 2 == 1 && n < 19 { Kind::Optional } else { Kind::Required }).collect();
    let rules = Rules { steps: 20, chart: Chart::new(&kinds), ..Rules::default() };
    let trail = Trail { hits: hits(&events, &steps(&["ABC"; 20].join(" "))), ..Trail::default() };
    // The first events do what must be done, and leave none for the rest.
    let required = [0].into_iter().chain((1..10).flat_map(|n| [SKIPPED, n])).chain([10]);
    assert_eq!(rules.attempt(&trail, work), required.collect::<Vec<_>>());
    // Two members of the block never come.
    let rules =
        Rules { steps: 3, chart: Chart::new(&[Kind::Required, Kind::Block(8), Kind::Required]), ..Rules::default() };
    let block = steps(&format!("ABC {} D D", ["ABC"; 7].join(" ")));
    assert_eq!(attempt(&rules, &events, &block, work), [0]);
    let crowd: Vec<String> = (0..20_000).map(|n| format!("{}@7", ["A", "B"][n % 2])).collect();
    let crowd = visitor("v", &crowd.join(" "));
    let rules = Rules {
        steps: 6,
        chart: Chart::new(&[
            Kind::Required,
            Kind::Optional,
            Kind::Block(4),
            Kind::Optional,
            Kind::Optional,
            Kind::Required,
        ]),
        ..Rules::default()
    };
    assert_eq!(attempt(&rules, &crowd, &steps(&["AB"; 9].join(" ")), work), [0, 1, 5, 6, 7, 8]);
}

#[test]
fn a_crowd_in_one_instant_is_no_trap() {
    let events: Vec<String> = (0..20_000).map(|n| format!("{}@7", ["A", "B"][n % 2])).collect();
    let twelve = ["AB"; 12].join(" ");
    assert_eq!(plain(&twelve, None, &events.join(" ")), (0..12).collect::<Vec<_>>());
}

#[test]
fn sixty_four_steps_are_possible() {
    let events: Vec<String> = (0..64).map(|n| format!("A@{n}")).collect();
    assert_eq!(plain(&["A"; 64].join(" "), None, &events.join(" ")).len(), 64);
}

#[test]
fn the_short_way_is_for_fifteen_steps() {
    let rules = |steps| Rules { steps, window: Some(14), ..Rules::default() };
    let by_event: Vec<u64> = (0..15).map(|step| 1 << step).collect();
    let single = Single::new(&rules(15), &by_event).expect("short enough");
    assert!(Single::new(&rules(16), &by_event).is_none());
    // The first attempt is too slow. Then a first step is nearer; there are more events than places.
    for (others, first) in [(0, 15), (64, 64)] {
        let codes = [vec![0; 1 + others], (1..15).collect(), vec![0, 1], (2..15).collect()].concat();
        let times: Vec<i64> = [0].into_iter().chain(10..).take(codes.len()).collect();
        let mut found = Vec::new();
        single.attempt(&codes, &times, 15, &mut found);
        assert_eq!(found.iter().map(|hit| hit.at).collect::<Vec<_>>(), (first..first + 15).collect::<Vec<_>>());
    }
}

fn journeys() -> impl Strategy<Value = Vec<Event>> {
    let event = (prop::sample::select(vec!["A", "B", "C", "D"]), 0..7i64);
    prop::collection::vec(event, 0..9).prop_map(|events| {
        let mut journey: Vec<Event> =
            events.iter().map(|(name, time)| crate::testing::event("v", *time, name)).collect();
        journey.sort_by_key(|event| event.time);
        journey
    })
}

/// For each step the limit of the hop into it, if it has one, in µs; half of the time none has.
fn some_limits() -> impl Strategy<Value = Vec<Option<i64>>> {
    let limit = prop::option::of((0..5i64).prop_map(|seconds| seconds * 1_000_000));
    prop_oneof![Just(vec![None; 5]), prop::collection::vec(limit, 5)]
}

/// The same for so many steps as the rules have it.
fn limited(limits: &[Option<i64>], steps: usize) -> Vec<Option<i64>> {
    if limits[1..steps].iter().all(Option::is_none) { Vec::new() } else { limits[..steps].to_vec() }
}

fn some_steps() -> impl Strategy<Value = String> {
    prop::collection::vec(prop::sample::select(vec!["A", "B", "C", "AB", "BC", "ABC"]), 1..5)
        .prop_map(|steps| steps.join(" "))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20_000))]

    #[test]
    fn the_plain_attempt_equals_exhaustive_search(journey in journeys(), text in some_steps(), limits in some_limits(), window in prop::option::of(0..8i64)) {
        let steps = steps(&text);
        let window = window.map(|seconds| seconds * 1_000_000);
        let rules = Rules { steps: steps.len(), direct: 0, limits: limited(&limits, steps.len()), window, ties: Ties::Any, ..Rules::default() };
        let hops = vec![oracle::Hop::Eventually; steps.len() - 1];
        let funnel = oracle::Funnel { steps: steps.clone(), hops, limits: limits[1..steps.len()].to_vec(), window, ties: oracle::Ties::Any };
        prop_assert_eq!(attempt(&rules, &journey, &steps, &mut Work::default()), oracle::reported_attempt(&funnel, &journey));
    }

    #[test]
    fn the_short_way_leads_to_the_same_attempt(events in prop::collection::vec((0..5u32, 1..4i64), 0..70), begin in -100..9i64, steps in prop::collection::vec(0..5u32, 1..6), window in prop::option::of(0..80i64)) {
        let codes: Vec<u32> = events.iter().map(|event| event.0).collect();
        let times: Vec<i64> = events.iter().scan(begin, |time, event| { *time += event.1; Some(*time) }).collect();
        let mut by_event = vec![0u64; 5];
        steps.iter().enumerate().for_each(|(step, &event)| by_event[event as usize] |= 1 << step);
        let rules = Rules { steps: steps.len(), direct: 0, limits: Vec::new(), window, ties: Ties::Any, ..Rules::default() };
        let single = Single::new(&rules, &by_event);
        prop_assert_eq!(single.is_none(), by_event.iter().any(|mask| mask.count_ones() > 1));
        let Some(single) = single else { return Ok(()) };
        let hit = |(at, (&event, &time)): (usize, (&u32, &i64))| Hit::new(time, by_event[event as usize], at);
        let hits: Vec<Hit> = codes.iter().zip(&times).enumerate().map(hit).filter(|hit| hit.mask != 0).collect();
        let trail = Trail { hits: hits.clone(), ..Trail::default() };
        let mut work = Work::default();
        let expected: Vec<Hit> = rules.attempt(&trail, &mut work).iter().map(|&hit| trail.hits[hit as usize]).collect();
        // A bound that is too high costs time, never an answer.
        let least = hits.iter().fold(0, |union, hit| union | hit.mask).trailing_ones() as usize;
        for most in [least, steps.len()] {
            let mut found = Vec::new();
            single.attempt(&codes, &times, most, &mut found);
            prop_assert_eq!(&found, &expected);
        }
    }

    #[test]
    fn direct_hops_equal_exhaustive_search(journey in journeys(), text in some_steps(), limits in some_limits(), direct in any::<u8>(), window in prop::option::of(0..8i64)) {
        let steps = steps(&text);
        let window = window.map(|seconds| seconds * 1_000_000);
        let rules = Rules { steps: steps.len(), direct: u64::from(direct) & !1, limits: limited(&limits, steps.len()), window, ties: Ties::Arrival, ..Rules::default() };
        let hop = |step| if rules.direct >> step & 1 == 1 { oracle::Hop::Directly } else { oracle::Hop::Eventually };
        let hops = (1..steps.len()).map(hop).collect();
        let funnel = oracle::Funnel { steps: steps.clone(), hops, limits: limits[1..steps.len()].to_vec(), window, ties: oracle::Ties::Arrival };
        prop_assert_eq!(attempt(&rules, &journey, &steps, &mut Work::default()), oracle::reported_attempt(&funnel, &journey));
    }
}
