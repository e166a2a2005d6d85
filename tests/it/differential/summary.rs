//! Key figures, of whole logs and by what a session is.

use std::collections::BTreeMap;

use chrono::DateTime;
use serde_json::Value;

use super::logs::{self, Log, PASSIVE};
use super::oracle::facts::{self, Facts};
use super::oracle::{self, Event};
use super::{assert_figures, close, ratio, seconds, whole_number};

/// Compares the key figures of some sessions of a log.
pub fn check_summary(log: &Log, sessions: &[Vec<Event>], report: &Value, place: &str) {
    let expected = oracle::summary(sessions, log.page_views, PASSIVE, &["purchase"]);
    let of_sessions = |n| ratio(n, expected.sessions);
    assert_figures(
        report,
        &[
            ("/visitors", whole_number(expected.visitors)),
            ("/sessions", whole_number(expected.sessions)),
            ("/events", whole_number(expected.events)),
            ("/page_views", whole_number(expected.page_views)),
        ],
        place,
    );
    let [mean, median, p90] = seconds(&expected.durations);
    assert_figures(&report["duration_s"], &[mean, median, p90], place);
    // Alone, a log may have neither goals nor page views; then there is no rate. Others decide for those that lie together.
    let figures = [
        ("bounce_rate", of_sessions(expected.bounces)),
        ("session_conversion_rate", of_sessions(expected.converting_sessions)),
        ("visitor_conversion_rate", ratio(expected.converting_visitors, expected.visitors)),
    ];
    for (key, expected) in figures {
        let found = &report[key];
        assert!(
            close(found, expected) || found.is_null() && expected == Some(0.0),
            "{place}: {key} is {found}, not {expected:?}"
        );
    }
}

/// Compares the key figures by a dimension, whose value for each session `of` gives.
fn check_by(dimension: &str, flags: &[&str], of: &dyn Fn(&Log, &Facts, &[Event]) -> String) {
    let answers = logs::by("summary", dimension, flags);
    assert!(answers.len() > 300);
    for (log, found) in answers {
        let mut parts: BTreeMap<String, Vec<Vec<Event>>> = BTreeMap::new();
        for sessions in log.sessions_of_visitors() {
            let facts = facts::facts(&sessions, log.page_views, PASSIVE);
            for (session, facts) in sessions.into_iter().zip(&facts) {
                parts.entry(of(log, facts, &session)).or_default().push(session);
            }
        }
        let place = format!("log {} by {dimension}", log.seed);
        assert_eq!(found.keys().collect::<Vec<_>>(), parts.keys().collect::<Vec<_>>(), "{place}");
        for (value, sessions) in &parts {
            check_summary(log, sessions, &found[value], &format!("{place}, {value:?}"));
        }
    }
}

#[test]
fn key_figures() {
    for (log, report) in logs::whole("summary", &[]) {
        check_summary(log, &log.sessions(), &report, &format!("log {}", log.seed));
    }
}

#[test]
fn key_figures_by_a_column() {
    check_by("device", &[], &|_, _, session| facts::first_device(session));
}

#[test]
fn key_figures_by_pages_numbers_and_values() {
    check_by("entry_page", &[], &|_, facts, _| facts.entry_page.clone().unwrap_or_default());
    check_by("exit_page", &[], &|_, facts, _| facts.exit_page.clone().unwrap_or_default());
    check_by("session_number", &[], &|_, facts, _| facts.number.to_string());
    check_by("new_or_returning", &[], &|_, facts, _| {
        if facts.number == 1 { "new".to_owned() } else { "returning".to_owned() }
    });
    check_by("first:device", &[], &|_, _, session| facts::first_device(session));
    check_by("last:device", &[], &|_, _, session| facts::last_device(session));
}

#[test]
fn key_figures_by_times() {
    for zone in [chrono_tz::UTC, chrono_tz::Asia::Tehran, chrono_tz::Europe::Berlin] {
        let local = |facts: &Facts| DateTime::from_timestamp_micros(facts.start).unwrap().with_timezone(&zone);
        let flags = ["--tz", zone.name()];
        let shown =
            |format: &'static str| move |_: &Log, facts: &Facts, _: &[Event]| local(facts).format(format).to_string();
        check_by("weekday", &flags, &shown("%A"));
        check_by("hour", &flags, &shown("%H"));
        check_by("day", &flags, &shown("%Y-%m-%d"));
        check_by("month", &flags, &shown("%Y-%m"));
        check_by("week", &flags, &shown("%G-W%V"));
    }
}
