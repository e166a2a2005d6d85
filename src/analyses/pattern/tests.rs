//! Patterns held against exhaustive search, and against examples by hand.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::Occurrences;
use crate::analyses::common::{NodeSpec, ScopeSpec, SessionSpec};
use crate::analyses::graph::GraphSpec;
use crate::analyses::paths::PathsSpec;
use crate::analyses::{CommonSpec, Grain};
use crate::journeys::Repeats;
use crate::testing::oracle::{self, Event};
use crate::testing::{ask, check_laws, logs, question, rows, visitor};

fn common(repeats: Repeats) -> CommonSpec {
    CommonSpec {
        sessions: SessionSpec::default(),
        nodes: NodeSpec { repeats: Some(repeats), ..NodeSpec::default() },
        scope: ScopeSpec { grain: Some(Grain::Visitor), ..ScopeSpec::default() },
    }
}

fn spec(pattern: &str, which: Occurrences) -> PathsSpec {
    PathsSpec {
        pattern: Some(pattern.into()),
        occurrence: Some(which),
        matches_out: Some("matches.jsonl".into()),
        ..PathsSpec::default()
    }
}

/// The visitor and the positions of each row.
fn found(pattern: &str, which: Occurrences, repeats: Repeats, log: &[Event]) -> Vec<(String, Vec<usize>)> {
    let rows = rows(&*question(spec(pattern, which), &common(repeats)), log);
    let positions = |row: &Value| {
        row["positions"].as_array().unwrap().iter().map(|position| position.as_u64().unwrap() as usize).collect()
    };
    let mut found: Vec<_> =
        rows.iter().map(|row| (row["visitor"].as_str().unwrap().to_owned(), positions(row))).collect();
    found.sort();
    found
}

/// The positions of the first occurrence among the nodes of one visitor, if there is one.
fn first(pattern: &str, events: &str) -> Option<Vec<usize>> {
    found(pattern, Occurrences::First, Repeats::Keep, &visitor("v", events)).pop().map(|(_, positions)| positions)
}

#[test]
fn what_comes_after_what() {
    for (pattern, events, positions) in [
        ("A", "B@0 A@1 A@2", Some(vec![2])),
        ("A > B", "B@0 A@1 C@2 B@3 B@4", Some(vec![2, 4])),
        ("A >> B", "A@0 C@1 B@2 A@3 B@4", Some(vec![4, 5])),
        ("A -> B", "A@0 C@1 B@2 A@3 B@4", Some(vec![4, 5])),
        ("A->.*->B", "A@0 C@1 B@2", Some(vec![1, 3])),
        ("A >> .* >> B", "A@0 C@1 B@2", Some(vec![1, 3])),
        ("A >> . >> B", "A@0 B@1 B@2", Some(vec![1, 2, 3])),
        ("A >> !B >> C", "A@0 B@1 C@2 A@3 A@4 C@5", Some(vec![4, 5, 6])),
        ("A > !B* > C", "A@0 B@1 A@2 D@3 C@4", Some(vec![3, 5])),
        ("A > !(B | D)* > C", "A@0 B@1 A@2 D@3 C@4", None),
        ("A > (B | C) > D", "A@0 C@1 D@2", Some(vec![1, 2, 3])),
        ("start >> A", "B@0 A@1", None),
        ("start > A", "B@0 A@1", Some(vec![2])),
        ("start > !B* > A", "C@0 A@1 B@2", Some(vec![2])),
        ("A >> end", "A@0 B@1 A@2", Some(vec![3])),
        ("A > !B* > end", "A@0 B@1 C@2 A@3 C@4", Some(vec![4])),
        ("start >> A >> end", "A@0", Some(vec![1])),
        ("start >> A >> end", "A@0 A@1", None),
        // One event takes one spot.
        ("A > A", "A@0", None),
        // Limits of a hop, both ends included.
        ("A >[2s] B", "A@0 B@3", None),
        ("A >[within 3s] B", "A@0 B@3", Some(vec![1, 2])),
        ("A >[3s] B", "A@0 A@2 B@5", Some(vec![2, 3])),
        ("A >[after 3s] B", "A@0 B@2 B@3", Some(vec![1, 3])),
        ("A >[after 3s, 5s] B", "A@0 B@2 B@6 A@7 B@11", Some(vec![4, 5])),
        ("A >[2 events] B", "A@0 C@1 D@2 B@3", None),
        ("A >[within 3 events] B", "A@0 C@1 D@2 B@3", Some(vec![1, 4])),
        ("start >[2 events] B", "A@0 B@1", Some(vec![2])),
        ("start >[1 event] B", "A@0 B@1", None),
        ("B >[2s] end", "B@0 B@7 A@9", Some(vec![2])),
        // What may lie between is asked up to the nearest that is late enough.
        ("A >[after 2s] !B* > C", "A@0 C@1 B@2 C@3", None),
        // In quotes and brackets a star is part of the name.
        ("A > !'B*'* > C", "A@0 B*@1 C@2", None),
        ("A > !'B*' > C", "A@0 B*@1 C@2 C@3", Some(vec![1, 3, 4])),
        // `start` and `end` elsewhere are names.
        ("A > start", "A@0 start@1", Some(vec![1, 2])),
        ("end > A", "end@0 A@1", Some(vec![1, 2])),
    ] {
        assert_eq!(first(pattern, events), positions, "{pattern}: {events}");
    }
}

#[test]
fn a_name_is_that_of_an_event_a_page_or_a_node() {
    let mut log = visitor("v", "page_view@0 page_view@1 buy@2");
    (log[0].page, log[1].page) = ("/product/7".into(), "/cart".into());
    let first =
        |pattern: &str| found(pattern, Occurrences::First, Repeats::Keep, &log).pop().map(|(_, positions)| positions);
    for (pattern, positions) in [
        ("/product/*", vec![1]),
        ("'/product/*' > buy", vec![1, 3]),
        ("page_view >> page_view", vec![1, 2]),
        ("node('/cart')", vec![2]),
        ("/product/* >> !(/c*)", vec![]),
        ("!(/product/*) >> buy", vec![2, 3]),
    ] {
        assert_eq!(first(pattern).unwrap_or_default(), positions, "{pattern}");
    }
    let mut grouped = common(Repeats::Keep);
    grouped.nodes.group = vec!["/product/* = Product".into()];
    let rows = rows(&*question(spec("Product > buy", Occurrences::First), &grouped), &log);
    assert_eq!(rows[0]["positions"], json!([1, 3]));
    assert_eq!((&rows[0]["nodes"], &rows[0]["previous"]), (&json!(["Product", "buy"]), &Value::Null));
}

#[test]
fn rows_say_where_and_when_and_what_lies_around() {
    let log = visitor("v", "D@0 A@5 B@7 C@9");
    let row = &rows(&*question(spec("A > B", Occurrences::First), &common(Repeats::Keep)), &log)[0];
    let expected = json!({
        "visitor": "v", "nodes": ["A", "B"], "positions": [2, 3],
        "times": ["1970-01-01T00:00:05Z", "1970-01-01T00:00:07Z"], "previous": "D", "next": "C",
    });
    assert_eq!(*row, expected);
    let mut sessions = common(Repeats::Keep);
    sessions.scope.grain = Some(Grain::Session);
    let log = visitor("v", "A@0 A@4000 B@4001");
    let row = &rows(&*question(spec("A > B", Occurrences::First), &sessions), &log)[0];
    assert_eq!((&row["session_number"], &row["session_start"]), (&json!(2), &json!("1970-01-01T01:06:40Z")));
}

#[test]
fn the_report_counts_journeys_visitors_and_occurrences() {
    let log = [visitor("1", "A@0 B@2 A@4 B@5"), visitor("2", "B@0 A@1"), visitor("3", "A@0 C@1 B@6")].concat();
    let report = ask(&*question(spec("A > B", Occurrences::First), &common(Repeats::Keep)), &log).0;
    let pattern = &report["pattern"];
    assert_eq!(
        [&pattern["journeys"], &pattern["visitors"], &pattern["occurrences"]],
        [&json!(2), &json!(2), &json!(3)]
    );
    assert_eq!((&pattern["of_all"], &pattern["time_s"]["mean"]), (&json!(2.0 / 3.0), &json!(4.0)));
    let paths: Vec<&Value> = report["paths"].as_array().unwrap().iter().map(|row| &row["path"]).collect();
    assert_eq!(paths, [&json!(["A", "B", "A", "B"]), &json!(["A", "C", "B"])]);
}

#[test]
fn a_wrong_pattern_is_refused_with_a_hint() {
    for (pattern, reason) in [
        ("", "a step is missing"),
        ("start", "start"),
        ("start >> end", "no node"),
        ("A B", "'>', '>>' or '->' is missing"),
        ("A >", "a step is missing"),
        ("A > !B*", "both sides"),
        ("!B* > A", "both sides"),
        ("A > !B* > !C* > D", "twice in a row"),
        ("A >[x] B", "not a duration"),
        ("A >[0 events] B", "no number of events"),
        ("A >[after 3 events] B", "no limit of a hop"),
        ("A >[1s, 2s] B", "two limits of one kind"),
        ("A >[1s B", "']' behind the limits"),
        ("A > (B & C)", "cannot be a block"),
        ("A > first(B)", "cannot be the visitor's first event"),
    ] {
        let error = spec_error(pattern);
        if pattern == "start" {
            // Alone it is the name of an event.
            assert_eq!(error, None);
            continue;
        }
        assert!(error.as_ref().is_some_and(|error| error.contains(reason)), "{pattern}: {error:?}");
    }
    let many = ["A"; 65].join(" > ");
    assert!(spec_error(&many).unwrap().contains("at most 64"));
}

fn spec_error(pattern: &str) -> Option<String> {
    use crate::analyses::Spec;
    let resolved = spec(pattern, Occurrences::First).resolve(common(Repeats::Keep).resolve(false).unwrap());
    resolved.err().map(|error| error.to_string())
}

#[test]
fn a_long_journey_is_no_trap() {
    let events: Vec<String> = (0..50_000).map(|at| format!("{}@{at}", if at % 2 == 0 { "A" } else { "B" })).collect();
    let log = visitor("v", &events.join(" "));
    let pattern = ["A >[after 1s] !C* > B"; 8].join(" > ");
    let occurrences = found(&pattern, Occurrences::Every, Repeats::Keep, &log);
    assert_eq!(occurrences.len(), 50_000 / 16);
    let never = format!("{pattern} > C");
    assert_eq!(found(&never, Occurrences::Every, Repeats::Keep, &log), []);
}

/// A pattern in pieces.
#[derive(Clone, Debug)]
struct Pieces {
    start: bool,
    end: bool,
    spots: Vec<(bool, Vec<&'static str>)>,
    ways: Vec<Piece>,
}

#[derive(Clone, Debug)]
struct Piece {
    direct: bool,
    between: Option<(bool, Vec<&'static str>)>,
    within: Option<i64>,
    after: Option<i64>,
    events: Option<i64>,
}

/// Of no name at all: any node.
fn test() -> impl Strategy<Value = (bool, Vec<&'static str>)> {
    let names = prop::sample::subsequence(vec!["A", "B", "C", "/a", "/"], 0..3);
    (prop::bool::weighted(0.3), names).prop_map(|(negated, names)| (negated && !names.is_empty(), names))
}

fn pieces() -> impl Strategy<Value = Pieces> {
    let limit = || prop::option::weighted(0.3, 0..12i64);
    let between = prop::option::weighted(0.4, test());
    let way = (any::<bool>(), between, limit(), limit(), prop::option::weighted(0.2, 1..6i64));
    let way = way.prop_map(|(direct, between, within, after, events)| Piece {
        direct: direct && between.is_none(),
        between,
        within,
        after,
        events,
    });
    let ends = (prop::bool::weighted(0.3), prop::bool::weighted(0.3));
    (ends, prop::collection::vec(test(), 1..4), prop::collection::vec(way, 5)).prop_map(
        |((start, end), spots, ways)| {
            let count = spots.len() - 1 + usize::from(start) + usize::from(end);
            Pieces { start, end, spots, ways: ways[..count].to_vec() }
        },
    )
}

impl Pieces {
    fn text(&self) -> String {
        let test = |(negated, names): &(bool, Vec<&str>)| match &names[..] {
            [] => ".".to_owned(),
            names => format!("{}({})", if *negated { "!" } else { "" }, names.join(" | ")),
        };
        let mut spots: Vec<String> = self.spots.iter().map(test).collect();
        if self.start {
            spots.insert(0, "start".into());
        }
        if self.end {
            spots.push("end".into());
        }
        let mut text = spots[0].clone();
        for (way, spot) in self.ways.iter().zip(&spots[1..]) {
            let limits = [
                way.within.map(|seconds| format!("{seconds}s")),
                way.after.map(|seconds| format!("after {seconds}s")),
                way.events.map(|events| format!("within {events} events")),
            ];
            let limits: Vec<String> = limits.into_iter().flatten().collect();
            text += if way.direct { " >>" } else { " >" };
            if !limits.is_empty() {
                text += &format!("[{}]", limits.join(", "));
            }
            if let Some(between) = &way.between {
                text += &format!(" {}* >", test(between));
            }
            text += &format!(" {spot}");
        }
        text
    }
}

/// A node of a journey: its name, that of its event, its time in seconds, and the number of its event.
type Node = (String, String, i64, i64);

fn passes((negated, names): &(bool, Vec<&str>), node: &Node) -> bool {
    // A page is meant only where it is viewed: then it is the node.
    let named = names.contains(&&*node.0) || names.contains(&&*node.1);
    names.is_empty() || named != *negated
}

/// Every way to place the spots, by trying all; the ends of the journey are -1 and the number of nodes.
fn every_way(pieces: &Pieces, nodes: &[Node], events: i64) -> Vec<Vec<i64>> {
    let count = pieces.ways.len() + 1;
    let may = |spot: usize, at: i64| match at {
        -1 => spot == 0 && pieces.start,
        _ if at == nodes.len() as i64 => spot + 1 == count && pieces.end,
        _ if spot == 0 && pieces.start || spot + 1 == count && pieces.end => false,
        _ => passes(&pieces.spots[spot - usize::from(pieces.start)], &nodes[at as usize]),
    };
    let time = |at: i64| nodes[at.clamp(0, nodes.len() as i64 - 1) as usize].2;
    let number = |at: i64| match at {
        -1 => -1,
        _ => nodes.get(at as usize).map_or(events, |node| node.3),
    };
    let goes = |way: &Piece, from: i64, to: i64| {
        let between = nodes[(from + 1) as usize..to as usize].iter();
        let clear = way.between.as_ref().is_none_or(|test| between.clone().all(|node| passes(test, node)));
        clear
            && (!way.direct || to == from + 1)
            && way.within.is_none_or(|within| time(to) - time(from) <= within)
            && way.after.is_none_or(|after| time(to) - time(from) >= after)
            && way.events.is_none_or(|most| number(to) - number(from) <= most)
    };
    let places = -1..=nodes.len() as i64;
    let mut ways: Vec<Vec<i64>> = places.clone().filter(|&at| may(0, at)).map(|at| vec![at]).collect();
    for (way, spot) in pieces.ways.iter().zip(1..) {
        let longer = |before: &Vec<i64>| {
            let from = before[before.len() - 1];
            let fits = |&to: &i64| to > from && may(spot, to) && goes(way, from, to);
            places.clone().filter(fits).map(|to| [&before[..], &[to]].concat()).collect::<Vec<_>>()
        };
        ways = ways.iter().flat_map(longer).collect();
    }
    ways
}

fn chosen(mut ways: Vec<Vec<i64>>, which: Occurrences) -> Vec<Vec<i64>> {
    ways.sort();
    match which {
        Occurrences::First => ways.into_iter().take(1).collect(),
        Occurrences::Last => {
            let begin = ways.last().map(|way| way[0]);
            ways.into_iter().filter(|way| Some(way[0]) == begin).take(1).collect()
        }
        Occurrences::Every => {
            let (mut every, mut behind) = (Vec::<Vec<i64>>::new(), i64::MIN);
            for way in ways {
                if way[0] > behind {
                    behind = way[way.len() - 1];
                    every.push(way);
                }
            }
            every
        }
    }
}

/// What exhaustive search finds: the visitors and the positions of the nodes, from 1.
fn expected(pieces: &Pieces, which: Occurrences, repeats: Repeats, log: &[Event]) -> Vec<(String, Vec<usize>)> {
    let mut found = Vec::new();
    let page_views: &[&str] = if log.iter().any(|event| event.event == "page_view") { &["page_view"] } else { &[] };
    for (who, events) in oracle::order(log) {
        let mut nodes: Vec<Node> = Vec::new();
        for (number, event) in events.iter().enumerate() {
            let node = oracle::auto_node(event, page_views);
            let again = nodes.last().is_some_and(|last| last.0 == node);
            if !again || repeats == Repeats::Keep {
                nodes.push((node, event.event.clone(), event.time / 1_000_000, number as i64));
            }
        }
        for way in chosen(every_way(pieces, &nodes, events.len() as i64), which) {
            let inside = way.into_iter().filter(|at| (0..nodes.len() as i64).contains(at));
            found.push((who.clone(), inside.map(|at| at as usize + 1).collect()));
        }
    }
    found
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3_000))]

    #[test]
    fn occurrences_are_those_of_exhaustive_search(
        pieces in pieces(),
        log in logs(),
        which in prop::sample::select(vec![Occurrences::First, Occurrences::Last, Occurrences::Every]),
        repeats in prop::sample::select(vec![Repeats::Keep, Repeats::CollapseFirst]),
    ) {
        // With collapsed repeats the last event may be none of the nodes: its time is left to the examples.
        prop_assume!(repeats == Repeats::Keep || !pieces.end);
        let text = pieces.text();
        prop_assert_eq!(found(&text, which, repeats, &log), expected(&pieces, which, repeats, &log), "{}", text);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn the_laws_hold(log in logs(), pieces in pieces()) {
        let mut common = common(Repeats::CollapseFirst);
        common.scope.by = vec!["device".into()];
        check_laws(&*question(PathsSpec { pattern: Some(pieces.text()), ..PathsSpec::default() }, &common), &log);
        common.scope.matching = Some(pieces.text());
        check_laws(&*question(PathsSpec::default(), &common), &log);
    }

    #[test]
    fn what_directly_follows_is_a_transition_of_the_graph(log in logs(), collapse in any::<bool>()) {
        let common = common(if collapse { Repeats::CollapseFirst } else { Repeats::Keep });
        let graph = ask(&*question(GraphSpec::default(), &common), &log).0;
        for from in ["A", "B", "page_view", "/a", "/"] {
            for to in ["A", "B", "page_view", "/a", "/"] {
                let pattern = format!("node('{from}') >> node('{to}')");
                let paths = ask(&*question(spec(&pattern, Occurrences::First), &common), &log).0;
                let transitions = graph["transitions"].as_array().unwrap();
                let transition = transitions.iter().find(|row| row["from"] == from && row["to"] == to);
                let of = |field: &str| transition.map_or(json!(0), |row| row[field].clone());
                let found = &paths["pattern"];
                prop_assert_eq!((&found["journeys"], &found["visitors"]), (&of("sessions"), &of("visitors")), "{}", pattern);
                if from != to {
                    prop_assert_eq!(&found["occurrences"], &of("count"), "{}", pattern);
                }
            }
        }
    }

    #[test]
    fn choosing_journeys_by_a_pattern_leaves_those_that_have_it(log in logs(), pieces in pieces()) {
        let asked = |spec: PathsSpec, matching: Option<String>| {
            let mut common = common(Repeats::Keep);
            common.scope.matching = matching;
            ask(&*question(spec, &common), &log).0
        };
        let pattern = PathsSpec { pattern: Some(pieces.text()), top: Some("all".parse().unwrap()), ..PathsSpec::default() };
        let chosen = PathsSpec { top: Some("all".parse().unwrap()), ..PathsSpec::default() };
        let (by_pattern, chosen) = (asked(pattern, None), asked(chosen, Some(pieces.text())));
        prop_assert_eq!(&by_pattern["pattern"]["journeys"], &chosen["total"]);
        let rows = |report: &Value| -> Vec<Value> {
            report["paths"].as_array().unwrap().iter().map(|row| json!([row["path"], row["count"], row["visitors"]])).collect()
        };
        prop_assert_eq!(rows(&by_pattern), rows(&chosen));
    }
}
