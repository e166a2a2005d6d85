//! Paths and the step matrix, by plain loops, as `docs/semantics.md` defines them.
//!
//! A journey in which no event has a node that is shown has no path: it is one of all journeys, is counted as `empty`, and stands at `(end)`
//! in every column of the matrix.

use std::collections::{BTreeMap, BTreeSet};

use super::{Event, Repeats};

/// How a journey is looked at: which node an event is, what happens to repeats, and which nodes are taken out before that.
pub struct View<'a> {
    pub node: &'a dyn Fn(&Event) -> Option<String>,
    pub repeats: Repeats,
    pub hide: &'a [&'a str],
}

/// One place of a path: its node, its time, and which event of the journey it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    pub node: String,
    pub time: i64,
    pub event: usize,
}

/// The places of one journey.
pub fn places(journey: &[Event], view: &View<'_>) -> Vec<Place> {
    let mut places: Vec<Place> = Vec::new();
    for (event, of) in journey.iter().enumerate() {
        let Some(node) = (view.node)(of) else { continue };
        if view.hide.contains(&node.as_str()) {
            continue;
        }
        let repeated = places.last().is_some_and(|last| last.node == node);
        if repeated && view.repeats == Repeats::First {
            continue;
        }
        if repeated && view.repeats == Repeats::Last {
            places.pop();
        }
        places.push(Place { node, time: of.time, event });
    }
    places
}

/// The nodes of one journey.
pub fn nodes_of(journey: &[Event], view: &View<'_>) -> Vec<String> {
    places(journey, view).into_iter().map(|place| place.node).collect()
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PathCount {
    pub count: usize,
    pub visitors: usize,
}

/// Whole paths: the most frequent first, equal ones by their nodes; and how many journeys have none.
pub fn paths(journeys: &[Vec<Event>], view: &View<'_>) -> (Vec<(Vec<String>, PathCount)>, usize) {
    let mut counts: BTreeMap<Vec<String>, usize> = BTreeMap::new();
    let mut who: BTreeMap<Vec<String>, BTreeSet<&str>> = BTreeMap::new();
    for journey in journeys {
        let path = nodes_of(journey, view);
        *counts.entry(path.clone()).or_default() += 1;
        who.entry(path).or_default().insert(&journey[0].visitor);
    }
    let empty = counts.remove(&Vec::new()).unwrap_or(0);
    let visitors = |path: &Vec<String>| who[path].len();
    let mut found: Vec<(Vec<String>, PathCount)> =
        counts.iter().map(|(path, &count)| (path.clone(), PathCount { count, visitors: visitors(path) })).collect();
    found.sort_by(|a, b| b.1.count.cmp(&a.1.count).then(a.0.cmp(&b.0)));
    (found, empty)
}

/// Journeys by position and node, and of how many journeys they are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Matrix {
    pub cells: BTreeMap<(i64, String), usize>,
    pub journeys: usize,
}

/// The columns 1 … depth.
pub fn matrix(journeys: &[Vec<Event>], view: &View<'_>, depth: i64) -> Matrix {
    let mut matrix = Matrix::default();
    for journey in journeys {
        matrix.add(&nodes_of(journey, view), 1, 1..=depth);
    }
    matrix
}

/// The columns -before … after, around the first place of `node`, which stands at 0.
pub fn matrix_around(journeys: &[Vec<Event>], view: &View<'_>, node: &str, before: i64, after: i64) -> Matrix {
    let mut matrix = Matrix::default();
    for journey in journeys {
        let path = nodes_of(journey, view);
        let anchor = path.iter().position(|name| name == node);
        if let Some(anchor) = anchor {
            matrix.add(&path, -(anchor as i64), -before..=after);
        }
    }
    matrix
}

impl Matrix {
    /// Adds a path whose first node stands at position `first`.
    fn add(&mut self, path: &[String], first: i64, columns: std::ops::RangeInclusive<i64>) {
        self.journeys += 1;
        for position in columns {
            let at = position - first;
            let node = if at < 0 { "(start)" } else { path.get(at as usize).map_or("(end)", String::as_str) };
            *self.cells.entry((position, node.to_owned())).or_default() += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::log;
    use super::*;

    fn name(event: &Event) -> Option<String> {
        (event.event != "-").then(|| event.event.clone())
    }

    fn view(repeats: Repeats) -> View<'static> {
        View { node: &name, repeats, hide: &["X"] }
    }

    fn text(path: &[String]) -> String {
        path.join(">")
    }

    #[test]
    fn hidden_nodes_go_before_repeats_do() {
        let journey = log("A@0 X@1 A@2 -@3 A@4 B@5");
        assert_eq!(text(&nodes_of(&journey, &view(Repeats::First))), "A>B");
        assert_eq!(text(&nodes_of(&journey, &view(Repeats::Keep))), "A>A>A>B");
        let times = |repeats| places(&journey, &view(repeats)).iter().map(|place| place.time).collect::<Vec<_>>();
        assert_eq!((times(Repeats::First), times(Repeats::Last)), (vec![0, 5], vec![4, 5]));
    }

    #[test]
    fn paths_by_count_then_by_nodes() {
        let journeys = [log("B@0"), log("A@0 B@1"), log("A@9 B@9"), log("w/A@0"), log("X@0"), log("w/B@7"), log("B@8")];
        let (found, empty) = paths(&journeys, &view(Repeats::First));
        let shown: Vec<String> =
            found.iter().map(|(path, of)| format!("{} {} {}", text(path), of.count, of.visitors)).collect();
        assert_eq!((shown, empty), (vec!["B 3 2".into(), "A>B 2 1".into(), "A 1 1".into()], 1));
    }

    #[test]
    fn every_column_holds_every_journey() {
        let journeys = [log("A@0 B@1"), log("A@9"), log("X@0"), log("C@0 A@1 B@2 A@3")];
        let found = matrix(&journeys, &view(Repeats::First), 2);
        let cell = |matrix: &Matrix, position, node: &str| matrix.cells.get(&(position, node.to_owned())).copied();
        assert_eq!(found.journeys, 4);
        assert_eq!([cell(&found, 1, "A"), cell(&found, 1, "C"), cell(&found, 1, "(end)")], [Some(2), Some(1), Some(1)]);
        assert_eq!([cell(&found, 2, "A"), cell(&found, 2, "B"), cell(&found, 2, "(end)")], [Some(1), Some(1), Some(2)]);
        let around = matrix_around(&journeys, &view(Repeats::First), "B", 2, 1);
        assert_eq!(around.journeys, 2);
        assert_eq!([cell(&around, -2, "(start)"), cell(&around, -2, "C")], [Some(1); 2]);
        assert_eq!([cell(&around, -1, "A"), cell(&around, 0, "B")], [Some(2); 2]);
        assert_eq!([cell(&around, 1, "(end)"), cell(&around, 1, "A")], [Some(1); 2]);
    }
}
