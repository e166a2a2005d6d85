//! The rows of a question that answers with rows, for people.

use std::io::Write;

use arrow_array::cast::AsArray;
use arrow_array::types::TimestampMicrosecondType;
use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_schema::SchemaRef;
use serde_json::Value;

use super::super::rows::{unwritten, value};
use super::{Cell, left_out, table_lines};
use crate::error::Result;
use crate::reports::{Answer, Options, RowWriter, Table};

/// Keeps the first rows and counts the others.
pub(super) struct FirstRows {
    table: Table,
    hidden: u64,
    out: Box<dyn Write + Send>,
    options: Options,
}

impl FirstRows {
    pub fn new(schema: &SchemaRef, out: Box<dyn Write + Send>, options: Options) -> Self {
        let columns = schema.fields().iter().map(|field| field.name().clone()).collect();
        FirstRows { table: Table { name: "rows", columns, rows: Vec::new() }, hidden: 0, out, options }
    }
}

impl RowWriter for FirstRows {
    fn write(&mut self, rows: &RecordBatch) -> Result<()> {
        let shown = rows.num_rows().min(self.options.rows.saturating_sub(self.table.rows.len()));
        let schema = rows.schema();
        let row = |row: usize| {
            let columns = schema.fields().iter().zip(rows.columns());
            columns.map(|(field, column)| cell(field.name(), column, row)).collect()
        };
        self.table.rows.extend((0..shown).map(row));
        self.hidden += (rows.num_rows() - shown) as u64;
        Ok(())
    }

    fn finish(mut self: Box<Self>, _answer: &Answer) -> Result<()> {
        let mut lines = table_lines(&self.table, "", &self.options);
        lines.extend(left_out(self.hidden, "-o FILE.csv"));
        let text = lines.join("\n") + "\n";
        self.out.write_all(text.as_bytes()).and_then(|()| self.out.flush()).map_err(|error| unwritten(&error))
    }
}

fn cell(name: &str, column: &ArrayRef, row: usize) -> Cell {
    let times = column.as_primitive_opt::<TimestampMicrosecondType>();
    if let Some(times) = times.filter(|times| times.is_valid(row)) {
        return Cell::Time(times.value(row));
    }
    match &value(column, row) {
        Value::Null => Cell::Null,
        Value::Bool(value) => Cell::Text(if *value { "yes" } else { "no" }.to_owned()),
        Value::String(text) => Cell::Text(text.clone()),
        Value::Number(number) => match number.as_u64() {
            Some(count) => Cell::Count(count),
            None if name.ends_with("_s") => number.as_f64().map_or(Cell::Null, Cell::Seconds),
            None => number.as_f64().map_or(Cell::Null, Cell::Number),
        },
        Value::Array(items) => {
            let texts: Vec<String> =
                items.iter().map(|item| item.as_str().map_or(item.to_string(), str::to_owned)).collect();
            Cell::Text(texts.join(" > "))
        }
        other => Cell::Text(other.to_string()),
    }
}
