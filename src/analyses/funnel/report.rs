//! What a funnel answers with.

use serde_json::{Value, json};

use crate::durations::Summary;
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
    /// One for each step, in their order.
    pub steps: Vec<StepRow>,
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
    /// Entered, but not the next step; 0 at the last one.
    pub dropped: u64,
    /// Seconds from the step before; the percentile is the 90th. `None` at the first step and if nobody entered.
    pub from_previous: Option<Summary>,
    /// Seconds from the first step; the percentile is the 90th. `None` at the first step and if nobody entered.
    pub from_first: Option<Summary>,
    /// Sum of the values of the step's events, in millionths; `None` if none of them carries one.
    pub value: Option<i128>,
}

impl Report for FunnelReport {
    fn title(&self) -> String {
        self.title.clone()
    }

    /// The last step ÷ the first.
    fn rate(&self) -> Option<f64> {
        self.steps.last()?.of_first
    }

    fn tables(&self) -> Vec<Table> {
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
                Cell::Count(step.dropped),
                seconds(step.from_previous, |times| times.median),
                seconds(step.from_first, |times| times.median),
                seconds(step.from_previous, |times| times.mean),
                step.value.map_or(Cell::Null, Cell::Money),
            ]
        };
        let columns = COLUMNS.map(str::to_owned).to_vec();
        vec![Table { name: "steps", columns, rows: self.steps.iter().map(row).collect() }]
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
            json!({
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
            })
        };
        json!({
            "steps": self.steps.iter().map(step).collect::<Vec<_>>(),
            "journeys": self.journeys,
            "never_entered": self.never_entered,
            "open_entries": self.open_entries,
        })
    }
}
