//! What is counted by: a number, or a sequence of codes of any length.

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
    type Arena: Default + Debug;

    /// Keeps the key.
    fn keep(&self, arena: &mut Self::Arena) -> Self::Kept;

    /// The key that was kept.
    fn kept<'a>(kept: &'a Self::Kept, arena: &'a Self::Arena) -> &'a Self;

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

impl Key for [Code] {
    /// Where in the arena it starts: its length stands there, and then its codes.
    type Kept = usize;
    type Arena = Vec<Code>;

    #[inline]
    fn keep(&self, arena: &mut Vec<Code>) -> usize {
        let start = arena.len();
        arena.push(self.len() as Code);
        arena.extend_from_slice(self);
        start
    }

    #[inline]
    fn kept<'a>(&start: &'a usize, arena: &'a Vec<Code>) -> &'a [Code] {
        &arena[start + 1..][..arena[start] as usize]
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
