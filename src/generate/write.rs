//! Events → files: Parquet, CSV, NDJSON, by the suffix of the name.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::types::Int32Type;
use arrow_array::{
    ArrayRef, DictionaryArray, Float64Array, Int32Array, RecordBatch, StringArray, TimestampMicrosecondArray,
};
use arrow_schema::{DataType, Field, Schema, SchemaRef, TimeUnit};
use chrono::{DateTime, SecondsFormat};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;

use super::Row;
use super::visits::{DEVICES, KINDS, SOURCES};
use crate::error::{Error, Result};
use crate::reports::file::Pending;

/// Rows of a row group, as most exports have them.
const GROUP: usize = 1_000_000;

const COLUMNS: [&str; 7] = ["visitor_id", "ts", "event", "page", "source", "device", "revenue"];

/// The files of a log, filled one after the other.
pub struct Target {
    paths: Vec<PathBuf>,
    pages: Arc<Pages>,
    /// Events of the log, and how many are written.
    events: u64,
    written: u64,
    file: Option<Box<dyn Rows>>,
    complete: Vec<Pending>,
}

/// A file that takes rows.
pub trait Rows: Send {
    fn write(&mut self, rows: &[Row]) -> Result<()>;
    /// The whole file, on its way to its name.
    fn complete(self: Box<Self>) -> Result<Pending>;
}

impl Target {
    /// `pages` says how many there are of each kind.
    pub fn new(paths: &[PathBuf], events: u64, pages: [u32; KINDS.len()]) -> Result<Target> {
        let pages = Arc::new(Pages::new(pages));
        let mut target = Target { paths: paths.to_vec(), pages, events, written: 0, file: None, complete: Vec::new() };
        target.open()?;
        Ok(target)
    }

    fn open(&mut self) -> Result<()> {
        let path = &self.paths[self.complete.len()];
        let suffix = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
        let open = match suffix.as_str() {
            "parquet" => Parquet::open,
            "csv" => Csv::open,
            "ndjson" | "jsonl" => NdJson::open,
            _ => {
                return Err(Error::question(format!("{} has no suffix that says a format", path.display()))
                    .hint("name it .parquet, .csv, .ndjson or .jsonl"));
            }
        };
        self.file = Some(open(path, &self.pages)?);
        Ok(())
    }

    /// Writes the next events of the log.
    pub fn write(&mut self, mut rows: &[Row]) -> Result<()> {
        while !rows.is_empty() {
            let end = u128::from(self.events) * (self.complete.len() as u128 + 1) / self.paths.len() as u128;
            let room = (end as u64 - self.written) as usize;
            let (now, later) = rows.split_at(rows.len().min(room));
            if let Some(file) = &mut self.file {
                file.write(now)?;
            }
            self.written += now.len() as u64;
            rows = later;
            if self.written == end as u64 && self.complete.len() + 1 < self.paths.len() {
                self.close()?;
                self.open()?;
            }
        }
        Ok(())
    }

    fn close(&mut self) -> Result<()> {
        self.complete.extend(self.file.take().map(Rows::complete).transpose()?);
        Ok(())
    }

    /// All files, on their way to their names.
    pub fn complete(mut self) -> Result<Vec<Pending>> {
        self.close()?;
        Ok(self.complete)
    }
}

/// The paths of all pages: those of a kind one behind another.
struct Pages {
    names: StringArray,
    /// The first page of each kind.
    first: [u32; KINDS.len()],
}

impl Pages {
    fn new(counts: [u32; KINDS.len()]) -> Pages {
        let mut next = 0;
        let first = counts.map(|count| {
            next += count;
            next - count
        });
        let names = KINDS.iter().zip(counts).flat_map(|(kind, count)| {
            (0..count).map(move |number| match count {
                1 => kind.path.to_owned(),
                _ => format!("{}/{number}", kind.path),
            })
        });
        Pages { names: names.map(Some).collect(), first }
    }

    fn number(&self, row: &Row) -> u32 {
        self.first[row.kind as usize] + row.page
    }

    fn name(&self, row: &Row) -> &str {
        self.names.value(self.number(row) as usize)
    }
}

struct Parquet {
    path: PathBuf,
    pages: Arc<Pages>,
    schema: SchemaRef,
    writer: ArrowWriter<Pending>,
}

impl Parquet {
    fn open(path: &Path, pages: &Arc<Pages>) -> Result<Box<dyn Rows>> {
        let name = || DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
        let time = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
        let types = [DataType::Utf8, time, name(), name(), name(), name(), DataType::Float64];
        let fields = COLUMNS.iter().zip(types).map(|(column, kind)| Field::new(*column, kind, *column == "revenue"));
        let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        let file = Pending::create(path)?;
        let writer = ZstdLevel::try_new(1).and_then(|level| {
            let properties = WriterProperties::builder()
                .set_compression(Compression::ZSTD(level))
                .set_max_row_group_row_count(Some(GROUP))
                // A dictionary of ids would be given up half way.
                .set_column_dictionary_enabled("visitor_id".into(), false)
                .set_column_dictionary_enabled("ts".into(), false)
                .build();
            ArrowWriter::try_new(file, Arc::clone(&schema), Some(properties))
        });
        let writer = writer.map_err(|error| failed(path, &error))?;
        Ok(Box::new(Parquet { path: path.to_owned(), pages: Arc::clone(pages), schema, writer }))
    }

    fn batch(&self, rows: &[Row]) -> Result<RecordBatch> {
        let coded = |codes: &mut dyn Iterator<Item = i32>, names: &StringArray| -> Result<ArrayRef> {
            let codes = Int32Array::from_iter_values(codes);
            let coded = DictionaryArray::<Int32Type>::try_new(codes, Arc::new(names.clone()));
            Ok(Arc::new(coded.map_err(|error| Error::bug(error.to_string()))?))
        };
        let names = |names: &[&str]| StringArray::from_iter_values(names);
        let (events, which) = events();
        let mut id = String::new();
        let ids = rows.iter().map(|row| {
            id.clear();
            // Writing into a String cannot fail.
            write!(id, "{:016x}", row.visitor).unwrap_or_default();
            id.clone()
        });
        let columns: Vec<ArrayRef> = vec![
            Arc::new(StringArray::from_iter_values(ids)),
            Arc::new(TimestampMicrosecondArray::from_iter_values(rows.iter().map(|row| row.time)).with_timezone("UTC")),
            coded(&mut rows.iter().map(|row| which[row.kind as usize]), &names(&events))?,
            coded(&mut rows.iter().map(|row| self.pages.number(row) as i32), &self.pages.names)?,
            coded(&mut rows.iter().map(|row| row.source.into()), &names(&SOURCES))?,
            coded(&mut rows.iter().map(|row| row.device.into()), &names(&DEVICES))?,
            Arc::new(Float64Array::from_iter(
                rows.iter().map(|row| (row.cents > 0).then(|| f64::from(row.cents) / 100.0)),
            )),
        ];
        RecordBatch::try_new(Arc::clone(&self.schema), columns).map_err(|error| Error::bug(error.to_string()))
    }
}

/// The names of events, each once, and which of them each kind has.
fn events() -> (Vec<&'static str>, [i32; KINDS.len()]) {
    let mut names: Vec<&str> = Vec::new();
    let which = KINDS.each_ref().map(|kind| {
        let known = names.iter().position(|name| *name == kind.event);
        known.unwrap_or_else(|| {
            names.push(kind.event);
            names.len() - 1
        }) as i32
    });
    (names, which)
}

impl Rows for Parquet {
    fn write(&mut self, rows: &[Row]) -> Result<()> {
        let batch = self.batch(rows)?;
        self.writer.write(&batch).map_err(|error| failed(&self.path, &error))
    }

    fn complete(self: Box<Self>) -> Result<Pending> {
        let path = self.path;
        self.writer.into_inner().map_err(|error| failed(&path, &error))
    }
}

fn failed(path: &Path, error: &ParquetError) -> Error {
    let error = std::io::Error::other(error.to_string());
    Error::io(path, &error).hint("look whether the disk is full")
}

/// A file of lines.
struct Lines {
    file: Pending,
    pages: Arc<Pages>,
    text: String,
}

impl Lines {
    fn open(path: &Path, pages: &Arc<Pages>) -> Result<Lines> {
        Ok(Lines { file: Pending::create(path)?, pages: Arc::clone(pages), text: String::new() })
    }

    fn write(&mut self, rows: &[Row], line: impl Fn(&mut String, &Row, &Pages) -> std::fmt::Result) -> Result<()> {
        self.text.clear();
        // Writing into a String cannot fail.
        rows.iter().try_for_each(|row| line(&mut self.text, row, &self.pages)).unwrap_or_default();
        let written = self.file.write_all(self.text.as_bytes());
        written.map_err(|error| Error::io(self.file.path(), &error))
    }
}

fn time(row: &Row) -> String {
    let time = DateTime::from_timestamp_micros(row.time).unwrap_or_default();
    time.to_rfc3339_opts(SecondsFormat::Micros, true)
}

/// Texts in quotes, as many exports have them.
struct Csv(Lines);

impl Csv {
    fn open(path: &Path, pages: &Arc<Pages>) -> Result<Box<dyn Rows>> {
        let mut lines = Lines::open(path, pages)?;
        let header = COLUMNS.map(|column| format!("{column:?}")).join(",") + "\n";
        lines.file.write_all(header.as_bytes()).map_err(|error| Error::io(path, &error))?;
        Ok(Box::new(Csv(lines)))
    }
}

impl Rows for Csv {
    fn write(&mut self, rows: &[Row]) -> Result<()> {
        self.0.write(rows, |text, row, pages| {
            let (event, source, device) = names(row);
            let (time, page) = (time(row), pages.name(row));
            write!(text, "\"{:016x}\",{time},\"{event}\",\"{page}\",\"{source}\",\"{device}\",", row.visitor)?;
            if row.cents > 0 {
                write!(text, "{}.{:02}", row.cents / 100, row.cents % 100)?;
            }
            text.push('\n');
            Ok(())
        })
    }

    fn complete(self: Box<Self>) -> Result<Pending> {
        Ok(self.0.file)
    }
}

fn names(row: &Row) -> (&'static str, &'static str, &'static str) {
    (KINDS[row.kind as usize].event, SOURCES[row.source as usize], DEVICES[row.device as usize])
}

struct NdJson(Lines);

impl NdJson {
    fn open(path: &Path, pages: &Arc<Pages>) -> Result<Box<dyn Rows>> {
        Ok(Box::new(NdJson(Lines::open(path, pages)?)))
    }
}

impl Rows for NdJson {
    fn write(&mut self, rows: &[Row]) -> Result<()> {
        self.0.write(rows, |text, row, pages| {
            let (event, source, device) = names(row);
            let (time, page) = (time(row), pages.name(row));
            write!(
                text,
                r#"{{"visitor_id":"{:016x}","ts":"{time}","event":"{event}","page":"{page}","source":"{source}","device":"{device}""#,
                row.visitor
            )?;
            if row.cents > 0 {
                write!(text, r#","revenue":{}.{:02}"#, row.cents / 100, row.cents % 100)?;
            }
            text.push_str("}\n");
            Ok(())
        })
    }

    fn complete(self: Box<Self>) -> Result<Pending> {
        Ok(self.0.file)
    }
}
