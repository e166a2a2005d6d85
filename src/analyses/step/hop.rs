//! How the steps of a funnel follow each other.

use std::fmt;

use crate::units::Span;

/// How a step follows the one before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hop {
    pub kind: HopKind,
    /// The longest time from the step before: `>[10m]`.
    pub limit: Option<Span>,
}

/// What may lie between a step and the one before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HopKind {
    /// `>`: at the same time or later, whatever lies between.
    Eventually,
    /// `>>`: the very next event of the journey.
    Directly,
}

impl Hop {
    /// `>` without a limit.
    pub const EVENTUALLY: Hop = Hop { kind: HopKind::Eventually, limit: None };
}

impl fmt::Display for Hop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.kind {
            HopKind::Eventually => ">",
            HopKind::Directly => ">>",
        })?;
        self.limit.map_or(Ok(()), |limit| write!(f, "[{limit}]"))
    }
}
