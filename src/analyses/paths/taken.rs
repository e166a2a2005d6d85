//! Which paths were taken, by how many journeys and how many visitors.

use std::io::{self, Read};
use std::sync::Arc;

use crate::counts::{Counts, Sums};
use crate::error::Result;
use crate::ids::Code;
use crate::spill::Spill;

/// Journeys and distinct visitors by path.
#[derive(Clone, Debug)]
pub struct Taken {
    packing: Packing,
    /// Paths that are short enough to be packed: nearly all, and a number is found several times as fast as a sequence.
    short: Counts<Packed, Takers>,
    long: Counts<[Code], Takers>,
    /// Short paths that are still to be counted, with the number of their visitor: many at once cost less.
    waiting: Vec<(Packed, u64)>,
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

impl Takers {
    #[inline]
    fn count(&mut self, visitor: u64) {
        self.journeys += 1;
        self.visitors += u64::from(self.last != visitor);
        self.last = visitor;
    }
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

/// The codes of a path as one number: the upper half and the lower.
type Packed = (u64, u64);

/// How paths are packed: each code in as many bits as the largest needs, the last one lowest. A path has no code 0, so what is above
/// the first code says where it begins.
#[derive(Clone, Copy, Debug)]
struct Packing {
    /// Of a code.
    bits: u32,
    /// Codes of the longest paths that can be packed.
    longest: usize,
}

impl Packing {
    /// For codes below `nodes`.
    fn new(nodes: usize) -> Packing {
        let bits = (usize::BITS - nodes.saturating_sub(1).leading_zeros()).max(1);
        Packing { bits, longest: (u128::BITS / bits) as usize }
    }

    #[inline]
    fn pack(self, path: &[Code]) -> Packed {
        let packed = path.iter().fold(0, |packed: u128, &code| packed << self.bits | u128::from(code));
        ((packed >> 64) as u64, packed as u64)
    }

    fn unpack(self, (high, low): Packed, path: &mut Vec<Code>) {
        let mut packed = u128::from(high) << 64 | u128::from(low);
        path.clear();
        while packed != 0 {
            path.push((packed & ((1 << self.bits) - 1)) as Code);
            packed >>= self.bits;
        }
        path.reverse();
    }
}

impl Taken {
    /// So many paths are worth counting at once.
    const WAITING: usize = 512;

    /// For paths over codes from 1 to below `nodes`.
    pub fn new(nodes: usize) -> Taken {
        let (short, long) = (Counts::default(), Counts::default());
        Taken { packing: Packing::new(nodes), short, long, waiting: Vec::new(), visitor: 0 }
    }

    /// The paths that follow are those of another visitor.
    pub fn next_visitor(&mut self) {
        self.visitor += 1;
    }

    /// Counts the path of a journey of the visitor.
    #[inline]
    pub fn count(&mut self, path: &[Code]) {
        if path.len() > self.packing.longest {
            self.long.at(path).count(self.visitor);
            return;
        }
        self.waiting.push((self.packing.pack(path), self.visitor));
        if self.waiting.len() >= Self::WAITING {
            self.settle();
        }
    }

    #[inline(never)]
    fn settle(&mut self) {
        let Taken { short, waiting, .. } = self;
        let (path, visitor) = (|number: usize| &waiting[number].0, |number: usize| waiting[number].1);
        short.at_each(waiting.len(), path, |number, takers| takers.count(visitor(number)));
        waiting.clear();
    }

    /// Adds the paths of other visitors. No path is counted after that.
    pub fn merge(&mut self, mut from: Self) {
        self.settle();
        from.settle();
        self.short.merge(from.short);
        self.long.merge(from.long);
    }

    /// Gives every path once, with its journeys and visitors. The order means nothing.
    pub fn drain(mut self, mut each: impl FnMut(&[Code], u64, u64)) -> Result<()> {
        self.settle();
        let mut path = Vec::new();
        self.short.drain(|&packed, takers| {
            self.packing.unpack(packed, &mut path);
            each(&path, takers.journeys, takers.visitors);
        })?;
        self.long.drain(|path, takers| each(path, takers.journeys, takers.visitors))
    }

    /// Bytes in use.
    pub fn bytes(&self) -> usize {
        self.short.bytes() + self.long.bytes() + self.waiting.capacity() * size_of::<(Packed, u64)>()
    }

    /// As [`Counts::relieve`].
    pub fn relieve(&mut self, spill: &Arc<Spill>) -> Result<()> {
        self.settle();
        self.short.relieve(spill)?;
        self.long.relieve(spill)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_packed_path_is_the_same_path_again(
            (nodes, path) in (2usize..70_000).prop_flat_map(|nodes| {
                let codes = prop_oneof![Just(1), Just(nodes as Code - 1), 1..nodes as Code];
                (Just(nodes), prop::collection::vec(codes, 0..130))
            }),
        ) {
            let packing = Packing::new(nodes);
            let path = &path[..path.len().min(packing.longest)];
            let mut again = vec![7];
            packing.unpack(packing.pack(path), &mut again);
            prop_assert_eq!(again, path);
        }
    }

    #[test]
    fn the_longest_packed_paths_fill_the_number() {
        assert_eq!([2, 3, 16, 17, 65_536, 65_537].map(|nodes| Packing::new(nodes).longest), [128, 64, 32, 25, 8, 7]);
    }
}
