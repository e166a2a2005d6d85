//! What abandonment answers.

use serde_json::{Map, Value, json};

use super::counts::{Fate, PartCounts};
use crate::rates::rate;
use crate::reports::{Cell, Report, Table};

/// A key and its value.
type Field = (&'static str, Cell);

/// What the table has of sessions and of visitors; the fields that one of them lacks are null there.
const COLUMNS: [&str; 11] = [
    "started",
    "completed",
    "abandoned",
    "never_purchased",
    "rate",
    "recovered",
    "recovered_share",
    "too_recent",
    "lost",
    "lost_share",
    "value_left",
];

/// Abandonment of carts and of checkouts.
pub struct AbandonmentReport {
    pub cart: PartReport,
    pub checkout: PartReport,
}

/// Abandonment of one of the two.
pub struct PartReport {
    sessions: Vec<Field>,
    visitors: Vec<Field>,
    /// How many of the abandoned sessions came that far and no further.
    stages: Vec<(String, u64)>,
}

impl PartReport {
    pub(super) fn new(counts: PartCounts, stages: &[String]) -> Self {
        let of = |fate: Fate| counts.fates[fate as usize];
        let (completed, recovered, too_recent, lost) =
            (of(Fate::Completed), of(Fate::Recovered), of(Fate::TooRecent), of(Fate::Lost));
        let abandoned = recovered + too_recent + lost;
        let started = completed + abandoned;
        let visitors = &counts.visitors;
        PartReport {
            sessions: vec![
                ("started", Cell::Count(started)),
                ("completed", Cell::Count(completed)),
                ("abandoned", Cell::Count(abandoned)),
                ("rate", share(abandoned, started)),
                ("recovered", Cell::Count(recovered)),
                ("too_recent", Cell::Count(too_recent)),
                ("lost", Cell::Count(lost)),
                ("recovered_share", share(recovered, recovered + lost)),
                ("lost_share", share(lost, recovered + lost)),
                ("value_left", counts.value_left.map_or(Cell::Null, Cell::Money)),
            ],
            visitors: vec![
                ("started", Cell::Count(visitors.started)),
                ("abandoned", Cell::Count(visitors.abandoned)),
                ("recovered", Cell::Count(visitors.recovered)),
                ("never_purchased", Cell::Count(visitors.never_purchased)),
                ("rate", share(visitors.never_purchased, visitors.started)),
            ],
            stages: stages.iter().cloned().zip(counts.stages).collect(),
        }
    }

    fn json(&self) -> Value {
        let mut sessions = object(&self.sessions);
        let stage = |(stage, sessions): &(String, u64)| json!({ "stage": stage, "sessions": sessions });
        sessions.insert("stages".to_owned(), self.stages.iter().map(stage).collect());
        json!({ "sessions": sessions, "visitors": object(&self.visitors) })
    }
}

impl AbandonmentReport {
    fn parts(&self) -> [(&'static str, &PartReport); 2] {
        [("cart", &self.cart), ("checkout", &self.checkout)]
    }
}

impl Report for AbandonmentReport {
    fn title(&self) -> String {
        "Cart and checkout abandonment".to_owned()
    }

    fn tables(&self) -> Vec<Table> {
        let text = |text: &str| Cell::Text(text.to_owned());
        let row = |part: &str, grain: &str, fields: &[Field]| {
            let value =
                |column| fields.iter().find(|(key, _)| *key == column).map_or(Cell::Null, |(_, cell)| cell.clone());
            [text(part), text(grain)].into_iter().chain(COLUMNS.map(value)).collect()
        };
        let grains = |(name, part): (&str, &PartReport)| {
            [row(name, "session", &part.sessions), row(name, "visitor", &part.visitors)]
        };
        let stages = |(name, part): (&'static str, &PartReport)| -> Vec<Vec<Cell>> {
            let row = |(stage, sessions): &(String, u64)| vec![text(name), text(stage), Cell::Count(*sessions)];
            part.stages.iter().map(row).collect()
        };
        let columns = ["part", "grain"].into_iter().chain(COLUMNS).map(str::to_owned).collect();
        vec![
            Table { name: "abandonment", columns, rows: self.parts().into_iter().flat_map(grains).collect() },
            Table {
                name: "stages",
                columns: ["part", "stage", "sessions"].map(str::to_owned).to_vec(),
                rows: self.parts().into_iter().flat_map(stages).collect(),
            },
        ]
    }

    fn json(&self) -> Value {
        self.parts().into_iter().map(|(name, part)| (name.to_owned(), part.json())).collect()
    }
}

/// `part` of `whole` as a cell.
fn share(part: u64, whole: u64) -> Cell {
    Cell::rate(rate(part, whole))
}

fn object(fields: &[Field]) -> Map<String, Value> {
    fields.iter().map(|(key, cell)| ((*key).to_owned(), cell.json())).collect()
}
