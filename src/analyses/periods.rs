//! Hours, days, weeks and months by local date.

use chrono::{Datelike, Days, NaiveDate, NaiveDateTime, Timelike};
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

    /// The code of the period of this kind that is called `text`.
    pub fn read(self, text: &str) -> Option<Code> {
        let date = |text: &str, format: &str| NaiveDate::parse_from_str(text, format).ok();
        let begin = match self {
            Period::Hour => {
                let (day, hour) = text.split_once('T')?;
                date(day, "%Y-%m-%d")?.and_hms_opt(hour.parse().ok()?, 0, 0)?
            }
            Period::Day => date(text, "%Y-%m-%d")?.into(),
            Period::Week => date(&format!("{text}-1"), "%G-W%V-%u")?.into(),
            Period::Month => date(&format!("{text}-01"), "%Y-%m-%d")?.into(),
        };
        let code = self.code(begin);
        // chrono takes other spellings too, which are no names.
        (self.name(code) == text).then_some(code)
    }

    /// The local time with which a period begins.
    pub fn begin(self, code: Code) -> NaiveDateTime {
        match self {
            Period::Hour => date(code / HOURS).and_hms_opt(code % HOURS, 0, 0).unwrap_or_default(),
            Period::Day | Period::Week | Period::Month => date(code).into(),
        }
    }

    /// The code of the period that follows.
    pub fn next(self, code: Code) -> Code {
        match self {
            Period::Hour | Period::Day => code + 1,
            Period::Week => code + 7,
            // 31 days after the first of a month the next one is there, and not over.
            Period::Month => self.code(date(code + 31).into()),
        }
    }
}

/// A period by name: `2024-05`, `2024-W18`, `2024-05-01` or `2024-05-01T13`. Nothing if no period is called so.
pub fn named(text: &str) -> Option<(Period, Code)> {
    let periods = [Period::Hour, Period::Day, Period::Week, Period::Month];
    periods.into_iter().find_map(|period| Some((period, period.read(text)?)))
}

fn date(code: Code) -> NaiveDate {
    EARLIEST.checked_add_days(Days::new(code.into())).unwrap_or(EARLIEST)
}

fn days(date: NaiveDate) -> Code {
    date.signed_duration_since(EARLIEST).num_days() as Code
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, Utc};
    use chrono_tz::Tz;

    use super::*;
    use crate::journeys::local;

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

    #[test]
    fn a_period_is_known_by_its_name_alone() {
        for (name, period, begin, next) in [
            ("2024-02", Period::Month, "2024-02-01T00:00:00", "2024-03"),
            ("2024-12", Period::Month, "2024-12-01T00:00:00", "2025-01"),
            ("2024-W52", Period::Week, "2024-12-23T00:00:00", "2025-W01"),
            ("2020-W53", Period::Week, "2020-12-28T00:00:00", "2021-W01"),
            ("2024-02-29", Period::Day, "2024-02-29T00:00:00", "2024-03-01"),
            ("2024-12-31T23", Period::Hour, "2024-12-31T23:00:00", "2025-01-01T00"),
        ] {
            let (found, code) = named(name).unwrap();
            assert_eq!((found, found.name(code).as_str()), (period, name));
            assert_eq!(found.begin(code), begin.parse().unwrap());
            assert_eq!(found.name(found.next(code)), next);
        }
        for text in [
            "",
            "2024",
            "2024-2",
            "2024-13",
            "2024-W54",
            "2024-W1",
            "2024-02-30",
            "2024-02-01T24",
            "2024-02-01T1",
            "May",
        ] {
            assert_eq!(named(text), None, "{text}");
        }
    }
}
