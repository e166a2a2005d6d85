//! Reports → bytes. One file per output format; a new format is one new file and one line in [`FORMATS`].
//!
//! Reports are N + M, not N × M: a report offers a title, tables, its own JSON and perhaps a drawing; a format renders only
//! those.

pub mod drawing;
pub mod file;
pub mod footer;
pub mod json;
pub mod text;

mod csv;
#[cfg(feature = "polars")]
mod data;
mod dot;
mod jsonl;
mod markdown;
mod mermaid;
mod number;
mod parquet;
mod people;
mod rows;
mod terminal;

#[cfg(test)]
mod fixtures;

use std::any::Any;
use std::borrow::Cow;
use std::io::Write;
use std::path::Path;

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use serde_json::{Map, Value};

use crate::error::{Error, Result, nearest};
use drawing::Drawing;

/// Every output format. The first one is for people.
pub const FORMATS: &[&dyn Format] = &[
    &terminal::Terminal,
    &json::Json,
    &jsonl::JsonLines,
    &csv::Csv,
    &markdown::Markdown,
    &parquet::Parquet,
    &dot::Dot,
    &mermaid::Mermaid,
];

/// What a question answers with.
pub trait Report: Any + Send {
    /// One line that says what was asked, for people.
    fn title(&self) -> String;

    /// The answer as tidy tables: one row per thing, one value per column. The first is the main one.
    fn tables(&self) -> Vec<Table>;

    /// Names of tables that a terminal shows only when it is asked for them: they would bury the others.
    fn aside(&self) -> &'static [&'static str] {
        &[]
    }

    /// The answer as it stands under `report` in the JSON envelope: unless it says otherwise, each table as a list of its rows.
    fn json(&self) -> Value {
        self.tables().into_iter().map(|table| (table.name.to_owned(), table.json())).collect()
    }

    /// The answer as nodes and links, for answers that are a graph. Of an answer by segment it is the one for all journeys.
    fn drawing(&self) -> Option<Drawing> {
        None
    }

    /// The rate that a limit on failure is about, for questions that have one; undefined if there is nothing to divide by.
    fn rate(&self) -> Option<f64> {
        None
    }
}

/// A report that is nothing but its tables.
#[derive(Clone, Debug)]
pub struct PlainReport {
    /// One line that says what was asked.
    pub title: String,
    /// The whole answer, the main table first.
    pub tables: Vec<Table>,
}

impl Report for PlainReport {
    fn title(&self) -> String {
        self.title.clone()
    }

    fn tables(&self) -> Vec<Table> {
        self.tables.clone()
    }
}

/// A report with all that is needed to understand it.
pub struct Answer {
    /// Name and version of the report's shape: `clickpath.funnel/1`.
    pub schema: String,
    /// The question's name, unique in its run.
    pub name: String,
    /// Every rule in force for this question.
    pub rules: Map<String, Value>,
    /// What became of the records read.
    pub account: Map<String, Value>,
    /// What a reader has to know to trust the numbers.
    pub notes: Vec<String>,
    /// The answer itself.
    pub report: Box<dyn Report>,
}

/// A tidy table.
#[derive(Clone, Debug, PartialEq)]
pub struct Table {
    /// The table's name, unique in its report: `steps`.
    pub name: &'static str,
    /// Names of the columns.
    pub columns: Vec<String>,
    /// Each row has one cell per column.
    pub rows: Vec<Vec<Cell>>,
}

impl Table {
    /// A list of its rows, each with its columns by name.
    pub fn json(&self) -> Value {
        let row = |row: &Vec<Cell>| self.columns.iter().cloned().zip(row.iter().map(Cell::json)).collect::<Value>();
        self.rows.iter().map(row).collect()
    }
}

/// One value of a table. Formats decide how it looks.
#[derive(Clone, Debug, PartialEq)]
pub enum Cell {
    /// No value: undefined or unknown.
    Null,
    /// Text, possibly out of a log: hostile until escaped.
    Text(String),
    /// How many there are.
    Count(u64),
    /// A whole number that may be negative: a place before or behind another.
    Integer(i64),
    /// A fraction, shown as per cent to people.
    Rate(f64),
    /// A duration in seconds.
    Seconds(f64),
    /// A plain number.
    Number(f64),
    /// An amount in millionths of the unit of the input.
    Money(i128),
    /// A point in time, µs since 1970 in UTC.
    Time(i64),
}

impl Cell {
    /// A fraction, null if it is undefined.
    pub fn rate(rate: Option<f64>) -> Cell {
        rate.map_or(Cell::Null, Cell::Rate)
    }
}

/// A name out of a log beside a label of ours: one that could be taken for the label gets a backslash in front.
pub fn set_apart<'a>(name: &'a str, label: &str) -> Cow<'a, str> {
    if name.trim_start_matches('\\') == label { Cow::Owned(format!("\\{name}")) } else { Cow::Borrowed(name) }
}

/// Takes the rows of a question that answers with rows, batch by batch.
pub trait RowWriter: Send {
    /// Writes some more rows, whose columns are those that the writer was made for.
    ///
    /// # Errors
    /// If the output cannot be written.
    fn write(&mut self, rows: &RecordBatch) -> Result<()>;

    /// Writes what ends the rows of `answer`. A writer that is dropped before has written nothing whole.
    fn finish(self: Box<Self>, answer: &Answer) -> Result<()>;
}

/// A way to write answers down.
pub trait Format: Sync {
    /// The name that `--format` takes.
    fn name(&self) -> &'static str;

    /// How its files may end, without the dot. A job's files end in the first.
    fn suffixes(&self) -> &'static [&'static str];

    /// Whether its bytes are no text, and so nothing for a terminal.
    fn is_binary(&self) -> bool {
        false
    }

    /// Whether the notes of an answer stand in it. Where they do not they are said beside it.
    fn holds_notes(&self) -> bool {
        false
    }

    /// All `answers` of a run as one document.
    fn render(&self, answers: &[Answer], options: &Options) -> Result<Vec<u8>>;

    /// Whether it can hold the rows of a question that answers with rows.
    fn holds_rows(&self) -> bool {
        false
    }

    /// A writer of such rows, for formats that can hold them.
    fn rows(&self, _schema: &SchemaRef, _out: Box<dyn Write + Send>, _options: &Options) -> Result<Box<dyn RowWriter>> {
        Err(Error::question(format!("{} cannot hold rows", self.name()))
            .hint("rows are written as csv, jsonl or parquet"))
    }

    /// The files of one answer of a job, whole: `NAME.SUFFIX`. Formats that hold only one table write one file for
    /// each, `NAME.TABLE.SUFFIX`; so [`Options::table`] has no say here.
    fn files(&self, answer: &Answer, options: &Options) -> Result<Vec<OutputFile>> {
        let name = format!("{}.{}", answer.name, suffix(self));
        let options = Options { table: None, ..options.clone() };
        let bytes = self.render(std::slice::from_ref(answer), &options)?;
        Ok(vec![OutputFile { name, bytes }])
    }
}

/// How the files of a job end.
fn suffix<F: Format + ?Sized>(format: &F) -> &'static str {
    format.suffixes().first().copied().unwrap_or_default()
}

/// How the reader wants the answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// The one table to write. Formats that write the whole answer as data take no notice.
    pub table: Option<String>,
    /// Whether a terminal may be coloured. Colour never carries a meaning of its own.
    pub color: bool,
    /// Columns of the terminal, if there is one.
    pub width: Option<usize>,
    /// Leaves CSV texts that a spreadsheet would run as a formula as they are.
    pub csv_raw: bool,
    /// Rows of each table that people are shown. Data formats write all.
    pub rows: usize,
}

impl Default for Options {
    fn default() -> Self {
        Options { table: None, color: false, width: None, csv_raw: false, rows: 20 }
    }
}

/// A file that a job is to write into its output folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutputFile {
    /// The file's name, without a folder.
    pub name: String,
    /// Its whole content.
    pub bytes: Vec<u8>,
}

/// The format called `name`.
pub fn find(name: &str) -> Result<&'static dyn Format> {
    if let Some(format) = FORMATS.iter().find(|format| format.name() == name) {
        return Ok(*format);
    }
    let names = FORMATS.iter().map(|format| format.name());
    let by_suffix = FORMATS.iter().find(|format| format.suffixes().contains(&name)).map(|format| format.name());
    let hint = match by_suffix.or_else(|| nearest(name, names.clone())) {
        Some(near) => format!("did you mean {near}?"),
        None => format!("the formats are {}", listed(names)),
    };
    Err(Error::question(format!("no output format is called `{name}`")).hint(hint))
}

/// The format that the suffix of an output file asks for.
pub fn find_by_path(path: &Path) -> Result<&'static dyn Format> {
    let ending = path.extension().map(|ending| ending.to_string_lossy().to_ascii_lowercase());
    let format = ending.and_then(|ending| FORMATS.iter().find(|format| format.suffixes().contains(&ending.as_str())));
    if let Some(format) = format {
        return Ok(*format);
    }
    let suffixes = FORMATS.iter().map(|format| format!(".{}", suffix(*format)));
    Err(Error::question(format!("the name of the output file {} does not say its format", path.display()))
        .hint(format!("end it in {}, or give --format", listed(suffixes))))
}

/// The format of rows that the suffix of a file asks for.
pub fn find_for_rows(path: &Path) -> Result<&'static dyn Format> {
    if let Ok(format) = find_by_path(path)
        && format.holds_rows()
    {
        return Ok(format);
    }
    let suffixes = FORMATS.iter().filter(|format| format.holds_rows()).map(|format| format!(".{}", suffix(*format)));
    Err(Error::question(format!("{}: a file of rows is known by its suffix", path.display()))
        .hint(format!("end it in {}", listed(suffixes))))
}

/// The tables of `answer` that the reader wants: all, or the one asked for.
fn wanted_tables(answer: &Answer, options: &Options) -> Result<Vec<Table>> {
    let mut tables = answer.report.tables();
    let Some(wanted) = &options.table else { return Ok(tables) };
    let hint = match tables.as_slice() {
        [] => "it has no tables: --format json has it all".to_owned(),
        tables => format!("its tables are {}", listed(tables.iter().map(|table| table.name))),
    };
    tables.retain(|table| table.name == wanted);
    if tables.is_empty() {
        let message = format!("{} has no table called `{wanted}`", answer.name);
        return Err(Error::question(message).hint(hint));
    }
    Ok(tables)
}

/// The one table that `format`, which cannot hold more, is to write.
fn only_table(format: &dyn Format, answers: &[Answer], options: &Options) -> Result<Table> {
    let [answer] = answers else {
        let message = format!("{} holds one table, and there are {} answers", format.name(), answers.len());
        return Err(Error::question(message)
            .hint("write them as json, or ask them in a job, where each table becomes its own file"));
    };
    let first = wanted_tables(answer, options)?.into_iter().next();
    first.ok_or_else(|| {
        let message = format!("{} has no table to write as {}", answer.name, format.name());
        Error::question(message).hint("--format json has it all")
    })
}

/// The files of one answer of a job in a format that holds one table: a file for each, `NAME.TABLE.SUFFIX`.
fn table_files(
    format: &dyn Format,
    answer: &Answer,
    bytes: impl Fn(&Table) -> Result<Vec<u8>>,
) -> Result<Vec<OutputFile>> {
    let file = |table: &Table| {
        let name = format!("{}.{}.{}", answer.name, table.name, suffix(format));
        Ok(OutputFile { name, bytes: bytes(table)? })
    };
    answer.report.tables().iter().map(file).collect()
}

/// `a, b, c`, for hints.
fn listed<T: AsRef<str>>(names: impl IntoIterator<Item = T>) -> String {
    names.into_iter().map(|name| name.as_ref().to_owned()).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::fixtures::{answer, table};
    use super::*;

    #[test]
    fn a_format_is_found_by_name_and_slips_are_pointed_at() {
        assert_eq!(find("csv").unwrap().suffixes(), ["csv"]);
        let error = find("jsn").err().unwrap();
        assert_eq!(error.to_string(), "no output format is called `jsn`");
        assert_eq!(error.advice(), Some("did you mean json?"));
        // A suffix is no name, but says which one was meant.
        for (suffix, hint) in [("md", "did you mean markdown?"), ("gv", "did you mean dot?")] {
            assert_eq!(find(suffix).err().unwrap().advice(), Some(hint));
        }
        let all = "the formats are table, json, jsonl, csv, markdown, parquet, dot, mermaid";
        assert_eq!(find("\u{1b}").err().unwrap().advice(), Some(all));
    }

    #[test]
    fn a_format_is_found_by_suffix() {
        assert_eq!(find_by_path(Path::new("out/report.v2.JSON")).unwrap().name(), "json");
        assert_eq!(find_by_path(Path::new("report.txt")).unwrap().name(), "table");
        for (path, name) in [("a.ndjson", "jsonl"), ("a.gv", "dot"), ("a.MMD", "mermaid"), ("a.parquet", "parquet")] {
            assert_eq!(find_by_path(Path::new(path)).unwrap().name(), name);
        }
        for path in ["report", "report.xlsx", ".json", "a.json/report"] {
            let error = find_by_path(Path::new(path)).err().unwrap();
            assert_eq!(error.to_string(), format!("the name of the output file {path} does not say its format"));
            assert_eq!(
                error.advice(),
                Some("end it in .txt, .json, .jsonl, .csv, .md, .parquet, .dot, .mmd, or give --format")
            );
        }
    }

    #[test]
    fn names_and_suffixes_are_unique() {
        for (place, format) in FORMATS.iter().enumerate() {
            for other in &FORMATS[..place] {
                assert_ne!(format.name(), other.name());
                assert!(!format.suffixes().iter().any(|suffix| other.suffixes().contains(suffix)));
            }
        }
    }

    #[test]
    fn a_missing_table_is_answered_with_the_names() {
        let answer = answer(vec![table("steps", &["step"], vec![]), table("links", &["from"], vec![])]);
        let options = Options { table: Some("stps".into()), ..Options::default() };
        let error = wanted_tables(&answer, &options).unwrap_err();
        assert_eq!(error.to_string(), "checkout has no table called `stps`");
        assert_eq!(error.advice(), Some("its tables are steps, links"));

        let options = Options { table: Some("links".into()), ..Options::default() };
        assert_eq!(wanted_tables(&answer, &options).unwrap()[0].name, "links");
    }
}
