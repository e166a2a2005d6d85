//! The key figures of a log: how many came, how long they stayed, how many went on.

mod report;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::abandonment::{PurchaseRule, Starts};
use super::common::Bounce;
use super::parts::{self, CHECKOUTS, NOTHING, PURCHASES, Part, SCROLLS};
use super::step::{Matcher, Step};
use super::{Analysis, Bound, Common, Notes, Question, Segmented, SegmentedReport, Spec};
use crate::durations::ExactDurations;
use crate::error::Result;
use crate::ids::{Code, MISSING};
use crate::journeys::{Journey, Names, Needs, PageViews, Unit, Visitor};
use crate::spill::Spill;

pub use report::SummaryReport;

/// The key figures of a log, as written.
#[derive(Clone, Debug, Default, clap::Args, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[command(next_help_heading = "Question")]
pub struct SummarySpec {
    /// What is a conversion, written as a step: name, /glob of pages, node(NAME), alternatives (a | b), conditions
    /// purchase{value > 0} (repeatable) [default: purchase and its like]
    #[arg(long, value_name = "STEP")]
    #[serde(deserialize_with = "super::common::one_or_many")]
    pub goal: Vec<String>,
    /// What starts the checkout, as a step (repeatable) [default: begin_checkout and its like]
    #[arg(long, value_name = "STEP")]
    #[serde(deserialize_with = "super::common::one_or_many")]
    pub checkout: Vec<String>,
    /// What completes a checkout, as a step (repeatable) [default: purchase and its like]
    #[arg(long, value_name = "STEP")]
    #[serde(deserialize_with = "super::common::one_or_many")]
    pub purchase: Vec<String>,
    /// What is a click on something shown, as a step; the click-through rate is clicks ÷ impressions (repeatable)
    /// [default: none]
    #[arg(long, value_name = "STEP")]
    #[serde(deserialize_with = "super::common::one_or_many")]
    pub click: Vec<String>,
    /// What shows something to click on, as a step (repeatable) [default: none]
    #[arg(long, value_name = "STEP")]
    #[serde(deserialize_with = "super::common::one_or_many")]
    pub impression: Vec<String>,
    /// What is a scroll, as a step (repeatable); the scroll rate is the share of page views with one in their session before
    /// the next page view, however far it goes: how deep is not looked at yet [default: scroll]
    #[arg(long, value_name = "STEP")]
    #[serde(deserialize_with = "super::common::one_or_many")]
    pub scroll: Vec<String>,
}

/// The key figures of a log, as meant.
struct Summary {
    common: Common,
    goal: Part,
    checkout: Part,
    purchase: Part,
    click: Part,
    impression: Part,
    scroll: Part,
}

impl Spec for SummarySpec {
    type Report = SegmentedReport<SummaryReport>;

    const NAME: &'static str = "summary";
    const ABOUT: &'static str = "Key figures of the log: sessions, bounces, durations, conversion";
    const EXAMPLES: &'static str = "\
clickpath summary sample-data/shop.csv.gz
clickpath summary sample-data/shop.csv.gz --by platform --goal purchase
clickpath summary sample-data/shop.csv.gz --page-view home --page-view catalog
clickpath summary sample-data/shop.csv.gz --impression promo_page --click compare";

    const BOTH_GRAINS: bool = true;

    fn resolve(self, common: Common) -> Result<Box<dyn Question>> {
        common.refuse_grain(Self::NAME)?;
        let part = |field, given: &[String], usual| Part::parse(field, given, usual, &common.steps);
        Ok(Box::new(Summary {
            goal: part("goal", &self.goal, PURCHASES)?,
            checkout: part("checkout", &self.checkout, CHECKOUTS)?,
            purchase: part("purchase", &self.purchase, PURCHASES)?,
            click: part("click", &self.click, NOTHING)?,
            impression: part("impression", &self.impression, NOTHING)?,
            scroll: part("scroll", &self.scroll, SCROLLS)?,
            common,
        }))
    }
}

impl Summary {
    /// In the order of their roles.
    fn parts(&self) -> [&Part; 6] {
        [&self.goal, &self.checkout, &self.purchase, &self.click, &self.impression, &self.scroll]
    }

    fn matcher(&self, names: &Names, notes: &mut Notes) -> Result<Matcher> {
        let steps: Vec<Step> = self.parts().iter().map(|part| part.step(names)).collect();
        Matcher::new(&steps, &self.common.nodes, &self.common.conventions.page_views, names, notes)
    }

    /// The roles of each event code, as far as its name says them, and those of an event with a page.
    fn roles(&self, names: &Names, matcher: &Matcher) -> (Vec<u8>, u8) {
        let mut roles = match matcher.by_event_alone() {
            Some(parts) => parts.iter().map(|&parts| roles_of(parts)).collect(),
            None => vec![0; names.events.len()],
        };
        for name in &self.common.conventions.passive {
            if let Some(code) = names.events.code(name).filter(|&code| code != MISSING) {
                roles[code as usize] |= PASSIVE;
            }
        }
        let page_views = self.page_views(names);
        let Some(views) = page_views.by_event() else { return (roles, VIEW) };
        roles.iter_mut().zip(views).filter(|(_, view)| **view).for_each(|(role, _)| *role |= VIEW);
        (roles, 0)
    }

    fn page_views(&self, names: &Names) -> PageViews {
        PageViews::new(&self.common.conventions.page_views, &names.events)
    }

    fn known(&self, names: &Names, matcher: &Matcher) -> Known {
        let roles = roles_of(matcher.known());
        let all = |wanted| roles & wanted == wanted;
        Known {
            page_views: self.page_views(names).any(&names.pages),
            goals: all(GOAL),
            checkouts: all(CHECKOUT | PURCHASE),
            clicks: all(CLICK | IMPRESSION),
            scrolls: all(SCROLL),
        }
    }
}

impl Question for Summary {
    fn schema(&self) -> &'static str {
        "clickpath.summary/1"
    }

    fn rules(&self) -> Map<String, Value> {
        let conventions = &self.common.conventions;
        let mut rules = parts::rules(self.parts());
        rules.extend(parts::step_rules(self.parts(), &self.common));
        rules.insert("page_view".into(), json!(conventions.page_views));
        rules.insert("passive".into(), json!(conventions.passive));
        rules.insert("bounce".into(), json!(conventions.bounce));
        rules.extend(self.common.session_rules());
        rules.extend(self.common.by_rule());
        rules
    }

    fn needs(&self) -> Needs {
        let mut needs = self.common.scope_needs();
        needs.add(self.common.session_needs());
        self.parts().iter().for_each(|part| part.needs(&self.common.nodes, &mut needs));
        needs.scan.event = true;
        needs.scan.views.push(self.common.conventions.page_views.clone());
        needs
    }

    fn bind(&self, names: &Names, notes: &mut Notes) -> Result<Box<dyn Bound>> {
        self.common.conventions.warn(names, notes);
        let matcher = self.matcher(names, notes)?;
        self.goal.note_no_default(names, notes);
        let (roles, page_role) = self.roles(names, &matcher);
        let bound = BoundSummary {
            rule: self.common.session(names, notes)?,
            bounce: self.common.conventions.bounce,
            known: self.known(names, &matcher),
            roles,
            page_role,
            parts: matcher.by_event_alone().is_none().then_some(matcher),
        };
        Ok(Box::new(Segmented::new(bound, &self.common, names, notes)?))
    }
}

const VIEW: u8 = 1;
const PASSIVE: u8 = 1 << 1;
const GOAL: u8 = 1 << 2;
const CHECKOUT: u8 = 1 << 3;
const PURCHASE: u8 = 1 << 4;
const CLICK: u8 = 1 << 5;
const IMPRESSION: u8 = 1 << 6;
const SCROLL: u8 = 1 << 7;

/// The roles of the parts that an event plays, one bit each.
fn roles_of(parts: u64) -> u8 {
    (parts << 2) as u8
}

/// Which figures can be known: those whose events occur somewhere in the log. The others are null in every segment.
#[derive(Clone, Copy, Debug)]
struct Known {
    page_views: bool,
    goals: bool,
    checkouts: bool,
    clicks: bool,
    scrolls: bool,
}

/// The question bound to a log.
struct BoundSummary {
    /// Number of the session rule.
    rule: usize,
    bounce: Bounce,
    known: Known,
    /// By event code the roles of its events.
    roles: Vec<u8>,
    /// The roles that an event has for having a page.
    page_role: u8,
    /// The parts that an event plays, where its name does not say it.
    parts: Option<Matcher>,
}

/// What the figures are made of.
#[derive(Clone, Debug, Default)]
struct SummaryCounts {
    visitors: u64,
    sessions: u64,
    converting_visitors: u64,
    converting_sessions: u64,
    checkouts: u64,
    abandoned_checkouts: u64,
    bounces: u64,
    events: u64,
    tally: Tally,
    durations: ExactDurations,
}

/// Counts of events.
#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    page_views: u64,
    /// Page views with a scroll before the next one.
    scrolled: u64,
    clicks: u64,
    impressions: u64,
    /// Events that are neither page views nor passive.
    actions: u64,
}

impl Tally {
    /// Counts events by their roles, and adds those to `all`.
    #[inline]
    fn count(&mut self, mut roles: impl ExactSizeIterator<Item = u8>, all: &mut u8) {
        // So many that no sum of 16 bits runs over.
        const MOST: usize = u16::MAX as usize;
        while roles.len() > 0 {
            let mut lanes = 0;
            for role in roles.by_ref().take(MOST) {
                lanes += LANES[usize::from(role)];
                *all |= role;
            }
            self.page_views += lanes & 0xFFFF;
            self.actions += lanes >> 16 & 0xFFFF;
            self.clicks += lanes >> 32 & 0xFFFF;
            self.impressions += lanes >> 48;
        }
    }

    fn add(&mut self, other: Tally) {
        self.page_views += other.page_views;
        self.scrolled += other.scrolled;
        self.clicks += other.clicks;
        self.impressions += other.impressions;
        self.actions += other.actions;
    }
}

/// What an event of each set of roles adds to [`Tally`]: page views, actions, clicks, impressions, in 16 bits each.
const LANES: [u64; 256] = {
    let mut lanes = [0; 256];
    let mut roles = 0;
    while roles < 256 {
        let action = (roles & (VIEW | PASSIVE) as usize == 0) as u64;
        let [view, click, impression] = [VIEW, CLICK, IMPRESSION];
        lanes[roles] = (roles & view as usize != 0) as u64
            | action << 16
            | ((roles & click as usize != 0) as u64) << 32
            | ((roles & impression as usize != 0) as u64) << 48;
        roles += 1;
    }
    lanes
};

impl BoundSummary {
    /// The roles of event number `at` of a session.
    fn role(&self, session: Journey<'_>, at: usize) -> u8 {
        let event = session.events().get(at).copied().unwrap_or(MISSING);
        let page = session.pages().get(at).copied().unwrap_or(MISSING);
        let parts = self.parts.as_ref().map_or(0, |parts| roles_of(parts.mask(session, at)));
        self.role_of(event, page) | parts
    }

    /// The roles that an event has for its name and for having a page.
    #[inline]
    fn role_of(&self, event: Code, page: Code) -> u8 {
        self.roles[event as usize] | if page == MISSING { 0 } else { self.page_role }
    }

    /// Counts the events of a session, and says which roles they play.
    #[inline]
    fn tally(&self, session: Journey<'_>) -> (Tally, u8) {
        let (mut tally, mut all) = (Tally::default(), 0);
        if self.parts.is_some() {
            tally.count((0..session.len()).map(|at| self.role(session, at)), &mut all);
        } else if self.page_role == 0 {
            let roles = session.events().iter().map(|&event| self.roles[event as usize]);
            tally.count(roles, &mut all);
        } else {
            let roles = session.events().iter().zip(session.pages()).map(|(&event, &page)| self.role_of(event, page));
            tally.count(roles, &mut all);
        }
        if all & SCROLL != 0 {
            tally.scrolled = self.scrolled(session);
        }
        (tally, all)
    }

    /// Page views with a scroll before the next one.
    fn scrolled(&self, session: Journey<'_>) -> u64 {
        let (mut scrolled, mut unscrolled) = (0, false);
        for role in (0..session.len()).map(|at| self.role(session, at)) {
            if role & VIEW != 0 {
                unscrolled = true;
            } else if role & SCROLL != 0 {
                scrolled += u64::from(std::mem::take(&mut unscrolled));
            }
        }
        scrolled
    }

    fn bounces(&self, session: Journey<'_>, tally: Tally) -> bool {
        match self.bounce {
            Bounce::PageView => tally.page_views == 1 && tally.actions == 0,
            Bounce::SingleEvent => session.len() == 1,
        }
    }

    /// Whether a session starts a checkout and no purchase follows.
    fn abandons_checkout(&self, session: Journey<'_>) -> bool {
        let times = |role| {
            let plays = (0..session.len()).filter(move |&at| self.role(session, at) & role != 0);
            plays.map(|at| session.times()[at])
        };
        let starts = Starts::of(times(CHECKOUT));
        starts.is_some_and(|starts| !PurchaseRule::AfterFirst.completes(starts, times(PURCHASE).next_back()))
    }
}

impl Analysis for BoundSummary {
    type Work = ();
    type Partial = SummaryCounts;
    type Report = SummaryReport;

    fn unit(&self) -> Unit {
        Unit::Session(self.rule)
    }

    fn empty(&self) -> SummaryCounts {
        SummaryCounts::default()
    }

    fn observe(&self, _work: &mut (), counts: &mut SummaryCounts, visitor: Visitor<'_>) {
        let mut met = 0;
        for session in visitor.sessions(self.rule) {
            let (tally, roles) = self.tally(session);
            met |= roles;
            counts.tally.add(tally);
            counts.events += session.len() as u64;
            counts.sessions += 1;
            counts.durations.add(session.end_time() - session.start_time());
            counts.bounces += u64::from(self.bounces(session, tally));
            counts.converting_sessions += u64::from(roles & GOAL != 0);
            if roles & CHECKOUT != 0 {
                counts.checkouts += 1;
                counts.abandoned_checkouts += u64::from(self.abandons_checkout(session));
            }
        }
        counts.visitors += 1;
        counts.converting_visitors += u64::from(met & GOAL != 0);
    }

    fn merge(&self, into: &mut SummaryCounts, from: SummaryCounts) {
        into.visitors += from.visitors;
        into.sessions += from.sessions;
        into.converting_visitors += from.converting_visitors;
        into.converting_sessions += from.converting_sessions;
        into.checkouts += from.checkouts;
        into.abandoned_checkouts += from.abandoned_checkouts;
        into.bounces += from.bounces;
        into.events += from.events;
        into.tally.add(from.tally);
        into.durations.merge(from.durations);
    }

    fn finish(&self, counts: SummaryCounts, _names: &Names) -> Result<SummaryReport> {
        SummaryReport::new(counts, self.known, self.bounce)
    }

    fn bytes(&self, counts: &SummaryCounts) -> usize {
        size_of::<SummaryCounts>() + counts.durations.bytes()
    }

    fn relieve(&self, counts: &mut SummaryCounts, spill: &Arc<Spill>) -> Result<()> {
        counts.durations.relieve(spill)
    }
}
