//! Durations, and what is said about them: their mean, their median and one percentile.
//!
//! [`Durations`] are for the thousands of transitions of a graph: compact, exact up to 4,096 distinct values, a histogram
//! beyond. [`ExactDurations`] are for the few hops and goals whose times are exact at any size: on disk if memory is short.

use std::io::{self, Read};
use std::sync::Arc;

use crate::counts::{Runs as Spilled, Sums, read_number, write_number};
use crate::error::Result;
use crate::spill::Spill;

/// The most distinct values that [`Durations`] keep exactly. A constant of the definition, not a tuning knob.
const EXACT: usize = 4096;

/// The most values that are kept as they came, and the fewest that are worth sorting into runs.
const FEW: usize = 64;

/// The most values that wait to be sorted into the runs: memory for the waiting against time for the sorting.
const WAITING: usize = 1024;

/// A value in µs and how often it occurred.
type Run = (i64, u64);

/// Any number of durations in µs: exact while they have at most 4,096 distinct values, then in a histogram.
///
/// What they say depends on the values alone, never on their order or on how they were merged. Count and sum are always
/// exact.
#[derive(Clone, Debug)]
pub struct Durations(Store);

#[derive(Clone, Debug)]
enum Store {
    /// As they came. Most transitions never hold more, so this must stay small.
    Few(Vec<i64>),
    Runs(Box<Runs>),
    Histogram(Box<Histogram>),
}

impl Default for Durations {
    /// None. Takes no memory of its own.
    fn default() -> Self {
        Durations(Store::Few(Vec::new()))
    }
}

impl Durations {
    /// Adds one duration. Durations are never negative; one that is counts as 0.
    #[inline]
    pub fn add(&mut self, micros: i64) {
        let micros = micros.max(0);
        match &mut self.0 {
            Store::Few(values) if values.len() < FEW => values.push(micros),
            Store::Runs(runs) if !runs.is_full() => runs.waiting.push(micros),
            Store::Histogram(histogram) => histogram.add((micros, 1)),
            _ => {
                self.settle();
                self.add(micros);
            }
        }
    }

    /// Adds all durations of `from`. The order of merges changes no summary.
    pub fn merge(&mut self, from: Self) {
        use Store::{Few, Histogram, Runs};
        *self = match (std::mem::take(self).0, from.0) {
            (Few(values), other) | (other, Few(values)) => {
                let mut into = Durations(other);
                values.into_iter().for_each(|micros| into.add(micros));
                into
            }
            (Runs(mut into), Runs(from)) => {
                into.sorted.extend(from.sorted);
                into.waiting.extend(from.waiting);
                let mut into = Durations(Runs(into));
                into.settle();
                into
            }
            (Histogram(mut into), Runs(runs)) | (Runs(runs), Histogram(mut into)) => {
                runs.values().for_each(|run| into.add(run));
                Durations(Histogram(into))
            }
            (Histogram(mut into), Histogram(from)) => {
                into.merge(&from);
                Durations(Histogram(into))
            }
        };
    }

    /// Mean, median and the value at `percent`. Nothing if there are no durations.
    pub fn summary(mut self, percent: u64) -> Option<Summary> {
        self.settle();
        match self.0 {
            Store::Few(_) => None,
            Store::Runs(runs) => {
                let count = runs.sorted.iter().map(|run| run.1).sum();
                let sum = runs.sorted.iter().map(|&run| total(run)).sum();
                let mut ranks = Ranks::new(count, percent)?;
                runs.sorted.iter().for_each(|&(micros, times)| ranks.pass(twice(micros), times));
                Some(ranks.summary(sum, true))
            }
            Store::Histogram(histogram) => histogram.summary(percent),
        }
    }

    /// How many are longer than the value at `percent`; of a histogram those in later buckets. Depends on the values alone, too.
    pub fn longer(&mut self, percent: u64) -> u64 {
        self.settle();
        match &self.0 {
            Store::Few(_) => 0,
            Store::Runs(runs) => beyond(runs.sorted.iter().map(|run| run.1), percent),
            Store::Histogram(histogram) => beyond(histogram.buckets.iter().copied(), percent),
        }
    }

    /// Bytes in use outside of the value itself.
    pub fn bytes(&self) -> usize {
        match &self.0 {
            Store::Few(values) => values.capacity() * size_of::<i64>(),
            Store::Runs(runs) => {
                size_of::<Runs>()
                    + runs.sorted.capacity() * size_of::<Run>()
                    + runs.waiting.capacity() * size_of::<i64>()
            }
            Store::Histogram(_) => size_of::<Histogram>() + Histogram::BUCKETS * size_of::<u64>(),
        }
    }

    /// Sorts all values into runs, if there are any, and gives the runs up for a histogram if there are too many.
    fn settle(&mut self) {
        let mut runs = match std::mem::take(self).0 {
            Store::Few(waiting) if waiting.is_empty() => return,
            Store::Few(waiting) => Box::new(Runs { sorted: Vec::new(), waiting }),
            Store::Runs(runs) => runs,
            histogram @ Store::Histogram(_) => {
                self.0 = histogram;
                return;
            }
        };
        runs.settle();
        self.0 =
            if runs.sorted.len() <= EXACT { Store::Runs(runs) } else { Store::Histogram(Box::new(runs.histogram())) };
    }

    /// Writes all of them, so that [`read`](Self::read) gives the same.
    pub fn write(&self, into: &mut Vec<u8>) {
        let mut numbers = |kind: u64, runs: &mut dyn ExactSizeIterator<Item = Run>| {
            [kind, runs.len() as u64].into_iter().for_each(|number| write_number(into, number));
            runs.for_each(|(micros, times)| [micros as u64, times].write(into));
        };
        match &self.0 {
            Store::Few(values) => numbers(0, &mut values.iter().map(|&micros| (micros, 1))),
            Store::Runs(runs) => {
                let runs: Vec<Run> = runs.values().collect();
                numbers(0, &mut runs.into_iter());
            }
            Store::Histogram(histogram) => {
                let buckets = histogram.buckets.iter().enumerate().filter(|(_, times)| **times > 0);
                let buckets: Vec<Run> = buckets.map(|(bucket, &times)| (bucket as i64, times)).collect();
                numbers(1, &mut buckets.into_iter());
                into.extend(histogram.sum.to_le_bytes());
            }
        }
    }

    /// Reads what [`write`](Self::write) wrote.
    ///
    /// # Errors
    /// If `from` fails, ends too early, or holds something else.
    pub fn read(from: &mut impl Read) -> io::Result<Self> {
        let invalid = || io::Error::from(io::ErrorKind::InvalidData);
        let [kind, length] = Sums::read(from)?;
        if kind == 0 {
            let mut runs = Runs { sorted: Vec::new(), waiting: Vec::new() };
            for _ in 0..length {
                let [micros, times] = Sums::read(from)?;
                runs.sorted.push((micros as i64, times));
            }
            return Ok(Durations(Store::Runs(Box::new(runs))));
        }
        let mut histogram = Histogram::default();
        for _ in 0..length {
            let (bucket, times) = (read_number(from)?, read_number(from)?);
            *histogram.buckets.get_mut(bucket as usize).ok_or_else(invalid)? = times;
            histogram.count += times;
        }
        let mut sum = [0; 16];
        from.read_exact(&mut sum)?;
        histogram.sum = i128::from_le_bytes(sum);
        Ok(Durations(Store::Histogram(Box::new(histogram))))
    }
}

/// Distinct values in order, each once, and values that wait to be sorted in.
#[derive(Clone, Debug)]
struct Runs {
    sorted: Vec<Run>,
    waiting: Vec<i64>,
}

impl Runs {
    #[inline]
    fn is_full(&self) -> bool {
        self.waiting.len() >= self.sorted.len().clamp(FEW, WAITING)
    }

    fn settle(&mut self) {
        // Exactly: doubling would waste half of the memory of many transitions.
        self.sorted.reserve_exact(self.waiting.len());
        self.sorted.extend(self.waiting.drain(..).map(|micros| (micros, 1)));
        // The stable sort finds what is sorted already and merges it in linear time.
        self.sorted.sort_by_key(|run| run.0);
        self.sorted.dedup_by(|next, run| {
            let same = next.0 == run.0;
            run.1 += if same { next.1 } else { 0 };
            same
        });
    }

    fn histogram(self) -> Histogram {
        let mut histogram = Histogram::default();
        self.values().for_each(|run| histogram.add(run));
        histogram
    }

    /// All values, in no order.
    fn values(&self) -> impl Iterator<Item = Run> {
        self.sorted.iter().copied().chain(self.waiting.iter().map(|&micros| (micros, 1)))
    }
}

/// Counts in buckets whose width doubles with every doubling of the value: 64 buckets to each, so that the middle of a
/// bucket is within 1/128 of every value in it. Values below 128 µs have a bucket each.
#[derive(Clone, Debug)]
struct Histogram {
    count: u64,
    sum: i128,
    buckets: Vec<u64>,
}

impl Default for Histogram {
    fn default() -> Self {
        Histogram { count: 0, sum: 0, buckets: vec![0; Self::BUCKETS] }
    }
}

impl Histogram {
    /// Buckets to each doubling, as a power of two.
    const BITS: u32 = 6;
    const BUCKETS: usize = Self::bucket(i64::MAX) + 1;

    /// The bucket of a value that is not negative.
    #[inline]
    const fn bucket(micros: i64) -> usize {
        let magnitude = (micros as u64 | 1).ilog2();
        let shift = magnitude.saturating_sub(Self::BITS);
        ((shift as usize) << Self::BITS) + (micros >> shift) as usize
    }

    /// Twice the middle of a bucket: an integer, where the middle itself may be none.
    fn twice_middle(bucket: usize) -> u64 {
        let shift = (bucket >> Self::BITS).saturating_sub(1);
        let first = ((bucket - (shift << Self::BITS)) as u64) << shift;
        2 * first + ((1 << shift) - 1)
    }

    #[inline]
    fn add(&mut self, (micros, times): Run) {
        self.count += times;
        self.sum += total((micros, times));
        self.buckets[Self::bucket(micros)] += times;
    }

    fn merge(&mut self, from: &Self) {
        self.count += from.count;
        self.sum += from.sum;
        self.buckets.iter_mut().zip(&from.buckets).for_each(|(into, from)| *into += from);
    }

    fn summary(&self, percent: u64) -> Option<Summary> {
        let mut ranks = Ranks::new(self.count, percent)?;
        self.buckets.iter().enumerate().for_each(|(bucket, &times)| ranks.pass(Self::twice_middle(bucket), times));
        Some(ranks.summary(self.sum, false))
    }
}

/// Durations in µs that are kept one by one: exact at any size.
#[derive(Clone, Debug, Default)]
pub struct ExactDurations {
    values: Vec<i64>,
    /// How often each value occurred, on disk, and their number and sum.
    spilled: Spilled<u64, u64>,
    count: u64,
    sum: i128,
}

impl ExactDurations {
    /// Adds one duration. Durations are never negative; one that is counts as 0.
    #[inline]
    pub fn add(&mut self, micros: i64) {
        self.values.push(micros.max(0));
    }

    /// Adds all durations of `from`.
    pub fn merge(&mut self, mut from: Self) {
        self.values.append(&mut from.values);
        self.spilled.append(from.spilled);
        self.count += from.count;
        self.sum += from.sum;
    }

    /// Mean, median and the value at `percent`. Nothing if there are no durations.
    ///
    /// # Errors
    /// If what is on disk cannot be read.
    pub fn summary(mut self, percent: u64) -> Result<Option<Summary>> {
        let runs = self.take_in_order();
        let Some(mut ranks) = Ranks::new(self.count, percent) else { return Ok(None) };
        match self.spilled.spill() {
            None => runs.iter().for_each(|&(micros, times)| ranks.pass(2 * micros, times)),
            Some(spill) => {
                self.write(&spill, &runs)?;
                self.spilled.merge(|&micros, times| ranks.pass(2 * micros, times))?;
            }
        }
        Ok(Some(ranks.summary(self.sum, true)))
    }

    /// Writes what is in memory to disk and gives the memory back, if it is worth it.
    ///
    /// # Errors
    /// If the disk is full or fails.
    pub fn relieve(&mut self, spill: &Arc<Spill>) -> Result<()> {
        if self.values.is_empty() || !spill.takes(self.bytes()) {
            return Ok(());
        }
        let runs = self.take_in_order();
        self.write(spill, &runs)
    }

    /// Takes the values in memory, and how often each occurs, out; their number and sum remain.
    fn take_in_order(&mut self) -> Vec<(u64, u64)> {
        let mut values = std::mem::take(&mut self.values);
        values.sort_unstable();
        self.count += values.len() as u64;
        self.sum += values.iter().copied().map(i128::from).sum::<i128>();
        values.chunk_by(|a, b| a == b).map(|same| (same[0] as u64, same.len() as u64)).collect()
    }

    fn write(&mut self, spill: &Arc<Spill>, runs: &[(u64, u64)]) -> Result<()> {
        self.spilled.write(spill, runs.iter().map(|(micros, times)| (micros, times)))
    }

    /// Bytes in use outside of the value itself.
    pub fn bytes(&self) -> usize {
        self.values.capacity() * size_of::<i64>() + self.spilled.bytes()
    }
}

/// What is said about durations, in seconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Summary {
    /// Their sum ÷ their number.
    pub mean: f64,
    /// Of an even number of values, the mean of the two in the middle.
    pub median: f64,
    /// The value at the percentage that was asked for, by nearest rank: of n values in order, number ⌈n·percent/100⌉.
    pub percentile: f64,
    /// Whether median and percentile are exact. If not, each is within 1 %; the mean is exact always.
    pub exact: bool,
}

/// Values at ranks, found in one pass over values in order.
struct Ranks {
    count: u64,
    /// The ranks of the two values in the middle and of the percentile, from 1, and twice the values found there.
    wanted: [(u64, u64); 3],
    passed: u64,
}

impl Ranks {
    /// Nothing if there are no values.
    fn new(count: u64, percent: u64) -> Option<Ranks> {
        let ranks = [count.div_ceil(2), count / 2 + 1, rank(count.max(1), percent)];
        (count > 0).then(|| Ranks { count, wanted: ranks.map(|rank| (rank, 0)), passed: 0 })
    }

    /// Passes the next greater value, given doubled, which occurs `times`.
    #[inline]
    fn pass(&mut self, twice: u64, times: u64) {
        let ranks = self.passed + 1..=self.passed + times;
        self.passed += times;
        self.wanted.iter_mut().filter(|(rank, _)| ranks.contains(rank)).for_each(|(_, found)| *found = twice);
    }

    /// What is said of them when all are passed.
    fn summary(self, sum: i128, exact: bool) -> Summary {
        const SECOND: f64 = 1e6;
        let [lower, upper, percentile] = self.wanted.map(|(_, twice)| twice);
        Summary {
            mean: sum as f64 / (self.count as f64 * SECOND),
            median: (u128::from(lower) + u128::from(upper)) as f64 / (4.0 * SECOND),
            percentile: percentile as f64 / (2.0 * SECOND),
            exact,
        }
    }
}

/// The sum of a value that occurs a number of times.
fn total((micros, times): Run) -> i128 {
    i128::from(micros) * i128::from(times)
}

/// Twice a value that is not negative.
fn twice(micros: i64) -> u64 {
    2 * micros as u64
}

/// The nearest rank, from 1, of a percentage of `count` values; there is at least one.
fn rank(count: u64, percent: u64) -> u64 {
    (count * percent).div_ceil(100).clamp(1, count)
}

/// How many values are greater than the one at `percent`, given how often each distinct value occurs, in ascending order.
fn beyond(times: impl Iterator<Item = u64> + Clone, percent: u64) -> u64 {
    let count: u64 = times.clone().sum();
    let mut left = count;
    for times in times {
        left -= times;
        if count - left >= rank(count, percent) {
            break;
        }
    }
    left
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn durations(values: impl IntoIterator<Item = i64>) -> Durations {
        let mut durations = Durations::default();
        values.into_iter().for_each(|micros| durations.add(micros));
        durations
    }

    /// The plain answer: everything in a list, sorted.
    fn plain(values: &[i64], percent: f64) -> Option<(f64, f64, f64)> {
        let mut values: Vec<i64> = values.iter().map(|&micros| micros.max(0)).collect();
        values.sort_unstable();
        let count = values.len();
        let at = |rank: usize| values[rank - 1] as f64 / 1e6;
        let median = |count: usize| f64::midpoint(at(count.div_ceil(2)), at(count / 2 + 1));
        let mean = |values: &[i64]| values.iter().sum::<i64>() as f64 / 1e6 / count as f64;
        (count > 0).then(|| (mean(&values), median(count), at((percent * count as f64 / 100.0).ceil() as usize)))
    }

    fn near(a: f64, b: f64, error: f64) -> bool {
        (a - b).abs() <= error * b.abs() + 1e-12
    }

    #[test]
    fn none_say_nothing_and_take_no_memory() {
        assert_eq!(Durations::default().summary(95), None);
        assert_eq!(ExactDurations::default().summary(95).unwrap(), None);
        assert_eq!(Durations::default().bytes(), 0);
        assert_eq!(size_of::<Durations>(), 3 * size_of::<usize>());
    }

    #[test]
    fn one_is_its_own_mean_median_and_percentile() {
        let second = Summary { mean: 1.0, median: 1.0, percentile: 1.0, exact: true };
        assert_eq!(durations([1_000_000]).summary(95), Some(second));
        assert_eq!(durations([-5]).summary(50).map(|summary| summary.mean), Some(0.0));
    }

    #[test]
    fn the_median_of_an_even_number_lies_between() {
        let summary = durations([4_000_000, 1_000_000, 2_000_000, 1_000_000]).summary(95).unwrap();
        assert_eq!((summary.mean, summary.median, summary.percentile), (2.0, 1.5, 4.0));
    }

    #[test]
    fn percentiles_are_nearest_ranks() {
        let seconds = |count: i64| durations((1..=count).map(|second| second * 1_000_000));
        let at = |count, percent| seconds(count).summary(percent).unwrap().percentile;
        assert_eq!([at(20, 95), at(21, 95), at(10, 90), at(3, 0), at(3, 100)], [19.0, 20.0, 9.0, 1.0, 3.0]);
    }

    #[test]
    fn longer_are_those_beyond_the_percentile() {
        let longer = |values: &[i64], percent| durations(values.iter().copied()).longer(percent);
        assert_eq!(longer(&[], 95), 0);
        assert_eq!(longer(&[7], 95), 0);
        assert_eq!(longer(&[1, 2, 3, 4], 50), 2);
        assert_eq!(longer(&[4, 2, 2, 2], 50), 1, "those equal to the percentile are not longer");
        // The percentile is 9,499, in the bucket from 74 × 128 to 75 × 128 − 1.
        assert_eq!(durations(0..10_000).longer(95), 10_000 - 75 * 128, "of a histogram whole buckets");
    }

    #[test]
    fn the_histogram_begins_at_the_4097th_distinct_value() {
        let many = |count: i64| (0..count).flat_map(|micros| [micros * 1000; 3]);
        assert!(durations(many(4096)).summary(95).unwrap().exact);
        assert!(!durations(many(4097)).summary(95).unwrap().exact);

        let halves = |count: i64| {
            let mut half = durations(many(count).filter(|micros| micros % 2000 == 0));
            half.merge(durations(many(count).filter(|micros| micros % 2000 != 0)));
            half.summary(95).unwrap()
        };
        assert_eq!(Some(halves(4096)), durations(many(4096)).summary(95));
        assert_eq!(Some(halves(4097)), durations(many(4097)).summary(95));
    }

    #[test]
    fn buckets_follow_one_another_and_hold_their_middle() {
        for bucket in 0..Histogram::BUCKETS {
            let middle = (Histogram::twice_middle(bucket) / 2) as i64;
            assert_eq!(Histogram::bucket(middle), bucket);
        }
        assert_eq!(Histogram::BUCKETS, 3712);
    }

    #[test]
    fn the_longest_durations_do_not_overflow() {
        let mut all = durations((0..5000).map(|less| i64::MAX - less * (1 << 50)));
        all.merge(durations([i64::MAX; 10]));
        let summary = all.summary(100).unwrap();
        assert!(!summary.exact && near(summary.percentile, i64::MAX as f64 / 1e6, 0.01));
    }

    #[test]
    fn what_was_written_is_read_again() {
        for all in [durations([]), durations([7, 7, 0]), durations((0..2000).map(|n| n % 100)), durations(0..5000)] {
            let mut bytes = Vec::new();
            all.write(&mut bytes);
            assert_eq!(Durations::read(&mut &bytes[..]).unwrap().summary(95), all.summary(95));
            assert!(Durations::read(&mut &bytes[..bytes.len() - 1]).is_err());
        }
    }

    proptest! {
        #[test]
        fn exact_durations_are_the_same_on_disk(values in prop::collection::vec(-5..3000i64, 0..500), every in 1..100usize) {
            let spill = Arc::new(Spill::new().worth(0));
            let (mut on_disk, mut mixed, mut kept) = <[ExactDurations; 3]>::default().into();
            for (n, &micros) in values.iter().enumerate() {
                kept.add(micros);
                if n % 3 == 0 { mixed.add(micros) } else { on_disk.add(micros) }
                if n % every == 0 {
                    on_disk.relieve(&spill).unwrap();
                }
            }
            mixed.merge(on_disk);
            prop_assert_eq!(mixed.summary(90).unwrap(), kept.summary(90).unwrap());
        }

        #[test]
        fn few_values_are_exact(values in prop::collection::vec(-5..3000i64, 0..2000)) {
            let expected = plain(&values, 95.0);
            let mut kept = ExactDurations::default();
            values.iter().for_each(|&micros| kept.add(micros));
            for summary in [durations(values).summary(95), kept.summary(95).unwrap()] {
                let found = summary.map(|s| (s.mean, s.median, s.percentile));
                prop_assert_eq!(found.is_some(), expected.is_some());
                let pairs = found.zip(expected).map(|(a, b)| [(a.0, b.0), (a.1, b.1), (a.2, b.2)]);
                prop_assert!(pairs.iter().flatten().all(|(a, b)| near(*a, *b, 1e-12)));
                prop_assert!(summary.is_none_or(|summary| summary.exact));
            }
        }

        #[test]
        fn longer_equals_the_plain_count(values in prop::collection::vec(0..50i64, 1..300), percent in 0..=100u64) {
            let mut sorted = values.clone();
            sorted.sort_unstable();
            let at = sorted[(percent as usize * sorted.len()).div_ceil(100).max(1) - 1];
            prop_assert_eq!(durations(values.clone()).longer(percent), values.iter().filter(|&&value| value > at).count() as u64);
        }

        #[test]
        fn the_histogram_is_within_one_percent(
            froms in prop::collection::vec(0..1i64 << 40, 10), spread in 1..1i64 << 20,
        ) {
            let values: Vec<i64> = froms.iter().flat_map(|&from| (0..1000).map(move |n| from + n * spread)).collect();
            let (mean, median, percentile) = plain(&values, 95.0).unwrap();
            let summary = durations(values).summary(95).unwrap();
            prop_assert!(near(summary.mean, mean, 1e-12));
            prop_assert!(near(summary.median, median, 0.01) && near(summary.percentile, percentile, 0.01));
        }

        #[test]
        fn merging_has_no_order(
            parts in prop::collection::vec((0..20_000i64, 0..4500i64, 1..3i64), 3),
            order in Just([0usize, 1, 2]).prop_shuffle(),
        ) {
            let part = |n: usize| durations((0..parts[n].1).map(|step| parts[n].0 + step * parts[n].2));
            let together = durations((0..3).flat_map(|n| (0..parts[n].1).map(move |step| (n, step)))
                .map(|(n, step)| parts[n].0 + step * parts[n].2));
            let [a, b, c] = order.map(part);
            let (mut left, mut right) = (a.clone(), b.clone());
            left.merge(b);
            left.merge(c.clone());
            right.merge(c);
            let mut outer = a;
            outer.merge(right);
            let expected = together.summary(95);
            prop_assert_eq!(left.summary(95), expected);
            prop_assert_eq!(outer.summary(95), expected);
        }
    }
}
