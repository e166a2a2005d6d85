//! The most frequent of many paths, in the memory of a few.

use std::cmp::Ordering;

use super::report::{Hidden, PathRow};
use crate::dictionary::Dictionary;
use crate::ids::Code;
use crate::units::Top;

/// Paths come in one by one, each once, in any order; the largest stay. Of equal count are those larger whose names come
/// first, compared node by node.
pub(super) struct TopPaths<'a> {
    limit: usize,
    names: &'a Dictionary,
    /// Up to twice as many as are wanted. If there are as many as are wanted or more, the last one wanted is at its place, and
    /// none before it is smaller.
    kept: Vec<Kept>,
    /// All paths that came in, those that stay too.
    all: Hidden,
}

struct Kept {
    path: Vec<Code>,
    count: u64,
    visitors: u64,
}

impl<'a> TopPaths<'a> {
    pub fn new(top: Top, names: &'a Dictionary) -> Self {
        TopPaths { limit: top.limit(), names, kept: Vec::new(), all: Hidden::default() }
    }

    pub fn offer(&mut self, path: &[Code], count: u64, visitors: u64) {
        self.all.paths += 1;
        self.all.count += count;
        let last = self.kept.get(self.limit - 1);
        if last.is_some_and(|last| self.order((path, count), (&last.path, last.count)).is_gt()) {
            return;
        }
        self.kept.push(Kept { path: path.to_vec(), count, visitors });
        if self.kept.len() == self.limit || self.kept.len() >= self.limit.saturating_mul(2) {
            self.cut();
        }
    }

    /// Puts the last one wanted at its place and drops what is behind it.
    fn cut(&mut self) {
        let mut kept = std::mem::take(&mut self.kept);
        let order = |a: &Kept, b: &Kept| self.order((&a.path, a.count), (&b.path, b.count));
        kept.select_nth_unstable_by(self.limit - 1, order);
        kept.truncate(self.limit);
        self.kept = kept;
    }

    fn order(&self, (a, a_count): (&[Code], u64), (b, b_count): (&[Code], u64)) -> Ordering {
        let name = |code: &Code| self.names.name(*code);
        b_count.cmp(&a_count).then_with(|| a.iter().map(name).cmp(b.iter().map(name)))
    }

    /// The largest in their order, and what they leave out.
    pub fn finish(mut self) -> (Vec<PathRow>, Hidden) {
        let mut kept = std::mem::take(&mut self.kept);
        kept.sort_unstable_by(|a, b| self.order((&a.path, a.count), (&b.path, b.count)));
        kept.truncate(self.limit);
        let shown: u64 = kept.iter().map(|kept| kept.count).sum();
        let hidden = Hidden { paths: self.all.paths - kept.len() as u64, count: self.all.count - shown };
        let row = |kept: Kept| PathRow {
            path: kept.path.iter().map(|&code| self.names.name(code).to_owned()).collect(),
            count: kept.count,
            visitors: kept.visitors,
        };
        (kept.into_iter().map(row).collect(), hidden)
    }
}
