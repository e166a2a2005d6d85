//! Events that must not happen between two steps.
//!
//! An attempt is *dirty* when an excluding event lies between its steps *i* and *j*, at a time of its own where equal times have no
//! order. What that does is the [`Effect`]. To be stopped needs no more than the search. To be removed needs the depth first: that of
//! the deepest attempts of any kind, which a clean attempt must reach too. If they end between *i* and *j*, a clean one must be so to
//! the end of its window, and that is later for an attempt that begins later: so each begin is looked at by itself, O(begins × events of
//! a window).

use std::cmp::Reverse;
use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::search::Search;
use super::{Best, Rules, Ties, Trail, Work};

/// What an excluding event does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// Steps after it do not count for that attempt.
    #[default]
    Stop,
    /// The visitor leaves every step when no clean attempt is as deep as the deepest attempt of any kind. Not where every attempt is
    /// reported.
    Remove,
}

/// Where events of some kind are forbidden.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Between {
    /// Steps by number, from 1; `from` is less than `to`.
    pub from: usize,
    pub to: usize,
    pub effect: Effect,
}

impl Rules {
    /// Whether some of `exclusions` forbid an attempt to come to a group with `done` steps and to leave it with `now`.
    pub(super) fn forbids(&self, exclusions: u16, done: usize, now: usize) -> bool {
        super::bits(u64::from(exclusions)).any(|at| self.exclusions[at].from <= done && now < self.exclusions[at].to)
    }

    /// Those that take visitors away, one bit each.
    pub(super) fn removing(&self) -> u16 {
        self.those(|between| between.effect == Effect::Remove)
    }

    fn those(&self, which: impl Fn(&Between) -> bool) -> u16 {
        self.exclusions
            .iter()
            .enumerate()
            .filter(|(_, between)| which(between))
            .fold(0, |all, (at, _)| all | 1u16 << at)
    }

    /// Finds the reported attempt in a part of a trail; if `only` is given, the one whose first step is this hit.
    pub(super) fn attempt_in(&self, trail: &Trail, hits: Range<usize>, only: Option<usize>, work: &mut Work) {
        if let Some(grace) = self.grace {
            return self.attempt_with_grace(grace, trail, hits, only, work);
        }
        let all = self.those(|_| true);
        let removing = self.removing();
        let (mut hits, mut most) = (hits, self.steps);
        if only.is_none() {
            // Most journeys lack the first step, or one of the next.
            let Some(start) = hits.clone().find(|&at| trail.hits[at].mask & 1 != 0) else {
                work.attempt.clear();
                work.deepest = 0;
                return;
            };
            hits.start = self.reach_from(trail, &hits, start);
            let union = trail.hits[hits.clone()].iter().fold(0, |union, hit| union | hit.mask);
            most = self.chart.as_ref().map_or(union.trailing_ones() as usize, |chart| chart.most(union));
        }
        let stops = Search { rules: self, trail, hits, only, most, exclusions: all & !removing, settled: None };
        let best = stops.best(work);
        work.deepest = best.depth;
        let touching = self.those(|between| between.effect == Effect::Remove && between.from <= best.depth);
        if touching == 0 || !stops.hits.clone().any(|at| trail.hits[at].excluded & touching != 0) {
            return stops.trace(best, work);
        }
        let open = self.those(|between| best.depth < between.to) & touching;
        let every = Search { exclusions: all, ..stops };
        if open != 0 {
            return self.clean(&every, best.depth, open, work);
        }
        let clean = every.best(work);
        if clean.depth == best.depth {
            every.trace(clean, work);
        } else {
            work.attempt.clear();
        }
    }

    /// The best attempt of `depth` that is clean of the exclusions `open` to the end of its window, and of all others.
    fn clean(&self, every: &Search<'_>, depth: usize, open: u16, work: &mut Work) {
        let trail = every.trail;
        let starts = every.hits.clone().filter(|&at| trail.hits[at].mask & 1 != 0);
        let mut found: Option<(Best, Vec<u32>)> = None;
        for start in starts {
            let hits = self.reach_of(trail, &every.hits, start);
            let last = hits.clone().rev().find(|&at| trail.hits[at].excluded & open != 0);
            let from = Search { hits, only: Some(start), settled: last.map(|last| (depth, last)), ..*every };
            let best = from.best(work);
            if best.depth < depth {
                continue;
            }
            let key = |best: &Best| (trail.moment(best.last), Reverse(trail.moment(best.first)));
            if found.as_ref().is_some_and(|(other, _)| key(other) < key(&best)) {
                continue;
            }
            from.trace(best, work);
            if found.as_ref().is_none_or(|(_, other)| self.compare(trail, &work.attempt, other).is_lt()) {
                found = Some((best, work.attempt.clone()));
            }
        }
        work.attempt.clear();
        work.attempt.extend(found.into_iter().flat_map(|(_, attempt)| attempt));
    }

    /// The hits that an attempt which begins with the hit `start` may use: to the end of its window.
    pub(super) fn reach_of(&self, trail: &Trail, hits: &Range<usize>, start: usize) -> Range<usize> {
        let inside = |at: usize| self.window.is_none_or(|window| trail.clock(at) - trail.clock(start) <= window);
        let (mut low, mut high) = (start, hits.end);
        while low < high {
            let middle = low + (high - low) / 2;
            if inside(middle) { low = middle + 1 } else { high = middle }
        }
        self.reach_from(trail, hits, start)..low
    }

    /// The first hit that an attempt which begins with the hit `start` may use.
    fn reach_from(&self, trail: &Trail, hits: &Range<usize>, start: usize) -> usize {
        let time = trail.hits[start].time;
        let back = match self.ties {
            Ties::Any => trail.hits[hits.start..start].iter().rev().take_while(|hit| hit.time == time).count(),
            Ties::Arrival => 0,
        };
        start - back
    }
}
