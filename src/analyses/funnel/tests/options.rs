//! Options as they are written, held against exhaustive search of the same log.

use proptest::prelude::*;
use serde::Deserialize;
use serde_json::{Value, json};

use super::super::FunnelSpec;
use super::{common, entered, refused};
use crate::analyses::{Question, Spec};
use crate::testing::oracle::funnel::{
    Effect, Entry, Exclusion, Missing, OnRepeat, Options, Ties, Window, reported, reported_by_held,
};
use crate::testing::oracle::{self, Event, Hop, Step};
use crate::testing::{ask, check_laws, logs};

pub(super) const SECOND: i64 = 1_000_000;

/// What `A > B > C` means without options, but for its window.
pub(super) fn plain() -> Options {
    Options {
        steps: ["A", "B", "C"].map(|name| Step::Any(vec![name.into()])).to_vec(),
        hops: vec![Hop::Eventually; 2],
        limits: vec![None; 2],
        window: Window::Time(20 * SECOND),
        ties: Ties::Any,
        among_steps: false,
        increasing: false,
        reuse: false,
        exclusions: Vec::new(),
        on_repeat: OnRepeat::Ignore,
        entry: Entry::Best,
        hold: None,
    }
}

pub(super) fn without(what: &str, from: usize, to: usize, effect: Effect) -> Exclusion {
    Exclusion { what: Step::Any(vec![what.into()]), from, to, effect }
}

fn arrival() -> Options {
    Options { ties: Ties::Arrival, ..plain() }
}

fn direct() -> Options {
    Options { hops: vec![Hop::Directly; 2], ..arrival() }
}

/// A funnel as written in a job file, and what it means.
pub(super) fn cases() -> Vec<(&'static str, Options)> {
    let stop = |what, from, to| without(what, from, to, Effect::Stop);
    let remove = |what, from, to| without(what, from, to, Effect::Remove);
    let overlapping = || ["AB", "B", "AC"].map(|names| Step::Any(names.chars().map(String::from).collect())).to_vec();
    vec![
        ("", plain()),
        ("exclude = ['D@1-2']", Options { exclusions: vec![stop("D", 1, 2)], ..plain() }),
        (
            "exclude = ['D', 'page_view@2-3']",
            Options { exclusions: vec![stop("D", 1, 3), stop("page_view", 2, 3)], ..plain() },
        ),
        ("exclude = ['D@1-2']\nexclude_effect = 'remove'", Options { exclusions: vec![remove("D", 1, 2)], ..plain() }),
        (
            "exclude = ['D@1-2:remove', 'page_view@2-3']",
            Options { exclusions: vec![remove("D", 1, 2), stop("page_view", 2, 3)], ..plain() },
        ),
        (
            "exclude = ['D@1-2: stop']\nexclude_effect = 'remove'",
            Options { exclusions: vec![stop("D", 1, 2)], ..plain() },
        ),
        (
            "exclude = [{ event = 'D', from = 2, effect = 'remove' }, 'page_view@1-2']",
            Options { exclusions: vec![remove("D", 2, 3), stop("page_view", 1, 2)], ..plain() },
        ),
        ("hold = ['device']", Options { hold: Some(Missing::Match), ..plain() }),
        (
            "hold = 'device'\nhold_missing = 'never'\nexclude = ['D']",
            Options { hold: Some(Missing::Never), exclusions: vec![stop("D", 1, 3)], ..plain() },
        ),
        ("entry = 'first'", Options { entry: Entry::First, ..plain() }),
        ("entry = 'last'\nwindow = 'none'", Options { entry: Entry::Last, window: Window::None, ..plain() }),
        (
            "entry = 'each'\nwindow = '5s'\nexclude = ['D@1-2']",
            Options {
                entry: Entry::Each,
                window: Window::Time(5 * SECOND),
                exclusions: vec![stop("D", 1, 2)],
                ..plain()
            },
        ),
        (
            "entry = 'all'\ncount = 'attempts'\nhold = 'device'",
            Options { entry: Entry::All, hold: Some(Missing::Match), ..plain() },
        ),
        ("window = '2 sessions'", Options { window: Window::Sessions(2), ..plain() }),
        ("window = '4 events'", Options { window: Window::Events(4), ..arrival() }),
        (
            "window = '4s'\nwindow_from = 'previous'",
            Options { window: Window::None, limits: vec![Some(4 * SECOND); 2], ..plain() },
        ),
        ("times = 'increasing'", Options { increasing: true, ..plain() }),
        ("steps = '(A|B) > B > (A|C)'\nreuse = true", Options { reuse: true, steps: overlapping(), ..plain() }),
        ("on_repeat = 'end_any'", Options { on_repeat: OnRepeat::EndAny, ..arrival() }),
        (
            "on_repeat = 'end_last'\nties = 'step'",
            Options { on_repeat: OnRepeat::EndLast, ties: Ties::Step, ..plain() },
        ),
        ("steps = '(A|B) > B > (A|C)'\nties = 'step'", Options { ties: Ties::Step, steps: overlapping(), ..plain() }),
        ("steps = 'A >> B >> C'\nstrict_among = 'steps'", Options { among_steps: true, ..direct() }),
        (
            "steps = 'A >> B >> C'\nties = 'step'\nwindow = '3 events'",
            Options { window: Window::Events(3), ties: Ties::Step, ..direct() },
        ),
    ]
}

pub(super) fn question(text: &str, shared: Value) -> Box<dyn Question> {
    let mut table: toml::Table = text.parse().unwrap();
    table.entry("steps").or_insert("A > B > C".into());
    table.entry("window").or_insert("20s".into());
    let spec = FunnelSpec::deserialize(table).unwrap();
    spec.resolve(common(shared).resolve(false).unwrap()).unwrap()
}

/// A journey, and the places of an attempt's events in it.
pub(super) type Attempt = (Vec<Event>, Vec<usize>);

/// The attempts of all visitors, and how many visitors have one.
pub(super) fn expected(options: &Options, each_value: bool, log: &[Event]) -> (Vec<Attempt>, usize) {
    let mut attempts = Vec::new();
    let mut entering = 0;
    for journey in oracle::order(log).into_values() {
        let sessions = oracle::sessions(&journey, 5 * SECOND, oracle::Edge::Exceeds);
        let numbers: Vec<usize> =
            sessions.iter().enumerate().flat_map(|(number, session)| vec![number; session.len()]).collect();
        let found = match each_value {
            true => reported_by_held(options, &journey, &numbers).into_iter().map(|(_, attempt)| attempt).collect(),
            false => reported(options, &journey, &numbers),
        };
        entering += usize::from(!found.is_empty());
        attempts.extend(found.into_iter().map(|attempt| (journey.clone(), attempt)));
    }
    (attempts, entering)
}

fn check(text: &str, options: &Options, each_value: bool, log: &[Event]) -> Result<(), TestCaseError> {
    let (report, _) = ask(&*question(text, json!({"timeout": "5s"})), log);
    let (attempts, entering) = expected(options, each_value, log);
    let reached = |step: usize| attempts.iter().filter(|(_, attempt)| attempt.len() > step).count() as u64;
    prop_assert_eq!(entered(&report), (0..3).map(reached).collect::<Vec<_>>(), "{}", text);
    prop_assert_eq!(report["journeys"].as_u64().unwrap() - report["never_entered"].as_u64().unwrap(), entering as u64);
    let times = attempts.iter().filter(|(_, attempt)| attempt.len() == 3);
    let sum: i64 = times.map(|(journey, attempt)| journey[attempt[2]].time - journey[attempt[0]].time).sum();
    let mean = report["steps"][2]["time_from_first_s"]["mean"].as_f64();
    prop_assert_eq!(mean.is_some(), reached(2) > 0);
    prop_assert!((mean.unwrap_or(0.0) * reached(2) as f64 - sum as f64 / 1e6).abs() < 1e-6, "{}", text);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn every_option_means_what_the_oracle_says(log in logs()) {
        for (text, options) in cases() {
            check(text, &options, false, &log)?;
        }
        let options = Options { hold: Some(Missing::Match), ..plain() };
        check("hold = ['device']\ncount = 'held'", &options, true, &log)?;
    }
}

/// The log with all events called `name` but the first of each visitor called otherwise.
fn with_first_alone(name: &str, log: &[Event]) -> Vec<Event> {
    let later = |mut journey: Vec<Event>| {
        journey.iter_mut().filter(|event| event.event == name).skip(1).for_each(|event| event.event = "later".into());
        journey
    };
    oracle::order(log).into_values().flat_map(later).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn only_the_first_of_a_visitor_fills_a_step_of_its_kind(log in logs()) {
        let renamed = with_first_alone("B", &log);
        for (text, shared) in [
            ("window = 'none'", json!({"timeout": "5s"})),
            ("exclude = ['D']", json!({"timeout": "5s"})),
            ("window = 'session'", json!({"timeout": "5s", "grain": "session"})),
            ("order = 'any'", json!({"timeout": "5s"})),
            ("open = true", json!({"timeout": "5s"})),
        ] {
            let (first, _) = ask(&*question(&format!("steps = 'A > first(B) > C'\n{text}"), shared.clone()), &log);
            let (plain, _) = ask(&*question(text, shared), &renamed);
            prop_assert_eq!(entered(&first), entered(&plain), "{}", text);
            prop_assert_eq!(&first["steps"][1]["time_from_previous_s"], &plain["steps"][1]["time_from_previous_s"]);
        }
        check_laws(&*question("steps = 'first(A) > first(B|C)'", json!({"by": ["device"]})), &log);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn the_laws_hold_with_every_option(log in logs()) {
        for (text, _) in cases() {
            check_laws(&*question(text, json!({"timeout": "5s", "by": ["device"]})), &log);
        }
    }

    #[test]
    fn a_visitor_counts_by_the_best_of_its_sessions(log in logs()) {
        let shared = json!({"timeout": "5s", "grain": "session"});
        let (report, _) = ask(&*question("count = 'visitors'\nwindow = 'session'", shared), &log);
        let options = Options { window: Window::None, ..plain() };
        let depth = |session: &Vec<Event>| reported(&options, session, &vec![0; session.len()]).first().map_or(0, Vec::len);
        let best: Vec<usize> = oracle::order(&log).into_values()
            .map(|journey| oracle::sessions(&journey, 5 * SECOND, oracle::Edge::Exceeds).iter().map(depth).max().unwrap_or(0))
            .collect();
        let reached = |step: usize| best.iter().filter(|depth| **depth > step).count() as u64;
        prop_assert_eq!(entered(&report), (0..3).map(reached).collect::<Vec<_>>());
        prop_assert_eq!(report["journeys"].as_u64(), Some(best.len() as u64));
    }
}

#[test]
fn options_that_contradict_each_other_are_refused_with_a_hint() {
    for (text, reason) in [
        ("on_repeat = 'end_any'\nties = 'any'", "whether a step is repeated"),
        ("window = '3 events'\nties = 'any'", "so many events"),
        ("times = 'increasing'\nties = 'step'", "increasing times"),
        ("steps = 'A >> B'\ntimes = 'increasing'", "increasing times"),
        ("steps = 'A >> B'\nreuse = true", "directly after itself"),
        ("reuse = true\ntimes = 'increasing'", "not later than itself"),
        ("strict_among = 'steps'", "there is no `>>`"),
        ("exclude = ['D@1-4']", "--exclude: there is nothing between"),
        ("exclude = ['D@2-2']", "nothing between the steps 2 and 2"),
        ("exclude = ['D@0-2']", "nothing between the steps 0 and 2"),
        ("exclude = ['D@1-2:bogus']", "\"bogus\" is no effect"),
        ("exclude = ['D > E@1-2']", "more than one step"),
        ("exclude = ['first(D)@1-2']", "the visitor's first event"),
        ("exclude = [{ event = 'D', from = 'x' }]", "no number of a step"),
        ("exclude = [{ event = 'D', effect = 'x' }]", "unknown variant"),
        ("exclude = ['D']\nexclude_effect = 'remove'\nentry = 'each'", "removes visitors"),
        ("hold_missing = 'never'", "nothing is held"),
        ("count = 'held'", "no values are held"),
        ("count = 'attempts'", "every attempt is counted with --entry each"),
        ("count = 'visitors'\nentry = 'each'", "every attempt is counted with --entry each"),
        ("count = 'sessions'", "no sessions to count"),
        ("window = 'none'\nwindow_from = 'previous'", "is a duration"),
    ] {
        let error = refused(text, json!({}));
        assert!(error.contains(reason), "{text}: {error}");
    }
    let error = refused("window = '2 sessions'", json!({"grain": "session"}));
    assert!(error.contains("several sessions"), "{error}");
}

/// Funnels without an order as written, with their steps, window and grain.
const UNORDERED: [(&str, [&str; 3], Window); 3] = [
    ("window = '5s'", ["A", "B", "C"], Window::Time(5 * SECOND)),
    ("window = 'none'\nsteps = '(A|B) > B > (A|B|C)'", ["AB", "B", "ABC"], Window::None),
    ("window = '3s'\nsteps = '(A|B) > (A|C) > (A|B)'", ["AB", "AC", "AB"], Window::Time(3 * SECOND)),
];

fn steps(names: [&str; 3]) -> Vec<Step> {
    names.map(|names| Step::Any(names.chars().map(String::from).collect())).to_vec()
}

/// By definition: of all windows that hold so many steps the earliest end, and of those the latest begin.
fn span(steps: &[Step], window: Window, journey: &[Event], count: usize) -> Option<i64> {
    let holds = |from: i64, to: i64| {
        let inside: Vec<Event> = journey.iter().filter(|event| (from..=to).contains(&event.time)).cloned().collect();
        oracle::funnel::any_order(steps, window, &inside) >= count
    };
    let times = || journey.iter().map(|event| event.time);
    let end = times().find(|&end| holds(i64::MIN, end))?;
    times().rev().find(|&begin| begin <= end && holds(begin, end)).map(|begin| end - begin)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn without_an_order_so_many_steps_are_done_as_a_window_holds(log in logs()) {
        for (text, names, window) in UNORDERED {
            let steps = steps(names);
            let (report, _) = ask(&*question(&format!("order = 'any'\n{text}"), json!({})), &log);
            let journeys: Vec<Vec<Event>> = oracle::order(&log).into_values().collect();
            let counts: Vec<usize> = journeys.iter().map(|journey| oracle::funnel::any_order(&steps, window, journey)).collect();
            let reached = |step: usize| counts.iter().filter(|count| **count > step).count() as u64;
            prop_assert_eq!(entered(&report), (0..3).map(reached).collect::<Vec<_>>(), "{}", text);
            for (at, step) in steps.iter().enumerate() {
                let having = journeys.iter().filter(|journey| journey.iter().any(|event| step.fits(event))).count();
                prop_assert_eq!(report["held"][at]["journeys"].as_u64(), Some(having as u64));
            }
            let spans = journeys.iter().zip(&counts).filter(|(_, count)| **count == 3);
            let sum: i64 = spans.filter_map(|(journey, _)| span(&steps, window, journey, 3)).sum();
            let mean = report["steps"][2]["time_from_first_s"]["mean"].as_f64().unwrap_or(0.0);
            prop_assert!((mean * reached(2) as f64 - sum as f64 / 1e6).abs() < 1e-6, "{}: {} {}", text, mean, sum);
        }
    }

    #[test]
    fn an_open_funnel_is_entered_at_every_step(log in logs()) {
        let hop = |kind, limit| Options { hops: vec![kind; 2], limits: vec![limit; 2], ..plain() };
        let cases = [
            ("", plain()),
            ("steps = 'A >[3s] B >[3s] C'\nwindow = 'none'", Options { window: Window::None, ..hop(Hop::Eventually, Some(3 * SECOND)) }),
            ("steps = 'A >> B >> C'\nwindow = '4s'", Options { ties: Ties::Arrival, window: Window::Time(4 * SECOND), ..hop(Hop::Directly, None) }),
            ("steps = '(A|B) > B > (A|C)'", Options { steps: steps(["AB", "B", "AC"]), ..plain() }),
        ];
        for (text, options) in cases {
            let (report, _) = ask(&*question(&format!("open = true\n{text}"), json!({})), &log);
            let journeys: Vec<_> = oracle::order(&log).into_values().map(|journey| oracle::funnel::open(&options, &journey)).collect();
            for step in 0..3 {
                let count = |of: &dyn Fn(&(bool, bool)) -> bool| journeys.iter().filter(|steps| of(&steps[step])).count() as u64;
                let (came, continued) = (count(&|step| step.0), count(&|step| step.1));
                let row = &report["steps"][step];
                prop_assert_eq!((row["entered"].as_u64(), row["continued"].as_u64()), (Some(came), Some(continued)), "{}", text);
                prop_assert_eq!(row["entered_here"].as_u64(), Some(came - continued));
                prop_assert_eq!(&row["of_first"], &Value::Null);
                if step > 0 {
                    let before = &report["steps"][step - 1];
                    prop_assert_eq!(before["entered"].as_u64().unwrap() - before["dropped"].as_u64().unwrap(), continued);
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn the_laws_hold_for_every_shape(log in logs()) {
        for text in ["open = true", "order = 'any'", "open = true\nwindow = '2 sessions'", "order = 'any'\nwindow = 'none'"] {
            check_laws(&*question(text, json!({"timeout": "5s", "by": ["device"]})), &log);
        }
    }
}

#[test]
fn shapes_that_contradict_their_options_are_refused() {
    for (text, reason) in [
        ("order = 'any'\nopen = true", "is open already"),
        ("open = true\nentry = 'first'", "an open funnel is entered at every step"),
        ("open = true\nentered_from = '2024-01-01'", "is entered at every step"),
        ("open = true\nexclude = ['D']", "exclusions lie between"),
        ("open = true\nhold = ['device']", "whose value could be held"),
        ("open = true\non_repeat = 'end_any'", "a repeat could end"),
        ("order = 'any'\nwindow = '3 events'\nties = 'arrival'", "a duration as its window"),
        ("order = 'any'\nwindow_from = 'previous'", "one window for all steps"),
        ("order = 'any'\nsteps = 'A >[3s] B > C'", "with a limit"),
        ("order = 'any'\nties = 'step'", "no order of equal times"),
        ("order = 'any'\ntimes = 'increasing'", "no order of times"),
        ("order = 'any'\nreuse = true", "an event for each step"),
        ("order = 'any'\ntrend = 'day'", "by when they begin"),
        ("open = true\nmature = true", "by when they begin"),
        ("open = true\ndropped_next = 3", "drops out at several steps"),
        ("open = true\nbetween = 3", "steps that follow each other in their order"),
        ("order = 'any'\nbetween = 'all'", "steps that follow each other in their order"),
        ("open = true\nvisitors_out = 'v.csv'", "a row for each attempt at steps in their order"),
        ("order = 'any'\nvisitors_out = 'v.csv'", "a row for each attempt at steps in their order"),
    ] {
        let error = refused(text, json!({}));
        assert!(error.contains(reason), "{text}: {error}");
    }
}

#[test]
fn a_crowd_of_steps_without_an_order_is_no_trap() {
    let events: Vec<String> = (0..50_000).map(|n| format!("{}@{n}", ["A", "B", "D"][n % 3])).collect();
    let log = crate::testing::visitor("1", &events.join(" "));
    let all = vec!["(A|B|D)"; 30].join(" > ");
    let (report, _) = ask(&*question(&format!("order = 'any'\nwindow = '20s'\nsteps = '{all} > C'"), json!({})), &log);
    assert_eq!(report["steps"][20]["entered"], 1, "21 seconds have 21 events");
    assert_eq!(report["steps"][21]["entered"], 0);
}
