//! The rows of a question that answers with rows, as Parquet.

use std::io::Write;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{UInt32Type, UInt64Type};
use arrow_array::{ArrayRef, Int64Array, RecordBatch};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use parquet::arrow::ArrowWriter;
use parquet::errors::ParquetError;

use super::{metadata, properties};
use crate::error::{Error, ErrorKind, Result};
use crate::reports::{Answer, RowWriter};

/// Writes rows group by group; what is known of the answer at the end goes into the metadata.
pub(super) struct ParquetRows {
    schema: SchemaRef,
    writer: ArrowWriter<Box<dyn Write + Send>>,
}

impl ParquetRows {
    pub fn new(schema: &SchemaRef, out: Box<dyn Write + Send>) -> Result<Self> {
        let fields = schema.fields().iter().map(|field| signed_field(field));
        let schema: SchemaRef = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        let writer = properties().and_then(|properties| ArrowWriter::try_new(out, schema.clone(), Some(properties)));
        Ok(ParquetRows { writer: writer.map_err(|error| unwritten(&error))?, schema })
    }
}

impl RowWriter for ParquetRows {
    fn write(&mut self, rows: &RecordBatch) -> Result<()> {
        let columns = rows.columns().iter().map(signed).collect::<Result<_>>()?;
        let rows = RecordBatch::try_new(self.schema.clone(), columns);
        let rows = rows.map_err(|error| Error::bug(format!("rows cannot be written as Parquet: {error}")))?;
        self.writer.write(&rows).map_err(|error| unwritten(&error))
    }

    fn finish(mut self: Box<Self>, answer: &Answer) -> Result<()> {
        for entry in metadata("rows", answer)? {
            self.writer.append_key_value_metadata(entry);
        }
        self.writer.close().map(|_| ()).map_err(|error| unwritten(&error))
    }
}

/// The type that a column has in our files: counts are signed there, see [`super`].
fn signed_field(field: &Field) -> Field {
    match field.data_type() {
        DataType::UInt32 | DataType::UInt64 => field.clone().with_data_type(DataType::Int64),
        _ => field.clone(),
    }
}

fn signed(column: &ArrayRef) -> Result<ArrayRef> {
    let too_large = |error| Error::limit(format!("a count is too large for Parquet: {error}"));
    Ok(match column.data_type() {
        DataType::UInt32 => {
            Arc::new(column.as_primitive::<UInt32Type>().unary::<_, arrow_array::types::Int64Type>(i64::from))
        }
        DataType::UInt64 => {
            let counts = column.as_primitive::<UInt64Type>();
            let counts: Int64Array = counts.try_unary(i64::try_from).map_err(too_large)?;
            Arc::new(counts)
        }
        _ => Arc::clone(column),
    })
}

/// The output says its own name.
fn unwritten(error: &ParquetError) -> Error {
    match error {
        ParquetError::External(error) => Error::new(ErrorKind::Io, format!("the rows: {error}")),
        error => Error::bug(format!("rows cannot be written as Parquet: {error}")),
    }
}
