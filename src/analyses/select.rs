//! The journeys that a question is about, chosen by SQL on their facts: `--journeys 'events > 3 AND NOT bounce'`.

use std::ops::Range;

use arrow_array::Array;

use super::Common;
use super::table::{self, JourneyTable, Row};
use crate::error::Result;
use crate::frame::Expression;
use crate::journeys::{Journeys, Names, Needs, Unit, Visitor};

/// A choice of journeys, bound to the names of a run.
pub struct Selection {
    expression: Expression,
    table: JourneyTable,
    unit: Unit,
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
    pub fn new(common: &Common, unit: Unit, names: &Names) -> Result<Option<Selection>> {
        let Some(expression) = &common.journeys else { return Ok(None) };
        if unit == Unit::Visitor {
            table::refuse_session_facts(expression.columns())?;
        }
        let table = JourneyTable::new(expression.columns(), common, None, names)?;
        Ok(Some(Selection { expression: expression.clone(), table, unit }))
    }

    /// Chooses journeys of a partition, some thousands at a time.
    pub fn choose(&self, journeys: &Journeys, names: &Names) -> Result<Chosen> {
        let mut chosen = Chosen { of_sessions: self.unit != Unit::Visitor, ..Chosen::default() };
        let mut rows = Vec::with_capacity(ROWS);
        for visitor in journeys.visitors() {
            rows.extend(visitor.numbered(self.unit).map(|(number, journey)| Row { visitor, number, journey }));
            if rows.len() >= ROWS {
                self.test(&mut rows, &mut chosen, names)?;
            }
        }
        self.test(&mut rows, &mut chosen, names)?;
        Ok(chosen)
    }

    fn test(&self, rows: &mut Vec<Row<'_>>, chosen: &mut Chosen, names: &Names) -> Result<()> {
        if rows.is_empty() {
            return Ok(());
        }
        let fits = self.expression.matches(&self.table.arrays(rows, names), rows.len())?;
        for (at, row) in rows.drain(..).enumerate() {
            if fits.is_null(at) || !fits.value(at) {
                chosen.left_out += 1;
                continue;
            }
            let (visitor, place) = (row.visitor.number() as u32, chosen.sessions.len());
            chosen.sessions.push(row.number);
            match chosen.visitors.last_mut() {
                Some((last, sessions)) if *last == visitor => sessions.end = place + 1,
                _ => chosen.visitors.push((visitor, place..place + 1)),
            }
        }
        Ok(())
    }
}

/// Journeys that are looked at in one go.
pub const ROWS: usize = 8192;
