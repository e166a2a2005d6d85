use proptest::prelude::*;

use super::*;
use crate::ids::VisitorId;

type Event = (String, i64, [u64; 2], [u32; 3], Option<i64>);

/// Ids of every shape, and numbers that need any number of bytes above the least of them.
fn events() -> impl Strategy<Value = Vec<Event>> {
    let id = "[a-c]{1,2}|[0-9]{1,2}|[0-9a-f]{16}|[01]{32}|0000000[0-3]-0000-0000-0000-000000000000";
    let value = prop_oneof![9 => Just(None), 1 => (-5..5i64).prop_map(Some)];
    let events = prop::collection::vec((id, any::<(i64, [u64; 2], [u32; 3])>(), value), 1..60);
    (events, 0..64u32, any::<u64>()).prop_map(|(events, shift, least)| {
        let number = |number: u64| (number >> shift).saturating_add(least >> (shift / 2));
        let code = |number: u32| (number >> (shift / 2)).saturating_add(least as u32 >> (shift / 3));
        let shifted = events.into_iter().map(|(id, (time, numbers, codes), value)| {
            (id, time >> shift, numbers.map(number), codes.map(code), value)
        });
        shifted.collect()
    })
}

#[test]
fn columns_are_as_wide_as_their_numbers_differ() {
    let of = |numbers: &[u64]| Column::of(numbers.iter().copied());
    for (numbers, base, width) in [
        (vec![], 0, 0),
        (vec![7, 7], 7, 0),
        (vec![7, 262], 7, 1),
        (vec![7, 263], 7, 2),
        (vec![1 << 40, (1 << 40) + (1 << 24)], 1 << 40, 4),
        (vec![0, u64::MAX], 0, 8),
    ] {
        let column = of(&numbers);
        assert_eq!((column.present, column.base, column.width), (!numbers.is_empty(), base, width), "{numbers:?}");
    }
}

fn batch(events: &[Event], present: [bool; 4], valued: bool) -> EventBatch {
    let mut batch = EventBatch::default();
    batch.columns.dimensions.resize_with(1, Vec::new);
    let Columns { time, event, page, session, value, dimensions, bits } = &mut batch.columns;
    for (id, at, [own, mask], [name, place, device], amount) in events {
        batch.keys.push(VisitorId::parse(id.as_bytes()));
        time.push(*at);
        dimensions[0].push(*device);
        if present[0] {
            event.push(*name);
        }
        if present[1] {
            page.push(*place);
        }
        if present[2] {
            session.push(*own);
        }
        if present[3] {
            bits.push(*mask);
        }
        if valued {
            value.push(amount.unwrap_or(NO_VALUE));
        }
    }
    batch
}

proptest! {
    #[test]
    fn what_is_packed_comes_out_as_it_was(
        events in events(), present in prop::array::uniform4(any::<bool>()), valued in any::<bool>(), dense in any::<bool>(), bits in 0..4u32,
    ) {
        let mut events = events;
        if dense {
            events.iter_mut().for_each(|event| event.4 = event.4.or(Some(7)));
        }
        let (packed, mut packer, mut starts) = (batch(&events, present, valued), Packer::default(), Vec::new());
        let layout = packer.plan(&packed, bits, &mut starts);
        let mut bytes = vec![0xAA; starts[1 << bits].byte as usize];
        packer.pack(&packed, &layout, &starts, &mut bytes);
        let mut met = 0;
        for (partition, start) in starts.windows(2).enumerate() {
            let rows = (start[1].row - start[0].row) as usize;
            let block = Block::new(&layout, rows, &bytes[start[0].byte as usize..start[1].byte as usize]);
            let place = |id: VisitorId<'_>| (u128::from(place_hash(id.shape(), id.key())) << bits >> 64) as usize;
            let expected: Vec<Event> = events.iter().filter(|event| place(VisitorId::parse(event.0.as_bytes())) == partition).cloned().collect();
            prop_assert_eq!(rows, expected.len());
            met += rows;
            for ((shape, key, id), (text, ..)) in block.keys().zip(&expected) {
                let known = VisitorId::parse(text.as_bytes());
                prop_assert_eq!((shape, key), (known.shape(), known.key()));
                match known {
                    VisitorId::Narrow(..) => {}
                    VisitorId::Wide(_, number) => prop_assert_eq!(block.id(id), &number.to_le_bytes()),
                    VisitorId::Text(text) => prop_assert_eq!(block.id(id), text),
                }
            }
            // Into the places from the last to the first, over what an earlier partition left there.
            let mut columns = Columns { time: vec![1; 3], value: vec![1; 3], ..Columns::default() };
            block.make_room(rows, &mut columns);
            block.unpack(&(0..rows as u32).rev().collect::<Vec<_>>(), &mut columns);
            let backwards: Vec<Event> = expected.into_iter().rev().collect();
            let plain = batch(&backwards, present, valued).columns;
            prop_assert_eq!(format!("{columns:?}"), format!("{plain:?}"));
        }
        prop_assert_eq!(met, events.len());
    }
}
