//! Views of a journey: repeats collapsed, nodes hidden. No event is removed: only what a question about nodes looks at.

use serde::{Deserialize, Serialize};

use super::{Journey, Names, NodeRule};
use crate::error::Result;
use crate::ids::{Code, MISSING};

/// What becomes of a node that is repeated in a row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum Repeats {
    /// One node, with the time of the first.
    #[default]
    CollapseFirst,
    /// One node, with the time of the last.
    CollapseLast,
    /// Every one is a place of its own.
    Keep,
}

/// The nodes of a journey that a view shows, in their order, and where they are in the journey.
#[derive(Clone, Copy, Debug)]
pub struct Shown<'a> {
    /// Their codes among the names of their rule.
    pub nodes: &'a [Code],
    /// Index of the event of each in the journey; empty if every event is shown.
    events: &'a [u32],
}

impl Shown<'_> {
    /// The index in the journey of the event of node number `number`.
    #[inline]
    pub fn event(&self, number: usize) -> usize {
        if self.events.is_empty() { number } else { self.events[number] as usize }
    }
}

/// Room for what a view shows where it is not all.
#[derive(Debug, Default)]
pub struct Shows {
    nodes: Vec<Code>,
    events: Vec<u32>,
}

/// How a question looks at the nodes of journeys.
#[derive(Debug)]
pub struct View {
    /// Number of the node rule.
    pub nodes: usize,
    repeats: Repeats,
    /// Nodes that are taken out before repeats collapse; a node without a name always is.
    hidden: Vec<bool>,
    /// Whether every node that has a name is shown each time.
    all: bool,
    /// Nodes whose repeats collapse, if not all.
    collapsing: Option<Vec<bool>>,
}

impl View {
    /// `collapse` restricts the collapsing to the named nodes, `hide` takes the named nodes out.
    pub fn new(names: &Names, rule: &NodeRule, repeats: Repeats, collapse: &[String], hide: &[String]) -> Result<View> {
        let nodes = names.nodes(rule)?;
        let dictionary = names.node_names(nodes);
        let mask = |chosen: &[String]| -> Vec<bool> {
            (0..dictionary.len() as Code).map(|code| chosen.iter().any(|name| name == dictionary.name(code))).collect()
        };
        let mut hidden = mask(hide);
        hidden[MISSING as usize] = true;
        let collapsing = (!collapse.is_empty()).then(|| mask(collapse));
        let all = repeats == Repeats::Keep && hide.is_empty();
        Ok(View { nodes, repeats, hidden, all, collapsing })
    }

    /// The nodes of `journey` as this view shows them.
    #[inline]
    pub fn look<'a>(&self, journey: Journey<'a>, room: &'a mut Shows) -> Shown<'a> {
        self.look_until(journey, journey.len(), room)
    }

    /// The same for the events before event number `end` alone.
    #[inline]
    pub fn look_until<'a>(&self, journey: Journey<'a>, end: usize, room: &'a mut Shows) -> Shown<'a> {
        let nodes = &journey.nodes(self.nodes)[..end];
        if self.all && (journey.has_all_nodes(self.nodes) || !nodes.contains(&MISSING)) {
            return Shown { nodes, events: &[] };
        }
        self.choose(nodes, room);
        Shown { nodes: &room.nodes, events: &room.events }
    }

    fn choose(&self, nodes: &[Code], room: &mut Shows) {
        room.nodes.clear();
        room.events.clear();
        for (at, &node) in nodes.iter().enumerate() {
            if !self.shows(node) {
                continue;
            }
            match room.events.last_mut() {
                Some(last) if room.nodes.last() == Some(&node) && self.collapses(node) => {
                    if self.repeats == Repeats::CollapseLast {
                        *last = at as u32;
                    }
                }
                _ => {
                    room.nodes.push(node);
                    room.events.push(at as u32);
                }
            }
        }
    }

    /// Whether the view shows this node at all.
    #[inline]
    pub fn shows(&self, node: Code) -> bool {
        !self.hidden[node as usize]
    }

    #[inline]
    fn collapses(&self, node: Code) -> bool {
        self.repeats != Repeats::Keep && self.collapsing.as_ref().is_none_or(|mask| mask[node as usize])
    }
}
