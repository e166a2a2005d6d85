use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::analyses::CommonSpec;
use crate::analyses::abandonment::tests::{asked, shop};
use crate::analyses::dropoff::DropOffSpec;
use crate::rates::wilson;
use crate::testing::oracle::{self, Event};
use crate::testing::{ask, check_laws, event, logs, report};

/// One visitor's events, `device:name@seconds` with blanks between: `phone:A@0 :B@1`; the second has no device.
fn visitor(id: &str, events: &str) -> Vec<Event> {
    let one = |part: &str| {
        let (device, rest) = part.split_once(':').unwrap();
        let (name, seconds) = rest.split_once('@').unwrap();
        Event { device: device.to_owned(), ..event(id, seconds.parse().unwrap(), name) }
    };
    events.split_whitespace().map(one).collect()
}

/// What is asked, `of` the device, with goal `G` unless `fields` say otherwise.
fn fields(mut fields: Value) -> Value {
    let known = fields.as_object_mut().unwrap();
    known.entry("of").or_insert(json!("device"));
    known.entry("goal").or_insert(json!("G"));
    fields
}

fn answer(given: Value, log: &[Event]) -> Value {
    ask(&*asked::<GapsSpec>(fields(given)), log).0
}

fn rows<'a>(report: &'a Value, key: &str) -> impl Iterator<Item = &'a Value> {
    report[key].as_array().unwrap().iter()
}

fn count(value: &Value) -> u64 {
    value.as_u64().unwrap()
}

fn sum<'a>(rows: impl Iterator<Item = &'a Value>, key: &str) -> u64 {
    rows.map(|row| count(&row[key])).sum()
}

#[test]
fn an_empty_log_has_no_gaps() {
    let empty = json!({ "journeys": 0, "without_value": 0, "crossing_journeys": 0, "crossings": [], "values": [] });
    assert_eq!(answer(json!({}), &[]), empty);
}

#[test]
fn one_event_is_a_stretch_that_is_lost_or_has_the_goal() {
    let value = |log: &str| answer(json!({}), &visitor("v", log))["values"][0].clone();
    let lost = json!({
        "name": "phone", "stretches": 1, "visitors": 1, "with_goal": 0, "crossed": 0, "ended": 1, "reached": 0, "lost": 1,
        "lost_share": 1.0, "lost_after_crossing": 0,
    });
    assert_eq!(value("phone:A@0"), lost);
    let goal = value("phone:G@0");
    assert_eq!(["with_goal", "reached", "lost"].map(|key| count(&goal[key])), [1, 1, 0]);
}

#[test]
fn a_crossing_tells_how_often_how_fast_and_what_comes_of_it() {
    let log = [
        visitor("v", "phone:A@0 phone:B@10 laptop:A@70 phone:A@100 laptop:A@130 laptop:G@140"),
        visitor("w", "phone:A@0 laptop:A@5"),
        visitor("x", "phone:A@0 phone:G@1"),
    ];
    let found = answer(json!({}), &log.concat());
    assert_eq!((&found["journeys"], &found["crossing_journeys"]), (&json!(3), &json!(2)));
    let expected = json!({
        "from": "phone", "to": "laptop", "crossings": 3, "visitors": 2, "share": 0.75,
        "time_s": { "mean": 95.0 / 3.0, "median": 30.0, "p95": 60.0, "exact": true },
        "reached": 2, "rate": 2.0 / 3.0, "interval": wilson(2, 3), "lost": 1,
    });
    assert_eq!(found["crossings"][0], expected);
    let back = &found["crossings"][1];
    assert_eq!((&back["from"], &back["crossings"], &back["share"]), (&json!("laptop"), &json!(1), &json!(1.0 / 3.0)));
    let laptop = &found["values"][0];
    assert_eq!(
        (&laptop["name"], &laptop["lost"], &laptop["lost_after_crossing"]),
        (&json!("laptop"), &json!(1), &json!(1))
    );
}

#[test]
fn events_without_a_value_neither_cut_nor_make_a_stretch() {
    let (with, without) = ("phone:A@2 phone:A@4 laptop:A@9", ":A@0 phone:A@2 :A@3 phone:A@4 laptop:A@9 :A@11");
    assert_eq!(answer(json!({}), &visitor("v", with)), answer(json!({}), &visitor("v", without)));
    // They belong to the stretch before: so does their time, and so does a goal.
    let found = answer(json!({}), &visitor("v", ":A@0 phone:A@2 :G@8 laptop:A@9"));
    assert_eq!(found["crossings"][0]["time_s"]["mean"], 1.0);
    assert_eq!((&found["crossings"][0]["reached"], &found["values"][1]["with_goal"]), (&json!(0), &json!(1)));
    // Before the first value they belong to the first stretch.
    assert_eq!(answer(json!({}), &visitor("v", ":G@0 phone:A@2"))["values"][0]["with_goal"], 1);
    let found = answer(json!({}), &visitor("v", ":A@0 :G@8"));
    assert_eq!((&found["without_value"], &found["values"], &found["journeys"]), (&json!(1), &json!([]), &json!(1)));
}

#[test]
fn who_reached_the_goal_before_is_not_lost() {
    let found = answer(json!({}), &visitor("v", "phone:G@0 laptop:A@9"));
    let laptop = &found["values"][0];
    assert_eq!(["with_goal", "ended", "reached", "lost"].map(|key| count(&laptop[key])), [0, 1, 1, 0]);
    assert_eq!(["reached", "lost"].map(|key| count(&found["crossings"][0][key])), [0, 0]);
    // The goal may be the very event that is crossed to.
    let found = answer(json!({}), &visitor("v", "phone:A@0 laptop:G@9"));
    assert_eq!(["reached", "lost"].map(|key| count(&found["crossings"][0][key])), [1, 0]);
}

#[test]
fn sessions_are_crossed_within_and_visitors_beyond() {
    let log = visitor("v", "phone:A@0 laptop:A@5 laptop:A@100 phone:A@200");
    let visitors = answer(json!({}), &log);
    assert_eq!((&visitors["journeys"], visitors["crossings"].as_array().unwrap().len()), (&json!(1), 2));
    let sessions = answer(json!({ "grain": "session" }), &log);
    assert_eq!((&sessions["journeys"], sessions["crossings"].as_array().unwrap().len()), (&json!(3), 1));
    let laptop = rows(&sessions, "values").find(|row| row["name"] == "laptop").unwrap();
    assert_eq!(
        (&laptop["stretches"], &laptop["visitors"], &laptop["lost_after_crossing"]),
        (&json!(2), &json!(1), &json!(1))
    );
}

#[test]
fn every_option_is_a_rule_and_a_column_is_needed() {
    let rules = |given: Value| asked::<GapsSpec>(fields(given)).rules().keys().cloned().collect::<Vec<_>>();
    assert_eq!(rules(json!({})), ["of", "goal", "grain"]);
    let given = json!({ "goal": "node(G)", "grain": "session", "by": ["device"] });
    assert_eq!(rules(given), ["of", "goal", "grain", "timeout", "timeout_edge", "node", "by"]);
    let question = asked::<GapsSpec>(fields(json!({ "by": ["device"] })));
    assert_eq!(question.needs().scan.dimensions, ["device"], "a column is read once");
    assert!(question.needs().sessions.is_empty());

    let refused = |spec: GapsSpec, common: &CommonSpec| {
        let error = spec.resolve(common.resolve(false).unwrap()).err().unwrap();
        (error.to_string(), error.advice().unwrap_or_default().to_owned())
    };
    for of in [None, Some(String::new())] {
        let (reason, hint) = refused(GapsSpec { of, goal: None }, &CommonSpec::default());
        assert_eq!(reason, "gaps lie between the values of a column, and none is named");
        assert!(hint.contains("--of device") && hint.contains("inspect"), "{hint}");
    }
    let mut common = CommonSpec::default();
    common.scope.by = vec!["session_number".into()];
    let (reason, hint) = refused(GapsSpec { of: Some("device".into()), goal: None }, &common);
    assert!(reason.contains("a fact of sessions") && hint.contains("--grain session"), "{reason}; {hint}");
}

#[test]
fn a_drawing_has_what_is_lost_as_its_end() {
    let log =
        [visitor("v", "phone:A@0 laptop:A@5 lost:G@6"), visitor("w", "phone:A@0"), visitor("x", "tv:G@0")].concat();
    let drawing = report(&*asked::<GapsSpec>(fields(json!({}))), &log).0.drawing().unwrap();
    let nodes: Vec<_> = drawing.nodes.iter().map(|node| (node.name.as_str(), node.kind, node.line())).collect();
    use crate::reports::drawing::NodeKind::{End, Node};
    let expected = [("lost", End, "1"), ("phone", Node, "2"), ("laptop", Node, "1"), ("lost", Node, "1 · reached 1")];
    assert_eq!(nodes, expected.map(|(name, kind, line)| (name, kind, line.to_owned())));
    let links: Vec<_> = drawing.links.iter().map(|link| (link.from, link.to, link.line())).collect();
    let expected = [(2, 3, "1 · 100.0%"), (1, 2, "1 · 50.0%"), (1, 0, "1 · 50.0%")];
    assert_eq!(links, expected.map(|(from, to, line)| (from, to, line.to_owned())));
    assert_eq!(drawing.loose, 1, "nobody crosses to or from the television, and nobody is lost there");
}

#[test]
fn tables_say_what_json_says() {
    let log = [visitor("v", "phone:A@0 laptop:A@5"), visitor("w", "phone:A@0 :G@4")].concat();
    let (report, _) = report(&*asked::<GapsSpec>(fields(json!({}))), &log);
    let json = report.json();
    let tables = report.tables();
    assert_eq!(tables.iter().map(|table| table.name).collect::<Vec<_>>(), ["crossings", "values"]);
    for table in &tables {
        for (row, told) in table.rows.iter().zip(rows(&json, table.name)) {
            assert_eq!(row.len(), table.columns.len());
            for (column, cell) in table.columns.iter().zip(row) {
                if let Some(value) = told.get(column) {
                    assert_eq!(&cell.json(), value, "{column}");
                }
            }
        }
    }
    assert_eq!(report.title(), "Gaps of device: crossings of whole visitors, most lost first");
}

/// The stretches of a journey, slowly: each event takes the nearest value before it, or else the first one after it.
fn stretches(journey: &[Event]) -> Vec<(String, Vec<Event>)> {
    let value = |at: usize| {
        let before = journey[..=at].iter().rev().find(|event| !event.device.is_empty());
        before.or_else(|| journey.iter().find(|event| !event.device.is_empty())).map(|event| event.device.clone())
    };
    let mut stretches: Vec<(String, Vec<Event>)> = Vec::new();
    for (at, event) in journey.iter().enumerate() {
        let Some(value) = value(at) else { continue };
        match stretches.last_mut() {
            Some((last, events)) if *last == value => events.push(event.clone()),
            _ => stretches.push((value, vec![event.clone()])),
        }
    }
    stretches
}

/// What is expected of a value: its counts, and its visitors.
#[derive(Default)]
struct Counted {
    numbers: BTreeMap<&'static str, u64>,
    visitors: BTreeSet<String>,
}

/// The same of a crossing, with its times.
#[derive(Default)]
struct Crossing {
    numbers: BTreeMap<&'static str, u64>,
    visitors: BTreeSet<String>,
    times: Vec<i64>,
}

fn is_goal(event: &Event) -> bool {
    event.event == "C"
}

/// The report on some journeys, slowly.
fn expected(journeys: &[Vec<Event>]) -> Value {
    let (mut values, mut crossings) = (BTreeMap::<String, Counted>::new(), BTreeMap::<_, Crossing>::new());
    let (mut without, mut crossing) = (0, 0);
    for journey in journeys {
        let stretches = stretches(journey);
        let lost = !journey.iter().any(is_goal);
        without += u64::from(stretches.is_empty());
        crossing += u64::from(stretches.len() > 1);
        for (at, (value, events)) in stretches.iter().enumerate() {
            let found = values.entry(value.clone()).or_default();
            found.visitors.insert(events[0].visitor.clone());
            let mut add = |key, yes| *found.numbers.entry(key).or_default() += u64::from(yes);
            let last = at + 1 == stretches.len();
            add("stretches", true);
            add("with_goal", events.iter().any(is_goal));
            add("crossed", !last);
            add("ended", last);
            add("reached", last && !lost);
            add("lost", last && lost);
            add("lost_after_crossing", last && lost && at > 0);
            if last {
                continue;
            }
            let (next, after) = &stretches[at + 1];
            let found = crossings.entry((value.clone(), next.clone())).or_default();
            found.visitors.insert(events[0].visitor.clone());
            found.times.push(after[0].time - events.last().unwrap().time);
            let mut add = |key, yes| *found.numbers.entry(key).or_default() += u64::from(yes);
            add("crossings", true);
            add("reached", stretches[at + 1..].iter().any(|(_, events)| events.iter().any(is_goal)));
            add("lost", lost && at + 2 == stretches.len());
        }
    }
    let share = |part: u64, whole: u64| part as f64 / whole as f64;
    let crossing_row = |((from, to), mut of): ((String, String), Crossing)| {
        of.times.sort_unstable();
        let (n, times) = (of.times.len(), &of.times);
        let seconds = |micros: i64| micros as f64 / 1e6;
        let (count, reached) = (of.numbers["crossings"], of.numbers["reached"]);
        json!({
            "from": from, "to": to, "crossings": count, "visitors": of.visitors.len(),
            "share": share(count, values[&from].numbers["stretches"]),
            "time_s": {
                "mean": times.iter().sum::<i64>() as f64 / (n as f64 * 1e6),
                "median": seconds(times[(n - 1) / 2] + times[n / 2]) / 2.0,
                "p95": seconds(times[(95 * n).div_ceil(100) - 1]), "exact": true,
            },
            "reached": reached, "rate": share(reached, count), "interval": wilson(reached, count),
            "lost": of.numbers["lost"],
        })
    };
    let mut crossings: Vec<Value> = crossings.into_iter().map(crossing_row).collect();
    let value_row = |(value, of): (&String, &Counted)| {
        let lost_share = share(of.numbers["lost"], of.numbers["stretches"]);
        let mut row = json!({ "name": value, "visitors": of.visitors.len(), "lost_share": lost_share });
        row.as_object_mut().unwrap().extend(of.numbers.iter().map(|(key, count)| ((*key).to_owned(), json!(count))));
        row
    };
    let mut values: Vec<Value> = values.iter().map(value_row).collect();
    // Both are in the order of their names.
    crossings.sort_by_key(|row| Reverse(count(&row["lost"])));
    values.sort_by_key(|row| Reverse(count(&row["lost"])));
    json!({
        "journeys": journeys.len(), "without_value": without, "crossing_journeys": crossing,
        "crossings": crossings, "values": values,
    })
}

/// The journeys of a log; sessions end after 10 s.
fn journeys(log: &[Event], whole: bool) -> Vec<Vec<Event>> {
    if whole {
        return oracle::order(log).into_values().collect();
    }
    oracle::all_sessions(log, 10_000_000, oracle::Edge::Exceeds)
}

fn grain(whole: bool) -> &'static str {
    if whole { "visitor" } else { "session" }
}

proptest! {
    #[test]
    fn gaps_equal_the_oracle(log in logs(), whole: bool) {
        let found = answer(json!({ "goal": "C", "grain": grain(whole) }), &log);
        prop_assert_eq!(found, expected(&journeys(&log, whole)));
    }

    #[test]
    fn each_segment_equals_the_oracle(log in logs(), whole: bool) {
        let found = answer(json!({ "goal": "C", "grain": grain(whole), "by": ["device"] }), &log);
        let mut segments: BTreeMap<String, Vec<Vec<Event>>> = BTreeMap::new();
        for journey in journeys(&log, whole) {
            let first = journey.iter().find(|event| !event.device.is_empty());
            segments.entry(first.map_or(String::new(), |event| event.device.clone())).or_default().push(journey);
        }
        let segments: Vec<Value> = segments.into_iter().map(|(device, journeys)| {
            let mut report = expected(&journeys);
            report["by"] = json!({ "device": device });
            report
        }).collect();
        prop_assert_eq!(&found["segments"], &json!(segments));
    }

    /// Every stretch crosses or ends; who ends has reached the goal or is lost; every crossing leaves one stretch and comes to one.
    #[test]
    fn all_adds_up(log in logs(), whole: bool) {
        let found = answer(json!({ "goal": "C", "grain": grain(whole) }), &log);
        for value in rows(&found, "values") {
            let [stretches, crossed, ended, reached, lost, after] =
                ["stretches", "crossed", "ended", "reached", "lost", "lost_after_crossing"].map(|key| count(&value[key]));
            prop_assert_eq!(stretches, crossed + ended);
            prop_assert_eq!(ended, reached + lost);
            let out = |key: &'static str| rows(&found, "crossings").filter(move |row| row[key] == value["name"]);
            prop_assert_eq!(sum(out("from"), "crossings"), crossed);
            prop_assert_eq!(sum(out("to"), "lost"), after);
            prop_assert!(sum(out("to"), "crossings") <= stretches);
        }
        let ends = sum(rows(&found, "values"), "ended");
        prop_assert_eq!(ends + count(&found["without_value"]), count(&found["journeys"]));
        let entries = sum(rows(&found, "values"), "stretches") - sum(rows(&found, "crossings"), "crossings");
        prop_assert_eq!(entries, ends, "every journey begins with a stretch that nobody crossed to");
        prop_assert!(rows(&found, "crossings").all(|row| row["from"] != row["to"]));
    }

    /// Whoever is lost drops out: where every event has a value and a node, both questions lose the same journeys.
    #[test]
    fn the_lost_are_those_who_drop(mut log in logs(), whole: bool) {
        log.iter_mut().filter(|event| event.device.is_empty()).for_each(|event| event.device = "tv".to_owned());
        let asked_of_both = json!({ "goal": "C", "grain": grain(whole), "node": "event" });
        let found = answer(asked_of_both.clone(), &log);
        let dropped = ask(&*asked::<DropOffSpec>(asked_of_both), &log).0;
        prop_assert_eq!(sum(rows(&found, "values"), "lost"), sum(rows(&dropped, "nodes"), "dropped"));
    }

    #[test]
    fn keeps_the_laws(log in logs(), whole: bool, split: bool) {
        let by: &[&str] = if split { &["device"] } else { &[] };
        check_laws(&*asked::<GapsSpec>(fields(json!({ "goal": "(C | /a)", "grain": grain(whole), "by": by }))), &log);
    }
}

#[test]
fn the_shop_log_equals_the_oracle() {
    let mut log = shop();
    log.iter_mut().filter(|event| event.event == "purchase").for_each(|event| event.event = "C".to_owned());
    let found = answer(json!({ "goal": "C" }), &log);
    assert_eq!(found, expected(&journeys(&log, true)));
    assert_eq!((&found["journeys"], &found["without_value"]), (&json!(600), &json!(0)));
    assert_eq!(sum(rows(&found, "values"), "lost"), 600 - 328, "328 visitors purchase");
}
