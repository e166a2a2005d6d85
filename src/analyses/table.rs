//! Journeys as a table of Arrow columns, one row each: what SQL chooses journeys by, and what row questions write.

use std::sync::Arc;

use arrow_array::builder::{ListBuilder, StringBuilder, TimestampMicrosecondBuilder};
use arrow_array::{
    ArrayRef, BooleanArray, Float64Array, StringArray, TimestampMicrosecondArray, UInt32Array, UInt64Array,
};
use arrow_schema::{DataType, Field, Schema, SchemaRef, TimeUnit};

use super::Common;
use super::facts::{By, Fact, Facts, Lender, Tally};
use crate::error::Result;
use crate::ids::{Code, MISSING};
use crate::journeys::{Journey, Names, Needs, Shows, View, Visitor};

/// One journey of a visitor; `number` is that of the session, from 0.
#[derive(Clone, Copy)]
pub struct Row<'a> {
    pub visitor: Visitor<'a>,
    pub number: u32,
    pub journey: Journey<'a>,
}

/// A column of a table of journeys.
#[derive(Clone, Debug)]
enum Column {
    Visitor,
    Start,
    End,
    Duration,
    Events,
    PageViews,
    Bounce,
    /// A fact with few values, or a column of the log.
    By(By),
    /// The nodes of the journey, as the view of the question shows them.
    Path,
    /// The times of these nodes.
    Times,
}

/// The columns that every journey has; all other names are those of [`Fact`]s or of columns of the log.
const OWN: [(&str, Column); 9] = [
    ("visitor", Column::Visitor),
    ("start", Column::Start),
    ("end", Column::End),
    ("duration_s", Column::Duration),
    ("events", Column::Events),
    ("page_views", Column::PageViews),
    ("bounce", Column::Bounce),
    ("path", Column::Path),
    ("times", Column::Times),
];

fn own(name: &str) -> Option<Column> {
    OWN.iter().find(|(known, _)| *known == name).map(|(_, column)| column.clone())
}

/// What must be read for the columns of these names.
pub fn needs(names: &[String]) -> Needs {
    let others: Vec<String> = names.iter().filter(|name| own(name).is_none()).cloned().collect();
    let mut needs = By::needs(&others);
    if names.iter().any(|name| name == "page_views" || name == "bounce") {
        (needs.scan.event, needs.scan.page) = (true, true);
    }
    needs.ids = names.iter().any(|name| name == "visitor");
    needs
}

/// Refuses columns that only sessions have.
pub fn refuse_session_facts(names: &[String]) -> Result<()> {
    let others: Vec<String> = names.iter().filter(|name| own(name).is_none()).cloned().collect();
    By::refuse_session_facts(&others)
}

/// Chosen columns, bound to the names of a run.
pub struct JourneyTable {
    names: Vec<String>,
    columns: Vec<Column>,
    facts: Facts,
    /// How the nodes of a path are found, where there is a path.
    view: Option<View>,
}

impl JourneyTable {
    pub fn new(columns: &[String], common: &Common, view: Option<View>, names: &Names) -> Result<JourneyTable> {
        let bound = columns.iter().map(|name| match own(name) {
            Some(column) => Ok(column),
            None => By::new(name, names).map(Column::By),
        });
        Ok(JourneyTable {
            columns: bound.collect::<Result<_>>()?,
            names: columns.to_vec(),
            facts: Facts::new(&common.conventions, names),
            view,
        })
    }

    pub fn schema(&self) -> SchemaRef {
        // Only what may be unknown may be null.
        let fields = self.names.iter().zip(&self.columns).map(|(name, column)| match column {
            Column::By(by) => field_of_values(name, by),
            known => Field::new(name, known.data_type(), false),
        });
        Arc::new(Schema::new(fields.collect::<Vec<_>>()))
    }

    /// The columns of some rows.
    pub fn arrays(&self, rows: &[Row<'_>], names: &Names) -> Vec<ArrayRef> {
        let counted = self.columns.iter().any(|column| matches!(column, Column::PageViews | Column::Bounce));
        let tallies: Vec<Tally> =
            if counted { rows.iter().map(|row| self.facts.tally(row.journey)).collect() } else { Vec::new() };
        let paths = self.paths(rows);
        self.columns.iter().map(|column| self.array(column, rows, &tallies, &paths, names)).collect()
    }

    /// The path of each row: its nodes and their times.
    fn paths(&self, rows: &[Row<'_>]) -> Vec<Vec<(Code, i64)>> {
        let Some(view) = &self.view else { return Vec::new() };
        let mut room = Shows::default();
        let mut path = |row: &Row<'_>| {
            let (shown, times) = (view.look(row.journey, &mut room), row.journey.times());
            shown.nodes.iter().enumerate().map(|(number, &node)| (node, times[shown.event(number)])).collect()
        };
        rows.iter().map(&mut path).collect()
    }

    fn array(
        &self,
        column: &Column,
        rows: &[Row<'_>],
        tallies: &[Tally],
        paths: &[Vec<(Code, i64)>],
        names: &Names,
    ) -> ArrayRef {
        let journeys = || rows.iter().map(|row| row.journey);
        match column {
            Column::Visitor => Arc::new(StringArray::from_iter_values(rows.iter().map(|row| row.visitor.id()))),
            Column::Start => Arc::new(times(journeys().map(|journey| journey.start_time()))),
            Column::End => Arc::new(times(journeys().map(|journey| journey.end_time()))),
            Column::Duration => {
                let seconds = |journey: Journey<'_>| (journey.end_time() - journey.start_time()) as f64 / 1e6;
                Arc::new(Float64Array::from_iter_values(journeys().map(seconds)))
            }
            Column::Events => Arc::new(UInt64Array::from_iter_values(journeys().map(|journey| journey.len() as u64))),
            Column::PageViews => Arc::new(UInt64Array::from_iter_values(tallies.iter().map(|tally| tally.page_views))),
            Column::Bounce => {
                let bounces = journeys().zip(tallies).map(|(journey, tally)| self.facts.bounces(journey, *tally));
                Arc::new(bounces.map(Some).collect::<BooleanArray>())
            }
            Column::By(by) => {
                values(by, rows.iter().map(|row| by.code(&self.facts, row.number, row.journey, |_| true)), names)
            }
            Column::Path => self.path(paths, names),
            Column::Times => {
                let zone = TimestampMicrosecondBuilder::new().with_timezone(UTC);
                let mut lists = ListBuilder::new(zone).with_field(item(timestamp()));
                for path in paths {
                    lists.append_value(path.iter().map(|(_, time)| Some(*time)));
                }
                Arc::new(lists.finish())
            }
        }
    }

    fn path(&self, paths: &[Vec<(Code, i64)>], names: &Names) -> ArrayRef {
        let mut lists = ListBuilder::new(StringBuilder::new()).with_field(item(DataType::Utf8));
        if let Some(view) = &self.view {
            let names = names.node_names(view.nodes);
            for path in paths {
                lists.append_value(path.iter().map(|(node, _)| Some(names.name(*node))));
            }
        }
        Arc::new(lists.finish())
    }
}

/// A column of the values of a breakdown, by their codes.
pub fn values(by: &By, codes: impl Iterator<Item = Code>, names: &Names) -> ArrayRef {
    if is_number(by) {
        return Arc::new(UInt32Array::from_iter_values(codes));
    }
    // Codes of pages and of the log's own values are 0 where there is none; those of other facts are always values.
    let optional = !matches!(by.lender, Lender::Fact(fact) if !fact.of_pages());
    let mut last: Option<(Code, String)> = None;
    let mut texts = StringBuilder::new();
    for code in codes {
        if optional && code == MISSING {
            texts.append_null();
            continue;
        }
        // Neighbours mostly share a value.
        if last.as_ref().is_none_or(|(known, _)| *known != code) {
            last = Some((code, by.value(code, names).1));
        }
        texts.append_option(last.as_ref().map(|(_, text)| text));
    }
    Arc::new(texts.finish())
}

/// The field of such a column.
pub fn field_of_values(name: &str, by: &By) -> Field {
    Field::new(name, if is_number(by) { DataType::UInt32 } else { DataType::Utf8 }, true)
}

/// Whether the values of a fact are numbers to SQL and to readers.
fn is_number(by: &By) -> bool {
    matches!(by.lender, Lender::Fact(Fact::SessionNumber | Fact::Hour))
}

/// The zone of times.
pub const UTC: &str = "UTC";

/// The type of times.
pub fn timestamp() -> DataType {
    DataType::Timestamp(TimeUnit::Microsecond, Some(UTC.into()))
}

/// A column of times, some of which may be missing.
pub fn times<T: Into<Option<i64>>>(micros: impl Iterator<Item = T>) -> TimestampMicrosecondArray {
    micros.map(Into::into).collect::<TimestampMicrosecondArray>().with_timezone(UTC)
}

/// The field of the elements of a list.
pub fn item(data_type: DataType) -> Field {
    Field::new("item", data_type, false)
}

impl Column {
    fn data_type(&self) -> DataType {
        match self {
            Column::Visitor => DataType::Utf8,
            Column::Start | Column::End => timestamp(),
            Column::Duration => DataType::Float64,
            Column::Events | Column::PageViews => DataType::UInt64,
            Column::Bounce => DataType::Boolean,
            Column::By(by) => field_of_values("", by).data_type().clone(),
            Column::Path => DataType::List(Arc::new(item(DataType::Utf8))),
            Column::Times => DataType::List(Arc::new(item(timestamp()))),
        }
    }
}
