//! Expressions over small batches.

use std::sync::Arc;

use arrow_array::{ArrayRef, BinaryViewArray, Float64Array, Int64Array, StringArray};

use super::*;

fn batch(names: &[String]) -> Vec<ArrayRef> {
    let column = |name: &String| -> ArrayRef {
        match name.as_str() {
            "event" => Arc::new(StringArray::from(vec![Some("purchase"), Some("view"), None, Some("")])),
            "revenue" => {
                Arc::new(BinaryViewArray::from(vec![Some(&b"12.50"[..]), Some(b"9"), Some(b"x"), Some(b"\xff")]))
            }
            "n" => Arc::new(Int64Array::from(vec![Some(1), Some(2), None, Some(4)])),
            "f" => Arc::new(Float64Array::from(vec![Some(1.5), Some(f64::NAN), None, Some(-4.0)])),
            other => panic!("{other}"),
        }
    };
    names.iter().map(column).collect()
}

fn rows(text: &str) -> Vec<usize> {
    let expression = Expression::parse(text).unwrap_or_else(|error| panic!("{error:?} {:?}", error.advice()));
    let found = expression.matches(&batch(expression.columns()), 4).unwrap_or_else(|error| panic!("{error:?}"));
    (0..4).filter(|row| found.value(*row)).collect()
}

#[test]
fn conditions_match_rows() {
    for (text, expected) in [
        ("event = 'purchase' AND revenue > 10", vec![0]),
        ("revenue < 10", vec![1]),
        ("event <> 'purchase'", vec![1]),
        ("NOT event = 'purchase'", vec![1]),
        ("event IS NULL", vec![2, 3]),
        ("n IN (1, 4, NULL)", vec![0, 3]),
        ("n NOT IN (1, 4)", vec![1]),
        ("n NOT IN (1, NULL)", vec![]),
        ("true", vec![0, 1, 2, 3]),
        ("NULL", vec![]),
        ("f > 0", vec![0]),
        ("CASE WHEN n = 1 THEN 'a' WHEN n = 2 THEN 'b' END = 'b'", vec![1]),
        ("n BETWEEN 2 AND 4", vec![1, 3]),
        ("event LIKE 'p_r%'", vec![0]),
        ("UPPER(event) = 'VIEW' OR n % 4 = 0", vec![1, 3]),
    ] {
        assert_eq!(rows(text), expected, "{text}");
    }
}
