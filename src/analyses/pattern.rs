//! Where a pattern occurs among the nodes of a journey.
//!
//! One pass backwards over the nodes tells for each of them which spots of the pattern it can take so that all later ones can be taken too. Of
//! the nodes that can take the next spot the nearest is as good as any: whatever lies between, and every limit, holds for it if it holds for a
//! farther one. Only a shortest time makes one look farther, and then it is the nearest behind that time. So a pass forwards from any node
//! finds the earliest occurrence from there, and both passes cost a look at each node and spot, however long the journey.

#[cfg(test)]
mod tests;

use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::step::{Matcher, Pattern, Spot, Test};
use super::steps::bits;
use super::{Common, Notes};
use crate::error::Result;
use crate::journeys::{Journey, Names, Shown};

/// Which occurrences of a pattern in a journey are meant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum Occurrences {
    /// The one that begins first.
    #[default]
    First,
    /// The one that begins last.
    Last,
    /// Every one that begins behind the end of the one before.
    Every,
}

/// A pattern bound to the names of a run.
#[derive(Debug)]
pub struct BoundPattern {
    matcher: Matcher,
    /// Whether the first spot is the start of the journey, and the last its end.
    start: bool,
    end: bool,
    spots: Vec<Asked>,
    /// The way to each spot but the first.
    ways: Vec<BoundWay>,
}

/// What a node is asked.
#[derive(Clone, Copy, Debug)]
enum Asked {
    /// Nothing.
    Any,
    /// To fit the step of this number.
    Fit(usize),
    /// Not to fit it.
    NotFit(usize),
    /// To be none.
    NoNode,
}

#[derive(Debug)]
struct BoundWay {
    direct: bool,
    between: Asked,
    within: Option<i64>,
    after: Option<i64>,
    events: Option<u32>,
}

/// One thread's scratch. Places are those of nodes counted from 1; 0 is the start of the journey, and one more than its nodes the end.
#[derive(Debug, Default)]
pub struct Work {
    /// For each place the spots that it can take.
    can: Vec<u64>,
    /// For each spot the nearest place behind the one at hand that can take it.
    nearest: Vec<usize>,
    /// For each way the nearest place that must not lie between.
    barred: Vec<usize>,
    /// For each way with a shortest time the places behind that can take its spot, and how many of them are near enough to be passed.
    later: Vec<(Vec<u32>, usize)>,
}

/// No place.
const NONE: usize = usize::MAX;

/// What a pattern is held against: the nodes that a journey shows.
#[derive(Clone, Copy)]
struct Line<'a> {
    journey: Journey<'a>,
    shown: Shown<'a>,
}

impl Line<'_> {
    /// The place of the end.
    fn end(&self) -> usize {
        self.shown.nodes.len() + 1
    }

    /// The index of the event of a place, counted from 1.
    fn event(&self, place: usize) -> usize {
        match place {
            0 => 0,
            _ if place == self.end() => self.journey.len() + 1,
            _ => self.shown.event(place - 1) + 1,
        }
    }

    fn time(&self, place: usize) -> i64 {
        let times = self.journey.times();
        times[self.event(place).clamp(1, times.len()) - 1]
    }
}

impl BoundPattern {
    pub fn new(pattern: &Pattern, common: &Common, names: &Names, notes: &mut Notes) -> Result<BoundPattern> {
        let steps: Vec<_> = pattern.steps().cloned().collect();
        let matcher = Matcher::new(&steps, &common.nodes, &common.conventions.page_views, names, notes)?;
        let mut next = 0;
        let mut asked = |test: &Test| {
            if test.step.is_none() {
                return Asked::Any;
            }
            next += 1;
            if test.negated { Asked::NotFit(next - 1) } else { Asked::Fit(next - 1) }
        };
        let spot = |spot: &Spot| match spot {
            Spot::Start | Spot::End => Asked::NoNode,
            Spot::One(test) => asked(test),
        };
        let spots = pattern.spots().iter().map(spot).collect();
        let ways = pattern.ways().iter().map(|way| BoundWay {
            direct: way.direct,
            between: way.between.as_ref().map_or(Asked::Any, &mut asked),
            within: way.within,
            after: way.after,
            events: way.events,
        });
        let ways = ways.collect();
        let start = pattern.spots().first() == Some(&Spot::Start);
        let end = pattern.spots().last() == Some(&Spot::End);
        Ok(BoundPattern { matcher, start, end, spots, ways })
    }

    /// Looks for the pattern in the nodes that a journey shows, so that occurrences can be found.
    pub fn look<'p>(&'p self, journey: Journey<'p>, shown: Shown<'p>, work: &'p mut Work) -> Looked<'p> {
        let line = Line { journey, shown };
        let spots = self.spots.len();
        work.can.clear();
        work.can.resize(line.end() + 1, 0);
        for nearest in [&mut work.nearest, &mut work.barred] {
            nearest.clear();
            nearest.resize(spots, NONE);
        }
        work.later.resize_with(spots, Default::default);
        work.later.iter_mut().for_each(|(places, passed)| {
            places.clear();
            *passed = 0;
        });
        if journey.len() > 0 {
            (0..=line.end()).rev().for_each(|place| self.place(&line, place, work));
        }
        Looked { pattern: self, line, work }
    }

    /// Settles which spots a place can take, when those behind it are settled.
    fn place(&self, line: &Line<'_>, place: usize, work: &mut Work) {
        let mask = match place {
            0 => None,
            _ if place == line.end() => None,
            _ => Some(self.matcher.mask(line.journey, line.event(place) - 1)),
        };
        let mut can = 0;
        for (spot, &asked) in self.spots.iter().enumerate() {
            let fits = match mask {
                Some(mask) => asked.allows(mask),
                None if place == 0 => spot == 0 && self.start,
                None => spot + 1 == self.spots.len() && self.end,
            };
            let last = spot + 1 == self.spots.len();
            if fits && (last || self.next(line, place, spot, work).is_some()) {
                can |= 1 << spot;
            }
        }
        work.can[place] = can;
        for spot in bits(can) {
            work.nearest[spot] = place;
            if spot > 0 && self.ways[spot - 1].after.is_some() {
                work.later[spot].0.push(place as u32);
            }
        }
        let Some(mask) = mask else { return };
        for (way, barred) in self.ways.iter().zip(&mut work.barred) {
            if !way.between.allows(mask) {
                *barred = place;
            }
        }
    }

    /// The nearest place that can take the spot behind `spot`, which `place` takes.
    fn next(&self, line: &Line<'_>, place: usize, spot: usize, work: &mut Work) -> Option<usize> {
        let way = &self.ways[spot];
        let next = match way.after {
            _ if way.direct => Some(place + 1).filter(|&next| work.can[next] >> (spot + 1) & 1 != 0)?,
            None => Some(work.nearest[spot + 1]).filter(|next| *next != NONE)?,
            Some(after) => {
                let soonest = line.time(place).saturating_add(after);
                let (places, near) = &mut work.later[spot + 1];
                // The places in front are farther: the earlier one begins, the nearer they may be.
                while places.get(*near).is_some_and(|&next| line.time(next as usize) >= soonest) {
                    *near += 1;
                }
                *places.get(near.checked_sub(1)?)? as usize
            }
        };
        let clear = work.barred[spot] >= next;
        (clear && way.allows(line, place, next)).then_some(next)
    }
}

impl Asked {
    /// Whether a node that fits the steps of `mask` may be there.
    #[inline]
    fn allows(self, mask: u64) -> bool {
        match self {
            Asked::Any => true,
            Asked::Fit(step) => mask >> step & 1 != 0,
            Asked::NotFit(step) => mask >> step & 1 == 0,
            Asked::NoNode => false,
        }
    }
}

impl BoundWay {
    /// Whether the limits let it lead from one place to another.
    fn allows(&self, line: &Line<'_>, from: usize, to: usize) -> bool {
        let time = || line.time(to) - line.time(from);
        let events = || line.event(to) - line.event(from);
        self.within.is_none_or(|within| time() <= within)
            && self.after.is_none_or(|after| time() >= after)
            && self.events.is_none_or(|most| events() <= most as usize)
    }
}

/// A journey in which a pattern was looked for.
pub struct Looked<'p> {
    pattern: &'p BoundPattern,
    line: Line<'p>,
    work: &'p Work,
}

/// The numbers of the nodes of an occurrence, from 0, in the order of their spots: one at least.
pub type Occurrence = Vec<usize>;

impl Looked<'_> {
    /// Hands over the occurrences that are meant.
    pub fn each(&self, which: Occurrences, mut take: impl FnMut(Occurrence)) {
        match which {
            Occurrences::First => self.first().into_iter().for_each(take),
            Occurrences::Last => self.last().into_iter().for_each(take),
            Occurrences::Every => self.every().for_each(&mut take),
        }
    }

    /// Whether the pattern occurs.
    pub fn occurs(&self) -> bool {
        self.begin(0..self.work.can.len()).is_some()
    }

    /// The occurrence that begins first; of those the one in which each further node is the earliest that can be.
    pub fn first(&self) -> Option<Occurrence> {
        self.begin(0..self.work.can.len()).map(|begin| self.nodes(&self.from(begin)))
    }

    /// The first that begins at node number `node` or behind.
    pub fn first_from(&self, node: usize) -> Option<Occurrence> {
        let place = if node == 0 { 0 } else { node + 1 };
        self.begin(place..self.work.can.len()).map(|begin| self.nodes(&self.from(begin)))
    }

    /// The one that begins last.
    pub fn last(&self) -> Option<Occurrence> {
        let begin = (0..self.work.can.len()).rev().find(|&place| self.begins(place));
        begin.map(|begin| self.nodes(&self.from(begin)))
    }

    /// The first, and each first one that begins behind the end of the one before.
    pub fn every(&self) -> impl Iterator<Item = Occurrence> {
        let mut next = 0;
        std::iter::from_fn(move || {
            let begin = self.begin(next..self.work.can.len())?;
            let places = self.from(begin);
            next = places.last().copied().unwrap_or(begin) + 1;
            Some(self.nodes(&places))
        })
    }

    fn begins(&self, place: usize) -> bool {
        self.work.can[place] & 1 != 0
    }

    fn begin(&self, mut places: Range<usize>) -> Option<usize> {
        places.find(|&place| self.begins(place))
    }

    /// The places of the earliest occurrence from one on that begins one.
    fn from(&self, begin: usize) -> Vec<usize> {
        let mut places = vec![begin];
        for (way, spot) in self.pattern.ways.iter().zip(1..) {
            let from = places[places.len() - 1];
            let soonest = way.after.map(|after| self.line.time(from).saturating_add(after));
            let takes = |&place: &usize| {
                self.work.can[place] >> spot & 1 != 0 && soonest.is_none_or(|soonest| self.line.time(place) >= soonest)
            };
            let next = (from + 1..self.work.can.len()).find(takes);
            debug_assert!(next.is_some(), "what begins an occurrence has one");
            places.extend(next);
        }
        places
    }

    /// The numbers of the nodes among some places.
    fn nodes(&self, places: &[usize]) -> Occurrence {
        let nodes = 1..self.line.end();
        places.iter().filter(|place| nodes.contains(place)).map(|place| place - 1).collect()
    }
}
