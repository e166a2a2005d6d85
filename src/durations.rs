//! Durations, and what is said about them: their mean, their median and one percentile.
//!
//! [`Durations`] are for the thousands of transitions of a graph: compact, exact up to 4,096 distinct values, a histogram
//! beyond. [`ExactDurations`] are for the few hops and goals whose times are exact at any size: on disk if memory is short.

#[cfg(test)]
mod tests;

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
            Store::Histogram(histogram) if histogram.waiting.len() < Histogram::WAITING => {
                histogram.waiting.push(micros);
            }
            _ => self.add_to_few(micros),
        }
    }

    #[inline(never)]
    fn add_to_few(&mut self, micros: i64) {
        match &mut self.0 {
            Store::Few(values) if values.len() < FEW => values.push(micros),
            Store::Runs(runs) if !runs.is_full() => runs.waiting.push(micros),
            _ => {
                self.settle();
                self.add(micros);
            }
        }
    }

    /// Adds all durations of `from`. The order of merges changes no summary.
    pub fn merge(&mut self, mut from: Self) {
        use Store::{Few, Histogram, Runs};
        [&mut *self, &mut from].into_iter().for_each(Durations::settle_histogram);
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
            Store::Histogram(histogram) => {
                size_of::<Histogram>()
                    + Histogram::BUCKETS * size_of::<u64>()
                    + histogram.waiting.capacity() * size_of::<i64>()
            }
        }
    }

    /// Sorts all values into runs, if there are any, and gives the runs up for a histogram if there are too many.
    fn settle(&mut self) {
        let mut runs = match std::mem::take(self).0 {
            Store::Few(waiting) if waiting.is_empty() => return,
            Store::Few(waiting) => Box::new(Runs { sorted: Vec::new(), waiting }),
            Store::Runs(runs) => runs,
            Store::Histogram(mut histogram) => {
                histogram.settle();
                self.0 = Store::Histogram(histogram);
                return;
            }
        };
        runs.settle();
        self.0 =
            if runs.sorted.len() <= EXACT { Store::Runs(runs) } else { Store::Histogram(Box::new(runs.histogram())) };
    }

    fn settle_histogram(&mut self) {
        if let Store::Histogram(histogram) = &mut self.0 {
            histogram.settle();
        }
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
                let mut histogram = histogram.clone();
                histogram.settle();
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
            // Those that waited came behind those in order.
            runs.settle();
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
    /// Values that are not counted yet: many at once find the buckets in the cache, one by one they would not.
    waiting: Vec<i64>,
}

impl Default for Histogram {
    fn default() -> Self {
        Histogram { count: 0, sum: 0, buckets: vec![0; Self::BUCKETS], waiting: Vec::new() }
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

    /// The most values that wait.
    const WAITING: usize = 128;

    fn settle(&mut self) {
        let mut waiting = std::mem::take(&mut self.waiting);
        waiting.drain(..).for_each(|micros| self.add((micros, 1)));
        self.waiting = waiting;
    }

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
        let Some(spill) = self.spilled.spill() else {
            let (count, sum) = (self.values.len() as u64, self.values.iter().copied().map(i128::from).sum());
            return Ok(Ranks::new(count, percent).map(|mut ranks| {
                ranks.select(&mut self.values);
                ranks.summary(sum, true)
            }));
        };
        let runs = self.take_in_order();
        self.write(&spill, &runs)?;
        let Some(mut ranks) = Ranks::new(self.count, percent) else { return Ok(None) };
        self.spilled.merge(|&micros, times| ranks.pass(twice(micros as i64), times))?;
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

    /// Finds all of them among `values`, which need not be in order: cheaper than to bring them into it.
    fn select(&mut self, values: &mut [i64]) {
        for (rank, found) in &mut self.wanted {
            *found = twice(*values.select_nth_unstable(*rank as usize - 1).1);
        }
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
