//! The language that steps are written in.
//!
//! ```text
//! steps = step (hop step)*        hop = ('>' | '>>') ['[' duration ']']
//! step  = member ['?'] | block
//! block = '(' member ('&' member)+ ')'
//! member = alternative | alternatives | 'first' alternatives
//! alternatives = '(' alternative ('|' alternative)* ')'
//! alternative = (name | /glob | node(name)) ['{' condition (',' condition)* '}']
//! condition   = column ('=' | '!=' | '<' | '<=' | '>' | '>=') literal
//! ```
//! Names with blanks or signs are quoted, with `'` or `"`. A bare name may stand for a step that the job has named.

mod pattern;

use std::collections::BTreeSet;

pub use pattern::parse_pattern;

use super::{Alternative, Hop, HopKind, NamedSteps, Step, What};
use crate::error::{Error, Result};
use crate::journeys::{Comparison, Condition, glob};
use crate::units::Span;

/// Reads a whole funnel: steps, and the hop into each step but the first. A bare name that is one of `named` stands for its definition.
pub fn parse(text: &str, named: &NamedSteps) -> Result<(Vec<Step>, Vec<Hop>)> {
    let mut parser = Parser::new(text, named);
    let mut steps = vec![parser.step()?];
    let mut hops = Vec::new();
    while !parser.rest().is_empty() {
        hops.push(parser.hop()?);
        steps.push(parser.step()?);
    }
    Ok((steps, hops))
}

/// Reads what plays the part `field`: a single step that is a single event. What has no sign of this language is the name of an event,
/// be there blanks in it.
pub fn parse_part(field: &str, text: &str, named: &NamedSteps) -> Result<Step> {
    let text = text.trim();
    if is_name_with_blanks(text) {
        return Ok(Step::of_names(text, std::iter::once(text.to_owned())));
    }
    let mut parser = Parser::new(text, named);
    let step = parser.step()?;
    let rest = parser.rest();
    if rest.is_empty() {
        return step.alone(&format!("the {field} {text:?}")).map(|()| step);
    }
    let error = Error::question(format!("the {field} {text:?} does not end after its step {:?}", step.text));
    Err(if rest.starts_with('>') {
        error.hint(format!("--{field} takes one step; several in a row are a funnel"))
    } else {
        error.hint(format!("quote a name with signs: --{field} \"'{text}'\""))
    })
}

/// Whether `text` is several words without a sign between them, which no step is.
fn is_name_with_blanks(text: &str) -> bool {
    text.contains(char::is_whitespace) && !text.contains(SIGNS) && !text.starts_with('/')
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
    /// Whether names are those of nodes too, as in patterns.
    of_nodes: bool,
    /// Whether a star at the end of a bare name is not part of it: `!a*`.
    starred: bool,
}

/// Signs that end a bare name.
pub const SIGNS: &[char] = &['>', '|', '(', ')', '{', '}', '?', '&', ',', '=', '<', '!', '\'', '"'];

impl<'a> Parser<'a> {
    fn new(text: &'a str, named: &'a NamedSteps) -> Parser<'a> {
        Parser { text, at: 0, named, inside: Vec::new(), used: BTreeSet::new(), of_nodes: false, starred: false }
    }

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
            .hint("steps look like this: 'view_item > coupon? > /checkout/* >> (purchase | order{price >= 10})'")
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
        let mut step = self.member()?;
        step.optional = self.eat("?");
        step.text = self.text[start..self.at].trim_end().to_owned();
        step.named = std::mem::take(&mut self.used);
        Ok(step)
    }

    /// A step that may be part of a block, or a whole block.
    fn member(&mut self) -> Result<Step> {
        self.rest();
        let start = self.at;
        let mut step = Step { first: self.eat_first(), ..Step::default() };
        if !step.first && self.eat("(") {
            if self.rest().starts_with('(') || self.is_first() {
                let member = self.member()?;
                return self.block(member);
            }
            let inside = self.at;
            step.alternatives = self.alternative()?;
            step.text = self.text[inside..self.at].trim_end().to_owned();
            if self.rest().starts_with('&') {
                return self.block(step);
            }
            self.alternatives(&mut step)?;
        } else {
            step.alternatives = self.alternative()?;
            if step.first {
                self.alternatives(&mut step)?;
            }
        }
        step.text = self.text[start..self.at].trim_end().to_owned();
        Ok(step)
    }

    /// The further alternatives of a step.
    fn alternatives(&mut self, step: &mut Step) -> Result<()> {
        while !self.eat(")") {
            if !self.eat("|") {
                return Err(self.wrong("'|' or ')'"));
            }
            step.alternatives.extend(self.alternative()?);
        }
        Ok(())
    }

    /// The further members of a block.
    fn block(&mut self, member: Step) -> Result<Step> {
        let mut block = vec![member];
        while !self.eat(")") {
            if !self.eat("&") {
                return Err(self.wrong("'&' or ')'"));
            }
            block.push(self.member()?);
        }
        let within = |error: Error| error.within(format!("in the steps {:?}", self.text));
        Step::of_block(block).map_err(within)
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
            _ if self.of_nodes => What::Place(name),
            page if page.starts_with('/') => What::Page(name),
            _ => What::Name(name),
        };
        match &what {
            What::Page(pattern) => drop(glob(pattern)?),
            What::Place(name) if name.starts_with('/') => drop(glob(name)?),
            _ => {}
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
        let mut parser = Parser { inside, of_nodes: self.of_nodes, ..Parser::new(definition, self.named) };
        let step = parser.step().and_then(|step| {
            step.alone("a named step")?;
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

    /// What comes behind `first(`, if that is next.
    fn behind_first(&mut self) -> Option<&'a str> {
        self.rest().strip_prefix("first")?.trim_start().strip_prefix('(')
    }

    fn is_first(&mut self) -> bool {
        self.behind_first().is_some()
    }

    /// Takes `first(`.
    fn eat_first(&mut self) -> bool {
        let Some(inside) = self.behind_first() else { return false };
        self.at = self.text.len() - inside.len();
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
                // `a->b` is two nodes.
                let arrow = self.of_nodes && rest[..end].ends_with('-') && rest[end..].starts_with('>');
                let end = if arrow { end - 1 } else { end };
                let star = self.starred && !rest.starts_with('/') && rest[..end].ends_with('*');
                let end = if star { end - 1 } else { end };
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
