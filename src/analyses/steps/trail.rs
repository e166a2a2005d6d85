//! What an attempt sees of a journey.

use super::super::step::Hit;
use super::SKIPPED;

/// The events of a journey that matter to a funnel, in the order in which they may be used, and beside them what only some funnels ask
/// for: an empty column stands for the usual.
#[derive(Clone, Debug, Default)]
pub struct Trail {
    pub hits: Vec<Hit>,
    /// What a window is measured by, never going back: usually the time.
    pub clocks: Vec<i64>,
    /// Where each event stands among those that direct hops look at: usually its place in the journey.
    pub ranks: Vec<u32>,
    /// The value that each hit holds, as a number. An event that holds several has a hit for each, side by side.
    pub held: Vec<u32>,
    /// Whether the clock, and not the time, says which attempt is the earliest.
    pub by_clock: bool,
}

/// In which order a funnel uses events, and what its windows are measured by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Order {
    /// Inside an instant by the first step that each event fits, those that fit none last.
    pub by_step: bool,
    /// Direct hops look at events that fit a step only.
    pub among_steps: bool,
    /// Windows are measured in events.
    pub by_event: bool,
}

impl Trail {
    /// Brings the hits, which are in journey order, into the order that a funnel asks for. `times` are those of the whole journey.
    pub fn arrange(&mut self, order: Order, times: &[i64]) {
        if order.by_step {
            self.hits.chunk_by_mut(|a, b| a.time == b.time).for_each(|instant| {
                instant.sort_by_key(|hit| hit.counts_as);
            });
            let ranks = self.hits.chunk_by(|a, b| a.time == b.time).flat_map(|instant| ranks_by_step(instant, times));
            self.ranks.extend(ranks);
        }
        if order.by_event {
            self.clocks = (0..self.hits.len()).map(|at| i64::from(self.rank(at))).collect();
            self.by_clock = true;
        }
        if order.among_steps {
            let before = self.hits.iter().scan(0, |count, hit| {
                *count += u32::from(hit.fits());
                Some(*count)
            });
            self.ranks = before.collect();
        }
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.hits.clear();
        self.clocks.clear();
        self.ranks.clear();
        self.held.clear();
        self.by_clock = false;
    }

    /// The events of an attempt, by its hits.
    pub(super) fn attempt<'t>(&'t self, hits: &'t [u32]) -> impl Iterator<Item = Hit> + use<'t> {
        hits.iter().map(|&at| if at == SKIPPED { Hit::SKIPPED } else { self.hits[at as usize] })
    }

    #[inline]
    pub(super) fn clock(&self, at: usize) -> i64 {
        self.clocks.get(at).copied().unwrap_or(self.hits[at].time)
    }

    #[inline]
    pub(super) fn rank(&self, at: usize) -> u32 {
        self.ranks.get(at).copied().unwrap_or(self.hits[at].at)
    }

    /// What attempts are compared by.
    #[inline]
    pub(super) fn moment(&self, at: usize) -> i64 {
        if self.by_clock { self.clock(at) } else { self.hits[at].time }
    }

    /// The moments of the hits of an attempt; that of a step left out is later than all.
    pub(super) fn moments<'t>(&'t self, hits: &'t [u32]) -> impl Iterator<Item = i64> + use<'t> {
        hits.iter().map(|&at| if at == SKIPPED { i64::MAX } else { self.moment(at as usize) })
    }

    /// Puts the hits at `places`, which never go back, in place of all.
    pub fn spread(&mut self, places: &[usize]) {
        fn of<T: Copy>(column: &[T], places: &[usize]) -> Vec<T> {
            places.iter().filter_map(|&at| column.get(at).copied()).collect()
        }
        self.hits = of(&self.hits, places);
        self.clocks = of(&self.clocks, places);
        self.ranks = of(&self.ranks, places);
    }

    /// Replaces `into` by the hits at `places`, of which only those that `holds` may fill or repeat steps.
    pub(super) fn gather(&self, places: &[u32], holds: impl Fn(usize) -> bool, into: &mut Trail) {
        into.clear();
        into.by_clock = self.by_clock;
        for at in places.iter().map(|&at| at as usize) {
            let hit = self.hits[at];
            into.hits.push(if holds(at) { hit } else { Hit { mask: 0, counts_as: Hit::FITS_NONE, ..hit } });
            into.clocks.extend(self.clocks.get(at));
            into.ranks.extend(self.ranks.get(at));
        }
    }
}

/// The places of the hits of an instant, sorted by step, among all events of the instant sorted so.
fn ranks_by_step(instant: &[Hit], times: &[i64]) -> Vec<u32> {
    let start = times.partition_point(|time| *time < instant[0].time) as u32;
    let mut steps: Vec<u32> = instant.iter().filter(|hit| hit.fits()).map(|hit| hit.at).collect();
    steps.sort_unstable();
    // The others keep their order behind those that fit steps: each moves back by the steps that came after it.
    let rank = |(place, hit): (usize, &Hit)| match hit.fits() {
        true => start + place as u32,
        false => hit.at + (steps.len() - steps.partition_point(|at| *at < hit.at)) as u32,
    };
    instant.iter().enumerate().map(rank).collect()
}
