//! Whole paths: which ways journeys take from their first node to their last, and where they are at each position.

mod matches;
mod matrix;
mod report;
mod taken;
mod top;

#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::ValueHint;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::pattern::{self, Occurrences};
use super::step::parse_pattern;
use super::{Analysis, Bound, Common, Grain, Notes, PathScope, Question, Rows, Segmented, SegmentedReport, Spec};
use crate::counts::Grid;
use crate::error::{Error, Result};
use crate::journeys::{Journey, Names, Needs, Shows, Unit, View, Visitor};
use crate::spill::Spill;
use crate::units::Top;
use matches::{BoundMatches, MatchCounts, Matches};
use matrix::{BoundMatrix, Matrix};
pub use report::{Cell, Column, Hidden, MatchReport, PathRow, PathsReport};
use taken::Taken;
use top::TopPaths;

/// The question `paths`, as written.
#[derive(Clone, Debug, Default, clap::Args, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[command(next_help_heading = "Question")]
pub struct PathsSpec {
    /// How many paths are shown, or `all`; the rest are counted [default: 20]
    #[arg(long, value_name = "N")]
    pub top: Option<Top>,
    /// Only the paths in which this pattern occurs, and how many journeys have it: `start >> /cart > !support* > (pay | order)`,
    /// `a >[10m] b > end`
    #[arg(long, value_name = "PATTERN")]
    pub pattern: Option<String>,
    /// Which occurrences of a pattern the matrix is aligned at, and which are written to --matches-out: with `every` a journey counts
    /// once for each in the matrix [default: first]
    #[arg(long, value_name = "WHICH")]
    pub occurrence: Option<Occurrences>,
    /// Also write a row for each occurrence of the pattern to this file (.csv, .jsonl or .parquet; in a job a name inside of the output
    /// folder): whose it is, its nodes, where and when they are, and the nodes before and after
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub matches_out: Option<PathBuf>,
    /// Show the step matrix too: the share of journeys at each node by position
    #[arg(long)]
    pub matrix: bool,
    /// How many positions the step matrix has, at most 50 [default: 10]
    #[arg(long, value_name = "N")]
    pub depth: Option<u32>,
    /// Align the step matrix at the first node of this pattern, a node by itself most often; journeys without it take no part in the
    /// matrix
    #[arg(long, value_name = "PATTERN")]
    pub around: Option<String>,
    /// Positions before the node of --around, at most 50 [default: 5]
    #[arg(long, value_name = "N")]
    pub before: Option<u32>,
    /// Positions after the node of --around, at most 50 [default: 5]
    #[arg(long, value_name = "N")]
    pub after: Option<u32>,
}

impl Spec for PathsSpec {
    type Report = SegmentedReport<PathsReport>;

    const NAME: &'static str = "paths";
    const ABOUT: &'static str = "The most frequent whole paths, and the step matrix: where journeys are by position";
    const EXAMPLES: &'static str = "\
clickpath paths sample-data/shop.csv.gz
clickpath paths sample-data/shop.csv.gz --top 5 --by platform
clickpath paths sample-data/shop.csv.gz --matrix --depth 4 --table matrix
clickpath paths sample-data/shop.csv.gz --pattern 'add_to_cart > !purchase* > end' --top 5
clickpath paths sample-data/shop.csv.gz --around purchase --before 3 --after 2 --table matrix";

    fn resolve(self, common: Common) -> Result<Box<dyn Question>> {
        let (top, matrix) = (self.top.unwrap_or(Top::TWENTY), self.matrix(&common)?);
        if let Some(around) = self.around.as_ref().filter(|around| common.hide.contains(around)) {
            return Err(Error::question(format!("a step matrix cannot be aligned at the hidden node {around:?}"))
                .hint("take it out of --around or out of --hide"));
        }
        let matches = Matches::new(&self, &common)?;
        Ok(Box::new(Paths { scope: PathScope::new(common), top, matches, matrix }))
    }
}

impl PathsSpec {
    /// The most positions of a matrix to one side.
    const WIDEST: u32 = 50;

    /// The step matrix, if one is wanted. A flag that would do nothing is refused.
    fn matrix(&self, common: &Common) -> Result<Option<Matrix>> {
        let refused = |flag: &str, wanted: &str| {
            Err(Error::question(format!("--{flag} says nothing without --{wanted}"))
                .hint(format!("add --{wanted}, or leave --{flag} out")))
        };
        let Some(around) = &self.around else {
            return match (self.before, self.after, self.depth) {
                (Some(_), ..) => refused("before", "around"),
                (_, Some(_), _) => refused("after", "around"),
                (.., Some(_)) if !self.matrix => refused("depth", "matrix"),
                _ if !self.matrix => Ok(None),
                (.., depth) => Ok(Some(Matrix::FromStart { depth: within("depth", depth.unwrap_or(10), 1)? })),
            };
        };
        if self.depth.is_some() {
            return Err(Error::question("--depth counts from the start of journeys, and --around does not")
                .hint("say how far to look with --before and --after"));
        }
        let before = within("before", self.before.unwrap_or(5), 0)?;
        let after = within("after", self.after.unwrap_or(5), 0)?;
        let pattern = parse_pattern(around, &common.steps).map_err(|error| error.within("--around"))?;
        Ok(Some(Matrix::Around { pattern, which: self.occurrence.unwrap_or_default(), before, after }))
    }
}

fn within(flag: &str, positions: u32, least: u32) -> Result<u32> {
    let most = PathsSpec::WIDEST;
    if (least..=most).contains(&positions) {
        return Ok(positions);
    }
    Err(Error::question(format!("a step matrix has no {positions} positions by --{flag}"))
        .hint(format!("give --{flag} a number from {least} to {most}")))
}

/// The question `paths`, as meant.
struct Paths {
    scope: PathScope,
    top: Top,
    matches: Option<Matches>,
    matrix: Option<Matrix>,
}

impl Question for Paths {
    fn schema(&self) -> &'static str {
        "clickpath.paths/1"
    }

    fn rules(&self) -> Map<String, Value> {
        let mut rules = self.scope.rules();
        rules.insert("top".into(), json!(self.top));
        rules.extend(self.matches.as_ref().map(Matches::rules).unwrap_or_default());
        rules.extend(self.matrix.as_ref().map(Matrix::rules).unwrap_or_default());
        rules
    }

    fn needs(&self) -> Needs {
        let mut needs = self.scope.needs();
        if let Some(matches) = &self.matches {
            needs.add(matches.needs(&self.scope.common.nodes));
        }
        if let Some(matrix) = &self.matrix {
            needs.add(matrix.needs(&self.scope.common.nodes));
        }
        needs
    }

    fn rows_file(&self) -> Option<&Path> {
        self.matches.as_ref()?.out.as_deref()
    }

    fn bind(&self, names: &Names, notes: &mut Notes) -> Result<Box<dyn Bound>> {
        let view = self.scope.view(names, notes)?;
        let nodes = names.node_names(view.nodes);
        let common = &self.scope.common;
        let matrix = self.matrix.as_ref().map(|matrix| BoundMatrix::new(matrix, common, names, nodes, notes));
        let matches = self.matches.as_ref().map(|matches| BoundMatches::new(matches, &self.scope, names, notes));
        let (grain, unit, nodes) = (self.scope.grain, self.scope.unit(names, notes)?, nodes.len());
        let paths = BoundPaths {
            grain,
            unit,
            view,
            nodes,
            top: self.top,
            matches: matches.transpose()?,
            matrix: matrix.transpose()?,
        };
        Ok(Box::new(Segmented::new(paths, common, names, notes)?))
    }
}

/// The question bound to the names of a run.
struct BoundPaths {
    grain: Grain,
    unit: Unit,
    view: View,
    /// How many codes of nodes there are.
    nodes: usize,
    top: Top,
    /// Only paths with these take part.
    matches: Option<BoundMatches>,
    matrix: Option<BoundMatrix>,
}

/// One thread's scratch.
#[derive(Default)]
struct Work {
    shows: Shows,
    pattern: pattern::Work,
}

#[derive(Clone)]
struct PathCounts {
    paths: Taken,
    journeys: u64,
    /// Journeys without a node, which have no path.
    empty: u64,
    /// Those in which the pattern occurs.
    matches: MatchCounts,
    /// Journeys that have a place in the matrix, each as often as it has one.
    aligned: u64,
    /// By [`BoundMatrix::cell`].
    cells: Grid<u64>,
}

impl Analysis for BoundPaths {
    type Work = Work;
    type Partial = PathCounts;
    type Report = PathsReport;

    fn unit(&self) -> Unit {
        self.unit
    }

    fn empty(&self) -> PathCounts {
        let cells = Grid::new(self.matrix.as_ref().map_or(0, BoundMatrix::cells));
        let matches = MatchCounts::default();
        PathCounts { paths: Taken::new(self.nodes), journeys: 0, empty: 0, matches, aligned: 0, cells }
    }

    fn rows(&self) -> Option<&dyn Rows> {
        self.matches.as_ref()?.rows()
    }

    fn observe(&self, work: &mut Work, counts: &mut PathCounts, visitor: Visitor<'_>) {
        counts.paths.next_visitor();
        counts.matches.next_visitor();
        for journey in visitor.journeys(self.unit) {
            self.count(work, counts, journey);
        }
    }

    fn merge(&self, into: &mut PathCounts, from: PathCounts) {
        into.paths.merge(from.paths);
        into.journeys += from.journeys;
        into.empty += from.empty;
        into.matches.merge(from.matches);
        into.aligned += from.aligned;
        into.cells.merge(from.cells);
    }

    fn finish(&self, counts: PathCounts, names: &Names) -> Result<PathsReport> {
        let names = names.node_names(self.view.nodes);
        let mut top = TopPaths::new(self.top, names);
        counts.paths.drain(|path, journeys, visitors| top.offer(path, journeys, visitors))?;
        let (paths, hidden) = top.finish();
        let matrix =
            self.matrix.as_ref().map(|matrix| matrix.columns(counts.cells, counts.aligned, names)).transpose()?;
        let PathCounts { journeys, empty, .. } = counts;
        let matches = self.matches.as_ref().map(|matches| matches.report(counts.matches)).transpose()?;
        Ok(PathsReport { grain: self.grain, paths, journeys, empty, hidden, matches, matrix })
    }

    fn bytes(&self, counts: &PathCounts) -> usize {
        counts.paths.bytes() + counts.cells.bytes() + counts.matches.bytes()
    }

    fn relieve(&self, counts: &mut PathCounts, spill: &Arc<Spill>) -> Result<()> {
        counts.paths.relieve(spill)?;
        counts.matches.relieve(spill)?;
        counts.cells.relieve(spill)
    }
}

impl BoundPaths {
    fn count(&self, work: &mut Work, counts: &mut PathCounts, journey: Journey<'_>) {
        let shown = self.view.look(journey, &mut work.shows);
        let path = shown.nodes;
        counts.journeys += 1;
        if let Some(matches) = &self.matches
            && !matches.count(journey, shown, &mut work.pattern, &mut counts.matches)
        {
            return;
        }
        if let Some(matrix) = &self.matrix {
            counts.aligned += matrix.count(journey, shown, &mut work.pattern, &mut counts.cells);
        }
        if path.is_empty() {
            counts.empty += 1;
            return;
        }
        counts.paths.count(path);
    }
}
