//! Columns of texts that mostly stand in a block as they are: Arrow's 16-byte views, built directly.

use std::ops::Range;
use std::sync::Arc;

use arrow_array::{ArrayRef, BinaryViewArray};
use arrow_buffer::{BooleanBuffer, Buffer, NullBuffer, ScalarBuffer};

/// One column being built. An empty text is no value.
#[derive(Default)]
pub struct Views {
    views: Vec<u128>,
    /// Texts that do not stand in the file as they are.
    own: Vec<u8>,
    any_null: bool,
}

impl Views {
    pub fn with_capacity(rows: usize) -> Self {
        Views { views: Vec::with_capacity(rows), ..Views::default() }
    }

    /// Appends the text `at` of the block whose text is `text`.
    #[inline(always)]
    pub fn push(&mut self, text: &[u8], at: Range<usize>) {
        self.any_null |= at.is_empty();
        self.views.push(view(text, at, 0));
    }

    /// Appends many such texts.
    #[inline(always)]
    pub fn extend(&mut self, text: &[u8], places: impl Iterator<Item = Range<usize>>) {
        let mut any_null = false;
        self.views.extend(places.map(|at| {
            any_null |= at.is_empty();
            view(text, at, 0)
        }));
        self.any_null |= any_null;
    }

    /// Appends what `write` appends to the texts of the column's own.
    pub fn push_own(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        let start = self.own.len();
        write(&mut self.own);
        self.any_null |= self.own.len() == start;
        self.views.push(view(&self.own, start..self.own.len(), 1));
    }

    pub fn push_null(&mut self) {
        self.any_null = true;
        self.views.push(0);
    }

    /// The column as an array over `block`, which holds at the same offsets the text that was given to [`Self::push`].
    pub fn finish(self, block: &Buffer) -> ArrayRef {
        let filled = || BooleanBuffer::collect_bool(self.views.len(), |row| self.views[row] as u32 != 0);
        let nulls = self.any_null.then(|| NullBuffer::new(filled()));
        let mut buffers = vec![block.clone()];
        if !self.own.is_empty() {
            buffers.push(Buffer::from_vec(self.own));
        }
        let views = ScalarBuffer::from(self.views);
        // SAFETY: `try_new` would accept them: there is a null bit for each view, and each view was built by `view` from a
        // range of the text that `block` now holds at the same offsets, or of `own`, which only grew since.
        Arc::new(unsafe { BinaryViewArray::new_unchecked(views, buffers, nulls) })
    }
}

/// The Arrow view of `at` in the buffer of that number, whose text is `text`: up to 12 bytes stand in the view itself.
#[inline(always)]
fn view(text: &[u8], at: Range<usize>, buffer: u32) -> u128 {
    /// The lowest N bytes of a word.
    const LOW: [u128; 13] = {
        let mut low = [0; 13];
        let mut bytes = 1;
        while bytes < 13 {
            low[bytes] = low[bytes - 1] << 8 | 0xff;
            bytes += 1;
        }
        low
    };
    let (head, length) = (head(text, &at), at.len());
    // Without a branch: texts of both kinds come in any order.
    let (low, place) =
        if length <= 12 { (LOW[length], 0) } else { (LOW[4], u64::from(buffer) | (at.start as u64) << 32) };
    length as u128 | (head & low) << 32 | u128::from(place) << 64
}

/// At least the first 12 bytes of `at`, or all of it where it is shorter, with anything behind; the first byte is the lowest.
#[inline(always)]
fn head(text: &[u8], at: &Range<usize>) -> u128 {
    if let Some(head) = text[at.start..].first_chunk::<16>() {
        return u128::from_le_bytes(*head);
    }
    let mut head = [0; 16];
    let length = at.len().min(16);
    head[..length].copy_from_slice(&text[at.start..][..length]);
    u128::from_le_bytes(head)
}

#[cfg(test)]
mod tests {
    use arrow_array::Array;
    use arrow_array::cast::AsArray;
    use proptest::prelude::*;

    use super::*;

    /// How a text comes into a column.
    #[derive(Clone, Copy, Debug)]
    enum Way {
        Pushed,
        Extended,
        Own,
        Null,
    }

    fn texts_come_out_as_they_went_in(texts: &[(Vec<u8>, Way)]) {
        let block: Vec<u8> = texts.iter().flat_map(|(text, _)| text.clone()).collect();
        let (mut views, mut at) = (Views::with_capacity(texts.len()), 0);
        for (text, way) in texts {
            let place = at..at + text.len();
            at = place.end;
            match way {
                Way::Pushed => views.push(&block, place),
                Way::Extended => views.extend(&block, std::iter::once(place)),
                Way::Own => views.push_own(|own| own.extend_from_slice(text)),
                Way::Null => views.push_null(),
            }
        }
        let array = views.finish(&Buffer::from(block));
        let array = array.as_binary_view();
        let (views, buffers) = (array.views().clone(), array.data_buffers().to_vec());
        BinaryViewArray::try_new(views, buffers, array.nulls().cloned()).expect("what Arrow accepts");
        let value = |(text, way): &(Vec<u8>, Way)| {
            Some(text.clone()).filter(|text| !text.is_empty() && !matches!(way, Way::Null))
        };
        assert!(array.iter().eq(texts.iter().map(value).collect::<Vec<_>>().iter().map(Option::as_deref)));
    }

    const WAYS: [Way; 4] = [Way::Pushed, Way::Extended, Way::Own, Way::Null];

    /// Few enough for Miri, which takes minutes for random texts.
    #[test]
    fn texts_of_every_length_come_out_as_they_went_in() {
        let lengths = [0, 1, 3, 4, 11, 12, 13, 16, 17, 30, 5, 0];
        let texts = (0..).zip(lengths).flat_map(|(byte, length)| WAYS.map(|way| (vec![byte; length], way)));
        texts_come_out_as_they_went_in(&texts.collect::<Vec<_>>());
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        #[cfg_attr(miri, ignore)]
        fn random_texts_come_out_as_they_went_in(
            texts in prop::collection::vec((prop::collection::vec(any::<u8>(), 0..20), prop::sample::select(WAYS.to_vec())), 0..20),
        ) {
            texts_come_out_as_they_went_in(&texts);
        }
    }
}
