//! The engine of a build with polars.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, BooleanArray};

use super::columns::given;
pub(super) use super::evaluate::Evaluation;
use super::sql;
use super::tree::{Node, Type};
use crate::error::Result;

/// A checked expression, shared by all who ask it.
pub(super) type Tree = Arc<Node>;

pub(super) fn parse(text: &str) -> Result<(Tree, Vec<String>)> {
    let (node, columns) = sql::read(text)?;
    Ok((Arc::new(node), columns))
}

pub(super) fn matches(
    evaluation: &mut Evaluation,
    text: &str,
    tree: &Tree,
    columns: &[ArrayRef],
    rows: usize,
) -> Result<BooleanArray> {
    let array = evaluation.value(text, tree, columns, rows, Some(Type::Truth))?;
    let array = array.as_boolean();
    Ok(match array.nulls() {
        None => array.clone(),
        Some(nulls) => BooleanArray::new(array.values() & nulls.inner(), None),
    })
}

pub(super) fn values(
    evaluation: &mut Evaluation,
    text: &str,
    tree: &Tree,
    columns: &[ArrayRef],
    rows: usize,
) -> Result<ArrayRef> {
    evaluation.value(text, tree, columns, rows, None).map(given)
}
