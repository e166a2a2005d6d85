//! How far attempts have got: for each number of steps done, when those that may still go on began.

use std::collections::VecDeque;

/// No attempt has got so far.
pub const NONE: i64 = i64::MIN;

/// By number of steps done: the attempts of which none began later and got there later, too.
#[derive(Debug, Default)]
pub struct Levels {
    /// The latest first step of all of them.
    latest: Vec<i64>,
    /// Those that got there, in their order, where the next hop has a limit: the first began latest.
    waiting: Vec<VecDeque<Reached>>,
    /// By number of steps done, the limit of the next hop.
    limits: Vec<Option<i64>>,
}

/// An attempt that has done so many steps.
#[derive(Clone, Copy, Debug)]
struct Reached {
    first: i64,
    last: i64,
}

impl Levels {
    /// Forgets everything. `limits` has for each step the longest time from the one before, or nothing at all.
    pub fn begin(&mut self, steps: usize, limits: &[Option<i64>]) {
        self.latest.clear();
        self.latest.resize(steps + 1, NONE);
        self.limits.clear();
        self.limits.extend_from_slice(limits);
        self.waiting.iter_mut().for_each(VecDeque::clear);
        self.waiting.resize_with(limits.len(), VecDeque::new);
    }

    /// The latest first step of an attempt that has done `done` steps and may do the next one at `time`, as far as its hop goes. Times
    /// never go back.
    #[inline]
    pub fn before(&mut self, done: usize, time: i64) -> i64 {
        match self.limits.get(done).copied().flatten() {
            None => self.latest[done],
            Some(limit) => self.in_time(done, time - limit),
        }
    }

    fn in_time(&mut self, done: usize, earliest: i64) -> i64 {
        let waiting = &mut self.waiting[done];
        while waiting.front().is_some_and(|reached| reached.last < earliest) {
            waiting.pop_front();
        }
        waiting.front().map_or(NONE, |reached| reached.first)
    }

    /// Takes in an attempt that began at `first` and has now, at `time`, done `done` steps.
    #[inline]
    pub fn put(&mut self, done: usize, first: i64, time: i64) {
        // Without limits never earlier than what is known: an attempt that has done more steps has also done fewer.
        self.latest[done] = self.latest[done].max(first);
        if self.limits.get(done).copied().flatten().is_some() {
            self.wait(done, Reached { first, last: time });
        }
    }

    fn wait(&mut self, done: usize, reached: Reached) {
        let waiting = &mut self.waiting[done];
        while waiting.back().is_some_and(|before| before.first <= reached.first) {
            waiting.pop_back();
        }
        // One of the same instant that began later is better.
        if waiting.back().is_none_or(|before| before.last < reached.last) {
            waiting.push_back(reached);
        }
    }

    /// The latest first step of all attempts that have done `done` steps.
    pub fn latest(&self, done: usize) -> i64 {
        self.latest[done]
    }
}
