use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

/// The plain answer: a map.
type Plain = BTreeMap<Vec<Code>, [u64; 2]>;

fn plain<'a>(sequences: impl IntoIterator<Item = &'a Vec<Code>>) -> Plain {
    let mut plain = Plain::new();
    for (number, sequence) in sequences.into_iter().enumerate() {
        add(plain.entry(sequence.clone()).or_default(), &[1, number as u64]);
    }
    plain
}

fn count(into: &mut Sequences<2>, number: usize, sequence: &[Code]) {
    let place = into.place(sequence);
    add(into.sums(place), &[1, number as u64]);
}

fn drained(sequences: Sequences<2>) -> Plain {
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
    let mut sequences = Sequences::<2>::default();
    assert_eq!(sequences.bytes(), 0);
    let spill = spill();
    sequences.spill(&spill).unwrap();
    assert_eq!(spill.bytes(), 0);
    sequences.merge(Sequences::default());
    assert_eq!(drained(sequences), Plain::new());
}

#[test]
fn a_sequence_keeps_its_place_while_others_come_in() {
    let mut sequences = Sequences::<2>::default();
    let places: Vec<u32> = (0..10_000).map(|n| sequences.place(&[n, n % 7])).collect();
    assert!(places.iter().copied().eq(0..10_000));
    let again: Vec<u32> = (0..10_000).map(|n| sequences.place(&[n, n % 7])).collect();
    assert_eq!(places, again);
    let [empty, first, other] = [&[][..], &[0], &[0, 0, 0]].map(|sequence| sequences.place(sequence));
    assert_eq!([empty, first, other], [10_000, 10_001, 10_002]);
}

#[test]
fn spilling_gives_the_memory_back() {
    let (mut sequences, spill) = (Sequences::<2>::default(), spill());
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
    let (mut sequences, spill) = (Sequences::<2>::default(), spill());
    let long: Vec<Code> = (0..100_000).map(|n| Code::MAX - n).collect();
    for sequence in [&[][..], &[Code::MAX], &long] {
        let place = sequences.place(sequence);
        *sequences.sums(place) = [u64::MAX, 0];
    }
    sequences.spill(&spill).unwrap();
    let expected = [vec![], vec![Code::MAX], long].map(|sequence| (sequence, [u64::MAX, 0]));
    assert_eq!(drained(sequences), Plain::from(expected));
}

#[test]
fn a_file_that_is_cut_short_is_an_error() {
    let (mut sequences, spill) = (Sequences::<2>::default(), spill());
    count(&mut sequences, 1, &[1, 2, 3]);
    sequences.spill(&spill).unwrap();
    sequences.runs[0].sequences = 2;
    assert!(sequences.drain(|_, _| ()).unwrap_err().advice().is_some());
}

/// Sequences that begin alike and come often, of small and of large codes.
fn sequences() -> impl Strategy<Value = Vec<Vec<Code>>> {
    let code = prop::sample::select(vec![1, 2, 3, 127, 128, 1 << 20, Code::MAX]);
    prop::collection::vec(prop::collection::vec(code, 0..5), 0..200)
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
