//! The transition graph: which node follows which, how often and how fast.

use std::cmp::Reverse;
use std::io::{self, Read};
use std::sync::Arc;

use foldhash::fast::RandomState;
use hashbrown::HashMap;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::{Analysis, Bound, Common, Grain, Notes, PathScope, Question, Segmented, SegmentedReport, Spec};
use crate::counts::{Grid, Mark, Sums, Turn};
use crate::durations::{Durations, Summary};
use crate::error::{Error, Result};
use crate::ids::Code;
use crate::journeys::{Journey, Names, Needs, Shows, Unit, View, Visitor};
use crate::rates::rate;
use crate::reports::drawing::{Drawing, DrawnLink, DrawnNode, NodeKind};
use crate::reports::{Cell, Report, Table};
use crate::spill::Spill;

/// The question `graph`, as written.
#[derive(Clone, Debug, Default, clap::Args, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[command(next_help_heading = "Question")]
pub struct GraphSpec {
    /// Leave out transitions with fewer occurrences than this; how many is said [default: 1]
    #[arg(long, value_name = "N")]
    pub min_count: Option<u64>,
}

impl Spec for GraphSpec {
    type Report = SegmentedReport<GraphReport>;

    const NAME: &'static str = "graph";
    const ABOUT: &'static str = "The transition graph by node: how often, how likely and how fast one follows another";
    const EXAMPLES: &'static str = "\
clickpath graph sample-data/shop.csv.gz
clickpath graph sample-data/shop.csv.gz --min-count 50 --by platform
clickpath graph sample-data/shop.csv.gz --repeats keep --hide support_chat";

    fn resolve(self, common: Common) -> Result<Box<dyn Question>> {
        let min_count = self.min_count.unwrap_or(1);
        if min_count == 0 {
            return Err(Error::question("a transition of the graph has at least 1 occurrence, not 0")
                .hint("--min-count 1 shows all of them"));
        }
        Ok(Box::new(Graph { scope: PathScope::new(common), min_count }))
    }
}

/// The question `graph`, as meant.
struct Graph {
    scope: PathScope,
    min_count: u64,
}

impl Question for Graph {
    fn schema(&self) -> &'static str {
        "clickpath.graph/1"
    }

    fn rules(&self) -> Map<String, Value> {
        let mut rules = self.scope.rules();
        rules.insert("min_count".into(), json!(self.min_count));
        rules
    }

    fn needs(&self) -> Needs {
        self.scope.needs()
    }

    fn bind(&self, names: &Names, notes: &mut Notes) -> Result<Box<dyn Bound>> {
        let view = self.scope.view(names, notes)?;
        let nodes = names.node_names(view.nodes).len() as u64;
        let graph = BoundGraph {
            grain: self.scope.grain,
            unit: self.scope.unit(names, notes)?,
            view,
            nodes,
            min_count: self.min_count,
        };
        Ok(Box::new(Segmented::new(graph, &self.scope.common, names, notes)?))
    }
}

/// The question bound to the names of a run.
struct BoundGraph {
    grain: Grain,
    unit: Unit,
    view: View,
    /// How many codes of nodes there are.
    nodes: u64,
    min_count: u64,
}

/// How often something occurs, and for how many.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Tally {
    /// Occurrences.
    pub count: u64,
    /// Journeys of the grain; called sessions at any grain.
    #[serde(rename = "sessions")]
    pub journeys: u64,
    /// Distinct visitors.
    pub visitors: u64,
    #[serde(skip)]
    mark: Mark,
}

impl Tally {
    /// Counts an occurrence in the journey at hand.
    #[inline]
    pub(super) fn count(&mut self, turn: Turn) {
        let (of_journey, of_visitor) = turn.first(&mut self.mark);
        self.count += 1;
        self.journeys += u64::from(of_journey);
        self.visitors += u64::from(of_visitor);
    }

    fn cells(&self) -> [Cell; 3] {
        [self.count, self.journeys, self.visitors].map(Cell::Count)
    }
}

/// How often a node occurs, and how often at an end of a journey.
#[derive(Clone, Debug, Default, Serialize)]
pub struct NodeCounts {
    /// Its occurrences, and the journeys and visitors that have it.
    #[serde(flatten)]
    pub tally: Tally,
    /// Journeys that begin here.
    pub entries: u64,
    /// Journeys that end here.
    pub exits: u64,
}

#[derive(Clone, Debug, Default)]
struct TransitionCounts {
    tally: Tally,
    times: Durations,
}

impl Sums for Tally {
    fn add(&mut self, from: Self) {
        self.count += from.count;
        self.journeys += from.journeys;
        self.visitors += from.visitors;
    }

    fn write(&self, into: &mut Vec<u8>) {
        [self.count, self.journeys, self.visitors].write(into);
    }

    fn read(from: &mut impl Read) -> io::Result<Self> {
        let [count, journeys, visitors] = Sums::read(from)?;
        Ok(Tally { count, journeys, visitors, mark: Mark::default() })
    }
}

impl Sums for NodeCounts {
    fn add(&mut self, from: Self) {
        self.tally.add(from.tally);
        self.entries += from.entries;
        self.exits += from.exits;
    }

    fn write(&self, into: &mut Vec<u8>) {
        self.tally.write(into);
        [self.entries, self.exits].write(into);
    }

    fn read(from: &mut impl Read) -> io::Result<Self> {
        let tally = Tally::read(from)?;
        let [entries, exits] = Sums::read(from)?;
        Ok(NodeCounts { tally, entries, exits })
    }
}

impl Sums for TransitionCounts {
    #[inline]
    fn add(&mut self, from: Self) {
        self.tally.add(from.tally);
        self.times.merge(from.times);
    }

    fn write(&self, into: &mut Vec<u8>) {
        self.tally.write(into);
        self.times.write(into);
    }

    fn read(from: &mut impl Read) -> io::Result<Self> {
        Ok(TransitionCounts { tally: Tally::read(from)?, times: Durations::read(from)? })
    }

    fn bytes(&self) -> usize {
        self.times.bytes()
    }
}

#[derive(Clone, Debug)]
struct GraphCounts {
    /// By code of the node.
    nodes: Grid<NodeCounts>,
    /// By [`BoundGraph::pair`].
    transitions: Grid<TransitionCounts>,
    turn: Turn,
}

impl Analysis for BoundGraph {
    type Work = Shows;
    type Partial = GraphCounts;
    type Report = GraphReport;

    fn unit(&self) -> Unit {
        self.unit
    }

    fn empty(&self) -> GraphCounts {
        let (nodes, transitions) = (Grid::new(self.nodes), Grid::new(self.nodes * self.nodes));
        GraphCounts { nodes, transitions, turn: Turn::default() }
    }

    fn observe(&self, room: &mut Shows, counts: &mut GraphCounts, visitor: Visitor<'_>) {
        counts.turn.next_visitor();
        for journey in visitor.journeys(self.unit) {
            counts.turn.next_journey();
            self.count(room, counts, journey);
        }
    }

    fn merge(&self, into: &mut GraphCounts, from: GraphCounts) {
        into.nodes.merge(from.nodes);
        into.transitions.merge(from.transitions);
    }

    fn finish(&self, counts: GraphCounts, names: &Names) -> Result<GraphReport> {
        let names = names.node_names(self.view.nodes);
        let name = |code| names.name(code as Code);
        let mut nodes: Vec<(u64, NodeCounts)> = Vec::new();
        counts.nodes.drain(|code, counts| nodes.push((code, counts)))?;
        nodes.sort_unstable_by_key(|(code, counts)| (Reverse(counts.tally.count), name(*code)));
        let rows: HashMap<u64, usize, RandomState> =
            nodes.iter().enumerate().map(|(row, (code, _))| (*code, row)).collect();
        let row = |(code, counts)| NodeRow { node: name(code).to_owned(), counts };
        let nodes: Vec<NodeRow> = nodes.into_iter().map(row).collect();

        let (mut transitions, mut hidden) = (Vec::new(), Hidden::default());
        counts.transitions.drain(|pair, TransitionCounts { tally, times }| {
            if tally.count < self.min_count {
                hidden.transitions += 1;
                hidden.count += tally.count;
                return;
            }
            let (from, to) = (rows[&(pair / self.nodes)], rows[&(pair % self.nodes)]);
            transitions.push(TransitionRow { from, to, tally, time: times.summary(95) });
        })?;
        let key = |row: &TransitionRow| (Reverse(row.tally.count), &nodes[row.from].node, &nodes[row.to].node);
        transitions.sort_unstable_by(|a, b| key(a).cmp(&key(b)));
        Ok(GraphReport { grain: self.grain, min_count: self.min_count, nodes, transitions, hidden })
    }

    fn bytes(&self, counts: &GraphCounts) -> usize {
        counts.nodes.bytes() + counts.transitions.bytes()
    }

    fn relieve(&self, counts: &mut GraphCounts, spill: &Arc<Spill>) -> Result<()> {
        counts.nodes.relieve(spill)?;
        counts.transitions.relieve(spill)
    }
}

impl BoundGraph {
    fn count(&self, room: &mut Shows, counts: &mut GraphCounts, journey: Journey<'_>) {
        let (shown, turn) = (self.view.look(journey, room), counts.turn);
        for &node in shown.nodes {
            counts.nodes.at(u64::from(node)).tally.count(turn);
        }
        let ([first, ..], [.., last]) = (shown.nodes, shown.nodes) else { return };
        counts.nodes.at(u64::from(*first)).entries += 1;
        counts.nodes.at(u64::from(*last)).exits += 1;
        let times = journey.times();
        let mut before = times[shown.event(0)];
        for (pair, number) in shown.nodes.windows(2).zip(1..) {
            let transition = counts.transitions.at(self.pair(pair[0], pair[1]));
            transition.tally.count(turn);
            let time = times[shown.event(number)];
            transition.times.add(time - std::mem::replace(&mut before, time));
        }
    }

    /// The number of a transition.
    #[inline]
    fn pair(&self, from: Code, to: Code) -> u64 {
        u64::from(from) * self.nodes + u64::from(to)
    }
}

/// The nodes and the transitions between them, both by count.
pub struct GraphReport {
    /// What makes a journey.
    pub grain: Grain,
    /// Transitions with fewer occurrences are hidden.
    pub min_count: u64,
    /// Every node that occurs, by count.
    pub nodes: Vec<NodeRow>,
    /// Those that occur at least `min_count` times, by count.
    pub transitions: Vec<TransitionRow>,
    /// How much the others are.
    pub hidden: Hidden,
}

/// A node of the graph.
#[derive(Serialize)]
pub struct NodeRow {
    /// Its name.
    pub node: String,
    /// How often it occurs, begins a journey, and ends one.
    #[serde(flatten)]
    pub counts: NodeCounts,
}

/// A transition of the graph.
pub struct TransitionRow {
    /// The places of its two nodes in [`GraphReport::nodes`].
    pub from: usize,
    /// The place of the second of them.
    pub to: usize,
    /// How often the one directly follows the other, and for how many.
    pub tally: Tally,
    /// Seconds from the one to the other; the percentile is the 95th.
    pub time: Option<Summary>,
}

/// What `--min-count` leaves out.
#[derive(Default, Serialize)]
pub struct Hidden {
    /// How many different transitions.
    pub transitions: u64,
    /// Their occurrences.
    pub count: u64,
}

impl NodeRow {
    fn cells(&self) -> Vec<Cell> {
        let NodeCounts { tally, entries, exits } = &self.counts;
        let name = Cell::Text(self.node.clone());
        [name].into_iter().chain(tally.cells()).chain([*entries, *exits].map(Cell::Count)).collect()
    }
}

impl GraphReport {
    /// The names of the two nodes of a transition.
    fn ends(&self, row: &TransitionRow) -> [&str; 2] {
        [row.from, row.to].map(|node| self.nodes[node].node.as_str())
    }

    /// The share of the transition in all occurrences of the node before it, and in all of the node after it; those at
    /// the ends of journeys included.
    fn probabilities(&self, row: &TransitionRow) -> [f64; 2] {
        [row.from, row.to].map(|node| row.tally.count as f64 / self.nodes[node].counts.tally.count as f64)
    }

    fn cells(&self, row: &TransitionRow) -> Vec<Cell> {
        let names = self.ends(row).map(|name| Cell::Text(name.to_owned()));
        let probabilities = self.probabilities(row).map(Cell::Rate);
        let time = row.time.map_or([const { Cell::Null }; 4], |time| {
            let exact = Cell::Text(if time.exact { "yes" } else { "no" }.to_owned());
            [Cell::Seconds(time.mean), Cell::Seconds(time.median), Cell::Seconds(time.percentile), exact]
        });
        names.into_iter().chain(row.tally.cells()).chain(probabilities).chain(time).collect()
    }

    fn transition(&self, row: &TransitionRow) -> Value {
        let [from, to] = self.ends(row);
        let [out_probability, in_probability] = self.probabilities(row);
        let seconds = |time: Summary| {
            let Summary { mean, median, percentile, exact } = time;
            json!({ "mean": mean, "median": median, "p95": percentile, "exact": exact })
        };
        json!({
            "from": from,
            "to": to,
            "count": row.tally.count,
            "sessions": row.tally.journeys,
            "visitors": row.tally.visitors,
            "out_probability": out_probability,
            "in_probability": in_probability,
            "time_s": row.time.map(seconds),
        })
    }
}

impl Report for GraphReport {
    fn title(&self) -> String {
        let title = format!("Graph: transitions of {}", self.grain.journeys());
        let Hidden { transitions, count } = self.hidden;
        if transitions == 0 {
            return title;
        }
        format!("{title}; {transitions} that occur fewer than {} times ({count} in all) are left out", self.min_count)
    }

    fn tables(&self) -> Vec<Table> {
        const TRANSITIONS: [&str; 11] = [
            "from",
            "to",
            "count",
            "sessions",
            "visitors",
            "out_probability",
            "in_probability",
            "mean_s",
            "median_s",
            "p95_s",
            "exact",
        ];
        const NODES: [&str; 6] = ["node", "count", "sessions", "visitors", "entries", "exits"];
        let transitions = self.transitions.iter().map(|row| self.cells(row)).collect();
        let nodes = self.nodes.iter().map(NodeRow::cells).collect();
        vec![
            Table { name: "transitions", columns: TRANSITIONS.map(str::to_owned).to_vec(), rows: transitions },
            Table { name: "nodes", columns: NODES.map(str::to_owned).to_vec(), rows: nodes },
        ]
    }

    /// The nodes between where journeys begin and where they end.
    fn drawing(&self) -> Option<Drawing> {
        let (start, end, first) = (0, 1, 2);
        let bound = |kind, name: &str, of: fn(&NodeCounts) -> u64| DrawnNode {
            kind,
            name: name.to_owned(),
            count: self.nodes.iter().map(|row| of(&row.counts)).sum(),
            facts: Vec::new(),
            column: None,
        };
        let bounds = [
            bound(NodeKind::Start, "start", |counts| counts.entries),
            bound(NodeKind::End, "end", |counts| counts.exits),
        ];
        let node = |row: &NodeRow| DrawnNode {
            kind: NodeKind::Node,
            name: row.node.clone(),
            count: row.counts.tally.count,
            facts: Vec::new(),
            column: None,
        };
        let link = |from, to, count, whole| DrawnLink { from, to, count, share: rate(count, whole) };
        let between = |row: &TransitionRow| {
            let whole = self.nodes[row.from].counts.tally.count;
            link(first + row.from, first + row.to, row.tally.count, whole)
        };
        let rows = || self.nodes.iter().enumerate();
        let entries = rows().map(|(at, row)| link(start, first + at, row.counts.entries, bounds[0].count));
        let exits = rows().map(|(at, row)| link(first + at, end, row.counts.exits, row.counts.tally.count));
        // As with transitions: what occurs more rarely than asked for is left out, and never at all is no link.
        let ends = entries.chain(exits).filter(|link| link.count >= self.min_count.max(1));
        let links = self.transitions.iter().map(between).chain(ends).collect();
        let nodes = bounds.iter().cloned().chain(self.nodes.iter().map(node)).collect();
        Some(Drawing { title: Report::title(self), nodes, links, loose: 0 }.without_loose_nodes())
    }

    fn json(&self) -> Value {
        let transitions: Vec<Value> = self.transitions.iter().map(|row| self.transition(row)).collect();
        json!({ "nodes": self.nodes, "transitions": transitions, "hidden": self.hidden })
    }
}

#[cfg(test)]
mod tests;
