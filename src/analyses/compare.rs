//! Two parts of the journeys side by side: how a comparison is written, who is on which side, and what is said of a share on both.
//!
//! Any question may compare: it counts both sides as it counts all journeys, and hands over the shares that are of interest.

use std::fmt;
use std::ops::Range;

use serde_json::{Value, json};

use super::Notes;
use super::facts::{By, Facts};
use super::periods::{self, Period};
use super::step::nowhere;
use crate::contrast::{Contrast, Share, holm};
use crate::error::{Error, Result};
use crate::ids::Code;
use crate::journeys::{Journey, Names, Needs, instant};
use crate::reports::{Cell, Table};

/// Both sides of a comparison, the one that is compared with first.
pub type Both<T> = [T; 2];

/// A comparison as written: `device=mobile,desktop` or `period:2026-05..2026-06`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Compare {
    /// Journeys by the value that a breakdown gives them.
    Values { by: String, values: Both<String> },
    /// Journeys by when they enter.
    Periods(Both<(Period, Code)>),
}

const PERIOD: &str = "period:";

impl Compare {
    /// Reads comparisons, of which no two are the same.
    pub fn parse_all(written: &[String]) -> Result<Vec<Compare>> {
        let mut all: Vec<Compare> = Vec::new();
        for text in written {
            let one = Compare::parse(text)?;
            if all.contains(&one) {
                return Err(Error::question(format!("{text:?} is asked twice")).hint("take one of them out"));
            }
            all.push(one);
        }
        Ok(all)
    }

    fn parse(text: &str) -> Result<Compare> {
        if let Some(periods) = text.strip_prefix(PERIOD) {
            return Compare::parse_periods(periods);
        }
        let wrong = || {
            Error::question(format!("{text:?} is no comparison of two values")).hint(
                "write device=mobile,desktop; values with commas or blanks at their ends in quotes: plan='a, b',''; periods as \
                 period:2026-05..2026-06",
            )
        };
        let (by, rest) = text.split_once('=').filter(|(by, _)| !by.is_empty()).ok_or_else(wrong)?;
        let (a, rest) = value(rest).ok_or_else(wrong)?;
        let (b, rest) = rest.strip_prefix(',').and_then(value).ok_or_else(wrong)?;
        if !rest.is_empty() {
            return Err(wrong());
        }
        if a == b {
            return Err(Error::question(format!("{a:?} is on both sides")).hint("name two different values"));
        }
        Ok(Compare::Values { by: by.to_owned(), values: [a, b] })
    }

    fn parse_periods(text: &str) -> Result<Compare> {
        let read = |name: &str| {
            periods::named(name).ok_or_else(|| {
                Error::question(format!("{name:?} is no period"))
                    .hint("write period:2026-05..2026-06; a week is 2026-W18, a day 2026-05-01, an hour 2026-05-01T13")
            })
        };
        let (a, b) = text.split_once("..").ok_or_else(|| {
            Error::question(format!("{text:?} is no two periods")).hint("write period:2026-05..2026-06")
        })?;
        let sides = [read(a.trim())?, read(b.trim())?];
        let [a, b] = sides.map(|(period, code)| period.begin(code)..period.begin(period.next(code)));
        if a.start < b.end && b.start < a.end {
            return Err(Error::question(format!("the periods {text} overlap"))
                .hint("only what is of one side alone can be compared"));
        }
        Ok(Compare::Periods(sides))
    }

    /// What tells the sides apart.
    fn name(&self) -> &str {
        match self {
            Compare::Values { by, .. } => by,
            Compare::Periods(_) => "period",
        }
    }

    /// The names of the sides.
    fn sides(&self) -> Both<String> {
        match self {
            Compare::Values { values, .. } => values.clone(),
            Compare::Periods(sides) => sides.map(|(period, code)| period.name(code)),
        }
    }

    /// The breakdowns that tell sides apart.
    pub fn breakdowns(all: &[Compare]) -> Vec<String> {
        let by = |compare: &Compare| match compare {
            Compare::Values { by, .. } => Some(by.clone()),
            Compare::Periods(_) => None,
        };
        all.iter().filter_map(by).collect()
    }

    /// What must be read to tell sides apart.
    pub fn needs(all: &[Compare]) -> Needs {
        By::needs(&Compare::breakdowns(all))
    }
}

/// A value at the begin of a text, in quotes or up to the next comma, and what is behind it. In quotes, two of them are one.
fn value(text: &str) -> Option<(String, &str)> {
    let text = text.trim_start();
    if let Some(quote @ ('\'' | '"')) = text.chars().next() {
        let (mut value, mut rest) = (String::new(), &text[1..]);
        loop {
            let (part, behind) = rest.split_once(quote)?;
            value.push_str(part);
            let Some(more) = behind.strip_prefix(quote) else { return Some((value, behind.trim_start())) };
            value.push(quote);
            rest = more;
        }
    }
    let (value, rest) = text.split_at(text.find(',').unwrap_or(text.len()));
    let value = value.trim_end();
    (!value.is_empty()).then(|| (value.to_owned(), rest))
}

impl fmt::Display for Compare {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b] = self.sides();
        match self {
            Compare::Values { by, .. } => {
                let quoted = |value: String| {
                    let bare = !value.is_empty() && !value.contains([',', '"', '\'']) && value.trim() == value;
                    if bare { value } else { format!("'{}'", value.replace('\'', "''")) }
                };
                write!(f, "{by}={},{}", quoted(a), quoted(b))
            }
            Compare::Periods(_) => write!(f, "{PERIOD}{a}..{b}"),
        }
    }
}

/// A comparison bound to the names of a run.
pub enum Sides {
    /// By the code of the value of each side; of a value that the log has not there are no journeys.
    Values { by: By, codes: Both<Option<Code>> },
    /// By when they enter, in µs.
    Periods(Both<Range<i64>>),
}

impl Sides {
    /// Binds a comparison. Warns of values that occur nowhere.
    pub fn new(compare: &Compare, names: &Names, notes: &mut Notes) -> Result<Sides> {
        match compare {
            Compare::Values { by, values } => {
                let by = By::new(by, names)?;
                let mut codes = [None; 2];
                for (code, value) in codes.iter_mut().zip(values) {
                    *code = by.code_of(value, names).map_err(|error| error.within("--compare"))?;
                    if let (None, Some(known)) = (&code, by.known(names)) {
                        notes.warn(nowhere(&by.name, value, known.iter()));
                    }
                }
                Ok(Sides::Values { by, codes })
            }
            Compare::Periods([a, b]) => {
                let time = |period: Period, code| instant(&period.begin(code).to_string(), names.zone);
                let range =
                    |&(period, code): &(Period, Code)| Ok(time(period, code)?..time(period, period.next(code))?);
                Ok(Sides::Periods([range(a)?, range(b)?]))
            }
        }
    }

    /// Whether a journey may be on a side; `number` is that of the session, from 0. Only events that `touches` lend it a value.
    pub fn holds(
        &self,
        side: usize,
        facts: &Facts,
        number: u32,
        journey: Journey<'_>,
        touches: impl Fn(usize) -> bool,
    ) -> bool {
        match self {
            Sides::Values { by, codes } => codes[side] == Some(by.code(facts, number, journey, touches)),
            Sides::Periods(_) => true,
        }
    }

    /// When the journeys of a side enter, as far as they do `within` some time.
    pub fn entered(&self, side: usize, within: &Range<i64>) -> Range<i64> {
        match self {
            Sides::Values { .. } => within.clone(),
            Sides::Periods(periods) => periods[side].start.max(within.start)..periods[side].end.min(within.end),
        }
    }
}

/// A share on both sides of a comparison.
#[derive(Clone, Debug)]
pub struct Compared {
    /// What tells the sides apart: a breakdown, or `period`.
    pub compare: String,
    /// The names of the sides.
    pub sides: Both<String>,
    /// What the share is of: a step.
    pub of: String,
    /// Which share it is: `of_first`.
    pub measure: &'static str,
    /// The shares.
    pub contrast: Contrast,
    /// Whether the row before has the same shares by another name: both are one test.
    pub repeats: bool,
    /// What is left of the p value when all tests of the answer belong together.
    pub p_corrected: Option<f64>,
}

impl Compared {
    /// A share that is still to be corrected.
    pub fn new(compare: &Compare, of: &str, measure: &'static str, contrast: Contrast) -> Compared {
        let (compare, sides) = (compare.name().to_owned(), compare.sides());
        Compared { compare, sides, of: of.to_owned(), measure, contrast, repeats: false, p_corrected: None }
    }

    /// Settles what is left of the p values of all rows of an answer, and says how many tests were made.
    pub fn correct<'a>(rows: impl Iterator<Item = &'a mut Compared>) -> u64 {
        let rows: Vec<&mut Compared> = rows.collect();
        let tested = |row: &Compared| row.contrast.p().filter(|_| !row.repeats);
        let p: Vec<f64> = rows.iter().filter_map(|row| tested(row)).collect();
        let mut corrected = holm(&p).into_iter();
        let mut before = None;
        for row in rows {
            row.p_corrected = if row.repeats { before } else { tested(row).and_then(|_| corrected.next()) };
            before = row.p_corrected;
        }
        p.len() as u64
    }

    /// The rows as a table; `of` is what their shares are of.
    pub fn table(of: &str, rows: &[Compared]) -> Table {
        const BEHIND: [&str; 12] = [
            "measure",
            "part_a",
            "whole_a",
            "rate_a",
            "part_b",
            "whole_b",
            "rate_b",
            "difference",
            "low",
            "high",
            "p",
            "p_corrected",
        ];
        let columns = ["compare", "a", "b", of].into_iter().chain(BEHIND);
        let row = |row: &Compared| {
            let Contrast { a, b } = row.contrast;
            let [low, high] = row.contrast.interval().map_or([None; 2], |interval| interval.map(Some));
            let [name_a, name_b] = row.sides.clone().map(Cell::Text);
            vec![
                Cell::Text(row.compare.clone()),
                name_a,
                name_b,
                Cell::Text(row.of.clone()),
                Cell::Text(row.measure.to_owned()),
                Cell::Count(a.part),
                Cell::Count(a.whole),
                Cell::rate(a.rate()),
                Cell::Count(b.part),
                Cell::Count(b.whole),
                Cell::rate(b.rate()),
                Cell::rate(row.contrast.difference()),
                Cell::rate(low),
                Cell::rate(high),
                Cell::rate(row.contrast.p()),
                Cell::rate(row.p_corrected),
            ]
        };
        Table {
            name: "comparison",
            columns: columns.map(str::to_owned).collect(),
            rows: rows.iter().map(row).collect(),
        }
    }

    /// The row as JSON.
    pub fn json(&self, of: &str) -> Value {
        let rate = |rate| Cell::rate(rate).json();
        let share = |share: Share| json!({ "part": share.part, "whole": share.whole, "rate": rate(share.rate()) });
        let [a, b] = &self.sides;
        json!({
            "compare": self.compare,
            "a": a,
            "b": b,
            of: self.of,
            "measure": self.measure,
            "in_a": share(self.contrast.a),
            "in_b": share(self.contrast.b),
            "difference": rate(self.contrast.difference()),
            "interval": self.contrast.interval(),
            "p": rate(self.contrast.p()),
            "p_corrected": rate(self.p_corrected),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_comparison_reads_as_it_is_printed() {
        for (text, printed) in [
            ("device=mobile,desktop", "device=mobile,desktop"),
            ("last:plan= a b , 'c, d'", "last:plan=a b,'c, d'"),
            ("plan='',\" x \"", "plan='',' x '"),
            ("plan=\"it's\",a=b", "plan='it''s',a=b"),
            ("plan='''\"',\"\"\"\"", "plan='''\"','\"'"),
            ("period:2026-05..2026-06", "period:2026-05..2026-06"),
            ("period:2026-W18 .. 2026-W17", "period:2026-W18..2026-W17"),
            ("period:2026-05-01T13..2026-05-02", "period:2026-05-01T13..2026-05-02"),
            ("period=a,b", "period=a,b"),
        ] {
            let compare = Compare::parse(text).unwrap();
            assert_eq!(compare.to_string(), printed);
            assert_eq!(Compare::parse(printed).unwrap(), compare);
        }
    }

    #[test]
    fn what_is_no_comparison_is_refused_with_a_hint() {
        for text in
            ["", "x", "x=", "x=a", "x=a,", "x=,a", "x='a", "x='a''", "x='a'b,c", "x=a,b,c", "=a,b", "x=a,a", "period:"]
        {
            assert!(Compare::parse(text).unwrap_err().advice().is_some(), "{text}");
        }
        for text in ["2026-05..2026-05", "2026-05..2026-W19", "2026-05-01..2026-05-01T23"] {
            assert!(Compare::parse_periods(text).unwrap_err().to_string().contains("overlap"), "{text}");
        }
        // The end of a period is not in it.
        assert!(Compare::parse_periods("2026-05..2026-06-01").is_ok());
    }
}
