//! What the question about paths answers with.

use std::borrow::Cow;

use serde::Serialize;
use serde_json::{Value, json};

use crate::analyses::Grain;
use crate::durations::Summary;
use crate::rates::{rate, wilson};
use crate::reports::{Cell as Shown, Report, Table};

/// The most frequent paths and where journeys are by position. `journeys` = the counts of `paths` and of `hidden` + `empty`, and with a
/// pattern those in which it does not occur.
pub struct PathsReport {
    /// What makes a journey.
    pub grain: Grain,
    /// By count, then by the names of their nodes.
    pub paths: Vec<PathRow>,
    /// All journeys.
    pub journeys: u64,
    /// Journeys without a node, which have no path; not counted with a pattern, which needs one.
    pub empty: u64,
    /// What is said of the pattern; nothing if there is none.
    pub matches: Option<MatchReport>,
    /// The paths that are not among `paths`.
    pub hidden: Hidden,
    /// Nothing if it was not asked for.
    pub matrix: Option<Vec<Column>>,
}

/// In how many journeys a pattern occurs.
pub struct MatchReport {
    /// As it was written.
    pub pattern: String,
    /// Journeys in which it occurs.
    pub journeys: u64,
    /// Distinct visitors of these.
    pub visitors: u64,
    /// How often it occurs in all, each behind the end of the one before.
    pub occurrences: u64,
    /// Seconds from the first node of a journey's first occurrence to its last; the percentile is the 90th.
    pub time: Option<Summary>,
}

/// A path that is shown.
pub struct PathRow {
    /// The names of its nodes.
    pub path: Vec<String>,
    /// Journeys that take it.
    pub count: u64,
    /// Distinct visitors of these.
    pub visitors: u64,
}

/// The paths that are not shown, and how many journeys take them.
#[derive(Clone, Copy, Default, Serialize)]
pub struct Hidden {
    /// How many different paths.
    pub paths: u64,
    /// Journeys that take one of them.
    pub count: u64,
}

/// One position of the matrix. The counts of its cells add up to `journeys`.
pub struct Column {
    /// From 1, or from a node at 0.
    pub position: i64,
    /// Those that take part in the matrix.
    pub journeys: u64,
    /// By count, then by name; those outside of their journey last.
    pub cells: Vec<Cell>,
}

/// The journeys that are at one node, `(start)` or `(end)`.
pub struct Cell {
    /// Its name, or `(start)` or `(end)` outside of the journey.
    pub node: String,
    /// Journeys that are there.
    pub count: u64,
}

impl PathsReport {
    /// The cells of the matrix with their positions and their shares of the journeys in it.
    fn cells(&self) -> impl Iterator<Item = (i64, &Cell, Option<f64>)> {
        let columns = self.matrix.iter().flatten();
        columns.flat_map(|column| {
            column.cells.iter().map(|cell| (column.position, cell, rate(cell.count, column.journeys)))
        })
    }
}

impl Report for PathsReport {
    fn title(&self) -> String {
        let PathsReport { journeys, empty, hidden, .. } = self;
        let (shown, all) = (self.paths.len(), self.paths.len() as u64 + hidden.paths);
        let which = if hidden.paths > 0 { format!("the {shown} most frequent of {all}") } else { format!("all {all}") };
        let title = format!("Paths: {which} in {journeys} {}", self.grain.journeys());
        if let Some(MatchReport { pattern, journeys, .. }) = &self.matches {
            return format!("{title}; {journeys} have {pattern}");
        }
        if *empty > 0 { format!("{title}; {empty} of these have no node") } else { title }
    }

    fn tables(&self) -> Vec<Table> {
        const PATHS: [&str; 4] = ["path", "count", "share", "visitors"];
        const MATRIX: [&str; 4] = ["position", "node", "count", "share"];
        let path = |row: &PathRow| {
            let (count, share) = (Shown::Count(row.count), Shown::rate(rate(row.count, self.journeys)));
            vec![Shown::Text(joined(&row.path)), count, share, Shown::Count(row.visitors)]
        };
        let cell = |(position, cell, share): (i64, &Cell, Option<f64>)| {
            let name = Shown::Text(cell.node.clone());
            vec![Shown::Integer(position), name, Shown::Count(cell.count), Shown::rate(share)]
        };
        let table = |name, columns: [&str; 4], rows| Table { name, columns: columns.map(str::to_owned).to_vec(), rows };
        let paths = table("paths", PATHS, self.paths.iter().map(path).collect());
        let matrix = self.matrix.as_ref().map(|_| table("matrix", MATRIX, self.cells().map(cell).collect()));
        let matches = self.matches.as_ref().map(|matches| matches.table(self.journeys));
        [paths].into_iter().chain(matches).chain(matrix).collect()
    }

    fn json(&self) -> Value {
        let path = |row: &PathRow| {
            let PathRow { path, count, visitors } = row;
            json!({ "path": path, "count": count, "share": rate(*count, self.journeys), "visitors": visitors })
        };
        let cell = |(position, Cell { node, count }, share): (i64, &Cell, Option<f64>)| json!({ "position": position, "node": node, "count": count, "share": share });
        let mut report = json!({
            "paths": self.paths.iter().map(path).collect::<Vec<_>>(),
            "total": self.journeys,
            "empty": self.empty,
            "hidden": self.hidden,
            "matrix": self.cells().map(cell).collect::<Vec<_>>(),
        });
        if let Some(matches) = &self.matches {
            report["pattern"] = matches.json(self.journeys);
        }
        report
    }
}

impl MatchReport {
    fn table(&self, all: u64) -> Table {
        const COLUMNS: [&str; 10] =
            ["pattern", "journeys", "of_all", "low", "high", "visitors", "occurrences", "mean_s", "median_s", "p90_s"];
        let [low, high] = wilson(self.journeys, all).map_or([None; 2], |interval| interval.map(Some));
        let time = |of: fn(Summary) -> f64| self.time.map_or(Shown::Null, |time| Shown::Seconds(of(time)));
        let row = vec![
            Shown::Text(self.pattern.clone()),
            Shown::Count(self.journeys),
            Shown::rate(rate(self.journeys, all)),
            Shown::rate(low),
            Shown::rate(high),
            Shown::Count(self.visitors),
            Shown::Count(self.occurrences),
            time(|time| time.mean),
            time(|time| time.median),
            time(|time| time.percentile),
        ];
        Table { name: "pattern", columns: COLUMNS.map(str::to_owned).to_vec(), rows: vec![row] }
    }

    fn json(&self, all: u64) -> Value {
        let seconds = |time: Summary| json!({ "mean": time.mean, "median": time.median, "p90": time.percentile });
        json!({
            "pattern": self.pattern,
            "journeys": self.journeys,
            "of_all": rate(self.journeys, all),
            "interval": wilson(self.journeys, all),
            "visitors": self.visitors,
            "occurrences": self.occurrences,
            "time_s": self.time.map(seconds),
        })
    }
}

/// The names with ` > ` between them. A name that would leave open where it ends is quoted, so that no two paths read alike.
pub(super) fn joined(path: &[String]) -> String {
    path.iter().map(|name| quoted(name)).collect::<Vec<_>>().join(" > ")
}

fn quoted(name: &str) -> Cow<'_, str> {
    if name.contains(['>', '"']) || name.is_empty() || name.trim() != name {
        return Cow::Owned(format!("\"{}\"", name.replace('\\', "\\\\").replace('"', "\\\"")));
    }
    Cow::Borrowed(name)
}
