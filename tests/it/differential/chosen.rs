//! Events and journeys that are chosen by conditions: `--where`, a question's own `where`, `--journeys`, and entries between two dates.

use std::collections::BTreeMap;
use std::fs;

use serde_json::Value;

use super::logs::{self, Log, PASSIVE};
use super::oracle::facts;
use super::oracle::{self, Event, Funnel, Hop, Step, Ties};
use super::summary::check_summary;
use super::{count, skipped_without_sql};

/// Conditions and what they mean: which events they keep.
type Keep = (&'static str, fn(&Event) -> bool);

const CONDITIONS: [Keep; 5] = [
    ("device = 'mobile'", |event| event.device == "mobile"),
    // A missing value is not a match, not even of an inequality.
    ("device <> 'mobile'", |event| !event.device.is_empty() && event.device != "mobile"),
    ("event <> 'scroll' AND value >= 5", |event| event.event != "scroll" && event.value >= Some(5_000_000)),
    ("device IS NULL OR event IN ('cart', 'purchase')", |event| {
        event.device.is_empty() || ["cart", "purchase"].contains(&event.event.as_str())
    }),
    ("page LIKE '/%'", |event| event.page.starts_with('/')),
];

/// A log without an event has no answer of its own where many lie together.
fn check(log: &Log, kept: &Log, report: &Value, place: &str) {
    if kept.events.is_empty() {
        assert!(report.is_null() || count(&report["visitors"]) == 0, "{place}: {report}");
    } else {
        check_summary(kept, &kept.sessions(), report, &format!("log {}, {place}", log.seed));
    }
}

#[test]
fn key_figures_of_chosen_events() {
    if skipped_without_sql() {
        return;
    }
    for (condition, keep) in CONDITIONS {
        for (log, report) in logs::whole("summary", &["--where", condition]) {
            check(log, &log.only(keep), &report, condition);
        }
    }
}

/// A job that asks for the key figures of all events and by each condition; what it answers about a log.
fn asked_in_one_job(file: &logs::File) -> BTreeMap<String, Value> {
    let folder = tempfile::tempdir().unwrap();
    let questions = CONDITIONS.iter().enumerate().map(|(at, (condition, _))| {
        format!("[[summary]]\nname = \"q{at}\"\nby = [\"log\"]\nwhere = \"{condition}\"\n")
    });
    let questions: String = questions.collect();
    let job = folder.path().join("job.toml");
    fs::write(&job, format!("[[summary]]\nname = \"all\"\nby = [\"log\"]\n{questions}")).unwrap();
    let out = folder.path().join("out");
    let [job, input, out_dir] = [&job, &file.path, &out].map(|path| path.to_str().unwrap());
    crate::support::answer_in(crate::support::root(), &["run", job, input, "--output-dir", out_dir]);
    let read = |name: String| {
        let text = fs::read_to_string(out.join(format!("{name}.json"))).unwrap();
        (name, serde_json::from_str::<Value>(&text).unwrap()["report"].take())
    };
    (0..CONDITIONS.len()).map(|at| format!("q{at}")).chain(["all".to_owned()]).map(read).collect()
}

#[test]
fn a_condition_of_a_question_is_its_own() {
    if skipped_without_sql() {
        return;
    }
    let answers = asked_in_one_job(logs::together_file());
    let everything = ("all", (|_| true) as fn(&Event) -> bool);
    let named = CONDITIONS.iter().enumerate().map(|(at, (_, keep))| (format!("q{at}"), *keep));
    for (name, keep) in named.chain([(everything.0.to_owned(), everything.1)]) {
        let mut found = logs::segments_of_logs(&answers[&name]);
        for log in &logs::together_file().logs {
            let report = found.remove(&log.seed.to_string()).unwrap_or(Value::Null);
            check(log, &log.only(keep), &report, &name);
        }
        assert!(found.is_empty());
    }
}

#[test]
fn journeys_chosen_by_what_they_are() {
    if skipped_without_sql() {
        return;
    }
    type Choose = (&'static str, fn(&facts::Facts) -> bool);
    let chosen: [Choose; 3] = [
        ("events >= 3", |facts| facts.events >= 3),
        ("session_number > 1 AND bounce = false", |facts| facts.number > 1 && !facts.bounce),
        ("entry_page = '/a' OR page_views = 0", |facts| {
            facts.entry_page.as_deref() == Some("/a") || facts.page_views == 0
        }),
    ];
    for (condition, keep) in chosen {
        for (log, report) in logs::whole("summary", &["--journeys", condition]) {
            let mut kept: Vec<Vec<Event>> = Vec::new();
            for sessions in log.sessions_of_visitors() {
                let facts = facts::facts(&sessions, log.page_views, PASSIVE);
                kept.extend(
                    sessions.into_iter().zip(facts).filter(|(_, facts)| keep(facts)).map(|(session, _)| session),
                );
            }
            let place = format!("log {}, {condition}", log.seed);
            if kept.is_empty() {
                assert!(report.is_null() || count(&report["sessions"]) == 0, "{place}: {report}");
            } else {
                check_summary(log, &kept, &report, &place);
            }
        }
    }
}

/// The window of the funnels, and the days between which they are entered.
const WINDOW: i64 = 86_400_000_000;
const ENTERED: [&str; 2] = ["2024-03-30T20:00:05Z", "2024-03-31T01:00:00Z"];

#[test]
fn funnels_entered_between_two_dates() {
    let steps = ["page_view", "cart", "purchase"];
    let funnel = Funnel {
        steps: steps.map(|name| Step::Name(name.into())).to_vec(),
        hops: vec![Hop::Eventually; 2],
        limits: Vec::new(),
        window: Some(WINDOW),
        ties: Ties::Any,
    };
    let [since, before] = ENTERED.map(|time| chrono::DateTime::parse_from_rfc3339(time).unwrap().timestamp_micros());
    let flags = [
        "--steps",
        "page_view > cart > purchase",
        "--window",
        "1d",
        "--entered-from",
        ENTERED[0],
        "--entered-to",
        ENTERED[1],
    ];
    for (log, report) in logs::whole("funnel", &flags) {
        let deepest = |journey: &Vec<Event>| {
            let entered = |attempt: &&Vec<usize>| (since..before).contains(&journey[attempt[0]].time);
            oracle::attempts(&funnel, journey).iter().filter(entered).map(Vec::len).max().unwrap_or(0)
        };
        let depths: Vec<usize> = log.visitors().iter().map(deepest).collect();
        let expected: Vec<usize> = (0..3).map(|at| depths.iter().filter(|&&depth| depth > at).count()).collect();
        let steps = report["steps"].as_array();
        let found = steps.map_or(vec![0; 3], |steps| steps.iter().map(|step| count(&step["entered"])).collect());
        assert_eq!(found, expected, "log {}", log.seed);
    }
}
