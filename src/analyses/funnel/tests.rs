mod between;
mod compare;
mod drivers;
mod explain;
mod hold;
mod kinds;
mod looked_at;
mod options;
mod touch;
mod visitors;
use std::collections::BTreeSet;

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::analyses::CommonSpec;
use crate::testing::{Event, ask, check_laws, logs, oracle, question, visitor};

fn common(json: Value) -> CommonSpec {
    let mut table = toml::Table::try_from(json).unwrap();
    CommonSpec::default().take_from(&mut table).unwrap()
}

/// Why a funnel in a job is refused, and no other reason; its steps are A > B > C if it says none.
fn refused(text: &str, shared: Value) -> String {
    let mut table: toml::Table = text.parse().unwrap();
    table.entry("steps").or_insert("A > B > C".into());
    let spec = FunnelSpec::deserialize(table).unwrap();
    let question = common(shared).resolve(false).and_then(|common| spec.resolve(common));
    let error = question.err().unwrap_or_else(|| panic!("{text} is fine"));
    assert!(error.advice().is_some(), "{text}: {error}");
    error.to_string()
}

fn funnel(steps: &str, window: &str, shared: Value) -> Box<dyn Question> {
    let spec = FunnelSpec { steps: Some(steps.into()), window: Some(window.parse().unwrap()), ..FunnelSpec::default() };
    question(spec, &common(shared))
}

fn entered(report: &Value) -> Vec<u64> {
    report["steps"].as_array().unwrap().iter().map(|step| step["entered"].as_u64().unwrap()).collect()
}

#[test]
fn an_empty_log_has_zeros_and_undefined_rates() {
    let (report, notes) = ask(&*funnel("A > B", "7d", json!({})), &[]);
    assert_eq!((entered(&report), report["steps"][0]["of_all"].clone()), (vec![0, 0], Value::Null));
    assert_eq!(notes.len(), 2, "both steps occur nowhere");
}

#[test]
fn rates_times_and_drops_add_up() {
    let log =
        [visitor("1", "A@0 B@60 C@90"), visitor("2", "A@0 B@20"), visitor("3", "A@5"), visitor("4", "B@5")].concat();
    let (report, notes) = ask(&*funnel("A > B > C", "7d", json!({})), &log);
    assert_eq!(notes, Vec::<String>::new());
    assert_eq!(entered(&report), [3, 2, 1]);
    assert_eq!(report["never_entered"], 1);
    let second = &report["steps"][1];
    assert_eq!((&second["dropped"], &second["of_previous"]), (&json!(1), &json!(2.0 / 3.0)));
    assert_eq!(second["time_from_previous_s"], json!({"mean": 40.0, "median": 40.0, "p90": 60.0}));
    assert_eq!(report["steps"][2]["time_from_first_s"]["median"], 90.0);
    assert_eq!(report["steps"][2]["time_from_previous_s"]["median"], 30.0);
}

#[test]
fn times_of_those_who_did_all_steps_are_in_bins() {
    let log = [
        visitor("1", "A@0 B@1 C@4"),
        visitor("2", "A@0 B@3 C@5"),
        visitor("3", "A@0 B@1 C@40"),
        visitor("4", "A@0 B@10"),
    ];
    let (report, _) = ask(&*funnel("A > B > C", "7d", json!({})), &log.concat());
    let bin = |from: f64, to: f64, count: u64| json!({"from_s": from, "to_s": to, "count": count});
    let bins = [bin(2.0, 5.0, 1), bin(5.0, 10.0, 1), bin(10.0, 20.0, 0), bin(20.0, 50.0, 1)];
    assert_eq!(report["histogram"], json!(bins));
    for steps in ["A > D", "A"] {
        let (report, _) = ask(&*funnel(steps, "7d", json!({})), &log.concat());
        assert_eq!(report["histogram"], json!([]), "{steps}");
    }
}

fn dropped_next(steps: &str, shown: &str) -> FunnelSpec {
    FunnelSpec { dropped_next: Some(shown.parse().unwrap()), ..FunnelSpec::of(steps) }
}

#[test]
fn what_the_dropped_did_next_is_counted_by_step() {
    let log = [
        visitor("1", "A@0 B@1 C@2"),
        visitor("2", "A@0 X@1 B@2 Y@3 A@4"),
        visitor("3", "A@0 B@1 Y@2"),
        visitor("4", "A@0 B@1 Z@2"),
        visitor("5", "A@0 B@1"),
        visitor("6", "A@0 A@1 (end)@2"),
        visitor("7", "A@0"),
        visitor("8", "Y@0"),
    ]
    .concat();
    let next = |shown: &str, shared: Value| {
        let common = common(shared);
        let (report, _) = ask(&*question(dropped_next("A > B > C", shown), &common), &log);
        report["steps"].as_array().unwrap().iter().map(|step| step["dropped_next"].clone()).collect::<Vec<_>>()
    };
    let row = |node: &str, count: u64| json!({"node": node, "count": count});
    let first = json!([row("(end)", 1), row("A", 1)]);
    assert_eq!(
        next("all", json!({})),
        [first.clone(), json!([row("Y", 2), row("(end)", 1), row("Z", 1)]), json!([])],
        "the first A of 6 is the reported attempt: it ends the earliest"
    );
    assert_eq!(next("1", json!({}))[1], json!([row("Y", 2), row("(other)", 2)]));
    assert_eq!(next("all", json!({"hide": ["A"]}))[0], json!([row("(end)", 1), row("\\(end)", 1)]));
    let (report, _) = ask(&*funnel("A > B > C", "7d", json!({})), &log);
    assert_eq!(report["steps"][0].get("dropped_next"), None, "nobody asked");
}

fn trend(period: &str, window: &str) -> FunnelSpec {
    let period = Some(serde_json::from_value(json!(period)).unwrap());
    FunnelSpec { trend: period, window: Some(window.parse().unwrap()), ..FunnelSpec::of("A > B > C") }
}

#[test]
fn a_visitor_counts_once_in_each_period_in_which_it_enters() {
    const DAY: &str = "86400";
    let log = [
        // Two entries on one day, one of which gets far; one on the next day that does not; one two days later.
        visitor("1", &format!("A@0 B@10 C@20 A@30 A@{DAY} B@86410 A@259200")),
        visitor("2", &format!("A@86399 B@{DAY} C@86401")),
        visitor("3", "B@5 C@6"),
    ]
    .concat();
    let (report, _) = ask(&*question(trend("day", "1h"), &CommonSpec::default()), &log);
    let row = |period: &str, steps: [u64; 3]| json!({"period": period, "entered": steps[0], "steps": steps});
    let first = row("1970-01-01", [2, 2, 2]);
    let expected = [first.clone(), row("1970-01-02", [1, 1, 0]), row("1970-01-04", [1, 0, 0])];
    assert_eq!(report["trend"], json!(expected));
    assert_eq!(entered(&report), [2, 2, 2], "the answer itself is as ever");
    let bounded = FunnelSpec { entered_to: Some("1970-01-02".into()), ..trend("day", "1h") };
    assert_eq!(ask(&*question(bounded, &CommonSpec::default()), &log).0["trend"], json!([first]));
    let (report, _) = ask(&*question(trend("month", "1h"), &CommonSpec::default()), &log);
    assert_eq!(report["trend"], json!([row("1970-01", [2, 2, 2])]));
    assert_eq!(ask(&*funnel("A > B", "1h", json!({})), &log).0.get("trend"), None, "nobody asked");
}

#[test]
fn entries_near_the_end_may_be_left_out() {
    let log = [
        visitor("1", "A@0 B@1"),
        // What begins in time counts, though what begins later gets further; the far edge is in time.
        visitor("2", "A@5 A@91 B@92"),
        visitor("3", "A@90 B@99"),
        visitor("4", "A@95 C@100"),
    ]
    .concat();
    let mature = |mature: bool, spec: FunnelSpec| {
        let spec = FunnelSpec { mature, window: Some("10s".parse().unwrap()), ..spec };
        ask(&*question(spec, &CommonSpec::default()), &log).0
    };
    let figures = |report: &Value| (entered(report), report["open_entries"].clone(), report["never_entered"].clone());
    assert_eq!(figures(&mature(false, FunnelSpec::of("A > B"))), (vec![4, 3], json!(2), json!(0)));
    assert_eq!(figures(&mature(true, FunnelSpec::of("A > B"))), (vec![3, 2], json!(2), json!(1)));
    // The long way.
    assert_eq!(figures(&mature(true, FunnelSpec::of("A > (B | A)"))), (vec![3, 2], json!(2), json!(1)));
    let report = mature(true, trend("hour", "1h"));
    assert_eq!(report["trend"], json!([{"period": "1970-01-01T00", "entered": 3, "steps": [3, 2, 0]}]));
    let endless = FunnelSpec { mature: true, window: Some(Window::None), ..FunnelSpec::of("A > B") };
    let error = endless.resolve(CommonSpec::default().resolve(false).unwrap()).err().unwrap();
    assert!(error.to_string().contains("--mature needs a window that is a duration, not none"), "{error}");
    assert!(error.advice().unwrap().contains("--window"));
}

#[test]
fn entering_is_bounded_and_going_on_is_not() {
    let log = [visitor("1", "A@0 A@100 B@200"), visitor("2", "A@50 B@60 B@300"), visitor("3", "B@99")].concat();
    let entered_at = |from: Option<&str>, to: Option<&str>| {
        let spec = FunnelSpec {
            steps: Some("A > B".into()),
            entered_from: from.map(str::to_owned),
            entered_to: to.map(str::to_owned),
            ..FunnelSpec::default()
        };
        entered(&ask(&*question(spec, &CommonSpec::default()), &log).0)
    };
    assert_eq!(entered_at(Some("1970-01-01T00:01:40Z"), None), [1, 1], "the beginning counts");
    assert_eq!(entered_at(None, Some("1970-01-01T00:01:40Z")), [2, 2], "the end does not, and B may come after it");
    assert_eq!(entered_at(Some("1970-01-01T00:00:01Z"), Some("1970-01-01T00:00:50Z")), [0, 0]);
    let backwards = FunnelSpec {
        steps: Some("A > B".into()),
        entered_from: Some("2026-05-02".into()),
        entered_to: Some("2026-05-02".into()),
        ..FunnelSpec::default()
    };
    let common = CommonSpec::default().resolve(false).unwrap();
    assert!(backwards.resolve(common).err().unwrap().to_string().contains("--entered-from is not before"));
}

#[test]
fn sessions_are_journeys_of_their_own() {
    let log = visitor("1", "A@0 A@4000 B@4001");
    let (visitors, _) = ask(&*funnel("A > B", "7d", json!({})), &log);
    let (sessions, _) = ask(&*funnel("A > B", "session", json!({"grain": "session"})), &log);
    assert_eq!((entered(&visitors), entered(&sessions)), (vec![1, 1], vec![2, 1]));
}

#[test]
fn values_are_those_of_the_attempt() {
    let mut log = visitor("1", "A@0 B@1 B@2");
    log[1].value = Some(2_500_000);
    log[2].value = Some(9_000_000);
    let (report, _) = ask(&*funnel("A > B", "7d", json!({})), &log);
    assert_eq!((&report["steps"][0]["value"], &report["steps"][1]["value"]), (&Value::Null, &json!(2.5)));
}

#[test]
fn entries_near_the_end_are_open() {
    let log = [visitor("1", "A@0 B@1"), visitor("2", "A@95 C@100")].concat();
    let (report, _) = ask(&*funnel("A > B", "10s", json!({})), &log);
    assert_eq!(report["open_entries"], 1);
    let (report, _) = ask(&*funnel("A > B", "none", json!({})), &log);
    assert_eq!(report["open_entries"], Value::Null);
}

#[test]
fn pages_nodes_and_conditions_are_steps_too() {
    let mut log = visitor("1", "page_view@0 page_view@1 buy@2");
    log[0].page = "/shop/1".into();
    log[1].page = "/cart".into();
    log[2].page = "/shop/2".into();
    let (report, _) = ask(&*funnel("/shop/* > node(/cart) > buy", "7d", json!({})), &log);
    assert_eq!(entered(&report), [1, 1, 1]);
    let (report, notes) = ask(&*funnel("/cart > /shop/*", "7d", json!({})), &log);
    assert_eq!(
        (entered(&report), notes.len()),
        (vec![1, 0], 0),
        "a page of an event that is no page view does not count"
    );
    let (_, notes) = ask(&*funnel("/catr > byu", "7d", json!({})), &log);
    assert!(notes[0].contains("did you mean \"/cart\"?") && notes[1].contains("did you mean \"buy\"?"), "{notes:?}");
}

#[test]
fn contradictions_are_refused_with_a_hint() {
    let refuse = |spec: FunnelSpec, shared: Value| {
        let common = common(shared).resolve(false).unwrap();
        spec.resolve(common).err().expect("an error").advice().map(str::to_owned).expect("a hint")
    };
    let steps = |text: &str| FunnelSpec { steps: Some(text.into()), ..FunnelSpec::default() };
    assert!(refuse(FunnelSpec::default(), json!({})).contains("--steps"));
    assert!(refuse(FunnelSpec { ties: Some(TieOrder::Any), ..steps("A >> B") }, json!({})).contains("--ties"));
    assert!(
        refuse(FunnelSpec { window: Some(Window::Session), ..steps("A > B") }, json!({})).contains("--grain session")
    );
}

/// The report of the oracle for visitors: entered per step, and the sum of the times from the first step, in µs.
fn expected(events: &[oracle::Event], funnel: &oracle::Funnel, sessions: bool) -> (Vec<u64>, Vec<i64>) {
    let mut entered = vec![0; funnel.steps.len()];
    let mut times = vec![0; funnel.steps.len()];
    for journey in oracle::order(events).into_values() {
        let journeys =
            if sessions { oracle::sessions(&journey, 10_000_000, oracle::Edge::Exceeds) } else { vec![journey] };
        for journey in journeys {
            let attempt = oracle::reported_attempt(funnel, &journey);
            for (step, at) in attempt.iter().enumerate() {
                entered[step] += 1;
                times[step] += journey[*at].time - journey[attempt[0]].time;
            }
        }
    }
    (entered, times)
}

/// A log that takes hours where the other takes seconds.
fn slowed(log: &[Event]) -> Vec<Event> {
    log.iter().map(|event| Event { time: event.time * 1_000, ..event.clone() }).collect()
}

/// A log in which no A is one but those that `may` be the first step.
fn entering(log: &[Event], may: impl Fn(&Event) -> bool) -> Vec<Event> {
    let renamed = |event: &Event| Event { event: "D".into(), ..event.clone() };
    log.iter().map(|event| if event.event == "A" && !may(event) { renamed(event) } else { event.clone() }).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn a_funnel_equals_the_oracle(log in logs(), sessions in any::<bool>(), direct in any::<bool>(), seconds in prop::option::of(0..9i64)) {
        let limit = seconds.map(|seconds| seconds * 1_000_000);
        let hop = if direct { oracle::Hop::Directly } else { oracle::Hop::Eventually };
        let any = |names: &[&str]| oracle::Step::Any(names.iter().map(ToString::to_string).collect());
        let reference = oracle::Funnel {
            steps: vec![any(&["A"]), any(&["B", "C"]), any(&["A", "B"])],
            hops: vec![oracle::Hop::Eventually, hop],
            limits: vec![None, limit],
            window: Some(20_000_000),
            ties: if direct { oracle::Ties::Arrival } else { oracle::Ties::Any },
        };
        let hop = if direct { ">>" } else { ">" };
        let hop = seconds.map_or(hop.to_owned(), |seconds| format!("{hop}[{seconds}s]"));
        let text = format!("A > (B | C) {hop} (A | B)");
        let shared = if sessions { json!({"grain": "session", "timeout": "10s"}) } else { json!({}) };
        let (report, _) = ask(&*funnel(&text, "20s", shared), &log);
        let (counts, times) = expected(&log, &reference, sessions);
        prop_assert_eq!(entered(&report), counts.clone());
        let bins = report["histogram"].as_array().unwrap().iter().map(|bin| bin["count"].as_u64().unwrap());
        prop_assert_eq!(bins.sum::<u64>(), counts[2]);
        for (step, row) in report["steps"].as_array().unwrap().iter().enumerate().skip(1).filter(|(step, _)| counts[*step] > 0) {
            let mean = row["time_from_first_s"]["mean"].as_f64().unwrap();
            prop_assert!((mean * counts[step] as f64 - times[step] as f64 / 1e6).abs() < 1e-6);
        }
    }

    #[test]
    fn the_laws_hold(log in logs(), option in 0..8) {
        let question = match option {
            0 => funnel("A > B > C", "10s", json!({})),
            1 => funnel("A > (B | A) > page_view", "none", json!({"by": ["device"]})),
            2 => funnel("A >> B > node(/a)", "session", json!({"grain": "session", "timeout": "5s"})),
            3 => question(dropped_next("A > B > (A | /a)", "2"), &common(json!({}))),
            4 => question(dropped_next("A > B", "all"), &common(json!({"by": ["device"], "grain": "session"}))),
            5 => question(FunnelSpec { mature: true, ..trend("hour", "2h") }, &common(json!({"by": ["device"]}))),
            6 => question(trend("day", "none"), &common(json!({"by": ["device"], "grain": "session"}))),
            _ => funnel("/a > B", "session", json!({"grain": "session", "timeout": "5s", "by": ["device"]})),
        };
        // In hours, so that there are many of them.
        let log = if option == 5 { slowed(&log) } else { log };
        check_laws(&*question, &log);
    }

    #[test]
    fn a_trend_is_a_funnel_of_the_entries_of_each_period(
        log in logs(),
        window in prop::sample::select(vec!["1h", "3h", "none"]),
        steps in prop::sample::select(vec!["A > B > C", "A >> B > (B | C)", "A > (B | C) > C"]),
    ) {
        let log = slowed(&log);
        let spec = FunnelSpec { steps: Some(steps.into()), ..trend("hour", window) };
        let (report, _) = ask(&*question(spec, &CommonSpec::default()), &log);
        let hour = |event: &Event| event.time / 3_600_000_000;
        let hours: BTreeSet<i64> = log.iter().filter(|event| event.event == "A").map(hour).collect();
        let hours = hours.into_iter().map(|own| {
            let inside = entering(&log, |event| hour(event) == own);
            (own, entered(&ask(&*funnel(steps, window, json!({})), &inside).0))
        });
        let rows = hours.map(|(hour, steps)| {
            json!({"period": format!("1970-01-01T{hour:02}"), "entered": steps[0], "steps": steps})
        });
        prop_assert_eq!(report["trend"].clone(), rows.collect::<Value>());
    }

    #[test]
    fn a_mature_funnel_is_one_of_the_entries_in_time(log in logs(), steps in prop::sample::select(vec!["A > B > C", "A >> B > C"])) {
        let plain = FunnelSpec { window: Some("10s".parse().unwrap()), ..FunnelSpec::of(steps) };
        let mature = FunnelSpec { mature: true, ..plain.clone() };
        let answer = |spec: FunnelSpec, log: &[Event]| ask(&*question(spec, &CommonSpec::default()), log).0;
        let end = log.iter().map(|event| event.time).max().unwrap_or(0);
        let (all, mature) = (answer(plain.clone(), &log), answer(mature, &log));
        let in_time = answer(plain, &entering(&log, |event| event.time <= end - 10_000_000));
        prop_assert_eq!((&mature["steps"], &mature["histogram"]), (&in_time["steps"], &in_time["histogram"]));
        prop_assert_eq!(&mature["open_entries"], &all["open_entries"]);
    }

    #[test]
    fn what_the_dropped_did_next_adds_up(log in logs(), shown in prop::sample::select(vec!["1", "2", "all"])) {
        let (report, _) = ask(&*question(dropped_next("A > B > C", shown), &common(json!({"hide": ["D"]}))), &log);
        for step in report["steps"].as_array().unwrap() {
            let next = step["dropped_next"].as_array().unwrap();
            prop_assert_eq!(next.iter().map(|next| next["count"].as_u64().unwrap()).sum::<u64>(), step["dropped"].as_u64().unwrap());
        }
    }

    #[test]
    fn segments_of_sessions_add_up(log in logs()) {
        let shared = json!({"grain": "session", "timeout": "5s", "by": ["device"]});
        let (report, _) = ask(&*funnel("A > B", "session", shared), &log);
        let sum: u64 = report["segments"].as_array().unwrap().iter().map(|segment| entered(segment)[0]).sum();
        prop_assert_eq!(sum, entered(&report)[0]);
    }
}
