//! Steps that may be left out and blocks, as they are written.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::options::{SECOND, plain, question, without};
use super::{entered, refused};
use crate::testing::oracle::funnel::{Effect, Entry, Kind, Options, Ties, Window, reported_of_kinds};
use crate::testing::oracle::{self, Event, Hop, Step};
use crate::testing::{ask, check_laws, logs, rows, visitor};

const BLOCK: &str = "A > (B & C) > D";
const OPTIONAL: &str = "A > B? > C? > D";

fn steps(names: &[&str]) -> Vec<Step> {
    names.iter().map(|names| Step::Any(names.chars().map(String::from).collect())).collect()
}

/// A funnel as written in a job file, and what it means.
fn cases() -> Vec<(String, Options, Vec<Kind>)> {
    let optional = [Kind::Required, Kind::Optional, Kind::Optional, Kind::Required];
    let block = [Kind::Required, Kind::Block(2), Kind::Required];
    let four = || Options { steps: steps(&["A", "B", "C", "D"]), ..plain() };
    let of_optional = || Options { hops: vec![Hop::Eventually; 3], limits: vec![None; 3], ..four() };
    let direct =
        Options { hops: vec![Hop::Directly, Hop::Eventually, Hop::Directly], ties: Ties::Arrival, ..of_optional() };
    let limits =
        Options { limits: vec![Some(SECOND), Some(SECOND), Some(2 * SECOND)], window: Window::None, ..of_optional() };
    let stop = vec![without("B", 1, 4, Effect::Stop)];
    let removed = vec![without("page_view", 1, 2, Effect::Remove)];
    let with = |steps: &str, rest: &str| format!("steps = '{steps}'\n{rest}");
    vec![
        (with(OPTIONAL, ""), of_optional(), optional.to_vec()),
        (with("A >> B? > C? >> D", ""), direct, optional.to_vec()),
        (with("A >[1s] B? >[1s] C? >[2s] D", "window = 'none'"), limits, optional.to_vec()),
        (with(OPTIONAL, "entry = 'each'"), Options { entry: Entry::Each, ..of_optional() }, optional.to_vec()),
        (
            with("A > C? > C? > D", "exclude = ['B']"),
            Options { steps: steps(&["A", "C", "C", "D"]), exclusions: stop, ..of_optional() },
            optional.to_vec(),
        ),
        (with(BLOCK, ""), four(), block.to_vec()),
        (
            with("A > ((A | B) & B) > (B | C)", "window = '2 sessions'"),
            Options { steps: steps(&["A", "AB", "B", "BC"]), window: Window::Sessions(2), ..plain() },
            block.to_vec(),
        ),
        (
            with(BLOCK, "exclude = ['page_view@1-2']\nexclude_effect = 'remove'"),
            Options { exclusions: removed, ..four() },
            block.to_vec(),
        ),
        (
            with(BLOCK, "times = 'increasing'\nentry = 'last'"),
            Options { increasing: true, entry: Entry::Last, ..four() },
            block.to_vec(),
        ),
    ]
}

/// For each step the events of those who did it and, of those who did the whole, the time from the first step to the last.
fn expected(options: &Options, kinds: &[Kind], log: &[Event]) -> (Vec<u64>, i64) {
    let mut reached = vec![0; kinds.len()];
    let mut sum = 0;
    for journey in oracle::order(log).into_values() {
        let sessions = oracle::sessions(&journey, 5 * SECOND, oracle::Edge::Exceeds);
        let numbers: Vec<usize> =
            sessions.iter().enumerate().flat_map(|(number, session)| vec![number; session.len()]).collect();
        for found in reported_of_kinds(options, kinds, &journey, &numbers) {
            found.events.iter().zip(&mut reached).for_each(|(event, count)| *count += u64::from(event.is_some()));
            let whole = found.events[0].zip(found.events[kinds.len() - 1]);
            sum += whole.map_or(0, |(first, last)| journey[last].time - journey[first].time);
        }
    }
    (reached, sum)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn optional_steps_and_blocks_mean_what_the_oracle_says(log in logs()) {
        for (text, options, kinds) in cases() {
            let (report, _) = ask(&*question(&text, json!({"timeout": "5s"})), &log);
            let (reached, sum) = expected(&options, &kinds, &log);
            prop_assert_eq!(entered(&report), reached.clone(), "{}", text);
            let last = reached.len() - 1;
            let mean = report["steps"][last]["time_from_first_s"]["mean"].as_f64().unwrap_or(0.0);
            prop_assert!((mean * reached[last] as f64 - sum as f64 / 1e6).abs() < 1e-6, "{}", text);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn the_laws_hold_with_optional_steps_and_blocks(log in logs()) {
        for (text, ..) in cases() {
            check_laws(&*question(&text, json!({"timeout": "5s", "by": ["device"]})), &log);
            let more = match text.contains("entry = 'each'") {
                true => "between = 2\ntrend = 'day'\ntouch = 'last'",
                false => "between = 2\ndropped_next = 1\ncompare = 'device=m,d'\ndrivers = 'all'\nmin_support = 1\ntouch = 'last'",
            };
            check_laws(&*question(&format!("{text}\n{more}"), json!({"timeout": "5s", "by": ["device"]})), &log);
        }
    }

    #[test]
    fn an_optional_step_does_not_change_how_far_anybody_comes(log in logs()) {
        let (with, _) = ask(&*question("steps = 'A > B? > C > D? > A'", json!({})), &log);
        let (without, _) = ask(&*question("steps = 'A > C > A'", json!({})), &log);
        for (of, step) in [(0, 0), (2, 1), (4, 2)] {
            for key in ["step", "entered", "of_first", "of_previous", "of_all", "interval", "dropped"] {
                prop_assert_eq!(&with["steps"][of][key], &without["steps"][step][key], "{}", key);
            }
        }
    }
}

#[test]
fn what_is_reported_of_a_step_that_may_be_left_out() {
    let mut log = visitor("1", "A@0 B@1 C@2");
    log.extend(visitor("2", "A@0 C@4"));
    log.extend(visitor("3", "A@0 B@1"));
    let (report, _) = ask(&*question("steps = 'A > B? > C'\ntrend = 'day'\ndropped_next = 5", json!({})), &log);
    assert_eq!(entered(&report), [3, 2, 2]);
    let (first, optional, last) = (&report["steps"][0], &report["steps"][1], &report["steps"][2]);
    assert_eq!(first["dropped"], 1, "of those who came no further than A, B or not");
    assert_eq!(first["dropped_next"], json!([{"node": "B", "count": 1}]), "what came behind A");
    let unknown = ["of_first", "of_previous", "of_all", "dropped", "time_from_previous_s", "time_from_first_s"];
    assert!(unknown.iter().all(|key| optional[key] == Value::Null), "{optional}");
    assert_eq!(optional["dropped_next"], json!([]));
    assert_eq!(last["of_previous"].as_f64(), Some(2.0 / 3.0), "of A");
    assert_eq!(last["time_from_previous_s"]["mean"], 3.0, "from A");
    assert_eq!(report["trend"][0]["steps"], json!([3, 2, 2]));
}

#[test]
fn what_else_is_told_passes_over_steps_that_are_left_out() {
    let mut log = visitor("1", "A@0 X@1 B@2 X@3 C@4");
    log.extend(visitor("2", "A@0 X@1 C@4"));
    log.extend(visitor("3", "A@0 B@1 X@5"));
    log.iter_mut().filter(|event| event.visitor == "1").for_each(|event| event.device = "m".into());
    log.iter_mut().filter(|event| event.visitor != "1").for_each(|event| event.device = "d".into());
    let text = "steps = 'A > B? > C'\nbetween = 'all'\ncompare = 'device=m,d'\nvisitors_out = 'v.jsonl'";
    let (report, _) = ask(&*question(text, json!({})), &log);
    let between: Vec<Value> = report["between"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| json!([row["from"], row["to"], row["outcome"], row["event"], row["count"]]))
        .collect();
    assert_eq!(between, [json!(["A", "C", "converted", "X", 3]), json!(["A", "C", "left", "X", 1])]);
    let compared = report["comparison"].as_array().unwrap();
    assert_eq!(compared.len(), 2, "C of the first and of the previous step");
    assert!(compared.iter().all(|row| row["step"] == "C" && row["in_b"]["part"] == 1 && row["in_b"]["whole"] == 2));
    let mut rows: Vec<String> = rows(&*question(text, json!({})), &log)
        .iter()
        .map(|row| json!([row["visitor"], row["reached"], row["dropped_after"], row["step_2_at"]]).to_string())
        .collect();
    rows.sort();
    let expected =
        [r#"["1",3,null,"1970-01-01T00:00:02Z"]"#, r#"["2",3,null,null]"#, r#"["3",1,"A","1970-01-01T00:00:01Z"]"#];
    assert_eq!(rows, expected);
    let (report, _) = ask(&*question("steps = 'A > B? > C'\ntouch = 'step:2'", json!({"by": ["device"]})), &log);
    let segments: Vec<Value> = report["segments"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| json!([row["by"]["device"], row["steps"][0]["entered"]]))
        .collect();
    assert_eq!(segments, [json!(["", 1]), json!(["d", 1]), json!(["m", 1])], "2 does no B");
}

#[test]
fn a_block_is_one_row_at_its_last_event() {
    let mut log = visitor("1", "A@0 C@1 B@3 D@4");
    log.extend(visitor("2", "A@0 B@1 D@2"));
    let (report, _) = ask(&*question("steps = 'A > (B & C) > D'\nexplain = '1'", json!({})), &log);
    assert_eq!(entered(&report), [2, 1, 1]);
    assert_eq!(report["steps"][1]["step"], "(B & C)");
    assert_eq!(report["steps"][1]["time_from_previous_s"]["mean"], 3.0);
    let rows = report["explain"].as_array().unwrap().iter();
    let fills: Vec<Value> = rows.map(|row| json!([row["fits"], row["fills"]])).collect();
    assert_eq!(fills, [json!(["A", 1]), json!(["C", 2]), json!(["B", 2]), json!(["D", 3])]);
}

#[test]
fn the_events_of_a_block_are_explained() {
    let explained = |text: &str, events: &str| {
        let (report, _) =
            ask(&*question(&format!("steps = '{text}'\nexplain = '1'"), json!({})), &visitor("1", events));
        let rows = report["explain"].as_array().unwrap().iter();
        let (fills, ended): (Vec<Value>, Vec<Value>) =
            rows.map(|row| (row["fills"].clone(), row["ended"].clone())).unzip();
        (json!(fills), ended.into_iter().find(|ended| !ended.is_null()))
    };
    for (text, events, fills, ended) in [
        // What fits several members fills the one that nothing else does.
        ("A > (B & (B | C))", "A@0 B@1 X@2 C@3", json!([1, 2, null, 2]), "complete"),
        ("A > ((B | C) & B)", "A@0 C@1 B@2", json!([1, 2, 2]), "complete"),
        // The hop leads to the first of its events, and goes no farther than its limit.
        ("A >[2s] (B & C)", "A@0 B@5 A@6 B@7 C@9", json!([null, null, 1, 2, 2]), "complete"),
        ("A >> (B & C)", "A@0 C@1 X@2 B@3", json!([1, 2, null, 2]), "complete"),
        // Another block has its own events.
        ("A > (B & C) > (B & D)", "A@0 B@1 C@1 B@1 D@1", json!([1, 2, 2, 3, 3]), "complete"),
        // Events in one instant, whatever their order.
        ("A > (B & C) > D", "C@0 A@0 B@0 D@0", json!([2, 1, 2, 3]), "complete"),
        ("A > (B & C) > D", "A@0 C@1 C@2", json!([1, null, null]), "nothing in time fits B"),
        ("A > (B & C) > D", "A@0 C@1 B@700000", json!([1, null, null]), "nothing in time fits B"),
        ("A > (B & C) > D", "A@0 C@1 B@2", json!([1, 2, 2]), "nothing that fits the next step follows"),
    ] {
        let (found, why) = explained(text, events);
        assert_eq!(found, fills, "{text}: {events}");
        assert_eq!(why, Some(json!(ended)), "{text}: {events}");
    }
}

#[test]
fn what_optional_steps_and_blocks_cannot_do_is_refused() {
    let many = format!("A > {} > B", ["(a & b & c & d & e & f)"; 3].join(" > "));
    for (text, reason) in [
        ("steps = 'A? > B'", "the first and the last step cannot be left out"),
        ("steps = 'A > B?'", "the first and the last step cannot be left out"),
        ("steps = '(A & B) > C'", "not at a block"),
        (&format!("steps = '{many}'"), "at most 16 members, not 18"),
        ("steps = 'A > B? > C'\nopen = true", "in order that is entered at the first one"),
        ("steps = 'A > (B & C)'\norder = 'any'", "in order that is entered at the first one"),
        ("steps = 'A > B? > C'\nreuse = true", "need an event each"),
        ("steps = 'A > B? > C'\non_repeat = 'end_any'", "when they are repeated"),
        ("steps = 'A > B? > C'\nexclude = ['D@1-2']", "an exclusion lies between others"),
        ("exclude = ['(D & E)']", "cannot be a block"),
        ("exclude = ['D?']", "cannot be optional"),
    ] {
        let error = refused(text, json!({}));
        assert!(error.contains(reason), "{text}: {error}");
    }
}
