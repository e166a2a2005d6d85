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
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use arrow_schema::SchemaRef;
use rayon::ThreadPoolBuilder;

use crate::analyses::{Notes, Question};
use crate::budget::Budget;
use crate::error::{Error, Result};
use crate::events::{Account, Clock, Mapping, PageRule, Reading, Reject, Roles, Scan, Tally, by_name, with_derived};
use crate::journeys::{Names, Needs};
use crate::reports::{Answer, RowWriter};
use crate::sources::{self, Source, TextOptions};
use crate::sync::unlocked;
use account::{account, check_rejects};
use fold::{Fold, FoldQuestion};
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

/// Where the rows of a question go: makes a writer for the question of a name, whose rows have these columns.
pub type OpenRows<'a> = dyn Fn(&str, &SchemaRef) -> Result<Box<dyn RowWriter>> + 'a;

/// Opens the files and asks all questions in one pass. Questions that answer with rows need [`run_with_rows`].
pub fn run(input: &Input, asked: &[Asked], limits: &Limits, progress: &Progress) -> Result<Outcome> {
    let nowhere = |name: &str, _: &SchemaRef| -> Result<Box<dyn RowWriter>> {
        Err(Error::question(format!("{name} answers with rows, and nobody takes them")))
    };
    run_with_rows(input, asked, &nowhere, limits, progress)
}

/// The same, for questions some of which answer with rows: these go to the writers that `open_rows` makes.
pub fn run_with_rows(
    input: &Input,
    asked: &[Asked],
    open_rows: &OpenRows<'_>,
    limits: &Limits,
    progress: &Progress,
) -> Result<Outcome> {
    let mut needs = Needs::default();
    asked.iter().for_each(|asked| needs.add(asked.question.needs()));
    check(&needs)?;
    let Scan { filter, derived, .. } = input.reading.scan.clone();
    let reading = Reading { scan: Scan { filter, derived, ..needs.scan.clone() }, ..input.reading.clone() };
    let files = open(input, &reading.scan)?;
    progress.total_bytes.store(files.iter().map(|file| file.source.bytes()).sum(), Ordering::Relaxed);
    let pool = ThreadPoolBuilder::new().num_threads(limits.threads).build().map_err(|e| Error::bug(e.to_string()))?;
    let budget = Budget::new(limits.memory);

    let read = read(&pool, &files, &reading, &budget, progress)?;
    let Tally { account: counted, rejects, span } = read.tally;
    check_rejects(&counted, &files, limits)?;

    let (events, pages, dimensions) = read.dictionaries.close();
    let mut names = Names::new(&needs, events, pages, dimensions, span);
    names.zone = input.reading.clock.zone();
    let Questions { questions, filters, notes } = bind(asked, &names, open_rows, limits)?;
    let fold = Fold {
        partitions: &read.partitions,
        names: &names,
        questions: &questions,
        filters: &filters,
        ids: needs.ids,
        budget: &budget,
    };
    let folded = fold.run(&pool)?;

    let shared_notes = account::notes(&counted, &files);
    let mut answers = Vec::new();
    for (((asked, question), state), notes) in asked.iter().zip(questions).zip(folded.states).zip(notes) {
        let extent = question.filter.map_or(&folded.all, |filter| &folded.filtered[filter]);
        let rule = asked.question.needs().sessions.first().map(|rule| names.session(rule)).transpose()?;
        let account = account(&counted, extent, rule, question.bound.left_out(&state));
        if let Some(rows) = question.rows {
            unlocked(rows).finish()?;
        }
        answers.push(Answer {
            schema: asked.question.schema().to_owned(),
            name: asked.name.clone(),
            rules: asked.question.rules(),
            account,
            notes: [notes, shared_notes.clone()].concat(),
            report: question.bound.finish(state, &names),
        });
    }
    Ok(Outcome {
        answers,
        account: counted,
        rejects,
        files: files.into_iter().map(|file| file.facts).collect(),
        visitors: folded.all.visitors,
        peak_memory: budget.peak(),
    })
}

/// The questions of a run, bound to its names.
struct Questions {
    questions: Vec<FoldQuestion>,
    /// The conditions that choose the events of some questions, each once.
    filters: Vec<usize>,
    /// The notes of each question.
    notes: Vec<Vec<String>>,
}

fn bind(asked: &[Asked], names: &Names, open_rows: &OpenRows<'_>, limits: &Limits) -> Result<Questions> {
    let mut all = Questions { questions: Vec::new(), filters: Vec::new(), notes: Vec::new() };
    for Asked { name, question } in asked {
        let mut notes = Notes::default();
        let bound = question.bind(names, &mut notes).map_err(|error| error.within(name))?;
        if let (true, Some(note)) = (limits.strict, notes.first_warning()) {
            return Err(Error::question(format!("{name}: {note}")).hint("--strict makes this an error"));
        }
        let only = question.needs().only.map(|only| names.condition(&only)).transpose()?;
        let filter = only.map(|condition| {
            all.filters.iter().position(|known| *known == condition).unwrap_or_else(|| {
                all.filters.push(condition);
                all.filters.len() - 1
            })
        });
        let rows = bound.rows().map(|rows| open_rows(name, &rows.schema())).transpose()?.map(Mutex::new);
        all.questions.push(FoldQuestion { bound, filter, rows });
        all.notes.push(notes.into_lines());
    }
    Ok(all)
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
        let columns = with_derived(source.columns(), &scan.derived).map_err(|e| e.within(path.display()))?;
        let named = |name: &String| by_name(&columns, name).map(|_| ());
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
