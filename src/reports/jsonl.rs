//! JSON Lines: one value per line, for tools that read a line at a time.
//!
//! One answer is one tidy table, as in CSV: a line per row, an object with a key per column. Several answers have no table
//! in common: each is one line, the same envelope as in JSON.

use std::io::Write;

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use serde_json::{Map, Value};

use super::json::{Envelope, line};
use super::rows::{TextRows, value};
use super::{Answer, Format, Options, OutputFile, RowWriter, Table, only_table, table_files};
use crate::error::Result;

/// The rows of one table, or one envelope for each of several answers.
pub struct JsonLines;

impl Format for JsonLines {
    fn name(&self) -> &'static str {
        "jsonl"
    }

    fn suffixes(&self) -> &'static [&'static str] {
        &["jsonl", "ndjson"]
    }

    fn render(&self, answers: &[Answer], options: &Options) -> Result<Vec<u8>> {
        if answers.len() == 1 || options.table.is_some() {
            return rows(&only_table(self, answers, options)?);
        }
        let lines: Result<Vec<_>> = answers.iter().map(|answer| line(&Envelope::from(answer))).collect();
        Ok(lines?.concat())
    }

    fn files(&self, answer: &Answer, _options: &Options) -> Result<Vec<OutputFile>> {
        table_files(self, answer, rows)
    }

    fn holds_rows(&self) -> bool {
        true
    }

    fn rows(&self, schema: &SchemaRef, out: Box<dyn Write + Send>, _options: &Options) -> Result<Box<dyn RowWriter>> {
        let names: Vec<String> = schema.fields().iter().map(|field| field.name().clone()).collect();
        let row = move |rows: &RecordBatch, row: usize, out: &mut Vec<u8>| {
            let fields = names.iter().cloned().zip(rows.columns().iter().map(|column| value(column, row)));
            out.extend(line(&Value::Object(fields.collect()))?);
            Ok(())
        };
        Ok(Box::new(TextRows::new(out, b"", row)?))
    }
}

fn rows(table: &Table) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    for row in &table.rows {
        let fields = table.columns.iter().zip(row).map(|(column, cell)| (column.clone(), cell.json()));
        bytes.extend(line(&Value::Object(fields.collect::<Map<_, _>>()))?);
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::{answer, every_kind, table, text, written_rows};
    use super::*;

    fn rendered(answers: &[Answer], options: &Options) -> String {
        String::from_utf8(JsonLines.render(answers, options).unwrap()).unwrap()
    }

    #[test]
    fn one_answer_is_a_line_per_row() {
        let expected = "\
{\"step\":\"view_item\",\"entered\":31106,\"of_first\":1.0,\"time_s\":161.25,\"lift\":-3.5,\"value\":-1234.5,\
\"at\":\"2024-03-13T10:21:14Z\"}
{\"step\":\"purchase\",\"entered\":0,\"of_first\":null,\"time_s\":null,\"lift\":null,\"value\":null,\"at\":null}
";
        assert_eq!(rendered(&[answer(vec![every_kind()])], &Options::default()), expected);
        assert_eq!(rendered(&[answer(vec![table("steps", &["a"], vec![])])], &Options::default()), "");
    }

    #[test]
    fn several_answers_are_an_envelope_per_line() {
        let two = [answer(vec![every_kind()]), answer(vec![])];
        let lines = rendered(&two, &Options::default());
        let lines: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let envelope: Value =
            serde_json::from_slice(&super::super::json::document(&Envelope::from(&two[0])).unwrap()).unwrap();
        assert_eq!(lines, [envelope.clone(), envelope]);
        assert_eq!(rendered(&[], &Options::default()), "");
    }

    #[test]
    fn a_table_of_several_answers_is_refused() {
        let options = Options { table: Some("steps".into()), ..Options::default() };
        let error = JsonLines.render(&[answer(vec![]), answer(vec![])], &options).unwrap_err();
        assert_eq!(error.to_string(), "jsonl holds one table, and there are 2 answers");
    }

    #[test]
    fn a_hostile_name_stays_in_its_line() {
        let rows = vec![vec![text("two\nlines\u{2028}\u{1b}[2J\"\u{202e}")]];
        let lines = rendered(&[answer(vec![table("names", &["na\nme"], rows)])], &Options::default());
        assert_eq!(lines, "{\"na\\nme\":\"two\\nlines\\u2028\\u001b[2J\\\"\\u202e\"}\n");
    }

    #[test]
    fn a_job_writes_each_table_to_its_own_file() {
        let answer = answer(vec![table("steps", &["a"], vec![vec![text("x")]]), table("links", &["b"], vec![])]);
        let files = JsonLines.files(&answer, &Options::default()).unwrap();
        let file = |name: &str, bytes: &[u8]| OutputFile { name: name.into(), bytes: bytes.into() };
        assert_eq!(files, [file("checkout.steps.jsonl", b"{\"a\":\"x\"}\n"), file("checkout.links.jsonl", b"")]);
    }

    #[test]
    fn rows_are_a_line_each() {
        let expected = r#"{"visitor":"a","number":1,"events":7,"duration_s":161.5,"bounce":true,"path":["home","x\n\u202e"]}
{"visitor":"=b","number":2,"events":null,"duration_s":0.0,"bounce":false,"path":[]}
{"visitor":"c","number":3,"events":9,"duration_s":1.0,"bounce":false,"path":["home"]}
"#;
        assert_eq!(written_rows(&JsonLines, &Options::default()), expected);
    }
}
