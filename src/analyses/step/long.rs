//! Steps in the long form of a job file: `[{ event = "visit" }, { any = ["signup", "register"] }, { sql = "revenue > 10" }]`.

use serde::{Deserialize, Serialize};
use toml::Value;

use super::parse::SIGNS;
use super::{Alternative, Hop, HopKind, NamedSteps, Step, What, parse};
use crate::analyses::common::{from_table, one_or_many};
use crate::error::{Error, Result};
use crate::frame::Expression;
use crate::journeys::{Condition, glob};
use crate::units::Span;

/// Steps as written: a text, or in a job file a list.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(untagged, expecting = "steps are a string, or a list of strings and tables")]
pub enum StepsSpec {
    /// `view_item > purchase`
    Text(String),
    /// One text or table per step.
    List(Vec<Value>),
}

impl From<&str> for StepsSpec {
    fn from(text: &str) -> Self {
        StepsSpec::Text(text.to_owned())
    }
}

impl From<String> for StepsSpec {
    fn from(text: String) -> Self {
        StepsSpec::Text(text)
    }
}

/// One step in the long form. What is given must all hold of an event.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct LongStep {
    /// What the step is called in reports.
    name: Option<String>,
    event: Option<String>,
    /// Names of events and globs of pages, of which one must fit.
    #[serde(deserialize_with = "one_or_many")]
    any: Vec<String>,
    page: Option<String>,
    node: Option<String>,
    sql: Option<String>,
    /// The members of a block, texts or tables, which are filled in any order.
    all: Vec<Value>,
    /// Whether only the visitor's first event that fits fills it.
    first: bool,
    optional: bool,
}

/// A hop in the long form.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct LongHop {
    kind: String,
    within: Option<Span>,
}

impl StepsSpec {
    /// The steps, and the hop into each step but the first. A list has its hops beside it: all are `eventually` if there are none.
    pub fn steps(&self, hops: &[Value], named: &NamedSteps) -> Result<(Vec<Step>, Vec<Hop>)> {
        let list = match self {
            StepsSpec::Text(text) if hops.is_empty() => return parse(text, named),
            StepsSpec::Text(_) => {
                return Err(
                    Error::question("hops go with a list of steps").hint("in a text they are written `>` and `>>`")
                );
            }
            StepsSpec::List(list) => list,
        };
        if list.is_empty() {
            return Err(Error::question("the list of steps is empty"));
        }
        let within = |at: usize, error: Error| error.within(format!("step {}", at + 1));
        let step = |(at, step): (usize, &Value)| one(step, named).map_err(|error| within(at, error));
        let steps = list.iter().enumerate().map(step).collect::<Result<Vec<_>>>()?;
        if hops.is_empty() {
            let hops = vec![Hop::EVENTUALLY; steps.len() - 1];
            return Ok((steps, hops));
        }
        if hops.len() + 1 != steps.len() {
            let (steps, hops) = (steps.len(), hops.len());
            return Err(Error::question(format!("{steps} steps have {} hops between them, not {hops}", steps - 1)));
        }
        let hop = |(at, value): (usize, &Value)| hop(value).map_err(|error| error.within(format!("hop {}", at + 1)));
        Ok((steps, hops.iter().enumerate().map(hop).collect::<Result<_>>()?))
    }
}

/// One step of a list.
fn one(value: &Value, named: &NamedSteps) -> Result<Step> {
    match value {
        Value::String(text) => match parse(text, named)? {
            (mut steps, hops) if hops.is_empty() => Ok(steps.swap_remove(0)),
            _ => Err(Error::question(format!("{text:?} is more than one step"))),
        },
        Value::Table(table) => step(from_table(table.clone())?, named),
        other => Err(Error::question(format!("{other} is no step")).hint("write { event = \"purchase\" }")),
    }
}

fn step(written: LongStep, named: &NamedSteps) -> Result<Step> {
    let LongStep { name, event, any, page, node, sql, all, first, optional } = written;
    if !all.is_empty() {
        let alone = event.is_none() && any.is_empty() && page.is_none() && node.is_none() && sql.is_none();
        if !alone || first || optional {
            return Err(Error::question("a block says nothing of an event itself").hint("{ all = [\"a\", \"b\"] }"));
        }
        return block(name, &all, named);
    }
    let events = event.into_iter().map(What::Name);
    let pages = page.into_iter().map(What::Page);
    let nodes = node.into_iter().map(What::Node);
    let mut whats: Vec<What> = events.chain(pages).chain(nodes).collect();
    if whats.len() + usize::from(!any.is_empty()) > 1 {
        return Err(Error::question("only one of event, any, page and node makes a step")
            .hint("say more about the event with sql = \"…\""));
    }
    let either = |name: String| if name.starts_with('/') { What::Page(name) } else { What::Name(name) };
    whats.extend(any.into_iter().map(either));
    if whats.is_empty() && sql.is_none() {
        return Err(Error::question("it says nothing of the event")
            .hint("give event, any, page, node or sql: { event = \"purchase\" }"));
    }
    for what in &whats {
        if let What::Page(pattern) = what {
            glob(pattern)?;
        }
    }
    let unnamed = || match (first, text(&whats, sql.as_deref())) {
        (false, text) => text,
        (true, text) if text.starts_with('(') => format!("first{text}"),
        (true, text) => format!("first({text})"),
    };
    let mut text = name.unwrap_or_else(unnamed);
    if text.trim().is_empty() {
        return Err(Error::question("its name is empty"));
    }
    if optional {
        text.push('?');
    }
    let expression = sql.as_deref().map(Expression::parse).transpose()?;
    let conditions: Vec<Condition> = expression.iter().map(Condition::sql).collect();
    if whats.is_empty() {
        whats.push(What::Every);
    }
    let alternative = |what| Alternative { what, conditions: conditions.clone() };
    Ok(Step { alternatives: whats.into_iter().map(alternative).collect(), first, optional, text, ..Step::default() })
}

/// The block of all of these.
fn block(name: Option<String>, members: &[Value], named: &NamedSteps) -> Result<Step> {
    let members = members.iter().map(|member| one(member, named)).collect::<Result<Vec<_>>>()?;
    if members.iter().any(|member| member.optional) {
        return Err(Error::question("a member of a block cannot be optional").hint("leave it out"));
    }
    let texts: Vec<String> = members.iter().map(ToString::to_string).collect();
    let text = name.unwrap_or_else(|| format!("({})", texts.join(" & ")));
    let named = members.iter().flat_map(|member| member.named.clone()).collect();
    Ok(Step { text, named, ..Step::of_block(members)? })
}

/// The step as it reads in reports.
fn text(whats: &[What], sql: Option<&str>) -> String {
    let name = |name: &String| {
        let plain = !name.is_empty() && !name.contains(|c: char| c.is_whitespace() || SIGNS.contains(&c));
        if plain { name.clone() } else { format!("'{name}'") }
    };
    let names: Vec<String> = whats
        .iter()
        .map(|what| match what {
            What::Name(event) | What::Place(event) => name(event),
            What::Page(pattern) => pattern.clone(),
            What::Node(node) => format!("node({})", name(node)),
            What::Every => String::new(),
        })
        .collect();
    let names = if names.len() > 1 { format!("({})", names.join(" | ")) } else { names.concat() };
    match sql {
        None => names,
        Some(sql) if names.is_empty() => format!("sql({sql})"),
        Some(sql) => format!("{names}{{{sql}}}"),
    }
}

fn hop(value: &Value) -> Result<Hop> {
    let written = match value {
        Value::String(kind) => LongHop { kind: kind.clone(), within: None },
        Value::Table(table) => from_table(table.clone())?,
        other => return Err(Error::question(format!("{other} is no hop")).hint(HOPS)),
    };
    let kind = match written.kind.as_str() {
        "eventually" => HopKind::Eventually,
        "directly" => HopKind::Directly,
        other => return Err(Error::question(format!("{other:?} is no kind of hop")).hint(HOPS)),
    };
    Ok(Hop { kind, limit: written.within })
}

const HOPS: &str = "a hop is \"eventually\" or \"directly\", or with a limit { kind = \"directly\", within = \"10m\" }";

#[cfg(test)]
mod tests {
    use super::*;

    fn steps(text: &str) -> Result<(Vec<Step>, Vec<Hop>)> {
        let mut table: toml::Table = text.parse().unwrap();
        let list = |value: Option<Value>| value.and_then(|value| value.as_array().cloned()).unwrap_or_default();
        let hops = list(table.remove("hops"));
        StepsSpec::List(list(table.remove("steps"))).steps(&hops, &NamedSteps::default())
    }

    #[test]
    fn a_list_reads_like_its_text() {
        let (long, hops) = steps(
            r#"steps = [{ event = "visit us" }, { any = ["signup", "/join/*"] }, "buy{price > 3}", { node = "X" }]
               hops = ["eventually", { kind = "directly", within = "90s" }, "eventually"]"#,
        )
        .unwrap();
        let (short, short_hops) =
            parse("'visit us' > (signup | /join/*) >>[90s] buy{price > 3} > node(X)", &NamedSteps::default()).unwrap();
        assert_eq!((long, hops), (short, short_hops));
    }

    #[test]
    #[cfg(feature = "polars")]
    fn sql_stands_alone_or_beside() {
        let (steps, hops) = steps(
            r#"steps = [{ sql = "revenue > 10" }, { event = "buy", sql = "n = 1" }, { sql = "true", name = "all" }]"#,
        )
        .unwrap();
        let names: Vec<String> = steps.iter().map(ToString::to_string).collect();
        assert_eq!(names, ["sql(revenue > 10)", "buy{n = 1}", "all"]);
        assert_eq!(hops, [Hop::EVENTUALLY; 2]);
        assert!(steps.iter().all(|step| step.alternatives[0].conditions.len() == 1));
    }

    #[test]
    fn only_the_first_of_a_visitor_reads_like_its_text() {
        let (long, _) = steps("steps = [{ event = 'a', first = true }, { any = ['a', '/b'], first = true }]").unwrap();
        let (short, _) = parse("first(a) > first(a | /b)", &NamedSteps::default()).unwrap();
        assert_eq!(long, short);
    }

    #[test]
    fn blocks_and_optional_steps_read_like_their_text() {
        let (long, _) = steps(
            r#"steps = ["a", { all = ["b", "(c | d)", { event = "e", first = true }] }, { event = "f", optional = true }, "g?"]"#,
        )
        .unwrap();
        let (short, _) = parse("a > (b & (c | d) & first(e)) > f? > g?", &NamedSteps::default()).unwrap();
        assert_eq!(long, short);
        let name = |step: &Step| step.to_string();
        assert_eq!(long.iter().map(name).collect::<Vec<_>>(), ["a", "(b & (c | d) & first(e))", "f?", "g?"]);
    }

    #[test]
    fn what_is_wrong_names_its_step() {
        for (text, part) in [
            ("steps = []", "empty"),
            ("steps = [3]", "step 1: 3 is no step"),
            ("steps = [\"a > b\"]", "more than one step"),
            ("steps = [\"a\", {}]", "step 2: it says nothing"),
            ("steps = [{ evnt = \"a\" }]", "step 1: unknown key \"evnt\""),
            ("steps = [{ event = \"a\", node = \"b\" }]", "only one of"),
            ("steps = [{ all = [\"a\"] }]", "2 to 8 members"),
            ("steps = [{ all = [\"a\", \"b?\"] }]", "cannot be optional"),
            ("steps = [{ all = [\"a\", \"(b & c)\"] }]", "cannot be part of a block"),
            ("steps = [{ all = [\"a\", \"b\"], event = \"c\" }]", "a block says nothing"),
            ("steps = [{ sql = \"COUNT(*) > 1\" }]", "step 1: "),
            (
                "steps = [\"a\", \"b\"]\nhops = [{ kind = \"directly\", within = \"ten\" }]",
                "hop 1: \"ten\" is not a duration",
            ),
            ("steps = [\"a\", \"b\"]\nhops = [\"never\"]", "no kind of hop"),
            ("steps = [\"a\", \"b\"]\nhops = [\"directly\", \"directly\"]", "2 steps have 1 hops"),
        ] {
            let error = steps(text).unwrap_err();
            assert!(error.to_string().contains(part), "{text}: {error}");
        }
        let text =
            StepsSpec::from("a > b").steps(&[Value::String("directly".into())], &NamedSteps::default()).unwrap_err();
        assert!(text.to_string().contains("a list of steps"), "{text}");
    }
}
