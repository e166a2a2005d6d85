//! Answers for programs: one envelope for each, as INTERFACE promises.

use std::io::{self, Write};

use serde::Serialize;
use serde_json::ser::{CompactFormatter, Formatter, PrettyFormatter};
use serde_json::{Map, Serializer, Value};

use super::text::is_hidden;
use super::{Answer, Cell, Format, Options, number};
use crate::error::{Error, Result};

/// One envelope; several answers stand together in one document.
pub struct Json;

impl Format for Json {
    fn name(&self) -> &'static str {
        "json"
    }

    fn suffixes(&self) -> &'static [&'static str] {
        &["json"]
    }

    fn holds_notes(&self) -> bool {
        true
    }

    fn render(&self, answers: &[Answer], _options: &Options) -> Result<Vec<u8>> {
        match answers {
            [answer] => document(&Envelope::from(answer)),
            answers => {
                let answers = answers.iter().map(Envelope::from).collect();
                document(&Collection { schema: "clickpath.report/1", answers })
            }
        }
    }
}

/// An answer in the key order of the contract.
#[derive(Serialize)]
pub(super) struct Envelope<'a> {
    schema: &'a str,
    name: &'a str,
    rules: &'a Map<String, Value>,
    account: &'a Map<String, Value>,
    notes: &'a [String],
    report: Value,
}

impl<'a> From<&'a Answer> for Envelope<'a> {
    fn from(answer: &'a Answer) -> Self {
        let Answer { schema, name, rules, account, notes, report } = answer;
        Envelope { schema, name, rules, account, notes, report: report.json() }
    }
}

/// The answers of a run with more, or less, than one.
#[derive(Serialize)]
struct Collection<'a> {
    schema: &'static str,
    answers: Vec<Envelope<'a>>,
}

impl Cell {
    /// The value as it stands in JSON: rates as fractions, durations in seconds, money in the unit of the input, times
    /// in RFC 3339, and null for all that has no value.
    pub fn json(&self) -> Value {
        match self {
            Cell::Null => Value::Null,
            Cell::Text(text) => Value::from(text.as_str()),
            Cell::Count(value) => Value::from(*value),
            Cell::Integer(value) => Value::from(*value),
            Cell::Rate(value) | Cell::Seconds(value) | Cell::Number(value) => Value::from(*value),
            // By way of the exact text, which rounds once where a division would round twice.
            Cell::Money(millionths) => Value::from(number::money(*millionths).parse::<f64>().ok()),
            Cell::Time(micros) => Value::from(number::time(*micros)),
        }
    }
}

/// `value` as a pretty-printed document that ends in a newline, in the way that all of ours are written.
pub fn document(value: &impl Serialize) -> Result<Vec<u8>> {
    written(value, PrettyFormatter::new())
}

/// `value` as one line that ends in a newline, with the same numbers and texts as in a [`document`].
pub(super) fn line(value: &impl Serialize) -> Result<Vec<u8>> {
    written(value, CompactFormatter)
}

fn written(value: &impl Serialize, layout: impl Formatter) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut serializer = Serializer::with_formatter(&mut bytes, Stable(layout));
    value.serialize(&mut serializer).map_err(|error| Error::bug(format!("an answer is no JSON: {error}")))?;
    bytes.push(b'\n');
    Ok(bytes)
}

/// JSON in the layout of `F` with our numbers, and with hidden characters escaped: the values are the same, and nothing
/// happens to a terminal that shows them.
struct Stable<F>(F);

impl<F: Formatter> Formatter for Stable<F> {
    fn write_f64<W: ?Sized + Write>(&mut self, writer: &mut W, value: f64) -> io::Result<()> {
        let text = number::float(value);
        writer.write_all(text.as_deref().unwrap_or("null").as_bytes())
    }

    fn write_string_fragment<W: ?Sized + Write>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        let mut rest = fragment;
        while let Some((at, hidden)) = rest.char_indices().find(|(_, character)| is_hidden(*character)) {
            writer.write_all(&rest.as_bytes()[..at])?;
            for unit in hidden.encode_utf16(&mut [0; 2]) {
                write!(writer, "\\u{unit:04x}")?;
            }
            rest = &rest[at + hidden.len_utf8()..];
        }
        writer.write_all(rest.as_bytes())
    }

    fn begin_array<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_array(writer)
    }

    fn end_array<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_array(writer)
    }

    fn begin_array_value<W: ?Sized + Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        self.0.begin_array_value(writer, first)
    }

    fn end_array_value<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_array_value(writer)
    }

    fn begin_object<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_object(writer)
    }

    fn end_object<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_object(writer)
    }

    fn begin_object_key<W: ?Sized + Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        self.0.begin_object_key(writer, first)
    }

    fn begin_object_value<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_object_value(writer)
    }

    fn end_object_value<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_object_value(writer)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::fixtures::answer;
    use super::*;

    fn rendered(answers: &[Answer]) -> String {
        String::from_utf8(Json.render(answers, &Options::default()).unwrap()).unwrap()
    }

    #[test]
    fn one_answer_is_one_envelope() {
        let expected = r#"{
  "schema": "clickpath.funnel/1",
  "name": "checkout",
  "rules": {
    "window": "7d",
    "by": [],
    "entry": null,
    "sessions": {
      "timeout": "30m"
    }
  },
  "account": {
    "records": 31106,
    "events_read": 31106,
    "used": 31105,
    "filtered": 0,
    "duplicates": 1,
    "rejected": 0,
    "nulled": {},
    "visitors": 600,
    "sessions": 3605
  },
  "notes": [
    "the step purchase occurs nowhere"
  ],
  "report": {
    "steps": [
      {
        "step": "view_item",
        "of_first": 1.0,
        "time_s": null
      }
    ],
    "never_entered": 2
  }
}
"#;
        assert_eq!(rendered(&[answer(vec![])]), expected);
    }

    #[test]
    fn several_answers_are_one_document() {
        let one: Value = serde_json::from_str(&rendered(&[answer(vec![])])).unwrap();
        let two: Value = serde_json::from_str(&rendered(&[answer(vec![]), answer(vec![])])).unwrap();
        assert_eq!(two, json!({ "schema": "clickpath.report/1", "answers": [one, one] }));
        assert_eq!(rendered(&[]), "{\n  \"schema\": \"clickpath.report/1\",\n  \"answers\": []\n}\n");
    }

    #[test]
    fn numbers_are_written_in_our_way() {
        let value = json!([1e-7, 1e21, -0.0, 0.1, 7, u64::MAX]);
        let text = String::from_utf8(document(&value).unwrap()).unwrap();
        let expected = "[0.0000001,1000000000000000000000.0,0.0,0.1,7,18446744073709551615]";
        assert_eq!(text.replace([' ', '\n'], ""), expected);
        assert_eq!(document(&f64::NAN).unwrap(), b"null\n");
    }

    #[test]
    fn hidden_characters_are_escaped_and_stay_the_same() {
        let hostile = "\u{1b}[2J\u{7f}\u{9b}é\u{202e}\"\\\n\u{e0041}日\u{200b}";
        let text = String::from_utf8(document(&hostile).unwrap()).unwrap();
        assert_eq!(text, "\"\\u001b[2J\\u007f\\u009bé\\u202e\\\"\\\\\\n\\udb40\\udc41日\\u200b\"\n");
        assert_eq!(serde_json::from_str::<String>(&text).unwrap(), hostile);
    }

    #[test]
    fn cells_become_values() {
        let cases = [
            (Cell::Null, json!(null)),
            (Cell::Text("a".into()), json!("a")),
            (Cell::Count(3), json!(3)),
            (Cell::Integer(-3), json!(-3)),
            (Cell::Rate(0.5), json!(0.5)),
            (Cell::Number(f64::INFINITY), json!(null)),
            (Cell::Money(-19_990_000), json!(-19.99)),
            (Cell::Time(0), json!("1970-01-01T00:00:00Z")),
            (Cell::Time(i64::MAX), json!(null)),
        ];
        for (cell, value) in cases {
            assert_eq!(cell.json(), value);
        }
    }

    #[test]
    fn a_job_writes_one_file() {
        let files = Json.files(&answer(vec![]), &Options::default()).unwrap();
        assert_eq!(files.iter().map(|file| file.name.as_str()).collect::<Vec<_>>(), ["checkout.json"]);
    }
}
