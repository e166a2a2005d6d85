//! What an INPUT stands for: a file, a glob, a folder, or standard input.
//!
//! Folders called `key=value` make columns, as Hive writes them: those below a folder that was given, and those of a path from
//! the first part on in which a glob has a sign. What was spelt out is no column.

use std::path::{Component, Path, PathBuf};

use crate::error::{Error, Result};
use crate::pipeline::InputFile;
use crate::sources::{STANDARD_INPUT, partitions};

/// Endings of the files of a folder that are read, before a `.gz` or `.zst`.
const ENDINGS: [&str; 12] =
    ["csv", "tsv", "txt", "ndjson", "jsonl", "json", "parquet", "pq", "arrow", "arrows", "feather", "ipc"];

/// The files that the inputs stand for, and what was left out of folders. Globs and folders are ordered by name.
pub fn expand(inputs: &[String]) -> Result<(Vec<InputFile>, Vec<String>)> {
    if inputs.is_empty() {
        return Err(
            Error::question("no input").hint("name a log file, a glob or a folder: clickpath inspect events.csv")
        );
    }
    let (mut files, mut notes) = (Vec::new(), Vec::new());
    for input in inputs {
        let path = Path::new(input);
        if input == STANDARD_INPUT {
            if files.iter().any(|file: &InputFile| file.path == path) {
                return Err(Error::question("standard input is named twice").hint("it can be read only once"));
            }
            files.push(path.to_owned().into());
        } else if path.is_dir() {
            folder(path, &mut files, &mut notes)?;
        } else if input.contains(SIGNS) && !path.exists() {
            let spelt = spelt_out(input);
            files.extend(matches(input)?.into_iter().map(|path| with_folders(path, &spelt)));
        } else {
            files.push(path.to_owned().into());
        }
    }
    Ok((files, notes))
}

/// The signs of globs.
const SIGNS: [char; 3] = ['*', '?', '['];

/// The folders of a glob before the first part with a sign.
fn spelt_out(pattern: &str) -> PathBuf {
    let has_sign = |part: &Component| part.as_os_str().to_string_lossy().contains(SIGNS);
    Path::new(pattern).components().take_while(|part| !has_sign(part)).collect()
}

/// A file with the columns that the folders below `root` name.
fn with_folders(path: PathBuf, root: &Path) -> InputFile {
    let inside = path.strip_prefix(root).ok().and_then(Path::parent).unwrap_or(Path::new(""));
    let folders: Vec<_> = inside.components().map(|folder| folder.as_os_str().to_string_lossy()).collect();
    let constants = partitions(folders.iter().map(AsRef::as_ref));
    InputFile { path, constants }
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
fn folder(root: &Path, files: &mut Vec<InputFile>, notes: &mut Vec<String>) -> Result<()> {
    let real_root = root.canonicalize().map_err(|error| Error::io(root, &error))?;
    let mut found = Vec::new();
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
                (_, true, false) if is_log(&path) => found.push(path),
                _ => skipped += 1,
            }
        }
    }
    found.sort();
    if found.is_empty() {
        return Err(Error::question(format!("the folder {} has no log files", root.display()))
            .hint(format!("files that end in {} are read, also with .gz or .zst", ENDINGS.join(", "))));
    }
    files.extend(found.into_iter().map(|path| with_folders(path, root)));
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
    let name = name.strip_suffix(".gz").or_else(|| name.strip_suffix(".zst")).unwrap_or(&name);
    name.rsplit_once('.').is_some_and(|(_, ending)| ENDINGS.contains(&ending))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(files: Vec<InputFile>) -> Vec<PathBuf> {
        files.into_iter().map(|file| file.path).collect()
    }

    #[test]
    fn folders_with_keys_make_columns_unless_they_were_spelt_out() {
        let folder = tempfile::tempdir().unwrap();
        let inside = folder.path().join("site=a/year=2026/month=05");
        std::fs::create_dir_all(&inside).unwrap();
        std::fs::write(inside.join("x=y.csv"), "x").unwrap();
        let columns = |input: &str| -> Vec<String> {
            let (files, _) = expand(&[folder.path().join(input).display().to_string()]).unwrap();
            files[0].constants.iter().map(|constant| constant.name.clone()).collect()
        };
        assert_eq!(columns(""), ["site", "year", "month"]);
        assert_eq!(columns("site=a"), ["year", "month"]);
        assert_eq!(columns("site=a/year=*/month=05/*.csv"), ["year", "month"]);
        assert_eq!(columns("site=a/year=2026/month=05/*.csv"), [""; 0]);
        assert_eq!(columns("site=a/year=2026/month=05/x=y.csv"), [""; 0]);
    }

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
        assert_eq!(paths(files), [at("a.csv.gz"), at("b.csv"), at("sub/c.parquet")]);
        assert!(notes[0].contains("2 entries"), "{notes:?}");
        let (globbed, _) = expand(&[at("*.csv").display().to_string()]).unwrap();
        assert_eq!(paths(globbed), [at("b.csv"), at("link.csv")]);
        assert!(expand(&[at("*.none").display().to_string()]).is_err());
        assert!(expand(&[]).unwrap_err().advice().is_some());
    }
}
