//! Customer journeys from exported page-view and event logs: behaviour flow, funnels, conversion and abandonment, exactly.
//!
//! ```
//! use clickpath::analyses::funnel::FunnelSpec;
//! use clickpath::analyses::{CommonSpec, Spec};
//! use clickpath::pipeline::{self, Asked, Input, Limits, Progress};
//!
//! # fn main() -> clickpath::error::Result<()> {
//! let steps = Some("catalog > product_view > add_to_cart > purchase".into());
//! let funnel = FunnelSpec { steps, ..FunnelSpec::default() };
//! let common = CommonSpec::default().resolve(false)?;
//! let asked = [Asked { name: "purchase".to_owned(), question: funnel.resolve(common)? }];
//!
//! let input = Input::of(["sample-data/shop.csv.gz"]);
//! let outcome = pipeline::run(&input, &asked, &Limits::default(), &Progress::default())?;
//! assert_eq!(outcome.answers[0].report.json()["steps"][3]["entered"], 160);
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
pub mod counts;
pub mod dictionary;
pub mod durations;
pub mod error;
pub mod events;
pub mod frame;
pub mod ids;
pub mod journeys;
pub mod pipeline;
pub mod rates;
pub mod reports;
pub mod sources;
pub mod sync;
pub mod units;

#[cfg(test)]
mod testing;
