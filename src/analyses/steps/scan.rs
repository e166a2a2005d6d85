//! ClickHouse's `windowFunnel` as it is, where no definition says the same.
//!
//! Each instant is taken step by step, and of all attempts at a step only the last one is kept. So one event may fill several steps, and
//! what ends the scan ends it for all attempts of the journey.

use serde::{Deserialize, Serialize};

use super::super::step::Hit;
use super::{Rules, Work, bits};

/// A mode of the scan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum ScanMode {
    /// Behind the first step, an event that fits none, or one whose step before is not done, ends the scan.
    StrictOrder,
    /// A repeat of a step that is done, but of the first, ends the scan.
    StrictDeduplication,
    /// The time of a step is later than that of the step before, in the attempt that is kept.
    StrictIncrease,
    /// With strict order: an event whose step before is not done is passed over.
    AllowReentry,
}

/// The modes of a scan.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Scan {
    pub order: bool,
    pub deduplication: bool,
    pub increase: bool,
    pub reentry: bool,
}

/// What comes of an event at a step.
enum Turn {
    Goes,
    Ends,
}

impl Scan {
    pub fn new(modes: &[ScanMode]) -> Scan {
        let has = |mode| modes.contains(&mode);
        Scan {
            order: has(ScanMode::StrictOrder),
            deduplication: has(ScanMode::StrictDeduplication),
            increase: has(ScanMode::StrictIncrease),
            reentry: has(ScanMode::AllowReentry),
        }
    }

    /// Whether events that fit no step matter.
    pub fn looks_at_all(self) -> bool {
        self.order
    }

    /// Finds the first attempt that gets as far as any; leaves it in `work`.
    pub(super) fn attempt(self, rules: &Rules, hits: &[Hit], work: &mut Work) {
        let Work { chains, attempt, .. } = work;
        attempt.clear();
        chains.iter_mut().for_each(Vec::clear);
        chains.resize(rules.steps, Vec::new());
        let mut base = 0;
        for instant in hits.chunk_by(|a, b| a.time == b.time) {
            // An event that fits no step comes before those of its instant that do.
            if self.order && !chains[0].is_empty() && instant.iter().any(|hit| !hit.fits()) {
                break;
            }
            for step in bits(instant.iter().fold(0, |all, hit| all | hit.mask)) {
                for (at, _) in (base..).zip(instant).filter(|(_, hit)| hit.mask >> step & 1 != 0) {
                    let Turn::Goes = self.take(rules, hits, step, at, chains) else { return };
                    if chains[step].len() > attempt.len() {
                        attempt.clone_from(&chains[step]);
                    }
                    if attempt.len() == rules.steps {
                        return;
                    }
                }
            }
            base += instant.len();
        }
    }

    /// Takes in the hit at `at` as a step.
    fn take(self, rules: &Rules, hits: &[Hit], step: usize, at: usize, chains: &mut [Vec<u32>]) -> Turn {
        let (done, here) = chains.split_at_mut(step);
        let chain = &mut here[0];
        let Some(before) = done.last() else {
            chain.clear();
            chain.push(at as u32);
            return Turn::Goes;
        };
        let time = |at: u32| hits[at as usize].time;
        match before.as_slice() {
            _ if self.deduplication && !chain.is_empty() => return Turn::Ends,
            [] if self.order && !self.reentry && !done[0].is_empty() => return Turn::Ends,
            [first, ..] if rules.fits(time(*first), hits[at].time) => {}
            _ => return Turn::Goes,
        }
        if !self.increase || before.last().is_some_and(|&last| time(last) < hits[at].time) {
            chain.clone_from(before);
            chain.push(at as u32);
        }
        Turn::Goes
    }
}
