//! Questions asked from Rust: what goes in is a spec, what comes out is its report, a typed struct.

use std::any::Any;
use std::marker::PhantomData;
use std::path::PathBuf;

use super::{Asked, Input, Limits, Outcome, Progress, run};
use crate::analyses::{CommonSpec, Question, Spec};
use crate::error::Result;
use crate::reports::{Answer, Report};

/// A log and the questions that are to be asked of it, all in one pass.
pub struct Run {
    input: Input,
    limits: Limits,
    asked: Vec<Asked>,
}

/// Where the answer to a question is found: `R` is the type of its report.
pub struct Handle<R> {
    number: usize,
    report: PhantomData<fn() -> R>,
}

impl<R> Clone for Handle<R> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<R> Copy for Handle<R> {}

impl Run {
    /// A run over files, whose order settles the order of equal times. Columns are guessed, times without a zone are UTC.
    pub fn over<P: Into<PathBuf>>(files: impl IntoIterator<Item = P>) -> Run {
        Run::of(Input::of(files))
    }

    /// A run over any input.
    pub fn of(input: Input) -> Run {
        Run { input, limits: Limits::default(), asked: Vec::new() }
    }

    /// The same run with other limits: threads, memory, bad records.
    #[must_use]
    pub fn limits(self, limits: Limits) -> Run {
        Run { limits, ..self }
    }

    /// Asks a question with the default sessions, nodes and grain.
    ///
    /// # Errors
    /// [`Question`](crate::error::ErrorKind::Question) if it is ill-posed.
    pub fn ask<S: Spec>(&mut self, spec: S) -> Result<Handle<S::Report>> {
        self.ask_with(spec, CommonSpec::default())
    }

    /// Asks a question with rules of its own: sessions, nodes, grain, breakdowns, choices.
    ///
    /// # Errors
    /// [`Question`](crate::error::ErrorKind::Question) if it is ill-posed.
    pub fn ask_with<S: Spec>(&mut self, spec: S, common: CommonSpec) -> Result<Handle<S::Report>> {
        let own_sessions = self.input.roles.session.iter().any(|column| column != "none");
        let question = common.resolve_for(S::NAME, own_sessions)?.settle(spec)?;
        Ok(self.ask_question(S::NAME, question))
    }

    /// Asks a question of any kind, one from outside of this crate too. `R` is the type of its report.
    pub fn ask_question<R: Report>(&mut self, name: &str, question: Box<dyn Question>) -> Handle<R> {
        let number = self.asked.len();
        let taken = self
            .asked
            .iter()
            .filter(|asked| asked.name.trim_end_matches(char::is_numeric).trim_end_matches('_') == name)
            .count();
        let name = if taken == 0 { name.to_owned() } else { format!("{name}_{}", taken + 1) };
        self.asked.push(Asked { name, question });
        Handle { number, report: PhantomData }
    }

    /// Reads the log once and answers all questions.
    ///
    /// # Errors
    /// Of every [kind](crate::error::ErrorKind): a file that cannot be read, columns that are not there, too many bad records,
    /// a question that contradicts itself, too little memory.
    pub fn answer(self) -> Result<Answers> {
        run(&self.input, &self.asked, &self.limits, &Progress::default()).map(Answers)
    }
}

/// The answers of a [`Run`].
pub struct Answers(Outcome);

impl Answers {
    /// The report that answers a question.
    ///
    /// # Panics
    /// If the handle belongs to another run, or a question of one's own was asked with another type than its report has.
    pub fn report<R: Report>(&self, handle: Handle<R>) -> &R {
        let report: &dyn Any = &*self.answer(handle).report;
        report.downcast_ref().expect("a question is asked with the type of its report")
    }

    /// The report with its rules, account and notes.
    ///
    /// # Panics
    /// If the handle belongs to another run.
    pub fn answer<R>(&self, handle: Handle<R>) -> &Answer {
        &self.0.answers[handle.number]
    }

    /// All else that the run gave: the account, the files, the rejected records.
    pub fn outcome(&self) -> &Outcome {
        &self.0
    }

    /// All answers in the order of their questions, for an output [format](crate::reports::Format).
    pub fn into_outcome(self) -> Outcome {
        self.0
    }
}
