//! SQL text → tree. What is not known to look at one row at a time is refused by name.

mod calls;
mod literals;

pub(super) use literals::TIMES;

use sqlparser::ast::{BinaryOperator, Expr, Ident, UnaryOperator, Value};
use sqlparser::dialect::Dialect;
use sqlparser::keywords::Keyword;
use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::{Location, Token, Tokenizer};

use super::tree::{Case, Compare, Kind, Literal, Node, Place, Sign, TextTest, Type};
use crate::error::{Error, Result};

/// The SQL that is read: the standard's, with `$` in names.
#[derive(Debug)]
struct Plain;

impl Dialect for Plain {
    fn is_identifier_start(&self, c: char) -> bool {
        c.is_alphabetic() || matches!(c, '_' | '$')
    }

    fn is_identifier_part(&self, c: char) -> bool {
        c.is_alphanumeric() || matches!(c, '_' | '$')
    }

    fn supports_filter_during_aggregation(&self) -> bool {
        // So that it can be refused by name.
        true
    }
}

/// Longer expressions are no expressions; lists of values may take more room than thought.
const LONGEST: usize = 1 << 20;
/// Words and signs beside values and commas: what makes a tree deep.
const MOST_SIGNS: usize = 4_000;
/// Brackets inside of brackets.
const DEEPEST: usize = 60;

/// Reads an expression; gives its tree and the names of its columns.
pub(super) fn read(text: &str) -> Result<(Node, Vec<String>)> {
    let mut reader = Reader { text, columns: Vec::new(), depth: 0 };
    let expression = reader.parse()?;
    let node = reader.node(&expression)?;
    Ok((node, reader.columns))
}

struct Reader<'t> {
    text: &'t str,
    columns: Vec<String>,
    depth: usize,
}

impl Reader<'_> {
    /// An error about the place `at` of the text.
    fn wrong(&self, at: Place, what: impl std::fmt::Display) -> Error {
        wrong(self.text, at, what)
    }

    fn parse(&self) -> Result<Expr> {
        let nowhere = Place::default();
        if self.text.trim().is_empty() {
            return Err(Error::question("the SQL expression is empty").hint(EXAMPLE));
        }
        if self.text.len() > LONGEST {
            return Err(Error::question("an SQL expression has at most a million characters"));
        }
        let tokens = Tokenizer::new(&Plain, self.text).tokenize_with_location();
        let tokens = tokens.map_err(|error| self.wrong(place(error.location), error.message).hint(EXAMPLE))?;
        let is_sign = |token: &Token| {
            !matches!(token, Token::Whitespace(_) | Token::Comma | Token::Number(..) | Token::SingleQuotedString(_))
        };
        let signs = tokens.iter().filter(|token| is_sign(&token.token)).count();
        if signs > MOST_SIGNS {
            let message = format!("it has {signs} words and signs, and at most {MOST_SIGNS} are read");
            return Err(self
                .wrong(nowhere, message)
                .hint("long lists of values are better said with IN ('a', 'b', …)"));
        }
        if let Some(first) = tokens.iter().find(|token| !matches!(token.token, Token::Whitespace(_)))
            && let Token::Word(word) = &first.token
            && STATEMENTS.contains(&word.keyword)
        {
            return Err(self.wrong(place(first.span.start), statement(&word.value)).hint(EXAMPLE));
        }
        let mut parser = Parser::new(&Plain).with_recursion_limit(DEEPEST).with_tokens_with_locations(tokens);
        let expression = parser.parse_expr().map_err(|error| self.parse_error(error))?;
        let rest = parser.peek_token();
        match rest.token {
            Token::EOF => Ok(expression),
            Token::SemiColon => Err(self.wrong(place(rest.span.start), "`;` begins another statement").hint(EXAMPLE)),
            token => {
                let message = format!("the expression ends before `{token}`");
                Err(self
                    .wrong(place(rest.span.start), message)
                    .hint("join conditions with AND or OR; quote names of columns with \"…\" and texts with '…'"))
            }
        }
    }

    /// The parser's words, with the place where ours is.
    fn parse_error(&self, error: ParserError) -> Error {
        let message = match error {
            ParserError::RecursionLimitExceeded => {
                return self.wrong(Place::default(), format!("it is nested over {DEEPEST} levels deep"));
            }
            ParserError::TokenizerError(message) | ParserError::ParserError(message) => message,
        };
        let (message, at) = split_place(&message);
        let message = match message.trim_start_matches("Expected: ").split_once(", found: ") {
            Some((wanted, "EOF")) => format!("{wanted} is needed where the text ends"),
            Some((wanted, found)) => format!("{wanted} is needed where `{found}` stands"),
            None => message.to_owned(),
        };
        self.wrong(at, message).hint(EXAMPLE)
    }

    #[recursive::recursive]
    fn node(&mut self, expression: &Expr) -> Result<Node> {
        let at = start(expression);
        self.depth += 1;
        if self.depth > 2 * DEEPEST {
            return Err(self.wrong(at, "it is nested too deeply").hint("split it with --derive 'name = SQL'"));
        }
        let kind = self.kind(expression, at)?;
        self.depth -= 1;
        Ok(Node { at, kind })
    }

    fn boxed(&mut self, expression: &Expr) -> Result<Box<Node>> {
        self.node(expression).map(Box::new)
    }

    fn nodes(&mut self, expressions: &[Expr]) -> Result<Vec<Node>> {
        expressions.iter().map(|expression| self.node(expression)).collect()
    }

    fn kind(&mut self, expression: &Expr, at: Place) -> Result<Kind> {
        let is = |node, truth| Kind::Is(node, truth);
        Ok(match expression {
            Expr::Nested(inner) => self.node(inner)?.kind,
            Expr::Identifier(name) => self.column(&name.value),
            Expr::CompoundIdentifier(parts) => self.column(&dotted(parts)),
            Expr::Value(value) => Kind::Literal(self.literal(&value.value, at)?),
            Expr::TypedString(typed) => self.typed_literal(typed, at)?,
            Expr::BinaryOp { left, op: BinaryOperator::And, right } => {
                Kind::All(self.chain(left, right, &BinaryOperator::And)?)
            }
            Expr::BinaryOp { left, op: BinaryOperator::Or, right } => {
                Kind::Any(self.chain(left, right, &BinaryOperator::Or)?)
            }
            Expr::BinaryOp { left, op, right } => self.binary(left, op, right, at)?,
            Expr::UnaryOp { op, expr } => self.unary(*op, expr, at)?,
            Expr::IsNull(inner) | Expr::IsUnknown(inner) => Kind::IsNull(self.boxed(inner)?),
            Expr::IsNotNull(inner) | Expr::IsNotUnknown(inner) => negated(Kind::IsNull(self.boxed(inner)?), at),
            Expr::IsTrue(inner) => is(self.boxed(inner)?, true),
            Expr::IsFalse(inner) => is(self.boxed(inner)?, false),
            Expr::IsNotTrue(inner) => negated(is(self.boxed(inner)?, true), at),
            Expr::IsNotFalse(inner) => negated(is(self.boxed(inner)?, false), at),
            Expr::IsDistinctFrom(a, b) => Kind::Compare(Compare::Distinct, self.boxed(a)?, self.boxed(b)?),
            Expr::IsNotDistinctFrom(a, b) => Kind::Compare(Compare::NotDistinct, self.boxed(a)?, self.boxed(b)?),
            Expr::InList { expr, list, negated: not } => {
                negated_if(*not, Kind::In(self.boxed(expr)?, self.nodes(list)?), at)
            }
            Expr::Between { expr, negated: not, low, high } => {
                let kind = Kind::Between(self.boxed(expr)?, self.boxed(low)?, self.boxed(high)?);
                negated_if(*not, kind, at)
            }
            Expr::Like { negated: not, any: false, expr, pattern, escape_char } => {
                self.like(*not, expr, pattern, escape_char.as_ref(), false, at)?
            }
            Expr::ILike { negated: not, any: false, expr, pattern, escape_char } => {
                self.like(*not, expr, pattern, escape_char.as_ref(), true, at)?
            }
            Expr::RLike { negated: not, expr, pattern, .. } => {
                let test = TextTest::Matches(self.regex(pattern, "")?);
                negated_if(*not, Kind::Text(test, self.boxed(expr)?), at)
            }
            Expr::Case { operand, conditions, else_result, .. } => {
                self.case(operand.as_deref(), conditions, else_result.as_deref(), at)?
            }
            Expr::Cast { expr, data_type, array: false, format: None, .. } => {
                Kind::Cast(self.boxed(expr)?, self.data_type(data_type, at)?)
            }
            Expr::AtTimeZone { timestamp, time_zone } => self.zoned(timestamp, time_zone)?,
            Expr::Function(function) => self.function(function, at)?,
            Expr::Extract { .. }
            | Expr::Ceil { .. }
            | Expr::Floor { .. }
            | Expr::Position { .. }
            | Expr::Substring { .. }
            | Expr::Trim { .. } => self.special_call(expression, at)?,
            other => return Err(self.refused(other, at)),
        })
    }

    /// The column called `name`.
    fn column(&mut self, name: &str) -> Kind {
        let known = self.columns.iter().position(|column| column == name);
        Kind::Column(known.unwrap_or_else(|| {
            self.columns.push(name.to_owned());
            self.columns.len() - 1
        }))
    }

    /// `a AND b AND c`, however long, as one list: the parser hangs it to the left.
    fn chain(&mut self, left: &Expr, right: &Expr, op: &BinaryOperator) -> Result<Vec<Node>> {
        let (mut parts, mut rest) = (vec![right], left);
        while let Expr::BinaryOp { left, op: other, right } = rest
            && other == op
        {
            parts.push(right);
            rest = left;
        }
        parts.push(rest);
        parts.into_iter().rev().map(|part| self.node(part)).collect()
    }

    fn binary(&mut self, left: &Expr, op: &BinaryOperator, right: &Expr, at: Place) -> Result<Kind> {
        use BinaryOperator as Op;
        let compare = match op {
            Op::Eq => Some(Compare::Equal),
            Op::NotEq => Some(Compare::NotEqual),
            Op::Lt => Some(Compare::Less),
            Op::LtEq => Some(Compare::LessOrEqual),
            Op::Gt => Some(Compare::Greater),
            Op::GtEq => Some(Compare::GreaterOrEqual),
            Op::Spaceship => Some(Compare::NotDistinct),
            _ => None,
        };
        if let Some(compare) = compare {
            return Ok(Kind::Compare(compare, self.boxed(left)?, self.boxed(right)?));
        }
        let sign = match op {
            Op::Plus => Some(Sign::Plus),
            Op::Minus => Some(Sign::Minus),
            Op::Multiply => Some(Sign::Times),
            Op::Divide => Some(Sign::Over),
            Op::Modulo => Some(Sign::Modulo),
            _ => None,
        };
        if let Some(sign) = sign {
            if let (Sign::Plus | Sign::Minus, Expr::Interval(interval)) = (sign, right) {
                let span = self.interval(interval, sign == Sign::Minus, at)?;
                return Ok(Kind::Moved(self.boxed(left)?, span));
            }
            return Ok(Kind::Arithmetic(sign, self.boxed(left)?, self.boxed(right)?));
        }
        let regex = match op {
            Op::PGRegexMatch => Some(("", false)),
            Op::PGRegexIMatch => Some(("(?i)", false)),
            Op::PGRegexNotMatch => Some(("", true)),
            Op::PGRegexNotIMatch => Some(("(?i)", true)),
            _ => None,
        };
        if let Some((flags, not)) = regex {
            let test = TextTest::Matches(self.regex(right, flags)?);
            return Ok(negated_if(not, Kind::Text(test, self.boxed(left)?), at));
        }
        match op {
            Op::StringConcat => {
                let nodes = vec![self.node(left)?, self.node(right)?];
                self.call("||", nodes, at)
            }
            _ => Err(self.wrong(at, format!("the operator `{op}` is not known here")).hint(OPERATORS)),
        }
    }

    fn unary(&mut self, op: UnaryOperator, inner: &Expr, at: Place) -> Result<Kind> {
        match (op, inner) {
            (UnaryOperator::Not, _) => Ok(Kind::Not(self.boxed(inner)?)),
            (UnaryOperator::Plus, _) => Ok(self.node(inner)?.kind),
            (UnaryOperator::Minus, Expr::Value(value)) if matches!(value.value, Value::Number(..)) => {
                Ok(Kind::Literal(match self.literal(&value.value, at)? {
                    Literal::Whole(number) => Literal::Whole(-number),
                    Literal::Number(number) => Literal::Number(-number),
                    other => other,
                }))
            }
            (UnaryOperator::Minus, _) => {
                let zero = Node { at, kind: Kind::Literal(Literal::Whole(0)) };
                Ok(Kind::Arithmetic(Sign::Minus, Box::new(zero), self.boxed(inner)?))
            }
            _ => Err(self.wrong(at, format!("the operator `{op}` is not known here")).hint(OPERATORS)),
        }
    }

    fn case(
        &mut self,
        operand: Option<&Expr>,
        conditions: &[sqlparser::ast::CaseWhen],
        otherwise: Option<&Expr>,
        at: Place,
    ) -> Result<Kind> {
        let operand = operand.map(|operand| self.node(operand)).transpose()?;
        let pair = |case: &sqlparser::ast::CaseWhen| Ok((self.node(&case.condition)?, self.node(&case.result)?));
        let cases = conditions.iter().map(pair).collect::<Result<_>>()?;
        let null = Node { at, kind: Kind::Literal(Literal::Null) };
        let otherwise = otherwise.map_or(Ok(null), |otherwise| self.node(otherwise))?;
        Ok(Kind::Case(Box::new(Case { operand, cases, otherwise })))
    }

    /// The error for what is SQL, but is not known to look at one row.
    fn refused(&self, expression: &Expr, at: Place) -> Error {
        let what = match expression {
            Expr::Subquery(_) | Expr::InSubquery { .. } | Expr::Exists { .. } => "a subquery",
            Expr::AnyOp { .. } | Expr::AllOp { .. } => "ANY and ALL",
            Expr::Interval(_) => {
                return self.wrong(at, "an INTERVAL stands alone").hint("add it to a time: time + INTERVAL '1 day'");
            }
            Expr::SimilarTo { .. } => {
                return self.wrong(at, "SIMILAR TO is not known here").hint("use LIKE or REGEXP");
            }
            Expr::Wildcard(_) | Expr::QualifiedWildcard(..) => "`*`",
            Expr::Tuple(_) => "a list in brackets",
            Expr::Array(_) => "an array",
            other => {
                let text: String = other.to_string().chars().take(40).collect();
                return self.wrong(at, format!("`{text}` is not known here")).hint(OPERATORS);
            }
        };
        self.wrong(at, format!("{what} cannot be asked of a single event")).hint(ONE_EVENT)
    }
}

/// What begins a statement and no expression.
const STATEMENTS: [Keyword; 12] = [
    Keyword::SELECT,
    Keyword::WITH,
    Keyword::INSERT,
    Keyword::UPDATE,
    Keyword::DELETE,
    Keyword::CREATE,
    Keyword::DROP,
    Keyword::ALTER,
    Keyword::FROM,
    Keyword::WHERE,
    Keyword::COPY,
    Keyword::ATTACH,
];

pub(super) const EXAMPLE: &str = "an expression looks like this: event = 'purchase' AND revenue > 10";
const OPERATORS: &str = "known are = <> < <= > >= AND OR NOT IN BETWEEN LIKE ILIKE REGEXP IS NULL + - * / % || CASE CAST and the functions of docs/sql.md";
pub(super) const ONE_EVENT: &str = "an expression is asked of each event by itself, so it has no groups, no order and no other rows; counting over journeys is what the questions are for";

fn statement(word: &str) -> String {
    format!("`{word}` begins a statement, and an expression is needed")
}

/// An error about the place `at` of the expression `text`.
pub(super) fn wrong(text: &str, at: Place, what: impl std::fmt::Display) -> Error {
    let shown: String = text.chars().take(120).collect();
    let dots = if shown.len() < text.len() { "…" } else { "" };
    let place = match (at.line, text.contains('\n')) {
        (0, _) => String::new(),
        (_, false) => format!(" at character {}", at.character),
        (line, true) => format!(" at line {line}, character {}", at.character),
    };
    Error::question(format!("in the SQL {:?}{place}: {what}", shown + dots))
}

fn place(location: Location) -> Place {
    Place { line: location.line, character: location.column }
}

/// Where an expression begins. (The parser's own answer walks the whole tree, each time.)
fn start(mut expression: &Expr) -> Place {
    loop {
        expression = match expression {
            Expr::Identifier(name) => return place(name.span.start),
            Expr::CompoundIdentifier(parts) => {
                return parts.first().map_or(Place::default(), |part| place(part.span.start));
            }
            Expr::Value(value) => return place(value.span.start),
            Expr::TypedString(typed) => return place(typed.value.span.start),
            Expr::Case { case_token, .. } => return place(case_token.0.span.start),
            Expr::Function(function) => {
                let name = function.name.0.first().and_then(|part| part.as_ident());
                return name.map_or(Place::default(), |name| place(name.span.start));
            }
            Expr::BinaryOp { left, .. } | Expr::AnyOp { left, .. } | Expr::AllOp { left, .. } => left,
            Expr::Nested(inner)
            | Expr::IsNull(inner)
            | Expr::IsNotNull(inner)
            | Expr::IsTrue(inner)
            | Expr::IsNotTrue(inner)
            | Expr::IsFalse(inner)
            | Expr::IsNotFalse(inner)
            | Expr::IsDistinctFrom(inner, _)
            | Expr::IsNotDistinctFrom(inner, _) => inner,
            Expr::UnaryOp { expr, .. }
            | Expr::InList { expr, .. }
            | Expr::InSubquery { expr, .. }
            | Expr::Between { expr, .. }
            | Expr::Like { expr, .. }
            | Expr::ILike { expr, .. }
            | Expr::RLike { expr, .. }
            | Expr::SimilarTo { expr, .. }
            | Expr::Cast { expr, .. }
            | Expr::Extract { expr, .. } => expr,
            Expr::AtTimeZone { timestamp, .. } => timestamp,
            _ => return Place::default(),
        }
    }
}

/// A parser's message without the place at its end, and that place.
fn split_place(message: &str) -> (&str, Place) {
    let split = || {
        let (what, rest) = message.rsplit_once(" at Line: ")?;
        let (line, character) = rest.split_once(", Column: ")?;
        Some((what, Place { line: line.parse().ok()?, character: character.parse().ok()? }))
    };
    split().unwrap_or((message, Place::default()))
}

/// Columns inside of structs have dotted names.
fn dotted(parts: &[Ident]) -> String {
    parts.iter().map(|part| part.value.as_str()).collect::<Vec<_>>().join(".")
}

fn negated(kind: Kind, at: Place) -> Kind {
    Kind::Not(Box::new(Node { at, kind }))
}

fn negated_if(not: bool, kind: Kind, at: Place) -> Kind {
    if not { negated(kind, at) } else { kind }
}

/// The types that a cast may ask for.
fn type_by_name(name: &str) -> Option<Type> {
    let name = name.split(['(', ' ']).next().unwrap_or_default().to_ascii_uppercase();
    Some(match name.as_str() {
        "TEXT" | "STRING" | "VARCHAR" | "CHAR" | "CHARACTER" | "NVARCHAR" => Type::Text,
        "INT" | "INTEGER" | "BIGINT" | "SMALLINT" | "TINYINT" | "INT2" | "INT4" | "INT8" | "INT16" | "INT32"
        | "INT64" | "SIGNED" => Type::Whole,
        "DOUBLE" | "FLOAT" | "REAL" | "FLOAT4" | "FLOAT8" | "FLOAT32" | "FLOAT64" | "DECIMAL" | "NUMERIC" => {
            Type::Number
        }
        "BOOL" | "BOOLEAN" => Type::Truth,
        "DATE" => Type::Day,
        "TIMESTAMP" | "DATETIME" | "TIMESTAMPTZ" => Type::Time,
        _ => return None,
    })
}
