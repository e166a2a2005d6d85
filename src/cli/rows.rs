//! Rows → standard output or files, while they are made.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;

use super::output::harmless;
use crate::error::{Error, Result};
use crate::pipeline::Asked;
use crate::reports::file::Pending;
use crate::reports::{Answer, Format, Options, RowWriter, find_for_rows};
use crate::sync::lock;

/// Files that rows go to. They get their names when all is done.
#[derive(Default)]
pub struct RowFiles(Mutex<Vec<SharedFile>>);

/// A file that a writer writes to and that is kept to get its name.
type SharedFile = Arc<Mutex<Option<Pending>>>;

impl RowFiles {
    /// A writer of rows to the file `pending`.
    pub fn writer(
        &self,
        pending: Pending,
        format: &dyn Format,
        schema: &SchemaRef,
        options: &Options,
    ) -> Result<Box<dyn RowWriter>> {
        let path = pending.path().to_owned();
        let file = Arc::new(Mutex::new(Some(pending)));
        lock(&self.0).push(Arc::clone(&file));
        format.rows(schema, Box::new(FileOut { file, path }), options)
    }

    /// The files, complete, in the order in which they were begun.
    pub fn complete(self) -> Vec<Pending> {
        crate::sync::unlocked(self.0).into_iter().filter_map(|file| lock(&file).take()).collect()
    }
}

struct FileOut {
    file: SharedFile,
    path: PathBuf,
}

impl FileOut {
    /// The operating system's words do not say which file.
    fn named(&self, error: &io::Error) -> io::Error {
        io::Error::new(error.kind(), format!("{}: {error}", self.path.display()))
    }
}

impl Write for FileOut {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut file = lock(&self.file);
        let Some(file) = file.as_mut() else { return Err(io::ErrorKind::BrokenPipe.into()) };
        file.write(bytes).map_err(|error| self.named(&error))
    }

    fn flush(&mut self) -> io::Result<()> {
        let mut file = lock(&self.file);
        file.as_mut().map_or(Ok(()), Write::flush).map_err(|error| self.named(&error))
    }
}

/// Standard output. A reader that has gone away (`| head`) has what it wanted: the rest goes nowhere.
pub struct StandardOut {
    /// Whether a terminal reads along what may do something to it: what a log's text could do is shown instead.
    terminal: bool,
    closed: bool,
}

impl StandardOut {
    pub fn new(terminal: bool) -> Self {
        StandardOut { terminal, closed: false }
    }

    fn unless_closed<T: Default>(&mut self, result: io::Result<T>, otherwise: T) -> io::Result<T> {
        match result {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                self.closed = true;
                Ok(otherwise)
            }
            other => other,
        }
    }
}

impl Write for StandardOut {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.closed {
            return Ok(bytes.len());
        }
        let written = if self.terminal {
            // Writers hand over whole lines.
            io::stdout().lock().write_all(&harmless(bytes))
        } else {
            io::stdout().lock().write_all(bytes)
        };
        self.unless_closed(written.map(|()| bytes.len()), bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.closed {
            return Ok(());
        }
        let flushed = io::stdout().lock().flush();
        self.unless_closed(flushed, ())
    }
}

/// The same rows to several outputs.
pub struct Tee(pub Vec<Box<dyn RowWriter>>);

impl RowWriter for Tee {
    fn write(&mut self, rows: &RecordBatch) -> Result<()> {
        self.0.iter_mut().try_for_each(|writer| writer.write(rows))
    }

    fn finish(self: Box<Self>, answer: &Answer) -> Result<()> {
        self.0.into_iter().try_for_each(|writer| writer.finish(answer))
    }
}

/// Where the rows of questions go that write them beside their answers: to the file that each names.
pub fn beside<'a>(
    asked: &'a [Asked],
    files: &'a RowFiles,
    options: &'a Options,
) -> impl Fn(&str, &SchemaRef) -> Result<Box<dyn RowWriter>> + 'a {
    move |name, schema| match file_of(asked, name) {
        Some(path) => files.writer(Pending::create(path)?, find_for_rows(path)?, schema, options),
        None => refuse(name, schema),
    }
}

/// The file that the question called `name` names for its rows.
pub fn file_of<'a>(asked: &'a [Asked], name: &str) -> Option<&'a Path> {
    asked.iter().find(|asked| asked.name == name)?.question.rows_file()
}

/// Takes no rows: for commands whose questions give none.
pub fn refuse(name: &str, _schema: &SchemaRef) -> Result<Box<dyn RowWriter>> {
    Err(Error::question(format!("{name} writes rows, which need a file to go to"))
        .hint("give the job an output folder: --output-dir out"))
}

/// Refuses a format that cannot hold rows, before anything is read.
pub fn check(format: &dyn Format, path: Option<&Path>) -> Result<()> {
    if format.holds_rows() {
        return Ok(());
    }
    let place = path.map_or_else(|| "standard output".to_owned(), |path| path.display().to_string());
    Err(Error::question(format!("{} cannot hold rows, and {place} is to take some", format.name()))
        .hint("rows are written as csv, jsonl or parquet"))
}
