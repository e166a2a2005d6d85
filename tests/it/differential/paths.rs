//! Whole paths and the step matrix.

use std::collections::BTreeMap;

use serde_json::Value;

use super::oracle::paths::{Matrix, matrix, matrix_around, paths};
use super::{LOOKS, Look, close, count, logs, ratio};

/// The names of a list.
fn names(list: &Value) -> Vec<String> {
    list.as_array().unwrap().iter().map(|name| name.as_str().unwrap().to_owned()).collect()
}

#[test]
fn whole_paths() {
    for look in LOOKS {
        for (log, report) in logs::whole("paths", &[look.flags, &["--top", "all"]].concat()) {
            let (expected, empty) = look.view(log, |view| paths(&look.journeys(log), view));
            let found: Vec<(Vec<String>, usize, usize)> = report["paths"]
                .as_array()
                .unwrap()
                .iter()
                .map(|row| (names(&row["path"]), count(&row["count"]), count(&row["visitors"])))
                .collect();
            let expected: Vec<(Vec<String>, usize, usize)> =
                expected.into_iter().map(|(path, of)| (path, of.count, of.visitors)).collect();
            assert_eq!(found, expected, "{}", look.place(log));
            let total = look.journeys(log).len();
            assert_eq!((count(&report["total"]), count(&report["empty"])), (total, empty), "{}", look.place(log));
            for row in report["paths"].as_array().unwrap() {
                let share = ratio(count(&row["count"]), total);
                assert!(close(&row["share"], share), "{}: {row} of {total}", look.place(log));
            }
        }
    }
}

#[test]
fn paths_that_are_not_shown_are_counted() {
    let look = &LOOKS[0];
    for (log, report) in logs::whole("paths", &["--top", "2"]) {
        let (expected, _) = look.view(log, |view| paths(&look.journeys(log), view));
        let shown = names_of(&report);
        let expected_shown: Vec<Vec<String>> = expected.iter().take(2).map(|(path, _)| path.clone()).collect();
        assert_eq!(shown, expected_shown, "{}", look.place(log));
        let hidden: Vec<usize> = expected.iter().skip(2).map(|(_, of)| of.count).collect();
        let found = (count(&report["hidden"]["paths"]), count(&report["hidden"]["count"]));
        assert_eq!(found, (hidden.len(), hidden.iter().sum()), "{}", look.place(log));
    }
}

fn names_of(report: &Value) -> Vec<Vec<String>> {
    report["paths"].as_array().unwrap().iter().map(|row| names(&row["path"])).collect()
}

/// Compares the cells of a matrix. A column that every journey has left may be missing.
fn check_matrix(report: &Value, expected: &Matrix, place: &str) {
    let mut found: BTreeMap<(i64, String), &Value> = BTreeMap::new();
    for row in report["matrix"].as_array().unwrap() {
        let key = (row["position"].as_i64().unwrap(), row["node"].as_str().unwrap().to_owned());
        assert!(found.insert(key, &row["share"]).is_none(), "{place}: {row} stands twice");
    }
    for ((position, node), &journeys) in &expected.cells {
        let Some(share) = found.remove(&(*position, node.clone())) else {
            let empty = (node == "(end)" || node == "(start)") && journeys == expected.journeys;
            assert!(empty, "{place}: {node} at {position} is missing");
            continue;
        };
        assert!(close(share, ratio(journeys, expected.journeys)), "{place}: {node} at {position} is {share}");
    }
    found.retain(|_, share| share.as_f64() != Some(0.0));
    assert!(found.is_empty(), "{place}: too much: {found:?}");
}

#[test]
fn step_matrix() {
    for look in LOOKS {
        for (log, report) in logs::whole("paths", &[look.flags, MATRIX].concat()) {
            let expected = look.view(log, |view| matrix(&look.journeys(log), view, 4));
            check_matrix(&report, &expected, &look.place(log));
        }
    }
}

const MATRIX: &[&str] = &["--matrix", "--depth", "4"];

#[test]
fn step_matrix_around_a_node() {
    for look in LOOKS.iter().filter(|look: &&Look| !look.flags.contains(&"page")) {
        let around = ["--around", "node(cart)", "--before", "2", "--after", "3"];
        for (log, report) in logs::whole("paths", &[look.flags, &around].concat()) {
            let expected = look.view(log, |view| matrix_around(&look.journeys(log), view, "cart", 2, 3));
            check_matrix(&report, &expected, &look.place(log));
        }
    }
}
