//! Funnels that are matched by a scan: what they cannot have.

use super::options::{StepOrder, WindowFrom};
use super::{FunnelSpec, TieOrder, Window};
use crate::analyses::step::Hop;
use crate::analyses::steps::{Entry, OnRepeat, ScanMode};
use crate::error::{Error, Result};

/// Refuses what a scan does not know.
pub fn check(spec: &FunnelSpec, hops: &[Hop], window: Window) -> Result<()> {
    if spec.scan.is_empty() {
        return Ok(());
    }
    let has = |mode| spec.scan.contains(&mode);
    let entered = spec.entry.is_some_and(|entry| entry != Entry::Best);
    let shaped = spec.open || spec.order == Some(StepOrder::Any);
    let repeats = spec.on_repeat.is_some_and(|rule| rule != OnRepeat::Ignore);
    let ordered = spec.ties.is_some_and(|ties| ties != TieOrder::Step);
    let measured = matches!(window, Window::Sessions(_) | Window::Events(_));
    let refused = [
        (hops.iter().any(|hop| *hop != Hop::EVENTUALLY), "has no hops of a kind or with a limit"),
        (shaped, "takes steps in their order from the first on"),
        (ordered, "takes events of equal time in the order of the steps"),
        (measured, "has a duration as its window, the session, or none"),
        (spec.window_from == Some(WindowFrom::Previous), "has one window for all steps"),
        (spec.times.is_some(), "has no order of times but by its mode strict-increase"),
        (spec.reuse == Some(false), "lets one event fill several steps"),
        (repeats, "ends at repeats by its mode strict-deduplication alone"),
        (!spec.exclude.is_empty(), "has no attempts that exclusions could end"),
        (!spec.hold.is_empty(), "has no attempts that could hold a value"),
        (entered, "keeps the last attempt at each step, however it began"),
        (
            spec.strict_among.is_some() && !has(ScanMode::StrictOrder),
            "looks at steps alone, but in its mode strict-order",
        ),
        (has(ScanMode::AllowReentry) && !has(ScanMode::StrictOrder), "allows reentry in its mode strict-order alone"),
    ];
    match refused.into_iter().find(|(refused, _)| *refused) {
        Some((_, reason)) => {
            Err(Error::question(format!("a scan {reason}")).hint("leave --scan out, or what contradicts it"))
        }
        None => Ok(()),
    }
}
