//! The funnel bound to the names of a run: what it takes in of every visitor.

use std::ops::Range;
use std::sync::Arc;

use super::between::{Between, BetweenCounts};
use super::compare::{self, Comparing};
use super::counts::FunnelCounts;
use super::drivers::DriverSearch;
use super::dropped::DroppedNext;
use super::follow::{Follow, Work};
use super::options::{Count, Shape};
use super::report::FunnelReport;
use super::trend::Trend;
use super::visitors::VisitorRows;
use crate::analyses::step::Hit;
use crate::analyses::{Analysis, Rows};
use crate::error::Result;
use crate::ids::Code;
use crate::journeys::{Journey, Names, Unit, Visitor};
use crate::spill::Spill;

/// A funnel bound to the names of a run.
pub struct BoundFunnel {
    pub follow: Arc<Follow>,
    pub unit: Unit,
    pub count: Count,
    /// The visitor that is shown.
    pub explain: Option<String>,
    pub trend: Option<Trend>,
    pub dropped_next: Option<DroppedNext>,
    pub comparing: Option<Comparing>,
    pub drivers: Option<DriverSearch>,
    pub between: Option<Between>,
    pub visitors: Option<VisitorRows>,
    pub steps: Vec<String>,
    /// What events fit: the steps, and instead of a block its members.
    pub slots: Vec<String>,
    pub title: String,
    pub open_after: Option<i64>,
    /// When the first step was asked to be, if entries that are too late are left out.
    pub asked: Option<Range<i64>>,
}

impl Analysis for BoundFunnel {
    type Work = Work;
    type Partial = FunnelCounts;
    type Report = FunnelReport;

    fn unit(&self) -> Unit {
        self.unit
    }

    fn meet(&self, work: &mut Work, visitor: Visitor<'_>) {
        self.follow.begin(work, visitor);
    }

    /// A value among the events that fit a step breaks a funnel down.
    fn touches(&self, work: &Work, visitor: Visitor<'_>, journey: Journey<'_>, at: usize) -> bool {
        self.follow.mask(work, visitor, journey, at) != 0
    }

    fn series(&self, work: &mut Work, visitor: Visitor<'_>) -> Option<Vec<(Vec<Code>, u32)>> {
        let series = self.follow.series.as_ref()?;
        let mut all = Vec::new();
        for (number, journey) in visitor.numbered(self.unit) {
            let values = series.values(&self.follow, work, visitor, journey);
            all.extend(values.into_iter().map(|value| (value, number)));
        }
        Some(all)
    }

    fn observe_in(&self, work: &mut Work, counts: &mut FunnelCounts, visitor: Visitor<'_>, segment: &[Code]) {
        work.value = Some(segment.to_vec());
        self.observe(work, counts, visitor);
        work.value = None;
    }

    fn rows(&self) -> Option<&dyn Rows> {
        self.visitors.as_ref().map(|rows| rows as &dyn Rows)
    }

    fn empty(&self) -> FunnelCounts {
        FunnelCounts::new(self)
    }

    fn observe(&self, work: &mut Work, counts: &mut FunnelCounts, visitor: Visitor<'_>) {
        let steps = self.follow.matcher.may_fit(visitor);
        self.follow.begin(work, visitor);
        counts.between.iter_mut().for_each(BetweenCounts::next_visitor);
        if self.explain.as_ref().is_some_and(|asked| visitor.id() == asked) {
            self.explain(work, counts, visitor, steps);
        }
        if let (Some(comparing), Some(sides)) = (&self.comparing, &mut counts.sides) {
            comparing.count(self, work, sides, visitor, steps);
        }
        if let (Some(drivers), Some(counts)) = (&self.drivers, &mut counts.drivers) {
            drivers.count(self, work, counts, visitor, steps);
        }
        if self.counts_best() {
            return self.observe_best(work, counts, visitor, steps);
        }
        for journey in visitor.journeys(self.unit) {
            counts.journeys += 1;
            let mut entered = false;
            if self.follow.shape == Shape::Open {
                self.follow.steps(work, visitor, journey, steps, |step, events| {
                    counts.come(step, events, journey);
                    entered = true;
                });
                counts.entering += u64::from(entered);
                continue;
            }
            self.follow.attempts(work, visitor, journey, steps, |attempt| {
                self.take(counts, visitor, journey, attempt);
                entered = true;
            });
            counts.entering += u64::from(entered);
            if let (Some(asked), Some(after)) = (&self.asked, self.open_after) {
                self.follow.attempts_within(asked, work, visitor, journey, steps, |attempt| {
                    counts.open += u64::from(attempt[0].time > after);
                });
            }
            if let Some(trend) = self.trend.as_ref().filter(|_| entered) {
                trend.count(&self.follow, work, counts, visitor, journey, steps);
            }
            if self.follow.shape == Shape::Unordered {
                counts.have(self.follow.fitting(work));
            }
        }
    }

    fn merge(&self, into: &mut FunnelCounts, from: FunnelCounts) {
        into.merge(from);
    }

    fn finish(&self, counts: FunnelCounts, names: &Names) -> Result<FunnelReport> {
        counts.finish(self, names)
    }

    fn settle(&self, reports: &mut [&mut FunnelReport]) {
        compare::settle(reports);
        if let Some(drivers) = &self.drivers {
            drivers.settle(reports);
        }
    }

    fn bytes(&self, counts: &FunnelCounts) -> usize {
        counts.bytes()
    }

    fn relieve(&self, counts: &mut FunnelCounts, spill: &Arc<Spill>) -> Result<()> {
        counts.relieve(spill)
    }
}

impl BoundFunnel {
    /// Takes in the events of the visitor that is shown.
    fn explain(&self, work: &mut Work, counts: &mut FunnelCounts, visitor: Visitor<'_>, steps: u64) {
        for journey in visitor.journeys(self.unit) {
            let mut attempts = Vec::new();
            self.follow.attempts(work, visitor, journey, steps, |attempt| attempts.push(attempt.to_vec()));
            let mask = |at: usize| self.follow.mask(work, visitor, journey, at);
            counts.explained.add(&self.follow, journey, mask, &attempts);
        }
    }

    /// Takes in a visitor by the best attempt of all sessions.
    fn observe_best(&self, work: &mut Work, counts: &mut FunnelCounts, visitor: Visitor<'_>, steps: u64) {
        counts.journeys += u64::from(visitor.journeys(self.unit).next().is_some());
        let sessions = visitor.numbered(self.unit);
        let best = self.follow.best(&self.follow.entered, work, visitor, sessions, steps);
        let Some((_, journey, attempt)) = best else { return };
        counts.entering += 1;
        self.take(counts, visitor, journey, &attempt);
    }

    /// Whether a visitor counts by the best of its sessions.
    pub fn counts_best(&self) -> bool {
        self.count == Count::Visitors && self.unit != Unit::Visitor
    }

    /// Takes in a reported attempt.
    fn take(&self, counts: &mut FunnelCounts, visitor: Visitor<'_>, journey: Journey<'_>, attempt: &[Hit]) {
        counts.open += u64::from(self.open_after.is_some_and(|after| attempt[0].time > after));
        counts.add(self, attempt, journey);
        if let (Some(between), Some(counts)) = (&self.between, &mut counts.between) {
            between.count(&self.follow, counts, visitor, journey, attempt);
        }
    }
}
