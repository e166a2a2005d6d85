//! A matching of steps with events of one instant, by augmenting paths (Kuhn).

use super::super::step::Hit;
use super::bits;

/// Leaves of the hits of an instant at most `steps` of each mask, the earliest: no attempt can use more.
pub fn thin(crowd: &mut Vec<Hit>, steps: usize) {
    if crowd.len() <= steps {
        return;
    }
    crowd.sort_by_key(|hit| (hit.mask, hit.at));
    let (mut mask, mut count) = (0, 0);
    crowd.retain(|hit| {
        count = if hit.mask == mask { count + 1 } else { 1 };
        mask = hit.mask;
        count <= steps
    });
    crowd.sort_by_key(|hit| hit.at);
}

/// The matching and its scratch.
#[derive(Debug, Default)]
pub struct Matching {
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
    pub fn extend(&mut self, events: &[Hit], done: usize, most: usize) -> usize {
        self.taken.clear();
        self.taken.resize(events.len(), false);
        self.fill(events, done, most)
    }

    /// How many of the steps of `may` can be filled beside all of `must`, by different events. Nothing if `must` cannot.
    pub fn most(&mut self, events: &[Hit], must: u64, may: u64) -> Option<usize> {
        self.taken.clear();
        self.taken.resize(events.len(), false);
        self.step_of.clear();
        self.step_of.resize(events.len(), None);
        // A step that has an event keeps one: so what can still be filled does not depend on the order.
        let all = bits(must).all(|step| self.augment(events, step));
        all.then(|| bits(may).filter(|&step| self.augment(events, step)).count())
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
    pub fn earliest(&mut self, events: &[Hit], done: usize, end: usize, mut each: impl FnMut(&Hit)) {
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
