//! Small identities: codes of names, and visitors.

mod hex;

use hex::hex16;
use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

/// The code of a name: its position in the run's [`Dictionary`](crate::dictionary::Dictionary) for that role.
///
/// Codes depend on the order in which threads met the names: they are for counting, never for ordering what is shown.
pub type Code = u32;

/// The code of "no value".
pub const MISSING: Code = 0;

/// No value in a column of amounts.
pub const NO_VALUE: i64 = i64::MIN;

/// How a visitor id is written. The shape is part of the identity: `007` is not `7`, `AB` is not `ab`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Shape {
    /// A decimal number below 2⁶⁴ without sign or leading zero, but not of 16 digits.
    Decimal,
    /// Exactly 16 lower-case hex digits, be they all decimal: so ids that are made like this have one shape.
    Hex16,
    /// Exactly 32 lower-case hex digits.
    Hex32,
    /// A lower-case hyphenated UUID.
    Uuid,
    /// Anything else, kept as text.
    #[default]
    Text,
}

impl Shape {
    /// All shapes, each at the place that is its number.
    pub const ALL: [Shape; 5] = [Shape::Decimal, Shape::Hex16, Shape::Hex32, Shape::Uuid, Shape::Text];

    /// Whether ids of this shape are numbers of 64 bits.
    #[inline]
    pub fn is_narrow(self) -> bool {
        matches!(self, Shape::Decimal | Shape::Hex16)
    }
}

/// A visitor id in its most compact exact form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VisitorId<'a> {
    /// A decimal or a 16-digit hex id: the number is the id.
    Narrow(Shape, u64),
    /// A 32-digit hex id or a UUID as a number.
    Wide(Shape, u128),
    /// Any other id, byte by byte as the log has it.
    Text(&'a [u8]),
}

impl<'a> VisitorId<'a> {
    /// Classifies the text of an id. Writing a number back in its shape gives the same bytes.
    #[inline]
    pub fn parse(text: &'a [u8]) -> Self {
        if let Some((shape, number)) = narrow(text) {
            return VisitorId::Narrow(shape, number);
        }
        match text.len() {
            32 => hex(text).map_or(VisitorId::Text(text), |n| VisitorId::Wide(Shape::Hex32, n)),
            36 => uuid(text).map_or(VisitorId::Text(text), |n| VisitorId::Wide(Shape::Uuid, n)),
            _ => VisitorId::Text(text),
        }
    }

    /// How the id is written.
    #[inline]
    pub fn shape(self) -> Shape {
        match self {
            VisitorId::Narrow(shape, _) | VisitorId::Wide(shape, _) => shape,
            VisitorId::Text(_) => Shape::Text,
        }
    }

    /// The number itself for narrow ids, a stable hash (XXH3-64) of the id for all others.
    #[inline]
    pub fn key(self) -> u64 {
        match self {
            VisitorId::Narrow(_, number) => number,
            VisitorId::Wide(shape, number) => xxh3_64_with_seed(&number.to_le_bytes(), shape as u64),
            VisitorId::Text(text) => xxh3_64(text),
        }
    }
}

/// The shape and number of an id that is a number of 64 bits: the most common ids by far.
#[inline(always)]
pub fn narrow(text: &[u8]) -> Option<(Shape, u64)> {
    match text.try_into() {
        Ok(digits) => Some((Shape::Hex16, hex16(digits)?)),
        Err(_) => Some((Shape::Decimal, decimal(text)?)),
    }
}

/// A stable hash of a visitor from its shape and [`VisitorId::key`]: it places the visitor in a partition.
#[inline]
pub fn place_hash(shape: Shape, key: u64) -> u64 {
    match shape {
        Shape::Decimal | Shape::Hex16 => xxh3_64_with_seed(&key.to_le_bytes(), shape as u64),
        Shape::Hex32 | Shape::Uuid | Shape::Text => key,
    }
}

fn decimal(text: &[u8]) -> Option<u64> {
    match text {
        [b'0'] => Some(0),
        [b'1'..=b'9', ..] if text.len() <= 20 => text.iter().try_fold(0u64, |n, &b| match b {
            b'0'..=b'9' => n.checked_mul(10)?.checked_add(u64::from(b - b'0')),
            _ => None,
        }),
        _ => None,
    }
}

/// Hex digits, 32 at the most.
#[inline]
fn hex(text: &[u8]) -> Option<u128> {
    text.iter().try_fold(0, |number, &byte| {
        let digit = match byte {
            b'0'..=b'9' => byte - b'0',
            b'a'..=b'f' => byte - b'a' + 10,
            _ => return None,
        };
        Some(number << 4 | u128::from(digit))
    })
}

fn uuid(text: &[u8]) -> Option<u128> {
    const HYPHENS: [usize; 4] = [8, 13, 18, 23];
    if text.len() != 36 || HYPHENS.iter().any(|&at| text[at] != b'-') {
        return None;
    }
    let parts = [&text[..8], &text[9..13], &text[14..18], &text[19..23], &text[24..]];
    parts.iter().try_fold(0u128, |number, part| Some(number << (4 * part.len()) | hex(part)?))
}

/// The text of a visitor id from its compact form.
pub fn id_text(id: VisitorId<'_>) -> String {
    match id {
        VisitorId::Narrow(Shape::Hex16, number) => format!("{number:016x}"),
        VisitorId::Narrow(_, number) => number.to_string(),
        VisitorId::Wide(Shape::Uuid, number) => {
            let hex = format!("{number:032x}");
            format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
        }
        VisitorId::Wide(_, number) => format!("{number:032x}"),
        VisitorId::Text(text) => String::from_utf8_lossy(text).into_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn shapes_are_tried_in_order_and_are_part_of_the_identity() {
        let shape = |text: &'static str| VisitorId::parse(text.as_bytes()).shape();
        assert_eq!(shape("7"), Shape::Decimal);
        assert_eq!(shape("007"), Shape::Text);
        assert_eq!(shape("0"), Shape::Decimal);
        assert_eq!(shape("-1"), Shape::Text);
        assert_eq!(shape("18446744073709551615"), Shape::Decimal);
        assert_eq!(shape("18446744073709551616"), Shape::Text);
        assert_eq!(shape("1234567890123456"), Shape::Hex16);
        assert_eq!(shape("12345678901234567"), Shape::Decimal);
        assert_eq!(shape("0123456789abcdef"), Shape::Hex16);
        assert_eq!(shape("0123456789ABCDEF"), Shape::Text);
        assert_eq!(shape("0123456789abcdef0123456789abcdef"), Shape::Hex32);
        assert_eq!(shape("01234567-89ab-cdef-0123-456789abcdef"), Shape::Uuid);
        assert_eq!(shape("01234567-89AB-cdef-0123-456789abcdef"), Shape::Text);
    }

    #[test]
    fn the_same_number_in_two_shapes_is_two_visitors() {
        let (a, b) = (VisitorId::parse(b"16"), VisitorId::parse(b"0000000000000010"));
        assert_eq!(a.key(), b.key());
        assert_ne!(a, b);
        assert_ne!(place_hash(a.shape(), a.key()), place_hash(b.shape(), b.key()));
    }

    proptest! {
        #[test]
        fn writing_an_id_back_gives_the_same_bytes(text in "[0-9a-f]{16}|[0-9a-f]{32}|[0-9]{1,22}|[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|\\PC{0,40}") {
            prop_assert_eq!(id_text(VisitorId::parse(text.as_bytes())), text);
        }
    }
}
