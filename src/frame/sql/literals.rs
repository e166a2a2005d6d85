//! Literals, patterns, types and time zones.

use regex::RegexBuilder;
use sqlparser::ast::{DataType, DateTimeField, Expr, Interval, TypedString, Value, ValueWithSpan};

use super::super::kernels::read_time;
use super::super::tree::{Kind, Literal, Node, Place, Span, TextTest, Type};
use super::{Reader, negated_if, start, type_by_name};
use crate::error::Result;

/// Whole numbers up to this size are numbers without loss.
const LARGEST: i64 = 1 << 53;

const SECOND: i64 = 1_000_000;

impl Reader<'_> {
    pub(super) fn literal(&self, value: &Value, at: Place) -> Result<Literal> {
        Ok(match value {
            Value::Null => Literal::Null,
            Value::Boolean(truth) => Literal::Truth(*truth),
            Value::SingleQuotedString(text) => Literal::Text(text.clone()),
            Value::Number(digits, _) => self.number(digits, at)?,
            other => {
                let message = format!("`{other}` is no value that is known here");
                return Err(self.wrong(at, message).hint("write texts in single quotes, and numbers like 12.5"));
            }
        })
    }

    fn number(&self, digits: &str, at: Place) -> Result<Literal> {
        if digits.bytes().all(|digit| digit.is_ascii_digit()) {
            return match digits.parse::<i64>() {
                Ok(whole) if whole <= LARGEST => Ok(Literal::Whole(whole)),
                _ => Err(self
                    .wrong(at, format!("the number {digits} has too many digits to be compared as one"))
                    .hint(format!("an id is a text: '{digits}'"))),
            };
        }
        match digits.parse::<f64>() {
            Ok(number) if number.is_finite() => Ok(Literal::Number(number)),
            _ => Err(self.wrong(at, format!("{digits} is no number that is known here"))),
        }
    }

    /// `DATE '2026-05-01'`, `TIMESTAMP '2026-05-01 12:00:00'`.
    pub(super) fn typed_literal(&self, typed: &TypedString, at: Place) -> Result<Kind> {
        let to = self.data_type(&typed.data_type, at)?;
        let literal = self.literal(&typed.value.value, at)?;
        let (Literal::Text(text), Type::Day | Type::Time) = (&literal, to) else {
            return Ok(Kind::Cast(Box::new(Node { at, kind: Kind::Literal(literal) }), to));
        };
        let Some(time) = read_time(text) else {
            return Err(self.wrong(at, format!("{text:?} is not {}", to.name())).hint(TIMES));
        };
        Ok(Kind::Literal(match to {
            Type::Day => Literal::Day(time.div_euclid(86_400 * SECOND) as i32),
            _ => Literal::Time(time),
        }))
    }

    pub(super) fn data_type(&self, data_type: &DataType, at: Place) -> Result<Type> {
        let name = data_type.to_string();
        type_by_name(&name).ok_or_else(|| {
            self.wrong(at, format!("the type {name} is not known here"))
                .hint("known are TEXT, INTEGER, DOUBLE, BOOLEAN, DATE and TIMESTAMP")
        })
    }

    /// The text of a literal that must be known beforehand.
    pub(super) fn fixed_text(&self, expression: &Expr, what: &str) -> Result<String> {
        match expression {
            Expr::Value(ValueWithSpan { value: Value::SingleQuotedString(text), .. }) => Ok(text.clone()),
            Expr::Nested(inner) => self.fixed_text(inner, what),
            other => Err(self
                .wrong(start(other), format!("{what} must stand there as a text"))
                .hint("write it in single quotes; it cannot come out of a column")),
        }
    }

    /// A regular expression with `flags` before it, checked.
    pub(super) fn regex(&self, pattern: &Expr, flags: &str) -> Result<String> {
        let text = flags.to_owned() + &self.fixed_text(pattern, "a pattern")?;
        let at = start(pattern);
        match RegexBuilder::new(&text).size_limit(1 << 20).build() {
            Ok(_) => Ok(text),
            Err(error) => {
                let reason = error.to_string();
                let reason = reason.lines().last().unwrap_or_default().trim_start_matches("error: ");
                Err(self.wrong(at, format!("{text:?} is not a regular expression: {reason}")))
            }
        }
    }

    pub(super) fn like(
        &mut self,
        not: bool,
        value: &Expr,
        pattern: &Expr,
        escape: Option<&ValueWithSpan>,
        fold: bool,
        at: Place,
    ) -> Result<Kind> {
        let text = self.fixed_text(pattern, "a pattern")?;
        let escape = match escape.map(|escape| &escape.value) {
            None => None,
            Some(Value::SingleQuotedString(sign)) if sign.chars().count() <= 1 => sign.chars().next(),
            Some(other) => return Err(self.wrong(at, format!("ESCAPE takes one character, not {other}"))),
        };
        let Some(parts) = like_parts(&text, escape) else {
            return Err(self.wrong(at, format!("the pattern {text:?} ends in its escape character")));
        };
        Ok(negated_if(not, Kind::Text(like_test(&parts, fold), self.boxed(value)?), at))
    }

    pub(super) fn zoned(&mut self, time: &Expr, zone: &Expr) -> Result<Kind> {
        let name = self.fixed_text(zone, "a time zone")?;
        let zone = name.parse().map_err(|_| {
            self.wrong(start(zone), format!("{name:?} is not a time zone"))
                .hint("use an IANA name: time AT TIME ZONE 'Europe/Berlin'")
        })?;
        Ok(Kind::Zoned(self.boxed(time)?, zone))
    }

    /// `INTERVAL '1 day'`, `INTERVAL '2' HOUR`, `INTERVAL 3 MONTH`.
    pub(super) fn interval(&self, interval: &Interval, back: bool, at: Place) -> Result<Span> {
        let text = match &*interval.value {
            Expr::Value(ValueWithSpan { value: Value::SingleQuotedString(text) | Value::Number(text, _), .. }) => {
                text.clone()
            }
            other => other.to_string(),
        };
        let unit = interval.leading_field.as_ref().map(DateTimeField::to_string).unwrap_or_default();
        let span = read_span(&format!("{text} {unit}"));
        let Some(Span { months, micros }) = span.filter(|_| interval.last_field.is_none()) else {
            return Err(self
                .wrong(at, format!("{text:?} is not a length of time"))
                .hint("write INTERVAL '1 day', '90 minutes' or '2 months'"));
        };
        let sign = if back { -1 } else { 1 };
        Ok(Span { months: months * sign, micros: micros * i64::from(sign) })
    }
}

pub(in super::super) const TIMES: &str = "write 2026-05-01, 2026-05-01 12:00:00 or 2026-05-01T12:00:00Z";

/// A piece of a LIKE pattern.
#[derive(Debug, PartialEq)]
enum Part {
    Text(String),
    /// `_`
    One,
    /// `%`
    Any,
}

/// The pieces of a LIKE pattern; none if it ends in its escape character.
fn like_parts(pattern: &str, escape: Option<char>) -> Option<Vec<Part>> {
    let mut parts: Vec<Part> = Vec::new();
    let mut signs = pattern.chars();
    while let Some(sign) = signs.next() {
        let literal = if Some(sign) == escape {
            signs.next()?
        } else {
            match sign {
                '%' if parts.last() == Some(&Part::Any) => continue,
                '%' => {
                    parts.push(Part::Any);
                    continue;
                }
                '_' => {
                    parts.push(Part::One);
                    continue;
                }
                sign => sign,
            }
        };
        match parts.last_mut() {
            Some(Part::Text(text)) => text.push(literal),
            _ => parts.push(Part::Text(literal.into())),
        }
    }
    Some(parts)
}

/// The cheapest test that a LIKE pattern needs.
fn like_test(parts: &[Part], fold: bool) -> TextTest {
    match parts {
        [] if !fold => TextTest::Equals(String::new()),
        [Part::Text(text)] if !fold => TextTest::Equals(text.clone()),
        [Part::Text(text), Part::Any] if !fold => TextTest::Starts(text.clone()),
        [Part::Any, Part::Text(text)] if !fold => TextTest::Ends(text.clone()),
        [Part::Any, Part::Text(text), Part::Any] if !fold => TextTest::Contains(text.clone()),
        parts => {
            let piece = |part: &Part| match part {
                Part::Text(text) => regex::escape(text),
                Part::One => ".".to_owned(),
                Part::Any => ".*".to_owned(),
            };
            let flags = if fold { "(?is)" } else { "(?s)" };
            TextTest::Matches(format!("{flags}^{}$", parts.iter().map(piece).collect::<String>()))
        }
    }
}

/// `1 day`, `90 minutes`, `1 month 2 days`, `01:30:00` is not.
fn read_span(text: &str) -> Option<Span> {
    let mut words = text.split_whitespace();
    let mut span = Span::default();
    let mut any = false;
    while let Some(count) = words.next() {
        let count: i64 = count.parse().ok()?;
        let unit = words.next()?.to_ascii_lowercase();
        let (months, micros) = match unit.trim_end_matches('s') {
            "microsecond" => (0, 1),
            "millisecond" => (0, 1_000),
            "second" | "sec" => (0, SECOND),
            "minute" | "min" => (0, 60 * SECOND),
            "hour" => (0, 3_600 * SECOND),
            "day" => (0, 86_400 * SECOND),
            "week" => (0, 7 * 86_400 * SECOND),
            "month" => (1, 0),
            "quarter" => (3, 0),
            "year" => (12, 0),
            _ => return None,
        };
        span.micros = span.micros.checked_add(count.checked_mul(micros)?)?;
        span.months = span.months.checked_add(i32::try_from(count.checked_mul(months)?).ok()?)?;
        any = true;
    }
    any.then_some(span)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_read() {
        let day = 86_400 * SECOND;
        assert_eq!(read_span("1 day"), Some(Span { months: 0, micros: day }));
        assert_eq!(read_span("2 months 3 hours"), Some(Span { months: 2, micros: 3 * 3_600 * SECOND }));
        for text in ["", "day", "1", "1 fortnight", "1.5 days", "99999999999999 weeks"] {
            assert_eq!(read_span(text), None, "{text}");
        }
    }

    #[test]
    fn like_patterns_become_the_cheapest_test() {
        let test = |pattern: &str| like_test(&like_parts(pattern, Some('!')).unwrap(), false);
        assert_eq!(test("a"), TextTest::Equals("a".into()));
        assert_eq!(test("a%"), TextTest::Starts("a".into()));
        assert_eq!(test("%%a"), TextTest::Ends("a".into()));
        assert_eq!(test("%a!%%"), TextTest::Contains("a%".into()));
        assert_eq!(test("a_.%b"), TextTest::Matches(r"(?s)^a.\..*b$".into()));
        assert_eq!(like_parts("a!", Some('!')), None);
    }
}
