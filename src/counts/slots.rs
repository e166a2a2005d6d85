//! The hash table of a counter: for each key half of its hash and its place.
//!
//! A look-up touches one line of memory here, and one more where the key stands: with millions of keys that is what it costs.

/// Where keys stand, found by half of their hashes: linear probing in a table that is at most two thirds full.
#[derive(Clone, Debug, Default)]
pub struct Slots {
    slots: Vec<Slot>,
    used: usize,
}

/// Half of the hash is kept, so that a growing table need not hash again, and few keys are compared in vain.
#[derive(Clone, Copy, Debug)]
pub struct Slot {
    pub hash: u32,
    /// [`Slot::FREE`] if nothing is here.
    pub place: u32,
}

impl Slot {
    pub const FREE: u32 = u32::MAX;
    const EMPTY: Slot = Slot { hash: 0, place: Self::FREE };
}

impl Slots {
    const FIRST: usize = 64;

    /// Something of where a key of this hash is looked for first: whoever reads it has brought it near.
    #[inline]
    pub fn touch(&self, hash: u32) -> u32 {
        self.slots.get(self.home(hash)).map_or(0, |slot| slot.hash)
    }

    /// The place of the key of this hash for which `same` holds.
    #[inline]
    pub fn find(&self, hash: u32, mut same: impl FnMut(u32) -> bool) -> Option<u32> {
        let mut at = self.home(hash);
        loop {
            let slot = *self.slots.get(at)?;
            if slot.place == Slot::FREE {
                return None;
            }
            if slot.hash == hash && same(slot.place) {
                return Some(slot.place);
            }
            at = (at + 1) & (self.slots.len() - 1);
        }
    }

    /// Adds a key that is not there.
    pub fn insert(&mut self, slot: Slot) {
        if (self.used + 1) * 3 > self.slots.len() * 2 {
            let size = (self.slots.len() * 2).max(Self::FIRST);
            let slots = std::mem::replace(&mut self.slots, vec![Slot::EMPTY; size]);
            slots.into_iter().filter(|slot| slot.place != Slot::FREE).for_each(|slot| self.put(slot));
        }
        self.used += 1;
        self.put(slot);
    }

    fn put(&mut self, slot: Slot) {
        let mut at = self.home(slot.hash);
        while self.slots[at].place != Slot::FREE {
            at = (at + 1) & (self.slots.len() - 1);
        }
        self.slots[at] = slot;
    }

    /// The upper bits of the hash say where, so that a growing table is filled in the order in which it is read.
    #[inline]
    fn home(&self, hash: u32) -> usize {
        ((u64::from(hash) * self.slots.len() as u64) >> 32) as usize
    }

    /// Bytes in use.
    pub fn bytes(&self) -> usize {
        self.slots.capacity() * size_of::<Slot>()
    }
}
