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

/// A node at its place in a journey.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Its code among the names of its rule.
    pub node: Code,
    /// Index of its event in the journey.
    pub at: u32,
}

/// How a question looks at the nodes of journeys.
#[derive(Debug)]
pub struct View {
    /// Number of the node rule.
    pub nodes: usize,
    repeats: Repeats,
    /// Nodes that are taken out before repeats collapse; a node without a name always is.
    hidden: Vec<bool>,
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
        Ok(View { nodes, repeats, hidden, collapsing })
    }

    /// Replaces `places` by the nodes of `journey` as this view shows them.
    pub fn look(&self, journey: Journey<'_>, places: &mut Vec<Place>) {
        self.look_until(journey, journey.len(), places);
    }

    /// The same for the events before event number `end` alone.
    pub fn look_until(&self, journey: Journey<'_>, end: usize, places: &mut Vec<Place>) {
        places.clear();
        for (at, &node) in journey.nodes(self.nodes).iter().take(end).enumerate() {
            if !self.shows(node) {
                continue;
            }
            let place = Place { node, at: at as u32 };
            match places.last_mut() {
                Some(last) if last.node == node && self.collapses(node) => {
                    if self.repeats == Repeats::CollapseLast {
                        *last = place;
                    }
                }
                _ => places.push(place),
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
