use arrow_array::cast::AsArray;
use arrow_array::types::*;
use arrow_array::*;
use arrow_buffer::NullBuffer;
use arrow_ipc::CompressionType;
use arrow_ipc::writer::{DictionaryHandling, FileWriter, IpcWriteOptions, StreamWriter};
use arrow_schema::{DataType, Field, Fields, Schema};

use super::*;
use crate::error::ErrorKind;
use crate::events::{Origin, RawBatch};
use crate::sources::testing::{OneFile, batches, file};
use crate::sources::{TextOptions, UseAs};

#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    File,
    Stream,
}

const KINDS: [Kind; 2] = [Kind::File, Kind::Stream];

fn written(kind: Kind, parts: &[RecordBatch], compression: Option<CompressionType>) -> Vec<u8> {
    let options = IpcWriteOptions::default().try_with_compression(compression).unwrap();
    let mut bytes = Vec::new();
    let schema = parts[0].schema();
    match kind {
        Kind::File => {
            let mut writer = FileWriter::try_new_with_options(&mut bytes, &schema, options).unwrap();
            parts.iter().for_each(|part| writer.write(part).unwrap());
            writer.finish().unwrap();
        }
        Kind::Stream => {
            let mut writer = StreamWriter::try_new_with_options(&mut bytes, &schema, options).unwrap();
            parts.iter().for_each(|part| writer.write(part).unwrap());
            writer.finish().unwrap();
        }
    }
    bytes
}

fn named(columns: Vec<(&str, ArrayRef)>) -> RecordBatch {
    RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, array)| (name, array, true))).unwrap()
}

fn opened(bytes: &[u8]) -> Result<(Box<dyn Source>, OneFile)> {
    let file = file("log.feather", bytes);
    Ok((crate::sources::open(&file.path, &TextOptions::default())?, file))
}

fn wanted(source: &dyn Source, names: &[&str]) -> Vec<Wanted> {
    let place = |name: &&str| source.columns().iter().position(|column| column == name).unwrap();
    names.iter().map(|name| Wanted { column: place(name), use_as: UseAs::Names }).collect()
}

fn read(bytes: &[u8], names: &[&str], threads: usize) -> Result<Vec<RawBatch>> {
    let (source, _file) = opened(bytes)?;
    let wanted = wanted(&*source, names);
    let batches = batches(&*source.read(&wanted)?, threads)?;
    assert_eq!(batches.iter().map(|batch| batch.bytes).sum::<u64>(), source.bytes());
    Ok(batches)
}

/// Some rows from number `first` on.
fn log(first: i64, rows: usize) -> RecordBatch {
    let rows = || first..first + rows as i64;
    let keys = Int8Array::from_iter(rows().map(|row| (row % 7 != 0).then_some((row % 2) as i8)));
    let events = DictionaryArray::new(keys, Arc::new(StringArray::from(vec!["view", "add"])));
    named(vec![
        ("id", Arc::new(StringArray::from_iter_values(rows().map(|row| format!("visitor {row}"))))),
        ("ts", Arc::new(TimestampMicrosecondArray::from_iter_values(rows()).with_timezone("UTC"))),
        ("event", Arc::new(events)),
    ])
}

#[test]
fn rows_come_in_order_from_any_number_of_threads_whatever_the_compression() {
    let parts = [log(1, 300), log(301, 70_000), log(70_301, 0), log(70_301, 5)];
    for kind in KINDS {
        for (compression, codec) in
            [(None, "uncompressed"), (Some(CompressionType::LZ4_FRAME), "lz4"), (Some(CompressionType::ZSTD), "zstd")]
        {
            let bytes = written(kind, &parts, compression);
            let (source, _file) = opened(&bytes).unwrap();
            assert_eq!(source.columns(), ["id", "ts", "event"]);
            let word = if kind == Kind::File { "file" } else { "stream" };
            assert_eq!(source.describe(), format!("Arrow IPC {word}, {codec}, 4 record batches"));
            for threads in [1, 3] {
                let batches = read(&bytes, &["event", "id"], threads).unwrap();
                assert_eq!(batches.iter().map(|batch| batch.rows).collect::<Vec<_>>(), [300, 65_536, 4_464, 0, 5]);
                let mut row = 1;
                for batch in &batches {
                    assert!(matches!(batch.origin, Origin::Rows { first } if first == row as u64));
                    let events = batch.columns[0].as_dictionary::<Int32Type>();
                    let names = events.downcast_dict::<StringArray>().unwrap();
                    for (event, id) in names.into_iter().zip(batch.columns[1].as_string::<i32>()) {
                        assert_eq!(event, (row % 7 != 0).then_some(["view", "add"][row as usize % 2]));
                        assert_eq!(id, Some(&*format!("visitor {row}")));
                        row += 1;
                    }
                }
                assert_eq!(row, 70_306);
            }
        }
    }
}

/// The column `x` of a file with this array in it.
fn column(array: ArrayRef) -> ArrayRef {
    let bytes = written(Kind::File, &[named(vec![("x", array)])], None);
    read(&bytes, &["x"], 1).unwrap().remove(0).columns.remove(0)
}

#[test]
fn types_are_kept_or_made_simple() {
    let kept: [ArrayRef; 6] = [
        Arc::new(TimestampNanosecondArray::from(vec![Some(1), None]).with_timezone("UTC")),
        Arc::new(Int16Array::from(vec![Some(-1), None])),
        Arc::new(Float64Array::from(vec![Some(0.5), None])),
        Arc::new(LargeStringArray::from(vec![Some("a"), None])),
        Arc::new(StringViewArray::from(vec![Some("a text that is longer than a view"), None])),
        Arc::new(NullArray::new(2)),
    ];
    for array in kept {
        assert_eq!(&column(Arc::clone(&array)), &array);
    }
    let bytes: [ArrayRef; 2] = [
        Arc::new(BinaryArray::from_opt_vec(vec![Some(b"\xff"), None])),
        Arc::new(LargeBinaryArray::from_opt_vec(vec![Some(b"\xff"), None])),
    ];
    for array in bytes {
        assert_eq!(column(array).as_binary_view().iter().collect::<Vec<_>>(), [Some(&b"\xff"[..]), None]);
    }
    let days = column(Arc::new(Date64Array::from(vec![Some(86_400_000), None])));
    assert_eq!(days.as_primitive::<TimestampMillisecondType>().iter().collect::<Vec<_>>(), [Some(86_400_000), None]);
    let codes: DictionaryArray<UInt16Type> = [Some("b"), None, Some("a"), Some("b")].into_iter().collect();
    let codes = column(Arc::new(codes));
    let texts = codes.as_dictionary::<Int32Type>().downcast_dict::<StringArray>().unwrap();
    assert_eq!(texts.into_iter().collect::<Vec<_>>(), [Some("b"), None, Some("a"), Some("b")]);
}

#[test]
fn fields_of_structs_have_dotted_names_and_lists_are_no_columns() {
    let fields =
        Fields::from(vec![Field::new("kind", DataType::Utf8, true), Field::new("size", DataType::Int64, false)]);
    let children: Vec<ArrayRef> =
        vec![Arc::new(StringArray::from(vec!["a", "b"])), Arc::new(Int64Array::from(vec![1, 2]))];
    let group = StructArray::new(fields, children, Some(NullBuffer::from(vec![true, false])));
    let list = ListArray::from_iter_primitive::<Int32Type, _, _>(vec![Some(vec![Some(1)]), None]);
    let batch =
        named(vec![("l", Arc::new(list)), ("g", Arc::new(group)), ("z", Arc::new(Int32Array::from(vec![7, 8])))]);
    let bytes = written(Kind::File, &[batch], None);
    assert_eq!(opened(&bytes).unwrap().0.columns(), ["g.kind", "g.size", "z"]);
    let batch = read(&bytes, &["z", "g.size", "g.kind"], 1).unwrap().remove(0);
    assert_eq!(batch.columns[0].as_primitive::<Int32Type>().values(), &[7, 8]);
    assert_eq!(batch.columns[1].as_primitive::<Int64Type>().iter().collect::<Vec<_>>(), [Some(1), None]);
    assert_eq!(batch.columns[2].as_string::<i32>().iter().collect::<Vec<_>>(), [Some("a"), None]);
}

#[test]
fn dictionaries_of_a_stream_may_change_from_batch_to_batch() {
    let part = |names: &[&str]| {
        let codes: DictionaryArray<Int32Type> = names.iter().copied().collect();
        named(vec![("event", Arc::new(codes) as ArrayRef)])
    };
    let parts = [part(&["a", "b"]), part(&["a", "b", "c"]), part(&["x"]), part(&["x", "y"])];
    for handling in [DictionaryHandling::Resend, DictionaryHandling::Delta] {
        let options = IpcWriteOptions::default().with_dictionary_handling(handling);
        let mut bytes = Vec::new();
        let mut writer = StreamWriter::try_new_with_options(&mut bytes, &parts[0].schema(), options).unwrap();
        parts.iter().for_each(|part| writer.write(part).unwrap());
        writer.finish().unwrap();
        for threads in [1, 3] {
            let names: Vec<String> = read(&bytes, &["event"], threads)
                .unwrap()
                .iter()
                .flat_map(|batch| {
                    let names = batch.columns[0].as_dictionary::<Int32Type>().downcast_dict::<StringArray>().unwrap();
                    names.into_iter().map(|name| name.unwrap().to_owned()).collect::<Vec<_>>()
                })
                .collect();
            assert_eq!(names, ["a", "b", "a", "b", "c", "x", "x", "y"]);
        }
    }
}

#[test]
fn files_without_rows_are_fine() {
    let empty = RecordBatch::new_empty(Arc::new(Schema::new(vec![Field::new("a", DataType::Utf8, true)])));
    for kind in KINDS {
        let mut bytes = written(kind, std::slice::from_ref(&empty), None);
        assert_eq!(opened(&bytes).unwrap().0.columns(), ["a"]);
        if kind == Kind::Stream {
            // The mark of the end may be missing.
            bytes.truncate(bytes.len() - 8);
            assert_eq!(opened(&bytes).unwrap().0.columns(), ["a"]);
        }
    }
}

#[test]
fn other_formats_are_left_to_others_and_old_feather_is_named() {
    let old = opened(b"FEA1\0\0\0\0 and so on").err().unwrap();
    assert!(old.to_string().contains("version 1 of Feather") && old.advice().is_some());
    assert_eq!(opened(b"a,b\n").unwrap().0.describe(), "CSV, comma");
}

#[test]
fn a_file_that_is_cut_off_says_so() {
    for kind in KINDS {
        let bytes = written(kind, &[log(1, 50), log(51, 50)], None);
        for length in (8..bytes.len() - 8).step_by(11) {
            // A stream may end with any of its messages: then it is only shorter.
            let Err(error) = read(&bytes[..length], &["id"], 1) else {
                assert_eq!(kind, Kind::Stream, "{length} bytes");
                continue;
            };
            assert_eq!(error.kind(), ErrorKind::Input, "{kind:?}, {length} bytes: {error}");
            assert!(
                error.to_string().contains("the Arrow IPC data are damaged: ") && error.advice().is_some(),
                "{error}"
            );
        }
    }
}

#[test]
fn no_wrong_byte_panics_or_asks_for_much_memory() {
    for (kind, compression) in [
        (Kind::File, None),
        (Kind::Stream, Some(CompressionType::ZSTD)),
        (Kind::File, Some(CompressionType::LZ4_FRAME)),
    ] {
        let bytes = written(kind, &[log(1, 20), log(21, 20)], compression);
        let mut wrong = 0;
        for at in (8..bytes.len()).step_by(9) {
            for value in [1, 0xff] {
                let mut damaged = bytes.clone();
                damaged[at] = value;
                let read = opened(&damaged).and_then(|(source, _file)| {
                    let all: Vec<Wanted> =
                        (0..source.columns().len()).map(|column| Wanted { column, use_as: UseAs::Values }).collect();
                    batches(&*source.read(&all)?, 1)
                });
                if let Err(error) = read {
                    assert_eq!(error.kind(), ErrorKind::Input, "byte {at} is {value}: {error}");
                    wrong += 1;
                }
            }
        }
        assert!(wrong > 50, "only {wrong} errors were met");
    }
}
