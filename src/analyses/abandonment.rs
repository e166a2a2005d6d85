//! Cart and checkout abandonment: who filled a cart or began a checkout and did not buy, and what became of it.

mod counts;
mod report;
#[cfg(test)]
pub(super) mod tests;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::event_names::{CARTS, CHECKOUTS, EventNames, PAYMENTS, PURCHASES, REMOVALS, SHIPPINGS};
use super::{Bound, Common, Notes, Question, Segmented, SegmentedReport, Spec};
use crate::error::Result;
use crate::journeys::{DAY, Journey, Names, Needs};
use crate::units::Span;
use counts::{BoundAbandonment, CART, CHECKOUT, PURCHASE, REMOVE};
pub use report::{AbandonmentReport, PartReport, SessionsReport, VisitorsReport};

/// Which purchase completes what was started. One in the same instant counts as after.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum PurchaseRule {
    /// One after the first start.
    #[default]
    AfterFirst,
    /// One after the last start.
    AfterLast,
    /// Any, before the start too.
    Anywhere,
}

/// When something was started: the first and the last time, in µs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Starts {
    pub first: i64,
    pub last: i64,
}

impl PurchaseRule {
    /// Whether `starts` are completed where the last purchase is at `last_purchase`.
    pub(super) fn completes(self, starts: Starts, last_purchase: Option<i64>) -> bool {
        last_purchase.is_some_and(|purchase| match self {
            PurchaseRule::AfterFirst => purchase >= starts.first,
            PurchaseRule::AfterLast => purchase >= starts.last,
            PurchaseRule::Anywhere => true,
        })
    }
}

impl Starts {
    /// The starts among the events of `journey` that have one of the roles in `mask`.
    pub(super) fn of(journey: Journey<'_>, roles: &[u8], mask: u8) -> Option<Starts> {
        let mut times = times(journey, roles, mask);
        let first = times.next()?;
        Some(Starts { first, last: times.next_back().unwrap_or(first) })
    }

    fn and(self, other: Starts) -> Starts {
        Starts { first: self.first.min(other.first), last: self.last.max(other.last) }
    }
}

/// Times of the events of `journey` that have one of the roles in `mask`; `roles` holds those of each event code.
pub(super) fn times(journey: Journey<'_>, roles: &[u8], mask: u8) -> impl DoubleEndedIterator<Item = i64> {
    let events = journey.events().iter().zip(journey.times());
    events.filter(move |&(&event, _)| roles[event as usize] & mask != 0).map(|(_, &time)| time)
}

/// Cart and checkout abandonment, as written.
#[derive(Clone, Debug, Default, clap::Args, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[command(next_help_heading = "Question")]
pub struct AbandonmentSpec {
    /// Name of an event that puts something into the cart (repeatable) [default: add_to_cart and its like]
    #[arg(long, value_name = "EVENT")]
    #[serde(deserialize_with = "super::common::one_or_many")]
    pub cart: Vec<String>,
    /// Name of an event that starts the checkout (repeatable) [default: begin_checkout and its like]
    #[arg(long, value_name = "EVENT")]
    #[serde(deserialize_with = "super::common::one_or_many")]
    pub checkout: Vec<String>,
    /// Name of an event that is a purchase (repeatable) [default: purchase and its like]
    #[arg(long, value_name = "EVENT")]
    #[serde(deserialize_with = "super::common::one_or_many")]
    pub purchase: Vec<String>,
    /// Name of an event that takes something out of the cart (repeatable) [default: remove_from_cart and its like]
    #[arg(long, value_name = "EVENT")]
    #[serde(deserialize_with = "super::common::one_or_many")]
    pub remove: Vec<String>,
    /// Name of the event of a stage, stages in their order (repeatable); an abandoned session counts at the furthest that it
    /// reached from its first start on [default: cart, checkout, shipping, payment]
    #[arg(long, value_name = "EVENT")]
    #[serde(deserialize_with = "super::common::one_or_many")]
    pub stage: Vec<String>,
    /// Which purchase completes what was started [default: after-first]
    #[arg(long, value_name = "RULE")]
    pub purchase_rule: Option<PurchaseRule>,
    /// How soon after an abandoned session a later one with a purchase must start to recover it [default: 7d]
    #[arg(long, value_name = "DURATION")]
    pub recover_within: Option<Span>,
}

/// A stage's name and the events that reach it.
struct Stage {
    name: String,
    events: EventNames,
}

/// Cart and checkout abandonment, as meant.
struct Abandonment {
    common: Common,
    cart: EventNames,
    checkout: EventNames,
    purchase: EventNames,
    remove: EventNames,
    stages: Vec<Stage>,
    purchase_rule: PurchaseRule,
    recover_within: Span,
}

impl Spec for AbandonmentSpec {
    type Report = SegmentedReport<AbandonmentReport>;

    const NAME: &'static str = "abandonment";
    const ABOUT: &'static str = "Cart and checkout abandonment, and what became of it";
    const EXAMPLES: &'static str = "\
clickpath abandonment sample-data/shop.csv.gz
clickpath abandonment sample-data/shop.csv.gz --by platform
clickpath abandonment sample-data/shop.csv.gz --purchase-rule after-last --recover-within 2d
clickpath abandonment sample-data/shop.csv.gz --cart wishlist_add";

    const BOTH_GRAINS: bool = true;

    fn resolve(self, common: Common) -> Result<Box<dyn Question>> {
        common.refuse_grain(Self::NAME)?;
        let cart = EventNames::new("cart", self.cart, &CARTS);
        let checkout = EventNames::new("checkout", self.checkout, &CHECKOUTS);
        let stages = if self.stage.is_empty() {
            vec![
                Stage { name: "cart".to_owned(), events: cart.clone() },
                Stage { name: "checkout".to_owned(), events: checkout.clone() },
                Stage { name: "shipping".to_owned(), events: EventNames::new("stage", Vec::new(), &SHIPPINGS) },
                Stage { name: "payment".to_owned(), events: EventNames::new("stage", Vec::new(), &PAYMENTS) },
            ]
        } else {
            self.stage.into_iter().map(Stage::of).collect()
        };
        Ok(Box::new(Abandonment {
            common,
            cart,
            checkout,
            purchase: EventNames::new("purchase", self.purchase, &PURCHASES),
            remove: EventNames::new("remove", self.remove, &REMOVALS),
            stages,
            purchase_rule: self.purchase_rule.unwrap_or_default(),
            recover_within: self.recover_within.unwrap_or(Span(7 * DAY)),
        }))
    }
}

impl Stage {
    fn of(event: String) -> Stage {
        Stage { name: event.clone(), events: EventNames::new("stage", vec![event], &[]) }
    }
}

impl Abandonment {
    /// Notes what the log does not have of what was asked for.
    fn note(&self, names: &Names, notes: &mut Notes) {
        let stages = self.stages.iter().map(|stage| &stage.events);
        for part in [&self.cart, &self.checkout, &self.purchase, &self.remove].into_iter().chain(stages) {
            part.note_unknown(&names.events, notes);
        }
        for part in [&self.cart, &self.checkout, &self.purchase] {
            part.note_no_default(&names.events, notes);
        }
    }

    fn roles(&self, names: &Names) -> Vec<u8> {
        let mut roles = vec![0; names.events.len()];
        let parts =
            [(&self.cart, CART), (&self.checkout, CHECKOUT), (&self.purchase, PURCHASE), (&self.remove, REMOVE)];
        for (part, role) in parts {
            part.mark(&names.events, &mut roles, role);
        }
        roles
    }

    /// The furthest stage of each event code.
    fn stages(&self, names: &Names) -> Vec<Option<usize>> {
        let mut stages = vec![None; names.events.len()];
        for (number, stage) in self.stages.iter().enumerate() {
            for code in stage.events.codes(&names.events) {
                stages[code as usize] = Some(number);
            }
        }
        stages
    }
}

impl Question for Abandonment {
    fn schema(&self) -> &'static str {
        "clickpath.abandonment/1"
    }

    fn rules(&self) -> Map<String, Value> {
        let mut rules = Map::new();
        for part in [&self.cart, &self.checkout, &self.purchase, &self.remove] {
            part.rule(&mut rules);
        }
        let stages = self.stages.iter().map(|stage| (stage.name.clone(), stage.events.names()));
        rules.insert("stage".into(), Value::Object(stages.collect()));
        rules.insert("purchase_rule".into(), json!(self.purchase_rule));
        rules.insert("recover_within".into(), json!(self.recover_within));
        rules.extend(self.common.session_rules());
        rules.extend(self.common.by_rule());
        rules
    }

    fn needs(&self) -> Needs {
        let mut needs = self.common.scope_needs();
        needs.add(Needs::of_sessions(&self.common.sessions));
        needs.scan.event = true;
        needs.scan.value = true;
        needs
    }

    fn bind(&self, names: &Names, notes: &mut Notes) -> Result<Box<dyn Bound>> {
        self.note(names, notes);
        let roles = self.roles(names);
        let starts = (0..).zip(&roles).filter(|(_, roles)| **roles & (CART | CHECKOUT) != 0).map(|(event, _)| event);
        let bound = BoundAbandonment {
            rule: names.session(&self.common.sessions)?,
            starts: starts.collect(),
            roles,
            stages: self.stages(names),
            stage_names: self.stages.iter().map(|stage| stage.name.clone()).collect(),
            purchase_rule: self.purchase_rule,
            recover_within: self.recover_within.0,
            log_end: names.span.map_or(i64::MIN, |(_, last)| last),
        };
        Ok(Box::new(Segmented::new(bound, &self.common, names)?))
    }
}
