//! Two shares beside each other: how far they differ, what chance alone would make of it, and what many such tests make of that.
//!
//! Everything here is symmetric: swapping the two shares turns signs and ratios around and changes nothing else.

use crate::rates::{Z, rate, wilson};

/// So many of so many.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Share {
    /// How many of the whole.
    pub part: u64,
    /// The whole, which is no less than its part.
    pub whole: u64,
}

/// Two shares of different journeys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Contrast {
    /// What is compared with.
    pub a: Share,
    /// What is compared.
    pub b: Share,
}

/// How many times higher the odds of one share are than those of another.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct OddsRatio {
    /// The odds of the second share ÷ those of the first.
    pub ratio: f64,
    /// Its 95 % interval.
    pub interval: [f64; 2],
    /// How far the nearer end of the interval is from no effect, as a logarithm; below 0 if no effect lies inside.
    pub strength: f64,
}

/// The least expected count of a table that the normal approximation is good enough for (Cochran 1954).
const LEAST_EXPECTED: f64 = 5.0;

impl Share {
    /// The share as a fraction; undefined for an empty whole.
    pub fn rate(self) -> Option<f64> {
        rate(self.part, self.whole)
    }

    fn rest(self) -> u64 {
        self.whole - self.part
    }
}

impl Contrast {
    /// The second share less the first.
    pub fn difference(self) -> Option<f64> {
        Some(self.b.rate()? - self.a.rate()?)
    }

    /// The 95 % interval of the difference: the hybrid of both Wilson intervals (Newcombe 1998, Statistics in Medicine 17, 873–890,
    /// method 10).
    pub fn interval(self) -> Option<[f64; 2]> {
        let (a, b) = (self.a.rate()?, self.b.rate()?);
        let ([a_low, a_high], [b_low, b_high]) =
            (wilson(self.a.part, self.a.whole)?, wilson(self.b.part, self.b.whole)?);
        let apart = |a: f64, b: f64| (a * a + b * b).sqrt();
        let (below, above) = (apart(a_high - a, b - b_low), apart(a - a_low, b_high - b));
        Some([(b - a - below).max(-1.0), (b - a + above).min(1.0)])
    }

    /// How often chance alone makes shares of one and the same rate differ at least so much, to either side: by the z test with the
    /// pooled rate and no continuity correction, and by Fisher's exact test where an expected count is below 5.
    pub fn p(self) -> Option<f64> {
        let (a, b) = (self.a.rate()?, self.b.rate()?);
        let (parts, whole) = ((self.a.part + self.b.part) as f64, (self.a.whole + self.b.whole) as f64);
        let fewest = self.a.whole.min(self.b.whole) as f64;
        if fewest * parts.min(whole - parts) / whole < LEAST_EXPECTED {
            return Some(fisher(self.a.min(self.b), self.a.max(self.b)));
        }
        let pooled = parts / whole;
        let error = (pooled * (1.0 - pooled) * (1.0 / self.a.whole as f64 + 1.0 / self.b.whole as f64)).sqrt();
        // Both tails of the normal distribution; libm's erfc is within one unit of the last place.
        Some(libm::erfc((b - a).abs() / error / std::f64::consts::SQRT_2))
    }

    /// The odds ratio with the interval of its logarithm (Woolf 1955). Only where a count is 0 is ½ added to each of the four (Haldane
    /// 1956, Anscombe 1956). Undefined if a whole is empty, or if all journeys or none have the part.
    pub fn odds_ratio(self) -> Option<OddsRatio> {
        let Contrast { a, b } = self;
        if a.whole == 0 || b.whole == 0 || a.part + b.part == 0 || a.rest() + b.rest() == 0 {
            return None;
        }
        let counts = [b.part, b.rest(), a.part, a.rest()];
        let more = if counts.contains(&0) { 0.5 } else { 0.0 };
        let counts = counts.map(|count| count as f64 + more);
        let [with, with_rest, without, without_rest] = counts;
        let ratio = (with * without_rest) / (with_rest * without);
        let [with, with_rest, without, without_rest] = counts.map(libm::log);
        let log = (with - with_rest) - (without - without_rest);
        // In pairs, so that the order of the shares is of no account.
        let [with, with_rest, without, without_rest] = counts.map(f64::recip);
        let error = ((with + with_rest) + (without + without_rest)).sqrt();
        let [low, high] = [log - Z * error, log + Z * error];
        Some(OddsRatio { ratio, interval: [low, high].map(libm::exp), strength: log.abs() - Z * error })
    }
}

/// Fisher's exact test: the chance, given the sums of the table, of all tables that are no likelier than this one (Irwin's rule for two
/// sides, as most programs have it).
///
/// It is only asked where an expected count is small, so that there are few tables: below √(5 n) of n journeys.
fn fisher(small: Share, large: Share) -> f64 {
    let (row, column, total) = (small.whole, small.part + large.part, small.whole + large.whole);
    let (least, most) = ((row + column).saturating_sub(total), row.min(column));
    // How much likelier one more in the part of the first row is.
    let up = |part: u64| {
        let (added, left) = ((row - part) as f64 * (column - part) as f64, (part + 1 + total) - row - column);
        added / ((part + 1) as f64 * left as f64)
    };
    // From near the likeliest table on nothing overflows, and what underflows is of no account.
    let middle = (row as f64 + 1.0) * (column as f64 + 1.0) / (total as f64 + 2.0);
    let middle = (middle as u64).clamp(least, most);
    let chain = |chance: &mut f64, factor: f64| {
        *chance *= factor;
        Some(*chance)
    };
    let mut chances: Vec<f64> =
        (least..middle).rev().scan(1.0, |chance, part| chain(chance, up(part).recip())).collect();
    chances.reverse();
    chances.push(1.0);
    chances.extend((middle..most).scan(1.0, |chance, part| chain(chance, up(part))));
    // Tables that are equally likely may differ by rounding.
    let observed = chances[(small.part - least) as usize] * (1.0 + 1e-7);
    let sum = |likely: f64| chances.iter().filter(|chance| **chance <= likely).sum::<f64>();
    (sum(observed) / sum(f64::INFINITY)).min(1.0)
}

/// What is left of p values when all of them belong to one question (Holm 1979): to call significant what is below 0.05 here is wrong
/// about any of them with a chance of at most 0.05, however they depend on each other.
pub fn holm(p: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..p.len()).collect();
    order.sort_by(|&a, &b| p[a].total_cmp(&p[b]));
    let (mut corrected, mut largest) = (vec![1.0; p.len()], 0f64);
    for (rank, at) in order.into_iter().enumerate() {
        largest = largest.max(p[at] * (p.len() - rank) as f64).min(1.0);
        corrected[at] = largest;
    }
    corrected
}

#[cfg(test)]
mod tests;
