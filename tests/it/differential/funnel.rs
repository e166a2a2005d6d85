//! Funnels and abandonment: every attempt tried by hand.

use serde_json::Value;

use super::logs::{self, MINUTE};
use super::oracle::{self, AbandonmentQuestion, Event, Funnel, Hop, PurchaseRule, Step, Ties};
use super::{assert_figures, seconds, whole_number};

/// Steps as the program reads them, and what they mean: names with `|` between, and hops.
struct Asked {
    steps: &'static str,
    flags: &'static [&'static str],
    window: Option<i64>,
    ties: Ties,
    sessions: bool,
}

const DAY: i64 = 1440 * MINUTE;

const FUNNELS: [Asked; 8] = [
    Asked {
        steps: "page_view > cart > purchase",
        flags: &["--window", "1d"],
        window: Some(DAY),
        ties: Ties::Any,
        sessions: false,
    },
    // Steps that overlap, so that an instant needs a matching.
    Asked {
        steps: "(cart|A) > (A|cart) > (cart|B)",
        flags: &["--window", "2s"],
        window: Some(2_000_000),
        ties: Ties::Any,
        sessions: false,
    },
    Asked {
        steps: "page_view > page_view > page_view",
        flags: &["--window", "none", "--ties", "arrival"],
        window: None,
        ties: Ties::Arrival,
        sessions: false,
    },
    Asked {
        steps: "page_view >[15m] (cart|A) > purchase",
        flags: &["--window", "1d"],
        window: Some(DAY),
        ties: Ties::Any,
        sessions: false,
    },
    Asked {
        steps: "(A|B) >>[15m] page_view >[300m] (cart|B)",
        flags: &["--window", "none"],
        window: None,
        ties: Ties::Arrival,
        sessions: false,
    },
    Asked {
        steps: "A >> page_view > cart",
        flags: &["--window", "none"],
        window: None,
        ties: Ties::Arrival,
        sessions: false,
    },
    Asked {
        steps: "page_view > (A|B|cart)",
        flags: &["--grain", "session"],
        window: None,
        ties: Ties::Any,
        sessions: true,
    },
    Asked {
        steps: "page_view >> page_view",
        flags: &["--grain", "session"],
        window: None,
        ties: Ties::Arrival,
        sessions: true,
    },
];

impl Asked {
    fn funnel(&self) -> Funnel {
        let (mut steps, mut hops, mut limits) = (Vec::new(), Vec::new(), Vec::new());
        for word in self.steps.split(' ') {
            let (hop, limit) = word.split_once('[').unwrap_or((word, ""));
            if hop.starts_with('>') {
                limits.push(limit.strip_suffix("m]").map(|minutes| minutes.parse::<i64>().unwrap() * MINUTE));
            }
            match hop {
                ">" => hops.push(Hop::Eventually),
                ">>" => hops.push(Hop::Directly),
                names => steps.push(Step::Any(names.trim_matches(['(', ')']).split('|').map(str::to_owned).collect())),
            }
        }
        Funnel { steps, hops, limits, window: self.window, ties: self.ties }
    }
}

#[test]
fn steps_times_and_values() {
    for asked in FUNNELS {
        let funnel = asked.funnel();
        for (log, report) in logs::whole("funnel", &[&["--steps", asked.steps], asked.flags].concat()) {
            let journeys = if asked.sessions { log.sessions() } else { log.visitors() };
            let attempts: Vec<(&Vec<Event>, Vec<usize>)> =
                journeys.iter().map(|journey| (journey, oracle::reported_attempt(&funnel, journey))).collect();
            if report.is_null() {
                assert!(attempts.iter().all(|(_, attempt)| attempt.is_empty()), "log {}, {}", log.seed, asked.steps);
                continue;
            }
            for (at, step) in report["steps"].as_array().unwrap().iter().enumerate() {
                let place = format!("log {}, {}, step {}", log.seed, asked.steps, at + 1);
                check_step(step, at, &attempts, &place);
            }
            assert_eq!(report["steps"].as_array().unwrap().len(), funnel.steps.len());
            if !logs::is_alone(log) {
                continue;
            }
            let never = attempts.iter().filter(|(_, attempt)| attempt.is_empty()).count();
            assert_figures(&report, &[("/never_entered", whole_number(never))], &format!("log {}", log.seed));
        }
    }
}

fn check_step(step: &Value, at: usize, attempts: &[(&Vec<Event>, Vec<usize>)], place: &str) {
    let reached = || attempts.iter().filter(|(_, attempt)| attempt.len() > at);
    assert_figures(step, &[("/entered", whole_number(reached().count()))], place);
    if at == 0 || reached().next().is_none() {
        return;
    }
    let between = |from: usize| {
        let mut times: Vec<i64> =
            reached().map(|(journey, attempt)| journey[attempt[at]].time - journey[attempt[from]].time).collect();
        times.sort_unstable();
        times
    };
    assert_figures(&step["time_from_previous_s"], &seconds(&between(at - 1)), place);
    assert_figures(&step["time_from_first_s"], &seconds(&between(0)), place);
    let values = || reached().filter_map(|(journey, attempt)| journey[attempt[at]].value);
    let sum = values().next().is_some().then(|| values().sum::<i64>() as f64 / 1e6);
    assert_figures(step, &[("/value", sum)], place);
}

#[test]
fn carts_that_are_left() {
    for (flag, rule) in [
        ("after-first", PurchaseRule::AfterFirst),
        ("after-last", PurchaseRule::AfterLast),
        ("anywhere", PurchaseRule::Anywhere),
    ] {
        let flags = ["--cart", "cart", "--purchase", "purchase", "--purchase-rule", flag, "--recover-within", "10h"];
        for (log, report) in logs::whole("abandonment", &flags) {
            let log_end = logs::end_of_file(log);
            let question = AbandonmentQuestion {
                start: &["cart"],
                cart: &["cart"],
                remove: &[],
                purchase: &["purchase"],
                rule,
                recover_within: 600 * MINUTE,
                log_end,
            };
            let expected = oracle::abandonment(&log.sessions(), &question);
            let figures = [
                ("/sessions/started", whole_number(expected.started)),
                ("/sessions/completed", whole_number(expected.completed)),
                ("/sessions/abandoned", whole_number(expected.abandoned)),
                ("/sessions/recovered", whole_number(expected.recovered)),
                ("/sessions/too_recent", whole_number(expected.too_recent)),
                ("/sessions/lost", whole_number(expected.lost)),
                ("/sessions/value_left", expected.value_left.map(|micros| micros as f64 / 1e6)),
                ("/visitors/started", whole_number(expected.visitors_started)),
                ("/visitors/abandoned", whole_number(expected.visitors_with_abandoned_session)),
                ("/visitors/recovered", whole_number(expected.visitors_with_recovered_session)),
                ("/visitors/never_purchased", whole_number(expected.visitors_never_purchased)),
            ];
            assert_figures(&report["cart"], &figures, &format!("log {}, {flag}", log.seed));
        }
    }
}
