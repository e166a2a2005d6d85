//! The whole run: splits → partitions → questions → answers.
//!
//! Reading and asking are two passes over different things: all threads read splits, in file order, and scatter their events into
//! partitions; when the dictionaries are closed the questions are bound, and all threads take partitions, largest first, group each
//! and ask every question of it. Partials are merged at the end; since merging is commutative and nothing shown depends on codes, the
//! answers are the same bytes whatever the threads did.

mod account;
mod ask;
mod check;
mod fold;
mod open;
mod read;

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use arrow_schema::SchemaRef;
use chrono::{DateTime, SecondsFormat};
use rayon::ThreadPoolBuilder;
use rayon::prelude::*;
use serde_json::{Map, Value, json};

use crate::analyses::{Notes, Question, State};
use crate::budget::Budget;
use crate::error::{Error, Result};
use crate::events::{Account, Clock, PageRule, Reading, Reject, Roles, Scan, Tally};
use crate::journeys::{Names, Needs, Store};
use crate::reports::{Answer, RowWriter};
use crate::sources::{Constant, Source, TextOptions};
use crate::spill::Spill;
use crate::sync::unlocked;
pub use ask::{Answers, Handle, Run};
pub use check::{Checked, check};

use account::{account, check_rejects};
use fold::{Extent, Fold, FoldQuestion, make_room};
use open::{Opened, open};
use read::read;

/// An input file.
#[derive(Clone, Debug)]
pub struct InputFile {
    /// `-` is standard input.
    pub path: PathBuf,
    /// Columns that its folders name, beside those that it has.
    pub constants: Vec<Constant>,
}

impl From<PathBuf> for InputFile {
    fn from(path: PathBuf) -> Self {
        InputFile { path, constants: Vec::new() }
    }
}

/// A source that is given to a run, and what it is called in messages.
#[derive(Clone)]
pub struct Given {
    /// What messages call it.
    pub name: String,
    /// Its columns and records.
    pub source: Arc<dyn Source>,
}

impl std::fmt::Debug for Given {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ({})", self.name, self.source.describe())
    }
}

/// The files of a run and how to read them.
#[derive(Clone, Debug)]
pub struct Input {
    /// In the order that makes the arrival of events.
    pub files: Vec<InputFile>,
    /// Sources that are read after the files: data frames, or formats of one's own.
    pub sources: Vec<Given>,
    /// Format, delimiter and encoding of the files; what is left open is found out from each.
    pub text: TextOptions,
    /// Which columns are the visitor, the time and so on; what is left open is guessed.
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
        let files = files.into_iter().map(|path| InputFile::from(path.into())).collect();
        let text = TextOptions::default();
        Input { files, sources: Vec::new(), text, roles: Roles::default(), dimensions: Vec::new(), reading }
    }

    /// The same input with another source behind it, called `name`.
    #[must_use]
    pub fn and(mut self, name: impl Into<String>, source: Arc<dyn Source>) -> Input {
        self.sources.push(Given { name: name.into(), source });
        self
    }

    /// What the input makes of the log before any question is asked: printed beside every answer where it is not the default.
    fn rules(&self) -> Map<String, Value> {
        let Reading { scan, page, clock, from, to, .. } = &self.reading;
        let time = |micros: &Option<i64>| {
            let time = micros.and_then(DateTime::from_timestamp_micros);
            time.map(|time| json!(time.to_rfc3339_opts(SecondsFormat::AutoSi, true)))
        };
        let derived = scan.derived.iter().map(|derived| format!("{} = {}", derived.name, derived.expression.text()));
        let derived: Vec<String> = derived.collect();
        let rules = [
            ("tz", (clock.zone() != chrono_tz::Tz::UTC).then(|| json!(clock.zone().name()))),
            ("from", time(from)),
            ("to", time(to)),
            ("where", scan.filter.as_ref().map(|filter| json!(filter.text()))),
            ("derive", (!derived.is_empty()).then(|| json!(derived))),
            ("fold_ids", page.fold_ids.then(|| json!(true))),
        ];
        rules.into_iter().filter_map(|(name, rule)| Some((format!("input.{name}"), rule?))).collect()
    }

    /// Every rule that an answer to `question` follows: its own, and those of the input.
    pub fn all_rules(&self, question: &dyn Question) -> Map<String, Value> {
        question.rules().into_iter().chain(self.rules()).collect()
    }

    /// What is read for the questions that need `asked`, with the filter and the derived columns of the input.
    fn scan(&self, asked: &Scan) -> Scan {
        let Scan { filter, derived, .. } = self.reading.scan.clone();
        Scan { filter, derived, ..asked.clone() }
    }
}

impl Default for Limits {
    /// All processors, 4 GiB, one bad record in ten.
    fn default() -> Self {
        let threads = std::thread::available_parallelism().map_or(1, Into::into);
        Limits { threads, memory: 4 << 30, spill_dir: None, max_rejects: 0.1, strict: false }
    }
}

/// What a run may use, and what it does with bad records.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Threads that read, and then ask, at the same time.
    pub threads: usize,
    /// Bytes.
    pub memory: usize,
    /// The folder for events and counts that do not fit into memory; the system's for temporary files if not given.
    pub spill_dir: Option<PathBuf>,
    /// The greatest share of rejected records that is accepted.
    pub max_rejects: f64,
    /// One rejected record, or one warning about a question, is an error.
    pub strict: bool,
}

/// A question and its name, unique in the run.
pub struct Asked {
    /// What its answer is called.
    pub name: String,
    /// What is asked, every rule settled.
    pub question: Box<dyn Question>,
}

/// How far a run is, for whoever watches it from another thread.
#[derive(Debug, Default)]
pub struct Progress {
    /// The size of all inputs as stored, in bytes; 0 until they are open.
    pub total_bytes: AtomicU64,
    /// How many of these bytes have been read.
    pub bytes: AtomicU64,
    /// Events that have been used.
    pub events: AtomicU64,
}

/// What a run gives.
pub struct Outcome {
    /// One per question, in their order.
    pub answers: Vec<Answer>,
    /// What became of all records that were read.
    pub account: Account,
    /// The rejected records with the number of their file, in the order of the log, if they were kept.
    pub rejects: Vec<(usize, Reject)>,
    /// What was found about the inputs: formats and the columns of the roles.
    pub files: Vec<FileFacts>,
    /// Distinct visitors with a used event.
    pub visitors: u64,
    /// The most memory that was counted at one time, in bytes.
    pub peak_memory: usize,
    /// Bytes of events and counts that were written to disk meanwhile.
    pub spilled: u64,
    /// Partitions that have visitors.
    pub partitions: usize,
    /// How long each part of the run took.
    pub timings: Timings,
}

impl Outcome {
    /// The account of the whole run, as it stands in files: of all questions together, and so without sessions, which belong to
    /// the rule of a question.
    pub fn totals(&self) -> Map<String, Value> {
        let all = Extent { events: self.account.used, visitors: self.visitors, sessions: Vec::new() };
        let mut totals = account(&self.account, &all, None, 0);
        totals.shift_remove("sessions");
        totals
    }
}

/// How long each part of a run took. Never part of an answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Timings {
    /// Opening the files and finding their columns.
    pub open: Duration,
    /// Reading them into partitions, and closing the dictionaries.
    pub read: Duration,
    /// Asking all questions of all partitions.
    pub fold: Duration,
    /// Making reports of what was counted.
    pub finish: Duration,
}

/// What was found about one input file.
#[derive(Clone, Debug)]
pub struct FileFacts {
    /// Where it is; of a source that was given to the run, its name.
    pub path: PathBuf,
    /// Format, delimiter, compression.
    pub format: String,
    /// Its size as stored, in bytes.
    pub bytes: u64,
    /// Names of its columns in order; behind them those that only its folders or other files have.
    pub columns: Vec<String>,
    /// Role or dimension and the name of its column.
    pub roles: Vec<(String, String)>,
}

/// The events of a run are stored in 2 to this power partitions: few enough that scattering stays in the cache, enough that a
/// partition does.
const PARTITION_BITS: u32 = 8;

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
    let mut clock = Stopwatch::start();
    let mut needs = Needs::default();
    asked.iter().for_each(|asked| needs.add(asked.question.needs()));
    check_limits(&needs)?;
    let spill = Arc::new(limits.spill_dir.as_deref().map_or_else(|| Ok(Spill::new()), Spill::within)?);
    let reading = Reading { scan: input.scan(&needs.scan), ..input.reading.clone() };
    let Opened { files, notes: input_notes } = open(input, &reading.scan)?;
    if let (true, Some(note)) = (limits.strict, input_notes.first()) {
        return Err(Error::mapping(note).hint("--strict makes this an error"));
    }
    progress.total_bytes.store(files.iter().map(|file| file.source.bytes()).sum(), Ordering::Relaxed);
    let pool = ThreadPoolBuilder::new().num_threads(limits.threads).build().map_err(|e| Error::bug(e.to_string()))?;
    let budget = Budget::new(limits.memory);
    let open = clock.lap();

    let store = Store::new(PARTITION_BITS, Arc::clone(&spill));
    let mut read = read(&pool, &files, &reading, store, &budget, progress)?;
    let Tally { account: counted, rejects, span, .. } = read.tally;
    check_rejects(&counted, &files, limits)?;

    let (events, pages, dimensions) = read.dictionaries.close();
    let mut names = Names::new(&needs, events, pages, dimensions, span);
    names.zone = input.reading.clock.zone();
    let Questions { questions, filters, notes } = bind(asked, &names, open_rows, limits)?;
    let read_time = clock.lap();
    make_room(&mut read.partitions, &names, filters.len(), &budget)?;
    let fold = Fold {
        partitions: &read.partitions,
        names: &names,
        questions: &questions,
        filters: &filters,
        ids: needs.ids,
        budget: &budget,
        spill: &spill,
    };
    let folded = fold.run(&pool)?;
    let fold_time = clock.lap();

    let partitions = (0..read.partitions.count()).filter(|&partition| read.partitions.events(partition) > 0).count();
    let finish = |(question, state): (&FoldQuestion, State)| {
        let left_out = question.bound.left_out(&state);
        Ok((left_out, question.bound.finish(state, &names)?))
    };
    let finish_all = || questions.par_iter().zip(folded.states).map(finish).collect::<Vec<Result<_>>>();
    // Giving the memory of the events back takes as long as finishing.
    let (finished, ()) = pool.install(|| rayon::join(finish_all, || drop(read.partitions)));

    let shared_notes = [input_notes, account::notes(&counted, &files)].concat();
    let mut answers = Vec::new();
    for (((asked, question), finished), notes) in asked.iter().zip(questions).zip(finished).zip(notes) {
        let (left_out, report) = finished?;
        let extent = question.filter.map_or(&folded.all, |filter| &folded.filtered[filter]);
        let rule = asked.question.needs().sessions.first().map(|rule| names.session(rule)).transpose()?;
        let account = account(&counted, extent, rule, left_out);
        let answer = Answer {
            schema: asked.question.schema().to_owned(),
            name: asked.name.clone(),
            rules: input.all_rules(&*asked.question),
            account,
            notes: [notes, shared_notes.clone()].concat(),
            report,
        };
        if let Some(rows) = question.rows {
            unlocked(rows).finish(&answer)?;
        }
        answers.push(answer);
    }
    Ok(Outcome {
        answers,
        account: counted,
        rejects,
        files: files.into_iter().map(|file| file.facts).collect(),
        visitors: folded.all.visitors,
        peak_memory: budget.peak(),
        partitions,
        timings: Timings { open, read: read_time, fold: fold_time, finish: clock.lap() },
        spilled: spill.bytes(),
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

/// Measures one part of a run after the other.
struct Stopwatch(Instant);

impl Stopwatch {
    fn start() -> Self {
        Stopwatch(Instant::now())
    }

    /// The time since the last call.
    fn lap(&mut self) -> Duration {
        let now = Instant::now();
        now - std::mem::replace(&mut self.0, now)
    }
}

/// Conditions are bits of one word.
fn check_limits(needs: &Needs) -> Result<()> {
    if needs.scan.conditions.len() > 64 {
        return Err(Error::question("more than 64 different conditions on events in one run")
            .hint("ask some of the questions in a second run"));
    }
    Ok(())
}
