//! The first pass: all threads read splits, in the order of the log, and scatter their events into partitions.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use rayon::ThreadPool;

use super::Progress;
use super::open::OpenFile;
use crate::budget::{Budget, Held};
use crate::error::{Error, ErrorKind, Result};
use crate::events::{Decoder, Dictionaries, EventBatch, Reading, Tally};
use crate::journeys::{Arrival, Partitions, Scatter, Store};
use crate::sources::Reader;
use crate::sync::{lock, unlocked};

/// What the first pass gives.
pub(super) struct Read {
    pub partitions: Partitions,
    pub dictionaries: Dictionaries,
    pub tally: Tally,
}

/// Reads all files with all threads.
pub(super) fn read(
    pool: &ThreadPool,
    files: &[OpenFile],
    reading: &Reading,
    store: Store,
    budget: &Budget,
    progress: &Progress,
) -> Result<Read> {
    let dictionaries = Dictionaries::new(reading.scan.dimensions.len());
    let asked = reading.from.is_some() || reading.to.is_some();
    let work = ReadWork {
        times: asked.then(|| (reading.from.unwrap_or(i64::MIN), reading.to.unwrap_or(i64::MAX))),
        slots: files.iter().map(|_| Mutex::new(Slot::Waiting)).collect(),
        store,
        failure: Failure::default(),
        files,
        budget,
        progress,
    };
    let parts = pool.broadcast(|_| {
        let mut decoder = Decoder::new(reading, &dictionaries, budget);
        work.read_splits(&mut decoder);
        decoder.finish()
    });
    let ReadWork { store, failure, .. } = work;
    failure.into_result()?;
    let mut tally = Tally::default();
    parts.into_iter().for_each(|part| tally.add(part));
    tally.settle(reading, &dictionaries);
    tally.rejects.sort_by_key(|(file, reject)| (*file, reject.place));
    Ok(Read { partitions: store.close(), dictionaries, tally })
}

/// What all reading threads share.
struct ReadWork<'a> {
    /// The times that are asked for, if not all: from, and before, in µs.
    times: Option<(i64, i64)>,
    files: &'a [OpenFile],
    slots: Vec<Mutex<Slot>>,
    store: Store,
    failure: Failure,
    budget: &'a Budget,
    progress: &'a Progress,
}

/// A file's reader, which is opened late and closed early: a run may have more files than the system lets be open.
enum Slot {
    Waiting,
    Open(Arc<dyn Reader>),
    Done,
}

/// What one reading thread works with.
struct ReadScratch<'a> {
    batch: EventBatch,
    scatter: Scatter,
    held: Held<'a>,
}

/// A batch is scattered when it holds this many events: so few that each of its columns fits into the second-level cache.
const FULL_BATCH: usize = 1 << 16;

impl ReadWork<'_> {
    fn read_splits(&self, decoder: &mut Decoder<'_>) {
        let held = Held::new(self.budget, "the records being read");
        let mut scratch = ReadScratch { batch: EventBatch::default(), scatter: Scatter::default(), held };
        for file in 0..self.files.len() {
            let mut arrival = Arrival { file: file as u32, split: 0, part: 0 };
            let result = self.read_file(&mut arrival, decoder, &mut scratch);
            if let Err(error) = result {
                self.failure.note(arrival, error);
            }
            if self.failure.happened() {
                return;
            }
        }
    }

    fn read_file(&self, arrival: &mut Arrival, decoder: &mut Decoder<'_>, scratch: &mut ReadScratch<'_>) -> Result<()> {
        let ReadScratch { batch, scatter, held } = scratch;
        let file = arrival.file as usize;
        let Some(reader) = self.reader(file)? else { return Ok(()) };
        while !self.failure.happened() {
            let Some(split) = reader.next()? else {
                *lock(&self.slots[file]) = Slot::Done;
                return Ok(());
            };
            (arrival.split, arrival.part) = (split.number, 0);
            decoder.pass(split.outside.records);
            self.progress.bytes.fetch_add(split.outside.bytes, Ordering::Relaxed);
            for raw in split.batches {
                let mut raw = raw?;
                decoder.derive(&mut raw, &self.files[file].mapping).map_err(|error| self.named(file, error))?;
                let before = batch.columns.len();
                held.hold(raw.held_bytes() + batch.held_bytes() + scatter.held_bytes())?;
                let decoded = decoder.decode(file, &raw, &self.files[file].mapping, batch);
                decoded.map_err(|error| self.named(file, error))?;
                self.progress.bytes.fetch_add(raw.bytes, Ordering::Relaxed);
                self.progress.events.fetch_add((batch.columns.len() - before) as u64, Ordering::Relaxed);
                if batch.columns.len() >= FULL_BATCH {
                    self.store.add(*arrival, batch, scatter, self.budget)?;
                    arrival.part += 1;
                }
            }
            self.store.add(*arrival, batch, scatter, self.budget)?;
            if let Some(page) = self.files[file].mapping.page_alone().filter(|_| decoder.is_without_pages()) {
                reader.forget(page);
            }
        }
        Ok(())
    }

    /// An error about columns does not know its file.
    fn named(&self, file: usize, error: Error) -> Error {
        if error.kind() == ErrorKind::Mapping { error.within(self.files[file].facts.path.display()) } else { error }
    }

    fn reader(&self, file: usize) -> Result<Option<Arc<dyn Reader>>> {
        let mut slot = lock(&self.slots[file]);
        if let Slot::Waiting = *slot {
            let OpenFile { source, mapping, .. } = &self.files[file];
            let mut reader = source.read(&mapping.wanted)?;
            if let (Some((from, to)), Some(time)) = (self.times, mapping.time_as_read()) {
                reader.limit_times(time, from, to);
            }
            *slot = Slot::Open(Arc::from(reader));
        }
        Ok(match &*slot {
            Slot::Open(reader) => Some(Arc::clone(reader)),
            Slot::Waiting | Slot::Done => None,
        })
    }
}

/// The first failure in the order of the log. Splits are taken in order, so all before a failed one are read to their end and the
/// error that is reported does not depend on the threads.
#[derive(Default)]
struct Failure {
    happened: AtomicBool,
    first: Mutex<Option<(Arrival, Error)>>,
}

impl Failure {
    fn happened(&self) -> bool {
        self.happened.load(Ordering::Relaxed)
    }

    fn note(&self, arrival: Arrival, error: Error) {
        let mut first = lock(&self.first);
        if first.as_ref().is_none_or(|(known, _)| arrival < *known) {
            *first = Some((arrival, error));
        }
        self.happened.store(true, Ordering::Relaxed);
    }

    fn into_result(self) -> Result<()> {
        match unlocked(self.first) {
            Some((_, error)) => Err(error),
            None => Ok(()),
        }
    }
}
