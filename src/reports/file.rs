//! Files that appear whole or not at all.
//!
//! What is written goes to a temporary file in the same folder, which takes the name it was meant for only when it is
//! complete and on disk. Until then, and after any error, a file of that name is what it was before.
//!
//! A process that is killed cannot clean up. So a temporary file is locked for as long as its process lives, and whoever
//! writes into a folder first removes those that nobody has locked. The system gives a lock back however its owner ends.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use tempfile::TempPath;

use crate::error::{Error, Result};

/// A file on its way. Dropped before [`Pending::commit`], it leaves nothing behind.
pub struct Pending {
    path: PathBuf,
    /// The file itself, where `path` is a link to it.
    target: PathBuf,
    out: BufWriter<File>,
    /// Where the bytes wait. A device or a pipe has none: its bytes go straight through.
    temporary: Option<TempPath>,
    size: u64,
}

impl Pending {
    /// Begins the file `path`, in a folder that exists. What earlier runs left there half-written is removed.
    pub fn create(path: &Path) -> Result<Self> {
        sweep(folder_of(path));
        Self::begin(path)
    }

    fn begin(path: &Path) -> Result<Self> {
        // A link stays a link: the file that it points at is replaced.
        let target = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        let opened = match fs::metadata(&target) {
            Ok(old) if old.is_dir() => Err(io::ErrorKind::IsADirectory.into()),
            Ok(old) if !old.is_file() => OpenOptions::new().write(true).open(&target).map(|file| (file, None)),
            // Renaming would succeed, against the will of whoever made it read-only.
            Ok(old) if old.permissions().readonly() => Err(io::ErrorKind::PermissionDenied.into()),
            Ok(old) => temporary(&target, Some(old.permissions())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => temporary(&target, None),
            Err(error) => Err(error),
        };
        let (file, temporary) = opened.map_err(|error| refused(path, &error))?;
        Ok(Pending { path: path.to_owned(), target, out: BufWriter::new(file), temporary, size: 0 })
    }

    /// The name that the file is going to have.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Bytes written so far.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Whether `other` is going to be the same file.
    pub fn is_same(&self, other: &Pending) -> bool {
        let place = |file: &Pending| {
            let folder =
                fs::canonicalize(folder_of(&file.target)).unwrap_or_else(|_| folder_of(&file.target).to_owned());
            folder.join(file.target.file_name().unwrap_or_default())
        };
        place(self) == place(other)
    }

    /// Gives the file its name.
    pub fn commit(mut self) -> Result<()> {
        self.settle()?;
        self.appear()
    }

    /// Brings all bytes to the disk, so that a full one is noticed before any name is given.
    fn settle(&mut self) -> Result<()> {
        let settled = self.out.flush().and_then(|()| match self.temporary {
            Some(_) => self.out.get_ref().sync_all(),
            None => Ok(()),
        });
        settled.map_err(|error| Error::io(&self.path, &error))
    }

    /// Removes the older file of this name, if there is one.
    fn withdraw_old(&self) -> Result<()> {
        if self.temporary.is_none() {
            return Ok(());
        }
        match fs::remove_file(&self.target) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(Error::io(&self.path, &error)),
            _ => Ok(()),
        }
    }

    fn appear(self) -> Result<()> {
        // Closed last: without its lock it would be anybody's to remove.
        let Pending { path, target, out: _locked, temporary, .. } = self;
        match temporary {
            Some(temporary) => temporary.persist(&target).map_err(|error| Error::io(&path, &error.error)),
            None => Ok(()),
        }
    }

    /// With `bytes` at its end.
    pub fn filled(mut self, bytes: &[u8]) -> Result<Self> {
        self.write_all(bytes).map_err(|error| Error::io(&self.path, &error))?;
        Ok(self)
    }
}

impl Write for Pending {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.out.write(bytes)?;
        self.size += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// Writes the file `path`, whole or not at all.
pub fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    Pending::create(path)?.filled(bytes)?.commit()
}

/// Lets files appear that belong together: all bytes of all of them are on the disk before the first gets its name.
pub fn commit_all(mut files: Vec<Pending>) -> Result<()> {
    files.iter_mut().try_for_each(Pending::settle)?;
    files.into_iter().try_for_each(Pending::appear)
}

/// The files of one job, in one folder, that appear together.
pub struct Batch {
    // Dropped before the folder, which can only go once it is empty.
    files: Vec<Pending>,
    folder: Folder,
}

impl Batch {
    /// Begins a batch in `folder`, which is created if it is missing. That nothing can be written there is found out now: the log may
    /// take hours to read.
    pub fn create(folder: &Path) -> Result<Self> {
        let folder = Folder::create(folder)?;
        sweep(&folder.path);
        temporary(&folder.path.join("probe"), None).map_err(|error| Error::io(&folder.path, &error))?;
        Ok(Batch { files: Vec::new(), folder })
    }

    /// Begins a file that is written bit by bit and then handed to [`Batch::keep`] or [`Batch::commit`].
    pub fn open(&self, name: &str) -> Result<Pending> {
        if Path::new(name).file_name() != Some(name.as_ref()) {
            return Err(Error::question(format!("`{name}` is no name for a file")));
        }
        Pending::begin(&self.folder.path.join(name))
    }

    /// Makes `file` appear with the others.
    pub fn keep(&mut self, file: Pending) -> Result<()> {
        if self.files.iter().any(|other| other.target == file.target) {
            let message = format!("{}: two outputs want to be this file", file.path.display());
            return Err(Error::question(message).hint("give the questions different names"));
        }
        self.files.push(file);
        Ok(())
    }

    /// Writes a whole file that is to appear with the others.
    pub fn add(&mut self, name: &str, bytes: &[u8]) -> Result<()> {
        let file = self.open(name)?.filled(bytes)?;
        self.keep(file)
    }

    /// What is kept so far.
    pub fn files(&self) -> &[Pending] {
        &self.files
    }

    /// Lets all files appear, `last` after all others: where it stands, the others stand too, all of the same run.
    pub fn commit(mut self, last: Pending) -> Result<()> {
        self.keep(last)?;
        self.files.iter_mut().try_for_each(Pending::settle)?;
        // Two runs into one folder take turns, so that what stands there in the end is all of one of them.
        let turn = File::open(&self.folder.path).and_then(|folder| folder.lock().map(|()| folder));
        // The last file of an earlier run must not vouch for a mixture, should this run be cut short from here on.
        self.files.last().map_or(Ok(()), Pending::withdraw_old)?;
        let appeared = self.files.drain(..).try_for_each(Pending::appear);
        drop(turn);
        appeared
    }
}

/// An output folder. On drop, what was created for it goes again, unless there are files in it by then.
struct Folder {
    path: PathBuf,
    /// The folders that were missing, innermost first.
    created: Vec<PathBuf>,
}

impl Folder {
    fn create(path: &Path) -> Result<Self> {
        let missing = |folder: &&Path| !folder.as_os_str().is_empty() && !folder.exists();
        let created = path.ancestors().take_while(missing).map(Path::to_owned).collect();
        let folder = Folder { path: path.to_owned(), created };
        fs::create_dir_all(path).map_err(|error| Error::io(path, &error))?;
        Ok(folder)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        for folder in &self.created {
            // Refused for a folder with something in it, which is what we want.
            let _ = fs::remove_dir(folder);
        }
    }
}

/// How the names of temporary files begin and end.
const TEMPORARY: [&str; 2] = [".clickpath-", ".part"];

/// A temporary file next to `target`, with the permissions that it had or those of any new file.
fn temporary(target: &Path, permissions: Option<Permissions>) -> io::Result<(File, Option<TempPath>)> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(TEMPORARY[0]).suffix(TEMPORARY[1]);
    loop {
        // By way of `File`, for its permissions and its plain errors: tempfile's own files are readable by one user only.
        let file = builder.make_in(folder_of(target), |path| File::create_new(path))?;
        // Where there are no locks, nobody can find out that a file is nobody's, and none is removed.
        let _ = file.as_file().lock();
        // Another run may have swept it away before it was locked.
        if !file.path().exists() {
            continue;
        }
        if let Some(permissions) = permissions {
            file.as_file().set_permissions(permissions)?;
        }
        let (file, path) = file.into_parts();
        return Ok((file, Some(path)));
    }
}

/// Removes the temporary files of runs that are no more. What cannot be removed does no harm: it is hidden, and nobody's.
fn sweep(folder: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let ours = name.to_str().is_some_and(|name| name.starts_with(TEMPORARY[0]) && name.ends_with(TEMPORARY[1]));
        if !ours || !entry.file_type().is_ok_and(|kind| kind.is_file()) {
            continue;
        }
        let path = entry.path();
        // Locked until it is gone: whoever has made it and not yet locked it waits, and then looks whether it is still there.
        if let Ok(file) = File::open(&path)
            && file.try_lock().is_ok()
        {
            let _ = fs::remove_file(&path);
        }
    }
}

fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// `path` could not be begun.
fn refused(path: &Path, error: &io::Error) -> Error {
    let refused = Error::io(path, error);
    if error.kind() == io::ErrorKind::NotFound {
        return refused.hint(format!("create the folder first: mkdir -p {}", folder_of(path).display()));
    }
    refused
}

#[cfg(test)]
mod tests;
