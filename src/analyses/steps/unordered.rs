//! Steps in any order: how many of them a visitor has inside one window, and by which events.
//!
//! The depth is the greatest number of steps that different events of one window can fill. Of the windows that hold so many the one that
//! is complete first is reported, of those the one that begins last, and of its events the earliest.
//!
//! Events that can fill different steps are what matroid theory calls independent: to take each event that still goes, in order, gives the
//! earliest largest set there is. Whether one still goes, a matching tells. Of events of one mask a window needs no more than there are
//! steps, the latest; so each hit costs O(masks × steps²), and only where it brings a step that the best window had not.

use std::collections::VecDeque;

use super::super::step::Hit;
use super::bits;

/// One thread's scratch.
#[derive(Debug, Default)]
pub struct Unordered {
    /// For each mask its latest hits.
    latest: Vec<(u64, VecDeque<usize>)>,
    matching: Matching,
    attempt: Vec<u32>,
}

/// Which event fills each step.
#[derive(Debug)]
struct Matching {
    event_of: [Option<usize>; 64],
    count: usize,
}

impl Default for Matching {
    fn default() -> Self {
        Matching { event_of: [None; 64], count: 0 }
    }
}

impl Matching {
    fn clear(&mut self) {
        *self = Matching::default();
    }

    /// Takes in an event if different events can then still fill different steps.
    fn add(&mut self, hits: &[Hit], event: usize) -> bool {
        let added = self.place(hits, event, &mut 0);
        self.count += usize::from(added);
        added
    }

    fn place(&mut self, hits: &[Hit], event: usize, visited: &mut u64) -> bool {
        for step in bits(hits[event].mask) {
            if *visited >> step & 1 != 0 {
                continue;
            }
            *visited |= 1 << step;
            if self.event_of[step].is_none_or(|other| self.place(hits, other, visited)) {
                self.event_of[step] = Some(event);
                return true;
            }
        }
        false
    }
}

impl Unordered {
    /// The hits, in journey order, that fill as many of `steps` steps as one window holds.
    pub fn attempt(&mut self, hits: &[Hit], steps: usize, window: Option<i64>) -> &[u32] {
        self.attempt.clear();
        let Some((count, end)) = self.complete(hits, steps, window) else { return &self.attempt };
        // Backwards to the latest begin.
        self.matching.clear();
        let mut seen: Vec<(u64, usize)> = Vec::new();
        let mut start = end;
        for at in (0..=end).rev() {
            if self.matching.count == count {
                break;
            }
            if !is_one_too_many(&mut seen, hits[at].mask, steps) && self.matching.add(hits, at) {
                start = at;
            }
        }
        // Events of one time belong together.
        let begin = hits[start].time;
        let start = start - hits[..start].iter().rev().take_while(|hit| hit.time == begin).count();
        self.matching.clear();
        seen.clear();
        for at in start..=end {
            if !is_one_too_many(&mut seen, hits[at].mask, steps) && self.matching.add(hits, at) {
                self.attempt.push(at as u32);
            }
        }
        &self.attempt
    }

    /// The greatest number of steps, and the last hit of the instant at which it is first reached.
    fn complete(&mut self, hits: &[Hit], steps: usize, window: Option<i64>) -> Option<(usize, usize)> {
        self.latest.clear();
        let mut best: Option<(usize, usize)> = None;
        let mut at = 0;
        while let Some(&Hit { time, .. }) = hits.get(at) {
            let instant = at..at + hits[at..].iter().take_while(|hit| hit.time == time).count();
            at = instant.end;
            instant.for_each(|hit| self.push(hits, hit, steps));
            let count = best.map_or(0, |(count, _)| count);
            if count == steps {
                break;
            }
            let inside = |hit: &usize| window.is_none_or(|window| time - hits[*hit].time <= window);
            for (_, latest) in &mut self.latest {
                latest.retain(inside);
            }
            let union =
                self.latest.iter().filter(|(_, latest)| !latest.is_empty()).fold(0, |all, (mask, _)| all | mask);
            if union.count_ones() as usize <= count {
                continue;
            }
            self.matching.clear();
            for &hit in self.latest.iter().flat_map(|(_, latest)| latest) {
                self.matching.add(hits, hit);
            }
            if self.matching.count > count {
                best = Some((self.matching.count, at - 1));
            }
        }
        best
    }

    fn push(&mut self, hits: &[Hit], at: usize, steps: usize) {
        let mask = hits[at].mask;
        let place = self.latest.iter().position(|(other, _)| *other == mask).unwrap_or_else(|| {
            self.latest.push((mask, VecDeque::new()));
            self.latest.len() - 1
        });
        let latest = &mut self.latest[place].1;
        if latest.len() == steps {
            latest.pop_front();
        }
        latest.push_back(at);
    }
}

/// Counts an event of a mask; says whether so many came before that it cannot be needed.
fn is_one_too_many(seen: &mut Vec<(u64, usize)>, mask: u64, steps: usize) -> bool {
    match seen.iter_mut().find(|(other, _)| *other == mask) {
        None => seen.push((mask, 1)),
        Some((_, count)) => {
            *count += 1;
            return *count > steps;
        }
    }
    false
}
