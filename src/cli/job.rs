//! `clickpath run JOB.toml`: many questions, one pass over the data.

mod variables;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Instant;

use arrow_schema::SchemaRef;
use clap::{Arg, ArgAction, ArgMatches, Args, Command, ValueHint, value_parser};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::args::{InputSpec, OutputArgs, RunArgs};
use super::input::refuse_overwriting;
use super::printer::Printer;
use super::rows::{self, RowFiles, Tee};
use super::stats::{Stats, file_facts};
use super::verdict::{self, Floors, Verdict, judge};
use super::{described, parsed, perform, say_notes};
use crate::analyses::common::{from_table, unknown_key};
use crate::analyses::{CommonSpec, KINDS, Kind, NamedSteps, Question};
use crate::error::{Error, Result};
use crate::pipeline::{Asked, Outcome};
use crate::reports::{self, Answer, Cell, Format, Options, RowWriter, file, json::document};
use crate::sources::STANDARD_INPUT;
use crate::units::Fraction;
use variables::Variables;

/// The table `[output]`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct OutputSpec {
    /// The folder of the answers.
    dir: Option<PathBuf>,
    /// The forms that each answer is written in.
    formats: Vec<String>,
    csv_raw: bool,
}

/// A job file: what is read, the questions, and where the answers go.
pub(super) struct Job {
    /// Its path, for people.
    pub name: String,
    pub input: InputSpec,
    pub asked: Vec<Asked>,
    /// Why those questions that are not asked cannot be.
    pub refused: Vec<Error>,
    /// Likely mistakes that do not keep it from being run.
    pub warnings: Vec<String>,
    floors: Floors,
    output: OutputSpec,
}

/// Adds the job file, its variables, and what is read instead of the job's files.
pub(super) fn with_job(command: Command) -> Command {
    let job = Arg::new("job")
        .value_name("JOB.toml")
        .required(true)
        .value_parser(value_parser!(PathBuf))
        .value_hint(ValueHint::FilePath)
        .help("The job file. Files and the output folder that it names are relative to it");
    let inputs = Arg::new("inputs")
        .value_name("INPUT")
        .num_args(0..)
        .value_hint(ValueHint::AnyPath)
        .help("Log files, globs, folders, or - for standard input, instead of the job's");
    let set = Arg::new("set")
        .long("set")
        .value_name("NAME=VALUE")
        .action(ArgAction::Append)
        .help("What ${NAME} stands for in the texts of the job (repeatable) [default: by the environment]");
    command.arg(job).arg(inputs).arg(set)
}

pub fn command() -> Command {
    let folder = Arg::new("output_dir")
        .long("output-dir")
        .value_name("DIR")
        .value_parser(value_parser!(PathBuf))
        .value_hint(ValueHint::DirPath)
        .help("The folder of the answers instead of the job's; without either they go to standard output");
    let command = RunArgs::augment_args(OutputArgs::augment_args(with_job(Command::new("run")).arg(folder)));
    described(
        command,
        "Many questions, one pass over the data: the batch job",
        "clickpath run sample-data/job.toml --output-dir out",
    )
}

/// Reads the job that the command line names. What the command line says wins.
pub(super) fn load(matches: &ArgMatches) -> Result<Job> {
    let path: &PathBuf = matches.get_one("job").ok_or_else(|| Error::bug("the job file is required"))?;
    let mut variables = Variables::new(matches.get_many::<String>("set").unwrap_or_default())?;
    let text = std::fs::read_to_string(path).map_err(|error| Error::io(path, &error))?;
    let within = |error: Error| error.within(path.display());
    let mut job = parse(&text, path.parent().unwrap_or(Path::new("")), &mut variables).map_err(within)?;
    job.name = path.display().to_string();
    job.refused = job.refused.into_iter().map(within).collect();
    job.warnings = job.warnings.into_iter().map(|warning| format!("{}: {warning}", path.display())).collect();
    if let Some(inputs) = matches.get_many::<String>("inputs") {
        job.input.files = inputs.cloned().collect();
    }
    match job.warnings.first() {
        Some(warning) if job.input.strict => Err(Error::question(warning.clone()).hint("strict makes this an error")),
        _ => Ok(job),
    }
}

impl Job {
    /// Whether it names a folder for its answers.
    pub fn has_folder(&self) -> bool {
        self.output.dir.is_some()
    }

    /// The forms of the answers: the flag wins over the job file; JSON if neither says.
    pub fn formats(&self, flags: &OutputArgs) -> Result<Vec<&'static dyn Format>> {
        let named: Vec<&str> = match &flags.format {
            Some(format) => vec![format],
            None if self.output.formats.is_empty() => vec!["json"],
            None => self.output.formats.iter().map(String::as_str).collect(),
        };
        named.into_iter().map(reports::find).collect()
    }
}

pub fn run(matches: &ArgMatches) -> Result<Verdict> {
    let run: RunArgs = parsed(matches)?;
    let output: OutputArgs = parsed(matches)?;
    output.check()?;
    let mut job = load(matches)?;
    if !job.refused.is_empty() {
        return Err(job.refused.swap_remove(0));
    }
    if let Some(folder) = matches.get_one::<PathBuf>("output_dir") {
        job.output.dir = Some(folder.clone());
    }
    let formats = job.formats(&output)?;
    let start = Instant::now();
    if let (Some(folder), true) = (&job.output.dir, !output.output.is_empty() || output.table.is_some()) {
        return Err(Error::question(format!(
            "the answers go whole into the folder {}: -o and --table say otherwise",
            folder.display()
        ))
        .hint("leave out -o and --table, or the output folder"));
    }
    let printer = Printer::new(&run);
    job.warnings.iter().for_each(|warning| printer.note(&format!("note: {warning}")));
    let Some(folder) = &job.output.dir else {
        output.check_terminal()?;
        let stats = Stats::begin(&run, &job.input)?;
        let outcome = perform(&job.input, &run, &job.asked, &output.output, &rows::refuse)?;
        let output = OutputArgs { csv_raw: output.csv_raw || job.output.csv_raw, ..output };
        output.write(&outcome.answers, &run)?;
        stats.commit(&outcome)?;
        return Ok(judge(&outcome.answers, &job.floors));
    };
    let options = Options { csv_raw: output.csv_raw || job.output.csv_raw, ..Options::default() };
    let mut batch = file::Batch::create(folder)?;
    let stats = Stats::begin(&run, &job.input)?;
    let row_files = RowFiles::default();
    let with_rows = RefCell::new(BTreeSet::new());
    let open_rows = |name: &str, schema: &SchemaRef| -> Result<Box<dyn RowWriter>> {
        if let Some(file) = rows::file_of(&job.asked, name) {
            let pending = batch.open(&file.to_string_lossy())?;
            return row_files.writer(pending, reports::find_for_rows(file)?, schema, &options);
        }
        with_rows.borrow_mut().insert(name.to_owned());
        let writer = |format: &&'static dyn Format| {
            let pending = batch.open(&format!("{name}.{}", format.suffixes()[0]))?;
            row_files.writer(pending, *format, schema, &options)
        };
        Ok(Box::new(Tee(row_formats(&formats)?.iter().map(writer).collect::<Result<_>>()?)))
    };
    let outcome = perform(&job.input, &run, &job.asked, &output.output, &open_rows)?;
    say_notes(&run, &outcome.answers);
    let inputs: Vec<PathBuf> = outcome.files.iter().map(|file| file.path.clone()).collect();
    for rows in row_files.complete() {
        refuse_overwriting(&inputs, [&rows.path().to_owned()].into_iter())?;
        batch.keep(rows)?;
    }
    let mut idle = formats.clone();
    for answer in &outcome.answers {
        // A form that holds the rows of a question holds nothing beside them.
        let of_rows = with_rows.borrow().contains(&answer.name);
        for format in formats.iter().filter(|format| !(of_rows && format.holds_rows())) {
            for part in format.files(answer, &options)? {
                refuse_overwriting(&inputs, [&folder.join(&part.name)].into_iter())?;
                batch.add(&part.name, &part.bytes)?;
                idle.retain(|idle| idle.name() != format.name());
            }
        }
    }
    // No reason to lose the other files of a long run.
    for format in idle {
        Printer::new(&run).note(&format!("note: no answer of the job can be written as {}", format.name()));
    }
    let mut last = batch.open("run.json")?;
    stats.check(std::slice::from_ref(&last))?;
    stats.check(batch.files())?;
    let record = document(&record(&outcome, &job.floors, batch.files(), start.elapsed().as_secs_f64()))?;
    std::io::Write::write_all(&mut last, &record).map_err(|error| Error::io(last.path(), &error))?;
    batch.commit(last)?;
    stats.commit(&outcome)?;
    Ok(judge(&outcome.answers, &job.floors))
}

/// What `run.json` says: everything needed to trust the files beside it.
fn record(outcome: &Outcome, floors: &Floors, files: &[file::Pending], seconds: f64) -> Value {
    let name = |path: &Path| path.file_name().map(|name| name.to_string_lossy().into_owned());
    let question = |answer: &Answer| {
        let mut question = json!({
            "name": answer.name, "schema": answer.schema, "rules": answer.rules, "account": answer.account,
            "notes": answer.notes,
        });
        if let Some(&floor) = floors.get(&answer.name) {
            let rate = answer.report.rate();
            question["fail_under"] = json!({
                "wanted": Cell::Rate(floor.0).json(), "rate": Cell::rate(rate).json(), "missed": !verdict::reaches(rate, floor),
            });
        }
        question
    };
    json!({
        "schema": "clickpath.run/1",
        "version": env!("CARGO_PKG_VERSION"),
        "inputs": outcome.files.iter().map(file_facts).collect::<Vec<_>>(),
        "questions": outcome.answers.iter().map(question).collect::<Vec<_>>(),
        "files": files.iter().map(|file| json!({ "file": name(file.path()), "bytes": file.size() })).collect::<Vec<_>>(),
        "account": outcome.totals(),
        "seconds": (seconds * 1000.0).round() / 1000.0,
    })
}

/// The forms in which the rows of a question are written: those of the job that can hold rows, or JSON Lines.
fn row_formats(formats: &[&'static dyn Format]) -> Result<Vec<&'static dyn Format>> {
    let fit: Vec<_> = formats.iter().copied().filter(|format| format.holds_rows()).collect();
    if fit.is_empty() { Ok(vec![reports::find("jsonl")?]) } else { Ok(fit) }
}

/// Reads a job file, whose paths are relative to `folder`.
fn parse(text: &str, folder: &Path, variables: &mut Variables) -> Result<Job> {
    let mut table: toml::Table = text.parse().map_err(|error: toml::de::Error| ill_formed(text, &error))?;
    let tables = ["input", "sessions", "nodes", "steps", "output"];
    let known: Vec<&str> =
        tables.into_iter().chain(KINDS.iter().filter(|kind| kind.in_jobs).map(|kind| kind.name)).collect();
    if let Some(unknown) = table.keys().find(|key| !known.contains(&key.as_str())) {
        return Err(unknown_key(unknown, known));
    }
    variables.fill_all("", &mut table)?;
    let mut input: InputSpec = section(&mut table, "input")?;
    for file in input.files.iter_mut().filter(|file| *file != STANDARD_INPUT) {
        *file = folder.join(&*file).to_string_lossy().into_owned();
    }
    input.rejects = input.rejects.map(|path| folder.join(path));
    let mut output: OutputSpec = section(&mut table, "output")?;
    output.dir = output.dir.map(|dir| folder.join(dir));
    let defaults = Defaults {
        common: CommonSpec {
            sessions: section(&mut table, "sessions")?,
            nodes: section(&mut table, "nodes")?,
            ..CommonSpec::default()
        },
        own_sessions: input.own_sessions(),
        steps: named_steps(table.remove("steps")).map_err(|error| error.within("[steps]"))?,
    };
    let Questions { asked, refused, floors, .. } = questions(&mut table, &defaults)?;
    if asked.is_empty() && refused.is_empty() {
        return Err(Error::question("the job asks no question").hint("add one, for instance a table [[summary]]"));
    }
    let unset = variables.unused().map(|name| format!("--set {name}: the job has no ${{{name}}}"));
    let rules: Vec<_> = asked.iter().map(|asked| asked.question.rules()).collect();
    // A question that cannot be asked may be the one that uses a step.
    let idle = if refused.is_empty() { defaults.steps.unused(&rules) } else { Vec::new() };
    let idle = idle.into_iter().map(|name| format!("[steps]: no question uses {name}"));
    let warnings = unset.chain(idle).collect();
    Ok(Job { name: String::new(), input, asked, refused, warnings, floors, output })
}

/// What the questions of a job share.
struct Defaults {
    common: CommonSpec,
    own_sessions: bool,
    steps: NamedSteps,
}

/// The table `[steps]`.
fn named_steps(table: Option<toml::Value>) -> Result<NamedSteps> {
    let table = match table {
        None => return Ok(NamedSteps::default()),
        Some(toml::Value::Table(table)) => table,
        Some(_) => return Err(Error::question("steps must be a table").hint("write [steps]")),
    };
    let text = |(name, step)| match step {
        toml::Value::String(step) => Ok((name, step)),
        _ => Err(Error::question(format!("{name} must be a text")).hint(format!("write {name} = \"add_to_cart\""))),
    };
    NamedSteps::new(table.into_iter().map(text).collect::<Result<BTreeMap<_, _>>>()?)
}

fn section<S>(table: &mut toml::Table, name: &str) -> Result<S>
where
    S: Default + Serialize + serde::de::DeserializeOwned,
{
    match table.remove(name) {
        None => Ok(S::default()),
        Some(toml::Value::Table(section)) => from_table(section).map_err(|error| error.within(format!("[{name}]"))),
        Some(_) => Err(Error::question(format!("{name} must be a table")).hint(format!("write [{name}]"))),
    }
}

/// The questions of a job, in the order of their kinds.
#[derive(Default)]
struct Questions {
    asked: Vec<Asked>,
    refused: Vec<Error>,
    floors: Floors,
    names: BTreeSet<String>,
    /// The files that questions name.
    files: BTreeSet<String>,
}

fn questions(table: &mut toml::Table, defaults: &Defaults) -> Result<Questions> {
    let mut questions = Questions::default();
    for kind in KINDS.iter().filter(|kind| kind.in_jobs) {
        let entries = match table.remove(kind.name) {
            None => Vec::new(),
            Some(toml::Value::Array(entries)) => entries,
            Some(single) => vec![single],
        };
        for (number, entry) in entries.into_iter().enumerate() {
            let toml::Value::Table(entry) = entry else {
                return Err(
                    Error::question(format!("{} must be a table", kind.name)).hint(format!("write [[{}]]", kind.name))
                );
            };
            let default = if number == 0 { kind.name.to_owned() } else { format!("{}_{}", kind.name, number + 1) };
            // All that cannot be asked are told of, not only the first.
            if let Err(error) = questions.take(kind, entry, default, defaults) {
                questions.refused.push(error);
            }
        }
    }
    Ok(questions)
}

impl Questions {
    /// Takes in one table. It is called `default` unless it says otherwise.
    fn take(&mut self, kind: &Kind, mut entry: toml::Table, default: String, defaults: &Defaults) -> Result<()> {
        let name = match entry.remove("name") {
            None => default,
            Some(toml::Value::String(name)) => name,
            Some(_) => return Err(Error::question(format!("the name of {default} must be a text"))),
        };
        check_name(&name)?;
        // Some file systems do not tell `A.json` from `a.json`.
        if !self.names.insert(name.to_lowercase()) {
            return Err(Error::question(format!("two questions are called {name:?}")).hint("give each its own name"));
        }
        let within = |error: Error| error.within(format!("[[{}]] {name:?}", kind.name));
        let (question, floor) = question(kind, entry, defaults).map_err(within)?;
        question.rows_file().map_or(Ok(()), |file| self.take_file(file)).map_err(within)?;
        self.floors.extend(floor.map(|floor| (name.clone(), floor)));
        self.asked.push(Asked { name, question });
        Ok(())
    }

    /// Takes in the file that a question names for its rows: a name inside of the output folder, of no other question.
    fn take_file(&mut self, file: &Path) -> Result<()> {
        let name = file.to_string_lossy();
        check_name(&name)?;
        if !self.files.insert(name.to_lowercase()) {
            return Err(Error::question(format!("two questions write the file {name}")).hint("give each its own file"));
        }
        Ok(())
    }
}

/// Reads one question and the rate that its answer must reach.
fn question(kind: &Kind, mut entry: toml::Table, defaults: &Defaults) -> Result<(Box<dyn Question>, Option<Fraction>)> {
    let floor = entry.remove("fail_under").map(Fraction::deserialize).transpose();
    let floor = floor.map_err(|error| Error::question(format!("fail_under: {}", error.message())))?;
    if floor.is_some() && kind.rate.is_none() {
        return Err(verdict::no_rate(kind.name));
    }
    let mut own = (kind.fields)();
    own.extend(kind.rate.map(|_| "fail_under".to_owned()));
    check_keys(&entry, own)?;
    let common = defaults.common.take_from(&mut entry)?.resolve_for(kind.name, defaults.own_sessions)?;
    let common = common.with_steps(&defaults.steps)?;
    let question = (kind.from_table)(entry, common)?;
    floor.map_or(Ok(()), |_| question.check_floor())?;
    Ok((question, floor))
}

/// Every key of a question must be its own or one that all questions share.
fn check_keys(entry: &toml::Table, own: Vec<String>) -> Result<()> {
    let mut known = own;
    known.push("name".to_owned());
    known.extend(CommonSpec::fields());
    match entry.keys().find(|key| !known.contains(key)) {
        Some(unknown) => Err(unknown_key(unknown, known.iter().map(String::as_str))),
        None => Ok(()),
    }
}

/// A question's name is the name of its files.
fn check_name(name: &str) -> Result<()> {
    let safe = |c: char| c.is_alphanumeric() || " _-.,()".contains(c);
    let fits = !name.is_empty()
        && name.len() <= 100
        && name.chars().all(safe)
        && !name.starts_with(['.', ' '])
        && name != "run";
    if fits {
        return Ok(());
    }
    Err(Error::question(format!("{name:?} cannot be the name of a file"))
        .hint("use letters, digits, blanks and _ - . , ( ), not a point first, and not the name run"))
}

fn ill_formed(text: &str, error: &toml::de::Error) -> Error {
    let place = error.span().map(|span| {
        let before = &text[..span.start.min(text.len())];
        let line = before.matches('\n').count() + 1;
        let column = before.len() - before.rfind('\n').map_or(0, |at| at + 1) + 1;
        format!("line {line}, column {column}: ")
    });
    Error::question(format!("{}{}", place.unwrap_or_default(), error.message().trim_end()))
        .hint("a job file is TOML; the README shows one")
}
