//! The step matrix: how many journeys are at each node by position.

use std::cmp::Reverse;

use serde_json::{Map, Value, json};

use super::report::{Cell, Column};
use crate::analyses::Notes;
use crate::analyses::step::nowhere;
use crate::counts::Grid;
use crate::dictionary::Dictionary;
use crate::error::{Error, Result};
use crate::ids::{Code, MISSING};
use crate::reports::set_apart;

/// Where journeys are before their first node, and after their last.
const START: &str = "(start)";
const END: &str = "(end)";

/// A step matrix as meant.
pub(super) enum Matrix {
    /// Positions 1 to `depth`.
    FromStart { depth: u32 },
    /// Position 0 is the first place of `node`; positions before it are negative.
    Around { node: String, before: u32, after: u32 },
}

impl Matrix {
    /// The node that it is aligned at, if any.
    pub fn around(&self) -> Option<&str> {
        match self {
            Matrix::FromStart { .. } => None,
            Matrix::Around { node, .. } => Some(node),
        }
    }

    pub fn rules(&self) -> Map<String, Value> {
        let own: Vec<(&str, Value)> = match self {
            Matrix::FromStart { depth } => vec![("depth", json!(depth))],
            Matrix::Around { node, before, after } => {
                vec![("around", json!(node)), ("before", json!(before)), ("after", json!(after))]
            }
        };
        let all = [("matrix", json!(true))].into_iter().chain(own);
        all.map(|(name, value)| (name.to_owned(), value)).collect()
    }
}

/// A step matrix bound to the names of a run.
pub(super) struct BoundMatrix {
    /// The node that journeys are aligned at; at their first node if not given.
    around: Option<Code>,
    /// Columns before the one at which journeys are aligned, and all columns.
    before: usize,
    width: usize,
    /// The position of the first column.
    first: i64,
    /// How many codes of nodes there are.
    nodes: u64,
}

impl BoundMatrix {
    pub fn new(matrix: &Matrix, nodes: &Dictionary, notes: &mut Notes) -> Result<BoundMatrix> {
        for label in [START, END].into_iter().filter(|label| nodes.code(label).is_some()) {
            notes.tell(format!(
                "the log has a node {label} of its own: in the matrix it is shown as {}",
                set_apart(label, label)
            ));
        }
        let (around, before, width, first) = match matrix {
            Matrix::FromStart { depth } => (None, 0, *depth as usize, 1),
            Matrix::Around { node, before, after } => {
                // One that the log does not have is MISSING, where no place is: so no journey takes part.
                let code = nodes.code(node).unwrap_or(MISSING);
                if code == MISSING {
                    notes.warn(nowhere("node", node, nodes.iter()));
                }
                (Some(code), *before as usize, (before + 1 + after) as usize, -i64::from(*before))
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

    /// Counts the nodes of a path in their columns. Whether the journey takes part.
    pub fn count(&self, path: &[Code], cells: &mut Grid<u64>) -> bool {
        let at = match self.around {
            None => 0,
            Some(around) => match path.iter().position(|&node| node == around) {
                Some(at) => at,
                None => return false,
            },
        };
        let columns = self.before.saturating_sub(at)..self.width;
        for (column, &node) in columns.zip(&path[at.saturating_sub(self.before)..]) {
            *cells.at(self.cell(column, node)) += 1;
        }
        true
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
