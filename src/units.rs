//! Amounts as people type them, with their unit: `30m`, `7d`, `4GiB`, `10%`.

use std::fmt;
use std::num::NonZeroU32;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::error::{Error, Result};

/// A length of time in µs. Written with its unit: `90s`, `30m`, `1h30m`, `7d`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span(pub i64);

const UNITS: [(&str, i64); 7] = [
    ("w", 7 * 86_400_000_000),
    ("d", 86_400_000_000),
    ("h", 3_600_000_000),
    ("m", 60_000_000),
    ("s", 1_000_000),
    ("ms", 1_000),
    ("us", 1),
];

impl FromStr for Span {
    type Err = Error;

    fn from_str(text: &str) -> Result<Span> {
        let wrong = || {
            Error::question(format!("{text:?} is not a duration"))
                .hint("write a number and its unit: 90s, 30m, 12h, 7d, 2w")
        };
        let mut rest = text.trim();
        let mut total = 0i64;
        if rest.is_empty() {
            return Err(wrong());
        }
        while !rest.is_empty() {
            let number_end = rest.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?;
            let (number, tail) = rest.split_at(number_end);
            let unit_end = tail.find(|c: char| c.is_ascii_digit()).unwrap_or(tail.len());
            let (unit, tail) = tail.split_at(unit_end);
            let (_, size) = UNITS.iter().find(|(name, _)| *name == unit.trim()).ok_or_else(wrong)?;
            let number: i64 = number.parse().map_err(|_| wrong())?;
            total = number.checked_mul(*size).and_then(|part| total.checked_add(part)).ok_or_else(wrong)?;
            rest = tail;
        }
        Ok(Span(total))
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == 0 {
            return f.write_str("0s");
        }
        let mut rest = self.0;
        // Weeks are read, but days are what people compare: `7d`, not `1w`.
        for (unit, size) in &UNITS[1..] {
            if rest / size > 0 {
                write!(f, "{}{unit}", rest / size)?;
                rest %= size;
            }
        }
        Ok(())
    }
}

impl Serialize for Span {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        parse(deserializer)
    }
}

/// A number of bytes: `512MiB`, `4GiB`, `2GB`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size(pub usize);

impl FromStr for Size {
    type Err = Error;

    fn from_str(text: &str) -> Result<Size> {
        const SIZES: [(&str, u64); 9] = [
            ("KiB", 1 << 10),
            ("MiB", 1 << 20),
            ("GiB", 1 << 30),
            ("TiB", 1 << 40),
            ("KB", 1_000),
            ("MB", 1_000_000),
            ("GB", 1_000_000_000),
            ("TB", 1_000_000_000_000),
            ("B", 1),
        ];
        let wrong =
            || Error::question(format!("{text:?} is not a size")).hint("write a number and its unit: 512MiB, 4GiB");
        let (number, unit) = text.split_at(text.find(|c: char| c.is_ascii_alphabetic()).ok_or_else(wrong)?);
        let (_, size) = SIZES.iter().find(|(name, _)| name.eq_ignore_ascii_case(unit.trim())).ok_or_else(wrong)?;
        let number: f64 = number.trim().parse().map_err(|_| wrong())?;
        let bytes = number * *size as f64;
        if bytes.is_finite() && bytes >= 0.0 && bytes < usize::MAX as f64 {
            Ok(Size(bytes as usize))
        } else {
            Err(wrong())
        }
    }
}

/// How many: `20000`, `20K`, `10M`, `1.5G`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Number(pub u64);

impl FromStr for Number {
    type Err = Error;

    fn from_str(text: &str) -> Result<Number> {
        let wrong = || Error::question(format!("{text:?} is not a whole number")).hint("write 20000, 20K, 10M or 1.5G");
        let text = text.trim();
        let (number, factor) = match text.as_bytes().last().map(u8::to_ascii_uppercase) {
            Some(b'K') => (&text[..text.len() - 1], 1e3),
            Some(b'M') => (&text[..text.len() - 1], 1e6),
            Some(b'G') => (&text[..text.len() - 1], 1e9),
            _ => return text.parse().map(Number).map_err(|_| wrong()),
        };
        let number = number.parse::<f64>().map_err(|_| wrong())? * factor;
        let whole = (number - number.round()).abs() < 1e-3 && (0.0..1e15).contains(&number);
        if whole { Ok(Number(number.round() as u64)) } else { Err(wrong()) }
    }
}

/// A fraction from 0 to 1: `10%` or `0.1`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Fraction(pub f64);

impl FromStr for Fraction {
    type Err = Error;

    fn from_str(text: &str) -> Result<Fraction> {
        let wrong = || Error::question(format!("{text:?} is not a rate")).hint("write 10% or 0.1");
        let fraction: f64 = match text.trim().strip_suffix('%') {
            // Rounded once, so that 0.3% is the same number as 3 of 1000.
            Some(number) => format!("{}e-2", number.trim()).parse().map_err(|_| wrong())?,
            None => text.trim().parse().map_err(|_| wrong())?,
        };
        if (0.0..=1.0).contains(&fraction) { Ok(Fraction(fraction)) } else { Err(wrong()) }
    }
}

impl<'de> Deserialize<'de> for Fraction {
    /// A text as on the command line, or a number from 0 to 1.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Written {
            Text(String),
            Number(f64),
        }
        let text = match Written::deserialize(deserializer)? {
            Written::Text(text) => text,
            Written::Number(number) => number.to_string(),
        };
        text.parse().map_err(de::Error::custom)
    }
}

/// How many of the largest to show: `20`, or `all`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Top {
    /// However many there are.
    All,
    /// At most this many.
    Most(NonZeroU32),
}

impl Top {
    /// What most questions show unless told otherwise.
    pub const TWENTY: Top = Top::Most(NonZeroU32::new(20).expect("20 is not 0"));

    /// What is shown of a list inside of a list, unless told otherwise.
    pub const FIVE: Top = Top::Most(NonZeroU32::new(5).expect("5 is not 0"));

    /// How many to show at most.
    pub fn limit(self) -> usize {
        match self {
            Top::All => usize::MAX,
            Top::Most(number) => number.get() as usize,
        }
    }
}

impl FromStr for Top {
    type Err = Error;

    fn from_str(text: &str) -> Result<Top> {
        if text == "all" {
            return Ok(Top::All);
        }
        let wrong =
            |_| Error::question(format!("{text:?} is not how many to show")).hint("write a number from 1, or all");
        text.parse().map(Top::Most).map_err(wrong)
    }
}

impl Serialize for Top {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Top::All => serializer.serialize_str("all"),
            Top::Most(number) => number.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Top {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        /// In a job file a number may stand without quotes.
        #[derive(Deserialize)]
        #[serde(untagged, expecting = "how many to show is a number from 1, or \"all\"")]
        enum Written {
            Number(i64),
            Text(String),
        }
        let text = match Written::deserialize(deserializer)? {
            Written::Number(number) => number.to_string(),
            Written::Text(text) => text,
        };
        text.parse().map_err(explained)
    }
}

/// Reads a value from its text in a job file.
fn parse<'de, D: Deserializer<'de>, T: FromStr<Err = Error>>(deserializer: D) -> Result<T, D::Error> {
    let text = String::deserialize(deserializer)?;
    text.parse().map_err(explained)
}

/// The error with its hint, for a job file.
fn explained<E: de::Error>(error: Error) -> E {
    match error.advice() {
        Some(hint) => E::custom(format!("{error}; {hint}")),
        None => E::custom(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_carry_their_unit() {
        for (text, micros, shown) in [
            ("30m", 1_800_000_000, "30m"),
            ("1w", 604_800_000_000, "7d"),
            ("1h30m", 5_400_000_000, "1h30m"),
            ("0s", 0, "0s"),
            ("1500ms", 1_500_000, "1s500ms"),
        ] {
            let span: Span = text.parse().unwrap();
            assert_eq!((span.0, span.to_string().as_str()), (micros, shown));
            assert_eq!(shown.parse::<Span>().unwrap(), span);
        }
        for text in ["", "30", "m", "30x", "-5m", "30m5", "999999999999w"] {
            assert!(text.parse::<Span>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_top_is_a_number_or_all() {
        let read = |text: &str| toml::from_str::<toml::Table>(text).unwrap()["top"].clone().try_into::<Top>();
        assert_eq!("all".parse::<Top>().unwrap().limit(), usize::MAX);
        assert_eq!(
            ("20".parse().unwrap(), read("top = 20").unwrap(), read("top = '20'").unwrap()),
            (Top::TWENTY, Top::TWENTY, Top::TWENTY)
        );
        assert_eq!(read("top = 'all'").unwrap(), Top::All);
        assert_eq!(serde_json::to_string(&[Top::All, Top::TWENTY]).unwrap(), r#"["all",20]"#);
        for wrong in ["top = 0", "top = -1", "top = 1.5", "top = 'some'", "top = []"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
        assert!("0".parse::<Top>().unwrap_err().advice().is_some());
    }

    #[test]
    fn numbers_may_be_short() {
        for (text, number) in [("7", 7), ("20K", 20_000), ("10m", 10_000_000), ("1.5G", 1_500_000_000), ("0", 0)] {
            assert_eq!(text.parse::<Number>().unwrap(), Number(number), "{text}");
        }
        for text in ["", "K", "-1", "1.5", "1.0005K", "10T", "1e30M", "NaNK", "\u{e9}"] {
            assert!(text.parse::<Number>().is_err(), "{text}");
        }
    }

    #[test]
    fn sizes_and_fractions() {
        assert_eq!("4GiB".parse::<Size>().unwrap().0, 4 << 30);
        assert_eq!("1.5 mb".parse::<Size>().unwrap().0, 1_500_000);
        assert!("4".parse::<Size>().is_err() && "GiB".parse::<Size>().is_err() && "-1GiB".parse::<Size>().is_err());
        assert_eq!("10%".parse::<Fraction>().unwrap(), "0.1".parse().unwrap());
        for (text, fraction) in [("0.3%", 3.0 / 1000.0), ("12.5 %", 0.125), ("100%", 1.0), ("29%", 29.0 / 100.0)] {
            assert_eq!(text.parse::<Fraction>().unwrap().0, fraction);
        }
        for text in ["110%", "-1%", "NaN", "", "%", "1e1%", "x"] {
            assert!(text.parse::<Fraction>().is_err(), "{text}");
        }
    }
}
