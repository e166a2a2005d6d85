//! Drop-off points.

use std::collections::BTreeMap;

use serde_json::Value;

use super::oracle::Event;
use super::oracle::dropoff::{Asked, DropOff, dropoff};
use super::{LOOKS, Node, assert_figures, close_to, count, logs, ratio, seconds, whole_number};

const FLAGS: &[&str] = &["--goal", "purchase", "--error", "scroll", "--next", "all"];

fn is_goal(event: &Event) -> bool {
    event.event == "purchase"
}

fn is_error(event: &Event) -> bool {
    event.event == "scroll"
}

/// What each look at each log should find, and what the program finds, node by node.
fn compare(check: impl Fn(&str, &DropOff, &str, &Value)) {
    for look in LOOKS {
        for (log, report) in logs::whole("dropoff", &[look.flags, FLAGS].concat()) {
            let expected = look.view(log, |view| {
                let (only_pages, pages) = (look.node == Node::Page, look.node != Node::Event);
                dropoff(&look.journeys(log), &Asked { view, goal: &is_goal, error: &is_error, only_pages, pages })
            });
            let rows = report["nodes"].as_array().unwrap();
            let found: BTreeMap<&str, &Value> = rows.iter().map(|row| (row["node"].as_str().unwrap(), row)).collect();
            let place = look.place(log);
            assert_eq!(found.len(), rows.len(), "{place}: a node stands twice");
            assert_eq!(
                found.keys().copied().collect::<Vec<_>>(),
                expected.nodes.keys().map(String::as_str).collect::<Vec<_>>(),
                "{place}"
            );
            for (node, row) in found {
                check(&format!("{place}, {node}"), &expected, node, row);
            }
        }
    }
}

#[test]
fn exits_and_expected_exits() {
    compare(|place, expected, node, row| {
        let of = &expected.nodes[node];
        let lift = (of.expected_exits > 0.0).then(|| of.exits as f64 / of.expected_exits);
        let figures = [
            ("/journeys", whole_number(of.journeys)),
            ("/exits", whole_number(of.exits)),
            ("/occurrences", whole_number(of.places)),
            ("/events", whole_number(of.events)),
            ("/exit_rate", ratio(of.exits, of.journeys)),
            ("/exit_rate_views", ratio(of.exits, of.events)),
            ("/expected_exits", Some(of.expected_exits)),
        ];
        assert_figures(row, &figures, place);
        // The program sums shares of nine decimals, whatever the order of visitors.
        assert!(close_to(&row["lift"], lift, 1e-7), "{place}: lift is {}, not {lift:?}", row["lift"]);
    });
}

#[test]
fn drops_and_what_they_cost() {
    compare(|place, expected, node, row| {
        let of = &expected.nodes[node];
        let figures = [
            ("/dropped", whole_number(of.dropped)),
            ("/excess_drops", Some(of.dropped as f64 - of.expected_drops)),
            ("/goal_rate", expected.goal_rate(node)),
        ];
        assert_figures(row, &figures, place);
        // Money is whole millionths.
        let (found, lost) = (&row["value_lost"], expected.value_lost(node));
        assert!(close_to(found, lost, 1e-6), "{place}: value_lost is {found}, not {lost:?}");
    });
}

#[test]
fn what_comes_next() {
    compare(|place, expected, node, row| {
        let next = row["next"].as_array().unwrap().iter();
        let found: BTreeMap<String, usize> =
            next.map(|next| (next["node"].as_str().unwrap().to_owned(), count(&next["count"]))).collect();
        assert_eq!(found, expected.nodes[node].next, "{place}");
    });
}

#[test]
fn loops_and_repeats() {
    compare(|place, expected, node, row| {
        let of = &expected.nodes[node];
        let figures = [("/friction/loops", whole_number(of.loops)), ("/friction/repeats", whole_number(of.repeats))];
        assert_figures(row, &figures, place);
    });
}

#[test]
fn rage_and_errors() {
    compare(|place, expected, node, row| {
        let of = &expected.nodes[node];
        let figures = [("/friction/rage", whole_number(of.rage)), ("/friction/errors", whole_number(of.errors))];
        assert_figures(row, &figures, place);
    });
}

#[test]
fn slow_places() {
    compare(|place, expected, node, row| {
        let of = &expected.nodes[node];
        assert_figures(row, &[("/friction/slow", whole_number(of.slow))], place);
        let [mean, median, _] = seconds(&of.times);
        let p95 = super::oracle::nearest_rank(&of.times, 95).map(|micros| micros as f64 / 1e6);
        if of.times.is_empty() {
            assert!(row["time_s"].is_null(), "{place}: {row}");
        } else {
            assert_figures(&row["time_s"], &[mean, median, ("/p95", p95)], place);
        }
    });
}
