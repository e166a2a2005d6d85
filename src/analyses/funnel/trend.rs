//! Of those who entered in an hour, day, week or month, how many went on.
//!
//! A journey counts once in each period in which it enters, by the reported attempt of those that begin there.

use chrono_tz::Tz;

use super::counts::FunnelCounts;
use super::follow::{Follow, Work};
use crate::analyses::periods::Period;
use crate::analyses::step::Hit;
use crate::analyses::steps::Entry;
use crate::counts::Counts;
use crate::error::Result;
use crate::ids::Code;
use crate::journeys::{Journey, Visitor, local};

/// How entries are told apart.
pub struct Trend {
    /// What time is cut into.
    pub period: Period,
    /// Whose clocks count.
    pub zone: Tz,
}

/// Journeys by period of the entry and step that they get to.
pub type TrendCounts = Counts<u64, u64>;

/// More than the number of the last step.
const STEPS: u64 = 64;

/// Those who entered in one period.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrendRow {
    /// The period of the entry, by local date: `2024-05-01T13`, `2024-05-01`, `2024-W18` or `2024-05`.
    pub period: String,
    /// How many of them get to each step; to the first all do.
    pub steps: Vec<u64>,
}

impl Trend {
    /// Takes in a journey that enters: with the entry `best` by the best attempt of each period, else by each attempt.
    pub fn count(
        &self,
        follow: &Follow,
        work: &mut Work,
        counts: &mut FunnelCounts,
        visitor: Visitor<'_>,
        journey: Journey<'_>,
        steps: u64,
    ) {
        let period = |time: i64| self.period.code(local(self.zone, time));
        let mut add = |attempt: &[Hit]| {
            let first = u64::from(period(attempt[0].time)) * STEPS;
            for (step, _) in (0..).zip(attempt).filter(|(_, hit)| !hit.is_skipped()) {
                *counts.trend.at(&(first + step)) += 1;
            }
        };
        if follow.plan.entry != Entry::Best {
            return follow.attempts(work, visitor, journey, steps, add);
        }
        let mut entries = follow.entries(work, visitor, journey);
        entries.sort_unstable();
        for entries in entries.chunk_by(|a, b| period(*a) == period(*b)) {
            let range = entries[0]..entries[entries.len() - 1] + 1;
            follow.attempts_within(&range, work, visitor, journey, steps, &mut add);
        }
    }

    /// The periods in which anybody entered, in the order of time.
    ///
    /// # Errors
    /// If what is on disk cannot be read.
    pub fn finish(&self, counts: TrendCounts, steps: usize) -> Result<Vec<TrendRow>> {
        let mut periods: Vec<(Code, Vec<u64>)> = Vec::new();
        counts.drain_in_order(|&number, journeys| {
            let (code, step) = ((number / STEPS) as Code, (number % STEPS) as usize);
            if periods.last().is_none_or(|(last, _)| *last != code) {
                periods.push((code, vec![0; steps]));
            }
            if let Some((_, steps)) = periods.last_mut() {
                steps[step] += journeys;
            }
        })?;
        Ok(periods.into_iter().map(|(code, steps)| TrendRow { period: self.period.name(code), steps }).collect())
    }
}
