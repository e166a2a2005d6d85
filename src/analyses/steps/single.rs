//! The same matching for the most common funnels: names of events alone say which step an event fits, and none fits two.
//!
//! Where no two such events are at the same time there is nothing to choose: one look at each event, and one more at those from the
//! first of the attempt to its last, is enough. All other journeys are left to [`Rules::attempt`].

use super::super::step::Hit;
use super::{Rules, Ties};
use crate::ids::Code;

/// A list of steps of which every event fits one at most.
#[derive(Debug)]
pub struct Single {
    /// By event code the number of its step, from 1; 0 if it fits none.
    step_of: Vec<u8>,
    steps: usize,
    window: i64,
}

/// Where the latest attempt begins that has done so many steps.
pub type Begins = [u32; 65];

/// No attempt has got so far.
const NONE: u32 = u32::MAX;

impl Single {
    /// For steps by event code, one bit per step. Nothing if an event fits several, or if the order of arrival matters.
    pub fn new(rules: &Rules, by_event: &[u64]) -> Option<Single> {
        if rules.ties != Ties::Any || by_event.iter().any(|mask| mask.count_ones() > 1) {
            return None;
        }
        let step_of = by_event.iter().map(|mask| (u64::BITS - mask.leading_zeros()) as u8).collect();
        Some(Single { step_of, steps: rules.steps, window: rules.window.unwrap_or(i64::MAX) })
    }

    /// Replaces `hits` by the reported attempt in the events of a journey, whose first `most` steps may be reached. False if two events
    /// are at the same time and it may matter; then `hits` means nothing.
    #[inline]
    pub fn attempt(
        &self,
        events: &[Code],
        times: &[i64],
        most: usize,
        begins: &mut Begins,
        hits: &mut Vec<Hit>,
    ) -> bool {
        hits.clear();
        let step_of = &self.step_of[..];
        // No attempt begins before the first event that fits the first step; one at the same time may.
        let Some(start) = events.iter().position(|&event| step_of[event as usize] == 1) else { return true };
        if start > 0 && times[start - 1] == times[start] {
            return false;
        }
        begins[..=self.steps].fill(NONE);
        let (mut depth, mut begin, mut before) = (0, start, i64::MIN);
        for (at, (&event, &time)) in events.iter().zip(times).enumerate().skip(start) {
            let step = usize::from(step_of[event as usize]);
            if step == 0 {
                continue;
            }
            if time == before {
                return false;
            }
            if depth == most {
                break;
            }
            before = time;
            let first = if step == 1 { at as u32 } else { begins[step - 1] };
            if first == NONE || time - times[first as usize] > self.window {
                continue;
            }
            begins[step] = first;
            if step > depth {
                (depth, begin) = (step, first as usize);
            }
        }
        // No attempt of this depth that begins here fills any step by an earlier event.
        let mut next = 1;
        for (at, (&event, &time)) in events.iter().zip(times).enumerate().skip(begin) {
            if next > depth {
                break;
            }
            if usize::from(step_of[event as usize]) == next {
                hits.push(Hit { time, mask: 1 << (next - 1), at: at as u32 });
                next += 1;
            }
        }
        true
    }
}
