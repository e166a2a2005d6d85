//! Columns of names → codes: each distinct name is looked at once, all others cost a look into a table.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use arrow_array::cast::AsArray;
use arrow_array::types::Int32Type;
use arrow_array::{Array, ArrayRef};
use arrow_schema::DataType;

use super::columns::Scan;
use super::decode::Reading;
use super::page::parameter_of;
use super::texts::Texts;
use crate::budget::{Budget, human};
use crate::dictionary::{Cache, Dictionary, Shared};
use crate::error::{Error, Result};
use crate::ids::{Code, MISSING};

/// The names of a run, filled by all threads.
#[derive(Debug, Default)]
pub struct Dictionaries {
    pub event: Shared,
    pub page: Shared,
    pub dimensions: Vec<Shared>,
    bytes: AtomicUsize,
}

impl Dictionaries {
    pub fn new(dimensions: usize) -> Self {
        Dictionaries { dimensions: (0..dimensions).map(|_| Shared::default()).collect(), ..Self::default() }
    }

    /// Whether names tell all page views that questions ask for, so that no page need be read.
    pub fn tell_views(&self, scan: &Scan) -> bool {
        !scan.page && scan.views.iter().all(|names| self.event.has_any(names))
    }

    /// The closed dictionaries: events, pages, dimensions.
    pub fn close(self) -> (Dictionary, Dictionary, Vec<Dictionary>) {
        (self.event.close(), self.page.close(), self.dimensions.into_iter().map(Shared::close).collect())
    }

    /// Counts `grown` bytes of the names of `role`; over a quarter of the memory is too much.
    fn grow(&self, grown: usize, role: &str, names: &Shared, budget: &Budget) -> Result<()> {
        if grown == 0 {
            return Ok(());
        }
        budget.take(grown, "the names")?;
        let bytes = self.bytes.fetch_add(grown, Ordering::Relaxed) + grown;
        if bytes <= budget.limit() / 4 {
            return Ok(());
        }
        let limit = human(budget.limit() / 4);
        Err(Error::limit(format!(
            "the log has too many different names for {role}: they take more than {limit}, a quarter of the memory limit; five of them are {:?}",
            names.examples()
        ))
        .hint("fold ids in pages with --fold-ids, leave the column out, or give more memory with --memory"))
    }
}

/// Which names a column holds.
#[derive(Clone, Copy)]
pub(super) enum NameColumn {
    Event,
    Page,
    /// A dimension by its number, and the parameter of the URLs in the column if not the column itself is meant.
    Dimension(usize, Option<&'static str>),
}

/// One thread's reader of columns of names.
pub(super) struct NameReader<'r> {
    reading: &'r Reading,
    dictionaries: &'r Dictionaries,
    budget: &'r Budget,
    /// What is remembered of events, pages, and for each dimension of its own columns and of parameters of URLs.
    memories: Vec<Memory>,
}

/// What a thread remembers of one column of names.
#[derive(Default)]
struct Memory {
    cache: Cache,
    /// What became of raw names: many may become the same one.
    made: Cache,
    /// The dictionary met last and the code of each of its values, [`UNKNOWN`] until used.
    values: Option<ArrayRef>,
    codes: Vec<Code>,
}

/// The code of a name that is not UTF-8, or not yet known.
const UNKNOWN: Code = Code::MAX;

impl<'r> NameReader<'r> {
    pub(super) fn new(reading: &'r Reading, dictionaries: &'r Dictionaries, budget: &'r Budget) -> Self {
        let memories = (0..2 + 2 * reading.scan.dimensions.len()).map(|_| Memory::default()).collect();
        NameReader { reading, dictionaries, budget, memories }
    }

    /// Appends the codes of the rows `keep` of a column to `out`; says how many names were unreadable and became "no value".
    pub(super) fn read(
        &mut self,
        names: NameColumn,
        column: Option<&ArrayRef>,
        keep: &[u32],
        out: &mut Vec<Code>,
    ) -> Result<u64> {
        let Some(column) = column else {
            out.resize(out.len() + keep.len(), MISSING);
            return Ok(0);
        };
        let slot = match names {
            NameColumn::Event => 0,
            NameColumn::Page => 1,
            NameColumn::Dimension(dimension, parameter) => 2 + 2 * dimension + usize::from(parameter.is_some()),
        };
        let mut memory = std::mem::take(&mut self.memories[slot]);
        out.reserve(keep.len());
        let start = out.len();
        let all_known = match column.data_type() {
            DataType::Dictionary(key, _) if **key == DataType::Int32 => {
                self.read_dictionary(names, column, keep, &mut memory, out)
            }
            _ => self.read_texts(names, column, keep, &mut memory, out),
        };
        self.memories[slot] = memory;
        if all_known? {
            return Ok(0);
        }
        let mut bad = 0;
        for code in out[start..].iter_mut().filter(|code| **code == UNKNOWN) {
            *code = MISSING;
            bad += 1;
        }
        Ok(bad)
    }

    /// Says whether no name was [`UNKNOWN`].
    fn read_texts(
        &self,
        names: NameColumn,
        column: &ArrayRef,
        keep: &[u32],
        memory: &mut Memory,
        out: &mut Vec<Code>,
    ) -> Result<bool> {
        let texts = Texts::new(column)?;
        let (mut scratch, mut all_known) = (String::new(), true);
        texts
            .each(keep, &mut scratch, |text| {
                let code = match text {
                    None => MISSING,
                    Some(raw) => memory.cache.get(raw, |raw| self.code(names, raw, &mut memory.made))?,
                };
                all_known &= code != UNKNOWN;
                out.push(code);
                Ok(())
            })
            .map(|()| all_known)
    }

    /// Codes of a dictionary column: each of its values is looked up once, and only if a kept row has it. Says whether no name was
    /// [`UNKNOWN`].
    fn read_dictionary(
        &self,
        names: NameColumn,
        column: &ArrayRef,
        keep: &[u32],
        memory: &mut Memory,
        out: &mut Vec<Code>,
    ) -> Result<bool> {
        let array = column.as_dictionary::<Int32Type>();
        let (keys, values) = (array.keys(), array.values());
        // Readers wrap the same buffers anew for each batch of a row group.
        if !memory.values.as_ref().is_some_and(|known| known.to_data().ptr_eq(&values.to_data())) {
            memory.values = Some(Arc::clone(values));
            memory.codes.clear();
            memory.codes.resize(values.len(), UNKNOWN);
        }
        if keys.null_count() == 0 && keep.len() == keys.len() {
            let (start, mut all_known) = (out.len(), true);
            let codes = &memory.codes[..];
            out.extend(keys.values().iter().map(|&value| {
                let code = codes[value as usize];
                all_known &= code != UNKNOWN;
                code
            }));
            if all_known {
                return Ok(true);
            }
            out.truncate(start);
        }
        let texts = Texts::new(values)?;
        let mut scratch = String::new();
        for &row in keep {
            if keys.is_null(row as usize) {
                out.push(MISSING);
                continue;
            }
            let value = keys.value(row as usize) as usize;
            if memory.codes[value] == UNKNOWN {
                memory.codes[value] = match texts.get(value, &mut scratch) {
                    None => MISSING,
                    Some(raw) => memory.cache.get(raw, |raw| self.code(names, raw, &mut memory.made))?,
                };
            }
            out.push(memory.codes[value]);
        }
        Ok(false)
    }

    /// The run's code of a raw name; [`UNKNOWN`] if it is not UTF-8.
    fn code(&self, names: NameColumn, raw: &[u8], made: &mut Cache) -> Result<Code> {
        let Ok(text) = std::str::from_utf8(raw) else { return Ok(UNKNOWN) };
        let (shared, name) = match names {
            NameColumn::Event => (&self.dictionaries.event, text.into()),
            NameColumn::Page => (&self.dictionaries.page, self.reading.page.page(text)),
            NameColumn::Dimension(dimension, parameter) => {
                let value = match parameter {
                    None => text.into(),
                    Some(name) => match parameter_of(text, name) {
                        Some(value) => value,
                        None => return Ok(MISSING),
                    },
                };
                (&self.dictionaries.dimensions[dimension], value)
            }
        };
        let intern = |_: &[u8]| {
            let (code, grown) = shared.intern(&name);
            self.dictionaries.grow(grown, self.title(names), shared, self.budget)?;
            Ok(code)
        };
        // A name that is what it was is remembered as that.
        if *name == *text { intern(raw) } else { made.get(name.as_bytes(), intern) }
    }

    /// What the names are called in messages.
    pub(super) fn title(&self, names: NameColumn) -> &'r str {
        match names {
            NameColumn::Event => "event",
            NameColumn::Page => "page",
            NameColumn::Dimension(dimension, _) => &self.reading.scan.dimensions[dimension],
        }
    }
}
