//! Customer journeys from exported page-view and event logs: behaviour flow, funnels, conversion and abandonment, exactly.
//!
//! ```
//! use clickpath::{FlowSpec, FunnelSpec, Run};
//!
//! # fn main() -> clickpath::Result<()> {
//! let mut run = Run::over(["sample-data/shop.csv.gz"]);
//! let funnel = run.ask(FunnelSpec::of("catalog > product_view > add_to_cart > purchase"))?;
//! let flow = run.ask(FlowSpec { depth: Some(3), ..FlowSpec::default() })?;
//! let answers = run.answer()?; // reads the log once
//!
//! let entered: Vec<u64> = answers.report(funnel).total.steps.iter().map(|step| step.entered).collect();
//! assert_eq!(entered, [600, 591, 410, 160]);
//! let first = &answers.report(flow).total.columns[0][0];
//! assert_eq!((first.node.as_str(), first.through), ("home", 1148));
//! # Ok(())
//! # }
//! ```
//!
//! A question folds over whole visitors: files are read as numbered splits ([`sources`]), become events ([`events`]), are scattered into
//! partitions of whole visitors ([`journeys`]), and every question of a run is asked of each partition ([`analyses`]); what comes out is
//! rendered by [`reports`]. [`pipeline`] is the whole run. `ARCHITECTURE.md` has the picture.

pub mod analyses;
pub mod budget;
pub mod cli;
pub mod contrast;
pub mod counts;
pub mod dictionary;
pub mod durations;
pub mod error;
pub mod events;
pub mod frame;
pub mod generate;
pub mod ids;
pub mod journeys;
pub mod pipeline;
pub mod rates;
pub mod reports;
pub mod sources;
pub mod spill;
pub mod sync;
pub mod units;

pub use analyses::abandonment::AbandonmentSpec;
pub use analyses::flow::FlowSpec;
pub use analyses::funnel::FunnelSpec;
pub use analyses::graph::GraphSpec;
pub use analyses::summary::SummarySpec;
pub use analyses::{CommonSpec, Grain};
pub use error::{Error, Result};
pub use pipeline::{Answers, Handle, Input, Limits, Run};

#[cfg(test)]
mod testing;
