use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::analyses::CommonSpec;
use crate::analyses::common::{NodeSpec, ScopeSpec, SessionSpec};
use crate::journeys::{NodeKind, Repeats, SECOND};
use crate::testing::oracle::{self, Event};
use crate::testing::{ask, check_laws, logs, question, visitor};
use crate::units::Span;

const TIMEOUT: i64 = 5 * SECOND;

/// Sessions by a pause of more than 5 s, nodes by `repeats`.
fn common(repeats: Option<Repeats>) -> CommonSpec {
    CommonSpec {
        sessions: SessionSpec { timeout: Some(Span(TIMEOUT)), ..SessionSpec::default() },
        nodes: NodeSpec { repeats, ..NodeSpec::default() },
        scope: ScopeSpec::default(),
    }
}

fn graph(events: &[Event], common: &CommonSpec) -> Value {
    ask(&*question(GraphSpec::default(), common), events).0
}

/// `from to count` of each transition, in their order.
fn transitions(report: &Value) -> Vec<String> {
    let row = |row: &Value| format!("{} {} {}", text(&row["from"]), text(&row["to"]), row["count"]);
    report["transitions"].as_array().unwrap().iter().map(row).collect()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

fn count(value: &Value) -> usize {
    value.as_u64().unwrap() as usize
}

#[test]
fn an_empty_log_has_an_empty_graph() {
    let empty = json!({ "nodes": [], "transitions": [], "hidden": { "transitions": 0, "count": 0 } });
    assert_eq!(graph(&[], &common(None)), empty);
}

#[test]
fn one_event_is_entry_and_exit() {
    let node = json!({ "node": "A", "count": 1, "sessions": 1, "visitors": 1, "entries": 1, "exits": 1 });
    let report = graph(&visitor("v", "A@0"), &common(None));
    assert_eq!((&report["nodes"], &report["transitions"]), (&json!([node]), &json!([])));
}

#[test]
fn a_transition_tells_how_often_how_likely_and_how_fast() {
    let report = graph(&visitor("v", "A@0 B@1 A@3 B@6 C@6 A@100"), &common(None));
    assert_eq!(transitions(&report), ["A B 2", "B A 1", "B C 1"]);
    let expected = json!({
        "from": "A", "to": "B", "count": 2, "sessions": 1, "visitors": 1,
        "out_probability": 2.0 / 3.0, "in_probability": 1.0,
        "time_s": { "mean": 2.0, "median": 2.0, "p95": 3.0, "exact": true },
    });
    assert_eq!(report["transitions"][0], expected);
    assert_eq!(report["transitions"][2]["time_s"]["mean"], 0.0, "equal times keep the order of the log");
    let node = json!({ "node": "A", "count": 3, "sessions": 2, "visitors": 1, "entries": 2, "exits": 1 });
    assert_eq!(report["nodes"][0], node);
}

#[test]
fn repeats_collapse_unless_kept() {
    let log = visitor("v", "A@0 A@1 B@4");
    let [first, last, keep] = [Repeats::CollapseFirst, Repeats::CollapseLast, Repeats::Keep]
        .map(|repeats| graph(&log, &common(Some(repeats))));
    assert_eq!(
        (transitions(&first), &first["transitions"][0]["time_s"]["mean"]),
        (vec!["A B 1".to_owned()], &json!(4.0))
    );
    assert_eq!(last["transitions"][0]["time_s"]["mean"], 3.0);
    assert_eq!(transitions(&keep), ["A A 1", "A B 1"]);
}

#[test]
fn hidden_nodes_are_taken_out_before_repeats_collapse() {
    let mut common = common(None);
    common.nodes.hide = vec!["X".into()];
    let report = graph(&visitor("v", "X@0 A@1 X@2 A@3 B@4 X@5"), &common);
    assert_eq!(transitions(&report), ["A B 1"]);
    assert_eq!((&report["nodes"][0]["entries"], &report["nodes"][1]["exits"]), (&json!(1), &json!(1)));
    let nothing = graph(&visitor("v", "X@0 X@9"), &common);
    assert_eq!(nothing["nodes"], json!([]));
}

#[test]
fn rare_transitions_are_left_out_and_counted() {
    let log = visitor("v", "A@0 B@1 A@2 B@3 C@4 A@5");
    let spec = GraphSpec { min_count: Some(2) };
    let report = ask(&*question(spec, &common(None)), &log).0;
    assert_eq!(transitions(&report), ["A B 2"]);
    assert_eq!(report["hidden"], json!({ "transitions": 3, "count": 3 }));
    assert_eq!(report["nodes"], graph(&log, &common(None))["nodes"]);

    let refused = GraphSpec { min_count: Some(0) }.resolve(common(None).resolve(false).unwrap()).err().unwrap();
    assert!(refused.advice().is_some());
}

#[test]
fn rules_and_needs_are_those_of_the_question() {
    let mut common = common(None);
    common.nodes.node = Some(NodeKind::Event);
    common.scope.by = vec!["device".into()];
    let asked = question(GraphSpec::default(), &common);
    let rules: Vec<String> = asked.rules().keys().cloned().collect();
    assert_eq!(rules, ["grain", "timeout", "timeout_edge", "node", "repeats", "by", "min_count"]);
    assert_eq!((asked.needs().scan.event, asked.needs().scan.page, asked.needs().sessions.len()), (true, false, 1));

    common.nodes.node = Some(NodeKind::Page);
    common.scope.grain = Some(Grain::Visitor);
    let asked = question(GraphSpec::default(), &common);
    assert_eq!((asked.needs().scan.event, asked.needs().scan.page, asked.needs().sessions.len()), (false, true, 0));
    assert!(!asked.rules().contains_key("timeout"));
}

/// The journeys of a log, and what counts as a page view in it, for the oracle.
fn journeys(events: &[Event], grain: Grain) -> (Vec<Vec<Event>>, Vec<&'static str>) {
    let journeys = match grain {
        Grain::Session => oracle::all_sessions(events, TIMEOUT, oracle::Edge::Exceeds),
        Grain::Visitor => oracle::order(events).into_values().collect(),
    };
    let page_views = if events.iter().any(|event| event.event == "page_view") { vec!["page_view"] } else { vec![] };
    (journeys, page_views)
}

/// The transitions and the nodes of a report as the oracle gives them, times as mean, median and p95 in µs.
type Found = (BTreeMap<(String, String), [usize; 6]>, BTreeMap<String, oracle::NodeCounts>);

fn found(report: &Value) -> Found {
    let micros = |value: &Value| (value.as_f64().unwrap() * 1e6).round() as usize;
    let transition = |row: &Value| {
        let times = &row["time_s"];
        let counts = [&row["count"], &row["sessions"], &row["visitors"]].map(count);
        let times = [&times["mean"], &times["median"], &times["p95"]].map(micros);
        ((text(&row["from"]), text(&row["to"])), [counts, times].concat().try_into().unwrap())
    };
    let node = |row: &Value| {
        let counts = ["count", "sessions", "visitors", "entries", "exits"].map(|key| count(&row[key]));
        let [count, sessions, visitors, entries, exits] = counts;
        (text(&row["node"]), oracle::NodeCounts { count, sessions, visitors, entries, exits })
    };
    let rows = |key: &str| report[key].as_array().unwrap().clone();
    (rows("transitions").iter().map(transition).collect(), rows("nodes").iter().map(node).collect())
}

fn expected(journeys: &[Vec<Event>], page_views: &[&str], repeats: oracle::Repeats) -> Found {
    let node = |event: &Event| oracle::auto_node(event, page_views);
    let transition = |(key, transition): (_, oracle::Transition)| {
        let times = &transition.times;
        let n = times.len();
        let mean = (times.iter().sum::<i64>() as f64 / n as f64).round() as usize;
        let median = (times[(n - 1) / 2] + times[n / 2]) / 2;
        let p95 = times[(95 * n).div_ceil(100) - 1];
        let counts = [transition.count, transition.sessions, transition.visitors];
        (key, [counts[0], counts[1], counts[2], mean, median as usize, p95 as usize])
    };
    let transitions = oracle::transitions(journeys, &node, repeats).into_iter().map(transition).collect();
    (transitions, oracle::nodes(journeys, &node, repeats))
}

fn repeats() -> impl Strategy<Value = (Repeats, oracle::Repeats)> {
    prop::sample::select(vec![
        (Repeats::CollapseFirst, oracle::Repeats::First),
        (Repeats::CollapseLast, oracle::Repeats::Last),
        (Repeats::Keep, oracle::Repeats::Keep),
    ])
}

fn grains() -> impl Strategy<Value = Grain> {
    prop::sample::select(vec![Grain::Session, Grain::Visitor])
}

proptest! {
    #[test]
    fn the_graph_equals_the_oracle(log in logs(), (repeats, plain) in repeats(), grain in grains()) {
        let mut common = common(Some(repeats));
        common.scope.grain = Some(grain);
        let (journeys, page_views) = journeys(&log, grain);
        prop_assert_eq!(found(&graph(&log, &common)), expected(&journeys, &page_views, plain));
    }

    #[test]
    fn each_segment_equals_the_oracle(log in logs(), grain in grains()) {
        let mut common = common(None);
        common.scope = ScopeSpec { grain: Some(grain), by: vec!["device".into()], ..ScopeSpec::default() };
        let (journeys, page_views) = journeys(&log, grain);
        let mut segments: BTreeMap<String, Vec<Vec<Event>>> = BTreeMap::new();
        for journey in journeys {
            let device = journey.iter().find(|event| !event.device.is_empty());
            segments.entry(device.map_or(String::new(), |event| event.device.clone())).or_default().push(journey);
        }
        let segments: Vec<_> = segments.into_iter()
            .map(|(device, journeys)| (device, expected(&journeys, &page_views, oracle::Repeats::First)))
            .collect();
        let report = graph(&log, &common);
        let answers: Vec<_> = report["segments"].as_array().unwrap().iter()
            .map(|segment| (text(&segment["by"]["device"]), found(segment)))
            .collect();
        prop_assert_eq!(answers, segments);
    }

    #[test]
    fn probabilities_of_a_node_and_its_ends_add_up(log in logs()) {
        let report = graph(&log, &common(None));
        for node in report["nodes"].as_array().unwrap() {
            let sum = |key: &str, probability: &str| -> f64 {
                let rows = report["transitions"].as_array().unwrap().iter().filter(|row| row[key] == node["node"]);
                rows.map(|row| row[probability].as_f64().unwrap()).sum()
            };
            let share = |key: &str| count(&node[key]) as f64 / count(&node["count"]) as f64;
            prop_assert!((sum("from", "out_probability") + share("exits") - 1.0).abs() < 1e-9);
            prop_assert!((sum("to", "in_probability") + share("entries") - 1.0).abs() < 1e-9);
        }
    }

    #[test]
    fn rows_are_ordered_by_count_and_name(log in logs()) {
        let report = graph(&log, &common(None));
        let key = |row: &Value| (Reverse(count(&row["count"])), text(&row["from"]), text(&row["to"]));
        prop_assert!(report["transitions"].as_array().unwrap().is_sorted_by_key(key));
        let key = |row: &Value| (Reverse(count(&row["count"])), text(&row["node"]));
        prop_assert!(report["nodes"].as_array().unwrap().is_sorted_by_key(key));
    }

    #[test]
    fn the_laws_hold(
        log in logs(), (repeats, _) in repeats(), grain in grains(), min_count in 1..4u64, split in any::<bool>(),
    ) {
        let mut common = common(Some(repeats));
        common.scope = ScopeSpec { grain: Some(grain), by: split.then(|| "device".into()).into_iter().collect(), ..ScopeSpec::default() };
        common.nodes.hide = vec!["D".into()];
        check_laws(&*question(GraphSpec { min_count: Some(min_count) }, &common), &log);
    }
}
