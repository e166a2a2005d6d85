//! The journeys that a question is about, chosen by SQL on their facts, `--journeys 'events > 3 AND NOT bounce'`, or by a pattern that occurs
//! among their nodes, `--matching '/cart > !/pay* > end'`.

use std::ops::Range;

use arrow_array::Array;

use super::pattern::{self, BoundPattern};
use super::step::Pattern;
use super::table::{self, JourneyTable, Row};
use super::{Common, Notes};
use crate::error::Result;
use crate::frame::Expression;
use crate::journeys::{Journey, Journeys, Names, Needs, Shows, Unit, View, Visitor};

/// A choice of journeys, bound to the names of a run.
pub struct Selection {
    facts: Option<ByFacts>,
    matching: Option<Matching>,
    unit: Unit,
}

/// Journeys whose facts fulfil an expression.
struct ByFacts {
    expression: Expression,
    table: JourneyTable,
}

/// Journeys among whose nodes a pattern occurs.
struct Matching {
    pattern: BoundPattern,
    view: View,
}

/// One thread's scratch.
#[derive(Default)]
struct Room {
    shows: Shows,
    work: pattern::Work,
}

/// What was chosen of one partition.
#[derive(Debug, Default)]
pub struct Chosen {
    /// Each visitor with a chosen journey, and where its sessions stand in `sessions`.
    visitors: Vec<(u32, Range<usize>)>,
    /// Numbers of sessions, from 0 for each visitor.
    sessions: Vec<u32>,
    /// Whether sessions are chosen, or whole visitors.
    of_sessions: bool,
    /// How many journeys were not chosen.
    pub left_out: u64,
}

impl Chosen {
    /// The visitors that have a chosen journey, each with only those.
    pub fn visitors<'a>(&'a self, journeys: &'a Journeys) -> impl Iterator<Item = Visitor<'a>> {
        self.visitors.iter().map(move |(number, sessions)| {
            let visitor = journeys.visitor(*number);
            if self.of_sessions { visitor.with_sessions(&self.sessions[sessions.clone()]) } else { visitor }
        })
    }
}

/// What must be read to choose journeys by `expression`.
pub fn needs(expression: &Expression) -> Needs {
    table::needs(expression.columns())
}

impl Selection {
    /// The choice that `common` asks for, if it does.
    pub fn new(common: &Common, unit: Unit, names: &Names, notes: &mut Notes) -> Result<Option<Selection>> {
        let facts = common.journeys.as_ref().map(|expression| ByFacts::new(expression, common, unit, names));
        let matching = common.matching.as_ref().map(|pattern| Matching::new(pattern, common, names, notes));
        let (facts, matching) = (facts.transpose()?, matching.transpose()?);
        Ok((facts.is_some() || matching.is_some()).then_some(Selection { facts, matching, unit }))
    }

    /// Chooses journeys of a partition, some thousands at a time.
    pub fn choose(&self, journeys: &Journeys, names: &Names) -> Result<Chosen> {
        let mut chosen = Chosen { of_sessions: self.unit != Unit::Visitor, ..Chosen::default() };
        let (mut rows, mut room) = (Vec::with_capacity(ROWS), Room::default());
        for visitor in journeys.visitors() {
            for (number, journey) in visitor.numbered(self.unit) {
                match &self.matching {
                    Some(matching) if !matching.takes(journey, &mut room) => chosen.left_out += 1,
                    _ => rows.push(Row { visitor, number, journey }),
                }
            }
            if rows.len() >= ROWS {
                self.take(&mut rows, &mut chosen, names)?;
            }
        }
        self.take(&mut rows, &mut chosen, names)?;
        Ok(chosen)
    }

    /// Chooses those of some journeys whose facts fit.
    fn take(&self, rows: &mut Vec<Row<'_>>, chosen: &mut Chosen, names: &Names) -> Result<()> {
        let fits = match &self.facts {
            Some(facts) if !rows.is_empty() => {
                Some(facts.expression.matches(&facts.table.arrays(rows, names), rows.len())?)
            }
            _ => None,
        };
        for (at, row) in rows.drain(..).enumerate() {
            match &fits {
                Some(fits) if fits.is_null(at) || !fits.value(at) => chosen.left_out += 1,
                _ => chosen.take(&row),
            }
        }
        Ok(())
    }
}

impl Chosen {
    fn take(&mut self, row: &Row<'_>) {
        let (visitor, place) = (row.visitor.number() as u32, self.sessions.len());
        self.sessions.push(row.number);
        match self.visitors.last_mut() {
            Some((last, sessions)) if *last == visitor => sessions.end = place + 1,
            _ => self.visitors.push((visitor, place..place + 1)),
        }
    }
}

impl ByFacts {
    fn new(expression: &Expression, common: &Common, unit: Unit, names: &Names) -> Result<ByFacts> {
        if unit == Unit::Visitor {
            table::refuse_session_facts(expression.columns())?;
        }
        let table = JourneyTable::new(expression.columns(), common, None, names)?;
        Ok(ByFacts { expression: expression.clone(), table })
    }
}

impl Matching {
    fn new(pattern: &Pattern, common: &Common, names: &Names, notes: &mut Notes) -> Result<Matching> {
        let view = View::new(names, &common.nodes, common.repeats, &common.collapse, &common.hide)?;
        Ok(Matching { pattern: BoundPattern::new(pattern, common, names, notes)?, view })
    }

    fn takes(&self, journey: Journey<'_>, room: &mut Room) -> bool {
        let shown = self.view.look(journey, &mut room.shows);
        self.pattern.look(journey, shown, &mut room.work).occurs()
    }
}

/// Journeys that are looked at in one go.
pub const ROWS: usize = 8192;
