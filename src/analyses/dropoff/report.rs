//! What drop-off answers.

use std::cmp::Ordering;

use foldhash::fast::RandomState;
use hashbrown::HashMap;
use serde::Serialize;
use serde_json::{Value, json};

use super::positions::Expected;
use super::{BoundDropOff, DropOffCounts, NodeCounts, Rank};
use crate::analyses::Grain;
use crate::analyses::next::{END, Next};
use crate::dictionary::Dictionary;
use crate::durations::Summary;
use crate::error::Result;
use crate::ids::Code;
use crate::rates::rate;
use crate::reports::{Cell, Report, Table};

/// The nodes, the worst drop-off point first.
#[derive(Debug)]
pub struct DropOffReport {
    /// What makes a journey.
    pub grain: Grain,
    /// Whether the value lost ranks the nodes, and not the drops above expectation.
    pub by_value: bool,
    /// All journeys, those without a node included.
    pub journeys: u64,
    /// Journeys whose paths are empty.
    pub without_node: u64,
    /// In millionths; nothing if no event of the goal carries a value.
    pub mean_goal_value: Option<f64>,
    /// Every node that occurs, the worst first: by value lost or by drops above expectation, as `by_value` says.
    pub nodes: Vec<DropOffNode>,
}

/// A node as a place to drop off.
#[derive(Debug)]
pub struct DropOffNode {
    /// Its name.
    pub node: String,
    /// Journeys with it.
    pub journeys: u64,
    /// Its places in paths.
    pub occurrences: u64,
    /// Events at it, repeats included.
    pub events: u64,
    /// Journeys that end at it.
    pub exits: u64,
    /// Those of them without the goal.
    pub dropped: u64,
    /// What its positions explain of both.
    pub expected: Expected,
    /// Exits ÷ those to expect; undefined if none are.
    pub lift: Option<f64>,
    /// Of the journeys that are here before the goal, the share that reaches it.
    pub goal_rate: Option<f64>,
    /// In millionths; nothing if no event of the goal carries a value.
    pub value_lost: Option<i128>,
    /// Seconds until the next place; the percentile is the 95th.
    pub time: Option<Summary>,
    /// What goes wrong at it.
    pub friction: Friction,
    /// What follows, by count; the last may be the rest.
    pub next: Vec<Next>,
}

/// What goes wrong at a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Friction {
    /// Occurrences that come straight back from another node.
    pub loops: u64,
    /// Events at the same node as the one before.
    pub repeats: u64,
    /// Bursts of the same event.
    pub rage: u64,
    /// Unknown if no event was named as one.
    pub errors: Option<u64>,
    /// Occurrences longer than the 95th percentile.
    pub slow: u64,
}

impl DropOffReport {
    pub(super) fn new(question: &BoundDropOff, counts: DropOffCounts, names: &Dictionary) -> Result<DropOffReport> {
        let DropOffCounts { journeys, without_node, goal_value, goals_valued, nodes, next, positions, .. } = counts;
        let mean_goal_value = (goals_valued > 0).then(|| goal_value as f64 / goals_valued as f64);
        let expected = positions.expected()?;
        let mut followers: HashMap<Code, Vec<(Code, u64)>, RandomState> = HashMap::default();
        next.drain(|pair, count| {
            let (node, next) = ((pair / question.nodes) as Code, (pair % question.nodes) as Code);
            followers.entry(node).or_default().push((next, count));
        })?;
        let mut rows: Vec<DropOffNode> = Vec::new();
        nodes.drain(|node, counts| {
            let node = node as Code;
            let followers = followers.remove(&node).unwrap_or_default();
            let expected = expected.get(&node).copied().unwrap_or_default();
            let mut row = DropOffNode::new(names.name(node), counts, expected, mean_goal_value, question.errors_asked);
            row.follow(followers, names, question.next.limit());
            row.lift = (expected.exits > 0.0).then(|| rounded(row.exits as f64 / expected.exits));
            rows.push(row);
        })?;
        let by_value = match question.rank {
            Rank::Auto => mean_goal_value.is_some(),
            Rank::ValueLost => true,
            Rank::ExcessDrops => false,
        };
        rows.sort_unstable_by(|a, b| a.rank(b, by_value));
        Ok(DropOffReport { grain: question.grain, by_value, journeys, without_node, mean_goal_value, nodes: rows })
    }
}

/// Beyond nine decimals there is only the rounding of a sum of floats.
fn rounded(number: f64) -> f64 {
    (number * 1e9).round() / 1e9
}

impl DropOffNode {
    fn new(
        name: &str,
        mut counts: NodeCounts,
        expected: Expected,
        goal_value: Option<f64>,
        errors: bool,
    ) -> DropOffNode {
        DropOffNode {
            node: name.to_owned(),
            journeys: counts.journeys,
            occurrences: 0,
            events: counts.events,
            exits: 0,
            dropped: counts.dropped,
            expected: Expected { exits: rounded(expected.exits), drops: rounded(expected.drops) },
            lift: None,
            goal_rate: rate(counts.reached, counts.before_goal),
            value_lost: value_lost(&counts, goal_value),
            friction: Friction {
                loops: counts.loops,
                repeats: counts.repeats,
                rage: counts.rage,
                errors: errors.then_some(counts.errors),
                slow: counts.times.longer(95),
            },
            time: counts.times.summary(95),
            next: Vec::new(),
        }
    }

    /// Takes in what follows the node, the most frequent by name and the rest in one.
    fn follow(&mut self, followers: Vec<(Code, u64)>, names: &Dictionary, most: usize) {
        self.occurrences = followers.iter().map(|(_, count)| count).sum();
        self.exits = followers.iter().find(|(code, _)| *code == END).map_or(0, |(_, count)| *count);
        self.next = Next::list(followers, names, most);
    }

    /// Drops above expectation.
    pub fn excess_drops(&self) -> f64 {
        self.dropped as f64 - self.expected.drops
    }

    /// The worse one first; equally bad ones by drops and name.
    fn rank(&self, other: &DropOffNode, by_value: bool) -> Ordering {
        let value = |row: &DropOffNode| if by_value { row.value_lost } else { None };
        let by_value = value(other).cmp(&value(self));
        let by_excess = || other.excess_drops().total_cmp(&self.excess_drops());
        let by_drops = || other.dropped.cmp(&self.dropped);
        by_value.then_with(by_excess).then_with(by_drops).then_with(|| self.node.cmp(&other.node))
    }

    fn value_lost(&self) -> Cell {
        self.value_lost.map_or(Cell::Null, Cell::Money)
    }

    fn cells(&self) -> Vec<Cell> {
        vec![
            Cell::Text(self.node.clone()),
            Cell::Count(self.journeys),
            Cell::Count(self.exits),
            Cell::rate(rate(self.exits, self.journeys)),
            Cell::rate(rate(self.exits, self.events)),
            Cell::Number(self.expected.exits),
            self.lift.map_or(Cell::Null, Cell::Number),
            Cell::Count(self.dropped),
            Cell::Number(self.excess_drops()),
            Cell::rate(self.goal_rate),
            self.value_lost(),
        ]
    }

    fn friction_cells(&self) -> Vec<Cell> {
        let Friction { loops, repeats, rage, errors, slow } = self.friction;
        let front = [self.events, loops, repeats, rage].map(Cell::Count);
        let time = self.time.map_or([const { Cell::Null }; 3], |time| {
            let exact = Cell::Text(if time.exact { "yes" } else { "no" }.to_owned());
            [Cell::Seconds(time.median), Cell::Seconds(time.percentile), exact]
        });
        let back = [errors.map_or(Cell::Null, Cell::Count), Cell::Count(slow)];
        [Cell::Text(self.node.clone())].into_iter().chain(front).chain(back).chain(time).collect()
    }

    fn next_cells(&self) -> impl Iterator<Item = Vec<Cell>> {
        self.next.iter().map(|next| {
            let share = Cell::rate(rate(next.count, self.occurrences));
            vec![Cell::Text(self.node.clone()), Cell::Text(next.node.clone()), Cell::Count(next.count), share]
        })
    }

    fn json(&self) -> Value {
        let seconds = |time: Summary| {
            let Summary { mean, median, percentile, exact } = time;
            json!({ "mean": mean, "median": median, "p95": percentile, "exact": exact })
        };
        json!({
            "node": self.node,
            "journeys": self.journeys,
            "occurrences": self.occurrences,
            "events": self.events,
            "exits": self.exits,
            "exit_rate": rate(self.exits, self.journeys),
            "exit_rate_views": rate(self.exits, self.events),
            "expected_exits": self.expected.exits,
            "lift": self.lift,
            "dropped": self.dropped,
            "excess_drops": self.excess_drops(),
            "goal_rate": self.goal_rate,
            "value_lost": self.value_lost().json(),
            "time_s": self.time.map(seconds),
            "friction": self.friction,
            "next": self.next,
        })
    }
}

/// Drops × chance of the goal × its mean value, in millionths. Who drops was at the node before any goal: so there is a chance.
fn value_lost(counts: &NodeCounts, goal_value: Option<f64>) -> Option<i128> {
    let value = goal_value?;
    let chance = rate(counts.reached, counts.before_goal).unwrap_or(0.0);
    Some((counts.dropped as f64 * chance * value).round() as i128)
}

impl Report for DropOffReport {
    fn title(&self) -> String {
        let first = if self.by_value { "most value lost" } else { "most drops above expectation" };
        format!("Drop-off: where {} end, {first} first", self.grain.journeys())
    }

    fn tables(&self) -> Vec<Table> {
        const NODES: [&str; 11] = [
            "node",
            "journeys",
            "exits",
            "exit_rate",
            "exit_rate_views",
            "expected_exits",
            "lift",
            "dropped",
            "excess_drops",
            "goal_rate",
            "value_lost",
        ];
        const FRICTION: [&str; 10] =
            ["node", "events", "loops", "repeats", "rage", "errors", "slow", "time_median_s", "time_p95_s", "exact"];
        const NEXT: [&str; 4] = ["node", "next", "count", "share"];
        let rows = |cells: fn(&DropOffNode) -> Vec<Cell>| self.nodes.iter().map(cells).collect();
        let next = self.nodes.iter().flat_map(DropOffNode::next_cells).collect();
        vec![
            Table { name: "nodes", columns: NODES.map(str::to_owned).to_vec(), rows: rows(DropOffNode::cells) },
            Table {
                name: "friction",
                columns: FRICTION.map(str::to_owned).to_vec(),
                rows: rows(DropOffNode::friction_cells),
            },
            Table { name: "next", columns: NEXT.map(str::to_owned).to_vec(), rows: next },
        ]
    }

    fn json(&self) -> Value {
        let nodes: Vec<Value> = self.nodes.iter().map(DropOffNode::json).collect();
        let mean = self.mean_goal_value.map_or(Cell::Null, |mean| Cell::Money(mean.round() as i128));
        json!({
            "journeys": self.journeys,
            "without_node": self.without_node,
            "ranked_by": if self.by_value { "value_lost" } else { "excess_drops" },
            "mean_goal_value": mean.json(),
            "nodes": nodes,
        })
    }
}
