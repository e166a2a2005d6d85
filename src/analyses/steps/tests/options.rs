//! Every option, alone and with others, against exhaustive search.

use proptest::prelude::*;

use super::oracle::funnel::{self as exhaustive, Exclusion, Missing, Options, Window};
use super::oracle::{self, Hop};
use super::*;
use crate::testing::Event;

/// What the core makes of options: the plan, and the trail of a journey.
fn plan(options: &Options, kinds: &[exhaustive::Kind], each_value: bool) -> (Plan, Order) {
    let steps = kinds.len();
    let direct = |hop: &Hop| *hop == Hop::Directly;
    let exclusion = |exclusion: &Exclusion| Between {
        from: exclusion.from,
        to: exclusion.to,
        effect: match exclusion.effect {
            exhaustive::Effect::Stop => Effect::Stop,
            exhaustive::Effect::Remove => Effect::Remove,
        },
    };
    let limits = [None].into_iter().chain(options.limits.iter().copied()).collect();
    let rules = Rules {
        steps,
        direct: options.hops.iter().zip(1..).filter(|(hop, _)| direct(hop)).map(|(_, step)| 1 << step).sum(),
        limits: if options.limits.iter().all(Option::is_none) { Vec::new() } else { limits },
        window: match options.window {
            Window::None => None,
            Window::Time(time) => Some(time),
            Window::Sessions(count) | Window::Events(count) => Some(count as i64 - 1),
        },
        ties: if options.ties == exhaustive::Ties::Any { Ties::Any } else { Ties::Arrival },
        increasing: options.increasing,
        reuse: options.reuse,
        on_repeat: match options.on_repeat {
            exhaustive::OnRepeat::Ignore => OnRepeat::Ignore,
            exhaustive::OnRepeat::EndAny => OnRepeat::EndAny,
            exhaustive::OnRepeat::EndLater => OnRepeat::EndLater,
            exhaustive::OnRepeat::EndLast => OnRepeat::EndLast,
        },
        exclusions: options.exclusions.iter().map(exclusion).collect(),
        chart: Chart::new(&kinds.iter().copied().map(kind).collect::<Vec<_>>()),
        grace: None,
        scan: None,
    };
    let entry = match options.entry {
        exhaustive::Entry::Best => Entry::Best,
        exhaustive::Entry::First => Entry::First,
        exhaustive::Entry::Last => Entry::Last,
        exhaustive::Entry::Each => Entry::Each,
        exhaustive::Entry::All => Entry::All,
    };
    let hold = options.hold.map(|missing| match missing {
        Missing::Match => HoldMissing::Match,
        Missing::Never => HoldMissing::Never,
    });
    let order = Order {
        by_step: options.ties == exhaustive::Ties::Step,
        among_steps: options.among_steps,
        by_event: matches!(options.window, Window::Events(_)),
    };
    (Plan { rules, entry, hold, each_value }, order)
}

fn kind(kind: exhaustive::Kind) -> Kind {
    match kind {
        exhaustive::Kind::Required => Kind::Required,
        exhaustive::Kind::Optional => Kind::Optional,
        exhaustive::Kind::Block(members) => Kind::Block(members),
    }
}

fn trail(options: &Options, rules: &Rules, order: Order, journey: &[Event], sessions: &[usize]) -> Trail {
    let mut trail = Trail::default();
    for (at, event) in journey.iter().enumerate() {
        let bits =
            |fits: &mut dyn Iterator<Item = bool>| fits.enumerate().map(|(bit, fits)| u64::from(fits) << bit).sum();
        let mask: u64 = bits(&mut options.steps.iter().map(|step| step.fits(event)));
        let excluded: u64 = bits(&mut options.exclusions.iter().map(|exclusion| exclusion.what.fits(event)));
        if mask != 0 || excluded != 0 {
            trail.hits.push(Hit { excluded: excluded as u16, ..Hit::new(event.time, mask, at) });
        }
    }
    rules.count_steps(&mut trail.hits);
    let times: Vec<i64> = journey.iter().map(|event| event.time).collect();
    trail.arrange(order, &times);
    if matches!(options.window, Window::Sessions(_)) {
        trail.clocks = trail.hits.iter().map(|hit| sessions[hit.at as usize] as i64).collect();
    }
    if options.hold.is_some() {
        let held = |hit: &Hit| match journey[hit.at as usize].device.as_str() {
            "" => NOT_HELD,
            device => u32::from(device.as_bytes()[0]),
        };
        trail.held = trail.hits.iter().map(held).collect();
    }
    trail
}

/// The events of each attempt by place; none for a step that is left out.
pub(super) fn found_of_kinds(
    options: &Options,
    kinds: &[exhaustive::Kind],
    each_value: bool,
    (journey, sessions): (&[Event], &[usize]),
    scratch: &mut Attempts,
) -> Vec<Vec<Option<usize>>> {
    let (plan, order) = plan(options, kinds, each_value);
    let mut trail = trail(options, &plan.rules, order, journey, sessions);
    let mut found = Vec::new();
    let place = |hit: &Hit| (!hit.is_skipped()).then_some(hit.at as usize);
    plan.attempts(&mut trail, scratch, |attempt| found.push(attempt.iter().map(place).collect()));
    found
}

pub(super) fn found(
    options: &Options,
    each_value: bool,
    journey: &[Event],
    sessions: &[usize],
    scratch: &mut Attempts,
) -> Vec<Vec<usize>> {
    let kinds = vec![exhaustive::Kind::Required; options.steps.len()];
    let found = found_of_kinds(options, &kinds, each_value, (journey, sessions), scratch);
    found.into_iter().map(|attempt| attempt.into_iter().flatten().collect()).collect()
}

pub(super) fn journeys() -> impl Strategy<Value = (Vec<Event>, Vec<usize>)> {
    let event = (
        prop::sample::select(vec!["A", "B", "C", "X"]),
        0..7i64,
        prop::sample::select(vec!["", "m", "m", "d"]),
        prop::bool::weighted(0.3),
    );
    prop::collection::vec(event, 0..9).prop_map(|mut events| {
        events.sort_by_key(|event| event.1);
        let mut session = 0;
        let mut before = 0;
        let sessions = events.iter().map(|&(_, time, _, new)| {
            session += usize::from(new && time > before);
            before = time;
            session
        });
        let sessions = sessions.collect();
        let make = |(name, time, device, _): &(&str, i64, &str, bool)| Event {
            device: device.to_string(),
            ..crate::testing::event("v", *time, name)
        };
        (events.iter().map(make).collect(), sessions)
    })
}

pub(super) fn step(names: &str) -> oracle::Step {
    oracle::Step::Any(names.chars().map(String::from).collect())
}

/// Any options that do not contradict each other.
pub(super) fn some_options() -> impl Strategy<Value = Options> {
    let steps = prop::collection::vec(prop::sample::select(vec!["A", "B", "C", "AB", "BC", "ABC", "CX"]), 1..5);
    let exclusion = (prop::sample::select(vec!["X", "X", "CX", "B"]), 1..4usize, 1..4usize, any::<bool>());
    let exclusions = prop_oneof![2 => Just(Vec::new()), 3 => prop::collection::vec(exclusion, 1..3)];
    let limits = prop_oneof![2 => Just(vec![None; 3]), 1 => prop::collection::vec(prop::option::of(0..5i64), 3)];
    let ties = prop::sample::select(vec![exhaustive::Ties::Any, exhaustive::Ties::Arrival, exhaustive::Ties::Step]);
    let entry = prop::sample::select(vec![
        exhaustive::Entry::Best,
        exhaustive::Entry::Best,
        exhaustive::Entry::First,
        exhaustive::Entry::Last,
        exhaustive::Entry::Each,
        exhaustive::Entry::All,
    ]);
    let repeat = prop::sample::select(vec![
        exhaustive::OnRepeat::Ignore,
        exhaustive::OnRepeat::Ignore,
        exhaustive::OnRepeat::EndAny,
        exhaustive::OnRepeat::EndLater,
        exhaustive::OnRepeat::EndLast,
    ]);
    let hold = prop::sample::select(vec![None, None, Some(Missing::Match), Some(Missing::Never)]);
    let window = (0..4u8, 0..8i64);
    (steps, (exclusions, limits, window, ties), (any::<u8>(), entry, repeat, hold), (any::<[bool; 4]>())).prop_map(
        |(
            steps,
            (exclusions, limits, window, ties),
            (direct, entry, on_repeat, hold),
            [reuse, increasing, among, plain_hops],
        )| {
            let count = steps.len();
            let ordered = ties != exhaustive::Ties::Any;
            let hops: Vec<Hop> = (1..count)
                .map(
                    |hop| {
                        if ordered && !plain_hops && direct >> hop & 1 == 1 { Hop::Directly } else { Hop::Eventually }
                    },
                )
                .collect();
            let is_direct = hops.contains(&Hop::Directly);
            let each = matches!(entry, exhaustive::Entry::Each | exhaustive::Entry::All);
            let exclusions = exclusions.into_iter().filter(|(_, from, to, _)| from < to && *to <= count).map(
                |(what, from, to, remove)| Exclusion {
                    what: step(what),
                    from,
                    to,
                    effect: if remove && !each { exhaustive::Effect::Remove } else { exhaustive::Effect::Stop },
                },
            );
            let increasing = increasing && !ordered;
            Options {
                steps: steps.iter().map(|names| step(names)).collect(),
                limits: limits[..count - 1].iter().map(|limit| limit.map(|seconds| seconds * 1_000_000)).collect(),
                window: match window {
                    (0, _) => Window::None,
                    (1, count) => Window::Sessions(count as usize / 3 + 1),
                    (2, count) if ordered => Window::Events(count as usize + 1),
                    (_, seconds) => Window::Time(seconds * 1_000_000),
                },
                ties,
                among_steps: among && is_direct,
                increasing,
                reuse: reuse && !is_direct && !increasing,
                exclusions: exclusions.collect(),
                on_repeat: if ordered { on_repeat } else { exhaustive::OnRepeat::Ignore },
                entry,
                hold,
                hops,
            }
        },
    )
}

/// The same with steps that may be left out, and blocks.
pub(super) fn some_kinds() -> impl Strategy<Value = (Options, Vec<exhaustive::Kind>)> {
    let kind = prop::sample::select(vec![
        exhaustive::Kind::Required,
        exhaustive::Kind::Optional,
        exhaustive::Kind::Optional,
        exhaustive::Kind::Block(2),
        exhaustive::Kind::Block(3),
    ]);
    let names = prop::sample::select(vec!["A", "B", "C", "AB", "BC", "ABC", "CX"]);
    let steps = prop::collection::vec(names, 5 * 3);
    (some_options(), prop::collection::vec(kind, 5), steps).prop_map(|(mut options, mut kinds, mut steps)| {
        let count = options.steps.len();
        kinds.truncate(count);
        kinds[0] = exhaustive::Kind::Required;
        if kinds[count - 1] == exhaustive::Kind::Optional {
            kinds[count - 1] = exhaustive::Kind::Required;
        }
        let slots = |kind: &exhaustive::Kind| if let exhaustive::Kind::Block(members) = kind { *members } else { 1 };
        steps.truncate(kinds.iter().map(slots).sum());
        options.steps = steps.into_iter().map(step).collect();
        let optional = |step: usize| kinds[step - 1] == exhaustive::Kind::Optional;
        options.exclusions.retain(|exclusion| !optional(exclusion.from) && !optional(exclusion.to));
        (options.reuse, options.on_repeat) = (false, exhaustive::OnRepeat::Ignore);
        (options, kinds)
    })
}

fn expected(found: Vec<exhaustive::Found>) -> Vec<Vec<Option<usize>>> {
    let trimmed = |found: exhaustive::Found| {
        let filled = found.events.iter().rposition(Option::is_some).map_or(0, |last| last + 1);
        found.events[..filled].to_vec()
    };
    found.into_iter().map(trimmed).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40_000))]

    #[test]
    fn optional_steps_and_blocks_equal_exhaustive_search((journey, sessions) in journeys(), (options, kinds) in some_kinds()) {
        let mut scratch = Attempts::default();
        let found = found_of_kinds(&options, &kinds, false, (&journey, &sessions), &mut scratch);
        prop_assert_eq!(found, expected(exhaustive::reported_of_kinds(&options, &kinds, &journey, &sessions)));
    }

    #[test]
    fn each_held_value_has_its_own_attempt_with_optional_steps((journey, sessions) in journeys(), (mut options, kinds) in some_kinds(), missing in any::<bool>()) {
        options.hold = Some(if missing { Missing::Match } else { Missing::Never });
        if matches!(options.entry, exhaustive::Entry::Each | exhaustive::Entry::All) {
            options.entry = exhaustive::Entry::Best;
        }
        let mut scratch = Attempts::default();
        let by_held = exhaustive::reported_of_kinds_by_held(&options, &kinds, &journey, &sessions);
        let mut expected = expected(by_held.into_iter().map(|(_, found)| found).collect());
        let mut found = found_of_kinds(&options, &kinds, true, (&journey, &sessions), &mut scratch);
        found.sort();
        expected.sort();
        prop_assert_eq!(found, expected);
    }

    #[test]
    fn all_options_equal_exhaustive_search((journey, sessions) in journeys(), options in some_options()) {
        let mut scratch = Attempts::default();
        prop_assert_eq!(found(&options, false, &journey, &sessions, &mut scratch), exhaustive::reported(&options, &journey, &sessions));
    }

    #[test]
    fn each_held_value_has_its_own_attempt((journey, sessions) in journeys(), mut options in some_options(), missing in any::<bool>()) {
        options.hold = Some(if missing { Missing::Match } else { Missing::Never });
        if matches!(options.entry, exhaustive::Entry::Each | exhaustive::Entry::All) {
            options.entry = exhaustive::Entry::Best;
        }
        let mut scratch = Attempts::default();
        let mut expected: Vec<Vec<usize>> = exhaustive::reported_by_held(&options, &journey, &sessions).into_iter().map(|(_, attempt)| attempt).collect();
        let mut found = found(&options, true, &journey, &sessions, &mut scratch);
        found.sort();
        expected.sort();
        prop_assert_eq!(found, expected);
    }
}
