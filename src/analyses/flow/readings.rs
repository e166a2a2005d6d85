//! Where in the nodes of a journey a reading begins, where it stops, and in which columns it stands.
//!
//! A reading begins at the first node of a pattern, ends at the last node of one, and is aligned at the first.

use std::ops::Range;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::analyses::pattern::{self, BoundPattern, Occurrence, Occurrences};
use crate::analyses::step::Pattern;
use crate::error::Result;
use crate::journeys::{Journey, Shown};

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

/// What of a journey is read.
#[derive(Clone, Debug)]
pub(super) enum Anchor<P> {
    Whole,
    /// From this pattern on.
    Start(P),
    /// Up to this pattern.
    End(P),
    /// From the first of these patterns to the next of the second that does not begin before, and may begin at the same place.
    Between(P, P),
    /// All of it, aligned at this pattern.
    Through(P),
}

impl<P> Anchor<P> {
    /// Its patterns, each with the option that gives it.
    pub fn patterns(&self) -> Vec<(&'static str, &P)> {
        match self {
            Anchor::Whole => Vec::new(),
            Anchor::Start(start) => vec![("start", start)],
            Anchor::End(end) => vec![("end", end)],
            Anchor::Between(start, end) => vec![("start", start), ("end", end)],
            Anchor::Through(pattern) => vec![("through", pattern)],
        }
    }

    /// The same with other patterns.
    pub fn map<Q>(&self, mut to: impl FnMut(&P) -> Result<Q>) -> Result<Anchor<Q>> {
        Ok(match self {
            Anchor::Whole => Anchor::Whole,
            Anchor::Start(start) => Anchor::Start(to(start)?),
            Anchor::End(end) => Anchor::End(to(end)?),
            Anchor::Between(start, end) => Anchor::Between(to(start)?, to(end)?),
            Anchor::Through(pattern) => Anchor::Through(to(pattern)?),
        })
    }
}

/// How journeys are read.
#[derive(Clone, Debug)]
pub(super) struct Readings<P> {
    pub anchor: Anchor<P>,
    pub occurrence: Occurrences,
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

/// One thread's scratch.
#[derive(Default)]
pub(super) struct Work {
    from: pattern::Work,
    until: pattern::Work,
}

impl Readings<Pattern> {
    pub fn rules(&self) -> Map<String, Value> {
        let mut rules = Map::new();
        rules.extend(
            self.anchor.patterns().into_iter().map(|(option, pattern)| (option.to_owned(), json!(pattern.to_string()))),
        );
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
            Occurrences::First => "",
            Occurrences::Last => "the last ",
            Occurrences::Every => "every ",
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

impl<P> Readings<P> {
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

impl Readings<BoundPattern> {
    /// Gives the readings of a journey to `read`.
    pub fn each(&self, journey: Journey<'_>, shown: Shown<'_>, work: &mut Work, mut read: impl FnMut(Reading)) {
        let count = shown.nodes.len();
        let pattern = match &self.anchor {
            Anchor::Whole if count == 0 => return,
            Anchor::Whole => return read(self.aligned(0..count, 0)),
            Anchor::Start(pattern) | Anchor::End(pattern) | Anchor::Through(pattern) => pattern,
            Anchor::Between(start, end) => return self.between([start, end], journey, shown, work, read),
        };
        let looked = pattern.look(journey, shown, &mut work.from);
        looked.each(self.occurrence, |occurrence| read(self.reading(&occurrence, count)));
    }

    /// The readings from one pattern to the next of another.
    fn between(
        &self,
        [start, end]: [&BoundPattern; 2],
        journey: Journey<'_>,
        shown: Shown<'_>,
        work: &mut Work,
        mut read: impl FnMut(Reading),
    ) {
        let starts = start.look(journey, shown, &mut work.from);
        let ends = end.look(journey, shown, &mut work.until);
        let (mut next, mut last) = (None::<Occurrence>, None);
        for start in starts.every() {
            // Starts go up, and so do their ends: most often the end of the one before is that of this one too.
            let next = match next.take().filter(|end| end[0] >= start[0]) {
                Some(end) => next.insert(end),
                None => match ends.first_from(start[0]) {
                    Some(end) => next.insert(end),
                    None => break,
                },
            };
            let until = next[next.len() - 1].max(start[start.len() - 1]) + 1;
            let reading = self.aligned(start[0]..until, start[0]);
            match self.occurrence {
                Occurrences::First => return read(reading),
                Occurrences::Last => last = Some(reading),
                Occurrences::Every => read(reading),
            }
        }
        last.into_iter().for_each(read);
    }

    /// The reading at an occurrence, in a journey of so many nodes.
    fn reading(&self, occurrence: &[usize], count: usize) -> Reading {
        let (first, last) = (occurrence[0], occurrence[occurrence.len() - 1]);
        match self.anchor {
            Anchor::Start(_) => self.aligned(first..count, first),
            Anchor::End(_) => self.aligned(0..last + 1, last),
            _ => self.aligned(0..count, first),
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
