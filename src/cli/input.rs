//! What an INPUT stands for: a file, a glob, or a folder.

use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

/// Endings of the files of a folder that are read, before a `.gz`.
const ENDINGS: [&str; 5] = ["csv", "tsv", "txt", "parquet", "pq"];

/// The files that the inputs stand for, and what was left out of folders. Globs and folders are ordered by name.
pub fn expand(inputs: &[String]) -> Result<(Vec<PathBuf>, Vec<String>)> {
    if inputs.is_empty() {
        return Err(
            Error::question("no input").hint("name a log file, a glob or a folder: clickpath inspect events.csv")
        );
    }
    let (mut files, mut notes) = (Vec::new(), Vec::new());
    for input in inputs {
        if input == "-" {
            return Err(
                Error::question("reading from standard input is not possible yet").hint("save the log to a file first")
            );
        }
        let path = Path::new(input);
        if path.is_dir() {
            folder(path, &mut files, &mut notes)?;
        } else if input.contains(['*', '?', '[']) && !path.exists() {
            files.extend(matches(input)?);
        } else {
            files.push(path.to_owned());
        }
    }
    Ok((files, notes))
}

/// No answer may take the place of a log that it was made from.
pub fn refuse_overwriting<'a>(inputs: &[PathBuf], outputs: impl Iterator<Item = &'a PathBuf>) -> Result<()> {
    // What cannot be resolved is not there, and so is not an input.
    let real = |path: &Path| path.canonicalize().ok().filter(|path| path.is_file());
    let inputs: Vec<PathBuf> = inputs.iter().filter_map(|path| real(path)).collect();
    let mut seen = Vec::new();
    for output in outputs {
        if seen.contains(&output) {
            return Err(Error::question(format!("two outputs want to be {}", output.display())));
        }
        seen.push(output);
        if real(output).is_some_and(|path| inputs.contains(&path)) {
            return Err(Error::question(format!("{} is an input: it would be overwritten", output.display()))
                .hint("give the output another name"));
        }
    }
    Ok(())
}

fn matches(pattern: &str) -> Result<Vec<PathBuf>> {
    // As in a shell and in folders, hidden files must be asked for.
    let options = glob::MatchOptions { require_literal_leading_dot: true, ..glob::MatchOptions::default() };
    let paths = glob::glob_with(pattern, options)
        .map_err(|error| Error::question(format!("{pattern:?} is not a glob: {error}")))?;
    let mut files = Vec::new();
    for path in paths {
        let path = path.map_err(|error| Error::io(error.path(), error.error()))?;
        if path.is_file() {
            files.push(path);
        }
    }
    files.sort();
    if files.is_empty() {
        return Err(
            Error::question(format!("no file fits {pattern:?}")).hint("is the pattern quoted, and the folder right?")
        );
    }
    Ok(files)
}

/// All log files of a folder and its folders. Hidden ones are passed over, and symbolic links that lead out are not followed.
fn folder(root: &Path, files: &mut Vec<PathBuf>, notes: &mut Vec<String>) -> Result<()> {
    let real_root = root.canonicalize().map_err(|error| Error::io(root, &error))?;
    let before = files.len();
    let mut skipped = 0;
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).map_err(|error| Error::io(&folder, &error))? {
            let path = entry.map_err(|error| Error::io(&folder, &error))?.path();
            let hidden = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(['.', '_']));
            let inside = path.canonicalize().is_ok_and(|real| real.starts_with(&real_root));
            match (hidden, inside, path.is_dir()) {
                (true, _, _) => {}
                // A linked folder inside is reached by its own name.
                (_, true, true) if !path.is_symlink() => folders.push(path),
                (_, true, false) if is_log(&path) => files.push(path),
                _ => skipped += 1,
            }
        }
    }
    files[before..].sort();
    if files.len() == before {
        return Err(Error::question(format!("the folder {} has no log files", root.display()))
            .hint(format!("files that end in {} are read, also with .gz", ENDINGS.join(", "))));
    }
    if skipped > 0 {
        notes.push(format!(
            "{}: {skipped} entries are no log files or lead out of the folder and were left out",
            root.display()
        ));
    }
    Ok(())
}

fn is_log(path: &Path) -> bool {
    let name = path.file_name().map(|name| name.to_string_lossy().to_lowercase()).unwrap_or_default();
    let name = name.strip_suffix(".gz").unwrap_or(&name);
    name.rsplit_once('.').is_some_and(|(_, ending)| ENDINGS.contains(&ending))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_gives_its_logs_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        std::fs::create_dir(at("sub")).unwrap();
        for name in ["b.csv", "a.csv.gz", "sub/c.parquet", "notes.md", ".hidden.csv", "_SUCCESS"] {
            std::fs::write(at(name), "x").unwrap();
        }
        let outside = tempfile::NamedTempFile::with_suffix(".csv").unwrap();
        std::os::unix::fs::symlink(outside.path(), at("link.csv")).unwrap();
        let (files, notes) = expand(&[folder.path().display().to_string()]).unwrap();
        assert_eq!(files, [at("a.csv.gz"), at("b.csv"), at("sub/c.parquet")]);
        assert!(notes[0].contains("2 entries"), "{notes:?}");
        let (globbed, _) = expand(&[at("*.csv").display().to_string()]).unwrap();
        assert_eq!(globbed, [at("b.csv"), at("link.csv")]);
        assert!(expand(&[at("*.none").display().to_string()]).is_err());
        assert!(expand(&[]).unwrap_err().advice().is_some());
    }
}
