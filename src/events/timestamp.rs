//! Times as logs write them → µs since 1970 in UTC.

use chrono::{DateTime, Duration, LocalResult, NaiveDate, NaiveDateTime, Offset, TimeZone, Utc};
use chrono_tz::Tz;

use crate::error::{Error, Result};

/// One second, in µs.
pub const SECOND: i64 = 1_000_000;
/// One day of 24 hours, in µs.
pub const DAY: i64 = 86_400 * SECOND;

/// What the reading of local times had to decide, counted for the notes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ClockNotes {
    /// Local times that occur twice (end of summer time): the first reading was taken.
    pub repeated: u64,
    /// Local times that do not exist (start of summer time): moved forward.
    pub skipped: u64,
    /// Seconds numbered 60: read as 59.
    pub leap: u64,
}

impl ClockNotes {
    pub(super) fn add(&mut self, other: ClockNotes) {
        self.repeated += other.repeated;
        self.skipped += other.skipped;
        self.leap += other.leap;
    }
}

/// The time that a user wrote, in µs UTC; without a zone of its own it is local to `zone`.
pub fn instant(text: &str, zone: Tz) -> Result<i64> {
    Clock::new(zone, None).read(text.as_bytes()).ok_or_else(|| {
        Error::question(format!("{text:?} is not a time"))
            .hint("write 2026-05-01, 2026-05-01 12:00:00 or 2026-05-01T12:00:00Z")
    })
}

/// A time in µs by the clocks of a zone.
pub fn local(zone: Tz, micros: i64) -> NaiveDateTime {
    let utc = DateTime::<Utc>::from_timestamp_micros(micros).unwrap_or_default().naive_utc();
    utc + zone.offset_from_utc_datetime(&utc).fix()
}

/// Reads times, each thread with its own.
#[derive(Clone, Debug)]
pub struct Clock {
    zone: Tz,
    format: Option<String>,
    /// The date read last and its day number: neighbours in a log mostly share it.
    last: ([u8; 10], i64),
    /// The same for a date with hour and minute, and local µs of its begin.
    minute: ([u8; 16], i64),
    pub(super) notes: ClockNotes,
}

impl Clock {
    /// A clock for inputs without a zone in `zone`, and with times in the strftime `format` if one is given.
    pub fn new(zone: Tz, format: Option<String>) -> Self {
        let (last, minute) = ((*b"1970-01-01", 0), (*b"1970-01-01 00:00", 0));
        Clock { zone, format, last, minute, notes: ClockNotes::default() }
    }

    /// The zone of times that name none.
    pub fn zone(&self) -> Tz {
        self.zone
    }

    /// The time that `text` says, in µs UTC: RFC 3339, `YYYY-MM-DD[ HH:MM[:SS[.f]]]` with or without a zone, or an epoch number whose
    /// unit (s, ms, µs, ns) follows from its size; or the given format only.
    #[inline]
    pub fn read(&mut self, text: &[u8]) -> Option<i64> {
        if self.format.is_some() {
            return self.custom(text);
        }
        if text.len() >= 10 && text[4] == b'-' && text[7] == b'-' { self.calendar(text) } else { epoch_text(text) }
    }

    fn calendar(&mut self, text: &[u8]) -> Option<i64> {
        let (local, rest) = match self.in_known_minute(text) {
            Some(known) => known,
            None => self.local_time(text)?,
        };
        match zone_offset(rest)? {
            Some(offset) => Some(local - offset),
            None => Some(self.local(local)),
        }
    }

    /// Local µs of a text that begins with the minute read last, and the zone behind it; nothing for any other text, which may be a
    /// time all the same.
    #[inline]
    fn in_known_minute<'a>(&self, text: &'a [u8]) -> Option<(i64, &'a [u8])> {
        let (minute, rest) = text.split_first_chunk()?;
        let [b':', tens @ b'0'..=b'5', ones @ b'0'..=b'9', rest @ ..] = rest else { return None };
        if *minute != self.minute.0 {
            return None;
        }
        let second = i64::from(tens - b'0') * 10 + i64::from(ones - b'0');
        let (micros, rest) = fraction(rest)?;
        Some((self.minute.1 + second * SECOND + micros, rest))
    }

    /// Local µs of `YYYY-MM-DD[ HH:MM[:SS[.f]]]`, and the zone behind it, which a date alone has not.
    fn local_time<'a>(&mut self, text: &'a [u8]) -> Option<(i64, &'a [u8])> {
        let (date, rest) = text.split_first_chunk::<10>()?;
        let midnight = self.day(date)?.checked_mul(DAY)?;
        let [separator, rest @ ..] = rest else { return Some((midnight, rest)) };
        if !matches!(separator, b' ' | b'T' | b't') {
            return None;
        }
        let (of_day, zone) = self.time_of_day(rest)?;
        if let Some(minute) = text.first_chunk() {
            self.minute = (*minute, midnight + of_day - of_day % (60 * SECOND));
        }
        Some((midnight + of_day, zone))
    }

    #[inline]
    fn day(&mut self, date: &[u8; 10]) -> Option<i64> {
        if *date == self.last.0 {
            return Some(self.last.1);
        }
        let year = digits(&date[..4])?;
        let day = NaiveDate::from_ymd_opt(year as i32, digits(&date[5..7])? as u32, digits(&date[8..])? as u32)?;
        let number = day.signed_duration_since(NaiveDate::from_ymd_opt(1970, 1, 1)?).num_days();
        self.last = (*date, number);
        Some(number)
    }

    /// µs of the day and what follows them: `HH:MM[:SS[.f]]`.
    #[inline]
    fn time_of_day<'a>(&mut self, text: &'a [u8]) -> Option<(i64, &'a [u8])> {
        if let Some((clock, rest)) = text.split_first_chunk()
            && let Some(seconds) = plain_clock(clock)
        {
            let (micros, rest) = fraction(rest)?;
            return Some((seconds * SECOND + micros, rest));
        }
        if text.len() < 5 || text[2] != b':' {
            return None;
        }
        let (hour, minute) = (digits(&text[..2])?, digits(&text[3..5])?);
        if hour > 23 || minute > 59 {
            return None;
        }
        let minutes = (hour * 60 + minute) * 60 * SECOND;
        let [b':', a, b, rest @ ..] = &text[5..] else { return Some((minutes, &text[5..])) };
        let mut second = digits(&[*a, *b])?;
        if second == 60 {
            self.notes.leap += 1;
            second = 59;
        }
        if second > 59 {
            return None;
        }
        let (micros, rest) = fraction(rest)?;
        Some((minutes + second * SECOND + micros, rest))
    }

    /// UTC of a local time in the clock's zone.
    #[inline]
    pub fn local(&mut self, local: i64) -> i64 {
        if self.zone == Tz::UTC { local } else { self.in_zone(local) }
    }

    fn in_zone(&mut self, local: i64) -> i64 {
        let Some(naive) = DateTime::<Utc>::from_timestamp_micros(local).map(|t| t.naive_utc()) else { return local };
        match self.zone.from_local_datetime(&naive) {
            LocalResult::Single(time) => time.timestamp_micros(),
            LocalResult::Ambiguous(first, _) => {
                self.notes.repeated += 1;
                first.timestamp_micros()
            }
            LocalResult::None => {
                self.notes.skipped += 1;
                self.after_gap(naive).unwrap_or(local)
            }
        }
    }

    /// A skipped local time, moved forward by the length of the gap (RFC 5545 reads it with the offset before the gap).
    fn after_gap(&self, naive: NaiveDateTime) -> Option<i64> {
        let hours = [1, 2, 3, 6, 12, 24].map(Duration::hours);
        hours.iter().find_map(|&back| {
            let before = self.zone.from_local_datetime(&(naive - back)).earliest()?;
            Some((before + back).timestamp_micros())
        })
    }

    fn custom(&mut self, text: &[u8]) -> Option<i64> {
        let text = std::str::from_utf8(text).ok()?;
        let format = self.format.as_deref()?;
        if let Ok(time) = DateTime::parse_from_str(text, format) {
            return Some(time.timestamp_micros());
        }
        let naive = NaiveDateTime::parse_from_str(text, format)
            .or_else(|_| NaiveDate::parse_from_str(text, format).map(|day| day.and_time(chrono::NaiveTime::MIN)))
            .ok()?;
        Some(self.local(naive.and_utc().timestamp_micros()))
    }
}

/// µs of an epoch number; its size says its unit: below 10¹¹ seconds, below 10¹⁴ milliseconds, below 10¹⁷ microseconds, else nanoseconds.
#[inline]
pub fn epoch(number: i64) -> Option<i64> {
    match number.unsigned_abs() {
        0..100_000_000_000 => number.checked_mul(SECOND),
        100_000_000_000..100_000_000_000_000 => number.checked_mul(1000),
        100_000_000_000_000..100_000_000_000_000_000 => Some(number),
        _ => Some(number.div_euclid(1000)),
    }
}

/// The same for a number with a fraction, rounded to the µs.
pub fn epoch_float(number: f64) -> Option<i64> {
    let scale = match number.abs() {
        size if size < 1e11 => 1e6,
        size if size < 1e14 => 1e3,
        size if size < 1e17 => 1.0,
        _ => 1e-3,
    };
    let micros = (number * scale).round();
    (micros.abs() < 9e18).then_some(micros as i64)
}

fn epoch_text(text: &[u8]) -> Option<i64> {
    let number = std::str::from_utf8(text).ok()?.trim();
    if !number.starts_with(|c: char| c.is_ascii_digit() || c == '-') {
        return None;
    }
    let Some((whole, decimals)) = number.split_once('.') else { return epoch(number.parse().ok()?) };
    let seconds: i64 = whole.parse().ok()?;
    // Exact for seconds with up to six decimals, where a binary float would round.
    if seconds.unsigned_abs() < 100_000_000_000 && decimals.bytes().all(|b| b.is_ascii_digit()) && !decimals.is_empty()
    {
        let (micros, _) = fraction(format!(".{decimals}").as_bytes())?;
        let sign = if whole.starts_with('-') { -1 } else { 1 };
        return Some(seconds * SECOND + sign * micros);
    }
    epoch_float(number.parse().ok()?)
}

/// Seconds of the day that a plain `HH:MM:SS` says, all bytes at once; nothing for any other text, which may be a time all the same.
#[inline]
fn plain_clock(text: &[u8; 8]) -> Option<i64> {
    const COLONS: u64 = 0x0000_FF00_00FF_0000;
    const EACH: u64 = 0x0101_0101_0101_0101;
    let word = u64::from_le_bytes(*text);
    // Digits and the colon share their upper half; the lower one of a colon is 10.
    let low = word & (0x0F * EACH);
    let (colons, above_nine) = (low & COLONS, (low + 6 * EACH) & (0x10 * EACH) & !COLONS);
    if word & (0xF0 * EACH) != 0x30 * EACH || colons != (10 * EACH) & COLONS || above_nine != 0 {
        return None;
    }
    let pairs = low * 10 + (low >> 8);
    let [hour, minute, second] = [0, 24, 48].map(|shift| (pairs >> shift & 0xFF) as i64);
    (hour < 24 && minute < 60 && second < 60).then_some((hour * 60 + minute) * 60 + second)
}

/// µs of `.f` with one to nine digits (further ones are cut), and what follows; nothing is 0.
#[inline]
fn fraction(text: &[u8]) -> Option<(i64, &[u8])> {
    let [b'.' | b',', rest @ ..] = text else { return Some((0, text)) };
    // Most fractions are of six digits.
    if let Some((six, rest)) = rest.split_first_chunk::<6>()
        && !rest.first().is_some_and(u8::is_ascii_digit)
        && let Some(micros) = six_digits(six)
    {
        return Some((micros, rest));
    }
    let (mut micros, mut unit, mut length) = (0, SECOND, 0);
    for digit in rest.iter().map(|byte| byte.wrapping_sub(b'0')).take_while(|digit| *digit < 10) {
        unit /= 10;
        micros += i64::from(digit) * unit;
        length += 1;
    }
    (length > 0).then(|| (micros, &rest[length..]))
}

/// Offset of a zone suffix in µs; `Some(None)` if there is none, `None` if it is not a zone.
#[inline]
fn zone_offset(text: &[u8]) -> Option<Option<i64>> {
    if text == b"Z" {
        return Some(Some(0));
    }
    match text.trim_ascii() {
        b"" => Some(None),
        b"Z" | b"z" | b"UTC" | b"GMT" => Some(Some(0)),
        [sign @ (b'+' | b'-'), rest @ ..] => {
            let minutes = match rest {
                [a, b] => digits(&[*a, *b])? * 60,
                [a, b, c, d] | [a, b, b':', c, d] => digits(&[*a, *b])? * 60 + digits(&[*c, *d])?,
                _ => return None,
            };
            let offset = minutes * 60 * SECOND;
            Some(Some(if *sign == b'-' { -offset } else { offset }))
        }
        _ => None,
    }
}

/// The number that six digits write, all bytes at once.
#[inline]
fn six_digits(text: &[u8; 6]) -> Option<i64> {
    const EACH: u64 = 0x0101_0101_0101_0101;
    let [a, b, c, d, e, f] = *text;
    // As eight digits, the first of which is the lowest byte.
    let word = u64::from_le_bytes([b'0', b'0', a, b, c, d, e, f]);
    let low = word & (0x0F * EACH);
    if word & (0xF0 * EACH) != 0x30 * EACH || (low + 6 * EACH) & (0xF0 * EACH) != 0 {
        return None;
    }
    // Twos, then fours, then all of them: what is higher in the number is lower in the word.
    let pairs = (low * 10 + (low >> 8)) & 0x00FF_00FF_00FF_00FF;
    let fours = (pairs * 100 + (pairs >> 16)) & 0x0000_FFFF_0000_FFFF;
    Some((fours * 10_000 + (fours >> 32)) as i64 & 0xFFFF_FFFF)
}

#[inline]
fn digits(text: &[u8]) -> Option<i64> {
    let (mut number, mut all_digits) = (0, true);
    for digit in text.iter().map(|byte| byte.wrapping_sub(b'0')) {
        number = number * 10 + i64::from(digit);
        all_digits &= digit < 10;
    }
    all_digits.then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn utc(text: &str) -> Option<i64> {
        Clock::new(Tz::UTC, None).read(text.as_bytes())
    }

    #[test]
    fn a_plain_clock_is_what_it_is_digit_by_digit() {
        for seconds in 0..86_400 {
            let text = format!("{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60);
            assert_eq!(plain_clock(text.as_bytes().try_into().unwrap()), Some(seconds), "{text}");
        }
        for at in 0..8 {
            for byte in 0..=255 {
                let mut text = *b"19:59:07";
                text[at] = byte;
                let byte_is_right = if at % 3 == 2 { byte == b':' } else { byte.is_ascii_digit() };
                let number = |at: usize| i64::from(text[at] - b'0') * 10 + i64::from(text[at + 1] - b'0');
                let expected = byte_is_right
                    .then(|| [number(0), number(3), number(6)])
                    .filter(|[hour, minute, second]| *hour < 24 && *minute < 60 && *second < 60)
                    .map(|[hour, minute, second]| hour * 3600 + minute * 60 + second);
                assert_eq!(plain_clock(&text), expected, "{}", text.escape_ascii());
            }
        }
    }

    #[test]
    fn six_digits_at_once_are_what_they_are_one_by_one() {
        for number in (0..1_000_000).step_by(7).chain([999_999, 900_000, 90]) {
            assert_eq!(six_digits(format!("{number:06}").as_bytes().try_into().unwrap()), Some(number));
        }
        for at in 0..6 {
            for byte in 0..=255 {
                let mut text = *b"190859";
                text[at] = byte;
                assert_eq!(six_digits(&text), digits(&text), "{}", text.escape_ascii());
            }
        }
    }

    /// A clock that has just read the same minute says what one says that has not.
    #[test]
    fn the_minute_read_last_changes_nothing() {
        let texts = [
            "2024-03-13T10:21:14.583946Z",
            "2024-03-13T10:21:14.5",
            "2024-03-13T10:21:59",
            "2024-03-13T10:21",
            "2024-03-13T10:21Z",
            "2024-03-13T10:21:60Z",
            "2024-03-13T10:21:5",
            "2024-03-13T10:21:61Z",
            "2024-03-13T10:21:14.Z",
            "2024-03-13T10:21:14+02:00",
            "2024-03-13 10:21:14+02",
            "2024-03-13T10:21:14 UTC",
            "2024-03-13t10:21:14x",
            "1969-12-31T23:59:58.25Z",
            "2024-03-13",
        ];
        for zone in [Tz::UTC, Tz::Europe__Berlin, Tz::Asia__Kolkata] {
            for before in texts {
                for text in texts {
                    let mut clock = Clock::new(zone, None);
                    let _ = clock.read(before.as_bytes());
                    let fresh = Clock::new(zone, None).read(text.as_bytes());
                    assert_eq!(clock.read(text.as_bytes()), fresh, "{text} behind {before}");
                }
            }
        }
    }

    #[test]
    fn fractions_of_any_length_are_read() {
        for (text, micros) in [("", 0), (".5", 500_000), (".583946", 583_946), (",583", 583_000), (".1234567", 123_456)]
        {
            assert_eq!(utc(&format!("2024-03-13T10:21:14{text}Z")), Some(1_710_325_274_000_000 + micros), "{text}");
        }
        for text in [".", ".x", ".12345x", ".583946x", ".58394:"] {
            assert_eq!(utc(&format!("2024-03-13T10:21:14{text}Z")), None, "{text}");
        }
    }

    #[test]
    fn one_instant_in_every_spelling() {
        let instant = 1_710_325_274_500_000;
        for text in [
            "2024-03-13T10:21:14.5Z",
            "2024-03-13 10:21:14.500000",
            "2024-03-13 10:21:14.500 UTC",
            "2024-03-13T12:21:14.5+02:00",
            "2024-03-13T12:21:14.5+0200",
            "2024-03-13 05:21:14.500000000-05",
            "1710325274.5",
            "1710325274500",
            "1710325274500000",
            "1710325274500000000",
        ] {
            assert_eq!(utc(text), Some(instant), "{text}");
        }
    }

    #[test]
    fn old_and_coarse_times() {
        assert_eq!(utc("804571201"), Some(804_571_201 * SECOND));
        assert_eq!(utc("2024-03-13"), Some(1_710_288_000 * SECOND));
        assert_eq!(utc("2024-03-13 10:21"), Some((1_710_288_000 + 37_260) * SECOND));
        assert_eq!(utc("0"), Some(0));
        assert_eq!(utc("-1"), Some(-SECOND));
    }

    #[test]
    fn what_is_not_a_time() {
        for text in [
            "",
            "yesterday",
            "2024-13-01",
            "2024-02-30",
            "2024-03-13 25:00:00",
            "2024-03-13 10:61:00",
            "2024-03-13x",
            "2024-03-13T10:00:00+2",
            "nan",
            "1e9",
            "2024-03-13 10:00:00.",
        ] {
            assert_eq!(utc(text), None, "{text}");
        }
    }

    #[test]
    fn local_times_repeat_skip_and_leap() {
        let mut berlin = Clock::new(Tz::Europe__Berlin, None);
        assert_eq!(berlin.read(b"2024-07-01 12:00:00"), utc("2024-07-01 10:00:00"));
        assert_eq!(berlin.read(b"2024-10-27 02:30:00"), utc("2024-10-27 00:30:00"), "first reading");
        assert_eq!(
            berlin.read(b"2024-03-31 02:30:00"),
            utc("2024-03-31 01:30:00"),
            "moved forward to 03:30 summer time"
        );
        assert_eq!(berlin.read(b"2016-12-31 23:59:60"), utc("2016-12-31 22:59:59"));
        assert_eq!(berlin.notes, ClockNotes { repeated: 1, skipped: 1, leap: 1 });
        assert_eq!(berlin.read(b"2024-07-01T12:00:00Z"), utc("2024-07-01 12:00:00"), "a zone in the text wins");
    }

    #[test]
    fn own_formats() {
        let mut clock = Clock::new(Tz::UTC, Some("%d/%b/%Y:%H:%M:%S %z".into()));
        assert_eq!(clock.read(b"13/Mar/2024:12:21:14 +0200"), utc("2024-03-13 10:21:14"));
        assert_eq!(clock.read(b"2024-03-13 10:21:14"), None);
        let mut day = Clock::new(Tz::UTC, Some("%d.%m.%Y".into()));
        assert_eq!(day.read(b"13.03.2024"), utc("2024-03-13"));
    }
}
