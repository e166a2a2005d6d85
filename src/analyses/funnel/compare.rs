//! A funnel of two parts of the journeys side by side, each as `--by` or the bounds of the entry would answer it alone.

use std::ops::Range;

use serde_json::{Map, Value, json};

use super::bound::BoundFunnel;
use super::follow::Work;
use super::options::Shape;
use super::report::{FunnelReport, StepRow};
use crate::analyses::compare::{Both, Compare, Compared, Sides};
use crate::analyses::facts::Facts;
use crate::analyses::step::Hit;
use crate::analyses::{Analysis, By, Common, Grain, Notes};
use crate::contrast::{Contrast, Share};
use crate::error::{Error, Result};
use crate::journeys::{Journey, Names, Visitor};
use crate::reports::Table;

/// Refuses comparisons that a funnel of this kind cannot make.
pub fn check(compare: &[Compare], steps: usize, shape: Shape, grain: Grain) -> Result<()> {
    if compare.is_empty() {
        return Ok(());
    }
    if steps < 2 {
        return Err(Error::question("of one step there is no rate that could be compared")
            .hint("name a second step, or leave --compare out"));
    }
    if shape != Shape::Ordered && compare.iter().any(|one| matches!(one, Compare::Periods(_))) {
        return Err(Error::question("periods tell attempts at steps in their order by when they begin")
            .hint("leave --open and --order any out, or compare values"));
    }
    if grain == Grain::Visitor {
        By::refuse_session_facts(&Compare::breakdowns(compare))?;
    }
    Ok(())
}

/// The comparisons as they are printed, with how many tests they are for each segment; nothing if there are none.
pub fn rules(compare: &[Compare], steps: usize, shape: Shape) -> Map<String, Value> {
    if compare.is_empty() {
        return Map::new();
    }
    let written: Vec<String> = compare.iter().map(ToString::to_string).collect();
    // A test for each rate of each step; of the second step both rates are one.
    let tests = if shape == Shape::Open { steps - 1 } else { 2 * (steps - 1) - 1 };
    let rules =
        [("compare", json!(written)), ("compare_tests", json!(tests * compare.len())), ("correction", json!("holm"))];
    rules.map(|(rule, value)| (rule.to_owned(), value)).into_iter().collect()
}

/// The comparisons of a funnel, bound to the names of a run.
pub struct Comparing {
    compare: Vec<(Compare, Sides)>,
    facts: Facts,
}

/// Who came how far on each side of each comparison.
pub type SideCounts = Vec<Both<Reached>>;

/// Who came how far.
#[derive(Clone, Debug)]
pub struct Reached {
    /// By step.
    entered: Vec<u64>,
    /// Of those in an open funnel, the ones who came from the step before.
    continued: Vec<u64>,
}

impl Reached {
    fn new(steps: usize) -> Reached {
        Reached { entered: vec![0; steps], continued: vec![0; steps] }
    }

    fn add(&mut self, from: &Reached) {
        self.entered.iter_mut().zip(&from.entered).for_each(|(into, from)| *into += from);
        self.continued.iter_mut().zip(&from.continued).for_each(|(into, from)| *into += from);
    }

    /// Takes in an attempt: the events of the steps that it did.
    fn attempt(&mut self, attempt: &[Hit]) {
        for (step, _) in attempt.iter().enumerate().filter(|(_, hit)| !hit.is_skipped()) {
            self.entered[step] += 1;
            self.continued[step] += 1;
        }
    }
}

impl Comparing {
    /// Binds comparisons to the names of a run; nothing if there are none.
    pub fn new(compare: &[Compare], common: &Common, names: &Names, notes: &mut Notes) -> Result<Option<Comparing>> {
        if compare.is_empty() {
            return Ok(None);
        }
        let mut bind = |one: &Compare| Ok((one.clone(), Sides::new(one, names, notes)?));
        let compare = compare.iter().map(&mut bind).collect::<Result<_>>()?;
        Ok(Some(Comparing { compare, facts: Facts::new(&common.conventions, names) }))
    }

    /// Nothing counted yet.
    pub fn counts(&self, steps: usize) -> SideCounts {
        self.compare.iter().map(|_| [Reached::new(steps), Reached::new(steps)]).collect()
    }

    /// Takes in a visitor that may reach the steps in the mask `steps`.
    pub fn count(
        &self,
        funnel: &BoundFunnel,
        work: &mut Work,
        counts: &mut SideCounts,
        visitor: Visitor<'_>,
        steps: u64,
    ) {
        for ((_, sides), counts) in self.compare.iter().zip(counts) {
            for (side, counts) in counts.iter_mut().enumerate() {
                let holds = |&(number, journey): &(u32, Journey<'_>)| {
                    sides.holds(side, &self.facts, number, journey, |at| funnel.touches(work, visitor, journey, at))
                };
                let journeys: Vec<_> = visitor.numbered(funnel.unit).filter(holds).collect();
                let entered = sides.entered(side, &funnel.follow.entered);
                funnel.reach(&entered, work, visitor, journeys.into_iter(), steps, counts);
            }
        }
    }

    /// The rates of both sides: comparisons as they were asked, steps in their order.
    pub fn finish(&self, counts: SideCounts, steps: &[StepRow], shape: Shape) -> Comparison {
        let mut rows = Vec::new();
        // A step that may be left out has no rate.
        let required: Vec<usize> = (0..steps.len()).filter(|&at| steps[at].dropped.is_some()).collect();
        for ((compare, _), sides) in self.compare.iter().zip(counts) {
            for (before, at) in required.iter().copied().zip(required.iter().copied().skip(1)) {
                let step = &steps[at];
                let contrast = |share: &dyn Fn(&Reached, usize) -> Share| {
                    let [a, b] = &sides;
                    Contrast { a: share(a, at), b: share(b, at) }
                };
                let of_first = contrast(&|side, at| Share { part: side.entered[at], whole: side.entered[0] });
                let of_previous = contrast(&|side, at| Share { part: side.continued[at], whole: side.entered[before] });
                if shape != Shape::Open {
                    rows.push(Compared::new(compare, &step.step, "of_first", of_first));
                }
                let repeats = shape != Shape::Open && before == 0;
                rows.push(Compared { repeats, ..Compared::new(compare, &step.step, "of_previous", of_previous) });
            }
        }
        Comparison { rows, tests: 0 }
    }
}

impl BoundFunnel {
    /// Takes in how far those of the visitor's journeys come that enter `within` some time.
    fn reach<'v>(
        &self,
        within: &Range<i64>,
        work: &mut Work,
        visitor: Visitor<'v>,
        journeys: impl Iterator<Item = (u32, Journey<'v>)>,
        steps: u64,
        counts: &mut Reached,
    ) {
        if self.counts_best() {
            let best = self.follow.best(within, work, visitor, journeys, steps);
            return best.iter().for_each(|(_, _, attempt)| counts.attempt(attempt));
        }
        for (_, journey) in journeys {
            if self.follow.shape != Shape::Open {
                let take = |attempt: &[Hit]| counts.attempt(attempt);
                self.follow.attempts_within(within, work, visitor, journey, steps, take);
                continue;
            }
            self.follow.steps(work, visitor, journey, steps, |step, events| {
                counts.entered[step] += 1;
                counts.continued[step] += u64::from(events.len() > 1);
            });
        }
    }
}

/// Adds the counts of other journeys.
pub fn merge(into: &mut SideCounts, from: &SideCounts) {
    let sides = into.iter_mut().flatten().zip(from.iter().flatten());
    sides.for_each(|(into, from)| into.add(from));
}

/// The comparisons of a report.
#[derive(Clone, Debug)]
pub struct Comparison {
    /// The rates of both sides of each comparison.
    pub rows: Vec<Compared>,
    /// How many tests were made in the whole answer, all segments together.
    pub tests: u64,
}

/// What the shares of a funnel are of.
const OF: &str = "step";

impl Comparison {
    /// The rates, a row for each.
    pub fn table(&self) -> Table {
        Compared::table(OF, &self.rows)
    }

    /// The same as JSON.
    pub fn json(&self) -> Value {
        self.rows.iter().map(|row| row.json(OF)).collect()
    }
}

/// Corrects the p values of all reports of an answer: they are one family of tests.
pub fn settle(reports: &mut [&mut FunnelReport]) {
    let mut all: Vec<&mut Comparison> = reports.iter_mut().filter_map(|report| report.comparison.as_mut()).collect();
    let tests = Compared::correct(all.iter_mut().flat_map(|comparison| &mut comparison.rows));
    all.into_iter().for_each(|comparison| comparison.tests = tests);
}
