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
#[derive(Clone, Debug, PartialEq)]
pub struct AbandonmentReport {
    /// Of sessions and visitors that put something into a cart.
    pub cart: PartReport,
    /// Of sessions and visitors that start a checkout.
    pub checkout: PartReport,
}

/// Abandonment of one of the two.
#[derive(Clone, Debug, PartialEq)]
pub struct PartReport {
    /// What became of each session that started it.
    pub sessions: SessionsReport,
    /// What became of each visitor that started it in some session.
    pub visitors: VisitorsReport,
    /// How many of the abandoned sessions came that far and no further.
    pub stages: Vec<(String, u64)>,
}

/// Sessions that start a cart or checkout.
#[derive(Clone, Debug, PartialEq)]
pub struct SessionsReport {
    /// Sessions that start it: `completed + abandoned`.
    pub started: u64,
    /// Sessions with a purchase that completes it, by the purchase rule.
    pub completed: u64,
    /// `recovered + too_recent + lost`.
    pub abandoned: u64,
    /// Abandoned of started.
    pub rate: Option<f64>,
    /// Abandoned, but a later session of the visitor that starts in time has a purchase.
    pub recovered: u64,
    /// The log ends before it could be recovered: in neither share.
    pub too_recent: u64,
    /// Abandoned and not recovered, although the log goes on long enough.
    pub lost: u64,
    /// Of those recovered or lost.
    pub recovered_share: Option<f64>,
    /// Lost of those recovered or lost, as a fraction; `None` if there are none.
    pub lost_share: Option<f64>,
    /// In millionths of the unit of the log; `None` where the events carry no value.
    pub value_left: Option<i128>,
}

/// Visitors that start a cart or checkout.
#[derive(Clone, Debug, PartialEq)]
pub struct VisitorsReport {
    /// Visitors with a session that starts it.
    pub started: u64,
    /// With an abandoned session.
    pub abandoned: u64,
    /// With an abandoned session that was recovered.
    pub recovered: u64,
    /// Without a purchase that completes what was started, in their whole history.
    pub never_purchased: u64,
    /// Never purchased of started.
    pub rate: Option<f64>,
}

impl SessionsReport {
    fn fields(&self) -> [Field; 10] {
        [
            ("started", Cell::Count(self.started)),
            ("completed", Cell::Count(self.completed)),
            ("abandoned", Cell::Count(self.abandoned)),
            ("rate", Cell::rate(self.rate)),
            ("recovered", Cell::Count(self.recovered)),
            ("too_recent", Cell::Count(self.too_recent)),
            ("lost", Cell::Count(self.lost)),
            ("recovered_share", Cell::rate(self.recovered_share)),
            ("lost_share", Cell::rate(self.lost_share)),
            ("value_left", self.value_left.map_or(Cell::Null, Cell::Money)),
        ]
    }
}

impl VisitorsReport {
    fn fields(&self) -> [Field; 5] {
        [
            ("started", Cell::Count(self.started)),
            ("abandoned", Cell::Count(self.abandoned)),
            ("recovered", Cell::Count(self.recovered)),
            ("never_purchased", Cell::Count(self.never_purchased)),
            ("rate", Cell::rate(self.rate)),
        ]
    }
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
            sessions: SessionsReport {
                started,
                completed,
                abandoned,
                rate: rate(abandoned, started),
                recovered,
                too_recent,
                lost,
                recovered_share: rate(recovered, recovered + lost),
                lost_share: rate(lost, recovered + lost),
                value_left: counts.value_left,
            },
            visitors: VisitorsReport {
                started: visitors.started,
                abandoned: visitors.abandoned,
                recovered: visitors.recovered,
                never_purchased: visitors.never_purchased,
                rate: rate(visitors.never_purchased, visitors.started),
            },
            stages: stages.iter().cloned().zip(counts.stages).collect(),
        }
    }

    fn json(&self) -> Value {
        let mut sessions = object(&self.sessions.fields());
        let stage = |(stage, sessions): &(String, u64)| json!({ "stage": stage, "sessions": sessions });
        sessions.insert("stages".to_owned(), self.stages.iter().map(stage).collect());
        json!({ "sessions": sessions, "visitors": object(&self.visitors.fields()) })
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
            [row(name, "session", &part.sessions.fields()), row(name, "visitor", &part.visitors.fields())]
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

fn object(fields: &[Field]) -> Map<String, Value> {
    fields.iter().map(|(key, cell)| ((*key).to_owned(), cell.json())).collect()
}
