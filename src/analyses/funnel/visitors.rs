//! One row for each reported attempt: who it is, how far it came, and when it was at each step.

use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch, StringArray, UInt32Array};
use arrow_schema::{DataType, Field, Schema, SchemaRef};

use super::follow::{Follow, Work};
use crate::analyses::facts::{By, Facts, Lender};
use crate::analyses::rows::{in_order, write_rows};
use crate::analyses::segment::columns_apart;
use crate::analyses::select::Selection;
use crate::analyses::step::Hit;
use crate::analyses::table::{field_of_values, times, timestamp, values};
use crate::analyses::{Common, Notes, Rows};
use crate::error::{Error, Result};
use crate::ids::Code;
use crate::journeys::{Journey, Journeys, Names, Unit, Visitor};

/// Writes a row for each attempt that the funnel counts.
pub struct VisitorRows {
    follow: Arc<Follow>,
    unit: Unit,
    /// Whether a visitor counts once, by the best attempt of all sessions.
    best: bool,
    steps: Vec<String>,
    by: Vec<By>,
    /// What an attempt holds, as its first event has it.
    held: Vec<By>,
    facts: Facts,
    selection: Option<Selection>,
    schema: SchemaRef,
}

/// An attempt on its way into the file.
struct Row<'a> {
    visitor: Visitor<'a>,
    number: u32,
    start: i64,
    /// Those of the breakdowns, and behind them those that are held.
    values: Vec<Code>,
    /// The number of the deepest step that cannot be left out.
    reached: usize,
    /// For each step, as far as the attempt comes, when it was done.
    times: Vec<Option<i64>>,
}

impl VisitorRows {
    pub fn new(
        follow: Arc<Follow>,
        unit: Unit,
        steps: Vec<String>,
        hold: &[String],
        common: &Common,
        names: &Names,
        notes: &mut Notes,
    ) -> Result<VisitorRows> {
        let by = common.by.iter().map(|name| By::new(name, names)).collect::<Result<Vec<_>>>()?;
        let held = |name: &String| Ok(By { name: name.clone(), lender: Lender::First(names.dimension(name)?) });
        let held = hold.iter().map(held).collect::<Result<Vec<_>>>()?;
        let schema = schema(unit, steps.len(), &by, &held);
        let facts = Facts::new(&common.conventions, names);
        let selection = Selection::new(common, unit, names, notes)?;
        Ok(VisitorRows { follow, unit, best: false, steps, by, held, facts, selection, schema })
    }

    /// The same, and if `best` a visitor counts once, by the best attempt of all sessions.
    pub fn by_best(self, best: bool) -> VisitorRows {
        VisitorRows { best, ..self }
    }

    /// The same by the last values of dimensions, not by the first.
    pub fn by_last(self) -> VisitorRows {
        VisitorRows { by: self.by.into_iter().map(By::last).collect(), ..self }
    }

    /// Hands over the attempts of a visitor that are counted, each with its journey and that one's number.
    fn attempts<'a>(&self, work: &mut Work, visitor: Visitor<'a>, mut take: impl FnMut(u32, Journey<'a>, &[Hit])) {
        let steps = self.follow.matcher.may_fit(visitor);
        self.follow.begin(work, visitor);
        if self.best {
            let best = self.follow.best(&self.follow.entered, work, visitor, visitor.numbered(self.unit), steps);
            return best.iter().for_each(|(number, journey, attempt)| take(*number, *journey, attempt));
        }
        for (number, journey) in visitor.numbered(self.unit) {
            self.follow.attempts(work, visitor, journey, steps, |attempt| take(number, journey, attempt));
        }
    }

    /// The values of the breakdowns of a journey of the visitor that `met` has met.
    fn codes(&self, met: &Work, visitor: Visitor<'_>, number: u32, journey: Journey<'_>) -> Vec<Code> {
        let touches = |at| self.follow.mask(met, visitor, journey, at) != 0;
        self.by.iter().map(|by| by.code(&self.facts, number, journey, touches)).collect()
    }

    fn row<'a>(
        &self,
        visitor: Visitor<'a>,
        number: u32,
        journey: Journey<'a>,
        by: &[Code],
        attempt: &[Hit],
    ) -> Row<'a> {
        let first = attempt[0].at as usize;
        let held = self.follow.hold.iter().map(|&dimension| journey.dimension(dimension)[first]);
        let values = by.iter().copied().chain(held).collect();
        let times = attempt.iter().map(|hit| (!hit.is_skipped()).then_some(hit.time)).collect();
        let reached = self.follow.plan.rules.depth(attempt.len());
        Row { visitor, number, start: journey.start_time(), values, reached, times }
    }

    /// The columns of some rows, in the order of the schema.
    fn arrays(&self, rows: &[Row<'_>], names: &Names) -> Vec<ArrayRef> {
        let reached = || rows.iter().map(|row| row.reached);
        let text = |number: usize| self.steps.get(number).map(String::as_str);
        let mut arrays: Vec<ArrayRef> =
            vec![Arc::new(StringArray::from_iter_values(rows.iter().map(|row| row.visitor.id())))];
        if self.unit != Unit::Visitor {
            arrays.push(Arc::new(UInt32Array::from_iter_values(rows.iter().map(|row| row.number + 1))));
            arrays.push(Arc::new(times(rows.iter().map(|row| row.start))));
        }
        for (number, by) in self.by.iter().chain(&self.held).enumerate() {
            arrays.push(values(by, rows.iter().map(|row| row.values[number]), names));
        }
        arrays.push(Arc::new(UInt32Array::from_iter_values(reached().map(|reached| reached as u32))));
        arrays.push(Arc::new(reached().map(|reached| text(reached - 1)).collect::<StringArray>()));
        let dropped = reached().map(|reached| text(reached - 1).filter(|_| reached < self.steps.len()));
        arrays.push(Arc::new(dropped.collect::<StringArray>()));
        arrays.push(Arc::new(times(rows.iter().map(|row| row.times[0]))));
        let at = |step: usize| times(rows.iter().map(|row| row.times.get(step).copied().flatten()));
        arrays.extend((0..self.steps.len()).map(|step| Arc::new(at(step)) as ArrayRef));
        arrays
    }

    fn batch(&self, rows: &[Row<'_>], names: &Names) -> Result<RecordBatch> {
        let batch = RecordBatch::try_new(Arc::clone(&self.schema), self.arrays(rows, names));
        batch.map_err(|error| Error::bug(format!("rows of a funnel: {error}")))
    }
}

impl Rows for VisitorRows {
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
        let (mut work, mut met) = (Work::default(), Work::default());
        let batch = |rows: &[Row<'_>]| self.batch(rows, names);
        write_rows(in_order(journeys, chosen.as_ref()), batch, write, |visitor, take| {
            self.follow.begin(&mut met, visitor);
            let mut by = None;
            self.attempts(&mut work, visitor, |number, journey, attempt| {
                // A journey may have as many attempts as events.
                if by.as_ref().is_none_or(|(of, _)| *of != number) {
                    by = Some((number, self.codes(&met, visitor, number, journey)));
                }
                let by = by.as_ref().map_or(&[][..], |(_, by)| by);
                take(self.row(visitor, number, journey, by, attempt));
            });
        })
    }
}

/// The columns. Those of breakdowns and held values have names that differ from all others.
fn schema(unit: Unit, steps: usize, by: &[By], held: &[By]) -> SchemaRef {
    let time = |name: &str, optional: bool| Field::new(name, timestamp(), optional);
    let mut who = vec![Field::new("visitor", DataType::Utf8, false)];
    if unit != Unit::Visitor {
        who.extend([Field::new("session_number", DataType::UInt32, false), time("session_start", false)]);
    }
    let mut what = vec![
        Field::new("reached", DataType::UInt32, false),
        Field::new("step", DataType::Utf8, false),
        Field::new("dropped_after", DataType::Utf8, true),
        time("entered_at", false),
    ];
    what.extend((1..=steps).map(|step| time(&format!("step_{step}_at"), step > 1)));
    let names = |values: &[By]| values.iter().map(|by| by.name.clone()).collect::<Vec<_>>();
    let mut taken: Vec<String> = who.iter().chain(&what).map(|field| field.name().clone()).collect();
    let by_names = columns_apart("by_", &names(by), taken.iter());
    taken.extend(by_names.iter().cloned());
    let held_names = columns_apart("held_", &names(held), taken.iter());
    let values = by_names.iter().zip(by).chain(held_names.iter().zip(held));
    who.extend(values.map(|(name, by)| field_of_values(name, by)));
    who.extend(what);
    Arc::new(Schema::new(who))
}
