use proptest::prelude::*;

use super::*;

fn durations(values: impl IntoIterator<Item = i64>) -> Durations {
    let mut durations = Durations::default();
    values.into_iter().for_each(|micros| durations.add(micros));
    durations
}

/// The plain answer: everything in a list, sorted.
fn plain(values: &[i64], percent: f64) -> Option<(f64, f64, f64)> {
    let mut values: Vec<i64> = values.iter().map(|&micros| micros.max(0)).collect();
    values.sort_unstable();
    let count = values.len();
    let at = |rank: usize| values[rank - 1] as f64 / 1e6;
    let median = |count: usize| f64::midpoint(at(count.div_ceil(2)), at(count / 2 + 1));
    let mean = |values: &[i64]| values.iter().sum::<i64>() as f64 / 1e6 / count as f64;
    (count > 0).then(|| (mean(&values), median(count), at((percent * count as f64 / 100.0).ceil() as usize)))
}

fn near(a: f64, b: f64, error: f64) -> bool {
    (a - b).abs() <= error * b.abs() + 1e-12
}

#[test]
fn none_say_nothing_and_take_no_memory() {
    assert_eq!(Durations::default().summary(95), None);
    assert_eq!(ExactDurations::default().summary(95).unwrap(), None);
    assert_eq!(Durations::default().bytes(), 0);
    assert_eq!(size_of::<Durations>(), 3 * size_of::<usize>());
}

#[test]
fn one_is_its_own_mean_median_and_percentile() {
    let second = Summary { mean: 1.0, median: 1.0, percentile: 1.0, exact: true };
    assert_eq!(durations([1_000_000]).summary(95), Some(second));
    assert_eq!(durations([-5]).summary(50).map(|summary| summary.mean), Some(0.0));
}

#[test]
fn the_median_of_an_even_number_lies_between() {
    let summary = durations([4_000_000, 1_000_000, 2_000_000, 1_000_000]).summary(95).unwrap();
    assert_eq!((summary.mean, summary.median, summary.percentile), (2.0, 1.5, 4.0));
}

#[test]
fn percentiles_are_nearest_ranks() {
    let seconds = |count: i64| durations((1..=count).map(|second| second * 1_000_000));
    let at = |count, percent| seconds(count).summary(percent).unwrap().percentile;
    assert_eq!([at(20, 95), at(21, 95), at(10, 90), at(3, 0), at(3, 100)], [19.0, 20.0, 9.0, 1.0, 3.0]);
}

#[test]
fn longer_are_those_beyond_the_percentile() {
    let longer = |values: &[i64], percent| durations(values.iter().copied()).longer(percent);
    assert_eq!(longer(&[], 95), 0);
    assert_eq!(longer(&[7], 95), 0);
    assert_eq!(longer(&[1, 2, 3, 4], 50), 2);
    assert_eq!(longer(&[4, 2, 2, 2], 50), 1, "those equal to the percentile are not longer");
    // The percentile is 9,499, in the bucket from 74 × 128 to 75 × 128 − 1.
    assert_eq!(durations(0..10_000).longer(95), 10_000 - 75 * 128, "of a histogram whole buckets");
}

#[test]
fn the_histogram_begins_at_the_4097th_distinct_value() {
    let many = |count: i64| (0..count).flat_map(|micros| [micros * 1000; 3]);
    assert!(durations(many(4096)).summary(95).unwrap().exact);
    assert!(!durations(many(4097)).summary(95).unwrap().exact);

    let halves = |count: i64| {
        let mut half = durations(many(count).filter(|micros| micros % 2000 == 0));
        half.merge(durations(many(count).filter(|micros| micros % 2000 != 0)));
        half.summary(95).unwrap()
    };
    assert_eq!(Some(halves(4096)), durations(many(4096)).summary(95));
    assert_eq!(Some(halves(4097)), durations(many(4097)).summary(95));
}

#[test]
fn buckets_follow_one_another_and_hold_their_middle() {
    for bucket in 0..Histogram::BUCKETS {
        let middle = (Histogram::twice_middle(bucket) / 2) as i64;
        assert_eq!(Histogram::bucket(middle), bucket);
    }
    assert_eq!(Histogram::BUCKETS, 3712);
}

#[test]
fn the_longest_durations_do_not_overflow() {
    let mut all = durations((0..5000).map(|less| i64::MAX - less * (1 << 50)));
    all.merge(durations([i64::MAX; 10]));
    let summary = all.summary(100).unwrap();
    assert!(!summary.exact && near(summary.percentile, i64::MAX as f64 / 1e6, 0.01));
}

#[test]
fn what_was_written_is_read_again() {
    for all in [durations([]), durations([7, 7, 0]), durations((0..2000).map(|n| n % 100)), durations(0..5000)] {
        let mut bytes = Vec::new();
        all.write(&mut bytes);
        assert_eq!(Durations::read(&mut &bytes[..]).unwrap().summary(95), all.summary(95));
        assert!(Durations::read(&mut &bytes[..bytes.len() - 1]).is_err());
    }
}

proptest! {
    #[test]
    fn exact_durations_are_the_same_on_disk(values in prop::collection::vec(-5..3000i64, 0..500), every in 1..100usize) {
        let spill = Arc::new(Spill::new().worth(0));
        let (mut on_disk, mut mixed, mut kept) = <[ExactDurations; 3]>::default().into();
        for (n, &micros) in values.iter().enumerate() {
            kept.add(micros);
            if n % 3 == 0 { mixed.add(micros) } else { on_disk.add(micros) }
            if n % every == 0 {
                on_disk.relieve(&spill).unwrap();
            }
        }
        mixed.merge(on_disk);
        prop_assert_eq!(mixed.summary(90).unwrap(), kept.summary(90).unwrap());
    }

    #[test]
    fn few_values_are_exact(values in prop::collection::vec(-5..3000i64, 0..2000)) {
        let expected = plain(&values, 95.0);
        let mut kept = ExactDurations::default();
        values.iter().for_each(|&micros| kept.add(micros));
        for summary in [durations(values).summary(95), kept.summary(95).unwrap()] {
            let found = summary.map(|s| (s.mean, s.median, s.percentile));
            prop_assert_eq!(found.is_some(), expected.is_some());
            let pairs = found.zip(expected).map(|(a, b)| [(a.0, b.0), (a.1, b.1), (a.2, b.2)]);
            prop_assert!(pairs.iter().flatten().all(|(a, b)| near(*a, *b, 1e-12)));
            prop_assert!(summary.is_none_or(|summary| summary.exact));
        }
    }

    #[test]
    fn longer_equals_the_plain_count(values in prop::collection::vec(0..50i64, 1..300), percent in 0..=100u64) {
        let mut sorted = values.clone();
        sorted.sort_unstable();
        let at = sorted[(percent as usize * sorted.len()).div_ceil(100).max(1) - 1];
        prop_assert_eq!(durations(values.clone()).longer(percent), values.iter().filter(|&&value| value > at).count() as u64);
    }

    #[test]
    fn the_histogram_is_within_one_percent(
        froms in prop::collection::vec(0..1i64 << 40, 10), spread in 1..1i64 << 20,
    ) {
        let values: Vec<i64> = froms.iter().flat_map(|&from| (0..1000).map(move |n| from + n * spread)).collect();
        let (mean, median, percentile) = plain(&values, 95.0).unwrap();
        let summary = durations(values).summary(95).unwrap();
        prop_assert!(near(summary.mean, mean, 1e-12));
        prop_assert!(near(summary.median, median, 0.01) && near(summary.percentile, percentile, 0.01));
    }

    #[test]
    fn merging_has_no_order(
        parts in prop::collection::vec((0..20_000i64, 0..4500i64, 1..3i64), 3),
        order in Just([0usize, 1, 2]).prop_shuffle(),
    ) {
        let part = |n: usize| durations((0..parts[n].1).map(|step| parts[n].0 + step * parts[n].2));
        let together = durations((0..3).flat_map(|n| (0..parts[n].1).map(move |step| (n, step)))
            .map(|(n, step)| parts[n].0 + step * parts[n].2));
        let [a, b, c] = order.map(part);
        let (mut left, mut right) = (a.clone(), b.clone());
        left.merge(b);
        left.merge(c.clone());
        right.merge(c);
        let mut outer = a;
        outer.merge(right);
        let expected = together.summary(95);
        prop_assert_eq!(left.summary(95), expected);
        prop_assert_eq!(outer.summary(95), expected);
    }
}
