//! What must hold between two answers, whatever they are: laws that no oracle is asked about.
//!
//! Most of them say of which of two questions all attempts are attempts of the other too. An exclusion that removes has none of these:
//! a deeper attempt that is not clean takes a shallower one that is with it.

use proptest::prelude::*;

use super::options::{found, found_of_kinds, journeys, some_kinds, some_options, step};
use super::oracle::Hop;
use super::oracle::funnel::{Effect, Entry, Exclusion, Kind, Missing, OnRepeat, Options, Ties, Window};
use super::*;

const SECOND: i64 = 1_000_000;

/// A journey and the number of each event's session.
type Journey = (Vec<Event>, Vec<usize>);

fn attempts(options: &Options, (journey, sessions): &Journey) -> Vec<Vec<usize>> {
    found(options, false, journey, sessions, &mut Attempts::default())
}

/// How many steps the deepest attempt does.
fn depth(options: &Options, journey: &Journey) -> usize {
    attempts(options, journey).iter().map(Vec::len).max().unwrap_or(0)
}

/// How many steps the deepest attempt does of those that count.
fn depth_of_kinds(options: &Options, kinds: &[Kind], (journey, sessions): &Journey) -> usize {
    let attempts = found_of_kinds(options, kinds, false, (journey, sessions), &mut Attempts::default());
    let counted = |attempt: &Vec<_>| kinds[..attempt.len()].iter().filter(|kind| **kind != Kind::Optional).count();
    attempts.iter().map(counted).max().unwrap_or(0)
}

/// Any options of which each attempt stands for itself: none is taken away or kept from opening by another.
fn free_options() -> impl Strategy<Value = Options> {
    some_options().prop_map(|mut options| {
        options.exclusions.iter_mut().for_each(|exclusion| exclusion.effect = Effect::Stop);
        if options.entry == Entry::Each {
            options.entry = Entry::All;
        }
        options
    })
}

/// Names and a window: the plain definition.
fn plain_options() -> impl Strategy<Value = Options> {
    free_options().prop_map(|options| Options {
        hops: vec![Hop::Eventually; options.hops.len()],
        limits: vec![None; options.limits.len()],
        window: if let Window::Time(time) = options.window { Window::Time(time) } else { Window::None },
        ties: Ties::Any,
        among_steps: false,
        increasing: false,
        reuse: false,
        exclusions: Vec::new(),
        on_repeat: OnRepeat::Ignore,
        entry: Entry::Best,
        hold: None,
        ..options
    })
}

fn wider(window: Window, more: usize) -> Window {
    match window {
        Window::None => Window::None,
        Window::Time(time) => Window::Time(time + more as i64 * SECOND),
        Window::Sessions(count) => Window::Sessions(count + more),
        Window::Events(count) => Window::Events(count + more),
    }
}

/// The journey with one more event, some seconds after its last one.
fn appended((journey, sessions): &Journey, name: &str, device: &str, after: i64) -> Journey {
    let last = journey.last().map_or(0, |event| event.time / SECOND);
    let event = Event { device: device.into(), ..crate::testing::event("v", last + after, name) };
    let session = sessions.last().copied().unwrap_or(0);
    ([journey.as_slice(), &[event]].concat(), [sessions.as_slice(), &[session]].concat())
}

/// The journey with an event that no question names before each of those at `places`, and which events are not new.
fn with_others((journey, sessions): &Journey, places: &[bool]) -> (Journey, Vec<usize>) {
    let (mut longer, mut old) = ((Vec::new(), Vec::new()), Vec::new());
    for ((event, &session), &other) in journey.iter().zip(sessions).zip(places) {
        if other {
            longer.0.push(Event { event: "Z".into(), ..event.clone() });
            longer.1.push(session);
        }
        old.push(longer.0.len());
        longer.0.push(event.clone());
        longer.1.push(session);
    }
    (longer, old)
}

/// Options of which every attempt is one of `options` too, and what more they ask.
fn stricter(options: &Options, at: usize, limit: i64, what: &str) -> Vec<(&'static str, Options)> {
    let (steps, hops) = (options.steps.len(), options.hops.len());
    let any_order = options.ties == Ties::Any;
    let heedless = options.on_repeat == OnRepeat::Ignore;
    let exclusion = Exclusion { what: step(what), from: 1, to: steps, effect: Effect::Stop };
    let mut cases = Vec::new();
    let mut ask = |asked, applies: bool, change: &dyn Fn(&mut Options)| {
        if applies {
            let mut stricter = options.clone();
            change(&mut stricter);
            cases.push((asked, stricter));
        }
    };
    ask("an exclusion", steps > 1, &|options| options.exclusions.push(exclusion.clone()));
    ask("a limit", at < hops, &|options| {
        options.limits[at] = Some(options.limits[at].map_or(limit, |other| other.min(limit)));
    });
    ask("a direct hop", at < hops && !any_order && !options.reuse, &|options| options.hops[at] = Hop::Directly);
    ask("times that increase", any_order && !options.reuse, &|options| options.increasing = true);
    ask("an event for each step", options.reuse, &|options| options.reuse = false);
    ask("the order of arrival", any_order && !options.increasing, &|options| options.ties = Ties::Arrival);
    ask("the order of steps", any_order && !options.increasing, &|options| options.ties = Ties::Step);
    ask("no repeats", heedless && !any_order, &|options| {
        options.on_repeat = [OnRepeat::EndAny, OnRepeat::EndLater, OnRepeat::EndLast][at];
    });
    // An event of another value repeats nothing: what is held may keep a repeat from ending an attempt.
    ask("one value", heedless && options.hold.is_none(), &|options| options.hold = Some(Missing::Match));
    ask("one entry", options.entry == Entry::All, &|options| {
        options.entry = [Entry::Best, Entry::First, Entry::Last][at];
    });
    cases
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    #[test]
    fn a_wider_window_takes_no_step_away(journey in journeys(), options in free_options(), more in 0..4usize) {
        let wide = Options { window: wider(options.window, more), ..options.clone() };
        let endless = Options { window: Window::None, ..options.clone() };
        prop_assert!(depth(&options, &journey) <= depth(&wide, &journey));
        if !matches!(options.window, Window::Sessions(_)) {
            prop_assert!(depth(&wide, &journey) <= depth(&endless, &journey));
        }
    }

    #[test]
    fn what_comes_later_takes_no_step_away_and_adds_one_at_most(journey in journeys(), options in free_options(), name in "[ABCXZ]", device in "[md]?", after in 1..4i64) {
        // What comes later may be the last entry.
        let options = Options { entry: if options.entry == Entry::Last { Entry::First } else { options.entry }, ..options };
        let (before, now) = (depth(&options, &journey), depth(&options, &appended(&journey, &name, &device, after)));
        prop_assert!(before <= now);
        prop_assert!(options.reuse || now <= before + 1);
    }

    #[test]
    fn events_that_no_step_names_change_nothing(journey in journeys(), (options, kinds) in some_kinds(), places in prop::collection::vec(any::<bool>(), 9)) {
        // But where all events are counted, and where the next of all is asked for.
        let window = if let Window::Events(count) = options.window { Window::Sessions(count) } else { options.window };
        let options = Options { window, among_steps: options.hops.contains(&Hop::Directly), ..options };
        let scratch = &mut Attempts::default();
        let (longer, old) = with_others(&journey, &places);
        let mut expected = found_of_kinds(&options, &kinds, false, (&journey.0, &journey.1), scratch);
        expected.iter_mut().flatten().flatten().for_each(|place| *place = old[*place]);
        prop_assert_eq!(found_of_kinds(&options, &kinds, false, (&longer.0, &longer.1), scratch), expected);
    }

    #[test]
    fn neither_the_zero_of_the_clock_nor_its_unit_matters(journey in journeys(), (options, kinds) in some_kinds(), shift in -5_000..5_000i64, unit in 1..9i64) {
        let scratch = &mut Attempts::default();
        let expected = found_of_kinds(&options, &kinds, false, (&journey.0, &journey.1), scratch);
        let (mut other, mut slow) = (journey, options);
        other.0.iter_mut().for_each(|event| event.time = (event.time + shift * SECOND) * unit);
        slow.limits.iter_mut().flatten().for_each(|limit| *limit *= unit);
        if let Window::Time(time) = &mut slow.window {
            *time *= unit;
        }
        prop_assert_eq!(found_of_kinds(&slow, &kinds, false, (&other.0, &other.1), scratch), expected);
    }

    #[test]
    fn what_is_asked_beside_the_steps_adds_none(journey in journeys(), options in free_options(), at in 0..3usize, limit in 0..5i64, what in "[ABCX]") {
        for (asked, stricter) in stricter(&options, at, limit * SECOND, &what) {
            prop_assert!(depth(&stricter, &journey) <= depth(&options, &journey), "{}", asked);
        }
    }

    #[test]
    fn every_entry_is_one_of_all(journey in journeys(), options in free_options()) {
        let enter = |entry| attempts(&Options { entry, ..options.clone() }, &journey);
        let (all, best) = (enter(Entry::All), enter(Entry::Best));
        let may_open = |event: &&Event| options.steps[0].fits(event) && (options.hold != Some(Missing::Never) || !event.device.is_empty());
        prop_assert_eq!(all.len(), journey.0.iter().filter(may_open).count());
        prop_assert_eq!(enter(Entry::First), &all[..all.len().min(1)]);
        prop_assert_eq!(enter(Entry::Last), &all[all.len().saturating_sub(1)..]);
        let each = enter(Entry::Each);
        prop_assert_eq!(&each[..each.len().min(1)], &all[..all.len().min(1)]);
        prop_assert!(each.iter().chain(&best).all(|attempt| all.contains(attempt)));
        prop_assert_eq!(best.first().map(Vec::len), all.iter().map(Vec::len).max());
    }

    #[test]
    fn removing_takes_all_steps_or_none(journey in journeys(), mut options in free_options().prop_filter("two steps", |options| options.steps.len() > 1), what in "[ABCX]") {
        options.entry = Entry::Best;
        let steps = options.steps.len();
        let depth_of = |effect| {
            let exclusions = vec![Exclusion { what: step(&what), from: 1, to: steps, effect }];
            depth(&Options { exclusions, ..options.clone() }, &journey)
        };
        let (stopped, removed) = (depth_of(Effect::Stop), depth_of(Effect::Remove));
        options.exclusions.clear();
        let free = depth(&options, &journey);
        prop_assert!(removed == 0 || removed == free);
        prop_assert!(removed <= stopped);
    }

    #[test]
    fn the_first_steps_are_a_funnel_of_their_own(journey in journeys(), options in plain_options(), first in 1..5usize) {
        let first = first.min(options.steps.len());
        let shorter = Options { steps: options.steps[..first].to_vec(), hops: options.hops[..first - 1].to_vec(), limits: options.limits[..first - 1].to_vec(), ..options.clone() };
        prop_assert_eq!(depth(&shorter, &journey), depth(&options, &journey).min(first));
    }

    #[test]
    fn a_complete_funnel_is_complete_when_read_backwards(journey in journeys(), options in plain_options(), limits in prop::collection::vec(prop::option::of(0..5i64), 3)) {
        let limits: Vec<_> = limits[..options.steps.len() - 1].iter().map(|limit| limit.map(|seconds| seconds * SECOND)).collect();
        let options = Options { limits, ..options };
        let mut back = (options.clone(), journey.clone());
        back.0.steps.reverse();
        back.0.limits.reverse();
        back.1.0.reverse();
        back.1.0.iter_mut().for_each(|event| event.time = -event.time);
        let complete = |options: &Options, journey| depth(options, journey) == options.steps.len();
        prop_assert_eq!(complete(&back.0, &back.1), complete(&options, &journey));
    }

    #[test]
    fn a_step_that_may_be_left_out_takes_none_of_the_others_away(journey in journeys(), options in free_options().prop_filter("three steps", |options| options.steps.len() > 2), inner in 0..2usize) {
        let steps = options.steps.len();
        let optional = 2 + inner % (steps - 2);
        let mut options = Options { reuse: false, on_repeat: OnRepeat::Ignore, ..options };
        options.exclusions.retain(|exclusion| exclusion.from != optional && exclusion.to != optional);
        let mut kinds = vec![Kind::Required; steps];
        kinds[optional - 1] = Kind::Optional;
        let (required, found) = (depth(&options, &journey), depth_of_kinds(&options, &kinds, &journey));
        prop_assert!(found >= required - usize::from(required >= optional));
        // Where nothing is said of what comes between two steps, it is as if it were not there.
        options.exclusions.clear();
        options.hops.fill(Hop::Eventually);
        options.limits.fill(None);
        options.ties = if options.ties == Ties::Step { Ties::Arrival } else { options.ties };
        let found = depth_of_kinds(&options, &kinds, &journey);
        options.steps.remove(optional - 1);
        options.hops.pop();
        options.limits.pop();
        prop_assert_eq!(found, depth(&options, &journey));
    }

    #[test]
    fn a_block_is_as_deep_as_the_deepest_of_its_orders(journey in journeys(), options in free_options(), names in prop::collection::vec(prop::sample::select(vec!["A", "B", "AB", "BC"]), 4)) {
        let ties = if options.ties == Ties::Step { Ties::Arrival } else { options.ties };
        let ordered = |order: [usize; 4]| Options {
            steps: order.iter().map(|&member| step(names[member])).collect(),
            hops: vec![Hop::Eventually; 3],
            limits: vec![None; 3],
            exclusions: vec![Exclusion { what: step("X"), from: 1, to: 4, effect: Effect::Stop }],
            ties, among_steps: false, increasing: false, reuse: false, on_repeat: OnRepeat::Ignore, ..options.clone()
        };
        let deepest = [[0, 1, 2, 3], [0, 2, 1, 3]].map(|order| depth(&ordered(order), &journey)).into_iter().max();
        let mut block = ordered([0, 1, 2, 3]);
        block.hops.pop();
        block.limits.pop();
        block.exclusions[0].to = 3;
        // Half of a block is none.
        let counted = deepest.map(|depth| [0, 1, 1, 2, 3][depth]);
        prop_assert_eq!(Some(depth_of_kinds(&block, &[Kind::Required, Kind::Block(2), Kind::Required], &journey)), counted);
    }
}
