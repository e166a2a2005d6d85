//! How many journeys to expect to end, and to drop, at each node if only the position mattered.

use std::io::{self, Read};
use std::sync::Arc;

use foldhash::fast::RandomState;
use hashbrown::HashMap;

use crate::counts::{Counts, Grid, Sums};
use crate::error::Result;
use crate::ids::Code;
use crate::spill::Spill;

/// Positions that a dense table is tried for. Few journeys go on past them.
const NEAR: u64 = 32;

/// Visits by position and node, and the lengths of journeys. Positions are not bounded: only what occurs takes memory.
#[derive(Clone, Debug)]
pub(super) struct Positions {
    /// How many codes of nodes there are.
    nodes: u64,
    /// By position × `nodes` + node; `near` has the first positions, `far` all others.
    near: Grid<u64>,
    far: Counts<u64, u64>,
    /// Journeys by how many nodes they have.
    lengths: Counts<u64, Ends>,
}

/// How journeys end.
#[derive(Clone, Copy, Debug, Default)]
struct Ends {
    exits: u64,
    /// Those of them that end without the goal.
    drops: u64,
}

impl Sums for Ends {
    fn add(&mut self, from: Self) {
        self.exits += from.exits;
        self.drops += from.drops;
    }

    fn write(&self, into: &mut Vec<u8>) {
        [self.exits, self.drops].write(into);
    }

    fn read(from: &mut impl Read) -> io::Result<Self> {
        let [exits, drops] = Sums::read(from)?;
        Ok(Ends { exits, drops })
    }
}

/// What is to be expected of a node if only the position mattered.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Expected {
    /// Journeys that end here.
    pub exits: f64,
    /// Those of them without the goal.
    pub drops: f64,
}

impl Positions {
    pub fn new(nodes: u64) -> Positions {
        Positions { nodes, near: Grid::new(nodes * NEAR), far: Counts::default(), lengths: Counts::default() }
    }

    /// Counts a visit to a node at a position, from 0.
    #[inline]
    pub fn visit(&mut self, position: usize, node: Code) {
        let number = position as u64 * self.nodes + u64::from(node);
        if (position as u64) < NEAR {
            *self.near.at(number) += 1;
        } else {
            *self.far.at(&number) += 1;
        }
    }

    /// Counts a journey that ends after so many nodes, at least one; `drops` if without the goal.
    pub fn end(&mut self, nodes: usize, drops: bool) {
        let ends = self.lengths.at(&(nodes as u64));
        ends.exits += 1;
        ends.drops += u64::from(drops);
    }

    pub fn merge(&mut self, from: Positions) {
        self.near.merge(from.near);
        self.far.merge(from.far);
        self.lengths.merge(from.lengths);
    }

    /// By node: the sum over positions of the node's visits × the share of all visits there that are exits, or drops. Nodes without
    /// any are left out.
    pub fn expected(self) -> Result<HashMap<Code, Expected, RandomState>> {
        let shares = shares(self.lengths)?;
        let mut expected: HashMap<Code, Expected, RandomState> = HashMap::default();
        let mut add = |number: u64, visits: u64| {
            let Some(share) = shares.get(&(number / self.nodes)) else { return };
            let expected = expected.entry((number % self.nodes) as Code).or_default();
            expected.exits += visits as f64 * share.exits;
            expected.drops += visits as f64 * share.drops;
        };
        // Floats are added up in the order of positions, whatever the order in which they were met.
        self.near.drain_in_order(&mut add)?;
        self.far.drain_in_order(|&number, visits| add(number, visits))?;
        Ok(expected)
    }

    pub fn relieve(&mut self, spill: &Arc<Spill>) -> Result<()> {
        self.near.relieve(spill)?;
        self.far.relieve(spill)
    }

    pub fn bytes(&self) -> usize {
        self.near.bytes() + self.far.bytes() + self.lengths.bytes()
    }
}

/// The shares of the journeys at a position that end and that drop there, by position from 0; positions where none ends are left
/// out.
fn shares(lengths: Counts<u64, Ends>) -> Result<HashMap<u64, Expected, RandomState>> {
    let mut ends = Vec::new();
    lengths.drain_in_order(|&length, counts| ends.push((length, counts)))?;
    let mut visits: u64 = ends.iter().map(|(_, ends)| ends.exits).sum();
    let mut shares = HashMap::default();
    for (length, Ends { exits, drops }) in ends {
        let share = |part: u64| part as f64 / visits as f64;
        shares.insert(length - 1, Expected { exits: share(exits), drops: share(drops) });
        visits -= exits;
    }
    Ok(shares)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Nodes, and whether the goal is missing.
    type Path = (Vec<Code>, bool);

    /// The definition in plain loops: exits, or drops alone.
    fn plain(paths: &[Path], node: Code, drops_alone: bool) -> f64 {
        let longest = paths.iter().map(|(path, _)| path.len()).max().unwrap_or(0);
        let at = |position: usize| {
            let ends = |(path, drops): &&Path| path.len() == position + 1 && (*drops || !drops_alone);
            let visits = paths.iter().filter(|(path, _)| path.len() > position).count() as f64;
            let visits_here = paths.iter().filter(|(path, _)| path.get(position) == Some(&node)).count() as f64;
            visits_here * paths.iter().filter(ends).count() as f64 / visits
        };
        (0..longest).map(at).sum()
    }

    fn count(paths: &[Path]) -> Positions {
        let mut positions = Positions::new(5);
        for (path, drops) in paths.iter().filter(|(path, _)| !path.is_empty()) {
            path.iter().enumerate().for_each(|(position, &node)| positions.visit(position, node));
            positions.end(path.len(), *drops);
        }
        positions
    }

    proptest! {
        #[test]
        fn what_is_expected_is_what_the_definition_says(
            paths in prop::collection::vec((prop::collection::vec(1..5u32, 0..100), any::<bool>()), 0..20), cut in 0..20usize,
        ) {
            let (head, tail) = paths.split_at(cut.min(paths.len()));
            let mut positions = count(tail);
            positions.merge(count(head));
            let found = positions.expected().unwrap();
            for node in 1..5 {
                let found = found.get(&node).copied().unwrap_or_default();
                prop_assert!((found.exits - plain(&paths, node, false)).abs() < 1e-9);
                prop_assert!((found.drops - plain(&paths, node, true)).abs() < 1e-9);
            }
        }
    }
}
