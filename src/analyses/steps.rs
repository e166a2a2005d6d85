//! The one matching core: how far a visitor gets in a list of steps, and by which events.
//!
//! **Plain definition.** A visitor reaches step *k* when there are *k* different events e₁ … e_k with e_i fitting step i, t₁ ≤ … ≤ t_k
//! and t_k − t₁ ≤ window. Equal times may be used in any order. The depth is the greatest k. The reported attempt is, of the attempts
//! of that depth, the one with the earliest last step; of those the latest first step; of those the earliest second, then third …
//! step; of those the events earliest in journey order.
//!
//! **Cost.** One pass with one number per step: the latest first step of any attempt that has got so far. A later start is never
//! worse: it leaves more of the window and was reached no later. An instant with several events is taken as a whole; only where its
//! events fit several steps each is a matching needed. O(events × steps) otherwise, whatever the options: the one exception is an
//! exclusion that takes visitors away and has no end yet ([`exclude`]).
//!
//! **Three ways, one answer.** [`search`] knows every option. Of the plain definition it is a longer form, so plain funnels go through
//! the few lines below; and where every event fits one step at most and no two share an instant, [`Single`] is enough.

mod chart;
mod entry;
mod exclude;
mod grace;
mod lattice;
mod levels;
mod matching;
mod scan;
mod search;
mod single;
mod trail;
mod unordered;

use std::cmp::{Ordering, Reverse};
use std::ops::Range;

use serde::{Deserialize, Serialize};

use self::levels::{Levels, NONE};
use self::matching::{Matching, thin};
use super::step::Hit;
pub use chart::{Chart, Kind, MEMBERS};
pub use entry::{Attempts, Entry, HoldMissing, NOT_HELD, Plan};
pub use exclude::{Between, Effect};
pub use scan::{Scan, ScanMode};
pub use single::Single;
pub use trail::{Order, Trail};
pub use unordered::Unordered;

/// Which order events of equal time may be used in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum Ties {
    /// Any order.
    #[default]
    Any,
    /// The order of the trail.
    Arrival,
}

/// What a repeat of a step does to an attempt that has done it. An event counts as the first step that it fits. Where repeats matter, an
/// attempt takes the first event after its last one that counts as its next step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum OnRepeat {
    /// Nothing.
    #[default]
    Ignore,
    /// A repeat of any step done but the first ends it.
    EndAny,
    /// A repeat of any step done ends it, of the first one too.
    EndLater,
    /// A repeat of the step done last ends it.
    EndLast,
}

/// What an attempt has to do.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    /// Number of steps; these and the further members of blocks are 1 to 64.
    pub steps: usize,
    /// One bit per step that must be the very next event after the step before; needs [`Ties::Arrival`].
    pub direct: u64,
    /// For each step the longest time from the step before, in µs; empty if no hop has a limit.
    pub limits: Vec<Option<i64>>,
    /// The longest way from the first step to the last by the trail's clock.
    pub window: Option<i64>,
    pub ties: Ties,
    /// Whether each step must be later than the one before; needs [`Ties::Any`].
    pub increasing: bool,
    /// Whether one event may fill several steps; not with direct hops.
    pub reuse: bool,
    /// Needs [`Ties::Arrival`] unless it is ignored.
    pub on_repeat: OnRepeat,
    /// Between which steps events of each kind are forbidden, at most 16.
    pub exclusions: Vec<Between>,
    /// The ways through the steps, if some may be left out or come in any order. Not with reuse, nor where repeats matter.
    pub chart: Option<Chart>,
    /// Each step by the first event that may fill it, which may be so many µs before the step before; needs [`Ties::Any`]. Knows windows
    /// and exclusions that stop.
    pub grace: Option<i64>,
    /// Match by this scan; of the rules above it knows the steps and the window alone.
    pub scan: Option<Scan>,
}

/// In place of the hit of a step that was left out.
pub const SKIPPED: u32 = u32::MAX;

/// One thread's scratch.
#[derive(Debug, Default)]
pub struct Work {
    /// The attempts that have done so many steps.
    levels: Levels,
    /// By number of steps done: the latest first step of an attempt that has done them before the instant at hand.
    before: Vec<i64>,
    /// The same for attempts whose last event is the journey's previous one.
    direct: Vec<i64>,
    next: Vec<i64>,
    matching: Matching,
    crowd: Vec<Hit>,
    /// The hits of the reported attempt, one per step reached.
    attempt: Vec<u32>,
    /// The depth that attempts reach which take no heed of exclusions that remove.
    deepest: usize,
    /// The attempt of a scan at each step.
    chains: Vec<Vec<u32>>,
    /// The groups of the reported attempt.
    groups: Vec<search::Group>,
    /// By group: with how many steps done it can be left, and entered.
    feasible: Vec<u64>,
    entered: Vec<u64>,
    /// By step: when the next group is that may fill it in an attempt that ends well.
    nearest: Vec<i64>,
    lattice: lattice::Scratch,
}

/// How deep the deepest attempts go, and the hits (or instants) with which the reported one begins and ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Best {
    depth: usize,
    first: usize,
    last: usize,
}

impl Rules {
    /// The reported attempt: for each step reached, its index among the hits of the trail.
    pub fn attempt<'w>(&self, trail: &Trail, work: &'w mut Work) -> &'w [u32] {
        if let Some(scan) = self.scan {
            scan.attempt(self, &trail.hits, work);
        } else if self.is_plain() && trail.clocks.is_empty() {
            self.plain(&trail.hits, work);
        } else {
            self.attempt_in(trail, 0..trail.hits.len(), None, work);
        }
        &work.attempt
    }

    /// Whether the plain definition is meant.
    fn is_plain(&self) -> bool {
        let Rules {
            steps: _,
            direct: _,
            window: _,
            limits,
            ties,
            increasing,
            reuse,
            on_repeat,
            exclusions,
            chart,
            grace,
            scan,
        } = self;
        let apart = chart.is_some() || grace.is_some() || scan.is_some();
        let options = *increasing || *reuse || *on_repeat != OnRepeat::Ignore || apart;
        *ties == Ties::Any && limits.is_empty() && exclusions.is_empty() && !options
    }

    /// How many bits the masks of hits have: one per step, and one per further member of a block.
    pub fn slots(&self) -> usize {
        self.chart.as_ref().map_or(self.steps, Chart::slots)
    }

    /// The longest time from the last of so many steps to whichever is next; `None` if it has no limit.
    pub fn next_limit(&self, passed: usize) -> Option<i64> {
        let last = (passed..self.steps).find(|&step| !self.is_optional(step + 1))?;
        let limits = (passed..=last).map(|step| self.limits.get(step).copied().flatten());
        limits.collect::<Option<Vec<_>>>()?.into_iter().max()
    }

    /// The bits of a step, from 0, in the masks of hits.
    pub fn slots_of(&self, step: usize) -> u64 {
        self.chart.as_ref().map_or(1 << step, |chart| chart.slots_of(step + 1))
    }

    /// Lets each hit count as the step that its first slot belongs to.
    pub fn count_steps(&self, hits: &mut [Hit]) {
        if let Some(chart) = &self.chart {
            hits.iter_mut().filter(|hit| hit.fits()).for_each(|hit| hit.counts_as = chart.step_of(hit.counts_as));
        }
    }

    /// Whether a step, from 1, may be left out.
    pub fn is_optional(&self, step: usize) -> bool {
        self.chart.as_ref().is_some_and(|chart| chart.is_optional(step))
    }

    /// The step, from 0, that an event with `mask` can fill, or begin, after so many steps; nothing if it fits none of the next.
    pub fn next_step(&self, passed: usize, mask: u64) -> Option<usize> {
        match &self.chart {
            Some(chart) => chart.next_step(passed, mask),
            None => (passed < self.steps && mask >> passed & 1 != 0).then_some(passed),
        }
    }

    /// The number of the deepest step of an attempt that cannot be left out; `filled` is the number of its last one of any kind.
    pub fn depth(&self, filled: usize) -> usize {
        (1..=filled).rev().find(|&step| !self.is_optional(step)).unwrap_or(0)
    }

    /// How two attempts of some depth compare, by hits: the one that is reported is less.
    fn compare(&self, trail: &Trail, a: &[u32], b: &[u32]) -> Ordering {
        let key = |attempt: &[u32]| {
            let depth = self.depth(attempt.len());
            let filled = attempt.iter().filter(|&&at| at != SKIPPED).count();
            let (first, last) = (trail.moment(attempt[0] as usize), trail.moment(attempt[depth - 1] as usize));
            (Reverse(depth), last, Reverse(first), Reverse(filled))
        };
        let moments = || match self.ties {
            Ties::Any => trail.moments(a).cmp(trail.moments(b)),
            Ties::Arrival => Ordering::Equal,
        };
        // An event that holds several values has several hits, whose order says nothing.
        let event = |at: u32| if at == SKIPPED { SKIPPED } else { trail.hits[at as usize].at };
        let order = |(&a, &b): (&u32, &u32)| if event(a) == event(b) { Ordering::Equal } else { a.cmp(&b) };
        let events = || a.iter().zip(b).map(order).find(|order| order.is_ne()).unwrap_or(a.len().cmp(&b.len()));
        key(a).cmp(&key(b)).then_with(moments).then_with(events)
    }

    #[inline]
    fn fits(&self, first: i64, time: i64) -> bool {
        first != NONE && self.window.is_none_or(|window| time - first <= window)
    }

    /// Whether a step may come at `time` after the one before it at `before`.
    #[inline]
    pub fn within_limit(&self, step: usize, before: i64, time: i64) -> bool {
        self.limits.get(step).copied().flatten().is_none_or(|limit| time - before <= limit)
    }

    fn plain(&self, hits: &[Hit], work: &mut Work) {
        work.attempt.clear();
        work.deepest = 0;
        // Most journeys lack the first step: they cost one look at each hit.
        let Some(start) = hits.iter().position(|hit| hit.mask & 1 != 0) else { return };
        // An event of the same instant may stand before it in the log.
        let start = hits[..start].iter().rposition(|hit| hit.time < hits[start].time).map_or(0, |before| before + 1);
        // No attempt gets past a step that nothing fits: so the search may end early.
        let most = hits.iter().fold(0, |union, hit| union | hit.mask).trailing_ones() as usize;
        let (depth, span) = self.best(&hits[start..], most, work);
        work.deepest = depth;
        // Attempts are short and begin early: there is no need to search.
        let from = start + hits[start..].iter().take_while(|hit| hit.time < span.start).count();
        let to = from + hits[from..].iter().take_while(|hit| hit.time <= span.end).count();
        trace(&hits[from..to], depth, from as u32, work);
    }

    /// The greatest depth, and the times of the first and the last step.
    fn best(&self, hits: &[Hit], most: usize, work: &mut Work) -> (usize, Range<i64>) {
        work.levels.begin(self.steps, &[]);
        let (mut depth, mut span) = (0, 0..0);
        let mut at = 0;
        while let Some(&Hit { time, mask, .. }) = hits.get(at) {
            let count = instant(&hits[at..]).len();
            let reached = match count {
                1 => self.one(time, mask, &mut work.levels),
                _ => self.several(&hits[at..at + count], work),
            };
            at += count;
            if reached > depth {
                (depth, span) = (reached, work.levels.latest(reached)..time);
            }
            if reached == most {
                break;
            }
        }
        (depth, span)
    }

    /// Takes in an instant with one event; says which depth was reached by it.
    #[inline]
    fn one(&self, time: i64, mut mask: u64, levels: &mut Levels) -> usize {
        let mut reached = 0;
        // From the last step down, so that the event fills one step of an attempt only.
        while mask != 0 {
            let step = 63 - mask.leading_zeros() as usize;
            mask ^= 1 << step;
            let first = if step == 0 { time } else { levels.before(step, time) };
            if self.fits(first, time) {
                levels.put(step + 1, first, time);
                reached = reached.max(step + 1);
            }
        }
        reached
    }

    /// Takes in an instant with several events, usable in any order; says which depth was reached by it.
    fn several(&self, instant: &[Hit], work: &mut Work) -> usize {
        let Work { levels, before, matching, crowd, .. } = work;
        crowd.clear();
        crowd.extend_from_slice(instant);
        thin(crowd, self.steps);
        let (time, union) = (instant[0].time, instant.iter().fold(0, |union, hit| union | hit.mask));
        before.clear();
        before.extend((0..self.steps).map(|done| if done == 0 { time } else { levels.before(done, time) }));
        let single = crowd.iter().all(|hit| hit.mask.is_power_of_two());
        let mut reached = 0;
        for (done, &first) in before.iter().enumerate() {
            if union >> done & 1 == 0 || !self.fits(first, time) {
                continue;
            }
            let most = done + (union >> done).trailing_ones() as usize;
            let end = if single { most } else { matching.extend(crowd, done, most) };
            (done + 1..=end).for_each(|done| levels.put(done, first, time));
            reached = reached.max(end);
        }
        reached
    }
}

impl Best {
    /// The better of this and an attempt of `depth` from the hit `first` to `last`, which is never earlier than what is known.
    fn or_later(self, trail: &Trail, depth: usize, first: usize, last: usize) -> Best {
        if depth > self.depth {
            return Best { depth, first, last };
        }
        let same = depth == self.depth && trail.moment(last) == trail.moment(self.last);
        Best { first: if same { self.first.max(first) } else { self.first }, ..self }
    }
}

/// The hits of the first instant of some.
#[inline]
fn instant(hits: &[Hit]) -> &[Hit] {
    match hits {
        // Nearly always there is one.
        [only, next, ..] if only.time != next.time => &hits[..1],
        [first, ..] => &hits[..hits.iter().take_while(|hit| hit.time == first.time).count()],
        [] => hits,
    }
}

/// Finds the events of the reported attempt, given the hits from its first instant to its last: at each instant as many steps as can
/// be had, by the earliest events that allow them.
fn trace(hits: &[Hit], depth: usize, base: u32, work: &mut Work) {
    let Work { matching, attempt, crowd, .. } = work;
    let mut next = base;
    for instant in hits.chunk_by(|a, b| a.time == b.time) {
        let (done, here) = (attempt.len(), next);
        next += instant.len() as u32;
        match instant {
            [hit] if hit.mask >> done & 1 != 0 => attempt.push(here),
            [_] => {}
            _ => {
                crowd.clear();
                crowd.extend_from_slice(instant);
                thin(crowd, depth);
                let end = matching.extend(crowd, done, depth);
                let index = |hit: &Hit| here + instant.partition_point(|other| other.at < hit.at) as u32;
                matching.earliest(crowd, done, end, |hit| attempt.push(index(hit)));
            }
        }
    }
}

/// The numbers of the bits that are set, lowest first.
pub fn bits(mut mask: u64) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let bit = mask.trailing_zeros() as usize;
        mask &= mask.wrapping_sub(1);
        (bit < 64).then_some(bit)
    })
}

#[cfg(test)]
mod tests;
