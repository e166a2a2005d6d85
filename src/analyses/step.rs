//! One step of a funnel: as written, and as a table of masks over the names of a run.

mod hit;
mod hop;
mod long;
mod parse;
mod pattern;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::fmt;

pub use hit::Hit;
pub use hop::{Hop, HopKind};
pub use long::StepsSpec;
pub use parse::{is_bare_name, parse, parse_part, parse_pattern};
pub use pattern::{Pattern, Spot, Test};

use super::Notes;
use super::named::NamedSteps;
use super::steps::Kind;
use crate::error::{Error, Result, nearest};
use crate::ids::{Code, MISSING};
use crate::journeys::{Condition, EventSet, Journey, Names, Needs, NodeRule, PageViews, Visitor, glob};

/// A step: an event fills it if one of the alternatives fits; or a block of such steps, which are filled in any order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Step {
    /// None of a block.
    alternatives: Vec<Alternative>,
    /// The members of a block, 2 to 8; else none.
    block: Vec<Step>,
    /// Whether it may be left out.
    optional: bool,
    /// Whether only the visitor's first event in the log that fits an alternative fills it.
    first: bool,
    /// As the user wrote it: the name of the step in reports.
    text: String,
    /// The named steps that it is made of.
    named: BTreeSet<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Alternative {
    what: What,
    /// All must hold.
    conditions: Vec<Condition>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum What {
    /// Events of this name.
    Name(String),
    /// Page views whose page, before grouping, fits the glob.
    Page(String),
    /// Events whose node by the question's node rule has this name.
    Node(String),
    /// What a pattern calls so: events of this name, page views whose page fits it as a glob, and whatever has a node of this name.
    Place(String),
    /// Every event.
    Every,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Step {
    /// The step `text` that events of any of these names fit.
    pub fn of_names(text: &str, names: impl Iterator<Item = String>) -> Step {
        let alternative = |name| Alternative { what: What::Name(name), conditions: Vec::new() };
        Step { alternatives: names.map(alternative).collect(), text: text.to_owned(), ..Step::default() }
    }

    /// The step `text` that an event fits if it fits one of `steps`, each of which is one event.
    pub fn either(text: &str, steps: Vec<Step>) -> Step {
        let alternatives = steps.into_iter().flat_map(|step| step.alternatives).collect();
        Step { alternatives, text: text.to_owned(), ..Step::default() }
    }

    /// The step that is done when all of `members` are, in any order.
    fn of_block(members: Vec<Step>) -> Result<Step> {
        if members.iter().any(|member| !member.block.is_empty()) {
            return Err(
                Error::question("a block cannot be part of a block").hint("put all members into one: (a & b & c)")
            );
        }
        if !(2..=8).contains(&members.len()) {
            return Err(Error::question(format!("a block has 2 to 8 members, not {}", members.len())));
        }
        Ok(Step { block: members, ..Step::default() })
    }

    /// Refuses a step that is more than one event, or less, or means the first event of a visitor, where it says no more than whether an
    /// event fits.
    pub fn alone(&self, what: &str) -> Result<()> {
        let (reason, hint) = match self {
            Step { first: true, .. } => {
                ("the visitor's first event of its kind", "first(…) stands where a funnel's step is used")
            }
            Step { optional: true, .. } => ("optional", "`?` stands behind a funnel's step"),
            Step { block, .. } if !block.is_empty() => {
                ("a block", "(a & b) is a step of a funnel; alternatives are (a | b)")
            }
            _ => return Ok(()),
        };
        Err(Error::question(format!("{what} cannot be {reason}")).hint(hint))
    }

    /// What an attempt has to do there.
    pub fn kind(&self) -> Kind {
        match self.block.len() {
            0 if self.optional => Kind::Optional,
            0 => Kind::Required,
            members => Kind::Block(members),
        }
    }

    /// What its events fit: itself, or each member of the block.
    pub fn slots(&self) -> &[Step] {
        if self.block.is_empty() { std::slice::from_ref(self) } else { &self.block }
    }

    /// The named steps that it is made of, each once.
    pub fn named(&self) -> impl Iterator<Item = &str> {
        self.named.iter().map(String::as_str)
    }

    /// Whether it asks for the node of an event.
    pub fn asks_for_nodes(&self) -> bool {
        self.slots()
            .iter()
            .flat_map(|slot| &slot.alternatives)
            .any(|one| matches!(one.what, What::Node(_) | What::Place(_)))
    }

    /// Whether the same events fit it, whatever it is called.
    #[cfg(test)]
    pub fn means_the_same_as(&self, other: &Step) -> bool {
        self.alternatives == other.alternatives && self.block == other.block
    }

    /// Adds what must be read to recognise the step.
    pub fn needs(&self, nodes: &NodeRule, needs: &mut Needs) {
        self.block.iter().for_each(|member| member.needs(nodes, needs));
        for alternative in &self.alternatives {
            match alternative.what {
                What::Name(_) => (needs.scan.event, needs.scan.event_required) = (true, true),
                What::Page(_) => {
                    // Events tell which of the pages were viewed, where there are events.
                    (needs.scan.event, needs.scan.page, needs.scan.page_required) = (true, true, true);
                }
                What::Node(_) | What::Place(_) => needs.add(Needs::of_nodes(nodes)),
                What::Every => {}
            }
            for condition in &alternative.conditions {
                if !needs.scan.conditions.contains(condition) {
                    needs.scan.conditions.push(condition.clone());
                }
            }
        }
    }
}

/// The steps of a funnel, bound to the names of a run: which steps each event fits.
#[derive(Debug)]
pub struct Matcher {
    /// Steps by event code.
    by_event: Vec<u64>,
    /// Steps by page code, for page views; empty if no step asks for a page.
    by_page: Vec<u64>,
    /// Steps by node code; empty if no step asks for a node.
    by_node: Vec<u64>,
    nodes: usize,
    views: PageViews,
    /// Alternatives with conditions: they count only where the bits are set.
    guarded: Vec<Guarded>,
    /// Steps that only a visitor's first event fits.
    first: u64,
    /// For each step the events that may fit it.
    step_sets: Vec<EventSet>,
}

/// The tables of one alternative that has conditions.
#[derive(Debug)]
struct Guarded {
    tables: Tables,
    bits: u64,
}

#[derive(Debug, Default)]
struct Tables {
    /// Steps that every event fits.
    every: u64,
    by_event: Vec<u64>,
    by_page: Vec<u64>,
    by_node: Vec<u64>,
}

impl Matcher {
    /// Finds the names of the steps; a name or page that the log does not have goes to `notes` with near misses.
    pub fn new(
        steps: &[Step],
        nodes: &NodeRule,
        page_views: &[String],
        names: &Names,
        notes: &mut Notes,
    ) -> Result<Self> {
        let mut plain = Tables { by_event: vec![0; names.events.len()], ..Tables::default() };
        let mut guarded = Vec::new();
        let nodes = if steps.iter().any(Step::asks_for_nodes) { names.nodes(nodes)? } else { 0 };
        for (number, step) in steps.iter().enumerate() {
            for alternative in &step.alternatives {
                let bit = 1u64 << number;
                if alternative.conditions.is_empty() {
                    plain.set(&alternative.what, bit, nodes, names, notes)?;
                    continue;
                }
                let mut tables = Tables { by_event: vec![0; names.events.len()], ..Tables::default() };
                tables.set(&alternative.what, bit, nodes, names, notes)?;
                let mut bits = 0;
                for condition in &alternative.conditions {
                    bits |= 1 << names.condition(condition)?;
                }
                guarded.push(Guarded { tables, bits });
            }
        }
        let views = PageViews::new(page_views, &names.events);
        let Tables { by_event, by_page, by_node, .. } = plain;
        let first = (0..).zip(steps).filter(|(_, step)| step.first).fold(0, |all, (number, _)| all | 1 << number);
        let mut matcher = Matcher { by_event, by_page, by_node, nodes, views, guarded, first, step_sets: Vec::new() };
        matcher.step_sets = (0..steps.len()).map(|step| matcher.event_set(1 << step)).collect();
        Ok(matcher)
    }

    /// The events that may fit one of `steps`, one bit each.
    pub fn event_set(&self, steps: u64) -> EventSet {
        if !self.events_alone() {
            return EventSet::ALL;
        }
        (0..).zip(&self.by_event).filter(|(_, mask)| **mask & steps != 0).map(|(event, _)| event).collect()
    }

    /// The steps, one bit each, that ask for an event, a page or a node which the log has, whatever their conditions say.
    pub fn known(&self) -> u64 {
        let plain = [&self.by_event, &self.by_page, &self.by_node];
        let guarded = self.guarded.iter().map(|guarded| &guarded.tables);
        let known = plain.into_iter().flatten().fold(0, |all, mask| all | mask);
        guarded.fold(known, |all, tables| all | tables.known())
    }

    /// Replaces `hits` by the events of `journey` that fit a step, in journey order.
    pub fn hits(&self, journey: Journey<'_>, hits: &mut Vec<Hit>) {
        hits.clear();
        let times = journey.times();
        if self.events_alone() {
            for (at, (&event, &time)) in journey.events().iter().zip(times).enumerate() {
                let mask = self.by_event[event as usize];
                if mask != 0 {
                    hits.push(Hit::new(time, mask, at));
                }
            }
            return;
        }
        for (at, &time) in times.iter().enumerate() {
            let mask = self.mask(journey, at);
            if mask != 0 {
                hits.push(Hit::new(time, mask, at));
            }
        }
    }

    /// The steps that only a visitor's first event fits, one bit each.
    pub fn first(&self) -> u64 {
        self.first
    }

    /// Steps by event code, if the names of events alone say which steps they fit.
    pub fn by_event_alone(&self) -> Option<&[u64]> {
        self.events_alone().then_some(&self.by_event)
    }

    /// Keeps of a journey the first event that fits the first step alone, if there is one.
    pub fn first_hit(&self, journey: Journey<'_>, hits: &mut Vec<Hit>) {
        hits.clear();
        let first = if self.events_alone() {
            journey.events().iter().position(|&event| self.by_event[event as usize] & 1 != 0)
        } else {
            (0..journey.len()).find(|&at| self.mask(journey, at) & 1 != 0)
        };
        let Some(at) = first else { return };
        hits.push(Hit::new(journey.times()[at], 1, at));
    }

    /// Steps that some event of a visitor may fit: no event fits any other one. It takes no look at the events.
    pub fn may_fit(&self, visitor: Visitor<'_>) -> u64 {
        let set = visitor.event_set();
        self.step_sets.iter().rev().fold(0, |union, events| union << 1 | u64::from(events.meets(set)))
    }

    /// Whether the names of events alone say which steps they fit.
    fn events_alone(&self) -> bool {
        self.by_page.is_empty() && self.by_node.is_empty() && self.guarded.is_empty()
    }

    /// The steps that event number `at` of a journey fits.
    pub fn mask(&self, journey: Journey<'_>, at: usize) -> u64 {
        let event = journey.events().get(at).copied().unwrap_or(MISSING);
        if self.events_alone() {
            return self.by_event[event as usize];
        }
        let page = journey.pages().get(at).copied().unwrap_or(MISSING);
        let view = self.views.contains(event, page);
        let in_tables = |by_event: &[u64], by_page: &[u64], by_node: &[u64]| {
            let mut mask = by_event[event as usize];
            if view && !by_page.is_empty() {
                mask |= by_page[page as usize];
            }
            if !by_node.is_empty() {
                mask |= by_node[journey.nodes(self.nodes)[at] as usize];
            }
            mask
        };
        let mut mask = in_tables(&self.by_event, &self.by_page, &self.by_node);
        for Guarded { tables, bits } in &self.guarded {
            if journey.bits()[at] & bits == *bits {
                mask |= tables.every | in_tables(&tables.by_event, &tables.by_page, &tables.by_node);
            }
        }
        mask
    }
}

impl Tables {
    /// The steps that an event, a page or a node of the log may fit.
    fn known(&self) -> u64 {
        let tables = [&self.by_event, &self.by_page, &self.by_node];
        tables.into_iter().flatten().fold(self.every, |all, mask| all | mask)
    }

    fn set(&mut self, what: &What, bit: u64, nodes: usize, names: &Names, notes: &mut Notes) -> Result<()> {
        match what {
            What::Every => self.every |= bit,
            What::Name(name) => match names.events.code(name) {
                Some(code) => self.by_event[code as usize] |= bit,
                None => notes.warn(nowhere("event", name, names.events.iter())),
            },
            What::Node(name) => {
                let known = names.node_names(nodes);
                self.by_node.resize(known.len(), 0);
                match known.code(name) {
                    Some(code) => self.by_node[code as usize] |= bit,
                    None => notes.warn(nowhere("node", name, known.iter())),
                }
            }
            What::Page(pattern) => {
                if !self.set_pages(pattern, bit, names)? {
                    notes.warn(nowhere("page", pattern, names.pages.iter()));
                }
            }
            What::Place(name) => {
                let known = names.node_names(nodes);
                self.by_node.resize(known.len(), 0);
                let (event, node) = (names.events.code(name), known.code(name));
                event.into_iter().for_each(|code| self.by_event[code as usize] |= bit);
                node.into_iter().for_each(|code| self.by_node[code as usize] |= bit);
                let viewed = name.starts_with('/') && self.set_pages(name, bit, names)?;
                if event.is_none() && node.is_none() && !viewed {
                    notes.warn(nowhere("node", name, known.iter()));
                }
            }
        }
        Ok(())
    }

    /// Whether the log has a page that fits the glob.
    fn set_pages(&mut self, pattern: &str, bit: u64, names: &Names) -> Result<bool> {
        self.by_page.resize(names.pages.len(), 0);
        let glob = glob(pattern)?.compile_matcher();
        let mut found = false;
        for (code, page) in names.pages.iter().filter(|(_, page)| glob.is_match(page)) {
            debug_assert!(!page.is_empty());
            self.by_page[code as usize] |= bit;
            found = true;
        }
        Ok(found)
    }
}

/// The note for a name that the log does not have.
pub fn nowhere<'a>(what: &str, name: &str, known: impl Iterator<Item = (Code, &'a str)>) -> String {
    let note = format!("the {what} {name:?} occurs nowhere in the log");
    match nearest(name, known.map(|(_, name)| name)) {
        Some(near) => format!("{note}; did you mean {near:?}?"),
        None => note,
    }
}
