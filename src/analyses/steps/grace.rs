//! Clocks that are a little off: a step may come before the one before it, by no more than a grace.
//!
//! **Definition.** From a first step on, each step is filled by the first event not used yet that fits it, is not before the first step,
//! and no more than the grace before the step before. The window runs from the first step. An attempt ends where an excluding event lies
//! between the step that its exclusion begins with and the event that would be next.
//!
//! Where no event fits two steps and nothing is excluded, no attempt from this first step gets further, or to any of its steps earlier: an
//! earlier event never leaves less to choose from. O(first steps × events): it is for funnels that say which first step they mean.

use std::ops::Range;

use super::super::step::Hit;
use super::{Rules, Trail, Work, bits};

impl Rules {
    /// Finds the reported attempt in a part of a trail; if `only` is given, the one whose first step is this hit.
    pub(super) fn attempt_with_grace(
        &self,
        grace: i64,
        trail: &Trail,
        hits: Range<usize>,
        only: Option<usize>,
        work: &mut Work,
    ) {
        let mut best: Vec<u32> = Vec::new();
        let starts = only.map_or(hits.clone(), |only| only..only + 1);
        for start in starts.filter(|&at| trail.hits[at].mask & 1 != 0) {
            // No later first step leads to an earlier end.
            let is_over = |last: &u32| best.len() == self.steps && trail.moment(start) > trail.moment(*last as usize);
            if best.last().is_some_and(is_over) {
                break;
            }
            self.follow_with_grace(grace, trail, &hits, start, &mut work.attempt);
            if best.is_empty() || self.compare(trail, &work.attempt, &best).is_lt() {
                best.clone_from(&work.attempt);
            }
        }
        work.attempt = best;
        work.deepest = work.attempt.len();
    }

    /// The attempt that begins with the hit `start`.
    fn follow_with_grace(&self, grace: i64, trail: &Trail, hits: &Range<usize>, start: usize, attempt: &mut Vec<u32>) {
        let time = |at: u32| trail.hits[at as usize].time;
        attempt.clear();
        attempt.push(start as u32);
        let reach = self.reach_of(trail, hits, start);
        for step in 1..self.steps {
            let earliest = time(start as u32).max(time(attempt[step - 1]).saturating_sub(grace));
            let from = reach.start + trail.hits[reach.clone()].partition_point(|hit| hit.time < earliest);
            let is_free = |at: &usize| trail.hits[*at].mask >> step & 1 != 0 && !attempt.contains(&(*at as u32));
            let Some(next) = (from..reach.end).find(is_free) else { return };
            if self.is_stopped(&trail.hits, &reach, attempt, next) {
                return;
            }
            attempt.push(next as u32);
        }
    }

    /// Whether an excluding event lies before the hit `next`, which would be the next step.
    fn is_stopped(&self, hits: &[Hit], reach: &Range<usize>, attempt: &[u32], next: usize) -> bool {
        let forbids = |hit: &Hit, at: usize| {
            let between = &self.exclusions[at];
            let from = attempt.get(between.from - 1).map(|&from| hits[from as usize].time);
            attempt.len() < between.to && from.is_some_and(|from| from < hit.time && hit.time < hits[next].time)
        };
        hits[reach.clone()].iter().any(|hit| bits(u64::from(hit.excluded)).any(|at| forbids(hit, at)))
    }
}
