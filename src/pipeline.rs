//! The whole run: splits → partitions → questions → answers.
//!
//! Reading and asking are two passes over different things: all threads read splits, in file order, and scatter their events into
//! partitions; when the dictionaries are closed the questions are bound, and all threads take partitions, largest first, group each
//! and ask every question of it. Partials are merged at the end; since merging is commutative and nothing shown depends on codes, the
//! answers are the same bytes whatever the threads did.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rayon::{ThreadPool, ThreadPoolBuilder};
use serde_json::{Map, Value, json};

use crate::analyses::{Bound, Notes, Question, State};
use crate::budget::{Budget, Held};
use crate::error::{Error, ErrorKind, Result};
use crate::events::{
    Account, Clock, Decoder, Dictionaries, EventBatch, Mapping, PageRule, Reading, Reason, Reject, Roles, Scan, Tally,
    by_name,
};
use crate::journeys::{Arrival, Grouper, Journeys, Names, Needs, PARTITIONS, Partitions, Scatter, Store};
use crate::reports::Answer;
use crate::sources::{self, Reader, Source, TextOptions};

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

    let account = account(&counted, &folded);
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

struct Read {
    partitions: Partitions,
    dictionaries: Dictionaries,
    tally: Tally,
}

/// Reads all files with all threads.
fn read(
    pool: &ThreadPool,
    files: &[OpenFile],
    reading: &Reading,
    budget: &Budget,
    progress: &Progress,
) -> Result<Read> {
    let dictionaries = Dictionaries::new(reading.scan.dimensions.len());
    let work = ReadWork {
        slots: files.iter().map(|_| Mutex::new(Slot::Waiting)).collect(),
        store: Store::default(),
        failure: Failure::default(),
        files,
        budget,
        progress,
    };
    let parts = pool.broadcast(|_| {
        let mut decoder = Decoder::new(reading, &dictionaries, budget);
        work.read_splits(&mut decoder);
        decoder.finish()
    });
    let ReadWork { store, failure, .. } = work;
    failure.into_result()?;
    let mut tally = Tally::default();
    parts.into_iter().for_each(|part| tally.add(part));
    tally.rejects.sort_by_key(|(file, reject)| (*file, reject.place));
    Ok(Read { partitions: store.close(), dictionaries, tally })
}

/// What all reading threads share.
struct ReadWork<'a> {
    files: &'a [OpenFile],
    slots: Vec<Mutex<Slot>>,
    store: Store,
    failure: Failure,
    budget: &'a Budget,
    progress: &'a Progress,
}

/// A file's reader, which is opened late and closed early: a run may have more files than the system lets be open.
enum Slot {
    Waiting,
    Open(Arc<dyn Reader>),
    Done,
}

/// What one reading thread works with.
struct ReadScratch<'a> {
    batch: EventBatch,
    scatter: Scatter,
    held: Held<'a>,
}

/// A batch is scattered when it holds this many events, so that memory stays bounded however large a split is.
const FULL_BATCH: usize = 1 << 18;

impl ReadWork<'_> {
    fn read_splits(&self, decoder: &mut Decoder<'_>) {
        let held = Held::new(self.budget, "the records being read");
        let mut scratch = ReadScratch { batch: EventBatch::default(), scatter: Scatter::default(), held };
        for file in 0..self.files.len() {
            let mut arrival = Arrival { file: file as u32, split: 0, part: 0 };
            let result = self.read_file(&mut arrival, decoder, &mut scratch);
            if let Err(error) = result {
                self.failure.note(arrival, error);
            }
            if self.failure.happened() {
                return;
            }
        }
    }

    fn read_file(&self, arrival: &mut Arrival, decoder: &mut Decoder<'_>, scratch: &mut ReadScratch<'_>) -> Result<()> {
        let ReadScratch { batch, scatter, held } = scratch;
        let file = arrival.file as usize;
        let Some(reader) = self.reader(file)? else { return Ok(()) };
        while !self.failure.happened() {
            let Some(split) = reader.next()? else {
                *lock(&self.slots[file]) = Slot::Done;
                return Ok(());
            };
            (arrival.split, arrival.part) = (split.number, 0);
            for raw in split.batches {
                let raw = raw?;
                let before = batch.columns.len();
                held.hold(raw.held_bytes() + batch.held_bytes())?;
                let decoded = decoder.decode(file, &raw, &self.files[file].mapping, batch);
                decoded.map_err(|error| self.named(file, error))?;
                self.progress.bytes.fetch_add(raw.bytes, Ordering::Relaxed);
                self.progress.events.fetch_add((batch.columns.len() - before) as u64, Ordering::Relaxed);
                if batch.columns.len() >= FULL_BATCH {
                    self.store.add(*arrival, batch, scatter, self.budget)?;
                    arrival.part += 1;
                }
            }
            self.store.add(*arrival, batch, scatter, self.budget)?;
        }
        Ok(())
    }

    /// An error about columns does not know its file.
    fn named(&self, file: usize, error: Error) -> Error {
        if error.kind() == ErrorKind::Mapping { error.within(self.files[file].facts.path.display()) } else { error }
    }

    fn reader(&self, file: usize) -> Result<Option<Arc<dyn Reader>>> {
        let mut slot = lock(&self.slots[file]);
        if let Slot::Waiting = *slot {
            let OpenFile { source, mapping, .. } = &self.files[file];
            *slot = Slot::Open(Arc::from(source.read(&mapping.wanted)?));
        }
        Ok(match &*slot {
            Slot::Open(reader) => Some(Arc::clone(reader)),
            Slot::Waiting | Slot::Done => None,
        })
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The first failure in the order of the log. Splits are taken in order, so all before a failed one are read to their end and the
/// error that is reported does not depend on the threads.
#[derive(Default)]
struct Failure {
    happened: AtomicBool,
    first: Mutex<Option<(Arrival, Error)>>,
}

impl Failure {
    fn happened(&self) -> bool {
        self.happened.load(Ordering::Relaxed)
    }

    fn note(&self, arrival: Arrival, error: Error) {
        let mut first = lock(&self.first);
        if first.as_ref().is_none_or(|(known, _)| arrival < *known) {
            *first = Some((arrival, error));
        }
        self.happened.store(true, Ordering::Relaxed);
    }

    fn into_result(self) -> Result<()> {
        match self.first.into_inner().unwrap_or_else(PoisonError::into_inner) {
            Some((_, error)) => Err(error),
            None => Ok(()),
        }
    }
}

struct Folded {
    /// One merged state per question.
    states: Vec<State>,
    visitors: u64,
    /// Sessions by session rule.
    sessions: Vec<u64>,
}

/// Groups every partition and asks all questions of it.
fn fold(
    pool: &ThreadPool,
    partitions: &Partitions,
    names: &Names,
    bounds: &[Box<dyn Bound>],
    budget: &Budget,
) -> Result<Folded> {
    let mut order: Vec<usize> = (0..PARTITIONS).filter(|&partition| partitions.events(partition) > 0).collect();
    order.sort_by_key(|&partition| std::cmp::Reverse(partitions.events(partition)));
    let (next, stop) = (AtomicUsize::new(0), AtomicBool::new(false));
    let parts: Vec<Result<Folded>> = pool.broadcast(|_| {
        let mut worker = FoldWorker::new(names, bounds, budget);
        while let Some(&partition) = order.get(next.fetch_add(1, Ordering::Relaxed)) {
            if stop.load(Ordering::Relaxed) {
                break;
            }
            worker.fold(partitions, partition).inspect_err(|_| stop.store(true, Ordering::Relaxed))?;
        }
        Ok(worker.folded)
    });
    let mut total: Option<Folded> = None;
    for part in parts {
        let part = part?;
        total = Some(match total {
            None => part,
            Some(total) => merge(total, part, bounds),
        });
    }
    total.ok_or_else(|| Error::bug("a run without threads"))
}

fn merge(mut into: Folded, from: Folded, bounds: &[Box<dyn Bound>]) -> Folded {
    for ((bound, into), from) in bounds.iter().zip(&mut into.states).zip(from.states) {
        bound.merge(into, from);
    }
    into.visitors += from.visitors;
    into.sessions.iter_mut().zip(from.sessions).for_each(|(into, from)| *into += from);
    into
}

/// One thread that folds partitions.
struct FoldWorker<'a> {
    names: &'a Names,
    bounds: &'a [Box<dyn Bound>],
    budget: &'a Budget,
    grouper: Grouper,
    journeys: Journeys,
    folded: Folded,
    states_held: Held<'a>,
}

impl<'a> FoldWorker<'a> {
    fn new(names: &'a Names, bounds: &'a [Box<dyn Bound>], budget: &'a Budget) -> Self {
        let folded = Folded {
            states: bounds.iter().map(|bound| bound.start()).collect(),
            visitors: 0,
            sessions: vec![0; names.session_rules().len()],
        };
        let (grouper, journeys) = (Grouper::default(), Journeys::default());
        let states_held = Held::new(budget, "the counts of the answers");
        FoldWorker { names, bounds, budget, grouper, journeys, folded, states_held }
    }

    fn fold(&mut self, partitions: &Partitions, partition: usize) -> Result<()> {
        let mut working = Held::new(self.budget, "the visitors of one partition");
        working.hold(partitions.working_bytes(partition, self.names))?;
        partitions.group(partition, &mut self.grouper, &mut self.journeys);
        self.journeys.prepare(self.names);
        for (bound, state) in self.bounds.iter().zip(&mut self.folded.states) {
            bound.fold(state, &self.journeys);
        }
        self.folded.visitors += self.journeys.visitors().count() as u64;
        for (rule, sessions) in self.folded.sessions.iter_mut().enumerate() {
            *sessions += self.journeys.sessions(rule) as u64;
        }
        drop(working);
        let states = self.bounds.iter().zip(&self.folded.states);
        self.states_held.hold(states.map(|(bound, state)| bound.bytes(state)).sum())
    }
}

/// Too many rejected records are an error.
fn check_rejects(account: &Account, files: &[OpenFile], limits: &Limits) -> Result<()> {
    let rejected = account.rejected();
    let share = rejected as f64 / account.records.max(1) as f64;
    let allowed = if limits.strict { 0.0 } else { limits.max_rejects };
    if rejected == 0 || share <= allowed {
        return Ok(());
    }
    let reasons: Vec<String> = account.rejected.keys().map(|reason| rejected_note(account, *reason, files)).collect();
    let message = format!("{rejected} of {} records cannot be used: {}", account.records, reasons.join("; "));
    let hint = if limits.strict {
        "without --strict such records are skipped and counted"
    } else {
        "check the columns and the time format with clickpath inspect, write the bad records out with --rejects FILE, or accept more with --max-rejects"
    };
    Err(Error::input(message).hint(hint))
}

/// `3 unreadable time (first: line 7 of log.csv: …)`.
fn rejected_note(account: &Account, reason: Reason, files: &[OpenFile]) -> String {
    let count = account.rejected[&reason];
    let Some(first) = account.first.get(&reason) else { return format!("{count} × {}", reason.name()) };
    let text = first.reject.text.as_deref().map(|text| {
        let shown = String::from_utf8_lossy(text);
        let cut: String = shown.chars().take(80).collect();
        format!(": {cut:?}")
    });
    let path = files[first.file].facts.path.display();
    // Typed files have rows and no text.
    let unit = if text.is_some() { "line" } else { "row" };
    format!("{count} × {} (first: {unit} {} of {path}{})", reason.name(), first.reject.place, text.unwrap_or_default())
}

/// What a reader of any answer must know about the input.
fn notes(account: &Account, files: &[OpenFile]) -> Vec<String> {
    let mut notes: Vec<String> = account.rejected.keys().map(|reason| rejected_note(account, *reason, files)).collect();
    if let Some(first) = notes.first_mut() {
        first.insert_str(0, "rejected records: ");
    }
    let clock = account.clock;
    for (count, what) in [
        (clock.repeated, "local times occur twice (end of summer time) and were read as the first"),
        (clock.skipped, "local times do not exist (start of summer time) and were moved forward"),
        (clock.leap, "leap seconds were read as the second before"),
    ] {
        if count > 0 {
            notes.push(format!("{count} {what}"));
        }
    }
    notes
}

/// The account as it stands in every report.
fn account(account: &Account, folded: &Folded) -> Map<String, Value> {
    let Value::Object(map) = json!({
        "records": account.records,
        "events_read": account.events_read(),
        "used": account.used,
        "filtered": account.filtered,
        "duplicates": account.duplicates,
        "rejected": account.rejected(),
        "rejected_reasons": account.rejected.iter().map(|(reason, count)| (reason.name().to_owned(), json!(count))).collect::<Map<_, _>>(),
        "nulled": account.nulled,
        "visitors": folded.visitors,
        "sessions": null,
    }) else {
        return Map::new();
    };
    map
}
