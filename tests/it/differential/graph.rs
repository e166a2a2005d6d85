//! The graph and the flow, looked at in every way: the questions that show most directly what a place of a path is.

use std::collections::BTreeMap;

use serde_json::Value;

use super::oracle::paths::{Place, places};
use super::{LOOKS, Look, assert_figures, count, logs, whole_number};

/// The paths of a log's journeys.
fn paths_of(look: &Look, log: &logs::Log) -> Vec<Vec<Place>> {
    look.view(log, |view| look.journeys(log).iter().map(|journey| places(journey, view)).collect())
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

#[test]
fn nodes_and_transitions() {
    for look in LOOKS {
        for (log, report) in logs::whole("graph", look.flags) {
            let (paths, place) = (paths_of(&look, log), look.place(log));
            let mut nodes: BTreeMap<String, [usize; 3]> = BTreeMap::new();
            let mut times: BTreeMap<(String, String), Vec<i64>> = BTreeMap::new();
            for path in &paths {
                for (at, step) in path.iter().enumerate() {
                    let of = nodes.entry(step.node.clone()).or_default();
                    let ends = [1, usize::from(at == 0), usize::from(at + 1 == path.len())];
                    of.iter_mut().zip(ends).for_each(|(count, one)| *count += one);
                }
                for pair in path.windows(2) {
                    let key = (pair[0].node.clone(), pair[1].node.clone());
                    times.entry(key).or_default().push(pair[1].time - pair[0].time);
                }
            }
            let rows = report["nodes"].as_array().unwrap();
            let found: BTreeMap<String, [usize; 3]> = rows
                .iter()
                .map(|row| (text(&row["node"]), ["count", "entries", "exits"].map(|key| count(&row[key]))))
                .collect();
            assert_eq!(found, nodes, "{place}");
            check_transitions(&report["transitions"], &times, &place);
        }
    }
}

fn check_transitions(rows: &Value, times: &BTreeMap<(String, String), Vec<i64>>, place: &str) {
    let rows = rows.as_array().unwrap();
    let found: BTreeMap<(String, String), &Value> =
        rows.iter().map(|row| ((text(&row["from"]), text(&row["to"])), row)).collect();
    assert_eq!(found.keys().collect::<Vec<_>>(), times.keys().collect::<Vec<_>>(), "{place}");
    for (pair, row) in found {
        let mean = times[&pair].iter().sum::<i64>() as f64 / times[&pair].len() as f64 / 1e6;
        let figures = [("/count", whole_number(times[&pair].len())), ("/time_s/mean", Some(mean))];
        assert_figures(row, &figures, &format!("{place}, {pair:?}"));
    }
}

#[test]
fn columns_of_the_flow() {
    for look in LOOKS {
        for (log, report) in logs::whole("flow", &[look.flags, &["--depth", "4", "--top", "all"]].concat()) {
            let mut expected: BTreeMap<(u64, String), [usize; 3]> = BTreeMap::new();
            for path in paths_of(&look, log) {
                for (at, step) in path.iter().enumerate().take(4) {
                    let of = expected.entry((at as u64 + 1, step.node.clone())).or_default();
                    let last = at + 1 == path.len();
                    let ends = [1, usize::from(last), usize::from(at == 3 && !last)];
                    of.iter_mut().zip(ends).for_each(|(count, one)| *count += one);
                }
            }
            let mut found: BTreeMap<(u64, String), [usize; 3]> = BTreeMap::new();
            for column in report["columns"].as_array().unwrap() {
                for node in column["nodes"].as_array().unwrap() {
                    let counts = ["through", "dropped", "beyond"].map(|key| count(&node[key]));
                    found.insert((column["position"].as_u64().unwrap(), text(&node["node"])), counts);
                }
            }
            assert_eq!(found, expected, "{}", look.place(log));
        }
    }
}
