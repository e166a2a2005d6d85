//! Where the messages of a file or stream lie. All that the decoder would trust is checked here.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use arrow_buffer::Buffer;
use arrow_ipc::convert::fb_to_schema;
use arrow_ipc::reader::read_footer_length;
use arrow_ipc::{Block, BodyCompression, CompressionType, Message, MessageHeader, MetadataVersion, RecordBatch};
use arrow_schema::{ArrowError, SchemaRef};

use crate::sources::stored::Stored;

type Result<T> = std::result::Result<T, ArrowError>;

/// The messages of a file or stream.
pub struct Layout {
    pub schema: SchemaRef,
    pub version: MetadataVersion,
    pub dictionaries: Vec<Dictionary>,
    pub batches: Vec<Batch>,
    /// The compression of the first batch, for people.
    pub codec: &'static str,
    /// Rows of all batches.
    rows: u64,
}

/// A message with values of a dictionary.
pub struct Dictionary {
    pub block: Block,
    pub id: i64,
    /// Whether the values come behind those that are known.
    pub delta: bool,
}

/// A message with rows.
pub struct Batch {
    pub block: Block,
    /// The number of its first row, counted from 1.
    pub first: u64,
    /// How many of the dictionary messages come before it.
    pub dictionaries: usize,
}

/// The magic and its padding.
const FILE_START: u64 = 8;
/// The length of the footer, then the magic.
const FILE_END: u64 = 10;
/// Longer metadata are damage: thousands of columns need less than a megabyte.
const LONGEST_METADATA: u64 = 256 << 20;
/// A batch with more rows than this, or more bytes when it is unpacked, would not fit into its own offsets.
const MOST_ROWS: i64 = i32::MAX as i64;
const MOST_BYTES: u64 = 4 << 30;

impl Layout {
    /// The messages that the footer of a file names.
    pub fn of_file(stored: &Stored) -> Result<Layout> {
        let bytes = Bytes::of(stored)?;
        let cut_off = || broken("the file is cut off: its footer is missing");
        let end = bytes.length.checked_sub(FILE_END).filter(|end| *end >= FILE_START).ok_or_else(cut_off)?;
        let tail: [u8; FILE_END as usize] = bytes.read(end, FILE_END)?[..].try_into().map_err(|_| cut_off())?;
        let length = read_footer_length(tail).map_err(|_| cut_off())? as u64;
        let start = end.checked_sub(length).filter(|start| *start >= FILE_START).ok_or_else(cut_off)?;
        let footer = bytes.read(start, length)?;
        let footer = arrow_ipc::root_as_footer(&footer).map_err(|error| broken(&format!("its footer: {error}")))?;
        let schema = footer.schema().ok_or_else(|| broken("its footer has no schema"))?;
        let mut layout = Layout::new(schema, footer.version())?;
        for block in footer.dictionaries().iter().flatten() {
            layout.add(&bytes, *block)?;
        }
        for block in footer.recordBatches().iter().flatten() {
            layout.add(&bytes, *block)?;
        }
        Ok(layout)
    }

    /// The messages of a stream, one after the other.
    pub fn of_stream(stored: &Stored) -> Result<Layout> {
        let bytes = Bytes::of(stored)?;
        let first = bytes.next(0)?.ok_or_else(|| broken("it has no schema"))?;
        let metadata = bytes.metadata(&first)?;
        let message = message(&metadata)?;
        let schema = message.header_as_schema().ok_or_else(|| broken("it does not begin with a schema"))?;
        let mut layout = Layout::new(schema, message.version())?;
        let mut at = end(&first);
        while let Some(block) = bytes.next(at)? {
            layout.add(&bytes, block)?;
            at = end(&block);
        }
        Ok(layout)
    }

    fn new(schema: arrow_ipc::Schema<'_>, version: MetadataVersion) -> Result<Layout> {
        if !schema.endianness().equals_to_target_endianness() {
            return Err(broken("its numbers have the bytes in the other order"));
        }
        let schema = Arc::new(fb_to_schema(schema));
        Ok(Layout { schema, version, dictionaries: Vec::new(), batches: Vec::new(), codec: "uncompressed", rows: 0 })
    }

    /// Adds the message at `block`.
    fn add(&mut self, bytes: &Bytes, block: Block) -> Result<()> {
        let metadata = bytes.metadata(&block)?;
        let message = message(&metadata)?;
        if message.bodyLength() != block.bodyLength() {
            return Err(broken("a message is not as long as is said elsewhere"));
        }
        match message.header_type() {
            MessageHeader::DictionaryBatch => {
                let dictionary =
                    message.header_as_dictionary_batch().ok_or_else(|| broken("a dictionary is missing"))?;
                let values = dictionary.data().ok_or_else(|| broken("a dictionary has no values"))?;
                check(bytes, &block, &values)?;
                self.dictionaries.push(Dictionary { block, id: dictionary.id(), delta: dictionary.isDelta() });
            }
            MessageHeader::RecordBatch => {
                let batch = message.header_as_record_batch().ok_or_else(|| broken("a record batch is missing"))?;
                check(bytes, &block, &batch)?;
                if self.batches.is_empty() {
                    self.codec = codec(batch.compression());
                }
                self.batches.push(Batch { block, first: self.rows + 1, dictionaries: self.dictionaries.len() });
                self.rows += batch.length() as u64;
            }
            other => return Err(broken(&format!("a message {other:?} has no rows"))),
        }
        Ok(())
    }
}

/// Refuses a batch that is too large to be true.
fn check(bytes: &Bytes, block: &Block, batch: &RecordBatch<'_>) -> Result<()> {
    if !(0..=MOST_ROWS).contains(&batch.length()) {
        return Err(broken(&format!("a record batch says that it has {} rows", batch.length())));
    }
    let body = block.offset() as u64 + block.metaDataLength() as u64;
    let mut unpacked = 0u64;
    for buffer in batch.buffers().iter().flatten() {
        let (offset, length) = (buffer.offset(), buffer.length());
        if offset < 0 || length < 0 || offset.checked_add(length).is_none_or(|end| end > block.bodyLength()) {
            return Err(broken("a column lies outside of its record batch"));
        }
        // A compressed buffer begins with its true length, or -1 if it was left as it is.
        let length = match batch.compression() {
            Some(_) if length >= 8 => {
                let prefix = bytes.read(body + offset as u64, 8)?;
                let declared = prefix.first_chunk::<8>().map_or(-1, |prefix| i64::from_le_bytes(*prefix));
                u64::try_from(declared).unwrap_or(length as u64)
            }
            _ => length as u64,
        };
        unpacked = unpacked.saturating_add(length);
    }
    if unpacked > MOST_BYTES {
        return Err(broken(&format!("a record batch says that it has {unpacked} bytes")));
    }
    Ok(())
}

fn codec(compression: Option<BodyCompression<'_>>) -> &'static str {
    match compression.map(|compression| compression.codec()) {
        None => "uncompressed",
        Some(CompressionType::LZ4_FRAME) => "lz4",
        Some(CompressionType::ZSTD) => "zstd",
        Some(_) => "an unknown compression",
    }
}

/// Reads the metadata of a message, behind the marker and the length.
fn message(metadata: &[u8]) -> Result<Message<'_>> {
    let start = if metadata.starts_with(super::STREAM) { 8 } else { 4 };
    let message = metadata.get(start..).ok_or_else(|| broken("a message has no metadata"))?;
    arrow_ipc::root_as_message(message).map_err(|error| broken(&format!("a message: {error}")))
}

/// Where the message behind `block` begins.
fn end(block: &Block) -> u64 {
    block.offset() as u64 + block.metaDataLength() as u64 + block.bodyLength() as u64
}

fn broken(what: &str) -> ArrowError {
    ArrowError::IpcError(what.to_owned())
}

/// The bytes of a file, read by position.
pub struct Bytes {
    file: Arc<File>,
    pub length: u64,
}

impl Bytes {
    pub fn of(stored: &Stored) -> Result<Bytes> {
        let file = stored.file().map_err(|error| ArrowError::IpcError(error.to_string()))?;
        let length = file.metadata()?.len();
        Ok(Bytes { file, length })
    }

    /// `length` bytes from `start` on. That they are there is checked before memory is taken for them.
    fn read(&self, start: u64, length: u64) -> Result<Vec<u8>> {
        if start.checked_add(length).is_none_or(|end| end > self.length) {
            return Err(broken("the file is cut off, or a message lies outside of it"));
        }
        let mut bytes = vec![0; length as usize];
        self.file.read_exact_at(&mut bytes, start)?;
        Ok(bytes)
    }

    /// A whole message.
    pub fn block(&self, block: &Block) -> Result<Buffer> {
        self.read(block.offset() as u64, end(block) - block.offset() as u64).map(Buffer::from_vec)
    }

    /// The metadata of a message, which must lie in the file with its body.
    fn metadata(&self, block: &Block) -> Result<Vec<u8>> {
        let (offset, metadata, body) = (block.offset(), block.metaDataLength(), block.bodyLength());
        let sane = offset >= 0 && metadata > 0 && body >= 0;
        let whole = offset.checked_add(i64::from(metadata)).and_then(|end| end.checked_add(body));
        if !sane || whole.is_none_or(|end| end as u64 > self.length) {
            return Err(broken("the file is cut off, or a message lies outside of it"));
        }
        self.read(offset as u64, metadata as u64)
    }

    /// The message of a stream that begins at `at`; `None` at its end.
    fn next(&self, at: u64) -> Result<Option<Block>> {
        if at == self.length {
            return Ok(None);
        }
        let number = |at: u64| -> Result<i32> {
            let bytes = self.read(at, 4)?;
            Ok(bytes.first_chunk::<4>().map_or(0, |bytes| i32::from_le_bytes(*bytes)))
        };
        // Streams of old versions have no marker before the length.
        let (prefix, length) = match number(at)? {
            -1 => (8, number(at + 4)?),
            length => (4, length),
        };
        if length == 0 {
            return Ok(None);
        }
        let length = u64::try_from(length).ok().filter(|length| *length <= LONGEST_METADATA);
        let length = length.ok_or_else(|| broken("a message says that it has impossibly many bytes"))?;
        let metadata = self.read(at, prefix + length)?;
        let body = message(&metadata)?.bodyLength();
        let block = Block::new(at as i64, (prefix + length) as i32, body);
        self.metadata(&block)?;
        Ok(Some(block))
    }
}
