//! What a funnel counts of the reported attempts.

use std::sync::Arc;

use super::between::{Between, BetweenCounts};
use super::bound::BoundFunnel;
use super::compare::{self, SideCounts};
use super::drivers::DriverCounts;
use super::dropped::DroppedNext;
use super::explain::Explained;
use super::histogram::Histogram;
use super::trend::TrendCounts;
use super::{Count, FunnelReport, Shape, StepRow};
use crate::analyses::step::Hit;
use crate::counts::Grid;
use crate::durations::ExactDurations;
use crate::error::Result;
use crate::ids::NO_VALUE;
use crate::journeys::{Journey, Names};
use crate::rates::{rate, wilson};
use crate::spill::Spill;

/// What a funnel counts.
#[derive(Clone, Debug)]
pub struct FunnelCounts {
    /// Journeys of the grain; visitors if these are counted by their best session.
    pub(super) journeys: u64,
    /// Those with an attempt.
    pub(super) entering: u64,
    /// Those who begin less than one window before the log ends.
    pub(super) open: u64,
    steps: Vec<StepCounts>,
    /// By step the journeys that have an event of it, for a funnel without an order.
    having: Vec<u64>,
    /// The visitor that is asked for.
    pub(super) explained: Explained,
    /// From the first step to the last, of those who did all of at least two.
    times: Histogram,
    /// What the dropped did next, if that was asked for.
    next: Option<Grid<u64>>,
    /// What lies between the steps, if that was asked for.
    pub(super) between: Option<BetweenCounts>,
    /// Empty if it was not asked for.
    pub(super) trend: TrendCounts,
    /// Both sides of each comparison, if there are any.
    pub(super) sides: Option<SideCounts>,
    /// What goes with converting, if that was asked for.
    pub(super) drivers: Option<DriverCounts>,
}

/// What is counted of those who reach a step.
#[derive(Clone, Debug, Default)]
struct StepCounts {
    entered: u64,
    /// Of those who entered an open funnel's step, the ones who came from the step before.
    continued: u64,
    /// Of all steps but the first.
    from_previous: ExactDurations,
    /// Of the third step and those behind it: for the second both times are one.
    from_first: ExactDurations,
    /// Sum of the values of the step's events, in millionths, and how many had one.
    value: i128,
    valued: u64,
}

impl FunnelCounts {
    /// Nothing yet.
    pub fn new(funnel: &BoundFunnel) -> FunnelCounts {
        let steps = funnel.steps.len();
        FunnelCounts {
            journeys: 0,
            entering: 0,
            open: 0,
            steps: vec![StepCounts::default(); steps],
            having: vec![0; steps],
            explained: Explained::default(),
            times: Histogram::default(),
            next: funnel.dropped_next.as_ref().map(DroppedNext::counts),
            between: funnel.between.as_ref().map(Between::counts),
            trend: TrendCounts::default(),
            drivers: funnel.drivers.as_ref().map(|_| DriverCounts::default()),
            sides: funnel.comparing.as_ref().map(|comparing| comparing.counts(steps)),
        }
    }

    /// Takes in the reported attempt of a journey: for each step reached the event that fills it.
    #[inline]
    pub fn add(&mut self, funnel: &BoundFunnel, attempt: &[Hit], journey: Journey<'_>) {
        let Some(&Hit { time: start, .. }) = attempt.first() else { return };
        let rules = &funnel.follow.plan.rules;
        let mut previous = start;
        for (number, (step, hit)) in self.steps.iter_mut().zip(attempt).enumerate() {
            if hit.is_skipped() {
                continue;
            }
            step.count(journey.values().get(hit.at as usize).copied());
            if rules.is_optional(number + 1) {
                continue;
            }
            if number > 0 {
                step.from_previous.add(hit.time - previous);
            }
            if number > 1 {
                step.from_first.add(hit.time - start);
            }
            previous = hit.time;
        }
        if attempt.len() < self.steps.len() {
            if let (Some(next), Some(counts)) = (&funnel.dropped_next, &mut self.next) {
                next.count(counts, &attempt[..rules.depth(attempt.len())], journey);
            }
        } else if attempt.len() > 1 {
            self.times.add(previous - start);
        }
    }

    /// Takes in that a journey comes to a step of an open funnel, by its event alone or behind that of the step before.
    pub fn come(&mut self, step: usize, events: &[Hit], journey: Journey<'_>) {
        let counts = &mut self.steps[step];
        let Some(last) = events.last() else { return };
        counts.count(journey.values().get(last.at as usize).copied());
        if let [before, _] = events {
            counts.continued += 1;
            counts.from_previous.add(last.time - before.time);
        }
    }

    /// Takes in which steps a journey has events of.
    pub fn have(&mut self, steps: u64) {
        self.having.iter_mut().enumerate().for_each(|(step, count)| *count += steps >> step & 1);
    }

    /// Adds the counts of other journeys.
    pub fn merge(&mut self, from: FunnelCounts) {
        self.journeys += from.journeys;
        self.entering += from.entering;
        self.open += from.open;
        self.steps.iter_mut().zip(from.steps).for_each(|(into, from)| into.merge(from));
        self.having.iter_mut().zip(from.having).for_each(|(into, from)| *into += from);
        self.times.merge(&from.times);
        self.explained.merge(from.explained);
        if let (Some(into), Some(from)) = (&mut self.next, from.next) {
            into.merge(from);
        }
        if let (Some(into), Some(from)) = (&mut self.between, from.between) {
            into.merge(from);
        }
        self.trend.merge(from.trend);
        if let (Some(into), Some(from)) = (&mut self.sides, from.sides) {
            compare::merge(into, &from);
        }
        if let (Some(into), Some(from)) = (&mut self.drivers, from.drivers) {
            into.merge(from);
        }
    }

    /// What `funnel` answers with.
    ///
    /// # Errors
    /// If what is on disk cannot be read.
    pub fn finish(self, funnel: &BoundFunnel, names: &Names) -> Result<FunnelReport> {
        let explained = funnel.explain.is_some().then(|| self.explained.table(&funnel.slots, names));
        let shape = funnel.follow.shape;
        let entered: Vec<u64> = self.steps.iter().map(|step| step.entered).collect();
        let continued: Vec<u64> = match shape {
            Shape::Open => self.steps.iter().map(|step| step.continued).collect(),
            Shape::Ordered | Shape::Unordered => entered.clone(),
        };
        let titles = funnel.steps.iter().enumerate().map(|(at, name)| match shape {
            Shape::Unordered => format!("{} of {}", at + 1, funnel.steps.len()),
            Shape::Ordered | Shape::Open => name.clone(),
        });
        let had = funnel.steps.iter().cloned().zip(self.having);
        let having = if shape == Shape::Unordered { had.collect() } else { Vec::new() };
        let rules = &funnel.follow.plan.rules;
        // By step the one before it, and the one behind it, that cannot be left out.
        let required: Vec<usize> = (0..entered.len()).filter(|step| !rules.is_optional(step + 1)).collect();
        let steps = self.steps.into_iter().zip(titles).enumerate();
        // A journey may have several attempts: they are no part of the journeys.
        let journeys = if matches!(funnel.count, Count::Attempts | Count::Held) { 0 } else { self.journeys };
        let rows = steps.map(|(at, (step, name))| {
            if rules.is_optional(at + 1) {
                return Ok(step.finish_alone(name));
            }
            let next = required.iter().find(|&&next| next > at);
            let neighbours = [required.iter().rfind(|&&previous| previous < at), next].map(Option::<&usize>::copied);
            let mut row = step.finish(name, at, neighbours, &entered, &continued, journeys)?;
            if shape == Shape::Open {
                row.of_first = None;
                row.from_first = None;
                row.continued = Some(continued[at]);
            }
            Ok(row)
        });
        let mut rows: Vec<StepRow> = rows.collect::<Result<_>>()?;
        if let (Some(next), Some(counts)) = (&funnel.dropped_next, self.next) {
            let next = next.finish(counts, names)?;
            rows.iter_mut().zip(next).for_each(|(row, next)| row.dropped_next = Some(next));
        }
        let comparison = funnel.comparing.as_ref().zip(self.sides);
        let comparison = comparison.map(|(comparing, sides)| comparing.finish(sides, &rows, shape));
        let drivers = funnel.drivers.as_ref().zip(self.drivers);
        let drivers = drivers.map(|(drivers, counts)| drivers.finish(counts, names)).transpose()?;
        let between = match (&funnel.between, self.between) {
            (Some(between), Some(counts)) => Some(between.finish(counts, &entered, names)?),
            _ => None,
        };
        Ok(FunnelReport {
            comparison,
            drivers,
            title: funnel.title.clone(),
            journeys: self.journeys,
            never_entered: self.journeys - self.entering,
            open_entries: funnel.open_after.filter(|_| shape == Shape::Ordered).map(|_| self.open),
            having,
            explained,
            between,
            steps: rows,
            histogram: self.times.bins(),
            trend: funnel.trend.as_ref().map(|trend| trend.finish(self.trend, funnel.steps.len())).transpose()?,
        })
    }

    /// Bytes in use.
    pub fn bytes(&self) -> usize {
        let times = self.steps.iter().map(|step| step.from_previous.bytes() + step.from_first.bytes());
        let drivers = self.drivers.as_ref().map_or(0, DriverCounts::bytes);
        let between = self.between.as_ref().map_or(0, BetweenCounts::bytes);
        let asked = self.next.as_ref().map_or(0, Grid::bytes) + self.trend.bytes() + drivers + between;
        times.sum::<usize>()
            + self.steps.capacity() * size_of::<StepCounts>()
            + self.times.bytes()
            + self.explained.bytes()
            + asked
    }

    /// Writes what can be on disk.
    ///
    /// # Errors
    /// If the disk is full or fails.
    pub fn relieve(&mut self, spill: &Arc<Spill>) -> Result<()> {
        let mut times = self.steps.iter_mut().flat_map(|step| [&mut step.from_previous, &mut step.from_first]);
        times.try_for_each(|times| times.relieve(spill))?;
        self.next.as_mut().map_or(Ok(()), |next| next.relieve(spill))?;
        self.drivers.as_mut().map_or(Ok(()), |drivers| drivers.relieve(spill))?;
        self.between.as_mut().map_or(Ok(()), |between| between.relieve(spill))?;
        self.trend.relieve(spill)
    }
}

impl StepCounts {
    fn count(&mut self, value: Option<i64>) {
        self.entered += 1;
        if let Some(value) = value.filter(|value| *value != NO_VALUE) {
            self.value += i128::from(value);
            self.valued += 1;
        }
    }

    fn merge(&mut self, from: StepCounts) {
        self.entered += from.entered;
        self.continued += from.continued;
        self.from_previous.merge(from.from_previous);
        self.from_first.merge(from.from_first);
        self.value += from.value;
        self.valued += from.valued;
    }

    /// The row of a step that may be left out: who did it, and what for.
    fn finish_alone(&self, step: String) -> StepRow {
        StepRow {
            step,
            entered: self.entered,
            of_first: None,
            of_previous: None,
            of_all: None,
            interval: None,
            dropped: None,
            continued: None,
            from_previous: None,
            from_first: None,
            value: (self.valued > 0).then_some(self.value),
            dropped_next: None,
        }
    }

    /// The row of step number `at`, from 0; `neighbours` are the steps before and behind it that cannot be left out, `entered` and
    /// `continued` the counts of all steps.
    fn finish(
        self,
        step: String,
        at: usize,
        neighbours: [Option<usize>; 2],
        entered: &[u64],
        continued: &[u64],
        journeys: u64,
    ) -> Result<StepRow> {
        let of = |whole| rate(self.entered, whole);
        let [previous, next] = neighbours;
        let alone = self.finish_alone(step);
        let from_previous = self.from_previous.summary(90)?;
        let from_first = if at == 1 { from_previous } else { self.from_first.summary(90)? };
        Ok(StepRow {
            of_first: of(entered[0]),
            of_previous: previous.map_or(of(entered[0]), |previous| rate(continued[at], entered[previous])),
            of_all: of(journeys),
            interval: wilson(self.entered, journeys),
            dropped: Some(self.entered - next.map_or(self.entered, |next| continued[next])),
            from_previous,
            from_first,
            ..alone
        })
    }
}
