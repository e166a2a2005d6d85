//! The behaviour flow: which nodes journeys are at by position, where they go next and where they end.

mod report;
#[cfg(test)]
mod tests;

use std::cmp::Reverse;
use std::io::{self, Read};
use std::sync::Arc;

use foldhash::fast::RandomState;
use hashbrown::HashMap;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::step::nowhere;
use super::{Analysis, Bound, Common, Notes, PathScope, Question, Segmented, SegmentedReport, Spec};
use crate::counts::{Grid, Mark, Sums, Turn};
use crate::dictionary::Dictionary;
use crate::error::{Error, Result};
use crate::ids::{Code, MISSING};
use crate::journeys::{Journey, Names, Needs, Shows, Unit, View, Visitor};
use crate::reports::set_apart;
use crate::spill::Spill;
use crate::units::Top;
pub use report::{FlowLink, FlowNode, FlowReport};

/// What stands for the nodes of a column that are not shown by name.
const OTHER: &str = "(other)";

/// The question `flow`, as written.
#[derive(Clone, Debug, Default, clap::Args, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[command(next_help_heading = "Question")]
pub struct FlowSpec {
    /// How many columns: the nodes of a journey up to this position, at most 50 [default: 10]
    #[arg(long, value_name = "N")]
    pub depth: Option<u32>,
    /// How many nodes of each column are shown, or `all`; the rest are counted in one node (other), whose visitors are
    /// not known [default: 20]
    #[arg(long, value_name = "N")]
    pub top: Option<Top>,
    /// Read each journey from the first place of this node; journeys without it take no part [default: the first node]
    #[arg(long, value_name = "NODE")]
    pub start: Option<String>,
}

impl Spec for FlowSpec {
    type Report = SegmentedReport<FlowReport>;

    const NAME: &'static str = "flow";
    const ABOUT: &'static str =
        "The behaviour flow by position: where journeys are, where they go next and where they end";
    const EXAMPLES: &'static str = "\
clickpath flow sample-data/shop.csv.gz
clickpath flow sample-data/shop.csv.gz --depth 5 --top 3 --by platform
clickpath flow sample-data/shop.csv.gz --start add_to_cart --top all";

    fn resolve(self, common: Common) -> Result<Box<dyn Question>> {
        let depth = self.depth.unwrap_or(10);
        if !(1..=50).contains(&depth) {
            return Err(Error::question(format!("a flow has 1 to 50 columns, not {depth}"))
                .hint("give --depth a number from 1 to 50; whole journeys of any length are a question for paths"));
        }
        if let Some(start) = self.start.as_ref().filter(|start| common.hide.contains(start)) {
            return Err(Error::question(format!("a flow cannot start at the hidden node {start:?}"))
                .hint("take it out of --start or out of --hide"));
        }
        let top = self.top.unwrap_or(Top::TWENTY);
        Ok(Box::new(Flow { scope: PathScope::new(common), depth, top, start: self.start }))
    }
}

/// The question `flow`, as meant.
struct Flow {
    scope: PathScope,
    depth: u32,
    top: Top,
    start: Option<String>,
}

impl Question for Flow {
    fn schema(&self) -> &'static str {
        "clickpath.flow/1"
    }

    fn rules(&self) -> Map<String, Value> {
        let mut rules = self.scope.rules();
        rules.insert("depth".into(), json!(self.depth));
        rules.insert("top".into(), json!(self.top));
        if let Some(start) = &self.start {
            rules.insert("start".into(), json!(start));
        }
        rules
    }

    fn needs(&self) -> Needs {
        self.scope.needs()
    }

    fn bind(&self, names: &Names, notes: &mut Notes) -> Result<Box<dyn Bound>> {
        let view = self.scope.view(names, notes)?;
        let nodes = names.node_names(view.nodes);
        if nodes.code(OTHER).is_some() {
            notes.tell(format!("the log has a node {OTHER} of its own: it is shown as {}", set_apart(OTHER, OTHER)));
        }
        let flow = BoundFlow {
            title: self.title(),
            unit: self.scope.unit(names, notes)?,
            numbers: Numbers::new(self.depth, nodes.len())?,
            top: self.top,
            start: self.start.as_ref().map(|start| start_code(start, nodes, notes)),
            view,
        };
        Ok(Box::new(Segmented::new(flow, &self.scope.common, names, notes)?))
    }
}

impl Flow {
    fn title(&self) -> String {
        let title = format!("Flow: the first {} nodes of {}", self.depth, self.scope.grain.journeys());
        match &self.start {
            Some(start) => format!("{title}, read from {start} on"),
            None => title,
        }
    }
}

/// The code of the start node. One that the log does not have is MISSING, where no place is: so no journey takes part.
fn start_code(start: &str, nodes: &Dictionary, notes: &mut Notes) -> Code {
    let code = nodes.code(start).unwrap_or(MISSING);
    if code == MISSING {
        notes.warn(nowhere("start node", start, nodes.iter()));
    }
    code
}

/// The question bound to the names of a run.
struct BoundFlow {
    title: String,
    unit: Unit,
    view: View,
    numbers: Numbers,
    top: Top,
    start: Option<Code>,
}

/// The nodes of columns and the links between them as numbers. Positions count from 0 here.
#[derive(Clone, Copy)]
struct Numbers {
    depth: u64,
    /// How many codes of nodes there are.
    nodes: u64,
}

impl Numbers {
    fn new(depth: u32, nodes: usize) -> Result<Numbers> {
        let numbers = Numbers { depth: depth.into(), nodes: nodes as u64 };
        let links = numbers.nodes.checked_mul(numbers.nodes).and_then(|pairs| pairs.checked_mul(numbers.depth));
        links.map(|_| numbers).ok_or_else(|| {
            Error::limit(format!("a flow of {depth} columns cannot number {nodes} nodes"))
                .hint("make fewer nodes: --group 'depth:2' folds pages by their folders")
        })
    }

    #[inline]
    fn node(self, position: usize, node: Code) -> u64 {
        position as u64 * self.nodes + u64::from(node)
    }

    /// The link from a node of a column, given by its number, to `to` in the next column.
    #[inline]
    fn link(self, from: u64, to: Code) -> u64 {
        from * self.nodes + u64::from(to)
    }

    fn position(self, node: u64) -> usize {
        (node / self.nodes) as usize
    }

    fn code(self, node: u64) -> Code {
        (node % self.nodes) as Code
    }

    /// The numbers of the two nodes of a link.
    fn ends(self, link: u64) -> [u64; 2] {
        let from = link / self.nodes;
        [from, self.node(self.position(from) + 1, (link % self.nodes) as Code)]
    }
}

#[derive(Clone, Copy, Debug, Default)]
struct NodeCounts {
    through: u64,
    dropped: u64,
    beyond: u64,
    visitors: u64,
    mark: Mark,
}

impl Sums for NodeCounts {
    fn add(&mut self, from: Self) {
        self.through += from.through;
        self.dropped += from.dropped;
        self.beyond += from.beyond;
        self.visitors += from.visitors;
    }

    fn write(&self, into: &mut Vec<u8>) {
        [self.through, self.dropped, self.beyond, self.visitors].write(into);
    }

    fn read(from: &mut impl Read) -> io::Result<Self> {
        let [through, dropped, beyond, visitors] = Sums::read(from)?;
        Ok(NodeCounts { through, dropped, beyond, visitors, mark: Mark::default() })
    }
}

#[derive(Clone, Debug, Default)]
struct LinkCounts {
    count: u64,
    visitors: u64,
    mark: Mark,
}

impl Sums for LinkCounts {
    fn add(&mut self, from: Self) {
        self.count += from.count;
        self.visitors += from.visitors;
    }

    fn write(&self, into: &mut Vec<u8>) {
        [self.count, self.visitors].write(into);
    }

    fn read(from: &mut impl Read) -> io::Result<Self> {
        let [count, visitors] = Sums::read(from)?;
        Ok(LinkCounts { count, visitors, mark: Mark::default() })
    }
}

#[derive(Clone, Debug)]
struct FlowCounts {
    /// By [`Numbers::node`].
    nodes: Grid<NodeCounts>,
    /// By [`Numbers::link`].
    links: Grid<LinkCounts>,
    turn: Turn,
}

impl Analysis for BoundFlow {
    type Work = Shows;
    type Partial = FlowCounts;
    type Report = FlowReport;

    fn unit(&self) -> Unit {
        self.unit
    }

    fn empty(&self) -> FlowCounts {
        let Numbers { depth, nodes } = self.numbers;
        let (nodes, links) = (Grid::new(depth * nodes), Grid::new(depth * nodes * nodes));
        FlowCounts { nodes, links, turn: Turn::default() }
    }

    fn observe(&self, room: &mut Shows, counts: &mut FlowCounts, visitor: Visitor<'_>) {
        counts.turn.next_visitor();
        for journey in visitor.journeys(self.unit) {
            counts.turn.next_journey();
            self.count(room, counts, journey);
        }
    }

    fn merge(&self, into: &mut FlowCounts, from: FlowCounts) {
        into.nodes.merge(from.nodes);
        into.links.merge(from.links);
    }

    fn finish(&self, counts: FlowCounts, names: &Names) -> Result<FlowReport> {
        let names = names.node_names(self.view.nodes);
        let (columns, rows) = self.columns(counts.nodes, names)?;
        let links = self.links(counts.links, &columns, &rows)?;
        Ok(FlowReport { title: self.title.clone(), columns, links })
    }

    fn bytes(&self, counts: &FlowCounts) -> usize {
        counts.nodes.bytes() + counts.links.bytes()
    }

    fn relieve(&self, counts: &mut FlowCounts, spill: &Arc<Spill>) -> Result<()> {
        counts.nodes.relieve(spill)?;
        counts.links.relieve(spill)
    }
}

/// The row of a node in its column, by [`Numbers::node`].
type Rows = HashMap<u64, usize, RandomState>;

impl BoundFlow {
    fn count(&self, room: &mut Shows, counts: &mut FlowCounts, journey: Journey<'_>) {
        let nodes = self.view.look(journey, room).nodes;
        let start = self.start.map_or(Some(0), |start| nodes.iter().position(|node| *node == start));
        let Some(start) = start else { return };
        let path = &nodes[start..];
        let depth = self.numbers.depth as usize;
        for (position, &node) in path.iter().take(depth).enumerate() {
            let number = self.numbers.node(position, node);
            let node = counts.nodes.at(number);
            node.through += 1;
            node.visitors += u64::from(counts.turn.first(&mut node.mark).1);
            let Some(&next) = path.get(position + 1) else {
                node.dropped += 1;
                return;
            };
            if position + 1 == depth {
                node.beyond += 1;
                return;
            }
            let link = counts.links.at(self.numbers.link(number, next));
            link.count += 1;
            link.visitors += u64::from(counts.turn.first(&mut link.mark).1);
        }
    }

    /// The columns, each cut to its largest nodes, and the row of every node in its column.
    fn columns(&self, counts: Grid<NodeCounts>, names: &Dictionary) -> Result<(Vec<Vec<FlowNode>>, Rows)> {
        let position = |number: u64| self.numbers.position(number);
        let name = |number: u64| names.name(self.numbers.code(number));
        let mut nodes: Vec<(u64, NodeCounts)> = Vec::new();
        counts.drain(|number, counts| nodes.push((number, counts)))?;
        nodes.sort_unstable_by_key(|(number, counts)| (position(*number), Reverse(counts.through), name(*number)));

        let (mut columns, mut rows) = (Vec::new(), HashMap::default());
        for column in nodes.chunk_by(|(a, _), (b, _)| position(*a) == position(*b)) {
            let named = self.top.limit().min(column.len());
            rows.extend(column.iter().enumerate().map(|(row, (number, _))| (*number, row.min(named))));
            let (named, rest) = column.split_at(named);
            let node = |(number, counts): &(u64, NodeCounts)| FlowNode::named(columns.len(), name(*number), counts);
            let mut shown: Vec<FlowNode> = named.iter().map(node).collect();
            if !rest.is_empty() {
                let mut other = NodeCounts::default();
                rest.iter().for_each(|(_, counts)| other.add(*counts));
                shown.push(FlowNode::other(columns.len(), &other));
            }
            columns.push(shown);
        }
        Ok((columns, rows))
    }

    /// The links between what is left in the columns.
    fn links(&self, counts: Grid<LinkCounts>, columns: &[Vec<FlowNode>], rows: &Rows) -> Result<Vec<FlowLink>> {
        let mut sums: HashMap<(usize, usize, usize), LinkCounts, RandomState> = HashMap::default();
        counts.drain(|number, counts| {
            let [from, to] = self.numbers.ends(number);
            sums.entry((self.numbers.position(from), rows[&from], rows[&to])).or_default().add(counts);
        })?;
        let link = |((position, from, to), counts): ((usize, usize, usize), LinkCounts)| {
            let named = columns[position][from].is_named() && columns[position + 1][to].is_named();
            FlowLink { position, from, to, count: counts.count, visitors: named.then_some(counts.visitors) }
        };
        let mut links: Vec<FlowLink> = sums.into_iter().map(link).collect();
        let key = |link: &FlowLink| (link.position, Reverse(link.count), link.ends(columns));
        links.sort_unstable_by(|a, b| key(a).cmp(&key(b)));
        Ok(links)
    }
}
