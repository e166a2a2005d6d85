//! What gaps answer.

use std::cmp::Reverse;

use foldhash::fast::RandomState;
use hashbrown::HashMap;
use serde_json::{Value, json};

use super::{BoundGaps, CrossingCounts, GapsCounts, ValueCounts};
use crate::analyses::Grain;
use crate::dictionary::Dictionary;
use crate::durations::Summary;
use crate::error::Result;
use crate::ids::Code;
use crate::rates::{rate, wilson};
use crate::reports::drawing::{Drawing, DrawnLink, DrawnNode, NodeKind};
use crate::reports::{Cell, Report, Table};

/// The crossings between values and the values themselves, most lost first.
#[derive(Clone, Debug, PartialEq)]
pub struct GapsReport {
    /// The column.
    pub of: String,
    /// What makes a journey.
    pub grain: Grain,
    /// All journeys, those without a value included.
    pub journeys: u64,
    /// Journeys no event of which has a value: they have no stretch.
    pub without_value: u64,
    /// Journeys with at least one crossing.
    pub crossing_journeys: u64,
    /// Every crossing that occurs, by `lost`, then by the names of its two values.
    pub crossings: Vec<CrossingRow>,
    /// Every value that occurs, by `lost`, then by name.
    pub values: Vec<ValueRow>,
}

/// From one value to another.
#[derive(Clone, Debug, PartialEq)]
pub struct CrossingRow {
    /// The value of the stretch that is left.
    pub from: String,
    /// The value of the one that follows.
    pub to: String,
    /// How often the one follows the other.
    pub crossings: u64,
    /// Distinct visitors who cross here.
    pub visitors: u64,
    /// Crossings ÷ all stretches of `from`.
    pub share: Option<f64>,
    /// Seconds from the last event of the one to the first of the other; the percentile is the 95th.
    pub time: Option<Summary>,
    /// Crossings with the goal behind them in their journey.
    pub reached: u64,
    /// Crossings that are the last of a journey in which the goal occurs nowhere.
    pub lost: u64,
}

/// A value of the column.
#[derive(Clone, Debug, PartialEq)]
pub struct ValueRow {
    /// The value itself.
    pub name: String,
    /// Longest runs of events with it.
    pub stretches: u64,
    /// Distinct visitors who have one.
    pub visitors: u64,
    /// Stretches with the goal in them.
    pub with_goal: u64,
    /// Stretches that end their journey. All others cross.
    pub ended: u64,
    /// Those of them in whose journeys the goal occurs nowhere. In all others it was reached.
    pub lost: u64,
    /// Those of the lost ones that had come from another value.
    pub lost_after_crossing: u64,
}

impl GapsReport {
    pub(super) fn new(question: &BoundGaps, counts: GapsCounts, names: &Dictionary) -> Result<GapsReport> {
        let GapsCounts { journeys, without_value, crossing, values: by_value, crossings: by_pair, .. } = counts;
        let name = |code: u64| names.name(code as Code).to_owned();
        // By code of the value that is left; codes have no gaps.
        let mut stretches = vec![0; names.len()];
        let mut values = Vec::new();
        by_value.drain(|code, counts| {
            stretches[code as usize] = counts.stretches;
            values.push(ValueRow::new(name(code), &counts));
        })?;
        values.sort_unstable_by(|a: &ValueRow, b| (Reverse(a.lost), &a.name).cmp(&(Reverse(b.lost), &b.name)));

        let mut crossings = Vec::new();
        by_pair.drain(|pair, counts| {
            let (from, to) = (pair / question.values, pair % question.values);
            crossings.push(CrossingRow::new([name(from), name(to)], counts, stretches[from as usize]));
        })?;
        crossings.sort_unstable_by(|a: &CrossingRow, b| a.key().cmp(&b.key()));
        let (of, grain) = (question.of.clone(), question.grain);
        Ok(GapsReport { of, grain, journeys, without_value, crossing_journeys: crossing, crossings, values })
    }
}

impl CrossingRow {
    fn new([from, to]: [String; 2], counts: CrossingCounts, stretches: u64) -> CrossingRow {
        let CrossingCounts { crossings, visitors, reached, lost, times, .. } = counts;
        let (share, time) = (rate(crossings, stretches), times.summary(95));
        CrossingRow { from, to, crossings, visitors, share, time, reached, lost }
    }

    fn key(&self) -> (Reverse<u64>, &str, &str) {
        (Reverse(self.lost), &self.from, &self.to)
    }

    /// Of the crossings those with the goal behind them, as a fraction.
    pub fn rate(&self) -> Option<f64> {
        rate(self.reached, self.crossings)
    }

    /// The Wilson 95 % interval of [`rate`](Self::rate), low and high end as fractions.
    pub fn interval(&self) -> Option<[f64; 2]> {
        wilson(self.reached, self.crossings)
    }

    fn cells(&self) -> Vec<Cell> {
        let names = [&self.from, &self.to].map(|name| Cell::Text(name.clone()));
        let counts = [Cell::Count(self.crossings), Cell::Count(self.visitors), Cell::rate(self.share)];
        let time = self.time.map_or([const { Cell::Null }; 4], |time| {
            let exact = Cell::Text(if time.exact { "yes" } else { "no" }.to_owned());
            [Cell::Seconds(time.mean), Cell::Seconds(time.median), Cell::Seconds(time.percentile), exact]
        });
        let [low, high] = self.interval().map_or([Cell::Null, Cell::Null], |interval| interval.map(Cell::Rate));
        let goal = [Cell::Count(self.reached), Cell::rate(self.rate()), low, high, Cell::Count(self.lost)];
        names.into_iter().chain(counts).chain(time).chain(goal).collect()
    }

    fn json(&self) -> Value {
        let seconds = |time: Summary| {
            let Summary { mean, median, percentile, exact } = time;
            json!({ "mean": mean, "median": median, "p95": percentile, "exact": exact })
        };
        json!({
            "from": self.from,
            "to": self.to,
            "crossings": self.crossings,
            "visitors": self.visitors,
            "share": self.share,
            "time_s": self.time.map(seconds),
            "reached": self.reached,
            "rate": self.rate(),
            "interval": self.interval(),
            "lost": self.lost,
        })
    }
}

impl ValueRow {
    fn new(name: String, counts: &ValueCounts) -> ValueRow {
        let &ValueCounts { stretches, visitors, with_goal, ended, lost, lost_after_crossing, .. } = counts;
        ValueRow { name, stretches, visitors, with_goal, ended, lost, lost_after_crossing }
    }

    /// Stretches that another one follows.
    pub fn crossed(&self) -> u64 {
        self.stretches - self.ended
    }

    /// Stretches that end a journey with the goal in it, here or before.
    pub fn reached(&self) -> u64 {
        self.ended - self.lost
    }

    fn cells(&self) -> Vec<Cell> {
        let counts = [self.stretches, self.visitors, self.with_goal, self.crossed(), self.ended, self.reached()];
        let lost = [Cell::Count(self.lost), Cell::rate(rate(self.lost, self.stretches))];
        let name = [Cell::Text(self.name.clone())];
        let after = [Cell::Count(self.lost_after_crossing)];
        name.into_iter().chain(counts.map(Cell::Count)).chain(lost).chain(after).collect()
    }

    fn json(&self) -> Value {
        json!({
            "name": self.name,
            "stretches": self.stretches,
            "visitors": self.visitors,
            "with_goal": self.with_goal,
            "crossed": self.crossed(),
            "ended": self.ended,
            "reached": self.reached(),
            "lost": self.lost,
            "lost_share": rate(self.lost, self.stretches),
            "lost_after_crossing": self.lost_after_crossing,
        })
    }
}

impl Report for GapsReport {
    fn title(&self) -> String {
        let title = format!("Gaps of {}: crossings of {}, most lost first", self.of, self.grain.journeys());
        match self.without_value {
            0 => title,
            without => format!("{title}; {without} without a value"),
        }
    }

    fn tables(&self) -> Vec<Table> {
        const CROSSINGS: [&str; 14] = [
            "from",
            "to",
            "crossings",
            "visitors",
            "share",
            "mean_s",
            "median_s",
            "p95_s",
            "exact",
            "reached",
            "rate",
            "rate_low",
            "rate_high",
            "lost",
        ];
        const VALUES: [&str; 10] = [
            "name",
            "stretches",
            "visitors",
            "with_goal",
            "crossed",
            "ended",
            "reached",
            "lost",
            "lost_share",
            "lost_after_crossing",
        ];
        let crossings = self.crossings.iter().map(CrossingRow::cells).collect();
        let values = self.values.iter().map(ValueRow::cells).collect();
        vec![
            Table { name: "crossings", columns: CROSSINGS.map(str::to_owned).to_vec(), rows: crossings },
            Table { name: "values", columns: VALUES.map(str::to_owned).to_vec(), rows: values },
        ]
    }

    /// The values, the crossings between them, and one end for all that is lost.
    fn drawing(&self) -> Option<Drawing> {
        let (end, first) = (0, 1);
        let lost = DrawnNode {
            kind: NodeKind::End,
            name: "lost".to_owned(),
            count: self.values.iter().map(|row| row.lost).sum(),
            facts: Vec::new(),
            column: None,
        };
        let node = |row: &ValueRow| DrawnNode {
            kind: NodeKind::Node,
            name: row.name.clone(),
            count: row.stretches,
            facts: vec![("reached", row.reached())],
            column: None,
        };
        let places: HashMap<&str, usize, RandomState> =
            self.values.iter().zip(first..).map(|(row, place)| (row.name.as_str(), place)).collect();
        // A value of a crossing is one of the values: so each is found.
        let between = |row: &CrossingRow| {
            let [from, to] = [&row.from, &row.to].map(|name| places.get(name.as_str()).copied());
            Some(DrawnLink { from: from?, to: to?, count: row.crossings, share: row.share })
        };
        let exits = self.values.iter().zip(first..).filter(|(row, _)| row.lost > 0);
        let exits = exits.map(|(row, from)| {
            let share = rate(row.lost, row.stretches);
            DrawnLink { from, to: end, count: row.lost, share }
        });
        let links = self.crossings.iter().filter_map(between).chain(exits).collect();
        let nodes = [lost].into_iter().chain(self.values.iter().map(node)).collect();
        Some(Drawing { title: Report::title(self), nodes, links, loose: 0 }.without_loose_nodes())
    }

    fn json(&self) -> Value {
        let crossings: Vec<Value> = self.crossings.iter().map(CrossingRow::json).collect();
        let values: Vec<Value> = self.values.iter().map(ValueRow::json).collect();
        json!({
            "journeys": self.journeys,
            "without_value": self.without_value,
            "crossing_journeys": self.crossing_journeys,
            "crossings": crossings,
            "values": values,
        })
    }
}
