//! The program: flags → questions → one run → answers written.

mod args;
mod commands;
pub mod crash;
mod input;
mod job;
mod output;
pub mod printer;
mod reference;
mod rows;
mod stats;
mod verdict;

use std::path::{Path, PathBuf};

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{ArgMatches, Args, Command, FromArgMatches};

use crate::analyses::{Common, CommonSpec, KINDS, Kind};
use crate::error::{Error, Result};
use crate::pipeline::{self, Asked, OpenRows, Outcome};
use crate::reports::{Answer, file, footer};
use args::{InputSpec, OutputArgs, RateArgs, RunArgs};
use printer::Printer;
pub use reference::reference;
use rows::RowFiles;
use stats::Stats;
pub use verdict::Verdict;
use verdict::{Floors, judge};

/// What the program is, in a line.
const ABOUT: &str = "Customer journeys from exported page-view and event logs";

const BEHIND: &str = "\
Exit codes:
  0  answered
  1  answered, but a rate is under --fail-under or fail_under
  2  an error: nothing is answered

Examples:
  clickpath inspect events.csv                 what is in the log, and which command to try next
  clickpath report events.csv                  the whole picture with the defaults
  clickpath funnel events.csv --steps 'view_item > add_to_cart > purchase'
  clickpath run job.toml --output-dir out      many questions, one pass over the data";

/// The whole command line, from which help, completions and checks are made.
pub fn command() -> Command {
    let question = |kind: &Kind| {
        let command = (kind.flags)(CommonSpec::augment_args(with_input(Command::new(kind.name))));
        let command = command.mut_arg("grain", |grain| grain.hide(kind.both_grains));
        let command = with_output(command);
        let command = if kind.rate.is_some() { RateArgs::augment_args(command) } else { command };
        described(command, kind.about, kind.examples)
    };
    let report = described(
        with_output(CommonSpec::augment_args(with_input(Command::new("report")))),
        "The whole picture: every question with its defaults",
        "clickpath report sample-data/shop.csv.gz -o report.json",
    );
    Command::new("clickpath")
        .about(ABOUT)
        .version(env!("CARGO_PKG_VERSION"))
        .after_help(BEHIND)
        .subcommand_required(true)
        .arg_required_else_help(true)
        .max_term_width(110)
        .subcommand(commands::inspect::command())
        .subcommand(report)
        .subcommands(KINDS.iter().map(question))
        .subcommand(job::command())
        .subcommand(commands::check::command())
        .subcommand(commands::generate::command())
        .subcommand(commands::completions::command())
        .subcommand(commands::man::command())
}

/// The description comes last: adding the flags of a struct replaces it by the docs of the struct.
fn described(command: Command, about: &'static str, lines: &str) -> Command {
    command.about(about).long_about(None::<&str>).after_help(examples(lines))
}

fn examples(examples: &str) -> String {
    let lines: Vec<String> = examples.lines().map(|line| format!("  {line}")).collect();
    format!("Examples:\n{}", lines.join("\n"))
}

fn with_input(command: Command) -> Command {
    InputSpec::augment_args(command)
}

fn with_output(command: Command) -> Command {
    RunArgs::augment_args(OutputArgs::augment_args(command))
}

/// Does what the command line says.
pub fn main() -> Result<Verdict> {
    let matches = command().try_get_matches().or_else(refused)?;
    let Some((name, matches)) = matches.subcommand() else { return Ok(Verdict::Answered) };
    match name {
        "run" => return job::run(matches),
        "check" => commands::check::run(matches)?,
        "generate" => commands::generate::run(matches)?,
        "completions" => commands::completions::run(matches)?,
        "man" => commands::man::run(matches)?,
        "inspect" => commands::inspect::run(matches)?,
        "report" => return report(matches),
        _ => return question(name, matches),
    }
    Ok(Verdict::Answered)
}

/// What was typed means nothing, or asks for help. File names that a shell has put there may hold anything, so clap does not print them.
fn refused(error: clap::Error) -> Result<ArgMatches> {
    if !error.use_stderr() || error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        error.exit();
    }
    if let (ErrorKind::UnknownArgument, Some(ContextValue::String(flag))) =
        (error.kind(), error.get(ContextKind::InvalidArg))
        && flag == "--fail-under"
    {
        let command = std::env::args_os().nth(1).unwrap_or_default();
        return Err(verdict::no_rate(&command.to_string_lossy()));
    }
    let text = error.render().to_string();
    let refused = Error::question(text.strip_prefix("error: ").unwrap_or(&text).trim_end());
    // A value that is one of ours knows how it is written.
    let advice = std::error::Error::source(&error).and_then(|source| source.downcast_ref::<Error>()?.advice());
    Err(match advice {
        Some(advice) => refused.hint(advice),
        None => refused,
    })
}

/// Asks one question.
fn question(name: &str, matches: &ArgMatches) -> Result<Verdict> {
    let kind = KINDS.iter().find(|kind| kind.name == name);
    let kind = kind.ok_or_else(|| Error::bug(format!("no question is called {name}")))?;
    let floor = match kind.rate {
        Some(_) => parsed::<RateArgs>(matches)?.fail_under,
        None => None,
    };
    let floors = floor.map(|floor| (name.to_owned(), floor)).into_iter().collect();
    let questions = |common: &CommonSpec, own_sessions| {
        let question = (kind.from_flags)(matches, common.resolve_for(kind.name, own_sessions)?)?;
        floor.map_or(Ok(()), |_| question.check_floor())?;
        Ok(vec![Asked { name: name.to_owned(), question }])
    };
    if kind.rows { ask_for_rows(matches, questions) } else { ask(matches, &floors, questions) }
}

/// Asks every question that has an answer without being told more.
fn report(matches: &ArgMatches) -> Result<Verdict> {
    ask(matches, &Floors::new(), |common, own_sessions| {
        let default = |kind: &Kind| {
            let common = common.resolve_for(kind.name, own_sessions)?;
            let grain = common.grain.filter(|_| !kind.both_grains);
            let question = (kind.from_table)(toml::Table::new(), Common { grain, ..common })?;
            Ok(Asked { name: kind.name.to_owned(), question })
        };
        KINDS.iter().filter(|kind| kind.in_report).map(default).collect()
    })
}

/// Asks the questions that `questions` makes of the flags, and writes the answers.
fn ask(
    matches: &ArgMatches,
    floors: &Floors,
    questions: impl FnOnce(&CommonSpec, bool) -> Result<Vec<Asked>>,
) -> Result<Verdict> {
    let input: InputSpec = parsed(matches)?;
    let common: CommonSpec = parsed(matches)?;
    let output: OutputArgs = parsed(matches)?;
    let run: RunArgs = parsed(matches)?;
    output.check()?;
    output.check_terminal()?;
    let asked = questions(&common, input.own_sessions())?;
    let stats = Stats::begin(&run, &input)?;
    let (files, options) = (RowFiles::default(), output.row_options());
    let beside = asked.iter().filter_map(|asked| asked.question.rows_file().map(Path::to_owned));
    let outputs: Vec<PathBuf> = output.output.iter().cloned().chain(beside).collect();
    let outcome = perform(&input, &run, &asked, &outputs, &rows::beside(&asked, &files, &options))?;
    let beside = files.complete();
    stats.check(&beside)?;
    output.write_beside(&outcome.answers, &run, beside)?;
    stats.commit(&outcome)?;
    Ok(judge(&outcome.answers, floors))
}

/// Asks a question that answers with rows, which are written while they are made.
fn ask_for_rows(
    matches: &ArgMatches,
    question: impl FnOnce(&CommonSpec, bool) -> Result<Vec<Asked>>,
) -> Result<Verdict> {
    let input: InputSpec = parsed(matches)?;
    let common: CommonSpec = parsed(matches)?;
    let output: OutputArgs = parsed(matches)?;
    let run: RunArgs = parsed(matches)?;
    output.check_rows()?;
    let asked = question(&common, input.own_sessions())?;
    let stats = Stats::begin(&run, &input)?;
    let files = RowFiles::default();
    let outcome = perform(&input, &run, &asked, &output.output, &|_, schema| output.row_writer(&files, schema, &run))?;
    file::commit_all(files.complete())?;
    say_notes(&run, &outcome.answers);
    let printer = Printer::new(&run);
    outcome.answers.iter().flat_map(footer::lines).for_each(|line| printer.note(&line));
    stats.commit(&outcome)?;
    Ok(Verdict::Answered)
}

/// The flags of one group.
fn parsed<T: FromArgMatches>(matches: &ArgMatches) -> Result<T> {
    T::from_arg_matches(matches).map_err(|error| Error::question(error.to_string()))
}

/// Runs the questions over the input, says what was read, and writes the rejected records if asked.
fn perform(
    input: &InputSpec,
    run: &RunArgs,
    asked: &[Asked],
    outputs: &[PathBuf],
    open_rows: &OpenRows<'_>,
) -> Result<Outcome> {
    let printer = Printer::new(run);
    let (files, notes) = input::expand(&input.files)?;
    let paths: Vec<PathBuf> = files.iter().map(|file| file.path.clone()).collect();
    input::refuse_overwriting(&paths, outputs.iter().chain(&input.rejects).chain(&run.stats))?;
    notes.iter().for_each(|note| printer.note(&format!("note: {note}")));
    let limits = run.limits(input)?;
    let resolved = input.resolve(files)?;
    let start = std::time::Instant::now();
    let outcome =
        printer.with_progress(|progress| pipeline::run_with_rows(&resolved, asked, open_rows, &limits, progress));
    if let (Err(_), Some(path)) = (&outcome, &input.rejects) {
        printer.note(&format!("note: {} was not written, because the run failed", path.display()));
    }
    let outcome = outcome?;
    say_what_was_read(&printer, &outcome);
    if let Some(path) = &input.rejects {
        output::write_rejects(path, &outcome)?;
    }
    let peak = crate::budget::human(outcome.peak_memory);
    let spilled = match outcome.spilled as usize {
        0 => String::new(),
        bytes => format!(", {} on disk", crate::budget::human(bytes)),
    };
    printer.detail(&format!("{:.2} s, at most {peak} counted at one time{spilled}", start.elapsed().as_secs_f64()));
    Ok(outcome)
}

/// Says the notes of the answers on standard error, each once: for whoever does not see them beside the numbers.
fn say_notes(run: &RunArgs, answers: &[Answer]) {
    let printer = Printer::new(run);
    let mut said: Vec<&String> = Vec::new();
    for note in answers.iter().flat_map(|answer| &answer.notes) {
        if !said.contains(&note) {
            printer.note(&format!("note: {note}"));
            said.push(note);
        }
    }
}

/// Says which columns were taken for what: a guess is always printed.
fn say_what_was_read(printer: &Printer, outcome: &Outcome) {
    let described = outcome.files.iter().map(|file| {
        let roles: Vec<String> = file.roles.iter().map(|(role, column)| format!("{role} = {column}")).collect();
        (file, format!("{}; {}", file.format, roles.join(", ")))
    });
    let mut last = String::new();
    for (file, what) in described {
        // Many files of one kind are one line, unless more is asked for.
        if what != last {
            printer.note(&format!("reading {}: {what}", file.path.display()));
        } else {
            printer.detail(&format!("reading {}: the same", file.path.display()));
        }
        last = what;
    }
}
