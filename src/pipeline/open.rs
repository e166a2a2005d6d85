//! Opens every file and finds its columns, before anything is read.

use std::path::Path;
use std::sync::Arc;

use super::{FileFacts, Given, Input, InputFile};
use crate::error::Result;
use crate::events::{Mapping, Role, Scan, by_name, find, position, with_derived};
use crate::sources::{self, Constant, Source, TextOptions, with_constants};

/// A file that is ready to be read.
pub(super) struct OpenFile {
    pub facts: FileFacts,
    pub source: Box<dyn Source>,
    pub mapping: Mapping,
}

/// All files, and what a reader of any answer must know about them.
pub(super) struct Opened {
    pub files: Vec<OpenFile>,
    pub notes: Vec<String>,
}

/// Opens the files of `input` and finds the columns that `scan` needs.
pub(super) fn open(input: &Input, scan: &Scan) -> Result<Opened> {
    let Prepared { sources, mut notes } = prepare(input, scan);
    let open = |(path, source): (&Path, Result<_>)| map(input, scan, path, source?);
    let files = paths(input).into_iter().zip(sources).map(open).collect::<Result<Vec<_>>>()?;
    notes.extend(unguessed(&files, input, scan));
    Ok(Opened { files, notes })
}

/// What the files and the given sources of a run are called, in the order in which they are read.
pub(super) fn paths(input: &Input) -> Vec<&Path> {
    let given = input.sources.iter().map(|given| Path::new(&given.name));
    input.files.iter().map(|file| file.path.as_path()).chain(given).collect()
}

/// The files of a run with all columns that they have or are given, and what a reader of any answer must know about them.
pub(super) struct Prepared {
    /// One for each file.
    pub sources: Vec<Result<Box<dyn Source>>>,
    pub notes: Vec<String>,
}

/// Opens the files of `input`. One that lacks a column which another has, and which it need not have, gets it without values.
pub(super) fn prepare(input: &Input, scan: &Scan) -> Prepared {
    let named = named(input, scan);
    let options = TextOptions { named: named.iter().map(|named| named.names.clone()).collect(), ..input.text.clone() };
    let open = |file: &InputFile| Ok(with_constants(sources::open(&file.path, &options)?, &file.constants));
    let given = |given: &Given| Ok(Box::new(Arc::clone(&given.source)) as Box<dyn Source>);
    let sources = input.files.iter().map(open).chain(input.sources.iter().map(given));
    let sources: Vec<Result<Box<dyn Source>>> = sources.collect();
    let paths = paths(input);
    let mut notes = Vec::new();
    for (path, source) in paths.iter().zip(&sources) {
        let found = source.iter().flat_map(|source| source.notes());
        notes.extend(found.map(|note| format!("{}: {note}", path.display())));
    }
    let mut empty = vec![Vec::new(); sources.len()];
    for named in named.iter().filter(|named| named.optional) {
        let lacking = lacking(&sources, &named.names);
        let Some((&first, name)) = lacking.first().zip(named.names.first()) else { continue };
        notes.push(lacks(paths[first], lacking.len(), &format!("column {name:?}")));
        lacking.iter().for_each(|&file| empty[file].push(Constant { name: name.clone(), value: None }));
    }
    for role in Role::ALL {
        if scan.asks(role) && input.roles.named(role).is_empty() && !scan.derives(role.name()) {
            // SQL names a role that some of the files have: the others have a column of this name without values.
            let has = |source: &dyn Source| !matches!(find(source.columns(), &input.roles, role), Ok(None));
            let column = || Constant { name: role.name().to_owned(), value: None };
            let lacking = without(&sources, has);
            if let Some(&first) = lacking.first() {
                notes.push(lacks(paths[first], lacking.len(), &format!("column that looks like the {}", role.name())));
            }
            lacking.into_iter().for_each(|file| empty[file].push(column()));
        }
    }
    let filled = |(source, empty): (Result<_>, &Vec<Constant>)| Ok(with_constants(source?, empty));
    Prepared { sources: sources.into_iter().zip(&empty).map(filled).collect(), notes }
}

/// Columns that the user named for one thing: the first that a file has is taken.
struct Named {
    names: Vec<String>,
    /// Whether it is no value in a file that has none of them, as long as another file has one.
    optional: bool,
}

fn named(input: &Input, scan: &Scan) -> Vec<Named> {
    let role = |role: &Role| Named { names: input.roles.named(*role).to_vec(), optional: !scan.requires(*role) };
    let roles = Role::ALL.iter().filter(|role| scan.reads(**role)).map(role).filter(|named| !named.names.is_empty());
    let mut named: Vec<Named> = roles.collect();
    for name in input.dimensions.iter().map(String::as_str).chain(scan.named()) {
        // A column that a role names already is no other one.
        if !named.iter().any(|known| known.names == [name]) && !scan.derives(name) {
            named.push(Named { names: vec![name.to_owned()], optional: true });
        }
    }
    named
}

/// The numbers of the files that have none of the columns `names`, if another file has one.
fn lacking(sources: &[Result<Box<dyn Source>>], names: &[String]) -> Vec<usize> {
    without(sources, |source| names.iter().any(|name| name == "none" || position(source.columns(), name).is_some()))
}

/// The numbers of the files of which `has` does not hold, if it holds of another one.
fn without(sources: &[Result<Box<dyn Source>>], has: impl Fn(&dyn Source) -> bool) -> Vec<usize> {
    let opened = sources.iter().enumerate().filter_map(|(file, source)| Some((file, source.as_ref().ok()?)));
    let (having, lacking): (Vec<_>, Vec<_>) = opened.partition(|(_, source)| has(&***source));
    if having.is_empty() { Vec::new() } else { lacking.into_iter().map(|(file, _)| file).collect() }
}

/// What is said of the roles that may be missing and were found in some of the files only.
pub(super) fn unguessed(files: &[OpenFile], input: &Input, scan: &Scan) -> Vec<String> {
    Role::ALL.iter().filter_map(|role| unguessed_role(files, input, scan, *role)).collect()
}

fn unguessed_role(files: &[OpenFile], input: &Input, scan: &Scan, role: Role) -> Option<String> {
    if scan.requires(role) || !scan.reads(role) || !input.roles.named(role).is_empty() {
        return None;
    }
    let mut lacking = files.iter().filter(|file| file.mapping.role(role).is_none());
    let first = lacking.next()?;
    let count = 1 + lacking.count();
    (count < files.len())
        .then(|| lacks(&first.facts.path, count, &format!("column that looks like the {}", role.name())))
}

/// `b.csv and 2 more files have no column "x": it has no value there`.
fn lacks(first: &Path, count: usize, what: &str) -> String {
    let first = first.display();
    match count {
        1 => format!("{first} has no {what}: it has no value there"),
        2 => format!("{first} and 1 more file have no {what}: it has no value there"),
        _ => format!("{first} and {} more files have no {what}: it has no value there", count - 1),
    }
}

fn map(input: &Input, scan: &Scan, path: &Path, source: Box<dyn Source>) -> Result<OpenFile> {
    let (facts, mapping) = fit(input, scan, path, &*source)?;
    Ok(OpenFile { facts, source, mapping })
}

/// Finds the columns that `scan` needs in the file at `path`.
pub(super) fn fit(input: &Input, scan: &Scan, path: &Path, source: &dyn Source) -> Result<(FileFacts, Mapping)> {
    let columns = with_derived(source.columns(), &scan.derived).map_err(|e| e.within(path.display()))?;
    let named = |name: &String| by_name(&columns, name).map(|_| ());
    input.dimensions.iter().try_for_each(named).map_err(|e| e.within(path.display()))?;
    let mapping = Mapping::new(source.columns(), &input.roles, scan).map_err(|e| e.within(path.display()))?;
    let facts = FileFacts {
        path: path.to_owned(),
        format: source.describe(),
        bytes: source.bytes(),
        columns: source.columns().to_vec(),
        roles: mapping.roles(source.columns(), scan),
    };
    Ok((facts, mapping))
}
