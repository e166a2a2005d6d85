//! Commands that are not an analysis.

pub mod check;
pub mod completions;
pub mod generate;
pub mod inspect;
pub mod man;
