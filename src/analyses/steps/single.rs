//! The same matching for the most common funnels: names of events alone say which step an event fits, and none fits two.
//!
//! Where no two events are at the same time there is nothing to choose. Most visitors have few events, and most attempts that take the
//! earliest way to the last step and the latest way back from it lie within the window: then the places of each step's events, as the bits
//! of one number, are all that is looked at, and it is looked at without a branch per event. All others are followed event by event.

use super::super::step::Hit;
use super::Rules;
use crate::ids::Code;

/// A list of a few steps of which every event fits one at most.
#[derive(Debug)]
pub struct Single {
    /// By event code the number of its step, from 1; 0 if it fits none.
    step_of: Vec<u8>,
    window: i64,
}

/// More steps than this are rare.
const STEPS: usize = 15;

/// Places in a journey, as bits.
type Places = u64;

impl Single {
    /// For steps by event code, one bit per step. Nothing if there are too many, if an event fits several, or if there are options.
    pub fn new(rules: &Rules, by_event: &[u64]) -> Option<Single> {
        let several = by_event.iter().any(|mask| mask.count_ones() > 1);
        if !rules.is_plain() || rules.steps > STEPS || several {
            return None;
        }
        let step_of = by_event.iter().map(|mask| (u64::BITS - mask.leading_zeros()) as u8).collect();
        Some(Single { step_of, window: rules.window.unwrap_or(i64::MAX) })
    }

    /// Replaces `hits` by the reported attempt in the events of a journey, which are at different times and may reach the first `most`
    /// steps alone.
    #[inline]
    pub fn attempt(&self, events: &[Code], times: &[i64], most: usize, hits: &mut Vec<Hit>) {
        hits.clear();
        if events.len() > Places::BITS as usize || !self.by_places(events, times, most, hits) {
            self.by_events(events, times, most, hits);
        }
    }

    /// False if it takes more than the places to tell.
    #[inline]
    fn by_places(&self, events: &[Code], times: &[i64], most: usize, hits: &mut Vec<Hit>) -> bool {
        let mut places: [Places; STEPS + 1] = [0; STEPS + 1];
        for (at, &event) in events.iter().enumerate() {
            places[usize::from(self.step_of[event as usize]) & STEPS] |= 1 << at;
        }
        // The earliest way.
        let (mut depth, mut last, mut later) = (0, 0, Places::MAX);
        for (step, places) in (1..=most).zip(&places[1..]) {
            let fits = places & later;
            if fits == 0 {
                break;
            }
            (depth, last) = (step, fits.trailing_zeros());
            later = behind(last);
        }
        if depth == 0 {
            return true;
        }
        // The latest way back.
        let mut first = last;
        for places in places[1..depth].iter().rev() {
            first = (places & !(Places::MAX << first)).ilog2();
        }
        if times[last as usize] - times[first as usize] > self.window {
            return false;
        }
        // No attempt of this depth that begins there fills any step by an earlier event.
        let mut later = Places::MAX << first;
        for (step, places) in places[1..=depth].iter().enumerate() {
            let at = (places & later).trailing_zeros();
            hits.push(Hit::new(times[at as usize], 1 << step, at as usize));
            later = behind(at);
        }
        true
    }

    #[inline(never)]
    fn by_events(&self, events: &[Code], times: &[i64], most: usize, hits: &mut Vec<Hit>) {
        // By number of steps done: where the latest attempt that has done them begins.
        let mut begins = [None; STEPS + 1];
        let (mut depth, mut first) = (0, 0);
        for (at, &event) in events.iter().enumerate() {
            let step = usize::from(self.step_of[event as usize]) & STEPS;
            let begin = match step {
                0 => None,
                1 => Some(at),
                _ => begins[step - 1].filter(|&begin: &usize| times[at] - times[begin] <= self.window),
            };
            let Some(begin) = begin else { continue };
            begins[step] = Some(begin);
            if step > depth {
                (depth, first) = (step, begin);
            }
            if depth == most {
                break;
            }
        }
        for (event, at) in events[first..].iter().zip(first..) {
            if hits.len() == depth {
                return;
            }
            if usize::from(self.step_of[*event as usize]) == hits.len() + 1 {
                hits.push(Hit::new(times[at], 1 << hits.len(), at));
            }
        }
    }
}

/// All places behind one.
#[inline]
fn behind(place: u32) -> Places {
    Places::MAX << place << 1
}
