//! Cart and checkout abandonment: who filled a cart or began a checkout and did not buy, and what became of it.

mod counts;
mod report;
#[cfg(test)]
pub(super) mod tests;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::parts::{self, CARTS, CHECKOUTS, NOTHING, PAYMENTS, PURCHASES, Part, REMOVALS, SHIPPINGS};
use super::step::{Matcher, Step};
use super::{Bound, Common, NamedSteps, Notes, Question, Segmented, SegmentedReport, Spec};
use crate::error::Result;
use crate::journeys::{DAY, Names, Needs};
use crate::units::Span;
use counts::{BoundAbandonment, CART, CHECKOUT};
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
    /// The first and the last of the times of starts, which are in order.
    pub(super) fn of(mut times: impl DoubleEndedIterator<Item = i64>) -> Option<Starts> {
        let first = times.next()?;
        Some(Starts { first, last: times.next_back().unwrap_or(first) })
    }

    fn and(self, other: Starts) -> Starts {
        Starts { first: self.first.min(other.first), last: self.last.max(other.last) }
    }
}

/// Cart and checkout abandonment, as written.
#[derive(Clone, Debug, Default, clap::Args, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[command(next_help_heading = "Question")]
pub struct AbandonmentSpec {
    /// What puts something into the cart, written as a step: name, /glob of pages, node(NAME), alternatives (a | b), conditions
    /// purchase{value > 0} (repeatable) [default: add_to_cart and its like]
    #[arg(long, value_name = "STEP")]
    #[serde(deserialize_with = "super::common::one_or_many")]
    pub cart: Vec<String>,
    /// What starts the checkout, as a step (repeatable) [default: begin_checkout and its like]
    #[arg(long, value_name = "STEP")]
    #[serde(deserialize_with = "super::common::one_or_many")]
    pub checkout: Vec<String>,
    /// What is a purchase, as a step (repeatable) [default: purchase and its like]
    #[arg(long, value_name = "STEP")]
    #[serde(deserialize_with = "super::common::one_or_many")]
    pub purchase: Vec<String>,
    /// What takes something out of the cart, as a step (repeatable) [default: remove_from_cart and its like]
    #[arg(long, value_name = "STEP")]
    #[serde(deserialize_with = "super::common::one_or_many")]
    pub remove: Vec<String>,
    /// A stage on the way to the purchase, as a step, stages in their order (repeatable); an abandoned session counts at the
    /// furthest that it reached from its first start on [default: cart, checkout, shipping, payment]
    #[arg(long, value_name = "STEP")]
    #[serde(deserialize_with = "super::common::one_or_many")]
    pub stage: Vec<String>,
    /// Which purchase completes what was started [default: after-first]
    #[arg(long, value_name = "RULE")]
    pub purchase_rule: Option<PurchaseRule>,
    /// How soon after an abandoned session a later one with a purchase must start to recover it [default: 7d]
    #[arg(long, value_name = "DURATION")]
    pub recover_within: Option<Span>,
}

/// A stage's name and what reaches it.
struct Stage {
    name: String,
    part: Part,
}

/// Cart and checkout abandonment, as meant.
struct Abandonment {
    common: Common,
    cart: Part,
    checkout: Part,
    purchase: Part,
    remove: Part,
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
clickpath abandonment sample-data/shop.csv.gz --cart '(add_to_cart | wishlist_add)'";

    const BOTH_GRAINS: bool = true;

    fn resolve(self, common: Common) -> Result<Box<dyn Question>> {
        common.refuse_grain(Self::NAME)?;
        let part = |field, given: &[String], usual| Part::parse(field, given, usual, &common.steps);
        let cart = part("cart", &self.cart, CARTS)?;
        let checkout = part("checkout", &self.checkout, CHECKOUTS)?;
        let purchase = part("purchase", &self.purchase, PURCHASES)?;
        let remove = part("remove", &self.remove, REMOVALS)?;
        let stages = if self.stage.is_empty() {
            vec![
                Stage { name: "cart".to_owned(), part: cart.clone() },
                Stage { name: "checkout".to_owned(), part: checkout.clone() },
                Stage { name: "shipping".to_owned(), part: part("stage", &[], SHIPPINGS)? },
                Stage { name: "payment".to_owned(), part: part("stage", &[], PAYMENTS)? },
            ]
        } else {
            parts::refuse_many("stage", &self.stage, counts::MOST_STAGES)?;
            self.stage.iter().map(|text| Stage::parse(text, &common.steps)).collect::<Result<_>>()?
        };
        Ok(Box::new(Abandonment {
            common,
            cart,
            checkout,
            purchase,
            remove,
            stages,
            purchase_rule: self.purchase_rule.unwrap_or_default(),
            recover_within: self.recover_within.unwrap_or(Span(7 * DAY)),
        }))
    }
}

impl Stage {
    fn parse(text: &String, named: &NamedSteps) -> Result<Stage> {
        let part = Part::parse("stage", std::slice::from_ref(text), NOTHING, named)?;
        Ok(Stage { name: text.trim().to_owned(), part })
    }
}

impl Abandonment {
    /// Cart, checkout, purchase and removal.
    fn roles(&self) -> [&Part; 4] {
        [&self.cart, &self.checkout, &self.purchase, &self.remove]
    }

    /// All parts, in the order of their bits: see [`counts`].
    fn parts(&self) -> impl Iterator<Item = &Part> {
        self.roles().into_iter().chain(self.stages.iter().map(|stage| &stage.part))
    }

    fn matcher(&self, names: &Names, notes: &mut Notes) -> Result<Matcher> {
        let steps: Vec<Step> = self.parts().map(|part| part.step(names)).collect();
        Matcher::new(&steps, &self.common.nodes, &self.common.conventions.page_views, names, notes)
    }
}

impl Question for Abandonment {
    fn schema(&self) -> &'static str {
        "clickpath.abandonment/1"
    }

    fn rules(&self) -> Map<String, Value> {
        let mut rules = parts::rules(self.roles());
        let stages = self.stages.iter().map(|stage| (stage.name.clone(), stage.part.printed()));
        rules.insert("stage".into(), Value::Object(stages.collect()));
        rules.insert("purchase_rule".into(), json!(self.purchase_rule));
        rules.insert("recover_within".into(), json!(self.recover_within));
        rules.extend(parts::step_rules(self.parts(), &self.common));
        rules.extend(self.common.session_rules());
        rules.extend(self.common.by_rule());
        rules
    }

    fn needs(&self) -> Needs {
        let mut needs = self.common.scope_needs();
        needs.add(self.common.session_needs());
        self.parts().for_each(|part| part.needs(&self.common.nodes, &mut needs));
        needs.scan.value = true;
        needs
    }

    fn bind(&self, names: &Names, notes: &mut Notes) -> Result<Box<dyn Bound>> {
        let matcher = self.matcher(names, notes)?;
        for part in [&self.cart, &self.checkout, &self.purchase] {
            part.note_no_default(names, notes);
        }
        let bound = BoundAbandonment {
            rule: self.common.session(names, notes)?,
            starts: matcher.event_set(CART | CHECKOUT),
            matcher,
            stage_names: self.stages.iter().map(|stage| stage.name.clone()).collect(),
            purchase_rule: self.purchase_rule,
            recover_within: self.recover_within.0,
            log_end: names.span.map_or(i64::MIN, |(_, last)| last),
        };
        Ok(Box::new(Segmented::new(bound, &self.common, names, notes)?))
    }
}
