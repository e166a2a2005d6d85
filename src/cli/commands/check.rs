//! `clickpath check JOB.toml`: whether a job can be run, as far as the headers of its files tell.

use clap::{ArgMatches, Args, Command};
use serde_json::{Map, Value, json};

use crate::analyses::KINDS;
use crate::cli::args::{OutputArgs, RunArgs};
use crate::cli::job::{self, Job};
use crate::cli::{described, input, parsed, printer};
use crate::error::Result;
use crate::pipeline::{self, Asked, FileFacts};
use crate::reports::{Answer, Cell, Report, Table};

pub fn command() -> Command {
    let command = RunArgs::augment_args(OutputArgs::augment_args(job::with_job(Command::new("check"))));
    // Nothing is read, so nothing takes time or memory.
    let idle = ["threads", "memory", "no_progress"];
    let command = idle.into_iter().fold(command, |command, flag| command.mut_arg(flag, |flag| flag.hide(true)));
    described(
        command,
        "Whether a job can be run: its questions and the columns of its files. Only headers are read",
        "clickpath check sample-data/job.toml",
    )
}

pub fn run(matches: &ArgMatches) -> Result<()> {
    let output: OutputArgs = parsed(matches)?;
    let run: RunArgs = parsed(matches)?;
    output.check()?;
    let mut job = job::load(matches)?;
    let mut problems = std::mem::take(&mut job.refused);
    problems.extend(job.formats(&output).err());
    let mut notes = job.warnings.clone();
    let files = match columns(&job, &mut notes) {
        Ok(pipeline::Checked { files, notes: about, problems: found }) => {
            notes.extend(about);
            problems.extend(found);
            files
        }
        Err(error) => {
            problems.push(error);
            Vec::new()
        }
    };
    notes.extend(homeless_rows(&job));
    if let Some(last) = problems.pop() {
        for problem in problems {
            printer::error(&problem);
            printer::line("");
        }
        return Err(last);
    }
    notes.push(
        "names of events, pages, nodes and values are not checked: only reading the whole log can tell".to_owned(),
    );
    let answer = Answer {
        schema: "clickpath.check/1".to_owned(),
        name: "check".to_owned(),
        rules: Map::new(),
        account: Map::new(),
        notes,
        report: Box::new(Fine { job: job.name.clone(), asked: job.asked, files }),
    };
    output.write(&[answer], &run)
}

/// What the headers of the job's files say about its questions.
fn columns(job: &Job, notes: &mut Vec<String>) -> Result<pipeline::Checked> {
    if job.input.files.is_empty() {
        notes.push("no input is named, so no columns are checked: name the log behind the job".to_owned());
        return Ok(pipeline::Checked::default());
    }
    let (files, about) = input::expand(&job.input.files)?;
    notes.extend(about);
    let paths: Vec<_> = files.iter().map(|file| file.path.clone()).collect();
    input::refuse_overwriting(&paths, job.input.rejects.iter())?;
    Ok(pipeline::check(&job.input.resolve(files)?, &job.asked))
}

/// What only some runs of the job can answer: rows go to files.
fn homeless_rows(job: &Job) -> Option<String> {
    let with_rows = |asked: &&Asked| {
        let of_rows = KINDS.iter().any(|known| known.rows && known.name == kind(asked));
        of_rows || asked.question.rows_file().is_some()
    };
    let asked = job.asked.iter().find(with_rows).filter(|_| !job.has_folder())?;
    Some(format!(
        "{} writes rows, which need a folder to go to: run it with --output-dir, or name [output] dir",
        asked.name
    ))
}

/// A job that can be run.
struct Fine {
    job: String,
    asked: Vec<Asked>,
    files: Vec<FileFacts>,
}

/// `clickpath.funnel/1` is a funnel.
fn kind(asked: &Asked) -> &'static str {
    let schema = asked.question.schema();
    schema.strip_prefix("clickpath.").and_then(|name| name.split('/').next()).unwrap_or(schema)
}

fn text(text: impl Into<String>) -> Cell {
    Cell::Text(text.into())
}

impl Report for Fine {
    fn title(&self) -> String {
        match self.asked.len() {
            1 => format!("{} is fine: 1 question", self.job),
            questions => format!("{} is fine: {questions} questions", self.job),
        }
    }

    fn tables(&self) -> Vec<Table> {
        let table = |name, columns: &[&str], rows| {
            let columns = columns.iter().map(|&column| column.to_owned()).collect();
            Table { name, columns, rows }
        };
        let question = |asked: &Asked| vec![text(&asked.name), text(kind(asked)), text("fine")];
        let file =
            |file: &FileFacts| vec![text(file.path.display().to_string()), text(&file.format), Cell::Count(file.bytes)];
        let roles = |file: &FileFacts| {
            let path = file.path.display().to_string();
            let role = |(role, column): &(String, String)| vec![text(&path), text(role), text(column)];
            file.roles.iter().map(role).collect::<Vec<_>>()
        };
        vec![
            table("questions", &["question", "kind", "verdict"], self.asked.iter().map(question).collect()),
            table("files", &["file", "format", "bytes"], self.files.iter().map(file).collect()),
            table("columns", &["file", "role", "column"], self.files.iter().flat_map(roles).collect()),
        ]
    }

    fn json(&self) -> Value {
        let question = |asked: &Asked| {
            json!({
                "name": asked.name, "schema": asked.question.schema(), "verdict": "fine", "rules": asked.question.rules(),
            })
        };
        let file = |file: &FileFacts| {
            let roles = file.roles.iter().map(|(role, column)| (role.clone(), json!(column)));
            json!({
                "file": file.path.display().to_string(), "format": file.format, "bytes": file.bytes,
                "columns": file.columns, "roles": roles.collect::<Map<_, _>>(),
            })
        };
        json!({
            "questions": self.asked.iter().map(question).collect::<Vec<_>>(),
            "files": self.files.iter().map(file).collect::<Vec<_>>(),
        })
    }
}
