//! Any question once more for each segment of its journeys: written once, for all analyses.

use std::sync::Arc;

use foldhash::fast::RandomState;
use hashbrown::{HashMap, HashSet};
use serde_json::{Value, json};

use super::facts::{By, Facts};
use super::select::{Chosen, Selection};
use super::{Analysis, Common, Notes, Rows};
use crate::error::Result;
use crate::ids::Code;
use crate::journeys::{Journey, Journeys, Names, Unit, Visitor};
use crate::reports::drawing::Drawing;
use crate::reports::{Cell, Report, Table, set_apart};
use crate::spill::Spill;

/// An analysis over all journeys, and over each segment of them.
///
/// A journey belongs to the segment of its first non-empty value among the events that may lend one
/// ([`Analysis::touches`]); a journey without a value belongs to the segment "". Every journey is in exactly one segment, unless
/// the analysis has a way of its own to tell them ([`Analysis::series`]).
pub struct Segmented<A> {
    inner: A,
    by: Vec<By>,
    facts: Facts,
    selection: Option<Selection>,
}

impl<A: Analysis> Segmented<A> {
    /// With no `by` this is `inner` alone.
    pub fn new(inner: A, common: &Common, names: &Names, notes: &mut Notes) -> Result<Self> {
        if inner.unit() == Unit::Visitor {
            By::refuse_session_facts(&common.by)?;
        }
        let by = common.by.iter().map(|name| By::new(name, names)).collect::<Result<_>>()?;
        let selection = Selection::new(common, inner.unit(), names, notes)?;
        Ok(Segmented { inner, by, facts: Facts::new(&common.conventions, names), selection })
    }

    /// The same by the last values of dimensions, not by the first.
    pub fn by_last(self) -> Self {
        Segmented { by: self.by.into_iter().map(By::last).collect(), ..self }
    }

    /// The segment of a journey, one value per dimension.
    fn key(&self, work: &A::Work, visitor: Visitor<'_>, number: u32, journey: Journey<'_>, key: &mut Vec<Code>) {
        key.clear();
        let touches = |at| self.inner.touches(work, visitor, journey, at);
        key.extend(self.by.iter().map(|by| by.code(&self.facts, number, journey, touches)));
    }
}

/// What was counted. Most visitors are of one segment with all their journeys: they are observed once, and their counts go into those of
/// all journeys at the end.
#[derive(Clone)]
pub struct Partial<P> {
    /// All visitors but those of one segment.
    total: P,
    segments: Vec<Segment<P>>,
    places: HashMap<Vec<Code>, u32, RandomState>,
}

#[derive(Clone)]
struct Segment<P> {
    /// Visitors all whose journeys are of the segment.
    whole: P,
    /// Visitors who have journeys of others too.
    part: P,
}

pub struct Work<W> {
    total: W,
    segments: Vec<W>,
    key: Vec<Code>,
    /// Room for the key of one more session.
    next: Vec<Code>,
    /// Segment and number of each session of the visitor at hand.
    sessions: Vec<(u32, u32)>,
    chosen: Vec<u32>,
}

impl<W: Default> Default for Work<W> {
    fn default() -> Self {
        let (key, next, sessions, chosen) = Default::default();
        Work { total: W::default(), segments: Vec::new(), key, next, sessions, chosen }
    }
}

impl<P> Partial<P> {
    fn place(&mut self, key: &[Code], empty: impl Fn() -> P) -> u32 {
        if let Some(&place) = self.places.get(key) {
            return place;
        }
        let place = self.segments.len() as u32;
        self.places.insert(key.to_vec(), place);
        self.segments.push(Segment { whole: empty(), part: empty() });
        place
    }

    /// Everything that was counted, that of all segments first.
    fn parts(&self) -> impl Iterator<Item = &P> {
        [&self.total].into_iter().chain(self.segments.iter().flat_map(|segment| [&segment.whole, &segment.part]))
    }

    fn parts_mut(&mut self) -> impl Iterator<Item = &mut P> {
        let segments = self.segments.iter_mut().flat_map(|segment| [&mut segment.whole, &mut segment.part]);
        [&mut self.total].into_iter().chain(segments)
    }
}

impl<A: Analysis> Analysis for Segmented<A> {
    type Work = Work<A::Work>;
    type Partial = Partial<A::Partial>;
    type Report = SegmentedReport<A::Report>;

    fn unit(&self) -> Unit {
        self.inner.unit()
    }

    fn select(&self, journeys: &Journeys, names: &Names) -> Result<Option<Chosen>> {
        self.selection.as_ref().map(|selection| selection.choose(journeys, names)).transpose()
    }

    fn rows(&self) -> Option<&dyn Rows> {
        self.inner.rows()
    }

    fn empty(&self) -> Self::Partial {
        Partial { total: self.inner.empty(), segments: Vec::new(), places: HashMap::default() }
    }

    fn observe(&self, work: &mut Self::Work, partial: &mut Self::Partial, visitor: Visitor<'_>) {
        if self.by.is_empty() {
            return self.inner.observe(&mut work.total, &mut partial.total, visitor);
        }
        self.inner.meet(&mut work.total, visitor);
        if let Some(series) = self.inner.series(&mut work.total, visitor) {
            return self.observe_series(series, work, partial, visitor);
        }
        match self.inner.unit() {
            Unit::Visitor => {
                self.key(&work.total, visitor, 0, visitor.whole(), &mut work.key);
                let segment = partial.place(&work.key, || self.inner.empty());
                self.observe_whole(segment, work, partial, visitor);
            }
            Unit::Session(rule) => self.observe_sessions(rule, work, partial, visitor),
        }
    }

    fn merge(&self, into: &mut Self::Partial, from: Self::Partial) {
        self.inner.merge(&mut into.total, from.total);
        let mut segments: Vec<Option<Segment<A::Partial>>> = from.segments.into_iter().map(Some).collect();
        for (key, place) in from.places {
            let into_place = into.place(&key, || self.inner.empty()) as usize;
            if let Some(Segment { whole, part }) = segments[place as usize].take() {
                self.inner.merge(&mut into.segments[into_place].whole, whole);
                self.inner.merge(&mut into.segments[into_place].part, part);
            }
        }
    }

    fn finish(&self, partial: Self::Partial, names: &Names) -> Result<Self::Report> {
        let Partial { mut total, segments, places } = partial;
        segments.iter().for_each(|segment| self.inner.merge(&mut total, segment.whole.clone()));
        let mut total = self.inner.finish(total, names)?;
        let mut keys: Vec<(Vec<(Code, String)>, u32)> =
            places.iter().map(|(key, &place)| (self.values(key, names), place)).collect();
        keys.sort_unstable();
        let mut segments: Vec<Option<Segment<A::Partial>>> = segments.into_iter().map(Some).collect();
        let finished = keys.into_iter().filter_map(|(values, place)| {
            let Segment { mut whole, part } = segments[place as usize].take()?;
            self.inner.merge(&mut whole, part);
            let values = values.into_iter().map(|(_, value)| value).collect();
            Some(self.inner.finish(whole, names).map(|report| (values, report)))
        });
        let mut segments = finished.collect::<Result<Vec<_>>>()?;
        let parts = segments.iter_mut().map(|(_, report)| report);
        self.inner.settle(&mut [&mut total].into_iter().chain(parts).collect::<Vec<_>>());
        Ok(SegmentedReport { total, by: self.by.iter().map(|by| by.name.clone()).collect(), segments })
    }

    fn bytes(&self, partial: &Self::Partial) -> usize {
        // For each segment its key, its partials, and as much again for the scratch that each thread keeps beside them.
        let keys = partial.places.capacity() * (size_of::<(Vec<Code>, u32)>() + 16 + size_of::<Code>() * self.by.len());
        let slots = partial.segments.capacity() * (size_of::<Segment<A::Partial>>() + size_of::<A::Work>());
        let segments = partial.parts().skip(1).map(|part| self.inner.bytes(part)).sum::<usize>();
        keys + slots + 2 * segments + self.inner.bytes(&partial.total)
    }

    fn relieve(&self, partial: &mut Self::Partial, spill: &Arc<Spill>) -> Result<()> {
        partial.parts_mut().try_for_each(|part| self.inner.relieve(part, spill))
    }
}

impl<A: Analysis> Segmented<A> {
    /// Takes in a visitor all whose journeys are of one segment.
    fn observe_whole(
        &self,
        segment: u32,
        work: &mut Work<A::Work>,
        partial: &mut Partial<A::Partial>,
        visitor: Visitor<'_>,
    ) {
        work.segments.resize_with(partial.segments.len(), A::Work::default);
        let segment = segment as usize;
        self.inner.observe(&mut work.segments[segment], &mut partial.segments[segment].whole, visitor);
    }

    fn observe_sessions(
        &self,
        rule: usize,
        work: &mut Work<A::Work>,
        partial: &mut Partial<A::Partial>,
        visitor: Visitor<'_>,
    ) {
        work.sessions.clear();
        for (number, session) in visitor.numbered_sessions(rule) {
            self.key(&work.total, visitor, number, session, &mut work.next);
            let segment = match work.sessions.last() {
                Some(&(segment, _)) if work.next == work.key => segment,
                _ => partial.place(&work.next, || self.inner.empty()),
            };
            std::mem::swap(&mut work.key, &mut work.next);
            work.sessions.push((segment, number));
        }
        if let Some(&(segment, _)) = work.sessions.first()
            && work.sessions.iter().all(|(other, _)| *other == segment)
        {
            return self.observe_whole(segment, work, partial, visitor);
        }
        self.inner.observe(&mut work.total, &mut partial.total, visitor);
        work.segments.resize_with(partial.segments.len(), A::Work::default);
        work.sessions.sort_unstable();
        for same in work.sessions.chunk_by(|a, b| a.0 == b.0) {
            let segment = same[0].0 as usize;
            work.chosen.clear();
            work.chosen.extend(same.iter().map(|(_, number)| number));
            let part = visitor.with_sessions(&work.chosen);
            self.inner.observe(&mut work.segments[segment], &mut partial.segments[segment].part, part);
        }
    }

    /// Takes in a visitor for each segment that the analysis tells of, and for all.
    fn observe_series(
        &self,
        mut series: Vec<(Vec<Code>, u32)>,
        work: &mut Work<A::Work>,
        partial: &mut Partial<A::Partial>,
        visitor: Visitor<'_>,
    ) {
        self.inner.observe(&mut work.total, &mut partial.total, visitor);
        series.sort_unstable();
        for same in series.chunk_by(|a, b| a.0 == b.0) {
            let key = &same[0].0;
            let segment = partial.place(key, || self.inner.empty()) as usize;
            work.segments.resize_with(partial.segments.len(), A::Work::default);
            work.chosen.clear();
            work.chosen.extend(same.iter().map(|(_, number)| number));
            let part = match self.inner.unit() {
                Unit::Visitor => visitor,
                Unit::Session(_) => visitor.with_sessions(&work.chosen),
            };
            self.inner.observe_in(&mut work.segments[segment], &mut partial.segments[segment].part, part, key);
        }
    }

    /// The values of a segment with their ranks.
    fn values(&self, key: &[Code], names: &Names) -> Vec<(Code, String)> {
        self.by.iter().zip(key).map(|(by, &code)| by.value(code, names)).collect()
    }
}

/// A report for all journeys and for each segment.
pub struct SegmentedReport<R> {
    /// The report for all journeys.
    pub total: R,
    /// Names of the dimensions.
    pub by: Vec<String>,
    /// The values of each segment, one per dimension: facts in their own order, others in that of their bytes.
    pub segments: Vec<(Vec<String>, R)>,
}

/// What stands for the value of a segment where a row is about all journeys.
const ALL: &str = "(all)";

impl<R: Report> Report for SegmentedReport<R> {
    fn title(&self) -> String {
        if self.by.is_empty() {
            self.total.title()
        } else {
            format!("{} by {}", self.total.title(), self.by.join(", "))
        }
    }

    /// The tables of the report with the values of the segment in front of each row.
    fn tables(&self) -> Vec<Table> {
        let mut tables = self.total.tables();
        if self.by.is_empty() {
            return tables;
        }
        let all = vec![ALL.to_owned(); self.by.len()];
        let by = columns_apart("by_", &self.by, tables.iter().flat_map(|table| &table.columns));
        for table in &mut tables {
            table.columns.splice(0..0, by.iter().cloned());
            table.rows = std::mem::take(&mut table.rows).into_iter().map(|row| prefixed(&all, row)).collect();
        }
        for (values, segment) in &self.segments {
            let values: Vec<String> = values.iter().map(|value| set_apart(value, ALL).into_owned()).collect();
            for (table, part) in tables.iter_mut().zip(segment.tables()) {
                table.rows.extend(part.rows.into_iter().map(|row| prefixed(&values, row)));
            }
        }
        tables
    }

    fn aside(&self) -> &'static [&'static str] {
        self.total.aside()
    }

    fn drawing(&self) -> Option<Drawing> {
        self.total.drawing()
    }

    fn json(&self) -> Value {
        let mut report = self.total.json();
        if let (Value::Object(fields), false) = (&mut report, self.by.is_empty()) {
            let segment = |(values, part): &(Vec<String>, R)| {
                let by: serde_json::Map<_, _> = self.by.iter().cloned().zip(values.iter().map(|v| json!(v))).collect();
                let mut fields = serde_json::Map::from_iter([("by".to_owned(), Value::Object(by))]);
                if let Value::Object(report) = part.json() {
                    fields.extend(report);
                }
                Value::Object(fields)
            };
            fields.insert("segments".into(), self.segments.iter().map(segment).collect());
        }
        report
    }

    /// That of all journeys.
    fn rate(&self) -> Option<f64> {
        self.total.rate()
    }
}

/// Names for the columns of the dimensions that differ from each other and from those of the tables: a dimension `step`
/// becomes `by_step`. Many readers of tables do not tell `Step` from `step`.
pub fn columns_apart<'a>(prefix: &str, by: &[String], own: impl Iterator<Item = &'a String>) -> Vec<String> {
    let mut taken: HashSet<String, RandomState> = own.map(|column| column.to_lowercase()).collect();
    let apart = |name: &String| {
        let mut name = name.clone();
        while !taken.insert(name.to_lowercase()) {
            name.insert_str(0, prefix);
        }
        name
    };
    by.iter().map(apart).collect()
}

fn prefixed(values: &[String], row: Vec<Cell>) -> Vec<Cell> {
    values.iter().cloned().map(Cell::Text).chain(row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_of_dimensions_differ_from_all_others() {
        let names = |names: &[&str]| names.iter().map(ToString::to_string).collect::<Vec<_>>();
        let own = names(&["step", "value", "by_value"]);
        let cases: [(&[&str], &[&str]); 4] = [
            (&["device", "source"], &["device", "source"]),
            (&["step", "Step"], &["by_step", "by_by_Step"]),
            (&["value"], &["by_by_value"]),
            (&["device", "device"], &["device", "by_device"]),
        ];
        for (by, columns) in cases {
            assert_eq!(columns_apart("by_", &names(by), own.iter()), columns);
        }
    }
}
