//! What a summary answers.

use serde_json::Value;

use super::{Known, SummaryCounts};
use crate::analyses::common::Bounce;
use crate::durations::{ExactDurations, Summary};
use crate::rates::rate;
use crate::reports::{Cell, Report, Table};

/// A key and its value.
type Field = (&'static str, Cell);

/// The key figures of a log or of a segment of it.
pub struct SummaryReport {
    totals: [Field; 6],
    /// Of the sessions: they stand together under `duration_s`.
    durations: [Field; 3],
    rates: [Field; 5],
}

impl SummaryReport {
    pub(super) fn new(counts: SummaryCounts, known: Known, bounce: Bounce) -> Self {
        let (sessions, views) = (counts.sessions, counts.tally.page_views);
        let bounces_known = known.page_views || bounce == Bounce::SingleEvent;
        SummaryReport {
            totals: [
                ("visitors", Cell::Count(counts.visitors)),
                ("sessions", Cell::Count(sessions)),
                ("page_views", Cell::Count(views)),
                ("events", Cell::Count(counts.events)),
                ("bounce_rate", known_rate(bounces_known, counts.bounces, sessions)),
                ("pages_per_session", pages_per_session(known.page_views, views, sessions)),
            ],
            rates: [
                ("session_conversion_rate", known_rate(known.goals, counts.converting_sessions, sessions)),
                ("visitor_conversion_rate", known_rate(known.goals, counts.converting_visitors, counts.visitors)),
                (
                    "checkout_abandonment_rate",
                    known_rate(known.checkouts, counts.abandoned_checkouts, counts.checkouts),
                ),
                ("click_through_rate", known_rate(known.clicks, counts.tally.clicks, counts.tally.impressions)),
                ("scroll_rate", known_rate(known.scrolls, counts.tally.scrolled, views)),
            ],
            durations: durations(counts.durations),
        }
    }
}

impl Report for SummaryReport {
    fn title(&self) -> String {
        "Key figures".to_owned()
    }

    fn tables(&self) -> Vec<Table> {
        let durations = self.durations.iter().map(|(key, cell)| (format!("duration_{key}_s"), cell.clone()));
        let (columns, row) = named(&self.totals).chain(durations).chain(named(&self.rates)).unzip();
        vec![Table { name: "summary", columns, rows: vec![row] }]
    }

    fn json(&self) -> Value {
        let durations = ("duration_s".to_owned(), object(named(&self.durations)));
        let values = |fields| named(fields).map(|(key, cell)| (key, cell.json()));
        Value::Object(values(&self.totals).chain([durations]).chain(values(&self.rates)).collect())
    }
}

fn named(fields: &[Field]) -> impl Iterator<Item = (String, Cell)> {
    fields.iter().map(|(key, cell)| ((*key).to_owned(), cell.clone()))
}

fn object(fields: impl Iterator<Item = (String, Cell)>) -> Value {
    Value::Object(fields.map(|(key, cell)| (key, cell.json())).collect())
}

/// A rate whose events occur in the log, or null.
fn known_rate(known: bool, part: u64, whole: u64) -> Cell {
    Cell::rate(rate(part, whole).filter(|_| known))
}

fn pages_per_session(known: bool, page_views: u64, sessions: u64) -> Cell {
    rate(page_views, sessions).filter(|_| known).map_or(Cell::Null, Cell::Number)
}

/// Mean, median and 90th percentile of the sessions' durations.
fn durations(durations: ExactDurations) -> [Field; 3] {
    let summary = durations.summary(90);
    let seconds = |of: fn(Summary) -> f64| summary.map_or(Cell::Null, |summary| Cell::Seconds(of(summary)));
    [
        ("mean", seconds(|summary| summary.mean)),
        ("median", seconds(|summary| summary.median)),
        ("p90", seconds(|summary| summary.percentile)),
    ]
}
