//! `${NAME}` in the texts of a job file.

use std::collections::{BTreeMap, BTreeSet};
use std::env::VarError;

use toml::Value;

use crate::error::{Error, Result, nearest};

/// What names stand for: what was set on the command line, else the environment.
pub struct Variables {
    set: BTreeMap<String, String>,
    used: BTreeSet<String>,
}

impl Variables {
    /// Reads `NAME=VALUE`s. Of one name the last counts.
    pub fn new<'a>(given: impl IntoIterator<Item = &'a String>) -> Result<Variables> {
        let mut set = BTreeMap::new();
        for text in given {
            let pair = text.split_once('=').filter(|(name, _)| is_name(name));
            let (name, value) = pair.ok_or_else(|| {
                Error::question(format!("--set {text:?} is not NAME=VALUE"))
                    .hint("a name has letters, digits and _: --set day=2026-11-21")
            })?;
            set.insert(name.to_owned(), value.to_owned());
        }
        Ok(Variables { set, used: BTreeSet::new() })
    }

    /// Puts the values into all texts below `value`, which stands at `place` of the job. Values go into texts that are already read,
    /// and are not looked into again: nothing in them can become more than a part of its text.
    pub fn fill(&mut self, place: &str, value: &mut Value) -> Result<()> {
        match value {
            Value::String(text) => *text = self.filled(text).map_err(|error| error.within(place))?,
            Value::Array(values) => values.iter_mut().try_for_each(|value| self.fill(place, value))?,
            Value::Table(table) => self.fill_all(place, table)?,
            _ => {}
        }
        Ok(())
    }

    /// Puts the values into all texts of a table; its place is `""` for the whole job.
    pub fn fill_all(&mut self, place: &str, table: &mut toml::Table) -> Result<()> {
        for (key, value) in table.iter_mut() {
            let place = if place.is_empty() { key.clone() } else { format!("{place}.{key}") };
            self.fill(&place, value)?;
        }
        Ok(())
    }

    /// Names that were set and stand nowhere: likely slips.
    pub fn unused(&self) -> impl Iterator<Item = &String> {
        self.set.keys().filter(|name| !self.used.contains(*name))
    }

    fn filled(&mut self, text: &str) -> Result<String> {
        let (mut filled, mut rest) = (String::new(), text);
        while let Some(at) = rest.find("${") {
            let (before, behind) = (&rest[..at], &rest[at + 2..]);
            if let Some(before) = before.strip_suffix('$') {
                filled += before;
                filled += "${";
                rest = behind;
                continue;
            }
            let named = behind.split_once('}').filter(|(name, _)| is_name(name));
            let (name, behind) = named.ok_or_else(|| {
                Error::question(format!("in {text:?} there is no ${{NAME}} behind the ${{"))
                    .hint("a name has letters, digits and _; for the signs themselves write $${")
            })?;
            filled += before;
            filled += &self.value(name)?;
            rest = behind;
        }
        Ok(filled + rest)
    }

    fn value(&mut self, name: &str) -> Result<String> {
        if let Some(value) = self.set.get(name) {
            self.used.insert(name.to_owned());
            return Ok(value.clone());
        }
        match std::env::var(name) {
            Ok(value) => Ok(value),
            Err(VarError::NotUnicode(_)) => {
                Err(Error::question(format!("the value of {name} in the environment is not UTF-8")))
            }
            Err(VarError::NotPresent) => {
                let near = nearest(name, self.set.keys().map(String::as_str));
                let near = near.map(|near| format!("; {near} is set: is that meant?")).unwrap_or_default();
                Err(Error::question(format!("${{{name}}} stands for nothing"))
                    .hint(format!("give it with --set {name}=VALUE or in the environment{near}")))
            }
        }
    }
}

fn is_name(name: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '_';
    !name.is_empty() && name.chars().all(fits) && !name.starts_with(|c: char| c.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variables(given: &[&str]) -> Result<Variables> {
        let given: Vec<String> = given.iter().map(|&text| text.to_owned()).collect();
        Variables::new(&given)
    }

    #[test]
    fn values_take_the_place_of_names() {
        let mut variables = variables(&["day=2026-11-21", "eq=a=b", "sly=${day}\"", "empty=", "day_2=x"]).unwrap();
        for (text, filled) in [
            ("logs/${day}/*.csv", "logs/2026-11-21/*.csv"),
            ("${day}${eq}${empty}", "2026-11-21a=b"),
            // What a value holds is not looked into again.
            ("${sly}", "${day}\""),
            ("$${day} and $$${day}", "${day} and $${day}"),
            ("re:^/a$ = $5 {x} $", "re:^/a$ = $5 {x} $"),
            ("", ""),
        ] {
            assert_eq!(variables.filled(text).unwrap(), filled);
        }
        assert_eq!(variables.unused().collect::<Vec<_>>(), ["day_2"]);
    }

    #[test]
    fn texts_are_filled_wherever_they_stand_and_keys_never() {
        let mut table: toml::Table = "x = ['${a}', { '${a}' = '${a}' }]\nn = 3\n[[t]]\ny = '${a}'".parse().unwrap();
        variables(&["a=1"]).unwrap().fill_all("", &mut table).unwrap();
        let expected: toml::Table = "x = ['1', { '${a}' = '1' }]\nn = 3\n[[t]]\ny = '1'".parse().unwrap();
        assert_eq!(table, expected);
    }

    #[test]
    fn what_is_wrong_is_said_with_its_place() {
        for (text, message) in [
            ("${dya}", "input.files: ${dya} stands for nothing"),
            ("${}", "input.files: in \"${}\" there is no"),
            ("${a b}", "input.files: in "),
            ("${day", "input.files: in "),
        ] {
            let mut table: toml::Table = toml::Table::new();
            table
                .insert("input".into(), toml::Table::from_iter([("files".to_owned(), Value::from(vec![text]))]).into());
            let error = variables(&["day=1"]).unwrap().fill_all("", &mut table).unwrap_err();
            assert!(error.to_string().starts_with(message), "{error}");
            assert!(error.advice().is_some());
        }
        for text in ["day", "=x", "a b=x", "1a=x", ""] {
            assert!(variables(&[text]).err().unwrap().advice().is_some(), "{text}");
        }
    }
}
