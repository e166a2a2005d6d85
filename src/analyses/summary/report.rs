//! What a summary answers.

use serde_json::Value;

use super::{Known, SummaryCounts};
use crate::analyses::common::Bounce;
use crate::durations::Summary;
use crate::error::Result;
use crate::rates::rate;
use crate::reports::{Cell, Report, Table};

/// The key figures of a log or of a segment of it. A figure whose events do not occur in the log is `None`.
#[derive(Clone, Debug, PartialEq)]
pub struct SummaryReport {
    /// Distinct visitors.
    pub visitors: u64,
    /// Sessions of all visitors.
    pub sessions: u64,
    /// Events that are page views.
    pub page_views: u64,
    /// Events of any kind.
    pub events: u64,
    /// Of the sessions, as a fraction, like all rates.
    pub bounce_rate: Option<f64>,
    /// Page views ÷ sessions.
    pub pages_per_session: Option<f64>,
    /// Durations of the sessions in seconds; the percentile is the 90th.
    pub duration: Option<Summary>,
    /// Sessions with a goal ÷ sessions, as a fraction.
    pub session_conversion_rate: Option<f64>,
    /// Visitors with a goal in any session ÷ visitors, as a fraction.
    pub visitor_conversion_rate: Option<f64>,
    /// Of the sessions with a checkout.
    pub checkout_abandonment_rate: Option<f64>,
    /// Clicks by impression: may exceed 1.
    pub click_through_rate: Option<f64>,
    /// Of the page views.
    pub scroll_rate: Option<f64>,
}

impl SummaryReport {
    pub(super) fn new(counts: SummaryCounts, known: Known, bounce: Bounce) -> Result<Self> {
        let (sessions, views) = (counts.sessions, counts.tally.page_views);
        let bounces_known = known.page_views || bounce == Bounce::SingleEvent;
        Ok(SummaryReport {
            visitors: counts.visitors,
            sessions,
            page_views: views,
            events: counts.events,
            bounce_rate: known_rate(bounces_known, counts.bounces, sessions),
            pages_per_session: known_rate(known.page_views, views, sessions),
            duration: counts.durations.summary(90)?,
            session_conversion_rate: known_rate(known.goals, counts.converting_sessions, sessions),
            visitor_conversion_rate: known_rate(known.goals, counts.converting_visitors, counts.visitors),
            checkout_abandonment_rate: known_rate(known.checkouts, counts.abandoned_checkouts, counts.checkouts),
            click_through_rate: known_rate(known.clicks, counts.tally.clicks, counts.tally.impressions),
            scroll_rate: known_rate(known.scrolls, counts.tally.scrolled, views),
        })
    }

    fn totals(&self) -> [Field; 6] {
        [
            ("visitors", Cell::Count(self.visitors)),
            ("sessions", Cell::Count(self.sessions)),
            ("page_views", Cell::Count(self.page_views)),
            ("events", Cell::Count(self.events)),
            ("bounce_rate", Cell::rate(self.bounce_rate)),
            ("pages_per_session", self.pages_per_session.map_or(Cell::Null, Cell::Number)),
        ]
    }

    /// They stand together under `duration_s`.
    fn durations(&self) -> [Field; 3] {
        let seconds = |of: fn(Summary) -> f64| self.duration.map_or(Cell::Null, |summary| Cell::Seconds(of(summary)));
        [
            ("mean", seconds(|summary| summary.mean)),
            ("median", seconds(|summary| summary.median)),
            ("p90", seconds(|summary| summary.percentile)),
        ]
    }

    fn rates(&self) -> [Field; 5] {
        [
            ("session_conversion_rate", self.session_conversion_rate),
            ("visitor_conversion_rate", self.visitor_conversion_rate),
            ("checkout_abandonment_rate", self.checkout_abandonment_rate),
            ("click_through_rate", self.click_through_rate),
            ("scroll_rate", self.scroll_rate),
        ]
        .map(|(key, rate)| (key, Cell::rate(rate)))
    }
}

/// A key and its value.
type Field = (&'static str, Cell);

impl Report for SummaryReport {
    fn title(&self) -> String {
        "Key figures".to_owned()
    }

    fn tables(&self) -> Vec<Table> {
        let durations = self.durations().into_iter().map(|(key, cell)| (format!("duration_{key}_s"), cell));
        let (columns, row) = named(self.totals()).chain(durations).chain(named(self.rates())).unzip();
        vec![Table { name: "summary", columns, rows: vec![row] }]
    }

    fn json(&self) -> Value {
        let durations = ("duration_s".to_owned(), values(self.durations()).collect());
        Value::Object(values(self.totals()).chain([durations]).chain(values(self.rates())).collect())
    }
}

fn named(fields: impl IntoIterator<Item = Field>) -> impl Iterator<Item = (String, Cell)> {
    fields.into_iter().map(|(key, cell)| (key.to_owned(), cell))
}

fn values(fields: impl IntoIterator<Item = Field>) -> impl Iterator<Item = (String, Value)> {
    fields.into_iter().map(|(key, cell)| (key.to_owned(), cell.json()))
}

/// A rate whose events occur in the log.
fn known_rate(known: bool, part: u64, whole: u64) -> Option<f64> {
    rate(part, whole).filter(|_| known)
}
