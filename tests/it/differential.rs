//! The program against slow, obvious answers, on hundreds of small random logs: nothing here knows how the program counts.
//!
//! The oracles (`tests/support/oracle`) were written from the definitions; what those leave open is said at their heads.

mod chosen;
mod conversion;
mod dropoff;
mod funnel;
mod graph;
pub mod logs;
#[path = "../support/oracle.rs"]
mod oracle;
mod parts;
mod paths;
mod rows;
mod shop;
mod summary;

use serde_json::Value;

use logs::Log;
use oracle::paths::View;
use oracle::{Event, Repeats};

/// Whether this build has no SQL, which is said.
pub fn skipped_without_sql() -> bool {
    let without = cfg!(not(feature = "polars"));
    if without {
        println!("skipped: this build has no SQL");
    }
    without
}

/// A node rule, as a question about a log means it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Node {
    Auto,
    Page,
    Event,
}

/// How a question looks at journeys: its flags, and what they mean.
struct Look {
    flags: &'static [&'static str],
    node: Node,
    repeats: Repeats,
    hide: &'static [&'static str],
    visitors: bool,
}

/// The ways to look that every question about nodes is asked in.
const LOOKS: [Look; 6] = [
    Look { flags: &[], node: Node::Auto, repeats: Repeats::First, hide: &[], visitors: false },
    Look { flags: &["--repeats", "keep"], node: Node::Auto, repeats: Repeats::Keep, hide: &[], visitors: false },
    Look { flags: &["--grain", "visitor"], node: Node::Auto, repeats: Repeats::First, hide: &[], visitors: true },
    Look { flags: &["--node", "event"], node: Node::Event, repeats: Repeats::First, hide: &[], visitors: false },
    // Events without a page have no node here, and journeys may have none at all.
    Look { flags: &["--node", "page"], node: Node::Page, repeats: Repeats::First, hide: &[], visitors: false },
    Look {
        flags: &["--hide", "/a", "--hide", "A"],
        node: Node::Auto,
        repeats: Repeats::First,
        hide: &["/a", "A"],
        visitors: false,
    },
];

impl Look {
    /// The journeys of a log.
    fn journeys(&self, log: &Log) -> Vec<Vec<Event>> {
        if self.visitors { log.visitors() } else { log.sessions() }
    }

    /// Hands the view of a log to `with`.
    fn view<T>(&self, log: &Log, with: impl FnOnce(&View<'_>) -> T) -> T {
        let node = |event: &Event| match self.node {
            Node::Auto => Some(oracle::auto_node(event, log.page_views)),
            Node::Page => Some(event.page.clone()).filter(|page| !page.is_empty()),
            Node::Event => Some(event.event.clone()),
        };
        with(&View { node: &node, repeats: self.repeats, hide: self.hide })
    }

    /// Where something was wrong.
    fn place(&self, log: &Log) -> String {
        format!("log {}, {:?}", log.seed, self.flags)
    }
}

fn count(value: &Value) -> usize {
    usize::try_from(value.as_u64().unwrap_or_else(|| panic!("no count: {value}"))).unwrap()
}

/// Whether a figure is `expected`, but for the last digits of a double; `None` is null.
fn close(found: &Value, expected: Option<f64>) -> bool {
    close_to(found, expected, 1e-9)
}

/// The same with a tolerance of its own.
fn close_to(found: &Value, expected: Option<f64>, tolerance: f64) -> bool {
    match (found.as_f64(), expected) {
        (Some(found), Some(expected)) => (found - expected).abs() <= tolerance * (1.0 + expected.abs()),
        (None, None) => found.is_null(),
        _ => false,
    }
}

fn ratio(part: usize, of: usize) -> Option<f64> {
    (of > 0).then(|| part as f64 / of as f64)
}

/// Asserts that the figure at each pointer is as expected.
fn assert_figures(report: &Value, expected: &[(&str, Option<f64>)], place: &str) {
    for (pointer, expected) in expected {
        let found = report.pointer(pointer).unwrap_or_else(|| panic!("{place}: there is no {pointer} in {report}"));
        assert!(close(found, *expected), "{place}: {pointer} is {found}, not {expected:?}");
    }
}

fn whole_number(n: usize) -> Option<f64> {
    Some(n as f64)
}

/// Mean, median and 90th percentile of ascending µs, in seconds, as the JSON has them.
fn seconds(ascending: &[i64]) -> [(&'static str, Option<f64>); 3] {
    let seconds = |micros: f64| micros / 1e6;
    [
        ("/mean", oracle::mean(ascending).map(seconds)),
        ("/median", oracle::median(ascending).map(seconds)),
        ("/p90", oracle::nearest_rank(ascending, 90).map(|micros| micros as f64 / 1e6)),
    ]
}

#[test]
fn figures_that_differ_are_told_apart() {
    let value = |text: &str| serde_json::from_str::<Value>(text).unwrap();
    assert!(
        close(&value("0.30000000000000004"), Some(0.3)) && close(&value("3"), Some(3.0)) && close(&value("null"), None)
    );
    let wrong = [("0.3000001", Some(0.3)), ("0", None), ("null", Some(0.0)), ("\"3\"", Some(3.0)), ("\"x\"", None)];
    for (found, expected) in wrong {
        assert!(!close(&value(found), expected), "{found} {expected:?}");
    }
}
