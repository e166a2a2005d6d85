//! Compressed bytes → what they were, while reading: never more of it in memory than is asked for.

use std::io::{self, BufReader, Read};
use std::path::Path;

use flate2::bufread::MultiGzDecoder;
use zstd::stream::read::Decoder;

use crate::error::Error;
use crate::sources::stored::Bytes;

/// So many bytes tell the packing.
pub const MAGIC: u64 = 4;

const BUFFER: usize = 128 << 10;

/// How bytes are compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Packing {
    None,
    /// Any number of gzip members.
    Gzip,
    /// Any number of frames.
    Zstd,
}

impl Packing {
    /// The packing of bytes that begin with `magic`.
    pub fn of(magic: &[u8]) -> Packing {
        match magic {
            [0x1f, 0x8b, 8, ..] => Packing::Gzip,
            [0x28, 0xb5, 0x2f, 0xfd] => Packing::Zstd,
            // A frame to skip, with which some tools begin.
            [0x50..=0x5f, 0x2a, 0x4d, 0x18] => Packing::Zstd,
            _ => Packing::None,
        }
    }

    pub fn name(self) -> Option<&'static str> {
        match self {
            Packing::None => None,
            Packing::Gzip => Some("gzip"),
            Packing::Zstd => Some("zstd"),
        }
    }

    pub fn unpack(self, stored: impl Read + Send + 'static) -> io::Result<Bytes> {
        let buffered = |stored| BufReader::with_capacity(BUFFER, stored);
        Ok(match self {
            Packing::None => Box::new(stored),
            Packing::Gzip => Box::new(MultiGzDecoder::new(buffered(stored))),
            Packing::Zstd => Box::new(Decoder::with_buffer(buffered(stored))?),
        })
    }

    /// What an error of reading `path` says about the compressed data, if it is about them. `after` says where it was met.
    pub fn error(self, path: &Path, error: &io::Error, after: &str) -> Option<Error> {
        use io::ErrorKind::{InvalidData, InvalidInput, Other, UnexpectedEof};
        let name = self.name()?;
        let path = path.display();
        let after = if after.is_empty() { String::new() } else { format!(", {after}") };
        match error.kind() {
            UnexpectedEof => Some(Error::input(format!("{path}: the {name} data break off{after}")).hint(format!(
                "the file is cut short: fetch it again, or save what is there with `{name} -dc FILE > part`"
            ))),
            InvalidData | InvalidInput | Other => {
                let error = Error::input(format!("{path}: the {name} data are damaged{after} ({error})"));
                Some(error.hint(format!("fetch the file again; `{name} -t FILE` checks it")))
            }
            _ => None,
        }
    }
}
