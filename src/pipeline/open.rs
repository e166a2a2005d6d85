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
    let named = named(input, scan);
    let options = TextOptions { named: named.iter().map(|named| named.names.clone()).collect(), ..input.text.clone() };
    let open = |file: &InputFile| Ok(with_constants(sources::open(&file.path, &options)?, &file.constants));
    let given = |given: &Given| Ok(Box::new(Arc::clone(&given.source)) as Box<dyn Source>);
    let sources = input.files.iter().map(open).chain(input.sources.iter().map(given));
    let sources: Vec<Box<dyn Source>> = sources.collect::<Result<_>>()?;
    let names = input.sources.iter().map(|given| Path::new(&given.name));
    let paths: Vec<&Path> = input.files.iter().map(|file| file.path.as_path()).chain(names).collect();
    let noted = |(path, source): (&&Path, &Box<dyn Source>)| {
        source.notes().into_iter().map(|note| format!("{}: {note}", path.display())).collect::<Vec<_>>()
    };
    let mut notes: Vec<String> = paths.iter().zip(&sources).flat_map(noted).collect();
    let mut empty = vec![Vec::new(); sources.len()];
    for named in named.iter().filter(|named| named.optional) {
        let lacking = lacking(&sources, &named.names);
        let Some((&first, name)) = lacking.first().zip(named.names.first()) else { continue };
        notes.push(lacks(paths[first], lacking.len(), &format!("column {name:?}")));
        lacking.iter().for_each(|&file| empty[file].push(Constant { name: name.clone(), value: None }));
    }
    for role in Role::ALL
        .into_iter()
        .filter(|role| scan.asks(*role) && input.roles.named(*role).is_empty() && !scan.derives(role.name()))
    {
        // SQL names a role that some of the files have: the others have a column of this name without values.
        let has = |source: &dyn Source| !matches!(find(source.columns(), &input.roles, role), Ok(None));
        let lacking: Vec<usize> = (0..sources.len()).filter(|&file| !has(&*sources[file])).collect();
        if lacking.len() < sources.len() {
            let column = || Constant { name: role.name().to_owned(), value: None };
            lacking.iter().for_each(|&file| empty[file].push(column()));
        }
    }
    let sources = sources.into_iter().zip(&empty).map(|(source, empty)| with_constants(source, empty));
    let files = paths.iter().zip(sources).map(|(path, source)| map(input, scan, path, source));
    let files = files.collect::<Result<Vec<_>>>()?;
    notes.extend(Role::ALL.iter().filter_map(|role| unguessed(&files, input, scan, *role)));
    Ok(Opened { files, notes })
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
fn lacking(sources: &[Box<dyn Source>], names: &[String]) -> Vec<usize> {
    let is_there =
        |source: &dyn Source| names.iter().any(|name| name == "none" || position(source.columns(), name).is_some());
    let lacking: Vec<usize> = (0..sources.len()).filter(|&file| !is_there(&*sources[file])).collect();
    if lacking.len() == sources.len() { Vec::new() } else { lacking }
}

/// What is said if a role that may be missing was found in some of the files only.
fn unguessed(files: &[OpenFile], input: &Input, scan: &Scan, role: Role) -> Option<String> {
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
    Ok(OpenFile { facts, source, mapping })
}
