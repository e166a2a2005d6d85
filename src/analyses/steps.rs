//! The one matching core: how far a visitor gets in a list of steps, and by which events.
//!
//! **Plain definition.** A visitor reaches step *k* when there are *k* different events e₁ … e_k with e_i fitting step i, t₁ ≤ … ≤ t_k
//! and t_k − t₁ ≤ window. Equal times may be used in any order. The depth is the greatest k. The reported attempt is, of the attempts
//! of that depth, the one with the earliest last step; of those the latest first step; of those the earliest second, then third …
//! step; of those the events earliest in journey order.
//!
//! **Cost.** One pass with one number per step: the latest first step of any attempt that has got so far. A later start is never
//! worse: it leaves more of the window and was reached no later. An instant with several events is taken as a whole; only where its
//! events fit several steps each is a matching needed. O(events × steps) otherwise.
//!
//! **Limits of hops.** That stays so where hops have limits: who began later could have come by the same events ([`levels`]). But an event
//! that comes early may leave too long a hop behind it, so the events of the reported attempt are looked for from its end.
//!
//! **Direct hops.** A funnel with `>>` asks what comes next in the journey order, so it uses that order throughout, inside an instant
//! too ([`Ties::Arrival`]).
//!
//! **The short way.** [`Single`] gives the same attempt where every event fits one step at most and no two events share an instant.

mod levels;
mod single;

use serde::{Deserialize, Serialize};

use self::levels::{Levels, NONE};
use super::step::Hit;
pub use single::Single;

/// Which order events of equal time may be used in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum Ties {
    /// Any order.
    Any,
    /// The order of the log.
    Arrival,
}

/// What an attempt has to do.
#[derive(Clone, Debug)]
pub struct Rules {
    /// Number of steps, 1 to 64.
    pub steps: usize,
    /// One bit per step that must be the very next event after the step before; needs [`Ties::Arrival`].
    pub direct: u64,
    /// For each step the longest time from the step before, in µs; empty if no hop has a limit.
    pub limits: Vec<Option<i64>>,
    /// The longest time from the first step to the last, in µs.
    pub window: Option<i64>,
    pub ties: Ties,
}

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
    feasible: Vec<u64>,
    /// By step: when the next event is that may fill it in an attempt that ends well.
    nearest: Vec<i64>,
}

/// How deep the deepest attempts go, and between which times the reported one lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Best {
    depth: usize,
    first: i64,
    last: i64,
}

impl Rules {
    /// The reported attempt: for each step reached, its index among `hits`, which are in journey order.
    pub fn attempt<'w>(&self, hits: &[Hit], work: &'w mut Work) -> &'w [u32] {
        work.attempt.clear();
        // Most journeys lack the first step: they cost one look at each hit.
        let Some(start) = hits.iter().position(|hit| hit.mask & 1 != 0) else { return &work.attempt };
        // With ties in any order an event of the same instant may stand before it in the log.
        let start = hits[..start].iter().rposition(|hit| hit.time < hits[start].time).map_or(0, |before| before + 1);
        // No attempt gets past a step that nothing fits: so the search may end early.
        let most = hits.iter().fold(0, |union, hit| union | hit.mask).trailing_ones() as usize;
        let best = match self.ties {
            Ties::Any => self.best_any(&hits[start..], most, work),
            Ties::Arrival => self.best_ordered(&hits[start..], most, work),
        };
        // Attempts are short and begin early: there is no need to search.
        let from = start + hits[start..].iter().take_while(|hit| hit.time < best.first).count();
        let to = from + hits[from..].iter().take_while(|hit| hit.time <= best.last).count();
        match self.ties {
            Ties::Any if self.limits.is_empty() => trace_any(&hits[from..to], best.depth, from as u32, work),
            Ties::Any => self.trace_limited(&hits[from..to], best.depth, from as u32, work),
            Ties::Arrival => self.trace_ordered(&hits[from..to], best, from as u32, work),
        }
        &work.attempt
    }

    #[inline]
    fn fits(&self, first: i64, time: i64) -> bool {
        first != NONE && self.window.is_none_or(|window| time - first <= window)
    }

    /// Whether a step may come at `time` after the one before it at `before`.
    #[inline]
    fn within_limit(&self, step: usize, before: i64, time: i64) -> bool {
        self.limits.get(step).copied().flatten().is_none_or(|limit| time - before <= limit)
    }

    fn best_any(&self, hits: &[Hit], most: usize, work: &mut Work) -> Best {
        work.levels.begin(self.steps, &self.limits);
        let mut best = Best { depth: 0, first: 0, last: 0 };
        let mut at = 0;
        while let Some(&Hit { time, mask, .. }) = hits.get(at) {
            let count = instant(&hits[at..]).len();
            let reached = match count {
                1 => self.one(time, mask, &mut work.levels),
                _ => self.several(&hits[at..at + count], work),
            };
            at += count;
            if reached > best.depth {
                best = Best { depth: reached, first: work.levels.latest(reached), last: time };
            }
            if reached == most {
                break;
            }
        }
        best
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
        let instant = thin(instant, self.steps, crowd);
        let (time, union) = (instant[0].time, instant.iter().fold(0, |union, hit| union | hit.mask));
        before.clear();
        before.extend((0..self.steps).map(|done| if done == 0 { time } else { levels.before(done, time) }));
        let single = instant.iter().all(|hit| hit.mask.is_power_of_two());
        let mut reached = 0;
        for (done, &first) in before.iter().enumerate() {
            if union >> done & 1 == 0 || !self.fits(first, time) {
                continue;
            }
            let most = done + (union >> done).trailing_ones() as usize;
            let end = if single { most } else { matching.extend(instant, done, most) };
            (done + 1..=end).for_each(|done| levels.put(done, first, time));
            reached = reached.max(end);
        }
        reached
    }

    fn best_ordered(&self, hits: &[Hit], most: usize, work: &mut Work) -> Best {
        work.levels.begin(self.steps, &self.limits);
        for latest in [&mut work.direct, &mut work.next] {
            latest.clear();
            latest.resize(self.steps + 1, NONE);
        }
        let mut best = Best { depth: 0, first: 0, last: 0 };
        let mut previous = None;
        for hit in hits {
            if best.depth == most && hit.time > best.last {
                break;
            }
            let adjacent = previous.filter(|before: &Hit| before.at + 1 == hit.at);
            previous = Some(*hit);
            work.next.fill(NONE);
            for step in bits(hit.mask) {
                let first = match step {
                    0 => hit.time,
                    _ if self.direct >> step & 1 == 0 => work.levels.before(step, hit.time),
                    _ if adjacent.is_some_and(|before| self.within_limit(step, before.time, hit.time)) => {
                        work.direct[step]
                    }
                    _ => NONE,
                };
                if self.fits(first, hit.time) {
                    work.next[step + 1] = first;
                    best = best.or_later(step + 1, first, hit.time);
                }
            }
            for (done, &first) in work.next.iter().enumerate().filter(|(_, first)| **first != NONE) {
                work.levels.put(done, first, hit.time);
            }
            std::mem::swap(&mut work.direct, &mut work.next);
        }
        best
    }

    /// Finds the events of the reported attempt among the hits from its first to its last instant.
    ///
    /// Backwards: which steps each hit can fill in an attempt that ends well. Forwards: for each step the first hit that can. Since no
    /// attempt fills any step by an earlier hit, these are also the earliest times.
    fn trace_ordered(&self, hits: &[Hit], best: Best, base: u32, work: &mut Work) {
        let Work { feasible, nearest, attempt, .. } = work;
        if self.limits.is_empty() {
            self.feasible(hits, best, feasible);
        } else {
            self.feasible_in_time(hits, best, feasible, nearest);
        }
        let mut from = 0;
        for step in 0..best.depth {
            let fits = |at: &usize| feasible[*at] >> step & 1 != 0 && (step > 0 || hits[*at].time == best.first);
            let Some(at) = (from..hits.len()).find(fits) else { return };
            attempt.push(base + at as u32);
            from = at + 1;
        }
    }

    /// For each hit the steps that it can fill in an attempt of the best depth that ends at the best time.
    fn feasible(&self, hits: &[Hit], best: Best, feasible: &mut Vec<u64>) {
        feasible.clear();
        feasible.resize(hits.len(), 0);
        let steps = u64::MAX >> (64 - best.depth);
        let last = 1u64 << (best.depth - 1);
        let (mut later, mut next) = (0u64, (0u64, 0u32));
        for (at, hit) in hits.iter().enumerate().rev() {
            let eventually = later >> 1 & !(self.direct >> 1);
            let adjacent = next.1 == hit.at + 1;
            let directly = if adjacent { next.0 >> 1 & self.direct >> 1 } else { 0 };
            let end = if hit.time == best.last { last } else { 0 };
            feasible[at] = hit.mask & steps & ((eventually | directly) & !last | end);
            later |= feasible[at];
            next = (feasible[at], hit.at);
        }
    }

    /// The same where hops have limits. Of the hits that can fill the next step the nearest is the one that is there in time, if any is.
    fn feasible_in_time(&self, hits: &[Hit], best: Best, feasible: &mut Vec<u64>, nearest: &mut Vec<i64>) {
        feasible.clear();
        feasible.resize(hits.len(), 0);
        nearest.clear();
        nearest.resize(best.depth + 1, NONE);
        for (at, hit) in hits.iter().enumerate().rev() {
            let next = hits.get(at + 1).filter(|next| next.at == hit.at + 1);
            let goes_on = |step: usize, nearest: &[i64], feasible: &[u64]| match next {
                _ if step == best.depth => hit.time == best.last,
                _ if self.direct >> step & 1 == 0 => {
                    nearest[step] != NONE && self.within_limit(step, hit.time, nearest[step])
                }
                Some(next) => feasible[at + 1] >> step & 1 != 0 && self.within_limit(step, hit.time, next.time),
                None => false,
            };
            let steps = bits(hit.mask & u64::MAX >> (64 - best.depth));
            feasible[at] =
                steps.filter(|step| goes_on(step + 1, nearest, feasible)).fold(0, |all, step| all | 1 << step);
            bits(feasible[at]).for_each(|step| nearest[step] = hit.time);
        }
    }

    /// As [`trace_any`], where hops have limits: an event that comes early may leave too long a hop to the next one.
    ///
    /// Backwards, instant by instant: how many steps may be done when it is over, in an attempt that ends well. Forwards: at the first
    /// instant that can fill the next step of such an attempt, as many steps as such an attempt can have done.
    fn trace_limited(&self, hits: &[Hit], depth: usize, base: u32, work: &mut Work) {
        let Work { matching, attempt, crowd, feasible, nearest, .. } = work;
        let instants: Vec<&[Hit]> = hits.chunk_by(|a, b| a.time == b.time).collect();
        // One bit for each number of steps that may be done, 1 lowest.
        feasible.clear();
        feasible.resize(instants.len(), 0);
        nearest.clear();
        nearest.resize(depth, NONE);
        for (number, instant) in instants.iter().enumerate().rev() {
            let time = instant[0].time;
            let goes_on = |done: usize| nearest[done] != NONE && self.within_limit(done, time, nearest[done]);
            let last = if number + 1 == instants.len() { 1 << (depth - 1) } else { 0 };
            feasible[number] = (1..depth).filter(|&done| goes_on(done)).fold(last, |all, done| all | 1 << (done - 1));
            let kept = thin(instant, depth, crowd);
            for (done, nearest) in nearest.iter_mut().enumerate() {
                if most_done(feasible[number], done, || matching.extend(kept, done, depth)).is_some() {
                    *nearest = time;
                }
            }
        }
        let mut here = base;
        for (instant, &feasible) in instants.iter().zip(&*feasible) {
            let done = attempt.len();
            if done == depth {
                return;
            }
            let kept = thin(instant, depth, crowd);
            if let Some(end) = most_done(feasible, done, || matching.extend(kept, done, depth)) {
                let index = |hit: &Hit| here + instant.partition_point(|other| other.at < hit.at) as u32;
                // What fills them is found anew: of the events that `extend` chose others may be earlier.
                matching.earliest(kept, done, end, |hit| attempt.push(index(hit)));
            }
            here += instant.len() as u32;
        }
    }
}

/// The greatest number of steps that is among the `feasible` ones and above `done`, but not above what an instant can fill.
fn most_done(feasible: u64, done: usize, fill: impl FnOnce() -> usize) -> Option<usize> {
    let above = feasible >> done << done;
    if above == 0 {
        return None;
    }
    let fillable = (0..fill()).rev().find(|count| above >> count & 1 != 0)?;
    Some(fillable + 1)
}

impl Best {
    /// The better of this and an attempt of `depth` from `first` to `last`, which is never earlier than what is known.
    fn or_later(self, depth: usize, first: i64, last: i64) -> Best {
        if depth > self.depth {
            return Best { depth, first, last };
        }
        let same = depth == self.depth && last == self.last;
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
fn trace_any(hits: &[Hit], depth: usize, base: u32, work: &mut Work) {
    let Work { matching, attempt, crowd, .. } = work;
    let mut at = 0;
    while at < hits.len() && attempt.len() < depth {
        let (done, here) = (attempt.len(), base + at as u32);
        let instant = instant(&hits[at..]);
        at += instant.len();
        match instant {
            [hit] if hit.mask >> done & 1 != 0 => attempt.push(here),
            [_] => {}
            _ => {
                let kept = thin(instant, depth, crowd);
                let end = matching.extend(kept, done, depth);
                let index = |hit: &Hit| here + instant.partition_point(|other| other.at < hit.at) as u32;
                matching.earliest(kept, done, end, |hit| attempt.push(index(hit)));
            }
        }
    }
}

/// An instant with at most `steps` events of each mask, the earliest: no attempt can use more.
fn thin<'h>(instant: &'h [Hit], steps: usize, crowd: &'h mut Vec<Hit>) -> &'h [Hit] {
    if instant.len() <= steps {
        return instant;
    }
    crowd.clear();
    crowd.extend_from_slice(instant);
    crowd.sort_by_key(|hit| (hit.mask, hit.at));
    let (mut mask, mut count) = (0, 0);
    crowd.retain(|hit| {
        count = if hit.mask == mask { count + 1 } else { 1 };
        mask = hit.mask;
        count <= steps
    });
    crowd.sort_by_key(|hit| hit.at);
    crowd
}

fn bits(mut mask: u64) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let bit = mask.trailing_zeros() as usize;
        mask &= mask.wrapping_sub(1);
        (bit < 64).then_some(bit)
    })
}

/// A matching of steps with events of one instant, by augmenting paths (Kuhn).
#[derive(Debug, Default)]
struct Matching {
    /// The step that each event fills.
    step_of: Vec<Option<usize>>,
    visited: Vec<bool>,
    /// Events that are taken for good.
    taken: Vec<bool>,
    /// Masks of which no event can fill the step at hand.
    hopeless: Vec<u64>,
}

impl Matching {
    /// The greatest `end` ≤ `most` such that steps `done..end` can be filled by different events.
    fn extend(&mut self, events: &[Hit], done: usize, most: usize) -> usize {
        self.taken.clear();
        self.taken.resize(events.len(), false);
        self.fill(events, done, most)
    }

    /// The same with the events that are not taken.
    fn fill(&mut self, events: &[Hit], done: usize, most: usize) -> usize {
        self.step_of.clear();
        self.step_of.resize(events.len(), None);
        (done..most).find(|&step| !self.augment(events, step)).unwrap_or(most)
    }

    fn augment(&mut self, events: &[Hit], step: usize) -> bool {
        self.visited.clone_from(&self.taken);
        self.place(events, step)
    }

    /// Gives `step` an event, moving other steps if need be. Depth of recursion: at most the number of steps.
    fn place(&mut self, events: &[Hit], step: usize) -> bool {
        for (event, hit) in events.iter().enumerate() {
            if hit.mask >> step & 1 == 0 || self.visited[event] {
                continue;
            }
            self.visited[event] = true;
            let free = self.step_of[event].is_none_or(|other| self.place(events, other));
            if free {
                self.step_of[event] = Some(step);
                return true;
            }
        }
        false
    }

    /// The events for steps `done..end`, which can be filled: for each step in turn the earliest that leaves the others fillable.
    fn earliest(&mut self, events: &[Hit], done: usize, end: usize, mut each: impl FnMut(&Hit)) {
        self.taken.clear();
        self.taken.resize(events.len(), false);
        for step in done..end {
            // Events of one mask are worth the same: where one leaves the others unfillable, all do.
            self.hopeless.clear();
            for (event, hit) in events.iter().enumerate() {
                if hit.mask >> step & 1 == 0 || self.taken[event] || self.hopeless.contains(&hit.mask) {
                    continue;
                }
                self.taken[event] = true;
                if self.fill(events, step + 1, end) == end {
                    each(hit);
                    break;
                }
                self.taken[event] = false;
                self.hopeless.push(hit.mask);
            }
        }
    }
}

#[cfg(test)]
mod tests;
