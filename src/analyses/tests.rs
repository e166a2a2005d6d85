//! Conservation: what the questions about paths say of one log fits together, and nothing is lost between them.

mod questions;

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::Value;

use super::common::{NodeSpec, ScopeSpec, SessionSpec};
use super::flow::FlowSpec;
use super::graph::GraphSpec;
use super::paths::PathsSpec;
use super::{CommonSpec, Grain, Spec};
use crate::journeys::{Repeats, SECOND};
use crate::testing::oracle::Event;
use crate::testing::{ask, logs, question, visitor};
use crate::units::{Span, Top};

const DEPTH: u32 = 4;

/// The answers to one log by the same rules: of everything, or of one segment.
struct Answers {
    paths: Value,
    graph: Value,
    flow: Value,
    around: Value,
}

impl Answers {
    /// Of everything, and of each segment if there are any.
    fn all(events: &[Event], common: &CommonSpec, top: Top) -> Vec<Answers> {
        fn parts<S: Spec>(spec: S, common: &CommonSpec, events: &[Event]) -> Vec<Value> {
            let mut report = ask(&*question(spec, common), events).0;
            let segments = report["segments"].take();
            [report].into_iter().chain(segments.as_array().cloned().unwrap_or_default()).collect()
        }
        let matrix = PathsSpec { top: Some(top), matrix: true, depth: Some(DEPTH), ..PathsSpec::default() };
        let around =
            PathsSpec { around: Some("node(A)".into()), before: Some(3), after: Some(2), ..PathsSpec::default() };
        let flow = FlowSpec { depth: Some(DEPTH), top: Some(Top::All), ..FlowSpec::default() };
        let paths = parts(matrix, common, events).into_iter();
        let rest = parts(GraphSpec::default(), common, events).into_iter().zip(parts(flow, common, events));
        let all = paths.zip(rest).zip(parts(around, common, events));
        all.map(|((paths, (graph, flow)), around)| Answers { paths, graph, flow, around }).collect()
    }
}

fn count(value: &Value) -> u64 {
    value.as_u64().unwrap()
}

fn rows<'a>(report: &'a Value, key: &str) -> impl Iterator<Item = &'a Value> {
    report[key].as_array().unwrap().iter()
}

fn sum<'a>(rows: impl Iterator<Item = &'a Value>, key: &str) -> u64 {
    rows.map(|row| count(&row[key])).sum()
}

/// The sum of `value` over the rows of each `name`; names whose sum is 0 are left out.
fn by_name<'a>(rows: impl Iterator<Item = &'a Value>, name: &str, value: &str) -> BTreeMap<String, u64> {
    let mut sums = BTreeMap::new();
    for row in rows.filter(|row| count(&row[value]) > 0) {
        *sums.entry(row[name].as_str().unwrap().to_owned()).or_default() += count(&row[value]);
    }
    sums
}

/// How many journeys have each node at the end of their path that `end` takes.
fn ends(paths: &Value, end: impl Fn(&[Value]) -> Option<&Value>) -> BTreeMap<String, u64> {
    let mut sums = BTreeMap::new();
    for row in rows(paths, "paths") {
        let node = end(row["path"].as_array().unwrap()).unwrap().as_str().unwrap();
        *sums.entry(node.to_owned()).or_default() += count(&row["count"]);
    }
    sums
}

fn column(flow: &Value, position: u64) -> impl Iterator<Item = &Value> {
    rows(flow, "columns").filter(move |column| column["position"] == position).flat_map(|column| rows(column, "nodes"))
}

fn at(matrix: &Value, position: i64) -> impl Iterator<Item = &Value> {
    rows(matrix, "matrix").filter(move |cell| cell["position"] == position)
}

/// Journeys, and those of them that have a node.
fn journeys(paths: &Value) -> (u64, u64) {
    let total = count(&paths["total"]);
    (total, total - count(&paths["empty"]))
}

/// `shown + hidden + empty = journeys`, and the shares say the same.
fn paths_add_up(paths: &Value) {
    let (total, with_node) = journeys(paths);
    assert_eq!(sum(rows(paths, "paths"), "count") + count(&paths["hidden"]["count"]), with_node);
    for row in rows(paths, "paths") {
        let (count, visitors) = (count(&row["count"]), count(&row["visitors"]));
        assert!(0 < visitors && visitors <= count && !row["path"].as_array().unwrap().is_empty());
        assert_eq!(row["share"].as_f64().unwrap(), count as f64 / total as f64);
    }
}

/// Every journey is in one cell of each column.
fn columns_add_up(matrix: &Value, positions: std::ops::RangeInclusive<i64>, journeys: u64) {
    let found: BTreeMap<i64, ()> =
        rows(matrix, "matrix").map(|cell| (cell["position"].as_i64().unwrap(), ())).collect();
    assert!(journeys == 0 || found.into_keys().eq(positions.clone()));
    for position in positions.filter(|_| journeys > 0) {
        assert_eq!(sum(at(matrix, position), "count"), journeys, "position {position}");
        let share: f64 = at(matrix, position).map(|cell| cell["share"].as_f64().unwrap()).sum();
        assert!((share - 1.0).abs() < 1e-9, "position {position}: {share}");
    }
}

/// Each node is come to as often as it is left, journeys beginning and ending included.
fn the_graph_adds_up(graph: &Value, with_node: u64) {
    let [into, out] = ["to", "from"].map(|end| by_name(rows(graph, "transitions"), end, "count"));
    for node in rows(graph, "nodes") {
        let name = node["node"].as_str().unwrap();
        let links = |links: &BTreeMap<String, u64>| links.get(name).copied().unwrap_or(0);
        assert_eq!(count(&node["count"]), count(&node["entries"]) + links(&into), "into {name}");
        assert_eq!(count(&node["count"]), count(&node["exits"]) + links(&out), "out of {name}");
    }
    assert_eq!(["entries", "exits"].map(|key| sum(rows(graph, "nodes"), key)), [with_node; 2]);
}

/// What a column holds goes on to the next, ends, or goes beyond the last.
fn the_flow_adds_up(flow: &Value, with_node: u64) {
    let mut coming = with_node;
    for position in 1..=u64::from(DEPTH) {
        let total = |key: &str| sum(column(flow, position), key);
        assert_eq!(total("through"), coming, "column {position}");
        assert_eq!(total("entered"), if position == 1 { with_node } else { 0 });
        let links = rows(flow, "links").filter(|link| link["position"] == position);
        coming = total("through") - total("dropped") - total("beyond");
        assert_eq!(sum(links, "count"), coming, "links of column {position}");
    }
    assert_eq!(coming, 0, "nothing goes on after the last column");
}

/// The same journeys, looked at in three ways.
fn the_answers_agree(Answers { paths, graph, flow, around }: &Answers) {
    let entries = by_name(rows(graph, "nodes"), "node", "entries");
    assert_eq!(entries, ends(paths, <[Value]>::first), "first nodes of paths");
    assert_eq!(entries, by_name(column(flow, 1), "node", "entered"), "column 1 of the flow");
    assert_eq!(by_name(rows(graph, "nodes"), "node", "exits"), ends(paths, <[Value]>::last), "last nodes of paths");

    let weigh = |less: u64| -> u64 {
        let length = |row: &Value| row["path"].as_array().unwrap().len() as u64;
        rows(paths, "paths").map(|row| (length(row) - less) * count(&row["count"])).sum()
    };
    assert_eq!(sum(rows(graph, "nodes"), "count"), weigh(0), "places in paths");
    assert_eq!(sum(rows(graph, "transitions"), "count"), weigh(1), "neighbours in paths");

    let empty = count(&paths["empty"]);
    let mut over = empty;
    for position in 1..=u64::from(DEPTH) {
        let mut nodes = by_name(at(paths, position as i64), "node", "count");
        assert_eq!(nodes.remove("(end)").unwrap_or(0), over, "journeys that are over before {position}");
        assert_eq!(nodes, by_name(column(flow, position), "node", "through"), "column {position} of the flow");
        over += sum(column(flow, position), "dropped");
    }
    let with_anchor = rows(graph, "nodes").find(|node| node["node"] == "A").map_or(0, |node| count(&node["sessions"]));
    columns_add_up(around, -3..=2, with_anchor);
}

fn all_add_up(events: &[Event], common: &CommonSpec) {
    for answers in Answers::all(events, common, Top::All) {
        let (total, with_node) = journeys(&answers.paths);
        paths_add_up(&answers.paths);
        columns_add_up(&answers.paths, 1..=i64::from(DEPTH), total);
        the_graph_adds_up(&answers.graph, with_node);
        the_flow_adds_up(&answers.flow, with_node);
        the_answers_agree(&answers);
    }
    for answers in Answers::all(events, common, "2".parse().unwrap()) {
        paths_add_up(&answers.paths);
    }
}

fn common() -> CommonSpec {
    CommonSpec {
        sessions: SessionSpec { timeout: Some(Span(5 * SECOND)), ..SessionSpec::default() },
        nodes: NodeSpec::default(),
        scope: ScopeSpec::default(),
    }
}

#[test]
fn a_log_with_all_that_can_happen_adds_up() {
    let log = [visitor("a", "A@0 B@1 A@2 C@3 B@4 X@5 A@20 A@21"), visitor("b", "X@0"), visitor("c", "X@0 B@1 C@2")];
    let mut common = common();
    common.nodes.hide = vec!["X".into()];
    let log = log.concat();
    all_add_up(&log, &common);
    let [answers] = &Answers::all(&log, &common, Top::All)[..] else { panic!("there are no segments") };
    assert_eq!(journeys(&answers.paths), (4, 3), "one of them has no node");
    assert!(sum(column(&answers.flow, 4), "beyond") > 0, "one goes beyond the last column");
}

proptest! {
    #[test]
    fn every_log_adds_up(
        log in logs(), keep in any::<bool>(), whole in any::<bool>(), split in any::<bool>(), hide in any::<bool>(),
    ) {
        let mut common = common();
        common.nodes.repeats = keep.then_some(Repeats::Keep);
        common.nodes.hide = if hide { vec!["B".into(), "page_view".into()] } else { Vec::new() };
        common.scope = ScopeSpec {
            grain: whole.then_some(Grain::Visitor),
            by: split.then(|| "device".to_owned()).into_iter().collect(),
            ..ScopeSpec::default()
        };
        all_add_up(&log, &common);
    }

    /// Visitors of one segment are observed once, for it and for all: the answer about all journeys is what it is without segments.
    #[test]
    fn segments_change_nothing_about_all_journeys(log in logs(), whole in any::<bool>()) {
        let mut common = common();
        common.scope.grain = whole.then_some(Grain::Visitor);
        let plain = Answers::all(&log, &common, Top::All).remove(0);
        common.scope.by = vec!["device".to_owned()];
        let mut split = Answers::all(&log, &common, Top::All).remove(0);
        let no_by = |mut report: Value| {
            report.as_object_mut().unwrap().retain(|field, _| field != "segments" && field != "by");
            report
        };
        let Answers { paths, graph, flow, around } = &mut split;
        for (split, plain) in [(paths, plain.paths), (graph, plain.graph), (flow, plain.flow), (around, plain.around)] {
            prop_assert_eq!(no_by(split.take()), no_by(plain));
        }
    }
}
