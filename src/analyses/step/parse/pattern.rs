//! The language of patterns: steps as in a funnel, here of the nodes of a journey.
//!
//! ```text
//! pattern = ['start' hop] item (hop item)* [hop 'end']
//! item    = one | one '*'                          of which `one*` is any number of nodes, none too, between two others
//! one     = step | '!' step | '.'                  '!a' is a node that is not a, '.' is any
//! hop     = ('>' | '>>' | '->') ['[' limit (',' limit)* ']']
//! limit   = ['within'] duration | ['within'] N 'events' | 'after' duration
//! ```
//! `a > b` is `a >> .* >> b`, and `->` is `>>`: so that patterns of step matrices elsewhere are read too.

use super::super::pattern::{Pattern, Spot, Test, Way};
use super::{NamedSteps, Parser};
use crate::error::{Error, Result};
use crate::units::Span;

/// Something in a pattern.
enum Item {
    Spot(Spot),
    /// All nodes between the spots around it.
    Between(Test),
}

const EXAMPLE: &str = "patterns look like this: 'start >> /cart > !support* > (pay | order)', 'a >[10m] b > end'";

/// Reads a pattern. A bare name that is one of `named` stands for its definition.
pub fn parse_pattern(text: &str, named: &NamedSteps) -> Result<Pattern> {
    let within = |error: Error| error.within(format!("in the pattern {text:?}"));
    let mut parser = Parser { of_nodes: true, ..Parser::new(text, named) };
    parser.pattern().map_err(within)
}

impl Parser<'_> {
    fn pattern(&mut self) -> Result<Pattern> {
        let mut pattern = Pattern::new(self.text.trim());
        let (mut way, mut between) = (Way::DIRECTLY, None);
        loop {
            match self.item(pattern.spots.is_empty())? {
                Item::Spot(spot) => {
                    if !pattern.spots.is_empty() {
                        pattern.ways.push(Way { between: between.take(), ..way.clone() });
                    }
                    pattern.spots.push(spot);
                    way = Way::DIRECTLY;
                }
                Item::Between(_) if pattern.spots.is_empty() => return Err(outside()),
                Item::Between(_) if between.is_some() => {
                    return Err(Error::question("nodes between others are named twice in a row")
                        .hint("put all that may lie between, or may not, into one: !(a | b)*"));
                }
                Item::Between(test) => between = Some(test),
            }
            if self.rest().is_empty() {
                break;
            }
            self.way(&mut way)?;
            if between.is_some() {
                way.direct = false;
            }
        }
        if between.is_some() {
            return Err(outside());
        }
        pattern.check()?;
        Ok(pattern)
    }

    fn item(&mut self, first: bool) -> Result<Item> {
        if let Some(anchor) = self.anchor(first) {
            return Ok(Item::Spot(anchor));
        }
        if self.eat(".") {
            let test = Test { step: None, negated: false };
            return Ok(if self.eat("*") { Item::Between(test) } else { Item::Spot(Spot::One(test)) });
        }
        let negated = self.eat("!");
        self.rest();
        let start = self.at;
        self.starred = negated;
        let step = self.member();
        self.starred = false;
        let mut step = step?;
        step.alone("a node of a pattern")?;
        step.named = std::mem::take(&mut self.used);
        step.text = self.text[start..self.at].trim_end().to_owned();
        let star = self.eat("*");
        let test = Test { step: Some(step), negated };
        Ok(if star { Item::Between(test) } else { Item::Spot(Spot::One(test)) })
    }

    /// `start` as the first word, `end` as the last.
    fn anchor(&mut self, first: bool) -> Option<Spot> {
        let rest = self.rest();
        if first && let Some(behind) = rest.strip_prefix("start") {
            let behind = behind.trim_start();
            if behind.starts_with('>') || behind.starts_with("->") {
                self.at = self.text.len() - behind.len();
                return Some(Spot::Start);
            }
        }
        if !first && rest.trim_end() == "end" {
            self.at = self.text.len();
            return Some(Spot::End);
        }
        None
    }

    /// Adds what the next hop says to a way.
    fn way(&mut self, way: &mut Way) -> Result<()> {
        if self.eat("->") || self.eat(">>") {
        } else if self.eat(">") {
            way.direct = false;
        } else {
            return Err(self.wrong("'>', '>>' or '->'").hint(EXAMPLE));
        }
        if self.eat("[") {
            let rest = self.rest();
            let end = rest.find(']').ok_or_else(|| self.wrong("']' behind the limits of a hop").hint(EXAMPLE))?;
            self.at += end + 1;
            rest[..end].split(',').try_for_each(|limit| way.limit(limit.trim()))?;
        }
        Ok(())
    }
}

/// Nothing bounds what comes before the first spot and behind the last.
fn outside() -> Error {
    Error::question("nodes between others need one on both sides")
        .hint("name the ends of the journey: start > !a* > b, or b > !a* > end")
}

impl Way {
    fn limit(&mut self, text: &str) -> Result<()> {
        let (after, rest) = text.strip_prefix("after ").map_or((false, text), |rest| (true, rest.trim()));
        let rest = rest.strip_prefix("within ").map_or(rest, str::trim);
        let events = rest.strip_suffix("events").or_else(|| rest.strip_suffix("event")).map(str::trim);
        let again = |limit| Error::question(format!("a hop has two limits of one kind: {limit:?}")).hint(EXAMPLE);
        let known = match events {
            Some(_) if after => {
                return Err(Error::question(format!("{text:?} is no limit of a hop"))
                    .hint("a limit is 10m, 3 events, or after 1d"));
            }
            Some(number) => {
                let number = number.parse().ok().filter(|number| *number > 0).ok_or_else(|| {
                    Error::question(format!("{text:?} is no number of events")).hint("write it as 3 events")
                })?;
                self.events.replace(number).is_some()
            }
            None => {
                let Span(time) = rest.parse()?;
                let limit = if after { &mut self.after } else { &mut self.within };
                limit.replace(time).is_some()
            }
        };
        if known { Err(again(text)) } else { Ok(()) }
    }
}
