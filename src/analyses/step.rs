//! One step of a funnel: as written, and as a table of masks over the names of a run.
//!
//! ```text
//! steps = step (hop step)*        hop = ('>' | '>>') ['[' duration ']']
//! step  = alternative | alternatives | 'first' alternatives
//! alternatives = '(' alternative ('|' alternative)* ')'
//! alternative = (name | /glob | node(name)) ['{' condition (',' condition)* '}']
//! condition   = column ('=' | '!=' | '<' | '<=' | '>' | '>=') literal
//! ```
//! Names with blanks or signs are quoted, with `'` or `"`. A bare name may stand for a step that the job has named.

mod hit;
mod hop;
mod long;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::fmt;

pub use hit::Hit;
pub use hop::{Hop, HopKind};
pub use long::StepsSpec;

use super::Notes;
use super::named::NamedSteps;
use crate::error::{Error, Result, nearest};
use crate::ids::{Code, MISSING};
use crate::journeys::{Comparison, Condition, EventSet, Journey, Names, Needs, NodeRule, PageViews, Visitor, glob};
use crate::units::Span;

/// A step: an event fills it if one of the alternatives fits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    alternatives: Vec<Alternative>,
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
    /// Every event.
    Every,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Reads a whole funnel: steps, and the hop into each step but the first. A bare name that is one of `named` stands for its definition.
pub fn parse(text: &str, named: &NamedSteps) -> Result<(Vec<Step>, Vec<Hop>)> {
    let mut parser = Parser { text, at: 0, named, inside: Vec::new(), used: BTreeSet::new() };
    let mut steps = vec![parser.step()?];
    let mut hops = Vec::new();
    while !parser.rest().is_empty() {
        hops.push(parser.hop()?);
        steps.push(parser.step()?);
    }
    Ok((steps, hops))
}

/// Reads a goal: a single step.
pub fn parse_goal(text: &str, named: &NamedSteps) -> Result<Step> {
    let mut parser = Parser { text, at: 0, named, inside: Vec::new(), used: BTreeSet::new() };
    let step = parser.step()?;
    let rest = parser.rest();
    if rest.is_empty() {
        return step.refuse_first("a goal").map(|()| step);
    }
    let error = Error::question(format!("the goal {text:?} does not end after its step {:?}", step.text));
    Err(if rest.starts_with('>') {
        error.hint("a goal is one step; several in a row are a funnel")
    } else {
        error.hint("quote a name with blanks or signs: --goal \"'Order Completed'\"")
    })
}

/// Whether `name` can stand in a list of steps without quotes and mean nothing but itself.
pub fn is_bare_name(name: &str) -> bool {
    let sign = |c: char| c.is_whitespace() || SIGNS.contains(&c);
    !name.is_empty() && !name.contains(sign) && !name.starts_with('/') && !["node", "first"].contains(&name)
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
    named: &'a NamedSteps,
    /// The named steps whose definitions are being read, outermost first.
    inside: Vec<&'a str>,
    /// The named steps of the step being read.
    used: BTreeSet<String>,
}

/// Signs that end a bare name.
const SIGNS: &[char] = &['>', '|', '(', ')', '{', '}', '?', '&', ',', '=', '<', '!', '\'', '"'];

impl<'a> Parser<'a> {
    fn rest(&mut self) -> &'a str {
        let rest = &self.text[self.at..];
        let trimmed = rest.trim_start();
        self.at += rest.len() - trimmed.len();
        trimmed
    }

    fn eat(&mut self, sign: &str) -> bool {
        let found = self.rest().starts_with(sign);
        self.at += if found { sign.len() } else { 0 };
        found
    }

    fn wrong(&mut self, wanted: &str) -> Error {
        let rest: String = self.rest().chars().take(20).collect();
        let found = if rest.is_empty() { "the end".to_owned() } else { format!("{rest:?}") };
        Error::question(format!("in the steps {:?}: {wanted} is missing before {found}", self.text))
            .hint("steps look like this: 'view_item > /checkout/* >> (purchase | order{price >= 10})'")
    }

    fn later(&self, what: &str) -> Error {
        Error::question(format!("in the steps {:?}: {what} cannot be asked yet", self.text))
    }

    fn hop(&mut self) -> Result<Hop> {
        let kind = match (self.eat(">>"), self.eat(">")) {
            (true, _) => HopKind::Directly,
            (_, true) => HopKind::Eventually,
            _ => return Err(self.wrong("'>' or '>>'")),
        };
        let limit = if self.eat("[") { Some(self.limit()?) } else { None };
        Ok(Hop { kind, limit })
    }

    fn limit(&mut self) -> Result<Span> {
        let rest = self.rest();
        let end = rest.find(']').ok_or_else(|| self.wrong("']' behind the limit of a hop"))?;
        self.at += end + 1;
        let within = |error: Error| error.within(format!("in the steps {:?}: the limit of a hop", self.text));
        rest[..end].parse().map_err(within)
    }

    fn step(&mut self) -> Result<Step> {
        self.rest();
        let start = self.at;
        let mut alternatives = Vec::new();
        let first = self.eat_first();
        if first || self.eat("(") {
            loop {
                alternatives.extend(self.alternative()?);
                if self.eat(")") {
                    break;
                }
                if self.rest().starts_with('&') {
                    return Err(self.later("a block of steps in any order"));
                }
                if !self.eat("|") {
                    return Err(self.wrong("'|' or ')'"));
                }
            }
        } else {
            alternatives.extend(self.alternative()?);
        }
        let text = self.text[start..self.at].trim_end().to_owned();
        if self.eat("?") {
            return Err(self.later("an optional step"));
        }
        Ok(Step { alternatives, first, text, named: std::mem::take(&mut self.used) })
    }

    /// One alternative, or all those of a named step.
    fn alternative(&mut self) -> Result<Vec<Alternative>> {
        let quoted = self.rest().starts_with(['\'', '"']);
        let name = self.name("a step")?;
        if let (false, Some((name, definition))) = (quoted, self.named.get(&name)) {
            let mut alternatives = self.definition(name, definition)?;
            let conditions = self.conditions()?;
            alternatives.iter_mut().for_each(|one| one.conditions.extend(conditions.iter().cloned()));
            return Ok(alternatives);
        }
        let what = match name.as_str() {
            "node" if !quoted && self.eat("(") => What::Node(self.closed_name("a node")?),
            "first" if !quoted && self.rest().starts_with('(') => {
                return Err(Error::question(format!("in the steps {:?}: first(…) is a whole step", self.text))
                    .hint("put the alternatives into it: first(signup | register)"));
            }
            page if page.starts_with('/') => What::Page(name),
            _ => What::Name(name),
        };
        if let What::Page(pattern) = &what {
            glob(pattern)?;
        }
        Ok(vec![Alternative { what, conditions: self.conditions()? }])
    }

    /// The alternatives of the named step `name`.
    fn definition(&mut self, name: &'a str, definition: &'a str) -> Result<Vec<Alternative>> {
        let inside = [&self.inside[..], &[name]].concat();
        if self.inside.contains(&name) {
            return Err(Error::question(format!("it is made of itself: {}", inside.join(" > ")))
                .hint(format!("if an event is meant that has the same name, quote it: '{name}'")));
        }
        let mut parser = Parser { text: definition, at: 0, named: self.named, inside, used: BTreeSet::new() };
        let step = parser.step().and_then(|step| {
            step.refuse_first("a named step")?;
            let wanted = || {
                Error::question(format!("one step is wanted, not {definition:?}"))
                    .hint("name each step, and put the names together where they are used: steps = 'cart > paid'")
            };
            if parser.rest().is_empty() { Ok(step) } else { Err(wanted()) }
        });
        // Said once, of the name that the reader wrote.
        let step =
            step.map_err(
                |error| if self.inside.is_empty() { error.within(format!("the named step {name}")) } else { error },
            )?;
        self.used.extend(step.named);
        self.used.insert(name.to_owned());
        Ok(step.alternatives)
    }

    /// Takes `first(`.
    fn eat_first(&mut self) -> bool {
        let rest = self.rest();
        let Some(inside) = rest.strip_prefix("first").and_then(|rest| rest.trim_start().strip_prefix('(')) else {
            return false;
        };
        self.at += rest.len() - inside.len();
        true
    }

    fn conditions(&mut self) -> Result<Vec<Condition>> {
        let mut conditions = Vec::new();
        if self.eat("{") {
            loop {
                conditions.push(self.condition()?);
                if self.eat("}") {
                    break;
                }
                if !self.eat(",") {
                    return Err(self.wrong("',' or '}'"));
                }
            }
        }
        Ok(conditions)
    }

    fn closed_name(&mut self, what: &str) -> Result<String> {
        let name = self.name(what)?;
        if self.eat(")") { Ok(name) } else { Err(self.wrong("')'")) }
    }

    fn condition(&mut self) -> Result<Condition> {
        let column = self.name("a column")?;
        let sign = Comparison::SIGNS.iter().find(|(sign, _)| self.eat(sign));
        let (_, comparison) = sign.ok_or_else(|| self.wrong("a comparison (= != < <= > >=)"))?;
        Ok(Condition::Compare { column, comparison: *comparison, literal: self.name("a value")? })
    }

    /// A quoted or bare name.
    fn name(&mut self, what: &str) -> Result<String> {
        let rest = self.rest();
        let (name, length) = match rest.chars().next() {
            Some(quote @ ('\'' | '"')) => {
                let end = rest[1..].find(quote).ok_or_else(|| self.wrong("the closing quote"))?;
                (&rest[1..=end], end + 2)
            }
            _ => {
                let end = rest.find(|c: char| c.is_whitespace() || SIGNS.contains(&c)).unwrap_or(rest.len());
                (&rest[..end], end)
            }
        };
        if name.is_empty() {
            return Err(self.wrong(what));
        }
        self.at += length;
        Ok(name.to_owned())
    }
}

impl Step {
    /// The step `text` that events of any of these names fit.
    pub fn of_names(text: &str, names: impl Iterator<Item = String>) -> Step {
        let alternative = |name| Alternative { what: What::Name(name), conditions: Vec::new() };
        let alternatives = names.map(alternative).collect();
        Step { alternatives, first: false, text: text.to_owned(), named: BTreeSet::new() }
    }

    /// Refuses that only the first event of a visitor fits, where no visitor is looked at as a whole.
    pub fn refuse_first(&self, what: &str) -> Result<()> {
        if !self.first {
            return Ok(());
        }
        Err(Error::question(format!("{what} cannot be the visitor's first event of its kind"))
            .hint("first(…) stands where a funnel's step is used"))
    }

    /// The named steps that it is made of, each once.
    pub fn named(&self) -> impl Iterator<Item = &str> {
        self.named.iter().map(String::as_str)
    }

    /// Whether the same events fit it, whatever it is called.
    #[cfg(test)]
    pub fn means_the_same_as(&self, other: &Step) -> bool {
        self.alternatives == other.alternatives
    }

    /// Adds what must be read to recognise the step.
    pub fn needs(&self, nodes: &NodeRule, needs: &mut Needs) {
        for alternative in &self.alternatives {
            match alternative.what {
                What::Name(_) => (needs.scan.event, needs.scan.event_required) = (true, true),
                What::Page(_) => {
                    // Events tell which of the pages were viewed, where there are events.
                    (needs.scan.event, needs.scan.page, needs.scan.page_required) = (true, true, true);
                }
                What::Node(_) => needs.add(Needs::of_nodes(nodes)),
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
        let by_nodes = steps.iter().flat_map(|step| &step.alternatives).any(|a| matches!(a.what, What::Node(_)));
        let nodes = if by_nodes { names.nodes(nodes)? } else { 0 };
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
        matcher.step_sets = (0..steps.len()).map(|step| matcher.event_set(step)).collect();
        Ok(matcher)
    }

    /// The events that may fit a step.
    fn event_set(&self, step: usize) -> EventSet {
        if !self.events_alone() {
            return EventSet::ALL;
        }
        (0..).zip(&self.by_event).filter(|(_, mask)| **mask >> step & 1 != 0).map(|(event, _)| event).collect()
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
                self.by_page.resize(names.pages.len(), 0);
                let glob = glob(pattern)?.compile_matcher();
                let mut found = false;
                for (code, page) in names.pages.iter().filter(|(_, page)| glob.is_match(page)) {
                    debug_assert!(!page.is_empty());
                    self.by_page[code as usize] |= bit;
                    found = true;
                }
                if !found {
                    notes.warn(nowhere("page", pattern, names.pages.iter()));
                }
            }
        }
        Ok(())
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
