//! The columns whose values the events of an attempt share, and the elements of those that have lists.

use foldhash::fast::RandomState;
use hashbrown::HashMap;

use crate::analyses::step::Hit;
use crate::analyses::steps::Trail;
use crate::dictionary::Dictionary;
use crate::error::{Error, Result};
use crate::ids::{Code, MISSING};
use crate::journeys::Names;

/// The most different elements of a list. A longer one is a value of itself: so a record of a hostile log makes no more than so many
/// of an event, whatever it holds.
const MOST: usize = 1000;

/// The columns that are held, as they are meant.
#[derive(Clone, Debug, Default)]
pub struct Hold {
    pub columns: Vec<String>,
    /// Of which of them one element is held, and not the whole value.
    pub each: Option<usize>,
}

impl Hold {
    /// Reads columns as they are written: `device`, or for the elements of lists `each(sku)`.
    pub fn new(written: &[String]) -> Result<Hold> {
        let element = |text: &String| Some(text.strip_prefix("each(")?.strip_suffix(')')?.trim().to_owned());
        let elements: Vec<Option<String>> = written.iter().map(element).collect();
        if elements.iter().flatten().count() > 1 {
            return Err(Error::question("attempts hold an element of one list, not of several")
                .hint("say each(…) of one column, and name the others without it"));
        }
        if elements.iter().flatten().any(String::is_empty) {
            return Err(
                Error::question("--hold each() names no column").hint("name the one with lists: --hold 'each(sku)'")
            );
        }
        let each = elements.iter().position(Option::is_some);
        let columns = elements.into_iter().zip(written).map(|(element, text)| element.unwrap_or_else(|| text.clone()));
        Ok(Hold { columns: columns.collect(), each })
    }

    pub fn is_empty(&self) -> bool {
        self.columns.is_empty()
    }

    /// As it is printed.
    pub fn written(&self) -> Vec<String> {
        let text = |(at, column): (usize, &String)| match self.each == Some(at) {
            true => format!("each({column})"),
            false => column.clone(),
        };
        self.columns.iter().enumerate().map(text).collect()
    }

    /// The lists of the column whose elements are held, if there is one.
    pub fn lists(&self, names: &Names) -> Result<Option<Lists>> {
        let lists = |at: usize| -> Result<Lists> {
            Ok(Lists::new(at, names.dimension_names(names.dimension(&self.columns[at])?)))
        };
        self.each.map(lists).transpose()
    }
}

/// The elements of every value of a column.
#[derive(Debug)]
pub struct Lists {
    /// Which of the held columns it is.
    pub column: usize,
    /// The elements of all values, one value behind the other; those of one are sorted.
    elements: Vec<Code>,
    /// By value: where its elements end.
    ends: Vec<usize>,
}

impl Lists {
    fn new(column: usize, values: &Dictionary) -> Lists {
        let mut known: HashMap<String, Code, RandomState> = HashMap::default();
        let mut lists = Lists { column, elements: vec![MISSING], ends: vec![1] };
        for (_, value) in values.iter() {
            let start = lists.elements.len();
            for element in elements(value) {
                let next = known.len() as Code + 1;
                lists.elements.push(if element.is_empty() { MISSING } else { *known.entry(element).or_insert(next) });
            }
            lists.elements[start..].sort_unstable();
            lists.ends.push(lists.elements.len());
        }
        lists
    }

    fn of(&self, value: Code) -> &[Code] {
        let value = value as usize;
        let start = value.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.elements[start..self.ends[value]]
    }

    /// Whether two values share an element.
    pub fn meet(&self, a: Code, b: Code) -> bool {
        self.of(a).iter().any(|element| self.of(b).binary_search(element).is_ok())
    }

    /// Puts each hit once into the trail for each of its elements that a hit of the first step has too, and says which element each has.
    /// One that has none of them, or fits no step, stays as it is and has none.
    pub fn spread(&self, values: &[Code], trail: &mut Trail) -> Vec<Option<Code>> {
        let of = |hit: &Hit| self.of(values[hit.at as usize]);
        let opening = trail.hits.iter().filter(|hit| hit.mask & 1 != 0);
        let mut opened: Vec<Code> = opening.flat_map(of).copied().collect();
        opened.sort_unstable();
        opened.dedup();
        let (mut places, mut held) = (Vec::new(), Vec::new());
        for (place, hit) in trail.hits.iter().enumerate() {
            let before = held.len();
            if hit.fits() {
                held.extend(of(hit).iter().filter(|element| opened.binary_search(element).is_ok()).copied().map(Some));
            }
            if held.len() == before {
                held.push(None);
            }
            places.resize(held.len(), place);
        }
        trail.spread(&places);
        held
    }
}

/// The different elements of a value: what is no list is the only element of itself, and what is missing or empty has an empty one.
fn elements(value: &str) -> Vec<String> {
    let whole = || vec![value.to_owned()];
    if !value.trim_start().starts_with('[') {
        return whole();
    }
    let Ok(list) = serde_json::from_str::<Vec<serde_json::Value>>(value) else { return whole() };
    let text = |element: serde_json::Value| match element {
        serde_json::Value::Null => String::new(),
        serde_json::Value::String(text) => text,
        other => other.to_string(),
    };
    let mut elements: Vec<String> = list.into_iter().map(text).collect();
    elements.sort_unstable();
    elements.dedup();
    match elements.len() {
        0 => vec![String::new()],
        1..=MOST => elements,
        _ => whole(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_has_elements_and_anything_else_is_one() {
        for (value, expected) in [
            (r#"["b","a","b"]"#, vec!["a", "b"]),
            (r#" [1, "1", true, null]"#, vec!["", "1", "true"]),
            (r#"[["a"],{"b":1}]"#, vec![r#"["a"]"#, r#"{"b":1}"#]),
            ("[]", vec![""]),
            ("a,b", vec!["a,b"]),
            (r#"["a""#, vec![r#"["a""#]),
            (r#""a""#, vec![r#""a""#]),
        ] {
            assert_eq!(elements(value), expected, "{value}");
        }
    }

    #[test]
    fn a_list_that_is_too_long_or_too_deep_is_a_value_of_itself() {
        let list = |count: usize| serde_json::to_string(&(0..count).collect::<Vec<_>>()).unwrap();
        assert_eq!(elements(&list(MOST)).len(), MOST);
        assert_eq!(elements(&list(MOST + 1)), [list(MOST + 1)]);
        let deep = "[".repeat(100_000);
        assert_eq!(elements(&deep), std::slice::from_ref(&deep));
    }
}
