//! A source of one's own: events that are in memory already, as Arrow arrays.

use std::sync::{Arc, Mutex};

use arrow_array::{Array, ArrayRef, Int64Array, StringArray};
use clickpath::sources::{Origin, RawBatch, Reader, Source, Split, Wanted};
use clickpath::{FunnelSpec, Input, Result, Run};

struct Memory {
    names: Vec<String>,
    columns: Vec<ArrayRef>,
}

impl Source for Memory {
    fn columns(&self) -> &[String] {
        &self.names
    }
    fn bytes(&self) -> u64 {
        0
    }
    fn describe(&self) -> String {
        "memory".into()
    }
    fn read(&self, wanted: &[Wanted]) -> Result<Box<dyn Reader>> {
        let columns = wanted.iter().map(|wanted| Arc::clone(&self.columns[wanted.column])).collect();
        Ok(Box::new(Once(Mutex::new(Some(columns)))))
    }
}

/// All rows as one split, for whichever thread comes first.
struct Once(Mutex<Option<Vec<ArrayRef>>>);

impl Reader for Once {
    fn next(&self) -> Result<Option<Split>> {
        let Some(columns) = self.0.lock().ok().and_then(|mut columns| columns.take()) else { return Ok(None) };
        let (rows, origin) = (columns[0].len(), Origin::Rows { first: 1 });
        let batch = RawBatch { columns, rows, origin, rejected: Vec::new(), bytes: 0 };
        Ok(Some(Split::whole(0, std::iter::once(Ok(batch)))))
    }
}

fn main() -> Result<()> {
    let visitor: ArrayRef = Arc::new(StringArray::from(vec!["ann", "bob", "ann"]));
    let time: ArrayRef = Arc::new(Int64Array::from(vec![1_700_000_000, 1_700_000_000, 1_700_000_060]));
    let event: ArrayRef = Arc::new(StringArray::from(vec!["view", "view", "buy"]));
    let names = ["visitor", "time", "event"].map(str::to_owned).to_vec();
    let memory = Memory { names, columns: vec![visitor, time, event] };

    let no_files: [&str; 0] = [];
    let mut run = Run::of(Input::of(no_files).and("memory", Arc::new(memory)));
    let funnel = run.ask(FunnelSpec::of("view > buy"))?;
    let answers = run.answer()?;
    let entered: Vec<u64> = answers.report(funnel).total.steps.iter().map(|step| step.entered).collect();
    assert_eq!(entered, [2, 1]);
    Ok(())
}
