//! The record batches of a file or stream, handed out one by one and decoded by whoever took them.

use std::collections::HashSet;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use arrow_array::RecordBatch;
use arrow_ipc::reader::FileDecoder;
use arrow_schema::ArrowError;

use super::columns::Leaf;
use super::messages::{Batch, Bytes, Dictionary, Layout};
use super::{damaged, guarded};
use crate::error::{Error, Result};
use crate::events::{Origin, RawBatch};
use crate::sources::stored::Stored;
use crate::sources::{Reader, Split};
use crate::sync::lock;

/// Enough rows that the work per batch vanishes, few enough for the second-level cache.
const BATCH_ROWS: usize = 65_536;

pub struct Batches {
    stored: Arc<Stored>,
    bytes: Bytes,
    layout: Arc<Layout>,
    leaves: Arc<[Leaf]>,
    /// The fields of the schema that are decoded, ascending.
    roots: Arc<[usize]>,
    next: AtomicUsize,
    decoder: Mutex<Option<Decoder>>,
}

/// A decoder that knows the first so many dictionary messages.
struct Decoder {
    dictionaries: usize,
    decoder: Arc<FileDecoder>,
}

impl Batches {
    pub fn new(stored: &Arc<Stored>, layout: &Arc<Layout>, leaves: Vec<Leaf>) -> Result<Batches> {
        let bytes = Bytes::of(stored).map_err(|error| damaged(stored.path(), "", &error))?;
        if bytes.length != stored.bytes() {
            return Err(Error::input(format!("{}: the file has changed since it was opened", stored.path().display())));
        }
        let mut roots: Vec<usize> = leaves.iter().map(|leaf| leaf.root).collect();
        roots.sort_unstable();
        roots.dedup();
        Ok(Batches {
            stored: Arc::clone(stored),
            bytes,
            layout: Arc::clone(layout),
            leaves: leaves.into(),
            roots: roots.into(),
            next: AtomicUsize::new(0),
            decoder: Mutex::new(None),
        })
    }

    fn read(&self, batch: &Batch) -> Result<RecordBatch, ArrowError> {
        let decoder = self.decoder(batch.dictionaries)?;
        let block = self.bytes.block(&batch.block)?;
        let decoded = guarded(|| decoder.read_record_batch(&batch.block, &block))?;
        decoded.ok_or_else(|| ArrowError::IpcError("it is empty".to_owned()))
    }

    /// A decoder that knows the first `count` dictionary messages: in a stream, later ones may replace earlier ones.
    fn decoder(&self, count: usize) -> Result<Arc<FileDecoder>, ArrowError> {
        let mut known = lock(&self.decoder);
        if let Some(known) = known.as_ref().filter(|known| known.dictionaries == count) {
            return Ok(Arc::clone(&known.decoder));
        }
        let Layout { schema, version, dictionaries, .. } = &*self.layout;
        let mut decoder = FileDecoder::new(Arc::clone(schema), *version).with_projection(self.roots.to_vec());
        for dictionary in valid(&dictionaries[..count]) {
            let block = self.bytes.block(&dictionary.block)?;
            guarded(|| decoder.read_dictionary(&dictionary.block, &block))?;
        }
        let decoder = Arc::new(decoder);
        *known = Some(Decoder { dictionaries: count, decoder: Arc::clone(&decoder) });
        Ok(decoder)
    }

    /// How far the progress bar moves with batch `number`.
    fn progress(&self, number: usize) -> u64 {
        let upto = |number: usize| self.stored.bytes() * number as u64 / self.layout.batches.len() as u64;
        upto(number + 1) - upto(number)
    }
}

/// The messages that are not replaced by a later one.
fn valid(dictionaries: &[Dictionary]) -> Vec<&Dictionary> {
    let mut replaced = HashSet::new();
    let mut valid: Vec<&Dictionary> = Vec::new();
    for dictionary in dictionaries.iter().rev() {
        if replaced.contains(&dictionary.id) {
            continue;
        }
        if !dictionary.delta {
            replaced.insert(dictionary.id);
        }
        valid.push(dictionary);
    }
    valid.reverse();
    valid
}

impl Reader for Batches {
    fn next(&self) -> Result<Option<Split>> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let Some(batch) = self.layout.batches.get(number) else { return Ok(None) };
        let broken = |error: &ArrowError| broken(self.stored.path(), number, error);
        let batches: Box<dyn Iterator<Item = Result<RawBatch>> + Send> = match self.read(batch) {
            // A failure belongs to its batch, so it travels in the split.
            Err(error) => Box::new(std::iter::once(Err(broken(&error)))),
            Ok(rows) => Box::new(Pieces {
                rows,
                leaves: Arc::clone(&self.leaves),
                roots: Arc::clone(&self.roots),
                first: batch.first,
                at: Some(0),
                bytes: self.progress(number),
                stored: Arc::clone(&self.stored),
                number,
            }),
        };
        Ok(Some(Split::whole(number as u32, batches)))
    }
}

/// A decoded batch, handed over in pieces.
struct Pieces {
    rows: RecordBatch,
    leaves: Arc<[Leaf]>,
    roots: Arc<[usize]>,
    /// The number of its first row.
    first: u64,
    /// The next row; `None` at the end.
    at: Option<usize>,
    /// What the first piece moves the progress bar by.
    bytes: u64,
    stored: Arc<Stored>,
    number: usize,
}

impl Iterator for Pieces {
    type Item = Result<RawBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        // A batch without rows is one piece: the progress goes on.
        let at = self.at.take()?;
        let rows = BATCH_ROWS.min(self.rows.num_rows() - at);
        let piece = self.rows.slice(at, rows);
        let columns = guarded(|| {
            let columns = self.leaves.iter().map(|leaf| leaf.values(&piece, &self.roots));
            columns.collect::<Option<Vec<_>>>().ok_or_else(|| ArrowError::IpcError("a column is missing".to_owned()))
        });
        let columns = match columns {
            Ok(columns) => columns,
            Err(error) => return Some(Err(broken(self.stored.path(), self.number, &error))),
        };
        self.at = Some(at + rows).filter(|next| *next < self.rows.num_rows());
        let origin = Origin::Rows { first: self.first + at as u64 };
        let bytes = std::mem::take(&mut self.bytes);
        Some(Ok(RawBatch { columns, rows, origin, rejected: Vec::new(), bytes }))
    }
}

fn broken(path: &Path, number: usize, error: &ArrowError) -> Error {
    damaged(path, &format!("record batch {number}: "), error)
}
