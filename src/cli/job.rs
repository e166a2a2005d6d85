//! `clickpath run JOB.toml`: many questions, one pass over the data.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Instant;

use arrow_schema::SchemaRef;
use clap::{Arg, ArgMatches, Args, Command, value_parser};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::args::{InputSpec, OutputArgs, RunArgs};
use super::input::refuse_overwriting;
use super::rows::{self, RowFiles, Tee};
use super::{described, parsed, perform, say_notes};
use crate::analyses::common::{from_table, unknown_key};
use crate::analyses::{CommonSpec, KINDS};
use crate::error::{Error, Result};
use crate::pipeline::{Asked, Outcome};
use crate::reports::{self, Format, Options, RowWriter, file, json::document};
use crate::sources::STANDARD_INPUT;

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
struct Job {
    input: InputSpec,
    asked: Vec<Asked>,
    output: OutputSpec,
}

pub fn command() -> Command {
    let command = Command::new("run")
        .arg(
            Arg::new("job")
                .value_name("JOB.toml")
                .required(true)
                .value_parser(value_parser!(PathBuf))
                .help("The job file. Files and the output folder that it names are relative to it"),
        )
        .arg(
            Arg::new("inputs")
                .value_name("INPUT")
                .num_args(0..)
                .help("Log files, globs, folders, or - for standard input, instead of the job's"),
        )
        .arg(
            Arg::new("output_dir")
                .long("output-dir")
                .value_name("DIR")
                .value_parser(value_parser!(PathBuf))
                .help("The folder of the answers instead of the job's; without either they go to standard output"),
        );
    described(
        RunArgs::augment_args(OutputArgs::augment_args(command)),
        "Many questions, one pass over the data: the batch job",
        "clickpath run sample-data/job.toml --output-dir out",
    )
}

pub fn run(matches: &ArgMatches) -> Result<()> {
    let run: RunArgs = parsed(matches)?;
    let output: OutputArgs = parsed(matches)?;
    output.check()?;
    let path: &PathBuf = matches.get_one("job").ok_or_else(|| Error::bug("the job file is required"))?;
    let text = std::fs::read_to_string(path).map_err(|error| Error::io(path, &error))?;
    let mut job = parse(&text, path.parent().unwrap_or(Path::new(""))).map_err(|error| error.within(path.display()))?;
    if let Some(inputs) = matches.get_many::<String>("inputs") {
        job.input.files = inputs.cloned().collect();
    }
    if let Some(folder) = matches.get_one::<PathBuf>("output_dir") {
        job.output.dir = Some(folder.clone());
    }
    let formats = formats(&job.output, &output)?;
    let start = Instant::now();
    if let (Some(folder), true) = (&job.output.dir, !output.output.is_empty() || output.table.is_some()) {
        return Err(Error::question(format!(
            "the answers go whole into the folder {}: -o and --table say otherwise",
            folder.display()
        ))
        .hint("leave out -o and --table, or the output folder"));
    }
    let Some(folder) = &job.output.dir else {
        let outcome = perform(&job.input, &run, &job.asked, &output.output, &rows::refuse)?;
        let output = OutputArgs { csv_raw: output.csv_raw || job.output.csv_raw, ..output };
        return output.write(&outcome.answers, &run);
    };
    let options = Options { csv_raw: output.csv_raw || job.output.csv_raw, ..Options::default() };
    let mut batch = file::Batch::create(folder)?;
    let row_files = RowFiles::default();
    let with_rows = RefCell::new(BTreeSet::new());
    let open_rows = |name: &str, schema: &SchemaRef| -> Result<Box<dyn RowWriter>> {
        with_rows.borrow_mut().insert(name.to_owned());
        let writer = |format: &&'static dyn Format| {
            let pending = batch.open(&format!("{name}.{}", format.suffix()))?;
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
    for answer in &outcome.answers {
        // A form that holds the rows of a question holds nothing beside them.
        let of_rows = with_rows.borrow().contains(&answer.name);
        for format in formats.iter().filter(|format| !(of_rows && format.holds_rows())) {
            for part in format.files(answer, &options)? {
                refuse_overwriting(&inputs, [&folder.join(&part.name)].into_iter())?;
                batch.add(&part.name, &part.bytes)?;
            }
        }
    }
    let mut last = batch.open("run.json")?;
    let record = document(&record(&outcome, batch.files(), start.elapsed().as_secs_f64()))?;
    std::io::Write::write_all(&mut last, &record).map_err(|error| Error::io(folder, &error))?;
    batch.commit(last)
}

/// The forms of the answers: the flag wins over the job file; JSON if neither says.
fn formats(job: &OutputSpec, flags: &OutputArgs) -> Result<Vec<&'static dyn Format>> {
    let named: Vec<&str> = match &flags.format {
        Some(format) => vec![format],
        None if job.formats.is_empty() => vec!["json"],
        None => job.formats.iter().map(String::as_str).collect(),
    };
    named.into_iter().map(reports::find).collect()
}

/// What `run.json` says: everything needed to trust the files beside it.
fn record(outcome: &Outcome, files: &[file::Pending], seconds: f64) -> Value {
    let name = |path: &Path| path.file_name().map(|name| name.to_string_lossy().into_owned());
    let account = outcome.answers.first().map(|answer| {
        let mut account = answer.account.clone();
        // Sessions belong to a question's rule; the run has no single number of them.
        account.shift_remove("sessions");
        account
    });
    json!({
        "schema": "clickpath.run/1",
        "version": env!("CARGO_PKG_VERSION"),
        "inputs": outcome.files.iter().map(|file| json!({
            "file": file.path.display().to_string(), "bytes": file.bytes, "format": file.format,
        })).collect::<Vec<_>>(),
        "questions": outcome.answers.iter().map(|answer| json!({
            "name": answer.name, "schema": answer.schema, "rules": answer.rules, "notes": answer.notes,
        })).collect::<Vec<_>>(),
        "files": files.iter().map(|file| json!({ "file": name(file.path()), "bytes": file.size() })).collect::<Vec<_>>(),
        "account": account,
        "seconds": (seconds * 1000.0).round() / 1000.0,
    })
}

/// The forms in which the rows of a question are written: those of the job that can hold rows, or JSON Lines.
fn row_formats(formats: &[&'static dyn Format]) -> Result<Vec<&'static dyn Format>> {
    let fit: Vec<_> = formats.iter().copied().filter(|format| format.holds_rows()).collect();
    if fit.is_empty() { Ok(vec![reports::find("jsonl")?]) } else { Ok(fit) }
}

/// Reads a job file, whose paths are relative to `folder`.
fn parse(text: &str, folder: &Path) -> Result<Job> {
    let mut table: toml::Table = text.parse().map_err(|error: toml::de::Error| ill_formed(text, &error))?;
    let tables = ["input", "sessions", "nodes", "output"];
    let known: Vec<&str> =
        tables.into_iter().chain(KINDS.iter().filter(|kind| kind.in_jobs).map(|kind| kind.name)).collect();
    if let Some(unknown) = table.keys().find(|key| !known.contains(&key.as_str())) {
        return Err(unknown_key(unknown, known));
    }
    let mut input: InputSpec = section(&mut table, "input")?;
    for file in input.files.iter_mut().filter(|file| *file != STANDARD_INPUT) {
        *file = folder.join(&*file).to_string_lossy().into_owned();
    }
    input.rejects = input.rejects.map(|path| folder.join(path));
    let mut output: OutputSpec = section(&mut table, "output")?;
    output.dir = output.dir.map(|dir| folder.join(dir));
    let defaults = CommonSpec {
        sessions: section(&mut table, "sessions")?,
        nodes: section(&mut table, "nodes")?,
        ..CommonSpec::default()
    };
    let asked = questions(&mut table, &defaults, input.own_sessions())?;
    if asked.is_empty() {
        return Err(Error::question("the job asks no question").hint("add one, for instance a table [[summary]]"));
    }
    Ok(Job { input, asked, output })
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

fn questions(table: &mut toml::Table, defaults: &CommonSpec, own_sessions: bool) -> Result<Vec<Asked>> {
    let (mut asked, mut names) = (Vec::new(), BTreeSet::new());
    for kind in KINDS.iter().filter(|kind| kind.in_jobs) {
        let entries = match table.remove(kind.name) {
            None => Vec::new(),
            Some(toml::Value::Array(entries)) => entries,
            Some(single) => vec![single],
        };
        for (number, entry) in entries.into_iter().enumerate() {
            let toml::Value::Table(mut entry) = entry else {
                return Err(
                    Error::question(format!("{} must be a table", kind.name)).hint(format!("write [[{}]]", kind.name))
                );
            };
            let default = if number == 0 { kind.name.to_owned() } else { format!("{}_{}", kind.name, number + 1) };
            let name = match entry.remove("name") {
                None => default,
                Some(toml::Value::String(name)) => name,
                Some(_) => return Err(Error::question(format!("the name of {default} must be a text"))),
            };
            check_name(&name)?;
            // Some file systems do not tell `A.json` from `a.json`.
            if !names.insert(name.to_lowercase()) {
                return Err(
                    Error::question(format!("two questions are called {name:?}")).hint("give each its own name")
                );
            }
            let within = |error: Error| error.within(format!("[[{}]] {name:?}", kind.name));
            check_keys(&entry, (kind.fields)()).map_err(within)?;
            let common = defaults.take_from(&mut entry).map_err(within)?;
            let question = (kind.from_table)(entry, common.resolve(own_sessions).map_err(within)?).map_err(within)?;
            asked.push(Asked { name, question });
        }
    }
    Ok(asked)
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
