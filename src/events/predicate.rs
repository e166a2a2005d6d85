//! Conditions on single events: `price >= 10`.

use std::cmp::Ordering;
use std::fmt;

use crate::frame::Expression;

/// What holds of an event or does not. No value is no match.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Condition {
    /// A comparison of a column's value with a literal. A text that reads as a number is compared as a number with values that read
    /// as numbers.
    Compare {
        /// The name of the column.
        column: String,
        /// How they are compared.
        comparison: Comparison,
        /// What the values of the column are compared with, without quotes.
        literal: String,
    },
    /// An SQL expression on the columns of an event.
    Sql(Expression),
}

/// How a value is compared with a literal: as numbers if both are, byte by byte if the literal is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Comparison {
    /// `=` or `==`.
    Equal,
    /// `<>` or `!=`; a text that is no number differs from every number.
    NotEqual,
    /// `<`.
    Less,
    /// `<=`.
    LessOrEqual,
    /// `>`.
    Greater,
    /// `>=`.
    GreaterOrEqual,
}

impl Condition {
    /// An SQL expression on the columns of an event.
    pub fn sql(expression: &Expression) -> Condition {
        Condition::Sql(expression.clone())
    }

    /// The names of the columns that it looks at.
    pub fn columns(&self) -> &[String] {
        match self {
            Condition::Compare { column, .. } => std::slice::from_ref(column),
            Condition::Sql(expression) => expression.columns(),
        }
    }
}

impl Comparison {
    /// All signs, the longer ones first so that they are found first.
    pub const SIGNS: [(&'static str, Comparison); 8] = [
        ("<=", Comparison::LessOrEqual),
        (">=", Comparison::GreaterOrEqual),
        ("<>", Comparison::NotEqual),
        ("!=", Comparison::NotEqual),
        ("==", Comparison::Equal),
        ("=", Comparison::Equal),
        ("<", Comparison::Less),
        (">", Comparison::Greater),
    ];

    fn holds(self, ordering: Ordering) -> bool {
        match self {
            Comparison::Equal => ordering.is_eq(),
            Comparison::NotEqual => ordering.is_ne(),
            Comparison::Less => ordering.is_lt(),
            Comparison::LessOrEqual => ordering.is_le(),
            Comparison::Greater => ordering.is_gt(),
            Comparison::GreaterOrEqual => ordering.is_ge(),
        }
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Condition::Compare { column, comparison, literal } => {
                let sign = Comparison::SIGNS.iter().rfind(|(_, c)| c == comparison).map_or("=", |(sign, _)| sign);
                write!(f, "{column} {sign} '{literal}'")
            }
            Condition::Sql(expression) => f.write_str(expression.text()),
        }
    }
}

/// A comparison made ready for many values.
#[derive(Clone, Debug)]
pub struct Test {
    comparison: Comparison,
    literal: String,
    number: Option<f64>,
}

impl Test {
    pub fn new(comparison: Comparison, literal: &str) -> Self {
        Test { comparison, number: number(literal), literal: literal.to_owned() }
    }

    /// Whether `value` fulfils the condition. An empty value is no value.
    pub fn holds(&self, value: &str) -> bool {
        if value.is_empty() {
            return false;
        }
        let ordering = match (number(value), self.number) {
            (Some(value), Some(literal)) => value.total_cmp(&literal),
            // A number is never compared with a word by size, but they do differ.
            (None, Some(_)) if self.comparison != Comparison::NotEqual => return false,
            _ => value.cmp(&self.literal),
        };
        self.comparison.holds(ordering)
    }
}

fn number(text: &str) -> Option<f64> {
    let number: f64 = text.trim().parse().ok()?;
    // `-0` equals `0` for people.
    number.is_finite().then_some(number + 0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holds(value: &str, comparison: Comparison, literal: &str) -> bool {
        Test::new(comparison, literal).holds(value)
    }

    #[test]
    fn numbers_compare_as_numbers_and_words_as_words() {
        assert!(holds("9.50", Comparison::Equal, "9.5"));
        assert!(holds("10", Comparison::Greater, "9"));
        assert!(holds("b", Comparison::Greater, "a"));
        assert!(!holds("b", Comparison::Less, "10"));
        assert!(holds("b", Comparison::NotEqual, "10"));
        assert!(holds("-0", Comparison::Equal, "0"));
    }

    #[test]
    fn no_value_is_no_match() {
        assert!(!holds("", Comparison::NotEqual, "a"));
        assert!(!holds("", Comparison::Equal, ""));
    }
}
