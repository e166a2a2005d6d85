//! The columns of a Parquet file have the same types whatever the log: files of different days fit together.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::Path;

use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use crate::support::{Run, answer_in, clickpath, shop};

/// Questions that between them have every table.
const QUESTIONS: [&[&str]; 10] = [
    &["inspect"],
    &["summary", "--by", "platform"],
    &["funnel", "--steps", "add_to_cart > purchase"],
    &["flow", "--depth", "3", "--top", "all"],
    &["graph"],
    &["abandonment"],
    &["conversion", "--goal", "purchase"],
    &["dropoff", "--error", "cart", "--goal", "purchase"],
    &["paths", "--matrix"],
    &["gaps", "--of", "platform"],
];

const HEADER: &str = "user_id,timestamp,event,platform,value\n";

/// A log in which whatever can be known is known.
const FULL: &str = "user_id,timestamp,event,platform,value\n\
    v,2024-01-01 00:00:00,home,x,\nv,2024-01-01 00:00:10,add_to_cart,x,5\nv,2024-01-01 00:00:20,page_view,x,\n\
    v,2024-01-01 00:01:00,purchase,x,5\nw,2024-01-01 00:00:00,add_to_cart,y,7\nw,2024-01-01 00:00:05,cart,y,\n\
    u,2024-01-09 00:00:00,home,y,\n";

/// The names of the tables of an answer, as a slip of the pen is told them.
fn tables(question: &[&str], log: &Path) -> Vec<String> {
    let args = [&[question[0], log.to_str().unwrap()], &question[1..], &["--format", "csv", "--table", "?"]].concat();
    let run = Run::of(&mut clickpath(log.parent().unwrap()), &args);
    let names = run.stderr.split("its tables are ").nth(1).unwrap_or_else(|| panic!("{}: {}", run.shown, run.stderr));
    names.trim().split(", ").map(str::to_owned).collect()
}

/// The types of the columns of a table, by name.
fn types(question: &[&str], table: &str, log: &Path) -> BTreeMap<String, String> {
    let folder = tempfile::tempdir().unwrap();
    let args = [&[question[0], log.to_str().unwrap()], &question[1..], &["--table", table, "-o", "t.parquet"]].concat();
    answer_in(folder.path(), &args);
    let file = File::open(folder.path().join("t.parquet")).unwrap();
    let schema = ParquetRecordBatchReaderBuilder::try_new(file).unwrap().schema().clone();
    schema.fields().iter().map(|field| (field.name().clone(), field.data_type().to_string())).collect()
}

#[test]
fn a_log_without_values_has_the_same_types() {
    let folder = tempfile::tempdir().unwrap();
    let (empty, full) = (folder.path().join("empty.csv"), folder.path().join("full.csv"));
    fs::write(&empty, HEADER).unwrap();
    fs::write(&full, FULL).unwrap();
    let mut seen = 0;
    for question in QUESTIONS {
        for table in tables(question, &full) {
            let expected = types(question, &table, &full);
            assert_eq!(types(question, &table, &empty), expected, "{question:?} {table}: without values");
            assert_eq!(types(question, &table, &shop()), expected, "{question:?} {table}: of the sample log");
            seen += expected.len();
        }
    }
    assert!(seen > 90, "only {seen} columns were seen");
}
