use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::report::joined;
use super::*;
use crate::analyses::CommonSpec;
use crate::analyses::common::{NodeSpec, ScopeSpec, SessionSpec};
use crate::ids::Code;
use crate::journeys::{Repeats, SECOND};
use crate::reports::{Cell as Shown, Report};
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

fn top(top: &str) -> PathsSpec {
    PathsSpec { top: Some(top.parse().unwrap()), ..PathsSpec::default() }
}

fn from_start(depth: u32) -> PathsSpec {
    PathsSpec { matrix: true, depth: Some(depth), ..top("all") }
}

fn around(node: &str, before: u32, after: u32) -> PathsSpec {
    PathsSpec { around: Some(node.into()), before: Some(before), after: Some(after), ..top("all") }
}

fn paths(events: &[Event], spec: PathsSpec) -> Value {
    ask(&*question(spec, &common()), events).0
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

fn count(value: &Value) -> usize {
    value.as_u64().unwrap() as usize
}

fn list<'a>(report: &'a Value, key: &str) -> &'a [Value] {
    report[key].as_array().unwrap()
}

fn names(path: &Value) -> Vec<String> {
    path.as_array().unwrap().iter().map(text).collect()
}

/// `A > B count visitors` of each path, in their order.
fn rows(report: &Value) -> Vec<String> {
    let row = |row: &Value| format!("{} {} {}", joined(&names(&row["path"])), row["count"], row["visitors"]);
    list(report, "paths").iter().map(row).collect()
}

/// `position node count` of each cell, in their order.
fn cells(report: &Value) -> Vec<String> {
    let row = |cell: &Value| format!("{} {} {}", cell["position"], text(&cell["node"]), cell["count"]);
    list(report, "matrix").iter().map(row).collect()
}

#[test]
fn an_empty_log_has_no_paths() {
    let empty = json!({ "paths": [], "total": 0, "empty": 0, "hidden": { "paths": 0, "count": 0 }, "matrix": [] });
    assert_eq!(paths(&[], PathsSpec::default()), empty);
    assert_eq!(paths(&[], from_start(3)), empty);
    assert_eq!(paths(&[], around("A", 1, 1)), empty);
}

#[test]
fn one_event_is_a_path() {
    let report = paths(&visitor("v", "A@0"), from_start(2));
    assert_eq!(report["paths"], json!([{ "path": ["A"], "count": 1, "share": 1.0, "visitors": 1 }]));
    assert_eq!(cells(&report), ["1 A 1", "2 (end) 1"]);
}

#[test]
fn equal_paths_are_counted_with_their_visitors() {
    let log = [visitor("a", "A@0 B@1 A@10 B@11 B@20"), visitor("b", "A@0 A@1 B@1"), visitor("c", "B@0 A@0")].concat();
    let report = paths(&log, top("all"));
    assert_eq!(rows(&report), ["A > B 3 2", "B 1 1", "B > A 1 1"]);
    assert_eq!((&report["total"], &report["paths"][0]["share"]), (&json!(5), &json!(0.6)));
}

#[test]
fn the_rest_is_counted_and_has_its_share() {
    let log = [visitor("a", "A@0"), visitor("b", "A@0"), visitor("c", "C@0"), visitor("d", "B@0")].concat();
    let report = paths(&log, top("1"));
    assert_eq!(rows(&report), ["A 2 2"]);
    assert_eq!((&report["hidden"], &report["total"]), (&json!({ "paths": 2, "count": 2 }), &json!(4)));
    assert_eq!(report["paths"][0]["share"], 0.5);
    assert_eq!(rows(&paths(&log, top("2"))), ["A 2 2", "B 1 1"], "of equal count, the first by name");
}

#[test]
fn equal_counts_are_ordered_node_by_node() {
    let ways = ["B@0", "A@0 B@1", "A!@0", "A@0", "A@0 !@1", "é@0", "b@0"];
    let log: Vec<Event> = ways.iter().zip('a'..).flat_map(|(way, who)| visitor(&who.to_string(), way)).collect();
    let order = ["A 1 1", "A > ! 1 1", "A > B 1 1", "A! 1 1", "B 1 1", "b 1 1", "é 1 1"];
    assert_eq!(rows(&paths(&log, top("all"))), order);
    for shown in 1..=order.len() {
        assert_eq!(rows(&paths(&log, top(&shown.to_string()))), &order[..shown]);
    }
}

#[test]
fn journeys_without_a_node_have_no_path_and_are_counted() {
    let mut common = common();
    common.nodes.hide = vec!["X".into()];
    let log = [visitor("a", "X@0 A@1 X@2 A@3"), visitor("b", "X@0 X@1")].concat();
    let report = ask(&*question(from_start(2), &common), &log).0;
    assert_eq!(rows(&report), ["A 1 1"]);
    assert_eq!((&report["total"], &report["empty"], &report["paths"][0]["share"]), (&json!(2), &json!(1), &json!(0.5)));
    assert_eq!(cells(&report), ["1 A 1", "1 (end) 1", "2 (end) 2"]);
}

#[test]
fn the_matrix_follows_journeys_to_their_ends() {
    let log = [visitor("a", "A@0 B@1 C@2"), visitor("b", "A@0 C@1"), visitor("c", "B@0")].concat();
    let report = paths(&log, from_start(3));
    let expected = ["1 A 2", "1 B 1", "2 B 1", "2 C 1", "2 (end) 1", "3 C 1", "3 (end) 2"];
    assert_eq!(cells(&report), expected);
    assert_eq!(report["matrix"][0], json!({ "position": 1, "node": "A", "count": 2, "share": 2.0 / 3.0 }));
    assert_eq!(list(&paths(&log, top("all")), "matrix").len(), 0);
    assert_eq!(cells(&paths(&log, PathsSpec { matrix: true, ..PathsSpec::default() })).last().unwrap(), "10 (end) 3");
}

#[test]
fn a_matrix_around_a_node_looks_both_ways_from_its_first_place() {
    let log = [visitor("a", "A@0 B@1 C@2 B@3"), visitor("b", "B@0 A@1"), visitor("c", "C@0 A@1")].concat();
    let report = paths(&log, around("B", 2, 2));
    let expected = ["-2 (start) 2", "-1 A 1", "-1 (start) 1", "0 B 2", "1 A 1", "1 C 1", "2 B 1", "2 (end) 1"];
    assert_eq!(cells(&report), expected);
    assert_eq!(report["matrix"][1]["share"], 0.5, "of the journeys that have the node");
    assert_eq!(cells(&paths(&log, around("B", 0, 0))), ["0 B 2"]);
    let defaults = PathsSpec { around: Some("B".into()), ..PathsSpec::default() };
    let positions: BTreeSet<i64> =
        list(&paths(&log, defaults), "matrix").iter().map(|cell| cell["position"].as_i64().unwrap()).collect();
    assert!(positions.into_iter().eq(-5..=5));
}

#[test]
fn a_matrix_around_a_pattern_begins_at_its_first_node() {
    let log = [visitor("a", "A@0 B@1 A@2 C@3 B@4"), visitor("b", "B@0 A@1")].concat();
    let at = |occurrence| cells(&paths(&log, PathsSpec { occurrence, ..around("A > B", 0, 1) }));
    assert_eq!(at(None), ["0 A 1", "1 B 1"]);
    assert_eq!(at(Some(Occurrences::Last)), ["0 A 1", "1 C 1"]);
    assert_eq!(at(Some(Occurrences::Every)), ["0 A 2", "1 B 1", "1 C 1"]);
}

#[test]
fn a_node_that_occurs_nowhere_is_a_note_and_no_matrix() {
    let (report, notes) = ask(&*question(around("purchse", 1, 1), &common()), &visitor("v", "purchase@0"));
    assert_eq!((cells(&report), rows(&report)), (vec![], vec!["purchase 1 1".to_owned()]));
    assert_eq!(notes, ["the node \"purchse\" occurs nowhere in the log; did you mean \"purchase\"?"]);
}

#[test]
fn real_nodes_that_are_called_as_the_ends_stay_apart() {
    let log = [visitor("a", "(end)@0 A@1"), visitor("b", "(start)@0"), visitor("c", "\\(end)@0")].concat();
    let (report, notes) = ask(&*question(from_start(2), &common()), &log);
    let expected = ["1 \\(end) 1", "1 \\(start) 1", "1 \\\\(end) 1", "2 A 1", "2 (end) 2"];
    assert_eq!(cells(&report), expected);
    assert_eq!(
        notes,
        [
            "the log has a node (start) of its own: in the matrix it is shown as \\(start)",
            "the log has a node (end) of its own: in the matrix it is shown as \\(end)",
        ]
    );
    let (report, notes) = ask(&*question(top("all"), &common()), &log);
    assert_eq!(rows(&report)[0], "(end) > A 1 1", "paths have no labels of ours");
    assert_eq!(notes, Vec::<String>::new());
}

#[test]
fn no_two_paths_read_alike() {
    let path = |names: &[&str]| joined(&names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>());
    assert_eq!(path(&["home", "/a b", "it's\\"]), "home > /a b > it's\\");
    assert_eq!(path(&["a > b"]), "\"a > b\"");
    assert_eq!(path(&["a", "b"]), "a > b");
    assert_eq!(path(&["a \" > \" b"]), r#""a \" > \" b""#);
    assert_eq!(path(&["\\\"", " ", "a>"]), r#""\\\"" > " " > "a>""#);
}

#[test]
fn what_contradicts_itself_or_does_nothing_is_refused() {
    let resolved = |spec: PathsSpec, common: &CommonSpec| spec.resolve(common.resolve(false).unwrap());
    let spec = PathsSpec::default;
    for wrong in [
        PathsSpec { depth: Some(3), ..spec() },
        PathsSpec { before: Some(3), ..spec() },
        PathsSpec { after: Some(3), matrix: true, ..spec() },
        PathsSpec { depth: Some(3), ..around("A", 1, 1) },
        PathsSpec { depth: Some(3), matrix: true, ..around("A", 1, 1) },
        from_start(0),
        from_start(51),
        around("A", 51, 0),
        around("A", 0, 51),
        around("A >", 1, 1),
        PathsSpec { occurrence: Some(Occurrences::Last), ..spec() },
        PathsSpec { matches_out: Some("m.csv".into()), ..spec() },
        PathsSpec { matches_out: Some("m.json".into()), pattern: Some("A".into()), ..spec() },
    ] {
        let shown = format!("{wrong:?}");
        let error = resolved(wrong, &common()).err().unwrap_or_else(|| panic!("{shown}"));
        assert!(error.advice().is_some(), "{shown}");
    }
    assert!(resolved(from_start(50), &common()).is_ok() && resolved(around("A", 50, 50), &common()).is_ok());
    let mut hidden = common();
    hidden.nodes.hide = vec!["A".into()];
    assert!(resolved(around("A", 1, 1), &hidden).is_err() && resolved(around("B", 1, 1), &hidden).is_ok());
}

#[test]
fn rules_name_every_option_in_force() {
    let rules = |spec| Value::Object(question(spec, &common()).rules());
    let defaults = json!({
        "grain": "session", "timeout": "5s", "timeout_edge": "exceeds", "node": "auto", "repeats": "collapse_first", "top": 20,
    });
    assert_eq!(rules(PathsSpec::default()), defaults);
    let own = |spec| {
        let rules = question(spec, &common()).rules();
        Value::Object(rules.into_iter().skip_while(|(name, _)| name != "top").collect())
    };
    assert_eq!(own(from_start(3)), json!({ "top": "all", "matrix": true, "depth": 3 }));
    assert_eq!(
        own(around("A", 1, 2)),
        json!({ "top": "all", "matrix": true, "around": "A", "occurrence": "first", "before": 1, "after": 2 })
    );
}

#[test]
fn titles_and_tables_say_the_same_as_json() {
    let path = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
    let column = Column { position: -1, journeys: 2, cells: vec![Cell { node: "A".into(), count: 1 }] };
    let report = PathsReport {
        grain: Grain::Session,
        paths: vec![PathRow { path: path(&["A", "B"]), count: 2, visitors: 1 }],
        journeys: 8,
        empty: 1,
        hidden: Hidden { paths: 3, count: 5 },
        matches: None,
        matrix: Some(vec![column]),
    };
    assert_eq!(report.title(), "Paths: the 1 most frequent of 4 in 8 sessions; 1 of these have no node");
    let [paths, matrix] = &report.tables()[..] else { panic!("two tables") };
    let text = |text: &str| Shown::Text(text.to_owned());
    assert_eq!(paths.rows, [[text("A > B"), Shown::Count(2), Shown::Rate(0.25), Shown::Count(1)]]);
    assert_eq!(matrix.rows, [[Shown::Integer(-1), text("A"), Shown::Count(1), Shown::Rate(0.5)]]);
    assert!([paths, matrix].iter().all(|table| table.columns.len() == 4));
    let whole = PathsReport { hidden: Hidden::default(), empty: 0, matrix: None, ..report };
    assert_eq!((whole.title().as_str(), whole.tables().len()), ("Paths: all 1 in 8 sessions", 1));
}

/// The journeys of a log by grain, and the value of `device` that each belongs to.
fn journeys(log: &[Event], grain: Grain) -> Vec<(String, Vec<Event>)> {
    let journeys: Vec<Vec<Event>> = match grain {
        Grain::Visitor => oracle::order(log).into_values().collect(),
        Grain::Session => oracle::all_sessions(log, TIMEOUT, oracle::Edge::Exceeds),
    };
    let device = |journey: &Vec<Event>| {
        journey.iter().map(|event| event.device.clone()).find(|device| !device.is_empty()).unwrap_or_default()
    };
    journeys.into_iter().map(|journey| (device(&journey), journey)).collect()
}

/// Each journey as its visitor and the names of its nodes.
type Walk = (String, Vec<String>);

fn walks(log: &[Event], journeys: &[&Vec<Event>], repeats: oracle::Repeats) -> Vec<Walk> {
    let page_views: &[&str] = if log.iter().any(|event| event.event == "page_view") { &["page_view"] } else { &[] };
    let node = |event: &Event| oracle::auto_node(event, page_views);
    let names = |journey: &[Event]| oracle::path(journey, &node, repeats).into_iter().map(|(name, _)| name).collect();
    journeys.iter().map(|journey| (journey[0].visitor.clone(), names(journey))).collect()
}

/// Path, count, visitors: all of them, written from the definition.
fn plain_paths(walks: &[Walk]) -> Vec<(Vec<String>, usize, usize)> {
    let mut found: BTreeMap<&Vec<String>, Vec<&String>> = BTreeMap::new();
    walks.iter().for_each(|(who, path)| found.entry(path).or_default().push(who));
    let row = |(path, who): (&Vec<String>, Vec<&String>)| {
        (path.clone(), who.len(), who.into_iter().collect::<BTreeSet<_>>().len())
    };
    let mut rows: Vec<_> = found.into_iter().map(row).collect();
    rows.sort_by_key(|row| Reverse(row.1));
    rows
}

/// Journeys by position and node, written from the definition: position by position, journey by journey.
fn plain_matrix(
    walks: &[Walk],
    anchor: Option<&str>,
    positions: impl Iterator<Item = i64>,
) -> BTreeMap<(i64, String), usize> {
    let mut found = BTreeMap::new();
    for position in positions {
        for (_, path) in walks {
            let at = match anchor {
                None => position - 1,
                Some(node) => match path.iter().position(|name| name == node) {
                    Some(at) => at as i64 + position,
                    None => continue,
                },
            };
            let name = match usize::try_from(at) {
                Ok(at) => path.get(at).map_or("(end)", String::as_str),
                Err(_) => "(start)",
            };
            *found.entry((position, name.to_owned())).or_default() += 1;
        }
    }
    found
}

fn found_paths(report: &Value) -> Vec<(Vec<String>, usize, usize)> {
    let row = |row: &Value| (names(&row["path"]), count(&row["count"]), count(&row["visitors"]));
    list(report, "paths").iter().map(row).collect()
}

fn found_matrix(report: &Value) -> BTreeMap<(i64, String), usize> {
    let cells = list(report, "matrix").iter();
    let found: BTreeMap<_, _> =
        cells.map(|cell| ((cell["position"].as_i64().unwrap(), text(&cell["node"])), count(&cell["count"]))).collect();
    assert_eq!(found.len(), list(report, "matrix").len(), "a cell comes twice");
    found
}

fn grains() -> impl Strategy<Value = Grain> {
    prop::sample::select(vec![Grain::Session, Grain::Visitor])
}

fn specs() -> impl Strategy<Value = PathsSpec> {
    // In a log without page views an event A may be at a page: then it is not the node A.
    let node = prop::sample::select(vec!["node(A)", "/a", "nowhere"]);
    let matrix = prop_oneof![
        Just(PathsSpec::default()),
        (1..6u32).prop_map(from_start),
        (node, 0..4u32, 0..4u32).prop_map(|(node, before, after)| around(node, before, after)),
    ];
    (matrix, prop::sample::select(vec!["1", "2", "5", "all"]))
        .prop_map(|(matrix, shown)| PathsSpec { top: top(shown).top, ..matrix })
}

proptest! {
    #[test]
    fn paths_and_matrix_equal_the_plain_answer(
        log in logs(), spec in specs(), grain in grains(), keep in any::<bool>(), split in any::<bool>(),
    ) {
        let mut common = common();
        common.nodes.repeats = Some(if keep { Repeats::Keep } else { Repeats::CollapseFirst });
        let plain = if keep { oracle::Repeats::Keep } else { oracle::Repeats::First };
        common.scope = ScopeSpec { grain: Some(grain), by: split.then(|| "device".to_owned()).into_iter().collect(), ..ScopeSpec::default() };
        let report = ask(&*question(spec.clone(), &common), &log).0;
        let journeys = journeys(&log, grain);
        let segments = report["segments"].as_array().into_iter().flatten();
        let parts = segments.map(|segment| (segment, Some(text(&segment["by"]["device"]))));
        for (report, device) in [(&report, None)].into_iter().chain(parts) {
            let own = journeys.iter().filter(|(value, _)| device.as_ref().is_none_or(|device| device == value));
            let walks = walks(&log, &own.map(|(_, journey)| journey).collect::<Vec<_>>(), plain);
            let (expected, shown) = (plain_paths(&walks), spec.top.unwrap_or(Top::TWENTY).limit());
            prop_assert_eq!(found_paths(report), expected[..shown.min(expected.len())].to_vec());
            let rest = &expected[shown.min(expected.len())..];
            let hidden = json!({ "paths": rest.len(), "count": rest.iter().map(|row| row.1).sum::<usize>() });
            prop_assert_eq!((&report["hidden"], count(&report["total"])), (&hidden, walks.len()));
            for row in list(report, "paths") {
                prop_assert_eq!(row["share"].as_f64().unwrap(), count(&row["count"]) as f64 / walks.len() as f64);
            }
            let expected = match (&spec.around, spec.depth) {
                (Some(node), _) => {
                    let [before, after] = [spec.before, spec.after].map(|positions| i64::from(positions.unwrap()));
                    let node = node.strip_prefix("node(").map_or(&node[..], |node| node.trim_end_matches(')'));
                    plain_matrix(&walks, Some(node), -before..=after)
                }
                (None, Some(depth)) => plain_matrix(&walks, None, 1..=i64::from(depth)),
                (None, None) => BTreeMap::new(),
            };
            prop_assert_eq!(found_matrix(report), expected);
        }
    }

    #[test]
    fn the_largest_are_those_of_all(
        counts in prop::collection::vec((prop::collection::vec(1..4u32, 1..4), 0..4u64), 0..100), limit in 1..12u32,
    ) {
        let mut names = crate::dictionary::Dictionary::default();
        // Codes against the order of names.
        ["c", "b", "a"].iter().for_each(|name| { names.intern(name); });
        let paths: BTreeMap<Vec<Code>, u64> = counts.into_iter().collect();
        let all = |top: Top| {
            let mut kept = TopPaths::new(top, &names);
            paths.iter().for_each(|(path, &count)| kept.offer(path, count, 1));
            let (rows, hidden) = kept.finish();
            (rows.into_iter().map(|row| (Reverse(row.count), row.path)).collect::<Vec<_>>(), hidden)
        };
        let (everything, none) = all(Top::All);
        prop_assert!(everything.is_sorted() && everything.len() == paths.len());
        prop_assert_eq!((none.paths, none.count), (0, 0));
        let (largest, hidden) = all(limit.to_string().parse().unwrap());
        prop_assert_eq!(&largest[..], &everything[..paths.len().min(limit as usize)]);
        let rest = &everything[largest.len()..];
        prop_assert_eq!((hidden.paths, hidden.count), (rest.len() as u64, rest.iter().map(|row| row.0.0).sum()));
    }

    #[test]
    fn the_laws_hold(
        log in logs(), spec in specs(), grain in grains(), split in any::<bool>(), hide in any::<bool>(),
        choose in any::<bool>(),
    ) {
        let mut common = common();
        common.scope = ScopeSpec {
            grain: Some(grain),
            by: split.then(|| "device".into()).into_iter().collect(),
            // Without polars there is no SQL to choose by.
            journeys: (choose && cfg!(feature = "polars")).then(|| "events > 1".into()),
            ..ScopeSpec::default()
        };
        common.nodes.hide = hide.then(|| "D".to_owned()).into_iter().collect();
        check_laws(&*question(spec, &common), &log);
    }
}
