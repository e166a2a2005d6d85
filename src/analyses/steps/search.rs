//! The matching with every option: hops that are direct or have limits, windows of any kind, exclusions, repeats that end an attempt.
//!
//! Events are taken in **groups**: those of one instant where equal times may be used in any order, else each by itself. What a group
//! does to an attempt that comes with *d* steps done is that it leaves with *d′* ≥ *d*. So an excluding event between steps *i* and *j*
//! forbids i ≤ d ≤ d′ < j, and a repeat forbids to stay and to go on. Of all attempts at a step the one that got there last is kept
//! ([`Levels`](super::levels)): it also began last, because the begin of one attempt and the rest of another are an attempt too, and
//! nothing forbids it that forbids neither.
//!
//! The events of the reported attempt are found from its end. Backwards: with how many steps done a group can be entered by an attempt
//! that ends well. Forwards: at the first such group, as many steps as such an attempt can do there.

use std::ops::Range;

use super::super::step::Hit;
use super::levels::NONE;
use super::matching::thin;
use super::{Best, OnRepeat, Rules, Ties, Trail, Work, bits};

/// What is looked for: the best attempt in a part of a journey.
pub(super) struct Search<'s> {
    pub rules: &'s Rules,
    pub trail: &'s Trail,
    pub hits: Range<usize>,
    /// The only hit that may be the first step, if there is only one.
    pub only: Option<usize>,
    /// No attempt gets past so many steps.
    pub most: usize,
    /// The exclusions in force, one bit each.
    pub exclusions: u16,
    /// A depth, and the hit which the attempts of that depth must not end before.
    pub settled: Option<(usize, usize)>,
}

/// Hits that are taken together.
#[derive(Clone, Debug)]
pub(super) struct Group {
    pub hits: Range<usize>,
    pub time: i64,
    /// The steps that its hits may fill.
    pub mask: u64,
    /// The exclusions in force that its hits fit.
    excluded: u16,
}

/// The group behind one, for direct hops.
#[derive(Clone, Copy)]
struct Next {
    entered: u64,
    rank: u32,
    time: i64,
}

impl Search<'_> {
    /// How deep the attempts go, and when the reported one begins and ends.
    pub fn best(&self, work: &mut Work) -> Best {
        if let Some(chart) = &self.rules.chart {
            return self.best_on(chart, work);
        }
        let steps = self.rules.steps;
        work.levels.begin(steps, &self.rules.limits);
        for latest in [&mut work.direct, &mut work.next] {
            latest.clear();
            latest.resize(steps + 1, NONE);
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
            self.come(&group, ready, work);
            work.next.fill(NONE);
            for done in bits(group.mask) {
                let first = work.before[done];
                if first == NONE || !self.in_window(first as usize, group.hits.start) || self.repeats(&group, done) {
                    continue;
                }
                for now in done + 1..=self.end(&group, done, steps, work) {
                    if self.counts(&group, done, now) {
                        best = best.or_later(self.trail, now, first as usize, group.hits.start);
                    }
                    if !self.forbids(&group, done, now) {
                        work.next[now] = work.next[now].max(first);
                    }
                }
            }
            let bans = self.bans(&group);
            for done in (1..=steps).filter(|&done| bans && self.stays_not(&group, done)) {
                work.levels.end(done);
                work.direct[done] = NONE;
            }
            for (done, &first) in work.next.iter().enumerate().filter(|(_, first)| **first != NONE) {
                work.levels.put(done, first, group.time);
            }
            if group.mask != 0 {
                std::mem::swap(&mut work.direct, &mut work.next);
                ready = Some(group.hits.start);
            }
            // Of an attempt from one hit alone nothing may be left.
            if bans && self.only.is_some() && work.levels.are_empty() {
                break;
            }
        }
        best
    }

    /// For each step that a group may fill: the hit with which the latest attempt began that may do it now, as far as its hop goes.
    fn come(&self, group: &Group, ready: Option<usize>, work: &mut Work) {
        let at = group.hits.start;
        let neighbour = ready.filter(|&ready| self.trail.rank(ready) + 1 == self.trail.rank(at));
        work.before.clear();
        work.before.resize(self.rules.steps, NONE);
        for step in bits(group.mask) {
            work.before[step] = match neighbour {
                _ if step == 0 => at as i64,
                _ if self.rules.direct >> step & 1 == 0 => work.levels.before(step, group.time),
                Some(ready) if self.rules.within_limit(step, self.trail.hits[ready].time, group.time) => {
                    work.direct[step]
                }
                _ => NONE,
            };
        }
    }

    pub(super) fn in_window(&self, first: usize, at: usize) -> bool {
        self.rules.window.is_none_or(|window| self.trail.clock(at) - self.trail.clock(first) <= window)
    }

    /// The hits that are taken together from the one at `at` on.
    pub(super) fn group(&self, at: usize) -> Group {
        let hits = &self.trail.hits[at..self.hits.end];
        let time = hits[0].time;
        let count = match self.rules.ties {
            Ties::Any => hits.iter().take_while(|hit| hit.time == time).count(),
            Ties::Arrival => 1,
        };
        let mask = (at..at + count).fold(0, |all, at| all | self.mask(at));
        let excluded = hits[..count].iter().fold(0, |all, hit| all | hit.excluded) & self.exclusions;
        Group { hits: at..at + count, time, mask, excluded }
    }

    /// The steps that a hit may fill.
    fn mask(&self, at: usize) -> u64 {
        let mask = self.trail.hits[at].mask;
        if self.only.is_some_and(|only| only != at) { mask & !1 } else { mask }
    }

    /// How many steps are done at most, and not more than `most`, when a group is over to which an attempt comes with `done`.
    fn end(&self, group: &Group, done: usize, most: usize, work: &mut Work) -> usize {
        let run = most.min(done + (group.mask >> done).trailing_ones() as usize);
        if self.rules.reuse {
            return run;
        }
        if self.rules.increasing || group.hits.len() == 1 {
            return run.min(done + 1);
        }
        self.crowd(group, &mut work.crowd);
        if work.crowd.iter().all(|hit| hit.mask.is_power_of_two()) {
            return run;
        }
        work.matching.extend(&work.crowd, done, run)
    }

    /// The hits of a group that may be needed.
    pub(super) fn crowd(&self, group: &Group, crowd: &mut Vec<Hit>) {
        crowd.clear();
        let masked = group.hits.clone().map(|at| Hit { mask: self.mask(at), ..self.trail.hits[at] });
        crowd.extend(masked.filter(|hit| hit.mask != 0));
        thin(crowd, self.rules.slots());
    }

    /// Whether the group can end an attempt that does nothing there.
    pub(super) fn bans(&self, group: &Group) -> bool {
        group.excluded != 0 || self.rules.on_repeat != OnRepeat::Ignore
    }

    /// Whether an attempt that comes with `done` steps and leaves with `now` goes no further.
    pub(super) fn forbids(&self, group: &Group, done: usize, now: usize) -> bool {
        group.excluded != 0 && self.rules.forbids(group.excluded, done, now)
    }

    /// Whether the steps `done..now` count when they are done here.
    pub(super) fn counts(&self, group: &Group, done: usize, now: usize) -> bool {
        let removed = group.excluded & self.rules.removing();
        let settled = self.settled.is_none_or(|(depth, from)| now != depth || group.hits.end > from);
        settled && (removed == 0 || !self.rules.forbids(removed, done, now))
    }

    /// Whether the event of the group repeats a step of an attempt that has done `done`, so that it ends.
    fn repeats(&self, group: &Group, done: usize) -> bool {
        let step = usize::from(self.trail.hits[group.hits.start].counts_as);
        match self.rules.on_repeat {
            OnRepeat::Ignore => false,
            OnRepeat::EndAny => step > 0 && done > step,
            OnRepeat::EndLater => done > step,
            OnRepeat::EndLast => done == step + 1,
        }
    }

    /// Whether the event of the group is the step that comes after `done`, and repeats matter: then it has to be taken, or a step could
    /// be repeated by looking away.
    fn must_take(&self, group: &Group, done: usize) -> bool {
        let step = usize::from(self.trail.hits[group.hits.start].counts_as);
        self.rules.on_repeat != OnRepeat::Ignore && step == done
    }

    /// Whether an attempt that has done `done` steps, and does none here, ends.
    pub(super) fn stays_not(&self, group: &Group, done: usize) -> bool {
        self.forbids(group, done, done) || self.repeats(group, done) || self.must_take(group, done)
    }

    /// Finds the events of the reported attempt.
    pub fn trace(&self, best: Best, work: &mut Work) {
        work.attempt.clear();
        if best.depth == 0 {
            return;
        }
        if let Some(chart) = &self.rules.chart {
            return self.trace_on(chart, best, work);
        }
        let search = Search { hits: self.between(best), ..*self };
        let mut groups = std::mem::take(&mut work.groups);
        search.groups(&mut groups);
        search.follow(&groups, best, work);
        work.groups = groups;
    }

    /// The same in the groups from the first instant of the attempt to its last.
    fn follow(&self, groups: &[Group], best: Best, work: &mut Work) {
        self.reach(groups, best, work);
        let mut next = 0;
        while work.attempt.len() < best.depth {
            let done = work.attempt.len();
            let Some(at) = (next..groups.len()).find(|&at| work.entered[at] >> done & 1 != 0) else { return };
            let feasible = work.feasible[at];
            let Some(now) = self.leaves(&groups[at], feasible, done, best.depth, work) else { return };
            self.fill(&groups[at], done, now, work);
            next = at + 1;
        }
    }

    /// The hits from the first instant of an attempt to its last.
    pub(super) fn between(&self, best: Best) -> Range<usize> {
        let (first, last) = (self.trail.moment(best.first), self.trail.moment(best.last));
        let back = (self.hits.start..best.first).rev().take_while(|&at| self.trail.moment(at) == first).count();
        let on = (best.last..self.hits.end).take_while(|&at| self.trail.moment(at) == last).count();
        best.first - back..best.last + on
    }

    pub(super) fn groups(&self, groups: &mut Vec<Group>) {
        groups.clear();
        let mut at = self.hits.start;
        while at < self.hits.end {
            let group = self.group(at);
            at = group.hits.end;
            groups.push(group);
        }
    }

    /// For each group: with how many steps done it can be entered by an attempt that goes on there and ends well (lowest bit: none), and
    /// with how many such an attempt can leave it (lowest bit: one).
    fn reach(&self, groups: &[Group], best: Best, work: &mut Work) {
        for each in [&mut work.entered, &mut work.feasible] {
            each.clear();
            each.resize(groups.len(), 0);
        }
        work.nearest.clear();
        work.nearest.resize(best.depth, NONE);
        let mut next: Option<Next> = None;
        for (at, group) in groups.iter().enumerate().rev() {
            let moment = self.trail.moment(group.hits.start);
            let goes_on = (1..best.depth).filter(|&done| self.goes_on(group, done, next, &work.nearest));
            let goes_on = goes_on.fold(0, |all, done| all | 1u64 << (done - 1));
            let ends = u64::from(moment == self.trail.moment(best.last)) << (best.depth - 1);
            work.feasible[at] = goes_on | ends;
            let mut entered = 0u64;
            for done in bits(group.mask & u64::MAX >> (64 - best.depth)) {
                let feasible = work.feasible[at];
                if self.leaves(group, feasible, done, best.depth, work).is_some() {
                    entered |= 1 << done;
                }
            }
            work.entered[at] = entered;
            let bans = self.bans(group);
            for done in (1..best.depth).filter(|&done| bans && self.stays_not(group, done)) {
                work.nearest[done] = NONE;
                next = next.map(|next| Next { entered: next.entered & !(1 << done), ..next });
            }
            bits(entered).for_each(|done| work.nearest[done] = group.time);
            if group.mask != 0 {
                next = Some(Next { entered, rank: self.trail.rank(group.hits.start), time: group.time });
            }
        }
    }

    /// Whether an attempt that leaves a group with `done` steps can do the next one in time.
    fn goes_on(&self, group: &Group, done: usize, next: Option<Next>, nearest: &[i64]) -> bool {
        if self.rules.direct >> done & 1 == 0 {
            // Of those that can fill it the nearest is there in time, if any is.
            return nearest[done] != NONE && self.rules.within_limit(done, group.time, nearest[done]);
        }
        next.is_some_and(|next| {
            next.entered >> done & 1 != 0
                && next.rank == self.trail.rank(group.hits.start) + 1
                && self.rules.within_limit(done, group.time, next.time)
        })
    }

    /// The most steps with which a group can be left that is entered with `done`; `feasible` has those that end well.
    fn leaves(&self, group: &Group, feasible: u64, done: usize, depth: usize, work: &mut Work) -> Option<usize> {
        if feasible >> done == 0 || self.repeats(group, done) {
            return None;
        }
        let end = self.end(group, done, depth, work);
        let fine = |now: &usize| match *now == depth {
            true => self.counts(group, done, depth),
            false => !self.forbids(group, done, *now),
        };
        (done + 1..=end).rev().filter(|now| feasible >> (now - 1) & 1 != 0).find(fine)
    }

    /// Adds the events of a group that fill the steps `done..now`, the earliest that can.
    fn fill(&self, group: &Group, done: usize, now: usize, work: &mut Work) {
        let Work { matching, crowd, attempt, .. } = work;
        if self.rules.reuse || now == done + 1 {
            let first = |step: usize| group.hits.clone().find(|&at| self.mask(at) >> step & 1 != 0);
            attempt.extend((done..now).filter_map(first).map(|at| at as u32));
            return;
        }
        self.crowd(group, crowd);
        let hits = &self.trail.hits[group.hits.clone()];
        let index = |hit: &Hit| group.hits.start + hits.partition_point(|other| other.at < hit.at);
        matching.earliest(crowd, done, now, |hit| attempt.push(index(hit) as u32));
    }
}
