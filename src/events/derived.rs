//! Columns that the user makes of others by SQL: `--derive 'channel = CASE … END'`.

use arrow_array::{ArrayRef, new_null_array};
use arrow_schema::DataType;

use super::columns::{Mapping, Role, Roles, Seen, by_name, find, place};
use super::raw::{RawBatch, UseAs, Wanted};
use super::sql::SqlColumns;
use crate::error::{Error, Result};
use crate::frame::{Evaluator, Expression};

/// A column that is made of others. It is used like one of the file's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Derived {
    /// The name that it is used by, which no column of the file may have.
    pub name: String,
    /// What it is made of: SQL on the other columns of the same record.
    pub expression: Expression,
}

impl Derived {
    /// Reads `name = SQL`.
    pub fn parse(text: &str) -> Result<Derived> {
        let hint = "write it like this: 'big = revenue > 100'";
        let Some((name, sql)) = text.split_once('=').map(|(name, sql)| (name.trim(), sql.trim())) else {
            return Err(Error::question(format!("{text:?} names no column")).hint(hint));
        };
        let plain = name.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '.' | '-' | ' '));
        if name.is_empty() || name == "none" || !plain || name.len() > 200 {
            return Err(Error::question(format!("{name:?} is no name for a column")).hint(hint));
        }
        let expression = Expression::parse(sql).map_err(|error| error.within(format!("the column {name:?}")))?;
        Ok(Derived { name: name.to_owned(), expression })
    }

    /// Reads several columns and puts those first that others are made of.
    pub fn list(texts: &[String]) -> Result<Vec<Derived>> {
        let mut waiting = texts.iter().map(|text| Derived::parse(text)).collect::<Result<Vec<_>>>()?;
        for (at, derived) in waiting.iter().enumerate() {
            if waiting[..at].iter().any(|other| derived.is(&other.name)) {
                return Err(Error::question(format!("two derived columns are called {:?}", derived.name)));
            }
        }
        let mut sorted = Vec::new();
        while !waiting.is_empty() {
            let ready = |derived: &Derived| !waiting.iter().any(|other| derived.uses(&other.name));
            let Some(next) = waiting.iter().position(ready) else {
                let names: Vec<String> = waiting.iter().map(|derived| format!("{:?}", derived.name)).collect();
                return Err(Error::question(format!("derived columns are made of themselves: {}", names.join(", ")))
                    .hint("a derived column is made of the log's columns and of other derived ones"));
            };
            sorted.push(waiting.remove(next));
        }
        Ok(sorted)
    }

    fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name)
    }

    fn uses(&self, name: &str) -> bool {
        self.expression.columns().iter().any(|column| column.eq_ignore_ascii_case(name))
    }
}

/// The columns of a file and the derived ones behind them, whose names must be new.
pub fn with_derived(columns: &[String], derived: &[Derived]) -> Result<Vec<String>> {
    if let Some(taken) = derived.iter().find(|derived| columns.iter().any(|column| derived.is(column))) {
        return Err(Error::mapping(format!("the log has a column {:?} already", taken.name))
            .hint("give the derived column another name"));
    }
    Ok(columns.iter().chain(derived.iter().map(|derived| &derived.name)).cloned().collect())
}

/// Which columns SQL may name, and where they are found.
pub(super) struct Visible<'a> {
    /// The columns of the file and the derived ones behind them.
    pub columns: &'a [String],
    /// How many of the columns may be used: a derived one is made of those before it.
    pub known: usize,
    pub roles: &'a Roles,
}

impl Visible<'_> {
    /// The columns that an expression looks at: roles, and columns by their own names. A role that the file has wins.
    pub fn seen(&self, wanted: &mut Vec<Wanted>, sql: &Expression) -> Result<Vec<Seen>> {
        sql.columns().iter().map(|name| self.one(wanted, name, sql)).collect()
    }

    fn one(&self, wanted: &mut Vec<Wanted>, name: &str, sql: &Expression) -> Result<Seen> {
        let role = Role::ALL.into_iter().find(|role| role.name().eq_ignore_ascii_case(name));
        if let Some(role) = role
            && let Some(column) = find(self.columns, self.roles, role)?.filter(|column| *column < self.known)
        {
            return Ok(Seen { place: place(wanted, column, role.use_as()), role: Some(role) });
        }
        let column = by_name(&self.columns[..self.known], name);
        let column = column.map_err(|error| error.within(format!("in the SQL {:?}", sql.text())))?;
        Ok(Seen { place: place(wanted, column, UseAs::Values), role: None })
    }
}

/// How the columns of a batch come about, where some of them are derived.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Layout {
    /// For each column of a finished batch, which of those that are read it is; the others are derived.
    read: Vec<Option<usize>>,
    /// The derived columns that are needed, those first that others are made of: number, place, and what it is made of.
    derived: Vec<(usize, usize, Vec<Seen>)>,
}

impl Layout {
    /// Whether no derived column is needed.
    pub fn is_plain(&self) -> bool {
        self.derived.is_empty()
    }

    /// Finds what the derived columns among `wanted` are made of, and leaves in `wanted` only what is read from a file of `file` columns.
    pub fn new(wanted: &mut Vec<Wanted>, file: usize, visible: &Visible<'_>, derived: &[Derived]) -> Result<Layout> {
        let mut layout = Layout::default();
        // Backwards: those that are found to be needed stand before.
        for (number, column) in derived.iter().enumerate().rev() {
            let visible = Visible { known: file + number, ..*visible };
            match wanted.iter().position(|wanted| wanted.column == file + number) {
                Some(place) => layout.derived.push((number, place, visible.seen(wanted, &column.expression)?)),
                // Not needed, but a slip all the same.
                None => drop(visible.seen(&mut Vec::new(), &column.expression)?),
            }
        }
        if layout.derived.is_empty() {
            return Ok(layout);
        }
        layout.derived.reverse();
        let mut read = 0;
        layout.read = wanted
            .iter()
            .map(|wanted| {
                read += usize::from(wanted.column < file);
                (wanted.column < file).then(|| read - 1)
            })
            .collect();
        wanted.retain(|wanted| wanted.column < file);
        Ok(layout)
    }

    /// The number of the column of the file, or behind them of the derived column, at a place of a finished batch.
    pub fn column(&self, place: usize, wanted: &[Wanted], file: usize) -> usize {
        let derived = || self.derived.iter().find(|(_, at, _)| *at == place).map_or(0, |(number, _, _)| file + number);
        if self.read.is_empty() {
            wanted[place].column
        } else {
            self.read[place].map_or_else(derived, |at| wanted[at].column)
        }
    }
}

/// Puts the derived columns into a batch as it was read.
pub(super) fn derive(
    raw: &mut RawBatch,
    mapping: &Mapping,
    sql: &mut SqlColumns<'_>,
    evaluators: &mut [Evaluator],
) -> Result<()> {
    let layout = &mapping.layout;
    if layout.derived.is_empty() {
        return Ok(());
    }
    let nothing = || new_null_array(&DataType::Null, raw.rows);
    let column = |at: &Option<usize>| at.map_or_else(nothing, |at| ArrayRef::clone(&raw.columns[at]));
    raw.columns = layout.read.iter().map(column).collect();
    sql.begin();
    for (number, place, seen) in &layout.derived {
        let columns = sql.columns(raw, seen)?;
        raw.columns[*place] = evaluators[*number].values(&columns, raw.rows)?;
    }
    Ok(())
}

#[cfg(all(test, feature = "polars"))]
mod tests {
    use super::*;

    fn names(texts: &[&str]) -> Result<Vec<String>> {
        let texts: Vec<String> = texts.iter().map(|text| (*text).to_owned()).collect();
        Ok(Derived::list(&texts)?.into_iter().map(|derived| derived.name).collect())
    }

    #[test]
    fn those_that_others_are_made_of_come_first() {
        assert_eq!(names(&["c = A || b", "b = a = 'x'", "a = event"]).unwrap(), ["a", "b", "c"]);
        for (texts, part) in [
            (vec!["a = b", "b = a"], "made of themselves"),
            (vec!["a = a + 1"], "made of themselves"),
            (vec!["a = 1", "A = 2"], "two derived columns"),
            (vec!["revenue > 5"], "names no column"),
            (vec!["= 5"], "is no name"),
            (vec!["a"], "names no column"),
            (vec!["a = COUNT(*)"], "the column \"a\": in the SQL"),
        ] {
            let error = names(&texts).unwrap_err();
            assert!(error.to_string().contains(part), "{error}");
        }
    }
}
