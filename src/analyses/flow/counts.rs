//! What a flow counts of nodes in columns and of the links between them.

use std::io::{self, Read};

use crate::counts::{Counts, Grid, Mark, Sums, Turn};
use crate::error::{Error, Result};
use crate::ids::Code;

/// The nodes of columns and the links between them as numbers. Columns count from 0 here.
#[derive(Clone, Copy)]
pub(super) struct Numbers {
    pub columns: u64,
    /// How many codes of nodes there are.
    pub nodes: u64,
}

impl Numbers {
    pub fn new(columns: usize, nodes: usize) -> Result<Numbers> {
        let numbers = Numbers { columns: columns as u64, nodes: nodes as u64 };
        let links = numbers.nodes.checked_mul(numbers.nodes).and_then(|pairs| pairs.checked_mul(numbers.columns));
        links.map(|_| numbers).ok_or_else(|| {
            Error::limit(format!("a flow of {columns} columns cannot number {nodes} nodes"))
                .hint("make fewer nodes: --group 'depth:2' folds pages by their folders")
        })
    }

    #[inline]
    pub fn node(self, column: usize, node: Code) -> u64 {
        column as u64 * self.nodes + u64::from(node)
    }

    /// The link from a node of a column, given by its number, to `to` in the next column.
    #[inline]
    pub fn link(self, from: u64, to: Code) -> u64 {
        from * self.nodes + u64::from(to)
    }

    /// The column and the code of a node.
    pub fn place(self, node: u64) -> (usize, Code) {
        ((node / self.nodes) as usize, (node % self.nodes) as Code)
    }

    /// The number of the node that a link leads from, and the code of the one that it leads to.
    pub fn ends(self, link: u64) -> (u64, Code) {
        (link / self.nodes, (link % self.nodes) as Code)
    }
}

#[derive(Clone, Copy, Debug, Default)]
pub(super) struct NodeCounts {
    pub through: u64,
    pub entered: u64,
    pub dropped: u64,
    pub beyond: u64,
    pub highlighted: u64,
    pub visitors: u64,
    pub mark: Mark,
}

impl Sums for NodeCounts {
    fn add(&mut self, from: Self) {
        self.through += from.through;
        self.entered += from.entered;
        self.dropped += from.dropped;
        self.beyond += from.beyond;
        self.highlighted += from.highlighted;
        self.visitors += from.visitors;
    }

    fn write(&self, into: &mut Vec<u8>) {
        let NodeCounts { through, entered, dropped, beyond, highlighted, visitors, .. } = *self;
        [through, entered, dropped, beyond, highlighted, visitors].write(into);
    }

    fn read(from: &mut impl Read) -> io::Result<Self> {
        let [through, entered, dropped, beyond, highlighted, visitors] = Sums::read(from)?;
        Ok(NodeCounts { through, entered, dropped, beyond, highlighted, visitors, mark: Mark::default() })
    }
}

#[derive(Clone, Copy, Debug, Default)]
pub(super) struct LinkCounts {
    pub count: u64,
    pub highlighted: u64,
    pub visitors: u64,
    pub mark: Mark,
}

impl LinkCounts {
    #[inline]
    pub fn meet(&mut self, turn: Turn, highlighted: u64) {
        self.count += 1;
        self.highlighted += highlighted;
        self.visitors += u64::from(turn.first(&mut self.mark).1);
    }
}

impl Sums for LinkCounts {
    fn add(&mut self, from: Self) {
        self.count += from.count;
        self.highlighted += from.highlighted;
        self.visitors += from.visitors;
    }

    fn write(&self, into: &mut Vec<u8>) {
        [self.count, self.highlighted, self.visitors].write(into);
    }

    fn read(from: &mut impl Read) -> io::Result<Self> {
        let [count, highlighted, visitors] = Sums::read(from)?;
        Ok(LinkCounts { count, highlighted, visitors, mark: Mark::default() })
    }
}

#[derive(Clone, Debug)]
pub(super) struct FlowCounts {
    /// Journeys looked at, those with a reading, and all readings.
    pub journeys: [u64; 3],
    /// By [`Numbers::node`].
    pub nodes: Grid<NodeCounts>,
    /// By [`Numbers::link`].
    pub links: Grid<LinkCounts>,
    /// By the code of a value of the dimension in front.
    pub values: Counts<u64, NodeCounts>,
    /// The links from values to the first nodes: as [`Numbers::link`], with the code of the value.
    pub entries: Counts<u64, LinkCounts>,
    pub turn: Turn,
}
