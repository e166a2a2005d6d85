//! Drop-off points, by plain loops.
//!
//! Readings that the definitions leave open:
//! - Everything but `repeats` and `rage` is said of the path as it is viewed (hidden nodes and, by default, repeats taken out).
//! - A journey ends at its last node. It is *dropped* there if it has no goal event at all, neither before nor after that node.
//! - P(goal later | at n) is the share of the journeys with n in which a goal event comes after the first event at n, in journey order.
//! - The mean goal value is that of the goal events that have a value, in the segment asked about; without any, `value_lost` is null.
//! - `loops` are the places a of a → b → a, counted at a, however they overlap.
//! - `repeats` are the events with the node of the event directly before them, before repeats are collapsed.
//! - `rage` are bursts: the longest runs of events with one name and page, one directly after another in the journey, of which every
//!   three neighbours lie within 5 seconds; a burst counts once, at its node.
//! - `slow` are the places from which it took longer to the next place than the 95th percentile of all such times of the node.

use std::collections::BTreeMap;

use super::paths::{Place, View, places};
use super::{Event, Repeats};

#[derive(Clone, Debug, Default, PartialEq)]
pub struct DropOffNode {
    /// The journeys that contain the node, and its places.
    pub journeys: usize,
    pub places: usize,
    pub exits: usize,
    pub expected_exits: f64,
    /// Exits of journeys without a goal.
    pub dropped: usize,
    /// Journeys with a goal event after their first place at the node.
    pub goal_later: usize,
    pub loops: usize,
    pub repeats: usize,
    pub rage: usize,
    pub slow: usize,
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
    /// In the log's unit; null if no goal event has a value.
    pub fn value_lost(&self, node: &str) -> Option<f64> {
        let of = &self.nodes[node];
        let mean = super::mean(&self.goal_values)? / 1e6;
        Some(of.dropped as f64 * of.goal_later as f64 / of.journeys as f64 * mean)
    }
}

pub fn dropoff(journeys: &[Vec<Event>], view: &View<'_>, goal: &dyn Fn(&Event) -> bool) -> DropOff {
    let mut answer = DropOff::default();
    let viewed: Vec<Vec<Place>> = journeys.iter().map(|journey| places(journey, view)).collect();
    let longest = viewed.iter().map(Vec::len).max().unwrap_or(0);
    let exit_shares: Vec<f64> = (0..longest).map(|position| exit_share(&viewed, position)).collect();
    for (journey, path) in journeys.iter().zip(&viewed) {
        answer.goal_values.extend(journey.iter().filter(|event| goal(event)).filter_map(|event| event.value));
        for (at, place) in path.iter().enumerate() {
            let of = answer.nodes.entry(place.node.clone()).or_default();
            let last = at + 1 == path.len();
            of.places += 1;
            of.exits += usize::from(last);
            of.dropped += usize::from(last && !journey.iter().any(goal));
            of.loops += usize::from(path.get(at + 2).is_some_and(|back| back.node == place.node));
            of.expected_exits += exit_shares[at];
            let next = path.get(at + 1).map_or("(end)", |next| next.node.as_str());
            *of.next.entry(next.to_owned()).or_default() += 1;
            if !path[..at].iter().any(|earlier| earlier.node == place.node) {
                of.journeys += 1;
                of.goal_later += usize::from(journey[first_event(journey, view, &place.node) + 1..].iter().any(goal));
            }
        }
        let kept = View { repeats: Repeats::Keep, ..*view };
        for pair in places(journey, &kept).windows(2).filter(|pair| pair[0].node == pair[1].node) {
            answer.nodes.entry(pair[0].node.clone()).or_default().repeats += 1;
        }
        for node in bursts(journey).into_iter().filter_map(|at| (view.node)(&journey[at])) {
            if let Some(of) = answer.nodes.get_mut(&node) {
                of.rage += 1;
            }
        }
    }
    for (node, of) in &mut answer.nodes {
        of.slow = slow(&viewed, node);
    }
    answer
}

/// The first event of each burst.
fn bursts(journey: &[Event]) -> Vec<usize> {
    let alike = |three: &[Event]| {
        let what = |event: &Event| (event.event.clone(), event.page.clone());
        let same = what(&three[0]) == what(&three[1]) && what(&three[1]) == what(&three[2]);
        same && three[2].time - three[0].time <= 5_000_000
    };
    let threes: Vec<bool> = journey.windows(3).map(alike).collect();
    (0..threes.len()).filter(|&at| threes[at] && (at == 0 || !threes[at - 1])).collect()
}

/// How often it took longer than usual to get on from this node.
fn slow(paths: &[Vec<Place>], node: &str) -> usize {
    let pairs = paths.iter().flat_map(|path| path.windows(2)).filter(|pair| pair[0].node == node);
    let mut times: Vec<i64> = pairs.map(|pair| pair[1].time - pair[0].time).collect();
    times.sort_unstable();
    let usual = super::nearest_rank(&times, 95);
    times.iter().filter(|&&time| usual.is_some_and(|usual| time > usual)).count()
}

/// Which event of the journey is the first at this node, whatever becomes of repeats.
fn first_event(journey: &[Event], view: &View<'_>, node: &str) -> usize {
    journey.iter().position(|event| (view.node)(event).is_some_and(|name| name == node)).expect("the node is there")
}

/// Of the paths that have a place at this position, the share that ends there.
fn exit_share(paths: &[Vec<Place>], position: usize) -> f64 {
    let there = paths.iter().filter(|path| path.len() > position).count();
    let over = paths.iter().filter(|path| path.len() == position + 1).count();
    over as f64 / there as f64
}

#[cfg(test)]
mod tests {
    use super::super::tests::log;
    use super::*;

    fn found(journeys: &[Vec<Event>]) -> DropOff {
        let node = |event: &Event| Some(event.event.clone());
        let view = View { node: &node, repeats: Repeats::First, hide: &[] };
        dropoff(journeys, &view, &|event| event.event == "buy")
    }

    #[test]
    fn exits_and_what_was_to_expect() {
        // Position 1: one of three ends; position 2: one of two; position 3: one of one.
        let answer = found(&[log("A@0"), log("A@0 B@1"), log("B@0 A@1 C@2")]);
        let a = &answer.nodes["A"];
        assert_eq!((a.journeys, a.places, a.exits, a.dropped), (3, 3, 1, 1));
        assert!((a.expected_exits - (1.0 / 3.0 + 1.0 / 3.0 + 0.5)).abs() < 1e-12);
        let all: f64 = answer.nodes.values().map(|node| node.expected_exits).sum();
        assert!((all - 3.0).abs() < 1e-12, "as many are expected as there are journeys");
        assert_eq!(a.next, BTreeMap::from([("(end)".into(), 1), ("B".into(), 1), ("C".into(), 1)]));
    }

    #[test]
    fn drops_only_without_a_goal_and_what_they_cost() {
        let answer = found(&[log("A@0 buy@1=30 A@2"), log("A@0"), log("A@0 B@1"), log("B@0 buy@1")]);
        let (a, b) = (&answer.nodes["A"], &answer.nodes["B"]);
        assert_eq!((a.journeys, a.exits, a.dropped, a.goal_later), (3, 2, 1, 1));
        assert_eq!((b.journeys, b.exits, b.dropped, b.goal_later), (2, 1, 1, 1));
        assert_eq!(answer.nodes["buy"].goal_later, 0);
        assert_eq!(answer.value_lost("B"), Some(0.5 * 30.0 / 1e6));
        assert_eq!(found(&[log("A@0")]).value_lost("A"), None);
    }

    #[test]
    fn bursts_and_slow_places() {
        let second = |text: &str| {
            let mut journey = log(text);
            journey.iter_mut().for_each(|event| event.time *= 1_000_000);
            journey
        };
        let rage = |text: &str| found(&[second(text)]).nodes["A"].rage;
        assert_eq!(rage("A@0 A@2 A@5 A@9"), 1, "the first three");
        assert_eq!(rage("A@0 A@3 A@6"), 0);
        assert_eq!(rage("A@0 A@1 A@2 A@3 A@4 A@5 B@6 A@7 A@7 A@7"), 2);
        let mut journeys = vec![log("A@0 B@100")];
        journeys.extend((0..20).map(|_| log("A@0 B@1")));
        assert_eq!(found(&journeys).nodes["A"].slow, 1);
        assert_eq!(found(&journeys[..20]).nodes["A"].slow, 1);
        assert_eq!(found(&journeys[..2]).nodes["A"].slow, 0, "the longest is the 95th percentile");
    }

    #[test]
    fn loops_and_repeats() {
        let answer = found(&[log("A@0 B@1 A@2 A@3 B@4 B@5 B@6")]);
        assert_eq!((answer.nodes["A"].loops, answer.nodes["B"].loops), (1, 1));
        assert_eq!((answer.nodes["A"].repeats, answer.nodes["B"].repeats), (1, 2));
    }
}
