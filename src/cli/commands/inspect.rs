//! `clickpath inspect`: what is in these files, and which command to try next.

use clap::{ArgMatches, Args, Command};
use serde_json::{Value, json};

use crate::analyses::common::SessionSpec;
use crate::analyses::{CommonSpec, Overview};
use crate::cli::args::{InputSpec, OutputArgs, RunArgs};
use crate::cli::stats::Stats;
use crate::cli::{described, parsed, perform, rows, with_input, with_output};
use crate::error::Result;
use crate::events::{Role, Roles, find};
use crate::pipeline::{Asked, FileFacts};
use crate::reports::{Answer, Cell, Report, Table};

pub fn command() -> Command {
    described(
        with_output(SessionSpec::augment_args(with_input(Command::new("inspect")))),
        "What is in these files: format, columns, times, visitors, sessions, top events and pages, bad records",
        "clickpath inspect sample-data/shop.csv.gz",
    )
}

pub fn run(matches: &ArgMatches) -> Result<()> {
    let input: InputSpec = parsed(matches)?;
    let common = CommonSpec { sessions: parsed(matches)?, ..CommonSpec::default() };
    let output: OutputArgs = parsed(matches)?;
    let run: RunArgs = parsed(matches)?;
    output.check()?;
    output.check_terminal()?;
    let stats = Stats::begin(&run, &input)?;
    let question = Box::new(Overview { common: common.resolve(input.own_sessions())? });
    let asked = [Asked { name: "inspect".to_owned(), question }];
    let mut outcome = perform(&input, &run, &asked, &output.output, &rows::refuse)?;
    let inspected = |answer: Answer| Answer {
        notes: [answer.notes, advice(&input, &outcome.files)].concat(),
        report: Box::new(Inspection { files: outcome.files.clone(), log: answer.report }),
        ..answer
    };
    outcome.answers = std::mem::take(&mut outcome.answers).into_iter().map(inspected).collect();
    output.write(&outcome.answers, &run)?;
    stats.commit(&outcome)
}

/// What to try next, and columns that could be used.
fn advice(input: &InputSpec, files: &[FileFacts]) -> Vec<String> {
    let mut notes = Vec::new();
    let Some(file) = files.first() else { return notes };
    let session = file.columns.iter().find(|column| column.to_lowercase().contains("session"));
    if let (Some(column), true) = (session, input.session.is_empty()) {
        notes.push(format!("the column {column} may be the log's own session id: --session {column} uses it"));
    }
    let files: Vec<String> = input.files.iter().map(|file| quoted(file)).collect();
    let named = input.roles();
    let flag = |role: &Role| {
        named.named(*role).iter().map(|column| format!(" --{} {}", role.name(), quoted(column))).collect::<String>()
    };
    let roles = Role::ALL.iter().map(flag);
    notes.push(format!("next, try: clickpath report {}{}", files.join(" "), roles.collect::<String>()));
    notes
}

/// As a shell takes it for one word.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "_-./:@%+,=".contains(c);
    if word.chars().all(plain) { word.to_owned() } else { format!("'{}'", word.replace('\'', "'\\''")) }
}

/// What is known about the files beside what is in the log.
struct Inspection {
    files: Vec<FileFacts>,
    log: Box<dyn Report>,
}

impl Inspection {
    /// Every column of a file and the role that it plays, or that it would be guessed for.
    fn columns(file: &FileFacts) -> Vec<(String, Option<String>)> {
        let guessed = |at: usize| {
            let role =
                Role::ALL.iter().find(|role| find(&file.columns, &Roles::default(), **role).ok().flatten() == Some(at));
            role.map(|role| role.name().to_owned())
        };
        let played = |column: &String| file.roles.iter().find(|(_, name)| name == column).map(|(role, _)| role.clone());
        let column = |(at, column): (usize, &String)| (column.clone(), played(column).or_else(|| guessed(at)));
        file.columns.iter().enumerate().map(column).collect()
    }
}

impl Report for Inspection {
    fn title(&self) -> String {
        self.log.title()
    }

    fn tables(&self) -> Vec<Table> {
        let text = |text: &str| Cell::Text(text.to_owned());
        let file = |file: &FileFacts| {
            vec![text(&file.path.display().to_string()), text(&file.format), Cell::Count(file.bytes)]
        };
        let files = Table {
            name: "files",
            columns: ["file", "format", "bytes"].map(str::to_owned).to_vec(),
            rows: self.files.iter().map(file).collect(),
        };
        let columns = self.files.first().map(Self::columns).unwrap_or_default();
        let column = |(name, role): &(String, Option<String>)| {
            vec![text(name), role.as_ref().map_or(Cell::Null, |role| text(role))]
        };
        let columns = Table {
            name: "columns",
            columns: ["column", "role"].map(str::to_owned).to_vec(),
            rows: columns.iter().map(column).collect(),
        };
        [files, columns].into_iter().chain(self.log.tables()).collect()
    }

    fn json(&self) -> Value {
        let file = |file: &FileFacts| {
            let columns: Vec<Value> =
                Self::columns(file).into_iter().map(|(name, role)| json!({ "column": name, "role": role })).collect();
            json!({
                "file": file.path.display().to_string(), "format": file.format, "bytes": file.bytes, "columns": columns,
            })
        };
        let mut report = json!({ "files": self.files.iter().map(file).collect::<Vec<_>>() });
        if let (Value::Object(report), Value::Object(log)) = (&mut report, self.log.json()) {
            report.extend(log);
        }
        report
    }
}
