//! Commands that are not an analysis.

pub mod inspect;
