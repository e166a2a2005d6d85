use std::io::Read;

use proptest::prelude::*;
use proptest::sample::select;
use serde_json::json;

use super::counts::PartCounts;
use super::report::{AbandonmentReport, PartReport};
use super::*;
use crate::analyses::CommonSpec;
use crate::reports::{Cell, Report};
use crate::testing::oracle::{AbandonmentQuestion, Edge, Event, all_sessions};
use crate::testing::{ask, check_laws, logs, oracle, question, visitor};

const SECONDS: i64 = 1_000_000;

/// A question as a job file asks it. Its sessions end after 10 s and it recovers within 100 s, unless `fields` say otherwise.
pub fn asked<S: Spec>(fields: Value) -> Box<dyn Question> {
    let mut table = toml::Table::try_from(fields).unwrap();
    table.entry("timeout").or_insert("10s".into());
    let common = CommonSpec::default().take_from(&mut table).unwrap();
    let spec = crate::analyses::common::from_table::<S>(table).unwrap();
    question(spec, &common)
}

/// Carts A, checkouts B, purchases C, removals D.
fn letters(rule: &str) -> Value {
    json!({
        "cart": ["A"], "checkout": ["B"], "purchase": ["C"], "remove": ["D"], "purchase_rule": rule, "recover_within": "100s"
    })
}

fn answer(fields: Value, log: &[Event]) -> Value {
    ask(&*asked::<AbandonmentSpec>(fields), log).0
}

/// The numbers of `keys`, in their order.
fn numbers<const N: usize>(of: &Value, keys: [&str; N]) -> [u64; N] {
    keys.map(|key| of[key].as_u64().unwrap())
}

/// The sample log; the platform stands for the device.
pub fn shop() -> Vec<Event> {
    let file = std::fs::File::open(concat!(env!("CARGO_MANIFEST_DIR"), "/sample-data/shop.csv.gz")).unwrap();
    let mut text = String::new();
    flate2::read::GzDecoder::new(file).read_to_string(&mut text).unwrap();
    let event = |line: &str| {
        let fields: Vec<&str> = line.split(',').collect();
        let time = chrono::NaiveDateTime::parse_from_str(fields[3], "%Y-%m-%d %H:%M:%S").unwrap();
        Event {
            visitor: fields[0].to_owned(),
            time: time.and_utc().timestamp_micros(),
            event: fields[2].to_owned(),
            page: String::new(),
            device: fields[4].to_owned(),
            value: None,
        }
    };
    text.lines().skip(1).map(event).collect()
}

#[test]
fn an_empty_log_has_zeros_and_undefined_rates() {
    let (report, notes) = ask(&*asked::<AbandonmentSpec>(json!({ "stage": ["A"] })), &[]);
    let nothing = json!({
        "sessions": {
            "started": 0, "completed": 0, "abandoned": 0, "rate": null, "recovered": 0, "too_recent": 0, "lost": 0,
            "recovered_share": null, "lost_share": null, "value_left": null, "stages": [{ "stage": "A", "sessions": 0 }]
        },
        "visitors": { "started": 0, "abandoned": 0, "recovered": 0, "never_purchased": 0, "rate": null }
    });
    assert_eq!(report, json!({ "cart": nothing, "checkout": nothing }));
    let none = |field| format!("none of the default names of a {field} event occurs: name yours with --{field}");
    assert_eq!(notes[1..], ["cart", "checkout", "purchase"].map(none));
}

#[test]
fn names_that_occur_nowhere_are_noted_once() {
    let fields = json!({ "cart": ["add_to_crt", "Add to cart"], "purchase": ["C"], "checkout": ["C"] });
    let (report, notes) = ask(&*asked::<AbandonmentSpec>(fields), &visitor("v", "add_to_cart@0 C@1"));
    let nowhere = |name| format!("the event {name:?} occurs nowhere in the log; did you mean \"add_to_cart\"?");
    assert_eq!(notes, ["add_to_crt", "Add to cart"].map(nowhere), "the steps of the cart are those of its stage too");
    assert_eq!(report["cart"]["sessions"]["started"], 0);
}

#[test]
fn a_purchase_completes_by_the_rule() {
    let cases = [
        // One session each: abandoned by after_first, after_last, anywhere.
        ("A@0", [1, 1, 1]),
        ("A@0 C@1", [0, 0, 0]),
        ("A@0 C@1 A@2", [0, 1, 0]),
        ("C@1 A@2", [1, 1, 0]),
        ("C@2 A@2", [0, 0, 0]),
        ("A@0 C@2 A@2", [0, 0, 0]),
        ("A@0 C@10", [0, 0, 0]),
        ("A@0 C@11", [1, 1, 1]),
    ];
    for (log, expected) in cases {
        let abandoned = |rule| answer(letters(rule), &visitor("v", log))["cart"]["sessions"]["abandoned"].clone();
        assert_eq!(["after_first", "after_last", "anywhere"].map(abandoned), expected.map(|n| json!(n)), "{log}");
    }
}

#[test]
fn a_gap_of_the_timeout_ends_a_session_if_the_edge_says_so() {
    let mut fields = letters("after_first");
    fields["timeout_edge"] = json!("reaches");
    assert_eq!(answer(fields, &visitor("v", "A@0 C@10"))["cart"]["sessions"]["recovered"], 1);
}

#[test]
fn abandoned_sessions_are_recovered_lost_or_too_recent() {
    const KEYS: [&str; 4] = ["abandoned", "recovered", "too_recent", "lost"];
    let cases = [
        ("A@0 X@5 C@105", [1, 1, 0, 0]), // 100 s after the session's last event
        ("A@0 X@5 C@106", [1, 0, 0, 1]),
        ("A@0 X@50 C@60", [1, 1, 0, 0]),        // one session, which starts in time
        ("A@0 X@99 X@108 C@117", [1, 1, 0, 0]), // the start counts, not the purchase
        ("C@0 A@50 X@200", [1, 0, 0, 1]),       // an earlier purchase does not recover
        ("A@0 X@100", [1, 0, 0, 1]),            // the log ends when the time is just over
        ("A@0 X@99", [1, 0, 1, 0]),
        ("A@0 A@20 A@60 C@120", [3, 2, 0, 1]),
        ("A@0 B@20 C@40", [1, 1, 0, 0]),
    ];
    for (log, expected) in cases {
        let report = answer(letters("after_first"), &visitor("v", log));
        assert_eq!(numbers(&report["cart"]["sessions"], KEYS), expected, "{log}");
    }
    let log = [visitor("v", "A@0 C@50"), visitor("w", "A@1"), visitor("x", "A@2"), visitor("y", "A@150")].concat();
    let sessions = &answer(letters("after_first"), &log)["cart"]["sessions"];
    let shares = ["rate", "recovered_share", "lost_share"].map(|key| sessions[key].as_f64().unwrap());
    assert_eq!(shares, [1.0, 1.0 / 3.0, 2.0 / 3.0], "what is too recent counts as abandoned, but in no share");
}

#[test]
fn visitors_are_judged_by_their_whole_history() {
    const KEYS: [&str; 4] = ["started", "abandoned", "recovered", "never_purchased"];
    let cases = [
        // After first, after last, anywhere: never purchased differs, and so may the abandoned sessions.
        ("A@0 C@1", [[1, 0, 0, 0], [1, 0, 0, 0], [1, 0, 0, 0]]),
        ("A@0 C@500", [[1, 1, 0, 0], [1, 1, 0, 0], [1, 1, 0, 0]]),
        ("A@0 C@50 A@200", [[1, 1, 1, 0], [1, 1, 1, 1], [1, 1, 1, 0]]),
        ("C@0 A@50", [[1, 1, 0, 1], [1, 1, 0, 1], [1, 1, 0, 0]]),
        ("B@0 C@1", [[0, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]]),
    ];
    for (log, expected) in cases {
        let visitors = |rule| numbers(&answer(letters(rule), &visitor("v", log))["cart"]["visitors"], KEYS);
        assert_eq!(["after_first", "after_last", "anywhere"].map(visitors), expected, "{log}");
    }
}

#[test]
fn the_furthest_stage_counts_from_the_first_start_on() {
    let stages = |log: &str| {
        let mut fields = letters("after_last");
        fields["stage"] = json!(["A", "B", "S"]);
        let report = answer(fields, &visitor("v", log));
        ["cart", "checkout"].map(|part| {
            let stages = report[part]["sessions"]["stages"].as_array().unwrap();
            stages.iter().map(|row| row["sessions"].as_u64().unwrap()).collect::<Vec<_>>()
        })
    };
    assert_eq!(stages("A@0 B@1 A@2"), [[0, 1, 0], [0, 1, 0]]);
    assert_eq!(stages("S@0 A@1 C@1"), [[0, 0, 0], [0, 0, 0]], "completed");
    assert_eq!(stages("S@0 A@1"), [[1, 0, 0], [0, 0, 0]], "before the start");
    assert_eq!(stages("S@1 A@1"), [[0, 0, 1], [0, 0, 0]], "in the same instant");
    assert_eq!(stages("A@0 C@1 S@2 A@3"), [[0, 0, 1], [0, 0, 0]], "the first start, whatever the rule");
}

#[test]
fn value_is_left_since_the_last_purchase() {
    let left = |log: &str, values: &[Option<i64>]| {
        let mut log = visitor("v", log);
        log.iter_mut().zip(values).for_each(|(event, value)| event.value = value.map(|units| units * SECONDS));
        answer(letters("after_last"), &log)["cart"]["sessions"]["value_left"].clone()
    };
    assert_eq!(left("A@0 C@1 A@2 A@3 D@4", &[Some(5), Some(5), Some(7), Some(2), Some(1)]), 8.0);
    assert_eq!(left("A@0 D@1", &[Some(5), None]), 5.0);
    assert_eq!(left("A@0 X@1", &[None, Some(3)]), Value::Null, "null, not 0, where carts carry none");
    assert_eq!(left("A@0 C@1", &[Some(5), Some(5)]), Value::Null, "nothing is left");
    assert_eq!(left("A@0 A@100", &[Some(5), Some(4)]), 9.0, "two sessions");
}

#[test]
fn a_session_of_another_segment_recovers() {
    let mut log = [visitor("v", "A@0 C@50 A@300"), visitor("w", "A@0 A@500")].concat();
    log.iter_mut().for_each(|event| event.device = "desktop".into());
    log[1].device = "mobile".into();
    let mut fields = letters("after_first");
    fields["by"] = json!(["device"]);
    let report = answer(fields, &log);
    let (desktop, mobile) = (&report["segments"][0], &report["segments"][1]);
    assert_eq!((&desktop["by"]["device"], &mobile["by"]["device"]), (&json!("desktop"), &json!("mobile")));
    let keys = ["started", "recovered", "too_recent", "lost"];
    assert_eq!(numbers(&desktop["cart"]["sessions"], keys), [4, 1, 1, 2]);
    assert_eq!(numbers(&desktop["cart"]["visitors"], ["started", "recovered", "never_purchased"]), [2, 1, 1]);
    assert_eq!(numbers(&mobile["cart"]["sessions"], keys), [0, 0, 0, 0]);
}

#[test]
fn a_grain_is_refused_and_every_option_is_a_rule() {
    let mut table = toml::toml! { grain = "session" };
    let common = CommonSpec::default().take_from(&mut table).unwrap().resolve(false).unwrap();
    let error = AbandonmentSpec::default().resolve(common).err().unwrap();
    assert_eq!(error.advice(), Some("leave --grain out"));

    let rules = asked::<AbandonmentSpec>(json!({ "cart": ["A"], "by": ["device"] })).rules();
    let expected = [
        "cart",
        "checkout",
        "purchase",
        "remove",
        "stage",
        "purchase_rule",
        "recover_within",
        "timeout",
        "timeout_edge",
        "by",
    ];
    assert_eq!(rules.keys().collect::<Vec<_>>(), expected);
    assert_eq!((&rules["cart"], &rules["stage"]["cart"]), (&json!(["A"]), &json!(["A"])));
    assert_eq!((&rules["recover_within"], &rules["purchase_rule"]), (&json!("7d"), &json!("after_first")));
}

#[test]
fn parts_are_steps_and_what_they_are_made_of_is_a_rule() {
    let mut log = visitor("v", "page_view@0 page_view@1 B@2 page_view@50");
    ["/cart/1", "/cart", "/cart", "/thanks"].iter().zip(&mut log).for_each(|(page, event)| event.page = (*page).into());
    let fields =
        json!({ "cart": "(/cart | /cart/*)", "checkout": "B", "purchase": "node(/thanks)", "stage": ["/cart", "B"] });
    let parts = asked::<AbandonmentSpec>(fields);
    let (report, notes) = ask(&*parts, &log);
    assert_eq!(notes, Vec::<String>::new());
    let cart = &report["cart"]["sessions"];
    assert_eq!(numbers(cart, ["started", "abandoned", "recovered"]), [1, 1, 1], "bought in the next session");
    assert_eq!(cart["stages"], json!([{ "stage": "/cart", "sessions": 0 }, { "stage": "B", "sessions": 1 }]));

    let (rules, needs) = (parts.rules(), parts.needs());
    assert_eq!(
        (&rules["cart"], &rules["stage"]),
        (&json!(["(/cart | /cart/*)"]), &json!({ "/cart": ["/cart"], "B": ["B"] }))
    );
    assert_eq!(rules["node"], "auto");
    assert!(needs.scan.page_required && needs.scan.event_required && needs.nodes.len() == 1);
    let needs = asked::<AbandonmentSpec>(json!({})).needs();
    assert!(needs.scan.event && !needs.scan.event_required && !needs.scan.reads_pages());
}

#[test]
fn more_stages_than_can_be_told_apart_are_refused() {
    let resolved = |stages: usize| {
        let stage = (0..stages).map(|stage| format!("s{stage}")).collect();
        AbandonmentSpec { stage, ..AbandonmentSpec::default() }.resolve(CommonSpec::default().resolve(false).unwrap())
    };
    assert_eq!(resolved(61).err().unwrap().to_string(), "a question has at most 60 stages, not 61");
    let furthest = ask(&*resolved(60).unwrap(), &visitor("v", "add_to_cart@0 s59@1 s3@2")).0;
    assert_eq!(furthest["cart"]["sessions"]["stages"][59]["sessions"], 1);
}

#[test]
fn tables_have_a_row_per_part_and_grain_and_per_part_and_stage() {
    let part = |lost| {
        let counts = PartCounts { fates: [1, 0, 0, lost], stages: vec![lost], ..PartCounts::default() };
        PartReport::new(counts, &["A".to_owned()])
    };
    let [main, stages] = AbandonmentReport { cart: part(3), checkout: part(0) }.tables().try_into().unwrap();
    let of = |row: usize, column: &str| {
        let at = main.columns.iter().position(|name| name == column).unwrap();
        main.rows[row][at].clone()
    };
    assert!(main.rows.iter().all(|row| row.len() == main.columns.len()));
    let key = |row| [of(row, "part"), of(row, "grain")].map(|cell| cell.json());
    let keys = [0, 1, 2, 3].map(key);
    assert_eq!(
        json!(keys),
        json!([["cart", "session"], ["cart", "visitor"], ["checkout", "session"], ["checkout", "visitor"]])
    );
    assert_eq!((of(0, "rate"), of(0, "lost_share"), of(1, "lost")), (Cell::Rate(0.75), Cell::Rate(1.0), Cell::Null));
    let rows = [("cart", 3), ("checkout", 0)];
    assert_eq!(
        stages.rows,
        rows.map(|(part, n)| vec![Cell::Text(part.into()), Cell::Text("A".into()), Cell::Count(n)])
    );
}

#[test]
fn the_shop_log_has_the_answers_of_the_sample_data() {
    let answers: Value =
        serde_json::from_str(include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/sample-data/answers.json"))).unwrap();
    let log = shop();
    let ask = |rule: &str| answer(json!({ "timeout": "30m", "purchase_rule": rule }), &log);
    for row in answers["abandonment_rules"].as_array().unwrap() {
        let part = &ask(row["rule"].as_str().unwrap())[row["question"].as_str().unwrap()];
        let abandoned = match row["grain"].as_str() {
            Some("session") => part["sessions"]["abandoned"].clone(),
            _ => part["visitors"]["never_purchased"].clone(),
        };
        assert_eq!(abandoned, row["abandoned"], "{row}");
    }
    let report = ask("after_first");
    for row in answers["abandonment_sessions"].as_array().unwrap() {
        let keys = ["abandoned", "recovered", "too_recent", "lost"];
        let part = row["question"].as_str().unwrap();
        assert_eq!(numbers(&report[part]["sessions"], keys), numbers(row, keys), "{part}");
    }
    for row in answers["abandonment_visitors"].as_array().unwrap() {
        let part = row["question"].as_str().unwrap();
        let expected = numbers(row, ["started", "with_abandoned_session", "with_recovered_session", "never_purchased"]);
        let visitors = &report[part]["visitors"];
        assert_eq!(numbers(visitors, ["started", "abandoned", "recovered", "never_purchased"]), expected, "{part}");
    }
    let stages = json!([
        { "stage": "cart", "sessions": 497 }, { "stage": "checkout", "sessions": 0 },
        { "stage": "shipping", "sessions": 162 }, { "stage": "payment", "sessions": 190 }
    ]);
    assert_eq!(report["cart"]["sessions"]["stages"], stages);
}

/// The answer of the oracle about one part, as ours has it.
fn by_oracle(log: &[Event], start: &[&str], rule: &str, recover_within: i64) -> Value {
    let rule = match rule {
        "after_first" => oracle::PurchaseRule::AfterFirst,
        "after_last" => oracle::PurchaseRule::AfterLast,
        _ => oracle::PurchaseRule::Anywhere,
    };
    let question = AbandonmentQuestion {
        start,
        cart: &["A"],
        remove: &["D"],
        purchase: &["C"],
        rule,
        recover_within,
        log_end: log.iter().map(|event| event.time).max().unwrap_or(0),
    };
    let found = oracle::abandonment(&all_sessions(log, 3 * SECONDS, Edge::Exceeds), &question);
    json!([
        [found.started, found.completed, found.abandoned, found.recovered, found.too_recent, found.lost],
        found.value_left.map(|micros| micros as f64 / 1e6),
        [found.visitors_started, found.visitors_with_abandoned_session],
        [found.visitors_with_recovered_session, found.visitors_never_purchased],
    ])
}

fn by_us(part: &Value) -> Value {
    let (sessions, visitors) = (&part["sessions"], &part["visitors"]);
    json!([
        numbers(sessions, ["started", "completed", "abandoned", "recovered", "too_recent", "lost"]),
        sessions["value_left"],
        numbers(visitors, ["started", "abandoned"]),
        numbers(visitors, ["recovered", "never_purchased"]),
    ])
}

/// Short sessions, few seconds to recover.
fn short(rule: &str, recover_within: i64) -> Value {
    let mut fields = letters(rule);
    fields["timeout"] = json!("3s");
    fields["recover_within"] = json!(format!("{recover_within}s"));
    fields
}

proptest! {
    #[test]
    fn equals_the_oracle(log in logs(), rule in select(vec!["after_first", "after_last", "anywhere"]), within in 0..30i64) {
        let report = answer(short(rule, within), &log);
        prop_assert_eq!(by_us(&report["cart"]), by_oracle(&log, &["A"], rule, within * SECONDS));
        prop_assert_eq!(by_us(&report["checkout"]), by_oracle(&log, &["B"], rule, within * SECONDS));
    }

    #[test]
    fn keeps_the_laws(log in logs(), rule in select(vec!["after_first", "after_last", "anywhere"]), by: bool) {
        let mut fields = short(rule, 9);
        if by {
            fields["by"] = json!(["device"]);
        }
        check_laws(&*asked::<AbandonmentSpec>(fields), &log);
        check_laws(&*asked::<AbandonmentSpec>(json!({ "cart": ["A", "B"], "stage": ["A", "C"] })), &log);
        let parts = json!({ "cart": ["A", "/a"], "purchase": "node(/b)", "remove": "(D | /)", "stage": ["/*"], "by": ["device"] });
        check_laws(&*asked::<AbandonmentSpec>(parts), &log);
    }

    #[test]
    fn sessions_of_segments_add_up(log in logs()) {
        let mut fields = short("after_first", 9);
        fields["by"] = json!(["device"]);
        let report = answer(fields, &log);
        let keys = ["started", "completed", "abandoned", "recovered", "too_recent", "lost"];
        let segments = report["segments"].as_array().unwrap();
        for part in ["cart", "checkout"] {
            let of = |report: &Value| {
                let sessions = &report[part]["sessions"];
                let stages = sessions["stages"].as_array().unwrap().iter().map(|stage| stage["sessions"].as_u64().unwrap());
                let value = sessions["value_left"].as_f64().unwrap_or_default();
                let counts: Vec<u64> = numbers(sessions, keys).into_iter().chain(stages).collect();
                (counts, value)
            };
            let sum = |(a, v): (Vec<u64>, f64), (b, w): (Vec<u64>, f64)| {
                (a.iter().zip(b).map(|(a, b)| a + b).collect(), v + w)
            };
            let sums = segments.iter().map(of).reduce(sum).unwrap_or_else(|| of(&report));
            prop_assert_eq!(of(&report), sums);
        }
    }
}
