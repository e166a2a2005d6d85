//! Goals: the events that count as success, as steps or by the names that common systems give a purchase.

use serde_json::{Map, Value, json};

use super::event_names::{EventNames, PURCHASES};
use super::step::{self, Step};
use super::{NamedSteps, Notes};
use crate::error::{Error, Result};
use crate::journeys::{Names, Needs, NodeRule};

/// The name of the goal that nobody had to name.
const PURCHASE: &str = "purchase";

/// The most goals of a question: one bit each.
const MOST: usize = 64;

/// The goals of a question: at least one.
#[derive(Clone, Debug)]
pub enum Goals {
    /// A purchase, by its common names.
    Purchase(EventNames),
    Given(Vec<Step>),
}

impl Goals {
    /// The goals that were given, or else a purchase.
    pub fn parse(given: &[String], named: &NamedSteps) -> Result<Goals> {
        if given.is_empty() {
            return Ok(Goals::Purchase(EventNames::new("goal", Vec::new(), &PURCHASES)));
        }
        if given.len() > MOST {
            return Err(Error::question(format!("a question has at most {MOST} goals, not {}", given.len()))
                .hint("alternatives are one goal: --goal '(signup | register)'"));
        }
        given.iter().map(|text| step::parse_goal(text, named)).collect::<Result<_>>().map(Goals::Given)
    }

    /// Their names in reports, as the user wrote them.
    pub fn names(&self) -> Vec<String> {
        match self {
            Goals::Purchase(_) => vec![PURCHASE.to_owned()],
            Goals::Given(steps) => steps.iter().map(ToString::to_string).collect(),
        }
    }

    /// Adds the goals to the rules that are printed: the steps, or all names that are a purchase.
    pub fn rule(&self, named: &NamedSteps, rules: &mut Map<String, Value>) {
        match self {
            Goals::Purchase(names) => names.rule(rules),
            Goals::Given(steps) => {
                rules.insert("goal".into(), json!(self.names()));
                rules.extend(named.rule(steps));
            }
        }
    }

    /// Adds what must be read to recognise them.
    pub fn needs(&self, nodes: &NodeRule, needs: &mut Needs) {
        match self {
            // A log without events has no purchase, and that is an answer.
            Goals::Purchase(_) => needs.scan.event = true,
            Goals::Given(steps) => steps.iter().for_each(|step| step.needs(nodes, needs)),
        }
    }

    /// The goals as steps of a matcher, in their order. Of the common names only those that the log has: the others are no mistake.
    pub fn steps(&self, names: &Names, notes: &mut Notes) -> Vec<Step> {
        match self {
            Goals::Purchase(purchases) => {
                purchases.note_no_default(&names.events, notes);
                vec![Step::of_names(PURCHASE, purchases.occurring(&names.events).map(str::to_owned))]
            }
            Goals::Given(steps) => steps.clone(),
        }
    }
}
