//! The order of equal times, and of times that are nearly so.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::options::{Times, WindowFrom};
use super::{FunnelSpec, Window};
use crate::analyses::step::Hop;
use crate::analyses::steps::OnRepeat;
use crate::error::{Error, Result};
use crate::units::Span;

/// Which order events of equal time may be used in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum TieOrder {
    /// Any order.
    #[default]
    Any,
    /// The order of the log.
    Arrival,
    /// By the first step that each fits, those that fit none last.
    Step,
    /// Any order, and a step may come this much before the one before it. Each step is filled by the first event that may.
    Grace(Span),
}

impl TieOrder {
    /// How far a step may come before the one before it, in µs, if the order has a grace.
    pub fn grace(self) -> Option<i64> {
        match self {
            TieOrder::Grace(span) => Some(span.0),
            TieOrder::Any | TieOrder::Arrival | TieOrder::Step => None,
        }
    }

    /// Refuses what a grace does not go with. `removes`: an exclusion removes journeys.
    pub fn check_grace(self, spec: &FunnelSpec, hops: &[Hop], window: Window, removes: bool) -> Result<()> {
        let repeats = spec.on_repeat.is_some_and(|rule| rule != OnRepeat::Ignore);
        let refused = [
            (hops.iter().any(|hop| *hop != Hop::EVENTUALLY), "a hop of a kind or with a limit"),
            (spec.window_from == Some(WindowFrom::Previous), "a window from step to step"),
            (matches!(window, Window::Events(_)), "a window of so many events"),
            (spec.open, "an open funnel"),
            (spec.times == Some(Times::Increasing), "increasing times"),
            (spec.reuse == Some(true), "an event that fills several steps"),
            (repeats, "a repeat that ends an attempt"),
            (removes, "an exclusion that removes"),
        ];
        match refused.into_iter().find(|(refused, _)| *refused && self.grace().is_some()) {
            Some((_, what)) => Err(Error::question(format!("{what} cannot be had with --ties {self}"))
                .hint("say --ties any, or leave the other out")),
            None => Ok(()),
        }
    }
}

impl FromStr for TieOrder {
    type Err = Error;

    fn from_str(text: &str) -> Result<TieOrder> {
        match (text, text.strip_prefix("grace:")) {
            ("any", _) => Ok(TieOrder::Any),
            ("arrival", _) => Ok(TieOrder::Arrival),
            ("step", _) => Ok(TieOrder::Step),
            (_, Some(span)) => span.parse().map(TieOrder::Grace),
            _ => Err(Error::question(format!("{text:?} is no order of equal times"))
                .hint("say any, arrival, step, or grace and a duration: --ties grace:2s")),
        }
    }
}

impl fmt::Display for TieOrder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TieOrder::Any => f.write_str("any"),
            TieOrder::Arrival => f.write_str("arrival"),
            TieOrder::Step => f.write_str("step"),
            TieOrder::Grace(span) => write!(f, "grace:{span}"),
        }
    }
}

impl TryFrom<String> for TieOrder {
    type Error = Error;

    fn try_from(text: String) -> Result<TieOrder> {
        text.parse()
    }
}

impl From<TieOrder> for String {
    fn from(order: TieOrder) -> String {
        order.to_string()
    }
}
