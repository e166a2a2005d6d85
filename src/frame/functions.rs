//! The functions that SQL may call: each looks at one row at a time. A new one is one new line in [`FUNCTIONS`].

use polars::prelude::*;

use super::kernels;
use super::tree::Type;

/// A function of SQL.
pub(super) struct Function {
    pub name: &'static str,
    /// Other names of it.
    pub also: &'static [&'static str],
    /// The types of its arguments.
    pub takes: &'static [Type],
    /// How many arguments must be there.
    pub least: usize,
    /// Whether the last type may be repeated.
    pub more: bool,
    pub gives: Type,
    /// Arguments that are texts known beforehand.
    pub fixed: &'static [(usize, Fixed)],
    /// Makes the call of arguments that have the types asked for.
    pub make: fn(Vec<Expr>) -> Expr,
}

impl std::fmt::Debug for Function {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

/// What an argument that is known beforehand is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fixed {
    Regex,
    Replacement,
    /// The number of a group of a regular expression.
    Group,
    /// One of [`UNITS`].
    Unit,
    /// strftime's signs.
    Format,
}

impl Function {
    pub fn most(&self) -> usize {
        if self.more { usize::MAX } else { self.takes.len() }
    }

    /// The type of argument number `place`.
    pub fn takes(&self, place: usize) -> Type {
        self.takes[place.min(self.takes.len() - 1)]
    }
}

/// The units that a time is cut to.
pub(super) const UNITS: [&str; 8] = ["second", "minute", "hour", "day", "week", "month", "quarter", "year"];

/// The parts of a time and the functions that give them.
pub(super) const PARTS: [(&str, &str); 15] = [
    ("year", "YEAR"),
    ("quarter", "QUARTER"),
    ("month", "MONTH"),
    ("week", "WEEK"),
    ("day", "DAY"),
    ("hour", "HOUR"),
    ("minute", "MINUTE"),
    ("second", "SECOND"),
    ("dow", "DAYOFWEEK"),
    ("dayofweek", "DAYOFWEEK"),
    ("isodow", "ISODOW"),
    ("doy", "DAYOFYEAR"),
    ("dayofyear", "DAYOFYEAR"),
    ("isoweek", "WEEK"),
    ("epoch", "EPOCH"),
];

/// The function called `name`, which is in capitals.
pub(super) fn find(name: &str) -> Option<&'static Function> {
    FUNCTIONS.iter().find(|function| function.name == name || function.also.contains(&name))
}

/// All names of functions.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    FUNCTIONS.iter().flat_map(|function| std::iter::once(function.name).chain(function.also.iter().copied()))
}

use Type::{Day, Number, Text, Time, Truth, Whole};

const fn of(name: &'static str, takes: &'static [Type], gives: Type, make: fn(Vec<Expr>) -> Expr) -> Function {
    Function { name, also: &[], takes, least: takes.len(), more: false, gives, fixed: &[], make }
}

impl Function {
    const fn also(self, also: &'static [&'static str]) -> Function {
        Function { also, ..self }
    }

    const fn least(self, least: usize) -> Function {
        Function { least, ..self }
    }

    const fn more(self) -> Function {
        Function { more: true, ..self }
    }

    const fn fixed(self, fixed: &'static [(usize, Fixed)]) -> Function {
        Function { fixed, ..self }
    }
}

/// Every function but those that are part of the tree (CASE, COALESCE, IF, …).
pub(super) const FUNCTIONS: &[Function] = &[
    // Texts.
    of("LOWER", &[Text], Text, |a| first(a).str().to_lowercase()).also(&["LCASE"]),
    of("UPPER", &[Text], Text, |a| first(a).str().to_uppercase()).also(&["UCASE"]),
    of("LENGTH", &[Text], Whole, |a| first(a).str().len_chars().cast(DataType::Int64)).also(&[
        "LEN",
        "CHAR_LENGTH",
        "CHARACTER_LENGTH",
    ]),
    of("TRIM", &[Text, Text], Text, |a| kernels::text(a, |a, out| kernels::trim(a, true, true, out)))
        .also(&["BTRIM"])
        .least(1),
    of("LTRIM", &[Text, Text], Text, |a| kernels::text(a, |a, out| kernels::trim(a, true, false, out))).least(1),
    of("RTRIM", &[Text, Text], Text, |a| kernels::text(a, |a, out| kernels::trim(a, false, true, out))).least(1),
    of("SUBSTR", &[Text, Whole, Whole], Text, |a| kernels::text(a, kernels::substring)).also(&["SUBSTRING"]).least(2),
    of("LEFT", &[Text, Whole], Text, |a| kernels::text(a, |a, out| kernels::side(a, true, out))),
    of("RIGHT", &[Text, Whole], Text, |a| kernels::text(a, |a, out| kernels::side(a, false, out))),
    of("REPLACE", &[Text, Text, Text], Text, |a| kernels::text(a, kernels::replace)),
    of("REVERSE", &[Text], Text, |a| kernels::text(a, kernels::reverse)),
    of("SPLIT_PART", &[Text, Text, Whole], Text, |a| kernels::text(a, kernels::split_part)),
    of("CONCAT", &[Text], Text, |a| kernels::text(a, kernels::concat)).more(),
    of("CONCAT_WS", &[Text, Text], Text, |a| kernels::text(a, kernels::concat_with)).more(),
    of("||", &[Text, Text], Text, |a| kernels::text(a, kernels::join)),
    of("STARTS_WITH", &[Text, Text], Truth, |a| two(a, |a, b| a.str().starts_with(b))).also(&["STARTSWITH"]),
    of("ENDS_WITH", &[Text, Text], Truth, |a| two(a, |a, b| a.str().ends_with(b))).also(&["ENDSWITH"]),
    of("CONTAINS", &[Text, Text], Truth, |a| two(a, |a, b| a.str().contains_literal(b))),
    of("STRPOS", &[Text, Text], Whole, |a| kernels::whole(a, kernels::position)).also(&["INSTR"]),
    of("REGEXP_EXTRACT", &[Text, Text, Whole], Text, regexp_extract)
        .least(2)
        .fixed(&[(1, Fixed::Regex), (2, Fixed::Group)]),
    of("REGEXP_REPLACE", &[Text, Text, Text], Text, regexp_replace)
        .fixed(&[(1, Fixed::Regex), (2, Fixed::Replacement)]),
    // Numbers.
    of("ABS", &[Number], Number, |a| kernels::number(a, |a| Some(a[0].number()?.abs()))),
    of("SIGN", &[Number], Number, |a| kernels::number(a, |a| a[0].number().map(kernels::sign))),
    of("ROUND", &[Number, Whole], Number, |a| kernels::number(a, kernels::round)).least(1),
    of("FLOOR", &[Number], Number, |a| kernels::number(a, |a| Some(a[0].number()?.floor()))),
    of("CEIL", &[Number], Number, |a| kernels::number(a, |a| Some(a[0].number()?.ceil()))).also(&["CEILING"]),
    of("SQRT", &[Number], Number, |a| kernels::number(a, |a| Some(a[0].number()?.sqrt()))),
    of("EXP", &[Number], Number, |a| kernels::number(a, |a| Some(a[0].number()?.exp()))),
    of("LN", &[Number], Number, |a| kernels::number(a, |a| Some(a[0].number()?.ln()))),
    of("LOG10", &[Number], Number, |a| kernels::number(a, |a| Some(a[0].number()?.log10()))),
    of("LOG2", &[Number], Number, |a| kernels::number(a, |a| Some(a[0].number()?.log2()))),
    of("POWER", &[Number, Number], Number, |a| kernels::number(a, |a| Some(a[0].number()?.powf(a[1].number()?))))
        .also(&["POW"]),
    of("MOD", &[Number, Number], Number, |a| kernels::number(a, |a| Some(a[0].number()? % a[1].number()?))),
    // Times.
    of("YEAR", &[Time], Whole, |a| part(a, polars::prelude::dt::DateLikeNameSpace::year)),
    of("QUARTER", &[Time], Whole, |a| part(a, polars::prelude::dt::DateLikeNameSpace::quarter)),
    of("MONTH", &[Time], Whole, |a| part(a, polars::prelude::dt::DateLikeNameSpace::month)),
    of("WEEK", &[Time], Whole, |a| part(a, polars::prelude::dt::DateLikeNameSpace::week))
        .also(&["WEEKOFYEAR", "ISOWEEK"]),
    of("DAY", &[Time], Whole, |a| part(a, polars::prelude::dt::DateLikeNameSpace::day)).also(&["DAYOFMONTH"]),
    of("HOUR", &[Time], Whole, |a| part(a, polars::prelude::dt::DateLikeNameSpace::hour)),
    of("MINUTE", &[Time], Whole, |a| part(a, polars::prelude::dt::DateLikeNameSpace::minute)),
    of("SECOND", &[Time], Whole, |a| part(a, polars::prelude::dt::DateLikeNameSpace::second)),
    of("ISODOW", &[Time], Whole, |a| part(a, polars::prelude::dt::DateLikeNameSpace::weekday)),
    of("DAYOFWEEK", &[Time], Whole, |a| {
        kernels::whole(vec![part(a, polars::prelude::dt::DateLikeNameSpace::weekday)], |a| Some(a[0].whole()? % 7))
    })
    .also(&["DOW"]),
    of("DAYOFYEAR", &[Time], Whole, |a| part(a, polars::prelude::dt::DateLikeNameSpace::ordinal_day)).also(&["DOY"]),
    of("EPOCH", &[Time], Number, |a| kernels::number(a, |a| Some(a[0].whole()? as f64 / 1e6))),
    of("TO_TIMESTAMP", &[Number], Time, |a| kernels::time(kernels::whole(a, kernels::epoch))).also(&["FROM_UNIXTIME"]),
    of("DATE", &[Time], Day, kernels::day),
    of("DATE_TRUNC", &[Text, Time], Time, kernels::truncate).fixed(&[(0, Fixed::Unit)]),
    of("STRFTIME", &[Time, Text], Text, kernels::strftime).fixed(&[(1, Fixed::Format)]),
];

fn first(mut arguments: Vec<Expr>) -> Expr {
    arguments.swap_remove(0)
}

fn two(arguments: Vec<Expr>, make: impl Fn(Expr, Expr) -> Expr) -> Expr {
    let mut arguments = arguments.into_iter();
    match (arguments.next(), arguments.next()) {
        (Some(a), Some(b)) => make(a, b),
        (a, _) => a.unwrap_or_else(kernels::null),
    }
}

/// A part of a time as a whole number.
fn part(arguments: Vec<Expr>, part: impl Fn(polars_plan::dsl::dt::DateLikeNameSpace) -> Expr) -> Expr {
    part(first(arguments).dt()).cast(DataType::Int64)
}

fn regexp_extract(arguments: Vec<Expr>) -> Expr {
    let group = arguments.get(2).and_then(kernels::fixed_whole).unwrap_or(0);
    two(arguments, |text, pattern| text.str().extract(pattern, usize::try_from(group).unwrap_or(usize::MAX)))
}

fn regexp_replace(arguments: Vec<Expr>) -> Expr {
    let replacement = arguments.get(2).cloned().unwrap_or_else(kernels::null);
    two(arguments, |text, pattern| text.str().replace_all(pattern, replacement.clone(), false))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_in_capitals() {
        let mut names: Vec<&str> = names().collect();
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
        assert!(names.iter().all(|name| *name == name.to_ascii_uppercase()));
        let parts = PARTS.iter().all(|(_, name)| find(name).is_some());
        assert!(parts);
    }

    #[test]
    fn arguments_that_are_left_out_stand_at_the_end() {
        let sound = |function: &Function| function.least <= function.takes.len() && !function.takes.is_empty();
        assert!(FUNCTIONS.iter().all(sound));
    }
}
