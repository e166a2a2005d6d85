//! A text that must be decoded from its start, read by one thread at a time. Each split is decoded and cut into records
//! under a lock; what is done with its records then runs beside the decoding of the next one.

use std::io::{self, Cursor, Read};
use std::sync::{Arc, Mutex};

use memchr::memchr;

use super::block::{Block, Pool};
use super::cut::{Cut, LineStart, Rows, Stop};
use super::{Stream, Text};
use crate::error::{Error, Result};
use crate::events::RawBatch;
use crate::sources::{Reader, Split};
use crate::sync::lock;

/// Reads a text in sequence.
pub struct Sequence<C> {
    text: Arc<Text>,
    cut: C,
    /// Bytes of text that are decoded for one split.
    block: usize,
    pool: Pool,
    state: Mutex<State>,
}

struct State {
    input: Input,
    /// Where the next record begins.
    place: LineStart,
    /// The number of the next split.
    number: u32,
    /// Records in the splits so far.
    records: u64,
    /// Rows of the split before.
    rows: usize,
    /// Bytes as stored that were counted in the splits so far.
    counted: u64,
    /// Why nothing more can be decoded, to be told after all records before it.
    failure: Option<io::Error>,
    finished: bool,
}

/// The text that was not yet read: what was decoded ahead, then the rest.
struct Input {
    ahead: Cursor<Vec<u8>>,
    stream: Stream,
}

impl Input {
    /// Takes back `text`, which is read next.
    fn put_back(&mut self, text: &[u8]) {
        let mut ahead = text.to_vec();
        ahead.extend_from_slice(&self.ahead.get_ref()[self.ahead.position() as usize..]);
        self.ahead = Cursor::new(ahead);
    }

    /// Passes over everything up to the next line feed, which is passed over too. Gives the number of bytes.
    fn skip_line(&mut self) -> io::Result<u64> {
        let mut piece = vec![0; 64 << 10];
        let mut skipped = 0;
        loop {
            match self.read(&mut piece) {
                Ok(0) => return Ok(skipped),
                Ok(count) => match memchr(b'\n', &piece[..count]) {
                    Some(length) => {
                        self.put_back(&piece[length + 1..count]);
                        return Ok(skipped + length as u64 + 1);
                    }
                    None => skipped += count as u64,
                },
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
}

impl Read for Input {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match self.ahead.read(into)? {
            0 => self.stream.text.read(into),
            count => Ok(count),
        }
    }
}

impl<C: Cut> Sequence<C> {
    /// Reads `text` from `body` on, in splits of about so many bytes.
    pub fn new(text: &Arc<Text>, cut: C, body: LineStart, block: usize) -> Result<Self> {
        let mut stream = text.stream()?;
        let header = io::copy(&mut stream.text.by_ref().take(body.at), &mut io::sink());
        header.map_err(|error| text.read_error(&error, "in the header"))?;
        let state = State {
            input: Input { ahead: Cursor::default(), stream },
            place: body,
            number: 0,
            records: 0,
            rows: 0,
            counted: 0,
            failure: None,
            finished: false,
        };
        Ok(Sequence { text: Arc::clone(text), cut, block, pool: Pool::default(), state: Mutex::new(state) })
    }

    /// Decodes and reads the next records; none at the end.
    fn read(&self, state: &mut State) -> Option<RawBatch> {
        let mut block = self.pool.take();
        let mut rows = self.cut.rows(state.rows);
        let mut ended = self.decode(state, &mut block, self.block);
        let mut after = LineStart { at: 0, line: 0 };
        loop {
            let whole = ended && state.failure.is_none();
            match rows.read(block.text(), usize::MAX, whole) {
                Stop::Unfinished if rows.ledger().at == 0 && !ended => {
                    let unfinished = block.text().len() - rows.ledger().at;
                    ended = self.decode(state, &mut block, unfinished.max(self.block));
                    continue;
                }
                Stop::Limit | Stop::Unfinished => state.input.put_back(&block.text()[rows.ledger().at..]),
                Stop::Skip => match state.input.skip_line() {
                    Ok(skipped) => after = LineStart { at: skipped, line: 1 },
                    Err(error) => state.failure = Some(error),
                },
            }
            break;
        }
        let place = state.place;
        after.at += rows.ledger().at as u64;
        after.line += rows.ledger().lines;
        state.place = LineStart { at: place.at + after.at, line: place.line + after.line };
        state.finished = ended || state.failure.is_some();
        if rows.ledger().records() == 0 && state.finished {
            return None;
        }
        state.records += rows.ledger().records() as u64;
        let consumed = state.input.stream.consumed();
        let bytes = consumed - std::mem::replace(&mut state.counted, consumed);
        let length = rows.ledger().at;
        let batch = rows.finish(self.pool.share(block).slice_with_length(0, length), place.line, bytes);
        state.rows = batch.rows;
        Some(batch)
    }

    /// Decodes up to `more` bytes; true if there is nothing behind them.
    fn decode(&self, state: &mut State, block: &mut Block, more: usize) -> bool {
        let goal = block.text().len() + more;
        let State { input, failure, .. } = state;
        if let Err(error) = block.grow(more, |into| input.read(into)) {
            *failure = Some(error);
        }
        block.text().len() < goal
    }
}

impl<C: Cut> Reader for Sequence<C> {
    fn next(&self) -> Result<Option<Split>> {
        let mut state = lock(&self.state);
        if !state.finished
            && let Some(batch) = self.read(&mut state)
        {
            let number = state.number;
            state.number = number.checked_add(1).ok_or_else(|| Error::limit("a file of more than 2^32 blocks"))?;
            return Ok(Some(Split::whole(number, std::iter::once(Ok(batch)))));
        }
        let Some(failure) = state.failure.take() else { return Ok(None) };
        let after = format!("after {} records and {} bytes of text", state.records, state.place.at);
        Err(self.text.read_error(&failure, &after))
    }

    fn forget(&self, wanted: usize) {
        self.cut.forget(wanted);
    }
}
