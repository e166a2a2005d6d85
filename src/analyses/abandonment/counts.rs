//! How abandonment counts: each visitor's sessions with a start or a purchase, judged from the last to the first.

use super::report::{AbandonmentReport, PartReport};
use super::{PurchaseRule, Starts};
use crate::analyses::Analysis;
use crate::analyses::step::{Hit, Matcher};
use crate::error::Result;
use crate::ids::NO_VALUE;
use crate::journeys::{EventSet, Journey, Names, Unit, Visitor};

/// The bits of a [`Hit`]: those of the roles, and behind them one for each stage.
pub(super) const CART: u64 = 1;
pub(super) const CHECKOUT: u64 = 1 << 1;
const PURCHASE: u64 = 1 << 2;
const REMOVE: u64 = 1 << 3;
const ROLES: u32 = 4;

/// As many as there are bits for.
pub(super) const MOST_STAGES: usize = (u64::BITS - ROLES) as usize;

/// What can be abandoned, as the role of its start.
const PARTS: [u64; 2] = [CART, CHECKOUT];

/// The question bound to a log.
pub(super) struct BoundAbandonment {
    /// Number of the session rule.
    pub rule: usize,
    /// The roles and the stages of an event.
    pub matcher: Matcher,
    /// The events that may start something.
    pub starts: EventSet,
    pub stage_names: Vec<String>,
    pub purchase_rule: PurchaseRule,
    pub recover_within: i64,
    pub log_end: i64,
}

/// What became of a session that started something.
#[derive(Clone, Copy)]
pub(super) enum Fate {
    Completed,
    /// A later session that started in time has a purchase.
    Recovered,
    /// Not recovered, but the log ends before the time is over.
    TooRecent,
    Lost,
}

/// The counts of one part.
#[derive(Clone, Default)]
pub(super) struct PartCounts {
    /// Sessions by their [`Fate`].
    pub fates: [u64; 4],
    /// Abandoned sessions by their furthest stage.
    pub stages: Vec<u64>,
    /// In millionths; nothing if no abandoned cart carries a value.
    pub value_left: Option<i128>,
    pub visitors: VisitorCounts,
}

#[derive(Clone, Default)]
pub(super) struct VisitorCounts {
    pub started: u64,
    /// With an abandoned session.
    pub abandoned: u64,
    /// With a recovered session.
    pub recovered: u64,
    /// By the purchase rule over all that the visitor ever did.
    pub never_purchased: u64,
}

/// What has to be known of a session with a start or a purchase. Times in µs.
struct SessionFacts {
    begin: i64,
    end: i64,
    starts: [Option<Starts>; 2],
    last_purchase: Option<i64>,
    /// Whether the session is one of the segment at hand; the others only recover it.
    chosen: bool,
}

impl BoundAbandonment {
    /// What has to be known of a session that has a start or a purchase.
    fn facts(session: Journey<'_>, hits: &[Hit], chosen: bool) -> Option<SessionFacts> {
        let starts = PARTS.map(|part| Starts::of(times(hits, part)));
        let last_purchase = times(hits, PURCHASE).next_back();
        if starts == [None; 2] && last_purchase.is_none() {
            return None;
        }
        Some(SessionFacts { begin: session.start_time(), end: session.end_time(), starts, last_purchase, chosen })
    }

    /// Counts how far a session came in the parts that it abandons, and what it leaves in the cart.
    fn count_left(&self, partial: &mut [PartCounts; 2], session: Journey<'_>, hits: &[Hit], facts: &SessionFacts) {
        for (counts, starts) in partial.iter_mut().zip(facts.starts) {
            let Some(starts) = starts else { continue };
            if self.purchase_rule.completes(starts, facts.last_purchase) {
                continue;
            }
            if let Some(stage) = furthest_stage(hits, starts.first) {
                counts.stages[stage] += 1;
            }
            if let Some(value) = value_left(session, hits, facts.last_purchase) {
                *counts.value_left.get_or_insert(0) += value;
            }
        }
    }

    /// Judges the sessions of a visitor from the last to the first, so that the next purchase is always known.
    fn judge(&self, part: usize, counts: &mut PartCounts, sessions: &[SessionFacts]) {
        let (mut next_purchase, mut last_purchase) = (None, None);
        let (mut history, mut met) = (None::<Starts>, [false; 4]);
        for session in sessions.iter().rev() {
            if let Some(starts) = session.starts[part].filter(|_| session.chosen) {
                let fate = self.fate(session, starts, next_purchase) as usize;
                counts.fates[fate] += 1;
                met[fate] = true;
                history = Some(history.map_or(starts, |later| later.and(starts)));
            }
            if session.last_purchase.is_some() {
                next_purchase = Some(session.begin);
                last_purchase = last_purchase.max(session.last_purchase);
            }
        }
        let Some(history) = history else { return };
        let [_, recovered, too_recent, lost] = met;
        let visitors = &mut counts.visitors;
        visitors.started += 1;
        visitors.abandoned += u64::from(recovered || too_recent || lost);
        visitors.recovered += u64::from(recovered);
        visitors.never_purchased += u64::from(!self.purchase_rule.completes(history, last_purchase));
    }

    /// What becomes of a session; `next_purchase` is when the next session with a purchase starts.
    fn fate(&self, session: &SessionFacts, starts: Starts, next_purchase: Option<i64>) -> Fate {
        if self.purchase_rule.completes(starts, session.last_purchase) {
            return Fate::Completed;
        }
        let last_chance = session.end.saturating_add(self.recover_within);
        if next_purchase.is_some_and(|purchase| purchase <= last_chance) {
            return Fate::Recovered;
        }
        if last_chance > self.log_end { Fate::TooRecent } else { Fate::Lost }
    }
}

/// Times of the hits of one of the roles, in order.
fn times(hits: &[Hit], role: u64) -> impl DoubleEndedIterator<Item = i64> {
    hits.iter().filter(move |hit| hit.mask & role != 0).map(|hit| hit.time)
}

/// The furthest stage of the events at `start` or later.
fn furthest_stage(hits: &[Hit], start: i64) -> Option<usize> {
    let first = hits.partition_point(|hit| hit.time < start);
    let stages = hits[first..].iter().fold(0, |stages, hit| stages | hit.mask >> ROLES);
    stages.checked_ilog2().map(|stage| stage as usize)
}

/// What was put into the cart after the last purchase, less what was taken out; nothing if nothing carries a value.
fn value_left(session: Journey<'_>, hits: &[Hit], last_purchase: Option<i64>) -> Option<i128> {
    let since = last_purchase.map_or(0, |purchase| hits.partition_point(|hit| hit.time <= purchase));
    let (mut put_in, mut taken_out) = (None, 0);
    for hit in &hits[since..] {
        let value = session.values().get(hit.at as usize).copied().filter(|&value| value != NO_VALUE);
        let Some(value) = value.map(i128::from) else { continue };
        if hit.mask & CART != 0 {
            *put_in.get_or_insert(0) += value;
        }
        if hit.mask & REMOVE != 0 {
            taken_out += value;
        }
    }
    put_in.map(|put_in| put_in - taken_out)
}

/// One thread's scratch.
#[derive(Default)]
pub(super) struct Work {
    /// Those of the session at hand.
    hits: Vec<Hit>,
    /// The visitor's sessions with a start or a purchase.
    sessions: Vec<SessionFacts>,
}

impl Analysis for BoundAbandonment {
    type Work = Work;
    type Partial = [PartCounts; 2];
    type Report = AbandonmentReport;

    fn unit(&self) -> Unit {
        Unit::Session(self.rule)
    }

    fn empty(&self) -> Self::Partial {
        PARTS.map(|_| PartCounts { stages: vec![0; self.stage_names.len()], ..PartCounts::default() })
    }

    /// In a segment the starts are those of its sessions; purchases, which recover or complete them, count wherever they are.
    fn observe(&self, work: &mut Work, partial: &mut Self::Partial, visitor: Visitor<'_>) {
        // Most visitors never fill a cart.
        if !visitor.event_set().meets(self.starts) {
            return;
        }
        work.sessions.clear();
        for (session, chosen) in visitor.all_sessions(self.rule) {
            self.matcher.hits(session, &mut work.hits);
            let Some(facts) = Self::facts(session, &work.hits, chosen) else { continue };
            if chosen {
                self.count_left(partial, session, &work.hits, &facts);
            }
            work.sessions.push(facts);
        }
        for (part, counts) in partial.iter_mut().enumerate() {
            self.judge(part, counts, &work.sessions);
        }
    }

    fn merge(&self, into: &mut Self::Partial, from: Self::Partial) {
        for (into, from) in into.iter_mut().zip(from) {
            into.merge(from);
        }
    }

    fn finish(&self, [cart, checkout]: Self::Partial, _names: &Names) -> Result<AbandonmentReport> {
        let report = |counts| PartReport::new(counts, &self.stage_names);
        Ok(AbandonmentReport { cart: report(cart), checkout: report(checkout) })
    }

    fn bytes(&self, partial: &Self::Partial) -> usize {
        partial.iter().map(|counts| size_of::<PartCounts>() + counts.stages.len() * size_of::<u64>()).sum()
    }
}

impl PartCounts {
    fn merge(&mut self, from: PartCounts) {
        add(&mut self.fates, &from.fates);
        add(&mut self.stages, &from.stages);
        if let Some(value) = from.value_left {
            *self.value_left.get_or_insert(0) += value;
        }
        self.visitors.started += from.visitors.started;
        self.visitors.abandoned += from.visitors.abandoned;
        self.visitors.recovered += from.visitors.recovered;
        self.visitors.never_purchased += from.visitors.never_purchased;
    }
}

fn add(into: &mut [u64], from: &[u64]) {
    into.iter_mut().zip(from).for_each(|(into, from)| *into += from);
}
