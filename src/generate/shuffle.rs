//! Events in random order, however many: dealt to buckets on disk, and each bucket shuffled in memory.

use std::io::Read;
use std::sync::Arc;

use super::{Random, Row};
use crate::error::Result;
use crate::spill::{Extent, Spill};

const BUCKETS: usize = 256;
/// Events of a bucket that wait in memory before they are written.
const FULL: usize = 1 << 11;

/// All events, on their way into another order.
pub struct Shuffle {
    random: Random,
    spill: Arc<Spill>,
    buckets: Vec<Bucket>,
}

#[derive(Default)]
struct Bucket {
    rows: Vec<Row>,
    written: Vec<Extent>,
}

impl Shuffle {
    pub fn new(seed: u64) -> Shuffle {
        let buckets = (0..BUCKETS).map(|_| Bucket::default()).collect();
        // No visit has this number.
        Shuffle { random: Random::new(seed, u64::MAX), spill: Arc::new(Spill::new()), buckets }
    }

    pub fn add(&mut self, rows: &[Row]) -> Result<()> {
        for row in rows {
            let bucket = &mut self.buckets[self.random.below(BUCKETS as u64) as usize];
            bucket.rows.push(*row);
            if bucket.rows.len() >= FULL {
                let bytes: Vec<u8> = bucket.rows.iter().flat_map(|row| row.to_bytes()).collect();
                bucket.written.push(self.spill.append(&bytes)?);
                bucket.rows.clear();
            }
        }
        Ok(())
    }

    /// Gives all events, some at a time.
    pub fn each(mut self, mut each: impl FnMut(&[Row]) -> Result<()>) -> Result<()> {
        for Bucket { mut rows, written } in self.buckets {
            let mut bytes = Vec::new();
            for extent in &written {
                bytes.clear();
                extent.reader().read_to_end(&mut bytes).map_err(|error| extent.error(&error))?;
                rows.extend(bytes.as_chunks().0.iter().map(Row::of_bytes));
            }
            // Fisher and Yates.
            for last in (1..rows.len()).rev() {
                rows.swap(last, self.random.below(last as u64 + 1) as usize);
            }
            each(&rows)?;
        }
        Ok(())
    }
}

impl Row {
    const BYTES: usize = 27;

    fn to_bytes(self) -> [u8; Self::BYTES] {
        let mut bytes = [0; Self::BYTES];
        bytes[..8].copy_from_slice(&self.time.to_le_bytes());
        bytes[8..16].copy_from_slice(&self.visitor.to_le_bytes());
        bytes[16..20].copy_from_slice(&self.page.to_le_bytes());
        bytes[20..24].copy_from_slice(&self.cents.to_le_bytes());
        bytes[24..].copy_from_slice(&[self.kind, self.source, self.device]);
        bytes
    }

    fn of_bytes(bytes: &[u8; Self::BYTES]) -> Row {
        let word = |at: usize| u64::from_le_bytes(std::array::from_fn(|byte| bytes[at + byte]));
        let half = |at: usize| u32::from_le_bytes(std::array::from_fn(|byte| bytes[at + byte]));
        let (time, visitor) = (word(0) as i64, word(8));
        Row { time, visitor, page: half(16), cents: half(20), kind: bytes[24], source: bytes[25], device: bytes[26] }
    }
}
