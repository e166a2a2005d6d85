//! The matching where steps may be left out, or come in any order: the search of [`search`](super::search) over the states of a [`Chart`].
//!
//! Of all attempts at a state the one that got there last also began last, as on a plain list: where a later begin overtakes an earlier one,
//! it leaves out no step that the other had to do, so it can go on with the other's events, and within the same limits.

mod trace;

use super::chart::{Chart, Edge};
use super::levels::NONE;
use super::search::{Group, Search};
use super::{Best, Work};
pub(super) use trace::Scratch;
use trace::Trace;

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
            let latest = work.levels.latest(edge.from);
            let fits = latest != NONE && self.rules.within_limit(hop, work.levels.arrived(edge.from), group.time);
            return if fits { latest } else { NONE };
        }
        let near = |ready: &usize| {
            self.trail.rank(*ready) + 1 == self.trail.rank(at)
                && self.rules.within_limit(hop, self.trail.hits[*ready].time, group.time)
        };
        if ready.filter(near).is_some() { work.direct[edge.from] } else { NONE }
    }

    /// The states in which an attempt may leave a group that goes along an edge there, and some that it cannot.
    fn exits(&self, chart: &Chart, group: &Group, edge: Edge) -> impl Iterator<Item = usize> + use<> {
        let behind = match group.hits.len() {
            1 => 0..0,
            _ if self.rules.increasing => chart.states_inside(edge.to),
            _ => chart.states_behind(edge.to, group.mask),
        };
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
