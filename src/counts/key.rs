//! What is counted by: a number, two of them, or a sequence of codes of any length.

use std::borrow::Borrow;
use std::fmt::Debug;
use std::hash::Hash;
use std::io::{self, Read};

use super::sums::{read_number, write_number};
use crate::ids::Code;

/// A key, and how many of its kind are kept.
pub trait Key: Hash + Ord + Debug + ToOwned<Owned: Borrow<Self> + Default + Debug> {
    /// What of a key stands beside its value.
    type Kept: Copy + Debug;
    /// Where the rest of all keys stands.
    type Arena: Clone + Default + Debug;

    /// Keeps the key.
    fn keep(&self, arena: &mut Self::Arena) -> Self::Kept;

    /// The key that was kept.
    fn kept<'a>(kept: &'a Self::Kept, arena: &'a Self::Arena) -> &'a Self;

    /// Something of what is kept: whoever reads it has brought it near.
    fn touch(kept: &Self::Kept) -> u64;

    /// Bytes that an arena holds.
    fn arena_bytes(arena: &Self::Arena) -> usize;

    /// Writes the key as what differs from `before`, a lesser one.
    fn write(&self, before: Option<&Self>, into: &mut Vec<u8>);

    /// Reads what was written: `key` holds the one before, or the default, and becomes the one that follows.
    ///
    /// # Errors
    /// If `from` fails or ends too early.
    fn read(key: &mut Self::Owned, from: &mut impl Read) -> io::Result<()>;
}

impl Key for u64 {
    type Kept = u64;
    type Arena = ();

    #[inline]
    fn keep(&self, (): &mut ()) -> u64 {
        *self
    }

    #[inline]
    fn kept<'a>(kept: &'a u64, (): &'a ()) -> &'a u64 {
        kept
    }

    #[inline]
    fn touch(kept: &u64) -> u64 {
        *kept
    }

    fn arena_bytes((): &()) -> usize {
        0
    }

    fn write(&self, before: Option<&u64>, into: &mut Vec<u8>) {
        write_number(into, self - before.unwrap_or(&0));
    }

    fn read(key: &mut u64, from: &mut impl Read) -> io::Result<()> {
        *key = key.wrapping_add(read_number(from)?);
        Ok(())
    }
}

impl Key for (u64, u64) {
    type Kept = (u64, u64);
    type Arena = ();

    #[inline]
    fn keep(&self, (): &mut ()) -> (u64, u64) {
        *self
    }

    #[inline]
    fn kept<'a>(kept: &'a (u64, u64), (): &'a ()) -> &'a (u64, u64) {
        kept
    }

    #[inline]
    fn touch(kept: &(u64, u64)) -> u64 {
        kept.0
    }

    fn arena_bytes((): &()) -> usize {
        0
    }

    fn write(&self, before: Option<&(u64, u64)>, into: &mut Vec<u8>) {
        write_number(into, self.0 - before.unwrap_or(&(0, 0)).0);
        write_number(into, self.1);
    }

    fn read(key: &mut (u64, u64), from: &mut impl Read) -> io::Result<()> {
        *key = (key.0.wrapping_add(read_number(from)?), read_number(from)?);
        Ok(())
    }
}

/// Most paths through a site are shorter.
const SHORT: usize = 7;

/// A sequence as it is kept: the codes of a short one, and where a longer one starts in the arena.
#[derive(Clone, Copy, Debug)]
pub struct Sequence {
    length: u32,
    short: [Code; SHORT],
}

impl Key for [Code] {
    type Kept = Sequence;
    type Arena = Vec<Code>;

    #[inline]
    fn keep(&self, arena: &mut Vec<Code>) -> Sequence {
        let mut short = [0; SHORT];
        if let Some(codes) = short.get_mut(..self.len()) {
            codes.copy_from_slice(self);
        } else {
            [short[0], short[1]] = [arena.len() as u32, (arena.len() >> 32) as u32];
            arena.extend_from_slice(self);
        }
        Sequence { length: self.len() as u32, short }
    }

    #[inline]
    fn kept<'a>(kept: &'a Sequence, arena: &'a Vec<Code>) -> &'a [Code] {
        let Sequence { length, short } = kept;
        let length = *length as usize;
        short.get(..length).unwrap_or_else(|| &arena[short[0] as usize | (short[1] as usize) << 32..][..length])
    }

    #[inline]
    fn touch(kept: &Sequence) -> u64 {
        u64::from(kept.length)
    }

    fn arena_bytes(arena: &Vec<Code>) -> usize {
        arena.capacity() * size_of::<Code>()
    }

    fn write(&self, before: Option<&[Code]>, into: &mut Vec<u8>) {
        let shared = before.unwrap_or_default().iter().zip(self).take_while(|(a, b)| a == b).count();
        let own = &self[shared..];
        [shared, own.len()].into_iter().for_each(|length| write_number(into, length as u64));
        own.iter().for_each(|&code| write_number(into, u64::from(code)));
    }

    fn read(key: &mut Vec<Code>, from: &mut impl Read) -> io::Result<()> {
        key.truncate(read_number(from)? as usize);
        for _ in 0..read_number(from)? {
            key.push(read_number(from)? as Code);
        }
        Ok(())
    }
}
