//! Data frames: what polars can scan becomes columns, and columns become a data frame.

use arrow_array::ArrayRef;
use polars::prelude::{Column, DataFrame, DataType, LazyFrame, PlSmallStr, PolarsError, PolarsResult, col};

use super::bridge;
use crate::error::{Error, Result};

/// A lazy frame whose columns are known and whose rows are not.
#[derive(Clone)]
pub struct Lazy {
    frame: LazyFrame,
    columns: Vec<String>,
}

/// Some columns of a lazy frame, all rows.
pub struct Collected(DataFrame);

impl Lazy {
    /// Finds the columns; reads no row.
    pub fn new(mut frame: LazyFrame) -> Result<Lazy> {
        let schema = frame.collect_schema().map_err(failed)?;
        let columns = schema.iter_names().map(ToString::to_string).collect();
        Ok(Lazy { frame, columns })
    }

    /// The names of the columns, in order.
    pub fn columns(&self) -> &[String] {
        &self.columns
    }

    /// Reads the columns of the given numbers, with the threads of polars (`POLARS_MAX_THREADS`). The rows keep their order.
    pub fn collect(&self, columns: impl IntoIterator<Item = usize>) -> Result<Collected> {
        let columns: Vec<_> = columns.into_iter().map(|column| col(self.columns[column].as_str())).collect();
        let frame = self.frame.clone().select(columns).collect().map_err(failed)?;
        Ok(Collected(frame))
    }
}

impl Collected {
    /// How many rows each column has.
    pub fn rows(&self) -> usize {
        self.0.height()
    }

    /// At most `length` rows from row `start` on: one array per column.
    pub fn slice(&self, start: usize, length: usize) -> Result<Vec<ArrayRef>> {
        let part = self.0.slice(start as i64, length);
        part.columns().iter().map(|column| array(column).map_err(failed)).collect()
    }
}

/// A column in a type that the rest of the program reads; what is none of those (a category) becomes text.
fn array(column: &Column) -> PolarsResult<ArrayRef> {
    let of = column.dtype();
    let known = matches!(of, DataType::Boolean | DataType::String | DataType::Binary | DataType::Date | DataType::Null);
    let column = if known || of.is_primitive_numeric() || matches!(of, DataType::Datetime(..)) {
        column.clone()
    } else {
        column.cast(&DataType::String)?
    };
    bridge::from_polars(column.as_materialized_series())
}

/// Columns of equal length as a data frame. Texts must be UTF-8.
pub fn data_frame(columns: &[(String, ArrayRef)]) -> Result<DataFrame> {
    let rows = columns.first().map_or(0, |(_, array)| array.len());
    let column =
        |(name, array): &(String, ArrayRef)| bridge::to_polars(PlSmallStr::from_str(name), array).map(Column::from);
    let columns = columns.iter().map(column).collect::<PolarsResult<Vec<_>>>();
    columns.and_then(|columns| DataFrame::new(rows, columns)).map_err(failed)
}

fn failed(error: PolarsError) -> Error {
    Error::input(format!("polars: {error}"))
}
