use arrow_array::Array;
use arrow_array::cast::AsArray;
use arrow_array::types::{Decimal128Type, Float64Type, Int64Type, TimestampMicrosecondType};
use arrow_schema::{DataType, TimeUnit};
use bytes::Bytes;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::{Value, json};

use super::super::fixtures::{SharedBytes, answer, every_kind, hostile_names, rows, table, text};
use super::*;

/// What a reader finds in the file of these answers: the rows and the key-value metadata.
fn read(answers: &[Answer], options: &Options) -> (RecordBatch, Vec<(String, String)>) {
    read_bytes(Parquet.render(answers, options).unwrap())
}

fn read_bytes(bytes: Vec<u8>) -> (RecordBatch, Vec<(String, String)>) {
    let builder = ParquetRecordBatchReaderBuilder::try_new(Bytes::from(bytes)).unwrap();
    let entries = builder.metadata().file_metadata().key_value_metadata().unwrap().iter();
    let entries = entries.map(|entry| (entry.key.clone(), entry.value.clone().unwrap_or_default())).collect();
    let schema = Arc::clone(builder.schema());
    let batches: Vec<RecordBatch> = builder.build().unwrap().map(Result::unwrap).collect();
    match batches.as_slice() {
        [] => (RecordBatch::new_empty(schema), entries),
        [batch] => (batch.clone(), entries),
        more => panic!("{} batches", more.len()),
    }
}

fn types(batch: &RecordBatch) -> Vec<DataType> {
    batch.schema().fields().iter().map(|field| field.data_type().clone()).collect()
}

/// The types of [`every_kind`].
fn every_type() -> Vec<DataType> {
    let float = DataType::Float64;
    let time = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    vec![DataType::Utf8, DataType::Int64, float.clone(), float.clone(), float, DataType::Decimal128(38, 6), time]
}

#[test]
fn every_kind_of_value_has_its_type() {
    let (batch, _) = read(&[answer(vec![every_kind()])], &Options::default());
    assert_eq!(types(&batch), every_type());
    assert!(batch.schema().fields().iter().all(|field| field.is_nullable()));
    let column = |at: usize| batch.column(at);
    assert_eq!(column(0).as_string::<i32>().iter().collect::<Vec<_>>(), [Some("view_item"), Some("purchase")]);
    assert_eq!(column(1).as_primitive::<Int64Type>().iter().collect::<Vec<_>>(), [Some(31_106), Some(0)]);
    let floats = |at| column(at).as_primitive::<Float64Type>().iter().collect::<Vec<_>>();
    assert_eq!([floats(2), floats(3), floats(4)], [[Some(1.0), None], [Some(161.25), None], [Some(-3.5), None]]);
    let money = column(5).as_primitive::<Decimal128Type>();
    assert_eq!(money.iter().collect::<Vec<_>>(), [Some(-1_234_500_000), None]);
    assert_eq!(money.value_as_string(0), "-1234.500000");
    let times = column(6).as_primitive::<TimestampMicrosecondType>();
    assert_eq!(times.iter().collect::<Vec<_>>(), [Some(1_710_325_274_000_000), None]);
}

#[test]
fn columns_without_values_have_the_types_of_their_names() {
    let columns = ["step", "entered", "of_first", "time_s", "lift", "value", "last_event"];
    let (empty, _) = read(&[answer(vec![table("steps", &columns, vec![])])], &Options::default());
    assert_eq!((types(&empty), empty.num_rows()), (every_type(), 0));
    let (nulls, _) = read(&[answer(vec![table("steps", &columns, vec![vec![Cell::Null; 7]; 2])])], &Options::default());
    assert_eq!((types(&nulls), nulls.num_rows()), (every_type(), 2));
    assert!(nulls.columns().iter().all(|column| column.null_count() == 2));
}

#[test]
fn mixed_columns_hold_all_of_their_values() {
    let mixed = table(
        "mixed",
        &["numbers", "any"],
        vec![
            vec![Cell::Count(2), Cell::Rate(0.5)],
            vec![Cell::Number(0.5), text("x")],
            vec![Cell::Null, Cell::Money(1_500_000)],
            vec![Cell::Null, Cell::Rate(f64::NAN)],
        ],
    );
    let (batch, _) = read(&[answer(vec![mixed])], &Options::default());
    assert_eq!(types(&batch), [DataType::Float64, DataType::Utf8]);
    let numbers = batch.column(0).as_primitive::<Float64Type>().iter().collect::<Vec<_>>();
    assert_eq!(numbers, [Some(2.0), Some(0.5), None, None]);
    let texts = batch.column(1).as_string::<i32>().iter().collect::<Vec<_>>();
    assert_eq!(texts, [Some("0.5"), Some("x"), Some("1.5"), None]);
}

#[test]
fn what_fits_into_no_type_is_an_error() {
    for cell in [Cell::Count(u64::MAX), Cell::Money(i128::MAX)] {
        let error = Parquet.render(&[answer(vec![table("sums", &["sum"], vec![vec![cell]])])], &Options::default());
        let error = error.unwrap_err();
        assert_eq!(error.to_string(), "the column sum has a value that no Parquet type of ours can hold");
        assert!(error.advice().is_some());
    }
}

#[test]
fn the_rest_of_the_answer_is_in_the_metadata() {
    let (_, entries) = read(&[answer(vec![every_kind()])], &Options::default());
    let entry = |key: &str| entries.iter().find(|(found, _)| found == key).map(|(_, value)| value.as_str()).unwrap();
    let texts = ["clickpath.schema", "clickpath.name", "clickpath.table"].map(entry);
    assert_eq!(texts, ["clickpath.funnel/1", "checkout", "steps"]);
    let json = |key: &str| serde_json::from_str::<Value>(entry(key)).unwrap();
    assert_eq!(json("clickpath.rules")["window"], "7d");
    assert_eq!(json("clickpath.account")["records"], 31_106);
    assert_eq!(json("clickpath.notes"), json!(["the step purchase occurs nowhere"]));
}

#[test]
fn hostile_names_are_kept_as_they_are() {
    let names = hostile_names();
    let columns: Vec<&str> = names.iter().map(String::as_str).collect();
    let row = names.iter().map(|name| text(name)).collect();
    let (batch, _) = read(&[answer(vec![table("names", &columns, vec![row])])], &Options::default());
    for (place, name) in names.iter().enumerate() {
        assert_eq!(batch.schema().field(place).name(), name);
        assert_eq!(batch.column(place).as_string::<i32>().value(0), name);
    }
}

#[test]
fn the_same_answer_is_the_same_bytes() {
    let bytes = || Parquet.render(&[answer(vec![every_kind()])], &Options::default()).unwrap();
    assert_eq!(bytes(), bytes());
    assert!(bytes().starts_with(b"PAR1"));
}

#[test]
fn the_table_asked_for_is_written_and_a_job_writes_all() {
    let two = answer(vec![every_kind(), table("links", &["from"], vec![vec![text("a")]])]);
    let files = Parquet.files(&two, &Options::default()).unwrap();
    let names: Vec<&str> = files.iter().map(|file| file.name.as_str()).collect();
    assert_eq!(names, ["checkout.steps.parquet", "checkout.links.parquet"]);
    let options = Options { table: Some("links".into()), ..Options::default() };
    let (links, _) = read(std::slice::from_ref(&two), &options);
    assert_eq!(read_bytes(files[1].bytes.clone()).0, links);
    let error = Parquet.render(&[answer(vec![]), answer(vec![])], &Options::default()).unwrap_err();
    assert_eq!(error.to_string(), "parquet holds one table, and there are 2 answers");
}

#[test]
fn rows_are_written_group_by_group_with_signed_counts() {
    let (schema, batches) = rows();
    let out = SharedBytes::default();
    let mut writer = Parquet.rows(&schema, Box::new(out.clone()), &Options::default()).unwrap();
    batches.iter().for_each(|batch| writer.write(batch).unwrap());
    writer.finish(&answer(vec![])).unwrap();
    let (batch, entries) = read_bytes(out.bytes());
    assert_eq!(batch.num_rows(), 3);
    assert_eq!(types(&batch)[..3], [DataType::Utf8, DataType::Int64, DataType::Int64]);
    assert_eq!(batch.schema().fields()[3..], schema.fields()[3..]);
    assert_eq!(batch.column(1).as_primitive::<Int64Type>().values(), &[1, 2, 3]);
    assert_eq!(batch.column(2).as_primitive::<Int64Type>().iter().collect::<Vec<_>>(), [Some(7), None, Some(9)]);
    assert!(entries.contains(&("clickpath.table".to_owned(), "rows".to_owned())));
    assert!(entries.iter().any(|(key, value)| key == "clickpath.account" && value.contains("31106")));
}

#[test]
fn a_writer_that_is_dropped_has_written_nothing_whole() {
    let (schema, batches) = rows();
    let out = SharedBytes::default();
    let mut writer = Parquet.rows(&schema, Box::new(out.clone()), &Options::default()).unwrap();
    writer.write(&batches[0]).unwrap();
    drop(writer);
    assert!(ParquetRecordBatchReaderBuilder::try_new(Bytes::from(out.bytes())).is_err());
}

#[test]
fn a_disk_that_is_full_is_no_bug() {
    struct Full;
    impl Write for Full {
        fn write(&mut self, _bytes: &[u8]) -> std::io::Result<usize> {
            Err(std::io::ErrorKind::StorageFull.into())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let (schema, batches) = rows();
    let error = Parquet.rows(&schema, Box::new(Full), &Options::default()).and_then(|mut writer| {
        writer.write(&batches[0])?;
        writer.finish(&answer(vec![]))
    });
    assert_eq!(error.unwrap_err().kind(), crate::error::ErrorKind::Io);
}
