//! Journeys → partial → report. One file per question; a new question is one new file and one line in [`KINDS`].
//!
//! A question exists three times. As *written* it is a [`Spec`]: every field optional, read from flags or a job file. As *meant* it is a
//! [`Question`], made by [`Spec::resolve`], the only place with defaults; it says what it [needs](Question::needs) before the first
//! byte is read. When all names are known it is *bound* to them and becomes an [`Analysis`], which folds over whole visitors.

use std::any::Any;
use std::path::Path;
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::error::Result;
use crate::ids::Code;
use crate::journeys::{Journey, Journeys, Names, Needs, Unit, Visitor};
use crate::reports::Report;
use crate::spill::Spill;

pub mod abandonment;
pub mod common;
mod compare;
pub mod conversion;
pub mod dropoff;
mod facts;
pub mod flow;
pub mod funnel;
pub mod gaps;
pub mod graph;
mod like;
mod named;
mod next;
mod overview;
mod parts;
mod path_scope;
pub mod paths;
mod pattern;
mod periods;
pub mod rows;
mod segment;
mod select;
mod step;
mod steps;
pub mod summary;
mod table;
#[cfg(test)]
mod tests;

pub use common::{Bounce, Common, CommonSpec, Conventions, Grain};
pub use facts::By;
pub use like::Like;
pub use named::NamedSteps;
pub use overview::Overview;
pub use path_scope::PathScope;
pub use pattern::Occurrences;
pub use periods::Period;
pub use segment::{Segmented, SegmentedReport};
pub use select::Chosen;

/// A fold over whole visitors: `empty → observe → merge → finish`.
///
/// The laws, tested for every analysis: merging with an empty partial changes nothing; merging is associative and commutative; cutting
/// the visitors into partitions in any way gives the same report. Hence threads, spilling and shards cannot change an answer.
pub trait Analysis: Send + Sync + 'static {
    /// One thread's scratch: never merged, never written.
    type Work: Default + Send;
    /// Counts only, integers; no configuration.
    type Partial: Clone + Send;
    /// What it answers with.
    type Report: Report;

    /// What makes a journey here, and so what a segment chooses.
    fn unit(&self) -> Unit;

    /// Looks at a visitor before its journeys are put into segments.
    fn meet(&self, _work: &mut Self::Work, _visitor: Visitor<'_>) {}

    /// Whether event number `at` of a journey of the visitor met last may lend the value of a dimension to the journey's segment.
    fn touches(&self, _work: &Self::Work, _visitor: Visitor<'_>, _journey: Journey<'_>, _at: usize) -> bool {
        true
    }

    /// The segments of the journeys of the visitor met last, each with the number of the journey, if an analysis tells them in a way of
    /// its own: then a journey may be of several.
    fn series(&self, _work: &mut Self::Work, _visitor: Visitor<'_>) -> Option<Vec<(Vec<Code>, u32)>> {
        None
    }

    /// Takes in a visitor for one segment of its [`series`](Self::series), of which it has all its journeys.
    fn observe_in(&self, work: &mut Self::Work, partial: &mut Self::Partial, visitor: Visitor<'_>, _segment: &[Code]) {
        self.observe(work, partial, visitor);
    }

    /// The journeys of a partition that the question is about, if not all: asked before its visitors are observed.
    fn select(&self, _journeys: &Journeys, _names: &Names) -> Result<Option<Chosen>> {
        Ok(None)
    }

    /// What it writes of each journey, for questions that answer with rows or write some beside their answer.
    fn rows(&self) -> Option<&dyn Rows> {
        None
    }

    /// The partial of no visitor.
    fn empty(&self) -> Self::Partial;

    /// Takes in one visitor: whole, in order, never seen before in this run.
    fn observe(&self, work: &mut Self::Work, partial: &mut Self::Partial, visitor: Visitor<'_>);

    /// Adds `from`, the partial of other visitors, to `into`. The order of merges does not matter.
    fn merge(&self, into: &mut Self::Partial, from: Self::Partial);

    /// The answer. Floats appear only here, and everything is ordered by the report's key, then by the bytes of names.
    ///
    /// # Errors
    /// If what a partial has on disk cannot be read.
    fn finish(&self, partial: Self::Partial, names: &Names) -> Result<Self::Report>;

    /// Settles what no report can say alone, of those of all segments; the first is that of all journeys.
    fn settle(&self, _reports: &mut [&mut Self::Report]) {}

    /// Bytes that a partial holds, for the memory limit: one that grows must say how much.
    fn bytes(&self, _partial: &Self::Partial) -> usize {
        size_of::<Self::Partial>()
    }

    /// Writes to disk what a partial can do without until it is finished, because memory is short. Comes between two visitors,
    /// and changes no answer. An analysis whose counts are bounded need not have it.
    ///
    /// # Errors
    /// If the disk is full or fails.
    fn relieve(&self, _partial: &mut Self::Partial, _spill: &Arc<Spill>) -> Result<()> {
        Ok(())
    }
}

/// What a question writes of journeys, partition by partition: nothing is held for the end.
pub trait Rows: Send + Sync {
    /// The columns of the rows.
    fn schema(&self) -> SchemaRef;

    /// Hands the rows of a partition to `write`, some thousands at a time: visitors by stable hash and id, each one's journeys in order.
    fn write(&self, journeys: &Journeys, names: &Names, write: &mut dyn FnMut(RecordBatch) -> Result<()>)
    -> Result<()>;
}

/// What a reader must know beside the numbers.
#[derive(Debug, Default)]
pub struct Notes {
    /// What is likely a mistake of whoever asked: `--strict` makes it an error.
    warnings: Vec<String>,
    facts: Vec<String>,
}

impl Notes {
    /// Notes a likely mistake, once: a name may play two parts.
    pub fn warn(&mut self, warning: String) {
        if !self.warnings.contains(&warning) {
            self.warnings.push(warning);
        }
    }

    /// Notes what is worth knowing and no mistake.
    pub fn tell(&mut self, fact: String) {
        self.facts.push(fact);
    }

    /// The first likely mistake.
    pub fn first_warning(&self) -> Option<&str> {
        self.warnings.first().map(String::as_str)
    }

    /// All notes, warnings first.
    pub fn into_lines(self) -> Vec<String> {
        [self.warnings, self.facts].concat()
    }
}

/// A question as meant: every rule settled.
pub trait Question: Send + Sync {
    /// Name and version of the report's shape: `clickpath.funnel/1`.
    fn schema(&self) -> &'static str;

    /// Every option in force, in the order in which it is printed.
    fn rules(&self) -> Map<String, Value> {
        Map::new()
    }

    /// What must be read for it beside visitors and times.
    fn needs(&self) -> Needs {
        Needs::default()
    }

    /// The file that its rows go to, if it writes rows beside its answer.
    fn rows_file(&self) -> Option<&Path> {
        None
    }

    /// Refuses a floor for its rate, if it is asked in a way that leaves it without one. Only for kinds that have a rate.
    fn check_floor(&self) -> Result<()> {
        Ok(())
    }

    /// Binds the question to the names of a run. What a reader must know goes to `notes`.
    fn bind(&self, names: &Names, notes: &mut Notes) -> Result<Box<dyn Bound>>;
}

/// A question as written. The docs of its fields are the help text of its flags.
pub trait Spec: clap::Args + DeserializeOwned + Serialize + Default + Send + Sync + 'static {
    /// What it is answered with.
    type Report: Report;

    /// Its command and its table in a job file.
    const NAME: &'static str;
    /// One line for the list of commands.
    const ABOUT: &'static str;
    /// Examples for the end of its help, each a whole command line.
    const EXAMPLES: &'static str;

    /// Whether it has an answer without being told more, and so a place in `clickpath report`.
    const IN_REPORT: bool = true;

    /// Whether it always answers for sessions and for visitors, and so takes no grain.
    const BOTH_GRAINS: bool = false;

    /// Whether it answers with rows, which go to files of their own.
    const ROWS: bool = false;

    /// Whether a job file may ask it.
    const IN_JOBS: bool = true;

    /// What its one rate is, for questions whose answer may be held against `--fail-under`.
    const RATE: Option<&'static str> = None;

    /// Settles every rule. `common` holds what all questions share.
    fn resolve(self, common: Common) -> Result<Box<dyn Question>>;
}

/// One kind of question, its type erased.
pub struct Kind {
    /// [`Spec::NAME`]: its command, and its table in a job file.
    pub name: &'static str,
    /// [`Spec::ABOUT`]: one line for the list of commands.
    pub about: &'static str,
    /// [`Spec::EXAMPLES`]: whole command lines, one a line.
    pub examples: &'static str,
    /// [`Spec::IN_REPORT`]: whether `clickpath report` asks it.
    pub in_report: bool,
    /// [`Spec::BOTH_GRAINS`]: whether it answers for sessions and for visitors, and so takes no grain.
    pub both_grains: bool,
    /// [`Spec::ROWS`]: whether it answers with rows.
    pub rows: bool,
    /// [`Spec::IN_JOBS`]: whether a job file may ask it.
    pub in_jobs: bool,
    /// What `--fail-under` is about, if it has a rate.
    pub rate: Option<&'static str>,
    /// Adds the question's own flags to a command.
    pub flags: fn(clap::Command) -> clap::Command,
    /// Reads the question from the flags of a command.
    pub from_flags: fn(&clap::ArgMatches, Common) -> Result<Box<dyn Question>>,
    /// The names of its own fields in a job file.
    pub fields: fn() -> Vec<String>,
    /// Reads the question from its own fields in a job file.
    pub from_table: fn(toml::Table, Common) -> Result<Box<dyn Question>>,
}

impl Kind {
    const fn of<S: Spec>() -> Kind {
        Kind {
            name: S::NAME,
            about: S::ABOUT,
            examples: S::EXAMPLES,
            in_report: S::IN_REPORT,
            both_grains: S::BOTH_GRAINS,
            rows: S::ROWS,
            in_jobs: S::IN_JOBS,
            rate: S::RATE,
            flags: |command| S::augment_args(command),
            from_flags: |matches, common| {
                let spec =
                    S::from_arg_matches(matches).map_err(|error| crate::error::Error::question(error.to_string()))?;
                common.settle(spec)
            },
            fields: common::fields::<S>,
            from_table: |table, common| common.settle(common::from_table::<S>(table)?),
        }
    }
}

/// Every kind of question.
pub const KINDS: &[Kind] = &[
    Kind::of::<summary::SummarySpec>(),
    Kind::of::<funnel::FunnelSpec>(),
    Kind::of::<flow::FlowSpec>(),
    Kind::of::<graph::GraphSpec>(),
    Kind::of::<dropoff::DropOffSpec>(),
    Kind::of::<conversion::ConversionSpec>(),
    Kind::of::<paths::PathsSpec>(),
    Kind::of::<abandonment::AbandonmentSpec>(),
    Kind::of::<gaps::GapsSpec>(),
    Kind::of::<rows::SessionsSpec>(),
    Kind::of::<rows::JourneysSpec>(),
];

/// A bound question behind one object-safe face: one virtual call per question and partition, the loop inside is monomorphic.
pub trait Bound: Send + Sync {
    /// One thread's partial and scratch.
    fn start(&self) -> State;

    /// Takes in all visitors of a partition.
    fn fold(&self, state: &mut State, journeys: &Journeys, names: &Names) -> Result<()>;

    /// How many journeys the question was not about.
    fn left_out(&self, state: &State) -> u64;

    /// What it writes of each journey, for questions that answer with rows.
    fn rows(&self) -> Option<&dyn Rows>;

    /// Bytes that the partial in `state` holds.
    fn bytes(&self, state: &State) -> usize;

    /// Writes to disk what the partial in `state` can do without; see [`Analysis::relieve`].
    fn relieve(&self, state: &mut State, spill: &Arc<Spill>) -> Result<()>;

    /// Adds what another thread counted for the same question to `into`; see [`Analysis::merge`].
    fn merge(&self, into: &mut State, from: State);

    /// The report on all that was counted.
    ///
    /// # Errors
    /// If what the state has on disk cannot be read.
    fn finish(&self, state: State, names: &Names) -> Result<Box<dyn Report>>;
}

/// A thread's state of a bound question. Only the question that made it can read it.
pub struct State(Box<dyn Any + Send>);

struct Typed<A: Analysis> {
    partial: A::Partial,
    work: A::Work,
    /// Journeys that the question was not about.
    left_out: u64,
}

impl State {
    fn new<A: Analysis>(analysis: &A) -> State {
        State(Box::new(Typed::<A> { partial: analysis.empty(), work: A::Work::default(), left_out: 0 }))
    }

    fn get<A: Analysis>(&self) -> &Typed<A> {
        self.0.downcast_ref().expect("a state is read by the question that made it")
    }

    fn get_mut<A: Analysis>(&mut self) -> &mut Typed<A> {
        self.0.downcast_mut().expect("a state is read by the question that made it")
    }

    fn into_partial<A: Analysis>(self) -> A::Partial {
        self.0.downcast::<Typed<A>>().expect("a state is read by the question that made it").partial
    }
}

impl<A: Analysis> Bound for A {
    fn start(&self) -> State {
        State::new(self)
    }

    fn fold(&self, state: &mut State, journeys: &Journeys, names: &Names) -> Result<()> {
        let Typed { partial, work, left_out } = state.get_mut::<A>();
        match self.select(journeys, names)? {
            None => journeys.visitors().for_each(|visitor| self.observe(work, partial, visitor)),
            Some(chosen) => {
                chosen.visitors(journeys).for_each(|visitor| self.observe(work, partial, visitor));
                *left_out += chosen.left_out;
            }
        }
        Ok(())
    }

    fn left_out(&self, state: &State) -> u64 {
        state.get::<A>().left_out
    }

    fn rows(&self) -> Option<&dyn Rows> {
        Analysis::rows(self)
    }

    fn bytes(&self, state: &State) -> usize {
        Analysis::bytes(self, &state.get::<A>().partial)
    }

    fn relieve(&self, state: &mut State, spill: &Arc<Spill>) -> Result<()> {
        Analysis::relieve(self, &mut state.get_mut::<A>().partial, spill)
    }

    fn merge(&self, into: &mut State, from: State) {
        let into = into.get_mut::<A>();
        into.left_out += from.get::<A>().left_out;
        Analysis::merge(self, &mut into.partial, from.into_partial::<A>());
    }

    fn finish(&self, state: State, names: &Names) -> Result<Box<dyn Report>> {
        Ok(Box::new(Analysis::finish(self, state.into_partial::<A>(), names)?))
    }
}
