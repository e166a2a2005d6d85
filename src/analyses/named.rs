//! Steps that a job names once, in its table `[steps]`, and then uses by name.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::step::{self, Step};
use crate::error::{Error, Result};

/// Definitions of steps by name. A bare name in a list of steps that has a definition here stands for it; a quoted one is the event.
///
/// A definition is one whole step and may use other names.
#[derive(Clone, Debug, Default)]
pub struct NamedSteps(Arc<BTreeMap<String, String>>);

impl NamedSteps {
    /// Takes in `definitions` as they stand in a job. Names that could not be written as a bare name, definitions that are
    /// not one step, and names that are made of themselves are errors.
    pub fn new(definitions: BTreeMap<String, String>) -> Result<NamedSteps> {
        if let Some(name) = definitions.keys().find(|name| !step::is_bare_name(name)) {
            return Err(Error::question(format!("{name:?} cannot be the name of a step")).hint(
                "steps are used by a plain word: letters, digits, _ - . and the like, without blanks, quotes and signs",
            ));
        }
        let named = NamedSteps(Arc::new(definitions));
        for name in named.names() {
            step::parse(name, &named)?;
        }
        Ok(named)
    }

    /// All names, in the order of their bytes.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// The name as it is kept here, and what it stands for.
    pub(super) fn get(&self, name: &str) -> Option<(&str, &str)> {
        self.0.get_key_value(name).map(|(name, definition)| (name.as_str(), definition.as_str()))
    }

    /// The definitions that `steps` use, as they are printed among the rules of a question; empty if they use none.
    pub fn rule<'a>(&self, steps: impl IntoIterator<Item = &'a Step>) -> Map<String, Value> {
        let used: BTreeSet<&str> = steps.into_iter().flat_map(Step::named).collect();
        let definitions: Map<_, _> =
            used.into_iter().filter_map(|name| Some((name.to_owned(), json!(self.0.get(name)?)))).collect();
        let rule = (!definitions.is_empty()).then(|| (RULE.to_owned(), Value::Object(definitions)));
        rule.into_iter().collect()
    }

    /// The names that none of the questions with these rules uses.
    pub fn unused<'a>(&self, rules: impl IntoIterator<Item = &'a Map<String, Value>>) -> Vec<&str> {
        let named = rules.into_iter().filter_map(|rules| rules.get(RULE)?.as_object());
        let used: BTreeSet<&String> = named.flat_map(Map::keys).collect();
        self.0.keys().filter(|name| !used.contains(name)).map(String::as_str).collect()
    }
}

/// The key of the definitions among the rules of a question.
const RULE: &str = "named_steps";

#[cfg(test)]
mod tests {
    use super::*;

    fn named(definitions: &[(&str, &str)]) -> Result<NamedSteps> {
        NamedSteps::new(definitions.iter().map(|&(name, step)| (name.to_owned(), step.to_owned())).collect())
    }

    #[test]
    fn a_name_stands_for_its_definition_and_names_the_step() {
        let named = named(&[("cart", "add_to_cart"), ("paid", "(purchase{value > 0} | cart)")]).unwrap();
        let (steps, _) = step::parse("view > cart >> paid", &named).unwrap();
        assert_eq!(steps.iter().map(ToString::to_string).collect::<Vec<_>>(), ["view", "cart", "paid"]);
        let plain = |text: &str| step::parse(text, &NamedSteps::default()).unwrap().0.remove(0);
        assert!(steps[1].means_the_same_as(&plain("add_to_cart")));
        assert!(steps[2].means_the_same_as(&plain("(purchase{value > 0} | add_to_cart)")));

        let rule = named.rule(&steps);
        assert_eq!(
            Value::Object(rule.clone()),
            json!({ "named_steps": { "cart": "add_to_cart", "paid": "(purchase{value > 0} | cart)" } })
        );
        assert_eq!(named.unused([&rule]), Vec::<&str>::new());
        assert_eq!(named.unused([&Map::new()]), ["cart", "paid"]);
        assert!(named.rule(&[plain("view")]).is_empty());
    }

    #[test]
    fn conditions_behind_a_name_hold_as_well() {
        let named = named(&[("paid", "(purchase{value > 0} | order)")]).unwrap();
        let (steps, _) = step::parse("(paid{plan = free} | x)", &named).unwrap();
        let (plain, _) =
            step::parse("(purchase{value > 0, plan = free} | order{plan = free} | x)", &NamedSteps::default()).unwrap();
        assert!(steps[0].means_the_same_as(&plain[0]));
        assert_eq!(steps[0].to_string(), "(paid{plan = free} | x)");
    }

    #[test]
    fn quotes_and_node_ask_for_what_is_in_the_log() {
        let named = named(&[("cart", "'cart'{value > 0}")]).unwrap();
        let plain = NamedSteps::default();
        for text in ["'cart'", "node(cart)", "a{cart = cart}"] {
            let [with, without] = [&named, &plain].map(|named| step::parse(text, named).unwrap().0.remove(0));
            assert!(with.means_the_same_as(&without) && with.named().count() == 0, "{text}");
        }
    }

    #[test]
    fn what_cannot_be_a_named_step_is_said() {
        for (definitions, message) in [
            (&[("a", "b > c")][..], "the named step a: one step is wanted"),
            (&[("a", "")], "the named step a: "),
            (&[("a b", "c")], "\"a b\" cannot be the name of a step"),
            (&[("/a", "c")], "\"/a\" cannot be the name of a step"),
            (&[("node", "c")], "\"node\" cannot be the name of a step"),
            (&[("", "c")], "\"\" cannot be the name of a step"),
            (&[("a", "a{value > 0}")], "the named step a: it is made of itself: a > a"),
            (&[("a", "(b | x)"), ("b", "c"), ("c", "a")], "the named step a: it is made of itself: a > b > c > a"),
        ] {
            let error = named(definitions).unwrap_err();
            assert!(error.to_string().contains(message), "{error}");
            assert!(error.advice().is_some(), "{error}");
        }
    }
}
