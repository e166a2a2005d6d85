//! For tests of analyses: random logs, a question asked of a log in memory, and the laws that every analysis keeps.

use std::io::{Read, Seek};
use std::sync::Arc;

use proptest::prelude::*;
use serde_json::Value;

use crate::analyses::{Bound, CommonSpec, Notes, Question, Spec, State};
use crate::budget::Budget;
use crate::dictionary::Dictionary;
use crate::events::EventBatch;
use crate::ids::{NO_VALUE, VisitorId};
use crate::journeys::{Arrival, Grouper, Journeys, Names, Scatter, Store};
use crate::reports::{self, Report};
use crate::spill::Spill;

#[path = "../tests/support/oracle.rs"]
pub mod oracle;

mod fixtures;

pub use fixtures::{event, visitor};
pub use oracle::Event;

/// Small random logs: few visitors, few names, few instants, so that ties and repeats abound.
pub fn logs() -> impl Strategy<Value = Vec<Event>> {
    let names = prop::sample::select(vec!["A", "B", "C", "D", "page_view"]);
    let pages = prop::sample::select(vec!["", "/", "/a", "/b"]);
    let devices = prop::sample::select(vec!["", "mobile", "desktop"]);
    let event = (0..5u8, 0..40i64, names, pages, devices, prop::option::of(-3..9i64));
    prop::collection::vec(event, 0..40).prop_map(|events| {
        let make = |(who, time, name, page, device, value): (u8, i64, &str, &str, &str, Option<i64>)| Event {
            visitor: format!("v{who}"),
            time: time * 1_000_000,
            event: name.into(),
            page: page.into(),
            device: device.into(),
            value: value.map(|units| units * 1_000_000),
        };
        events.into_iter().map(make).collect()
    })
}

/// A log in memory, grouped for the questions asked of it.
struct Log {
    names: Names,
    /// Every non-empty partition.
    partitions: Vec<Journeys>,
}

impl Log {
    /// `events` of which only those of visitors that `keep` chooses are grouped; names are those of all events.
    fn new(question: &dyn Question, events: &[Event], keep: impl Fn(&str) -> bool) -> Log {
        let mut needs = crate::journeys::Needs::default();
        needs.add(question.needs());
        let (mut names, mut pages) = (Dictionary::default(), Dictionary::default());
        let mut dimensions: Vec<Dictionary> = needs.scan.dimensions.iter().map(|_| Dictionary::default()).collect();
        let mut batch = EventBatch::default();
        batch.columns.dimensions.resize_with(dimensions.len(), Vec::new);
        for event in events {
            let (name, page) = (names.intern(&event.event), pages.intern(&event.page));
            let values: Vec<u32> = dimensions.iter_mut().map(|values| values.intern(&event.device)).collect();
            if !keep(&event.visitor) {
                continue;
            }
            batch.keys.push(VisitorId::parse(event.visitor.as_bytes()));
            let columns = &mut batch.columns;
            columns.time.push(event.time);
            if needs.scan.event {
                columns.event.push(name);
            }
            if needs.scan.reads_pages() {
                columns.page.push(page);
            }
            if needs.scan.value {
                columns.value.push(event.value.unwrap_or(NO_VALUE));
            }
            columns.dimensions.iter_mut().zip(values).for_each(|(column, value)| column.push(value));
        }
        let (store, budget) = (Store::new(4, Arc::new(Spill::new())), Budget::new(1 << 30));
        let arrival = Arrival { file: 0, split: 0, part: 0 };
        store.add(arrival, &mut batch, &mut Scatter::default(), &budget).unwrap();
        let span = events.iter().map(|e| e.time).min().zip(events.iter().map(|e| e.time).max());
        let names = Names::new(&needs, names, pages, dimensions, span);
        let ids = needs.ids;
        let (partitions, mut grouper) = (store.close(), Grouper::default());
        let group = |partition| {
            let (mut journeys, mut buffer) = (Journeys::default(), Vec::new());
            let loaded = partitions.load(partition, &mut buffer).unwrap();
            loaded.group(&mut grouper, &mut journeys);
            if ids {
                loaded.identify(&mut journeys);
            }
            journeys.prepare(&names);
            journeys
        };
        let used = (0..partitions.count()).filter(|&partition| partitions.events(partition) > 0);
        let partitions = used.map(group).collect();
        Log { partitions, names }
    }

    fn fold(&self, bound: &dyn Bound) -> State {
        let mut state = bound.start();
        self.partitions.iter().for_each(|journeys| bound.fold(&mut state, journeys, &self.names).unwrap());
        state
    }

    /// The same with so little memory that nothing is kept after a partition which can be on disk.
    fn fold_spilling(&self, bound: &dyn Bound, spill: &Arc<Spill>) -> State {
        let mut state = bound.start();
        for journeys in &self.partitions {
            bound.fold(&mut state, journeys, &self.names).unwrap();
            bound.relieve(&mut state, spill).unwrap();
        }
        state
    }
}

/// The question that `spec` asks, with the shared rules of `common`.
pub fn question<S: Spec>(spec: S, common: &CommonSpec) -> Box<dyn Question> {
    spec.resolve(common.resolve(false).unwrap()).unwrap()
}

/// What a question answers about a log, as JSON, and its notes.
pub fn ask(question: &dyn Question, events: &[Event]) -> (Value, Vec<String>) {
    let (report, notes) = report(question, events);
    (report.json(), notes.into_lines())
}

/// The rate that a limit on failure is about.
pub fn rate(question: &dyn Question, events: &[Event]) -> Option<f64> {
    report(question, events).0.rate()
}

/// The answer itself, and its notes.
pub fn report(question: &dyn Question, events: &[Event]) -> (Box<dyn Report>, Notes) {
    let log = Log::new(question, events, |_| true);
    let mut notes = Notes::default();
    let bound = question.bind(&log.names, &mut notes).unwrap();
    let state = log.fold(&*bound);
    (bound.finish(state, &log.names).unwrap(), notes)
}

/// The rows that a question writes about a log, each as JSON by column, in their order.
pub fn rows(question: &dyn Question, events: &[Event]) -> Vec<Value> {
    let log = Log::new(question, events, |_| true);
    let bound = question.bind(&log.names, &mut Notes::default()).unwrap();
    let rows = bound.rows().expect("a question that writes rows");
    let mut file = tempfile::tempfile().unwrap();
    let lines = reports::find("jsonl").unwrap();
    let out = Box::new(file.try_clone().unwrap());
    let mut writer = lines.rows(&rows.schema(), out, &reports::Options::default()).unwrap();
    for journeys in &log.partitions {
        rows.write(journeys, &log.names, &mut |batch| writer.write(&batch)).unwrap();
    }
    let mut text = String::new();
    file.rewind().unwrap();
    file.read_to_string(&mut text).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Checks the laws of an analysis on one log: identity, associativity, commutativity and partition invariance, with and without
/// counts on disk.
///
/// The visitors are dealt to three shards; each shard is folded alone, then merged in different orders.
pub fn check_laws(question: &dyn Question, events: &[Event]) {
    let shard = |visitor: &str| visitor.bytes().map(usize::from).sum::<usize>() % 3;
    let whole = Log::new(question, events, |_| true);
    let shards: Vec<Log> = (0..3).map(|n| Log::new(question, events, move |visitor| shard(visitor) == n)).collect();
    let bound = question.bind(&whole.names, &mut Notes::default()).unwrap();
    let part = |n: usize| shards[n].fold(&*bound);
    let merged = |a: State, b: State| {
        let mut into = a;
        bound.merge(&mut into, b);
        into
    };
    let finish = |state: State| {
        let left_out = bound.left_out(&state);
        let report = bound.finish(state, &whole.names).unwrap();
        (report.json(), report.tables(), left_out)
    };
    let expected = finish(whole.fold(&*bound));
    assert_eq!(finish(merged(bound.start(), whole.fold(&*bound))), expected, "identity from the left");
    assert_eq!(finish(merged(whole.fold(&*bound), bound.start())), expected, "identity from the right");
    assert_eq!(finish(merged(merged(part(0), part(1)), part(2))), expected, "partition invariance");
    assert_eq!(finish(merged(part(0), merged(part(1), part(2)))), expected, "associativity");
    assert_eq!(finish(merged(merged(part(2), part(1)), part(0))), expected, "commutativity");
    let spill = Arc::new(Spill::new().worth(0));
    let spilled = |n: usize| shards[n].fold_spilling(&*bound, &spill);
    assert_eq!(finish(whole.fold_spilling(&*bound, &spill)), expected, "spilling");
    assert_eq!(finish(merged(merged(spilled(0), part(1)), spilled(2))), expected, "spilling and merging");
    assert_eq!(finish(merged(part(0), merged(spilled(1), part(2)))), expected, "merging and spilling");
}
