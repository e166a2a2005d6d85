//! Which attempts are looked at: by where they may begin, and by what they hold.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::super::step::Hit;
use super::exclude::Effect;
use super::{Rules, SKIPPED, Ties, Trail, Work};

/// Which events may open an attempt.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum Entry {
    /// Any event of the first step; the best attempt is reported.
    #[default]
    Best,
    /// Only the journey's first event of the first step.
    First,
    /// Only the journey's last event of the first step.
    Last,
    /// The first event of the first step while no attempt is open. An attempt ends when it is complete, at an excluding event, or when its
    /// window ends. Every attempt is reported.
    Each,
    /// Every event of the first step. Every attempt is reported.
    All,
}

/// Whether a missing value holds with a missing one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum HoldMissing {
    /// It does.
    #[default]
    Match,
    /// An event that lacks a value fills no step.
    Never,
}

/// The number of a held value that is missing.
pub const NOT_HELD: u32 = u32::MAX;

/// What attempts have to do, and which are reported.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    pub rules: Rules,
    pub entry: Entry,
    /// Whether all events of an attempt must hold one value.
    pub hold: Option<HoldMissing>,
    /// Whether the best attempt of each held value is reported, and not the best of all.
    pub each_value: bool,
}

/// One thread's scratch.
#[derive(Debug, Default)]
pub struct Attempts {
    work: Work,
    /// The hits of one held value, and their places in the whole trail.
    part: Trail,
    places: Vec<u32>,
    /// The places of excluding events, one for each event.
    excluding: Vec<u32>,
    /// All places, sorted by held value.
    by_value: Vec<u32>,
    /// The best attempt so far, by places.
    best: Vec<u32>,
    hits: Vec<Hit>,
}

impl Plan {
    /// Hands over each reported attempt: its events, one for each step reached.
    pub fn attempts(&self, trail: &mut Trail, scratch: &mut Attempts, mut take: impl FnMut(&[Hit])) {
        if self.hold == Some(HoldMissing::Never) {
            let missing = trail.hits.iter_mut().zip(&trail.held).filter(|(_, held)| **held == NOT_HELD);
            missing.for_each(|(hit, _)| hit.mask = 0);
        }
        if !self.each_value {
            self.enter(trail);
        }
        match (self.entry, self.hold) {
            (Entry::Each, _) => self.one_after_another(trail, scratch, take),
            (Entry::All, _) => {
                for start in 0..trail.hits.len() {
                    if trail.hits[start].mask & 1 != 0 {
                        self.attempt_from(trail, start, scratch);
                        take(&scratch.hits);
                    }
                }
            }
            (_, None) => {
                let attempt = self.rules.attempt(trail, &mut scratch.work);
                if !attempt.is_empty() {
                    scratch.hits.clear();
                    scratch.hits.extend(trail.attempt(attempt));
                    take(&scratch.hits);
                }
            }
            (_, Some(_)) => self.value_by_value(trail, scratch, take),
        }
    }

    /// Leaves the first step to the first or the last event that fits it, if no other may open an attempt.
    fn enter(&self, trail: &mut Trail) {
        let fits = |hit: &&Hit| hit.mask & 1 != 0;
        let only = match self.entry {
            Entry::First => trail.hits.iter().find(fits),
            Entry::Last => trail.hits.iter().rfind(fits),
            Entry::Best | Entry::Each | Entry::All => return,
        };
        // An event that holds several values has several hits.
        let Some(only) = only.map(|hit| hit.at) else { return };
        trail.hits.iter_mut().filter(|hit| hit.at != only).for_each(|hit| hit.mask &= !1);
    }

    fn value_by_value(&self, trail: &Trail, scratch: &mut Attempts, mut take: impl FnMut(&[Hit])) {
        let mut order = std::mem::take(&mut scratch.by_value);
        order.clear();
        order.extend(0..trail.hits.len() as u32);
        order.sort_by_key(|&at| trail.held[at as usize]);
        scratch.best.clear();
        self.find_excluding(trail, 0..trail.hits.len(), &mut scratch.excluding);
        let mut deepest = 0;
        for same in order.chunk_by(|&a, &b| trail.held[a as usize] == trail.held[b as usize]) {
            if same.iter().all(|&at| trail.hits[at as usize].mask & 1 == 0) {
                continue;
            }
            self.gather(trail, same, scratch);
            if self.each_value {
                self.enter(&mut scratch.part);
            }
            let attempt = self.rules.attempt(&scratch.part, &mut scratch.work);
            if self.each_value {
                scratch.hits.clear();
                scratch.hits.extend(scratch.part.attempt(attempt));
                if !scratch.hits.is_empty() {
                    take(&scratch.hits);
                }
                continue;
            }
            let place = |&at: &u32| if at == SKIPPED { SKIPPED } else { scratch.places[at as usize] };
            let attempt: Vec<u32> = attempt.iter().map(place).collect();
            deepest = deepest.max(scratch.work.deepest);
            let better = || scratch.best.is_empty() || self.rules.compare(trail, &attempt, &scratch.best).is_lt();
            if !attempt.is_empty() && better() {
                scratch.best = attempt;
            }
        }
        scratch.by_value = order;
        // Of whom an attempt of some value is removed, no shallower one of another counts.
        if !scratch.best.is_empty() && self.rules.depth(scratch.best.len()) == deepest {
            scratch.hits.clear();
            scratch.hits.extend(trail.attempt(&scratch.best));
            take(&scratch.hits);
        }
    }

    /// Finds the excluding events `within` some hits.
    fn find_excluding(&self, trail: &Trail, within: Range<usize>, excluding: &mut Vec<u32>) {
        excluding.clear();
        if !self.rules.exclusions.is_empty() {
            excluding.extend(within.filter(|&at| trail.hits[at].excluded != 0).map(|at| at as u32));
            // An event that holds several values has several hits.
            excluding.dedup_by_key(|at| trail.hits[*at as usize].at);
        }
    }

    /// Makes the part of the hits at `same`, which hold one value, and of the excluding events that were found.
    fn gather(&self, trail: &Trail, same: &[u32], scratch: &mut Attempts) {
        let value = trail.held[same[0] as usize];
        let holds = |at: usize| trail.held[at] == value;
        scratch.places.clear();
        scratch.places.extend_from_slice(same);
        if !scratch.excluding.is_empty() {
            scratch.places.extend(scratch.excluding.iter().filter(|&&at| !holds(at as usize)));
            scratch.places.sort_unstable();
            // Of an event that holds several values the hit of this one counts, or else any.
            scratch.places.dedup_by(|next, kept| {
                let same = trail.hits[*next as usize].at == trail.hits[*kept as usize].at;
                if same && holds(*next as usize) {
                    *kept = *next;
                }
                same
            });
        }
        trail.gather(&scratch.places, holds, &mut scratch.part);
    }

    fn one_after_another(&self, trail: &Trail, scratch: &mut Attempts, mut take: impl FnMut(&[Hit])) {
        let mut from = 0;
        while let Some(start) = (from..trail.hits.len()).find(|&at| trail.hits[at].mask & 1 != 0) {
            let end = self.attempt_from(trail, start, scratch);
            take(&scratch.hits);
            from = end;
        }
    }

    /// Finds the attempt that begins with the hit `start`; says from which hit on the next one may begin.
    fn attempt_from(&self, trail: &Trail, start: usize, scratch: &mut Attempts) -> usize {
        let held = self.hold.is_some();
        let within = self.rules.reach_of(trail, &(0..trail.hits.len()), start);
        let over = within.end;
        if held {
            let value = trail.held[start];
            let same: Vec<u32> = within.clone().filter(|&at| trail.held[at] == value).map(|at| at as u32).collect();
            self.find_excluding(trail, within, &mut scratch.excluding);
            self.gather(trail, &same, scratch);
        }
        let Attempts { work, part, places, hits, .. } = scratch;
        let here = if held { places.partition_point(|&at| (at as usize) < start) } else { start };
        let part = if held { &*part } else { trail };
        let place = |at: usize| if held { places[at] as usize } else { at };
        let all = 0..part.hits.len();
        let reach = self.rules.reach_of(part, &all, here);
        self.rules.attempt_in(part, reach.clone(), Some(here), work);
        hits.clear();
        hits.extend(part.attempt(&work.attempt));
        if work.attempt.len() == self.rules.steps {
            return work.attempt.iter().filter(|&&at| at != SKIPPED).max().map_or(start, |&at| place(at as usize)) + 1;
        }
        match work.attempt.last().and_then(|&last| self.stopped(part, last as usize, reach.end, hits.len())) {
            Some(stop) => place(stop) + 1,
            None => over,
        }
    }

    /// The first event behind the step at `last` that stops an attempt of `depth` steps.
    fn stopped(&self, trail: &Trail, last: usize, end: usize, depth: usize) -> Option<usize> {
        let open = |at: u32| {
            let between = self.rules.exclusions[at as usize];
            between.effect == Effect::Stop && between.from <= depth && depth < between.to
        };
        let open = (0..self.rules.exclusions.len() as u32).filter(|&at| open(at)).fold(0u16, |all, at| all | 1 << at);
        let later = |at: usize| self.rules.ties == Ties::Arrival || trail.hits[at].time > trail.hits[last].time;
        if open == 0 {
            return None;
        }
        (last + 1..end).find(|&at| trail.hits[at].excluded & open != 0 && later(at))
    }
}
