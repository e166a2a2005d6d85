//! What a funnel answers with.

use serde_json::{Value, json};

use super::between::{BetweenRow, Met};
use super::compare::Comparison;
use super::drivers::DriverReport;
use super::histogram::Bin;
use super::trend::TrendRow;
use crate::analyses::next::Next;
use crate::durations::Summary;
use crate::rates;
use crate::reports::{Cell, Report, Table};

/// The answer to a funnel.
pub struct FunnelReport {
    /// One line that says what was asked.
    pub title: String,
    /// Journeys of the grain: visitors or sessions.
    pub journeys: u64,
    /// Journeys without an attempt: `journeys` less those that enter the first step.
    pub never_entered: u64,
    /// Entries less than one window before the end of the log; `None` if the window is no duration.
    pub open_entries: Option<u64>,
    /// One for each step, in their order; without an order, one for each number of steps.
    pub steps: Vec<StepRow>,
    /// For each step the journeys that have an event of it, if the steps have no order; else empty.
    pub having: Vec<(String, u64)>,
    /// The events of the visitor that was asked for, and the steps that they fill.
    pub explained: Option<Table>,
    /// The events between the steps: by pair of steps, then those of who went on first, then by count. `None` unless it was asked for.
    pub between: Option<Vec<BetweenRow>>,
    /// How long those who did all steps took from the first to the last; empty if nobody did, or if there is one step alone.
    pub histogram: Vec<Bin>,
    /// Those who entered by period of the entry, in the order of time. `None` unless it was asked for.
    pub trend: Option<Vec<TrendRow>>,
    /// The rates of both sides of each comparison; `None` if there are no comparisons.
    pub comparison: Option<Comparison>,
    /// What goes with getting to the last step. `None` unless it was asked for.
    pub drivers: Option<DriverReport>,
}

/// One step of the answer.
pub struct StepRow {
    /// The step as written.
    pub step: String,
    /// Journeys that get to this step.
    pub entered: u64,
    /// Entered of those that entered the first step, as a fraction; `None` if nobody did.
    pub of_first: Option<f64>,
    /// Entered of those that entered the step before (the first step: itself), as a fraction; `None` if nobody did.
    pub of_previous: Option<f64>,
    /// Entered of all journeys, as a fraction; `None` if there are none.
    pub of_all: Option<f64>,
    /// Wilson 95 % interval of `of_all`.
    pub interval: Option<[f64; 2]>,
    /// Entered, but did not go on to the next step that cannot be left out; 0 at the last one. `None` for a step that may be left out.
    pub dropped: Option<u64>,
    /// In an open funnel: entered, and came from the step before; the others entered here.
    pub continued: Option<u64>,
    /// Seconds from the step before; the percentile is the 90th. `None` at the first step and if nobody entered.
    pub from_previous: Option<Summary>,
    /// Seconds from the first step; the percentile is the 90th. `None` at the first step and if nobody entered.
    pub from_first: Option<Summary>,
    /// Sum of the values of the step's events, in millionths; `None` if none of them carries one.
    pub value: Option<i128>,
    /// What those did next who came no further, by count; the last may be the rest. `None` unless it was asked for.
    pub dropped_next: Option<Vec<Next>>,
}

impl Report for FunnelReport {
    fn title(&self) -> String {
        self.title.clone()
    }

    /// The last step ÷ the first.
    fn rate(&self) -> Option<f64> {
        self.steps.last()?.of_first
    }

    fn aside(&self) -> &'static [&'static str] {
        &["histogram"]
    }

    fn tables(&self) -> Vec<Table> {
        let mut tables = vec![self.steps_table()];
        if self.steps.len() > 1 {
            tables.push(self.histogram_table());
        }
        tables.extend(self.explained.clone());
        if !self.having.is_empty() {
            let columns = ["step", "journeys"].map(str::to_owned).to_vec();
            let row = |(step, count): &(String, u64)| vec![Cell::Text(step.clone()), Cell::Count(*count)];
            tables.push(Table { name: "held", columns, rows: self.having.iter().map(row).collect() });
        }
        tables.extend(self.dropped_next_table());
        tables.extend(self.trend_table());
        tables.extend(self.comparison.as_ref().map(Comparison::table));
        tables.extend(self.drivers.as_ref().map(DriverReport::table));
        tables.extend(self.between_table());
        tables
    }

    fn json(&self) -> Value {
        let times = |times: Option<Summary>| {
            times.map_or(Value::Null, |times| {
                json!({
                    "mean": Cell::Seconds(times.mean).json(),
                    "median": Cell::Seconds(times.median).json(),
                    "p90": Cell::Seconds(times.percentile).json(),
                })
            })
        };
        let rate = |rate| Cell::rate(rate).json();
        let step = |step: &StepRow| {
            let mut row = json!({
                "step": step.step,
                "entered": step.entered,
                "of_first": rate(step.of_first),
                "of_previous": rate(step.of_previous),
                "of_all": rate(step.of_all),
                "interval": step.interval.map(|interval| interval.map(|end| Cell::Rate(end).json())),
                "dropped": step.dropped,
                "time_from_previous_s": times(step.from_previous),
                "time_from_first_s": times(step.from_first),
                "value": step.value.map_or(Value::Null, |value| Cell::Money(value).json()),
            });
            if let Some(continued) = step.continued {
                row["continued"] = json!(continued);
                row["entered_here"] = json!(step.entered - continued);
            }
            if let Some(next) = &step.dropped_next {
                row["dropped_next"] = json!(next);
            }
            row
        };
        let bin = |bin: &Bin| json!({ "from_s": seconds(bin.from_s).json(), "to_s": seconds(bin.to_s).json(), "count": bin.count });
        let mut report = json!({
            "steps": self.steps.iter().map(step).collect::<Vec<_>>(),
            "journeys": self.journeys,
            "never_entered": self.never_entered,
            "open_entries": self.open_entries,
            "histogram": self.histogram.iter().map(bin).collect::<Vec<_>>(),
        });
        if let Some(trend) = &self.trend {
            let row = |row: &TrendRow| json!({ "period": row.period, "entered": row.steps[0], "steps": row.steps });
            report["trend"] = trend.iter().map(row).collect();
        }
        if let Some(comparison) = &self.comparison {
            report["comparison"] = comparison.json();
            report["comparison_tests"] = json!(comparison.tests);
        }
        if let Some(drivers) = &self.drivers {
            report["drivers"] = drivers.json();
            report["driver_tests"] = json!(drivers.tests);
            report["drivers_too_rare"] = json!(drivers.too_rare);
        }
        if let Some(table) = self.between_table() {
            report["between"] = table.json();
        }
        if let Some(table) = &self.explained {
            report["explain"] = table.json();
        }
        if !self.having.is_empty() {
            let held = |(step, count): &(String, u64)| json!({ "step": step, "journeys": count });
            report["held"] = self.having.iter().map(held).collect();
        }
        report
    }
}

impl FunnelReport {
    fn steps_table(&self) -> Table {
        const COLUMNS: [&str; 10] = [
            "step",
            "entered",
            "of_first",
            "of_previous",
            "of_all",
            "dropped",
            "from_previous_median_s",
            "from_first_median_s",
            "from_previous_mean_s",
            "value",
        ];
        let rate = Cell::rate;
        let seconds =
            |times: Option<Summary>, of: fn(Summary) -> f64| times.map_or(Cell::Null, |times| Cell::Seconds(of(times)));
        let row = |step: &StepRow| {
            vec![
                Cell::Text(step.step.clone()),
                Cell::Count(step.entered),
                rate(step.of_first),
                rate(step.of_previous),
                rate(step.of_all),
                step.dropped.map_or(Cell::Null, Cell::Count),
                seconds(step.from_previous, |times| times.median),
                seconds(step.from_first, |times| times.median),
                seconds(step.from_previous, |times| times.mean),
                step.value.map_or(Cell::Null, Cell::Money),
            ]
        };
        let mut table = Table {
            name: "steps",
            columns: COLUMNS.map(str::to_owned).to_vec(),
            rows: self.steps.iter().map(row).collect(),
        };
        if self.steps.iter().any(|step| step.continued.is_some()) {
            table.columns.extend(["continued", "entered_here"].map(str::to_owned));
            for (row, step) in table.rows.iter_mut().zip(&self.steps) {
                let continued = step.continued.unwrap_or(0);
                row.extend([Cell::Count(continued), Cell::Count(step.entered - continued)]);
            }
        }
        table
    }

    fn histogram_table(&self) -> Table {
        let columns = ["from_s", "to_s", "count"].map(str::to_owned).to_vec();
        let row = |bin: &Bin| vec![seconds(bin.from_s), seconds(bin.to_s), Cell::Count(bin.count)];
        Table { name: "histogram", columns, rows: self.histogram.iter().map(row).collect() }
    }

    /// Nothing unless it was asked for.
    fn dropped_next_table(&self) -> Option<Table> {
        let cells = |step: &StepRow, next: &Next| {
            vec![Cell::Text(step.step.clone()), Cell::Text(next.node.clone()), Cell::Count(next.count)]
        };
        let mut rows = Vec::new();
        for step in &self.steps {
            rows.extend(step.dropped_next.as_ref()?.iter().map(|next| cells(step, next)));
        }
        let columns = ["step", "node", "count"].map(str::to_owned).to_vec();
        Some(Table { name: "dropped_next", columns, rows })
    }

    /// Nothing unless it was asked for.
    fn between_table(&self) -> Option<Table> {
        const COLUMNS: [&str; 8] = ["from", "to", "outcome", "event", "visitors", "attempts", "share", "count"];
        let row = |row: &BetweenRow| {
            let step = |at: usize| Cell::Text(self.steps[at].step.clone());
            let met = |of: fn(&Met) -> Cell| row.met.as_ref().map_or(Cell::Null, of);
            vec![
                step(row.from),
                step(row.to),
                Cell::Text(row.way.name().to_owned()),
                Cell::Text(row.event.clone()),
                met(|met| Cell::Count(met.visitors)),
                met(|met| Cell::Count(met.attempts)),
                met(|met| Cell::rate(met.share)),
                Cell::Count(row.count),
            ]
        };
        let rows = self.between.as_ref()?.iter().map(row).collect();
        Some(Table { name: "between", columns: COLUMNS.map(str::to_owned).to_vec(), rows })
    }

    /// Nothing unless it was asked for.
    fn trend_table(&self) -> Option<Table> {
        let mut rows = Vec::new();
        for TrendRow { period, steps } in self.trend.as_ref()? {
            rows.extend(self.steps.iter().zip(steps).map(|(step, &entered)| {
                let of_first = Cell::rate(rates::rate(entered, steps[0]));
                vec![Cell::Text(period.clone()), Cell::Text(step.step.clone()), Cell::Count(entered), of_first]
            }));
        }
        let columns = ["period", "step", "entered", "of_first"].map(str::to_owned).to_vec();
        Some(Table { name: "trend", columns, rows })
    }
}

/// An edge of a bin. They are below 2⁵³.
fn seconds(seconds: u64) -> Cell {
    Cell::Seconds(seconds as f64)
}
