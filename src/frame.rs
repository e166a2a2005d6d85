//! SQL over the columns of events, and the bridge to data frames: the only place that names polars.
//!
//! An expression is read once and checked to look at one row at a time; polars evaluates it over batches of columns. Its types follow from
//! the expression and the types of the columns, never from values, so that no cut of the log into batches changes an answer.

#[cfg(feature = "polars")]
mod bridge;
#[cfg(feature = "polars")]
mod columns;
#[cfg(feature = "polars")]
mod data;
#[cfg(feature = "polars")]
mod evaluate;
#[cfg(feature = "polars")]
mod functions;
#[cfg(feature = "polars")]
mod kernels;
#[cfg(feature = "polars")]
mod plan;
#[cfg(feature = "polars")]
mod sql;
#[cfg(feature = "polars")]
mod tree;

#[cfg(not(feature = "polars"))]
mod absent;
#[cfg(not(feature = "polars"))]
use absent as engine;
#[cfg(feature = "polars")]
mod engine;
#[cfg(all(test, feature = "polars"))]
mod tests;

use std::hash::{Hash, Hasher};

#[cfg(feature = "polars")]
pub use polars::prelude::{DataFrame, LazyFrame};

use arrow_array::{ArrayRef, BooleanArray};

use crate::error::Result;
#[cfg(feature = "polars")]
pub use data::{Collected, Lazy, data_frame};

/// A row-wise SQL expression, checked when it is parsed. Expressions of the same text are equal.
#[derive(Clone, Debug)]
pub struct Expression {
    text: String,
    columns: Vec<String>,
    tree: engine::Tree,
}

impl PartialEq for Expression {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Expression {}

impl Hash for Expression {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.text.hash(state);
    }
}

impl Expression {
    /// Parses `text` and checks that it looks at one row at a time.
    pub fn parse(text: &str) -> Result<Expression> {
        let text = text.trim();
        let (tree, columns) = engine::parse(text)?;
        Ok(Expression { text: text.to_owned(), columns, tree })
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
    pub fn matches(&self, columns: &[ArrayRef], rows: usize) -> Result<BooleanArray> {
        Evaluator::new(self).matches(columns, rows)
    }

    /// The value of the expression in each of the `rows` rows: an array of texts (views), `Int64`, `Float64`, truth values, days or
    /// times in µs UTC.
    pub fn values(&self, columns: &[ArrayRef], rows: usize) -> Result<ArrayRef> {
        Evaluator::new(self).values(columns, rows)
    }
}

/// Evaluates an expression over batch after batch, and plans it only when the types of the columns change.
pub struct Evaluator {
    expression: Expression,
    evaluation: engine::Evaluation,
}

impl Evaluator {
    /// Plans nothing yet: that takes the types of the columns.
    pub fn new(expression: &Expression) -> Evaluator {
        Evaluator { expression: expression.clone(), evaluation: engine::Evaluation::default() }
    }

    /// The expression that is evaluated.
    pub fn expression(&self) -> &Expression {
        &self.expression
    }

    /// Like [`Expression::matches`].
    pub fn matches(&mut self, columns: &[ArrayRef], rows: usize) -> Result<BooleanArray> {
        engine::matches(&mut self.evaluation, &self.expression.text, &self.expression.tree, columns, rows)
    }

    /// Like [`Expression::values`].
    pub fn values(&mut self, columns: &[ArrayRef], rows: usize) -> Result<ArrayRef> {
        engine::values(&mut self.evaluation, &self.expression.text, &self.expression.tree, columns, rows)
    }
}
