//! Other encodings → UTF-8, while reading.

use std::io::{self, Read};

use encoding_rs::{Decoder, Encoding};

const BUFFER: usize = 64 << 10;

/// Reads the UTF-8 of a text in another encoding. What cannot be decoded is an error; its byte order mark is dropped.
pub struct Transcode<R> {
    inner: R,
    decoder: Decoder,
    stored: Vec<u8>,
    decoded: Vec<u8>,
    /// How much of `decoded` was handed out.
    given: usize,
    /// Bytes that were decoded.
    taken: u64,
    ended: bool,
}

impl<R: Read> Transcode<R> {
    pub fn new(inner: R, encoding: &'static Encoding) -> Self {
        let decoder = encoding.new_decoder_with_bom_removal();
        Transcode { inner, decoder, stored: vec![0; BUFFER], decoded: Vec::new(), given: 0, taken: 0, ended: false }
    }

    /// Decodes some more, unless all is decoded.
    fn refill(&mut self) -> io::Result<()> {
        let count = self.inner.read(&mut self.stored)?;
        self.ended = count == 0;
        let stored = &self.stored[..count];
        // Enough for all of it, so that the decoder always takes everything.
        let most = self.decoder.max_utf8_buffer_length(count).unwrap_or(BUFFER * 4);
        self.decoded.resize(most, 0);
        let (_, _, written, broken) = self.decoder.decode_to_utf8(stored, &mut self.decoded, self.ended);
        self.taken += count as u64;
        if broken {
            let name = self.decoder.encoding().name();
            let message = format!("not valid {name} somewhere before byte {}", self.taken + 1);
            return Err(io::Error::new(io::ErrorKind::InvalidData, message));
        }
        self.decoded.truncate(written);
        self.given = 0;
        Ok(())
    }
}

impl<R: Read> Read for Transcode<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        while self.given == self.decoded.len() && !self.ended {
            self.refill()?;
        }
        let rest = &self.decoded[self.given..];
        let count = rest.len().min(into.len());
        into[..count].copy_from_slice(&rest[..count]);
        self.given += count;
        Ok(count)
    }
}
