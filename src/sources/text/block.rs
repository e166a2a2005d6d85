//! Memory for text. Fresh memory costs more than reading into it, so blocks that nobody looks at any more are used again.

use crate::sync::lock;
use std::io;
use std::sync::Mutex;

use arrow_buffer::Buffer;

/// A piece of text that can grow at its end.
pub struct Block {
    /// The text, then bytes without meaning.
    bytes: Vec<u8>,
    filled: usize,
}

impl Block {
    pub fn text(&self) -> &[u8] {
        &self.bytes[..self.filled]
    }

    /// Appends up to `more` bytes from `read`, until it gives none. If it fails, what it gave before is kept.
    pub fn grow(&mut self, more: usize, mut read: impl FnMut(&mut [u8]) -> io::Result<usize>) -> io::Result<()> {
        let goal = self.filled + more;
        if self.bytes.is_empty() {
            self.bytes = vec![0; goal];
        } else if self.bytes.len() < goal {
            self.bytes.resize(goal, 0);
        }
        while self.filled < goal {
            match read(&mut self.bytes[self.filled..goal]) {
                Ok(0) => break,
                Ok(count) => self.filled += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

/// The blocks of one reader that were handed out.
#[derive(Default)]
pub struct Pool(Mutex<Vec<Buffer>>);

impl Pool {
    /// So many blocks are kept for another use.
    const KEPT: usize = 32;

    /// An empty block.
    pub fn take(&self) -> Block {
        let mut blocks = lock(&self.0);
        let free = blocks.iter().position(|block| block.strong_count() == 1);
        let bytes = free.and_then(|free| blocks.swap_remove(free).into_vec().ok()).unwrap_or_default();
        Block { bytes, filled: 0 }
    }

    /// Makes `block` a buffer that is shared without copies, and takes it back when only the pool still knows it.
    pub fn share(&self, block: Block) -> Buffer {
        if block.bytes.is_empty() {
            return Buffer::default();
        }
        let buffer = Buffer::from_vec(block.bytes);
        let mut blocks = lock(&self.0);
        if blocks.len() < Self::KEPT {
            blocks.push(buffer.clone());
        }
        buffer.slice_with_length(0, block.filled)
    }
}
