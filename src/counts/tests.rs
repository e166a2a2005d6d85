use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::ids::Code;

/// The counter of paths.
type Sequences = Counts<[Code], [u64; 2]>;

/// The plain answer: a map.
type Plain = BTreeMap<Vec<Code>, [u64; 2]>;

fn plain<'a>(sequences: impl IntoIterator<Item = &'a Vec<Code>>) -> Plain {
    let mut plain = Plain::new();
    for (number, sequence) in sequences.into_iter().enumerate() {
        plain.entry(sequence.clone()).or_default().add([1, number as u64]);
    }
    plain
}

fn count(into: &mut Sequences, number: usize, sequence: &[Code]) {
    into.at(sequence).add([1, number as u64]);
}

fn drained(sequences: Sequences) -> Plain {
    let mut found = Plain::new();
    let each = |sequence: &[Code], sums| {
        assert!(found.insert(sequence.to_vec(), sums).is_none(), "{sequence:?} comes twice");
    };
    sequences.drain(each).unwrap();
    found
}

fn spill() -> Arc<Spill> {
    Arc::new(Spill::new())
}

#[test]
fn of_nothing_there_is_nothing() {
    let mut sequences = Sequences::default();
    assert_eq!(sequences.bytes(), 0);
    let spill = spill();
    sequences.spill(&spill).unwrap();
    assert_eq!(spill.bytes(), 0);
    sequences.merge(Sequences::default());
    assert_eq!(drained(sequences), Plain::new());
}

#[test]
fn a_sequence_keeps_its_place_while_others_come_in() {
    let mut sequences = Sequences::default();
    let places: Vec<usize> = (0..10_000).map(|n| sequences.place(&[n, n % 7])).collect();
    assert!(places.iter().copied().eq(0..10_000));
    let again: Vec<usize> = (0..10_000).map(|n| sequences.place(&[n, n % 7])).collect();
    assert_eq!(places, again);
    let [empty, first, other] = [&[][..], &[0], &[0, 0, 0]].map(|sequence: &[Code]| sequences.place(sequence));
    assert_eq!([empty, first, other], [10_000, 10_001, 10_002]);
}

#[test]
fn spilling_gives_the_memory_back() {
    let (mut sequences, spill) = (Sequences::default(), spill());
    (0..10_000u32).for_each(|n| count(&mut sequences, 1, &[n, n, n]));
    let before = sequences.bytes();
    assert!(before > 10_000 * 40, "{before}");
    sequences.spill(&spill).unwrap();
    assert!(sequences.bytes() < 1000, "{}", sequences.bytes());
    assert!(spill.bytes() > 10_000 && (spill.bytes() as usize) < before / 4, "{}", spill.bytes());
    assert_eq!(drained(sequences).len(), 10_000);
}

#[test]
fn the_largest_numbers_come_back() {
    let (mut sequences, spill) = (Sequences::default(), spill());
    let long: Vec<Code> = (0..100_000).map(|n| Code::MAX - n).collect();
    for sequence in [&[][..], &[Code::MAX], &long] {
        *sequences.at(sequence) = [u64::MAX, 0];
    }
    sequences.spill(&spill).unwrap();
    let expected = [vec![], vec![Code::MAX], long].map(|sequence| (sequence, [u64::MAX, 0]));
    assert_eq!(drained(sequences), Plain::from(expected));
}

#[test]
fn a_file_that_is_cut_short_is_an_error() {
    let (mut sequences, spill) = (Sequences::default(), spill());
    count(&mut sequences, 1, &[1, 2, 3]);
    sequences.spill(&spill).unwrap();
    sequences.runs.damage();
    assert!(sequences.drain(|_, _| ()).unwrap_err().advice().is_some());
}

/// Sequences that begin alike and come often, of small and of large codes.
fn sequences() -> impl Strategy<Value = Vec<Vec<Code>>> {
    let code = prop::sample::select(vec![1, 2, 3, 127, 128, 1 << 20, Code::MAX]);
    prop::collection::vec(prop::collection::vec(code, 0..5), 0..200)
}

#[test]
fn a_grid_counts_the_same_with_and_without_its_array() {
    let largest_small = Grid::<u64>::SMALL / 16;
    let cases = [
        (1, 5003, true),
        (100, 5003, true),
        (largest_small, 5003, true),
        (largest_small + 1, 5003, false),
        (largest_small + 1, largest_small / 2 + 1, true),
        (u64::MAX, 5003, false),
    ];
    for (bound, distinct, in_array) in cases {
        let (mut grid, mut plain) = (Grid::<u64>::new(bound), BTreeMap::new());
        let spill = Arc::new(Spill::new().worth(0));
        for n in 0..3 * distinct {
            let number = n * 7919 % distinct % bound;
            *grid.at(number) += 1;
            *plain.entry(number).or_default() += 1;
            if n == distinct {
                assert_eq!(grid.dense.is_empty(), !in_array, "{bound} {distinct}");
                grid.relieve(&spill).unwrap();
            }
        }
        assert_eq!(grid.dense.is_empty(), !in_array, "{bound} {distinct}");
        let mut found = BTreeMap::new();
        grid.drain(|number, count| assert!(found.insert(number, count).is_none())).unwrap();
        assert_eq!(found, plain);
    }
}

#[test]
fn numbers_come_in_order_however_they_were_spilled() {
    for every in [7, 100, 5000] {
        let (mut counts, spill) = (Counts::<u64, u64>::default(), Arc::new(Spill::new().worth(0)));
        for n in 0..1000u64 {
            *counts.at(&(n * 7919 % 503)) += n;
            if n % every == every - 1 {
                counts.relieve(&spill).unwrap();
            }
        }
        let mut found = Vec::new();
        counts.drain_in_order(|&number, sum| found.push((number, sum))).unwrap();
        let sum = |number| (0..1000u64).filter(|n| n * 7919 % 503 == number).sum();
        assert_eq!(found, (0..503).map(|number| (number, sum(number))).collect::<Vec<_>>());
    }
}

#[test]
fn marks_tell_the_first_of_a_journey_and_of_a_visitor() {
    let (mut turn, mut marks) = (Turn::default(), [Mark::default(); 3]);
    let journeys = [(true, [0, 0, 2]), (false, [0, 1, 1]), (true, [1, 0, 2])];
    let (first, again, known) = ((true, true), (false, false), (true, false));
    let expected = [[first, again, first], [known, first, again], [first, first, first]];
    for ((new_visitor, keys), expected) in journeys.into_iter().zip(expected) {
        if new_visitor {
            turn.next_visitor();
        }
        turn.next_journey();
        assert_eq!(keys.map(|key| turn.first(&mut marks[key])), expected);
    }
}

#[test]
fn grids_merge_whether_or_not_they_have_an_array() {
    let grid = |numbers: std::ops::Range<u64>| {
        let mut grid = Grid::<u64>::new(1000);
        numbers.for_each(|number| *grid.at(number) += number + 1);
        grid
    };
    for (left, right) in [(0..300, 100..1000), (0..3, 1..300), (1..300, 0..3), (0..2, 1..3)] {
        let mut merged = grid(left.clone());
        merged.merge(grid(right.clone()));
        let mut found = BTreeMap::new();
        merged.drain(|number, sum| assert!(found.insert(number, sum).is_none())).unwrap();
        let times = |number: u64| u64::from(left.contains(&number)) + u64::from(right.contains(&number));
        let expected = (0..1000).map(|number| (number, times(number) * (number + 1))).filter(|(_, sum)| *sum > 0);
        assert_eq!(found, expected.collect());
    }
}

proptest! {
    #[test]
    fn spilling_at_any_time_changes_nothing(all in sequences(), every in 1..20usize) {
        let (mut counted, spill) = (Sequences::default(), spill());
        for (number, sequence) in all.iter().enumerate() {
            count(&mut counted, number, sequence);
            if number % every == 0 {
                counted.spill(&spill).unwrap();
            }
        }
        prop_assert_eq!(drained(counted), plain(&all));
    }

    #[test]
    fn parts_merge_to_the_whole_whichever_of_them_spilled(
        all in sequences(), spilled in any::<[bool; 3]>(), order in Just([0usize, 1, 2]).prop_shuffle(),
    ) {
        let spill = spill();
        let part = |n: usize| {
            let mut part = Sequences::default();
            for (number, sequence) in all.iter().enumerate().filter(|(number, _)| number % 3 == n) {
                count(&mut part, number, sequence);
                if spilled[n] && number % 5 == 0 {
                    part.spill(&spill).unwrap();
                }
            }
            part
        };
        let [mut left, b, c] = order.map(part);
        left.merge(b);
        left.merge(c);
        prop_assert_eq!(drained(left), plain(&all));

        let [mut outer, mut right, c] = order.map(part);
        right.merge(c);
        outer.merge(right);
        prop_assert_eq!(drained(outer), plain(&all));
    }

    #[test]
    fn numbers_come_back(numbers in prop::collection::vec(any::<u64>(), 0..20)) {
        let mut bytes = Vec::new();
        numbers.iter().for_each(|&number| write_number(&mut bytes, number));
        let mut reader = &bytes[..];
        let read: Vec<u64> = numbers.iter().map(|_| read_number(&mut reader).unwrap()).collect();
        prop_assert_eq!(read, numbers);
        prop_assert!(reader.is_empty());
    }
}
