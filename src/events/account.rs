//! What became of the records: every one is used, filtered, a duplicate or rejected.

use std::collections::BTreeMap;

use super::raw::{Reason, Reject};
use super::timestamp::ClockNotes;

/// Counts of records by what became of them. `events read = used + filtered + duplicates + rejected`, always.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Account {
    /// Lines or rows.
    pub records: u64,
    /// Those that became events.
    pub used: u64,
    /// Outside `--from`/`--to`.
    pub filtered: u64,
    /// Repeated event ids.
    pub duplicates: u64,
    /// Broken ones, by what is wrong with them.
    pub rejected: BTreeMap<Reason, u64>,
    /// Bad values that became "no value", by role or column.
    pub nulled: BTreeMap<String, u64>,
    /// The first rejected record of each reason.
    pub first: BTreeMap<Reason, FirstReject>,
    /// What reading local times had to decide.
    pub clock: ClockNotes,
}

/// The first rejected record of a reason, by file and place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FirstReject {
    /// Number of the file among the inputs.
    pub file: usize,
    /// Its place in the file, what is wrong with it, and its text.
    pub reject: Reject,
}

impl FirstReject {
    fn key(&self) -> (usize, u64) {
        (self.file, self.reject.place)
    }
}

impl Account {
    /// Counts a rejected record of file number `file`.
    pub fn reject(&mut self, file: usize, reject: &Reject) {
        *self.rejected.entry(reject.reason).or_default() += 1;
        self.note_first(FirstReject { file, reject: reject.clone() });
    }

    fn note_first(&mut self, new: FirstReject) {
        let first = self.first.entry(new.reject.reason).or_insert_with(|| new.clone());
        if new.key() < first.key() {
            *first = new;
        }
    }

    pub(super) fn null(&mut self, column: &str, count: u64) {
        if count > 0 {
            *self.nulled.entry(column.to_owned()).or_default() += count;
        }
    }

    /// How many were rejected, for whatever reason.
    pub fn rejected(&self) -> u64 {
        self.rejected.values().sum()
    }

    /// All of them: `used + filtered + duplicates + rejected`.
    pub fn events_read(&self) -> u64 {
        self.used + self.filtered + self.duplicates + self.rejected()
    }

    /// Adds what another thread counted; the order does not matter.
    pub fn add(&mut self, other: Account) {
        self.records += other.records;
        self.used += other.used;
        self.filtered += other.filtered;
        self.duplicates += other.duplicates;
        for (reason, count) in other.rejected {
            *self.rejected.entry(reason).or_default() += count;
        }
        for (column, count) in other.nulled {
            *self.nulled.entry(column).or_default() += count;
        }
        other.first.into_values().for_each(|first| self.note_first(first));
        self.clock.add(other.clock);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_reject_does_not_depend_on_the_order_of_threads() {
        let reject = |place| Reject { place, reason: Reason::BadTime, text: None };
        let (mut a, mut b) = (Account::default(), Account::default());
        a.reject(1, &reject(3));
        b.reject(0, &reject(9));
        b.reject(0, &reject(7));
        let (mut ab, mut ba) = (a.clone(), b.clone());
        ab.add(b);
        ba.add(a);
        assert_eq!(ab, ba);
        assert_eq!(ab.first[&Reason::BadTime].key(), (0, 7));
        assert_eq!((ab.rejected(), ab.events_read()), (3, 3));
    }
}
