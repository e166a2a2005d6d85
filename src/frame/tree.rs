//! What an SQL expression is once it has been read and checked: a tree that looks at one row at a time.

use super::functions::Function;

/// A node of the tree and where it stands in the text.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub at: Place,
    pub kind: Kind,
}

/// Line and character in the text, counted from 1; 0 is unknown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Place {
    pub line: u64,
    pub character: u64,
}

#[derive(Clone, Debug)]
pub(super) enum Kind {
    Literal(Literal),
    /// A column by its number among those of the expression.
    Column(usize),
    /// AND of all: null unless settled.
    All(Vec<Node>),
    /// OR of all.
    Any(Vec<Node>),
    Not(Box<Node>),
    Compare(Compare, Box<Node>, Box<Node>),
    IsNull(Box<Node>),
    /// IS TRUE, IS FALSE: never null.
    Is(Box<Node>, bool),
    In(Box<Node>, Vec<Node>),
    /// Value, least, most.
    Between(Box<Node>, Box<Node>, Box<Node>),
    Text(TextTest, Box<Node>),
    Arithmetic(Sign, Box<Node>, Box<Node>),
    /// A time moved by months and µs.
    Moved(Box<Node>, Span),
    /// The reading of a clock in a time zone.
    Zoned(Box<Node>, chrono_tz::Tz),
    Cast(Box<Node>, Type),
    Case(Box<Case>),
    /// Null where both are equal.
    NullIf(Box<Node>, Box<Node>),
    Coalesce(Vec<Node>),
    /// The greatest (or else least) of those that are not null.
    Extreme(Vec<Node>, bool),
    Call(&'static Function, Vec<Node>),
}

/// Conditions with their values, tried in order.
#[derive(Clone, Debug)]
pub(super) struct Case {
    /// What the conditions are compared with, if they are values.
    pub operand: Option<Node>,
    pub cases: Vec<(Node, Node)>,
    /// The value if none holds.
    pub otherwise: Node,
}

/// A value that stands in the text.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Literal {
    Null,
    Truth(bool),
    Whole(i64),
    Number(f64),
    Text(String),
    /// Days since 1970.
    Day(i32),
    /// µs since 1970 in UTC.
    Time(i64),
}

/// The type of a value. It depends on the expression and on the types of the columns, never on values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Type {
    /// Of the literal NULL: becomes whatever stands beside it.
    Null,
    Truth,
    Whole,
    Number,
    Text,
    Day,
    Time,
}

impl Type {
    /// The type in the words of messages.
    pub fn name(self) -> &'static str {
        match self {
            Type::Null => "NULL",
            Type::Truth => "a truth value",
            Type::Whole => "a whole number",
            Type::Number => "a number",
            Type::Text => "text",
            Type::Day => "a date",
            Type::Time => "a time",
        }
    }

    pub fn is_numeric(self) -> bool {
        matches!(self, Type::Whole | Type::Number)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Compare {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    /// IS DISTINCT FROM: null is a value.
    Distinct,
    NotDistinct,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sign {
    Plus,
    Minus,
    Times,
    Over,
    /// The remainder, with the sign of the dividend.
    Modulo,
}

/// A length of time: calendar months, and µs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Span {
    pub months: i32,
    pub micros: i64,
}

/// A test of a text against a pattern, which is known beforehand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum TextTest {
    Equals(String),
    Starts(String),
    Ends(String),
    Contains(String),
    /// A regular expression, checked.
    Matches(String),
}
