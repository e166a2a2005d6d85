//! Customer journeys from exported page-view and event logs.
pub mod analyses;
pub mod budget;
pub mod cli;
pub mod counts;
pub mod dictionary;
pub mod durations;
pub mod error;
pub mod events;
pub mod ids;
pub mod journeys;
pub mod pipeline;
pub mod rates;
pub mod reports;
pub mod sources;
pub mod units;

#[cfg(test)]
mod testing;
