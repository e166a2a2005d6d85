//! What can be known of a run before anything is read: files open, columns are there, questions fit into one run.

use super::open::{Opened, open};
use super::{Asked, FileFacts, Input, InputFile, check_limits};
use crate::error::Error;
use crate::journeys::Needs;

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
    match open(input, &input.scan(&needs.scan)) {
        Ok(Opened { files, notes }) => {
            checked.files.extend(files.into_iter().map(|file| file.facts));
            checked.notes = notes;
        }
        Err(error) => {
            let alone: Vec<Error> = input.files.iter().flat_map(|file| check_file(file, input, asked)).collect();
            checked.problems.extend(if alone.is_empty() { vec![error] } else { alone });
        }
    }
    checked
}

/// What keeps questions from being asked of a file by itself.
fn check_file(file: &InputFile, input: &Input, asked: &[Asked]) -> Vec<Error> {
    let alone = Input { files: vec![file.clone()], sources: Vec::new(), ..input.clone() };
    let failed = asked.iter().filter_map(|Asked { name, question }| {
        let error = open(&alone, &input.scan(&question.needs().scan)).err()?;
        Some((name.as_str(), error))
    });
    by_message(failed.collect(), asked.len())
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
