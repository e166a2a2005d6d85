//! A file that is about to be opened, as the formats see it.

use std::path::Path;
use std::sync::Arc;

use super::TextOptions;
use super::stored::Stored;
use super::text::{Head, Text};
use crate::error::{Error, Result};

/// Bytes of a file that tell its format.
const HEAD: u64 = 16;

/// What is known of a file before its format is.
pub struct Opening {
    /// How the user wants files to be read.
    pub options: TextOptions,
    /// Its first bytes.
    pub head: Vec<u8>,
    stored: Arc<Stored>,
    /// Its beginning as text, once a format has asked for it.
    text: Option<(Arc<Text>, Head)>,
}

impl Opening {
    /// Looks at the first bytes of `path`.
    pub fn new(path: &Path, options: &TextOptions) -> Result<Self> {
        let mut stored = Stored::open(path)?;
        let head = stored.head(HEAD)?;
        Ok(Opening { options: options.clone(), head, stored: Arc::new(stored), text: None })
    }

    /// Where it is, as the user wrote it.
    pub fn path(&self) -> &Path {
        self.stored.path()
    }

    /// The bytes where they can be read by position, for formats that jump about in them.
    pub fn settled(&mut self) -> Result<Arc<Stored>> {
        if self.stored.is_pipe() {
            self.stored = Arc::new(self.stored.settled()?);
        }
        Ok(Arc::clone(&self.stored))
    }

    /// The text and its beginning. It is looked at once, however many formats ask.
    pub fn text(&mut self) -> Result<(&Arc<Text>, &Head)> {
        if self.text.is_none() {
            let (text, head) = Text::open(&self.stored, &self.options)?;
            self.text = Some((Arc::new(text), head));
        }
        let (text, head) = self.text.as_ref().ok_or_else(|| Error::bug("a text that was looked at is gone"))?;
        Ok((text, head))
    }
}
