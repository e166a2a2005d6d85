//! The events of the reported attempt where steps may be left out, or come in any order.
//!
//! They are found from its end: backwards, how many optional steps an attempt can still fill from each state that ends well; forwards, step
//! by step, the earliest instant with which the most are filled. Which events of an instant fill its steps is settled last: they must leave
//! those that the block behind it needs.

use std::collections::VecDeque;

use super::super::super::step::Hit;
use super::super::chart::{Chart, Edge};
use super::super::search::{Group, Search};
use super::super::{Best, SKIPPED, Work};

/// One thread's scratch.
#[derive(Debug, Default)]
pub struct Scratch {
    /// For each group and state how many optional steps can be filled behind it; [`FAILS`] if no attempt ends well.
    after: Vec<i16>,
    /// For each edge the groups behind the one at hand that it may lead to.
    ahead: Vec<VecDeque<Ahead>>,
    /// For each edge what it is worth in the very next group.
    next: Vec<i16>,
}

/// No attempt ends well.
const FAILS: i16 = -1;

/// What an edge is worth in a group: how many optional steps can be filled by going along it there.
#[derive(Clone, Copy, Debug)]
struct Ahead {
    time: i64,
    worth: i16,
}

/// The events of an attempt are looked for in groups from its first on.
pub(super) struct Trace<'t> {
    pub search: &'t Search<'t>,
    pub chart: &'t Chart,
    pub groups: &'t [Group],
    pub best: Best,
}

/// What an attempt is to do in a group.
struct Passage<'p> {
    /// The group's hits, with the slots that they may fill.
    crowd: &'p [Hit],
    /// The step, from 1, that is filled first.
    first: usize,
    /// The step that is to be done when it leaves the group.
    step: usize,
    /// Slots that must be filled beside those that lie on its way.
    must: u64,
}

/// How far the reported attempt has been followed.
struct Place {
    /// The states that it may be in.
    states: Vec<usize>,
    /// The group that it has left.
    group: Option<usize>,
    /// How many optional steps it has yet to fill.
    worth: i16,
}

/// Where a step can be done next.
struct Found {
    step: usize,
    at: usize,
    /// How the attempt comes there.
    place: Place,
}

/// What an attempt does in a group.
struct Passed {
    at: usize,
    /// How it comes there.
    place: Place,
    /// The steps that it does, from 1.
    filled: Vec<usize>,
    /// The group's hits, with the slots that they may fill.
    crowd: Vec<Hit>,
    /// The slots of the steps behind the first of them.
    must: u64,
    /// The states in which it may leave the group.
    exits: Vec<usize>,
}

impl Trace<'_> {
    /// Finds for each group and state how many optional steps can be filled in the groups behind it.
    pub fn look_back(&self, work: &mut Work) {
        let (states, edges) = (self.chart.states().len(), self.chart.edges());
        let lattice = &mut work.lattice;
        lattice.after.clear();
        lattice.after.resize(states * self.groups.len(), FAILS);
        lattice.ahead.resize_with(edges.len(), VecDeque::new);
        lattice.ahead.iter_mut().for_each(VecDeque::clear);
        lattice.next.clear();
        lattice.next.resize(edges.len(), FAILS);
        // The group that `next` is about.
        let mut next = None;
        for (at, group) in self.groups.iter().enumerate().rev() {
            let after = &mut work.lattice.after[at * states..][..states];
            for (after, state) in after.iter_mut().zip(self.chart.states()) {
                *after = if state.passed >= self.best.depth && state.is_done() { 0 } else { FAILS };
            }
            for (number, edge) in edges.iter().enumerate() {
                let worth = self.worth_ahead(number, group, next, &mut work.lattice);
                let after = &mut work.lattice.after[at * states + edge.from];
                *after = worth.max(*after);
            }
            if self.search.bans(group) {
                self.ban(group, &mut work.lattice);
            }
            if group.mask != 0 {
                self.put(at, work);
                next = Some(group);
            }
        }
    }

    /// How many optional steps can be filled by going along an edge in some group behind this one.
    fn worth_ahead(&self, number: usize, group: &Group, next: Option<&Group>, lattice: &mut Scratch) -> i16 {
        let hop = self.chart.edges()[number].hop;
        if hop.is_some_and(|hop| self.search.rules.direct >> hop & 1 != 0) {
            let near = next.is_some_and(|next| self.in_reach(hop, group, next));
            return if near { lattice.next[number] } else { FAILS };
        }
        let ahead = &mut lattice.ahead[number];
        let far = |time: i64| hop.is_some_and(|hop| !self.search.rules.within_limit(hop, group.time, time));
        // They are out of reach of all groups before this one as well.
        while ahead.back().is_some_and(|ahead| far(ahead.time)) {
            ahead.pop_back();
        }
        ahead.back().map_or(FAILS, |ahead| ahead.worth)
    }

    /// Whether an attempt that has left a group may go on in a later one by a hop, or inside a block.
    fn in_reach(&self, hop: Option<usize>, group: &Group, next: &Group) -> bool {
        let Some(hop) = hop else { return true };
        let rank = |group: &Group| self.search.trail.rank(group.hits.start);
        let near = self.search.rules.direct >> hop & 1 == 0 || rank(group) + 1 == rank(next);
        near && self.search.rules.within_limit(hop, group.time, next.time)
    }

    /// Keeps attempts from staying at a state which end when nothing is done in the group.
    fn ban(&self, group: &Group, lattice: &mut Scratch) {
        for (number, edge) in self.chart.edges().iter().enumerate() {
            if self.search.stays_not(group, self.chart.state(edge.from).passed) {
                lattice.ahead[number].clear();
                lattice.next[number] = FAILS;
            }
        }
    }

    /// Takes in what edges are worth in a group.
    fn put(&self, at: usize, work: &mut Work) {
        let mut crowd = std::mem::take(&mut work.crowd);
        self.search.crowd(&self.groups[at], &mut crowd);
        work.lattice.next.fill(FAILS);
        for number in self.chart.edges_of(self.groups[at].mask) {
            let edge = self.chart.edges()[number];
            let leaves = self.search.exits(self.chart, &self.groups[at], edge);
            let worth = leaves.map(|to| self.worth(at, edge, to, &crowd, 0, work)).max().unwrap_or(FAILS);
            if worth == FAILS {
                continue;
            }
            work.lattice.next[number] = worth;
            let ahead = &mut work.lattice.ahead[number];
            // This group stays in reach for longer.
            while ahead.front().is_some_and(|other| other.worth <= worth) {
                ahead.pop_front();
            }
            ahead.push_front(Ahead { time: self.groups[at].time, worth });
        }
        work.crowd = crowd;
    }

    /// How many optional steps can be filled, in a group and behind it, by an attempt that goes along an edge there and leaves it at the state
    /// `to`, if the slots of `must` are to be filled too.
    fn worth(&self, at: usize, edge: Edge, to: usize, crowd: &[Hit], must: u64, work: &mut Work) -> i16 {
        let behind = self.worth_behind(at, edge.from, to, &work.lattice);
        let Some(way) = self.chart.way(edge.to, to).filter(|_| behind != FAILS) else { return FAILS };
        let way = way | 1 << edge.slot | must;
        let may = self.chart.optional_between(self.chart.state(edge.to).step, self.chart.state(to).step) & !way;
        let known = (way & self.chart.optional()).count_ones() as i16;
        work.matching.most(crowd, way, may).map_or(FAILS, |more| behind + known + more as i16)
    }

    /// How many optional steps can be filled behind a group by an attempt that comes to it at one state and leaves it at another.
    fn worth_behind(&self, at: usize, from: usize, to: usize, lattice: &Scratch) -> i16 {
        let (group, depth) = (&self.groups[at], self.best.depth);
        let (done, state) = (self.chart.state(from).passed, self.chart.state(to));
        let moment = self.search.trail.moment(group.hits.start);
        let reaches = done < depth && depth <= state.passed;
        let counts = moment == self.search.trail.moment(self.best.last) && self.search.counts(group, done, depth);
        let too_deep = state.passed > depth && self.chart.is_depth(state);
        if reaches && !counts || too_deep {
            return FAILS;
        }
        if self.search.forbids(group, done, state.passed) {
            return if depth <= state.passed && state.is_done() { 0 } else { FAILS };
        }
        lattice.after[at * self.chart.states().len() + to]
    }

    /// Fills step after step, each as early as can be with the most optional steps; then finds the earliest events for that.
    pub fn go_forward(&self, work: &mut Work) {
        let worth = (0..self.groups.len()).map(|at| self.worth_first(at, work)).max().unwrap_or(FAILS);
        let mut place = Place { states: vec![0], group: None, worth };
        let mut passed: Vec<Passed> = Vec::new();
        let mut filled = 0;
        while place.worth > 0 || filled < self.best.depth {
            let next = (filled + 1..=self.search.rules.steps).find_map(|step| self.find(step, &place, None, work));
            let Some(here) = next else { return };
            let pass = self.pass(here, work);
            filled = pass.step();
            place = pass.left(self.chart);
            passed.push(pass);
        }
        self.look_ahead(&mut passed, work);
        let mut place = Place { states: vec![0], group: None, worth };
        for mut pass in passed {
            let Some(here) = self.find(pass.filled[0], &place, Some(pass.at), work) else { return };
            pass.place = here.place;
            self.fill(&mut pass, work);
            place = pass.left(self.chart);
        }
    }

    /// Leaves of the states in which each group can be left those from which the next one can be come by.
    fn look_ahead(&self, passed: &mut [Passed], work: &mut Work) {
        for number in (1..passed.len()).rev() {
            let (before, behind) = passed.split_at_mut(number);
            let (pass, next) = (&mut before[number - 1], &behind[0]);
            if pass.exits.iter().all(|&state| self.chart.state(state).is_done()) {
                continue;
            }
            let place = pass.left(self.chart);
            pass.exits.retain(|&state| {
                let alone = Place { states: vec![state], ..place };
                let here = self.find(next.filled[0], &alone, Some(next.at), work);
                here.is_some_and(|here| {
                    let exits = self.leaves(next.at, &here.place, &next.passage(), work);
                    exits.iter().any(|state| next.exits.contains(state))
                })
            });
        }
    }

    /// What the first step is worth in a group.
    fn worth_first(&self, at: usize, work: &mut Work) -> i16 {
        let mut crowd = std::mem::take(&mut work.crowd);
        self.search.crowd(&self.groups[at], &mut crowd);
        let first = self.chart.edges_of(self.groups[at].mask & 1).map(|edge| self.chart.edges()[edge]);
        let worth =
            first.flat_map(|edge| self.search.exits(self.chart, &self.groups[at], edge).map(move |to| (edge, to)));
        let worth = worth.map(|(edge, to)| self.worth(at, edge, to, &crowd, 0, work)).max().unwrap_or(FAILS);
        work.crowd = crowd;
        worth
    }

    /// How an attempt comes to the group in which a step, from 1, is done next: the first in which it can, or the one asked for.
    fn find(&self, step: usize, place: &Place, asked: Option<usize>, work: &mut Work) -> Option<Found> {
        let begun = |&state: &usize| self.chart.state(state).is_done() || self.chart.state(state).step == step;
        let states = place.states.iter().copied().filter(begun).collect();
        let mut here = Place { states, ..*place };
        let mut crowd = Vec::new();
        for at in place.group.map_or(0, |group| group + 1)..self.groups.len() {
            if asked == Some(at) {
                return Some(Found { step, at, place: here });
            }
            let group = &self.groups[at];
            let leaves = if group.mask & self.chart.slots_of(step) == 0 {
                Vec::new()
            } else {
                self.search.crowd(group, &mut crowd);
                self.leaves(at, &here, &Passage { crowd: &crowd, first: step, step, must: 0 }, work)
            };
            if leaves.iter().any(|&to| self.is_past(to, step)) {
                return Some(Found { step, at, place: here });
            }
            if self.search.bans(group) {
                here.states.retain(|&state| !self.search.stays_not(group, self.chart.state(state).passed));
            }
            here.states.extend(leaves);
            here.states.sort_unstable();
            here.states.dedup();
            if here.states.is_empty() {
                break;
            }
        }
        None
    }

    /// Whether a step, from 1, is done at a state.
    fn is_past(&self, state: usize, step: usize) -> bool {
        self.chart.state(state).passed >= step
    }

    /// The states in which an attempt may leave a group that is to fill the most optional steps: behind the step of the passage, or inside of
    /// its block.
    fn leaves(&self, at: usize, place: &Place, passage: &Passage<'_>, work: &mut Work) -> Vec<usize> {
        let (chart, group) = (self.chart, &self.groups[at]);
        let comes = |edge: &Edge| {
            let begins = place.group.is_none_or(|left| self.in_reach(edge.hop, &self.groups[left], group));
            begins && place.states.contains(&edge.from) && chart.state(edge.to).step == passage.first
        };
        let mut leaves = Vec::new();
        for edge in chart.edges_of(group.mask).map(|edge| chart.edges()[edge]).filter(comes) {
            for to in self.search.exits(chart, group, edge) {
                let inside = passage.must == 0 && chart.state(to).step == passage.step;
                let fits = self.is_past(to, passage.step) || inside;
                if fits && self.worth(at, edge, to, passage.crowd, passage.must, work) == place.worth {
                    leaves.push(to);
                }
            }
        }
        leaves.sort_unstable();
        leaves.dedup();
        leaves
    }

    /// Does a step where it was found, and all that should be done there behind it.
    fn pass(&self, found: Found, work: &mut Work) -> Passed {
        let Found { step: first, at, place } = found;
        let mut crowd = Vec::new();
        self.search.crowd(&self.groups[at], &mut crowd);
        let mut pass = Passed { at, place, filled: vec![first], crowd, must: 0, exits: Vec::new() };
        for step in first + 1..=self.search.rules.steps {
            let slots = self.chart.slots_of(step);
            let more = Passage { step, must: pass.must | slots, ..pass.passage() };
            if !self.leaves(at, &pass.place, &more, work).is_empty() {
                pass.must |= slots;
                pass.filled.push(step);
                continue;
            }
            pass.exits = self.exits(&pass, work);
            let later = |work: &mut Work| self.find(step, &pass.left(self.chart), None, work).is_some();
            if !self.chart.is_optional(step) || later(work) {
                break;
            }
            pass.crowd.iter_mut().for_each(|hit| hit.mask &= !slots);
        }
        pass.exits = self.exits(&pass, work);
        pass
    }

    /// The states in which the group can be left with all the steps done that are to be done there.
    fn exits(&self, pass: &Passed, work: &mut Work) -> Vec<usize> {
        let mut exits = self.leaves(pass.at, &pass.place, &pass.passage(), work);
        exits.retain(|&state| self.is_past(state, pass.step()));
        exits
    }

    /// Adds the events of the steps that are done in a group: for each in turn the earliest hit that can fill it, or be the last one of its
    /// block. Leaves of the exits those that go with these events.
    fn fill(&self, pass: &mut Passed, work: &mut Work) {
        let hits = self.groups[pass.at].hits.clone();
        for number in 0..pass.filled.len() {
            let slots = self.chart.slots_of(pass.filled[number]);
            let fits = pass.crowd.iter().copied().filter(|hit| hit.mask & slots != 0).collect::<Vec<_>>();
            let whole = pass.crowd.clone();
            for hit in fits {
                pass.crowd.clone_from(&whole);
                let others = pass.crowd.iter_mut().filter(|other| match slots.count_ones() {
                    1 => other.at != hit.at,
                    _ => other.at > hit.at,
                });
                others.for_each(|other| other.mask &= !slots);
                let mut exits = self.exits(pass, work);
                exits.retain(|state| pass.exits.contains(state));
                if !exits.is_empty() {
                    pass.exits = exits;
                    let event = hits.clone().find(|&index| self.search.trail.hits[index].at == hit.at);
                    work.attempt.resize(pass.filled[number] - 1, SKIPPED);
                    work.attempt.extend(event.map(|event| event as u32));
                    break;
                }
            }
        }
    }
}

impl Passed {
    /// The last step that is done there.
    fn step(&self) -> usize {
        self.filled.last().copied().unwrap_or(0)
    }

    /// What is done there.
    fn passage(&self) -> Passage<'_> {
        Passage { crowd: &self.crowd, first: self.filled[0], step: self.step(), must: self.must }
    }

    /// Where the attempt is behind it.
    fn left(&self, chart: &Chart) -> Place {
        let optional = self.filled.iter().filter(|&&step| chart.is_optional(step)).count() as i16;
        Place { states: self.exits.clone(), group: Some(self.at), worth: self.place.worth - optional }
    }
}
