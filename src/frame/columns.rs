//! Columns as files have them → columns as SQL sees them: texts, numbers, truth values, days and times, and nothing else.

use std::sync::Arc;

use arrow_array::builder::StringViewBuilder;
use arrow_array::cast::AsArray;
use arrow_array::types::*;
use arrow_array::{
    Array, ArrayRef, BinaryViewArray, Date32Array, Float64Array, Int64Array, PrimitiveArray, StringViewArray,
    TimestampMicrosecondArray, new_null_array,
};
use arrow_buffer::{NullBuffer, ScalarBuffer};
use arrow_schema::{DataType, TimeUnit};

use super::tree::Type;
use crate::error::{Error, Result};

/// The array as SQL sees it, and the type of its values: it depends on the array's own type, never on values.
///
/// The empty text is no value, a text that is not UTF-8 is none, a number that is not finite is none. Times without a zone are UTC.
pub(super) fn clean(array: &ArrayRef) -> Result<(ArrayRef, Type)> {
    Ok(match array.data_type() {
        DataType::Boolean => (Arc::clone(array), Type::Truth),
        DataType::Int64 => (Arc::clone(array), Type::Whole),
        DataType::Int8 => whole::<Int8Type>(array),
        DataType::Int16 => whole::<Int16Type>(array),
        DataType::Int32 => whole::<Int32Type>(array),
        DataType::UInt8 => whole::<UInt8Type>(array),
        DataType::UInt16 => whole::<UInt16Type>(array),
        DataType::UInt32 => whole::<UInt32Type>(array),
        DataType::UInt64 => number::<UInt64Type>(array, |value| value as f64),
        DataType::Float32 => number::<Float32Type>(array, f64::from),
        DataType::Float64 => number::<Float64Type>(array, |value| value),
        DataType::Decimal128(_, scale) => {
            let scale = 10f64.powi(i32::from(*scale));
            number::<Decimal128Type>(array, |value| value as f64 / scale)
        }
        DataType::Date32 => (Arc::new(array.as_primitive::<Date32Type>().clone()) as ArrayRef, Type::Day),
        DataType::Timestamp(unit, _) => (times(array, *unit), Type::Time),
        DataType::Utf8 => texts(array.as_string::<i32>().iter().map(|text| text.map(str::as_bytes))),
        DataType::LargeUtf8 => texts(array.as_string::<i64>().iter().map(|text| text.map(str::as_bytes))),
        DataType::Utf8View => (Arc::new(viewed(&array.as_string_view().clone().to_binary_view(), true)), Type::Text),
        DataType::BinaryView => (Arc::new(viewed(array.as_binary_view(), false)), Type::Text),
        DataType::Dictionary(key, _) if **key == DataType::Int32 => dictionary(array)?,
        DataType::Null => (new_null_array(&DataType::Utf8View, array.len()), Type::Text),
        other => return Err(Error::mapping(format!("a column of type {other} cannot be used in SQL"))),
    })
}

fn whole<P>(array: &ArrayRef) -> (ArrayRef, Type)
where
    P: ArrowPrimitiveType,
    P::Native: Into<i64>,
{
    let wide: Int64Array = array.as_primitive::<P>().unary(Into::into);
    (Arc::new(wide), Type::Whole)
}

fn number<P: ArrowPrimitiveType>(array: &ArrayRef, to: impl Fn(P::Native) -> f64) -> (ArrayRef, Type) {
    // -0 equals 0 for people.
    let numbers: Float64Array = array.as_primitive::<P>().unary(|value| to(value) + 0.0);
    let finite = numbers.values().iter().all(|number| number.is_finite());
    let numbers = if finite { numbers } else { numbers.unary_opt(|number| number.is_finite().then_some(number)) };
    (Arc::new(numbers), Type::Number)
}

fn times(array: &ArrayRef, unit: TimeUnit) -> ArrayRef {
    fn scaled<P: ArrowPrimitiveType<Native = i64>>(
        array: &ArrayRef,
        to: impl Fn(i64) -> Option<i64>,
    ) -> TimestampMicrosecondArray {
        array.as_primitive::<P>().unary_opt(to)
    }
    Arc::new(match unit {
        TimeUnit::Second => scaled::<TimestampSecondType>(array, |time| time.checked_mul(1_000_000)),
        TimeUnit::Millisecond => scaled::<TimestampMillisecondType>(array, |time| time.checked_mul(1_000)),
        TimeUnit::Microsecond => {
            let (_, values, nulls) = array.as_primitive::<TimestampMicrosecondType>().clone().into_parts();
            TimestampMicrosecondArray::new(values, nulls)
        }
        TimeUnit::Nanosecond => scaled::<TimestampNanosecondType>(array, |time| Some(time.div_euclid(1_000))),
    })
}

fn texts<'t>(values: impl Iterator<Item = Option<&'t [u8]>>) -> (ArrayRef, Type) {
    let mut builder = StringViewBuilder::new();
    for value in values {
        builder.append_option(value.filter(|text| !text.is_empty()).and_then(|text| std::str::from_utf8(text).ok()));
    }
    (Arc::new(builder.finish()), Type::Text)
}

/// Views of bytes, which may be `known` to be texts, as views of texts. What is no value becomes null, and its view empty, so that
/// nobody reads it by accident.
fn viewed(array: &BinaryViewArray, known: bool) -> StringViewArray {
    let is_text = |text: &[u8]| known || text.is_ascii() || std::str::from_utf8(text).is_ok();
    let is_value = |row: usize| {
        let text = array.value(row);
        array.is_valid(row) && !text.is_empty() && is_text(text)
    };
    let (views, buffers) = (array.views(), array.data_buffers().to_vec());
    let valid: NullBuffer = (0..array.len()).map(is_value).collect();
    let (views, nulls) = if valid.null_count() == 0 {
        (views.clone(), None)
    } else {
        let blanked = views.iter().zip(&valid).map(|(view, valid)| if valid { *view } else { 0 });
        (blanked.collect::<ScalarBuffer<u128>>(), Some(valid))
    };
    // SAFETY: the views and buffers are those of a sound array; every value that is not null was known or found to be UTF-8, and the
    // views of all others are empty.
    unsafe { StringViewArray::new_unchecked(views, buffers, nulls) }
}

/// A dictionary column written out: its values are cleaned once each, and views of them are copied.
fn dictionary(array: &ArrayRef) -> Result<(ArrayRef, Type)> {
    let coded = array.as_dictionary::<Int32Type>();
    let (values, of) = clean(coded.values())?;
    let spread = match of {
        Type::Text => spread_texts(coded.keys(), values.as_string_view()),
        Type::Whole => spread_numbers::<Int64Type>(coded.keys(), &values),
        Type::Number => spread_numbers::<Float64Type>(coded.keys(), &values),
        _ => return Err(Error::mapping(format!("a column of type {} cannot be used in SQL", array.data_type()))),
    };
    Ok((spread, of))
}

fn code(keys: &PrimitiveArray<Int32Type>, row: usize, values: &dyn Array) -> Option<usize> {
    let code = keys.is_valid(row).then(|| keys.value(row) as usize)?;
    values.is_valid(code).then_some(code)
}

fn spread_texts(keys: &PrimitiveArray<Int32Type>, values: &StringViewArray) -> ArrayRef {
    let codes = || (0..keys.len()).map(|row| code(keys, row, values));
    let views: ScalarBuffer<u128> = codes().map(|code| code.map_or(0, |code| values.views()[code])).collect();
    let nulls: NullBuffer = codes().map(|code| code.is_some()).collect();
    // SAFETY: every view is one of a sound array of texts over the same buffers, or empty.
    Arc::new(unsafe { StringViewArray::new_unchecked(views, values.data_buffers().to_vec(), Some(nulls)) })
}

fn spread_numbers<P: ArrowPrimitiveType>(keys: &PrimitiveArray<Int32Type>, values: &ArrayRef) -> ArrayRef {
    let numbers = values.as_primitive::<P>();
    let spread = (0..keys.len()).map(|row| code(keys, row, numbers).map(|code| numbers.value(code)));
    Arc::new(spread.collect::<PrimitiveArray<P>>())
}

/// Arrays that polars gives → arrays for the rest of the program: times in UTC.
pub(super) fn given(array: ArrayRef) -> ArrayRef {
    match array.data_type() {
        DataType::Timestamp(TimeUnit::Microsecond, None) => {
            Arc::new(array.as_primitive::<TimestampMicrosecondType>().clone().with_timezone("UTC"))
        }
        DataType::Date32 => Arc::new(Date32Array::from(array.to_data())),
        _ => array,
    }
}
