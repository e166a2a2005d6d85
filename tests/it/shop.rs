//! The program on the sample log against answers that DuckDB gave: every row of `sample-data/answers.json`, here and in
//! `shop_wide.rs`.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde_json::{Map, Value, json};

use crate::support::{ask, root, shop};

/// The answers by name; each is a list of rows.
static ANSWERS: LazyLock<Map<String, Value>> = LazyLock::new(|| {
    let text = std::fs::read_to_string(root().join("sample-data/answers.json")).unwrap();
    serde_json::from_str(&text).unwrap()
});

pub fn answers(name: &str) -> &'static [Value] {
    let rows = ANSWERS[name].as_array().unwrap();
    assert!(!rows.is_empty(), "{name} has no rows");
    rows
}

/// The one row of an answer.
pub fn answer(name: &str) -> &'static Value {
    let [row] = answers(name) else { panic!("{name} has more than one row") };
    row
}

pub fn asked(question: &str, flags: &[&str]) -> Value {
    ask(question, &[&shop()], flags)["report"].take()
}

/// Half of the last of the six decimals that the answers are rounded to.
const ROUNDING: f64 = 0.5e-6;

/// Equal as the answers are written: counts exactly, fractions and seconds but for their rounding.
fn same(found: &Value, expected: &Value) -> bool {
    match (found, expected) {
        (Value::Number(found), Value::Number(expected)) if found.is_f64() || expected.is_f64() => {
            let (found, expected) = (found.as_f64().unwrap(), expected.as_f64().unwrap());
            (found - expected).abs() <= ROUNDING + 1e-9 * expected.abs()
        }
        _ => found == expected,
    }
}

/// Asserts that `found` holds each of `keys` as `expected` does; a pair of names where they differ.
pub fn assert_same(found: &Value, expected: &Value, keys: &[(&str, &str)], place: &str) {
    for (pointer, key) in keys {
        let value = found.pointer(pointer).unwrap_or_else(|| panic!("{place}: there is no {pointer} in {found}"));
        let expected = expected.get(key).unwrap_or_else(|| panic!("{place}: the answers have no {key}"));
        assert!(same(value, expected), "{place}: {pointer} is {value}, not {expected}");
    }
}

/// Asserts that `found` has the rows of `expected`, no more and no fewer, in whatever order; `id` names a row.
pub fn assert_rows(found: &Value, expected: &[Value], id: &[&str], keys: &[(&str, &str)]) {
    let name = |row: &Value| id.iter().map(|key| row[key].to_string()).collect::<Vec<_>>().join(" ");
    let found: BTreeMap<String, &Value> = found.as_array().unwrap().iter().map(|row| (name(row), row)).collect();
    for row in expected {
        let place = name(row);
        let found = found.get(&place).unwrap_or_else(|| panic!("{place} is missing"));
        assert_same(found, row, keys, &place);
    }
    assert_eq!(found.len(), expected.len(), "rows that are not in the answers, or rows that repeat");
}

#[test]
fn account_and_events() {
    let document = ask("inspect", &[&shop()], &[]);
    let account = answer("account");
    let keys = [("/events_read", "events"), ("/used", "events"), ("/records", "events"), ("/visitors", "visitors")];
    assert_same(&document["account"], account, &keys, "account");
    assert_eq!(document["account"]["sessions"], answer("sessions")["sessions"]);
    let keys = [("/first_event", "first_time"), ("/last_event", "last_time"), ("/visitors", "visitors")];
    assert_same(&document["report"], account, &keys, "report");
    assert_eq!(json!(document["report"]["events"].as_array().unwrap().len()), account["event_names"]);
    assert_rows(
        &document["report"]["events"],
        answers("events"),
        &["event"],
        &[("/count", "count"), ("/visitors", "visitors")],
    );
}

#[test]
fn the_shops_own_sessions_are_those_of_the_timeout() {
    let own = ask("inspect", &[&shop()], &["--session", "session_id"]);
    assert_eq!(own["account"]["sessions"], answer("account")["given_sessions"]);
    assert_eq!(answer("sessions")["same_as_given_sessions"], json!(true));
}

pub const FUNNEL: [(&str, &str); 7] = [
    ("/entered", "entered"),
    ("/time_from_previous_s/mean", "from_previous_mean_s"),
    ("/time_from_previous_s/median", "from_previous_median_s"),
    ("/time_from_previous_s/p90", "from_previous_p90_s"),
    ("/time_from_first_s/mean", "from_first_mean_s"),
    ("/time_from_first_s/median", "from_first_median_s"),
    ("/time_from_first_s/p90", "from_first_p90_s"),
];

/// Compares a funnel with the answer `name`.
fn check_funnel(name: &str, steps: &str, flags: &[&str]) {
    let report = asked("funnel", &[&["--steps", steps], flags].concat());
    let (found, expected) = (report["steps"].as_array().unwrap(), answers(name));
    assert_eq!(found.len(), expected.len(), "{name}");
    for (at, (found, expected)) in found.iter().zip(expected).enumerate() {
        let place = format!("{name}, step {}", at + 1);
        // Nothing comes before the first step, so it has no times.
        let keys: &[_] = if at == 0 { &FUNNEL[..1] } else { &FUNNEL };
        assert_same(found, expected, keys, &place);
        // We write alternatives in brackets, the answers do not.
        let step = found["step"].as_str().unwrap().replace(['(', ')', ' '], "");
        assert_eq!(json!(step), expected["step"], "{place}");
        let stopped = if at + 1 == answers(name).len() { json!(0) } else { expected["stopped_here"].clone() };
        assert_eq!(found["dropped"], stopped, "{place}");
    }
}

const FIVE: &str = "catalog > product_view > add_to_cart > shipping_details > purchase";

#[test]
fn funnels() {
    check_funnel("funnel_five", FIVE, &[]);
    check_funnel("funnel_three", "product_view > add_to_cart > purchase", &["--window", "7d"]);
    check_funnel("funnel_five_sessions", FIVE, &["--grain", "session"]);
}

#[test]
fn funnels_whose_steps_one_event_can_share() {
    check_funnel("funnel_repeated_step", "product_view > product_view > product_view > add_to_cart", &[]);
    let overlap = "(add_to_cart|cart) > (cart|shipping_details) > (shipping_details|add_to_cart) > purchase";
    check_funnel("funnel_overlap", overlap, &["--window", "1h"]);
    let overlap = "(add_to_cart|cart) > (cart|add_to_cart) > (cart|purchase)";
    check_funnel("funnel_overlap_sessions", overlap, &["--grain", "session"]);
}

#[test]
fn strict_funnels() {
    check_funnel("funnel_strict_sessions", "add_to_cart >> cart >> shipping_details", &["--grain", "session"]);
    let expected = answer("strict_hop");
    let sessions = asked("funnel", &["--steps", "add_to_cart >> cart", "--grain", "session"]);
    let keys = [("/steps/0/entered", "sessions_step_1"), ("/steps/1/entered", "sessions_step_2")];
    assert_same(&sessions, expected, &keys, "sessions");
}

#[test]
fn a_funnel_by_platform() {
    let report = asked("funnel", &["--steps", FIVE, "--by", "platform"]);
    let row = |segment: &Value| {
        let mut row = Map::from_iter([("platform".to_owned(), segment["by"]["platform"].clone())]);
        let steps = segment["steps"].as_array().unwrap().iter();
        row.extend(steps.map(|step| (step["step"].as_str().unwrap().to_owned(), step["entered"].clone())));
        Value::Object(row)
    };
    let segments: Vec<Value> = report["segments"].as_array().unwrap().iter().map(row).collect();
    // Visitors who reach no step have a platform too; the answers leave them out.
    assert_eq!(json!(segments), json!(answers("funnel_five_by_platform")));
}

#[test]
fn the_flow_of_ten_columns() {
    let report = asked("flow", &["--depth", "10", "--top", "all"]);
    let columns = report["columns"].as_array().unwrap();
    let nodes: Vec<Value> = columns.iter().flat_map(nodes_of).collect();
    let keys = ["through", "entered", "dropped", "beyond", "visitors"].map(pair);
    let keys = keys.each_ref().map(|(pointer, key)| (pointer.as_str(), *key));
    assert_rows(&json!(nodes), answers("flow_columns"), &["position", "node"], &keys);
    let id = ["position", "from", "to"];
    assert_rows(&report["links"], answers("flow_links"), &id, &[("/count", "count"), ("/visitors", "visitors")]);
}

/// The nodes of a column, each with the column's position.
fn nodes_of(column: &Value) -> Vec<Value> {
    let mut nodes = column["nodes"].as_array().unwrap().clone();
    nodes.iter_mut().for_each(|node| node["position"] = column["position"].clone());
    nodes
}

fn pair(key: &str) -> (String, &str) {
    (format!("/{key}"), key)
}

const COUNTS: [(&str, &str); 3] = [("/count", "count"), ("/sessions", "sessions"), ("/visitors", "visitors")];

#[test]
fn the_graph_and_its_times() {
    let report = asked("graph", &[]);
    let ends = [("/entries", "entries"), ("/exits", "exits")];
    assert_rows(&report["nodes"], answers("nodes"), &["node"], &[&COUNTS[..], &ends[..]].concat());
    let times = [("/time_s/mean", "mean_s"), ("/time_s/median", "median_s"), ("/time_s/p95", "p95_s")];
    assert_rows(&report["transitions"], answers("transitions"), &["from", "to"], &[&COUNTS[..], &times[..]].concat());
}

#[test]
fn the_graph_with_repeats() {
    let report = asked("graph", &["--repeats", "keep"]);
    assert_rows(&report["transitions"], answers("transitions_keep"), &["from", "to"], &COUNTS);
}

#[test]
fn drop_off_points() {
    let report = asked("dropoff", &[]);
    let keys = ["journeys", "exits", "exit_rate", "expected_exits", "lift"].map(pair);
    let keys = keys.each_ref().map(|(pointer, key)| (pointer.as_str(), *key));
    assert_rows(&report["nodes"], answers("dropoff"), &["node"], &keys);
    // The same exits and events by other questions.
    for row in answers("nodes") {
        let node = report["nodes"].as_array().unwrap().iter().find(|node| node["node"] == row["node"]).unwrap();
        assert_same(node, row, &[("/occurrences", "count"), ("/exits", "exits")], "node");
    }
    let events = json!(
        report["nodes"]
            .as_array()
            .unwrap()
            .iter()
            .map(|node| json!({ "event": node["node"], "n": node["events"] }))
            .collect::<Vec<_>>()
    );
    assert_rows(&events, answers("events"), &["event"], &[("/n", "count")]);
    assert_eq!(report["ranked_by"], "excess_drops", "the log has no prices");
}

#[test]
fn conversion_of_the_default_goal() {
    let goal = &asked("conversion", &[])["goals"][0];
    let keys = [
        ("/conversions", "purchases"),
        ("/converting_sessions", "converting_sessions"),
        ("/converting_visitors", "converting_visitors"),
        ("/session_rate", "session_conversion_rate"),
        ("/visitor_rate", "visitor_conversion_rate"),
    ];
    assert_same(goal, answer("summary"), &keys, "purchase");
}

#[test]
fn the_most_frequent_paths() {
    let report = asked("paths", &[]);
    let joined = |row: &Value| {
        let names: Vec<&str> = row["path"].as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
        json!({ "path": names.join(" > "), "count": row["count"], "share": row["share"], "visitors": row["visitors"] })
    };
    let paths: Vec<Value> = report["paths"].as_array().unwrap().iter().map(joined).collect();
    assert_rows(
        &json!(paths),
        answers("paths"),
        &["path"],
        &[("/count", "count"), ("/share", "share"), ("/visitors", "visitors")],
    );
    let order = |rows: &[Value]| rows.iter().map(|row| row["path"].clone()).collect::<Vec<_>>();
    assert_eq!(order(&paths), order(answers("paths")));

    let total = answer("paths_total");
    assert_same(&report, total, &[("/total", "sessions")], "all paths");
    let hidden = report["hidden"]["paths"].as_u64().unwrap();
    assert_eq!(json!(hidden + paths.len() as u64), total["distinct_paths"]);
    let everything = asked("paths", &["--top", "all"]);
    assert_eq!(json!(everything["paths"].as_array().unwrap().len()), total["distinct_paths"]);
}

/// Abandonment by a rule, as it is in JSON.
fn abandonment(rule: &str) -> Value {
    asked("abandonment", &["--purchase-rule", &rule.replace('_', "-")])
}

#[test]
fn abandonment_by_three_rules() {
    let rows = answers("abandonment_rules");
    assert_eq!(rows.len(), 2 * 2 * 3);
    for row in rows {
        let [question, grain, rule] = ["question", "grain", "rule"].map(|key| row[key].as_str().unwrap());
        let report = abandonment(rule);
        let found = &report[question][format!("{grain}s")];
        let place = format!("{question}, {grain}, {rule}");
        // Per visitor, `abandoned` counts those with an abandoned session: those who never purchased stand beside it.
        let keys: &[_] = match grain {
            "session" => {
                &[("/started", "started"), ("/completed", "completed"), ("/abandoned", "abandoned"), ("/rate", "rate")]
            }
            _ => &[("/started", "started"), ("/never_purchased", "abandoned"), ("/rate", "rate")],
        };
        assert_same(found, row, keys, &place);
    }
}

#[test]
fn what_became_of_abandoned_sessions() {
    let report = abandonment("after_first");
    for row in answers("abandonment_sessions") {
        let question = row["question"].as_str().unwrap();
        let keys = [
            ("/abandoned", "abandoned"),
            ("/recovered", "recovered"),
            ("/too_recent", "too_recent"),
            ("/lost", "lost"),
        ];
        assert_same(&report[question]["sessions"], row, &keys, question);
    }
    for row in answers("abandonment_visitors") {
        let question = row["question"].as_str().unwrap();
        let keys = [
            ("/started", "started"),
            ("/never_purchased", "never_purchased"),
            ("/abandoned", "with_abandoned_session"),
            ("/recovered", "with_recovered_session"),
        ];
        assert_same(&report[question]["visitors"], row, &keys, question);
    }
}

/// The figures that the README of the sample names, so that they cannot drift apart.
#[test]
fn the_figures_of_the_readme() {
    let sessions = &abandonment("after_first")["cart"]["sessions"];
    let counts = ["started", "abandoned", "recovered", "too_recent", "lost"].map(|key| sessions[key].as_u64().unwrap());
    assert_eq!(counts, [1213, 849, 47, 54, 748]);
    let rates = ["after_first", "after_last", "anywhere"].map(|rule| {
        let report = abandonment(rule);
        ["sessions", "visitors"].map(|grain| format!("{:.1}", 100.0 * report["cart"][grain]["rate"].as_f64().unwrap()))
    });
    assert_eq!(rates, [["70.0", "43.1"], ["70.6", "71.3"], ["61.3", "37.2"]]);
}

#[test]
fn stages_of_abandoned_carts() {
    let stages = ["add_to_cart", "shipping_details", "payment_details"].map(|stage| ["--stage", stage]).concat();
    let report = asked("abandonment", &stages);
    assert_rows(
        &report["cart"]["sessions"]["stages"],
        answers("abandonment_stages"),
        &["stage"],
        &[("/sessions", "after_start")],
    );
}

#[test]
fn key_figures() {
    let expected = answer("summary");
    let keys = [
        ("/visitors", "visitors"),
        ("/sessions", "sessions"),
        ("/events", "events"),
        ("/session_conversion_rate", "session_conversion_rate"),
        ("/visitor_conversion_rate", "visitor_conversion_rate"),
        ("/checkout_abandonment_rate", "checkout_abandonment_rate"),
        ("/duration_s/mean", "duration_mean_s"),
        ("/duration_s/median", "duration_median_s"),
        ("/duration_s/p90", "duration_p90_s"),
    ];
    let report = asked("summary", &[]);
    assert_same(&report, expected, &keys, "summary");
    // The log has neither page views, impressions nor scrolls.
    for key in ["bounce_rate", "pages_per_session", "click_through_rate", "scroll_rate"] {
        assert_eq!(report[key], Value::Null, "{key}");
    }
    let single = asked("summary", &["--bounce", "single-event"]);
    assert_same(&single, expected, &[("/bounce_rate", "single_event_rate")], "bounces");
}
