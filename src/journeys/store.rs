//! Events → partitions of whole visitors, in memory as long as there is room for them, then on disk.
//!
//! A piece of the log is scattered by the stable hashes of its visitors, one pass per column ([`super::block`]). What lies on disk is
//! what would lie in memory, so a partition is read back piece by piece and costs little more than its bytes.

use std::sync::{Arc, Mutex};

use super::block::{Block, Layout, Packer, Start};
use super::{Journeys, Names, VisitorKey, partition};
use crate::budget::Budget;
use crate::error::Result;
use crate::events::EventBatch;
use crate::spill::{Extent, Spill};
use crate::sync::{lock, unlocked};

/// Where a part of the log belongs in its order: file, split, part of the split.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Arrival {
    /// The number of the file among the inputs, from 0.
    pub file: u32,
    /// The number of the split in its file.
    pub split: u32,
    /// The number of the part in its split, from 0: large splits are stored in several.
    pub part: u32,
}

/// A part of the log, by partition; inside a partition in the order of the log.
#[derive(Debug)]
struct Piece {
    arrival: Arrival,
    layout: Layout,
    /// Begin of the block of each partition; one more at the end.
    starts: Vec<Start>,
    place: Place,
}

#[derive(Debug)]
enum Place {
    Memory(Vec<u8>),
    Disk(Extent),
}

/// All events read so far.
#[derive(Debug)]
pub struct Store {
    bits: u32,
    spill: Arc<Spill>,
    pieces: Mutex<Vec<Piece>>,
}

/// One thread's scratch for scattering.
#[derive(Default)]
pub struct Scatter {
    packer: Packer,
    /// A piece on its way to the disk.
    bytes: Vec<u8>,
}

impl Scatter {
    /// Bytes that it has taken, but for some per event that go with the batch.
    pub fn held_bytes(&self) -> usize {
        self.bytes.capacity()
    }
}

impl Store {
    /// A store of 2^`bits` partitions, at most 2¹⁶. What does not fit into memory goes to `spill`.
    pub fn new(bits: u32, spill: Arc<Spill>) -> Store {
        Store { bits, spill, pieces: Mutex::default() }
    }

    /// Takes in a part of the log and empties `batch`.
    ///
    /// Events stay in memory while they leave half of the budget to others: the names, the visitors at hand, the counts.
    pub fn add(&self, arrival: Arrival, batch: &mut EventBatch, scatter: &mut Scatter, budget: &Budget) -> Result<()> {
        if batch.columns.is_empty() {
            batch.clear();
            return Ok(());
        }
        let Scatter { packer, bytes } = scatter;
        let mut starts = Vec::with_capacity((1 << self.bits) + 1);
        let layout = packer.plan(batch, self.bits, &mut starts);
        let size = starts.last().map_or(0, |end| end.byte as usize);
        budget.take(starts.len() * size_of::<Start>() + size_of::<Piece>(), "the events")?;
        let place = if budget.take_below(size, budget.limit() / 2) {
            let mut bytes = vec![0; size];
            packer.pack(batch, &layout, &starts, &mut bytes);
            Place::Memory(bytes)
        } else {
            bytes.resize(bytes.len().max(size), 0);
            packer.pack(batch, &layout, &starts, bytes);
            Place::Disk(self.spill.append(&bytes[..size])?)
        };
        batch.clear();
        lock(&self.pieces).push(Piece { arrival, layout, starts, place });
        Ok(())
    }

    /// All events, put into the order of the log.
    pub fn close(self) -> Partitions {
        let mut pieces = unlocked(self.pieces);
        pieces.sort_unstable_by_key(|piece| piece.arrival);
        Partitions { bits: self.bits, pieces, spill: self.spill }
    }
}

/// All events of a run, by partition.
#[derive(Debug)]
pub struct Partitions {
    bits: u32,
    pieces: Vec<Piece>,
    spill: Arc<Spill>,
}

impl Partitions {
    /// How many partitions there are.
    pub fn count(&self) -> usize {
        1 << self.bits
    }

    /// How many events a partition has.
    pub fn events(&self, partition: usize) -> usize {
        self.pieces.iter().map(|piece| piece.rows(partition)).sum()
    }

    /// Bytes that loading, grouping and preparing a partition takes beside the stored events: a copy of its columns, places, nodes, and
    /// session bounds and visitor tables at their worst.
    pub fn working_bytes(&self, partition: usize, names: &Names) -> usize {
        let row = self.pieces.first().map_or(0, |piece| piece.layout.unpacked_row());
        // Own sessions may interleave: then each such rule has a copy of the events in the order of its sessions.
        let copies = 1 + names.session_rules().iter().filter(|rule| rule.own).count();
        let prepared = copies * 4 * names.node_tables().len() + 8 * names.session_rules().len();
        // Beside each event its place; per visitor, of which there may be as many, a key and some slots of the table.
        let grouped = self.events(partition) * (row * copies + prepared + 4 + size_of::<VisitorKey>() + 16);
        grouped + self.pieces.iter().map(|piece| piece.disk_bytes(partition)).sum::<usize>()
    }

    /// Writes the events that are in memory to disk and gives their memory back.
    pub fn spill(&mut self, budget: &Budget) -> Result<()> {
        for piece in &mut self.pieces {
            if let Place::Memory(bytes) = &piece.place {
                let freed = bytes.len();
                piece.place = Place::Disk(self.spill.append(bytes)?);
                budget.give(freed);
            }
        }
        Ok(())
    }

    /// The events of a partition, read into `buffer` where they are on disk.
    pub fn load<'a>(&'a self, partition: usize, buffer: &'a mut Vec<u8>) -> Result<Loaded<'a>> {
        let size = self.pieces.iter().map(|piece| piece.disk_bytes(partition)).sum();
        buffer.resize(buffer.len().max(size), 0);
        let mut rest = &mut buffer[..size];
        let mut blocks = Vec::with_capacity(self.pieces.len());
        for piece in &self.pieces {
            let (from, to) = (piece.starts[partition].byte, piece.starts[partition + 1].byte);
            let bytes: &[u8] = match &piece.place {
                Place::Memory(bytes) => &bytes[from as usize..to as usize],
                Place::Disk(extent) => {
                    let (bytes, later) = rest.split_at_mut((to - from) as usize);
                    rest = later;
                    extent.read_at(u64::from(from), bytes)?;
                    bytes
                }
            };
            blocks.push(Block::new(&piece.layout, piece.rows(partition), bytes));
        }
        Ok(Loaded { blocks })
    }
}

impl Piece {
    #[inline]
    fn rows(&self, partition: usize) -> usize {
        (self.starts[partition + 1].row - self.starts[partition].row) as usize
    }

    fn disk_bytes(&self, partition: usize) -> usize {
        match self.place {
            Place::Memory(_) => 0,
            Place::Disk(_) => (self.starts[partition + 1].byte - self.starts[partition].byte) as usize,
        }
    }
}

/// The events of one partition.
#[derive(Debug)]
pub struct Loaded<'a> {
    blocks: Vec<Block<'a>>,
}

impl Loaded<'_> {
    /// Fills `journeys` with the visitors of the partition: whole, and each in journey order.
    pub fn group(&self, grouper: &mut super::Grouper, journeys: &mut Journeys) {
        grouper.group(&self.blocks, journeys);
    }

    /// Writes the ids of the visitors into `journeys`, which this partition was grouped into.
    pub fn identify(&self, journeys: &mut Journeys) {
        partition::identify(&self.blocks, journeys);
    }
}
