//! Each system by its published rules, in a file of its own, and what holds for all presets.

mod clickhouse;
mod plausible;

use super::*;
use crate::analyses::{CommonSpec, KINDS};
use crate::testing::{Event, ask};

/// A question as in the table of a job.
fn asked(kind: &str, table: &str) -> Result<Box<dyn Question>> {
    let kind = KINDS.iter().find(|known| known.name == kind).unwrap();
    let mut table: Table = table.parse().unwrap();
    let common = CommonSpec::default().take_from(&mut table)?.resolve_for(kind.name, false)?;
    (kind.from_table)(table, common)
}

/// How many come to each step of a funnel, `view > cart` and more keys of a job behind it.
fn entered(like: &str, steps: &str, more: &str, log: &[Event]) -> Vec<u64> {
    let question = asked("funnel", &format!("like = '{like}'\nsteps = '{steps}'\n{more}")).unwrap();
    let (report, _) = ask(&*question, log);
    report["steps"].as_array().unwrap().iter().map(|step| step["entered"].as_u64().unwrap()).collect()
}

/// How far one visitor comes.
fn depth(like: &str, steps: &str, more: &str, events: &str) -> u64 {
    entered(like, steps, more, &crate::testing::visitor("v", events)).iter().sum()
}
