//! Data frames in and out, and sources from outside of the crate.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arrow_array::{Int64Array, StringArray};
use clickpath::pipeline::{Input, Run};
use clickpath::reports::{Report, Table};
use clickpath::sources::{Origin, RawBatch, Reader, Source, Split, Wanted, from_lazy};
use clickpath::{FunnelSpec, Result};
use polars::prelude::{DataFrame, IntoLazy, NamedFrom, Series, col};
use serde_json::Value;

use crate::support::{shop, shop_text};

/// The sample log as a data frame: all columns are texts, as in the file.
fn shop_frame() -> DataFrame {
    let text = shop_text();
    let mut lines = text.lines().map(|line| line.split(',').collect::<Vec<_>>());
    let names = lines.next().unwrap();
    let rows: Vec<Vec<&str>> = lines.collect();
    let column = |(at, name): (usize, &&str)| {
        let values: Vec<Option<&str>> =
            rows.iter().map(|row| Some(row[at]).filter(|value| !value.is_empty())).collect();
        Series::new((*name).into(), values).into()
    };
    DataFrame::new(rows.len(), names.iter().enumerate().map(column).collect()).unwrap()
}

const STEPS: &str = "catalog > product_view > add_to_cart > purchase";

/// The answer to a funnel over an input, without what names the files.
fn funnel(input: Input) -> Value {
    let mut run = Run::of(input);
    let funnel = run.ask(FunnelSpec::of(STEPS)).unwrap();
    let answers = run.answer().unwrap();
    answers.report(funnel).json()
}

#[test]
fn a_lazy_frame_answers_like_its_file() {
    let file = funnel(Input::of([shop()]));
    let frame = from_lazy(shop_frame().lazy()).unwrap();
    assert_eq!(funnel(Input::of::<&str>([]).and("frame", frame)), file);
    // What polars filters does not come; what it derives does.
    let lazy = shop_frame().lazy().filter(col("event").neq(polars::prelude::lit("purchase")));
    let without = funnel(Input::of::<&str>([]).and("frame", from_lazy(lazy).unwrap()));
    assert_eq!(without["steps"][3]["entered"], 0);
    assert_eq!(without["steps"][2]["entered"], file["steps"][2]["entered"]);
}

#[test]
fn a_frame_beside_a_file_is_one_log() {
    let frame = shop_frame();
    let half = frame.height() / 2;
    let text = shop_text();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("first.csv");
    std::fs::write(&path, text.lines().take(1 + half).map(|line| format!("{line}\n")).collect::<String>()).unwrap();
    let rest = from_lazy(frame.slice(half as i64, frame.height()).lazy()).unwrap();
    assert_eq!(funnel(Input::of([path]).and("rest", rest)), funnel(Input::of([shop()])));
}

#[test]
fn a_frame_that_fails_is_an_error() {
    let lazy = shop_frame().lazy().select([col("zebra")]);
    assert!(from_lazy(lazy).err().unwrap().to_string().contains("zebra"));
}

#[test]
fn tables_become_data_frames() {
    let mut run = Run::over([shop()]);
    let funnel = run.ask(FunnelSpec::of(STEPS)).unwrap();
    let answers = run.answer().unwrap();
    let tables: Vec<Table> = answers.report(funnel).tables();
    let frame = tables[0].to_polars().unwrap();
    let entered: Vec<Option<i64>> = frame.column("entered").unwrap().i64().unwrap().iter().collect();
    assert_eq!(entered, [600, 591, 410, 160].map(Some));
    assert!(tables.iter().all(|table| table.to_polars().unwrap().height() == table.rows.len()));
}

/// A source of somebody else's.
struct Own(Vec<String>);

struct OwnReader(AtomicBool);

impl Source for Own {
    fn columns(&self) -> &[String] {
        &self.0
    }

    fn bytes(&self) -> u64 {
        3
    }

    fn describe(&self) -> String {
        "my own".to_owned()
    }

    fn read(&self, wanted: &[Wanted]) -> Result<Box<dyn Reader>> {
        assert!(wanted.len() <= 3);
        Ok(Box::new(OwnReader(AtomicBool::new(false))))
    }
}

impl Reader for OwnReader {
    fn next(&self) -> Result<Option<Split>> {
        if self.0.swap(true, Ordering::Relaxed) {
            return Ok(None);
        }
        let batch = RawBatch {
            columns: vec![
                Arc::new(StringArray::from(vec!["v", "v", "w"])),
                Arc::new(Int64Array::from(vec![1_700_000_000, 1_700_000_001, 1_700_000_000])),
                Arc::new(StringArray::from(vec!["a", "b", "a"])),
            ],
            rows: 3,
            origin: Origin::Rows { first: 1 },
            rejected: Vec::new(),
            bytes: 3,
        };
        Ok(Some(Split::whole(0, std::iter::once(Ok(batch)))))
    }
}

#[test]
fn a_source_from_outside_is_read() {
    let columns = ["visitor", "time", "event"].map(str::to_owned).to_vec();
    let mut run = Run::of(Input::of::<&str>([]).and("mine", Arc::new(Own(columns))));
    let funnel = run.ask(FunnelSpec::of("a > b")).unwrap();
    let answers = run.answer().unwrap();
    let entered: Vec<u64> = answers.report(funnel).total.steps.iter().map(|step| step.entered).collect();
    assert_eq!(entered, [2, 1]);
    assert_eq!(answers.outcome().files[0].path.display().to_string(), "mine");
}
