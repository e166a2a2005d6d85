//! What a flow answers with.

use serde::Serialize;
use serde_json::{Value, json};

use super::OTHER;
use super::counts::NodeCounts;
use crate::rates::rate;
use crate::reports::drawing::{Drawing, DrawnLink, DrawnNode, NodeKind};
use crate::reports::{Cell, Report, Table, set_apart};

/// The columns and the links between each and the next.
pub struct FlowReport {
    /// One line that says what was asked.
    pub title: String,
    /// The position of the first column.
    pub first: i64,
    /// The nodes at each position, from the first position that a reading comes to on.
    pub columns: Vec<Vec<FlowNode>>,
    /// By position, then the most frequent first.
    pub links: Vec<FlowLink>,
    /// All journeys that were looked at.
    pub journeys: u64,
    /// Those that are read: they have the nodes that readings begin and end at.
    pub taken: u64,
    /// How often they are read; more than `taken` only where every occurrence is a reading. Nodes and links count readings.
    pub readings: u64,
    /// Whether a node is highlighted.
    pub highlights: bool,
}

/// A node of a column. `through = entered + links in = links out + dropped + beyond`; in the first column of positions below 0 `beyond`
/// stands beside `entered` instead, and comes from before.
#[derive(Serialize)]
pub struct FlowNode {
    /// Its name, or `(other)` for all that are not shown by name.
    pub node: String,
    /// Readings that have it at this position.
    pub through: u64,
    /// Readings that begin here.
    pub entered: u64,
    /// Readings that end here.
    pub dropped: u64,
    /// Readings that go on past the last column, or come from before the first.
    pub beyond: u64,
    /// Those of journeys that have the highlighted node, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub highlighted: Option<u64>,
    /// Distinct ones cannot be added up: unknown for (other).
    pub visitors: Option<u64>,
}

impl FlowNode {
    pub(super) fn named(name: &str, counts: &NodeCounts, highlights: bool) -> FlowNode {
        let other = FlowNode::other(counts, highlights);
        FlowNode { node: set_apart(name, OTHER).into_owned(), visitors: Some(counts.visitors), ..other }
    }

    /// The node (other).
    pub(super) fn other(counts: &NodeCounts, highlights: bool) -> FlowNode {
        let NodeCounts { through, entered, dropped, beyond, .. } = *counts;
        let highlighted = highlights.then_some(counts.highlighted);
        FlowNode { node: OTHER.to_owned(), through, entered, dropped, beyond, highlighted, visitors: None }
    }

    pub(super) fn is_named(&self) -> bool {
        self.visitors.is_some()
    }
}

/// A link from a node of a column to a node of the next.
pub struct FlowLink {
    /// The column in which the link begins, from 0.
    pub column: usize,
    /// Rows of the two nodes in their columns.
    pub from: usize,
    /// The row of the node in the next column.
    pub to: usize,
    /// Readings that go from the one to the other.
    pub count: u64,
    /// Those of journeys that have the highlighted node, if there is one.
    pub highlighted: Option<u64>,
    /// Unknown if one of the nodes is (other).
    pub visitors: Option<u64>,
}

impl FlowLink {
    /// The names of the two nodes.
    pub fn ends<'a>(&self, columns: &'a [Vec<FlowNode>]) -> [&'a str; 2] {
        [&columns[self.column][self.from].node, &columns[self.column + 1][self.to].node]
    }
}

impl FlowReport {
    fn position(&self, column: usize) -> i64 {
        self.first + column as i64
    }

    /// The nodes with their columns.
    fn nodes(&self) -> impl Iterator<Item = (usize, &FlowNode)> {
        self.columns.iter().enumerate().flat_map(|(at, column)| column.iter().map(move |node| (at, node)))
    }

    /// How many take part, where not every journey does, and is read once.
    fn taking_part(&self) -> Option<String> {
        let FlowReport { journeys, taken, readings, .. } = *self;
        match (readings == taken, taken == journeys) {
            (true, true) => None,
            (true, false) => Some(format!("{taken} of {journeys} take part")),
            (false, _) => Some(format!("{readings} readings of {taken} of {journeys}")),
        }
    }

    /// The columns of a table, those of highlights only if there are any.
    fn table(&self, name: &'static str, columns: &[&str], rows: Vec<Vec<Option<Cell>>>) -> Table {
        let columns = columns.iter().filter(|column| self.highlights || **column != HIGHLIGHTED);
        let rows = rows.into_iter().map(|row| row.into_iter().flatten().collect());
        Table { name, columns: columns.map(|column| (*column).to_owned()).collect(), rows: rows.collect() }
    }
}

/// The column of a table that only flows with a highlighted node have.
const HIGHLIGHTED: &str = "highlighted";

impl Report for FlowReport {
    fn title(&self) -> String {
        match self.taking_part() {
            None => self.title.clone(),
            Some(part) => format!("{} ({part})", self.title),
        }
    }

    fn tables(&self) -> Vec<Table> {
        const LINKS: [&str; 6] = ["position", "from", "to", "count", HIGHLIGHTED, "visitors"];
        const NODES: [&str; 8] =
            ["position", "node", "through", "entered", "dropped", "beyond", HIGHLIGHTED, "visitors"];
        let position = |column: usize| Some(Cell::Integer(self.position(column)));
        let visitors = |visitors: Option<u64>| Some(visitors.map_or(Cell::Null, Cell::Count));
        let link = |link: &FlowLink| {
            let [from, to] = link.ends(&self.columns).map(|name| Some(Cell::Text(name.to_owned())));
            let counts = [Some(Cell::Count(link.count)), link.highlighted.map(Cell::Count), visitors(link.visitors)];
            [position(link.column), from, to].into_iter().chain(counts).collect()
        };
        let node = |(at, node): (usize, &FlowNode)| {
            let counts = [node.through, node.entered, node.dropped, node.beyond].map(|count| Some(Cell::Count(count)));
            let name = [position(at), Some(Cell::Text(node.node.clone()))];
            name.into_iter().chain(counts).chain([node.highlighted.map(Cell::Count), visitors(node.visitors)]).collect()
        };
        let taken = [self.journeys, self.taken, self.readings].map(|count| Some(Cell::Count(count)));
        vec![
            self.table("links", &LINKS, self.links.iter().map(link).collect()),
            self.table("nodes", &NODES, self.nodes().map(node).collect()),
            self.table("journeys", &["journeys", "taken", "readings"], vec![taken.into()]),
        ]
    }

    fn aside(&self) -> &'static [&'static str] {
        &["journeys"]
    }

    /// Each column of nodes with the links to the next.
    fn drawing(&self) -> Option<Drawing> {
        let node = |(at, node): (usize, &FlowNode)| DrawnNode {
            kind: if node.is_named() { NodeKind::Node } else { NodeKind::Other },
            name: node.node.clone(),
            count: node.through,
            facts: vec![
                ("dropped", node.dropped),
                ("beyond", node.beyond),
                (HIGHLIGHTED, node.highlighted.unwrap_or_default()),
            ],
            column: Some(at),
        };
        // Numbers of the nodes run through all columns.
        let begins = self.columns.iter().scan(0, |next, column| Some(std::mem::replace(next, *next + column.len())));
        let begins: Vec<usize> = begins.collect();
        let link = |link: &FlowLink| DrawnLink {
            from: begins[link.column] + link.from,
            to: begins[link.column + 1] + link.to,
            count: link.count,
            share: rate(link.count, self.columns[link.column][link.from].through),
        };
        let (nodes, links) = (self.nodes().map(node).collect(), self.links.iter().map(link).collect());
        Some(Drawing { title: self.title(), nodes, links, loose: 0 })
    }

    fn json(&self) -> Value {
        let column = |(at, nodes): (usize, &Vec<FlowNode>)| json!({ "position": self.position(at), "nodes": nodes });
        let link = |link: &FlowLink| {
            let [from, to] = link.ends(&self.columns);
            let (position, count, visitors) = (self.position(link.column), link.count, link.visitors);
            let mut row = json!({ "position": position, "from": from, "to": to, "count": count, "visitors": visitors });
            if let (Value::Object(fields), Some(count)) = (&mut row, link.highlighted) {
                fields.insert(HIGHLIGHTED.to_owned(), json!(count));
            }
            row
        };
        let columns: Vec<Value> = self.columns.iter().enumerate().map(column).collect();
        let links: Vec<Value> = self.links.iter().map(link).collect();
        let FlowReport { journeys, taken, readings, .. } = *self;
        json!({ "journeys": journeys, "taken": taken, "readings": readings, "columns": columns, "links": links })
    }
}
