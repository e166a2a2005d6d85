//! Sixteen lower-case hex digits at once: the ids of visitors that most trackers make.

/// The number that they write; nothing if one of them is something else.
#[inline(always)]
pub fn hex16(text: &[u8; 16]) -> Option<u64> {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: every x86-64 has SSE2.
    return unsafe { x86::hex16(text) };
    #[cfg(not(target_arch = "x86_64"))]
    words::hex16(text)
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::*;

    /// A digit in each byte of a register: the same in half the time of two words.
    #[inline]
    #[target_feature(enable = "sse2")]
    pub fn hex16(text: &[u8; 16]) -> Option<u64> {
        let both = u128::from_le_bytes(*text);
        let text = _mm_set_epi64x((both >> 64) as i64, both as i64);
        let letter = _mm_cmpgt_epi8(text, _mm_set1_epi8(b'9' as i8));
        // A letter stands 39 above the digit that would come next.
        let value = _mm_sub_epi8(text, _mm_set1_epi8(b'0' as i8));
        let value = _mm_sub_epi8(value, _mm_and_si128(letter, _mm_set1_epi8(39)));
        // Values are below sixteen, and above nine for letters alone.
        let above_nine = _mm_cmpgt_epi8(value, _mm_set1_epi8(9));
        let upper = _mm_and_si128(value, _mm_set1_epi8(0xF0_u8 as i8));
        let wrong = _mm_or_si128(_mm_xor_si128(above_nine, letter), upper);
        let good = _mm_movemask_epi8(_mm_cmpeq_epi8(wrong, _mm_setzero_si128())) == 0xFFFF;
        let pairs = _mm_or_si128(_mm_slli_epi16::<4>(value), _mm_srli_epi16::<8>(value));
        let pairs = _mm_and_si128(pairs, _mm_set1_epi16(0xFF));
        let number = _mm_cvtsi128_si64(_mm_packus_epi16(pairs, pairs)) as u64;
        // One branch for all: it is hardly ever taken.
        good.then_some(number.swap_bytes())
    }
}

#[cfg(any(test, not(target_arch = "x86_64")))]
mod words {
    /// The number that 8 lower-case hex digits write, one in each byte of `text`, the first in the highest; and beside it 0 if all of
    /// them are such digits.
    ///
    /// All bytes at once: a letter has bit 6 and stands for its low half plus 9. Nothing is carried from one byte into the next.
    #[inline(always)]
    fn hex8(text: u64) -> (u64, u64) {
        const ONES: u64 = 0x0101_0101_0101_0101;
        let letter = text >> 6 & ONES;
        let value = (text & (0x0F * ONES)) + 9 * letter;
        // The upper half is that of a digit or of a letter, and the value above nine for letters alone, but below sixteen.
        let upper = (text & (0xF0 * ONES)) ^ (0x30 * ONES + 0x30 * letter);
        let above_nine = (value + 6 * ONES) >> 4 & ONES;
        let wrong = upper | (above_nine ^ letter) | (value & (0x10 * ONES));
        let pairs = (value | value >> 4) & 0x00FF_00FF_00FF_00FF;
        let quads = (pairs | pairs >> 8) & 0x0000_FFFF_0000_FFFF;
        ((quads | quads >> 16) & 0xFFFF_FFFF, wrong)
    }

    #[inline(always)]
    pub fn hex16(text: &[u8; 16]) -> Option<u64> {
        let both = u128::from_be_bytes(*text);
        let ((high, wrong_high), (low, wrong_low)) = (hex8((both >> 64) as u64), hex8(both as u64));
        (wrong_high | wrong_low == 0).then_some(high << 32 | low)
    }
}

#[cfg(test)]
mod tests {
    use super::super::hex;
    use super::*;
    use proptest::prelude::*;

    /// What both ways say, which is the same.
    fn both(text: &[u8; 16]) -> Option<u128> {
        let number = hex16(text);
        assert_eq!(number, words::hex16(text), "{text:?}");
        number.map(u128::from)
    }

    #[test]
    fn sixteen_digits_at_once_are_what_they_are_one_by_one() {
        let mut text = *b"00a9f7c3d2e1b846";
        assert_eq!(both(&text), Some(0x00a9_f7c3_d2e1_b846));
        assert_eq!(both(b"0123456789012345"), Some(0x0123_4567_8901_2345));
        for at in 0..16 {
            let before = text[at];
            for byte in 0..=255 {
                text[at] = byte;
                assert_eq!(both(&text), hex(&text), "{byte} at {at}");
            }
            text[at] = before;
        }
    }

    proptest! {
        #[test]
        #[cfg_attr(miri, ignore)]
        fn hex_digits_agree(text in prop::array::uniform16(prop::sample::select(b"0189abefg:`/@AFG~\x80\xb1\xff".to_vec()))) {
            prop_assert_eq!(both(&text), hex(&text));
        }
    }
}
