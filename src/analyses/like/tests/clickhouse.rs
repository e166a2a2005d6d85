//! `windowFunnel`: what ClickHouse 26.9 answers, and the cases in which engines are known to differ.

use super::{asked, depth, entered};
use crate::testing::visitor;

/// Small random visitors, and the level that ClickHouse 26.9 (chdb-core 26.9.0) gives each with a window of 6 s, by mode.
const ANSWERS: &str = include_str!("window_funnel.csv");

#[test]
fn every_mode_answers_as_clickhouse_does() {
    let mut lines = ANSWERS.lines().map(|line| line.split(',').collect::<Vec<_>>());
    let modes = lines.next().unwrap().split_off(2);
    let rows: Vec<Vec<&str>> = lines.collect();
    assert!((modes.len(), rows.len()) == (11, 506), "{} modes, {} visitors", modes.len(), rows.len());
    for (column, mode) in (2..).zip(modes) {
        let like = if mode == "default" { "clickhouse".to_owned() } else { format!("clickhouse:{mode}") };
        for row in &rows {
            let level: u64 = row[column].parse().unwrap();
            assert_eq!(depth(&like, row[0], "window = '6s'", row[1]), level, "{mode}: {} in {}", row[0], row[1]);
        }
    }
}

/// Cases of the table of disagreements between engines, ClickHouse's answers.
#[test]
fn known_disagreements_are_answered_as_clickhouse_does() {
    let cases = [
        ("strict_deduplication", "search > cart > start > conf", "search@0 cart@1 start@2 cart@3 conf@4", 3),
        ("strict_order", "search > cart > start > conf", "search@0 cart@1 start@2 cart@3 conf@4", 4),
        ("strict_order", "a > b > c", "a@0 d@1 b@2 c@3", 1),
        ("strict_order", "login > visit > order > pay", "login@0 visit@1 other@2 order@3 pay@4", 2),
        ("strict_order", "one > two > three", "one@0 two@1 two@2 three@3", 3),
        ("strict_deduplication", "a > b > c > d", "a@0 b@1 c@2 b@3 d@4", 3),
        ("strict_increase", "entry > two > three", "entry@0 entry@50 two@50 three@60", 1),
        ("strict_increase+strict_once", "entry > two > three", "entry@0 entry@50 two@50 three@60", 3),
    ];
    for (mode, steps, events, level) in cases {
        assert_eq!(depth(&format!("clickhouse:{mode}"), steps, "window = '100s'", events), level, "{mode}: {events}");
    }
    // One row, three equal conditions; events of equal time by the number of the condition; the far edge counts.
    assert_eq!(depth("clickhouse", "a > a > a", "", "a@0"), 3);
    assert_eq!(depth("clickhouse:strict_once", "a > a > a", "", "a@0"), 1);
    assert_eq!(depth("clickhouse", "a > b", "", "b@5 a@5"), 2);
    assert_eq!(depth("clickhouse", "a > b", "window = '10s'", "a@0 b@10"), 2);
    assert_eq!(depth("clickhouse", "a > b", "window = '9s'", "a@0 b@10"), 1);
}

#[test]
fn an_event_that_ends_a_scan_ends_it_for_the_whole_journey() {
    // A second attempt would get to the end: a scan stops for good at the repeated b.
    let events = "a@0 b@1 b@2 a@3 b@4 c@5";
    assert_eq!(depth("clickhouse:strict_deduplication", "a > b > c", "", events), 2);
    assert_eq!(depth("clickhouse", "a > b > c", "", events), 3);
    // By session each is a journey of its own.
    let log = visitor("v", "a@0 b@1 b@2 a@9000 b@9001 c@9002");
    let sessions = entered("clickhouse:strict_deduplication", "a > b > c", "grain = 'session'", &log);
    assert_eq!(sessions, [2, 2, 1]);
}

#[test]
fn what_is_not_settled_is_refused() {
    let refused = |like: &str, more: &str| {
        let error = asked("funnel", &format!("like = '{like}'\nsteps = 'a > b'\n{more}")).err().expect(like);
        format!("{error}; {}", error.advice().unwrap_or_default())
    };
    for (like, more, part) in [
        ("clickhouse:strict_once+strict_order", "", "strict_once+strict_order cannot be answered"),
        ("clickhouse:allow_reentry", "", "strict-order alone"),
        ("clickhouse:strict_oder", "", "did you mean strict_order?"),
        ("clickhouse:strict_order", "hold = 'device'", "hold a value"),
        ("clickhouse:strict_order", "entry = 'first'", "keeps the last attempt"),
        ("clickhouse:strict_order", "exclude = ['x']", "exclusions"),
        ("clickhouse:strict_order", "reuse = false", "fill several steps"),
    ] {
        let message = refused(like, more);
        assert!(message.contains(part), "{like} {more}: {message}");
    }
    let paths = asked("paths", "like = 'clickhouse'").err().unwrap();
    assert!(paths.to_string().contains("no rules for paths"), "{paths}");
}
