//! Raw batches → event batches: visitors classified, times read, names coded, conditions tested.

use arrow_array::cast::AsArray;
use arrow_array::types::TimestampMicrosecondType;
use arrow_array::{Array, ArrayRef, BooleanArray};
use arrow_schema::{DataType, TimeUnit};
use xxhash_rust::xxh3::xxh3_64;

use super::account::Account;
use super::batch::{Columns, EventBatch, Keys};
use super::columns::{Mapping, Scan};
use super::derived;
use super::names::{Dictionaries, NameColumn, NameReader};
use super::page::PageRule;
use super::predicate::{Condition, Test};
use super::raw::{Origin, RawBatch, Reason, Reject};
use super::sql::SqlColumns;
use super::texts::{Texts, amounts, times};
use super::timestamp::Clock;
use crate::budget::Budget;
use crate::dictionary::Cache;
use crate::error::Result;
use crate::frame::Evaluator;
use crate::ids::{Code, NO_VALUE, VisitorId, narrow};

/// How the records of a run are read.
#[derive(Clone, Debug)]
pub struct Reading {
    /// Which columns are read, which events are kept, and which conditions are tested.
    pub scan: Scan,
    /// What of a URL makes a page.
    pub page: PageRule,
    /// How times are read; each thread works with a copy.
    pub clock: Clock,
    /// Events before this time are filtered, in µs.
    pub from: Option<i64>,
    /// Events at or after this time are filtered, in µs.
    pub to: Option<i64>,
    /// Whether rejected records are kept for a file of rejects.
    pub keep_rejects: bool,
}

/// One thread's reader of raw batches, with what it has learnt and counted.
pub struct Decoder<'r> {
    reading: &'r Reading,
    budget: &'r Budget,
    clock: Clock,
    tests: Vec<ConditionTest>,
    sql: SqlColumns<'r>,
    /// The filter, and which rows of the batch fulfil it.
    filter: Option<(Evaluator, BooleanArray)>,
    derived: Vec<Evaluator>,
    names: NameReader<'r>,
    dictionaries: &'r Dictionaries,
    /// Whether no page need be read any more: once names tell the page views, they always will.
    without_pages: bool,
    /// The rows of the batch that are kept, and room for them once more.
    keep: Vec<u32>,
    kept: Vec<u32>,
    scratch: String,
    tally: Tally,
}

/// A condition made ready for many batches.
enum ConditionTest {
    /// A comparison, and for the values met whether it holds: it is tested once per distinct value.
    Compare(Test, Cache),
    Sql(Box<Evaluator>),
}

impl ConditionTest {
    fn new(condition: &Condition) -> Self {
        match condition {
            Condition::Compare { comparison, literal, .. } => {
                ConditionTest::Compare(Test::new(*comparison, literal), Cache::default())
            }
            Condition::Sql(expression) => ConditionTest::Sql(Box::new(Evaluator::new(expression))),
        }
    }
}

/// What reading counted and found beside the events.
#[derive(Debug, Default)]
pub struct Tally {
    pub account: Account,
    /// Rejected records by file number, if they are kept.
    pub rejects: Vec<(usize, Reject)>,
    /// First and last time of a used event, in µs.
    pub span: Option<(i64, i64)>,
    /// Pages that were unreadable. They do not count if names tell the page views: how many were looked at depends on the threads.
    bad_pages: u64,
}

impl Tally {
    /// Settles what depends on all names.
    pub fn settle(&mut self, reading: &Reading, dictionaries: &Dictionaries) {
        let bad_pages = std::mem::take(&mut self.bad_pages);
        if !dictionaries.tell_views(&reading.scan) {
            self.account.null("page", bad_pages);
        }
    }

    /// Adds what another thread counted; the order of threads does not matter to anything but the order of the rejects.
    pub fn add(&mut self, other: Tally) {
        self.account.add(other.account);
        self.rejects.extend(other.rejects);
        self.bad_pages += other.bad_pages;
        if let Some((first, last)) = other.span {
            self.widen(first, last);
        }
    }

    fn widen(&mut self, first: i64, last: i64) {
        self.span = Some(self.span.map_or((first, last), |(low, high)| (low.min(first), high.max(last))));
    }
}

impl<'r> Decoder<'r> {
    pub fn new(reading: &'r Reading, dictionaries: &'r Dictionaries, budget: &'r Budget) -> Self {
        Decoder {
            clock: reading.clock.clone(),
            tests: reading.scan.conditions.iter().map(ConditionTest::new).collect(),
            sql: SqlColumns::new(reading),
            filter: reading.scan.filter.as_ref().map(|sql| (Evaluator::new(sql), BooleanArray::new_null(0))),
            derived: reading.scan.derived.iter().map(|derived| Evaluator::new(&derived.expression)).collect(),
            names: NameReader::new(reading, dictionaries, budget),
            dictionaries,
            without_pages: false,
            keep: Vec::new(),
            kept: Vec::new(),
            scratch: String::new(),
            tally: Tally::default(),
            reading,
            budget,
        }
    }

    /// Whether pages are of no use from now on.
    pub fn is_without_pages(&self) -> bool {
        self.without_pages
    }

    /// What was counted, the clock's notes included.
    pub fn finish(mut self) -> Tally {
        self.tally.account.clock = self.clock.notes;
        self.tally
    }

    /// Puts the derived columns that are needed into a batch as it was read; then it can be decoded.
    pub fn derive(&mut self, raw: &mut RawBatch, mapping: &Mapping) -> Result<()> {
        derived::derive(raw, mapping, &mut self.sql, &mut self.derived)
    }

    /// Takes notice of records that were not read because their times are outside of those that are asked for.
    pub fn pass(&mut self, records: u64) {
        self.tally.account.records += records;
        self.tally.account.filtered += records;
    }

    /// Appends the events of `raw`, a part of file number `file`, to `batch`.
    pub fn decode(&mut self, file: usize, raw: &RawBatch, mapping: &Mapping, batch: &mut EventBatch) -> Result<()> {
        self.sql.begin();
        self.tally.account.records += raw.rows as u64 + raw.rejected.len() as u64;
        for reject in &raw.rejected {
            self.reject(file, reject.clone())?;
        }
        if let Some((filter, fits)) = &mut self.filter {
            *fits = filter.matches(&self.sql.columns(raw, &mapping.filter)?, raw.rows)?;
        }
        let before = batch.columns.len();
        self.times(file, raw, mapping, &mut batch.columns.time)?;
        self.visitors(file, raw, mapping, batch, before)?;
        let keep = std::mem::take(&mut self.keep);
        self.tally.account.used += keep.len() as u64;
        let result = self.columns(raw, mapping, &keep, &mut batch.columns);
        self.note_span(&batch.columns.time[before..]);
        self.keep = keep;
        result
    }

    fn note_span(&mut self, times: &[i64]) {
        if let Some(&first) = times.first() {
            let widen = |(low, high): (i64, i64), &time: &i64| (low.min(time), high.max(time));
            let (first, last) = times.iter().fold((first, first), widen);
            self.tally.widen(first, last);
        }
    }

    fn reject(&mut self, file: usize, reject: Reject) -> Result<()> {
        self.tally.account.reject(file, &reject);
        if self.reading.keep_rejects {
            let text = reject.text.as_ref().map_or(0, Vec::len);
            self.budget.take(size_of::<(usize, Reject)>() + text, "the rejected records")?;
            self.tally.rejects.push((file, reject));
        }
        Ok(())
    }

    fn reject_row(&mut self, file: usize, origin: &Origin, row: usize, reason: Reason) -> Result<()> {
        self.reject(file, Reject { place: origin.place(row), reason, text: origin.text(row) })
    }

    /// Reads the times and keeps the rows whose time is readable and asked for.
    fn times(&mut self, file: usize, raw: &RawBatch, mapping: &Mapping, out: &mut Vec<i64>) -> Result<()> {
        self.keep.clear();
        let column = &raw.columns[mapping.time];
        if let Some(plain) = plain_times(column).filter(|_| self.reading.from.is_none() && self.reading.to.is_none()) {
            out.extend_from_slice(plain);
            self.keep.extend(0..raw.rows as u32);
            return Ok(());
        }
        let (from, to) = (self.reading.from.unwrap_or(i64::MIN), self.reading.to.unwrap_or(i64::MAX));
        let mut read = times(column)?;
        for row in 0..raw.rows {
            match read(row, &mut self.clock) {
                Some(Ok(time)) if !sane(time) => self.reject_row(file, &raw.origin, row, Reason::BadTime)?,
                Some(Ok(time)) if time >= from && time < to => {
                    out.push(time);
                    self.keep.push(row as u32);
                }
                Some(Ok(_)) => self.tally.account.filtered += 1,
                Some(Err(())) => self.reject_row(file, &raw.origin, row, Reason::BadTime)?,
                None => self.reject_row(file, &raw.origin, row, Reason::NoTime)?,
            }
        }
        Ok(())
    }

    /// Reads the visitors of the kept rows and drops the rows that have none, and those that the filter leaves out.
    fn visitors(
        &mut self,
        file: usize,
        raw: &RawBatch,
        mapping: &Mapping,
        batch: &mut EventBatch,
        before: usize,
    ) -> Result<()> {
        let texts = Texts::new(&raw.columns[mapping.visitor])?;
        let rows = std::mem::take(&mut self.keep);
        let (mut kept, mut scratch) = (std::mem::take(&mut self.kept), std::mem::take(&mut self.scratch));
        kept.clear();
        let times = &mut batch.columns.time;
        // Most batches have nothing but good ids: those need no second look at their rows.
        let good = if self.filter.is_none() { good_visitors(&texts, &rows, &mut scratch, &mut batch.keys) } else { 0 };
        kept.extend_from_slice(&rows[..good]);
        let mut at = good;
        let result = texts.each(&rows[good..], &mut scratch, |text| {
            let row = rows[at];
            at += 1;
            match visitor(text) {
                Ok(_) if self.filter.as_ref().is_some_and(|(_, fits)| !fits.value(row as usize)) => {
                    self.tally.account.filtered += 1;
                }
                Ok(id) => {
                    batch.keys.push(id);
                    times[before + kept.len()] = times[before + at - 1];
                    kept.push(row);
                }
                Err(reason) => self.reject_row(file, &raw.origin, row as usize, reason)?,
            }
            Ok(())
        });
        times.truncate(before + kept.len());
        (self.keep, self.kept, self.scratch) = (kept, rows, scratch);
        result
    }

    fn columns(&mut self, raw: &RawBatch, mapping: &Mapping, keep: &[u32], batch: &mut Columns) -> Result<()> {
        let scan = &self.reading.scan;
        if scan.event {
            self.names(NameColumn::Event, mapping.event, raw, keep, &mut batch.event)?;
        }
        if scan.reads_pages() {
            // Behind the events, whose names may tell.
            self.without_pages = self.without_pages || self.dictionaries.tell_views(scan);
            let column = mapping.page.filter(|_| !self.without_pages);
            self.names(NameColumn::Page, column, raw, keep, &mut batch.page)?;
        }
        batch.dimensions.resize_with(scan.dimensions.len(), Vec::new);
        for (dimension, found) in mapping.dimensions.iter().enumerate() {
            let names = NameColumn::Dimension(dimension, found.and_then(|found| found.parameter));
            self.names(names, found.map(|found| found.place), raw, keep, &mut batch.dimensions[dimension])?;
        }
        if scan.session {
            sessions(mapping.session.map(|at| &raw.columns[at]), keep, &mut batch.session)?;
        }
        if scan.value {
            self.values(mapping.value.map(|at| &raw.columns[at]), keep, &mut batch.value)?;
        }
        if !self.tests.is_empty() {
            self.bits(raw, mapping, keep, &mut batch.bits)?;
        }
        Ok(())
    }

    fn names(
        &mut self,
        names: NameColumn,
        column: Option<usize>,
        raw: &RawBatch,
        keep: &[u32],
        out: &mut Vec<Code>,
    ) -> Result<()> {
        let bad = self.names.read(names, column.map(|at| &raw.columns[at]), keep, out)?;
        match names {
            NameColumn::Page => self.tally.bad_pages += bad,
            _ => self.tally.account.null(self.names.title(names), bad),
        }
        Ok(())
    }

    fn values(&mut self, column: Option<&ArrayRef>, keep: &[u32], out: &mut Vec<i64>) -> Result<()> {
        let Some(column) = column else {
            out.resize(out.len() + keep.len(), NO_VALUE);
            return Ok(());
        };
        let (mut read, mut bad) = (amounts(column)?, 0);
        let start = out.len();
        out.resize(start + keep.len(), NO_VALUE);
        let mut put = |place: usize, row: usize| match read(row) {
            Some(Ok(amount)) => out[start + place] = amount,
            Some(Err(())) => bad += 1,
            None => {}
        };
        // Most events have no amount.
        match column.nulls() {
            Some(nulls) if keep.len() == column.len() => nulls.valid_indices().for_each(|row| put(row, row)),
            _ => keep.iter().enumerate().for_each(|(place, &row)| put(place, row as usize)),
        }
        self.tally.account.null("value", bad);
        Ok(())
    }

    fn bits(&mut self, raw: &RawBatch, mapping: &Mapping, keep: &[u32], out: &mut Vec<u64>) -> Result<()> {
        let start = out.len();
        out.resize(start + keep.len(), 0);
        for (bit, (test, seen)) in self.tests.iter_mut().zip(&mapping.conditions).enumerate() {
            let out = out[start..].iter_mut().zip(keep);
            match test {
                ConditionTest::Compare(test, known) => {
                    let texts = Texts::new(&raw.columns[seen[0].place])?;
                    let holds =
                        |value: &[u8]| Ok(u32::from(std::str::from_utf8(value).is_ok_and(|value| test.holds(value))));
                    for (bits, &row) in out {
                        let Some(value) = texts.get(row as usize, &mut self.scratch) else { continue };
                        *bits |= u64::from(known.get(value, holds)?) << bit;
                    }
                }
                ConditionTest::Sql(evaluator) => {
                    let columns = self.sql.columns(raw, seen)?;
                    let holds = evaluator.matches(&columns, raw.rows)?;
                    out.for_each(|(bits, &row)| *bits |= u64::from(holds.value(row as usize)) << bit);
                }
            }
        }
        Ok(())
    }
}

/// The values of a column of UTC microseconds without nulls.
fn plain_times(column: &ArrayRef) -> Option<&[i64]> {
    let utc = matches!(column.data_type(), DataType::Timestamp(TimeUnit::Microsecond, Some(_)));
    let values =
        (utc && column.null_count() == 0).then(|| &column.as_primitive::<TimestampMicrosecondType>().values()[..])?;
    values.iter().all(|&time| sane(time)).then_some(values)
}

/// Whether a time is within some 30,000 years of 1970: such times can be subtracted without a thought.
pub fn sane(time: i64) -> bool {
    const FARTHEST: i64 = 1_000_000_000_000_000_000;
    (-FARTHEST..=FARTHEST).contains(&time)
}

/// Longer visitor ids are no ids; and a batch of the longest ones stays below 4 GiB, so that offsets fit into 32 bits.
const LONGEST_ID: usize = 4096;

/// Takes the visitors of the first rows up to one that has none; says how many.
fn good_visitors(texts: &Texts<'_>, rows: &[u32], scratch: &mut String, keys: &mut Keys) -> usize {
    let mut good = alike_visitors(texts, rows, scratch, keys);
    let rest = &rows[good..];
    let take = |text: Option<&[u8]>| {
        keys.push(visitor(text)?);
        good += 1;
        Ok::<(), Reason>(())
    };
    // What is wrong with the next one is found out again by whoever rejects it.
    texts.each(rest, scratch, take).unwrap_or_default();
    good
}

/// The same up to one whose id is not a number of the shape of all before it: in most logs all are.
fn alike_visitors(texts: &Texts<'_>, rows: &[u32], scratch: &mut String, keys: &mut Keys) -> usize {
    let first = rows.first().and_then(|&row| narrow(texts.get(row as usize, scratch)?));
    let Some(numbers) = first.and_then(|(shape, _)| keys.numbers_of(shape)) else { return 0 };
    let (shape, before) = (first.map(|(shape, _)| shape), numbers.len());
    numbers.reserve(rows.len());
    let take = |text: Option<&[u8]>| {
        let number = text.and_then(narrow).filter(|(own, _)| Some(*own) == shape);
        number.map(|(_, number)| numbers.push(number)).ok_or(())
    };
    texts.each(rows, scratch, take).unwrap_or_default();
    numbers.len() - before
}

#[inline(always)]
fn visitor(text: Option<&[u8]>) -> Result<VisitorId<'_>, Reason> {
    let text = text.filter(|text| !text.is_empty()).ok_or(Reason::NoVisitor)?;
    if text.len() > LONGEST_ID {
        return Err(Reason::LongVisitor);
    }
    let id = VisitorId::parse(text);
    match id {
        VisitorId::Text(text) if std::str::from_utf8(text).is_err() => Err(Reason::InvalidUtf8),
        _ => Ok(id),
    }
}

/// Session ids that say "none" in exports that have no null for it.
pub(super) const NO_SESSION: [&[u8]; 5] = [b"", b"-1", b"null", b"NULL", b"(not set)"];

/// Session ids as 64-bit hashes; 0 is none. They are compared within one visitor only: with a thousand sessions of one visitor the
/// chance that two of them meet is below 10⁻¹³.
fn sessions(column: Option<&ArrayRef>, keep: &[u32], out: &mut Vec<u64>) -> Result<()> {
    let Some(column) = column else {
        out.resize(out.len() + keep.len(), 0);
        return Ok(());
    };
    let texts = Texts::new(column)?;
    let mut scratch = String::new();
    out.extend(keep.iter().map(|&row| match texts.get(row as usize, &mut scratch) {
        Some(id) if !NO_SESSION.contains(&id) => xxh3_64(id).max(1),
        _ => 0,
    }));
    Ok(())
}

#[cfg(test)]
mod tests;
