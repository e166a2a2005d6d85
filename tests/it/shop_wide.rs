//! The program on the sample log against answers that DuckDB gave, as `shop.rs`: paths, drop-off, conversion, what a session is,
//! and events and journeys that are chosen.

use serde_json::{Value, json};

use crate::differential::logs::csv;
use crate::differential::skipped_without_sql;
use crate::shop::{FUNNEL, answer, answers, asked, assert_rows, assert_same};
use crate::support::{answer_in, ask, root, shop};

/// The rows of an answer that `keep` chooses.
fn only(name: &str, keep: impl Fn(&Value) -> bool) -> Vec<Value> {
    let rows: Vec<Value> = answers(name).iter().filter(|row| keep(row)).cloned().collect();
    assert!(!rows.is_empty(), "{name}: no rows");
    rows
}

#[test]
fn the_most_frequent_paths() {
    let report = asked("paths", &["--top", "20"]);
    let joined = |row: &Value| {
        let nodes: Vec<&str> = row["path"].as_array().unwrap().iter().map(|node| node.as_str().unwrap()).collect();
        json!({ "path": nodes.join(" > "), "count": row["count"], "visitors": row["visitors"], "share": row["share"] })
    };
    let found: Vec<Value> = report["paths"].as_array().unwrap().iter().map(joined).collect();
    let expected = answers("paths");
    let order = |rows: &[Value]| rows.iter().map(|row| row["path"].clone()).collect::<Vec<_>>();
    assert_eq!(order(&found), order(expected), "equal counts are ordered by name");
    let keys = [("/count", "count"), ("/visitors", "visitors"), ("/share", "share")];
    assert_rows(&json!(found), expected, &["path"], &keys);
    let total = answer("paths_total");
    assert_eq!(report["total"], total["sessions"]);
    let shown: u64 = expected.iter().map(|row| row["count"].as_u64().unwrap()).sum();
    assert_eq!(report["hidden"]["count"], json!(total["sessions"].as_u64().unwrap() - shown));
    assert_eq!(report["hidden"]["paths"], json!(total["distinct_paths"].as_u64().unwrap() - 20));
}

#[test]
fn the_step_matrix() {
    let report = asked("paths", &["--matrix", "--depth", "10"]);
    assert_rows(&report["matrix"], answers("matrix"), &["position", "node"], &[("/share", "share")]);
}

#[test]
fn the_step_matrix_around_a_node() {
    let report = asked("paths", &["--around", "add_to_cart", "--before", "3", "--after", "3"]);
    let rows = report["matrix"].as_array().unwrap();
    let is_end = |row: &&Value| ["(start)", "(end)"].contains(&row["node"].as_str().unwrap());
    let (ends, nodes): (Vec<&Value>, Vec<&Value>) = rows.iter().partition(is_end);
    let id = ["position", "node"];
    assert_rows(&json!(nodes), answers("matrix_around"), &id, &[("/share", "share")]);
    let expected = only("matrix_around_ends", |row| row["sessions"] != 0);
    assert_rows(&json!(ends), &expected, &["position"], &[("/share", "share")]);
}

#[test]
fn drops_and_friction() {
    let report = asked("dropoff", &[]);
    let keys = ["occurrences", "events", "dropped", "excess_drops", "goal_rate"];
    let keys = keys.map(|key| (format!("/{key}"), key));
    let keys = keys.each_ref().map(|(pointer, key)| (pointer.as_str(), *key));
    assert_rows(&report["nodes"], answers("dropoff"), &["node"], &keys);
    for (name, key) in [("dropoff_loops", "loops"), ("dropoff_repeats", "repeats")] {
        let pointer = format!("/friction/{key}");
        let some = |row: &&Value| row.pointer(&pointer).unwrap() != 0;
        let found: Vec<&Value> = report["nodes"].as_array().unwrap().iter().filter(some).collect();
        assert_rows(&json!(found), answers(name), &["node"], &[(&pointer, key)]);
    }
}

/// What comes after a node: its transitions and its exits.
#[test]
fn what_comes_after_a_node() {
    let report = asked("dropoff", &["--next", "all"]);
    let mut found: Vec<Value> = Vec::new();
    for node in report["nodes"].as_array().unwrap() {
        for next in node["next"].as_array().unwrap() {
            found.push(json!({ "from": node["node"], "to": next["node"], "count": next["count"] }));
        }
    }
    let exits = only("nodes", |row| row["exits"] != 0);
    let exits = exits.iter().map(|row| json!({ "from": row["node"], "to": "(end)", "count": row["exits"] }));
    let expected: Vec<Value> = answers("transitions").iter().cloned().chain(exits).collect();
    assert_rows(&json!(found), &expected, &["from", "to"], &[("/count", "count")]);
}

const CONVERSION: [(&str, &str); 15] = [
    ("/conversions", "conversions"),
    ("/converting_sessions", "converting_sessions"),
    ("/converting_visitors", "converting_visitors"),
    ("/session_rate", "session_rate"),
    ("/visitor_rate", "visitor_rate"),
    ("/intervals/session_rate/0", "session_low"),
    ("/intervals/session_rate/1", "session_high"),
    ("/intervals/visitor_rate/0", "visitor_low"),
    ("/intervals/visitor_rate/1", "visitor_high"),
    ("/time_to_goal_s/session/mean", "time_mean_s"),
    ("/time_to_goal_s/session/median", "time_median_s"),
    ("/time_to_goal_s/session/p90", "time_p90_s"),
    ("/steps_to_goal/session/mean", "nodes_before_mean"),
    ("/steps_to_goal/session/median", "nodes_before_median"),
    ("/steps_to_goal/session/p90", "nodes_before_p90"),
];

const OF_VISITORS: [(&str, &str); 7] = [
    ("/converting_visitors", "visitors"),
    ("/time_to_goal_s/visitor/mean", "time_mean_s"),
    ("/time_to_goal_s/visitor/median", "time_median_s"),
    ("/time_to_goal_s/visitor/p90", "time_p90_s"),
    ("/steps_to_goal/visitor/mean", "nodes_before_mean"),
    ("/steps_to_goal/visitor/median", "nodes_before_median"),
    ("/steps_to_goal/visitor/p90", "nodes_before_p90"),
];

#[test]
fn conversion_by_goal_and_platform() {
    let report = asked("conversion", &["--goal", "add_to_cart", "--goal", "purchase", "--by", "platform"]);
    let expected = |platform: &str| only("conversion", |row| row["platform"] == platform);
    assert_rows(&report["goals"], &expected("(all)"), &["goal"], &CONVERSION);
    assert_rows(&report["goals"], answers("conversion_visitors"), &["goal"], &OF_VISITORS);
    let segments = report["segments"].as_array().unwrap();
    assert_eq!(segments.len(), 3);
    for segment in segments {
        let platform = segment["by"]["platform"].as_str().unwrap();
        assert_rows(&segment["goals"], &expected(platform), &["goal"], &CONVERSION);
    }
}

/// The dimensions by the names that the answers give their facts.
const FACTS: [(&str, &str); 8] = [
    ("session_number", "session_number"),
    ("new_or_returning", "new_or_returning"),
    ("weekday", "weekday_number"),
    ("hour", "hour_of_day"),
    ("week", "week"),
    ("month", "month"),
    ("first:platform", "first_platform"),
    ("last:platform", "last_platform"),
];

/// How the program shows the value of a fact.
fn shown(fact: &str, value: &str) -> String {
    let days = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];
    match fact {
        "weekday_number" => days[value.parse::<usize>().unwrap() - 1].to_owned(),
        "hour_of_day" => format!("{value:0>2}"),
        _ => value.to_owned(),
    }
}

#[test]
fn key_figures_by_what_a_session_is() {
    for (dimension, fact) in FACTS {
        let report = asked("summary", &["--by", dimension]);
        check_segments(&report, dimension, fact, |_| true);
    }
    // Of the days, the answers have those of March.
    let report = asked("summary", &["--by", "day"]);
    check_segments(&report, "day", "day", |day| day.starts_with("2024-03-"));
}

fn check_segments(report: &Value, dimension: &str, fact: &str, keep: impl Fn(&str) -> bool) {
    let rows = report["segments"].as_array().unwrap().iter();
    let found: Vec<Value> = rows
        .filter(|row| keep(row["by"][dimension].as_str().unwrap()))
        .map(|row| {
            let mut row = row.clone();
            row["value"] = row["by"][dimension].clone();
            row
        })
        .collect();
    let mut expected = only("sessions_by_fact", |row| row["fact"] == fact);
    for row in &mut expected {
        row["value"] = json!(shown(fact, row["value"].as_str().unwrap()));
        let [converting, sessions] = ["converting_sessions", "sessions"].map(|key| row[key].as_f64().unwrap());
        row["rate"] = json!(converting / sessions);
    }
    let keys = [
        ("/sessions", "sessions"),
        ("/visitors", "visitors"),
        ("/events", "events"),
        ("/duration_s/mean", "duration_mean_s"),
        ("/session_conversion_rate", "rate"),
    ];
    assert_rows(&json!(found), &expected, &["value"], &keys);
}

#[test]
fn the_rows_of_sessions_in_sums() {
    let text = answer_in(root(), &["sessions", shop().to_str().unwrap(), "--format", "csv"]);
    let mut sums = [0i64; 9];
    for row in csv(&text) {
        let number = |key: &str| row[key].parse::<f64>().unwrap().round() as i64;
        let [session, events, seconds] = ["session_number", "events", "duration_s"].map(number);
        let time = |key: &str| chrono::DateTime::parse_from_rfc3339(&row[key]).unwrap().timestamp() % 1_000_003;
        let [start, end] = ["start", "end"].map(time);
        let visitor: i64 = row["visitor"].trim_start_matches("user_").parse().unwrap();
        let of_row = [
            1,
            session,
            events,
            seconds,
            seconds * session,
            events * session,
            start * session,
            end * events,
            start * visitor,
        ];
        sums.iter_mut().zip(of_row).for_each(|(sum, one)| *sum += one);
    }
    let keys = [
        "sessions",
        "numbers",
        "events",
        "duration_s",
        "duration_times_number",
        "events_times_number",
        "start_times_number",
        "end_times_events",
        "start_times_visitor",
    ];
    let expected = answer("session_rows");
    for (key, sum) in keys.into_iter().zip(sums) {
        assert_eq!(json!(sum), expected[key], "{key}");
    }
}

/// Compares the steps of a funnel with the answer `name`.
fn check_steps(report: &Value, name: &str) {
    let (found, expected) = (report["steps"].as_array().unwrap(), answers(name));
    assert_eq!(found.len(), expected.len(), "{name}");
    for (at, (found, expected)) in found.iter().zip(expected).enumerate() {
        // Nothing comes before the first step, so it has no times.
        let keys = if at == 0 { &FUNNEL[..1] } else { &FUNNEL[..] };
        assert_same(found, expected, keys, &format!("{name}, step {}", at + 1));
    }
}

const FIVE: &str = "catalog > product_view > add_to_cart > shipping_details > purchase";
const THREE: &str = "product_view > add_to_cart > purchase";
const MOBILE: [&str; 2] = ["--where", "platform = 'mobile'"];

#[test]
fn the_log_of_mobile_phones_alone() {
    if skipped_without_sql() {
        return;
    }
    let document = ask("summary", &[&shop()], &MOBILE);
    let expected = answer("mobile");
    let keys = ["visitors", "sessions", "events"].map(|key| (format!("/{key}"), key));
    let keys = keys.each_ref().map(|(pointer, key)| (pointer.as_str(), *key));
    assert_same(&document["report"], expected, &keys, "mobile");
    assert_eq!(document["account"]["filtered"], expected["filtered"]);
    check_steps(&asked("funnel", &[&["--steps", FIVE], &MOBILE[..]].concat()), "funnel_five_mobile");
    let sessions = asked("funnel", &[&["--steps", THREE, "--grain", "session"], &MOBILE[..]].concat());
    check_steps(&sessions, "funnel_three_mobile_sessions");
}

/// In a job, each question may have its own condition, and does not see those of the others.
#[test]
fn one_job_with_a_condition_for_one_of_its_questions() {
    if skipped_without_sql() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let job = format!(
        "[[funnel]]\nname = 'all'\nsteps = '{FIVE}'\n\
         [[funnel]]\nname = 'mobile'\nsteps = '{FIVE}'\nwhere = \"platform = 'mobile'\"\n\
         [[funnel]]\nname = 'mobile sessions'\nsteps = '{THREE}'\ngrain = 'session'\nwhere = \"platform = 'mobile'\"\n"
    );
    std::fs::write(folder.path().join("job.toml"), job).unwrap();
    answer_in(folder.path(), &["run", "job.toml", shop().to_str().unwrap(), "--output-dir", "out"]);
    for (name, expected) in
        [("all", "funnel_five"), ("mobile", "funnel_five_mobile"), ("mobile sessions", "funnel_three_mobile_sessions")]
    {
        let text = std::fs::read_to_string(folder.path().join(format!("out/{name}.json"))).unwrap();
        check_steps(&serde_json::from_str::<Value>(&text).unwrap()["report"], expected);
    }
}

#[test]
fn a_funnel_entered_in_march() {
    let march = ["--entered-from", "2024-03-01", "--entered-to", "2024-04-01"];
    check_steps(&asked("funnel", &[&["--steps", THREE], &march[..]].concat()), "funnel_three_entered");
}

#[test]
fn first_sessions_of_some_length() {
    let chosen = ["--journeys", "session_number = 1 AND events >= 5"];
    if skipped_without_sql() {
        return;
    }
    let keys = ["count", "sessions", "visitors", "entries", "exits"].map(|key| (format!("/{key}"), key));
    let keys = keys.each_ref().map(|(pointer, key)| (pointer.as_str(), *key));
    assert_rows(&asked("graph", &chosen)["nodes"], answers("first_long_nodes"), &["node"], &keys);
    let funnel = ["--steps", "catalog > product_view > add_to_cart", "--grain", "session"];
    let report = asked("funnel", &[&chosen[..], &funnel].concat());
    let expected = answer("first_long_funnel");
    for (at, step) in ["catalog", "product_view", "add_to_cart"].into_iter().enumerate() {
        assert_eq!(report["steps"][at]["entered"], expected[step], "{step}");
    }
}

/// The figures that the README of the sample names.
#[test]
fn the_figures_of_the_readme() {
    let rates = |row: &Value| format!("{:.1}", 100.0 * row["session_rate"].as_f64().unwrap());
    let purchases = only("conversion", |row| row["goal"] == "purchase");
    assert_eq!(purchases.iter().map(rates).collect::<Vec<_>>(), ["13.0", "14.7", "9.7", "16.0"]);
    let cart = &only("conversion", |row| row["goal"] == "add_to_cart" && row["platform"] == "(all)")[0];
    let keys = ["converting_sessions", "time_median_s", "events_before_median"];
    assert_eq!(keys.map(|key| cart[key].as_f64().unwrap()), [1213.0, 438.0, 5.0]);
    let mobile = answer("mobile");
    assert_eq!(["events", "visitors", "sessions"].map(|key| mobile[key].as_u64().unwrap()), [11_353, 297, 1_295]);
}

#[test]
fn paths_of_first_sessions_of_some_length() {
    if skipped_without_sql() {
        return;
    }
    let total = answer("first_long_paths");
    let report =
        asked("paths", &[&["--journeys", "session_number = 1 AND events >= 5"][..], &["--top", "all"]].concat());
    assert_eq!(report["total"], total["sessions"]);
    assert_eq!(json!(report["paths"].as_array().unwrap().len()), total["distinct_paths"]);
}
