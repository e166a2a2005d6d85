//! Numbers for machines: the one shared way in which all data formats write them.

use chrono::{DateTime, SecondsFormat};

/// The shortest decimal text that reads back as `value`, or nothing if it is not a finite number.
///
/// Never with an exponent, never `-0`, and always with a point: a reader that guesses types by the first rows must not
/// take a column of rates for integers.
pub fn float(value: f64) -> Option<String> {
    if !value.is_finite() {
        return None;
    }
    // Adding zero turns -0.0 into 0.0 and leaves all others as they are.
    let mut text = (value + 0.0).to_string();
    if !text.contains('.') {
        text.push_str(".0");
    }
    Some(text)
}

/// An amount of millionths as exact decimal text, as short as [`float`] would write it.
pub fn money(millionths: i128) -> String {
    let amount = millionths.unsigned_abs();
    let sign = if millionths < 0 { "-" } else { "" };
    let mut text = format!("{sign}{}.{:06}", amount / 1_000_000, amount % 1_000_000);
    let zeros = text.len() - text.trim_end_matches('0').len();
    text.truncate(text.len() - zeros.min(5));
    text
}

/// RFC 3339 in UTC, with a fraction only if there is one. Nothing if no calendar reaches that far.
pub fn time(micros: i64) -> Option<String> {
    let time = DateTime::from_timestamp_micros(micros)?;
    Some(time.to_rfc3339_opts(SecondsFormat::AutoSi, true))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_are_short_exact_and_plain() {
        let cases = [
            (0.0, "0.0"),
            (-0.0, "0.0"),
            (1.0, "1.0"),
            (0.1, "0.1"),
            (0.1 + 0.2, "0.30000000000000004"),
            (1.0 / 3.0, "0.3333333333333333"),
            (-2.5, "-2.5"),
            (1e-7, "0.0000001"),
            (1e21, "1000000000000000000000.0"),
        ];
        for (value, text) in cases {
            assert_eq!(float(value).as_deref(), Some(text));
            assert_eq!(text.parse::<f64>(), Ok(value));
        }
        for value in [f64::MIN_POSITIVE, f64::MAX, 5e-324, 123_456_789.123_456_78] {
            let text = float(value).unwrap();
            assert!(!text.contains(['e', 'E']), "{text}");
            assert_eq!(text.parse::<f64>(), Ok(value));
        }
    }

    #[test]
    fn what_is_not_a_number_has_no_text() {
        for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            assert_eq!(float(value), None);
        }
    }

    #[test]
    fn money_is_exact() {
        let cases = [
            (0, "0.0"),
            (1, "0.000001"),
            (-1, "-0.000001"),
            (10_000_000, "10.0"),
            (12_500_000, "12.5"),
            (-19_990_000, "-19.99"),
            (9_007_199_254_740_993_000_001, "9007199254740993.000001"),
            (i128::MIN, "-170141183460469231731687303715884.105728"),
        ];
        for (millionths, text) in cases {
            assert_eq!(money(millionths), text);
        }
    }

    #[test]
    fn times_are_rfc_3339_in_utc() {
        assert_eq!(time(1_710_325_274_000_000).as_deref(), Some("2024-03-13T10:21:14Z"));
        assert_eq!(time(1_710_325_274_000_001).as_deref(), Some("2024-03-13T10:21:14.000001Z"));
        assert_eq!(time(-1_000).as_deref(), Some("1969-12-31T23:59:59.999Z"));
        assert_eq!(time(i64::MAX), None);
    }
}
