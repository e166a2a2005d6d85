//! Where in the nodes of a journey a reading begins, where it stops, and in which columns it stands.

use std::ops::Range;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::ids::Code;

/// Which places of a node a journey is read from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum Occurrence {
    /// The first in time.
    #[default]
    First,
    /// The last in time.
    Last,
    /// Each is a reading of its own.
    Every,
}

/// From which end the positions of a reading count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// 1, 2, 3 … from the first node that is read.
    #[default]
    Forwards,
    /// 0, -1, -2 … from the last node that is read.
    Backwards,
}

/// What of a journey is read. Nodes are names as asked, and codes once they are closed.
#[derive(Clone, Debug)]
pub(super) enum Anchor<N> {
    Whole,
    /// From this node on.
    Start(N),
    /// Up to this node.
    End(N),
    /// From the first of these nodes to the next of the second, which may be the same place.
    Between(N, N),
    /// All of it, aligned at this node.
    Through(N),
}

impl<N> Anchor<N> {
    /// Its nodes, each with the option that gives it.
    pub fn nodes(&self) -> Vec<(&'static str, &N)> {
        match self {
            Anchor::Whole => Vec::new(),
            Anchor::Start(start) => vec![("start", start)],
            Anchor::End(end) => vec![("end", end)],
            Anchor::Between(start, end) => vec![("start", start), ("end", end)],
            Anchor::Through(node) => vec![("through", node)],
        }
    }

    /// The same with other nodes, each by the option that gives it.
    pub fn map<M>(&self, mut to: impl FnMut(&'static str, &N) -> M) -> Anchor<M> {
        match self {
            Anchor::Whole => Anchor::Whole,
            Anchor::Start(start) => Anchor::Start(to("start", start)),
            Anchor::End(end) => Anchor::End(to("end", end)),
            Anchor::Between(start, end) => Anchor::Between(to("start", start), to("end", end)),
            Anchor::Through(node) => Anchor::Through(to("through", node)),
        }
    }
}

/// How journeys are read.
#[derive(Clone, Debug)]
pub(super) struct Readings<N> {
    pub anchor: Anchor<N>,
    pub occurrence: Occurrence,
    pub direction: Direction,
}

/// One reading of a journey, in places among its nodes.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Reading {
    /// What is read.
    pub places: Range<usize>,
    /// The place that all readings have in one column.
    pub at: usize,
}

/// The columns that readings stand in.
#[derive(Clone, Copy, Debug)]
pub(super) struct Columns {
    /// How many are before the one at which readings are aligned.
    pub before: usize,
    /// How many there are.
    pub width: usize,
    /// The position of the first.
    pub first: i64,
}

impl Readings<String> {
    pub fn rules(&self) -> Map<String, Value> {
        let mut rules = Map::new();
        rules.extend(self.anchor.nodes().into_iter().map(|(option, node)| (option.to_owned(), json!(node))));
        if !rules.is_empty() {
            rules.insert("occurrence".into(), json!(self.occurrence));
        }
        if self.direction == Direction::Backwards {
            rules.insert("direction".into(), json!(self.direction));
        }
        rules
    }

    /// What is read, for titles: `the first 10 nodes of sessions, read from cart on`.
    pub fn title(&self, depth: u32, journeys: &str) -> String {
        let place = match self.occurrence {
            Occurrence::First => "",
            Occurrence::Last => "the last ",
            Occurrence::Every => "every ",
        };
        let side = if self.direction == Direction::Forwards { "first" } else { "last" };
        let read = match &self.anchor {
            Anchor::Through(node) => return format!("{depth} nodes to each side of {place}{node} in {journeys}"),
            Anchor::Whole => String::new(),
            Anchor::Start(start) => format!(", read from {place}{start} on"),
            Anchor::End(end) => format!(", read up to {place}{end}"),
            Anchor::Between(start, end) => format!(", read from {place}{start} to the next {end}"),
        };
        format!("the {side} {depth} nodes of {journeys}{read}")
    }
}

impl<N> Readings<N> {
    /// The columns of a flow of this depth.
    pub fn columns(&self, depth: u32) -> Columns {
        let (width, before) = (depth as usize, depth as usize - 1);
        match (&self.anchor, self.direction) {
            (Anchor::Through(_), _) => Columns { before: width, width: 2 * width + 1, first: -i64::from(depth) },
            (_, Direction::Forwards) => Columns { before: 0, width, first: 1 },
            (_, Direction::Backwards) => Columns { before, width, first: 1 - i64::from(depth) },
        }
    }
}

impl Readings<Code> {
    /// Gives the readings of a journey with these nodes to `read`, in no order.
    pub fn each(&self, nodes: &[Code], mut read: impl FnMut(Reading)) {
        let (anchor, until) = match self.anchor {
            Anchor::Whole if nodes.is_empty() => return,
            Anchor::Whole => return read(self.aligned(0..nodes.len(), 0)),
            Anchor::Start(node) | Anchor::End(node) | Anchor::Through(node) => (node, None),
            Anchor::Between(start, end) => (start, Some(end)),
        };
        // From the last place on, so that the next end is known at every place.
        let mut end = if until.is_none() { Some(nodes.len()) } else { None };
        let mut first = None;
        for (at, &node) in nodes.iter().enumerate().rev() {
            if until == Some(node) {
                end = Some(at + 1);
            }
            let Some(end) = end.filter(|_| node == anchor) else { continue };
            let reading = self.reading(at, end);
            match self.occurrence {
                Occurrence::First => first = Some(reading),
                Occurrence::Last => return read(reading),
                Occurrence::Every => read(reading),
            }
        }
        first.into_iter().for_each(read);
    }

    /// The reading from the anchor's node at `at`, no further than `end`.
    fn reading(&self, at: usize, end: usize) -> Reading {
        match self.anchor {
            Anchor::Start(_) | Anchor::Between(..) => self.aligned(at..end, at),
            Anchor::End(_) => self.aligned(0..at + 1, at),
            Anchor::Whole | Anchor::Through(_) => self.aligned(0..end, at),
        }
    }

    fn aligned(&self, places: Range<usize>, at: usize) -> Reading {
        let at = match (&self.anchor, self.direction) {
            (Anchor::Through(_), _) => at,
            (_, Direction::Forwards) => places.start,
            (_, Direction::Backwards) => places.end - 1,
        };
        Reading { places, at }
    }
}

impl Columns {
    /// The places of a reading that stand in a column.
    pub fn places(&self, reading: &Reading) -> Range<usize> {
        let first = reading.at.saturating_sub(self.before);
        let end = reading.at + self.width - self.before;
        first.max(reading.places.start)..end.min(reading.places.end)
    }

    /// The column of a place of a reading, from 0.
    pub fn column(&self, reading: &Reading, place: usize) -> usize {
        place + self.before - reading.at
    }
}
