//! Steps that stand for those before them: a funnel whose order is that of its steps alone, not that of the events.

use super::options::{StepOrder, Times};
use super::{FunnelSpec, TieOrder};
use crate::analyses::step::Hop;
use crate::analyses::steps::{OnRepeat, Trail};
use crate::error::{Error, Result};

/// The steps of a mask and all before them.
pub fn with_those_before(mask: u64) -> u64 {
    u64::MAX.checked_shr(mask.leading_zeros()).unwrap_or(0)
}

/// Lets each event of a trail fill the steps before its own.
pub fn fill(trail: &mut Trail) {
    trail.hits.iter_mut().for_each(|hit| hit.mask = with_those_before(hit.mask));
}

/// Refuses what has no meaning where a later step stands for an earlier one.
pub fn check(spec: &FunnelSpec, hops: &[Hop]) -> Result<()> {
    let refused = [
        (hops.iter().any(|hop| *hop != Hop::EVENTUALLY), "hops of a kind or with a limit"),
        (spec.open || spec.order == Some(StepOrder::Any), "steps to enter at"),
        (spec.times == Some(Times::Increasing), "increasing times"),
        (spec.reuse == Some(false), "events for each step"),
        (spec.on_repeat.is_some_and(|rule| rule != OnRepeat::Ignore), "repeats that end an attempt"),
        (spec.ties.is_some_and(|ties| ties != TieOrder::Any), "orders of equal times"),
        (!spec.exclude.is_empty(), "exclusions between steps"),
        (!spec.scan.is_empty(), "scans"),
    ];
    match refused.into_iter().find(|(refused, _)| *refused && spec.backfill == Some(true)) {
        Some((_, what)) => {
            Err(Error::question(format!("where a later step stands for those before it there are no {what}"))
                .hint("leave --backfill out, or the other"))
        }
        None => Ok(()),
    }
}
