//! How long it takes from the first step to the last, in bins with edges at 0, 1, 2, 5, 10, 20, 50 … seconds.

use crate::journeys::SECOND;

/// How many take how long. Edges are whole seconds, so nothing is rounded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Histogram {
    /// Up to the last bin that is not empty.
    bins: Vec<u64>,
}

/// Times from one edge up to the next, which does not belong to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bin {
    /// The least time in it, in seconds.
    pub from_s: u64,
    /// The next edge, in seconds.
    pub to_s: u64,
    /// How many there are.
    pub count: u64,
}

impl Histogram {
    /// Adds a time in µs that is not negative.
    pub fn add(&mut self, micros: i64) {
        let bin = number(micros.max(0).unsigned_abs() / SECOND.unsigned_abs());
        self.make_room(bin + 1);
        self.bins[bin] += 1;
    }

    /// Adds the times of `from`.
    pub fn merge(&mut self, from: &Histogram) {
        self.make_room(from.bins.len());
        self.bins.iter_mut().zip(&from.bins).for_each(|(into, from)| *into += from);
    }

    fn make_room(&mut self, bins: usize) {
        self.bins.resize(self.bins.len().max(bins), 0);
    }

    /// The bins from the first that is not empty to the last, empty ones between them too.
    pub fn bins(&self) -> Vec<Bin> {
        let bin = |(number, &count): (usize, &u64)| Bin { from_s: edge(number), to_s: edge(number + 1), count };
        self.bins.iter().enumerate().skip_while(|(_, count)| **count == 0).map(bin).collect()
    }

    /// Bytes in use outside of the value itself.
    pub fn bytes(&self) -> usize {
        self.bins.capacity() * size_of::<u64>()
    }
}

/// The number of the bin of a time in whole seconds.
fn number(seconds: u64) -> usize {
    let Some(power) = seconds.checked_ilog10() else { return 0 };
    let lead = seconds / 10u64.pow(power);
    1 + 3 * power as usize + usize::from(lead >= 2) + usize::from(lead >= 5)
}

/// The lower edge of a bin, in seconds.
fn edge(number: usize) -> u64 {
    number.checked_sub(1).map_or(0, |number| [1, 2, 5][number % 3] * 10u64.pow((number / 3) as u32))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(micros: &[i64]) -> Histogram {
        let mut histogram = Histogram::default();
        micros.iter().for_each(|&micros| histogram.add(micros));
        histogram
    }

    #[test]
    fn a_bin_has_its_lower_edge_and_not_its_upper() {
        let edges = [0, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000];
        for pair in edges.windows(2) {
            let (from_s, to_s) = (pair[0], pair[1]);
            let micros = [from_s as i64 * SECOND, to_s as i64 * SECOND - 1];
            assert_eq!(of(&micros).bins(), [Bin { from_s, to_s, count: 2 }]);
        }
        let longest = of(&[i64::MAX]).bins();
        assert_eq!(longest, [Bin { from_s: 5_000_000_000_000, to_s: 10_000_000_000_000, count: 1 }]);
    }

    #[test]
    fn empty_bins_stand_only_between_others() {
        assert_eq!(Histogram::default().bins(), []);
        let mut histogram = of(&[SECOND]);
        histogram.merge(&of(&[7 * SECOND, 5 * SECOND]));
        let counts: Vec<(u64, u64)> = histogram.bins().iter().map(|bin| (bin.from_s, bin.count)).collect();
        assert_eq!(counts, [(1, 1), (2, 0), (5, 2)]);
        let mut other = of(&[7 * SECOND, 5 * SECOND]);
        other.merge(&of(&[SECOND]));
        assert_eq!(other, histogram);
    }
}
