//! The slow answers against those of DuckDB on the sample log: two who do not know each other agree.

use std::sync::LazyLock;

use serde_json::{Value, json};

use super::assert_figures;
use super::oracle::dropoff::{Asked, dropoff};
use super::oracle::facts::{conversion, facts, first_device, split, wilson};
use super::oracle::paths::{View, matrix, matrix_around, paths};
use super::oracle::{self, Edge, Event, Repeats};
use crate::shop::answers;
use crate::support::shop_text;

/// The events of the sample log; the platform is the device.
static EVENTS: LazyLock<Vec<Event>> = LazyLock::new(|| {
    let text = shop_text();
    let event = |line: &str| {
        let fields: Vec<&str> = line.split(',').collect();
        let time = chrono::NaiveDateTime::parse_from_str(fields[3], "%Y-%m-%d %H:%M:%S").unwrap();
        Event {
            visitor: fields[0].into(),
            time: time.and_utc().timestamp_micros(),
            event: fields[2].into(),
            page: String::new(),
            device: fields[4].into(),
            value: None,
        }
    };
    text.lines().skip(1).map(event).collect()
});

fn sessions() -> Vec<Vec<Event>> {
    oracle::all_sessions(&EVENTS, super::logs::TIMEOUT, Edge::Exceeds)
}

fn view() -> View<'static> {
    View { node: &|event| Some(event.event.clone()), repeats: Repeats::First, hide: &[] }
}

/// Half of the last of the six decimals that the answers are rounded to.
fn near(found: f64, expected: &Value) -> bool {
    (found - expected.as_f64().unwrap()).abs() <= 0.51e-6
}

#[test]
fn paths_and_matrices_agree() {
    let (found, empty) = paths(&sessions(), &view());
    for (row, (path, of)) in answers("paths").iter().zip(&found) {
        let row = (row["path"].as_str().unwrap(), &row["count"], &row["visitors"]);
        assert_eq!(row, (path.join(" > ").as_str(), &json!(of.count), &json!(of.visitors)));
    }
    assert_eq!(answers("paths_total")[0], json!({ "sessions": sessions().len(), "distinct_paths": found.len() }));
    assert_eq!(empty, 0);
    let plain = matrix(&sessions(), &view(), 10);
    let around = matrix_around(&sessions(), &view(), "add_to_cart", 3, 3);
    for (name, matrix) in [("matrix", &plain), ("matrix_around", &around)] {
        let rows = answers(name);
        for row in rows {
            let cell = (row["position"].as_i64().unwrap(), row["node"].as_str().unwrap().to_owned());
            assert_eq!(json!(matrix.cells[&cell]), row["sessions"], "{row}");
        }
        let ends = |(_, node): &&(i64, String)| name == "matrix_around" && node.starts_with('(');
        assert_eq!(matrix.cells.keys().filter(|cell| !ends(cell)).count(), rows.len(), "{name}");
    }
}

#[test]
fn drop_off_agrees() {
    let (goal, error) = (|event: &Event| event.event == "purchase", |_: &Event| false);
    let asked = Asked { view: &view(), goal: &goal, error: &error, only_pages: false, pages: true };
    let found = dropoff(&sessions(), &asked);
    assert_eq!(found.nodes.len(), answers("dropoff").len());
    for row in answers("dropoff") {
        let of = &found.nodes[row["node"].as_str().unwrap()];
        let counts = [
            ("journeys", of.journeys),
            ("occurrences", of.places),
            ("events", of.events),
            ("exits", of.exits),
            ("dropped", of.dropped),
        ];
        counts.iter().for_each(|(key, count)| assert_eq!(json!(count), row[key], "{row}"));
        assert!(near(of.expected_exits, &row["expected_exits"]), "{row}");
        assert!(near(of.dropped as f64 - of.expected_drops, &row["excess_drops"]), "{row}");
        let rate = found.goal_rate(row["node"].as_str().unwrap());
        assert!(rate.map_or(row["goal_rate"].is_null(), |rate| near(rate, &row["goal_rate"])), "{row}");
    }
    for (name, key) in [("dropoff_loops", "loops"), ("dropoff_repeats", "repeats")] {
        for row in answers(name) {
            let of = &found.nodes[row["node"].as_str().unwrap()];
            let count = if key == "loops" { of.loops } else { of.repeats };
            assert_eq!(json!(count), row[key], "{name}: {row}");
        }
    }
}

#[test]
fn conversion_agrees() {
    let mut parts = split(&sessions(), &first_device);
    parts.insert("(all)".to_owned(), sessions());
    for row in answers("conversion_visitors") {
        let goal = row["goal"].as_str().unwrap();
        let found = conversion(&sessions(), &view(), &|event| event.event == goal).in_life;
        let figures = [
            ("/visitors", Some(found.times.len() as f64)),
            ("/time_median_s", oracle::median(&found.times).map(|micros| micros / 1e6)),
            ("/nodes_before_median", oracle::median(&found.steps)),
            ("/nodes_before_p90", oracle::nearest_rank(&found.steps, 90).map(|steps| steps as f64)),
        ];
        assert_figures(row, &figures, goal);
    }
    for row in answers("conversion") {
        let goal = row["goal"].as_str().unwrap();
        let found = conversion(&parts[row["platform"].as_str().unwrap()], &view(), &|event| event.event == goal);
        let figure = |n: usize| Some(n as f64);
        let counts = [
            ("/sessions", figure(found.sessions)),
            ("/visitors", figure(found.visitors)),
            ("/conversions", figure(found.conversions)),
            ("/converting_sessions", figure(found.converting_sessions)),
            ("/converting_visitors", figure(found.converting_visitors)),
            ("/time_median_s", oracle::median(&found.in_session.times).map(|micros| micros / 1e6)),
            ("/nodes_before_median", oracle::median(&found.in_session.steps)),
            ("/nodes_before_p90", oracle::nearest_rank(&found.in_session.steps, 90).map(|steps| steps as f64)),
        ];
        assert_figures(row, &counts, goal);
        let bounds = wilson(found.converting_sessions, found.sessions).unwrap();
        assert!(near(bounds[0], &row["session_low"]) && near(bounds[1], &row["session_high"]), "{row}");
    }
}

#[test]
fn facts_of_sessions_agree() {
    let visitors = oracle::order(&EVENTS);
    let mut sums = [0i64; 4];
    for events in visitors.values() {
        for of in facts(&oracle::sessions(events, super::logs::TIMEOUT, Edge::Exceeds), &[], &[]) {
            let (number, seconds) = (of.number as i64, (of.end - of.start) / 1_000_000);
            let row = [1, number, seconds * number, of.start / 1_000_000 % 1_000_003 * number];
            sums.iter_mut().zip(row).for_each(|(sum, one)| *sum += one);
        }
    }
    let expected = &answers("session_rows")[0];
    let keys = ["sessions", "numbers", "duration_times_number", "start_times_number"];
    assert_eq!(keys.map(|key| expected[key].as_i64().unwrap()), sums);
}
