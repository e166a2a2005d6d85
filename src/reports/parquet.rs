//! One tidy table as Parquet, with types: for warehouses and data frames.
//!
//! | values | type |
//! |---|---|
//! | texts | string |
//! | counts | 64-bit integer: signed, because many warehouses have no other |
//! | rates, seconds, numbers | 64-bit float |
//! | money | decimal(38, 6), exact |
//! | times | timestamp in µs, UTC |
//!
//! Every column may be null. A column's type is that of its values; one without values has the type that [`kind_of_name`]
//! knows, so that files of different days fit together. What else is in an answer stands in the file's key-value metadata:
//! `clickpath.schema`, `.name` and `.table` as text, `.rules`, `.account` and `.notes` as JSON.

mod rows;

use std::io::Write;
use std::sync::Arc;

use arrow_array::{
    ArrayRef, Decimal128Array, Float64Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray,
};
use arrow_schema::{Field, Schema, SchemaRef};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;

use super::json::line;
use super::{Answer, Cell, Format, Options, OutputFile, RowWriter, Table, only_table, table_files};
use crate::error::{Error, Result};

/// The report's first table, or the one asked for.
pub struct Parquet;

/// Digits of money, and those after the point.
const MONEY: (u8, i8) = (38, 6);

/// Rows of one row group: those of the group at hand wait in memory.
const GROUP: usize = 1 << 17;

impl Format for Parquet {
    fn name(&self) -> &'static str {
        "parquet"
    }

    fn suffixes(&self) -> &'static [&'static str] {
        &["parquet"]
    }

    fn is_binary(&self) -> bool {
        true
    }

    fn render(&self, answers: &[Answer], options: &Options) -> Result<Vec<u8>> {
        let table = only_table(self, answers, options)?;
        // A table comes from an answer, of which there is one.
        answers.first().map_or_else(|| Ok(Vec::new()), |answer| file_of(&table, answer))
    }

    fn files(&self, answer: &Answer, _options: &Options) -> Result<Vec<OutputFile>> {
        table_files(self, answer, |table| file_of(table, answer))
    }

    fn holds_rows(&self) -> bool {
        true
    }

    fn rows(&self, schema: &SchemaRef, out: Box<dyn Write + Send>, _options: &Options) -> Result<Box<dyn RowWriter>> {
        Ok(Box::new(rows::ParquetRows::new(schema, out)?))
    }
}

fn file_of(table: &Table, answer: &Answer) -> Result<Vec<u8>> {
    let batch = batch(table)?;
    let metadata = metadata(table.name, answer)?;
    let mut bytes = Vec::new();
    let written = properties().and_then(|properties| {
        let mut writer = ArrowWriter::try_new(&mut bytes, batch.schema(), Some(properties))?;
        writer.write(&batch)?;
        metadata.into_iter().for_each(|entry| writer.append_key_value_metadata(entry));
        writer.close()
    });
    written.map_err(|error| unwritten(table, &error))?;
    Ok(bytes)
}

fn unwritten(table: &Table, error: &dyn std::fmt::Display) -> Error {
    Error::bug(format!("the table {} cannot be written as Parquet: {error}", table.name))
}

/// How all of our files are written.
fn properties() -> parquet::errors::Result<WriterProperties> {
    let compression = Compression::ZSTD(ZstdLevel::try_new(3)?);
    Ok(WriterProperties::builder().set_compression(compression).set_max_row_group_row_count(Some(GROUP)).build())
}

fn metadata(table: &str, answer: &Answer) -> Result<Vec<KeyValue>> {
    let entry = |key: &str, value: String| KeyValue::new(format!("clickpath.{key}"), value);
    let json = |key: &str, value: Result<Vec<u8>>| {
        let text = String::from_utf8_lossy(&value?).trim_end().to_owned();
        Ok(entry(key, text))
    };
    Ok(vec![
        entry("schema", answer.schema.clone()),
        entry("name", answer.name.clone()),
        entry("table", table.to_owned()),
        json("rules", line(&answer.rules))?,
        json("account", line(&answer.account))?,
        json("notes", line(&answer.notes))?,
    ])
}

/// The table as typed columns.
fn batch(table: &Table) -> Result<RecordBatch> {
    let (mut fields, mut arrays) = (Vec::new(), Vec::new());
    for (place, name) in table.columns.iter().enumerate() {
        let cells = || table.rows.iter().map(move |row| row.get(place).unwrap_or(&Cell::Null));
        let kind = kind_of(cells()).unwrap_or_else(|| kind_of_name(name));
        let array = array(kind, cells()).ok_or_else(|| {
            Error::limit(format!("the column {name} has a value that no Parquet type of ours can hold"))
                .hint("write the answer as csv, which has no such limit")
        })?;
        fields.push(Field::new(name, array.data_type().clone(), true));
        arrays.push(array);
    }
    RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays).map_err(|error| unwritten(table, &error))
}

/// What the values of a column are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Text,
    Count,
    Float,
    Money,
    Time,
}

impl Kind {
    fn of(cell: &Cell) -> Option<Kind> {
        match cell {
            Cell::Null => None,
            Cell::Text(_) => Some(Kind::Text),
            Cell::Count(_) | Cell::Integer(_) => Some(Kind::Count),
            Cell::Rate(_) | Cell::Seconds(_) | Cell::Number(_) => Some(Kind::Float),
            Cell::Money(_) => Some(Kind::Money),
            Cell::Time(_) => Some(Kind::Time),
        }
    }

    /// What holds values of both kinds.
    fn with(self, other: Kind) -> Kind {
        match (self, other) {
            (one, other) if one == other => one,
            (Kind::Count | Kind::Float, Kind::Count | Kind::Float) => Kind::Float,
            _ => Kind::Text,
        }
    }
}

fn kind_of<'a>(cells: impl Iterator<Item = &'a Cell>) -> Option<Kind> {
    cells.filter_map(Kind::of).reduce(Kind::with)
}

/// What a column without values would hold. Names of columns follow rules, which a test holds all questions to.
fn kind_of_name(name: &str) -> Kind {
    const COUNTS: [&str; 47] = [
        "abandoned",
        "beyond",
        "bytes",
        "checkouts",
        "clicks",
        "completed",
        "conversions",
        "converting_sessions",
        "converting_visitors",
        "count",
        "crossed",
        "crossings",
        "dropped",
        "ended",
        "entered",
        "entries",
        "errors",
        "event_names",
        "events",
        "exits",
        "journey",
        "journeys",
        "length",
        "loops",
        "lost",
        "lost_after_crossing",
        "never_purchased",
        "nodes",
        "number",
        "page_views",
        "pages",
        "paths",
        "position",
        "rage",
        "reached",
        "recovered",
        "repeats",
        "session",
        "sessions",
        "slow",
        "started",
        "stretches",
        "through",
        "too_recent",
        "visitors",
        "with_goal",
        "purchases",
    ];
    const FLOATS: [&str; 5] = ["excess_drops", "expected_exits", "lift", "low", "high"];
    let ends_in = |ends: &[&str]| ends.iter().any(|end| name.ends_with(end));
    let has_word = |word: &str| name.split('_').any(|part| part == word);
    match name {
        name if COUNTS.contains(&name) => Kind::Count,
        name if FLOATS.contains(&name) || name.starts_with("of_") => Kind::Float,
        _ if ends_in(&["_s", "share", "probability", "_low", "_high", "_mean", "_median", "_p90", "_p95"]) => {
            Kind::Float
        }
        _ if has_word("rate") || name.contains("_per_") => Kind::Float,
        _ if has_word("value") => Kind::Money,
        _ if ends_in(&["first_event", "last_event", "time"]) => Kind::Time,
        _ => Kind::Text,
    }
}

/// The column; nothing if a value does not fit into the type.
fn array<'a>(kind: Kind, cells: impl Iterator<Item = &'a Cell>) -> Option<ArrayRef> {
    let array: ArrayRef = match kind {
        Kind::Text => Arc::new(cells.map(text).collect::<StringArray>()),
        Kind::Count => Arc::new(cells.map(count).collect::<Option<Int64Array>>()?),
        Kind::Float => Arc::new(cells.map(float).collect::<Float64Array>()),
        Kind::Money => {
            let (digits, scale) = MONEY;
            let amounts = cells.map(money).collect::<Decimal128Array>();
            let amounts = amounts.with_precision_and_scale(digits, scale).ok()?;
            amounts.validate_decimal_precision(digits).ok()?;
            Arc::new(amounts)
        }
        Kind::Time => Arc::new(cells.map(time).collect::<TimestampMicrosecondArray>().with_timezone("UTC")),
    };
    Some(array)
}

/// The text of any value: a column of several kinds is text.
fn text(cell: &Cell) -> Option<String> {
    match cell {
        Cell::Null => None,
        Cell::Text(text) => Some(text.clone()),
        other => match other.json() {
            serde_json::Value::Null => None,
            serde_json::Value::String(text) => Some(text),
            value => Some(value.to_string()),
        },
    }
}

fn count(cell: &Cell) -> Option<Option<i64>> {
    match cell {
        Cell::Count(value) => i64::try_from(*value).ok().map(Some),
        Cell::Integer(value) => Some(Some(*value)),
        _ => Some(None),
    }
}

fn float(cell: &Cell) -> Option<f64> {
    match cell {
        Cell::Rate(value) | Cell::Seconds(value) | Cell::Number(value) => {
            Some(*value).filter(|value| value.is_finite())
        }
        Cell::Count(value) => Some(*value as f64),
        Cell::Integer(value) => Some(*value as f64),
        _ => None,
    }
}

fn money(cell: &Cell) -> Option<i128> {
    match cell {
        Cell::Money(millionths) => Some(*millionths),
        _ => None,
    }
}

fn time(cell: &Cell) -> Option<i64> {
    match cell {
        Cell::Time(micros) => Some(*micros),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
