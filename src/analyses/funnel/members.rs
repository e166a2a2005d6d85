//! The events of a block: an attempt has the last one alone, in which the block was done.

use super::follow::Follow;
use crate::analyses::step::Hit;
use crate::analyses::steps::Ties;
use crate::ids::Code;
use crate::journeys::Journey;

/// For each step of an attempt the places of its events, the last one last: several for a block, none for a step that was left out.
///
/// Of a block they are the earliest that fit, as [`search`] finds them.
pub fn events(follow: &Follow, journey: Journey<'_>, mask: impl Fn(usize) -> u64, attempt: &[Hit]) -> Vec<Vec<usize>> {
    let rules = &follow.plan.rules;
    let mut used: Vec<usize> = attempt.iter().filter(|hit| !hit.is_skipped()).map(|hit| hit.at as usize).collect();
    let mut all: Vec<Vec<usize>> = Vec::new();
    let mut before: Option<Hit> = None;
    for (step, &hit) in attempt.iter().enumerate() {
        if hit.is_skipped() {
            all.push(Vec::new());
            continue;
        }
        let last = hit.at as usize;
        let (slots, times) = (rules.slots_of(step), journey.times());
        let follows = |at: usize| match (before, rules.ties) {
            (None, _) => true,
            (Some(before), Ties::Any) if rules.increasing => before.time < times[at],
            (Some(before), Ties::Any) => before.time <= times[at],
            (Some(before), Ties::Arrival) => (before.at as usize) < at,
        };
        let precedes = |at: usize| match rules.ties {
            Ties::Any => times[at] <= hit.time,
            Ties::Arrival => at <= last,
        };
        let holds = |at: usize| {
            let first = attempt[0].at as usize;
            follow.hold.iter().enumerate().all(|(number, &dimension)| {
                let values: &[Code] = journey.dimension(dimension);
                let lists = follow.lists.as_ref().filter(|lists| lists.column == number);
                lists.map_or(values[at] == values[first], |lists| lists.meet(values[at], values[first]))
            })
        };
        let fits = |&at: &usize| {
            let free = mask(at) & slots != 0 && !used.contains(&at);
            free && follows(at) && precedes(at) && holds(at)
        };
        let candidates: Vec<usize> = (0..journey.len()).filter(fits).collect();
        let begins = |at: usize| before.is_none_or(|before| rules.within_limit(step, before.time, times[at]));
        // What comes directly next is the first of them.
        let tried = if rules.direct >> step & 1 != 0 { 1 } else { candidates.len() };
        let members = (0..tried)
            .filter(|&first| begins(candidates[first]))
            .find_map(|first| search(&candidates[first..], last, slots, &mask));
        let members = members.unwrap_or_else(|| vec![last]);
        used.extend(&members);
        all.push(members);
        before = Some(hit);
    }
    all
}

/// The first of the candidates, the last event, and the earliest of those between that fill all slots, each another one.
fn search(candidates: &[usize], last: usize, slots: u64, mask: &impl Fn(usize) -> u64) -> Option<Vec<usize>> {
    if slots.count_ones() == 1 {
        return None;
    }
    // For each set of slots the events that fill it.
    let mut filled: Vec<(u64, Vec<usize>)> = Vec::new();
    let extend = |filled: &[(u64, Vec<usize>)], at: usize| -> Vec<(u64, Vec<usize>)> {
        let mut more: Vec<(u64, Vec<usize>)> = Vec::new();
        for (set, events) in filled {
            for slot in (0..64).map(|slot| 1u64 << slot).filter(|slot| mask(at) & slots & slot & !set != 0) {
                let known = filled.iter().chain(&more).any(|(other, _)| *other == set | slot);
                if !known {
                    more.push((set | slot, events.iter().copied().chain([at]).collect()));
                }
            }
        }
        more
    };
    for (number, &at) in candidates.iter().enumerate() {
        let more = if number == 0 { extend(&[(0, Vec::new())], at) } else { extend(&filled, at) };
        filled.extend(more);
    }
    extend(&filled, last).into_iter().find(|(set, _)| *set == slots).map(|(_, events)| events)
}
