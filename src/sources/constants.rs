//! A file with columns that have one value in all its records: those that its folders name, and those without any value that
//! other files of the run have and this one lacks.

use std::sync::{Arc, Mutex};

use arrow_array::builder::StringViewBuilder;
use arrow_array::{Array, ArrayRef};

use super::{Reader, Source, Split, Wanted};
use crate::error::Result;
use crate::events::RawBatch;
use crate::sync::lock;

/// A column with one value, or none, in all records of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Constant {
    /// The name of the column.
    pub name: String,
    /// What every record has in it; `None` is no value.
    pub value: Option<String>,
}

/// `source` with the columns `constants` behind its own, of which those of the same names win.
pub fn with_constants(source: Box<dyn Source>, constants: &[Constant]) -> Box<dyn Source> {
    let mut columns = source.columns().to_vec();
    let own = columns.len();
    let mut values = Vec::new();
    for constant in constants {
        if !columns.iter().any(|column| column.eq_ignore_ascii_case(&constant.name)) {
            columns.push(constant.name.clone());
            values.push(constant.value.clone());
        }
    }
    if values.is_empty() { source } else { Box::new(Extended { source, own, columns, values }) }
}

/// The columns that the folders of a path name: those of its parts that read `key=value`. Of equal keys the innermost counts.
///
/// Keys and values are percent-decoded; the value `__HIVE_DEFAULT_PARTITION__` and an empty one are no value.
pub fn partitions<'a>(folders: impl Iterator<Item = &'a str>) -> Vec<Constant> {
    let mut constants: Vec<Constant> = Vec::new();
    for (key, value) in folders.filter_map(|folder| folder.split_once('=')).filter(|(key, _)| !key.is_empty()) {
        let name = decoded(key);
        constants.retain(|constant| constant.name != name);
        let value = Some(decoded(value)).filter(|value| !value.is_empty() && value != "__HIVE_DEFAULT_PARTITION__");
        constants.push(Constant { name, value });
    }
    constants
}

/// `text` percent-decoded, where that gives UTF-8.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let [first, behind @ ..] = rest {
        let digit = |at: usize| behind.get(at).and_then(|byte| char::from(*byte).to_digit(16));
        match (first, digit(0), digit(1)) {
            (b'%', Some(high), Some(low)) => {
                bytes.push((high << 4 | low) as u8);
                rest = &behind[2..];
            }
            _ => {
                bytes.push(*first);
                rest = behind;
            }
        }
    }
    String::from_utf8(bytes).unwrap_or_else(|_| text.to_owned())
}

struct Extended {
    source: Box<dyn Source>,
    /// How many of the columns are the file's own.
    own: usize,
    columns: Vec<String>,
    /// Those of the columns behind them.
    values: Vec<Option<String>>,
}

impl Source for Extended {
    fn columns(&self) -> &[String] {
        &self.columns
    }

    fn bytes(&self) -> u64 {
        self.source.bytes()
    }

    fn notes(&self) -> Vec<String> {
        self.source.notes()
    }

    fn describe(&self) -> String {
        self.source.describe()
    }

    fn read(&self, wanted: &[Wanted]) -> Result<Box<dyn Reader>> {
        let mut own = Vec::new();
        let origins = wanted.iter().map(|wanted| match self.values.get(wanted.column.wrapping_sub(self.own)) {
            Some(value) => Origin::Constant(Mutex::new(repeated(value.as_deref(), 1))),
            None => {
                own.push(*wanted);
                Origin::Own(own.len() - 1)
            }
        });
        let origins = origins.collect();
        Ok(Box::new(ExtendedReader { reader: self.source.read(&own)?, origins }))
    }
}

struct ExtendedReader {
    reader: Box<dyn Reader>,
    origins: Arc<[Origin]>,
}

/// Where an asked-for column comes from.
enum Origin {
    /// Its place among those of the file.
    Own(usize),
    /// Its value, as often as was needed so far.
    Constant(Mutex<ArrayRef>),
}

impl Origin {
    fn column(&self, own: &[ArrayRef], rows: usize) -> ArrayRef {
        match self {
            Origin::Own(place) => Arc::clone(&own[*place]),
            Origin::Constant(known) => {
                let mut known = lock(known);
                if known.len() < rows {
                    let values = known.as_any().downcast_ref::<arrow_array::StringViewArray>();
                    let value = values.filter(|values| values.is_valid(0)).map(|values| values.value(0).to_owned());
                    *known = repeated(value.as_deref(), rows);
                }
                known.slice(0, rows)
            }
        }
    }
}

/// A value so many times.
fn repeated(value: Option<&str>, times: usize) -> ArrayRef {
    let mut builder = StringViewBuilder::with_capacity(times).with_deduplicate_strings();
    (0..times).for_each(|_| builder.append_option(value));
    Arc::new(builder.finish())
}

impl Reader for ExtendedReader {
    fn next(&self) -> Result<Option<Split>> {
        let Some(split) = self.reader.next()? else { return Ok(None) };
        let origins = Arc::clone(&self.origins);
        let extended = move |batch: Result<RawBatch>| {
            let mut batch = batch?;
            batch.columns = origins.iter().map(|origin| origin.column(&batch.columns, batch.rows)).collect();
            Ok(batch)
        };
        Ok(Some(Split { batches: Box::new(split.batches.map(extended)), ..split }))
    }

    fn forget(&self, wanted: usize) {
        if let Origin::Own(place) = self.origins[wanted] {
            self.reader.forget(place);
        }
    }

    fn limit_times(&mut self, wanted: usize, from: i64, to: i64) {
        if let Origin::Own(place) = self.origins[wanted] {
            self.reader.limit_times(place, from, to);
        }
    }
}

#[cfg(test)]
mod tests {
    use arrow_array::cast::AsArray;

    use super::*;
    use crate::events::UseAs;
    use crate::sources::TextOptions;
    use crate::sources::testing::{batches, file};

    #[test]
    fn folders_name_columns() {
        let found = partitions(
            [
                "logs",
                "year=2026",
                "a=b=c",
                "=x",
                "na%C3%AFve=%2Fb%zz",
                "d=__HIVE_DEFAULT_PARTITION__",
                "e=",
                "year=2027",
            ]
            .into_iter(),
        );
        let found: Vec<(&str, Option<&str>)> =
            found.iter().map(|constant| (constant.name.as_str(), constant.value.as_deref())).collect();
        let expected = [("a", Some("b=c")), ("naïve", Some("/b%zz")), ("d", None), ("e", None), ("year", Some("2027"))];
        assert_eq!(found, expected);
        assert_eq!(decoded("%ff"), "%ff");
    }

    #[test]
    fn constants_stand_beside_the_columns_of_the_file_which_win() {
        let file = file("log.csv", b"visitor,Day\n1,2\n3,4\n");
        let source = crate::sources::open(&file.path, &TextOptions::default()).unwrap();
        let constant =
            |name: &str, value: Option<&str>| Constant { name: name.into(), value: value.map(str::to_owned) };
        let long = "a value that is longer than a view";
        let source =
            with_constants(source, &[constant("day", Some("9")), constant("country", Some(long)), constant("x", None)]);
        assert_eq!(source.columns(), ["visitor", "Day", "country", "x"]);
        let wanted = [3, 2, 0].map(|column| Wanted { column, use_as: UseAs::Names });
        let reader = source.read(&wanted).unwrap();
        let batches = batches(reader.as_ref(), 1).unwrap();
        let texts = |at: usize| batches[0].columns[at].as_string_view().iter().collect::<Vec<_>>();
        assert_eq!(texts(0), [None, None]);
        assert_eq!(texts(1), [Some(long), Some(long)]);
        assert_eq!(batches[0].columns[2].as_binary_view().value(1), b"3");
    }
}
