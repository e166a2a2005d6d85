//! Values for people: rounded, grouped and with their unit.
//!
//! What is not zero never reads as zero, and what is not all never reads as all: `<0.1%`, `>99.9%`.

use chrono::DateTime;

use super::Cell;
use super::text::visible;

/// What stands where there is no value.
const NOTHING: &str = "–";

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// One value of a table, safe to show.
pub fn cell(cell: &Cell) -> String {
    match cell {
        Cell::Null => NOTHING.to_owned(),
        Cell::Text(text) => visible(text).into_owned(),
        Cell::Count(value) => count(*value),
        Cell::Integer(value) => format!("{}{}", if *value < 0 { "-" } else { "" }, count(value.unsigned_abs())),
        Cell::Rate(value) | Cell::Seconds(value) | Cell::Number(value) if !value.is_finite() => NOTHING.to_owned(),
        Cell::Rate(fraction) => rate(*fraction),
        Cell::Seconds(value) => seconds(*value),
        Cell::Number(value) => rounded(*value, 2),
        Cell::Money(millionths) => money(*millionths),
        Cell::Time(micros) => time(*micros).unwrap_or_else(|| NOTHING.to_owned()),
    }
}

/// `31,106`
pub fn count(value: u64) -> String {
    grouped(&value.to_string())
}

/// `1 visitor`, `600 visitors`
pub fn counted(value: u64, noun: &str) -> String {
    let plural = if value == 1 { "" } else { "s" };
    format!("{} {noun}{plural}", count(value))
}

/// `53.1%`
pub fn rate(fraction: f64) -> String {
    let percent = rounded(fraction * 100.0, 1);
    if percent == "100.0" && fraction < 1.0 {
        return ">99.9%".to_owned();
    }
    percent + "%"
}

/// `0.5s`, `41s`, `2m 41s`, `1h 03m`, `2d 4h`: the two units that matter, rounded to the smaller one.
fn seconds(value: f64) -> String {
    if value < 0.0 {
        return format!("-{}", seconds(-value));
    }
    // From here on the first decimal rounds to 10 seconds, and is left out.
    if value < 9.95 {
        let text = rounded(value, 1);
        return format!("{}s", text.strip_suffix(".0").unwrap_or(&text));
    }
    // Each unit is rounded before its size is judged, so that 59.7 seconds are 1m 00s and not 60s.
    let rounded_to = |unit: u64| (value / unit as f64).round() as u64;
    let (whole, minutes, hours) = (rounded_to(1), rounded_to(MINUTE), rounded_to(HOUR));
    if whole < MINUTE {
        return format!("{whole}s");
    }
    if whole < HOUR {
        return format!("{}m {:02}s", whole / MINUTE, whole % MINUTE);
    }
    if minutes < DAY / MINUTE {
        return format!("{}h {:02}m", minutes / 60, minutes % 60);
    }
    format!("{}d {}h", count(hours / 24), hours % 24)
}

/// `1,234.50`, rounded half away from zero
fn money(millionths: i128) -> String {
    let cents = millionths.unsigned_abs().saturating_add(5_000) / 10_000;
    let sign = if millionths < 0 && cents > 0 { "-" } else { "" };
    grouped(&format!("{sign}{}.{:02}", cents / 100, cents % 100))
}

/// `2024-03-13 10:21:14Z`
fn time(micros: i64) -> Option<String> {
    let time = DateTime::from_timestamp_micros(micros)?;
    Some(time.format("%Y-%m-%d %H:%M:%SZ").to_string())
}

/// `value` with that many decimals.
fn rounded(value: f64, decimals: usize) -> String {
    let text = format!("{value:.decimals$}");
    if text.contains(|digit| matches!(digit, '1'..='9')) {
        return grouped(&text);
    }
    let zero = text.trim_start_matches('-');
    if value == 0.0 {
        return zero.to_owned();
    }
    // Zeros to the last decimal but one, then the least step.
    let least = format!("{}1", &zero[..zero.len() - 1]);
    if value > 0.0 { format!("<{least}") } else { format!(">-{least}") }
}

/// Decimal text with its thousands apart: `-1,234.5`.
fn grouped(plain: &str) -> String {
    let (whole, fraction) = plain.split_at(plain.find('.').unwrap_or(plain.len()));
    let (sign, digits) = whole.split_at(usize::from(whole.starts_with('-')));
    let mut text = String::from(sign);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text + fraction
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all<T: Copy>(make: fn(T) -> Cell, cases: &[(T, &str)]) {
        for &(value, text) in cases {
            assert_eq!(cell(&make(value)), text);
        }
    }

    #[test]
    fn counts_have_their_thousands_apart() {
        all(Cell::Count, &[(0, "0"), (999, "999"), (1_000, "1,000"), (31_106, "31,106"), (1_234_567, "1,234,567")]);
        assert_eq!(counted(1, "visitor"), "1 visitor");
        assert_eq!(counted(1_000, "visitor"), "1,000 visitors");
        assert_eq!(counted(0, "visitor"), "0 visitors");
    }

    #[test]
    fn integers_have_a_sign_only_below_zero() {
        all(Cell::Integer, &[(0, "0"), (-1, "-1"), (1_000, "1,000"), (i64::MIN, "-9,223,372,036,854,775,808")]);
    }

    #[test]
    fn rates_have_one_decimal_and_do_not_round_to_none_or_all() {
        all(
            Cell::Rate,
            &[
                (0.0, "0.0%"),
                (-0.0, "0.0%"),
                (0.531, "53.1%"),
                (1.0, "100.0%"),
                (0.0004, "<0.1%"),
                (-0.0004, ">-0.1%"),
                (0.9996, ">99.9%"),
                (12.5, "1,250.0%"),
                (f64::NAN, "–"),
            ],
        );
    }

    #[test]
    fn durations_have_two_units_and_carry() {
        all(
            Cell::Seconds,
            &[
                (0.0, "0s"),
                (0.01, "<0.1s"),
                (0.5, "0.5s"),
                (5.0, "5s"),
                (9.94, "9.9s"),
                (9.96, "10s"),
                (41.0, "41s"),
                (59.4, "59s"),
                (59.7, "1m 00s"),
                (161.0, "2m 41s"),
                (3_599.7, "1h 00m"),
                (3_780.0, "1h 03m"),
                (86_399.0, "1d 0h"),
                (187_200.0, "2d 4h"),
                (-161.0, "-2m 41s"),
                (1e9, "11,574d 2h"),
                (f64::INFINITY, "–"),
            ],
        );
    }

    #[test]
    fn numbers_have_two_decimals() {
        all(
            Cell::Number,
            &[(1.0, "1.00"), (-1_234.567, "-1,234.57"), (0.001, "<0.01"), (-0.001, ">-0.01"), (f64::NAN, "–")],
        );
    }

    #[test]
    fn money_has_cents_and_rounds_half_away_from_zero() {
        all(
            Cell::Money,
            &[
                (0, "0.00"),
                (1_234_500_000, "1,234.50"),
                (5_000, "0.01"),
                (4_999, "0.00"),
                (-4_999, "0.00"),
                (-5_000, "-0.01"),
                (-1_234_567_890_000, "-1,234,567.89"),
                (i128::MAX, "170,141,183,460,469,231,731,687,303,715,884.11"),
            ],
        );
    }

    #[test]
    fn times_are_utc_to_the_second_and_text_is_made_visible() {
        all(Cell::Time, &[(1_710_325_274_999_999, "2024-03-13 10:21:14Z"), (i64::MIN, "–")]);
        assert_eq!(cell(&Cell::Text("a\u{1b}b".into())), r"a\u{1b}b");
        assert_eq!(cell(&Cell::Null), "–");
    }
}
