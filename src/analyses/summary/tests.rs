use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::analyses::abandonment::tests::{asked, shop};
use crate::testing::oracle::{Edge, Event, all_sessions};
use crate::testing::{ask, check_laws, logs, oracle, visitor};

fn answer(fields: Value, log: &[Event]) -> Value {
    ask(&*asked::<SummarySpec>(fields), log).0
}

/// One visitor's events, all of which have a page.
fn with_pages(events: &str) -> Vec<Event> {
    visitor("v", events).into_iter().map(|event| Event { page: "/".into(), ..event }).collect()
}

#[test]
fn an_empty_log_has_zeros_and_nulls() {
    let (report, notes) = ask(&*asked::<SummarySpec>(json!({})), &[]);
    let expected = json!({
        "visitors": 0, "sessions": 0, "page_views": 0, "events": 0, "bounce_rate": null, "pages_per_session": null,
        "duration_s": { "mean": null, "median": null, "p90": null },
        "session_conversion_rate": null, "visitor_conversion_rate": null, "checkout_abandonment_rate": null,
        "click_through_rate": null, "scroll_rate": null
    });
    assert_eq!(report, expected);
    assert_eq!(notes, ["none of the default names of a goal event occurs: name yours with --goal"]);
}

#[test]
fn one_event_is_a_session_without_a_duration() {
    let report = answer(json!({}), &visitor("v", "page_view@5"));
    assert_eq!(
        (&report["sessions"], &report["bounce_rate"], &report["pages_per_session"]),
        (&json!(1), &json!(1.0), &json!(1.0))
    );
    assert_eq!(report["duration_s"], json!({ "mean": 0.0, "median": 0.0, "p90": 0.0 }));
}

#[test]
fn durations_are_those_of_sessions() {
    let log = [visitor("v", "A@0 A@10 A@21 A@21"), visitor("w", "A@0 A@4"), visitor("x", "A@7")].concat();
    let report = answer(json!({}), &log);
    assert_eq!((&report["visitors"], &report["sessions"], &report["events"]), (&json!(3), &json!(4), &json!(7)));
    assert_eq!(report["duration_s"], json!({ "mean": 3.5, "median": 2.0, "p90": 10.0 }), "of 10, 0, 4 and 0 seconds");
    let reaches = answer(json!({ "timeout_edge": "reaches" }), &log);
    assert_eq!(reaches["sessions"], 5);
}

#[test]
fn a_bounce_is_one_page_view_and_otherwise_passive() {
    let rate = |bounce: &str, log: &[Event]| answer(json!({ "bounce": bounce }), log)["bounce_rate"].clone();
    let cases = [
        ("page_view@0", 1.0, 1.0),
        ("scroll@0 page_view@0 heartbeat@3", 1.0, 0.0),
        ("page_view@0 page_view@1", 0.0, 0.0),
        ("page_view@0 A@0", 0.0, 0.0),
        ("page_view@0 A@11", 0.5, 1.0),
        ("page_view@0 scroll@11", 0.5, 1.0),
    ];
    for (log, by_page_view, by_event) in cases {
        let log = visitor("v", log);
        assert_eq!(
            [rate("page_view", &log), rate("single_event", &log)],
            [json!(by_page_view), json!(by_event)],
            "{log:?}"
        );
    }
    let none = visitor("v", "A@0");
    assert_eq!(
        [rate("page_view", &none), rate("single_event", &none)],
        [Value::Null, json!(1.0)],
        "no page views at all"
    );
}

#[test]
fn without_their_names_every_event_with_a_page_is_a_page_view() {
    let report = answer(json!({}), &with_pages("home@0 cart@1 home@50"));
    assert_eq!((&report["page_views"], &report["bounce_rate"]), (&json!(3), &json!(0.5)));
    let report = answer(json!({ "page_view": ["cart"] }), &with_pages("home@0 cart@1 home@50"));
    assert_eq!((&report["page_views"], &report["pages_per_session"]), (&json!(1), &json!(0.5)));
}

#[test]
fn rates_of_what_does_not_occur_are_null() {
    let rates = |log: &str| {
        let report = answer(json!({ "goal": ["G"], "click": ["K"], "impression": ["I"] }), &visitor("v", log));
        ["session_conversion_rate", "visitor_conversion_rate", "click_through_rate", "scroll_rate"]
            .map(|key| report[key].clone())
    };
    assert_eq!(rates("page_view@0"), [(); 4].map(|()| Value::Null));
    assert_eq!(rates("page_view@0 G@100 I@200 I@201 K@202"), [json!(1.0 / 3.0), json!(1.0), json!(0.5), Value::Null]);
    assert_eq!(rates("K@0 scroll@0"), [(); 4].map(|()| Value::Null), "clicks on nothing, scrolls of nothing");
}

#[test]
fn goals_and_clicks_are_steps_which_are_known_if_the_log_has_what_they_ask_for() {
    let mut log = visitor("v", "page_view@0 page_view@1 page_view@2");
    ["/", "/offer", "/thanks"].iter().zip(&mut log).for_each(|(page, event)| event.page = (*page).into());
    let rates = |fields: Value| {
        let report = answer(fields, &log);
        ["session_conversion_rate", "click_through_rate", "checkout_abandonment_rate"].map(|key| report[key].clone())
    };
    let fields =
        json!({ "goal": "/thanks", "click": "node(/thanks)", "impression": ["/", "/offer"], "checkout": "/offer" });
    assert_eq!(rates(fields), [json!(1.0), json!(0.5), Value::Null], "no purchase is known");
    let fields = json!({ "goal": "/thnks", "click": "/offer", "checkout": "/thanks", "purchase": "/offer" });
    assert_eq!(rates(fields), [Value::Null, Value::Null, json!(1.0)], "bought before");
    let (_, notes) = ask(&*asked::<SummarySpec>(json!({ "goal": "/thnks" })), &log);
    assert_eq!(notes, ["the page \"/thnks\" occurs nowhere in the log; did you mean \"/thanks\"?"]);
}

#[test]
fn a_page_view_is_scrolled_before_the_next_one() {
    let rate = |log: &str| answer(json!({}), &visitor("v", log))["scroll_rate"].clone();
    assert_eq!(rate("page_view@0 scroll@1 scroll@2 page_view@3"), 0.5);
    assert_eq!(rate("scroll@0 page_view@0 page_view@1 A@2 scroll@3"), 0.5);
    assert_eq!(rate("page_view@0 scroll@11"), 0.0, "in another session");
    let log = with_pages("home@0 scroll@1");
    assert_eq!(
        answer(json!({}), &log)["scroll_rate"],
        0.0,
        "a scroll that is a page view is no scroll of the one before"
    );
}

#[test]
fn a_checkout_is_abandoned_as_in_abandonment() {
    let rate = |log: &str| {
        answer(json!({ "checkout": ["B"], "purchase": ["C"] }), &visitor("v", log))["checkout_abandonment_rate"].clone()
    };
    assert_eq!(rate("B@0 C@1 B@2"), 0.0);
    assert_eq!(rate("C@0 B@1"), 1.0);
    assert_eq!(rate("C@1 B@1 B@100"), 0.5);
    assert_eq!([rate("B@0"), rate("C@0")], [Value::Null, Value::Null], "the one or the other occurs nowhere");
}

#[test]
fn a_grain_is_refused_and_every_option_is_a_rule() {
    let mut table = toml::toml! { grain = "visitor" };
    let common = crate::analyses::CommonSpec::default().take_from(&mut table).unwrap().resolve(false).unwrap();
    assert!(SummarySpec::default().resolve(common).is_err());

    let rules = asked::<SummarySpec>(json!({ "goal": ["G"] })).rules();
    let expected = [
        "goal",
        "checkout",
        "purchase",
        "click",
        "impression",
        "scroll",
        "page_view",
        "passive",
        "bounce",
        "timeout",
        "timeout_edge",
    ];
    assert_eq!(rules.keys().collect::<Vec<_>>(), expected);
}

#[test]
fn the_shop_log_has_the_answers_of_the_sample_data() {
    let report = answer(json!({ "timeout": "30m", "by": ["device"] }), &shop());
    let counts = ["visitors", "sessions", "events", "page_views"].map(|key| report[key].as_u64().unwrap());
    assert_eq!(counts, [600, 3605, 31106, 0]);
    let expected = [
        ("session_conversion_rate", 0.130_374),
        ("visitor_conversion_rate", 0.546_667),
        ("checkout_abandonment_rate", 0.592_732),
    ];
    for (key, rate) in expected {
        assert!((report[key].as_f64().unwrap() - rate).abs() < 1e-6, "{key}");
    }
    let durations = &report["duration_s"];
    assert!((durations["mean"].as_f64().unwrap() - 1_039.554_508).abs() < 1e-6);
    assert_eq!((&durations["median"], &durations["p90"]), (&json!(869.0), &json!(2226.0)));
    assert_eq!(report["segments"].as_array().unwrap().len(), 3);
}

/// What the oracle and we say of some sessions of a log; `page_views` are known only if the log has any.
fn by_oracle(sessions: &[Vec<Event>], log: &[Event]) -> Value {
    let occurs = |name: &str| log.iter().any(|event| event.event == name);
    let page_views: &[&str] = if occurs("page_view") { &["page_view"] } else { &[] };
    let known = occurs("page_view") || log.iter().any(|event| !event.page.is_empty());
    let found = oracle::summary(sessions, page_views, &["D"], &["C"]);
    let of = |part: usize, whole: usize, known: bool| (known && whole > 0).then(|| part as f64 / whole as f64);
    let seconds = |micros: Option<f64>| micros.map(|micros| micros / 1e6);
    json!([
        [found.visitors, found.sessions, found.page_views, found.events],
        [of(found.bounces, found.sessions, known), of(found.page_views, found.sessions, known)],
        of(found.converting_sessions, found.sessions, occurs("C")),
        of(found.converting_visitors, found.visitors, occurs("C")),
        seconds(oracle::median(&found.durations)),
        seconds(oracle::nearest_rank(&found.durations, 90).map(|micros| micros as f64)),
    ])
}

fn by_us(report: &Value) -> Value {
    json!([
        [report["visitors"], report["sessions"], report["page_views"], report["events"]],
        [report["bounce_rate"], report["pages_per_session"]],
        report["session_conversion_rate"],
        report["visitor_conversion_rate"],
        report["duration_s"]["median"],
        report["duration_s"]["p90"],
    ])
}

proptest! {
    #[test]
    fn equals_the_oracle_in_every_segment(log in logs()) {
        let fields = json!({ "goal": ["C"], "passive": ["D"], "timeout": "3s", "by": ["device"] });
        let report = answer(fields, &log);
        let sessions = all_sessions(&log, 3_000_000, Edge::Exceeds);
        prop_assert_eq!(by_us(&report), by_oracle(&sessions, &log));
        for segment in report["segments"].as_array().unwrap() {
            let device = |session: &&Vec<Event>| {
                let first = session.iter().map(|event| event.device.as_str()).find(|device| !device.is_empty());
                first.unwrap_or_default() == segment["by"]["device"]
            };
            let chosen: Vec<_> = sessions.iter().filter(device).cloned().collect();
            prop_assert_eq!(by_us(segment), by_oracle(&chosen, &log));
        }
    }

    #[test]
    fn single_events_equal_the_oracle(log in logs()) {
        let report = answer(json!({ "timeout": "3s", "bounce": "single_event" }), &log);
        let found = oracle::summary(&all_sessions(&log, 3_000_000, Edge::Exceeds), &[], &[], &[]);
        let expected = (found.sessions > 0).then(|| found.single_event_sessions as f64 / found.sessions as f64);
        prop_assert_eq!(&report["bounce_rate"], &json!(expected));
    }

    #[test]
    fn keeps_the_laws(log in logs(), by: bool) {
        let by: &[&str] = if by { &["device"] } else { &[] };
        let fields = json!({
            "goal": ["C"], "checkout": ["A"], "purchase": ["B"], "click": ["A"], "impression": ["B"], "scroll": ["D"],
            "timeout": "2s", "by": by
        });
        check_laws(&*asked::<SummarySpec>(fields), &log);
        check_laws(&*asked::<SummarySpec>(json!({ "bounce": "single_event" })), &log);
        let parts = json!({ "goal": "/a", "checkout": ["A", "/b"], "purchase": "node(/a)", "scroll": "(D | /)", "by": by });
        check_laws(&*asked::<SummarySpec>(parts), &log);
    }
}
