//! Whose value breaks a funnel down: that of one event of a journey, or, with a series for each value, those of many.

use serde::{Deserialize, Serialize};

use super::follow::{Follow, Work};
use super::options::{Count, Options, Shape};
use super::{FunnelSpec, TieOrder};
use crate::analyses::By;
use crate::analyses::step::Hit;
use crate::analyses::steps::{Effect, Entry, Trail};
use crate::error::{Error, Result};
use crate::ids::{Code, MISSING};
use crate::journeys::{Journey, Names, Visitor};

/// Whose value breaks a funnel down.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum Touch {
    /// The first that is not empty among the events that fit a step.
    #[default]
    First,
    /// The last of these.
    Last,
    /// Each value of these: the funnel over its events alone.
    All,
    /// Each value that an attempt has at this step, counted from 1.
    Step(usize),
    /// Each value of the events of the first step: of each value these alone open attempts.
    Entries,
}

impl std::str::FromStr for Touch {
    type Err = Error;

    fn from_str(text: &str) -> Result<Touch> {
        let step = |text: &str| text.strip_prefix("step:")?.parse().ok();
        match text {
            "first" => Ok(Touch::First),
            "last" => Ok(Touch::Last),
            "all" => Ok(Touch::All),
            "entries" => Ok(Touch::Entries),
            _ => step(text).map(Touch::Step).ok_or_else(|| {
                Error::question(format!("{text:?} does not say whose value counts"))
                    .hint("say first, last, all, entries, or step:2 for the second step")
            }),
        }
    }
}

impl std::fmt::Display for Touch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Touch::First => f.write_str("first"),
            Touch::Last => f.write_str("last"),
            Touch::All => f.write_str("all"),
            Touch::Step(step) => write!(f, "step:{step}"),
            Touch::Entries => f.write_str("entries"),
        }
    }
}

impl TryFrom<String> for Touch {
    type Error = Error;

    fn try_from(text: String) -> Result<Touch> {
        text.parse()
    }
}

impl From<Touch> for String {
    fn from(touch: Touch) -> String {
        touch.to_string()
    }
}

impl Touch {
    /// What `spec` says, unless it contradicts the breakdowns `by` or another option.
    pub fn new(spec: &FunnelSpec, by: &[String], options: &Options, steps: usize) -> Result<Touch> {
        let Some(touch) = spec.touch else { return Ok(Touch::First) };
        let refuse = |reason: String, hint: &str| Err(Error::question(reason).hint(hint));
        if by.is_empty() {
            return refuse(
                "--touch says whose value counts, and there is no --by".into(),
                "name a column: --by device",
            );
        }
        if let Some(name) = by.iter().find(|name| By::says_which(name)) {
            return refuse(format!("{name} says already which value counts"), "leave --touch out");
        }
        if !touch.has_series() {
            return Ok(touch);
        }
        if let Some(name) = by.iter().find(|name| By::is_fact(name)) {
            let reason = format!("{name} is a fact of a whole journey: no event of it has its own");
            return refuse(reason, "break down by columns, or say --touch first");
        }
        if let Touch::Step(step) = touch
            && !(1..=steps).contains(&step)
        {
            return refuse(format!("there is no step {step}"), &format!("the steps are numbered 1 to {steps}"));
        }
        match touch.contradiction(spec, options) {
            Some(reason) => refuse(format!("--touch {touch} {reason}"), "leave one of the two options out"),
            None => Ok(touch),
        }
    }

    /// Whether a journey may be counted for several values.
    fn has_series(self) -> bool {
        matches!(self, Touch::All | Touch::Step(_) | Touch::Entries)
    }

    /// Why another option cannot be had with a series for each value.
    fn contradiction(self, spec: &FunnelSpec, options: &Options) -> Option<&'static str> {
        let (all, step) = (self == Touch::All, matches!(self, Touch::Step(_) | Touch::Entries));
        let removes = options.exclusions.iter().any(|exclusion| exclusion.between.effect == Effect::Remove);
        let refused = [
            (spec.visitors_out.is_some(), "counts a journey for several values: --visitors-out has one row for it"),
            (all && options.ties == TieOrder::Step, "looks at the events of one value: it has no --ties step"),
            (all && spec.dropped_next.is_some(), "looks at the events of one value: it has no --dropped-next"),
            (all && spec.between.is_some(), "looks at the events of one value: it has no --between"),
            (step && options.shape != Shape::Ordered, "needs attempts at steps in their order"),
            (step && removes, "cannot tell the value of attempts that an exclusion removes"),
            (step && options.count == Count::Held, "counts attempts by another value than --count held"),
            (step && spec.trend.is_some(), "does not tell attempts by when they begin: it has no --trend"),
            (step && spec.mature, "does not tell attempts by when they begin: it has no --mature"),
        ];
        refused.into_iter().find(|(refused, _)| *refused).map(|(_, reason)| reason)
    }

    /// How attempts are told by their values of the columns `by`, if each value has a series.
    pub fn series(self, by: &[String], entry: Entry, names: &Names) -> Result<Option<Series>> {
        let every = matches!(entry, Entry::Each | Entry::All);
        let of = match self {
            Touch::First | Touch::Last => return Ok(None),
            Touch::All => Of::Events,
            Touch::Entries => Of::Step(0),
            // Which attempts there are is settled before the step has a value.
            Touch::Step(step) if every || step == 1 && entry != Entry::Best => Of::Attempts(step - 1),
            Touch::Step(step) => Of::Step(step - 1),
        };
        let dimensions = by.iter().map(|name| names.dimension(name)).collect::<Result<_>>()?;
        Ok(Some(Series { dimensions, of }))
    }
}

/// How the attempts of one value are told from others.
#[derive(Clone, Debug)]
pub struct Series {
    /// The columns that make a value.
    dimensions: Vec<usize>,
    of: Of,
}

/// What has the value of a series.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Of {
    /// Every event that is looked at.
    Events,
    /// Every event that may fill this step, from 0.
    Step(usize),
    /// The event that fills this step, of the attempts that there are.
    Attempts(usize),
}

impl Series {
    fn value(&self, journey: Journey<'_>, at: usize) -> Vec<Code> {
        self.dimensions.iter().map(|&dimension| journey.dimension(dimension)[at]).collect()
    }

    fn has(&self, value: &[Code], journey: Journey<'_>, at: usize) -> bool {
        self.dimensions.iter().zip(value).all(|(&dimension, code)| journey.dimension(dimension)[at] == *code)
    }

    /// The value of an attempt at the step of the series: that of none if it does not come so far.
    fn of_attempt(&self, step: usize, journey: Journey<'_>, attempt: &[Hit]) -> Vec<Code> {
        attempt
            .get(step)
            .filter(|hit| !hit.is_skipped())
            .map_or_else(|| self.none(), |hit| self.value(journey, hit.at as usize))
    }

    /// The value of who has none.
    fn none(&self) -> Vec<Code> {
        vec![MISSING; self.dimensions.len()]
    }

    /// Leaves of the hits of a journey what a series of `value` looks at.
    pub fn restrict(&self, value: &[Code], journey: Journey<'_>, trail: &mut Trail) {
        match self.of {
            Of::Events => {
                trail.hits.retain(|hit| self.has(value, journey, hit.at as usize));
                // To the others it is as if they were not there: what comes directly next is the next one of the value.
                let (mut before, mut from) = (0, 0);
                for hit in &trail.hits {
                    let at = hit.at as usize;
                    before += (from..at).filter(|&at| self.has(value, journey, at)).count() as u32;
                    from = at;
                    trail.ranks.push(before);
                }
            }
            Of::Step(step) => {
                let others = trail.hits.iter_mut().filter(|hit| !self.has(value, journey, hit.at as usize));
                others.for_each(|hit| hit.mask &= !(1 << step));
            }
            Of::Attempts(_) => {}
        }
    }

    /// Whether an attempt is of the series of `value`.
    pub fn counts(&self, value: &[Code], journey: Journey<'_>, attempt: &[Hit]) -> bool {
        match self.of {
            Of::Events | Of::Step(_) => true,
            Of::Attempts(step) => self.of_attempt(step, journey, attempt) == value,
        }
    }

    /// The values for which a journey is counted, at least one: who has none is counted for none.
    pub fn values(
        &self,
        follow: &Follow,
        work: &mut Work,
        visitor: Visitor<'_>,
        journey: Journey<'_>,
    ) -> Vec<Vec<Code>> {
        let mut values = match self.of {
            Of::Events => self.values_of_events(follow, work, visitor, journey, u64::MAX),
            Of::Step(step) => self.values_of_events(follow, work, visitor, journey, follow.plan.rules.slots_of(step)),
            Of::Attempts(step) => {
                let mut values = Vec::new();
                follow.all_attempts(work, visitor, journey, |attempt| {
                    values.push(self.of_attempt(step, journey, attempt));
                });
                values
            }
        };
        values.sort_unstable();
        values.dedup();
        if let Of::Step(step) = self.of {
            values.retain(|value| {
                let mut reached = false;
                work.value = Some(value.clone());
                follow.all_attempts(work, visitor, journey, |attempt| {
                    reached |= attempt.get(step).is_some_and(|hit| !hit.is_skipped());
                });
                reached
            });
            work.value = None;
        }
        if values.is_empty() {
            values.push(self.none());
        }
        values
    }

    /// The values of the events that fit one of the steps of a mask.
    fn values_of_events(
        &self,
        follow: &Follow,
        work: &Work,
        visitor: Visitor<'_>,
        journey: Journey<'_>,
        steps: u64,
    ) -> Vec<Vec<Code>> {
        let fits = |at: &usize| follow.mask(work, visitor, journey, *at) & steps != 0;
        (0..journey.len()).filter(fits).map(|at| self.value(journey, at)).collect()
    }
}
