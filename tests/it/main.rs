//! The program as its users meet it: run as a process, judged by what it prints and writes.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a test fails by a panic, and says what it skips"
)]

mod cases;
mod chdb;
mod differential;
mod faults;
#[cfg(feature = "polars")]
mod frame;
mod generated;
mod hostile;
mod invariance;
mod layering;
mod pipes;
mod readme;
mod real;
mod reference;
mod schemas;
mod shop;
mod shop_wide;
mod support;
mod terminal;
mod three_ways;
mod types;
