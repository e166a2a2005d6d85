//! Cuts a visitor's events into sessions.

mod cutter;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

use crate::events::Columns;
pub use cutter::Cutter;
use cutter::Open;

/// When a new session starts. Any active rule splits.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SessionRule {
    /// The longest gap inside a session, in µs.
    pub timeout: Option<i64>,
    /// Whether a gap of exactly the timeout splits.
    pub edge: TimeoutEdge,
    /// The longest time from a session's first event to its last, in µs.
    pub max_duration: Option<i64>,
    /// The most events of a session.
    pub max_events: Option<u32>,
    /// Whether a session ends with the local date.
    pub split_at_midnight: bool,
    /// Whether a new campaign splits.
    pub split_on_campaign: CampaignRule,
    /// Names of the events that start a session.
    pub split_on: Vec<String>,
    /// Whether the log's own session id makes the sessions; the rules above then split them further.
    pub own: bool,
    /// The timeout among events without an own session id, in µs.
    pub fallback: i64,
}

/// Whether a gap of exactly the timeout starts a new session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum TimeoutEdge {
    /// Only a longer gap does.
    #[default]
    Exceeds,
    /// A gap of exactly the timeout does too.
    Reaches,
}

impl TimeoutEdge {
    #[inline]
    fn splits(self, gap: i64, timeout: i64) -> bool {
        match self {
            TimeoutEdge::Exceeds => gap > timeout,
            TimeoutEdge::Reaches => gap >= timeout,
        }
    }
}

/// Whether another source, medium or campaign starts a new session. An event without any of them, a direct visit, changes nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, clap::ValueEnum)]
#[serde(into = "WrittenCampaignRule", from = "WrittenCampaignRule")]
pub enum CampaignRule {
    /// None does.
    #[default]
    #[value(name = "false")]
    Never,
    /// Any does that is not the one that the visitor had last.
    #[value(name = "true")]
    Always,
    /// The same, but a session that had none so far takes it on.
    NotFromDirect,
}

/// The rule in a job file and among the rules of an answer: `true`, `false` or a name.
#[derive(Serialize, Deserialize)]
#[serde(untagged, expecting = "split_on_campaign must be true, false or \"not_from_direct\"")]
enum WrittenCampaignRule {
    Splits(bool),
    Named(NamedCampaignRule),
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum NamedCampaignRule {
    NotFromDirect,
}

impl From<CampaignRule> for WrittenCampaignRule {
    fn from(rule: CampaignRule) -> Self {
        match rule {
            CampaignRule::Never => WrittenCampaignRule::Splits(false),
            CampaignRule::Always => WrittenCampaignRule::Splits(true),
            CampaignRule::NotFromDirect => WrittenCampaignRule::Named(NamedCampaignRule::NotFromDirect),
        }
    }
}

impl From<WrittenCampaignRule> for CampaignRule {
    fn from(written: WrittenCampaignRule) -> Self {
        match written {
            WrittenCampaignRule::Splits(false) => CampaignRule::Never,
            WrittenCampaignRule::Splits(true) => CampaignRule::Always,
            WrittenCampaignRule::Named(NamedCampaignRule::NotFromDirect) => CampaignRule::NotFromDirect,
        }
    }
}

impl SessionRule {
    /// The timeout, if no other rule splits.
    fn only_timeout(&self) -> Option<i64> {
        let others = self.max_duration.is_some()
            || self.max_events.is_some()
            || self.split_at_midnight
            || self.split_on_campaign != CampaignRule::Never
            || !self.split_on.is_empty();
        self.timeout.filter(|_| !others)
    }
}

/// The sessions of one rule: for each visitor the places where they begin, and where the last one ends.
#[derive(Debug, Default)]
pub struct Cuts {
    /// For each visitor the first of its entries in `bounds`; one more at the end.
    pub first: Vec<u32>,
    /// For each visitor the begin of each session and the end of the last: one entry more than sessions.
    pub bounds: Vec<u32>,
}

impl Cuts {
    /// Cuts all visitors, whose events lie between neighbouring `offsets` in time order.
    ///
    /// Where own session ids interleave, a copy of the visitor's events in the order of its sessions is appended to `columns`, so
    /// that every session is one contiguous range.
    pub fn cut(&mut self, cutter: &mut Cutter<'_>, offsets: &[u32], columns: &mut Columns) {
        self.first.clear();
        self.bounds.clear();
        self.first.push(0);
        let (rule, mut labels) = (cutter.rule(), Labels::default());
        for visitor in offsets.windows(2) {
            let (start, end) = (visitor[0] as usize, visitor[1] as usize);
            match rule.only_timeout() {
                _ if rule.own => self.cut_own(cutter, start, end, columns, &mut labels),
                Some(timeout) => self.cut_by_timeout(rule.edge, timeout, start, &columns.time[start..end]),
                None => self.cut_by_rules(cutter, start, end, columns),
            }
            self.first.push(self.bounds.len() as u32);
        }
    }

    fn cut_by_timeout(&mut self, edge: TimeoutEdge, timeout: i64, start: usize, times: &[i64]) {
        self.bounds.push(start as u32);
        let starts = times.windows(2).enumerate().filter(|(_, pair)| edge.splits(pair[1] - pair[0], timeout));
        self.bounds.extend(starts.map(|(at, _)| (start + at + 1) as u32));
        self.bounds.push((start + times.len()) as u32);
    }

    fn cut_by_rules(&mut self, cutter: &mut Cutter<'_>, start: usize, end: usize, columns: &Columns) {
        self.bounds.push(start as u32);
        let timeout = cutter.rule().timeout;
        let mut open = Open::first(&cutter.seen(columns, start));
        for at in start + 1..end {
            let seen = cutter.seen(columns, at);
            if cutter.splits(&open, &seen, timeout) {
                self.bounds.push(at as u32);
                open = open.next(&seen);
            } else {
                open.take(&seen);
            }
        }
        self.bounds.push(end as u32);
    }

    fn cut_own(
        &mut self,
        cutter: &mut Cutter<'_>,
        start: usize,
        end: usize,
        columns: &mut Columns,
        labels: &mut Labels,
    ) {
        labels.label(cutter, start, end, columns);
        let base = if labels.of_event.is_sorted() {
            start
        } else {
            let mut order: Vec<u32> = (start as u32..end as u32).collect();
            order.sort_by_key(|&at| labels.of_event[at as usize - start]);
            columns.append(&order);
            labels.of_event.sort_unstable();
            columns.len() - order.len()
        };
        self.bounds.push(base as u32);
        let changes = labels.of_event.windows(2).enumerate().filter(|(_, pair)| pair[0] != pair[1]);
        self.bounds.extend(changes.map(|(at, _)| (base + at + 1) as u32));
        self.bounds.push((base + end - start) as u32);
    }
}

/// The number of each event's session, sessions numbered by their first event.
#[derive(Default)]
struct Labels {
    of_event: Vec<u32>,
    /// For each own id of the visitor its session as it stands, and the number of that.
    open: hashbrown::HashMap<u64, (Open, u32), foldhash::fast::RandomState>,
}

impl Labels {
    /// Each id is cut as if its events were all: what happens in another tab splits nothing.
    fn label(&mut self, cutter: &mut Cutter<'_>, start: usize, end: usize, columns: &Columns) {
        self.of_event.clear();
        self.open.clear();
        let rule = cutter.rule();
        let mut count = 0;
        let mut number = || {
            count += 1;
            count
        };
        for at in start..end {
            let (id, seen) = (columns.session[at], cutter.seen(columns, at));
            let timeout = if id == 0 { rule.timeout.or(Some(rule.fallback)) } else { rule.timeout };
            let (open, label) = match self.open.get(&id).copied() {
                None => (Open::first(&seen), number()),
                Some((open, _)) if cutter.splits(&open, &seen, timeout) => (open.next(&seen), number()),
                Some((mut open, label)) => {
                    open.take(&seen);
                    (open, label)
                }
            };
            self.of_event.push(label);
            self.open.insert(id, (open, label));
        }
    }
}
