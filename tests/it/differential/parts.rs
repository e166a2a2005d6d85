//! Graph and funnel by what a journey is: each part is answered as if it were alone.

use std::collections::BTreeMap;

use serde_json::Value;

use super::logs::{self, Log, PASSIVE};
use super::oracle::facts::{self, Facts};
use super::oracle::paths::nodes_of;
use super::oracle::{Event, Funnel, Hop, Step, Ties, funnel_depth};
use super::{LOOKS, count};

/// A dimension, whether it suits visitors too, and its value for a journey.
type Dimension = (&'static str, bool, fn(&Facts, &[Event]) -> String);

const DIMENSIONS: [Dimension; 7] = [
    ("first:device", true, |_, journey| facts::first_device(journey)),
    ("last:device", true, |_, journey| facts::last_device(journey)),
    ("entry_page", true, |facts, _| facts.entry_page.clone().unwrap_or_default()),
    ("exit_page", true, |facts, _| facts.exit_page.clone().unwrap_or_default()),
    ("session_number", false, |facts, _| facts.number.to_string()),
    ("new_or_returning", false, |facts, _| if facts.number == 1 { "new".into() } else { "returning".into() }),
    ("hour", true, |facts, _| chrono::DateTime::from_timestamp_micros(facts.start).unwrap().format("%H").to_string()),
];

/// The parts of a log's journeys.
fn parts(log: &Log, visitors: bool, of: fn(&Facts, &[Event]) -> String) -> BTreeMap<String, Vec<Vec<Event>>> {
    let mut parts: BTreeMap<String, Vec<Vec<Event>>> = BTreeMap::new();
    let groups =
        if visitors { log.visitors().into_iter().map(|one| vec![one]).collect() } else { log.sessions_of_visitors() };
    for journeys in groups {
        let facts = facts::facts(&journeys, log.page_views, PASSIVE);
        for (journey, facts) in journeys.into_iter().zip(&facts) {
            parts.entry(of(facts, &journey)).or_default().push(journey);
        }
    }
    parts
}

/// Asks `question` by each dimension at both grains, and hands each part's answer to `check`. A part that is missing is null.
fn each_part(
    question: &str,
    dimensions: &[Dimension],
    flags: &[&str],
    check: impl Fn(&Log, &[Vec<Event>], &Value, &str),
) {
    for &(dimension, suits_visitors, of) in dimensions {
        for visitors in [false, true] {
            if visitors && !suits_visitors {
                continue;
            }
            let grain = ["--grain", if visitors { "visitor" } else { "session" }];
            for (log, mut found) in logs::by(question, dimension, &[flags, &grain].concat()) {
                let place = format!("log {}, {question} by {dimension}, {grain:?}", log.seed);
                for (value, journeys) in &parts(log, visitors, of) {
                    let part = found.remove(value).unwrap_or(Value::Null);
                    check(log, journeys, &part, &format!("{place}, {value:?}"));
                }
                assert!(found.is_empty(), "{place}: no such parts: {:?}", found.keys());
            }
        }
    }
}

#[test]
fn nodes_of_the_graph() {
    each_part("graph", &DIMENSIONS, &[], |log, journeys, report, place| {
        let mut expected: BTreeMap<String, usize> = BTreeMap::new();
        let paths = journeys.iter().flat_map(|journey| LOOKS[0].view(log, |view| nodes_of(journey, view)));
        paths.for_each(|node| *expected.entry(node).or_default() += 1);
        let rows = report["nodes"].as_array().unwrap().iter();
        let found: BTreeMap<String, usize> =
            rows.map(|row| (row["node"].as_str().unwrap().to_owned(), count(&row["count"]))).collect();
        assert_eq!(found, expected, "{place}");
    });
}

/// First and last devices are left out: in a funnel they are those of the events of its steps.
#[test]
fn steps_of_a_funnel() {
    let funnel = Funnel {
        steps: ["page_view", "cart", "page_view"].map(|name| Step::Name(name.into())).to_vec(),
        hops: vec![Hop::Eventually; 2],
        limits: Vec::new(),
        window: None,
        ties: Ties::Any,
    };
    let flags = ["--steps", "page_view > cart > page_view", "--window", "none"];
    each_part("funnel", &DIMENSIONS[2..], &flags, |_, journeys, report, place| {
        let depths: Vec<usize> = journeys.iter().map(|journey| funnel_depth(&funnel, journey)).collect();
        let expected: Vec<usize> = (1..4).map(|step| depths.iter().filter(|&&depth| depth >= step).count()).collect();
        let steps = report["steps"].as_array();
        let found = steps.map_or(vec![0; 3], |steps| steps.iter().map(|step| count(&step["entered"])).collect());
        assert_eq!(found, expected, "{place}");
    });
}
