//! Answers to test formats with.

use std::io::Write;
use std::sync::{Arc, Mutex};

use arrow_array::builder::{ListBuilder, StringBuilder};
use arrow_array::{ArrayRef, BooleanArray, Float64Array, RecordBatch, StringArray, UInt32Array, UInt64Array};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use serde_json::{Map, Value, json};

use super::drawing::Drawing;
use super::{Answer, Cell, Format, Options, Report, Table};

struct Fixture(Vec<Table>, Option<Drawing>);

impl Report for Fixture {
    fn title(&self) -> String {
        "Funnel: view_item > purchase".to_owned()
    }

    fn tables(&self) -> Vec<Table> {
        self.0.clone()
    }

    fn drawing(&self) -> Option<Drawing> {
        self.1.clone()
    }

    fn json(&self) -> Value {
        json!({ "steps": [{ "step": "view_item", "of_first": 1.0, "time_s": f64::NAN }], "never_entered": 2 })
    }
}

pub fn table(name: &'static str, columns: &[&str], rows: Vec<Vec<Cell>>) -> Table {
    Table { name, columns: columns.iter().map(ToString::to_string).collect(), rows }
}

pub fn text(text: &str) -> Cell {
    Cell::Text(text.to_owned())
}

/// A table with a value of every kind, and with nulls.
pub fn every_kind() -> Table {
    let full = vec![
        text("view_item"),
        Cell::Count(31_106),
        Cell::Rate(1.0),
        Cell::Seconds(161.25),
        Cell::Number(-3.5),
        Cell::Money(-1_234_500_000),
        Cell::Time(1_710_325_274_000_000),
    ];
    let mut empty = vec![text("purchase"), Cell::Count(0), Cell::Rate(f64::NAN)];
    empty.resize(full.len(), Cell::Null);
    table("steps", &["step", "entered", "of_first", "time_s", "lift", "value", "at"], vec![full, empty])
}

/// Names that strangers might type to break out of whatever they are written into.
pub fn hostile_names() -> Vec<String> {
    let names = [
        "",
        " ",
        "plain",
        "say \"hi\"",
        "\"; evil [label=\"x\"]; \"",
        "\\\"; evil [label=\"x\"]; \"",
        "\"] n999 [label=\"",
        "C:\\new\\table\\",
        "\\",
        "\\N \\G \\l",
        "a|b\\|c",
        "two\nlines\r\n  click n0 href \"javascript:alert(1)\"",
        "--> b",
        "]]>",
        "-->|x| n999",
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        "</text><a href='javascript:alert(1)'>",
        "&lt;b&gt; &amp; &#60;i&#62; &copy;",
        "#quot; #60;script#62; #9829;",
        "`**bold**` _it_ ~x~ $y$",
        "![x](https://evil.example) www.evil.example @team #1",
        "%%{init: {'theme': 'dark'}}%%",
        "style n0 fill:#f00;",
        "classDef x fill:#f00;",
        "end",
        "subgraph",
        "click n0 call alert()",
        "accTitle: x",
        "---",
        "*/ // # /*",
        "gpj.\u{202e}exe",
        "zero\u{200b}width\u{feff}",
        "\u{1b}[2J\u{7}\u{0}\t",
        "\u{fb02}\u{b0}\u{b0}60\u{b6}\u{df}",
        "日本語 नमस्ते עברית ❤️ Größe",
        "=cmd|' /C calc'!A0",
    ];
    names.iter().map(ToString::to_string).chain(["x\"".repeat(5_000)]).collect()
}

/// An answer that can be drawn.
pub fn drawn(name: &str, drawing: Drawing) -> Answer {
    Answer { name: name.to_owned(), report: Box::new(Fixture(vec![], Some(drawing))), ..answer(vec![]) }
}

/// An answer called `checkout` with these tables.
pub fn answer(tables: Vec<Table>) -> Answer {
    Answer {
        schema: "clickpath.funnel/1".to_owned(),
        name: "checkout".to_owned(),
        rules: object(json!({ "window": "7d", "by": [], "entry": null, "sessions": { "timeout": "30m" } })),
        account: object(json!({
            "records": 31106, "events_read": 31106, "used": 31105, "filtered": 0, "duplicates": 1, "rejected": 0,
            "nulled": {}, "visitors": 600, "sessions": 3605,
        })),
        notes: vec!["the step purchase occurs nowhere".to_owned()],
        report: Box::new(Fixture(tables, None)),
    }
}

pub fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        other => panic!("not an object: {other}"),
    }
}

/// Visitor, number, events, seconds, bounce, path.
type Row<'a> = (&'a str, u32, Option<u64>, f64, bool, &'a [&'a str]);

/// Rows of journeys in two batches.
pub fn rows() -> (SchemaRef, Vec<RecordBatch>) {
    let item = Arc::new(Field::new("item", DataType::Utf8, false));
    let schema: SchemaRef = Arc::new(Schema::new(vec![
        Field::new("visitor", DataType::Utf8, false),
        Field::new("number", DataType::UInt32, false),
        Field::new("events", DataType::UInt64, true),
        Field::new("duration_s", DataType::Float64, false),
        Field::new("bounce", DataType::Boolean, false),
        Field::new("path", DataType::List(item.clone()), false),
    ]));
    let batch = |rows: &[Row<'_>]| {
        let mut paths = ListBuilder::new(StringBuilder::new()).with_field(item.clone());
        rows.iter().for_each(|row| paths.append_value(row.5.iter().map(|name| Some(*name))));
        let columns: Vec<ArrayRef> = vec![
            Arc::new(StringArray::from_iter_values(rows.iter().map(|row| row.0))),
            Arc::new(UInt32Array::from_iter_values(rows.iter().map(|row| row.1))),
            Arc::new(rows.iter().map(|row| row.2).collect::<UInt64Array>()),
            Arc::new(Float64Array::from_iter_values(rows.iter().map(|row| row.3))),
            Arc::new(rows.iter().map(|row| Some(row.4)).collect::<BooleanArray>()),
            Arc::new(paths.finish()),
        ];
        RecordBatch::try_new(schema.clone(), columns).unwrap()
    };
    let first = batch(&[("a", 1, Some(7), 161.5, true, &["home", "x\n\u{202e}"]), ("=b", 2, None, 0.0, false, &[])]);
    let second = batch(&[("c", 3, Some(9), 1.0, false, &["home"])]);
    (schema, vec![first, second])
}

/// Bytes that a writer has written to and that can still be looked at.
#[derive(Clone, Default)]
pub struct SharedBytes(Arc<Mutex<Vec<u8>>>);

impl SharedBytes {
    pub fn bytes(&self) -> Vec<u8> {
        self.0.lock().unwrap().clone()
    }
}

impl Write for SharedBytes {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// What `format` writes of [`rows`] as text.
pub fn written_rows(format: &dyn Format, options: &Options) -> String {
    let (schema, batches) = rows();
    let out = SharedBytes::default();
    let mut writer = format.rows(&schema, Box::new(out.clone()), options).unwrap();
    batches.iter().for_each(|batch| writer.write(batch).unwrap());
    writer.finish(&answer(vec![])).unwrap();
    String::from_utf8(out.bytes()).unwrap()
}
