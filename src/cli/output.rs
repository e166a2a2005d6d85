//! Answers → standard output or files.

use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};

use arrow_schema::SchemaRef;
use serde_json::Map;

use super::args::{OutputArgs, RunArgs};
use super::printer::colored;
use super::rows::{self, RowFiles, StandardOut, Tee};
use super::say_notes;
use crate::error::{Error, Result};
use crate::pipeline::Outcome;
use crate::reports::{self, Answer, Cell, Format, Options, PlainReport, RowWriter, Table, file, text::visible};

impl OutputArgs {
    /// Finds the formats before anything is read: a wrong name must not cost a run.
    pub fn check(&self) -> Result<()> {
        self.format()?;
        self.output.iter().try_for_each(|path| self.format_of(path).map(|_| ()))
    }

    /// Refuses to print what is no text on a terminal, before anything is read.
    pub fn check_terminal(&self) -> Result<()> {
        match self.format()? {
            Some(format) if self.output.is_empty() => refuse_bytes(format, std::io::stdout().is_terminal()),
            _ => Ok(()),
        }
    }

    fn format(&self) -> Result<Option<&'static dyn Format>> {
        self.format.as_deref().map(reports::find).transpose()
    }

    fn format_of(&self, path: &Path) -> Result<&'static dyn Format> {
        match self.format()? {
            Some(format) => Ok(format),
            None => reports::find_by_path(path),
        }
    }

    /// How rows are written to files.
    pub fn row_options(&self) -> Options {
        self.options(false, None)
    }

    fn options(&self, color: bool, width: Option<usize>) -> Options {
        Options { table: self.table.clone(), color, width, csv_raw: self.csv_raw, ..Options::default() }
    }

    /// Finds the formats of rows before anything is read.
    pub fn check_rows(&self) -> Result<()> {
        if self.table.is_some() {
            return Err(Error::question("rows are one table: --table has nothing to choose"));
        }
        if self.output.is_empty() {
            self.check_terminal()?;
            let format = self.format()?.unwrap_or(reports::find(ROWS_TO_A_PIPE)?);
            // People are shown the first rows.
            return if format.name() == "table" { Ok(()) } else { rows::check(format, None) };
        }
        self.output.iter().try_for_each(|path| rows::check(self.format_of(path)?, Some(path)))
    }

    /// A writer of rows to each output: standard output if no other is named.
    pub fn row_writer(&self, files: &RowFiles, schema: &SchemaRef, run: &RunArgs) -> Result<Box<dyn RowWriter>> {
        let writer = |path: &PathBuf| {
            files.writer(file::Pending::create(path)?, self.format_of(path)?, schema, &self.options(false, None))
        };
        if !self.output.is_empty() {
            let writers = self.output.iter().map(writer).collect::<Result<_>>()?;
            return Ok(Box::new(Tee(writers)));
        }
        let terminal = std::io::stdout().is_terminal();
        let format = match self.format()? {
            Some(format) => format,
            None => reports::find(if terminal { "table" } else { ROWS_TO_A_PIPE })?,
        };
        let width = terminal.then(|| terminal_width().unwrap_or(100));
        // What is made for people is harmless already, and its colours are our own.
        let harmful = terminal && format.name() != "table";
        format.rows(schema, Box::new(StandardOut::new(harmful)), &self.options(colored(run.color), width))
    }

    /// Writes all answers to each output: standard output if no other is named.
    pub fn write(&self, answers: &[Answer], run: &RunArgs) -> Result<()> {
        self.write_beside(answers, run, Vec::new())
    }

    /// The same; the files `beside` the answers appear with them.
    pub fn write_beside(&self, answers: &[Answer], run: &RunArgs, beside: Vec<file::Pending>) -> Result<()> {
        if !self.output.is_empty() {
            say_notes(run, answers);
            return self.write_files(answers, beside);
        }
        let terminal = std::io::stdout().is_terminal();
        let format = match self.format()? {
            Some(format) => format,
            None => reports::find(if terminal { "table" } else { "json" })?,
        };
        if !format.holds_notes() {
            say_notes(run, answers);
        }
        let width = terminal.then(|| terminal_width().unwrap_or(100));
        let bytes = format.render(answers, &self.options(colored(run.color), width))?;
        file::commit_all(beside)?;
        // What is made for people is harmless already, and its colours are our own.
        if terminal && format.name() != "table" { to_stdout(&harmless(&bytes)) } else { to_stdout(&bytes) }
    }

    /// Writes every file, or none if one of them cannot be written.
    fn write_files(&self, answers: &[Answer], beside: Vec<file::Pending>) -> Result<()> {
        let mut written = Vec::new();
        for path in &self.output {
            let bytes = self.format_of(path)?.render(answers, &self.options(false, None))?;
            let mut file = file::Pending::create(path)?;
            if beside.iter().any(|other| other.is_same(&file)) {
                return Err(Error::question(format!("{}: two outputs want to be this file", path.display()))
                    .hint("give -o another name"));
            }
            file.write_all(&bytes).map_err(|error| Error::io(path, &error))?;
            written.push(file);
        }
        written.extend(beside);
        file::commit_all(written)
    }
}

/// Bytes that are no text are nothing for a terminal.
fn refuse_bytes(format: &dyn Format, terminal: bool) -> Result<()> {
    if !terminal || !format.is_binary() {
        return Ok(());
    }
    let (name, suffix) = (format.name(), format.suffixes()[0]);
    Err(Error::question(format!("{name} is no text, and standard output is a terminal"))
        .hint(format!("write it to a file: -o answer.{suffix}")))
}

/// Data as a terminal may show it: what a log's text could do to the terminal is shown instead.
pub(super) fn harmless(bytes: &[u8]) -> Vec<u8> {
    let text = String::from_utf8_lossy(bytes);
    text.split_inclusive('\n')
        .map(|line| visible(line.trim_end_matches('\n')).into_owned() + "\n")
        .collect::<String>()
        .into_bytes()
}

/// The form of rows that do not go to a terminal, unless told otherwise.
const ROWS_TO_A_PIPE: &str = "jsonl";

fn terminal_width() -> Option<usize> {
    std::env::var("COLUMNS").ok()?.parse().ok().filter(|width| *width >= 20)
}

/// Writes to standard output. A reader that has gone away (`| head`) has what it wanted.
pub fn to_stdout(bytes: &[u8]) -> Result<()> {
    let mut stdout = std::io::stdout().lock();
    match stdout.write_all(bytes).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(Error::io(Path::new("standard output"), &error))
        }
        _ => Ok(()),
    }
}

/// Writes the rejected records as CSV: file, line or row, reason, and the beginning of the record.
pub fn write_rejects(path: &Path, outcome: &Outcome) -> Result<()> {
    let answer = Answer {
        schema: "clickpath.rejects/1".to_owned(),
        name: "rejects".to_owned(),
        rules: Map::new(),
        account: Map::new(),
        notes: Vec::new(),
        report: Box::new(PlainReport { title: "Rejected records".to_owned(), tables: vec![rejects_table(outcome)] }),
    };
    let bytes = reports::find("csv")?.render(&[answer], &Options::default())?;
    file::write(path, &bytes)
}

fn rejects_table(outcome: &Outcome) -> Table {
    let row = |(file, reject): &(usize, crate::events::Reject)| {
        let text = reject.text.as_deref().map(String::from_utf8_lossy);
        vec![
            Cell::Text(outcome.files[*file].path.display().to_string()),
            Cell::Count(reject.place),
            Cell::Text(reject.reason.name().to_owned()),
            text.map_or(Cell::Null, |text| Cell::Text(text.into_owned())),
        ]
    };
    let columns = ["file", "line", "reason", "record"].map(str::to_owned).to_vec();
    Table { name: "rejects", columns, rows: outcome.rejects.iter().map(row).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_refused_on_a_terminal_only() {
        let parquet = reports::find("parquet").unwrap();
        assert!(refuse_bytes(parquet, false).is_ok());
        let error = refuse_bytes(parquet, true).unwrap_err();
        assert_eq!(error.advice(), Some("write it to a file: -o answer.parquet"));
        for format in reports::FORMATS.iter().filter(|format| format.name() != "parquet") {
            assert!(refuse_bytes(*format, true).is_ok(), "{}", format.name());
        }
    }

    #[test]
    fn data_on_a_terminal_is_lines_without_controls() {
        let shown = harmless("a\tb\u{1b}[2J\n\u{202e}x\n".as_bytes());
        assert_eq!(String::from_utf8(shown).unwrap(), "a\\tb\\u{1b}[2J\n\\u{202e}x\n");
    }
}
