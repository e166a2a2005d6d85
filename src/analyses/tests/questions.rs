//! One matter asked about in two ways: what abandonment, conversion, drop-off and the graph count, a funnel counts too, by another way
//! of finding it.

use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};

use crate::analyses::Spec;
use crate::analyses::abandonment::AbandonmentSpec;
use crate::analyses::abandonment::tests::asked;
use crate::analyses::conversion::ConversionSpec;
use crate::analyses::dropoff::DropOffSpec;
use crate::analyses::funnel::FunnelSpec;
use crate::analyses::graph::GraphSpec;
use crate::analyses::paths::PathsSpec;
use crate::analyses::summary::SummarySpec;
use crate::testing::oracle::{Event, is_page_view};
use crate::testing::{ask, logs, visitor};

fn answer<S: Spec>(fields: Value, log: &[Event]) -> Value {
    ask(&*asked::<S>(fields), log).0
}

/// The fields of both; those of `more` count.
fn with(fields: Value, more: &Value) -> Value {
    let (Value::Object(mut fields), Value::Object(more)) = (fields, more.clone()) else { panic!("fields") };
    fields.extend(more);
    Value::Object(fields)
}

/// Who enters each step of a funnel whose journeys are those of a grain, whole.
fn entered(steps: &str, grain: &str, more: &Value, log: &[Event]) -> Vec<u64> {
    let window = if grain == "session" { "session" } else { "none" };
    let fields = json!({ "steps": steps, "grain": grain, "window": window });
    let report = answer::<FunnelSpec>(with(fields, more), log);
    report["steps"].as_array().unwrap().iter().map(|step| count(&step["entered"])).collect()
}

fn count(value: &Value) -> u64 {
    value.as_u64().unwrap_or_else(|| panic!("{value} is no count"))
}

fn rows<'a>(report: &'a Value, key: &str) -> impl Iterator<Item = &'a Value> {
    report[key].as_array().unwrap().iter()
}

/// A start and a purchase, and whether no event is both.
fn parts() -> impl Strategy<Value = (&'static str, &'static str, bool)> {
    select(vec![
        ("A", "C", true),
        ("(A | B)", "(C | D)", true),
        ("/a", "/b", true),
        ("node(/a)", "node(/b)", true),
        ("A", "A", false),
        ("(A | C)", "C", false),
        ("/a", "C", false),
        ("/*", "(B | /b)", false),
    ])
}

/// Those who start something at a grain, and those of them who complete it.
fn started_and_completed(part: &Value, grain: &str) -> [u64; 2] {
    if grain == "session" {
        return ["started", "completed"].map(|key| count(&part["sessions"][key]));
    }
    let started = count(&part["visitors"]["started"]);
    [started, started - count(&part["visitors"]["never_purchased"])]
}

/// The log with what `change` makes of each view of a page; other events lose their pages.
fn with_views(log: &[Event], change: impl Fn(&Event) -> Event) -> Vec<Event> {
    let page_views: &[&str] = if log.iter().any(|event| event.event == "page_view") { &["page_view"] } else { &[] };
    let changed = |event: &Event| {
        if is_page_view(event, page_views) { change(event) } else { Event { page: String::new(), ..event.clone() } }
    };
    log.iter().map(changed).collect()
}

/// A log without pages in which each view of a page is an event named after it.
fn views_by_name(log: &[Event]) -> Vec<Event> {
    let name = |event: &Event| format!("viewed{}", event.page.replace('/', "_"));
    with_views(log, |event| Event { event: name(event), page: String::new(), ..event.clone() })
}

/// An event fills one step of a funnel, unless `reuse` says more; abandonment asks about each part for itself.
#[test]
fn one_event_that_is_a_start_and_a_purchase_completes_itself() {
    let log = visitor("v", "A@0");
    let report = answer::<AbandonmentSpec>(json!({ "cart": "A", "purchase": "A" }), &log);
    assert_eq!(started_and_completed(&report["cart"], "session"), [1, 1]);
    assert_eq!(entered("A > A", "session", &json!({}), &log), [1, 0]);
    assert_eq!(entered("A > A", "session", &json!({ "reuse": true }), &log), [1, 1]);
}

proptest! {
    /// After the first start: any attempt will do. After the last one: only that which begins there.
    #[test]
    fn what_is_completed_is_a_funnel_of_two_steps(
        log in logs(), (start, purchase, disjoint) in parts(), part in select(vec!["cart", "checkout"]), last: bool,
    ) {
        let rule = if last { "after_last" } else { "after_first" };
        let fields = json!({ part: start, "purchase": purchase, "purchase_rule": rule });
        let report = answer::<AbandonmentSpec>(fields, &log);
        let entry = if last { "last" } else { "best" };
        for grain in ["session", "visitor"] {
            let funnel = |more| entered(&format!("{start} > {purchase}"), grain, &more, &log);
            let found = started_and_completed(&report[part], grain);
            prop_assert_eq!(funnel(json!({ "entry": entry, "reuse": true })), found, "{}", grain);
            if disjoint {
                prop_assert_eq!(funnel(json!({ "entry": entry })), found, "{}, each event once", grain);
            }
        }
    }

    #[test]
    fn what_is_completed_anywhere_is_a_funnel_in_any_order(log in logs(), (start, purchase, disjoint) in parts()) {
        if !disjoint {
            return Ok(());
        }
        let fields = json!({ "cart": start, "purchase": purchase, "purchase_rule": "anywhere" });
        let report = answer::<AbandonmentSpec>(fields, &log);
        for grain in ["session", "visitor"] {
            let [started, completed] = started_and_completed(&report["cart"], grain);
            prop_assert_eq!(entered(start, grain, &json!({}), &log), [started]);
            let funnel = entered(&format!("{start} > {purchase}"), grain, &json!({ "order": "any" }), &log);
            prop_assert_eq!(funnel[1], completed, "{}", grain);
        }
    }

    /// Goals by page and by node too: those by name are held against funnels where conversion is tested.
    #[test]
    fn who_converts_enters_a_funnel_of_one_step(log in logs(), (one, other, _) in parts()) {
        let report = answer::<ConversionSpec>(json!({ "goal": [one, other] }), &log);
        for (goal, row) in [one, other].into_iter().zip(rows(&report, "goals")) {
            for (grain, converting, rate) in
                [("session", "converting_sessions", "session_rate"), ("visitor", "converting_visitors", "visitor_rate")]
            {
                let window = if grain == "session" { "session" } else { "none" };
                let fields = json!({ "steps": goal, "grain": grain, "window": window });
                let step = &answer::<FunnelSpec>(fields, &log)["steps"][0];
                prop_assert_eq!((&step["entered"], &step["of_all"]), (&row[converting], &row[rate]), "{} {}", goal, grain);
            }
        }
    }

    /// The last nodes of paths and what follows each node are those of the graph, and who does not convert drops somewhere.
    #[test]
    fn drop_off_is_where_the_graph_ends(log in logs(), grain in select(vec!["session", "visitor"]), keep: bool, hide: bool) {
        let repeats = if keep { "keep" } else { "collapse_first" };
        let hidden: &[&str] = if hide { &["B", "/a"] } else { &[] };
        let fields = json!({ "grain": grain, "repeats": repeats, "hide": hidden });
        let dropoff = answer::<DropOffSpec>(with(fields.clone(), &json!({ "goal": "(C | /b)", "next": "all" })), &log);
        let graph = answer::<GraphSpec>(fields.clone(), &log);
        let paths = answer::<PathsSpec>(fields, &log);
        prop_assert_eq!((&dropoff["journeys"], &dropoff["without_node"]), (&paths["total"], &paths["empty"]));

        let of = |keys: [&'static str; 3]| move |row: &Value| (row["node"].to_string(), keys.map(|key| count(&row[key])));
        let ours: BTreeMap<_, _> = rows(&dropoff, "nodes").map(of(["occurrences", "exits", "journeys"])).collect();
        let theirs: BTreeMap<_, _> = rows(&graph, "nodes").map(of(["count", "exits", "sessions"])).collect();
        prop_assert_eq!(ours, theirs);

        let mut next = BTreeMap::new();
        for node in rows(&dropoff, "nodes") {
            let onward = rows(node, "next").filter(|next| next["node"] != "(end)");
            next.extend(onward.map(|to| ((node["node"].to_string(), to["node"].to_string()), count(&to["count"]))));
        }
        let link = |link: &Value| ((link["from"].to_string(), link["to"].to_string()), count(&link["count"]));
        prop_assert_eq!(next, rows(&graph, "transitions").map(link).collect());

        if grain == "session" && !hide {
            let goal = &answer::<ConversionSpec>(json!({ "goal": "(C | /b)" }), &log)["goals"][0];
            let dropped: u64 = rows(&dropoff, "nodes").map(|node| count(&node["dropped"])).sum();
            prop_assert_eq!(dropped, count(&dropoff["journeys"]) - count(&goal["converting_sessions"]));
        }
    }

    /// Who goes from one node to another directly does so in a funnel of the two.
    #[test]
    fn a_transition_is_a_funnel_of_two_nodes(log in logs(), grain in select(vec!["session", "visitor"]), keep: bool) {
        let repeats = if keep { "keep" } else { "collapse_first" };
        let graph = answer::<GraphSpec>(json!({ "grain": grain, "repeats": repeats }), &log);
        for row in rows(&graph, "transitions") {
            let steps = format!("node({}) >> node({})", row["from"].as_str().unwrap(), row["to"].as_str().unwrap());
            let funnel = |more: Value| entered(&steps, grain, &more, &log)[1];
            prop_assert_eq!(count(&row["sessions"]), funnel(json!({})), "{}", &steps);
            if grain == "session" {
                prop_assert_eq!(count(&row["visitors"]), funnel(json!({ "count": "visitors" })), "{}", &steps);
            }
        }
    }

    /// What pages say is what events of the pages' names would: a log of page views alone has the same answers.
    #[test]
    fn parts_by_page_are_parts_by_name(log in logs(), rule in select(vec!["after_first", "after_last", "anywhere"])) {
        let renamed = views_by_name(&log);
        let names = [("viewed_a", "/a"), ("viewed_b", "/b"), ("viewed_", "/")];
        let by_name = json!({
            "cart": "viewed_a", "checkout": "viewed_b", "purchase": "viewed_", "remove": "viewed_b",
            "stage": ["viewed_b", "viewed_a", "viewed_"], "purchase_rule": rule, "by": "device"
        });
        let page = |text: String| names.iter().fold(text, |text, (name, page)| text.replace(name, page));
        let by_page: Value = serde_json::from_str(&page(by_name.to_string())).unwrap();
        let expected = answer::<AbandonmentSpec>(by_name, &renamed);
        prop_assert_eq!(answer::<AbandonmentSpec>(by_page, &log).to_string(), page(expected.to_string()));

        let parts = |[a, b, c]: [&str; 3]| json!({
            "goal": [a, c], "checkout": b, "purchase": c, "click": a, "impression": [b, c]
        });
        let rates = |report: Value| {
            ["session_conversion_rate", "visitor_conversion_rate", "checkout_abandonment_rate", "click_through_rate"]
                .map(|key| report[key].clone())
        };
        // Whether a figure is null goes by the pages of the log, those that other events than views have included.
        let log = with_views(&log, Event::clone);
        prop_assert_eq!(
            rates(answer::<SummarySpec>(parts(names.map(|(_, page)| page)), &log)),
            rates(answer::<SummarySpec>(parts(names.map(|(name, _)| name)), &renamed))
        );
    }
}
