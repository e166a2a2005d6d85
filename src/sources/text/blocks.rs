//! A plain file, read in blocks by all threads at once.
//!
//! A block has the records that begin in its share of the file. Only the block before knows where the first of them begins;
//! instead of waiting for it, a thread guesses that a record begins after the first line feed, reads the block on that guess,
//! then compares with where the block before truly ended and reads again if it was wrong. The chain of true ends goes from
//! block to block in file order, so that no guess ever decides what a record is.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};

use memchr::memchr;

use super::Text;
use super::block::{Block, Pool};
use super::cut::{Cut, LineStart, Rows, Stop};
use crate::error::{Error, Result};
use crate::events::RawBatch;
use crate::sources::{Reader, Split};
use crate::sync::lock;

/// The end of the last record of a block is first looked for in so many bytes after the block.
const TAIL: usize = 16 << 10;

/// Reads a plain file in blocks.
pub struct Blocks<C> {
    text: Arc<Text>,
    file: Arc<File>,
    cut: C,
    body: LineStart,
    /// Bytes of the file in each block.
    block: usize,
    /// The number of the next block.
    next: AtomicU64,
    chain: Chain,
    pool: Pool,
    /// How many rows a block has had at most so far.
    rows: AtomicUsize,
}

/// A block that was read from a place which may turn out to be the wrong one.
struct Attempt<R> {
    rows: R,
    /// Where its first record begins, in the file.
    start: u64,
    /// Where the next block's first record begins.
    end: u64,
    /// Lines from `start` to `end`.
    lines: u64,
}

/// The part of the file that is in memory.
struct Loaded {
    block: Block,
    /// Where it begins in the file.
    at: u64,
}

impl<C: Cut> Blocks<C> {
    /// Reads `text` from `body` on, in blocks of so many bytes.
    pub fn new(text: &Arc<Text>, cut: C, body: LineStart, block: usize) -> Result<Self> {
        Ok(Blocks {
            text: Arc::clone(text),
            file: text.file()?,
            cut,
            body,
            block,
            next: AtomicU64::new(0),
            chain: Chain::new(body),
            pool: Pool::default(),
            rows: AtomicUsize::new(0),
        })
    }

    /// Reads block `number`, or gives up if a block before it failed.
    fn read(&self, number: u64) -> Result<Option<RawBatch>> {
        let turn = self.chain.turn(number);
        let first = self.body.at + number * self.block as u64;
        let limit = (first + self.block as u64).min(self.text.bytes());
        // The line feed that ends the line before belongs to the guess.
        let at = turn.place_if_known().map_or(first.saturating_sub(1), |place| place.at);
        let mut loaded = Loaded { block: self.pool.take(), at };
        let mut attempt = None;
        if at < limit {
            self.load(&mut loaded, (limit - at) as usize + TAIL.min(self.block))?;
            if let Some(start) = turn.place_if_known().map(|place| place.at).or_else(|| guess(&loaded)) {
                attempt = Some(self.attempt(&mut loaded, start, limit)?);
            }
        }

        let Some(place) = turn.wait() else { return Ok(None) };
        let attempt = match attempt {
            Some(attempt) if attempt.start == place.at => attempt,
            _ => self.attempt(&mut loaded, place.at, limit)?,
        };
        turn.pass_on(LineStart { at: attempt.end, line: place.line + attempt.lines });

        let header = if number == 0 { self.body.at } else { 0 };
        Ok(Some(self.finish(attempt, loaded, place.line, header)))
    }

    /// Reads the records that begin from `start` on and before `limit`.
    fn attempt(&self, loaded: &mut Loaded, start: u64, limit: u64) -> Result<Attempt<C::Rows<'_>>> {
        if start >= limit {
            let rows = self.cut.rows(0);
            return Ok(Attempt { rows, start, end: start, lines: 0 });
        }
        let expected = self.rows.load(Ordering::Relaxed);
        let mut rows = self.cut.rows(expected);
        let before = (start - loaded.at) as usize;
        loop {
            let text = &loaded.block.text()[before..];
            let ended = start + text.len() as u64 == self.text.bytes();
            let stop = rows.read(text, (limit - start) as usize, ended);
            let end = start + rows.ledger().at as u64;
            match stop {
                Stop::Limit => return Ok(Attempt { lines: rows.ledger().lines, rows, start, end }),
                Stop::Skip => {
                    let end = self.after_line_feed(end)?;
                    return Ok(Attempt { lines: rows.ledger().lines + 1, rows, start, end });
                }
                Stop::Unfinished => {
                    let unfinished = text.len() - rows.ledger().at;
                    self.load(loaded, unfinished.max(TAIL.min(self.block)))?;
                }
            }
        }
    }

    fn finish(&self, attempt: Attempt<C::Rows<'_>>, loaded: Loaded, first_line: u64, header: u64) -> RawBatch {
        let Attempt { rows, start, end, .. } = attempt;
        let buffer = self.pool.share(loaded.block);
        // Where nothing begins in the block, its start may lie behind what was loaded.
        let before = if rows.ledger().at == 0 { 0 } else { (start - loaded.at) as usize };
        let text = buffer.slice_with_length(before, rows.ledger().at);
        let batch = rows.finish(text, first_line, header + (end - start));
        self.rows.fetch_max(batch.rows + batch.rows / 16, Ordering::Relaxed);
        batch
    }

    /// Reads `more` bytes, or up to the end of the file.
    fn load(&self, loaded: &mut Loaded, more: usize) -> Result<()> {
        let from = loaded.at + loaded.block.text().len() as u64;
        let more = more.min((self.text.bytes() - from) as usize);
        let mut at = from;
        let read = loaded.block.grow(more, |into| {
            let count = self.file.read_at(into, at)?;
            at += count as u64;
            Ok(count)
        });
        read.map_err(|error| self.text.read_error(&error, ""))?;
        if at < from + more as u64 { Err(self.shrunk()) } else { Ok(()) }
    }

    /// The offset after the first line feed from `from` on, or the end of the file.
    fn after_line_feed(&self, from: u64) -> Result<u64> {
        let mut piece = vec![0; 64 << 10];
        let mut at = from;
        while at < self.text.bytes() {
            match self.file.read_at(&mut piece, at) {
                Ok(0) => return Err(self.shrunk()),
                Ok(count) => match memchr(b'\n', &piece[..count]) {
                    Some(length) => return Ok((at + length as u64 + 1).min(self.text.bytes())),
                    None => at += count as u64,
                },
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(self.text.read_error(&error, "")),
            }
        }
        Ok(self.text.bytes())
    }

    fn shrunk(&self) -> Error {
        Error::input(format!("{} became shorter while it was read", self.text.path().display()))
    }
}

/// Where a record begins after the first line feed, if nothing special stands in the way.
fn guess(loaded: &Loaded) -> Option<u64> {
    memchr(b'\n', loaded.block.text()).map(|length| loaded.at + length as u64 + 1)
}

impl<C: Cut> Reader for Blocks<C> {
    fn next(&self) -> Result<Option<Split>> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        if number >= (self.text.bytes() - self.body.at).div_ceil(self.block as u64) {
            return Ok(None);
        }
        // A failure belongs to its block, so it travels in the block's split.
        let Some(batch) = self.read(number).transpose() else { return Ok(None) };
        let number = u32::try_from(number).map_err(|_| Error::limit("a file of more than 2^32 blocks"))?;
        Ok(Some(Split::whole(number, std::iter::once(batch))))
    }

    fn forget(&self, wanted: usize) {
        self.cut.forget(wanted);
    }
}

/// Hands the true start of each block's first record from block to block.
struct Chain {
    state: Mutex<Link>,
    moved: Condvar,
}

struct Link {
    /// The block whose start is known.
    number: u64,
    place: LineStart,
    /// The first block that failed: the ones after it can never know their start.
    broken: Option<u64>,
}

/// A block's place in the chain. Dropped before it passed on, it breaks the chain, so that nobody waits for ever.
struct Turn<'a> {
    chain: &'a Chain,
    number: u64,
    done: bool,
}

impl Chain {
    fn new(place: LineStart) -> Self {
        Chain { state: Mutex::new(Link { number: 0, place, broken: None }), moved: Condvar::new() }
    }

    fn turn(&self, number: u64) -> Turn<'_> {
        Turn { chain: self, number, done: false }
    }
}

impl Turn<'_> {
    /// Where the block begins, if the block before has said so already.
    fn place_if_known(&self) -> Option<LineStart> {
        let link = lock(&self.chain.state);
        (link.number == self.number).then_some(link.place)
    }

    /// Where the block begins, as soon as the block before says so; `None` if it never will.
    fn wait(&self) -> Option<LineStart> {
        // Blocks before the failed one still get their turn: each is being read, or has been.
        let waiting =
            |link: &mut Link| link.number != self.number && link.broken.is_none_or(|broken| broken > self.number);
        let link = self.chain.moved.wait_while(lock(&self.chain.state), waiting);
        let link = link.unwrap_or_else(PoisonError::into_inner);
        (link.number == self.number).then_some(link.place)
    }

    /// Says where the next block begins.
    fn pass_on(mut self, place: LineStart) {
        let mut link = lock(&self.chain.state);
        link.number = self.number + 1;
        link.place = place;
        drop(link);
        self.done = true;
        self.chain.moved.notify_all();
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        if !self.done {
            let mut link = lock(&self.chain.state);
            link.broken = Some(link.broken.map_or(self.number, |broken| broken.min(self.number)));
            drop(link);
            self.chain.moved.notify_all();
        }
    }
}
