//! What is said of drivers.

use std::cmp::Ordering;

use serde_json::{Value, json};

use crate::contrast::Contrast;
use crate::reports::{Cell, Table};

/// The drivers of a report.
#[derive(Clone, Debug, Default)]
pub struct DriverReport {
    /// The best.
    pub rows: Vec<Driver>,
    /// How many candidates were tested in the whole answer, all segments together.
    pub tests: u64,
    /// How many candidates have too few journeys with or without them.
    pub too_rare: u64,
}

/// Something that goes with converting or with not converting.
#[derive(Clone, Debug)]
pub struct Driver {
    /// An `event`, or a value of a `dimension`.
    pub kind: &'static str,
    /// The node of the event, or the dimension.
    pub name: String,
    /// The value of the dimension.
    pub value: Option<String>,
    /// Converted of those without it, and of those with it.
    pub contrast: Contrast,
    /// What is left of the p value when all tests of the answer belong together.
    pub p_corrected: Option<f64>,
}

impl Driver {
    /// The surest effect first: by the end of the interval that is nearer to no effect; then by the p value and by name.
    pub fn rank(&self, other: &Driver) -> Ordering {
        let strength = |row: &Driver| row.contrast.odds_ratio().map_or(f64::NEG_INFINITY, |odds| odds.strength);
        let p = |row: &Driver| row.contrast.p().unwrap_or(1.0);
        let name = |row: &Driver| (row.kind, row.name.clone(), row.value.clone());
        strength(other)
            .total_cmp(&strength(self))
            .then_with(|| p(self).total_cmp(&p(other)))
            .then_with(|| name(self).cmp(&name(other)))
    }
}

impl DriverReport {
    /// A row for each driver.
    pub fn table(&self) -> Table {
        const COLUMNS: [&str; 13] = [
            "kind",
            "name",
            "value",
            "with",
            "with_converted",
            "without",
            "without_converted",
            "odds_ratio",
            "low",
            "high",
            "p",
            "p_corrected",
            "tests",
        ];
        let row = |row: &Driver| {
            let Contrast { a: without, b: with } = row.contrast;
            let odds = row.contrast.odds_ratio();
            let number = |number: Option<f64>| number.map_or(Cell::Null, Cell::Number);
            vec![
                Cell::Text(row.kind.to_owned()),
                Cell::Text(row.name.clone()),
                row.value.clone().map_or(Cell::Null, Cell::Text),
                Cell::Count(with.whole),
                Cell::Count(with.part),
                Cell::Count(without.whole),
                Cell::Count(without.part),
                number(odds.map(|odds| odds.ratio)),
                number(odds.map(|odds| odds.interval[0])),
                number(odds.map(|odds| odds.interval[1])),
                Cell::rate(row.contrast.p()),
                Cell::rate(row.p_corrected),
                Cell::Count(self.tests),
            ]
        };
        let rows = self.rows.iter().map(row).collect();
        Table { name: "drivers", columns: COLUMNS.map(str::to_owned).to_vec(), rows }
    }

    /// The same as JSON.
    pub fn json(&self) -> Value {
        let row = |row: &Driver| {
            let Contrast { a: without, b: with } = row.contrast;
            let odds = row.contrast.odds_ratio();
            json!({
                "kind": row.kind,
                "name": row.name,
                "value": row.value,
                "with": with.whole,
                "with_converted": with.part,
                "without": without.whole,
                "without_converted": without.part,
                "odds_ratio": odds.map(|odds| odds.ratio),
                "interval": odds.map(|odds| odds.interval),
                "p": row.contrast.p(),
                "p_corrected": row.p_corrected,
            })
        };
        self.rows.iter().map(row).collect()
    }
}
