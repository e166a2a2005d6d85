//! In which journeys a pattern occurs, and a row for each occurrence.

use std::path::PathBuf;
use std::sync::Arc;

use arrow_array::builder::{ListBuilder, PrimitiveBuilder, StringBuilder, TimestampMicrosecondBuilder};
use arrow_array::types::UInt32Type;
use arrow_array::{ArrayRef, RecordBatch, StringArray, UInt32Array};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use serde_json::{Map, Value, json};

use super::PathsSpec;
use super::report::MatchReport;
use crate::analyses::pattern::{self, BoundPattern, Occurrences};
use crate::analyses::rows::{in_order, write_rows};
use crate::analyses::select::Selection;
use crate::analyses::step::{Pattern, parse_pattern};
use crate::analyses::table::{UTC, item, times, timestamp};
use crate::analyses::{Common, Notes, PathScope, Rows};
use crate::durations::ExactDurations;
use crate::error::{Error, Result};
use crate::ids::{Code, MISSING};
use crate::journeys::{Journey, Journeys, Names, Needs, NodeRule, Shown, Shows, Unit, View, Visitor};
use crate::reports::find_for_rows;
use crate::spill::Spill;

/// A pattern that paths are asked for.
pub(super) struct Matches {
    pattern: Pattern,
    which: Occurrences,
    /// The file of its occurrences.
    pub out: Option<PathBuf>,
}

impl Matches {
    /// What `spec` asks for. A flag that would do nothing is refused.
    pub fn new(spec: &PathsSpec, common: &Common) -> Result<Option<Matches>> {
        let refused = |flag: &str, wanted: &str| {
            Err(Error::question(format!("--{flag} says nothing without --{wanted}"))
                .hint(format!("add --{wanted}, or leave --{flag} out")))
        };
        match (&spec.pattern, &spec.matches_out, spec.occurrence) {
            (None, Some(_), _) => return refused("matches-out", "pattern"),
            (_, None, Some(_)) if spec.around.is_none() => return refused("occurrence", "matches-out"),
            (_, Some(file), _) => drop(find_for_rows(file).map_err(|error| error.within("--matches-out"))?),
            _ => {}
        }
        let Some(text) = &spec.pattern else { return Ok(None) };
        let pattern = parse_pattern(text, &common.steps).map_err(|error| error.within("--pattern"))?;
        Ok(Some(Matches { pattern, which: spec.occurrence.unwrap_or_default(), out: spec.matches_out.clone() }))
    }

    pub fn rules(&self) -> Map<String, Value> {
        let mut rules = Map::from_iter([("pattern".to_owned(), json!(self.pattern.to_string()))]);
        if self.out.is_some() {
            rules.insert("occurrence".into(), json!(self.which));
        }
        rules
    }

    pub fn needs(&self, nodes: &NodeRule) -> Needs {
        let mut needs = Needs { ids: self.out.is_some(), ..Needs::default() };
        self.pattern.needs(nodes, &mut needs);
        needs
    }
}

/// The same bound to the names of a run.
pub(super) struct BoundMatches {
    text: String,
    pattern: Arc<BoundPattern>,
    rows: Option<MatchRows>,
}

/// What is counted of a pattern.
#[derive(Clone, Debug, Default)]
pub(super) struct MatchCounts {
    journeys: u64,
    visitors: u64,
    occurrences: u64,
    times: ExactDurations,
    /// Whether the visitor at hand is counted.
    counted: bool,
}

impl MatchCounts {
    pub fn next_visitor(&mut self) {
        self.counted = false;
    }

    pub fn merge(&mut self, from: MatchCounts) {
        self.journeys += from.journeys;
        self.visitors += from.visitors;
        self.occurrences += from.occurrences;
        self.times.merge(from.times);
    }

    pub fn bytes(&self) -> usize {
        self.times.bytes()
    }

    pub fn relieve(&mut self, spill: &Arc<Spill>) -> Result<()> {
        self.times.relieve(spill)
    }
}

impl BoundMatches {
    pub fn new(matches: &Matches, scope: &PathScope, names: &Names, notes: &mut Notes) -> Result<BoundMatches> {
        let pattern = Arc::new(BoundPattern::new(&matches.pattern, &scope.common, names, notes)?);
        let rows =
            matches.out.is_some().then(|| MatchRows::new(Arc::clone(&pattern), matches.which, scope, names, notes));
        Ok(BoundMatches { text: matches.pattern.to_string(), pattern, rows: rows.transpose()? })
    }

    /// Counts a journey. Whether the pattern occurs in it.
    pub fn count(
        &self,
        journey: Journey<'_>,
        shown: Shown<'_>,
        work: &mut pattern::Work,
        counts: &mut MatchCounts,
    ) -> bool {
        let looked = self.pattern.look(journey, shown, work);
        let mut first = None;
        for occurrence in looked.every() {
            counts.occurrences += 1;
            first.get_or_insert(occurrence);
        }
        let Some(first) = first else { return false };
        let time = |at: Option<&usize>| at.map_or(0, |&node| journey.times()[shown.event(node)]);
        counts.times.add(time(first.last()) - time(first.first()));
        counts.journeys += 1;
        counts.visitors += u64::from(!std::mem::replace(&mut counts.counted, true));
        true
    }

    pub fn report(&self, counts: MatchCounts) -> Result<MatchReport> {
        let MatchCounts { journeys, visitors, occurrences, times, .. } = counts;
        Ok(MatchReport { pattern: self.text.clone(), journeys, visitors, occurrences, time: times.summary(90)? })
    }

    pub fn rows(&self) -> Option<&dyn Rows> {
        self.rows.as_ref().map(|rows| rows as &dyn Rows)
    }
}

/// Writes a row for each occurrence.
struct MatchRows {
    pattern: Arc<BoundPattern>,
    which: Occurrences,
    view: View,
    unit: Unit,
    selection: Option<Selection>,
    schema: SchemaRef,
}

/// An occurrence on its way into the file.
struct Row<'a> {
    visitor: Visitor<'a>,
    number: u32,
    start: i64,
    /// Of each node of the occurrence: what it is, the how manieth of the journey, and when.
    nodes: Vec<(Code, u32, i64)>,
    previous: Code,
    next: Code,
}

impl MatchRows {
    fn new(
        pattern: Arc<BoundPattern>,
        which: Occurrences,
        scope: &PathScope,
        names: &Names,
        notes: &mut Notes,
    ) -> Result<MatchRows> {
        let unit = scope.unit(names, notes)?;
        let view = scope.view(names, notes)?;
        let selection = Selection::new(&scope.common, unit, names, notes)?;
        Ok(MatchRows { pattern, which, view, unit, selection, schema: schema(unit) })
    }

    fn batch(&self, rows: &[Row<'_>], names: &Names) -> Result<RecordBatch> {
        let known = names.node_names(self.view.nodes);
        let name = |code: Code| (code != MISSING).then(|| known.name(code));
        let mut arrays: Vec<ArrayRef> =
            vec![Arc::new(StringArray::from_iter_values(rows.iter().map(|row| row.visitor.id())))];
        if self.unit != Unit::Visitor {
            arrays.push(Arc::new(UInt32Array::from_iter_values(rows.iter().map(|row| row.number + 1))));
            arrays.push(Arc::new(times(rows.iter().map(|row| row.start))));
        }
        let mut nodes = ListBuilder::new(StringBuilder::new()).with_field(item(DataType::Utf8));
        let mut positions = ListBuilder::new(PrimitiveBuilder::<UInt32Type>::new()).with_field(item(DataType::UInt32));
        let zone = TimestampMicrosecondBuilder::new().with_timezone(UTC);
        let mut at = ListBuilder::new(zone).with_field(item(timestamp()));
        for row in rows {
            nodes.append_value(row.nodes.iter().map(|(node, ..)| Some(known.name(*node))));
            positions.append_value(row.nodes.iter().map(|(_, position, _)| Some(*position)));
            at.append_value(row.nodes.iter().map(|(.., time)| Some(*time)));
        }
        arrays.extend([Arc::new(nodes.finish()) as ArrayRef, Arc::new(positions.finish()), Arc::new(at.finish())]);
        arrays.push(Arc::new(rows.iter().map(|row| name(row.previous)).collect::<StringArray>()));
        arrays.push(Arc::new(rows.iter().map(|row| name(row.next)).collect::<StringArray>()));
        let batch = RecordBatch::try_new(Arc::clone(&self.schema), arrays);
        batch.map_err(|error| Error::bug(format!("rows of a pattern: {error}")))
    }
}

impl Rows for MatchRows {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn write(
        &self,
        journeys: &Journeys,
        names: &Names,
        write: &mut dyn FnMut(RecordBatch) -> Result<()>,
    ) -> Result<()> {
        let chosen = self.selection.as_ref().map(|selection| selection.choose(journeys, names)).transpose()?;
        let (mut room, mut work) = (Shows::default(), pattern::Work::default());
        let batch = |rows: &[Row<'_>]| self.batch(rows, names);
        write_rows(in_order(journeys, chosen.as_ref()), batch, write, |visitor, take| {
            for (number, journey) in visitor.numbered(self.unit) {
                let shown = self.view.look(journey, &mut room);
                let looked = self.pattern.look(journey, shown, &mut work);
                looked.each(self.which, |found| take(Row::new(visitor, number, journey, shown, &found)));
            }
        })
    }
}

impl<'a> Row<'a> {
    fn new(visitor: Visitor<'a>, number: u32, journey: Journey<'_>, shown: Shown<'_>, occurrence: &[usize]) -> Row<'a> {
        let node = |&at: &usize| (shown.nodes[at], at as u32 + 1, journey.times()[shown.event(at)]);
        let code = |at: Option<usize>| at.and_then(|at| shown.nodes.get(at)).copied().unwrap_or(MISSING);
        Row {
            visitor,
            number,
            start: journey.start_time(),
            nodes: occurrence.iter().map(node).collect(),
            previous: code(occurrence.first().and_then(|at| at.checked_sub(1))),
            next: code(occurrence.last().map(|at| at + 1)),
        }
    }
}

fn schema(unit: Unit) -> SchemaRef {
    let list = |name: &str, data_type| Field::new(name, DataType::List(Arc::new(item(data_type))), false);
    let mut fields = vec![Field::new("visitor", DataType::Utf8, false)];
    if unit != Unit::Visitor {
        fields.push(Field::new("session_number", DataType::UInt32, false));
        fields.push(Field::new("session_start", timestamp(), false));
    }
    fields.extend([list("nodes", DataType::Utf8), list("positions", DataType::UInt32), list("times", timestamp())]);
    fields.extend([Field::new("previous", DataType::Utf8, true), Field::new("next", DataType::Utf8, true)]);
    Arc::new(Schema::new(fields))
}
