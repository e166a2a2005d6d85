//! Drop-off points, by plain loops, as `docs/semantics.md` defines them.
//!
//! Readings that it leaves open:
//! - Hidden nodes are no nodes at all: their events neither repeat, nor stand between, nor carry errors. Rage is of events, and counts at
//!   the node of the event that begins the burst, if that one has a node that is shown.
//! - "Before the first goal event" is by journey order, of any event at the node, whatever becomes of repeats.
//! - Without a goal anywhere at a node, `value_lost` is 0 as nobody dropped there; null only if no goal event of the segment has a value.

use std::collections::BTreeMap;

use super::paths::{Place, View, places};
use super::{Event, Repeats};

#[derive(Clone, Debug, Default, PartialEq)]
pub struct DropOffNode {
    /// The journeys that contain the node, its places in paths, and its events.
    pub journeys: usize,
    pub places: usize,
    pub events: usize,
    pub exits: usize,
    pub expected_exits: f64,
    /// Exits of journeys without a goal, and those to expect by position.
    pub dropped: usize,
    pub expected_drops: f64,
    /// The journeys with an event at the node before their first goal event, or without any; and those of them with a goal.
    pub before_goal: usize,
    pub goal_later: usize,
    pub loops: usize,
    pub repeats: usize,
    pub rage: usize,
    pub errors: usize,
    pub slow: usize,
    /// µs to the next place, ascending; the last place has none.
    pub times: Vec<i64>,
    /// What comes next, `(end)` included.
    pub next: BTreeMap<String, usize>,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct DropOff {
    pub nodes: BTreeMap<String, DropOffNode>,
    /// The values of the goal events that have one.
    pub goal_values: Vec<i64>,
}

impl DropOff {
    /// The share that reaches the goal; null if nobody is at the node before it.
    pub fn goal_rate(&self, node: &str) -> Option<f64> {
        let of = &self.nodes[node];
        (of.before_goal > 0).then(|| of.goal_later as f64 / of.before_goal as f64)
    }

    /// In the log's unit; null if no goal event has a value.
    pub fn value_lost(&self, node: &str) -> Option<f64> {
        let mean = super::mean(&self.goal_values)? / 1e6;
        Some(self.nodes[node].dropped as f64 * self.goal_rate(node).unwrap_or(0.0) * mean)
    }
}

/// What is asked: how journeys are looked at, what they are meant to reach, and which events are errors.
pub struct Asked<'a> {
    pub view: &'a View<'a>,
    pub goal: &'a dyn Fn(&Event) -> bool,
    pub error: &'a dyn Fn(&Event) -> bool,
    /// Whether every node is a page, or may be one.
    pub only_pages: bool,
    pub pages: bool,
}

pub fn dropoff(journeys: &[Vec<Event>], asked: &Asked<'_>) -> DropOff {
    let (view, goal) = (asked.view, asked.goal);
    let mut answer = DropOff::default();
    let viewed: Vec<Vec<Place>> = journeys.iter().map(|journey| places(journey, view)).collect();
    let over = |path: &[Place], at: usize| path.len() == at + 1;
    let dropped: Vec<bool> = journeys.iter().map(|journey| !journey.iter().any(goal)).collect();
    let exit_shares = shares(&viewed, &|path, at, _| over(path, at));
    let drop_shares = shares(&viewed, &|path, at, number| over(path, at) && dropped[number]);
    for (number, (journey, path)) in journeys.iter().zip(&viewed).enumerate() {
        answer.goal_values.extend(journey.iter().filter(|event| goal(event)).filter_map(|event| event.value));
        for (at, place) in path.iter().enumerate() {
            let of = answer.nodes.entry(place.node.clone()).or_default();
            of.places += 1;
            of.exits += usize::from(over(path, at));
            of.dropped += usize::from(over(path, at) && dropped[number]);
            of.expected_exits += exit_shares[at];
            of.expected_drops += drop_shares[at];
            let back = at >= 2 && path[at - 1].node != place.node && path[at - 2].node == place.node;
            of.loops += usize::from(back);
            let next = path.get(at + 1);
            *of.next.entry(next.map_or("(end)", |next| next.node.as_str()).to_owned()).or_default() += 1;
            of.times.extend(next.map(|next| next.time - place.time));
            of.journeys += usize::from(!path[..at].iter().any(|earlier| earlier.node == place.node));
        }
        // Every event at a node, before repeats are collapsed.
        let all = places(journey, &View { repeats: Repeats::Keep, ..*view });
        let first_goal = journey.iter().position(goal);
        for (at, place) in all.iter().enumerate() {
            let of = answer.nodes.entry(place.node.clone()).or_default();
            of.events += 1;
            of.repeats += usize::from(at > 0 && all[at - 1].node == place.node);
            let first = !all[..at].iter().any(|earlier| earlier.node == place.node);
            let before = first_goal.is_none_or(|goal| place.event < goal);
            of.before_goal += usize::from(first && before);
            of.goal_later += usize::from(first && before && first_goal.is_some());
        }
        for node in bursts(journey, asked).into_iter().chain(errors(journey, asked)) {
            let (node, is_error) = node;
            let of = answer.nodes.entry(node).or_default();
            *(if is_error { &mut of.errors } else { &mut of.rage }) += 1;
        }
    }
    for of in answer.nodes.values_mut() {
        of.times.sort_unstable();
        let usual = super::nearest_rank(&of.times, 95);
        of.slow = of.times.iter().filter(|&&time| usual.is_some_and(|usual| time > usual)).count();
    }
    answer
}

/// The node of an event, if it has one that is shown.
fn node(event: &Event, view: &View<'_>) -> Option<String> {
    (view.node)(event).filter(|node| !view.hide.contains(&node.as_str()))
}

/// The nodes at which bursts of the same event begin.
fn bursts(journey: &[Event], asked: &Asked<'_>) -> Vec<(String, bool)> {
    let alike = |a: &Event, b: &Event| a.event == b.event && (!asked.pages || a.page == b.page);
    let rages = |at: usize| {
        let close = |earlier: &&Event| alike(earlier, &journey[at]) && journey[at].time - earlier.time <= 5_000_000;
        journey[..=at].iter().filter(close).count() >= 3
    };
    let begins = |&at: &usize| {
        let before = (0..at).rev().find(|&earlier| alike(&journey[earlier], &journey[at]));
        rages(at) && before.is_some_and(|before| !rages(before))
    };
    let nodes = (0..journey.len()).filter(begins).filter_map(|at| node(&journey[at], asked.view));
    nodes.map(|node| (node, false)).collect()
}

/// The nodes at which errors happen.
fn errors(journey: &[Event], asked: &Asked<'_>) -> Vec<(String, bool)> {
    let place = |at: usize| {
        let own = node(&journey[at], asked.view);
        let before = || {
            let earlier = journey[..at].iter().rev().filter(|event| !(asked.error)(event));
            earlier.filter_map(|event| node(event, asked.view)).next()
        };
        if asked.only_pages { own.or_else(before) } else { before().or(own) }
    };
    let errors = (0..journey.len()).filter(|&at| (asked.error)(&journey[at]));
    errors.filter_map(place).map(|node| (node, true)).collect()
}

/// By position: of the paths that have a place there, the share for which `is` holds.
fn shares(paths: &[Vec<Place>], is: &dyn Fn(&[Place], usize, usize) -> bool) -> Vec<f64> {
    let longest = paths.iter().map(Vec::len).max().unwrap_or(0);
    let share = |at: usize| {
        let there: Vec<usize> = (0..paths.len()).filter(|&number| paths[number].len() > at).collect();
        there.iter().filter(|&&number| is(&paths[number], at, number)).count() as f64 / there.len() as f64
    };
    (0..longest).map(share).collect()
}

#[cfg(test)]
mod tests {
    use super::super::tests::log;
    use super::*;

    fn found(journeys: &[Vec<Event>]) -> DropOff {
        let node = |event: &Event| Some(event.event.clone());
        let view = View { node: &node, repeats: Repeats::First, hide: &[] };
        let (goal, error) = (|event: &Event| event.event == "buy", |event: &Event| event.event == "oops");
        dropoff(journeys, &Asked { view: &view, goal: &goal, error: &error, only_pages: false, pages: true })
    }

    #[test]
    fn exits_and_what_was_to_expect() {
        // Position 1: one of three ends; position 2: one of two; position 3: one of one.
        let answer = found(&[log("A@0"), log("A@0 B@1"), log("B@0 A@1 C@2")]);
        let a = &answer.nodes["A"];
        assert_eq!((a.journeys, a.places, a.exits, a.dropped), (3, 3, 1, 1));
        assert!((a.expected_exits - (1.0 / 3.0 + 1.0 / 3.0 + 0.5)).abs() < 1e-12);
        assert_eq!(a.expected_drops, a.expected_exits);
        let all: f64 = answer.nodes.values().map(|node| node.expected_exits).sum();
        assert!((all - 3.0).abs() < 1e-12, "as many are expected as there are journeys");
        assert_eq!(a.next, BTreeMap::from([("(end)".into(), 1), ("B".into(), 1), ("C".into(), 1)]));
    }

    #[test]
    fn drops_only_without_a_goal_and_what_they_cost() {
        let answer = found(&[log("A@0 buy@1=30 A@2"), log("A@0"), log("A@0 B@1"), log("B@0 buy@1"), log("buy@0 B@1")]);
        let (a, b) = (&answer.nodes["A"], &answer.nodes["B"]);
        assert_eq!((a.journeys, a.exits, a.dropped, a.before_goal, a.goal_later), (3, 2, 1, 3, 1));
        assert_eq!((b.journeys, b.exits, b.dropped, b.before_goal, b.goal_later), (3, 2, 1, 2, 1));
        assert_eq!((answer.goal_rate("buy"), answer.value_lost("buy")), (None, Some(0.0)));
        assert_eq!(answer.value_lost("B"), Some(0.5 * 30.0 / 1e6));
        assert_eq!(found(&[log("A@0")]).value_lost("A"), None);
    }

    #[test]
    fn loops_and_repeats() {
        let answer = found(&[log("A@0 B@1 A@2 A@3 B@4 B@5 B@6")]);
        assert_eq!((answer.nodes["A"].loops, answer.nodes["B"].loops), (1, 1));
        assert_eq!((answer.nodes["A"].repeats, answer.nodes["B"].repeats), (1, 2));
        assert_eq!((answer.nodes["A"].events, answer.nodes["A"].places), (3, 2));
    }

    #[test]
    fn bursts_errors_and_slow_places() {
        let second = |text: &str| {
            let mut journey = log(text);
            journey.iter_mut().for_each(|event| event.time *= 1_000_000);
            journey
        };
        let rage = |text: &str| found(&[second(text)]).nodes["A"].rage;
        assert_eq!(rage("A@0 A@2 A@5 A@9"), 1, "the first three");
        assert_eq!(rage("A@0 A@3 A@6"), 0);
        assert_eq!(rage("A@0 A@1 A@2 A@3 A@4 A@5 B@6 A@7 A@7 A@7"), 1, "it goes on");
        assert_eq!(rage("A@0 B@1 A@1 A@2 A@9 A@9 A@9"), 2);
        let errors = found(&[log("oops@0 oops@1 A@2 oops@3 oops@4")]);
        assert_eq!((errors.nodes["oops"].errors, errors.nodes["A"].errors), (2, 2));
        let mut journeys = vec![log("A@0 B@100")];
        journeys.extend((0..20).map(|_| log("A@0 B@1")));
        assert_eq!(found(&journeys).nodes["A"].slow, 1);
        assert_eq!(found(&journeys[..2]).nodes["A"].slow, 0, "the longest is the 95th percentile");
    }
}
