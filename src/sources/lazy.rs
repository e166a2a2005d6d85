//! Whatever polars can scan as a source: a lazy frame beside the files of a run.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::{Reader, Source, Split, Wanted};
use crate::error::Result;
use crate::events::{Origin, RawBatch};
use crate::frame::{Collected, Lazy, LazyFrame};

/// Rows of one split.
const ROWS: usize = 65_536;

/// A lazy frame as a source. The columns that the questions need are collected by polars when reading begins; rows keep their order.
pub fn from_lazy(frame: LazyFrame) -> Result<Arc<dyn Source>> {
    Ok(Arc::new(LazySource(Lazy::new(frame)?)))
}

struct LazySource(Lazy);

impl Source for LazySource {
    fn columns(&self) -> &[String] {
        self.0.columns()
    }

    /// Nobody knows before it is collected.
    fn bytes(&self) -> u64 {
        0
    }

    fn describe(&self) -> String {
        "lazy frame".to_owned()
    }

    fn read(&self, wanted: &[Wanted]) -> Result<Box<dyn Reader>> {
        let rows = self.0.collect(wanted.iter().map(|wanted| wanted.column))?;
        Ok(Box::new(Parts { rows: Arc::new(rows), next: AtomicUsize::new(0) }))
    }
}

/// The collected rows, handed out part by part.
struct Parts {
    rows: Arc<Collected>,
    next: AtomicUsize,
}

impl Reader for Parts {
    fn next(&self) -> Result<Option<Split>> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let start = number.saturating_mul(ROWS);
        if start >= self.rows.rows() {
            return Ok(None);
        }
        let rows = Arc::clone(&self.rows);
        let batch = move || {
            let length = ROWS.min(rows.rows() - start);
            let origin = Origin::Rows { first: start as u64 + 1 };
            Ok(RawBatch { columns: rows.slice(start, length)?, rows: length, origin, rejected: Vec::new(), bytes: 0 })
        };
        Ok(Some(Split::whole(number as u32, std::iter::once_with(batch))))
    }
}
