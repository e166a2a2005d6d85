//! What stands below the tables for people: the rules in force, what became of the records, and the notes.

use serde_json::{Map, Value};

use super::Answer;
use super::people::{count, counted};
use super::text::visible;

/// The ways an event can go: together they make all events that were read.
const FATES: [&str; 4] = ["used", "filtered", "duplicates", "rejected"];

/// Keys of the account that have their own place in its line.
const PLACED: [&str; 8] =
    ["records", "events_read", "used", "filtered", "duplicates", "rejected", "visitors", "sessions"];

/// Names of a list that are shown; the JSON has them all.
const SHOWN: usize = 3;

/// The rule that is a list of sentences: each has a line of its own.
const ASSUMPTIONS: &str = "assumptions";

/// The footer of `answer`, line by line and safe to show.
pub fn lines(answer: &Answer) -> Vec<String> {
    let rules = rules(&answer.rules);
    let account = account(&answer.account);
    let assumed = answer.rules.get(ASSUMPTIONS).and_then(Value::as_array).into_iter().flatten();
    let assumed = assumed.filter_map(Value::as_str).map(|sentence| format!("assumed: {sentence}"));
    let notes = answer.notes.iter().map(|note| format!("note: {note}"));
    let lines = [rules, account].into_iter().flatten().chain(assumed).chain(notes);
    lines.map(|line| visible(&line).into_owned()).collect()
}

/// `rules: window 7d · sessions.timeout 30m`
fn rules(rules: &Map<String, Value>) -> Option<String> {
    let parts = entries("", rules);
    (!parts.is_empty()).then(|| format!("rules: {}", parts.join(" · ")))
}

/// `key value` for each entry that is set, those of nested objects with a dotted key.
fn entries(prefix: &str, map: &Map<String, Value>) -> Vec<String> {
    let entry = |(key, value): (&String, &Value)| match value {
        Value::Null => Vec::new(),
        _ if key == ASSUMPTIONS => Vec::new(),
        Value::Array(values) if values.is_empty() => Vec::new(),
        Value::Object(inner) => entries(&format!("{prefix}{key}."), inner),
        value => vec![format!("{prefix}{key} {}", short(value))],
    };
    map.iter().flat_map(entry).collect()
}

/// A value without the punctuation of JSON where it can do without.
fn short(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(values) => {
            let shown: Vec<String> = values.iter().take(SHOWN).map(short).collect();
            let rest = values.len() - shown.len();
            if rest == 0 { shown.join(", ") } else { format!("{} and {rest} more", shown.join(", ")) }
        }
        value => value.to_string(),
    }
}

/// `31,106 records: 31,106 used, 0 filtered, 0 duplicates, 0 rejected · 600 visitors · 3,605 sessions`
fn account(account: &Map<String, Value>) -> Option<String> {
    let value = |key: &str| account.get(key).and_then(Value::as_u64);
    let records = value("records")?;

    // A record is usually one event. Where it is not, the fates add up to the events.
    let events = value("events_read").filter(|events| *events != records);
    let events = events.map(|events| format!(" with {}", counted(events, "event"))).unwrap_or_default();
    let fates: Vec<_> = FATES.iter().filter_map(|fate| Some(fate_of(value(fate)?, fate))).collect();
    let line = format!("{}{events}: {}", counted(records, "record"), fates.join(", "));

    let crowd = ["visitor", "session"].iter().filter_map(|noun| Some(counted(value(&format!("{noun}s"))?, noun)));
    let others = account.iter().filter(|(key, _)| !PLACED.contains(&key.as_str())).filter_map(other);
    Some(std::iter::once(line).chain(crowd).chain(others).collect::<Vec<_>>().join(" · "))
}

fn fate_of(events: u64, fate: &str) -> String {
    match fate {
        "duplicates" => counted(events, "duplicate"),
        fate => format!("{} {fate}", count(events)),
    }
}

/// An entry of the account that this file knows nothing of, if there is anything to tell: `nulled: value 3, page 2`.
fn other((key, value): (&String, &Value)) -> Option<String> {
    let key = key.replace('_', " ");
    match value {
        Value::Null => None,
        Value::Number(number) if number.as_u64() == Some(0) => None,
        Value::Number(number) => Some(format!("{key} {}", number.as_u64().map_or(number.to_string(), count))),
        Value::Object(inner) => {
            let parts: Vec<_> = inner.iter().filter_map(other).collect();
            (!parts.is_empty()).then(|| format!("{key}: {}", parts.join(", ")))
        }
        value => Some(format!("{key} {}", short(value))),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::fixtures::{answer, object};
    use super::*;

    #[test]
    fn rules_account_and_notes_are_a_line_each() {
        let expected = [
            "rules: window 7d · sessions.timeout 30m",
            "31,106 records: 31,105 used, 0 filtered, 1 duplicate, 0 rejected · 600 visitors · 3,605 sessions",
            "note: the step purchase occurs nowhere",
        ];
        assert_eq!(lines(&answer(vec![])), expected);
    }

    #[test]
    fn nothing_to_say_is_no_line() {
        let mut answer = answer(vec![]);
        (answer.rules, answer.account, answer.notes) = (Map::new(), Map::new(), vec![]);
        assert_eq!(lines(&answer), Vec::<String>::new());
    }

    #[test]
    fn lists_flags_and_hostile_values_are_shown() {
        let given = object(json!({ "by": ["device", "source"], "count": 3, "strict": false, "where": "a\u{1b}[2J" }));
        let mut answer = answer(vec![]);
        answer.rules = given;
        assert_eq!(lines(&answer)[0], r"rules: by device, source · count 3 · strict false · where a\u{1b}[2J");
    }

    #[test]
    fn an_account_shows_what_else_happened() {
        let given = json!({
            "records": 1, "events_read": 2000, "used": 2000, "nulled": { "value": 1200, "page": 0 }, "visitors": 1,
            "set_aside": 7, "unknown": 0,
        });
        let expected = "1 record with 2,000 events: 2,000 used · 1 visitor · nulled: value 1,200 · set aside 7";
        assert_eq!(account(&object(given)).as_deref(), Some(expected));
    }
}
