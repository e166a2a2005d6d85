//! A reproducible log of a shop that does not exist: for benchmarks, tests and first steps.
//!
//! Visits follow a Markov chain over kinds of pages; the pause between two events is half a second and then exponential with a mean of
//! 45 seconds. Visit number *i* is made from the seed and *i* alone, so threads change nothing, and memory does not grow with the log:
//! visits are made in chunks of neighbouring starts, and what happens after the next chunk has begun waits for it. The same options
//! give the same bytes (on another kind of machine logarithms may differ in the last bit, and so a time by a microsecond).

mod shuffle;
mod visits;
mod write;

use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::reports::file;
use crate::units::{Fraction, Number};
use shuffle::Shuffle;
use visits::Walk;
use write::Target;

/// What the log is to be like.
#[derive(Clone, Debug, clap::Args)]
pub struct Options {
    /// How many events: 10000, 20K, 10M
    #[arg(long, value_name = "N", default_value = "10M")]
    pub events: Number,
    /// How many visitors there are, of whom some never come [default: one to 11 events]
    #[arg(long, value_name = "N")]
    pub visitors: Option<Number>,
    /// How many different pages there are: products, and at most 300 categories
    #[arg(long, value_name = "N", default_value = "4809")]
    pub pages: Number,
    /// The share of visits that are made by one and the same visitor
    #[arg(long, value_name = "SHARE", default_value = "0")]
    pub skew: Fraction,
    /// The share of events at the very time of the visit's event before
    #[arg(long, value_name = "SHARE", default_value = "0")]
    pub ties: Fraction,
    /// The share of visits that are made by ten robots: 300 pages, one each second
    #[arg(long, value_name = "SHARE", default_value = "0")]
    pub bots: Fraction,
    /// The share of events that are written up to an hour late
    #[arg(long, value_name = "SHARE", default_value = "0")]
    pub out_of_order: Fraction,
    /// Write all events in random order
    #[arg(long)]
    pub shuffle: bool,
    /// Another seed makes another log
    #[arg(long, value_name = "N", default_value = "1")]
    pub seed: u64,
    /// Write as many files, one after the other in time: events-01.parquet, events-02.parquet
    #[arg(long, value_name = "N", default_value = "1")]
    pub files: u32,
}

/// An event, as small as can be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Row {
    /// µs since 1970, UTC.
    pub time: i64,
    pub visitor: u64,
    /// Number of the page among those of its kind.
    pub page: u32,
    /// Hundredths; 0 is none.
    pub cents: u32,
    pub kind: u8,
    pub source: u8,
    pub device: u8,
}

impl Options {
    /// Writes the log to `output`, whose suffix says the format. Returns what was written.
    ///
    /// # Errors
    /// If an option contradicts another, the suffix is unknown, or the disk is full.
    pub fn write(&self, output: &Path) -> Result<Vec<PathBuf>> {
        self.check()?;
        let files = self.names(output);
        let mut target = Target::new(&files, self.events.0, self.kinds())?;
        let mut walk = Walk::new(self);
        if self.shuffle {
            let mut shuffle = Shuffle::new(self.seed);
            while let Some(rows) = walk.next() {
                shuffle.add(&rows)?;
            }
            shuffle.each(|rows| target.write(rows))?;
        } else {
            // The next rows are made while these are written.
            let mut next = walk.next();
            while let Some(rows) = next {
                let (made, written) = rayon::join(|| walk.next(), || target.write(&rows));
                written?;
                next = made;
            }
        }
        file::commit_all(target.complete()?)?;
        Ok(files)
    }

    fn check(&self) -> Result<()> {
        let wrong = |message: &str, hint: &str| Err(Error::question(message).hint(hint));
        if self.events.0 == 0 || self.files == 0 {
            return wrong("a log has at least one event and one file", "give --events and --files a number from 1");
        }
        if u64::from(self.files) > self.events.0 {
            return wrong("there are more files than events", "give --files a smaller number");
        }
        if self.pages.0 < visits::FEWEST_PAGES || self.pages.0 > u64::from(u32::MAX) {
            return wrong(
                &format!("a shop has from {} to 4 billion pages", visits::FEWEST_PAGES),
                "give --pages another number",
            );
        }
        if self.shuffle && self.out_of_order.0 > 0.0 {
            return wrong("what is shuffled has no order to be out of", "leave out --shuffle or --out-of-order");
        }
        Ok(())
    }

    /// How many pages each kind has.
    fn kinds(&self) -> [u32; visits::KINDS.len()] {
        visits::pages(self.pages.0 as u32)
    }

    /// `events.parquet`, or `events-01.parquet` and so on.
    fn names(&self, output: &Path) -> Vec<PathBuf> {
        if self.files == 1 {
            return vec![output.to_owned()];
        }
        let digits = self.files.to_string().len().max(2);
        let (stem, suffix) = (output.file_stem().unwrap_or_default(), output.extension().unwrap_or_default());
        let name = |number: u32| format!("{}-{number:0digits$}.{}", stem.display(), suffix.display());
        (1..=self.files).map(|number| output.with_file_name(name(number))).collect()
    }
}

/// A generator of numbers that look random: SplitMix64 (Steele, Lea and Flood, 2014).
#[derive(Clone, Debug)]
pub(crate) struct Random(u64);

impl Random {
    /// Numbers of their own for each `stream` of a seed.
    pub fn new(seed: u64, stream: u64) -> Random {
        let mut random = Random(seed);
        let mixed = random.next() ^ stream.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let mut random = Random(mixed);
        random.0 = random.next();
        random
    }

    #[inline]
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ mixed >> 31
    }

    /// A number from 0 up to but without 1.
    #[inline]
    pub fn share(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// A whole number below `bound`, which is not 0.
    #[inline]
    pub fn below(&mut self, bound: u64) -> u64 {
        ((u128::from(self.next()) * u128::from(bound)) >> 64) as u64
    }

    /// The logarithm of a share that is never 0, turned round: exponential with a mean of 1.
    #[inline]
    pub fn exponential(&mut self) -> f64 {
        -(1.0 - self.share()).ln()
    }
}

#[cfg(test)]
mod tests;
