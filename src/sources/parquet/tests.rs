use std::sync::{Arc, Mutex};

use arrow_array::cast::AsArray;
use arrow_array::types::*;
use arrow_array::*;
use arrow_buffer::NullBuffer;
use arrow_schema::{DataType, Field, Fields};
use parquet::arrow::ArrowWriter;
use parquet::file::properties::WriterProperties;

use super::*;
use crate::events::{Origin, RawBatch};
use crate::sources::{TextOptions, UseAs};

const ROWS: usize = 1000;
const NAMES: [&str; 3] = ["view", "add", "purchase"];

fn named(columns: Vec<(&str, ArrayRef)>) -> RecordBatch {
    RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, array)| (name, array, true))).unwrap()
}

/// A file of row groups of 300 rows.
fn written(batch: &RecordBatch) -> Vec<u8> {
    let properties = WriterProperties::builder()
        .set_max_row_group_row_count(Some(300))
        .set_data_page_row_count_limit(100)
        .set_write_batch_size(50)
        .set_column_dictionary_enabled("id".into(), false)
        .build();
    let mut bytes = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut bytes, batch.schema(), Some(properties)).unwrap();
    writer.write(batch).unwrap();
    writer.close().unwrap();
    bytes
}

fn log() -> RecordBatch {
    let rows = || 0..ROWS as i64;
    named(vec![
        ("id", Arc::new(StringArray::from_iter_values(rows().map(|row| format!("visitor {row}"))))),
        ("ts", Arc::new(TimestampMicrosecondArray::from_iter_values(rows()).with_timezone("UTC"))),
        ("event", Arc::new(StringArray::from_iter(rows().map(name)))),
        ("paid", Arc::new(BooleanArray::from_iter(rows().map(|row| (row % 5 != 0).then_some(row % 2 == 0))))),
    ])
}

fn name(row: i64) -> Option<&'static str> {
    (row % 7 != 0).then_some(NAMES[row as usize % 3])
}

fn source(bytes: &[u8]) -> (tempfile::TempDir, Result<Option<Box<dyn Source>>>) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log.parquet");
    std::fs::write(&path, bytes).unwrap();
    (folder, Opening::new(&path, &TextOptions::default()).and_then(|mut opening| super::open(&mut opening)))
}

/// All batches in file order, read by `threads` threads.
fn read(source: &dyn Source, wanted: &[Wanted], threads: usize) -> Result<Vec<RawBatch>> {
    let reader = source.read(wanted)?;
    let splits = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        let work = || {
            while let Some(split) = reader.next()? {
                let batches = split.batches.collect::<Result<Vec<_>>>()?;
                splits.lock().unwrap().push((split.number, batches));
            }
            Ok(())
        };
        let threads: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        threads.into_iter().try_for_each(|thread| thread.join().unwrap())
    })?;
    let mut splits = splits.into_inner().unwrap();
    splits.sort_by_key(|(number, _)| *number);
    assert!(splits.iter().enumerate().all(|(at, (number, _))| at == *number as usize));
    Ok(splits.into_iter().flat_map(|(_, batches)| batches).collect())
}

fn wanted(source: &dyn Source, columns: &[(&str, UseAs)]) -> Vec<Wanted> {
    let place = |name: &str| source.columns().iter().position(|column| column == name).unwrap();
    columns.iter().map(|(name, use_as)| Wanted { column: place(name), use_as: *use_as }).collect()
}

/// One column of a file, batch by batch.
fn column(batch: &RecordBatch, name: &str, use_as: UseAs) -> Vec<ArrayRef> {
    let (_folder, source) = source(&written(batch));
    let source = source.unwrap().unwrap();
    let batches = read(&*source, &wanted(&*source, &[(name, use_as)]), 1).unwrap();
    batches.into_iter().map(|batch| batch.columns[0].clone()).collect()
}

/// A column of dictionary codes as texts.
fn texts(arrays: &[ArrayRef]) -> Vec<Option<String>> {
    let texts = |array: &ArrayRef| {
        let codes = array.as_dictionary::<Int32Type>();
        let values = codes.downcast_dict::<StringArray>().unwrap();
        values.into_iter().map(|text| text.map(str::to_owned)).collect::<Vec<_>>()
    };
    arrays.iter().flat_map(texts).collect()
}

fn names() -> Vec<Option<String>> {
    (0..ROWS as i64).map(|row| name(row).map(str::to_owned)).collect()
}

#[test]
fn rows_come_in_order_from_any_number_of_threads() {
    let (_folder, source) = source(&written(&log()));
    let source = source.unwrap().unwrap();
    assert_eq!(source.columns(), ["id", "ts", "event", "paid"]);
    assert_eq!(source.describe(), "Parquet, uncompressed, 4 row groups");
    let wanted = wanted(&*source, &[("event", UseAs::Names), ("ts", UseAs::Values), ("id", UseAs::Ids)]);
    for threads in [1, 2, 7] {
        let batches = read(&*source, &wanted, threads).unwrap();
        let mut row = 0;
        for batch in &batches {
            assert!(matches!(batch.origin, Origin::Rows { first } if first == row as u64 + 1));
            let (times, ids) =
                (batch.columns[1].as_primitive::<TimestampMicrosecondType>(), batch.columns[2].as_string_view());
            for at in 0..batch.rows {
                assert_eq!((times.value(at), ids.value(at)), (row, &*format!("visitor {row}")));
                row += 1;
            }
        }
        assert_eq!(row, ROWS as i64);
        assert_eq!(batches.iter().map(|batch| batch.bytes).sum::<u64>(), source.bytes());
        assert_eq!(texts(&batches.iter().map(|batch| batch.columns[0].clone()).collect::<Vec<_>>()), names());
    }
}

#[test]
fn a_large_row_group_comes_in_several_batches_with_one_dictionary() {
    let names = StringArray::from_iter((0..70_000).map(name));
    let batch = named(vec![("event", Arc::new(names))]);
    let mut bytes = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut bytes, batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    let (_folder, source) = source(&bytes);
    let source = source.unwrap().unwrap();
    let batches = read(&*source, &wanted(&*source, &[("event", UseAs::Names)]), 2).unwrap();
    assert_eq!(batches.iter().map(|batch| batch.rows).collect::<Vec<_>>(), [16_384, 16_384, 16_384, 16_384, 4_464]);
    let first = batches.iter().map(|batch| batch.origin.place(0));
    assert_eq!(first.collect::<Vec<_>>(), [1, 16_385, 32_769, 49_153, 65_537]);
    assert_eq!(batches.iter().map(|batch| batch.bytes).sum::<u64>(), source.bytes());
    assert!(batches[0].bytes > 3 * batches[4].bytes);
    let values = |at: usize| batches[at].columns[0].as_dictionary::<Int32Type>().values();
    assert!(values(0).to_data().ptr_eq(&values(4).to_data()));
}

#[test]
fn row_groups_outside_of_the_asked_times_are_counted_but_not_read() {
    let read = |batch: &RecordBatch, from, to| {
        let (_folder, source) = source(&written(batch));
        let source = source.unwrap().unwrap();
        let mut reader = source.read(&wanted(&*source, &[("id", UseAs::Ids), ("ts", UseAs::Values)])).unwrap();
        reader.limit_times(1, from, to);
        let (mut seen, mut bytes) = (Vec::new(), 0);
        while let Some(split) = reader.next().unwrap() {
            let outside = split.outside;
            let batches: Vec<RawBatch> = split.batches.map(|batch| batch.unwrap()).collect();
            bytes += outside.bytes + batches.iter().map(|batch| batch.bytes).sum::<u64>();
            seen.push((batches.iter().map(|batch| batch.rows).sum::<usize>(), outside.records));
        }
        assert_eq!(bytes, source.bytes(), "the progress bar comes to its end");
        seen
    };
    // Row groups of 300 rows, a row each µs.
    let all = [(300, 0), (300, 0), (300, 0), (100, 0)];
    assert_eq!(read(&log(), i64::MIN, i64::MAX), all);
    assert_eq!(read(&log(), 350, 601), [(0, 300), (300, 0), (300, 0), (0, 100)]);
    assert_eq!(read(&log(), 300, 600), [(0, 300), (300, 0), (0, 300), (0, 100)]);
    assert_eq!(read(&log(), 2000, 3000), [(0, 300), (0, 300), (0, 300), (0, 100)]);
    // A row without a time is rejected, so it must be read; a local time depends on the zone; a text is none yet.
    let with = |times: ArrayRef| {
        let id = Arc::clone(log().column(0));
        named(vec![("id", id), ("ts", times)])
    };
    let nulls = (0..ROWS as i64).map(|row| (row != 700).then_some(row));
    let nulls = with(Arc::new(TimestampMicrosecondArray::from_iter(nulls).with_timezone("UTC")));
    assert_eq!(read(&nulls, 2000, 3000), [(0, 300), (0, 300), (300, 0), (0, 100)]);
    let local = with(Arc::new(TimestampMicrosecondArray::from_iter_values(0..ROWS as i64)));
    assert_eq!(read(&local, 2000, 3000), all);
    let texts = with(Arc::new(StringArray::from_iter_values((0..ROWS).map(|row| row.to_string()))));
    assert_eq!(read(&texts, 2000, 3000), all);
}

#[test]
fn a_forgotten_column_is_not_read_from_the_next_row_group_on() {
    let (_folder, source) = source(&written(&log()));
    let source = source.unwrap().unwrap();
    let columns = ["paid", "event", "ts"].map(|name| (name, UseAs::Values));
    let reader = source.read(&wanted(&*source, &columns)).unwrap();
    let mut types = Vec::new();
    for forgotten in [None, Some(1), Some(1), Some(2)] {
        forgotten.into_iter().for_each(|column| reader.forget(column));
        for batch in reader.next().unwrap().unwrap().batches {
            let batch = batch.unwrap();
            assert!(batch.columns.iter().all(|column| column.len() == batch.rows));
            types.push(batch.columns.iter().map(|column| column.data_type().clone()).collect::<Vec<_>>());
        }
    }
    let (event, time) = (&types[0][1], &types[0][2]);
    let [bool, null] = [DataType::Boolean, DataType::Null];
    assert!(*event != null && *time != null);
    let expected = [[&bool, event, time], [&bool, &null, time], [&bool, &null, time], [&bool, &null, &null]];
    assert_eq!(types.iter().map(|types| types.iter().collect::<Vec<_>>()).collect::<Vec<_>>(), expected);
}

#[test]
fn names_have_the_dictionary_of_the_file_whatever_their_arrow_type() {
    let plain = StringArray::from(names());
    let keys: DictionaryArray<Int8Type> = plain.iter().collect();
    let types: [ArrayRef; 4] = [
        Arc::new(LargeStringArray::from_iter(plain.iter())),
        Arc::new(StringViewArray::from_iter(plain.iter())),
        Arc::new(keys),
        Arc::new(plain),
    ];
    for array in types {
        let arrays = column(&named(vec![("event", array)]), "event", UseAs::Names);
        assert_eq!(arrays[0].as_dictionary::<Int32Type>().values().len(), NAMES.len());
        assert_eq!(texts(&arrays), names());
    }
}

#[test]
fn names_without_a_dictionary_and_bytes_are_views() {
    let ids = column(&log(), "id", UseAs::Names);
    assert_eq!(ids[0].as_string_view().value(7), "visitor 7");
    let bytes = BinaryArray::from_iter_values(["a".as_bytes(), b"\xff"]);
    let bytes = column(&named(vec![("event", Arc::new(bytes))]), "event", UseAs::Names);
    assert_eq!(bytes[0].as_binary_view().value(1), b"\xff");
}

#[test]
fn other_types_are_kept() {
    let types: [ArrayRef; 10] = [
        Arc::new(TimestampMillisecondArray::from(vec![Some(1), None])),
        Arc::new(TimestampMicrosecondArray::from(vec![Some(1), None]).with_timezone("UTC")),
        Arc::new(TimestampNanosecondArray::from(vec![Some(1), None]).with_timezone("UTC")),
        Arc::new(Date32Array::from(vec![Some(1), None])),
        Arc::new(Int16Array::from(vec![Some(-1), None])),
        Arc::new(Int64Array::from(vec![Some(i64::MIN), None])),
        Arc::new(UInt64Array::from(vec![Some(u64::MAX), None])),
        Arc::new(Float64Array::from(vec![Some(0.5), None])),
        Arc::new(BooleanArray::from(vec![Some(true), None])),
        Arc::new(Decimal128Array::from(vec![Some(1999), None]).with_precision_and_scale(10, 2).unwrap()),
    ];
    for array in types {
        assert_eq!(&column(&named(vec![("x", Arc::clone(&array))]), "x", UseAs::Values), &[array]);
    }
    let seconds = column(&named(vec![("x", Arc::new(TimestampSecondArray::from(vec![9])))]), "x", UseAs::Values);
    assert_eq!(seconds[0].as_primitive::<Int64Type>().value(0), 9, "Parquet has no seconds");
}

#[test]
fn fields_of_structs_have_dotted_names() {
    let (kind, size) = (Field::new("kind", DataType::Utf8, true), Field::new("size", DataType::Int64, false));
    let children: Vec<ArrayRef> =
        vec![Arc::new(StringArray::from(vec![Some("phone"), None, None])), Arc::new(Int64Array::from(vec![1, 2, 3]))];
    let nulls = NullBuffer::from(vec![true, true, false]);
    let device = StructArray::new(Fields::from(vec![kind, size]), children, Some(nulls));
    let list = ListArray::from_iter_primitive::<Int32Type, _, _>([Some(vec![Some(1)]), None, Some(vec![])]);
    let batch = named(vec![
        ("list", Arc::new(list)),
        ("device", Arc::new(device)),
        ("x", Arc::new(Int64Array::from(vec![7, 8, 9]))),
    ]);
    let (_folder, source) = source(&written(&batch));
    let source = source.unwrap().unwrap();
    assert_eq!(source.columns(), ["device.kind", "device.size", "x"]);
    let wanted =
        wanted(&*source, &[("x", UseAs::Values), ("device.size", UseAs::Values), ("device.kind", UseAs::Names)]);
    let batches = read(&*source, &wanted, 1).unwrap();
    let columns = &batches[0].columns;
    assert_eq!(columns[0].as_primitive::<Int64Type>().values(), &[7, 8, 9]);
    assert_eq!(columns[1].as_primitive::<Int64Type>(), &Int64Array::from(vec![Some(1), Some(2), None]));
    assert_eq!(texts(&columns[2..]), [Some("phone".to_owned()), None, None]);
}

#[test]
fn files_without_rows_are_fine() {
    let empty = log().slice(0, 0);
    let (_folder, source) = source(&written(&empty));
    let source = source.unwrap().unwrap();
    assert!(read(&*source, &wanted(&*source, &[("id", UseAs::Ids)]), 2).unwrap().is_empty());
}

#[test]
fn other_formats_are_left_to_others_and_encryption_is_named() {
    assert!(source(b"ts,event\n").1.unwrap().is_none());
    assert!(source(b"").1.unwrap().is_none());
    let error = source(b"PARE....").1.err().unwrap();
    assert!(error.to_string().ends_with("the Parquet file is encrypted"), "{error}");
}

#[test]
fn a_file_that_is_cut_off_says_so() {
    let bytes = written(&log());
    for length in [4, 8, 11, 12, 100, bytes.len() / 2, bytes.len() - 9, bytes.len() - 1] {
        let error = source(&bytes[..length]).1.err().unwrap();
        assert!(error.to_string().contains("log.parquet: the Parquet file is cut off"), "{length}: {error}");
        assert!(error.advice().is_some());
    }
}

#[test]
fn a_damaged_footer_or_page_says_so() {
    let bytes = written(&log());
    let mut footer = bytes.clone();
    let length = bytes.len();
    footer[length - 400..length - 8].fill(0xA5);
    let error = source(&footer).1.err().unwrap();
    assert!(error.to_string().contains("the Parquet file is damaged"), "{error}");
    let mut page = bytes;
    page[4..60].fill(0xA5);
    let (_folder, source) = source(&page);
    let source = source.unwrap().unwrap();
    let error = read(&*source, &wanted(&*source, &[("id", UseAs::Ids)]), 1).err().unwrap();
    assert!(error.to_string().contains("row group 0 of the Parquet file is damaged"), "{error}");
}

/// Whatever single byte is wrong, reading gives rows or an error.
#[test]
fn no_wrong_byte_panics() {
    let bytes = written(&log().slice(0, 40));
    for at in (4..bytes.len() - 8).step_by(7) {
        for change in [0x01, 0x80, 0xFF] {
            let mut wrong = bytes.clone();
            wrong[at] ^= change;
            let (_folder, source) = source(&wrong);
            let Ok(Some(source)) = source else { continue };
            let wanted = (0..source.columns().len()).map(|column| Wanted { column, use_as: UseAs::Names });
            let reader = source.read(&wanted.collect::<Vec<_>>()).unwrap();
            while let Ok(Some(split)) = reader.next() {
                split.batches.for_each(drop);
            }
        }
    }
}
