//! Hours, days, weeks and months by local date.

use chrono::{DateTime, Datelike, Days, NaiveDate, NaiveDateTime, Offset, TimeZone, Timelike, Utc};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};

use crate::ids::Code;

/// What a time line is cut into. Codes of periods are in the order of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum Period {
    /// An hour of a date.
    Hour,
    /// A date.
    Day,
    /// The week by ISO 8601, which begins on Monday.
    Week,
    /// A month of a year.
    Month,
}

/// Day 0 of codes: before all times that are read.
const EARLIEST: NaiveDate = NaiveDate::from_ymd_opt(-40_000, 1, 1).expect("a date of chrono's calendar");

const HOURS: Code = 24;

impl Period {
    /// The code of the period of a local time: for an hour its number, for all else that of the first day.
    pub fn code(self, local: NaiveDateTime) -> Code {
        let date = local.date();
        let back = match self {
            Period::Hour => return days(date) * HOURS + local.hour(),
            Period::Day => 0,
            Period::Week => date.weekday().num_days_from_monday(),
            Period::Month => date.day0(),
        };
        days(date) - back
    }

    /// `2024-05-01T13`, `2024-05-01`, `2024-W18`, `2024-05`.
    pub fn name(self, code: Code) -> String {
        match self {
            Period::Hour => format!("{}T{:02}", Period::Day.name(code / HOURS), code % HOURS),
            Period::Day => date(code).format("%Y-%m-%d").to_string(),
            Period::Week => date(code).format("%G-W%V").to_string(),
            Period::Month => date(code).format("%Y-%m").to_string(),
        }
    }
}

/// A time in µs by the clocks of a zone.
pub fn local(zone: Tz, micros: i64) -> NaiveDateTime {
    let utc = DateTime::<Utc>::from_timestamp_micros(micros).unwrap_or_default().naive_utc();
    utc + zone.offset_from_utc_datetime(&utc).fix()
}

fn date(code: Code) -> NaiveDate {
    EARLIEST.checked_add_days(Days::new(code.into())).unwrap_or(EARLIEST)
}

fn days(date: NaiveDate) -> Code {
    date.signed_duration_since(EARLIEST).num_days() as Code
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn periods_are_those_of_local_dates() {
        let name = |period: Period, zone: Tz, time: &str| {
            let micros = time.parse::<DateTime<Utc>>().unwrap().timestamp_micros();
            period.name(period.code(local(zone, micros)))
        };
        let time = "2023-12-31T23:30:00Z";
        let names =
            |zone| [Period::Hour, Period::Day, Period::Week, Period::Month].map(|period| name(period, zone, time));
        assert_eq!(names(Tz::UTC), ["2023-12-31T23", "2023-12-31", "2023-W52", "2023-12"]);
        assert_eq!(names(Tz::Europe__Berlin), ["2024-01-01T00", "2024-01-01", "2024-W01", "2024-01"]);
        // The hour that comes twice at the end of summer time is one.
        for time in ["2024-10-27T00:30:00Z", "2024-10-27T01:30:00Z"] {
            assert_eq!(name(Period::Hour, Tz::Europe__Berlin, time), "2024-10-27T02");
        }
    }
}
