//! An event as the matching core sees it.

/// An event that fits a step, or one that a funnel excludes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hit {
    /// µs.
    pub time: i64,
    /// One bit per step that the event fits, the first step lowest.
    pub mask: u64,
    /// Its place in the journey.
    pub at: u32,
    /// One bit per exclusion that it fits.
    pub excluded: u16,
    /// The first step that it fits, whether it may fill it or not; 64 if it fits none.
    pub counts_as: u8,
}

impl Hit {
    /// The step that an event counts as which fits none.
    pub const FITS_NONE: u8 = 64;

    /// In place of the event of a step that was left out.
    pub const SKIPPED: Hit = Hit { time: 0, mask: 0, at: u32::MAX, excluded: 0, counts_as: Hit::FITS_NONE };

    /// Whether it stands for a step that was left out.
    #[inline]
    pub fn is_skipped(&self) -> bool {
        self.at == u32::MAX
    }

    /// Whether it fits a step.
    #[inline]
    pub fn fits(&self) -> bool {
        self.counts_as != Hit::FITS_NONE
    }

    /// An event that fits the steps of `mask` and no exclusion.
    #[inline]
    pub fn new(time: i64, mask: u64, at: usize) -> Hit {
        Hit { time, mask, at: at as u32, excluded: 0, counts_as: mask.trailing_zeros() as u8 }
    }
}
