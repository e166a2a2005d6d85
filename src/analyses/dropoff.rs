//! Drop-off: at which nodes journeys end, how much more often than their position explains, and what goes wrong there.

mod positions;
mod rage;
mod report;
#[cfg(test)]
mod tests;

use std::io::{self, Read};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::next::END;
pub use super::next::Next;
use super::parts::{self, NOTHING, PURCHASES, Part};
use super::step::{Hit, Matcher};
use super::{Analysis, Bound, Common, Grain, Notes, PathScope, Question, Segmented, SegmentedReport, Spec};
use crate::counts::{Grid, Mark, Sums, Turn};
use crate::durations::Durations;
use crate::error::Result;
use crate::ids::{Code, NO_VALUE};
use crate::journeys::{Journey, Names, Needs, NodeKind, Shows, Unit, View, Visitor};
use crate::spill::Spill;
use crate::units::Top;
pub use positions::Expected;
use positions::Positions;
use rage::Rage;
pub use report::{DropOffNode, DropOffReport, Friction};

/// What comes first in the list of drop-off points.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum Rank {
    /// The value lost where goals carry values, else the drops above expectation.
    #[default]
    Auto,
    /// The value lost.
    ValueLost,
    /// The drops above expectation. Who ends after the goal is no drop.
    ExcessDrops,
}

/// The question `dropoff`, as written.
#[derive(Clone, Debug, Default, clap::Args, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[command(next_help_heading = "Question")]
pub struct DropOffSpec {
    /// What a journey is meant to reach, written as a step: name, /glob of pages, node(NAME), alternatives (a | b), conditions
    /// purchase{value > 0} [default: purchase and its like]
    #[arg(long, value_name = "STEP")]
    pub goal: Option<String>,
    /// What is an error, as a step; it counts at the node where it happens (repeatable) [default: none]
    #[arg(long, value_name = "STEP")]
    #[serde(deserialize_with = "super::common::one_or_many")]
    pub error: Vec<String>,
    /// How many of the nodes that follow each node are shown, or `all`; the rest are counted in one (other) [default: 5]
    #[arg(long, value_name = "N")]
    pub next: Option<Top>,
    /// What comes first: value-lost, excess-drops (above expectation), or auto: the value where goals carry one, else the drops
    /// [default: auto]
    #[arg(long, value_name = "KEY")]
    pub rank: Option<Rank>,
}

impl Spec for DropOffSpec {
    type Report = SegmentedReport<DropOffReport>;

    const NAME: &'static str = "dropoff";
    const ABOUT: &'static str =
        "Drop-off points, ranked: where journeys end, more often than expected, and what goes wrong there";
    const EXAMPLES: &'static str = "\
clickpath dropoff sample-data/shop.csv.gz
clickpath dropoff sample-data/shop.csv.gz --error error_page --error payment_error --by platform
clickpath dropoff sample-data/shop.csv.gz --goal '(purchase | wishlist_add)' --next all";

    fn resolve(self, common: Common) -> Result<Box<dyn Question>> {
        let goal: Vec<String> = self.goal.into_iter().collect();
        Ok(Box::new(DropOff {
            goal: Part::parse("goal", &goal, PURCHASES, &common.steps)?,
            errors: Part::parse("error", &self.error, NOTHING, &common.steps)?,
            scope: PathScope::new(common),
            next: self.next.unwrap_or(Top::FIVE),
            rank: self.rank.unwrap_or_default(),
        }))
    }
}

/// The question `dropoff`, as meant.
struct DropOff {
    scope: PathScope,
    goal: Part,
    errors: Part,
    next: Top,
    rank: Rank,
}

impl Question for DropOff {
    fn schema(&self) -> &'static str {
        "clickpath.dropoff/1"
    }

    fn rules(&self) -> Map<String, Value> {
        let mut rules = parts::rules([&self.goal, &self.errors]);
        rules.extend(self.scope.common.steps.rule(self.goal.given().iter().chain(self.errors.given())));
        rules.extend(self.scope.rules());
        rules.insert("next".into(), json!(self.next));
        rules.insert("rank".into(), json!(self.rank));
        rules
    }

    fn needs(&self) -> Needs {
        let mut needs = self.scope.needs();
        for part in [&self.goal, &self.errors] {
            part.needs(&self.scope.common.nodes, &mut needs);
        }
        // What is repeated in rage are events.
        needs.scan.event = true;
        needs.scan.value = true;
        needs
    }

    fn bind(&self, names: &Names, notes: &mut Notes) -> Result<Box<dyn Bound>> {
        let common = &self.scope.common;
        let matcher = |part: &Part, notes: &mut Notes| {
            Matcher::new(&[part.step(names)], &common.nodes, &common.conventions.page_views, names, notes)
        };
        let errors = matcher(&self.errors, notes)?;
        let view = self.scope.view(names, notes)?;
        self.goal.note_no_default(names, notes);
        let bound = BoundDropOff {
            grain: self.scope.grain,
            unit: self.scope.unit(names, notes)?,
            nodes: names.node_names(view.nodes).len() as u64,
            view,
            goal: matcher(&self.goal, notes)?,
            errors,
            errors_asked: !self.errors.is_empty(),
            pages_only: common.nodes.kind == NodeKind::Page,
            next: self.next,
            rank: self.rank,
        };
        Ok(Box::new(Segmented::new(bound, common, names, notes)?))
    }
}

/// The question bound to the names of a run.
struct BoundDropOff {
    grain: Grain,
    unit: Unit,
    view: View,
    /// How many codes of nodes there are.
    nodes: u64,
    goal: Matcher,
    errors: Matcher,
    errors_asked: bool,
    /// Whether the node of an error is the page where it happens.
    pages_only: bool,
    next: Top,
    rank: Rank,
}

/// What is counted of a node.
#[derive(Clone, Debug, Default)]
struct NodeCounts {
    /// Journeys with the node.
    journeys: u64,
    /// Events at it, repeats included.
    events: u64,
    /// Journeys that end at it without the goal.
    dropped: u64,
    /// Journeys that are at it before the goal, or have no goal; and those of them that reach the goal.
    before_goal: u64,
    reached: u64,
    loops: u64,
    repeats: u64,
    rage: u64,
    errors: u64,
    /// Times until the next node.
    times: Durations,
    met: Mark,
    met_before_goal: Mark,
}

impl NodeCounts {
    fn numbers(&self) -> [u64; 9] {
        let NodeCounts { journeys, events, dropped, before_goal, reached, loops, repeats, rage, errors, .. } = *self;
        [journeys, events, dropped, before_goal, reached, loops, repeats, rage, errors]
    }

    fn of(numbers: [u64; 9], times: Durations) -> Self {
        let [journeys, events, dropped, before_goal, reached, loops, repeats, rage, errors] = numbers;
        let sums = NodeCounts {
            journeys,
            events,
            dropped,
            before_goal,
            reached,
            loops,
            repeats,
            rage,
            errors,
            ..Self::default()
        };
        NodeCounts { times, ..sums }
    }
}

impl Sums for NodeCounts {
    fn add(&mut self, from: Self) {
        let (mut numbers, mut times) = (self.numbers(), std::mem::take(&mut self.times));
        numbers.add(from.numbers());
        times.merge(from.times);
        *self = NodeCounts::of(numbers, times);
    }

    fn write(&self, into: &mut Vec<u8>) {
        self.numbers().write(into);
        self.times.write(into);
    }

    fn read(from: &mut impl Read) -> io::Result<Self> {
        Ok(NodeCounts::of(Sums::read(from)?, Durations::read(from)?))
    }

    fn bytes(&self) -> usize {
        self.times.bytes()
    }
}

/// What drop-off counts.
#[derive(Clone, Debug)]
struct DropOffCounts {
    journeys: u64,
    /// Journeys of which the view shows nothing.
    without_node: u64,
    /// Sum of the values of the goal's events, in millionths, and how many had one.
    goal_value: i128,
    goals_valued: u64,
    /// By code.
    nodes: Grid<NodeCounts>,
    /// What follows each node, by [`BoundDropOff::pair`].
    next: Grid<u64>,
    positions: Positions,
    turn: Turn,
}

/// One thread's scratch.
#[derive(Default)]
struct Work {
    hits: Vec<Hit>,
    room: Shows,
    rage: Rage,
}

impl Analysis for BoundDropOff {
    type Work = Work;
    type Partial = DropOffCounts;
    type Report = DropOffReport;

    fn unit(&self) -> Unit {
        self.unit
    }

    fn empty(&self) -> DropOffCounts {
        DropOffCounts {
            journeys: 0,
            without_node: 0,
            goal_value: 0,
            goals_valued: 0,
            nodes: Grid::new(self.nodes),
            next: Grid::new(self.nodes * self.nodes),
            positions: Positions::new(self.nodes),
            turn: Turn::default(),
        }
    }

    fn observe(&self, work: &mut Work, counts: &mut DropOffCounts, visitor: Visitor<'_>) {
        for journey in visitor.journeys(self.unit) {
            counts.journeys += 1;
            counts.turn.next_journey();
            let goal = self.count_goal(work, counts, journey);
            self.count_path(work, counts, journey, goal);
            self.count_events(counts, journey, goal);
            work.rage.bursts(journey, |at| {
                if let Some(node) = self.node(journey, at) {
                    counts.at(node).rage += 1;
                }
            });
        }
    }

    fn merge(&self, into: &mut DropOffCounts, from: DropOffCounts) {
        into.journeys += from.journeys;
        into.without_node += from.without_node;
        into.goal_value += from.goal_value;
        into.goals_valued += from.goals_valued;
        into.nodes.merge(from.nodes);
        into.next.merge(from.next);
        into.positions.merge(from.positions);
    }

    fn finish(&self, counts: DropOffCounts, names: &Names) -> Result<DropOffReport> {
        DropOffReport::new(self, counts, names.node_names(self.view.nodes))
    }

    fn bytes(&self, counts: &DropOffCounts) -> usize {
        counts.nodes.bytes() + counts.next.bytes() + counts.positions.bytes()
    }

    fn relieve(&self, counts: &mut DropOffCounts, spill: &Arc<Spill>) -> Result<()> {
        counts.nodes.relieve(spill)?;
        counts.next.relieve(spill)?;
        counts.positions.relieve(spill)
    }
}

impl DropOffCounts {
    fn at(&mut self, node: Code) -> &mut NodeCounts {
        self.nodes.at(u64::from(node))
    }
}

impl BoundDropOff {
    /// The number of a node and what follows it, or of the [`END`].
    #[inline]
    fn pair(&self, node: Code, next: Code) -> u64 {
        u64::from(node) * self.nodes + u64::from(next)
    }

    /// The node of an event, if the view shows it.
    fn node(&self, journey: Journey<'_>, at: usize) -> Option<Code> {
        Some(journey.nodes(self.view.nodes)[at]).filter(|&node| self.view.shows(node))
    }

    /// Counts what the goal is worth. The place of the journey's first event that fits it.
    fn count_goal(&self, work: &mut Work, counts: &mut DropOffCounts, journey: Journey<'_>) -> Option<usize> {
        self.goal.hits(journey, &mut work.hits);
        let values = work.hits.iter().filter_map(|hit| journey.values().get(hit.at as usize));
        for &value in values.filter(|value| **value != NO_VALUE) {
            counts.goal_value += i128::from(value);
            counts.goals_valued += 1;
        }
        work.hits.first().map(|hit| hit.at as usize)
    }

    /// Counts the places of a journey: where it is, where it goes next, and where it ends.
    fn count_path(&self, work: &mut Work, counts: &mut DropOffCounts, journey: Journey<'_>, goal: Option<usize>) {
        let shown = self.view.look(journey, &mut work.room);
        let Some(&last) = shown.nodes.last() else {
            counts.without_node += 1;
            return;
        };
        counts.at(last).dropped += u64::from(goal.is_none());
        counts.positions.end(shown.nodes.len(), goal.is_none());
        let times = journey.times();
        for (position, &code) in shown.nodes.iter().enumerate() {
            counts.positions.visit(position, code);
            let node = counts.nodes.at(u64::from(code));
            node.journeys += u64::from(counts.turn.first(&mut node.met).0);
            let before = |back: usize| position.checked_sub(back).map(|position| shown.nodes[position]);
            let came_back = before(2) == Some(code) && before(1) != Some(code);
            node.loops += u64::from(came_back);
            let next = shown.nodes.get(position + 1);
            if next.is_some() {
                node.times.add(times[shown.event(position + 1)] - times[shown.event(position)]);
            }
            *counts.next.at(self.pair(code, next.copied().unwrap_or(END))) += 1;
        }
    }

    /// Counts the events at each node, whether or not the view shows all of them as places.
    fn count_events(&self, counts: &mut DropOffCounts, journey: Journey<'_>, goal: Option<usize>) {
        let turn = counts.turn;
        let (mut previous, mut scene) = (None, None);
        for at in 0..journey.len() {
            let node = self.node(journey, at);
            let is_error = self.errors.mask(journey, at) != 0;
            if is_error && let Some(scene) = self.scene(node, scene) {
                counts.at(scene).errors += 1;
            }
            let Some(code) = node else { continue };
            let node = counts.at(code);
            node.events += 1;
            node.repeats += u64::from(previous == Some(code));
            if goal.is_none_or(|goal| at < goal) && turn.first(&mut node.met_before_goal).0 {
                node.before_goal += 1;
                node.reached += u64::from(goal.is_some());
            }
            previous = Some(code);
            scene = if is_error { scene } else { Some(code) };
        }
    }

    /// Where an error happens: at the node before it that is no error itself; where nodes are pages, at its own.
    fn scene(&self, own: Option<Code>, before: Option<Code>) -> Option<Code> {
        if self.pages_only { own.or(before) } else { before.or(own) }
    }
}
