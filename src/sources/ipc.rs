//! Arrow IPC: files (Feather version 2 too) and streams, with compressed buffers. Each record batch is a split. Columns inside
//! of structs have dotted names; lists, maps and unions are no columns.

mod batches;
mod columns;
mod messages;
#[cfg(test)]
mod tests;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;

use arrow_schema::ArrowError;

use self::batches::Batches;
use self::columns::{Leaf, leaves};
use self::messages::Layout;
use super::stored::Stored;
use super::{Format, Opening, Reader, Source, Wanted};
use crate::error::{Error, Result};

/// Arrow IPC files and streams.
pub const FORMAT: Format = Format { name: "Arrow IPC", flag: "ipc", open };

/// What every file begins with.
const FILE: &[u8] = b"ARROW1";
/// What every stream begins with, before the length of its first message.
const STREAM: &[u8] = &[0xff; 4];
/// What files of Feather's first version begin with.
const OLD_FEATHER: &[u8] = b"FEA1";

/// Opens a file or stream, or says `None` if it does not begin as one.
fn open(opening: &mut Opening) -> Result<Option<Box<dyn Source>>> {
    let head = &opening.head;
    if head.starts_with(OLD_FEATHER) {
        let message = format!("{}: version 1 of Feather is not read", opening.path().display());
        return Err(Error::input(message).hint("write it again with version 2, which is Arrow IPC"));
    }
    let is_file = head.starts_with(FILE);
    // A message of a text's length: the first bytes of no other text are these.
    if !is_file && !head.starts_with(STREAM) {
        return Ok(None);
    }
    let stored = opening.settled()?;
    let layout = guarded(|| if is_file { Layout::of_file(&stored) } else { Layout::of_stream(&stored) });
    let layout = layout.map_err(|error| damaged(stored.path(), "", &error))?;
    let leaves = leaves(&layout.schema);
    let columns = leaves.iter().map(|leaf| leaf.name.clone()).collect();
    Ok(Some(Box::new(Ipc { stored, layout: Arc::new(layout), is_file, leaves, columns })))
}

/// A file whose messages are known.
struct Ipc {
    stored: Arc<Stored>,
    layout: Arc<Layout>,
    is_file: bool,
    leaves: Vec<Leaf>,
    columns: Vec<String>,
}

impl Source for Ipc {
    fn columns(&self) -> &[String] {
        &self.columns
    }

    fn bytes(&self) -> u64 {
        self.stored.bytes()
    }

    fn describe(&self) -> String {
        let kind = if self.is_file { "file" } else { "stream" };
        let count = self.layout.batches.len();
        let plural = if count == 1 { "" } else { "es" };
        format!("Arrow IPC {kind}, {}, {count} record batch{plural}", self.layout.codec)
    }

    fn read(&self, wanted: &[Wanted]) -> Result<Box<dyn Reader>> {
        let leaf = |wanted: &Wanted| self.leaves.get(wanted.column).cloned();
        let leaves: Option<Vec<Leaf>> = wanted.iter().map(leaf).collect();
        let missing = || Error::bug(format!("a column is not in {}", self.stored.path().display()));
        let reader = Batches::new(&self.stored, &self.layout, leaves.ok_or_else(missing)?)?;
        Ok(Box::new(reader))
    }
}

/// What a decoder that trusts its input gives: it panics on some damage, by an index out of bounds or an unknown number.
fn guarded<T>(decode: impl FnOnce() -> Result<T, ArrowError>) -> Result<T, ArrowError> {
    let result = catch_unwind(AssertUnwindSafe(decode));
    result.unwrap_or_else(|_| Err(ArrowError::IpcError("it contradicts itself".to_owned())))
}

fn damaged(path: &Path, part: &str, error: &ArrowError) -> Error {
    Error::input(format!("{}: {part}the Arrow IPC data are damaged: {error}", path.display()))
        .hint("copy or export the file again")
}
