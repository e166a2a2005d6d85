//! Questions that answer with rows, one for each journey: `sessions` and `journeys`.
//!
//! The rows are written partition by partition and never held together: visitors in the order of their stable hashes, so that the
//! same log gives the same rows in the same order whatever the threads.

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::select::{Chosen, ROWS, Selection};
use super::table::{self, JourneyTable, Row};
use super::{Analysis, Bound, Common, Grain, Notes, PathScope, Question, Rows, Spec};
use crate::error::{Error, Result};
use crate::journeys::{Journeys, Names, Needs, Unit, Visitor};
use crate::reports::{Report, Table};

/// The question `sessions`, as written: it has no options of its own.
#[derive(Clone, Debug, Default, clap::Args, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[command(next_help_heading = "Question")]
pub struct SessionsSpec {}

/// The question `journeys`, as written: it has no options of its own.
#[derive(Clone, Debug, Default, clap::Args, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[command(next_help_heading = "Question")]
pub struct JourneysSpec {}

/// The facts of each session.
const SESSION_COLUMNS: [&str; 10] = [
    "visitor",
    "session_number",
    "new_or_returning",
    "start",
    "end",
    "duration_s",
    "events",
    "page_views",
    "entry_page",
    "exit_page",
];

impl Spec for SessionsSpec {
    type Report = RowsReport;

    const NAME: &'static str = "sessions";
    const ABOUT: &'static str = "One row for each session: when, how long, entry and exit page, bounce";
    const EXAMPLES: &'static str = "\
clickpath sessions sample-data/shop.csv.gz -o sessions.parquet
clickpath sessions sample-data/shop.csv.gz --by platform --by weekday -o sessions.csv
clickpath sessions sample-data/shop.csv.gz --format jsonl";
    const IN_REPORT: bool = false;
    const ROWS: bool = true;
    /// `[sessions]` of a job file is the table of rules; `[[journeys]]` asks for rows there.
    const IN_JOBS: bool = false;

    fn resolve(self, common: Common) -> Result<Box<dyn Question>> {
        if common.grain == Some(Grain::Visitor) {
            return Err(Error::question("sessions has a row for each session, not for each visitor")
                .hint("leave --grain out, or ask for journeys --grain visitor"));
        }
        let columns = [&SESSION_COLUMNS[..], &["bounce"]].concat();
        Ok(Box::new(JourneyRows::new("clickpath.sessions/1", &columns, PathScope::new(common))))
    }
}

impl Spec for JourneysSpec {
    type Report = RowsReport;

    const NAME: &'static str = "journeys";
    const ABOUT: &'static str = "One row for each journey: its path and the times of its nodes";
    const EXAMPLES: &'static str = "\
clickpath journeys sample-data/shop.csv.gz -o journeys.parquet
clickpath journeys sample-data/shop.csv.gz --grain visitor --repeats keep -o journeys.jsonl";
    const IN_REPORT: bool = false;
    const ROWS: bool = true;

    fn resolve(self, common: Common) -> Result<Box<dyn Question>> {
        let scope = PathScope::new(common);
        let session = (scope.grain == Grain::Session).then_some("session_number");
        let columns: Vec<&str> =
            ["visitor"].into_iter().chain(session).chain(["start", "end", "duration_s", "events"]).collect();
        let mut rows = JourneyRows::new("clickpath.journeys/1", &columns, scope);
        rows.columns.extend(["path", "times"].map(str::to_owned));
        Ok(Box::new(rows))
    }
}

/// A question that answers with rows, as meant.
struct JourneyRows {
    schema: &'static str,
    /// The columns that it writes, the breakdowns of the question among them.
    columns: Vec<String>,
    scope: PathScope,
}

impl JourneyRows {
    fn new(schema: &'static str, columns: &[&str], scope: PathScope) -> JourneyRows {
        let mut columns: Vec<String> = columns.iter().map(|&column| column.to_owned()).collect();
        let more = scope.common.by.iter().filter(|by| !columns.contains(by)).cloned().collect::<Vec<_>>();
        columns.extend(more);
        JourneyRows { schema, columns, scope }
    }

    fn has_paths(&self) -> bool {
        self.columns.iter().any(|column| column == "path")
    }
}

impl Question for JourneyRows {
    fn schema(&self) -> &'static str {
        self.schema
    }

    fn rules(&self) -> Map<String, Value> {
        let Common { conventions, .. } = &self.scope.common;
        let mut rules = Map::from_iter([("grain".to_owned(), json!(self.scope.grain))]);
        if self.has_paths() {
            rules = self.scope.rules();
            rules.remove("by");
        } else {
            rules.extend(self.scope.common.session_rules());
            rules.insert("page_view".into(), json!(conventions.page_views));
            rules.insert("passive".into(), json!(conventions.passive));
            rules.insert("bounce".into(), json!(conventions.bounce));
            rules.extend(self.scope.common.choice_rules());
        }
        rules
    }

    fn needs(&self) -> Needs {
        let mut needs = table::needs(&self.columns);
        if self.has_paths() {
            needs.add(self.scope.needs());
        } else {
            needs.add(self.scope.common.scope_needs());
            needs.add(self.scope.common.session_needs());
        }
        needs.only = self.scope.common.scope_needs().only;
        needs
    }

    fn bind(&self, names: &Names, notes: &mut Notes) -> Result<Box<dyn Bound>> {
        let unit = self.scope.unit(names, notes)?;
        if unit == Unit::Visitor {
            table::refuse_session_facts(&self.columns)?;
        }
        let view = if self.has_paths() { Some(self.scope.view(names, notes)?) } else { None };
        let common = &self.scope.common;
        if view.is_none() {
            common.conventions.warn(names, notes);
        }
        Ok(Box::new(BoundRows {
            table: JourneyTable::new(&self.columns, common, view, names)?,
            selection: Selection::new(common, unit, names, notes)?,
            title: format!("Rows of {}", self.scope.grain.journeys()),
            unit,
        }))
    }
}

/// The question bound to the names of a run.
struct BoundRows {
    table: JourneyTable,
    selection: Option<Selection>,
    title: String,
    unit: Unit,
}

impl Rows for BoundRows {
    fn schema(&self) -> SchemaRef {
        self.table.schema()
    }

    fn write(
        &self,
        journeys: &Journeys,
        names: &Names,
        write: &mut dyn FnMut(RecordBatch) -> Result<()>,
    ) -> Result<()> {
        let chosen = self.selection.as_ref().map(|selection| selection.choose(journeys, names)).transpose()?;
        let schema = self.table.schema();
        let batch = |rows: &[Row<'_>]| {
            let batch = RecordBatch::try_new(schema.clone(), self.table.arrays(rows, names));
            batch.map_err(|error| Error::bug(format!("rows of journeys: {error}")))
        };
        write_rows(in_order(journeys, chosen.as_ref()), batch, write, |visitor, take| {
            visitor.numbered(self.unit).for_each(|(number, journey)| take(Row { visitor, number, journey }));
        })
    }
}

/// Writes the rows that `rows` makes of each visitor, some thousands at a time.
pub(super) fn write_rows<'a, R>(
    visitors: Vec<Visitor<'a>>,
    batch: impl Fn(&[R]) -> Result<RecordBatch>,
    write: &mut dyn FnMut(RecordBatch) -> Result<()>,
    mut rows: impl FnMut(Visitor<'a>, &mut dyn FnMut(R)),
) -> Result<()> {
    let mut held = Vec::with_capacity(ROWS);
    let mut flush = |held: &mut Vec<R>| {
        let batch = batch(held);
        held.clear();
        write(batch?)
    };
    for visitor in visitors {
        // A visitor may have any number of rows.
        let mut written = Ok(());
        rows(visitor, &mut |row| {
            held.push(row);
            if held.len() == ROWS && written.is_ok() {
                written = flush(&mut held);
            }
        });
        written?;
    }
    if held.is_empty() { Ok(()) } else { flush(&mut held) }
}

/// The visitors of a partition, or those of them that are chosen, in the order in which their rows are written.
pub(super) fn in_order<'a>(journeys: &'a Journeys, chosen: Option<&'a Chosen>) -> Vec<Visitor<'a>> {
    let mut visitors: Vec<Visitor<'_>> = match chosen {
        None => journeys.visitors().collect(),
        Some(chosen) => chosen.visitors(journeys).collect(),
    };
    let mut rank = vec![0; journeys.visitors().count()];
    for (place, number) in journeys.by_hash().into_iter().enumerate() {
        rank[number as usize] = place;
    }
    visitors.sort_unstable_by_key(|visitor| rank[visitor.number()]);
    visitors
}

impl Analysis for BoundRows {
    type Work = ();
    type Partial = u64;
    type Report = RowsReport;

    fn unit(&self) -> Unit {
        self.unit
    }

    fn select(&self, journeys: &Journeys, names: &Names) -> Result<Option<Chosen>> {
        self.selection.as_ref().map(|selection| selection.choose(journeys, names)).transpose()
    }

    fn rows(&self) -> Option<&dyn Rows> {
        Some(self)
    }

    fn empty(&self) -> u64 {
        0
    }

    fn observe(&self, _work: &mut (), count: &mut u64, visitor: Visitor<'_>) {
        *count += visitor.journeys(self.unit).count() as u64;
    }

    fn merge(&self, into: &mut u64, from: u64) {
        *into += from;
    }

    fn finish(&self, rows: u64, _names: &Names) -> Result<RowsReport> {
        let columns = self.table.schema().fields().iter().map(|field| field.name().clone()).collect();
        Ok(RowsReport { title: self.title.clone(), rows, columns })
    }

    fn bytes(&self, _count: &u64) -> usize {
        size_of::<u64>()
    }
}

/// How many rows were written. They themselves are elsewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowsReport {
    title: String,
    /// One for each journey.
    pub rows: u64,
    /// The names of the columns.
    pub columns: Vec<String>,
}

impl Report for RowsReport {
    fn title(&self) -> String {
        self.title.clone()
    }

    fn tables(&self) -> Vec<Table> {
        Vec::new()
    }

    fn json(&self) -> Value {
        json!({ "rows": self.rows, "columns": self.columns })
    }
}
