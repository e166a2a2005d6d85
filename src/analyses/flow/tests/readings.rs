use super::*;
use crate::analyses::graph::GraphSpec;
use crate::analyses::paths::PathsSpec;

/// A flow as numbers: `[through, entered, dropped, beyond, highlighted, visitors]` by position and node, `[count, highlighted, visitors]`
/// by position and both nodes, and `[journeys, taken, readings]`.
#[derive(Clone, Debug, Default, PartialEq)]
struct Numbered {
    nodes: BTreeMap<(i64, String), [usize; 6]>,
    links: BTreeMap<(i64, String, String), [usize; 3]>,
    journeys: [usize; 3],
}

fn numbered(report: &Value) -> Numbered {
    let known = |row: &Value, key: &str| row[key].as_u64().unwrap_or(0) as usize;
    let mut found =
        Numbered { journeys: ["journeys", "taken", "readings"].map(|key| known(report, key)), ..Numbered::default() };
    for column in report["columns"].as_array().unwrap() {
        for node in column["nodes"].as_array().unwrap() {
            let counts =
                ["through", "entered", "dropped", "beyond", "highlighted", "visitors"].map(|key| known(node, key));
            found.nodes.insert((column["position"].as_i64().unwrap(), text(&node["node"])), counts);
        }
    }
    for link in report["links"].as_array().unwrap() {
        let key = (link["position"].as_i64().unwrap(), text(&link["from"]), text(&link["to"]));
        found.links.insert(key, ["count", "highlighted", "visitors"].map(|key| known(link, key)));
    }
    found
}

/// The readings of a path, from the definitions: the first and the last place that are read, and the one that is aligned.
fn readings_of(path: &[String], spec: &FlowSpec) -> Vec<[usize; 3]> {
    let is = |node: &Option<String>, at: usize| node.as_ref() == Some(&path[at]);
    let last = path.len().wrapping_sub(1);
    let backwards = spec.direction.map_or(spec.end.is_some() && spec.start.is_none(), |it| it == Direction::Backwards);
    let mut all = Vec::new();
    for at in 0..path.len() {
        let next_end = (at..path.len()).find(|&end| is(&spec.end, end));
        let stretch = match (&spec.through, &spec.start, &spec.end) {
            (Some(_), ..) => is(&spec.through, at).then_some([0, last]),
            (_, Some(_), Some(_)) => next_end.filter(|_| is(&spec.start, at)).map(|end| [at, end]),
            (_, Some(_), None) => is(&spec.start, at).then_some([at, last]),
            (_, None, Some(_)) => is(&spec.end, at).then_some([0, at]),
            (_, None, None) => (at == 0).then_some([0, last]),
        };
        let Some([from, to]) = stretch else { continue };
        let aligned = if spec.through.is_some() {
            at
        } else if backwards {
            to
        } else {
            from
        };
        all.push([from, to, aligned]);
    }
    match spec.occurrence.unwrap_or_default() {
        Occurrences::First => all.truncate(1),
        Occurrences::Last => all = all.split_off(all.len().saturating_sub(1)),
        Occurrences::Every => (),
    }
    all
}

/// The whole answer from the definitions, nothing cut.
fn oracle(log: &[Event], spec: &FlowSpec, keep: bool) -> Numbered {
    use std::collections::BTreeSet;
    let page_views: &[&str] = if log.iter().any(|event| event.event == "page_view") { &["page_view"] } else { &[] };
    let plain = if keep { oracle::Repeats::Keep } else { oracle::Repeats::First };
    let depth = i64::from(spec.depth.unwrap());
    let backwards = spec.direction.map_or(spec.end.is_some() && spec.start.is_none(), |it| it == Direction::Backwards);
    let (low, high) = match (spec.through.is_some(), backwards) {
        (true, _) => (-depth, depth),
        (_, true) => (1 - depth, 0),
        _ => (1, depth),
    };
    let mut found = Numbered::default();
    let mut at_node: BTreeMap<(i64, String), BTreeSet<String>> = BTreeMap::new();
    let mut on_link: BTreeMap<(i64, String, String), BTreeSet<String>> = BTreeMap::new();
    for journey in oracle::all_sessions(log, TIMEOUT, oracle::Edge::Exceeds) {
        let path: Vec<String> = oracle::path(&journey, &|event| oracle::auto_node(event, page_views), plain)
            .into_iter()
            .map(|(node, _)| node)
            .collect();
        let readings = readings_of(&path, spec);
        let lit = usize::from(spec.highlight.as_ref().is_some_and(|node| path.contains(node)));
        let value =
            journey.iter().map(|event| event.device.clone()).find(|device| !device.is_empty()).unwrap_or_default();
        let in_front = spec.from_dim.is_some();
        found.journeys = [
            found.journeys[0] + 1,
            found.journeys[1] + usize::from(!readings.is_empty()),
            found.journeys[2] + readings.len(),
        ];
        for [from, to, aligned] in readings {
            let position = |at: usize| at as i64 - aligned as i64 + i64::from(low == 1);
            let mut node = |key: (i64, String), counts: [usize; 4]| {
                at_node.entry(key.clone()).or_default().insert(journey[0].visitor.clone());
                let here = found.nodes.entry(key).or_default();
                for (sum, count) in here.iter_mut().zip([1, counts[0], counts[1], counts[2], counts[3]]) {
                    *sum += count;
                }
            };
            let shown = (from..=to).filter(|&at| (low..=high).contains(&position(at)));
            for at in shown.clone() {
                let beyond = (position(at) == low && at > from) || (position(at) == high && at < to);
                let entered = usize::from(at == from && !in_front);
                node((position(at), path[at].clone()), [entered, usize::from(at == to), usize::from(beyond), lit]);
            }
            let mut link = |key: (i64, String, String)| {
                on_link.entry(key.clone()).or_default().insert(journey[0].visitor.clone());
                let here = found.links.entry(key).or_default();
                *here = [here[0] + 1, here[1] + lit, 0];
            };
            for at in shown.filter(|&at| at < to && position(at) < high) {
                link((position(at), path[at].clone(), path[at + 1].clone()));
            }
            if in_front {
                link((0, value.clone(), path[from].clone()));
                node((0, value.clone()), [1, 0, 0, lit]);
            }
        }
    }
    found.nodes.iter_mut().for_each(|(key, counts)| counts[5] = at_node[key].len());
    found.links.iter_mut().for_each(|(key, counts)| counts[2] = on_link[key].len());
    found
}

fn common_of(keep: bool) -> CommonSpec {
    let mut common = common();
    common.nodes.repeats = Some(if keep { Repeats::Keep } else { Repeats::CollapseFirst });
    common
}

fn asked(log: &[Event], spec: &FlowSpec, keep: bool) -> Value {
    let exact = |name: &Option<String>| name.as_deref().map(node);
    let spec =
        FlowSpec { start: exact(&spec.start), end: exact(&spec.end), through: exact(&spec.through), ..spec.clone() };
    ask(&*question(spec, &common_of(keep)), log).0
}

/// Every combination that is not refused, with all nodes shown.
fn specs() -> impl Strategy<Value = FlowSpec> {
    let node = || prop::sample::select(vec!["A", "B", "/a", "nowhere"]);
    let anchors = (0..5u8, node(), node());
    let occurrences =
        prop::sample::select(vec![None, Some(Occurrences::First), Some(Occurrences::Last), Some(Occurrences::Every)]);
    let directions = prop::sample::select(vec![None, Some(Direction::Forwards), Some(Direction::Backwards)]);
    let spec = (1..5u32, anchors, occurrences, directions, any::<bool>(), prop::option::of(node()));
    spec.prop_map(|(depth, (kind, a, b), occurrence, direction, from, highlight)| {
        let [a, b] = [a, b].map(str::to_owned);
        let (start, end, through) = match kind {
            0 => (None, None, None),
            1 => (Some(a), None, None),
            2 => (None, Some(b), None),
            3 => (Some(a), Some(b), None),
            _ => (None, None, Some(a)),
        };
        let direction = direction.filter(|_| through.is_none());
        let occurrence = occurrence.filter(|_| kind > 0);
        let forwards = through.is_none() && direction.map_or(kind != 2, |it| it == Direction::Forwards);
        FlowSpec {
            depth: Some(depth),
            top: Some("all".parse().unwrap()),
            start,
            end,
            through,
            occurrence,
            direction,
            from_dim: (from && forwards).then(|| "device".to_owned()),
            highlight: highlight.map(str::to_owned),
        }
    })
}

fn named(node: &str) -> Option<String> {
    Some(node.to_owned())
}

/// The log told backwards in time.
fn reversed(log: &[Event]) -> Vec<Event> {
    log.iter().rev().map(|event| Event { time: -event.time, ..event.clone() }).collect()
}

/// A flow of the reversed log, as one of the log itself.
fn turned(flow: &Numbered) -> Numbered {
    let node =
        |((position, node), [through, entered, dropped, beyond, lit, visitors]): (&(i64, String), &[usize; 6])| {
            ((1 - position, node.clone()), [*through, *dropped, *entered, *beyond, *lit, *visitors])
        };
    let link = |((position, from, to), counts): (&(i64, String, String), &[usize; 3])| {
        ((-position, to.clone(), from.clone()), *counts)
    };
    let journeys = flow.journeys;
    Numbered { nodes: flow.nodes.iter().map(node).collect(), links: flow.links.iter().map(link).collect(), journeys }
}

proptest! {
    #[test]
    fn every_reading_equals_the_oracle(log in logs(), spec in specs(), keep in any::<bool>()) {
        prop_assert_eq!(numbered(&asked(&log, &spec, keep)), oracle(&log, &spec, keep));
    }

    #[test]
    fn what_comes_in_goes_out_however_it_is_read_and_cut(log in logs(), spec in specs(), top in 1..4u32) {
        let cut = FlowSpec { top: Some(top.to_string().parse().unwrap()), ..spec.clone() };
        let (whole, cut) = (numbered(&asked(&log, &spec, false)), numbered(&asked(&log, &cut, false)));
        let lowest = cut.nodes.keys().map(|key| key.0).min().unwrap_or(1);
        for ((position, node), [through, entered, dropped, beyond, ..]) in &cut.nodes {
            let into: usize = cut.links.iter().filter(|((at, _, to), _)| at + 1 == *position && to == node).map(|(_, it)| it[0]).sum();
            let out: usize = cut.links.iter().filter(|((at, from, _), _)| at == position && from == node).map(|(_, it)| it[0]).sum();
            let from_before = if *position == lowest && *position <= 0 { *beyond } else { 0 };
            prop_assert_eq!(*through, entered + into + from_before);
            prop_assert_eq!(*through, out + dropped + beyond - from_before);
        }
        let total = |flow: &Numbered| {
            let mut totals: BTreeMap<i64, [usize; 5]> = BTreeMap::new();
            for ((position, _), counts) in &flow.nodes {
                totals.entry(*position).or_default().iter_mut().zip(counts).for_each(|(sum, count)| *sum += count);
            }
            let links: [usize; 2] = [0, 1].map(|at| flow.links.values().map(|counts| counts[at]).sum());
            (totals, links, flow.journeys)
        };
        prop_assert_eq!(total(&whole), total(&cut));
    }

    #[test]
    fn backwards_is_forwards_in_the_reversed_log(log in logs(), spec in specs(), keep in any::<bool>()) {
        prop_assume!(spec.through.is_none() && spec.from_dim.is_none());
        // Between two nodes the next end of a start is not the start before an end.
        prop_assume!(spec.start.is_none() || spec.end.is_none());
        let forwards = spec.direction.map_or(spec.end.is_none(), |it| it == Direction::Forwards);
        let other = FlowSpec {
            start: spec.end.clone(),
            end: spec.start.clone(),
            direction: Some(if forwards { Direction::Backwards } else { Direction::Forwards }),
            occurrence: spec.occurrence.map(|it| match it {
                Occurrences::First => Occurrences::Last,
                Occurrences::Last => Occurrences::First,
                Occurrences::Every => Occurrences::Every,
            }).or_else(|| (spec.start.is_some() || spec.end.is_some()).then_some(Occurrences::Last)),
            ..spec.clone()
        };
        let (own, other) = (numbered(&asked(&log, &spec, keep)), numbered(&asked(&reversed(&log), &other, keep)));
        prop_assert_eq!(own, turned(&other));
    }

    #[test]
    fn through_a_node_is_up_to_it_and_from_it_on(log in logs(), depth in 1..4u32, occurrence in prop::sample::select(vec![
        Occurrences::First, Occurrences::Last, Occurrences::Every,
    ])) {
        let spec = |depth| FlowSpec { occurrence: Some(occurrence), ..super::spec(depth, "all", None) };
        let both = numbered(&asked(&log, &FlowSpec { through: named("A"), ..spec(depth) }, true));
        let after = numbered(&asked(&log, &FlowSpec { start: named("A"), ..spec(depth + 1) }, true));
        let before = numbered(&asked(&log, &FlowSpec { end: named("A"), ..spec(depth + 1) }, true));
        let side = |flow: &Numbered, shift: i64, sign: i64| {
            let nodes: BTreeMap<_, _> = flow.nodes.iter().map(|((at, node), counts)| ((at - shift, node.clone()), *counts))
                .filter(|((at, _), _)| at * sign > 0).collect();
            let links: BTreeMap<_, _> = flow.links.iter().map(|((at, from, to), counts)| ((at - shift, from.clone(), to.clone()), *counts))
                .filter(|((at, ..), _)| if sign > 0 { *at >= 0 } else { *at < 0 }).collect();
            (nodes, links)
        };
        prop_assert_eq!(side(&both, 0, 1), side(&after, 1, 1));
        prop_assert_eq!(side(&both, 0, -1), side(&before, 0, -1));
        prop_assert_eq!(both.journeys, after.journeys);
        let at = (0, "A".to_owned());
        prop_assert_eq!(both.nodes.get(&at).map(|counts| counts[0]), before.nodes.get(&at).map(|counts| counts[0]));
    }

    #[test]
    fn a_flow_agrees_with_the_graph_and_with_the_matrix(log in logs(), keep in any::<bool>()) {
        let all = |spec: FlowSpec| numbered(&asked(&log, &FlowSpec { top: Some("all".parse().unwrap()), ..spec }, keep));
        let counts = |flow: &Numbered, position: i64| -> BTreeMap<String, usize> {
            let here = flow.nodes.iter().filter(|((at, _), _)| *at == position);
            here.map(|((_, node), counts)| (node.clone(), counts[0])).collect()
        };
        let graph = ask(&*question(GraphSpec::default(), &common_of(keep)), &log).0;
        let ends = |key: &str| -> BTreeMap<String, usize> {
            let nodes = graph["nodes"].as_array().unwrap().iter().filter(|node| count(&node[key]) > 0);
            nodes.map(|node| (text(&node["node"]), count(&node[key]))).collect()
        };
        let backwards = FlowSpec { direction: Some(Direction::Backwards), ..FlowSpec::default() };
        prop_assert_eq!(counts(&all(FlowSpec::default()), 1), ends("entries"));
        prop_assert_eq!(counts(&all(backwards), 0), ends("exits"));

        let around = PathsSpec { around: Some(node("A")), before: Some(2), after: Some(2), ..PathsSpec::default() };
        let matrix = ask(&*question(around, &common_of(keep)), &log).0["matrix"].clone();
        let through = all(FlowSpec { through: named("A"), depth: Some(2), ..FlowSpec::default() });
        for position in -2..=2 {
            let cells = matrix.as_array().unwrap().iter().filter(|cell| cell["position"] == json!(position));
            let cells = cells.map(|cell| (text(&cell["node"]), count(&cell["count"])));
            let at_nodes: BTreeMap<_, _> = cells.filter(|(node, _)| node != "(start)" && node != "(end)").collect();
            prop_assert_eq!(counts(&through, position), at_nodes);
        }
    }

    #[test]
    fn a_highlighted_node_is_lit_wherever_it_is(log in logs(), spec in specs()) {
        let spec = FlowSpec { highlight: named("A"), ..spec };
        let lit = numbered(&asked(&log, &spec, false));
        for ((position, node), [through, .., highlighted, _]) in &lit.nodes {
            let value = *position == 0 && spec.from_dim.is_some();
            prop_assert!(highlighted <= through);
            prop_assert!(value || node != "A" || highlighted == through);
        }
        let plain = numbered(&asked(&log, &FlowSpec { highlight: None, ..spec }, false));
        let unlit = |flow: &Numbered| flow.nodes.iter().map(|(key, it)| (key.clone(), it[..4].to_vec(), it[5])).collect::<Vec<_>>();
        prop_assert_eq!(unlit(&lit), unlit(&plain));
    }

    #[test]
    fn the_laws_hold_however_journeys_are_read(log in logs(), spec in specs(), scope in scopes(), cut in any::<bool>()) {
        let mut common = common();
        common.scope = scope;
        let spec = if cut { FlowSpec { top: Some("1".parse().unwrap()), ..spec } } else { spec };
        check_laws(&*question(spec, &common), &log);
    }
}

#[test]
fn backwards_counts_from_the_last_node() {
    let log = visitor("v", "A@0 B@1 C@2 A@100 C@101");
    let spec = FlowSpec { direction: Some(Direction::Backwards), ..spec(2, "all", None) };
    let report = flow(&log, spec);
    assert_eq!(nodes(&report), ["-1 A 1 1 0 0 1", "-1 B 1 0 0 1 1", "0 C 2 0 2 0 1"]);
    assert_eq!(links(&report), ["-1 A C 1 1", "-1 B C 1 1"]);
}

#[test]
fn columns_that_no_reading_comes_to_are_left_out() {
    let report = flow(&visitor("v", "A@0 B@1"), FlowSpec { end: named("A"), ..spec(10, "all", None) });
    assert_eq!(nodes(&report), ["0 A 1 1 1 0 1"]);
    let report = flow(&visitor("v", "A@0 B@1"), FlowSpec { through: named("B"), ..spec(3, "all", None) });
    assert_eq!(nodes(&report), ["-1 A 1 1 0 0 1", "0 B 1 0 1 0 1"]);
}

#[test]
fn a_pattern_is_read_from_its_first_node_or_up_to_its_last() {
    let log = visitor("v", "D@0 A@1 C@2 B@3 D@4");
    let of =
        |spec: FlowSpec| nodes(&flow(&log, FlowSpec { depth: Some(2), top: Some("all".parse().unwrap()), ..spec }));
    let from = of(FlowSpec { start: named("A > B"), ..FlowSpec::default() });
    assert_eq!(from, ["1 A 1 1 0 0 1", "2 C 1 0 0 1 1"]);
    let up_to = of(FlowSpec { end: named("A > B"), ..FlowSpec::default() });
    assert_eq!(up_to, ["-1 C 1 0 0 1 1", "0 B 1 0 1 0 1"]);
    let through = of(FlowSpec { through: named("C >> B"), depth: Some(1), ..FlowSpec::default() });
    assert_eq!(through, ["-2 D 1 1 0 0 1", "-1 A 1 0 0 0 1", "0 C 1 0 0 0 1", "1 B 1 0 0 0 1", "2 D 1 0 1 0 1"]);
    let between = of(FlowSpec { start: named("A"), end: named("C > B"), ..FlowSpec::default() });
    assert_eq!(between, ["1 A 1 1 0 0 1", "2 C 1 0 0 1 1"]);
    assert_eq!(of(FlowSpec { start: named("B > A"), ..FlowSpec::default() }), Vec::<String>::new());
}

#[test]
fn a_thousand_starts_share_one_end() {
    let events: Vec<String> = (0..20_000).map(|second| format!("{}@{second}", ["A", "X"][second % 2])).collect();
    let log = visitor("v", &format!("{} B@20000", events.join(" ")));
    let spec =
        FlowSpec { start: named("A"), end: named("B"), occurrence: Some(Occurrences::Every), ..spec(1, "all", None) };
    assert_eq!(flow(&log, spec)["readings"], json!(10_000));
}

#[test]
fn between_two_nodes_the_end_is_the_next_and_may_be_the_start() {
    let log = visitor("v", "A@0 X@1 B@2 A@3 Y@4 B@5 A@6");
    let between = |start, end| FlowSpec {
        start: named(start),
        end: named(end),
        occurrence: Some(Occurrences::Every),
        ..spec(9, "all", None)
    };
    let report = flow(&log, between("A", "B"));
    assert_eq!(report["readings"], json!(2));
    assert_eq!(nodes(&report), ["1 A 2 2 0 0 1", "2 X 1 0 0 0 1", "2 Y 1 0 0 0 1", "3 B 2 0 2 0 1"]);
    assert_eq!(nodes(&flow(&log, between("A", "A"))), ["1 A 3 3 3 0 1"]);
}

#[test]
fn titles_say_what_is_read_and_who_takes_part() {
    let log = visitor("v", "A@0 B@1 A@2 C@100");
    let title = |spec| crate::testing::report(&*question(spec, &common()), &log).0.title();
    let with = |spec: FlowSpec| FlowSpec { depth: Some(2), ..spec };
    let every = Some(Occurrences::Every);
    for (spec, expected) in [
        (FlowSpec::default(), "Flow: the first 2 nodes of sessions"),
        (
            FlowSpec { start: named("A"), occurrence: every, ..FlowSpec::default() },
            "Flow: the first 2 nodes of sessions, read from every A on (2 readings of 1 of 2)",
        ),
        (
            FlowSpec { end: named("B"), ..FlowSpec::default() },
            "Flow: the last 2 nodes of sessions, read up to B (1 of 2 take part)",
        ),
        (
            FlowSpec { through: named("A"), occurrence: Some(Occurrences::Last), ..FlowSpec::default() },
            "Flow: 2 nodes to each side of the last A in sessions (1 of 2 take part)",
        ),
        (
            FlowSpec { start: named("A"), end: named("B"), ..FlowSpec::default() },
            "Flow: the first 2 nodes of sessions, read from A to the next B (1 of 2 take part)",
        ),
    ] {
        assert_eq!(title(with(spec)), expected);
    }
}

#[test]
fn what_contradicts_itself_is_refused() {
    let a = || named("A");
    let base = FlowSpec::default;
    for spec in [
        FlowSpec { through: a(), start: a(), ..base() },
        FlowSpec { through: a(), end: a(), ..base() },
        FlowSpec { through: a(), direction: Some(Direction::Forwards), ..base() },
        FlowSpec { occurrence: Some(Occurrences::First), ..base() },
        FlowSpec { from_dim: named("device"), through: a(), ..base() },
        FlowSpec { from_dim: named("device"), end: a(), ..base() },
        FlowSpec { from_dim: named("device"), direction: Some(Direction::Backwards), ..base() },
    ] {
        assert!(refused(spec, &common()));
    }
    let mut hidden = common();
    hidden.nodes.hide = vec!["A".into()];
    for spec in
        [FlowSpec { through: a(), ..base() }, FlowSpec { end: a(), ..base() }, FlowSpec { highlight: a(), ..base() }]
    {
        assert!(!refused(spec.clone(), &common()) && refused(spec, &hidden));
    }
    let mut visitors = common();
    visitors.scope.grain = Some(Grain::Visitor);
    assert!(refused(FlowSpec { from_dim: named("session_number"), ..base() }, &visitors));
}
