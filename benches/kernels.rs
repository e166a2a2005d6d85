//! The inner loops on one thread: `cargo bench`. Compare runs made side by side only; machines are shared and noisy.

use std::convert::Infallible;
use std::fmt::Write;
use std::hint::black_box;
use std::sync::Arc;

use clickpath::analyses::{CommonSpec, KINDS, Notes, Question};
use clickpath::budget::Budget;
use clickpath::counts::Counts;
use clickpath::dictionary::{Cache, Dictionary};
use clickpath::events::EventBatch;
use clickpath::ids::{VisitorId, place_hash};
use clickpath::journeys::{Arrival, Grouper, Journeys, Names, Needs, Partitions, Scatter, Store};
use clickpath::sources::{TextOptions, UseAs, Wanted, open};
use clickpath::spill::Spill;
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};

const EVENTS: u64 = 1 << 20;
const NAMES: [&str; 6] = ["page_view", "view_item", "add_to_cart", "begin_checkout", "add_payment_info", "purchase"];

/// A generator of numbers that look random: Knuth's multiplicative step of MMIX.
fn next(state: &mut u64) -> u64 {
    *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    *state >> 33
}

/// A log in time order of many visitors with about 12 events each; `backwards` turns the times round.
fn log(backwards: bool) -> EventBatch {
    let (mut batch, mut state) = (EventBatch::default(), 1);
    for at in 0..EVENTS {
        let visitor = next(&mut state) % (EVENTS / 12);
        let id = format!("{:016x}", visitor.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        batch.keys.push(VisitorId::parse(id.as_bytes()));
        let place = if backwards { EVENTS - at } else { at };
        batch.columns.time.push(place as i64 * 1_000_000);
        batch.columns.event.push((next(&mut state) % NAMES.len() as u64) as u32 + 1);
    }
    batch
}

fn stored(mut batch: EventBatch) -> Partitions {
    let (store, budget) = (Store::new(8, Arc::new(Spill::new())), Budget::new(1 << 32));
    let arrival = Arrival { file: 0, split: 0, part: 0 };
    store.add(arrival, &mut batch, &mut Scatter::default(), &budget).expect("4 GiB are enough");
    store.close()
}

fn names(needs: &Needs) -> Names {
    let mut events = Dictionary::default();
    for name in NAMES {
        events.intern(name);
    }
    Names::new(needs, events, Dictionary::default(), Vec::new(), Some((0, EVENTS as i64 * 1_000_000)))
}

fn ids(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("visitor ids");
    for (name, ids) in [
        (
            "16 hex digits",
            (0..1000u64).map(|n| format!("{:016x}", n.wrapping_mul(0x9E37_79B9_7F4A_7C15))).collect::<Vec<_>>(),
        ),
        ("decimal", (0..1000u64).map(|n| (n * 7_919_000_003).to_string()).collect()),
        ("text", (0..1000u64).map(|n| format!("user_{n}")).collect()),
    ] {
        group.throughput(Throughput::Elements(ids.len() as u64));
        group.bench_function(name, |bench| {
            bench.iter(|| {
                let hash = |id: &String| {
                    let id = VisitorId::parse(id.as_bytes());
                    place_hash(id.shape(), id.key())
                };
                ids.iter().map(hash).fold(0, u64::wrapping_add)
            });
        });
    }
}

/// Records of a CSV log with four of its five fields asked for; what is in them is not looked at.
fn csv(criterion: &mut Criterion) {
    let (mut text, mut state) = ("visitor,ts,event,page,device\n".to_owned(), 1);
    for at in 0..EVENTS {
        let (visitor, page) = (next(&mut state) % (EVENTS / 12), next(&mut state) % 5000);
        let name = NAMES[(next(&mut state) % NAMES.len() as u64) as usize];
        let second = at % 60;
        writeln!(text, "\"{visitor:016x}\",2026-01-01 00:00:{second:02}.000001Z,\"{name}\",\"/product/{page}\",mobile")
            .expect("a String takes all");
    }
    let file = tempfile::Builder::new().suffix(".csv").tempfile().expect("a temporary file");
    std::fs::write(file.path(), &text).expect("room for it");
    let source = open(file.path(), &TextOptions::default()).expect("a CSV file");
    let wanted: Vec<Wanted> = (0..4).map(|column| Wanted { column, use_as: UseAs::Names }).collect();
    let mut group = criterion.benchmark_group("csv");
    group.throughput(Throughput::Elements(EVENTS)).sample_size(10);
    group.bench_function("split", |bench| {
        bench.iter(|| {
            let (reader, mut rows) = (source.read(&wanted).expect("it was opened"), 0);
            while let Some(split) = reader.next().expect("it can be read") {
                rows += split.batches.map(|batch| batch.expect("it is whole").rows).sum::<usize>();
            }
            assert_eq!(rows as u64, EVENTS);
        });
    });
}

/// Names that become codes, each looked up among those that were met.
fn intern(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("intern");
    group.throughput(Throughput::Elements(EVENTS)).sample_size(10);
    let events: Vec<String> = NAMES.map(str::to_owned).to_vec();
    let pages: Vec<String> = (0..5000).map(|page| format!("/product/{page}")).collect();
    for (name, known) in [("events", events), ("pages", pages)] {
        let mut state = 1;
        let met: Vec<&[u8]> =
            (0..EVENTS).map(|_| known[(next(&mut state) % known.len() as u64) as usize].as_bytes()).collect();
        group.bench_function(name, |bench| {
            bench.iter(|| {
                let (mut cache, mut dictionary) = (Cache::default(), Dictionary::default());
                let mut code = |name: &&[u8]| {
                    let intern = |name: &[u8]| Ok::<_, Infallible>(dictionary.intern(&String::from_utf8_lossy(name)));
                    let Ok(code) = cache.get(name, intern);
                    u64::from(code)
                };
                black_box(met.iter().map(&mut code).sum::<u64>())
            });
        });
    }
}

fn partitions(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("partitions");
    group.throughput(Throughput::Elements(EVENTS)).sample_size(10);
    group.bench_function("scatter", |bench| bench.iter_batched(|| log(false), stored, BatchSize::LargeInput));
    for (name, backwards) in [("group, in order", false), ("group, out of order", true)] {
        let partitions = stored(log(backwards));
        let (mut grouper, mut journeys, mut buffer) = (Grouper::default(), Journeys::default(), Vec::new());
        group.bench_function(name, |bench| {
            bench.iter(|| {
                (0..partitions.count()).for_each(|partition| {
                    let loaded = partitions.load(partition, &mut buffer).expect("nothing is on disk");
                    loaded.group(&mut grouper, &mut journeys);
                });
            });
        });
    }
    let names = names(&question("graph", toml::Table::new()).needs());
    let mut all = grouped(&stored(log(false)));
    group.bench_function("sessionize", |bench| {
        bench.iter(|| all.iter_mut().for_each(|journeys| journeys.prepare(&names)));
    });
}

/// The visitors of each partition.
fn grouped(partitions: &Partitions) -> Vec<Journeys> {
    let group = |partition| {
        let (mut journeys, mut buffer) = (Journeys::default(), Vec::new());
        let loaded = partitions.load(partition, &mut buffer).expect("nothing is on disk");
        loaded.group(&mut Grouper::default(), &mut journeys);
        journeys
    };
    (0..partitions.count()).map(group).collect()
}

fn question(kind: &str, table: toml::Table) -> Box<dyn Question> {
    let kind = KINDS.iter().find(|known| known.name == kind).expect("a kind of question");
    let common = CommonSpec::default().resolve(false).expect("the defaults fit together");
    (kind.from_table)(table, common).expect("a question")
}

fn questions(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("questions");
    group.throughput(Throughput::Elements(EVENTS)).sample_size(10);
    let steps = toml::Table::from_iter([("steps".to_owned(), NAMES[1..].join(" > ").into())]);
    for (kind, table) in [
        ("summary", toml::Table::new()),
        ("funnel", steps),
        ("graph", toml::Table::new()),
        ("flow", toml::Table::new()),
        ("paths", toml::Table::new()),
    ] {
        let question = question(kind, table);
        let needs = question.needs();
        let names = names(&needs);
        let bound = question.bind(&names, &mut Notes::default()).expect("it fits the log");
        let mut all = grouped(&stored(log(false)));
        all.iter_mut().for_each(|journeys| journeys.prepare(&names));
        group.bench_function(kind, |bench| {
            bench.iter(|| {
                let mut state = bound.start();
                all.iter().for_each(|journeys| bound.fold(&mut state, journeys, &names).expect("it fits the log"));
                black_box(bound.finish(state, &names).expect("the disk is not used").json())
            });
        });
    }
}

/// Paths of 1 to 12 nodes; the fewer the nodes, the more paths are alike.
fn paths(nodes: u64) -> Vec<Vec<u32>> {
    let mut state = 1;
    let mut path = || {
        let length = next(&mut state) % 12 + 1;
        (0..length).map(|_| (next(&mut state) % nodes) as u32).collect()
    };
    (0..PATHS).map(|_| path()).collect()
}

const PATHS: u64 = 1 << 18;

fn counted(paths: &[Vec<u32>], spill_every: usize) -> Counts<[u32], [u64; 2]> {
    let (mut sequences, spill) = (Counts::<[u32], [u64; 2]>::default(), Arc::new(Spill::new()));
    for part in paths.chunks(spill_every) {
        for path in part {
            sequences.at(path.as_slice())[0] += 1;
        }
        if spill_every < paths.len() {
            sequences.relieve(&spill).expect("there is room on the disk");
        }
    }
    sequences
}

fn path_counter(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("path counter");
    group.throughput(Throughput::Elements(PATHS)).sample_size(10);
    for (name, nodes) in [("few paths", 2), ("many paths", 1000)] {
        let paths = paths(nodes);
        group.bench_function(name, |bench| bench.iter(|| counted(&paths, paths.len())));
        group.bench_function(format!("{name}, spilled 16 times and merged"), |bench| {
            bench.iter(|| {
                let (mut distinct, sequences) = (0, counted(&paths, paths.len() / 16));
                sequences.drain(|_, _| distinct += 1).expect("the disk can be read");
                black_box(distinct)
            });
        });
    }
}

criterion_group!(kernels, csv, ids, intern, partitions, questions, path_counter);
criterion_main!(kernels);
