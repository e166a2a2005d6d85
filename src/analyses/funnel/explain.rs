//! Why one visitor counts as it does: its events, the steps that they fit and fill, and what ended each attempt.

use super::follow::Follow;
use super::members;
use crate::analyses::step::Hit;
use crate::analyses::steps::{Between, Effect, Ties};
use crate::ids::{Code, MISSING};
use crate::journeys::{Journey, Names};
use crate::reports::{Cell, Table};

/// The events of the visitor that is asked for, as far as it was met.
#[derive(Clone, Debug, Default)]
pub struct Explained {
    rows: Vec<Row>,
    journeys: u64,
}

#[derive(Clone, Debug)]
struct Row {
    journey: u64,
    time: i64,
    event: Code,
    page: Code,
    /// One bit per step that the event fits.
    mask: u64,
    excluded: bool,
    /// The number of an attempt, from 1, and of the step that the event fills in it.
    fills: Option<(u64, usize)>,
    /// What ended the attempt after this event.
    ended: Option<End>,
}

/// What ended an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// All steps are done.
    Complete,
    /// An excluded event at this time.
    Excluded(i64),
    /// Nothing that fits the next step follows.
    NothingFollows,
    /// Nothing that follows in time fits these members of the next step, which is a block.
    Lacks(u64),
    /// What fits the next step comes at this time, when the window is over.
    Window(i64),
    /// It comes at this time, after the limit of its hop.
    Limit(i64),
    /// It comes at this time, but not directly.
    NotDirectly(i64),
    /// It comes at this time, and other rules forbid to use it.
    Rules(i64),
}

impl Explained {
    /// Takes in a journey of the visitor with its attempts; `mask` has the steps that each event fits.
    pub fn add(&mut self, follow: &Follow, journey: Journey<'_>, mask: impl Fn(usize) -> u64, attempts: &[Vec<Hit>]) {
        self.journeys += 1;
        let events: Vec<_> = attempts.iter().map(|attempt| members::events(follow, journey, &mask, attempt)).collect();
        for (at, &time) in journey.times().iter().enumerate() {
            let code = |column: &[Code]| column.get(at).copied().unwrap_or(MISSING);
            let row = Row {
                journey: self.journeys,
                time,
                event: code(journey.events()),
                page: code(journey.pages()),
                mask: mask(at),
                excluded: follow.excludes(journey, at) != 0,
                fills: None,
                ended: None,
            };
            let before = self.rows.len();
            for ((number, attempt), events) in (1..).zip(attempts).zip(&events) {
                for (step, events) in (1..).zip(events).filter(|(_, events)| events.contains(&at)) {
                    let last = step == attempt.len() && events.last() == Some(&at);
                    let ended = last.then(|| end(follow, journey, &mask, attempt));
                    self.rows.push(Row { fills: Some((number, step)), ended, ..row.clone() });
                }
            }
            if self.rows.len() == before {
                self.rows.push(row);
            }
        }
    }

    /// Adds what another thread met.
    pub fn merge(&mut self, from: Explained) {
        // A visitor is in one partition: one of the two is empty.
        self.journeys += from.journeys;
        self.rows.extend(from.rows);
    }

    pub fn bytes(&self) -> usize {
        self.rows.capacity() * size_of::<Row>()
    }

    /// One row for each event, and for each further step that it fills.
    pub fn table(&self, steps: &[String], names: &Names) -> Table {
        let columns = ["journey", "time", "event", "page", "fits", "excluded", "attempt", "fills", "ended"];
        let named = |name: &str| if name.is_empty() { Cell::Null } else { Cell::Text(name.to_owned()) };
        let row = |row: &Row| {
            vec![
                Cell::Count(row.journey),
                Cell::Time(row.time),
                named(names.events.name(row.event)),
                named(names.pages.name(row.page)),
                named(&list(row.mask, steps)),
                if row.excluded { Cell::Text("yes".into()) } else { Cell::Null },
                row.fills.map_or(Cell::Null, |(attempt, _)| Cell::Count(attempt)),
                row.fills.map_or(Cell::Null, |(_, step)| Cell::Count(step as u64)),
                row.ended.map_or(Cell::Null, |end| Cell::Text(end.text(steps))),
            ]
        };
        let columns = columns.map(str::to_owned).to_vec();
        Table { name: "explain", columns, rows: self.rows.iter().map(row).collect() }
    }
}

/// The names of the steps of a mask.
fn list(mask: u64, steps: &[String]) -> String {
    let names = (0..steps.len()).filter(|step| mask >> step & 1 != 0).map(|step| steps[step].as_str());
    names.collect::<Vec<_>>().join(", ")
}

/// What ended an attempt at the events of a journey.
fn end(follow: &Follow, journey: Journey<'_>, mask: &impl Fn(usize) -> u64, attempt: &[Hit]) -> End {
    let rules = &follow.plan.rules;
    let depth = attempt.len();
    let (Some(first), Some(last)) = (attempt.first(), attempt.last()) else { return End::NothingFollows };
    if depth == rules.steps {
        return End::Complete;
    }
    let times = journey.times();
    let later = |at: usize| match rules.ties {
        Ties::Any => times[at] > last.time,
        Ties::Arrival => at > last.at as usize,
    };
    let in_window = |at: usize| match (rules.window, follow.sessions, follow.order.by_event) {
        (None, ..) | (_, Some(_), _) => true,
        (Some(window), _, false) => times[at] - first.time <= window,
        (Some(window), _, true) => at as i64 - i64::from(first.at) <= window,
    };
    let follows = |at: usize| {
        let unused = attempt.iter().all(|hit| hit.at as usize != at);
        unused && (later(at) || rules.ties == Ties::Any && times[at] == last.time)
    };
    let next = (0..journey.len()).find(|&at| follows(at) && rules.next_step(depth, mask(at)).is_some());
    let stops = |at: &usize| {
        let excluded = follow.excludes(journey, *at);
        let open = |(number, between): (usize, &Between)| {
            let stops = between.effect == Effect::Stop && between.from <= depth && depth < between.to;
            stops && excluded >> number & 1 != 0
        };
        later(*at) && in_window(*at) && rules.exclusions.iter().enumerate().any(open)
    };
    let stop = (0..journey.len()).find(stops);
    let step = next.and_then(|at| rules.next_step(depth, mask(at))).unwrap_or(depth);
    let filled = (0..journey.len()).filter(|&at| follows(at) && in_window(at)).fold(0, |all, at| all | mask(at));
    let lacks = rules.slots_of(step) & !filled;
    match (next, stop) {
        (Some(next), Some(stop)) if times[stop] < times[next] => End::Excluded(times[stop]),
        (None, Some(stop)) => End::Excluded(times[stop]),
        (None, None) => End::NothingFollows,
        (Some(next), _) if !in_window(next) => End::Window(times[next]),
        _ if lacks != 0 => End::Lacks(lacks),
        (Some(next), _) if !rules.within_limit(step, last.time, times[next]) => End::Limit(times[next]),
        (Some(next), _) if rules.direct >> step & 1 != 0 => End::NotDirectly(times[next]),
        (Some(next), _) => End::Rules(times[next]),
    }
}

impl End {
    fn text(self, steps: &[String]) -> String {
        let at = |time: i64| Cell::Time(time).json().as_str().unwrap_or_default().to_owned();
        match self {
            End::Complete => "complete".into(),
            End::Excluded(time) => format!("stopped by an excluded event at {}", at(time)),
            End::NothingFollows => "nothing that fits the next step follows".into(),
            End::Lacks(members) => format!("nothing in time fits {}", list(members, steps)),
            End::Window(time) => format!("the next step comes at {}, after the window", at(time)),
            End::Limit(time) => format!("the next step comes at {}, too late for its hop", at(time)),
            End::NotDirectly(time) => format!("the next step comes at {}, not directly", at(time)),
            End::Rules(time) => format!("the next step at {} cannot be used by these rules", at(time)),
        }
    }
}
