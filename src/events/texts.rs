//! Arrow arrays of any simple type, read as text or numbers.

use std::fmt::{Display, Write};

use arrow_array::cast::AsArray;
use arrow_array::types::*;
use arrow_array::{Array, ArrayRef, BinaryViewArray, LargeStringArray, PrimitiveArray, StringArray, StringViewArray};
use arrow_schema::{DataType, TimeUnit};

use super::timestamp::{Clock, DAY, epoch, epoch_float};
use crate::error::{Error, Result};
use crate::ids::{NO_VALUE, Shape, VisitorId, id_text};

/// A column read as text, value by value.
pub enum Texts<'a> {
    Bytes(&'a BinaryViewArray),
    View(&'a StringViewArray),
    Utf8(&'a StringArray),
    LargeUtf8(&'a LargeStringArray),
    /// Codes into a small array of texts.
    Dictionary(&'a PrimitiveArray<Int32Type>, Box<Texts<'a>>),
    /// Any other type: writes a value, or says that there is none.
    Written(Writer<'a>),
    Nothing,
}

impl<'a> Texts<'a> {
    pub fn new(array: &'a ArrayRef) -> Result<Self> {
        Ok(match array.data_type() {
            DataType::BinaryView => Texts::Bytes(array.as_binary_view()),
            DataType::Utf8View => Texts::View(array.as_string_view()),
            DataType::Utf8 => Texts::Utf8(array.as_string()),
            DataType::LargeUtf8 => Texts::LargeUtf8(array.as_string()),
            DataType::Dictionary(key, _) if **key == DataType::Int32 => {
                let codes = array.as_dictionary::<Int32Type>();
                Texts::Dictionary(codes.keys(), Box::new(Texts::new(codes.values())?))
            }
            DataType::Null => Texts::Nothing,
            _ => Texts::Written(writer(array)?),
        })
    }

    /// The text of a value; what is not text in the file is written into `scratch`. `None` is no value.
    #[inline]
    pub fn get<'s>(&'s self, row: usize, scratch: &'s mut String) -> Option<&'s [u8]> {
        match self {
            Texts::Bytes(array) => array.is_valid(row).then(|| array.value(row)),
            Texts::View(array) => array.is_valid(row).then(|| array.value(row).as_bytes()),
            Texts::Utf8(array) => array.is_valid(row).then(|| array.value(row).as_bytes()),
            Texts::LargeUtf8(array) => array.is_valid(row).then(|| array.value(row).as_bytes()),
            Texts::Dictionary(codes, values) if codes.is_valid(row) => values.get(codes.value(row) as usize, scratch),
            Texts::Written(write) => {
                scratch.clear();
                write(row, scratch).then_some(scratch.as_bytes())
            }
            Texts::Dictionary(..) | Texts::Nothing => None,
        }
    }
}

impl Texts<'_> {
    /// Gives the texts of some rows in their order, as [`get`](Self::get) does: what kind of array it is, is asked only once.
    #[inline]
    pub fn each<E>(
        &self,
        rows: &[u32],
        scratch: &mut String,
        mut each: impl FnMut(Option<&[u8]>) -> Result<(), E>,
    ) -> Result<(), E> {
        match self {
            Texts::Bytes(array) if is_all(rows, *array) => array.iter().try_for_each(each),
            Texts::View(array) if is_all(rows, *array) => {
                array.iter().try_for_each(|text| each(text.map(str::as_bytes)))
            }
            _ => rows.iter().try_for_each(|&row| each(self.get(row as usize, scratch))),
        }
    }
}

/// Whether `rows`, which go up, are all rows of an array.
fn is_all(rows: &[u32], array: &dyn Array) -> bool {
    rows.len() == array.len()
}

/// Writes the value of a row into a text, or says that there is none.
type Writer<'a> = Box<dyn Fn(usize, &mut String) -> bool + 'a>;

/// Writes the values of a column that is not text: numbers in decimal, times in RFC 3339, 16 bytes as a UUID.
fn writer(array: &ArrayRef) -> Result<Writer<'_>> {
    Ok(match array.data_type() {
        DataType::UInt64 => written(getter::<UInt64Type>(array)),
        DataType::Float32 => written(getter::<Float32Type>(array)),
        DataType::Float64 => written(getter::<Float64Type>(array)),
        DataType::Boolean => {
            let array = array.as_boolean();
            written(move |row| array.is_valid(row).then(|| array.value(row)))
        }
        DataType::Decimal128(..) => {
            let array = array.as_primitive::<Decimal128Type>();
            written(move |row| array.is_valid(row).then(|| array.value_as_string(row)))
        }
        DataType::Date32 => {
            let days = getter::<Date32Type>(array);
            written(move |row| chrono::NaiveDate::from_epoch_days(days(row)?))
        }
        DataType::Timestamp(unit, _) => {
            let (unit, raw) = (*unit, timestamps(array, *unit));
            written(move |row| rfc3339(micros(raw(row)?, unit)?))
        }
        DataType::FixedSizeBinary(16) => {
            let array = array.as_fixed_size_binary();
            written(move |row| array.is_valid(row).then(|| uuid(array.value(row)))?)
        }
        other => written(signed(array).ok_or_else(|| unsupported(other, "text"))?),
    })
}

fn written<'a, T: Display>(get: impl Fn(usize) -> Option<T> + 'a) -> Writer<'a> {
    // Writing into a String cannot fail.
    Box::new(move |row, scratch| get(row).is_some_and(|value| write!(scratch, "{value}").is_ok()))
}

fn rfc3339(micros: i64) -> Option<String> {
    let time = chrono::DateTime::from_timestamp_micros(micros)?;
    Some(time.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true))
}

fn uuid(bytes: &[u8]) -> Option<String> {
    let number = u128::from_be_bytes(bytes.try_into().ok()?);
    Some(id_text(VisitorId::Wide(Shape::Uuid, number)))
}

type Getter<'a, T> = Box<dyn Fn(usize) -> Option<T> + 'a>;

fn getter<'a, P: ArrowPrimitiveType>(array: &'a ArrayRef) -> impl Fn(usize) -> Option<P::Native> + 'a {
    let array = array.as_primitive::<P>();
    move |row| array.is_valid(row).then(|| array.value(row))
}

/// An integer column of any width.
fn signed(array: &ArrayRef) -> Option<Getter<'_, i64>> {
    fn widened<'a, P>(array: &'a ArrayRef) -> Getter<'a, i64>
    where
        P: ArrowPrimitiveType,
        P::Native: Into<i64>,
    {
        let get = getter::<P>(array);
        Box::new(move |row| get(row).map(Into::into))
    }
    Some(match array.data_type() {
        DataType::Int8 => widened::<Int8Type>(array),
        DataType::Int16 => widened::<Int16Type>(array),
        DataType::Int32 => widened::<Int32Type>(array),
        DataType::Int64 => widened::<Int64Type>(array),
        DataType::UInt8 => widened::<UInt8Type>(array),
        DataType::UInt16 => widened::<UInt16Type>(array),
        DataType::UInt32 => widened::<UInt32Type>(array),
        _ => return None,
    })
}

/// A reader of one time column: µs UTC, `Err` for a value that is no time.
pub type Times<'a> = Box<dyn FnMut(usize, &mut Clock) -> Option<Result<i64, ()>> + 'a>;

/// Reads `array` as times. Typed times keep their unit; numbers get theirs by size; naive times are local to the clock's zone.
pub fn times(array: &ArrayRef) -> Result<Times<'_>> {
    Ok(match array.data_type() {
        DataType::Timestamp(unit, zone) => {
            let (unit, naive) = (*unit, zone.is_none());
            let raw = timestamps(array, unit);
            Box::new(move |row, clock| {
                raw(row).map(|time| {
                    let micros = micros(time, unit).ok_or(())?;
                    Ok(if naive { clock.local(micros) } else { micros })
                })
            })
        }
        DataType::Date32 => {
            let days = getter::<Date32Type>(array);
            let midnight = |day| i64::from(day).checked_mul(DAY).ok_or(());
            Box::new(move |row, clock| days(row).map(|day| midnight(day).map(|time| clock.local(time))))
        }
        DataType::Float64 => {
            let number = getter::<Float64Type>(array);
            Box::new(move |row, _| number(row).map(|n| epoch_float(n).ok_or(())))
        }
        DataType::UInt64 => {
            let number = getter::<UInt64Type>(array);
            Box::new(move |row, _| number(row).map(|n| i64::try_from(n).ok().and_then(epoch).ok_or(())))
        }
        _ if signed(array).is_some() => {
            let number = signed(array).ok_or_else(|| unsupported(array.data_type(), "a time"))?;
            Box::new(move |row, _| number(row).map(|n| epoch(n).ok_or(())))
        }
        DataType::BinaryView => {
            let texts = array.as_binary_view();
            Box::new(move |row, clock| texts.is_valid(row).then(|| written_time(texts.value(row), clock))?)
        }
        _ => {
            let texts = Texts::new(array)?;
            let mut scratch = String::new();
            Box::new(move |row, clock| written_time(texts.get(row, &mut scratch)?, clock))
        }
    })
}

#[inline]
fn written_time(text: &[u8], clock: &mut Clock) -> Option<Result<i64, ()>> {
    (!text.is_empty()).then(|| clock.read(text).ok_or(()))
}

fn timestamps(array: &ArrayRef, unit: TimeUnit) -> Getter<'_, i64> {
    match unit {
        TimeUnit::Second => Box::new(getter::<TimestampSecondType>(array)),
        TimeUnit::Millisecond => Box::new(getter::<TimestampMillisecondType>(array)),
        TimeUnit::Microsecond => Box::new(getter::<TimestampMicrosecondType>(array)),
        TimeUnit::Nanosecond => Box::new(getter::<TimestampNanosecondType>(array)),
    }
}

/// A time of that unit in µs.
pub fn micros(time: i64, unit: TimeUnit) -> Option<i64> {
    match unit {
        TimeUnit::Second => time.checked_mul(1_000_000),
        TimeUnit::Millisecond => time.checked_mul(1_000),
        TimeUnit::Microsecond => Some(time),
        TimeUnit::Nanosecond => Some(time.div_euclid(1_000)),
    }
}

/// A reader of one column of amounts: millionths, `Err` for a value that is no amount.
pub type Amounts<'a> = Box<dyn FnMut(usize) -> Option<Result<i64, ()>> + 'a>;

/// Reads `array` as amounts.
pub fn amounts(array: &ArrayRef) -> Result<Amounts<'_>> {
    Ok(match array.data_type() {
        DataType::Float64 => {
            let number = getter::<Float64Type>(array);
            Box::new(move |row| number(row).filter(|n| !n.is_nan()).map(float_amount))
        }
        DataType::Float32 => {
            let number = getter::<Float32Type>(array);
            Box::new(move |row| number(row).filter(|n| !n.is_nan()).map(|n| float_amount(f64::from(n))))
        }
        DataType::UInt64 => {
            let number = getter::<UInt64Type>(array);
            let millionths = |n| i64::try_from(n).ok()?.checked_mul(1_000_000);
            Box::new(move |row| number(row).map(|n| millionths(n).ok_or(())))
        }
        DataType::Decimal128(_, scale) => {
            let (number, scale) = (getter::<Decimal128Type>(array), *scale);
            Box::new(move |row| number(row).map(|n| decimal_amount(n, scale)))
        }
        _ if signed(array).is_some() => {
            let number = signed(array).ok_or_else(|| unsupported(array.data_type(), "an amount"))?;
            Box::new(move |row| number(row).map(|n| n.checked_mul(1_000_000).ok_or(())))
        }
        _ => {
            let texts = Texts::new(array)?;
            let mut scratch = String::new();
            Box::new(move |row| {
                let text = texts.get(row, &mut scratch)?.trim_ascii();
                (!text.is_empty()).then(|| text_amount(text).ok_or(()))
            })
        }
    })
}

fn float_amount(number: f64) -> Result<i64, ()> {
    let millionths = (number * 1e6).round();
    if millionths.abs() < 9e18 { Ok(millionths as i64) } else { Err(()) }
}

fn decimal_amount(number: i128, scale: i8) -> Result<i64, ()> {
    let power = 6 - i32::from(scale);
    let factor = 10i128.checked_pow(power.unsigned_abs()).ok_or(())?;
    let millionths = if power >= 0 {
        number.checked_mul(factor)
    } else {
        number.checked_add(number.signum() * factor / 2).map(|n| n / factor)
    };
    millionths.and_then(|n| i64::try_from(n).ok()).filter(|n| *n != NO_VALUE).ok_or(())
}

/// `12`, `-12.5`, `.5`, `1e3`: exact up to six decimals.
fn text_amount(text: &[u8]) -> Option<i64> {
    exact_amount(text).or_else(|| {
        let number: f64 = std::str::from_utf8(text).ok()?.parse().ok()?;
        float_amount(number).ok()
    })
}

fn exact_amount(text: &[u8]) -> Option<i64> {
    let (negative, digits) = match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] | rest => (false, rest),
    };
    let point = memchr::memchr(b'.', digits).unwrap_or(digits.len());
    let (whole, decimals) = (&digits[..point], digits.get(point + 1..).unwrap_or_default());
    if whole.is_empty() && decimals.is_empty() || decimals.len() > 6 {
        return None;
    }
    let padding = std::iter::repeat_n(&b'0', 6 - decimals.len());
    let millionths = whole.iter().chain(decimals).chain(padding).try_fold(0i64, |number, byte| {
        let digit = byte.is_ascii_digit().then(|| i64::from(byte - b'0'))?;
        number.checked_mul(10)?.checked_add(digit)
    })?;
    Some(if negative { -millionths } else { millionths })
}

fn unsupported(data_type: &DataType, wanted: &str) -> Error {
    Error::mapping(format!("a column of type {data_type} cannot be read as {wanted}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_exact() {
        for (text, millionths) in [
            ("12", 12_000_000),
            ("-0.1", -100_000),
            (".5", 500_000),
            ("1e3", 1_000_000_000),
            ("19.99", 19_990_000),
            ("0.1234567", 123_457),
            ("5.", 5_000_000),
            ("+3", 3_000_000),
        ] {
            assert_eq!(text_amount(text.as_bytes()), Some(millionths), "{text}");
        }
        for text in ["", ".", "-", "1,5", "nan", "inf", "12€", "99999999999999999999"] {
            assert_eq!(text_amount(text.as_bytes()), None, "{text}");
        }
        assert_eq!(decimal_amount(12_345, 2), Ok(123_450_000));
        assert_eq!(decimal_amount(15, 7), Ok(2));
    }
}
