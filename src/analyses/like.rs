//! Presets: the rules of other systems, as defaults of our options.
//!
//! A preset is a small job file (`like/*.toml`). What stands in `[sessions]` and `[nodes]` holds for every question, what stands in the
//! table of a question for that one; a mode of a system adds to these. Whatever the user says wins. What a system does that no option
//! says stands among the `assumptions`, which are printed with the rules.

#[cfg(test)]
mod tests;

use std::fmt;
use std::str::FromStr;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use toml::Table;

use super::common::{Common, SessionSpec, fields};
use super::{Question, Spec};
use crate::error::{Error, Result, nearest};

/// Every system by name. A new one is a file and a line here.
const SYSTEMS: [(&str, &str); 11] = [
    ("ga4", include_str!("like/ga4.toml")),
    ("ua", include_str!("like/ua.toml")),
    ("adobe", include_str!("like/adobe.toml")),
    ("mixpanel", include_str!("like/mixpanel.toml")),
    ("amplitude", include_str!("like/amplitude.toml")),
    ("posthog", include_str!("like/posthog.toml")),
    ("matomo", include_str!("like/matomo.toml")),
    ("plausible", include_str!("like/plausible.toml")),
    ("umami", include_str!("like/umami.toml")),
    ("clickhouse", include_str!("like/clickhouse.toml")),
    ("retentioneering", include_str!("like/retentioneering.toml")),
];

/// Where a preset says what no option says.
const ASSUMPTIONS: &str = "assumptions";

/// Where a mode says why it goes with no other.
const ALONE: &str = "alone";

/// What never gives way, as what a mode sets does not: without it the numbers would be those of another system.
const FIRM: &str = "scan";

/// Tables that hold for every question.
const SHARED: [&str; 2] = ["sessions", "nodes"];

/// A system whose rules a question takes on: `mixpanel`, or with modes `clickhouse:strict_order+strict_increase`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Like {
    /// As it is asked for, its modes in order.
    name: String,
    /// Its tables, those of its modes put in.
    tables: Table,
    /// The keys that its modes set.
    firm: Vec<String>,
    /// What was left out because of what the user said.
    given_way: Vec<String>,
}

impl Like {
    /// The defaults of a question, with those that it shares with others.
    fn defaults(&self, question: &str) -> Table {
        let tables = SHARED.into_iter().chain([question]).filter_map(|name| self.tables.get(name)?.as_table());
        let mut defaults: Table = tables.flat_map(Clone::clone).collect();
        defaults.remove(ASSUMPTIONS);
        defaults
    }

    /// Refuses a question that the system has no rules for.
    pub fn check(&self, question: &str) -> Result<()> {
        if self.tables.contains_key("sessions") || self.tables.contains_key(question) {
            return Ok(());
        }
        let known: Vec<&str> = self.tables.keys().map(String::as_str).filter(|key| *key != ASSUMPTIONS).collect();
        Err(Error::question(format!("{self} has no rules for {question}"))
            .hint(format!("leave --like out, or ask for {}", known.join(", "))))
    }

    /// Leaves its rules of sessions out: those of the log are what it, or another, has made.
    pub fn leave_sessions(&mut self) {
        let rules = fields::<SessionSpec>();
        for table in self.tables.iter_mut().filter_map(|(_, table)| table.as_table_mut()) {
            rules.iter().for_each(|rule| drop(table.remove(rule)));
        }
        self.given_way.push(format!("The log's own ids make the sessions, not the rules of {self}"));
    }

    /// `written`, where it is silent filled with the defaults of a question.
    pub fn fill<S: Default + Serialize + DeserializeOwned>(&self, question: &str, written: &S) -> Result<S> {
        filled(&self.defaults(question), written)
    }

    /// The system and what is assumed about it, as they are printed.
    pub fn rules(&self, question: &str) -> Map<String, Value> {
        let of_question = self.tables.get(question).and_then(|table| table.get(ASSUMPTIONS));
        let listed =
            [self.tables.get(ASSUMPTIONS), of_question].into_iter().flatten().filter_map(toml::Value::as_array);
        let listed = listed.flatten().filter_map(toml::Value::as_str).map(str::to_owned);
        let assumptions: Vec<String> = listed.chain(self.given_way.iter().cloned()).collect();
        Map::from_iter([("like".to_owned(), json!(self)), (ASSUMPTIONS.to_owned(), json!(assumptions))])
    }
}

impl Common {
    /// Settles a question, with the defaults of the system that it is to be like. One that contradicts what the user said gives way.
    pub fn settle<S: Spec>(self, spec: S) -> Result<Box<dyn Question>> {
        let Some(like) = self.like.clone() else { return spec.resolve(self) };
        let mut defaults = like.defaults(S::NAME);
        if self.by.is_empty() {
            // Whose value counts is of no account where nothing is broken down.
            defaults.remove("touch");
        }
        let settled = |defaults: &Table, like: Like| -> Result<Box<dyn Question>> {
            filled(defaults, &spec)?.resolve(Common { like: Some(like), ..self.clone() })
        };
        settled(&defaults, like.clone()).or_else(|error| {
            let may_give_way = |key: &String| key != FIRM && !like.firm.contains(key);
            let without = |key: String| {
                let mut defaults = defaults.clone();
                let value = defaults.remove(&key)?;
                let mut like = like.clone();
                like.given_way.push(format!("{key} = {value} of {like} gives way to what was asked: {error}"));
                settled(&defaults, like).ok()
            };
            let found = fields::<S>().into_iter().filter(may_give_way).find_map(without);
            found.ok_or_else(|| error.within(format!("--like {like}")))
        })
    }
}

/// `written` with `defaults` for all that it leaves as it is by itself.
fn filled<S: Default + Serialize + DeserializeOwned>(defaults: &Table, written: &S) -> Result<S> {
    let table = |spec: &S| Table::try_from(spec).map_err(|error| Error::bug(error.to_string()));
    let (silent, mut table) = (table(&S::default())?, table(written)?);
    for field in fields::<S>() {
        if let (Some(value), true) = (defaults.get(&field), table.get(&field) == silent.get(&field)) {
            table.insert(field, value.clone());
        }
    }
    S::deserialize(table).map_err(|error| Error::bug(error.message().to_owned()))
}

impl FromStr for Like {
    type Err = Error;

    fn from_str(text: &str) -> Result<Like> {
        let (system, mode) = text.split_once(':').map_or((text, None), |(system, mode)| (system, Some(mode)));
        let names = SYSTEMS.iter().map(|(name, _)| *name);
        let (_, preset) =
            SYSTEMS.iter().find(|(name, _)| *name == system).ok_or_else(|| unknown("system", system, names))?;
        let mut tables: Table = preset.parse().map_err(|error| Error::bug(format!("the preset {system}: {error}")))?;
        let modes = tables.remove("modes").and_then(|modes| modes.try_into::<Table>().ok()).unwrap_or_default();
        let Some(asked) = mode else {
            return Ok(Like { name: system.to_owned(), tables, firm: Vec::new(), given_way: Vec::new() });
        };
        let mut asked: Vec<&str> = asked.split('+').map(str::trim).collect();
        asked.sort_unstable();
        asked.dedup();
        let added = joined(system, &asked, &modes)?;
        let firm = added.values().filter_map(toml::Value::as_table).flat_map(Table::keys).cloned().collect();
        add(&mut tables, &added);
        Ok(Like { name: format!("{system}:{}", asked.join("+")), tables, firm, given_way: Vec::new() })
    }
}

/// The modes that are asked for, in one. Some of them together are a mode of their own.
fn joined(system: &str, asked: &[&str], modes: &Table) -> Result<Table> {
    let mut tables = Table::new();
    let together = asked.join("+");
    let parts = if modes.contains_key(&together) { &[together.as_str()] } else { asked };
    for &part in parts {
        let names = modes.keys().map(String::as_str);
        let mode = modes.get(part).and_then(toml::Value::as_table);
        let mut mode = mode.ok_or_else(|| unknown(&format!("mode of {system}"), part, names))?.clone();
        if let (Some(reason), 2..) = (mode.remove(ALONE), parts.len()) {
            let reason = reason.as_str().unwrap_or_default();
            return Err(Error::question(format!("{system}:{together} cannot be answered: {reason}"))
                .hint(format!("ask for {system}:{part} alone")));
        }
        add(&mut tables, &mode);
    }
    Ok(tables)
}

/// Adds the entries of `more`: lists grow, tables are added to, all else is replaced.
fn add(table: &mut Table, more: &Table) {
    use toml::Value::{Array, Table};
    for (key, value) in more {
        match (table.get_mut(key), value) {
            (Some(Array(list)), Array(more)) => list.extend(more.iter().cloned()),
            (Some(Table(inner)), Table(more)) => add(inner, more),
            _ => drop(table.insert(key.clone(), value.clone())),
        }
    }
}

fn unknown<'a>(what: &str, name: &str, known: impl Iterator<Item = &'a str>) -> Error {
    let known: Vec<&str> = known.collect();
    let error = Error::question(format!("{name:?} is no {what} that is known"));
    match nearest(name, known.iter().copied()) {
        Some(near) => error.hint(format!("did you mean {near}?")),
        None if known.is_empty() => error.hint("it has no modes: leave the colon out"),
        None => error.hint(format!("known are {}", known.join(", "))),
    }
}

impl fmt::Display for Like {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

impl TryFrom<String> for Like {
    type Error = Error;

    /// The hint goes into the message: a job file shows nothing else of an error in a value.
    fn try_from(text: String) -> Result<Like> {
        let with_hint = |error: Error| Error::question(format!("{error}: {}", error.advice().unwrap_or_default()));
        text.parse().map_err(with_hint)
    }
}

impl From<Like> for String {
    fn from(like: Like) -> String {
        like.name
    }
}
