//! The attempts that a journey makes at the steps of a funnel.

use std::cmp::Reverse;
use std::ops::Range;

use foldhash::fast::RandomState;
use hashbrown::HashMap;

use super::backfill;
use super::dedupe::Kept;
use super::hold::Lists;
use super::options::Shape;
use super::touch::Series;
use crate::analyses::step::{Hit, Matcher};
use crate::analyses::steps::{
    Attempts, Entry, HoldMissing, NOT_HELD, Order, Plan, Rules, Scan, Single, Trail, Unordered, Work as Matching, bits,
};
use crate::ids::{Code, MISSING};
use crate::journeys::{Journey, Visitor};

/// Steps, options and names of a run, put together.
pub struct Follow {
    pub matcher: Matcher,
    /// The excluded events, each by its number.
    pub excluded: Option<Matcher>,
    pub plan: Plan,
    pub shape: Shape,
    /// For each step of an open funnel but the first: how it follows the one before.
    pub pairs: Vec<Rules>,
    /// The short way, if the funnel is of the kind that has one.
    pub single: Option<Single>,
    pub order: Order,
    /// Of the same event within so many µs only the first is looked at.
    pub dedupe: Option<i64>,
    /// Whether a step stands for those before it.
    pub backfill: bool,
    /// The dimensions that are held.
    pub hold: Vec<usize>,
    /// The lists of the one of which an element is held, if there is one.
    pub lists: Option<Lists>,
    /// The session rule that the window is measured by, if it is.
    pub sessions: Option<usize>,
    /// When the first step must be, in µs.
    pub entered: Range<i64>,
    /// How attempts are told by value, if each has a series.
    pub series: Option<Series>,
}

/// A first step at any time.
pub const ALWAYS: Range<i64> = i64::MIN..i64::MAX;

/// One thread's scratch.
#[derive(Default)]
pub struct Work {
    trail: Trail,
    attempts: Attempts,
    /// The reported attempt of the short ways.
    single: Vec<Hit>,
    unordered: Unordered,
    /// The trail of two steps of an open funnel.
    pair: Trail,
    matching: Matching,
    /// By event of the visitor the number of its session.
    sessions: Vec<i64>,
    values: Values,
    kept: Kept,
    /// Of the steps that only a visitor's first event fits: its place, and the step as a bit.
    firsts: Vec<(usize, u64)>,
    /// The value of the series at hand; none for all events.
    pub(super) value: Option<Vec<Code>>,
}

/// The combinations of held values of a journey, numbered.
type Values = HashMap<Vec<Code>, u32, RandomState>;

impl Follow {
    /// The place behind the last event of a journey by which an attempt that is not complete could go on in time.
    pub fn end(&self, visitor: Visitor<'_>, journey: Journey<'_>, attempt: &[Hit]) -> usize {
        let (Some(first), Some(last)) = (attempt.first(), attempt.last()) else { return 0 };
        let rules = &self.plan.rules;
        let within = |from: i64, span: i64| journey.times().partition_point(|time| time - from <= span);
        let limit = rules.next_limit(attempt.len());
        let limit = limit.map_or(journey.len(), |limit| within(last.time, limit));
        let window = match (rules.window, self.sessions) {
            (None, _) => journey.len(),
            (Some(more), Some(rule)) => {
                let ends = visitor.numbered_sessions(rule).scan(0, |end, (_, session)| {
                    *end += session.len();
                    Some(*end)
                });
                // The session of the first step, and so many more.
                ends.skip_while(|end| *end <= first.at as usize).take(more as usize + 1).last().unwrap_or(journey.len())
            }
            (Some(more), None) if self.order.by_event => first.at as usize + more as usize + 1,
            (Some(span), None) => within(first.time, span),
        };
        window.min(limit).min(journey.len())
    }

    /// Whether an attempt is nothing but the plain definition's.
    fn is_plain(&self) -> bool {
        self.excluded.is_none()
            && self.hold.is_empty()
            && self.sessions.is_none()
            && self.dedupe.is_none()
            && self.order == Order::default()
            && self.plan.entry == Entry::Best
            && self.shape == Shape::Ordered
            && self.plan.rules.chart.is_none()
            && self.matcher.first() == 0
    }

    /// Finds the first events of a visitor: to be called before any of its journeys is followed.
    pub fn begin(&self, work: &mut Work, visitor: Visitor<'_>) {
        if self.matcher.first() == 0 {
            return;
        }
        let whole = visitor.whole();
        work.firsts.clear();
        // Sessions may overlap, so the first event need not be the first that is met.
        let mut earliest = [(i64::MAX, usize::MAX); 64];
        for (at, &time) in whole.times().iter().enumerate() {
            for step in bits(self.matcher.mask(whole, at) & self.matcher.first()) {
                earliest[step] = earliest[step].min((time, at));
            }
        }
        let firsts = bits(self.matcher.first()).map(|step| (earliest[step].1, 1u64 << step));
        work.firsts.extend(firsts.filter(|(at, _)| *at != usize::MAX));
    }

    /// The steps that event number `at` of a journey of the visitor at hand fits.
    pub fn mask(&self, work: &Work, visitor: Visitor<'_>, journey: Journey<'_>, at: usize) -> u64 {
        let mask = self.matcher.mask(journey, at);
        if self.matcher.first() == 0 {
            return mask;
        }
        let place = journey.place_in(visitor.whole()) + at;
        let first = work.firsts.iter().filter(|(first, _)| *first == place).fold(0, |all, (_, step)| all | step);
        mask & (first | !self.matcher.first())
    }

    /// The number of the session of event number `at` of the visitor whose attempts were followed last, where windows are of sessions.
    pub fn session(&self, work: &Work, at: usize) -> i64 {
        work.sessions.get(at).copied().unwrap_or_default()
    }

    /// The exclusions that event number `at` of a journey fits, one bit each.
    pub fn excludes(&self, journey: Journey<'_>, at: usize) -> u16 {
        self.excluded.as_ref().map_or(0, |excluded| excluded.mask(journey, at) as u16)
    }

    /// Takes the short way from now on, if the funnel is of the kind that has one.
    pub fn find_short_way(&mut self) {
        if self.is_plain() && self.entered == ALWAYS {
            let by_event = self.matcher.by_event_alone();
            self.single = by_event.and_then(|by_event| Single::new(&self.plan.rules, by_event));
        }
    }

    /// Hands over the reported attempts of a journey that may reach the steps in the mask `steps`: for each step its event.
    #[inline]
    pub fn attempts(
        &self,
        work: &mut Work,
        visitor: Visitor<'_>,
        journey: Journey<'_>,
        steps: u64,
        take: impl FnMut(&[Hit]),
    ) {
        self.attempts_within(&self.entered, work, visitor, journey, steps, take);
    }

    /// The best reported attempt of some journeys of a visitor that begins `within` some time, with its journey and that one's number.
    pub fn best<'v>(
        &self,
        within: &Range<i64>,
        work: &mut Work,
        visitor: Visitor<'v>,
        journeys: impl Iterator<Item = (u32, Journey<'v>)>,
        steps: u64,
    ) -> Option<(u32, Journey<'v>, Vec<Hit>)> {
        let mut best: Option<(u32, Journey<'_>, Vec<Hit>)> = None;
        for (number, journey) in journeys {
            self.attempts_within(within, work, visitor, journey, steps, |attempt| {
                if best.as_ref().is_none_or(|(.., other)| is_better(&self.plan.rules, attempt, other)) {
                    best = Some((number, journey, attempt.to_vec()));
                }
            });
        }
        best
    }

    /// The same as [`attempts`](Self::attempts) of any steps.
    pub fn all_attempts(&self, work: &mut Work, visitor: Visitor<'_>, journey: Journey<'_>, take: impl FnMut(&[Hit])) {
        self.attempts(work, visitor, journey, u64::MAX, take);
    }

    /// The times of the events that may be a first step.
    pub fn entries(&self, work: &mut Work, visitor: Visitor<'_>, journey: Journey<'_>) -> Vec<i64> {
        work.trail.clear();
        self.lay(&self.entered, work, visitor, journey);
        work.trail.hits.iter().filter(|hit| hit.mask & 1 != 0).map(|hit| hit.time).collect()
    }

    /// The same as [`attempts`](Self::attempts), of those that begin within `entered`.
    #[inline]
    pub fn attempts_within(
        &self,
        entered: &Range<i64>,
        work: &mut Work,
        visitor: Visitor<'_>,
        journey: Journey<'_>,
        steps: u64,
        mut take: impl FnMut(&[Hit]),
    ) {
        if self.shape == Shape::Unordered {
            return self.unordered(work, visitor, journey, steps, take);
        }
        let steps = if self.backfill { backfill::with_those_before(steps) } else { steps };
        if steps & 1 == 0 {
            return;
        }
        let all = *entered == ALWAYS && work.value.is_none();
        if let (Some(single), true) = (&self.single, visitor.is_apart() && all) {
            let most = steps.trailing_ones() as usize;
            single.attempt(journey.events(), journey.times(), most, &mut work.single);
            if !work.single.is_empty() {
                take(&work.single);
            }
            return;
        }
        work.trail.clear();
        if steps & 2 == 0 && all && self.is_plain() {
            self.matcher.first_hit(journey, &mut work.trail.hits);
        } else {
            self.lay(entered, work, visitor, journey);
        }
        let Work { trail, attempts, value, .. } = work;
        self.plan.attempts(trail, attempts, |attempt| {
            let series = self.series.as_ref().zip(value.as_ref());
            if series.is_none_or(|(series, value)| series.counts(value, journey, attempt)) {
                take(attempt);
            }
        });
    }

    /// Hands over the attempt of a funnel without an order: an event for each step that is done.
    fn unordered(
        &self,
        work: &mut Work,
        visitor: Visitor<'_>,
        journey: Journey<'_>,
        steps: u64,
        mut take: impl FnMut(&[Hit]),
    ) {
        work.trail.clear();
        if steps == 0 {
            return;
        }
        self.lay(&self.entered, work, visitor, journey);
        let Work { trail, unordered, single, .. } = work;
        let rules = &self.plan.rules;
        single.clear();
        let attempt = unordered.attempt(&trail.hits, rules.steps, rules.window);
        single.extend(attempt.iter().map(|&at| trail.hits[at as usize]));
        if !single.is_empty() {
            take(single);
        }
    }

    /// The steps that some event of the journey fits that was followed last.
    pub fn fitting(&self, work: &Work) -> u64 {
        work.trail.hits.iter().fold(0, |all, hit| all | hit.mask)
    }

    /// Hands over each step of an open funnel that a journey comes to: its event alone, or behind that of the step before.
    pub fn steps(
        &self,
        work: &mut Work,
        visitor: Visitor<'_>,
        journey: Journey<'_>,
        steps: u64,
        mut take: impl FnMut(usize, &[Hit]),
    ) {
        if steps == 0 {
            return;
        }
        work.trail.clear();
        self.lay(&self.entered, work, visitor, journey);
        let Work { trail, pair, matching, single, .. } = work;
        for step in 0..self.plan.rules.steps {
            let Some(&hit) = trail.hits.iter().find(|hit| hit.mask >> step & 1 != 0) else { continue };
            single.clear();
            if step > 0 {
                pair.clone_from(trail);
                pair.hits.iter_mut().for_each(|hit| hit.mask = hit.mask >> (step - 1) & 3);
                let attempt = self.pairs[step - 1].attempt(pair, matching);
                if attempt.len() == 2 {
                    single.extend(attempt.iter().map(|&at| trail.hits[at as usize]));
                }
            }
            if single.is_empty() {
                single.push(hit);
            }
            take(step, single);
        }
    }

    /// Lays the trail of a journey that may be entered within `entered`.
    fn lay(&self, entered: &Range<i64>, work: &mut Work, visitor: Visitor<'_>, journey: Journey<'_>) {
        let all = self.plan.rules.scan.is_some_and(Scan::looks_at_all) && !self.order.among_steps;
        if self.excluded.is_none() && self.matcher.first() == 0 && !all {
            self.matcher.hits(journey, &mut work.trail.hits);
        } else {
            for (at, &time) in journey.times().iter().enumerate() {
                let (mask, excluded) = (self.mask(work, visitor, journey, at), self.excludes(journey, at));
                if mask != 0 || excluded != 0 || all {
                    work.trail.hits.push(Hit { excluded, ..Hit::new(time, mask, at) });
                }
            }
        }
        let Work { trail, sessions, values, value, kept, .. } = work;
        if let (Some(series), Some(value)) = (&self.series, value) {
            series.restrict(value, journey, trail);
        }
        if *entered != ALWAYS {
            let outside = trail.hits.iter_mut().filter(|hit| !entered.contains(&hit.time));
            outside.for_each(|hit| hit.mask &= !1);
        }
        self.plan.rules.count_steps(&mut trail.hits);
        if self.backfill {
            backfill::fill(trail);
        }
        match self.dedupe {
            None => trail.arrange(self.order, journey.times()),
            Some(within) => kept.arrange(journey, within, self.order, trail),
        }
        if let Some(rule) = self.sessions {
            sessions.clear();
            for (number, session) in visitor.numbered_sessions(rule) {
                sessions.resize(sessions.len() + session.len(), i64::from(number));
            }
            trail.clocks.extend(trail.hits.iter().map(|hit| sessions[hit.at as usize]));
        }
        if !self.hold.is_empty() {
            self.number(journey, trail, values);
        }
    }

    /// Numbers what each hit of a trail holds. Where that is an element of a list, a hit stands in it once for each of its own.
    fn number(&self, journey: Journey<'_>, trail: &mut Trail, values: &mut Values) {
        values.clear();
        let columns: Vec<&[Code]> = self.hold.iter().map(|&dimension| journey.dimension(dimension)).collect();
        let never = self.plan.hold == Some(HoldMissing::Never);
        let elements = self.lists.as_ref().map(|lists| (lists.column, lists.spread(columns[lists.column], trail)));
        let held = trail.hits.iter().enumerate().map(|(place, hit)| {
            let mut value: Vec<Code> = columns.iter().map(|column| column[hit.at as usize]).collect();
            if let Some((column, elements)) = &elements {
                let Some(element) = elements[place] else { return NOT_HELD };
                value[*column] = element;
            }
            if never && value.contains(&MISSING) {
                return NOT_HELD;
            }
            let next = values.len() as u32;
            *values.entry(value).or_insert(next)
        });
        trail.held.extend(held);
    }
}

/// The rules of each hop of a funnel, as those of a funnel of two steps.
pub fn pairs(rules: &Rules) -> Vec<Rules> {
    let pair = |step: usize| Rules {
        steps: 2,
        direct: (rules.direct >> step & 1) << 1,
        limits: rules.limits.get(step).map_or_else(Vec::new, |&limit| vec![None, limit]),
        ..rules.clone()
    };
    (1..rules.steps).map(pair).collect()
}

/// Whether an attempt of a later session is reported rather than one of an earlier session.
fn is_better(rules: &Rules, attempt: &[Hit], other: &[Hit]) -> bool {
    let key = |attempt: &[Hit]| {
        let time = |hit: &Hit| if hit.is_skipped() { i64::MAX } else { hit.time };
        let times: Vec<i64> = attempt.iter().map(time).collect();
        let depth = rules.depth(attempt.len());
        let filled = attempt.iter().filter(|hit| !hit.is_skipped()).count();
        (Reverse(depth), times.get(depth - 1).copied(), Reverse(times[0]), Reverse(filled), times)
    };
    key(attempt) < key(other)
}
