//! The ways through steps of which some may be left out, and some come in any order.
//!
//! Each step, and each member of a block, is a *slot*, which an event fills: a bit of [`Hit::mask`](super::super::step::Hit). An attempt
//! goes from *state* to state along *edges*, each of which is a slot that is filled. A state is what an attempt has come to: behind a step,
//! or inside a block with some of its members filled. They are numbered so that edges lead upwards only.

use std::ops::Range;

use super::bits;

/// What must be done at a step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Kind {
    /// One event.
    #[default]
    Required,
    /// One event, or nothing.
    Optional,
    /// So many events in any order, 2 to 8.
    Block(usize),
}

/// More members of blocks than this are too many states to keep for each event.
pub const MEMBERS: usize = 16;

/// The states and edges of a list of steps.
#[derive(Clone, Debug)]
pub struct Chart {
    steps: Vec<Slots>,
    states: Vec<State>,
    /// For each number of steps the number of states up to the last of these steps.
    ends: Vec<usize>,
    edges: Vec<Edge>,
    /// For each slot its edges.
    by_slot: Vec<Vec<usize>>,
}

/// The slots of a step.
#[derive(Clone, Copy, Debug)]
struct Slots {
    mask: u64,
    optional: bool,
    /// The slots that must be filled of all steps before it.
    before: u64,
}

/// What an attempt has come to.
#[derive(Clone, Copy, Debug)]
pub struct State {
    /// The step that it is behind, or in the block of, from 1; 0 if nothing is done.
    pub step: usize,
    /// How many steps are behind it.
    pub passed: usize,
    /// The slots of the step that are filled.
    filled: u64,
}

/// How an event leads from one state to another.
#[derive(Clone, Copy, Debug)]
pub struct Edge {
    pub from: usize,
    pub to: usize,
    pub slot: usize,
    /// The step, from 0, whose hop it is; `None` inside a block.
    pub hop: Option<usize>,
}

impl Chart {
    /// The chart of steps of these kinds. Nothing if all are required: then a chart says nothing new.
    pub fn new(kinds: &[Kind]) -> Option<Chart> {
        if kinds.iter().all(|kind| *kind == Kind::Required) {
            return None;
        }
        let mut chart = Chart {
            steps: Vec::new(),
            states: vec![State { step: 0, passed: 0, filled: 0 }],
            ends: vec![1],
            edges: Vec::new(),
            by_slot: Vec::new(),
        };
        // The states from which the next step can be begun.
        let mut from = vec![0];
        for (step, &kind) in kinds.iter().enumerate() {
            let (count, optional) = match kind {
                Kind::Required => (1, false),
                Kind::Optional => (1, true),
                Kind::Block(members) => (members, false),
            };
            let end = chart.add(step, count, optional, &from);
            if !optional {
                from.clear();
            }
            from.push(end);
        }
        chart.by_slot = vec![Vec::new(); chart.edges.iter().map(|edge| edge.slot + 1).max().unwrap_or(0)];
        for (number, edge) in chart.edges.iter().enumerate() {
            chart.by_slot[edge.slot].push(number);
        }
        Some(chart)
    }

    /// Adds a step of so many slots that is begun at the states `from`; says at which state it is done.
    fn add(&mut self, step: usize, count: usize, optional: bool, from: &[usize]) -> usize {
        let known = |slots: &Slots| slots.before | if slots.optional { 0 } else { slots.mask };
        let before = self.steps.last().map_or(0, known);
        let first = self.steps.iter().map(|slots| slots.mask.count_ones() as usize).sum::<usize>();
        self.steps.push(Slots { mask: (u64::MAX >> (64 - count)) << first, optional, before });
        let base = self.states.len() - 1;
        for subset in 1..1usize << count {
            let done = subset + 1 == 1 << count;
            let (passed, filled) = (if done { step + 1 } else { step }, (subset as u64) << first);
            self.states.push(State { step: step + 1, passed, filled });
            for member in bits(subset as u64) {
                let (to, slot) = (base + subset, first + member);
                match subset & !(1 << member) {
                    0 => self.edges.extend(from.iter().map(|&from| Edge { from, to, slot, hop: Some(step) })),
                    rest => self.edges.push(Edge { from: base + rest, to, slot, hop: None }),
                }
            }
        }
        self.ends.push(self.states.len());
        self.states.len() - 1
    }

    pub fn state(&self, number: usize) -> State {
        self.states[number]
    }

    pub fn states(&self) -> &[State] {
        &self.states
    }

    pub fn edges(&self) -> &[Edge] {
        &self.edges
    }

    /// The numbers of the edges that events with these masks may lead along.
    pub fn edges_of(&self, mask: u64) -> impl Iterator<Item = usize> {
        bits(mask).filter_map(|slot| self.by_slot.get(slot)).flatten().copied()
    }

    /// How many slots there are.
    pub fn slots(&self) -> usize {
        self.by_slot.len()
    }

    /// The slots of a step, from 1.
    pub fn slots_of(&self, step: usize) -> u64 {
        self.steps[step - 1].mask
    }

    /// The slots of all steps that may be left out.
    pub fn optional(&self) -> u64 {
        self.optional_between(0, self.steps.len() + 1)
    }

    /// The slots of the steps behind number `after` and before number `until`, from 1, that may be left out.
    pub fn optional_between(&self, after: usize, until: usize) -> u64 {
        let steps = self.steps.iter().take(until.max(1) - 1).skip(after).filter(|slots| slots.optional);
        steps.fold(0, |all, slots| all | slots.mask)
    }

    /// Whether the step, from 1, may be left out.
    pub fn is_optional(&self, step: usize) -> bool {
        self.steps[step - 1].optional
    }

    /// Whether a step that may not be left out is done last at the state, which is not the first one.
    pub fn is_depth(&self, state: State) -> bool {
        state.is_done() && !self.is_optional(state.step)
    }

    /// The slots that an attempt must fill on its way from one state to a later one. Nothing if there is no way.
    pub fn way(&self, from: usize, to: usize) -> Option<u64> {
        let (from, to) = (self.states[from], self.states[to]);
        if from.step == to.step {
            return (from.filled & !to.filled == 0).then_some(to.filled & !from.filled);
        }
        let left = self.slots_of(from.step) & !from.filled;
        let between = self.steps[to.step - 1].before & !self.steps[from.step].before;
        Some(left | between | to.filled)
    }

    /// The states that come after one that is not the first, as far as the slots of `mask` may lead, and perhaps some that cannot be
    /// reached.
    pub fn states_behind(&self, from: usize, mask: u64) -> Range<usize> {
        let fills = |slots: &Slots| slots.optional || slots.mask & !mask == 0;
        let step = self.states[from].step;
        let begun = self.states[from].filled;
        let whole = self.slots_of(step) & !(mask | begun) == 0;
        let more = if whole { self.steps[step..].iter().take_while(|slots| fills(slots)).count() + 1 } else { 0 };
        from + 1..self.ends.get(step + more).copied().unwrap_or(self.states.len())
    }

    /// The states that come after one in the same block, and perhaps some that cannot be reached.
    pub fn states_inside(&self, from: usize) -> Range<usize> {
        from + 1..self.ends[self.states[from].step]
    }

    /// The step, from 0, of a slot.
    pub fn step_of(&self, slot: u8) -> u8 {
        self.steps.iter().position(|slots| slots.mask >> slot & 1 != 0).map_or(slot, |step| step as u8)
    }

    /// How many steps an attempt gets past at most for which the slots of `mask` alone can be filled.
    pub fn most(&self, mask: u64) -> usize {
        let reached = |step: &usize| {
            let slots = self.steps[step - 1];
            !slots.optional && (slots.before | slots.mask) & !mask == 0
        };
        (1..=self.steps.len()).rev().find(reached).unwrap_or(0)
    }

    /// The step, from 0, that an event with `mask` can fill, or begin, after so many steps; nothing if it fits none of the next.
    pub fn next_step(&self, passed: usize, mask: u64) -> Option<usize> {
        let optional = self.steps[passed..].iter().take_while(|slots| slots.optional).count();
        (passed..self.steps.len()).take(optional + 1).find(|&step| self.steps[step].mask & mask != 0)
    }
}

impl State {
    /// Whether an attempt there is behind its step, and not inside of a block.
    pub fn is_done(self) -> bool {
        self.passed == self.step
    }
}
