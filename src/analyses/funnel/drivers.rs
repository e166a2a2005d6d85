//! What goes with converting: the events between the entry and the end of an attempt, and the values of dimensions there.
//!
//! Of the journeys that enter, those with such an event or value are held against those without. What fits a step or is excluded is
//! left out: it would drive trivially.

mod report;

use std::num::NonZeroU64;
use std::ops::Range;
use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::TieOrder;
use super::bound::BoundFunnel;
use super::follow::Work;
use super::options::{Count, Options, Shape, WindowFrom};
use super::report::FunnelReport;
use super::{FunnelSpec, Window};
use crate::analyses::facts::{Facts, Lender};
use crate::analyses::step::Hit;
use crate::analyses::{By, Grain, Notes, PathScope};
use crate::contrast::{Contrast, Share, holm};
use crate::counts::Counts;
use crate::error::{Error, Result};
use crate::ids::{Code, MISSING};
use crate::journeys::{Journey, Names, Needs, View, Visitor};
use crate::spill::Spill;
use crate::units::Top;
pub use report::{Driver, DriverReport};

/// What is asked about drivers.
#[derive(Clone, Debug)]
pub struct Drivers {
    shown: Top,
    /// The dimensions whose values are looked at.
    dims: Vec<String>,
    /// How many journeys there must be with and without one.
    support: u64,
}

/// The least support that the normal approximations are any good for.
const SUPPORT: u64 = 10;

impl Drivers {
    /// What `spec` asks, if it does. Refuses what a funnel of this kind cannot answer.
    pub fn new(spec: &FunnelSpec, steps: usize, options: &Options, grain: Grain) -> Result<Option<Drivers>> {
        let Some(shown) = spec.drivers else {
            if spec.driver_dim.is_empty() && spec.min_support.is_none() {
                return Ok(None);
            }
            return Err(
                Error::question("--driver-dim and --min-support are about drivers").hint("ask for them: --drivers 20")
            );
        };
        let dims = &spec.driver_dim;
        let twice = dims.iter().enumerate().any(|(at, name)| dims[..at].contains(name));
        let one_value = dims.iter().any(|name| name.starts_with("first:") || name.starts_with("last:"));
        let refused = [
            (steps < 2, "of one step all who enter convert", "name a second step, or leave --drivers out"),
            (
                options.shape != Shape::Ordered,
                "drivers lie between the entry and the last step of steps in their order",
                "leave --open and --order any out",
            ),
            (
                matches!(options.count, Count::Attempts | Count::Held),
                "drivers are told by journeys with one attempt each",
                "leave --entry each, --entry all and --count held out",
            ),
            (twice, "a dimension drives once", "name each --driver-dim once"),
            (one_value, "every value of a driver's column counts", "name the column alone: --driver-dim device"),
        ];
        if let Some((_, reason, hint)) = refused.into_iter().find(|(refused, ..)| *refused) {
            return Err(Error::question(reason).hint(hint));
        }
        if grain == Grain::Visitor {
            By::refuse_session_facts(dims)?;
        }
        let support = spec.min_support.map_or(SUPPORT, NonZeroU64::get);
        Ok(Some(Drivers { shown, dims: dims.clone(), support }))
    }

    /// The question as it is printed.
    pub fn rules(&self) -> Map<String, Value> {
        let mut rules = Map::new();
        rules.insert("drivers".into(), json!(self.shown));
        if !self.dims.is_empty() {
            rules.insert("driver_dim".into(), json!(self.dims));
        }
        rules.insert("min_support".into(), json!(self.support));
        rules.insert("correction".into(), json!("holm"));
        rules
    }

    /// What must be read for the dimensions.
    pub fn needs(&self) -> Needs {
        By::needs(&self.dims)
    }
}

/// The search for drivers, bound to the names of a run.
pub struct DriverSearch {
    asked: Drivers,
    view: View,
    dims: Vec<By>,
    facts: Facts,
    ties: TieOrder,
    reach: Reach,
}

/// How far the events of those reach who do not convert.
#[derive(Clone, Copy, Debug)]
enum Reach {
    /// To the end of the journey.
    Journey,
    /// So long from the first step on.
    FromFirst(i64),
    /// So long from the last step on that they did.
    FromLast(i64),
    /// So many sessions after that of the first step.
    Sessions(i64),
    /// So many events after the first step.
    Events(usize),
}

impl Reach {
    fn new(window: Window, from: WindowFrom) -> Reach {
        match (window, from) {
            (Window::Of(span), WindowFrom::First) => Reach::FromFirst(span.0),
            (Window::Of(span), WindowFrom::Previous) => Reach::FromLast(span.0),
            (Window::Sessions(count), _) => Reach::Sessions(i64::from(count) - 1),
            (Window::Events(count), _) => Reach::Events(count as usize - 1),
            (Window::Session | Window::None, _) => Reach::Journey,
        }
    }
}

/// What is counted of drivers.
#[derive(Clone, Debug, Default)]
pub struct DriverCounts {
    entered: Share,
    /// By candidate the journeys with it, and how many of them converted.
    with: Counts<u64, [u64; 2]>,
}

impl DriverCounts {
    /// Adds the counts of other journeys.
    pub fn merge(&mut self, from: DriverCounts) {
        self.entered.part += from.entered.part;
        self.entered.whole += from.entered.whole;
        self.with.merge(from.with);
    }

    /// Bytes in use outside of the value itself.
    pub fn bytes(&self) -> usize {
        self.with.bytes()
    }

    /// Writes what can be on disk.
    ///
    /// # Errors
    /// If the disk is full or fails.
    pub fn relieve(&mut self, spill: &Arc<Spill>) -> Result<()> {
        self.with.relieve(spill)
    }
}

/// The kind of a candidate that is an event; those of dimensions follow.
const EVENT: u64 = 0;

/// A candidate as a number.
fn candidate(kind: u64, code: Code) -> u64 {
    kind << 32 | u64::from(code)
}

impl DriverSearch {
    /// Bound to the names of a run. Warns of names and groups that the log has no use for.
    pub fn new(
        asked: &Drivers,
        (window, options): (Window, &Options),
        scope: &PathScope,
        names: &Names,
        notes: &mut Notes,
    ) -> Result<DriverSearch> {
        Ok(DriverSearch {
            asked: asked.clone(),
            view: scope.view(names, notes)?,
            dims: asked.dims.iter().map(|name| By::new(name, names)).collect::<Result<_>>()?,
            facts: Facts::new(&scope.common.conventions, names),
            ties: options.ties,
            reach: Reach::new(window, options.window_from),
        })
    }

    /// Takes in a visitor that may reach the steps in the mask `steps`.
    pub fn count(
        &self,
        funnel: &BoundFunnel,
        work: &mut Work,
        counts: &mut DriverCounts,
        visitor: Visitor<'_>,
        steps: u64,
    ) {
        if funnel.counts_best() {
            let sessions = visitor.numbered(funnel.unit);
            let best = funnel.follow.best(&funnel.follow.entered, work, visitor, sessions, steps);
            return best.iter().for_each(|(number, session, attempt)| {
                self.take(funnel, work, counts, (*number, *session), attempt);
            });
        }
        let mut attempt = Vec::new();
        for journey in visitor.numbered(funnel.unit) {
            attempt.clear();
            funnel.follow.attempts(work, visitor, journey.1, steps, |hits| attempt.extend_from_slice(hits));
            self.take(funnel, work, counts, journey, &attempt);
        }
    }

    /// Takes in the one attempt of a journey, if it has one.
    fn take(
        &self,
        funnel: &BoundFunnel,
        work: &Work,
        counts: &mut DriverCounts,
        (number, journey): (u32, Journey<'_>),
        attempt: &[Hit],
    ) {
        let Some(entry) = attempt.first() else { return };
        let converted = attempt.len() == funnel.steps.len();
        counts.entered.whole += 1;
        counts.entered.part += u64::from(converted);
        let mut met = Vec::new();
        self.lend(journey, entry.at as usize, &mut met);
        let follow = &funnel.follow;
        for at in self.between(funnel, work, journey, attempt, converted) {
            if follow.matcher.mask(journey, at) != 0 || follow.excludes(journey, at) != 0 {
                continue;
            }
            let node = journey.nodes(self.view.nodes)[at];
            if self.view.shows(node) {
                met.push(candidate(EVENT, node));
            }
            self.lend(journey, at, &mut met);
        }
        for (kind, by) in (EVENT + 1..).zip(&self.dims) {
            let Lender::Fact(fact) = by.lender else { continue };
            let code = self.facts.code(fact, number, journey);
            if !fact.of_pages() || code != MISSING {
                met.push(candidate(kind, code));
            }
        }
        met.sort_unstable();
        met.dedup();
        for candidate in met {
            let [with, with_converted] = counts.with.at(&candidate);
            *with += 1;
            *with_converted += u64::from(converted);
        }
    }

    /// The values of dimensions that event number `at` of a journey has.
    fn lend(&self, journey: Journey<'_>, at: usize, met: &mut Vec<u64>) {
        for (kind, by) in (EVENT + 1..).zip(&self.dims) {
            let Lender::First(dimension) = by.lender else { continue };
            let code = journey.dimension(dimension)[at];
            if code != MISSING {
                met.push(candidate(kind, code));
            }
        }
    }

    /// The events between the entry and the last step or, for who does not convert, the end of the window. What is between is settled as
    /// for exclusions: under `ties any` what is later and earlier, under other orders what stands there.
    fn between(
        &self,
        funnel: &BoundFunnel,
        work: &Work,
        journey: Journey<'_>,
        attempt: &[Hit],
        converted: bool,
    ) -> Range<usize> {
        let (times, first, last) = (journey.times(), attempt[0], attempt[attempt.len() - 1]);
        let until = |time: i64| times.partition_point(|other| *other <= time);
        let start = match self.ties {
            TieOrder::Any | TieOrder::Grace(_) => until(first.time),
            // The events of the first step's time that fit no step come behind it.
            TieOrder::Step => times.partition_point(|time| *time < first.time),
            TieOrder::Arrival => first.at as usize + 1,
        };
        let end = match (converted, self.ties) {
            (true, TieOrder::Arrival) => last.at as usize,
            (true, _) => times.partition_point(|time| *time < last.time),
            (false, _) => match self.reach {
                Reach::Journey => journey.len(),
                Reach::FromFirst(window) => until(first.time.saturating_add(window)),
                Reach::FromLast(window) => until(last.time.saturating_add(window)),
                Reach::Events(more) => journey.len().min(first.at as usize + 1 + more),
                Reach::Sessions(more) => {
                    let session = |at: usize| funnel.follow.session(work, at);
                    let last = session(first.at as usize) + more;
                    (start..journey.len()).find(|&at| session(at) > last).unwrap_or(journey.len())
                }
            },
        };
        start..end.max(start)
    }

    /// All candidates with support; they are still to be corrected and ranked.
    ///
    /// # Errors
    /// If what is on disk cannot be read.
    pub fn finish(&self, counts: DriverCounts, names: &Names) -> Result<DriverReport> {
        let DriverCounts { entered, with } = counts;
        let mut report = DriverReport::default();
        with.drain_in_order(|&candidate, [whole, part]| {
            let with = Share { part, whole };
            let without = Share { part: entered.part - part, whole: entered.whole - whole };
            if with.whole.min(without.whole) < self.asked.support {
                report.too_rare += 1;
                return;
            }
            let (kind, code) = (candidate >> 32, candidate as Code);
            let dimension = kind.checked_sub(EVENT + 1).map(|at| &self.dims[at as usize]);
            report.rows.push(Driver {
                kind: if dimension.is_some() { "dimension" } else { "event" },
                name: match dimension {
                    Some(by) => by.name.clone(),
                    None => names.node_names(self.view.nodes).name(code).to_owned(),
                },
                value: dimension.map(|by| by.value(code, names).1),
                contrast: Contrast { a: without, b: with },
                p_corrected: None,
            });
        })?;
        Ok(report)
    }

    /// Corrects the p values of all reports of an answer, which are one family of tests, and leaves the best of each.
    pub fn settle(&self, reports: &mut [&mut FunnelReport]) {
        let mut all: Vec<&mut DriverReport> = reports.iter_mut().filter_map(|report| report.drivers.as_mut()).collect();
        let p: Vec<f64> = all.iter().flat_map(|report| &report.rows).filter_map(|row| row.contrast.p()).collect();
        let mut corrected = holm(&p).into_iter();
        for report in &mut all {
            for row in &mut report.rows {
                row.p_corrected = row.contrast.p().and_then(|_| corrected.next());
            }
            report.rows.sort_by(Driver::rank);
            report.rows.truncate(self.asked.shown.limit());
            report.tests = p.len() as u64;
        }
    }
}
