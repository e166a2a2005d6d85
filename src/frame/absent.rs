//! The engine of a build without polars: there is none, and no expression is ever parsed.

use arrow_array::{ArrayRef, BooleanArray};

use crate::error::{Error, Result};

/// What an expression would be. Nothing makes one.
#[derive(Clone, Debug)]
pub(super) struct Tree;

#[derive(Debug, Default)]
pub(super) struct Evaluation {}

fn none() -> Error {
    Error::question("this build has no SQL (built without the feature polars)")
        .hint("use a build with all features: cargo build --release")
}

pub(super) fn parse(_text: &str) -> Result<(Tree, Vec<String>)> {
    Err(none())
}

pub(super) fn matches(_: &mut Evaluation, _: &str, _: &Tree, _: &[ArrayRef], _: usize) -> Result<BooleanArray> {
    Err(none())
}

pub(super) fn values(_: &mut Evaluation, _: &str, _: &Tree, _: &[ArrayRef], _: usize) -> Result<ArrayRef> {
    Err(none())
}
