mod readings;

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::counts::{NodeCounts, Numbers};
use super::*;
use crate::analyses::common::{NodeSpec, ScopeSpec, SessionSpec};
use crate::analyses::{CommonSpec, Grain};
use crate::journeys::{Repeats, SECOND};
use crate::reports::{Cell, Report};
use crate::testing::oracle::{self, Event};
use crate::testing::{ask, check_laws, logs, question, visitor};
use crate::units::Span;

const TIMEOUT: i64 = 5 * SECOND;

/// Sessions by a pause of more than 5 s.
fn common() -> CommonSpec {
    CommonSpec {
        sessions: SessionSpec { timeout: Some(Span(TIMEOUT)), ..SessionSpec::default() },
        nodes: NodeSpec::default(),
        scope: ScopeSpec::default(),
    }
}

fn spec(depth: u32, top: &str, start: Option<&str>) -> FlowSpec {
    FlowSpec {
        depth: Some(depth),
        top: Some(top.parse().unwrap()),
        start: start.map(str::to_owned),
        ..FlowSpec::default()
    }
}

fn flow(events: &[Event], spec: FlowSpec) -> Value {
    ask(&*question(spec, &common()), events).0
}

fn refused(spec: FlowSpec, common: &CommonSpec) -> bool {
    spec.resolve(common.resolve(false).unwrap()).is_err_and(|error| error.advice().is_some())
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

fn count(value: &Value) -> usize {
    value.as_u64().unwrap() as usize
}

/// `position node through entered dropped beyond visitors` of each node, in their order.
fn nodes(report: &Value) -> Vec<String> {
    let columns = report["columns"].as_array().unwrap();
    let column = |column: &Value| {
        let position = column["position"].clone();
        let row = move |node: &Value| {
            let counts = ["through", "entered", "dropped", "beyond", "visitors"].map(|key| node[key].to_string());
            format!("{position} {} {}", text(&node["node"]), counts.join(" "))
        };
        column["nodes"].as_array().unwrap().iter().map(row).collect::<Vec<_>>()
    };
    columns.iter().flat_map(column).collect()
}

/// `position from to count visitors` of each link, in their order.
fn links(report: &Value) -> Vec<String> {
    let row = |link: &Value| {
        let [from, to] = ["from", "to"].map(|key| text(&link[key]));
        format!("{} {from} {to} {} {}", link["position"], link["count"], link["visitors"])
    };
    report["links"].as_array().unwrap().iter().map(row).collect()
}

#[test]
fn an_empty_log_has_no_columns() {
    assert_eq!(
        flow(&[], FlowSpec::default()),
        json!({ "journeys": 0, "taken": 0, "readings": 0, "columns": [], "links": [] })
    );
}

#[test]
fn one_event_enters_and_drops() {
    let report = flow(&visitor("v", "A@0"), FlowSpec::default());
    assert_eq!((nodes(&report), links(&report)), (vec!["1 A 1 1 1 0 1".to_owned()], vec![]));
}

#[test]
fn columns_follow_the_journeys_to_the_last() {
    let report = flow(&visitor("v", "A@0 B@0 B@1 A@2 C@3 A@100 C@101"), spec(3, "all", None));
    assert_eq!(nodes(&report), ["1 A 2 2 0 0 1", "2 B 1 0 0 0 1", "2 C 1 0 1 0 1", "3 A 1 0 0 1 1"]);
    assert_eq!(links(&report), ["1 A B 1 1", "1 A C 1 1", "2 B A 1 1"]);
    let one = flow(&visitor("v", "A@0 B@1"), spec(1, "all", None));
    assert_eq!((nodes(&one), links(&one)), (vec!["1 A 1 1 0 1 1".to_owned()], vec![]));
}

#[test]
fn a_flow_may_begin_at_a_node() {
    let log = visitor("v", "A@0 B@1 C@2 B@3 A@100 C@101");
    let report = flow(&log, spec(10, "all", Some("B")));
    assert_eq!(nodes(&report), ["1 B 1 1 0 0 1", "2 C 1 0 0 0 1", "3 B 1 0 1 0 1"]);
}

#[test]
fn a_start_that_occurs_nowhere_is_a_note_and_zero() {
    let (report, notes) =
        ask(&*question(spec(10, "all", Some("add_to_crt")), &common()), &visitor("v", "add_to_cart@0"));
    assert_eq!(report, json!({ "journeys": 1, "taken": 0, "readings": 0, "columns": [], "links": [] }));
    assert_eq!(notes, ["the node \"add_to_crt\" occurs nowhere in the log; did you mean \"add_to_cart\"?"]);
    assert!(refused(spec(10, "all", Some("")), &common()));
}

#[test]
fn the_rest_of_a_column_is_one_node() {
    let log = [visitor("a", "A@0 X@1"), visitor("b", "A@0 Y@1"), visitor("c", "B@0 X@1"), visitor("d", "C@0")].concat();
    let report = flow(&log, spec(10, "1", None));
    let expected = ["1 A 2 2 0 0 2", "1 (other) 2 2 1 0 null", "2 X 2 0 2 0 2", "2 (other) 1 0 1 0 null"];
    assert_eq!(nodes(&report), expected);
    assert_eq!(links(&report), ["1 (other) X 1 null", "1 A (other) 1 null", "1 A X 1 1"]);
}

#[test]
fn a_real_node_called_other_stays_apart() {
    let log = [visitor("a", "(other)@0"), visitor("b", "B@0"), visitor("c", "\\(other)@0"), visitor("d", "(other)@0")]
        .concat();
    let (report, notes) = ask(&*question(spec(10, "2", None), &common()), &log);
    assert_eq!(nodes(&report), ["1 \\(other) 2 2 2 0 2", "1 B 1 1 1 0 1", "1 (other) 1 1 1 0 null"]);
    assert_eq!(notes, ["the log has a node (other) of its own: it is shown as \\(other)"]);
    assert_eq!((set_apart("\\(other)", OTHER).as_ref(), set_apart("other", OTHER).as_ref()), ("\\\\(other)", "other"));
}

#[test]
fn hidden_nodes_are_no_places() {
    let mut common = common();
    common.nodes.hide = vec!["X".into()];
    let asked = question(spec(10, "all", None), &common);
    let report = ask(&*asked, &visitor("v", "X@0 A@1 X@2 A@3 B@4")).0;
    assert_eq!(nodes(&report), ["1 A 1 1 0 0 1", "2 B 1 0 1 0 1"]);
    assert!(refused(spec(10, "all", Some("X")), &common), "a hidden start contradicts itself");
}

#[test]
fn the_depth_has_bounds() {
    for depth in [0, 51] {
        assert!(refused(spec(depth, "all", None), &common()));
    }
    assert!(!refused(spec(50, "all", None), &common()));
    assert!(Numbers::new(50, 1 << 20).is_ok() && Numbers::new(50, u32::MAX as usize).is_err());
}

#[test]
fn rules_name_every_option_in_force() {
    let rules = |spec| Value::Object(question(spec, &common()).rules());
    let defaults = json!({
        "grain": "session", "timeout": "5s", "timeout_edge": "exceeds", "node": "auto", "repeats": "collapse_first",
        "depth": 10, "top": 20,
    });
    assert_eq!(rules(FlowSpec::default()), defaults);
    let given = rules(spec(3, "all", Some("A")));
    assert_eq!((&given["top"], &given["start"]), (&json!("all"), &json!("A")));
}

#[test]
fn tables_number_positions_from_one_and_leave_out_what_is_unknown() {
    let counts = NodeCounts { through: 2, dropped: 1, visitors: 2, ..NodeCounts::default() };
    let named = FlowNode::named("A", &NodeCounts { entered: 2, ..counts }, false);
    let columns = vec![vec![named], vec![FlowNode::other(&counts, false)]];
    let links = vec![FlowLink { column: 0, from: 0, to: 0, count: 1, highlighted: None, visitors: None }];
    let (title, first, highlights) = (String::new(), 1, false);
    let tables = FlowReport { title, first, columns, links, journeys: 2, taken: 2, readings: 2, highlights }.tables();
    let name = |name: &str| Cell::Text(name.to_owned());
    let [link, nodes] = [&tables[0].rows, &tables[1].rows];
    assert_eq!(link[0], [Cell::Integer(1), name("A"), name(OTHER), Cell::Count(1), Cell::Null]);
    assert_eq!(
        nodes[0],
        [Cell::Integer(1), name("A")].into_iter().chain([2, 2, 1, 0, 2].map(Cell::Count)).collect::<Vec<_>>()
    );
    assert_eq!((&nodes[1][0], &nodes[1][6]), (&Cell::Integer(2), &Cell::Null));
    assert!(tables.iter().all(|table| table.rows.iter().all(|row| row.len() == table.columns.len())));
}

/// A flow of which nothing is cut, as the oracle gives it.
fn found(report: &Value) -> oracle::Flow {
    let mut flow = oracle::Flow::default();
    for column in report["columns"].as_array().unwrap() {
        for node in column["nodes"].as_array().unwrap() {
            let counts = ["through", "entered", "dropped", "beyond", "visitors"].map(|key| count(&node[key]));
            let [through, entered, dropped, beyond, visitors] = counts;
            let counts = oracle::FlowNode { through, entered, dropped, beyond, visitors };
            flow.columns.insert((count(&column["position"]), text(&node["node"])), counts);
        }
    }
    for link in report["links"].as_array().unwrap() {
        let counts = oracle::FlowLink { count: count(&link["count"]), visitors: count(&link["visitors"]) };
        flow.links.insert((count(&link["position"]), text(&link["from"]), text(&link["to"])), counts);
    }
    flow
}

/// The node of this name alone: in a log without page views an event of this name may be at a page, and so at another node.
fn node(name: &str) -> String {
    format!("node('{name}')")
}

fn starts() -> impl Strategy<Value = Option<&'static str>> {
    prop::sample::select(vec![None, Some("A"), Some("/a"), Some("nowhere")])
}

fn scopes() -> impl Strategy<Value = ScopeSpec> {
    let grains = prop::sample::select(vec![Grain::Session, Grain::Visitor]);
    (grains, any::<bool>()).prop_map(|(grain, split)| ScopeSpec {
        grain: Some(grain),
        by: split.then(|| "device".to_owned()).into_iter().collect(),
        ..ScopeSpec::default()
    })
}

proptest! {
    #[test]
    fn the_flow_equals_the_oracle(
        log in logs(), depth in 1..6u32, start in starts(), scope in scopes(), keep in any::<bool>(),
    ) {
        let mut common = common();
        common.nodes.repeats = Some(if keep { Repeats::Keep } else { Repeats::CollapseFirst });
        let plain = if keep { oracle::Repeats::Keep } else { oracle::Repeats::First };
        let journeys: Vec<Vec<Event>> = match scope.grain {
            Some(Grain::Visitor) => oracle::order(&log).into_values().collect(),
            _ => oracle::all_sessions(&log, TIMEOUT, oracle::Edge::Exceeds),
        };
        common.scope = scope;
        let page_views: &[&str] = if log.iter().any(|event| event.event == "page_view") { &["page_view"] } else { &[] };
        let name = |event: &Event| oracle::auto_node(event, page_views);
        let report = ask(&*question(spec(depth, "all", start.map(node).as_deref()), &common), &log).0;
        prop_assert_eq!(found(&report), oracle::flow(&journeys, &name, plain, depth as usize, start));

        for segment in report["segments"].as_array().into_iter().flatten() {
            let device = text(&segment["by"]["device"]);
            let value = |journey: &[Event]| {
                journey.iter().map(|event| event.device.clone()).find(|device| !device.is_empty()).unwrap_or_default()
            };
            let journeys: Vec<_> = journeys.iter().filter(|journey| value(journey) == device).cloned().collect();
            prop_assert_eq!(found(segment), oracle::flow(&journeys, &name, plain, depth as usize, start));
        }
    }

    #[test]
    fn what_comes_in_goes_out_however_columns_are_cut(
        log in logs(), depth in 1..6u32, top in 1..4u32, start in starts(),
    ) {
        let report = flow(&log, spec(depth, &top.to_string(), start));
        let sum = |position: usize, key: &str, node: &Value| -> usize {
            let links = report["links"].as_array().unwrap().iter();
            let those = links.filter(|link| count(&link["position"]) == position && link[key] == *node);
            those.map(|link| count(&link["count"])).sum()
        };
        for column in report["columns"].as_array().unwrap() {
            let (position, nodes) = (count(&column["position"]), column["nodes"].as_array().unwrap());
            prop_assert!(nodes.len() <= top as usize + 1);
            for node in nodes {
                let through = count(&node["through"]);
                let links_in = if position == 1 { 0 } else { sum(position - 1, "to", &node["node"]) };
                prop_assert_eq!(through, count(&node["entered"]) + links_in);
                let links_out = sum(position, "from", &node["node"]);
                prop_assert_eq!(through, links_out + count(&node["dropped"]) + count(&node["beyond"]));
                prop_assert!(position == depth as usize || count(&node["beyond"]) == 0);
            }
        }
    }

    #[test]
    fn a_cut_leaves_the_nodes_and_links_that_it_names_as_they_were(log in logs(), top in 1..4u32) {
        let (whole, cut) = (flow(&log, spec(5, "all", None)), flow(&log, spec(5, &top.to_string(), None)));
        let named = |rows: Vec<String>| rows.into_iter().filter(|row| !row.contains(OTHER)).collect::<Vec<_>>();
        let (all_nodes, all_links) = (nodes(&whole), links(&whole));
        prop_assert!(named(nodes(&cut)).iter().all(|row| all_nodes.contains(row)));
        prop_assert!(named(links(&cut)).iter().all(|row| all_links.contains(row)));
        let through = |report: &Value| -> BTreeMap<usize, usize> {
            let columns = report["columns"].as_array().unwrap().iter();
            columns.map(|column| {
                let nodes = column["nodes"].as_array().unwrap();
                (count(&column["position"]), nodes.iter().map(|node| count(&node["through"])).sum())
            }).collect()
        };
        prop_assert_eq!(through(&whole), through(&cut));
    }

    #[test]
    fn the_laws_hold(
        log in logs(), depth in 1..6u32, top in prop::sample::select(vec!["1", "2", "all"]), start in starts(),
        scope in scopes(),
    ) {
        let mut common = common();
        common.scope = scope;
        check_laws(&*question(spec(depth, top, start), &common), &log);
    }
}
