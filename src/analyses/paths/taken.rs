//! Which paths were taken, by how many journeys and how many visitors.

use std::io::{self, Read};
use std::sync::Arc;

use crate::counts::{Counts, Sums};
use crate::error::Result;
use crate::ids::Code;
use crate::spill::Spill;

/// Journeys and distinct visitors by path.
#[derive(Debug, Default)]
pub struct Taken {
    counts: Counts<[Code], Takers>,
    /// Paths that are still to be counted: many at once cost less.
    waiting: Waiting,
    /// The number of the visitor at hand, from 1.
    visitor: u64,
}

#[derive(Clone, Copy, Debug, Default)]
struct Takers {
    journeys: u64,
    visitors: u64,
    /// The number of the last visitor that was counted. Whoever is merged has been counted.
    last: u64,
}

impl Sums for Takers {
    fn add(&mut self, from: Self) {
        self.journeys += from.journeys;
        self.visitors += from.visitors;
    }

    fn write(&self, into: &mut Vec<u8>) {
        [self.journeys, self.visitors].write(into);
    }

    fn read(from: &mut impl Read) -> io::Result<Self> {
        let [journeys, visitors] = Sums::read(from)?;
        Ok(Takers { journeys, visitors, last: 0 })
    }
}

/// Paths one behind another, the end of each, and its visitor.
#[derive(Debug, Default)]
struct Waiting {
    codes: Vec<Code>,
    paths: Vec<(usize, u64)>,
}

impl Waiting {
    /// Paths and codes that are worth counting at once.
    const PATHS: usize = 512;
    const CODES: usize = 1 << 14;

    fn path(&self, number: usize) -> &[Code] {
        let start = number.checked_sub(1).map_or(0, |before| self.paths[before].0);
        &self.codes[start..self.paths[number].0]
    }
}

impl Taken {
    /// The paths that follow are those of another visitor.
    pub fn next_visitor(&mut self) {
        self.visitor += 1;
    }

    /// Counts the path of a journey of the visitor.
    pub fn count(&mut self, path: &[Code]) {
        let Waiting { codes, paths } = &mut self.waiting;
        codes.extend_from_slice(path);
        paths.push((codes.len(), self.visitor));
        if paths.len() >= Waiting::PATHS || codes.len() >= Waiting::CODES {
            self.settle();
        }
    }

    fn settle(&mut self) {
        let Taken { counts, waiting, .. } = self;
        counts.at_each(
            waiting.paths.len(),
            |number| waiting.path(number),
            |number, takers| {
                let visitor = waiting.paths[number].1;
                takers.journeys += 1;
                takers.visitors += u64::from(takers.last != visitor);
                takers.last = visitor;
            },
        );
        waiting.codes.clear();
        waiting.paths.clear();
    }

    /// Adds the paths of other visitors. No path is counted after that.
    pub fn merge(&mut self, mut from: Self) {
        self.settle();
        from.settle();
        self.counts.merge(from.counts);
    }

    /// Gives every path once, with its journeys and visitors. The order means nothing.
    pub fn drain(mut self, mut each: impl FnMut(&[Code], u64, u64)) -> Result<()> {
        self.settle();
        self.counts.drain(|path, takers| each(path, takers.journeys, takers.visitors))
    }

    /// Bytes in use.
    pub fn bytes(&self) -> usize {
        self.counts.bytes()
            + self.waiting.codes.capacity() * size_of::<Code>()
            + self.waiting.paths.capacity() * size_of::<(usize, u64)>()
    }

    /// As [`Counts::relieve`].
    pub fn relieve(&mut self, spill: &Arc<Spill>) -> Result<()> {
        self.settle();
        self.counts.relieve(spill)
    }
}
