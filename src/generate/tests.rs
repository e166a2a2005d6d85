use std::collections::HashMap;

use super::*;

fn options() -> Options {
    let none = Fraction(0.0);
    Options {
        events: Number(30_000),
        visitors: None,
        pages: Number(4_809),
        skew: none,
        ties: none,
        bots: none,
        out_of_order: none,
        shuffle: false,
        seed: 1,
        files: 1,
    }
}

fn rows(options: &Options) -> Vec<Row> {
    let mut walk = Walk::new(options);
    std::iter::from_fn(|| walk.next()).flatten().collect()
}

fn share(rows: &[Row], holds: impl Fn(&Row) -> bool) -> f64 {
    rows.iter().filter(|row| holds(row)).count() as f64 / rows.len() as f64
}

fn events_by_visitor(rows: &[Row]) -> HashMap<u64, usize> {
    let mut events = HashMap::new();
    rows.iter().for_each(|row| *events.entry(row.visitor).or_default() += 1);
    events
}

#[test]
fn there_are_as_many_events_as_asked_for_in_time_order() {
    for events in [1, 2, 29_999, 700_000] {
        let rows = rows(&Options { events: Number(events), ..options() });
        assert_eq!(rows.len() as u64, events);
        assert!(rows.is_sorted_by_key(|row| row.time));
    }
}

#[test]
fn a_seed_makes_one_log_and_another_seed_another() {
    let first = rows(&options());
    assert_eq!(first, rows(&options()));
    assert_ne!(first, rows(&Options { seed: 2, ..options() }));
    let one_thread = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    assert_eq!(first, one_thread.install(|| rows(&options())));
}

#[test]
fn the_log_is_that_of_a_shop() {
    let rows = rows(&Options { events: Number(300_000), ..options() });
    let of_kind = |kind: u8| share(&rows, |row| row.kind == kind);
    // A look at a product is the most frequent event, a purchase a rare one, and only purchases have amounts.
    assert!((0.25..0.45).contains(&of_kind(2)), "{}", of_kind(2));
    assert!((0.005..0.05).contains(&of_kind(8)), "{}", of_kind(8));
    assert!(rows.iter().all(|row| (row.cents > 0) == (row.kind == 8)));
    let visitors = events_by_visitor(&rows);
    assert!((15_000..30_000).contains(&visitors.len()), "{}", visitors.len());
    let days = (rows[rows.len() - 1].time - rows[0].time) as f64 / 86_400e6;
    assert!((80.0..100.0).contains(&days), "{days}");
}

#[test]
fn each_option_does_what_it_says() {
    let skewed = rows(&Options { skew: Fraction(0.6), ..options() });
    let most = *events_by_visitor(&skewed).values().max().unwrap() as f64 / skewed.len() as f64;
    assert!((0.5..0.7).contains(&most), "{most}");

    let few = rows(&Options { visitors: Some(Number(50)), ..options() });
    assert_eq!(events_by_visitor(&few).len(), 50);

    let pages = rows(&Options { pages: Number(100_000), ..options() });
    let highest = pages.iter().map(|row| row.page).max().unwrap();
    assert!((90_000..100_000).contains(&highest), "{highest}");

    let late = rows(&Options { out_of_order: Fraction(0.1), ..options() });
    let mut newest = i64::MIN;
    let out_of_order = share(&late, |_| true)
        * late
            .iter()
            .filter(|row| {
                newest = newest.max(row.time);
                row.time < newest
            })
            .count() as f64
        / late.len() as f64;
    assert!((0.02..0.2).contains(&out_of_order), "{out_of_order}");

    let tied = rows(&Options { ties: Fraction(0.3), ..options() });
    let mut last: HashMap<u64, i64> = HashMap::new();
    let ties = tied.iter().filter(|row| last.insert(row.visitor, row.time) == Some(row.time)).count() as f64;
    assert!((0.15..0.3).contains(&(ties / tied.len() as f64)), "{ties}");

    let robots = rows(&Options { bots: Fraction(0.01), ..options() });
    let visitors = events_by_visitor(&robots);
    let busy: usize = visitors.values().filter(|events| **events >= 300).sum();
    assert!((0.2..0.6).contains(&(busy as f64 / robots.len() as f64)), "{busy}");
}

#[test]
fn what_is_shuffled_is_the_same_in_another_order() {
    let rows = rows(&Options { events: Number(700_000), ..options() });
    let mut shuffle = Shuffle::new(1);
    rows.chunks(10_001).for_each(|rows| shuffle.add(rows).unwrap());
    let mut shuffled = Vec::new();
    shuffle
        .each(|rows| {
            shuffled.extend_from_slice(rows);
            Ok(())
        })
        .unwrap();
    let back = shuffled.windows(2).filter(|pair| pair[1].time < pair[0].time).count() as f64 / rows.len() as f64;
    assert!((0.45..0.55).contains(&back), "{back}");
    let key = |row: &Row| (row.time, row.visitor, row.kind, row.page);
    let mut sorted = [rows, shuffled];
    sorted.iter_mut().for_each(|rows| rows.sort_unstable_by_key(key));
    assert!(sorted[0] == sorted[1]);
}

#[test]
fn options_that_make_no_sense_are_refused() {
    let refused = |options: Options| {
        let error = options.write(Path::new("nowhere/log.csv")).unwrap_err();
        assert!(error.advice().is_some(), "{error}");
        error.to_string()
    };
    assert!(refused(Options { events: Number(0), ..options() }).contains("at least one event"));
    assert!(refused(Options { files: 0, ..options() }).contains("one file"));
    assert!(refused(Options { files: 30_001, ..options() }).contains("more files"));
    assert!(refused(Options { pages: Number(3), ..options() }).contains("pages"));
    let both = Options { shuffle: true, out_of_order: Fraction(0.1), ..options() };
    assert!(refused(both).contains("shuffled"));
    let error = options().write(Path::new("log.xlsx")).unwrap_err();
    assert!(error.to_string().contains("suffix"), "{error}");
}

#[test]
fn names_of_several_files_are_numbered() {
    let names = Options { files: 12, ..options() }.names(Path::new("logs/events.parquet"));
    assert_eq!(names[0], Path::new("logs/events-01.parquet"));
    assert_eq!(names[11], Path::new("logs/events-12.parquet"));
}
