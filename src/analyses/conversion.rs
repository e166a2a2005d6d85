//! Conversion: how many sessions and visitors reach a goal, how soon, and what it is worth.

mod report;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::parts::{self, PURCHASES, Part};
use super::step::{Hit, Matcher};
use super::{Analysis, Bound, Common, Notes, PathScope, Question, Segmented, SegmentedReport, Spec};
use crate::durations::ExactDurations;
use crate::error::Result;
use crate::ids::NO_VALUE;
use crate::journeys::{Journey, Names, Needs, SECOND, Shows, Unit, View, Visitor};
use crate::spill::Spill;
pub use report::{ConversionReport, GoalReport, GrainReport};

/// The question `conversion`, as written.
#[derive(Clone, Debug, Default, clap::Args, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[command(next_help_heading = "Question")]
pub struct ConversionSpec {
    /// A goal, written as a step: name, /glob of pages, node(NAME), alternatives (a | b), conditions purchase{value > 0}
    /// (repeatable) [default: purchase and its like]
    #[arg(long, value_name = "STEP")]
    #[serde(deserialize_with = "super::common::one_or_many")]
    pub goal: Vec<String>,
}

impl Spec for ConversionSpec {
    type Report = SegmentedReport<ConversionReport>;

    const NAME: &'static str = "conversion";
    const ABOUT: &'static str = "Conversion by goal: how many sessions and visitors reach it, how soon, and its value";
    const EXAMPLES: &'static str = "\
clickpath conversion sample-data/shop.csv.gz
clickpath conversion sample-data/shop.csv.gz --goal add_to_cart --goal purchase --by platform
clickpath conversion sample-data/shop.csv.gz --goal '(cart | shipping_details)'";

    const BOTH_GRAINS: bool = true;

    const RATE: Option<&'static str> = Some("the sessions that reach the first goal ÷ all");

    fn resolve(self, common: Common) -> Result<Box<dyn Question>> {
        common.refuse_grain(Self::NAME)?;
        parts::refuse_many("goal", &self.goal, MOST_GOALS)?;
        let goals = Part::parse("goal", &self.goal, PURCHASES, &common.steps)?;
        Ok(Box::new(Conversion { goals, scope: PathScope::new(common) }))
    }
}

/// One bit each.
const MOST_GOALS: usize = 64;

/// The question `conversion`, as meant.
struct Conversion {
    /// Each of its steps is one.
    goals: Part,
    /// Sessions: what a visitor does is seen session by session.
    scope: PathScope,
}

impl Question for Conversion {
    fn schema(&self) -> &'static str {
        "clickpath.conversion/1"
    }

    fn rules(&self) -> Map<String, Value> {
        let common = &self.scope.common;
        let mut rules = parts::rules([&self.goals]);
        rules.extend(common.steps.rule(self.goals.given()));
        rules.extend(common.session_rules());
        rules.extend(common.node_rules());
        rules.extend(common.by_rule());
        rules
    }

    fn needs(&self) -> Needs {
        let mut needs = self.scope.needs();
        self.goals.needs(&self.scope.common.nodes, &mut needs);
        needs.scan.value = true;
        needs
    }

    fn bind(&self, names: &Names, notes: &mut Notes) -> Result<Box<dyn Bound>> {
        let common = &self.scope.common;
        let steps = self.goals.steps(names);
        self.goals.note_no_default(names, notes);
        let bound = BoundConversion {
            rule: common.session(names, notes)?,
            matcher: Matcher::new(&steps, &common.nodes, &common.conventions.page_views, names, notes)?,
            view: self.scope.view(names, notes)?,
            goals: steps.iter().map(ToString::to_string).collect(),
        };
        Ok(Box::new(Segmented::new(bound, common, names, notes)?))
    }
}

/// The question bound to the names of a run.
struct BoundConversion {
    /// Number of the session rule.
    rule: usize,
    /// One step per goal.
    matcher: Matcher,
    view: View,
    goals: Vec<String>,
}

/// What conversion counts.
#[derive(Clone, Debug)]
struct ConversionCounts {
    sessions: u64,
    visitors: u64,
    goals: Vec<GoalCounts>,
}

/// What is counted of a goal.
#[derive(Clone, Debug, Default)]
struct GoalCounts {
    /// Events that fit it.
    conversions: u64,
    /// Sum of their values, in millionths, and how many had one.
    value: i128,
    valued: u64,
    sessions: GrainCounts,
    visitors: GrainCounts,
}

/// What is counted of a goal at one grain, up to the first event that fits it.
#[derive(Clone, Debug, Default)]
struct GrainCounts {
    converting: u64,
    times: ExactDurations,
    /// Nodes before the goal, each as a second: so a summary tells them as whole numbers.
    steps: ExactDurations,
}

impl GrainCounts {
    fn add(&mut self, time: i64, steps: usize) {
        self.converting += 1;
        self.times.add(time);
        self.steps.add(steps as i64 * SECOND);
    }

    fn merge(&mut self, from: GrainCounts) {
        self.converting += from.converting;
        self.times.merge(from.times);
        self.steps.merge(from.steps);
    }

    fn bytes(&self) -> usize {
        self.times.bytes() + self.steps.bytes()
    }
}

/// The first event of the visitor at hand that fits a goal: the order of the fields is that of the events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct First {
    time: i64,
    /// Number of the session among those of the visitor (and segment), and place of the event in it.
    session: usize,
    at: usize,
}

/// One thread's scratch.
#[derive(Default)]
struct Work {
    hits: Vec<Hit>,
    room: Shows,
    /// By goal.
    first: Vec<Option<First>>,
}

impl Analysis for BoundConversion {
    type Work = Work;
    type Partial = ConversionCounts;
    type Report = ConversionReport;

    fn unit(&self) -> Unit {
        Unit::Session(self.rule)
    }

    fn empty(&self) -> ConversionCounts {
        let goals = self.goals.iter().map(|_| GoalCounts::default()).collect();
        ConversionCounts { sessions: 0, visitors: 0, goals }
    }

    fn observe(&self, work: &mut Work, counts: &mut ConversionCounts, visitor: Visitor<'_>) {
        work.first.clear();
        work.first.resize(self.goals.len(), None);
        for (number, session) in visitor.sessions(self.rule).enumerate() {
            counts.sessions += 1;
            self.count_session(work, counts, session, number);
        }
        counts.visitors += 1;
        self.count_visitor(work, counts, visitor);
    }

    fn merge(&self, into: &mut ConversionCounts, from: ConversionCounts) {
        into.sessions += from.sessions;
        into.visitors += from.visitors;
        for (into, from) in into.goals.iter_mut().zip(from.goals) {
            into.conversions += from.conversions;
            into.value += from.value;
            into.valued += from.valued;
            into.sessions.merge(from.sessions);
            into.visitors.merge(from.visitors);
        }
    }

    fn finish(&self, counts: ConversionCounts, _names: &Names) -> Result<ConversionReport> {
        let ConversionCounts { sessions, visitors, goals } = counts;
        let row = |(goal, counts): (&String, GoalCounts)| GoalReport::new(goal.clone(), counts, sessions, visitors);
        let goals = self.goals.iter().zip(goals).map(row).collect::<Result<_>>()?;
        Ok(ConversionReport { sessions, visitors, goals })
    }

    fn bytes(&self, counts: &ConversionCounts) -> usize {
        let times = counts.goals.iter().map(|goal| goal.sessions.bytes() + goal.visitors.bytes());
        times.sum::<usize>() + counts.goals.capacity() * size_of::<GoalCounts>()
    }

    fn relieve(&self, counts: &mut ConversionCounts, spill: &Arc<Spill>) -> Result<()> {
        let mut grains = counts.goals.iter_mut().flat_map(|goal| [&mut goal.sessions, &mut goal.visitors]);
        grains.try_for_each(|grain| grain.times.relieve(spill).and_then(|()| grain.steps.relieve(spill)))
    }
}

impl BoundConversion {
    /// Counts the goals of a session, and remembers those that are the visitor's first.
    fn count_session(&self, work: &mut Work, counts: &mut ConversionCounts, session: Journey<'_>, number: usize) {
        self.matcher.hits(session, &mut work.hits);
        let mut met = 0;
        for &Hit { time, mask, at, .. } in &work.hits {
            let at = at as usize;
            for (goal, counts) in counts.goals.iter_mut().enumerate().filter(|(goal, _)| mask >> goal & 1 == 1) {
                counts.count_event(session.values().get(at).copied());
                if met >> goal & 1 == 1 {
                    continue;
                }
                let first = First { time, session: number, at };
                work.first[goal] = work.first[goal].map_or(Some(first), |other| Some(other.min(first)));
                let steps = self.view.look_until(session, at, &mut work.room).nodes.len();
                counts.sessions.add(time - session.start_time(), steps);
            }
            met |= mask;
        }
    }

    /// Counts the goals that the visitor has reached.
    fn count_visitor(&self, work: &mut Work, counts: &mut ConversionCounts, visitor: Visitor<'_>) {
        let Some(begin) = visitor.sessions(self.rule).next().map(|session| session.start_time()) else { return };
        for (counts, first) in counts.goals.iter_mut().zip(&work.first) {
            let Some(first) = *first else { continue };
            let sessions = visitor.sessions(self.rule).enumerate();
            let steps = sessions.map(|(number, session)| {
                self.view.look_until(session, first.before(session, number), &mut work.room).nodes.len()
            });
            counts.visitors.add(first.time - begin, steps.sum());
        }
    }
}

impl First {
    /// How many events of a session of the same visitor come before. Sessions may overlap; at one instant the earlier
    /// session goes first.
    fn before(self, session: Journey<'_>, number: usize) -> usize {
        let times = session.times();
        match number.cmp(&self.session) {
            std::cmp::Ordering::Less => times.partition_point(|&time| time <= self.time),
            std::cmp::Ordering::Equal => self.at,
            std::cmp::Ordering::Greater => times.partition_point(|&time| time < self.time),
        }
    }
}

impl GoalCounts {
    fn count_event(&mut self, value: Option<i64>) {
        self.conversions += 1;
        if let Some(value) = value.filter(|value| *value != NO_VALUE) {
            self.value += i128::from(value);
            self.valued += 1;
        }
    }
}
