//! `--stats FILE`: what a run took. Never part of an answer: answers are the same bytes from run to run.

use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Map, Value, json};

use super::args::{InputSpec, RunArgs};
use crate::error::{Error, Result};
use crate::pipeline::{FileFacts, Limits, Outcome, Timings};
use crate::reports::file::Pending;
use crate::reports::json::document;

/// A file of statistics, begun before the run: a place that cannot be written must not cost one.
pub struct Stats {
    file: Option<Pending>,
    limits: Limits,
    start: Instant,
}

impl Stats {
    /// Begins the file that `run` names, if it names one.
    pub fn begin(run: &RunArgs, input: &InputSpec) -> Result<Stats> {
        let file = run.stats.as_deref().map(Pending::create).transpose()?;
        Ok(Stats { file, limits: run.limits(input)?, start: Instant::now() })
    }

    /// Refuses to be one of the files of a job.
    pub fn check(&self, others: &[Pending]) -> Result<()> {
        let Some(file) = &self.file else { return Ok(()) };
        if others.iter().any(|other| other.is_same(file)) {
            return Err(Error::question(format!("{}: two outputs want to be this file", file.path().display()))
                .hint("give --stats another name"));
        }
        Ok(())
    }

    /// Writes what the run took, when all else is written.
    pub fn commit(self, outcome: &Outcome) -> Result<()> {
        let Some(mut file) = self.file else { return Ok(()) };
        let path = file.path().to_owned();
        let bytes = document(&statistics(outcome, &self.limits, self.start.elapsed()))?;
        file.write_all(&bytes).map_err(|error| Error::io(&path, &error))?;
        file.commit()
    }
}

/// What is known of a file that was read.
pub fn file_facts(file: &FileFacts) -> Value {
    let roles: Map<String, Value> = file.roles.iter().map(|(role, column)| (role.clone(), json!(column))).collect();
    json!({ "file": shown(&file.path), "bytes": file.bytes, "format": file.format, "roles": roles })
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}

fn statistics(outcome: &Outcome, limits: &Limits, total: Duration) -> Value {
    let Timings { open, read, fold, finish } = outcome.timings;
    // All that is not one of the others: rendering, writing, and waiting for the disk.
    let write = total.saturating_sub(open + read + fold + finish);
    let bytes: u64 = outcome.files.iter().map(|file| file.bytes).sum();
    let per_second = |amount: u64| (!total.is_zero()).then(|| (amount as f64 / total.as_secs_f64()).round());
    json!({
        "schema": "clickpath.stats/1",
        "version": env!("CARGO_PKG_VERSION"),
        "seconds": {
            "open": seconds(open), "read": seconds(read), "fold": seconds(fold), "finish": seconds(finish),
            "write": seconds(write), "total": seconds(total),
        },
        "bytes": bytes,
        "events": outcome.account.events_read(),
        "bytes_per_s": per_second(bytes),
        "events_per_s": per_second(outcome.account.events_read()),
        "threads": limits.threads,
        "memory": { "limit": limits.memory, "peak": outcome.peak_memory },
        "partitions": outcome.partitions,
        "visitors": outcome.visitors,
        "questions": outcome.answers.iter().map(|answer| answer.name.as_str()).collect::<Vec<_>>(),
        "files": outcome.files.iter().map(file_facts).collect::<Vec<_>>(),
        "account": outcome.totals(),
    })
}

/// To the microsecond: more is noise.
fn seconds(duration: Duration) -> f64 {
    duration.as_micros() as f64 / 1e6
}
