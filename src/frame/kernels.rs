//! What polars has no function for, or another one than SQL means: kernels over single rows. Null in, null out, unless said otherwise.

use std::cmp::Ordering;
use std::fmt::Write;

use chrono::{DateTime, Datelike, Months, NaiveDate, NaiveDateTime, NaiveTime, TimeZone, Utc};
use polars::prelude::*;
use polars_plan::plans::LiteralValue;

use super::tree::{Span, Type};

/// One argument in one row.
#[derive(Clone, Copy, Debug)]
pub(super) enum Arg<'a> {
    None,
    Text(&'a str),
    Whole(i64),
    Number(f64),
}

impl<'a> Arg<'a> {
    pub fn text(self) -> Option<&'a str> {
        if let Arg::Text(text) = self { Some(text) } else { None }
    }

    pub fn whole(self) -> Option<i64> {
        if let Arg::Whole(whole) = self { Some(whole) } else { None }
    }

    pub fn number(self) -> Option<f64> {
        if let Arg::Number(number) = self { Some(number) } else { None }
    }
}

/// The values of an argument. One value alone stands for every row.
enum Cells<'a> {
    Text(&'a StringChunked),
    Whole(&'a Int64Chunked),
    Number(&'a Float64Chunked),
}

impl<'a> Cells<'a> {
    fn new(series: &'a Series) -> PolarsResult<Self> {
        Ok(match series.dtype() {
            DataType::String => Cells::Text(series.str()?),
            DataType::Float64 => Cells::Number(series.f64()?),
            _ => Cells::Whole(series.i64()?),
        })
    }

    fn len(&self) -> usize {
        match self {
            Cells::Text(array) => array.len(),
            Cells::Whole(array) => array.len(),
            Cells::Number(array) => array.len(),
        }
    }

    fn get(&self, row: usize) -> Arg<'a> {
        let row = if self.len() == 1 { 0 } else { row };
        match self {
            Cells::Text(array) => array.get(row).map_or(Arg::None, Arg::Text),
            Cells::Whole(array) => array.get(row).map_or(Arg::None, Arg::Whole),
            Cells::Number(array) => array.get(row).map_or(Arg::None, Arg::Number),
        }
    }
}

/// Calls `row` with the arguments of each row.
fn each(columns: &[Column], mut row: impl FnMut(&[Arg<'_>])) -> PolarsResult<()> {
    // Times and days are numbers underneath.
    let series: Vec<Series> = columns
        .iter()
        .map(|column| column.as_materialized_series().to_physical_repr().into_owned())
        .map(|series| match series.dtype() {
            DataType::Int32 | DataType::Boolean => series.cast(&DataType::Int64),
            _ => Ok(series),
        })
        .collect::<PolarsResult<_>>()?;
    let cells: Vec<Cells<'_>> = series.iter().map(Cells::new).collect::<PolarsResult<_>>()?;
    let mut arguments = vec![Arg::None; cells.len()];
    for at in 0..rows(&cells) {
        for (argument, cells) in arguments.iter_mut().zip(&cells) {
            *argument = cells.get(at);
        }
        row(&arguments);
    }
    Ok(())
}

/// As many rows as the arguments have, of which single values stand for every row: none, if one has none.
fn rows(cells: &[Cells<'_>]) -> usize {
    cells.iter().map(Cells::len).find(|len| *len != 1).unwrap_or(1)
}

fn mapped(
    mut arguments: Vec<Expr>,
    gives: DataType,
    call: impl Fn(&[Column]) -> PolarsResult<Series> + Send + Sync + 'static,
) -> Expr {
    let first = arguments.remove(0);
    let call = move |columns: &mut [Column]| call(columns).map(Series::into_column);
    first.map_many(call, &arguments, move |_, fields| Ok(Field::new(fields[0].name().clone(), gives.clone())))
}

/// A function that gives a text: it writes it, or says that there is none.
pub(super) fn text(
    arguments: Vec<Expr>,
    row: impl Fn(&[Arg<'_>], &mut String) -> Option<()> + Send + Sync + 'static,
) -> Expr {
    mapped(arguments, DataType::String, move |columns| {
        let mut scratch = String::new();
        let mut out = StringChunkedBuilder::new(PlSmallStr::EMPTY, 0);
        each(columns, |arguments| {
            scratch.clear();
            out.append_option(row(arguments, &mut scratch).map(|()| scratch.as_str()));
        })?;
        Ok(out.finish().into_series())
    })
}

/// A function that gives a whole number.
pub(super) fn whole(arguments: Vec<Expr>, row: impl Fn(&[Arg<'_>]) -> Option<i64> + Send + Sync + 'static) -> Expr {
    mapped(arguments, DataType::Int64, move |columns| {
        let mut out: Vec<Option<i64>> = Vec::new();
        each(columns, |arguments| out.push(row(arguments)))?;
        Ok(Int64Chunked::from_slice_options(PlSmallStr::EMPTY, &out).into_series())
    })
}

/// A function that gives a number; what is not finite is null.
pub(super) fn number(arguments: Vec<Expr>, row: impl Fn(&[Arg<'_>]) -> Option<f64> + Send + Sync + 'static) -> Expr {
    mapped(arguments, DataType::Float64, move |columns| {
        let mut out: Vec<Option<f64>> = Vec::new();
        each(columns, |arguments| out.push(row(arguments).filter(|number| number.is_finite())))?;
        Ok(Float64Chunked::from_slice_options(PlSmallStr::EMPTY, &out).into_series())
    })
}

/// A function that gives a truth value.
pub(super) fn truth(arguments: Vec<Expr>, row: impl Fn(&[Arg<'_>]) -> Option<bool> + Send + Sync + 'static) -> Expr {
    mapped(arguments, DataType::Boolean, move |columns| {
        let mut out: Vec<Option<bool>> = Vec::new();
        each(columns, |arguments| out.push(row(arguments)))?;
        Ok(BooleanChunked::from_slice_options(PlSmallStr::EMPTY, &out).into_series())
    })
}

/// Numbers that are not finite become null: 1 / 0.
pub(super) fn finite(value: Expr) -> Expr {
    mapped(vec![value], DataType::Float64, |columns| {
        let series = columns[0].as_materialized_series();
        let array = series.f64()?;
        if array.downcast_iter().all(|chunk| chunk.values().iter().all(|number| number.is_finite())) {
            return Ok(series.clone());
        }
        let finite = array.iter().map(|number| number.filter(|number| number.is_finite()));
        Ok(finite.collect::<Float64Chunked>().into_series())
    })
}

pub(super) const TIME: DataType = DataType::Datetime(TimeUnit::Microseconds, None);

/// µs as a time.
pub(super) fn time(value: Expr) -> Expr {
    value.cast(TIME)
}

/// The day of a time.
pub(super) fn day(arguments: Vec<Expr>) -> Expr {
    whole(arguments, |a| Some(a[0].whole()?.div_euclid(DAY))).cast(DataType::Int32).cast(DataType::Date)
}

pub(super) fn null() -> Expr {
    Expr::Literal(LiteralValue::Scalar(Scalar::new(DataType::String, AnyValue::Null)))
}

/// A text that stands in the expression.
pub(super) fn fixed_text(value: &Expr) -> Option<String> {
    if let Expr::Literal(literal) = value { literal.extract_str().map(str::to_owned) } else { None }
}

/// A whole number that stands in the expression.
pub(super) fn fixed_whole(value: &Expr) -> Option<i64> {
    if let Expr::Literal(literal) = value { literal.extract_i64().ok() } else { None }
}

/// The greatest (or else least) of the values that are not null, which are of type `of`.
pub(super) fn extreme(values: Vec<Expr>, of: Type, greatest: bool) -> Expr {
    let wanted = if greatest { Ordering::Greater } else { Ordering::Less };
    match of {
        Type::Number => number(values, move |a| {
            let numbers = a.iter().filter_map(|value| value.number());
            numbers.reduce(|best, value| if value.total_cmp(&best) == wanted { value } else { best })
        }),
        Type::Text => text(values, move |a, out| {
            let texts = a.iter().filter_map(|value| value.text());
            let best = texts.reduce(|best, value| if value.cmp(best) == wanted { value } else { best })?;
            out.push_str(best);
            Some(())
        }),
        of => {
            let best = whole(values, move |a| {
                let wholes = a.iter().filter_map(|value| value.whole());
                if greatest { wholes.max() } else { wholes.min() }
            });
            match of {
                Type::Day => best.cast(DataType::Int32).cast(DataType::Date),
                Type::Time => time(best),
                Type::Truth => best.cast(DataType::Boolean),
                _ => best,
            }
        }
    }
}

// Texts and what they read as.

/// The number that a text reads as.
pub(super) fn read_number(text: &str) -> Option<f64> {
    let text = text.trim();
    // Longer ones are no numbers, and would take long to read.
    let number: f64 = if text.len() <= 400 { text.parse().ok()? } else { return None };
    // -0 equals 0 for people.
    number.is_finite().then_some(number + 0.0)
}

/// The whole number next to a number, halves away from zero.
pub(super) fn nearest_whole(number: f64) -> Option<i64> {
    let whole = number.round();
    (whole.abs() < 9.2e18).then_some(whole as i64)
}

pub(super) fn read_whole(text: &str) -> Option<i64> {
    text.trim().parse().ok().or_else(|| nearest_whole(read_number(text)?))
}

pub(super) fn read_truth(text: &str) -> Option<bool> {
    let is = |words: &[&str]| words.iter().any(|word| text.trim().eq_ignore_ascii_case(word));
    match (is(&["true", "t", "yes", "y", "1"]), is(&["false", "f", "no", "n", "0"])) {
        (true, _) => Some(true),
        (_, true) => Some(false),
        _ => None,
    }
}

const DAY: i64 = 86_400_000_000;

/// The time that a text reads as, in µs UTC: a date, or a date and a time of day, which is UTC unless it names an offset.
pub(super) fn read_time(text: &str) -> Option<i64> {
    let text = text.trim();
    if !text.is_ascii() || text.len() < 10 {
        return None;
    }
    let (date, rest) = text.split_at(10);
    let date = NaiveDate::parse_from_str(date, "%Y-%m-%d").ok()?;
    let midnight = date.and_time(NaiveTime::MIN).and_utc().timestamp_micros();
    let Some(rest) = rest.strip_prefix([' ', 'T', 't']) else { return rest.is_empty().then_some(midnight) };
    let end = rest.find(|c: char| !(c.is_ascii_digit() || matches!(c, ':' | '.'))).unwrap_or(rest.len());
    let (clock, zone) = rest.split_at(end);
    let clock = ["%H:%M:%S%.f", "%H:%M"].iter().find_map(|form| NaiveTime::parse_from_str(clock, form).ok())?;
    let offset = match zone.trim() {
        "" | "Z" | "z" | "UTC" | "GMT" => 0,
        zone => {
            let (sign, digits) = (zone.get(..1)?, zone.get(1..)?.replace(':', ""));
            let number: i64 = digits.parse().ok().filter(|_| digits.bytes().all(|digit| digit.is_ascii_digit()))?;
            let minutes = match digits.len() {
                2 => number * 60,
                4 => number / 100 * 60 + number % 100,
                _ => return None,
            };
            match sign {
                "+" => minutes,
                "-" => -minutes,
                _ => return None,
            }
        }
    };
    let time = date.and_time(clock).and_utc().timestamp_micros();
    Some(time - offset * 60_000_000)
}

/// A number as a text: 3 and 2.5.
pub(super) fn write_number(arguments: &[Arg<'_>], out: &mut String) -> Option<()> {
    write!(out, "{}", arguments[0].number()?).ok()
}

/// A time as a text, in RFC 3339.
pub(super) fn write_time(arguments: &[Arg<'_>], out: &mut String) -> Option<()> {
    let time = DateTime::from_timestamp_micros(arguments[0].whole()?)?;
    out.push_str(&time.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true));
    Some(())
}

/// A day as a text.
pub(super) fn write_day(arguments: &[Arg<'_>], out: &mut String) -> Option<()> {
    let day = NaiveDate::from_epoch_days(i32::try_from(arguments[0].whole()?).ok()?)?;
    write!(out, "{day}").ok()
}

// Functions of texts.

pub(super) fn trim(arguments: &[Arg<'_>], front: bool, back: bool, out: &mut String) -> Option<()> {
    let mut text = arguments[0].text()?;
    let characters = arguments.get(1).map_or(Some(None), |characters| characters.text().map(Some))?;
    let goes = |c: char| characters.map_or(c.is_whitespace(), |characters| characters.contains(c));
    if front {
        text = text.trim_start_matches(goes);
    }
    if back {
        text = text.trim_end_matches(goes);
    }
    out.push_str(text);
    Some(())
}

/// Characters from place `start`, counted from 1; places before the first count as empty.
pub(super) fn substring(arguments: &[Arg<'_>], out: &mut String) -> Option<()> {
    let (text, start) = (arguments[0].text()?, arguments[1].whole()?);
    let end = match arguments.get(2) {
        None => i64::MAX,
        Some(length) => start.saturating_add(length.whole()?.max(0)),
    };
    let from = usize::try_from(start.max(1) - 1).ok()?;
    let count = usize::try_from(end.saturating_sub(start.max(1)).max(0)).unwrap_or(usize::MAX);
    out.extend(text.chars().skip(from).take(count));
    Some(())
}

/// The first (last) characters; a negative number leaves that many out at the other end.
pub(super) fn side(arguments: &[Arg<'_>], left: bool, out: &mut String) -> Option<()> {
    let (text, wanted) = (arguments[0].text()?, arguments[1].whole()?);
    let length = text.chars().count() as i64;
    let count = if wanted < 0 { (length + wanted.max(-length)).max(0) } else { wanted.min(length) };
    let skipped = if left { 0 } else { length - count };
    out.extend(text.chars().skip(skipped as usize).take(count as usize));
    Some(())
}

pub(super) fn replace(arguments: &[Arg<'_>], out: &mut String) -> Option<()> {
    let (text, from, to) = (arguments[0].text()?, arguments[1].text()?, arguments[2].text()?);
    if from.is_empty() {
        out.push_str(text);
    } else {
        out.push_str(&text.replace(from, to));
    }
    Some(())
}

pub(super) fn reverse(arguments: &[Arg<'_>], out: &mut String) -> Option<()> {
    out.extend(arguments[0].text()?.chars().rev());
    Some(())
}

/// Part number n between separators, counted from 1, or from the end if negative; no part is the empty text, which is no value.
pub(super) fn split_part(arguments: &[Arg<'_>], out: &mut String) -> Option<()> {
    let (text, separator, number) = (arguments[0].text()?, arguments[1].text()?, arguments[2].whole()?);
    if separator.is_empty() || number == 0 {
        return None;
    }
    let place = usize::try_from(number.unsigned_abs() - 1).ok()?;
    let part = if number > 0 { text.split(separator).nth(place) } else { text.rsplit(separator).nth(place) };
    out.push_str(part?);
    Some(())
}

/// All texts one after the other; null adds nothing.
pub(super) fn concat(arguments: &[Arg<'_>], out: &mut String) -> Option<()> {
    arguments.iter().filter_map(|argument| argument.text()).for_each(|text| out.push_str(text));
    Some(())
}

/// All texts but the first, which stands between them; null is left out.
pub(super) fn concat_with(arguments: &[Arg<'_>], out: &mut String) -> Option<()> {
    let separator = arguments[0].text()?;
    for (place, text) in arguments[1..].iter().filter_map(|argument| argument.text()).enumerate() {
        if place > 0 {
            out.push_str(separator);
        }
        out.push_str(text);
    }
    Some(())
}

pub(super) fn join(arguments: &[Arg<'_>], out: &mut String) -> Option<()> {
    out.push_str(arguments[0].text()?);
    out.push_str(arguments[1].text()?);
    Some(())
}

/// The place of a text in another in characters, counted from 1; 0 if it is not there.
pub(super) fn position(arguments: &[Arg<'_>]) -> Option<i64> {
    let (text, part) = (arguments[0].text()?, arguments[1].text()?);
    Some(text.find(part).map_or(0, |at| text[..at].chars().count() as i64 + 1))
}

// Functions of numbers.

pub(super) fn sign(number: f64) -> f64 {
    if number == 0.0 { 0.0 } else { number.signum() }
}

/// Rounded to so many decimals, halves away from zero.
pub(super) fn round(arguments: &[Arg<'_>]) -> Option<f64> {
    let number = arguments[0].number()?;
    let decimals = arguments.get(1).map_or(Some(0), |decimals| decimals.whole())?;
    let scale = 10f64.powi(decimals.clamp(-300, 15) as i32);
    Some((number * scale).round() / scale)
}

// Functions of times.

/// µs of so many seconds since 1970.
pub(super) fn epoch(arguments: &[Arg<'_>]) -> Option<i64> {
    let micros = (arguments[0].number()? * 1e6).round();
    (micros.abs() < 9e18).then_some(micros as i64)
}

/// The begin of the hour, day, month … that a time lies in.
pub(super) fn truncate(mut arguments: Vec<Expr>) -> Expr {
    let unit = fixed_text(&arguments.remove(0)).unwrap_or_default();
    time(whole(arguments, move |arguments| begin(&unit, arguments[0].whole()?)))
}

fn begin(unit: &str, micros: i64) -> Option<i64> {
    let fixed = |length: i64| Some(micros.div_euclid(length) * length);
    let date = DateTime::from_timestamp_micros(micros)?.date_naive();
    let first = match unit {
        "second" => return fixed(1_000_000),
        "minute" => return fixed(60_000_000),
        "hour" => return fixed(3_600_000_000),
        "day" => return fixed(DAY),
        "week" => date.week(chrono::Weekday::Mon).checked_first_day()?,
        "month" => date.with_day(1)?,
        "quarter" => date.with_day(1)?.with_month0(date.month0() / 3 * 3)?,
        _ => date.with_day(1)?.with_month(1)?,
    };
    Some(first.and_time(NaiveTime::MIN).and_utc().timestamp_micros())
}

/// A time moved by a span: months first, to the last day of a shorter month.
pub(super) fn moved(value: Expr, span: Span) -> Expr {
    time(whole(vec![value], move |arguments| {
        let micros = arguments[0].whole()?;
        let months = Months::new(span.months.unsigned_abs());
        let micros = match span.months {
            0 => micros,
            1.. => DateTime::from_timestamp_micros(micros)?.checked_add_months(months)?.timestamp_micros(),
            _ => DateTime::from_timestamp_micros(micros)?.checked_sub_months(months)?.timestamp_micros(),
        };
        micros.checked_add(span.micros)
    }))
}

/// What the clock of a time zone shows at a time.
pub(super) fn zoned(value: Expr, zone: chrono_tz::Tz) -> Expr {
    time(whole(vec![value], move |arguments| {
        let time = DateTime::from_timestamp_micros(arguments[0].whole()?)?;
        Some(zone.from_utc_datetime(&time.naive_utc()).naive_local().and_utc().timestamp_micros())
    }))
}

/// A time in strftime's signs.
pub(super) fn strftime(mut arguments: Vec<Expr>) -> Expr {
    let format = fixed_text(&arguments.swap_remove(1)).unwrap_or_default();
    text(arguments, move |arguments, out| {
        let time: NaiveDateTime = DateTime::<Utc>::from_timestamp_micros(arguments[0].whole()?)?.naive_utc();
        // A format that asks for what a time has not (a zone) is an error of writing.
        write!(out, "{}", time.and_utc().format(&format)).ok()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read() {
        let noon = 1_710_331_200_000_000;
        for text in [
            "2024-03-13 12:00",
            "2024-03-13T12:00:00Z",
            "2024-03-13 12:00:00.000 UTC",
            "2024-03-13T14:00:00+02:00",
            "2024-03-13 07:00:00-0500",
            " 2024-03-13 12:00:00+00 ",
        ] {
            assert_eq!(read_time(text), Some(noon), "{text}");
        }
        assert_eq!(read_time("2024-03-13"), Some(noon - DAY / 2));
        for text in [
            "",
            "2024-03-13x",
            "2024-13-13",
            "2024-03-13 25:00",
            "2024-03-13 12:00 +2",
            "13.03.2024",
            "1710331200",
            "２０２４-03-13",
        ] {
            assert_eq!(read_time(text), None, "{text}");
        }
    }

    #[test]
    fn numbers_and_truths_are_read() {
        assert_eq!(read_number(" 1.50 "), Some(1.5));
        assert_eq!(["", "nan", "inf", "1,5", "1e999"].map(read_number), [None; 5]);
        assert_eq!(["7", "2.5", "-2.5", "1e30"].map(read_whole), [Some(7), Some(3), Some(-3), None]);
        assert_eq!(["Yes", "0", "maybe"].map(read_truth), [Some(true), Some(false), None]);
    }

    #[test]
    fn times_are_cut_to_their_units() {
        let at = |text: &str| read_time(text).unwrap();
        let cut = |unit: &str| begin(unit, at("2024-03-14 15:16:17.5")).unwrap();
        assert_eq!(cut("second"), at("2024-03-14 15:16:17"));
        assert_eq!(cut("hour"), at("2024-03-14 15:00"));
        assert_eq!(cut("week"), at("2024-03-11"));
        assert_eq!(cut("quarter"), at("2024-01-01"));
        assert_eq!(begin("day", -1), Some(-DAY));
    }

    #[test]
    fn parts_of_texts() {
        let with = |kernel: fn(&[Arg<'_>], &mut String) -> Option<()>, arguments: &[Arg<'_>]| {
            let mut out = String::new();
            kernel(arguments, &mut out).map(|()| out)
        };
        let sub = |start, length| with(substring, &[Arg::Text("żółw"), Arg::Whole(start), Arg::Whole(length)]).unwrap();
        assert_eq!([sub(2, 2), sub(-1, 3), sub(9, 2), sub(1, -1)], ["ół", "ż", "", ""]);
        let part = |number| with(split_part, &[Arg::Text("/a/b"), Arg::Text("/"), Arg::Whole(number)]);
        assert_eq!(part(2).as_deref(), Some("a"));
        assert_eq!(part(-1).as_deref(), Some("b"));
        assert_eq!([part(9), part(0)], [None, None]);
        assert_eq!(position(&[Arg::Text("żó/"), Arg::Text("/")]), Some(3));
    }
}
