//! Answers to test formats with.

use serde_json::{Map, Value, json};

use super::{Answer, Cell, Report, Table};

struct Fixture(Vec<Table>);

impl Report for Fixture {
    fn title(&self) -> String {
        "Funnel: view_item > purchase".to_owned()
    }

    fn tables(&self) -> Vec<Table> {
        self.0.clone()
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
        report: Box::new(Fixture(tables)),
    }
}

pub fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        other => panic!("not an object: {other}"),
    }
}
