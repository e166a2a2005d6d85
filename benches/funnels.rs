//! What a funnel costs, as a whole: the plain one beside a bare scan of its columns, and each option beside the plain one.
//!
//! `cargo bench --bench funnels -- --events 4M`, and the other flags of `clickpath generate`, which makes the log; a name, or a part of one, for
//! some of the options alone. All are run in turn, round by round, on two threads, and medians are compared: machines are shared and noisy.

#![expect(clippy::print_stdout, reason = "what it prints is the result")]

use std::fs::File;
use std::path::Path;
use std::time::Instant;

use clap::Parser;
use clickpath::analyses::Spec;
use clickpath::generate::Options;
use clickpath::{FunnelSpec, Limits, Run};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ParquetRecordBatchReaderBuilder};
use rayon::prelude::*;
use serde::Deserialize;

const THREADS: usize = 2;
const COLUMNS: [&str; 4] = ["visitor_id", "ts", "event", "revenue"];

/// By name what a job file says of it; the steps are those of [`STEPS`] if it says none.
const FUNNELS: [(&str, &str); 30] = [
    ("plain", ""),
    ("window of sessions", "window = '2 sessions'"),
    ("window of events", "window = '50 events'"),
    ("window from step to step", "window_from = 'previous'"),
    (
        "hops with limits",
        "steps = 'view_item >[1d] add_to_cart >[1d] begin_checkout >[1d] add_payment_info >[1d] purchase'",
    ),
    ("direct hops", "steps = 'view_item >> add_to_cart >> begin_checkout >> add_payment_info >> purchase'"),
    ("optional steps", "steps = 'view_item > add_to_cart? > begin_checkout > add_payment_info? > purchase'"),
    ("block", "steps = 'view_item > (add_to_cart & begin_checkout & add_payment_info) > purchase'"),
    ("any order", "order = 'any'"),
    ("open", "open = true"),
    ("exclusion", "exclude = ['page_view@1-3']"),
    ("exclusion that removes", "exclude = ['page_view@1-3']\nexclude_effect = 'remove'"),
    ("held device", "hold = 'device'"),
    ("first entry", "entry = 'first'"),
    ("each entry", "entry = 'each'"),
    ("all entries", "entry = 'all'"),
    ("reuse", "reuse = true"),
    ("repeats end", "on_repeat = 'end_any'"),
    ("increasing times", "times = 'increasing'"),
    ("ties by arrival", "ties = 'arrival'"),
    ("ties by step", "ties = 'step'"),
    ("grace", "ties = 'grace:2s'\nentry = 'first'"),
    ("first of its kind", "steps = 'first(view_item) > add_to_cart > begin_checkout > add_payment_info > purchase'"),
    ("dedupe", "dedupe = '1s'"),
    ("scan as ClickHouse", "scan = ['strict_increase']"),
    ("dropped next", "dropped_next = 5"),
    ("between", "between = 5"),
    ("trend", "trend = 'day'"),
    ("comparison", "compare = 'device=mobile,desktop'"),
    ("drivers", "drivers = 5"),
];
const STEPS: &str = "view_item > add_to_cart > begin_checkout > add_payment_info > purchase";

fn funnel(log: &Path, text: &str) {
    let mut table: toml::Table = text.parse().expect("an option");
    table.entry("steps").or_insert(STEPS.into());
    let spec = FunnelSpec::deserialize(table).expect("options of a funnel");
    let mut run = Run::over([log]).limits(Limits { threads: THREADS, ..Limits::default() });
    let funnel = run.ask(spec).expect("a question");
    let answers = run.answer().expect("an answer");
    assert!(answers.report(funnel).total.steps[0].entered > 0, "{}: nobody entered", FunnelSpec::NAME);
}

/// Decodes the columns that a plain funnel reads, and drops them.
fn scan(log: &Path) {
    let file = File::open(log).expect("the log");
    let metadata = ArrowReaderMetadata::load(&file, Default::default()).expect("a Parquet file");
    let mask = ProjectionMask::columns(metadata.parquet_schema(), COLUMNS);
    let rows: usize = (0..metadata.metadata().num_row_groups())
        .into_par_iter()
        .map(|group| {
            let file = File::open(log).expect("the log");
            let reader = ParquetRecordBatchReaderBuilder::new_with_metadata(file, metadata.clone())
                .with_projection(mask.clone())
                .with_row_groups(vec![group])
                .with_batch_size(1 << 16)
                .build()
                .expect("a reader");
            reader.map(|batch| batch.expect("whole batches").num_rows()).sum::<usize>()
        })
        .sum();
    assert!(rows > 0);
}

fn seconds(run: impl FnOnce()) -> f64 {
    let start = Instant::now();
    run();
    start.elapsed().as_secs_f64()
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

/// The log that is asked for.
#[derive(Parser)]
struct Asked {
    #[command(flatten)]
    log: Options,
    /// The options whose names have this in them, and the plain funnel.
    only: Option<String>,
    /// How often each is run.
    #[arg(long, default_value_t = 7)]
    rounds: usize,
    /// Cargo says so of every bench.
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() {
    let Asked { log: options, only, rounds, .. } = Asked::parse();
    let asked = |(number, (name, _)): &(usize, &(&str, &str))| {
        *number == 0 || only.as_ref().is_none_or(|only| name.contains(only))
    };
    let asked: Vec<&(&str, &str)> = FUNNELS.iter().enumerate().filter(asked).map(|(_, funnel)| funnel).collect();
    rayon::ThreadPoolBuilder::new().num_threads(THREADS).build_global().expect("the first pool");
    let folder = tempfile::tempdir().expect("a folder");
    let log = folder.path().join("log.parquet");
    options.write(&log).expect("a log");

    let mut scans = Vec::new();
    let mut funnels = vec![Vec::new(); asked.len()];
    for _ in 0..rounds {
        scans.push(seconds(|| scan(&log)));
        for ((_, text), times) in asked.iter().zip(&mut funnels) {
            times.push(seconds(|| funnel(&log, text)));
        }
    }
    let (scan, plain) = (median(scans), median(funnels[0].clone()));
    println!("{} events, {THREADS} threads, medians of {rounds} rounds in turn\n", options.events.0);
    println!("| | seconds | × plain |\n|---|---|---|");
    println!("| bare scan of {} | {scan:.3} | {:.2} |", COLUMNS.join(", "), scan / plain);
    for ((name, _), times) in asked.iter().zip(funnels) {
        let time = median(times);
        println!("| {name} | {time:.3} | {:.2} |", time / plain);
    }
}
