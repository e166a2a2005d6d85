//! The matching where steps may be left out, or come in any order: the search of [`search`](super::search) over the states of a [`Chart`].
//!
//! Of all attempts at a state the one that got there last also began last, as on a plain list: where a later begin overtakes an earlier one,
//! it leaves out no step that the other had to do, so it can go on with the other's events, and within the same limits.
//!
//! The events of the reported attempt are found from its end: backwards, how many optional steps an attempt can still fill from each state
//! that ends well; forwards, step by step, the earliest event with which the most are filled.

use std::collections::VecDeque;

use super::super::step::Hit;
use super::chart::{Chart, Edge};
use super::levels::NONE;
use super::search::{Group, Search};
use super::{Best, SKIPPED, Work};

/// One thread's scratch.
#[derive(Debug, Default)]
pub(super) struct Scratch {
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

impl Search<'_> {
    /// How deep the attempts go, and when the reported one begins and ends. Depths are numbers of steps passed.
    pub(super) fn best_on(&self, chart: &Chart, work: &mut Work) -> Best {
        let states = chart.states().len();
        work.levels.begin(states - 1, &[]);
        for latest in [&mut work.direct, &mut work.next] {
            latest.clear();
            latest.resize(states, NONE);
        }
        let mut best = Best::default();
        // The hit that attempts in `direct` have come to.
        let mut ready = None;
        let mut at = self.hits.start;
        while at < self.hits.end {
            if best.depth == self.most && self.trail.moment(at) > self.trail.moment(best.last) {
                break;
            }
            let group = self.group(at);
            at = group.hits.end;
            work.next.fill(NONE);
            for edge in chart.edges_of(group.mask).map(|edge| chart.edges()[edge]) {
                let first = self.come_along(edge, &group, ready, work);
                if first == NONE || !self.in_window(first as usize, group.hits.start) {
                    continue;
                }
                let done = chart.state(edge.from).passed;
                self.crowd(&group, &mut work.crowd);
                for to in self.exits(chart, &group, edge) {
                    let state = chart.state(to);
                    let way = chart.way(edge.to, to).map(|way| way | 1 << edge.slot);
                    if way.and_then(|way| work.matching.most(&work.crowd, way, 0)).is_none() {
                        continue;
                    }
                    if chart.is_depth(state) && self.counts(&group, done, state.passed) {
                        best = best.or_later(self.trail, state.passed, first as usize, group.hits.start);
                    }
                    if !self.forbids(&group, done, state.passed) {
                        work.next[to] = work.next[to].max(first);
                    }
                }
            }
            if self.bans(&group) {
                for number in 1..states {
                    if self.stays_not(&group, chart.state(number).passed) {
                        work.levels.end(number);
                        work.direct[number] = NONE;
                    }
                }
            }
            for (state, &first) in work.next.iter().enumerate().filter(|(_, first)| **first != NONE) {
                work.levels.put(state, first, group.time);
            }
            if group.mask != 0 {
                std::mem::swap(&mut work.direct, &mut work.next);
                ready = Some(group.hits.start);
            }
        }
        best
    }

    /// The hit with which the latest attempt began that may go along an edge in a group, as far as the hop goes.
    fn come_along(&self, edge: Edge, group: &Group, ready: Option<usize>, work: &Work) -> i64 {
        let at = group.hits.start;
        let Some(hop) = edge.hop else { return work.levels.latest(edge.from) };
        if edge.from == 0 {
            return at as i64;
        }
        if self.rules.direct >> hop & 1 == 0 {
            let fits = self.rules.within_limit(hop, work.levels.arrived(edge.from), group.time);
            return if fits { work.levels.latest(edge.from) } else { NONE };
        }
        let near = |ready: &usize| {
            self.trail.rank(*ready) + 1 == self.trail.rank(at)
                && self.rules.within_limit(hop, self.trail.hits[*ready].time, group.time)
        };
        if ready.filter(near).is_some() { work.direct[edge.from] } else { NONE }
    }

    /// The states in which an attempt may leave a group that goes along an edge there, and some that it cannot.
    fn exits(&self, chart: &Chart, group: &Group, edge: Edge) -> impl Iterator<Item = usize> + use<> {
        let alone = self.rules.increasing || group.hits.len() == 1;
        let behind = if alone { 0..0 } else { chart.states_behind(edge.to, group.mask) };
        std::iter::once(edge.to).chain(behind)
    }

    /// Finds the events of the reported attempt.
    pub(super) fn trace_on(&self, chart: &Chart, best: Best, work: &mut Work) {
        let mut hits = self.between(best);
        if best.depth < self.rules.steps && chart.is_optional(best.depth + 1) {
            hits.end = hits.end.max(self.rules.reach_of(self.trail, &self.hits, best.first).end);
        }
        let search = Search { hits, ..*self };
        let mut groups = std::mem::take(&mut work.groups);
        search.groups(&mut groups);
        let trace = Trace { search: &search, chart, groups: &groups, best };
        trace.look_back(work);
        trace.go_forward(work);
        work.groups = groups;
    }
}

/// The events of an attempt are looked for in groups from its first on.
struct Trace<'t> {
    search: &'t Search<'t>,
    chart: &'t Chart,
    groups: &'t [Group],
    best: Best,
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

impl Trace<'_> {
    /// Finds for each group and state how many optional steps can be filled in the groups behind it.
    fn look_back(&self, work: &mut Work) {
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
            for (number, edge) in edges.iter().enumerate().filter(|(_, edge)| edge.from > 0) {
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
        let begins = from > 0 || moment == self.search.trail.moment(self.best.first);
        let reaches = done < depth && depth <= state.passed;
        let counts = moment == self.search.trail.moment(self.best.last) && self.search.counts(group, done, depth);
        let too_deep = state.passed > depth && self.chart.is_depth(state);
        if !begins || reaches && !counts || too_deep {
            return FAILS;
        }
        if self.search.forbids(group, done, state.passed) {
            return if depth <= state.passed && state.is_done() { 0 } else { FAILS };
        }
        lattice.after[at * self.chart.states().len() + to]
    }

    /// Fills step after step, each by the earliest event with which the most optional steps can be filled.
    fn go_forward(&self, work: &mut Work) {
        let worth = (0..self.groups.len()).map(|at| self.worth_first(at, work)).max().unwrap_or(FAILS);
        let mut place = Place { states: vec![0], group: None, worth };
        while place.worth != FAILS {
            let passed = work.attempt.len();
            if passed >= self.best.depth && place.worth == 0 {
                return;
            }
            let found = (passed + 1..=self.search.rules.steps).find_map(|step| {
                let (at, states) = self.find(step, &place, work)?;
                Some((step, at, states))
            });
            let Some((step, at, states)) = found else { return };
            place = self.pass(step, at, &Place { states, ..place }, work);
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

    /// The first group in which a step, from 1, can be done next, and the states in which an attempt may come to it.
    fn find(&self, step: usize, place: &Place, work: &mut Work) -> Option<(usize, Vec<usize>)> {
        let begun = |&state: &usize| self.chart.state(state).is_done() || self.chart.state(state).step == step;
        let states = place.states.iter().copied().filter(begun).collect();
        let mut here = Place { states, ..*place };
        let mut crowd = Vec::new();
        for at in place.group.map_or(0, |group| group + 1)..self.groups.len() {
            let group = &self.groups[at];
            self.search.crowd(group, &mut crowd);
            let leaves = if group.mask & self.chart.slots_of(step) == 0 {
                Vec::new()
            } else {
                let passage = Passage { crowd: &crowd, first: step, step, must: 0 };
                self.leaves(at, &here, &passage, work)
            };
            if leaves.iter().any(|&to| self.is_past(to, step)) {
                return Some((at, here.states));
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

    /// Does a step, from 1, in a group, and all that should be done there behind it; says how the attempt leaves it.
    fn pass(&self, first: usize, at: usize, place: &Place, work: &mut Work) -> Place {
        let mut crowd = Vec::new();
        self.search.crowd(&self.groups[at], &mut crowd);
        let mut filled = vec![first];
        let mut must = 0;
        for step in first + 1..=self.search.rules.steps {
            let slots = self.chart.slots_of(step);
            let passage = Passage { crowd: &crowd, first, step, must: must | slots };
            if !self.leaves(at, place, &passage, work).is_empty() {
                must |= slots;
                filled.push(step);
            } else if self.chart.is_optional(step) {
                crowd.iter_mut().for_each(|hit| hit.mask &= !slots);
            } else {
                break;
            }
        }
        let step = filled.last().copied().unwrap_or(first);
        for &done in &filled {
            let Some((event, rest)) =
                self.earliest(at, place, &Passage { crowd: &crowd, first, step, must }, done, work)
            else {
                return Place { states: Vec::new(), worth: FAILS, ..*place };
            };
            crowd = rest;
            work.attempt.resize(done - 1, SKIPPED);
            work.attempt.push(event);
        }
        let mut states = self.leaves(at, place, &Passage { crowd: &crowd, first, step, must }, work);
        states.retain(|&state| self.is_past(state, step));
        let optional = filled.iter().filter(|&&step| self.chart.is_optional(step)).count() as i16;
        Place { states, group: Some(at), worth: place.worth - optional }
    }

    /// The earliest hit that can fill a step, from 1, or be the last one of its block, and the group's hits without those that then fill
    /// none of its slots.
    fn earliest(
        &self,
        at: usize,
        place: &Place,
        passage: &Passage<'_>,
        done: usize,
        work: &mut Work,
    ) -> Option<(u32, Vec<Hit>)> {
        let slots = self.chart.slots_of(done);
        let block = slots.count_ones() > 1;
        for hit in passage.crowd.iter().filter(|hit| hit.mask & slots != 0) {
            let mut crowd = passage.crowd.to_vec();
            let others = crowd.iter_mut().filter(|other| if block { other.at > hit.at } else { other.at != hit.at });
            others.for_each(|other| other.mask &= !slots);
            let leaves = self.leaves(at, place, &Passage { crowd: &crowd, ..*passage }, work);
            if leaves.iter().any(|&to| self.is_past(to, passage.step)) {
                let hits = &self.groups[at].hits;
                let index = hits.clone().find(|&index| self.search.trail.hits[index].at == hit.at)?;
                return Some((index as u32, crowd));
            }
        }
        None
    }
}
