//! Cuts a visitor's events into sessions.

use serde::{Deserialize, Serialize};

use crate::events::Columns;

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

/// The session as it stands while it is being cut.
#[derive(Clone, Copy)]
struct Open {
    label: u32,
    start: i64,
    last: i64,
    events: u32,
}

impl SessionRule {
    /// Whether an event at `time` starts a new session after `open`, `timeout` being in force.
    #[inline]
    fn splits(&self, open: &Open, time: i64, timeout: Option<i64>) -> bool {
        timeout.is_some_and(|timeout| self.edge.splits(time - open.last, timeout))
            || self.max_duration.is_some_and(|longest| time - open.start > longest)
            || self.max_events.is_some_and(|most| open.events >= most)
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
    pub fn cut(&mut self, rule: &SessionRule, offsets: &[u32], columns: &mut Columns) {
        self.first.clear();
        self.bounds.clear();
        self.first.push(0);
        let mut labels = Labels::default();
        for visitor in offsets.windows(2) {
            let (start, end) = (visitor[0] as usize, visitor[1] as usize);
            if rule.own {
                self.cut_own(rule, start, end, columns, &mut labels);
            } else {
                self.cut_by_time(rule, start, &columns.time[start..end]);
            }
            self.first.push(self.bounds.len() as u32);
        }
    }

    fn cut_by_time(&mut self, rule: &SessionRule, start: usize, times: &[i64]) {
        self.bounds.push(start as u32);
        let plain = rule.max_duration.is_none() && rule.max_events.is_none();
        match rule.timeout.filter(|_| plain) {
            Some(timeout) => {
                let starts =
                    times.windows(2).enumerate().filter(|(_, pair)| rule.edge.splits(pair[1] - pair[0], timeout));
                self.bounds.extend(starts.map(|(at, _)| (start + at + 1) as u32));
            }
            None => {
                let mut open = Open { label: 0, start: times[0], last: times[0], events: 1 };
                for (at, &time) in times.iter().enumerate().skip(1) {
                    if rule.splits(&open, time, rule.timeout) {
                        self.bounds.push((start + at) as u32);
                        open = Open { start: time, events: 0, ..open };
                    }
                    open = Open { last: time, events: open.events + 1, ..open };
                }
            }
        }
        self.bounds.push((start + times.len()) as u32);
    }

    fn cut_own(&mut self, rule: &SessionRule, start: usize, end: usize, columns: &mut Columns, labels: &mut Labels) {
        labels.label(rule, &columns.time[start..end], &columns.session[start..end]);
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
    open: hashbrown::HashMap<u64, Open, foldhash::fast::RandomState>,
}

impl Labels {
    fn label(&mut self, rule: &SessionRule, times: &[i64], ids: &[u64]) {
        self.of_event.clear();
        self.open.clear();
        let mut next = 0;
        for (&time, &id) in times.iter().zip(ids) {
            let timeout = if id == 0 { rule.timeout.or(Some(rule.fallback)) } else { rule.timeout };
            let known = self.open.get(&id).copied().filter(|open| !rule.splits(open, time, timeout));
            let mut open = known.unwrap_or_else(|| {
                next += 1;
                Open { label: next, start: time, last: time, events: 0 }
            });
            open.last = time;
            open.events += 1;
            self.of_event.push(open.label);
            self.open.insert(id, open);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULE: SessionRule = SessionRule {
        timeout: Some(30),
        edge: TimeoutEdge::Exceeds,
        max_duration: None,
        max_events: None,
        own: false,
        fallback: 30,
    };

    /// The times of each session of one visitor.
    fn cut(rule: &SessionRule, times: &[i64], ids: &[u64]) -> Vec<Vec<i64>> {
        let mut columns = Columns { time: times.to_vec(), session: ids.to_vec(), ..Columns::default() };
        let mut cuts = Cuts::default();
        cuts.cut(rule, &[0, times.len() as u32], &mut columns);
        assert_eq!(cuts.first, [0, cuts.bounds.len() as u32]);
        assert_eq!(columns.time[..times.len()], *times, "the visitor's own order stays");
        cuts.bounds.windows(2).map(|b| columns.time[b[0] as usize..b[1] as usize].to_vec()).collect()
    }

    #[test]
    fn a_gap_must_exceed_or_reach_the_timeout() {
        assert_eq!(cut(&RULE, &[0, 30, 61], &[]), [vec![0, 30], vec![61]]);
        let reaches = SessionRule { edge: TimeoutEdge::Reaches, ..RULE };
        assert_eq!(cut(&reaches, &[0, 30, 59], &[]), [vec![0], vec![30, 59]]);
        assert_eq!(cut(&RULE, &[5], &[]), [vec![5]]);
    }

    #[test]
    fn timeout_zero_keeps_one_instant_together() {
        let zero = SessionRule { timeout: Some(0), ..RULE };
        assert_eq!(cut(&zero, &[1, 1, 2], &[]), [vec![1, 1], vec![2]]);
    }

    #[test]
    fn length_and_number_of_events_split_too() {
        let long = SessionRule { max_duration: Some(40), ..RULE };
        assert_eq!(cut(&long, &[0, 20, 40, 60, 80], &[]), [vec![0, 20, 40], vec![60, 80]]);
        let two = SessionRule { max_events: Some(2), ..RULE };
        assert_eq!(cut(&two, &[0, 1, 2, 3, 4], &[]), [vec![0, 1], vec![2, 3], vec![4]]);
    }

    #[test]
    fn own_sessions_may_interleave_and_need_no_timeout() {
        let own = SessionRule { own: true, timeout: None, ..RULE };
        assert_eq!(cut(&own, &[0, 500, 501], &[7, 7, 8]), [vec![0, 500], vec![501]]);
        assert_eq!(cut(&own, &[0, 1, 2, 3], &[7, 8, 7, 9]), [vec![0, 2], vec![1], vec![3]]);
        let split = SessionRule { own: true, ..RULE };
        assert_eq!(cut(&split, &[0, 1, 50], &[7, 8, 7]), [vec![0], vec![1], vec![50]]);
    }

    #[test]
    fn events_without_an_id_fall_back_to_the_timeout_among_themselves() {
        let own = SessionRule { own: true, timeout: None, ..RULE };
        assert_eq!(cut(&own, &[0, 10, 20, 60], &[0, 7, 0, 0]), [vec![0, 20], vec![10], vec![60]]);
    }
}
