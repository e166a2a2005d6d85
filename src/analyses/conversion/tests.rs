use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::analyses::CommonSpec;
use crate::analyses::abandonment::tests::{asked, shop};
use crate::analyses::funnel::FunnelSpec;
use crate::analyses::summary::SummarySpec;
use crate::reports::Cell;
use crate::testing::oracle::Event;
use crate::testing::{ask, check_laws, logs, visitor};

fn answer(fields: Value, log: &[Event]) -> Value {
    ask(&*asked::<ConversionSpec>(fields), log).0
}

/// The first goal of the answer.
fn goal(fields: Value, log: &[Event]) -> Value {
    answer(fields, log)["goals"][0].take()
}

#[test]
fn an_empty_log_has_zeros_and_undefined_rates() {
    let (report, notes) = ask(&*asked::<ConversionSpec>(json!({})), &[]);
    let nothing = json!({ "session": null, "visitor": null });
    let expected = json!({
        "sessions": 0, "visitors": 0,
        "goals": [{
            "goal": "purchase", "conversions": 0, "converting_sessions": 0, "converting_visitors": 0,
            "session_rate": null, "visitor_rate": null,
            "intervals": { "session_rate": null, "visitor_rate": null }, "value": null,
            "time_to_goal_s": nothing, "steps_to_goal": nothing,
        }],
    });
    assert_eq!(report, expected);
    assert_eq!(notes, ["none of the default names of a goal event occurs: name yours with --goal"]);
}

#[test]
fn both_grains_are_counted_up_to_their_first_goal() {
    // Two sessions with the goal, one of them twice, and two without.
    let log = [visitor("v", "A@0 B@1 G@3 G@4 A@100 G@105"), visitor("w", "A@0 A@50")].concat();
    let found = goal(json!({ "goal": "G" }), &log);
    let intervals = json!({ "session_rate": wilson(2, 4), "visitor_rate": wilson(1, 2) });
    let expected = json!({
        "goal": "G", "conversions": 3, "converting_sessions": 2, "converting_visitors": 1,
        "session_rate": 0.5, "visitor_rate": 0.5, "intervals": intervals, "value": null,
        "time_to_goal_s": {
            "session": { "mean": 4.0, "median": 4.0, "p90": 5.0 }, "visitor": { "mean": 3.0, "median": 3.0, "p90": 3.0 },
        },
        "steps_to_goal": {
            "session": { "mean": 1.5, "median": 1.5, "p90": 2.0 }, "visitor": { "mean": 2.0, "median": 2.0, "p90": 2.0 },
        },
    });
    assert_eq!(found, expected);
}

fn wilson(part: u64, whole: u64) -> Option<[f64; 2]> {
    crate::rates::wilson(part, whole)
}

#[test]
fn a_visitor_takes_all_sessions_to_its_first_goal() {
    let found = goal(json!({ "goal": "G" }), &visitor("v", "A@0 B@1 A@100 A@101 C@102 G@104 G@200"));
    assert_eq!(found["time_to_goal_s"]["session"]["mean"], 2.0, "4 s and 0 s");
    assert_eq!(found["time_to_goal_s"]["visitor"]["mean"], 104.0);
    // A B | A C, and nothing before the goal of the third session.
    assert_eq!(found["steps_to_goal"]["visitor"]["mean"], 4.0);
    assert_eq!(found["steps_to_goal"]["session"]["p90"], 2.0);
}

#[test]
fn steps_are_nodes_of_the_path_before_the_goal() {
    let steps = |fields: Value, log: &str| {
        let mut fields = fields;
        fields["goal"] = json!("G");
        goal(fields, &visitor("v", log))["steps_to_goal"]["session"]["mean"].clone()
    };
    let log = "A@0 A@1 B@2 B@3 A@4 G@5 C@6";
    assert_eq!(steps(json!({}), log), 3.0);
    assert_eq!(steps(json!({ "repeats": "collapse_last" }), log), 3.0);
    assert_eq!(steps(json!({ "repeats": "keep" }), log), 5.0);
    assert_eq!(steps(json!({ "hide": ["B"] }), log), 1.0);
    assert_eq!(steps(json!({ "hide": ["G"] }), log), 3.0, "a goal need not be a node");
    assert_eq!(steps(json!({ "goal": "G" }), "G@0 A@1"), 0.0);
}

#[test]
fn value_is_that_of_all_goal_events() {
    let value = |values: &[Option<i64>]| {
        let mut log = visitor("v", "G@0 A@1 G@2 G@100");
        log.iter_mut().zip(values).for_each(|(event, value)| event.value = value.map(|cents| cents * 10_000));
        goal(json!({ "goal": "G" }), &log)["value"].clone()
    };
    assert_eq!(value(&[None, Some(100), None, None]), Value::Null, "null, not 0, where no goal carries one");
    assert_eq!(value(&[Some(1999), Some(100), Some(-500), Some(1)]), 15.0);
    assert_eq!(value(&[None, None, Some(0), None]), 0.0);
}

#[test]
fn goals_stand_in_the_order_of_asking_and_one_event_counts_for_all_that_it_fits() {
    let report = answer(json!({ "goal": ["(B | A)", "A", "node(B)"] }), &visitor("v", "A@0 B@1 A@2"));
    let goals: Vec<_> =
        report["goals"].as_array().unwrap().iter().map(|goal| (&goal["goal"], &goal["conversions"])).collect();
    assert_eq!(json!(goals), json!([["(B | A)", 3], ["A", 2], ["node(B)", 1]]));
}

#[test]
fn a_goal_that_occurs_nowhere_is_a_warning_and_zero() {
    let question = asked::<ConversionSpec>(json!({ "goal": "purchse" }));
    let (report, notes) = ask(&*question, &visitor("v", "purchase@0 view@1"));
    assert_eq!(notes, [r#"the event "purchse" occurs nowhere in the log; did you mean "purchase"?"#]);
    let goal = &report["goals"][0];
    assert_eq!(
        (&goal["conversions"], &goal["session_rate"], &goal["visitor_rate"]),
        (&json!(0), &json!(0.0), &json!(0.0))
    );
    assert_eq!((&goal["value"], &goal["time_to_goal_s"]["session"]), (&Value::Null, &Value::Null));

    let (report, notes) = ask(&*asked::<ConversionSpec>(json!({})), &visitor("v", "Placed@0 view@1"));
    assert_eq!(report["goals"][0]["session_rate"], 0.0);
    assert_eq!(notes, ["none of the default names of a goal event occurs: name yours with --goal"]);
    let (report, notes) = ask(&*asked::<ConversionSpec>(json!({})), &visitor("v", "order_completed@0 view@1"));
    assert_eq!((report["goals"][0]["session_rate"].clone(), notes), (json!(1.0), vec![]));
}

#[test]
fn what_is_no_goal_is_refused_with_a_hint() {
    let refused = |goals: Vec<String>| {
        let spec = ConversionSpec { goal: goals };
        let error = spec.resolve(CommonSpec::default().resolve(false).unwrap()).err().unwrap();
        (error.to_string(), error.advice().unwrap_or_default().to_owned())
    };
    let one = |goal: &str| refused(vec![goal.to_owned()]);
    let (message, hint) = one("cart > purchase");
    assert_eq!(message, r#"the goal "cart > purchase" does not end after its step "cart""#);
    assert_eq!(hint, "--goal takes one step; several in a row are a funnel");
    assert!(one("Order, completed").1.contains(r#""'Order, completed'""#));
    assert!(one("").1.contains("steps look like this"));
    assert!(refused((0..65).map(|n| format!("goal{n}")).collect()).0.contains("at most 64 goals"));

    let mut table = toml::toml! { grain = "session" };
    let common = CommonSpec::default().take_from(&mut table).unwrap().resolve(false).unwrap();
    assert_eq!(ConversionSpec::default().resolve(common).err().unwrap().advice(), Some("leave --grain out"));
}

#[test]
fn every_option_is_a_rule_and_needs_are_those_of_the_goals() {
    let question = asked::<ConversionSpec>(json!({ "goal": ["A"], "hide": ["B"], "by": ["device"] }));
    let rules = question.rules();
    assert_eq!(rules.keys().collect::<Vec<_>>(), ["goal", "timeout", "timeout_edge", "node", "repeats", "hide", "by"]);
    assert_eq!(rules["goal"], json!(["A"]));
    assert!(question.needs().scan.event_required, "who names an event wants events");
    let question = asked::<ConversionSpec>(json!({}));
    assert!(question.rules()["goal"].as_array().unwrap().contains(&json!("Order Completed")));
    assert!(!question.needs().scan.event_required, "a log without events has an answer: no purchase");
}

#[test]
fn tables_have_a_row_per_goal_and_one_per_goal_and_grain() {
    let counts = |converting| GrainCounts { converting, ..GrainCounts::default() };
    let counts = GoalCounts { conversions: 5, value: 7, valued: 1, sessions: counts(2), visitors: counts(1) };
    let goals = vec![GoalReport::new("G".to_owned(), counts, 4, 0).unwrap()];
    let report = ConversionReport { sessions: 4, visitors: 0, goals };
    assert_eq!(crate::reports::Report::rate(&report), Some(0.5));
    let tables = crate::reports::Report::tables(&report);
    assert!(tables.iter().all(|table| table.rows.iter().all(|row| row.len() == table.columns.len())));
    assert_eq!(tables[0].rows[0][1..4], [Cell::Count(5), Cell::Count(2), Cell::Rate(0.5)]);
    assert_eq!(tables[0].rows[0][7..], [Cell::Null, Cell::Null, Cell::Null, Cell::Money(7)]);
    let grains: Vec<_> = tables[1].rows.iter().map(|row| row[1].clone()).collect();
    assert_eq!(grains, ["session", "visitor"].map(|grain| Cell::Text(grain.to_owned())));
}

#[test]
fn the_rate_is_that_of_the_first_goal_and_all_journeys() {
    let question = asked::<ConversionSpec>(json!({ "goal": ["A", "B"], "by": ["device"] }));
    let log = [visitor("v", "A@0"), visitor("w", "B@0"), visitor("x", "B@0"), visitor("y", "B@0")].concat();
    assert_eq!(crate::testing::rate(&*question, &log), Some(0.25));
}

#[test]
fn the_shop_log_converts_as_the_sample_data_says() {
    let found = goal(json!({ "timeout": "30m" }), &shop());
    let counts = ["conversions", "converting_sessions", "converting_visitors"].map(|key| found[key].as_u64().unwrap());
    assert_eq!(counts, [470, 470, 328]);
}

proptest! {
    #[test]
    fn keeps_the_laws(log in logs(), split: bool) {
        let by: &[&str] = if split { &["device"] } else { &[] };
        check_laws(&*asked::<ConversionSpec>(json!({ "goal": ["A", "(B | C)", "/a", "node(/b)"], "timeout": "3s", "by": by })), &log);
        check_laws(&*asked::<ConversionSpec>(json!({ "repeats": "keep", "by": by })), &log);
    }

    #[test]
    fn sessions_and_values_of_segments_add_up(log in logs()) {
        let report = answer(json!({ "goal": ["A", "B"], "timeout": "3s", "by": ["device"] }), &log);
        for at in 0..2 {
            let of = |report: &Value, key: &str| report["goals"][at][key].as_f64().unwrap_or(0.0);
            for key in ["conversions", "converting_sessions", "value"] {
                let sum: f64 = report["segments"].as_array().unwrap().iter().map(|segment| of(segment, key)).sum();
                prop_assert_eq!(of(&report, key), sum, "{}", key);
            }
        }
    }

    /// One question in three ways.
    #[test]
    fn equals_the_summary_and_a_funnel_of_one_step(log in logs()) {
        let fields = json!({ "goal": ["A"], "timeout": "3s", "by": ["device"] });
        let found = answer(fields.clone(), &log);
        let summary = ask(&*asked::<SummarySpec>(fields), &log).0;
        let fields = json!({ "steps": "A", "grain": "session", "timeout": "3s" });
        let funnel = ask(&*asked::<FunnelSpec>(fields), &log).0;
        let goal = &found["goals"][0];
        prop_assert_eq!(&goal["converting_sessions"], &funnel["steps"][0]["entered"]);
        prop_assert_eq!(&goal["intervals"]["session_rate"], &funnel["steps"][0]["interval"]);
        // The summary knows no rate of a goal that occurs nowhere.
        if log.iter().any(|event| event.event == "A") {
            let rates = |found: &Value, summary: &Value| {
                let pairs = [("session_rate", "session_conversion_rate"), ("visitor_rate", "visitor_conversion_rate")];
                pairs.iter().all(|(ours, theirs)| found["goals"][0][ours] == summary[theirs])
            };
            prop_assert!(rates(&found, &summary));
            let segments = |report: &Value| report["segments"].as_array().unwrap().clone();
            prop_assert!(segments(&found).iter().zip(segments(&summary)).all(|(ours, theirs)| rates(ours, &theirs)));
        }
    }

    /// What the fast counts say, counted slowly for one goal.
    #[test]
    fn times_and_steps_are_those_of_plain_loops(log in logs()) {
        use crate::testing::oracle::{Edge, Repeats, all_sessions, auto_node, mean, path};
        let page_views: &[&str] = if log.iter().any(|event| event.event == "page_view") { &["page_view"] } else { &[] };
        let is_goal = |event: &Event| event.event == "C";
        let nodes = |events: &[Event]| path(events, &|event| auto_node(event, page_views), Repeats::First).len() as i64;
        let (mut times, mut steps) = (Vec::new(), Vec::new());
        let (mut visitor_times, mut visitor_steps) = (Vec::new(), Vec::new());
        let sessions = all_sessions(&log, 3 * SECOND, Edge::Exceeds);
        for sessions in sessions.chunk_by(|a, b| a[0].visitor == b[0].visitor) {
            for session in sessions {
                if let Some(at) = session.iter().position(is_goal) {
                    times.push(session[at].time - session[0].time);
                    steps.push(nodes(&session[..at]));
                }
            }
            if let Some(number) = sessions.iter().position(|session| session.iter().any(is_goal)) {
                let at = sessions[number].iter().position(is_goal).unwrap();
                visitor_times.push(sessions[number][at].time - sessions[0][0].time);
                let before: i64 = sessions[..number].iter().map(|session| nodes(session)).sum();
                visitor_steps.push(before + nodes(&sessions[number][..at]));
            }
        }
        let found = goal(json!({ "goal": ["C"], "timeout": "3s" }), &log);
        let close = |found: &Value, expected: Option<f64>| match (found.as_f64(), expected) {
            (Some(found), Some(expected)) => (found - expected).abs() < 1e-9,
            (found, expected) => found == expected,
        };
        let seconds = |times: &[i64]| mean(times).map(|micros| micros / 1e6);
        prop_assert!(close(&found["time_to_goal_s"]["session"]["mean"], seconds(&times)));
        prop_assert!(close(&found["time_to_goal_s"]["visitor"]["mean"], seconds(&visitor_times)));
        prop_assert!(close(&found["steps_to_goal"]["session"]["mean"], mean(&steps)));
        prop_assert!(close(&found["steps_to_goal"]["visitor"]["mean"], mean(&visitor_steps)));
    }
}
