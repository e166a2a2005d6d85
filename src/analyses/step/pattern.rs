//! Patterns as meant: spots that nodes of a journey take, and the ways between them.

use std::fmt;

use super::Step;
use crate::error::{Error, Result};
use crate::journeys::{Needs, NodeRule};

/// A pattern: what comes after what among the nodes of a journey.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    /// As the user wrote it.
    text: String,
    /// At least one is no end of the journey.
    pub(super) spots: Vec<Spot>,
    /// The way to each spot but the first.
    pub(super) ways: Vec<Way>,
}

/// What takes a place in a pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Spot {
    /// What is before the journey's first node.
    Start,
    /// What is behind its last.
    End,
    /// A node.
    One(Test),
}

/// What a node is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Test {
    /// Any node if not given.
    pub step: Option<Step>,
    /// Whether it must not fit the step.
    pub negated: bool,
}

/// How one spot follows another.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Way {
    /// Whether no node lies between.
    pub direct: bool,
    /// What all nodes between are asked.
    pub between: Option<Test>,
    /// The longest time from the one to the other, in µs.
    pub within: Option<i64>,
    /// The shortest.
    pub after: Option<i64>,
    /// How many events of the journey the other is behind at most.
    pub events: Option<u32>,
}

impl Way {
    /// To the very next node, without limits.
    pub(super) const DIRECTLY: Way = Way { direct: true, between: None, within: None, after: None, events: None };
}

/// Spots, and tests of what lies between them, have a bit each.
const MOST: usize = 64;

impl Pattern {
    pub(super) fn new(text: &str) -> Pattern {
        Pattern { text: text.to_owned(), spots: Vec::new(), ways: Vec::new() }
    }

    /// Refuses a pattern without a node, and one that is too long.
    pub(super) fn check(&self) -> Result<()> {
        if !self.spots.iter().any(|spot| matches!(spot, Spot::One(_))) {
            return Err(Error::question("it has no node").hint("name one: start >> /cart"));
        }
        if self.spots.len().max(self.tests().count()) > MOST {
            return Err(Error::question(format!("a pattern has at most {MOST} nodes")));
        }
        Ok(())
    }

    pub fn spots(&self) -> &[Spot] {
        &self.spots
    }

    /// The way to each spot but the first.
    pub fn ways(&self) -> &[Way] {
        &self.ways
    }

    /// All tests that name a step.
    fn tests(&self) -> impl Iterator<Item = &Test> {
        let spots = self.spots.iter().filter_map(|spot| match spot {
            Spot::One(test) => Some(test),
            _ => None,
        });
        spots.chain(self.ways.iter().filter_map(|way| way.between.as_ref())).filter(|test| test.step.is_some())
    }

    /// The steps that nodes are held against.
    pub fn steps(&self) -> impl Iterator<Item = &Step> {
        self.tests().filter_map(|test| test.step.as_ref())
    }

    /// Adds what must be read to recognise it.
    pub fn needs(&self, nodes: &NodeRule, needs: &mut Needs) {
        needs.add(Needs::of_nodes(nodes));
        self.steps().for_each(|step| step.needs(nodes, needs));
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
