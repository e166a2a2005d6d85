use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::analyses::CommonSpec;
use crate::analyses::abandonment::tests::asked;
use crate::journeys::SECOND;
use crate::testing::oracle::{self, Edge, Event};
use crate::testing::{ask, check_laws, logs, visitor};

fn answer(fields: Value, log: &[Event]) -> Value {
    ask(&*asked::<DropOffSpec>(fields), log).0
}

/// The node `name` of an answer.
fn node(report: &Value, name: &str) -> Value {
    let found = report["nodes"].as_array().unwrap().iter().find(|node| node["node"] == name);
    found.unwrap_or_else(|| panic!("{name} is missing")).clone()
}

/// The names of the nodes, in their order.
fn ranking(report: &Value) -> Vec<&str> {
    report["nodes"].as_array().unwrap().iter().map(|node| node["node"].as_str().unwrap()).collect()
}

/// One of four sessions buys, for 30.
fn small() -> Vec<Event> {
    let mut log = [
        visitor("v", "home@0 cart@1 pay@2 buy@3"),
        visitor("w", "home@0 cart@1 home@2"),
        visitor("x", "home@0 cart@1"),
        visitor("y", "cart@0"),
    ]
    .concat();
    log[3].value = Some(30 * SECOND);
    log
}

#[test]
fn an_empty_log_has_no_drop_off_points() {
    let (report, notes) = ask(&*asked::<DropOffSpec>(json!({})), &[]);
    let expected = json!({
        "journeys": 0, "without_node": 0, "ranked_by": "excess_drops", "mean_goal_value": null, "nodes": []
    });
    assert_eq!(report, expected);
    assert_eq!(notes, ["none of the default names of a goal event occurs: name yours with --goal"]);
}

#[test]
fn a_node_tells_who_ends_there_what_it_costs_and_what_follows() {
    let report = answer(json!({ "goal": "buy" }), &small());
    // Positions: 1 of 4, 1 of 3, 1 of 2 and 1 of 1 end there; home is at 3 × the first and 1 × the third.
    let home = json!({
        "node": "home", "journeys": 3, "occurrences": 4, "events": 4, "exits": 1, "exit_rate": 1.0 / 3.0, "exit_rate_views": 0.25,
        "expected_exits": 1.25, "lift": 0.8, "dropped": 1, "excess_drops": -0.25, "goal_rate": 1.0 / 3.0, "value_lost": 10.0,
        "time_s": { "mean": 1.0, "median": 1.0, "p95": 1.0, "exact": true },
        "friction": { "loops": 1, "repeats": 0, "rage": 0, "errors": null, "slow": 0 },
        "next": [{ "node": "cart", "count": 3 }, { "node": "(end)", "count": 1 }],
    });
    assert_eq!(node(&report, "home"), home);
    let of = |name: &str, key: &str| node(&report, name)[key].clone();
    assert_eq!(
        (of("cart", "exits"), of("cart", "expected_exits"), of("cart", "lift")),
        (json!(2), json!(1.25), json!(1.6))
    );
    assert_eq!((of("cart", "goal_rate"), of("cart", "value_lost")), (json!(0.25), json!(15.0)));
    assert_eq!(
        (of("pay", "goal_rate"), of("pay", "dropped"), of("pay", "value_lost")),
        (json!(1.0), json!(0), json!(0.0))
    );
    assert_eq!((of("buy", "exits"), of("buy", "dropped"), of("buy", "goal_rate")), (json!(1), json!(0), Value::Null));
    assert_eq!((&report["journeys"], &report["mean_goal_value"]), (&json!(4), &json!(30.0)));
}

#[test]
fn the_worst_comes_first() {
    let rank = |fields: Value, log: &[Event]| {
        let report = answer(fields, log);
        (report["ranked_by"].as_str().unwrap().to_owned(), ranking(&report).join(" "))
    };
    let (by_value, by_drops) = ("value_lost".to_owned(), "excess_drops".to_owned());
    assert_eq!(rank(json!({ "goal": "buy" }), &small()), (by_value, "cart home buy pay".to_owned()));
    let drops = "cart buy home pay".to_owned();
    assert_eq!(rank(json!({ "goal": "buy", "rank": "excess_drops" }), &small()), (by_drops.clone(), drops.clone()));
    let free: Vec<Event> = small().into_iter().map(|event| Event { value: None, ..event }).collect();
    assert_eq!(rank(json!({ "goal": "buy" }), &free), (by_drops.clone(), drops.clone()));
    assert_eq!(rank(json!({ "goal": "buy", "rank": "value_lost" }), &free).1, drops, "there is no value to rank by");
    let equal = [visitor("v", "B@0"), visitor("w", "A@0")].concat();
    assert_eq!(rank(json!({ "goal": "C" }), &equal), (by_drops, "A B".to_owned()), "equal ones by name");
}

#[test]
fn drops_and_chances_count_before_the_goal_alone() {
    let of = |log: &str, name: &str| {
        let node = node(&answer(json!({ "goal": "G" }), &visitor("v", log)), name);
        ["exits", "dropped", "goal_rate"].map(|key| node[key].clone())
    };
    assert_eq!(of("A@0 G@1 A@2", "A"), [json!(1), json!(0), json!(1.0)]);
    assert_eq!(of("G@0 A@1", "A"), [json!(1), json!(0), Value::Null], "never there before the goal");
    assert_eq!(of("G@0 A@1 G@2", "A"), [json!(0), json!(0), Value::Null], "the first goal counts");
    assert_eq!(of("A@0 B@1", "A"), [json!(0), json!(0), json!(0.0)]);

    let hidden = answer(json!({ "goal": "G", "hide": ["G"] }), &visitor("v", "A@0 G@1"));
    assert_eq!((&node(&hidden, "A")["exits"], &node(&hidden, "A")["dropped"]), (&json!(1), &json!(0)));
}

#[test]
fn values_of_goals_are_averaged_over_those_that_have_one() {
    let mut log = [visitor("v", "A@0 G@1 G@2 G@3"), visitor("w", "A@0")].concat();
    (log[1].value, log[2].value) = (Some(10 * SECOND), Some(5 * SECOND));
    let report = answer(json!({ "goal": "G" }), &log);
    assert_eq!((&report["mean_goal_value"], &node(&report, "A")["value_lost"]), (&json!(7.5), &json!(3.75)));
    log.iter_mut().for_each(|event| event.value = None);
    let report = answer(json!({ "goal": "G" }), &log);
    assert_eq!((&report["mean_goal_value"], &node(&report, "A")["value_lost"]), (&Value::Null, &Value::Null));
}

#[test]
fn what_follows_is_cut_and_the_rest_counted() {
    let log = visitor("v", "A@0 B@1 A@2 C@3 A@4 C@5 A@6 (end)@7 A@8 (other)@9");
    let next = |fields: Value| node(&answer(fields, &log), "A")["next"].clone();
    let all = json!([
        { "node": "C", "count": 2 }, { "node": "\\(end)", "count": 1 }, { "node": "\\(other)", "count": 1 },
        { "node": "B", "count": 1 },
    ]);
    assert_eq!(next(json!({ "next": "all" })), all);
    assert_eq!(next(json!({ "next": 1 })), json!([{ "node": "C", "count": 2 }, { "node": "(other)", "count": 3 }]));
}

/// One sign of friction at each node that has it.
fn friction(fields: Value, log: &[Event], sign: &str) -> Vec<(String, u64)> {
    let report = answer(fields, log);
    let count = |node: &Value| (node["node"].as_str().unwrap().to_owned(), node["friction"][sign].as_u64().unwrap());
    let mut found: Vec<_> =
        report["nodes"].as_array().unwrap().iter().map(count).filter(|(_, count)| *count > 0).collect();
    found.sort();
    found
}

fn counts(expected: &[(&str, u64)]) -> Vec<(String, u64)> {
    expected.iter().map(|&(name, count)| (name.to_owned(), count)).collect()
}

#[test]
fn loops_come_straight_back() {
    let loops = |fields: Value, log: &str| friction(fields, &visitor("v", log), "loops");
    assert_eq!(loops(json!({}), "A@0 B@1 A@2 B@3 A@4"), counts(&[("A", 2), ("B", 1)]));
    assert_eq!(loops(json!({}), "A@0 B@1 C@2 A@3"), counts(&[]));
    assert_eq!(loops(json!({ "repeats": "keep" }), "A@0 A@1 A@2"), counts(&[]));
    assert_eq!(loops(json!({ "hide": ["B"] }), "A@0 B@1 A@2"), counts(&[]));
}

#[test]
fn repeats_are_events_at_the_node_of_the_one_before() {
    let repeats = |fields: Value| friction(fields, &visitor("v", "A@0 A@1 X@2 A@3 B@4 A@5 A@100"), "repeats");
    assert_eq!(repeats(json!({})), counts(&[("A", 1)]));
    assert_eq!(repeats(json!({ "repeats": "keep" })), counts(&[("A", 1)]), "whatever paths show of them");
    assert_eq!(repeats(json!({ "hide": ["X"] })), counts(&[("A", 2)]));
    let report = answer(json!({ "hide": ["X"] }), &visitor("v", "A@0 A@1 X@2 A@3 B@4"));
    assert_eq!((&node(&report, "A")["events"], &node(&report, "A")["occurrences"]), (&json!(3), &json!(1)));
}

#[test]
fn rage_is_three_equal_events_within_five_seconds() {
    let rage = |log: &str| friction(json!({}), &visitor("v", log), "rage");
    assert_eq!(rage("A@0 A@2 A@5"), counts(&[("A", 1)]), "the far edge counts");
    assert_eq!(rage("A@0 A@3 A@6"), counts(&[]));
    assert_eq!(rage("A@0 A@1 A@2 A@3 A@8"), counts(&[("A", 1)]), "one burst, however long");
    assert_eq!(rage("A@0 A@1 A@2 A@9 A@10 A@11"), counts(&[("A", 2)]));
    assert_eq!(rage("A@0 B@1 A@2 C@2 B@3 A@4"), counts(&[("A", 1)]), "others may lie between");
    assert_eq!(rage("A@0 A@1 A@100 A@101"), counts(&[]), "in one session");
    assert_eq!(friction(json!({ "hide": ["A"] }), &visitor("v", "A@0 A@1 A@2"), "rage"), counts(&[]));
}

#[test]
fn equal_events_have_one_name_and_one_page() {
    let paged = |pages: [&str; 3]| {
        let mut log = visitor("v", "page_view@0 page_view@1 page_view@2");
        log.iter_mut().zip(pages).for_each(|(event, page)| event.page = page.to_owned());
        friction(json!({ "group": ["/p/* = Product"] }), &log, "rage")
    };
    assert_eq!(paged(["/p/1", "/p/2", "/p/3"]), counts(&[]));
    assert_eq!(paged(["/p/1", "/p/1", "/p/1"]), counts(&[("Product", 1)]));
}

#[test]
fn errors_count_where_they_happen() {
    let errors = |mut fields: Value, log: &str| {
        fields["error"] = json!(["E", "F"]);
        friction(fields, &visitor("v", log), "errors")
    };
    assert_eq!(errors(json!({}), "A@0 E@1 F@2 B@3 E@4"), counts(&[("A", 2), ("B", 1)]));
    assert_eq!(errors(json!({}), "E@0 A@1"), counts(&[("E", 1)]), "where nothing comes before, at itself");
    assert_eq!(errors(json!({ "hide": ["A"] }), "B@0 A@1 E@2"), counts(&[("B", 1)]));

    let mut log = visitor("v", "view@0 E@1 E@2");
    (log[0].page, log[1].page) = ("/a".into(), "/b".into());
    let fields = json!({ "node": "page", "error": "E" });
    assert_eq!(friction(fields, &log, "errors"), counts(&[("/a", 1), ("/b", 1)]), "its own page, or the one before");

    let mut log = visitor("v", "view@0 view@1 E@2");
    (log[0].page, log[1].page) = ("/a".into(), "/oops/404".into());
    let fields = json!({ "node": "event", "error": ["/oops/*", "E"] });
    assert_eq!(friction(fields, &log, "errors"), counts(&[("view", 2)]), "a page is an error, too");
}

#[test]
fn slow_is_longer_than_the_nodes_own_95th_percentile() {
    let log = |people: i64| {
        let journey = |n: i64| visitor(&format!("v{n}"), &format!("A@0 B@{n}"));
        (1..=people).flat_map(journey).collect::<Vec<_>>()
    };
    let slow = |people| friction(json!({ "timeout": "1h" }), &log(people), "slow");
    assert_eq!(slow(20), counts(&[("A", 1)]), "19 s is the 95th percentile of 20");
    assert_eq!(slow(19), counts(&[]));
    assert_eq!(slow(100), counts(&[("A", 5)]));
    let last = answer(json!({ "timeout": "1h" }), &log(3));
    assert_eq!(node(&last, "B")["time_s"], Value::Null, "how long the last node took nobody knows");
}

#[test]
fn journeys_without_a_node_are_counted_apart() {
    let log = [visitor("v", "A@0 X@1"), visitor("w", "X@0")].concat();
    let report = answer(json!({ "hide": ["X"] }), &log);
    assert_eq!((&report["journeys"], &report["without_node"]), (&json!(2), &json!(1)));
    assert_eq!(ranking(&report), ["A"]);
}

#[test]
fn a_goal_or_an_error_that_occurs_nowhere_is_a_warning() {
    let (report, notes) = ask(&*asked::<DropOffSpec>(json!({ "goal": "bay", "error": ["pya"] })), &small());
    assert_eq!(notes.len(), 2, "{notes:?}");
    assert!(notes.iter().any(|note| note.contains("\"bay\"")) && notes.iter().any(|note| note.contains("\"pya\"")));
    let home = node(&report, "home");
    assert_eq!((&home["dropped"], &home["exits"], &home["goal_rate"]), (&json!(1), &json!(1), &json!(0.0)));
    assert_eq!((&home["friction"]["errors"], &report["mean_goal_value"]), (&json!(0), &Value::Null));
}

#[test]
fn every_option_is_a_rule() {
    let fields = json!({ "goal": "(A | B)", "error": ["E"], "next": 3, "rank": "value_lost", "grain": "visitor" });
    let question = asked::<DropOffSpec>(fields);
    let rules = question.rules();
    assert_eq!(rules.keys().collect::<Vec<_>>(), ["goal", "error", "grain", "node", "repeats", "next", "rank"]);
    assert_eq!((&rules["goal"], &rules["rank"]), (&json!(["(A | B)"]), &json!("value_lost")));
    assert!(question.needs().scan.value && question.needs().scan.event_required);
    assert!(!asked::<DropOffSpec>(json!({})).needs().scan.event_required);
    let refused = DropOffSpec { goal: Some("A > B".into()), ..DropOffSpec::default() };
    let error = refused.resolve(CommonSpec::default().resolve(false).unwrap()).err().unwrap();
    assert_eq!(error.advice(), Some("--goal takes one step; several in a row are a funnel"));
}

#[test]
fn tables_have_as_many_cells_as_columns() {
    let question = asked::<DropOffSpec>(json!({ "goal": "buy", "error": ["home"] }));
    let tables = crate::testing::report(&*question, &small()).0.tables();
    assert_eq!(tables.iter().map(|table| table.name).collect::<Vec<_>>(), ["nodes", "friction", "next"]);
    for table in tables {
        assert!(
            !table.rows.is_empty() && table.rows.iter().all(|row| row.len() == table.columns.len()),
            "{}",
            table.name
        );
    }
}

/// What is counted of a node, in plain loops.
#[derive(Debug, Default, PartialEq)]
struct Plain {
    journeys: u64,
    events: u64,
    exits: u64,
    dropped: u64,
    before_goal: u64,
    reached: u64,
    loops: u64,
    repeats: u64,
    rage: u64,
    errors: u64,
}

/// All nodes of some journeys with goal C and error D; repeats in a row collapse.
fn plain(journeys: &[Vec<Event>], page_views: &[&str]) -> BTreeMap<String, Plain> {
    let name = |event: &Event| oracle::auto_node(event, page_views);
    let mut found: BTreeMap<String, Plain> = BTreeMap::new();
    for journey in journeys {
        let nodes: Vec<String> = journey.iter().map(name).collect();
        let path: Vec<String> =
            oracle::path(journey, &name, oracle::Repeats::First).into_iter().map(|(node, _)| node).collect();
        let goal = journey.iter().position(|event| event.event == "C");
        for node in &nodes {
            found.entry(node.clone()).or_default();
        }
        for (node, counts) in &mut found {
            counts.journeys += u64::from(nodes.contains(node));
            counts.events += nodes.iter().filter(|other| *other == node).count() as u64;
            counts.exits += u64::from(nodes.last() == Some(node));
            counts.dropped += u64::from(nodes.last() == Some(node) && goal.is_none());
            let before_goal = nodes[..goal.unwrap_or(nodes.len())].contains(node);
            counts.before_goal += u64::from(before_goal);
            counts.reached += u64::from(before_goal && goal.is_some());
            counts.loops += path.windows(3).filter(|three| three[0] == *node && three[2] == *node).count() as u64;
            counts.repeats += nodes.windows(2).filter(|two| two[0] == *node && two[1] == *node).count() as u64;
        }
        for (at, event) in journey.iter().enumerate() {
            let same: Vec<i64> = journey[..=at]
                .iter()
                .filter(|other| (&other.event, &other.page) == (&event.event, &event.page))
                .map(|other| other.time)
                .collect();
            let rages =
                |times: &[i64]| times.len() >= 3 && times[times.len() - 1] - times[times.len() - 3] <= 5 * SECOND;
            let begins = rages(&same) && !rages(&same[..same.len() - 1]);
            found.get_mut(&nodes[at]).unwrap().rage += u64::from(begins);
            if event.event == "D" {
                let scene = (0..at).rev().find(|&before| journey[before].event != "D").unwrap_or(at);
                found.get_mut(&nodes[scene]).unwrap().errors += 1;
            }
        }
    }
    found
}

/// The same out of an answer.
fn found(report: &Value) -> BTreeMap<String, Plain> {
    let of = |node: &Value| {
        let count = |value: &Value| value.as_u64().unwrap();
        let [loops, repeats, rage, errors] =
            ["loops", "repeats", "rage", "errors"].map(|key| count(&node["friction"][key]));
        let [journeys, events, exits, dropped] =
            ["journeys", "events", "exits", "dropped"].map(|key| count(&node[key]));
        let plain = Plain { journeys, events, exits, dropped, loops, repeats, rage, errors, ..Plain::default() };
        (node["node"].as_str().unwrap().to_owned(), plain)
    };
    report["nodes"].as_array().unwrap().iter().map(of).collect()
}

fn grains() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec!["session", "visitor"])
}

proptest! {
    #[test]
    fn counts_are_those_of_plain_loops(log in logs(), grain in grains()) {
        let journeys = match grain {
            "session" => oracle::all_sessions(&log, 9 * SECOND, Edge::Exceeds),
            _ => oracle::order(&log).into_values().collect(),
        };
        let page_views: &[&str] = if log.iter().any(|event| event.event == "page_view") { &["page_view"] } else { &[] };
        let report = answer(json!({ "goal": "C", "error": "D", "grain": grain, "timeout": "9s" }), &log);
        let mut expected = plain(&journeys, page_views);
        for (name, counts) in &mut expected {
            let rate = (counts.before_goal > 0).then(|| counts.reached as f64 / counts.before_goal as f64);
            prop_assert_eq!(&node(&report, name)["goal_rate"], &json!(rate));
            (counts.before_goal, counts.reached) = (0, 0);
        }
        prop_assert_eq!(found(&report), expected);
    }

    #[test]
    fn what_goes_in_comes_out(log in logs(), grain in grains()) {
        let report = answer(json!({ "goal": "C", "grain": grain, "timeout": "3s", "hide": ["A"], "next": "all" }), &log);
        let nodes = report["nodes"].as_array().unwrap();
        let sum = |key: &str| nodes.iter().map(|node| node[key].as_f64().unwrap()).sum::<f64>();
        let count = |value: &Value| value.as_u64().unwrap();
        let (journeys, without_node) = (count(&report["journeys"]), count(&report["without_node"]));
        prop_assert_eq!(sum("exits"), (journeys - without_node) as f64);
        prop_assert!((sum("expected_exits") - sum("exits")).abs() < 1e-6);
        prop_assert!(sum("excess_drops").abs() < 1e-6);
        for node in nodes {
            let next = node["next"].as_array().unwrap();
            let went_on: u64 = next.iter().filter(|next| next["node"] != "(end)").map(|next| count(&next["count"])).sum();
            prop_assert_eq!(count(&node["exits"]) + went_on, count(&node["occurrences"]));
            prop_assert_eq!(count(&node["occurrences"]) + count(&node["friction"]["repeats"]), count(&node["events"]));
            prop_assert!(count(&node["dropped"]) <= count(&node["exits"]));
        }
    }

    #[test]
    fn segments_add_up(log in logs(), grain in grains()) {
        let report = answer(json!({ "goal": "C", "error": "D", "grain": grain, "timeout": "3s", "by": "device" }), &log);
        let mut sums: BTreeMap<String, Plain> = BTreeMap::new();
        for segment in report["segments"].as_array().unwrap() {
            for (name, part) in found(segment) {
                let sum = sums.entry(name).or_default();
                sum.journeys += part.journeys;
                sum.events += part.events;
                sum.exits += part.exits;
                sum.dropped += part.dropped;
                sum.loops += part.loops;
                sum.repeats += part.repeats;
                sum.rage += part.rage;
                sum.errors += part.errors;
            }
        }
        prop_assert_eq!(found(&report), sums);
    }

    #[test]
    fn keeps_the_laws(log in logs(), grain in grains(), split: bool, keep: bool) {
        let by: &[&str] = if split { &["device"] } else { &[] };
        let repeats = if keep { "keep" } else { "collapse_last" };
        let fields = json!({
            "goal": "(C | /b)", "error": ["D", "/a"], "grain": grain, "timeout": "3s", "by": by, "repeats": repeats, "next": 2
        });
        check_laws(&*asked::<DropOffSpec>(fields), &log);
        check_laws(&*asked::<DropOffSpec>(json!({ "rank": "excess_drops", "by": by })), &log);
    }
}
