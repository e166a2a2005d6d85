//! Raw columns as SQL sees them: roles as every question sees them, other columns as they stand in the file.

use std::borrow::Cow;
use std::sync::Arc;

use arrow_array::builder::StringViewBuilder;
use arrow_array::{Array, ArrayRef, Float64Array, TimestampMicrosecondArray};
use arrow_schema::{DataType, TimeUnit};

use super::columns::{Role, Seen};
use super::decode::{NO_SESSION, Reading};
use super::raw::RawBatch;
use super::texts::{Texts, amounts, times};
use super::timestamp::Clock;
use crate::dictionary::{Cache, Dictionary};
use crate::error::Result;

/// One thread's reader of columns for SQL: each is read once per batch, however many expressions look at it.
pub(super) struct SqlColumns<'r> {
    reading: &'r Reading,
    /// What its reading decides is counted elsewhere.
    clock: Clock,
    known: Vec<(Seen, ArrayRef)>,
    pages: Pages,
}

/// Normalised pages, once per distinct raw one.
#[derive(Default)]
struct Pages {
    cache: Cache,
    names: Dictionary,
}

/// Bytes of pages that a thread keeps from batch to batch.
const KEPT: usize = 16 << 20;

impl<'r> SqlColumns<'r> {
    pub fn new(reading: &'r Reading) -> Self {
        SqlColumns { reading, clock: reading.clock.clone(), known: Vec::new(), pages: Pages::default() }
    }

    /// Forgets the batch before.
    pub fn begin(&mut self) {
        self.known.clear();
        if self.pages.names.bytes() > KEPT {
            self.pages = Pages::default();
        }
    }

    /// The columns `seen` of a batch.
    pub fn columns(&mut self, raw: &RawBatch, seen: &[Seen]) -> Result<Vec<ArrayRef>> {
        seen.iter().map(|seen| self.column(raw, *seen)).collect()
    }

    fn column(&mut self, raw: &RawBatch, seen: Seen) -> Result<ArrayRef> {
        if let Some((_, array)) = self.known.iter().find(|(known, _)| *known == seen) {
            return Ok(Arc::clone(array));
        }
        let column = &raw.columns[seen.place];
        let array = match seen.role {
            None => self.plain(column)?,
            Some(Role::Time) => self.times(column)?,
            Some(Role::Value) => values(column)?,
            Some(Role::Visitor | Role::Event | Role::Source | Role::Medium | Role::Campaign) => texts(column)?,
            Some(Role::Session) => sessions(column)?,
            Some(Role::Page) => self.pages(column)?,
        };
        self.known.push((seen, Arc::clone(&array)));
        Ok(array)
    }

    /// A column as it stands in the file; its times are read as all times of the log are, where they name no zone.
    fn plain(&mut self, column: &ArrayRef) -> Result<ArrayRef> {
        match column.data_type() {
            DataType::Timestamp(_, None) => self.times(column),
            DataType::FixedSizeBinary(_) => texts(column),
            _ => Ok(Arc::clone(column)),
        }
    }

    fn times(&mut self, column: &ArrayRef) -> Result<ArrayRef> {
        if matches!(column.data_type(), DataType::Timestamp(TimeUnit::Microsecond, Some(_))) {
            return Ok(Arc::clone(column));
        }
        let mut read = times(column)?;
        let clock = &mut self.clock;
        let times = (0..column.len()).map(|row| read(row, clock).and_then(Result::ok));
        Ok(Arc::new(times.collect::<TimestampMicrosecondArray>().with_timezone("UTC")))
    }

    fn pages(&mut self, column: &ArrayRef) -> Result<ArrayRef> {
        let Pages { cache, names } = &mut self.pages;
        let rule = &self.reading.page;
        let raw_texts = Texts::new(column)?;
        let (mut scratch, mut pages) = (String::new(), StringViewBuilder::with_capacity(column.len()));
        for row in 0..column.len() {
            let Some(raw) = raw_texts.get(row, &mut scratch) else {
                pages.append_null();
                continue;
            };
            let code =
                cache.get(raw, |raw| Ok(std::str::from_utf8(raw).map_or(0, |raw| names.intern(&rule.page(raw)))))?;
            pages.append_option((code > 0).then(|| names.name(code)));
        }
        Ok(Arc::new(pages.finish()))
    }
}

fn values(column: &ArrayRef) -> Result<ArrayRef> {
    let mut read = amounts(column)?;
    let values = (0..column.len()).map(|row| Some(read(row)?.ok()? as f64 / 1e6));
    Ok(Arc::new(values.collect::<Float64Array>()))
}

/// A column as texts, whatever its type.
fn texts(column: &ArrayRef) -> Result<ArrayRef> {
    let texts = Texts::new(column)?;
    if !matches!(texts, Texts::Written(_)) {
        return Ok(Arc::clone(column));
    }
    written(column.len(), |row, scratch| texts.get(row, scratch).map(|text| String::from_utf8_lossy(text).into_owned()))
}

/// The log's own session ids; those that say "none" are none.
fn sessions(column: &ArrayRef) -> Result<ArrayRef> {
    let texts = Texts::new(column)?;
    written(column.len(), |row, scratch| {
        let id = texts.get(row, scratch).filter(|id| !NO_SESSION.contains(id))?;
        std::str::from_utf8(id).ok().map(str::to_owned)
    })
}

fn written(rows: usize, text: impl Fn(usize, &mut String) -> Option<String>) -> Result<ArrayRef> {
    let mut scratch = String::new();
    let mut array = StringViewBuilder::with_capacity(rows);
    (0..rows).for_each(|row| array.append_option(text(row, &mut scratch).map(Cow::Owned::<str>)));
    Ok(Arc::new(array.finish()))
}
