//! What can be known of a run before anything is read: files open, columns are there, questions fit into one run.

use std::path::Path;

use super::open::{OpenFile, Prepared, fit, paths, prepare, unguessed};
use super::{Asked, FileFacts, Input, check_limits};
use crate::error::{Error, Result};
use crate::events::Scan;
use crate::journeys::Needs;
use crate::sources::Source;

/// What the headers of the inputs say about a run.
#[derive(Default)]
pub struct Checked {
    /// Format and columns of each file that all questions can use.
    pub files: Vec<FileFacts>,
    /// What is worth knowing about the files.
    pub notes: Vec<String>,
    /// All that would make the run fail, each named with its file and the questions that it keeps from being answered.
    pub problems: Vec<Error>,
}

/// Opens the files and finds the columns of all questions, but reads nothing behind the headers.
///
/// What the questions say about names (of events, pages, nodes, values) stays unchecked: only a whole reading knows those.
pub fn check(input: &Input, asked: &[Asked]) -> Checked {
    let mut needs = Needs::default();
    asked.iter().for_each(|asked| needs.add(asked.question.needs()));
    let mut checked = Checked::default();
    checked.problems.extend(check_limits(&needs).err());
    let scan = input.scan(&needs.scan);
    let Prepared { sources, notes } = prepare(input, &scan);
    let mut files = Vec::new();
    for (path, source) in paths(input).into_iter().zip(sources) {
        match source.map_err(|error| vec![error]).and_then(|source| check_file(path, source, input, asked, &scan)) {
            Ok(file) => files.push(file),
            Err(problems) => checked.problems.extend(problems),
        }
    }
    checked.notes = notes;
    checked.notes.extend(unguessed(&files, input, &scan));
    checked.files.extend(files.into_iter().map(|file| file.facts));
    checked
}

/// A file that all questions can be asked of, or what keeps which of them from being asked.
fn check_file(
    path: &Path,
    source: Box<dyn Source>,
    input: &Input,
    asked: &[Asked],
    scan: &Scan,
) -> Result<OpenFile, Vec<Error>> {
    let error = match fit(input, scan, path, &*source) {
        Ok((facts, mapping)) => return Ok(OpenFile { facts, source, mapping }),
        Err(error) => error,
    };
    let failed = asked.iter().filter_map(|Asked { name, question }| {
        let error = fit(input, &input.scan(&question.needs().scan), path, &*source).err()?;
        Some((name.as_str(), error))
    });
    let failed = by_message(failed.collect(), asked.len());
    Err(if failed.is_empty() { vec![error] } else { failed })
}

/// One error for all questions that fail for the same reason; it names them, unless all do.
fn by_message(failed: Vec<(&str, Error)>, all: usize) -> Vec<Error> {
    let mut distinct: Vec<(Vec<&str>, Error)> = Vec::new();
    for (name, error) in failed {
        match distinct.iter_mut().find(|(_, known)| known.to_string() == error.to_string()) {
            Some((names, _)) => names.push(name),
            None => distinct.push((vec![name], error)),
        }
    }
    let named = |(names, error): (Vec<&str>, Error)| {
        if names.len() == all { error } else { error.within(names.join(", ")) }
    };
    distinct.into_iter().map(named).collect()
}
