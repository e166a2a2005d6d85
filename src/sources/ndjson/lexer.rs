//! JSON, token by token: what RFC 8259 allows and nothing else. A string is looked at eight bytes at a time.

use std::ops::Range;

use crate::events::Reason;

/// An object or array may lie so deep in others, itself included.
pub const DEEPEST: usize = 64;
/// An object may have so many fields, those of the objects in it included, but not those in arrays.
pub const MOST_FIELDS: usize = 10_000;

/// Reads one line of JSON from left to right.
pub struct Lexer<'a> {
    pub text: &'a [u8],
    /// Offset of the next byte.
    pub at: usize,
    /// Fields outside of arrays that were met.
    fields: usize,
    /// Arrays that are open.
    arrays: usize,
}

/// A string, without its quotes.
#[derive(Clone, Debug)]
pub struct Text {
    pub at: Range<usize>,
    /// Whether it has escapes.
    pub escaped: bool,
}

type Result<T> = std::result::Result<T, Reason>;

const MALFORMED: Reason = Reason::MalformedJson;

impl<'a> Lexer<'a> {
    pub fn new(text: &'a [u8], at: usize) -> Self {
        Lexer { text, at, fields: 0, arrays: 0 }
    }

    /// The next byte that is no white space, which stays the next.
    pub fn peek(&mut self) -> Option<u8> {
        while let Some(byte) = self.text.get(self.at) {
            if !matches!(byte, b' ' | b'\t' | b'\r' | b'\n') {
                return Some(*byte);
            }
            self.at += 1;
        }
        None
    }

    /// Reads the object that begins here. `field` is called behind each colon, and must read the value that follows.
    pub fn object(&mut self, depth: usize, mut field: impl FnMut(&mut Self, Text) -> Result<()>) -> Result<()> {
        self.open(depth)?;
        if self.peek() == Some(b'}') {
            self.at += 1;
            return Ok(());
        }
        loop {
            if self.peek() != Some(b'"') {
                return Err(MALFORMED);
            }
            let key = self.string()?;
            if self.peek() != Some(b':') {
                return Err(MALFORMED);
            }
            self.at += 1;
            self.count_field()?;
            field(self, key)?;
            if self.closed(b'}')? {
                return Ok(());
            }
        }
    }

    /// Reads the array that begins here. `element` is called with the number of each element, and must read it.
    pub fn array(&mut self, depth: usize, mut element: impl FnMut(&mut Self, usize) -> Result<()>) -> Result<()> {
        self.open(depth)?;
        if self.peek() == Some(b']') {
            self.at += 1;
            return Ok(());
        }
        self.arrays += 1;
        let mut number = 0;
        loop {
            element(self, number)?;
            number += 1;
            if self.closed(b']')? {
                self.arrays -= 1;
                return Ok(());
            }
        }
    }

    fn open(&mut self, depth: usize) -> Result<()> {
        if depth > DEEPEST {
            return Err(Reason::NestedTooDeep);
        }
        self.at += 1;
        Ok(())
    }

    fn count_field(&mut self) -> Result<()> {
        self.fields += usize::from(self.arrays == 0);
        if self.fields > MOST_FIELDS { Err(Reason::TooManyFields) } else { Ok(()) }
    }

    /// Whether the container ends here with `end`; else a comma stands here.
    fn closed(&mut self, end: u8) -> Result<bool> {
        let next = self.peek();
        self.at += 1;
        match next {
            Some(b',') => Ok(false),
            Some(byte) if byte == end => Ok(true),
            _ => Err(MALFORMED),
        }
    }

    /// Reads any value that would lie at `depth` if it is a container.
    pub fn skip(&mut self, depth: usize) -> Result<()> {
        match self.peek() {
            Some(b'{') => self.object(depth, |lexer, _| lexer.skip(depth + 1)),
            Some(b'[') => self.array(depth, |lexer, _| lexer.skip(depth + 1)),
            Some(b'"') => self.string().map(|_| ()),
            Some(_) => self.word(),
            None => Err(MALFORMED),
        }
    }

    /// Reads a number, `true`, `false` or `null`.
    pub fn word(&mut self) -> Result<()> {
        let rest = &self.text[self.at..];
        let length =
            [&b"true"[..], b"false", b"null"].iter().find(|word| rest.starts_with(word)).map(|word| word.len());
        self.at += length.or_else(|| number(rest)).ok_or(MALFORMED)?;
        Ok(())
    }

    /// Reads the string whose opening quote is next.
    pub fn string(&mut self) -> Result<Text> {
        let start = self.at + 1;
        let (mut at, mut escaped) = (start, false);
        loop {
            at = special(self.text, at);
            match self.text.get(at) {
                Some(b'"') => break,
                Some(b'\\') => {
                    escaped = true;
                    at += escape(&self.text[at..]).ok_or(MALFORMED)?;
                }
                // A control character, or the end of the line.
                _ => return Err(MALFORMED),
            }
        }
        self.at = at + 1;
        Ok(Text { at: start..at, escaped })
    }
}

/// The offset of the first quote, backslash or control character from `at` on, or the end.
fn special(text: &[u8], mut at: usize) -> usize {
    const ONES: u64 = u64::MAX / 255;
    const HIGH: u64 = ONES << 7;
    // The highest bit of each byte that is zero; above the first such byte it may err.
    let zeros = |word: u64| word.wrapping_sub(ONES) & !word & HIGH;
    while let Some(bytes) = text[at..].first_chunk::<8>() {
        let word = u64::from_le_bytes(*bytes);
        let controls = word.wrapping_sub(ONES * 0x20) & !word & HIGH;
        let found = zeros(word ^ (ONES * u64::from(b'"'))) | zeros(word ^ (ONES * u64::from(b'\\'))) | controls;
        if found != 0 {
            return at + found.trailing_zeros() as usize / 8;
        }
        at += 8;
    }
    let is_special = |byte: &u8| matches!(byte, b'"' | b'\\' | 0..0x20);
    text[at..].iter().position(is_special).map_or(text.len(), |length| at + length)
}

/// The length of the escape that `text` begins with.
fn escape(text: &[u8]) -> Option<usize> {
    match text.get(1)? {
        b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => Some(2),
        b'u' => unit(&text[2..]).map(|_| 6),
        _ => None,
    }
}

/// The UTF-16 unit that `text` begins with, in four hex digits.
fn unit(text: &[u8]) -> Option<u16> {
    let digits = text.first_chunk::<4>()?;
    digits.iter().try_fold(0, |unit, digit| Some(unit << 4 | char::from(*digit).to_digit(16)? as u16))
}

/// The length of the number that `text` begins with.
fn number(text: &[u8]) -> Option<usize> {
    let digits = |at: usize| text[at..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    let mut at = usize::from(text.first() == Some(&b'-'));
    let whole = digits(at);
    if whole == 0 || whole > 1 && text[at] == b'0' {
        return None;
    }
    at += whole;
    if text.get(at) == Some(&b'.') {
        let decimals = digits(at + 1);
        at += 1 + decimals;
        if decimals == 0 {
            return None;
        }
    }
    if matches!(text.get(at), Some(b'e' | b'E')) {
        at += 1 + usize::from(matches!(text.get(at + 1), Some(b'+' | b'-')));
        let exponent = digits(at);
        at += exponent;
        if exponent == 0 {
            return None;
        }
    }
    Some(at)
}

/// Appends the text of a string whose escapes are well formed. Half of a surrogate pair becomes U+FFFD.
pub fn unescape(text: &[u8], into: &mut Vec<u8>) {
    let mut rest = text;
    while let Some(at) = memchr::memchr(b'\\', rest) {
        into.extend_from_slice(&rest[..at]);
        let (character, length) = unescaped(&rest[at..]);
        into.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
        rest = &rest[at + length..];
    }
    into.extend_from_slice(rest);
}

/// The character of the escape that `text` begins with, and the length of the escape.
fn unescaped(text: &[u8]) -> (char, usize) {
    let character = match text.get(1) {
        Some(b'b') => '\u{8}',
        Some(b'f') => '\u{c}',
        Some(b'n') => '\n',
        Some(b'r') => '\r',
        Some(b't') => '\t',
        Some(b'u') => return from_units(text),
        Some(other) => char::from(*other),
        None => char::REPLACEMENT_CHARACTER,
    };
    (character, 2.min(text.len()))
}

/// The character of `\uXXXX`, or of two of them that are a surrogate pair.
fn from_units(text: &[u8]) -> (char, usize) {
    let first = text.get(2..).and_then(unit).unwrap_or_default();
    let second = text.get(6..).filter(|rest| rest.starts_with(b"\\u")).and_then(|rest| unit(&rest[2..]));
    let mut pair = char::decode_utf16([first].into_iter().chain(second));
    match pair.next() {
        Some(Ok(character)) => (character, if character.len_utf16() == 2 { 12 } else { 6 }),
        _ => (char::REPLACEMENT_CHARACTER, 6),
    }
}
