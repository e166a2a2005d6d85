//! Gaps: where journeys cross from one value of a column to another, from phone to desktop or from mail to chat, and where they are lost.

mod report;
#[cfg(test)]
mod tests;

use std::io::{self, Read};
use std::ops::Range;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::facts::By;
use super::parts::{self, PURCHASES, Part};
use super::step::{Hit, Matcher};
use super::{Analysis, Bound, Common, Grain, Notes, Question, Segmented, SegmentedReport, Spec};
use crate::counts::{Grid, Mark, Sums, Turn};
use crate::durations::Durations;
use crate::error::{Error, Result};
use crate::ids::{Code, MISSING};
use crate::journeys::{Journey, Names, Needs, Unit, Visitor};
use crate::spill::Spill;
pub use report::{CrossingRow, GapsReport, ValueRow};

/// The question `gaps`, as written.
#[derive(Clone, Debug, Default, clap::Args, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[command(next_help_heading = "Question")]
pub struct GapsSpec {
    /// The column between whose values journeys cross: the device, the channel and the like; or first_channel, first_medium,
    /// first_campaign for those that each event came through
    #[arg(long, value_name = "COLUMN")]
    pub of: Option<String>,
    /// What a journey is meant to reach, written as a step: name, /glob of pages, node(NAME), alternatives (a | b), conditions
    /// purchase{value > 0} [default: purchase and its like]
    #[arg(long, value_name = "STEP")]
    pub goal: Option<String>,
}

impl Spec for GapsSpec {
    type Report = SegmentedReport<GapsReport>;

    const NAME: &'static str = "gaps";
    const ABOUT: &'static str =
        "Gaps between devices or channels: how many journeys cross, how long it takes, and how many are lost there";
    const EXAMPLES: &'static str = "\
clickpath gaps sample-data/shop.csv.gz --of platform
clickpath gaps sample-data/shop.csv.gz --of platform --goal add_to_cart --by acquisition_channel
clickpath gaps sample-data/shop.csv.gz --of event --grain session --table values";

    /// Nobody can guess the column.
    const IN_REPORT: bool = false;

    fn resolve(self, common: Common) -> Result<Box<dyn Question>> {
        let of = self.of.filter(|of| !of.is_empty()).ok_or_else(|| {
            Error::question("gaps lie between the values of a column, and none is named")
                .hint("name it: --of device, --of channel; inspect shows the columns of a log")
        })?;
        let grain = common.grain.unwrap_or(Grain::Visitor);
        if grain == Grain::Visitor {
            By::refuse_session_facts(&common.by)?;
        }
        let goal: Vec<String> = self.goal.into_iter().collect();
        Ok(Box::new(Gaps { of, goal: Part::parse("goal", &goal, PURCHASES, &common.steps)?, grain, common }))
    }
}

/// The question `gaps`, as meant.
struct Gaps {
    of: String,
    /// Exactly one.
    goal: Part,
    grain: Grain,
    common: Common,
}

impl Question for Gaps {
    fn schema(&self) -> &'static str {
        "clickpath.gaps/1"
    }

    fn rules(&self) -> Map<String, Value> {
        let mut rules = Map::from_iter([("of".to_owned(), json!(self.of))]);
        rules.extend(parts::rules([&self.goal]));
        rules.insert("grain".into(), json!(self.grain));
        if self.grain == Grain::Session {
            rules.extend(self.common.session_rules());
        }
        rules.extend(parts::step_rules([&self.goal], &self.common));
        rules.extend(self.common.by_rule());
        rules
    }

    fn needs(&self) -> Needs {
        let mut needs = self.common.scope_needs();
        needs.add(Needs::of_dimensions(std::slice::from_ref(&self.of)));
        self.goal.needs(&self.common.nodes, &mut needs);
        if self.grain == Grain::Session {
            needs.add(self.common.session_needs());
        }
        needs
    }

    fn bind(&self, names: &Names, notes: &mut Notes) -> Result<Box<dyn Bound>> {
        let Common { nodes, conventions, .. } = &self.common;
        let goal = self.goal.steps(names);
        self.goal.note_no_default(names, notes);
        let dimension = names.dimension(&self.of)?;
        let bound = BoundGaps {
            of: self.of.clone(),
            grain: self.grain,
            unit: self.common.unit(self.grain, names, notes)?,
            dimension,
            values: names.dimension_names(dimension).len() as u64,
            goal: Matcher::new(&goal, nodes, &conventions.page_views, names, notes)?,
        };
        Ok(Box::new(Segmented::new(bound, &self.common, names, notes)?))
    }
}

/// The question bound to the names of a run.
struct BoundGaps {
    of: String,
    grain: Grain,
    unit: Unit,
    dimension: usize,
    /// How many codes of values there are.
    values: u64,
    goal: Matcher,
}

/// A longest run of events of a journey with one value. It ends where the next one starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stretch {
    value: Code,
    /// The place of its first event.
    start: usize,
}

/// Replaces `stretches` by those of a journey, whose events have these values. An event without one belongs to the stretch before it,
/// and to the first one if there is none before it.
fn cut(values: &[Code], stretches: &mut Vec<Stretch>) {
    stretches.clear();
    for (at, &value) in values.iter().enumerate() {
        if value == MISSING || stretches.last().is_some_and(|last| last.value == value) {
            continue;
        }
        let start = if stretches.is_empty() { 0 } else { at };
        stretches.push(Stretch { value, start });
    }
}

/// What is counted of a value.
#[derive(Clone, Debug, Default)]
struct ValueCounts {
    stretches: u64,
    /// Distinct ones.
    visitors: u64,
    /// Stretches with the goal in them.
    with_goal: u64,
    /// Stretches that end their journey; those of them without the goal anywhere in it; and those of these that came from elsewhere.
    ended: u64,
    lost: u64,
    lost_after_crossing: u64,
    mark: Mark,
}

/// What is counted of a crossing.
#[derive(Clone, Debug, Default)]
struct CrossingCounts {
    crossings: u64,
    /// Distinct ones.
    visitors: u64,
    /// Crossings with the goal behind them.
    reached: u64,
    /// Crossings that are the last of a journey without the goal.
    lost: u64,
    times: Durations,
    mark: Mark,
}

impl ValueCounts {
    fn numbers(&self) -> [u64; 6] {
        [self.stretches, self.visitors, self.with_goal, self.ended, self.lost, self.lost_after_crossing]
    }
}

impl From<[u64; 6]> for ValueCounts {
    fn from([stretches, visitors, with_goal, ended, lost, lost_after_crossing]: [u64; 6]) -> Self {
        ValueCounts { stretches, visitors, with_goal, ended, lost, lost_after_crossing, mark: Mark::default() }
    }
}

impl Sums for ValueCounts {
    fn add(&mut self, from: Self) {
        let mut numbers = self.numbers();
        numbers.add(from.numbers());
        *self = numbers.into();
    }

    fn write(&self, into: &mut Vec<u8>) {
        self.numbers().write(into);
    }

    fn read(from: &mut impl Read) -> io::Result<Self> {
        <[u64; 6]>::read(from).map(Self::from)
    }
}

impl Sums for CrossingCounts {
    fn add(&mut self, from: Self) {
        self.crossings += from.crossings;
        self.visitors += from.visitors;
        self.reached += from.reached;
        self.lost += from.lost;
        self.times.merge(from.times);
    }

    fn write(&self, into: &mut Vec<u8>) {
        [self.crossings, self.visitors, self.reached, self.lost].write(into);
        self.times.write(into);
    }

    fn read(from: &mut impl Read) -> io::Result<Self> {
        let [crossings, visitors, reached, lost] = Sums::read(from)?;
        Ok(CrossingCounts { crossings, visitors, reached, lost, times: Durations::read(from)?, mark: Mark::default() })
    }

    fn bytes(&self) -> usize {
        self.times.bytes()
    }
}

/// What gaps count.
#[derive(Clone, Debug)]
struct GapsCounts {
    journeys: u64,
    /// Journeys no event of which has a value.
    without_value: u64,
    /// Journeys with at least one crossing.
    crossing: u64,
    /// By code.
    values: Grid<ValueCounts>,
    /// By [`BoundGaps::pair`].
    crossings: Grid<CrossingCounts>,
    turn: Turn,
}

/// One thread's scratch: the journey at hand.
#[derive(Default)]
struct Work {
    /// The events of the goal, in their order.
    goals: Vec<Hit>,
    stretches: Vec<Stretch>,
}

impl Work {
    /// Whether an event of the goal is among those at these places.
    fn has_goal(&self, places: Range<usize>) -> bool {
        let first = self.goals.partition_point(|hit| (hit.at as usize) < places.start);
        self.goals.get(first).is_some_and(|hit| (hit.at as usize) < places.end)
    }
}

impl Analysis for BoundGaps {
    type Work = Work;
    type Partial = GapsCounts;
    type Report = GapsReport;

    fn unit(&self) -> Unit {
        self.unit
    }

    fn empty(&self) -> GapsCounts {
        GapsCounts {
            journeys: 0,
            without_value: 0,
            crossing: 0,
            values: Grid::new(self.values),
            crossings: Grid::new(self.values * self.values),
            turn: Turn::default(),
        }
    }

    fn observe(&self, work: &mut Work, counts: &mut GapsCounts, visitor: Visitor<'_>) {
        counts.turn.next_visitor();
        for journey in visitor.journeys(self.unit) {
            counts.turn.next_journey();
            counts.journeys += 1;
            self.goal.hits(journey, &mut work.goals);
            cut(journey.dimension(self.dimension), &mut work.stretches);
            self.count_stretches(work, counts, journey);
            self.count_crossings(work, counts, journey);
            self.count_end(work, counts);
        }
    }

    fn merge(&self, into: &mut GapsCounts, from: GapsCounts) {
        into.journeys += from.journeys;
        into.without_value += from.without_value;
        into.crossing += from.crossing;
        into.values.merge(from.values);
        into.crossings.merge(from.crossings);
    }

    fn finish(&self, counts: GapsCounts, names: &Names) -> Result<GapsReport> {
        GapsReport::new(self, counts, names.dimension_names(self.dimension))
    }

    fn bytes(&self, counts: &GapsCounts) -> usize {
        counts.values.bytes() + counts.crossings.bytes()
    }

    fn relieve(&self, counts: &mut GapsCounts, spill: &Arc<Spill>) -> Result<()> {
        counts.values.relieve(spill)?;
        counts.crossings.relieve(spill)
    }
}

impl BoundGaps {
    /// The number of a crossing.
    fn pair(&self, from: Code, to: Code) -> u64 {
        u64::from(from) * self.values + u64::from(to)
    }

    fn count_stretches(&self, work: &Work, counts: &mut GapsCounts, journey: Journey<'_>) {
        let ends = work.stretches.iter().skip(1).map(|next| next.start).chain([journey.len()]);
        for (stretch, end) in work.stretches.iter().zip(ends) {
            let value = counts.values.at(u64::from(stretch.value));
            value.stretches += 1;
            value.visitors += u64::from(counts.turn.first(&mut value.mark).1);
            value.with_goal += u64::from(work.has_goal(stretch.start..end));
        }
    }

    fn count_crossings(&self, work: &Work, counts: &mut GapsCounts, journey: Journey<'_>) {
        let times = journey.times();
        for pair in work.stretches.windows(2) {
            let to = pair[1].start;
            let crossing = counts.crossings.at(self.pair(pair[0].value, pair[1].value));
            crossing.crossings += 1;
            crossing.visitors += u64::from(counts.turn.first(&mut crossing.mark).1);
            crossing.reached += u64::from(work.has_goal(to..journey.len()));
            crossing.times.add(times[to] - times[to - 1]);
        }
    }

    /// Counts where a journey ends, and what it is lost after.
    fn count_end(&self, work: &Work, counts: &mut GapsCounts) {
        let Some(last) = work.stretches.last() else {
            counts.without_value += 1;
            return;
        };
        let before = work.stretches.iter().nth_back(1);
        let lost = work.goals.is_empty();
        counts.crossing += u64::from(before.is_some());
        let value = counts.values.at(u64::from(last.value));
        value.ended += 1;
        value.lost += u64::from(lost);
        if let (Some(before), true) = (before, lost) {
            value.lost_after_crossing += 1;
            counts.crossings.at(self.pair(before.value, last.value)).lost += 1;
        }
    }
}
