//! What the dropped did next: the node that comes behind the last event of their reported attempt.

use crate::analyses::next::{END, Next};
use crate::analyses::step::Hit;
use crate::analyses::{Notes, PathScope};
use crate::counts::Grid;
use crate::error::Result;
use crate::ids::Code;
use crate::journeys::{Journey, Names, View};
use crate::units::Top;

/// How what comes next is looked for, and how much of it is shown.
pub struct DroppedNext {
    view: View,
    /// How many codes of nodes there are.
    nodes: u64,
    steps: u64,
    shown: Top,
}

impl DroppedNext {
    /// Bound to the names of a run. Warns of names and groups that the log has no use for.
    pub fn new(scope: &PathScope, steps: usize, shown: Top, names: &Names, notes: &mut Notes) -> Result<DroppedNext> {
        let view = scope.view(names, notes)?;
        Ok(DroppedNext { nodes: names.node_names(view.nodes).len() as u64, steps: steps as u64, view, shown })
    }

    /// No counts yet.
    pub fn counts(&self) -> Grid<u64> {
        Grid::new(self.steps * self.nodes)
    }

    /// Takes in an attempt that ended before the last step.
    pub fn count(&self, counts: &mut Grid<u64>, attempt: &[Hit], journey: Journey<'_>) {
        let Some(last) = attempt.last() else { return };
        let mut behind = journey.nodes(self.view.nodes).iter().skip(last.at as usize + 1);
        let next = behind.find(|&&node| self.view.shows(node)).copied().unwrap_or(END);
        *counts.at((attempt.len() as u64 - 1) * self.nodes + u64::from(next)) += 1;
    }

    /// For each step what comes next.
    ///
    /// # Errors
    /// If what is on disk cannot be read.
    pub fn finish(&self, counts: Grid<u64>, names: &Names) -> Result<Vec<Vec<Next>>> {
        let mut steps = vec![Vec::new(); self.steps as usize];
        counts.drain(|number, count| {
            steps[(number / self.nodes) as usize].push(((number % self.nodes) as Code, count));
        })?;
        let names = names.node_names(self.view.nodes);
        Ok(steps.into_iter().map(|nodes| Next::list(nodes, names, self.shown.limit())).collect())
    }
}
