//! How far attempts have got: for each number of steps done, when those that may still go on began.
//!
//! Of the attempts that have done so many steps the one that got there last also began last: whatever came between an earlier begin and
//! this event could have followed a later begin, and within the same limits. So one of them is enough, with limits of hops too.

/// No attempt has got so far.
pub const NONE: i64 = i64::MIN;

/// By number of steps done: the attempt that began last, and got there last.
#[derive(Debug, Default)]
pub struct Levels {
    /// When it began.
    first: Vec<i64>,
    /// When it got there.
    last: Vec<i64>,
    /// The limit of its next hop; empty if no hop has one.
    limits: Vec<Option<i64>>,
}

impl Levels {
    /// Forgets everything. `limits` has for each step the longest time from the one before, or nothing at all.
    pub fn begin(&mut self, steps: usize, limits: &[Option<i64>]) {
        for times in [&mut self.first, &mut self.last] {
            times.clear();
            times.resize(steps + 1, NONE);
        }
        self.limits.clear();
        self.limits.extend_from_slice(limits);
    }

    /// The latest first step of an attempt that has done `done` steps and may do the next one at `time`, as far as its hop goes.
    #[inline]
    pub fn before(&self, done: usize, time: i64) -> i64 {
        let first = self.first[done];
        match self.limits.get(done).copied().flatten() {
            Some(limit) if first != NONE && time - self.last[done] > limit => NONE,
            _ => first,
        }
    }

    /// Takes in an attempt that began at `first` and has now, at `time`, done `done` steps. Times never go back.
    #[inline]
    pub fn put(&mut self, done: usize, first: i64, time: i64) {
        // Only others of the same instant may have begun later.
        self.first[done] = self.first[done].max(first);
        self.last[done] = time;
    }

    /// Ends the attempts that have done `done` steps.
    pub fn end(&mut self, done: usize) {
        self.first[done] = NONE;
    }

    /// Whether no attempt may go on.
    pub fn are_empty(&self) -> bool {
        self.first.iter().all(|first| *first == NONE)
    }

    /// When the attempt got there that has done `done` steps, if there is one.
    #[inline]
    pub fn arrived(&self, done: usize) -> i64 {
        self.last[done]
    }

    /// The latest first step of all attempts that have done `done` steps.
    pub fn latest(&self, done: usize) -> i64 {
        self.first[done]
    }
}
