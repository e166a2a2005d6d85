//! The whole run: splits → partitions → questions → answers.
//!
//! Reading and asking are two passes over different things: all threads read splits, in file order, and scatter their events into
//! partitions; when the dictionaries are closed the questions are bound, and all threads take partitions, largest first, group each
//! and ask every question of it. Partials are merged at the end; since merging is commutative and nothing shown depends on codes, the
//! answers are the same bytes whatever the threads did.

mod account;
mod fold;
mod read;

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};

use rayon::ThreadPoolBuilder;
use serde_json::{Value, json};

use crate::analyses::{Notes, Question};
use crate::budget::Budget;
use crate::error::{Error, Result};
use crate::events::{Account, Clock, Mapping, PageRule, Reading, Reject, Roles, Scan, Tally, by_name};
use crate::journeys::{Names, Needs};
use crate::reports::Answer;
use crate::sources::{self, Source, TextOptions};
use account::{account, check_rejects, notes};
use fold::fold;
use read::read;

/// The files of a run and how to read them.
#[derive(Clone, Debug)]
pub struct Input {
    /// In the order that makes the arrival of events.
    pub files: Vec<PathBuf>,
    pub text: TextOptions,
    pub roles: Roles,
    /// Columns that must be there, whether a question names them or not.
    pub dimensions: Vec<String>,
    /// Everything about reading but what to read: the questions say that.
    pub reading: Reading,
}

impl Input {
    /// Files to be read with the defaults: columns are guessed, times without a zone are UTC.
    pub fn of<P: Into<PathBuf>>(files: impl IntoIterator<Item = P>) -> Input {
        let reading = Reading {
            scan: Scan::default(),
            page: PageRule::default(),
            clock: Clock::new(chrono_tz::Tz::UTC, None),
            from: None,
            to: None,
            keep_rejects: false,
        };
        let files = files.into_iter().map(Into::into).collect();
        Input { files, text: TextOptions::default(), roles: Roles::default(), dimensions: Vec::new(), reading }
    }
}

impl Default for Limits {
    /// All processors, 4 GiB, one bad record in ten.
    fn default() -> Self {
        let threads = std::thread::available_parallelism().map_or(1, Into::into);
        Limits { threads, memory: 4 << 30, max_rejects: 0.1, strict: false }
    }
}

/// What a run may use, and what it does with bad records.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    pub threads: usize,
    /// Bytes.
    pub memory: usize,
    /// The greatest share of rejected records that is accepted.
    pub max_rejects: f64,
    /// One rejected record, or one warning about a question, is an error.
    pub strict: bool,
}

/// A question and its name, unique in the run.
pub struct Asked {
    pub name: String,
    pub question: Box<dyn Question>,
}

/// How far a run is, for whoever watches it from another thread.
#[derive(Debug, Default)]
pub struct Progress {
    pub total_bytes: AtomicU64,
    pub bytes: AtomicU64,
    pub events: AtomicU64,
}

/// What a run gives.
pub struct Outcome {
    /// One per question, in their order.
    pub answers: Vec<Answer>,
    pub account: Account,
    /// The rejected records with the number of their file, in the order of the log, if they were kept.
    pub rejects: Vec<(usize, Reject)>,
    /// What was found about the inputs: formats and the columns of the roles.
    pub files: Vec<FileFacts>,
    pub visitors: u64,
    /// The most memory that was counted at one time, in bytes.
    pub peak_memory: usize,
}

/// What was found about one input file.
#[derive(Clone, Debug)]
pub struct FileFacts {
    pub path: PathBuf,
    /// Format, delimiter, compression.
    pub format: String,
    pub bytes: u64,
    pub columns: Vec<String>,
    /// Role or dimension and the name of its column.
    pub roles: Vec<(String, String)>,
}

/// Opens the files and asks all questions in one pass.
pub fn run(input: &Input, asked: &[Asked], limits: &Limits, progress: &Progress) -> Result<Outcome> {
    let mut needs = Needs::default();
    asked.iter().for_each(|asked| needs.add(asked.question.needs()));
    check(&needs)?;
    let reading = Reading { scan: needs.scan.clone(), ..input.reading.clone() };
    let files = open(input, &reading.scan)?;
    progress.total_bytes.store(files.iter().map(|file| file.source.bytes()).sum(), Ordering::Relaxed);
    let pool = ThreadPoolBuilder::new().num_threads(limits.threads).build().map_err(|e| Error::bug(e.to_string()))?;
    let budget = Budget::new(limits.memory);

    let read = read(&pool, &files, &reading, &budget, progress)?;
    let Tally { account: counted, rejects, span } = read.tally;
    check_rejects(&counted, &files, limits)?;

    let (events, pages, dimensions) = read.dictionaries.close();
    let names = Names::new(&needs, events, pages, dimensions, span);
    let shared_notes = notes(&counted, &files);
    let (mut bounds, mut answers_notes) = (Vec::new(), Vec::new());
    for asked in asked {
        let mut notes = Notes::default();
        bounds.push(asked.question.bind(&names, &mut notes).map_err(|e| e.within(&asked.name))?);
        if let (true, Some(note)) = (limits.strict, notes.first_warning()) {
            return Err(Error::question(format!("{}: {note}", asked.name)).hint("--strict makes this an error"));
        }
        answers_notes.push([notes.into_lines(), shared_notes.clone()].concat());
    }
    let folded = fold(&pool, &read.partitions, &names, &bounds, &budget)?;

    let account = account(&counted, folded.visitors);
    let mut answers = Vec::new();
    for (((asked, bound), state), notes) in asked.iter().zip(&bounds).zip(folded.states).zip(answers_notes) {
        let mut account = account.clone();
        let rule = asked.question.needs().sessions.first().map(|rule| names.session(rule)).transpose()?;
        account.insert("sessions".into(), rule.map_or(Value::Null, |rule| json!(folded.sessions[rule])));
        answers.push(Answer {
            schema: asked.question.schema().to_owned(),
            name: asked.name.clone(),
            rules: asked.question.rules(),
            account,
            notes,
            report: bound.finish(state, &names),
        });
    }
    Ok(Outcome {
        answers,
        account: counted,
        rejects,
        files: files.into_iter().map(|file| file.facts).collect(),
        visitors: folded.visitors,
        peak_memory: budget.peak(),
    })
}

/// Conditions are bits of one word.
fn check(needs: &Needs) -> Result<()> {
    if needs.scan.conditions.len() > 64 {
        return Err(Error::question("more than 64 different conditions on events in one run")
            .hint("ask some of the questions in a second run"));
    }
    Ok(())
}

struct OpenFile {
    facts: FileFacts,
    source: Box<dyn Source>,
    mapping: Mapping,
}

/// Opens every file and finds its columns, before anything is read.
fn open(input: &Input, scan: &Scan) -> Result<Vec<OpenFile>> {
    let open = |path: &PathBuf| {
        let source = sources::open(path, &input.text)?;
        let named = |name: &String| by_name(source.columns(), name).map(|_| ());
        input.dimensions.iter().try_for_each(named).map_err(|e| e.within(path.display()))?;
        let mapping = Mapping::new(source.columns(), &input.roles, scan).map_err(|e| e.within(path.display()))?;
        let facts = FileFacts {
            path: path.clone(),
            format: source.describe(),
            bytes: source.bytes(),
            columns: source.columns().to_vec(),
            roles: mapping.roles(source.columns(), scan),
        };
        Ok(OpenFile { facts, source, mapping })
    };
    input.files.iter().map(open).collect()
}
