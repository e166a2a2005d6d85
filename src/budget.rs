//! The memory that a run may use, counted where it is used.

use std::sync::atomic::{AtomicUsize, Ordering};

use crate::error::{Error, Result};

/// A number of bytes that a run may hold, and what it holds of them now.
#[derive(Debug)]
pub struct Budget {
    limit: usize,
    used: AtomicUsize,
    peak: AtomicUsize,
}

impl Budget {
    /// A budget of `limit` bytes, of which nothing is held yet.
    pub fn new(limit: usize) -> Self {
        Budget { limit, used: AtomicUsize::new(0), peak: AtomicUsize::new(0) }
    }

    /// The most that may be held at one time, in bytes.
    pub fn limit(&self) -> usize {
        self.limit
    }

    /// Bytes that nobody holds now.
    pub fn free(&self) -> usize {
        self.limit.saturating_sub(self.used.load(Ordering::Relaxed))
    }

    /// The most that was held at one time, in bytes.
    pub fn peak(&self) -> usize {
        self.peak.load(Ordering::Relaxed)
    }

    /// Counts `bytes` more for `what`, or says that they do not fit.
    pub fn take(&self, bytes: usize, what: &str) -> Result<()> {
        let used = self.used.fetch_add(bytes, Ordering::Relaxed) + bytes;
        self.peak.fetch_max(used, Ordering::Relaxed);
        if used <= self.limit {
            return Ok(());
        }
        Err(Error::limit(format!(
            "{what} do not fit into the memory limit: {} are needed so far, {} are allowed",
            human(used),
            human(self.limit)
        ))
        .hint(format!(
            "give more with --memory (for instance --memory {}), ask fewer questions or --by in one run, or cut the log with --from and --to",
            human((used * 2).next_power_of_two())
        )))
    }

    /// Counts `bytes` more if no more than `limit` are held then; says whether it did.
    pub fn take_below(&self, bytes: usize, limit: usize) -> bool {
        let more = |used: usize| used.checked_add(bytes).filter(|used| *used <= limit);
        let taken = self.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more);
        if let Ok(before) = taken {
            self.peak.fetch_max(before + bytes, Ordering::Relaxed);
        }
        taken.is_ok()
    }

    /// Gives `bytes` back.
    pub fn give(&self, bytes: usize) {
        self.used.fetch_sub(bytes, Ordering::Relaxed);
    }
}

/// What one holder has of a budget now; given back when it goes.
#[derive(Debug)]
pub struct Held<'a> {
    budget: &'a Budget,
    what: &'static str,
    bytes: usize,
}

impl<'a> Held<'a> {
    /// Nothing yet, of `what`.
    pub fn new(budget: &'a Budget, what: &'static str) -> Self {
        Held { budget, what, bytes: 0 }
    }

    /// Holds `bytes` from now on, instead of what was held before.
    pub fn hold(&mut self, bytes: usize) -> Result<()> {
        let before = std::mem::replace(&mut self.bytes, bytes);
        if bytes > before {
            return self.budget.take(bytes - before, self.what);
        }
        self.budget.give(before - bytes);
        Ok(())
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.budget.give(self.bytes);
    }
}

/// Bytes as people write them: `512MiB`, `4GiB`.
pub fn human(bytes: usize) -> String {
    const UNITS: [(&str, usize); 3] = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];
    for (unit, size) in UNITS {
        if bytes >= size {
            let tenths = bytes as u128 * 10 / size as u128;
            return if tenths.is_multiple_of(10) || tenths >= 1000 {
                format!("{}{unit}", tenths / 10)
            } else {
                format!("{}.{}{unit}", tenths / 10, tenths % 10)
            };
        }
    }
    format!("{bytes}B")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_is_a_limit_error_that_says_what_to_do() {
        let budget = Budget::new(1 << 20);
        assert!(budget.take(1 << 20, "events").is_ok());
        let error = budget.take(1, "events").unwrap_err();
        assert_eq!(error.kind(), crate::error::ErrorKind::Limit);
        assert!(error.advice().is_some_and(|hint| hint.contains("--memory")));
        assert_eq!(budget.free(), 0);
        budget.give(1 << 20);
        assert_eq!((budget.free(), budget.peak()), ((1 << 20) - 1, (1 << 20) + 1));
    }

    #[test]
    fn what_may_go_elsewhere_is_taken_only_while_there_is_room() {
        let budget = Budget::new(100);
        assert!(budget.take_below(30, 50) && budget.take_below(20, 50) && !budget.take_below(1, 50));
        assert_eq!((budget.free(), budget.peak()), (50, 50));
        assert!(!budget.take_below(usize::MAX, usize::MAX));
    }

    #[test]
    fn a_holder_counts_what_it_holds_now() {
        let budget = Budget::new(100);
        let mut held = Held::new(&budget, "rows");
        assert!(held.hold(80).is_ok() && held.hold(30).is_ok());
        assert!(budget.take(70, "names").is_ok() && held.hold(31).is_err());
        drop(held);
        assert!(budget.take(30, "names").is_ok());
    }

    #[test]
    fn sizes_are_written_as_people_write_them() {
        assert_eq!(human(512), "512B");
        assert_eq!(human(1536), "1.5KiB");
        assert_eq!(human(4 << 30), "4GiB");
    }
}
