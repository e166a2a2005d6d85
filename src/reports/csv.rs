//! One tidy table as RFC 4180 text, with `\n` at the end of each line.

use std::borrow::Cow;
use std::io::Write;

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use serde_json::Value;

use super::rows::{TextRows, value};
use super::text::is_hidden;
use super::{Answer, Cell, Format, Options, OutputFile, RowWriter, Table, number, only_table, table_files};
use crate::error::Result;

/// Characters at the start of a text that make a spreadsheet run it as a formula; wide ones do so in East Asian versions.
const FORMULA_STARTS: [char; 8] = ['=', '+', '-', '@', '＝', '＋', '－', '＠'];

/// White space at the start of a text that some spreadsheets drop before they look.
const DROPPED_STARTS: [char; 3] = ['\t', '\r', '\n'];

/// The report's first table, or the one asked for.
pub struct Csv;

impl Format for Csv {
    fn name(&self) -> &'static str {
        "csv"
    }

    fn suffixes(&self) -> &'static [&'static str] {
        &["csv"]
    }

    fn render(&self, answers: &[Answer], options: &Options) -> Result<Vec<u8>> {
        let table = only_table(self, answers, options)?;
        Ok(text_of(&table, options.csv_raw).into_bytes())
    }

    fn files(&self, answer: &Answer, options: &Options) -> Result<Vec<OutputFile>> {
        table_files(self, answer, |table| Ok(text_of(table, options.csv_raw).into_bytes()))
    }

    fn holds_rows(&self) -> bool {
        true
    }

    /// Lists are written as JSON.
    fn rows(&self, schema: &SchemaRef, out: Box<dyn Write + Send>, options: &Options) -> Result<Box<dyn RowWriter>> {
        let raw = options.csv_raw;
        let mut head = String::new();
        push_line(&mut head, schema.fields().iter().map(|field| text_field(field.name(), raw)));
        let line = move |rows: &RecordBatch, row: usize, out: &mut Vec<u8>| {
            let mut text = String::new();
            push_line(&mut text, rows.columns().iter().map(|column| row_field(&value(column, row), raw)));
            out.extend_from_slice(text.as_bytes());
            Ok(())
        };
        Ok(Box::new(TextRows::new(out, head.as_bytes(), line)?))
    }
}

/// A value of a row as data.
fn row_field(value: &Value, raw: bool) -> Cow<'static, str> {
    match value {
        Value::Null => Cow::Borrowed(""),
        Value::String(text) => Cow::Owned(text_field(text, raw).into_owned()),
        Value::Number(number) if number.is_f64() => {
            Cow::Owned(number.as_f64().and_then(number::float).unwrap_or_default())
        }
        Value::Array(_) | Value::Object(_) => Cow::Owned(text_field(&value.to_string(), raw).into_owned()),
        other => Cow::Owned(other.to_string()),
    }
}

fn text_of(table: &Table, raw: bool) -> String {
    let mut text = String::new();
    push_line(&mut text, table.columns.iter().map(|column| text_field(column, raw)));
    for row in &table.rows {
        push_line(&mut text, row.iter().map(|cell| field(cell, raw)));
    }
    text
}

fn push_line<'a>(text: &mut String, fields: impl Iterator<Item = Cow<'a, str>>) {
    let start = text.len();
    for (place, field) in fields.enumerate() {
        if place > 0 {
            text.push(',');
        }
        text.push_str(&field);
    }
    // Many readers skip an empty line, and with it a row of one null.
    if text.len() == start {
        text.push_str("\"\"");
    }
    text.push('\n');
}

/// A value as data. Null is empty; an empty text is `""`.
fn field(cell: &Cell, raw: bool) -> Cow<'_, str> {
    match cell {
        Cell::Null => Cow::Borrowed(""),
        Cell::Text(text) => text_field(text, raw),
        Cell::Count(value) => value.to_string().into(),
        Cell::Integer(value) => value.to_string().into(),
        Cell::Rate(value) | Cell::Seconds(value) | Cell::Number(value) => {
            number::float(*value).unwrap_or_default().into()
        }
        Cell::Money(millionths) => number::money(*millionths).into(),
        Cell::Time(micros) => number::time(*micros).unwrap_or_default().into(),
    }
}

fn text_field(text: &str, raw: bool) -> Cow<'_, str> {
    // A byte order mark, for one, is gone before the spreadsheet looks.
    let seen = text.trim_start_matches(is_hidden);
    let is_formula = seen.starts_with(FORMULA_STARTS) || text.starts_with(DROPPED_STARTS);
    let guarded = if is_formula && !raw { Cow::Owned(format!("'{text}")) } else { Cow::Borrowed(text) };
    if guarded.is_empty() || guarded.contains([',', '"', '\n', '\r']) {
        return Cow::Owned(format!("\"{}\"", guarded.replace('"', "\"\"")));
    }
    guarded
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::{answer, table, text, written_rows};
    use super::*;

    fn rendered(table: Table, options: &Options) -> String {
        String::from_utf8(Csv.render(&[answer(vec![table])], options).unwrap()).unwrap()
    }

    #[test]
    fn every_kind_of_value_is_written_as_data() {
        let rows = vec![
            vec![
                text("view_item"),
                Cell::Count(31_106),
                Cell::Integer(-2),
                Cell::Rate(1.0),
                Cell::Seconds(161.25),
                Cell::Number(-3.5),
                Cell::Money(-1_234_500_000),
                Cell::Time(1_710_325_274_000_000),
            ],
            vec![
                text("purchase"),
                Cell::Count(0),
                Cell::Integer(0),
                Cell::Rate(f64::NAN),
                Cell::Null,
                Cell::Null,
                Cell::Null,
                Cell::Null,
            ],
        ];
        let steps = table("steps", &["step", "entered", "position", "of_first", "time_s", "lift", "value", "at"], rows);
        let expected = "\
step,entered,position,of_first,time_s,lift,value,at
view_item,31106,-2,1.0,161.25,-3.5,-1234.5,2024-03-13T10:21:14Z
purchase,0,0,,,,,
";
        assert_eq!(rendered(steps, &Options::default()), expected);
    }

    #[test]
    fn text_is_quoted_where_it_must_be() {
        let names = ["plain", "a,b", "say \"hi\"", "two\nlines", "a\rb", "", " space ", "日本語"];
        let rows = names.iter().map(|name| vec![text(name), Cell::Count(1)]).collect();
        let expected = "name,n\nplain,1\n\"a,b\",1\n\"say \"\"hi\"\"\",1\n\"two\nlines\",1\n\"a\rb\",1\n\
            \"\",1\n space ,1\n日本語,1\n";
        assert_eq!(rendered(table("names", &["name", "n"], rows), &Options::default()), expected);
    }

    #[test]
    fn formulas_are_disarmed_unless_raw_is_asked_for() {
        let names = ["=1+1", "+1", "-1", "@sum(a,b)", "\tx", "\rx", "\u{feff}=1", "＝1", "a=1", "'=1"];
        let formulas = || table("names", &["=name"], names.iter().map(|name| vec![text(name)]).collect());
        let safe = "'=name\n'=1+1\n'+1\n'-1\n\"'@sum(a,b)\"\n'\tx\n\"'\rx\"\n'\u{feff}=1\n'＝1\na=1\n'=1\n";
        assert_eq!(rendered(formulas(), &Options::default()), safe);
        let raw = "=name\n=1+1\n+1\n-1\n\"@sum(a,b)\"\n\tx\n\"\rx\"\n\u{feff}=1\n＝1\na=1\n'=1\n";
        assert_eq!(rendered(formulas(), &Options { csv_raw: true, ..Options::default() }), raw);
    }

    #[test]
    fn an_empty_table_is_its_header_and_a_lone_null_is_a_row() {
        assert_eq!(rendered(table("steps", &["a", "b"], vec![]), &Options::default()), "a,b\n");
        assert_eq!(rendered(table("steps", &["a"], vec![vec![Cell::Null]]), &Options::default()), "a\n\"\"\n");
    }

    #[test]
    fn the_first_table_is_written_unless_another_is_asked_for() {
        let two = [answer(vec![table("steps", &["a"], vec![]), table("links", &["b"], vec![])])];
        assert_eq!(Csv.render(&two, &Options::default()).unwrap(), b"a\n");
        let options = Options { table: Some("links".into()), ..Options::default() };
        assert_eq!(Csv.render(&two, &options).unwrap(), b"b\n");
    }

    #[test]
    fn what_does_not_fit_into_one_table_is_refused() {
        let error = Csv.render(&[answer(vec![]), answer(vec![])], &Options::default()).unwrap_err();
        assert_eq!(error.to_string(), "csv holds one table, and there are 2 answers");
        let hint = "write them as json, or ask them in a job, where each table becomes its own file";
        assert_eq!(error.advice(), Some(hint));
        let error = Csv.render(&[answer(vec![])], &Options::default()).unwrap_err();
        assert_eq!(error.to_string(), "checkout has no table to write as csv");
    }

    #[test]
    fn a_job_writes_each_table_to_its_own_file() {
        let answer = answer(vec![table("steps", &["a"], vec![]), table("links", &["b"], vec![])]);
        let options = Options { table: Some("links".into()), ..Options::default() };
        let files = Csv.files(&answer, &options).unwrap();
        let file = |name: &str, bytes: &[u8]| OutputFile { name: name.into(), bytes: bytes.into() };
        assert_eq!(files, [file("checkout.steps.csv", b"a\n"), file("checkout.links.csv", b"b\n")]);
    }

    #[test]
    fn rows_are_a_line_each() {
        let expected = "visitor,number,events,duration_s,bounce,path\n\
            a,1,7,161.5,true,\"[\"\"home\"\",\"\"x\\n\u{202e}\"\"]\"\n\
            '=b,2,,0.0,false,[]\nc,3,9,1.0,false,\"[\"\"home\"\"]\"\n";
        assert_eq!(written_rows(&Csv, &Options::default()), expected);
    }
}
