//! Tables as data frames of polars.

use std::sync::Arc;

use arrow_array::{ArrayRef, Float64Array, Int64Array, StringArray, TimestampMicrosecondArray};

use super::{Cell, Table};
use crate::error::Result;
use crate::frame::{DataFrame, data_frame};

impl Table {
    /// The table as a data frame: texts, whole numbers for counts, floats for rates, seconds, numbers and money (in the unit of the
    /// input), and times in µs UTC. A column without values is one of texts.
    pub fn to_polars(&self) -> Result<DataFrame> {
        let column = |(at, name): (usize, &String)| {
            let cells: Vec<&Cell> = self.rows.iter().map(|row| &row[at]).collect();
            (name.clone(), array(&cells))
        };
        let columns: Vec<_> = self.columns.iter().enumerate().map(column).collect();
        data_frame(&columns)
    }
}

/// The cells of a column, in the type that all of its values have; in texts if they have several.
fn array(cells: &[&Cell]) -> ArrayRef {
    let all = |fits: fn(&Cell) -> bool| {
        let mut values = cells.iter().filter(|cell| ***cell != Cell::Null).peekable();
        values.peek().is_some() && values.all(|cell| fits(cell))
    };
    if all(|cell| whole(cell).is_some()) {
        Arc::new(cells.iter().map(|cell| whole(cell)).collect::<Int64Array>())
    } else if all(|cell| matches!(cell, Cell::Time(_))) {
        let time = |cell: &&Cell| if let Cell::Time(time) = cell { Some(*time) } else { None };
        Arc::new(cells.iter().map(time).collect::<TimestampMicrosecondArray>().with_timezone("UTC"))
    } else if all(|cell| number(cell).is_some()) {
        Arc::new(cells.iter().map(|cell| number(cell)).collect::<Float64Array>())
    } else {
        Arc::new(cells.iter().map(|cell| text(cell)).collect::<StringArray>())
    }
}

fn whole(cell: &Cell) -> Option<i64> {
    match cell {
        Cell::Count(count) => i64::try_from(*count).ok(),
        Cell::Integer(whole) => Some(*whole),
        _ => None,
    }
}

fn number(cell: &Cell) -> Option<f64> {
    match cell {
        Cell::Count(count) => Some(*count as f64),
        Cell::Integer(whole) => Some(*whole as f64),
        Cell::Rate(number) | Cell::Seconds(number) | Cell::Number(number) => Some(*number),
        Cell::Money(millionths) => Some(*millionths as f64 / 1e6),
        Cell::Null | Cell::Text(_) | Cell::Time(_) => None,
    }
}

fn text(cell: &Cell) -> Option<String> {
    match cell {
        Cell::Null => None,
        Cell::Text(text) => Some(text.clone()),
        Cell::Time(time) => chrono::DateTime::from_timestamp_micros(*time).map(|time| time.to_rfc3339()),
        other => number(other).map(|number| number.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_have_the_type_of_their_values() {
        let rows = vec![
            vec![
                Cell::Text("a".into()),
                Cell::Count(3),
                Cell::Money(2_500_000),
                Cell::Time(7),
                Cell::Null,
                Cell::Count(1),
            ],
            vec![Cell::Null, Cell::Null, Cell::Null, Cell::Null, Cell::Null, Cell::Text("x".into())],
        ];
        let columns = ["text", "count", "money", "time", "none", "mixed"].map(str::to_owned).to_vec();
        let frame = Table { name: "t", columns, rows }.to_polars().unwrap();
        let shown: Vec<String> = frame.columns().iter().map(|column| column.dtype().to_string()).collect();
        assert_eq!(shown, ["str", "i64", "f64", "datetime[μs, UTC]", "str", "str"]);
        assert_eq!(frame.column("money").unwrap().f64().unwrap().get(0), Some(2.5));
        assert_eq!(frame.column("mixed").unwrap().str().unwrap().get(0), Some("1"));
        let empty = Table { name: "t", columns: vec!["a".into()], rows: Vec::new() }.to_polars().unwrap();
        assert_eq!(empty.height(), 0);
    }
}
