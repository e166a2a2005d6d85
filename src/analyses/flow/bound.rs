//! A flow bound to the names of a run: how it counts, and how columns are cut.

use std::borrow::Cow;
use std::cmp::Reverse;
use std::sync::Arc;

use foldhash::fast::RandomState;
use hashbrown::HashMap;

use super::counts::{FlowCounts, LinkCounts, NodeCounts, Numbers};
use super::readings::{self, Columns, Reading, Readings};
use super::report::{FlowLink, FlowNode, FlowReport};
use crate::analyses::Analysis;
use crate::analyses::facts::{By, Facts};
use crate::analyses::pattern::BoundPattern;
use crate::counts::{Counts, Grid, Sums, Turn};
use crate::error::Result;
use crate::ids::Code;
use crate::journeys::{Journey, Names, Shows, Unit, View, Visitor};
use crate::spill::Spill;
use crate::units::Top;

/// The question bound to the names of a run.
pub(super) struct BoundFlow {
    pub title: String,
    pub unit: Unit,
    pub view: View,
    pub numbers: Numbers,
    pub top: Top,
    pub readings: Readings<BoundPattern>,
    pub columns: Columns,
    pub highlight: Option<Code>,
    /// The dimension whose values are the column in front.
    pub from: Option<(By, Facts)>,
}

/// One thread's scratch.
#[derive(Default)]
pub(super) struct Work {
    shows: Shows,
    readings: readings::Work,
}

impl Analysis for BoundFlow {
    type Work = Work;
    type Partial = FlowCounts;
    type Report = FlowReport;

    fn unit(&self) -> Unit {
        self.unit
    }

    fn empty(&self) -> FlowCounts {
        let Numbers { columns, nodes } = self.numbers;
        FlowCounts {
            journeys: [0; 3],
            nodes: Grid::new(columns * nodes),
            links: Grid::new(columns * nodes * nodes),
            values: Counts::default(),
            entries: Counts::default(),
            turn: Turn::default(),
        }
    }

    fn observe(&self, work: &mut Work, counts: &mut FlowCounts, visitor: Visitor<'_>) {
        counts.turn.next_visitor();
        for (number, journey) in visitor.numbered(self.unit) {
            counts.turn.next_journey();
            self.count(work, counts, number, journey);
        }
    }

    fn merge(&self, into: &mut FlowCounts, from: FlowCounts) {
        into.journeys.add(from.journeys);
        into.nodes.merge(from.nodes);
        into.links.merge(from.links);
        into.values.merge(from.values);
        into.entries.merge(from.entries);
    }

    fn finish(&self, counts: FlowCounts, names: &Names) -> Result<FlowReport> {
        let FlowCounts { journeys: [journeys, taken, readings], nodes, links, values, entries, .. } = counts;
        let places = self.places(nodes, values, names)?;
        // Columns that no reading comes to are left out at both ends; there are none in between.
        let lowest = places.first().map_or(0, |place| place.column);
        let (columns, rows) = self.cut(places);
        let mut links = self.sums_of_links(links, entries, &rows)?;
        links.iter_mut().for_each(|((column, ..), _)| *column -= lowest);
        Ok(FlowReport {
            title: self.title.clone(),
            first: self.columns.first - self.in_front() as i64 + lowest as i64,
            links: self.links(links, &columns),
            columns,
            journeys,
            taken,
            readings,
            highlights: self.highlight.is_some(),
        })
    }

    fn bytes(&self, counts: &FlowCounts) -> usize {
        counts.nodes.bytes() + counts.links.bytes() + counts.values.bytes() + counts.entries.bytes()
    }

    fn relieve(&self, counts: &mut FlowCounts, spill: &Arc<Spill>) -> Result<()> {
        counts.nodes.relieve(spill)?;
        counts.links.relieve(spill)?;
        counts.values.relieve(spill)?;
        counts.entries.relieve(spill)
    }
}

/// A node or a value in its column of the report, as counted.
struct Place<'a> {
    column: usize,
    code: Code,
    name: Cow<'a, str>,
    counts: NodeCounts,
}

/// The row of each node in its column of the report, by column and code.
type Rows = HashMap<(usize, Code), usize, RandomState>;

/// A link by the column in which it begins and the rows of its nodes in their columns.
type LinkPlace = (usize, usize, usize);

impl BoundFlow {
    /// How many columns of the report are in front of those of nodes.
    fn in_front(&self) -> usize {
        usize::from(self.from.is_some())
    }

    fn count(&self, work: &mut Work, counts: &mut FlowCounts, number: u32, journey: Journey<'_>) {
        let shown = self.view.look(journey, &mut work.shows);
        let nodes = shown.nodes;
        let highlighted = u64::from(self.highlight.is_some_and(|node| nodes.contains(&node)));
        let value = self.from.as_ref().map(|(by, facts)| by.code(facts, number, journey, |_| true));
        let mut readings = 0;
        self.readings.each(journey, shown, &mut work.readings, |reading| {
            readings += 1;
            if let Some(value) = value {
                self.enter(counts, value, nodes[reading.places.start], highlighted);
            }
            self.read(counts, nodes, &reading, highlighted);
        });
        counts.journeys.add([1, u64::from(readings > 0), readings]);
    }

    /// Counts the value in front of a reading and the link to its first node.
    fn enter(&self, counts: &mut FlowCounts, value: Code, first: Code, highlighted: u64) {
        let node = counts.values.at(&value.into());
        node.through += 1;
        node.entered += 1;
        node.highlighted += highlighted;
        node.visitors += u64::from(counts.turn.first(&mut node.mark).1);
        counts.entries.at(&self.numbers.link(value.into(), first)).meet(counts.turn, highlighted);
    }

    /// Counts the nodes of a reading in their columns and the links between them.
    fn read(&self, counts: &mut FlowCounts, nodes: &[Code], reading: &Reading, highlighted: u64) {
        let shown = self.columns.places(reading);
        for place in shown.clone() {
            let number = self.numbers.node(self.columns.column(reading, place), nodes[place]);
            let node = counts.nodes.at(number);
            let (begins, ends) = (place == reading.places.start, place + 1 == reading.places.end);
            let (comes, goes) = (place == shown.start && !begins, place + 1 == shown.end && !ends);
            node.through += 1;
            node.entered += u64::from(begins && self.from.is_none());
            node.dropped += u64::from(ends);
            node.beyond += u64::from(comes) + u64::from(goes);
            node.highlighted += highlighted;
            node.visitors += u64::from(counts.turn.first(&mut node.mark).1);
            if place + 1 < shown.end {
                let link = self.numbers.link(number, nodes[place + 1]);
                counts.links.at(link).meet(counts.turn, highlighted);
            }
        }
    }

    /// All that was counted of nodes and values, by column, then the largest first.
    fn places<'a>(
        &self,
        nodes: Grid<NodeCounts>,
        values: Counts<u64, NodeCounts>,
        names: &'a Names,
    ) -> Result<Vec<Place<'a>>> {
        let known = names.node_names(self.view.nodes);
        let mut places: Vec<Place<'a>> = Vec::new();
        nodes.drain(|number, counts| {
            let (column, code) = self.numbers.place(number);
            let name = Cow::Borrowed(known.name(code));
            places.push(Place { column: column + self.in_front(), code, name, counts });
        })?;
        values.drain(|&code, counts| {
            let code = code as Code;
            let name = self.from.as_ref().map(|(by, _)| by.value(code, names).1).unwrap_or_default();
            places.push(Place { column: 0, code, name: Cow::Owned(name), counts });
        })?;
        let key = |place: &Place<'_>| (place.column, Reverse(place.counts.through));
        places.sort_unstable_by(|a, b| key(a).cmp(&key(b)).then_with(|| a.name.cmp(&b.name)));
        Ok(places)
    }

    /// The columns, each cut to its largest nodes, and the row of every node in its column.
    fn cut(&self, places: Vec<Place<'_>>) -> (Vec<Vec<FlowNode>>, Rows) {
        let highlights = self.highlight.is_some();
        let mut columns: Vec<Vec<FlowNode>> = Vec::new();
        let mut rows = Rows::default();
        for column in places.chunk_by(|a, b| a.column == b.column) {
            let named = self.top.limit().min(column.len());
            rows.extend(column.iter().enumerate().map(|(row, place)| ((place.column, place.code), row.min(named))));
            let (named, rest) = column.split_at(named);
            let node = |place: &Place<'_>| FlowNode::named(&place.name, &place.counts, highlights);
            let mut shown: Vec<FlowNode> = named.iter().map(node).collect();
            if !rest.is_empty() {
                let mut other = NodeCounts::default();
                rest.iter().for_each(|place| other.add(place.counts));
                shown.push(FlowNode::other(&other, highlights));
            }
            columns.push(shown);
        }
        (columns, rows)
    }

    /// Links summed by column and the rows of their nodes.
    fn sums_of_links(
        &self,
        links: Grid<LinkCounts>,
        entries: Counts<u64, LinkCounts>,
        rows: &Rows,
    ) -> Result<Vec<(LinkPlace, LinkCounts)>> {
        let mut sums: HashMap<LinkPlace, LinkCounts, RandomState> = HashMap::default();
        let mut sum = |column: usize, [from, to]: [Code; 2], counts: LinkCounts| {
            sums.entry((column, rows[&(column, from)], rows[&(column + 1, to)])).or_default().add(counts);
        };
        links.drain(|number, counts| {
            let (from, to) = self.numbers.ends(number);
            let (column, from) = self.numbers.place(from);
            sum(column + self.in_front(), [from, to], counts);
        })?;
        entries.drain(|&number, counts| {
            let (value, to) = self.numbers.ends(number);
            sum(0, [value as Code, to], counts);
        })?;
        Ok(sums.into_iter().collect())
    }

    /// The links between what is left in the columns.
    fn links(&self, sums: Vec<(LinkPlace, LinkCounts)>, columns: &[Vec<FlowNode>]) -> Vec<FlowLink> {
        let link = |((column, from, to), counts): (LinkPlace, LinkCounts)| {
            let named = columns[column][from].is_named() && columns[column + 1][to].is_named();
            FlowLink {
                column,
                from,
                to,
                count: counts.count,
                highlighted: self.highlight.map(|_| counts.highlighted),
                visitors: named.then_some(counts.visitors),
            }
        };
        let mut links: Vec<FlowLink> = sums.into_iter().map(link).collect();
        let key = |link: &FlowLink| (link.column, Reverse(link.count), link.ends(columns));
        links.sort_unstable_by(|a, b| key(a).cmp(&key(b)));
        links
    }
}
