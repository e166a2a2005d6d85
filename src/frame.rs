//! SQL over the columns of events: the only file that names polars.

use arrow_array::{ArrayRef, BooleanArray};

use crate::error::{Error, Result};

/// A row-wise SQL expression, checked when it is parsed.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Expression {
    text: String,
    columns: Vec<String>,
}

impl Expression {
    /// Parses `text` and checks that it looks at one row at a time.
    pub fn parse(text: &str) -> Result<Expression> {
        Err(Error::question(format!("the SQL expression {text:?} cannot be asked yet")))
    }

    /// The expression as the user wrote it.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The names of the columns that it looks at.
    pub fn columns(&self) -> &[String] {
        &self.columns
    }

    /// Which of the `rows` rows fulfil the expression; null is no match. `columns` has an array for each of [`Self::columns`].
    pub fn matches(&self, _columns: &[ArrayRef], _rows: usize) -> Result<BooleanArray> {
        Err(Error::question(format!("the SQL expression {:?} cannot be asked yet", self.text)))
    }

    /// The value of the expression in each of the `rows` rows.
    pub fn values(&self, _columns: &[ArrayRef], _rows: usize) -> Result<ArrayRef> {
        Err(Error::question(format!("the SQL expression {:?} cannot be asked yet", self.text)))
    }
}
