//! Where fields and records end, found 64 bytes at a time.
//!
//! The kernel only vouches for what is plainly regular: records on one physical line whose quotes all open at the start of
//! a field and close at its end. There the parity of the quotes before a byte says whether it is quoted. It stops at the
//! first byte that breaks this, and leaves the record there to [`super::record::scan`]. So it decides nothing: it is fast
//! where the answer is obvious.

/// How much text is indexed at a time: few enough positions for the nearest cache.
pub(super) const CHUNK: usize = 16 << 10;

/// Positions are written in groups of this many, because a loop of a fixed count is never mispredicted.
const GROUP: usize = 8;

/// The ends of the fields of some whole records.
pub(super) struct Index {
    /// Offset of each delimiter or line feed that ends a field, after a first entry that stands just before offset 0.
    ends: Vec<u32>,
    /// How many of `ends` are in use.
    used: usize,
    /// For each record, the place in `ends` of the end before it; one more entry for the end of the last record.
    records: Vec<u32>,
    /// Whether there may be doubled quotes in the text.
    pub escapes: bool,
}

/// The bytes of a window that matter, one bit each, the first byte in the lowest bit.
#[derive(Clone, Copy)]
struct Masks {
    quotes: u64,
    delimiters: u64,
    line_feeds: u64,
}

/// What a window must know of the bytes before it; each is 0 or 1, `inside` 0 or all ones.
struct Carry {
    inside: u64,
    /// The byte before is the end of a field.
    end: u64,
    /// The byte before is a closing quote.
    closing: u64,
}

impl Index {
    pub fn new() -> Self {
        Index { ends: vec![0; CHUNK + 1 + 64], used: 1, records: vec![0], escapes: false }
    }

    /// Indexes `text`, at most [`CHUNK`] bytes from the start of a record. False says that it stopped at a record that is
    /// not regular; a record that is not whole is left out silently.
    pub fn fill(&mut self, text: &[u8], delimiter: u8) -> bool {
        debug_assert!(text.len() <= CHUNK);
        #[cfg(target_arch = "x86_64")]
        {
            if is_x86_feature_detected!("avx2")
                && is_x86_feature_detected!("popcnt")
                && is_x86_feature_detected!("bmi1")
            {
                // SAFETY: the processor has what the function is compiled for.
                return unsafe { x86::fill_avx2(self, text, delimiter) };
            }
            self.fill_with(text, |window| x86::masks_sse2(window, delimiter))
        }
        #[cfg(not(target_arch = "x86_64"))]
        self.fill_with(text, |window| masks_portable(window, delimiter))
    }

    /// How many records there are.
    pub fn len(&self) -> usize {
        self.records.len() - 1
    }

    /// How many fields record `row` has.
    pub fn fields(&self, row: usize) -> usize {
        (self.records[row + 1] - self.records[row]) as usize
    }

    /// Offset of record `row`; one past the last is the end of the last.
    pub fn start(&self, row: usize) -> usize {
        self.ends[self.records[row] as usize].wrapping_add(1) as usize
    }

    /// Start and end of field `field` of record `row`, with its quotes; a line feed or a delimiter stands at the end.
    #[inline(always)]
    pub fn field(&self, row: usize, field: usize) -> (usize, usize) {
        let before = self.records[row] as usize + field;
        (self.ends[before].wrapping_add(1) as usize, self.ends[before + 1] as usize)
    }

    /// Inlined into one function for each instruction set, so that `masks` is too.
    #[inline(always)]
    fn fill_with(&mut self, text: &[u8], masks: impl Fn(&[u8; 64]) -> Masks) -> bool {
        self.ends[0] = u32::MAX;
        self.used = 1;
        self.records.truncate(1);
        self.escapes = false;
        let mut carry = Carry { inside: 0, end: 1, closing: 0 };
        let (windows, rest) = text.as_chunks::<64>();
        for (number, window) in windows.iter().enumerate() {
            if !self.window(text, number * 64, masks(window), &mut carry) {
                return false;
            }
        }
        let mut last = [0; 64];
        last[..rest.len()].copy_from_slice(rest);
        let masks = masks(&last).below(1 << rest.len());
        self.window(text, windows.len() * 64, masks, &mut carry)
    }

    /// Takes in the window at offset `base`; false if something in it is not regular.
    #[inline(always)]
    fn window(&mut self, text: &[u8], base: usize, masks: Masks, carry: &mut Carry) -> bool {
        let Masks { quotes, delimiters, line_feeds } = masks;
        // A bit is set from an opening quote up to the byte before the closing one.
        let inside = prefix_xor(quotes) ^ carry.inside;
        let ends = (delimiters | line_feeds) & !inside;
        let opening = quotes & inside;
        let closing = quotes & !inside;
        let after_end = ends << 1 | carry.end;
        let after_closing = closing << 1 | carry.closing;
        *carry = Carry { inside: ((inside as i64) >> 63) as u64, end: ends >> 63, closing: closing >> 63 };

        // By parity a doubled quote is a closing quote and an opening one: both are regular beside each other.
        self.escapes |= opening & after_closing != 0;
        let misplaced = opening & !(after_end | after_closing);
        let unfollowed = after_closing & !(ends | quotes);
        let mut irregular = misplaced | (line_feeds & inside);
        if unfollowed != 0 {
            irregular |= not_line_ends(text, base, unfollowed);
        }
        if irregular == 0 {
            self.push(base, ends, ends & line_feeds);
            return true;
        }
        let before = (irregular & irregular.wrapping_neg()) - 1;
        self.push(base, ends & before, ends & line_feeds & before);
        false
    }

    #[inline(always)]
    fn push(&mut self, base: usize, ends: u64, line_feeds: u64) {
        let mut rest = line_feeds;
        while rest != 0 {
            let before = ends & (rest & rest.wrapping_neg()).wrapping_sub(1);
            self.records.push(self.used as u32 + before.count_ones());
            rest &= rest - 1;
        }
        let count = ends.count_ones() as usize;
        let mut rest = ends;
        let mut written = 0;
        loop {
            // The entries past `count` are never looked at.
            for slot in &mut self.ends[self.used + written..][..GROUP] {
                *slot = base as u32 + rest.trailing_zeros();
                rest &= rest.wrapping_sub(1);
            }
            written += GROUP;
            if written >= count {
                break;
            }
        }
        self.used += count;
    }
}

impl Masks {
    fn below(self, bit: u64) -> Self {
        let keep = bit - 1;
        Masks { quotes: self.quotes & keep, delimiters: self.delimiters & keep, line_feeds: self.line_feeds & keep }
    }
}

/// Each bit becomes the parity of itself and all lower bits.
#[inline(always)]
fn prefix_xor(mut bits: u64) -> u64 {
    for shift in [1, 2, 4, 8, 16, 32] {
        bits ^= bits << shift;
    }
    bits
}

/// Of the bytes after closing quotes, those that do not begin a CRLF.
fn not_line_ends(text: &[u8], base: usize, mut after: u64) -> u64 {
    let mut wrong = 0;
    while after != 0 {
        let bit = after.trailing_zeros() as usize;
        if !text[base + bit..].starts_with(b"\r\n") {
            wrong |= 1 << bit;
        }
        after &= after - 1;
    }
    wrong
}

/// The masks without any special instructions.
#[cfg(any(test, not(target_arch = "x86_64")))]
fn masks_portable(window: &[u8; 64], delimiter: u8) -> Masks {
    let equal = |byte: u8| window.iter().rev().fold(0, |bits, b| bits << 1 | u64::from(*b == byte));
    Masks { quotes: equal(b'"'), delimiters: equal(delimiter), line_feeds: equal(b'\n') }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::*;

    use super::{Index, Masks};

    #[target_feature(enable = "avx2,popcnt,bmi1")]
    pub fn fill_avx2(index: &mut Index, text: &[u8], delimiter: u8) -> bool {
        index.fill_with(text, |window| masks_avx2(window, delimiter))
    }

    #[target_feature(enable = "avx2")]
    #[inline]
    fn masks_avx2(window: &[u8; 64], delimiter: u8) -> Masks {
        let from = window.as_ptr().cast::<__m256i>();
        // SAFETY: both loads lie in the 64 bytes of the window, and need no alignment.
        let halves = unsafe { [_mm256_loadu_si256(from), _mm256_loadu_si256(from.add(1))] };
        let equal = |byte: u8| {
            let byte = _mm256_set1_epi8(byte as i8);
            let [low, high] = halves.map(|half| _mm256_movemask_epi8(_mm256_cmpeq_epi8(half, byte)) as u32);
            u64::from(low) | u64::from(high) << 32
        };
        Masks { quotes: equal(b'"'), delimiters: equal(delimiter), line_feeds: equal(b'\n') }
    }

    #[inline(always)]
    pub fn masks_sse2(window: &[u8; 64], delimiter: u8) -> Masks {
        let (quarters, _) = window.as_chunks::<16>();
        let equal = |byte: u8| {
            quarters.iter().rev().fold(0, |bits, quarter| {
                // SAFETY: every x86-64 processor has SSE2, and the load is of the 16 bytes of the quarter at any alignment.
                let equal = unsafe {
                    let quarter = _mm_loadu_si128(quarter.as_ptr().cast());
                    _mm_movemask_epi8(_mm_cmpeq_epi8(quarter, _mm_set1_epi8(byte as i8)))
                };
                bits << 16 | u64::from(equal as u16)
            })
        };
        Masks { quotes: equal(b'"'), delimiters: equal(delimiter), line_feeds: equal(b'\n') }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::record::{Fields, Found, Limits, Rules, scan};
    use super::*;

    fn text() -> impl Strategy<Value = Vec<u8>> {
        proptest::collection::vec(
            prop_oneof![1 => Just(b'"'), 2 => Just(b','), 1 => Just(b'\n'), 1 => Just(b'\r'), 6 => any::<u8>()],
            0..300,
        )
    }

    fn entries(index: &Index) -> (&[u32], &[u32]) {
        (&index.ends[..index.used], &index.records)
    }

    fn every_instruction_set_finds_the_same_in(text: &[u8]) {
        let [mut portable, mut best] = [Index::new(), Index::new()];
        let regular = portable.fill_with(text, |window| masks_portable(window, b','));
        assert_eq!(best.fill(text, b','), regular);
        assert_eq!(entries(&best), entries(&portable));
        #[cfg(target_arch = "x86_64")]
        {
            let mut sse2 = Index::new();
            assert_eq!(sse2.fill_with(text, |window| x86::masks_sse2(window, b',')), regular);
            assert_eq!(entries(&sse2), entries(&portable));
        }
    }

    /// Small enough for Miri, which takes minutes for random texts.
    #[test]
    fn every_instruction_set_finds_the_same_in_small_texts() {
        let whole = "\"a \"\"quoted\"\" word\",2,three\r\n".repeat(7);
        for text in ["", "a", "a,b\n", &whole, &whole[..64], &whole[..65], "\"open,\n", "x\"y\",\n"] {
            every_instruction_set_finds_the_same_in(text.as_bytes());
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        #[cfg_attr(miri, ignore)]
        fn every_instruction_set_finds_the_same(text in text()) {
            every_instruction_set_finds_the_same_in(&text);
        }

        #[test]
        #[cfg_attr(miri, ignore)]
        fn indexed_records_are_what_scanning_finds(text in text()) {
            let mut index = Index::new();
            index.fill(&text, b',');
            let rules = Rules { delimiter: b',', columns: 1000, limits: Limits::default() };
            let mut fields = Fields::default();
            for row in 0..index.len() {
                let (start, end) = (index.start(row), index.start(row + 1));
                match scan(&rules, &text[start..], true, &mut fields) {
                    Found::Blank { end: length } => prop_assert_eq!((start + length, index.fields(row)), (end, 1)),
                    found => {
                        prop_assert_eq!(found, Found::Record { end: end - start });
                        prop_assert_eq!(fields.count, index.fields(row));
                    }
                }
            }
        }
    }
}
