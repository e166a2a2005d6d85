//! How abandonment counts: each visitor's sessions with a start or a purchase, judged from the last to the first.

use super::report::{AbandonmentReport, PartReport};
use super::{PurchaseRule, Starts};
use crate::analyses::Analysis;
use crate::error::Result;
use crate::ids::NO_VALUE;
use crate::journeys::{EventSet, Journey, Names, Unit, Visitor};

pub(super) const CART: u8 = 1;
pub(super) const CHECKOUT: u8 = 1 << 1;
pub(super) const PURCHASE: u8 = 1 << 2;
pub(super) const REMOVE: u8 = 1 << 3;

/// What can be abandoned, as the role of its start.
const PARTS: [u8; 2] = [CART, CHECKOUT];

/// The question bound to a log.
pub(super) struct BoundAbandonment {
    /// Number of the session rule.
    pub rule: usize,
    /// By event code the roles of its events.
    pub roles: Vec<u8>,
    /// The events that start something.
    pub starts: EventSet,
    /// By event code the furthest stage of its events.
    pub stages: Vec<Option<usize>>,
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
pub(super) struct SessionFacts {
    begin: i64,
    end: i64,
    starts: [Option<Starts>; 2],
    last_purchase: Option<i64>,
    /// Whether the session is one of the segment at hand; the others only recover it.
    chosen: bool,
}

impl BoundAbandonment {
    /// What has to be known of a session that has a start or a purchase.
    fn facts(&self, session: Journey<'_>, chosen: bool) -> Option<SessionFacts> {
        let (mut starts, mut last_purchase) = ([None; 2], None);
        for (&event, &time) in session.events().iter().zip(session.times()) {
            let role = self.roles[event as usize];
            if role & (CART | CHECKOUT | PURCHASE) == 0 {
                continue;
            }
            for (starts, _) in starts.iter_mut().zip(PARTS).filter(|(_, part)| role & part != 0) {
                starts.get_or_insert(Starts { first: time, last: time }).last = time;
            }
            if role & PURCHASE != 0 {
                last_purchase = Some(time);
            }
        }
        if starts == [None; 2] && last_purchase.is_none() {
            return None;
        }
        Some(SessionFacts { begin: session.start_time(), end: session.end_time(), starts, last_purchase, chosen })
    }

    /// Counts how far a session came in the parts that it abandons, and what it leaves in the cart.
    fn count_left(&self, partial: &mut [PartCounts; 2], session: Journey<'_>, facts: &SessionFacts) {
        for (counts, starts) in partial.iter_mut().zip(facts.starts) {
            let Some(starts) = starts else { continue };
            if self.purchase_rule.completes(starts, facts.last_purchase) {
                continue;
            }
            if let Some(stage) = self.furthest_stage(session, starts.first) {
                counts.stages[stage] += 1;
            }
            if let Some(value) = self.value_left(session, facts.last_purchase) {
                *counts.value_left.get_or_insert(0) += value;
            }
        }
    }

    /// The furthest stage of the events at `start` or later.
    fn furthest_stage(&self, session: Journey<'_>, start: i64) -> Option<usize> {
        let first = session.times().partition_point(|&time| time < start);
        session.events()[first..].iter().filter_map(|&event| self.stages[event as usize]).max()
    }

    /// What was put into the cart after the last purchase, less what was taken out; nothing if nothing carries a value.
    fn value_left(&self, session: Journey<'_>, last_purchase: Option<i64>) -> Option<i128> {
        let since = last_purchase.map_or(0, |purchase| session.times().partition_point(|&time| time <= purchase));
        let (mut put_in, mut taken_out) = (None, 0);
        for (&event, &value) in session.events()[since..].iter().zip(&session.values()[since..]) {
            let role = self.roles[event as usize];
            if role & (CART | REMOVE) == 0 || value == NO_VALUE {
                continue;
            }
            if role & CART != 0 {
                *put_in.get_or_insert(0) += i128::from(value);
            }
            if role & REMOVE != 0 {
                taken_out += i128::from(value);
            }
        }
        put_in.map(|put_in| put_in - taken_out)
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

impl Analysis for BoundAbandonment {
    type Work = Vec<SessionFacts>;
    type Partial = [PartCounts; 2];
    type Report = AbandonmentReport;

    fn unit(&self) -> Unit {
        Unit::Session(self.rule)
    }

    fn empty(&self) -> Self::Partial {
        PARTS.map(|_| PartCounts { stages: vec![0; self.stage_names.len()], ..PartCounts::default() })
    }

    /// In a segment the starts are those of its sessions; purchases, which recover or complete them, count wherever they are.
    fn observe(&self, sessions: &mut Self::Work, partial: &mut Self::Partial, visitor: Visitor<'_>) {
        // Most visitors never fill a cart.
        if !visitor.event_set().meets(self.starts) {
            return;
        }
        sessions.clear();
        for (session, chosen) in visitor.all_sessions(self.rule) {
            let Some(facts) = self.facts(session, chosen) else { continue };
            if chosen {
                self.count_left(partial, session, &facts);
            }
            sessions.push(facts);
        }
        for (part, counts) in partial.iter_mut().enumerate() {
            self.judge(part, counts, sessions);
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
