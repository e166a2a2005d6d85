//! What a flow answers with.

use serde::Serialize;
use serde_json::{Value, json};

use super::{NodeCounts, OTHER};
use crate::rates::rate;
use crate::reports::drawing::{Drawing, DrawnLink, DrawnNode, NodeKind};
use crate::reports::{Cell, Report, Table, set_apart};

/// The columns and the links between each and the next.
pub struct FlowReport {
    /// One line that says what was asked.
    pub title: String,
    /// The nodes at each position, from the first position on.
    pub columns: Vec<Vec<FlowNode>>,
    /// By position, then the most frequent first.
    pub links: Vec<FlowLink>,
}

/// A node of a column. `through = entered + links in = links out + dropped + beyond`.
#[derive(Serialize)]
pub struct FlowNode {
    /// Its name, or `(other)` for all that are not shown by name.
    pub node: String,
    /// Journeys that have it at this position.
    pub through: u64,
    /// Journeys that begin here.
    pub entered: u64,
    /// Journeys that end here.
    pub dropped: u64,
    /// Journeys that go on past the last column.
    pub beyond: u64,
    /// Distinct ones cannot be added up: unknown for (other).
    pub visitors: Option<u64>,
}

impl FlowNode {
    pub(super) fn named(position: usize, name: &str, counts: &NodeCounts) -> FlowNode {
        let other = FlowNode::other(position, counts);
        FlowNode { node: set_apart(name, OTHER).into_owned(), visitors: Some(counts.visitors), ..other }
    }

    /// The node (other).
    pub(super) fn other(position: usize, counts: &NodeCounts) -> FlowNode {
        let NodeCounts { through, dropped, beyond, .. } = *counts;
        let entered = if position == 0 { through } else { 0 };
        FlowNode { node: OTHER.to_owned(), through, entered, dropped, beyond, visitors: None }
    }

    pub(super) fn is_named(&self) -> bool {
        self.visitors.is_some()
    }
}

/// A link from a node of a column to a node of the next.
pub struct FlowLink {
    /// Of the column in which the link begins, from 0.
    pub position: usize,
    /// Rows of the two nodes in their columns.
    pub from: usize,
    /// The row of the node in the next column.
    pub to: usize,
    /// Journeys that go from the one to the other.
    pub count: u64,
    /// Unknown if one of the nodes is (other).
    pub visitors: Option<u64>,
}

impl FlowLink {
    /// The names of the two nodes.
    pub fn ends<'a>(&self, columns: &'a [Vec<FlowNode>]) -> [&'a str; 2] {
        [&columns[self.position][self.from].node, &columns[self.position + 1][self.to].node]
    }
}

impl Report for FlowReport {
    fn title(&self) -> String {
        self.title.clone()
    }

    fn tables(&self) -> Vec<Table> {
        const LINKS: [&str; 5] = ["position", "from", "to", "count", "visitors"];
        const NODES: [&str; 7] = ["position", "node", "through", "entered", "dropped", "beyond", "visitors"];
        let position = |position: usize| Cell::Count(position as u64 + 1);
        let visitors = |visitors: Option<u64>| visitors.map_or(Cell::Null, Cell::Count);
        let link = |link: &FlowLink| {
            let [from, to] = link.ends(&self.columns).map(|name| Cell::Text(name.to_owned()));
            vec![position(link.position), from, to, Cell::Count(link.count), visitors(link.visitors)]
        };
        let node = |(at, node): (usize, &FlowNode)| {
            let counts = [node.through, node.entered, node.dropped, node.beyond].map(Cell::Count);
            let name = [position(at), Cell::Text(node.node.clone())];
            name.into_iter().chain(counts).chain([visitors(node.visitors)]).collect()
        };
        let nodes = self.columns.iter().enumerate().flat_map(|(at, column)| column.iter().map(move |node| (at, node)));
        vec![
            Table {
                name: "links",
                columns: LINKS.map(str::to_owned).to_vec(),
                rows: self.links.iter().map(link).collect(),
            },
            Table { name: "nodes", columns: NODES.map(str::to_owned).to_vec(), rows: nodes.map(node).collect() },
        ]
    }

    /// Each column of nodes with the links to the next.
    fn drawing(&self) -> Option<Drawing> {
        let nodes = self.columns.iter().enumerate().flat_map(|(at, column)| column.iter().map(move |node| (at, node)));
        let node = |(at, node): (usize, &FlowNode)| DrawnNode {
            kind: if node.is_named() { NodeKind::Node } else { NodeKind::Other },
            name: node.node.clone(),
            count: node.through,
            facts: vec![("dropped", node.dropped), ("beyond", node.beyond)],
            column: Some(at),
        };
        // Numbers of the nodes run through all columns.
        let begins = self.columns.iter().scan(0, |next, column| Some(std::mem::replace(next, *next + column.len())));
        let begins: Vec<usize> = begins.collect();
        let link = |link: &FlowLink| DrawnLink {
            from: begins[link.position] + link.from,
            to: begins[link.position + 1] + link.to,
            count: link.count,
            share: rate(link.count, self.columns[link.position][link.from].through),
        };
        let (nodes, links) = (nodes.map(node).collect(), self.links.iter().map(link).collect());
        Some(Drawing { title: self.title.clone(), nodes, links, loose: 0 })
    }

    fn json(&self) -> Value {
        let column = |(at, nodes): (usize, &Vec<FlowNode>)| json!({ "position": at + 1, "nodes": nodes });
        let link = |link: &FlowLink| {
            let FlowLink { position, count, visitors, .. } = *link;
            let [from, to] = link.ends(&self.columns);
            json!({ "position": position + 1, "from": from, "to": to, "count": count, "visitors": visitors })
        };
        let columns: Vec<Value> = self.columns.iter().enumerate().map(column).collect();
        let links: Vec<Value> = self.links.iter().map(link).collect();
        json!({ "columns": columns, "links": links })
    }
}
