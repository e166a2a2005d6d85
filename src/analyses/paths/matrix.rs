//! The step matrix: how many journeys are at each node by position.

use std::cmp::Reverse;

use serde_json::{Map, Value, json};

use super::report::{Cell, Column};
use crate::analyses::pattern::{self, BoundPattern, Occurrences};
use crate::analyses::step::Pattern;
use crate::analyses::{Common, Notes};
use crate::counts::Grid;
use crate::dictionary::Dictionary;
use crate::error::{Error, Result};
use crate::ids::Code;
use crate::journeys::{Journey, Names, Needs, NodeRule, Shown};
use crate::reports::set_apart;

/// Where journeys are before their first node, and after their last.
const START: &str = "(start)";
const END: &str = "(end)";

/// A step matrix as meant.
pub(super) enum Matrix {
    /// Positions 1 to `depth`.
    FromStart { depth: u32 },
    /// Position 0 is the first node of the pattern; positions before it are negative.
    Around { pattern: Pattern, which: Occurrences, before: u32, after: u32 },
}

impl Matrix {
    /// What must be read to align journeys.
    pub fn needs(&self, nodes: &NodeRule) -> Needs {
        let mut needs = Needs::default();
        if let Matrix::Around { pattern, .. } = self {
            pattern.needs(nodes, &mut needs);
        }
        needs
    }

    pub fn rules(&self) -> Map<String, Value> {
        let own: Vec<(&str, Value)> = match self {
            Matrix::FromStart { depth } => vec![("depth", json!(depth))],
            Matrix::Around { pattern, which, before, after } => {
                let around = ("around", json!(pattern.to_string()));
                vec![around, ("occurrence", json!(which)), ("before", json!(before)), ("after", json!(after))]
            }
        };
        let all = [("matrix", json!(true))].into_iter().chain(own);
        all.map(|(name, value)| (name.to_owned(), value)).collect()
    }
}

/// A step matrix bound to the names of a run.
pub(super) struct BoundMatrix {
    /// What journeys are aligned at; at their first node if not given.
    around: Option<(BoundPattern, Occurrences)>,
    /// Columns before the one at which journeys are aligned, and all columns.
    before: usize,
    width: usize,
    /// The position of the first column.
    first: i64,
    /// How many codes of nodes there are.
    nodes: u64,
}

impl BoundMatrix {
    pub fn new(
        matrix: &Matrix,
        common: &Common,
        names: &Names,
        nodes: &Dictionary,
        notes: &mut Notes,
    ) -> Result<BoundMatrix> {
        for label in [START, END].into_iter().filter(|label| nodes.code(label).is_some()) {
            notes.tell(format!(
                "the log has a node {label} of its own: in the matrix it is shown as {}",
                set_apart(label, label)
            ));
        }
        let (around, before, width, first) = match matrix {
            Matrix::FromStart { depth } => (None, 0, *depth as usize, 1),
            Matrix::Around { pattern, which, before, after } => {
                let around = (BoundPattern::new(pattern, common, names, notes)?, *which);
                (Some(around), *before as usize, (before + 1 + after) as usize, -i64::from(*before))
            }
        };
        let matrix = BoundMatrix { around, before, width, first, nodes: nodes.len() as u64 };
        matrix
            .nodes
            .checked_mul(width as u64)
            .map(|_| matrix)
            .ok_or_else(|| Error::limit("too many nodes for a matrix"))
    }

    /// How many cells it has, those without a journey included.
    pub fn cells(&self) -> u64 {
        self.width as u64 * self.nodes
    }

    #[inline]
    fn cell(&self, column: usize, node: Code) -> u64 {
        column as u64 * self.nodes + u64::from(node)
    }

    /// Counts the nodes of a journey in their columns, once for each place at which it is aligned. Says how many these are.
    pub fn count(
        &self,
        journey: Journey<'_>,
        shown: Shown<'_>,
        work: &mut pattern::Work,
        cells: &mut Grid<u64>,
    ) -> u64 {
        let Some((pattern, which)) = &self.around else {
            self.count_at(0, shown.nodes, cells);
            return 1;
        };
        let mut aligned = 0;
        pattern.look(journey, shown, work).each(*which, |occurrence| {
            aligned += 1;
            self.count_at(occurrence.first().copied().unwrap_or(0), shown.nodes, cells);
        });
        aligned
    }

    /// Counts the nodes of a path that is aligned at node number `at`.
    fn count_at(&self, at: usize, path: &[Code], cells: &mut Grid<u64>) {
        let columns = self.before.saturating_sub(at)..self.width;
        for (column, &node) in columns.zip(&path[at.saturating_sub(self.before)..]) {
            *cells.at(self.cell(column, node)) += 1;
        }
    }

    /// The columns, of `journeys` that take part. In each of them every journey is in one cell.
    pub fn columns(&self, cells: Grid<u64>, journeys: u64, names: &Dictionary) -> Result<Vec<Column>> {
        let mut counted: Vec<(u64, u64)> = Vec::new();
        cells.drain(|number, count| counted.push((number, count)))?;
        let name = |number: u64| names.name((number % self.nodes) as Code);
        counted.sort_unstable_by_key(|&(number, count)| (number / self.nodes, Reverse(count), name(number)));
        let mut cells = counted.into_iter().peekable();
        let columns = (0..self.width as u64).map(|column| {
            let own = std::iter::from_fn(|| cells.next_if(|(number, _)| number / self.nodes == column));
            let mut cells: Vec<Cell> = own.map(|(number, count)| Cell::node(name(number), count)).collect();
            let outside = journeys - cells.iter().map(|cell| cell.count).sum::<u64>();
            if outside > 0 {
                // Who is not at a node before the aligned column has not begun; who is not at one after it has ended.
                let label = if (column as usize) < self.before { START } else { END };
                cells.push(Cell { node: label.to_owned(), count: outside });
            }
            Column { position: self.first + column as i64, journeys, cells }
        });
        Ok(columns.collect())
    }
}

impl Cell {
    fn node(name: &str, count: u64) -> Cell {
        // A name can be taken for one label at most.
        let name = set_apart(name, START);
        Cell { node: set_apart(&name, END).into_owned(), count }
    }
}
