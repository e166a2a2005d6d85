//! Names become codes, once per distinct name.

use std::sync::Mutex;

use foldhash::fast::RandomState;
use hashbrown::HashTable;
use std::hash::BuildHasher;

use crate::ids::{Code, MISSING};
use crate::sync::{lock, unlocked};

/// The distinct names of one role and their codes. Code 0 is the empty name: no value.
#[derive(Debug)]
pub struct Dictionary {
    table: HashTable<Code>,
    hasher: RandomState,
    text: String,
    /// End of each name in `text`.
    ends: Vec<usize>,
}

impl Default for Dictionary {
    fn default() -> Self {
        let mut dictionary = Dictionary {
            table: HashTable::new(),
            hasher: RandomState::default(),
            text: String::new(),
            ends: Vec::new(),
        };
        dictionary.intern("");
        dictionary
    }
}

impl Dictionary {
    /// The code of `name`, which is new if the name is.
    ///
    /// # Panics
    /// If there are more than 2³² − 1 names; the memory limit stops a run long before.
    pub fn intern(&mut self, name: &str) -> Code {
        let hash = self.hasher.hash_one(name.as_bytes());
        let (text, ends) = (&self.text, &self.ends);
        if let Some(&code) = self.table.find(hash, |&code| slice(text, ends, code) == name) {
            return code;
        }
        let code = Code::try_from(self.ends.len()).expect("fewer than 2^32 names");
        self.text.push_str(name);
        self.ends.push(self.text.len());
        let (text, ends, hasher) = (&self.text, &self.ends, &self.hasher);
        self.table.insert_unique(hash, code, |&code| hasher.hash_one(slice(text, ends, code).as_bytes()));
        code
    }

    /// The code of `name` if the log has it.
    pub fn code(&self, name: &str) -> Option<Code> {
        let hash = self.hasher.hash_one(name.as_bytes());
        self.table.find(hash, |&code| self.name(code) == name).copied()
    }

    /// The name of a code of this dictionary.
    pub fn name(&self, code: Code) -> &str {
        slice(&self.text, &self.ends, code)
    }

    /// How many codes there are, the empty name included.
    #[allow(clippy::len_without_is_empty, reason = "a dictionary always holds the empty name")]
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// All names with their codes, the empty name left out.
    pub fn iter(&self) -> impl Iterator<Item = (Code, &str)> {
        (1..self.len() as Code).map(|code| (code, self.name(code)))
    }

    /// Bytes in use.
    pub fn bytes(&self) -> usize {
        self.text.capacity() + self.ends.capacity() * size_of::<usize>() + self.table.capacity() * 5
    }
}

fn slice<'a>(text: &'a str, ends: &[usize], code: Code) -> &'a str {
    let code = code as usize;
    let start = if code == 0 { 0 } else { ends[code - 1] };
    &text[start..ends[code]]
}

/// A dictionary that all threads fill.
#[derive(Debug, Default)]
pub struct Shared(Mutex<Dictionary>);

impl Shared {
    /// The code of `name`, and the bytes by which the dictionary has grown.
    pub fn intern(&self, name: &str) -> (Code, usize) {
        let mut dictionary = lock(&self.0);
        let before = dictionary.bytes();
        let code = dictionary.intern(name);
        (code, dictionary.bytes() - before)
    }

    /// Whether the dictionary has one of `names` by now.
    pub fn has_any(&self, names: &[String]) -> bool {
        let dictionary = lock(&self.0);
        names.iter().any(|name| dictionary.code(name).is_some_and(|code| code != MISSING))
    }

    /// The closed dictionary: no name comes in any more.
    pub fn close(self) -> Dictionary {
        unlocked(self.0)
    }

    /// Five of the names that are known by now, as examples for a message: which ones depends on who read what first.
    pub fn examples(&self) -> Vec<String> {
        let dictionary = lock(&self.0);
        dictionary.iter().take(5).map(|(_, name)| name.to_owned()).collect()
    }
}

/// One thread's memory of raw texts it has met and what they became: the way around the lock and the normalising.
///
/// It forgets everything when it is full, so that a log of ever new texts costs time but no memory. Where hardly any text comes again,
/// it rests for a while, because looking would cost more than it saves; only short texts are remembered then.
#[derive(Debug, Default)]
pub struct Cache {
    table: HashTable<u32>,
    hasher: RandomState,
    text: Vec<u8>,
    entries: Vec<(u32, Code)>,
    /// Texts that were found since it was empty.
    found: usize,
    /// Texts that it still lets pass.
    rest: usize,
    /// Short texts once more, each in the one place where it is looked for first; empty until there is one.
    short: Vec<Short>,
}

/// A text of 1 to 16 bytes as three numbers, which no other text shares. The length 0 is no text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Packed {
    head: u64,
    tail: u64,
    length: u32,
}

impl Packed {
    #[inline]
    fn new(text: &[u8]) -> Option<Packed> {
        let length = text.len() as u32;
        let (head, tail) = match text.len() {
            9..=16 => (u64::from_le_bytes(*text.first_chunk()?), u64::from_le_bytes(*text.last_chunk()?)),
            4..=8 => (u32::from_le_bytes(*text.first_chunk()?).into(), u32::from_le_bytes(*text.last_chunk()?).into()),
            1..=3 => (u64::from(text[0]) | u64::from(text[text.len() / 2]) << 8, text[text.len() - 1].into()),
            _ => return None,
        };
        Some(Packed { head, tail, length })
    }

    #[inline]
    fn place(self) -> usize {
        // Two odd numbers without a pattern: the upper bits of the products depend on all bits of the text.
        let mixed = (self.head ^ self.tail.rotate_left(29)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        ((mixed ^ self.tail).wrapping_mul(0xD6E8_FEB8_6659_FD93) >> (64 - Cache::SHORT.ilog2())) as usize
    }
}

/// A short text and what it became: as small as can be, for many must fit into the cache.
#[derive(Clone, Copy, Debug, Default)]
struct Short {
    head: u64,
    tail: u64,
    length: u32,
    code: Code,
}

impl Short {
    #[inline]
    fn is(&self, text: Packed) -> bool {
        (self.head, self.tail, self.length) == (text.head, text.tail, text.length)
    }
}

impl Cache {
    /// Places for short texts, 192 KiB.
    const SHORT: usize = 1 << 13;
    const FULL: usize = 1 << 16;
    /// How long it rests: so long that learning costs little in between.
    const REST: usize = 16 * Self::FULL;
    const FULL_BYTES: usize = 8 << 20;

    /// What `raw` became; `make` says so for a text that is not remembered.
    #[inline]
    pub fn get<E>(&mut self, raw: &[u8], make: impl FnOnce(&[u8]) -> Result<Code, E>) -> Result<Code, E> {
        let Some(packed) = Packed::new(raw) else { return self.look_up(raw, make) };
        let place = packed.place();
        if let Some(short) = self.short.get(place).filter(|short| short.is(packed)) {
            return Ok(short.code);
        }
        let code = self.look_up(raw, make)?;
        if self.short.is_empty() {
            self.short = vec![Short::default(); Self::SHORT];
        }
        let Packed { head, tail, length } = packed;
        self.short[place] = Short { head, tail, length, code };
        Ok(code)
    }

    fn look_up<E>(&mut self, raw: &[u8], make: impl FnOnce(&[u8]) -> Result<Code, E>) -> Result<Code, E> {
        if self.rest > 0 {
            self.rest -= 1;
            return make(raw);
        }
        let hash = self.hasher.hash_one(raw);
        let (text, entries) = (&self.text, &self.entries);
        match self.table.find(hash, |&entry| entry_text(text, entries, entry) == raw) {
            Some(&entry) => {
                self.found += 1;
                Ok(self.entries[entry as usize].1)
            }
            None => self.remember(hash, raw, make(raw)?),
        }
    }

    fn remember<E>(&mut self, hash: u64, raw: &[u8], code: Code) -> Result<Code, E> {
        if self.entries.len() >= Self::FULL || self.text.len() + raw.len() > Self::FULL_BYTES {
            self.rest = if self.found < self.entries.len() { Self::REST } else { 0 };
            self.table.clear();
            self.entries.clear();
            self.text.clear();
            self.found = 0;
        }
        self.text.extend_from_slice(raw);
        self.entries.push((self.text.len() as u32, code));
        let (text, entries, hasher) = (&self.text, &self.entries, &self.hasher);
        let rehash = |&entry: &u32| hasher.hash_one(entry_text(text, entries, entry));
        self.table.insert_unique(hash, entries.len() as u32 - 1, rehash);
        Ok(code)
    }
}

#[inline]
fn entry_text<'a>(text: &'a [u8], entries: &[(u32, Code)], entry: u32) -> &'a [u8] {
    let entry = entry as usize;
    let start = if entry == 0 { 0 } else { entries[entry - 1].0 as usize };
    &text[start..entries[entry].0 as usize]
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::convert::Infallible;

    #[test]
    fn names_keep_their_codes() {
        let mut dictionary = Dictionary::default();
        assert_eq!(dictionary.intern(""), 0);
        let a = dictionary.intern("/a");
        let b = dictionary.intern("/b");
        assert_eq!((dictionary.intern("/a"), dictionary.code("/b"), dictionary.code("/c")), (a, Some(b), None));
        assert_eq!((dictionary.name(a), dictionary.name(b), dictionary.name(0)), ("/a", "/b", ""));
        assert_eq!(dictionary.iter().count(), 2);
    }

    #[test]
    fn a_full_cache_forgets_and_stays_right() {
        let mut cache = Cache::default();
        // Texts of any length, in a log where each comes once and then in one where each comes again at once.
        for times in [1, 3] {
            for n in 0..2_500_000u32 {
                let text = format!("/a/text/that/is/not/short/{n}");
                let text = if n % 2 == 0 { &text[..] } else { &text[20..] };
                for _ in 0..times {
                    let code = cache.get::<Infallible>(text.as_bytes(), |_| Ok(n)).unwrap_or_else(|e| match e {});
                    assert_eq!(code, n, "{times}");
                }
            }
            assert_eq!(cache.rest > 0, times == 1);
        }
        assert!(cache.entries.len() <= Cache::FULL && cache.text.len() <= Cache::FULL_BYTES);
    }

    proptest::proptest! {
        #[test]
        fn no_two_short_texts_are_packed_alike(a in "[ab\0]{0,18}", b in "[ab\0]{0,18}") {
            let [packed_a, packed_b] = [&a, &b].map(|text| Packed::new(text.as_bytes()));
            proptest::prop_assert_eq!(packed_a.is_some(), (1..=16).contains(&a.len()));
            proptest::prop_assert!(packed_a.is_none() || a == b || packed_a != packed_b);
        }
    }
}
