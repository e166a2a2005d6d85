//! The values of rows, as text formats write them.

use std::io::Write;
use std::path::Path;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, TimestampMicrosecondType, UInt32Type, UInt64Type};
use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_schema::DataType;
use serde_json::Value;

use super::{Answer, RowWriter, number};
use crate::error::{Error, Result};

/// The value of a row as it stands in JSON: as those of reports, see [`Cell::json`](super::Cell::json).
pub(super) fn value(array: &ArrayRef, row: usize) -> Value {
    if array.is_null(row) {
        return Value::Null;
    }
    match array.data_type() {
        DataType::Utf8 => Value::from(array.as_string::<i32>().value(row)),
        DataType::UInt32 => Value::from(array.as_primitive::<UInt32Type>().value(row)),
        DataType::UInt64 => Value::from(array.as_primitive::<UInt64Type>().value(row)),
        DataType::Float64 => Value::from(array.as_primitive::<Float64Type>().value(row)),
        DataType::Boolean => Value::from(array.as_boolean().value(row)),
        DataType::Timestamp(..) => {
            Value::from(number::time(array.as_primitive::<TimestampMicrosecondType>().value(row)))
        }
        DataType::List(_) => {
            let items = array.as_list::<i32>().value(row);
            (0..items.len()).map(|at| value(&items, at)).collect()
        }
        // Rows are made of the types above; whatever else comes is shown rather than lost.
        other => Value::from(format!("({other})")),
    }
}

/// Writes rows as text, each by itself.
pub(super) struct TextRows<F> {
    out: Box<dyn Write + Send>,
    /// Appends a row, given its values.
    line: F,
    text: Vec<u8>,
}

impl<F: FnMut(&RecordBatch, usize, &mut Vec<u8>) -> Result<()> + Send> TextRows<F> {
    /// Rows after a first `head`, which is written at once.
    pub fn new(mut out: Box<dyn Write + Send>, head: &[u8], line: F) -> Result<Self> {
        out.write_all(head).map_err(|error| unwritten(&error))?;
        Ok(TextRows { out, line, text: Vec::new() })
    }
}

impl<F: FnMut(&RecordBatch, usize, &mut Vec<u8>) -> Result<()> + Send> RowWriter for TextRows<F> {
    fn write(&mut self, rows: &RecordBatch) -> Result<()> {
        self.text.clear();
        for row in 0..rows.num_rows() {
            (self.line)(rows, row, &mut self.text)?;
        }
        self.out.write_all(&self.text).map_err(|error| unwritten(&error))
    }

    fn finish(mut self: Box<Self>, _answer: &Answer) -> Result<()> {
        self.out.flush().map_err(|error| unwritten(&error))
    }
}

/// The error of an output that cannot be written; the output itself says its name.
pub(super) fn unwritten(error: &std::io::Error) -> Error {
    Error::io(Path::new("the rows"), error)
}
