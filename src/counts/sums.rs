//! What is counted of a key: sums that add up, and that can be written and read again.

use std::io::{self, Read};

/// Sums of which those of two parts make those of the whole.
pub trait Sums: Default {
    /// Adds `from`. The order does not matter.
    fn add(&mut self, from: Self);

    /// Writes itself, so that [`read`](Self::read) gives the same.
    fn write(&self, into: &mut Vec<u8>);

    /// Reads what was written.
    ///
    /// # Errors
    /// If `from` fails, ends too early, or holds something else.
    fn read(from: &mut impl Read) -> io::Result<Self>;

    /// Bytes that it holds outside of itself.
    fn bytes(&self) -> usize {
        0
    }
}

impl Sums for u64 {
    #[inline]
    fn add(&mut self, from: Self) {
        *self += from;
    }

    fn write(&self, into: &mut Vec<u8>) {
        write_number(into, *self);
    }

    fn read(from: &mut impl Read) -> io::Result<Self> {
        read_number(from)
    }
}

impl<const N: usize> Sums for [u64; N]
where
    [u64; N]: Default,
{
    #[inline]
    fn add(&mut self, from: Self) {
        self.iter_mut().zip(from).for_each(|(into, from)| *into += from);
    }

    fn write(&self, into: &mut Vec<u8>) {
        self.iter().for_each(|&number| write_number(into, number));
    }

    fn read(from: &mut impl Read) -> io::Result<Self> {
        let mut numbers = Self::default();
        for number in &mut numbers {
            *number = read_number(from)?;
        }
        Ok(numbers)
    }
}

/// Seven bits to a byte, the lowest first; the highest bit says that more follow.
pub fn write_number(into: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        into.push(number as u8 | 0x80);
        number >>= 7;
    }
    into.push(number as u8);
}

/// Reads what [`write_number`] wrote.
///
/// # Errors
/// If `from` fails, ends too early, or holds more bits than a number has.
pub fn read_number(from: &mut impl Read) -> io::Result<u64> {
    let (mut number, mut shift) = (0, 0);
    loop {
        let mut byte = [0];
        from.read_exact(&mut byte)?;
        number |= u64::from(byte[0] & 0x7F) << shift;
        if byte[0] < 0x80 {
            return Ok(number);
        }
        shift += 7;
        if shift > 63 {
            return Err(io::Error::from(io::ErrorKind::InvalidData));
        }
    }
}
