//! What can be known of a run before anything is read: files open, columns are there, questions fit into one run.

use std::path::Path;

use super::{Asked, FileFacts, Input, check_dimensions, check_limits};
use crate::error::{Error, Result};
use crate::events::Mapping;
use crate::journeys::Needs;
use crate::sources;

/// What the headers of the inputs say about a run.
#[derive(Default)]
pub struct Checked {
    /// Format and columns of each file that all questions can use.
    pub files: Vec<FileFacts>,
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
    for path in &input.files {
        match check_file(path, input, asked, &needs) {
            Ok(facts) => checked.files.push(facts),
            Err(problems) => checked.problems.extend(problems),
        }
    }
    checked
}

fn check_file(path: &Path, input: &Input, asked: &[Asked], needs: &Needs) -> Result<FileFacts, Vec<Error>> {
    let source = sources::open(path, &input.text).map_err(|error| vec![error])?;
    let mut problems: Vec<Error> = check_dimensions(&*source, input).err().into_iter().collect();
    let map = |needs: &Needs| Mapping::new(source.columns(), &input.roles, &needs.scan);
    match map(needs) {
        Ok(mapping) if problems.is_empty() => return Ok(FileFacts::new(path, &*source, &mapping, &needs.scan)),
        Ok(_) => {}
        Err(error) => {
            let failed =
                asked.iter().filter_map(|asked| Some((asked.name.as_str(), map(&asked.question.needs()).err()?)));
            let failed = by_message(failed.collect(), asked.len());
            problems.extend(if failed.is_empty() { vec![error] } else { failed });
        }
    }
    Err(problems.into_iter().map(|error| error.within(path.display())).collect())
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
