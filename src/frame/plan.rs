//! Tree → polars expression. Every operand is brought to its type here, so that polars never has to guess one.

use polars::prelude::*;
use polars_plan::plans::LiteralValue;

use super::functions::Function;
use super::kernels::{self, Arg, TIME};
use super::sql::{TIMES, wrong};
use super::tree::{Case, Compare, Kind, Literal, Node, Place, Sign, TextTest, Type};
use crate::error::{Error, Result};

/// Expressions with more parts are not evaluated: some parts stand twice in them, so that few words can make many.
const MOST_PARTS: usize = 20_000;

/// The polars expression of a tree over columns `0`, `1`, … of the given types, brought to the type `wanted`, if one is.
pub(super) fn plan(text: &str, node: &Node, columns: &[Type], wanted: Option<Type>) -> Result<Expr> {
    let planner = Planner { text, columns };
    let part = planner.plan(node)?;
    let to = wanted.unwrap_or(if part.of == Type::Null { Type::Text } else { part.of });
    let value = planner.brought(part, to)?;
    if value.into_iter().nth(MOST_PARTS).is_some() {
        return Err(wrong(text, node.at, "it is too complicated").hint("split it with --derive 'name = SQL'"));
    }
    Ok(value)
}

/// The type as polars has it.
pub(super) fn polars_type(of: Type) -> DataType {
    match of {
        Type::Truth | Type::Null => DataType::Boolean,
        Type::Whole => DataType::Int64,
        Type::Number => DataType::Float64,
        Type::Text => DataType::String,
        Type::Day => DataType::Date,
        Type::Time => TIME,
    }
}

struct Planner<'a> {
    text: &'a str,
    columns: &'a [Type],
}

/// A part of the tree as polars has it.
#[derive(Clone)]
struct Planned<'n> {
    node: &'n Node,
    value: Expr,
    of: Type,
}

impl Planner<'_> {
    fn wrong(&self, at: Place, what: impl std::fmt::Display) -> Error {
        wrong(self.text, at, what)
    }

    #[recursive::recursive]
    fn plan<'n>(&self, node: &'n Node) -> Result<Planned<'n>> {
        let truth = |value: Result<Expr>| value.map(|value| (value, Type::Truth));
        let (value, of) = match &node.kind {
            Kind::Literal(value) => (literal(value), literal_type(value)),
            Kind::Column(number) => (col(number.to_string()), self.columns[*number]),
            Kind::All(parts) => truth(self.logic(parts, true))?,
            Kind::Any(parts) => truth(self.logic(parts, false))?,
            Kind::Not(inner) => (self.typed(inner, Type::Truth)?.not(), Type::Truth),
            Kind::Compare(compare, a, b) => truth(self.compare(*compare, a, b, node.at))?,
            Kind::Between(value, low, high) => truth(self.between(value, low, high, node.at))?,
            Kind::IsNull(inner) => (self.plan(inner)?.value.is_null(), Type::Truth),
            Kind::Is(inner, wanted) => {
                (self.typed(inner, Type::Truth)?.eq_missing(literal(&Literal::Truth(*wanted))), Type::Truth)
            }
            Kind::In(value, list) => truth(self.is_in(value, list, node.at))?,
            Kind::Text(test, inner) => (text_test(self.typed(inner, Type::Text)?, test), Type::Truth),
            Kind::Arithmetic(sign, a, b) => (self.arithmetic(*sign, a, b)?, Type::Number),
            Kind::Moved(inner, span) => (kernels::moved(self.typed(inner, Type::Time)?, *span), Type::Time),
            Kind::Zoned(inner, zone) => (kernels::zoned(self.typed(inner, Type::Time)?, *zone), Type::Time),
            Kind::Cast(inner, to) => (self.cast(inner, *to)?, *to),
            Kind::Case(case) => self.case(case, node.at)?,
            Kind::NullIf(value, other) => self.null_if(value, other, node.at)?,
            Kind::Coalesce(values) => {
                let (values, of) = self.unified(values, node.at)?;
                (coalesce(values), of)
            }
            Kind::Extreme(values, greatest) => {
                let (values, of) = self.unified(values, node.at)?;
                (kernels::extreme(values, of, *greatest), of)
            }
            Kind::Call(function, arguments) => (self.call(function, arguments)?, function.gives),
        };
        Ok(Planned { node, value, of })
    }

    /// A node brought to a type.
    fn typed(&self, node: &Node, to: Type) -> Result<Expr> {
        self.brought(self.plan(node)?, to)
    }

    /// A part brought to exactly a type.
    fn brought(&self, part: Planned<'_>, to: Type) -> Result<Expr> {
        let Planned { node, value, of } = part;
        if let Kind::Literal(value) = &node.kind {
            return Ok(typed(literal(&self.literal_as(value, to, node.at)?), to));
        }
        let converted = convert(value, of, to).map(|value| typed(value, to));
        converted.ok_or_else(|| {
            let error = self.wrong(node.at, format!("{} is needed here, not {}", to.name(), of.name()));
            match (of, to) {
                (Type::Time | Type::Day, to) if to.is_numeric() => {
                    error.hint("the seconds since 1970 are EPOCH(time), and parts of it HOUR(time), DAY(time) …")
                }
                (of, Type::Time | Type::Day) if of.is_numeric() => {
                    error.hint("a number of seconds since 1970 becomes a time by TO_TIMESTAMP(…)")
                }
                _ => error,
            }
        })
    }

    /// A literal brought to a type: one that does not read as such is a slip.
    fn literal_as(&self, value: &Literal, to: Type, at: Place) -> Result<Literal> {
        if let Some(converted) = literal_to(value, to) {
            return Ok(converted);
        }
        let shown = match value {
            Literal::Text(text) => format!("{text:?}"),
            other => literal_type(other).name().to_owned(),
        };
        let error = self.wrong(at, format!("{shown} is not {}", to.name()));
        Err(if matches!(to, Type::Time | Type::Day) { error.hint(TIMES) } else { error })
    }

    /// AND or OR of all, as a balanced tree: lists may be long.
    fn logic(&self, parts: &[Node], all: bool) -> Result<Expr> {
        let parts = parts.iter().map(|part| self.typed(part, Type::Truth)).collect::<Result<Vec<_>>>()?;
        Ok(balanced(parts, &|a, b| if all { a.and(b) } else { a.or(b) }))
    }

    fn compare(&self, compare: Compare, a: &Node, b: &Node, at: Place) -> Result<Expr> {
        self.compared(compare, self.plan(a)?, self.plan(b)?, at)
    }

    fn compared(&self, compare: Compare, a: Planned<'_>, b: Planned<'_>, at: Place) -> Result<Expr> {
        self.refuse_empty(compare, a.node, b.node)?;
        let common = self.common([&a, &b].into_iter(), at)?;
        Ok(comparison(compare, self.brought(a, common)?, self.brought(b, common)?))
    }

    fn between(&self, value: &Node, low: &Node, high: &Node, at: Place) -> Result<Expr> {
        let parts = [self.plan(value)?, self.plan(low)?, self.plan(high)?];
        let common = self.common(parts.iter(), at)?;
        let [value, low, high] = parts;
        let (value, low) = (self.brought(value, common)?, self.brought(low, common)?);
        Ok(value.clone().gt_eq(low).and(value.lt_eq(self.brought(high, common)?)))
    }

    /// An empty field is no value, so that nothing equals the empty text.
    fn refuse_empty(&self, compare: Compare, a: &Node, b: &Node) -> Result<()> {
        let empty = |node: &Node| matches!(&node.kind, Kind::Literal(Literal::Text(text)) if text.is_empty());
        let column = |node: &Node| matches!(node.kind, Kind::Column(_));
        let in_vain = matches!(compare, Compare::Equal | Compare::NotDistinct);
        if in_vain && (column(a) && empty(b) || column(b) && empty(a)) {
            return Err(self
                .wrong(a.at, "nothing equals the empty text: an empty field is NULL")
                .hint("say IS NULL; <> '' is true for every field that is not empty"));
        }
        Ok(())
    }

    fn is_in(&self, value: &Node, list: &[Node], at: Place) -> Result<Expr> {
        let value = self.plan(value)?;
        let items = list.iter().map(|item| self.plan(item)).collect::<Result<Vec<_>>>()?;
        let common = self.common(std::iter::once(&value).chain(&items), at)?;
        let needle = self.brought(value, common)?;
        let (mut literals, mut others, mut has_null) = (Vec::new(), Vec::new(), false);
        for item in items {
            match &item.node.kind {
                Kind::Literal(Literal::Null) => has_null = true,
                Kind::Literal(value) => literals.push(any_value(&self.literal_as(value, common, item.node.at)?)),
                _ => others.push(comparison(Compare::Equal, needle.clone(), self.brought(item, common)?)),
            }
        }
        if !literals.is_empty() {
            let list = Series::from_any_values_and_dtype("".into(), &literals, &polars_type(common), true)
                .and_then(|values| values.implode());
            let list = list.map_err(|error| self.wrong(at, error))?;
            others.insert(0, needle.is_in(lit(list.into_series()), false));
        }
        if has_null {
            others.push(typed(kernels::null(), Type::Truth));
        }
        Ok(balanced(others, &|a, b| a.or(b)))
    }

    fn arithmetic(&self, sign: Sign, a: &Node, b: &Node) -> Result<Expr> {
        let (a, b) = (self.typed(a, Type::Number)?, self.typed(b, Type::Number)?);
        Ok(match sign {
            Sign::Plus => kernels::finite(a + b),
            Sign::Minus => kernels::finite(a - b),
            Sign::Times => kernels::finite(a * b),
            Sign::Over => kernels::finite(a / b),
            // polars has the sign of the divisor.
            Sign::Modulo => kernels::number(vec![a, b], |a| Some(a[0].number()? % a[1].number()?)),
        })
    }

    /// A cast never fails: what cannot be read is null.
    fn cast(&self, inner: &Node, to: Type) -> Result<Expr> {
        let Planned { value, of, .. } = self.plan(inner)?;
        let message = || self.wrong(inner.at, format!("{} cannot become {}", of.name(), to.name()));
        Ok(typed(convert(typed(value, of), of, to).ok_or_else(message)?, to))
    }

    fn case(&self, case: &Case, at: Place) -> Result<(Expr, Type)> {
        let conditions = match &case.operand {
            None => case
                .cases
                .iter()
                .map(|(condition, _)| self.typed(condition, Type::Truth))
                .collect::<Result<Vec<_>>>()?,
            Some(operand) => {
                let operand = self.plan(operand)?;
                let is =
                    |(value, _): &(Node, Node)| self.compared(Compare::Equal, operand.clone(), self.plan(value)?, at);
                case.cases.iter().map(is).collect::<Result<Vec<_>>>()?
            }
        };
        let values = case.cases.iter().map(|(_, value)| value).chain(std::iter::once(&case.otherwise));
        let (mut values, of) = self.unified(values, at)?;
        let last = values.pop().unwrap_or_else(kernels::null);
        let choices = conditions.into_iter().zip(values).rev();
        Ok((choices.fold(last, |rest, (condition, value)| when(condition).then(value).otherwise(rest)), of))
    }

    fn null_if(&self, value: &Node, other: &Node, at: Place) -> Result<(Expr, Type)> {
        let whole = self.plan(value)?;
        let equal = self.compared(Compare::Equal, whole.clone(), self.plan(other)?, at)?;
        let (whole, of) = (typed(whole.value, whole.of), whole.of);
        Ok((when(equal).then(typed(kernels::null(), of)).otherwise(whole), of))
    }

    /// Values brought to their common type, each of exactly this type.
    fn unified<'n>(&self, nodes: impl IntoIterator<Item = &'n Node>, at: Place) -> Result<(Vec<Expr>, Type)> {
        let parts = nodes.into_iter().map(|node| self.plan(node)).collect::<Result<Vec<_>>>()?;
        let common = self.common(parts.iter(), at)?;
        let values = parts.into_iter().map(|part| self.brought(part, common));
        Ok((values.collect::<Result<_>>()?, common))
    }

    fn call(&self, function: &'static Function, arguments: &[Node]) -> Result<Expr> {
        let argument = |(place, node): (usize, &Node)| self.typed(node, function.takes(place));
        let arguments = arguments.iter().enumerate().map(argument).collect::<Result<Vec<_>>>()?;
        Ok((function.make)(arguments))
    }

    /// The type that values are brought to where they meet.
    fn common<'p, 'n: 'p>(&self, parts: impl Iterator<Item = &'p Planned<'n>>, at: Place) -> Result<Type> {
        let (mut types, mut exact) = (Vec::new(), true);
        for part in parts {
            let whole =
                matches!(&part.node.kind, Kind::Literal(Literal::Text(text)) if text.trim().parse::<i64>().is_ok());
            exact &= part.of != Type::Text || whole;
            types.push(part.of);
        }
        types.retain(|of| *of != Type::Null);
        types.sort_unstable();
        types.dedup();
        let fit = |known: &[Type]| types.iter().all(|of| known.contains(of));
        Ok(match types[..] {
            [] => Type::Text,
            [one] => one,
            // 7 = '7' loses no digit of a whole number.
            [Type::Whole, Type::Text] if exact => Type::Whole,
            [Type::Truth, Type::Text] => Type::Truth,
            [Type::Truth, Type::Whole] => Type::Whole,
            _ if fit(&[Type::Truth, Type::Whole, Type::Number, Type::Text]) => Type::Number,
            _ if fit(&[Type::Day, Type::Time, Type::Text]) => Type::Time,
            _ => {
                let names: Vec<&str> = types.iter().map(|of| of.name()).collect();
                let error = self.wrong(at, format!("{} do not go together", names.join(" and ")));
                let times = fit(&[Type::Day, Type::Time, Type::Whole, Type::Number]);
                return Err(if times { error.hint(format!("compare a time with a time: {TIMES}")) } else { error });
            }
        })
    }
}

const DAY: i64 = 86_400_000_000;

fn day(time: i64) -> i32 {
    // Days of times in µs fit into 32 bits.
    time.div_euclid(DAY) as i32
}

fn literal_type(value: &Literal) -> Type {
    match value {
        Literal::Null => Type::Null,
        Literal::Truth(_) => Type::Truth,
        Literal::Whole(_) => Type::Whole,
        Literal::Number(_) => Type::Number,
        Literal::Text(_) => Type::Text,
        Literal::Day(_) => Type::Day,
        Literal::Time(_) => Type::Time,
    }
}

/// A literal as one of another type, if it reads as such.
fn literal_to(value: &Literal, to: Type) -> Option<Literal> {
    let written = |kernel: fn(&[Arg<'_>], &mut String) -> Option<()>, value| {
        let mut text = String::new();
        kernel(&[value], &mut text).map(|()| Literal::Text(text))
    };
    match (value, to) {
        (value, to) if literal_type(value) == to => Some(value.clone()),
        (Literal::Null, _) => Some(Literal::Null),
        (Literal::Text(text), Type::Number) => kernels::read_number(text).map(Literal::Number),
        (Literal::Text(text), Type::Whole) => kernels::read_whole(text).map(Literal::Whole),
        (Literal::Text(text), Type::Truth) => kernels::read_truth(text).map(Literal::Truth),
        (Literal::Text(text), Type::Time) => kernels::read_time(text).map(Literal::Time),
        (Literal::Text(text), Type::Day) => kernels::read_time(text).map(|time| Literal::Day(day(time))),
        (Literal::Whole(number), Type::Number) => Some(Literal::Number(*number as f64)),
        (Literal::Whole(number), Type::Truth) => Some(Literal::Truth(*number != 0)),
        (Literal::Whole(number), Type::Text) => Some(Literal::Text(number.to_string())),
        (Literal::Number(number), Type::Whole) => kernels::nearest_whole(*number).map(Literal::Whole),
        (Literal::Number(number), Type::Truth) => Some(Literal::Truth(*number != 0.0)),
        (Literal::Number(number), Type::Text) => Some(Literal::Text(number.to_string())),
        (Literal::Truth(truth), Type::Whole) => Some(Literal::Whole(i64::from(*truth))),
        (Literal::Truth(truth), Type::Number) => Some(Literal::Number(f64::from(*truth))),
        (Literal::Truth(truth), Type::Text) => Some(Literal::Text(truth.to_string())),
        (Literal::Day(day), Type::Time) => Some(Literal::Time(i64::from(*day) * DAY)),
        (Literal::Day(day), Type::Text) => written(kernels::write_day, Arg::Whole(i64::from(*day))),
        (Literal::Time(time), Type::Day) => Some(Literal::Day(day(*time))),
        (Literal::Time(time), Type::Text) => written(kernels::write_time, Arg::Whole(*time)),
        _ => None,
    }
}

fn any_value(value: &Literal) -> AnyValue<'static> {
    match value {
        Literal::Null => AnyValue::Null,
        Literal::Truth(truth) => AnyValue::Boolean(*truth),
        Literal::Whole(number) => AnyValue::Int64(*number),
        Literal::Number(number) => AnyValue::Float64(*number),
        Literal::Text(text) => AnyValue::StringOwned(text.as_str().into()),
        Literal::Day(day) => AnyValue::Date(*day),
        Literal::Time(time) => AnyValue::Datetime(*time, TimeUnit::Microseconds, None),
    }
}

fn literal(value: &Literal) -> Expr {
    let scalar = Scalar::new(polars_type(literal_type(value)), any_value(value));
    Expr::Literal(LiteralValue::Scalar(scalar))
}

/// A value of exactly the type `of`: a NULL of the text becomes one of the type.
fn typed(value: Expr, of: Type) -> Expr {
    match &value {
        Expr::Literal(LiteralValue::Scalar(scalar)) if scalar.is_null() => {
            Expr::Literal(LiteralValue::Scalar(Scalar::new(polars_type(of), AnyValue::Null)))
        }
        _ => value,
    }
}

/// A value of type `of` as one of type `to`, if there is a way; what cannot be read is null.
fn convert(value: Expr, of: Type, to: Type) -> Option<Expr> {
    if of == to {
        return Some(value);
    }
    Some(match (of, to) {
        (Type::Null, _) => typed(kernels::null(), to),
        (Type::Whole | Type::Truth, Type::Number) => value.cast(DataType::Float64),
        (Type::Truth, Type::Whole) => value.cast(DataType::Int64),
        (Type::Text, Type::Number) => kernels::number(vec![value], |a| kernels::read_number(a[0].text()?)),
        (Type::Text, Type::Whole) => kernels::whole(vec![value], |a| kernels::read_whole(a[0].text()?)),
        (Type::Text, Type::Truth) => kernels::truth(vec![value], |a| kernels::read_truth(a[0].text()?)),
        (Type::Text, Type::Time) => kernels::time(kernels::whole(vec![value], |a| kernels::read_time(a[0].text()?))),
        (Type::Text, Type::Day) => kernels::day(vec![convert(value, Type::Text, Type::Time)?]),
        (Type::Whole, Type::Truth) => value.neq(literal(&Literal::Whole(0))),
        (Type::Number, Type::Truth) => value.neq(literal(&Literal::Number(0.0))),
        (Type::Number, Type::Whole) => kernels::whole(vec![value], |a| kernels::nearest_whole(a[0].number()?)),
        (Type::Day, Type::Time) => value.cast(TIME),
        (Type::Time, Type::Day) => kernels::day(vec![value]),
        (Type::Whole | Type::Truth, Type::Text) => value.cast(DataType::String),
        (Type::Number, Type::Text) => kernels::text(vec![value], kernels::write_number),
        (Type::Time, Type::Text) => kernels::text(vec![value], kernels::write_time),
        (Type::Day, Type::Text) => kernels::text(vec![value], kernels::write_day),
        _ => return None,
    })
}

fn comparison(compare: Compare, a: Expr, b: Expr) -> Expr {
    match compare {
        Compare::Equal => a.eq(b),
        Compare::NotEqual => a.neq(b),
        Compare::Less => a.lt(b),
        Compare::LessOrEqual => a.lt_eq(b),
        Compare::Greater => a.gt(b),
        Compare::GreaterOrEqual => a.gt_eq(b),
        Compare::Distinct => a.neq_missing(b),
        Compare::NotDistinct => a.eq_missing(b),
    }
}

fn text_test(value: Expr, test: &TextTest) -> Expr {
    let text = |text: &String| literal(&Literal::Text(text.clone()));
    match test {
        TextTest::Equals(whole) => value.eq(text(whole)),
        TextTest::Starts(part) => value.str().starts_with(text(part)),
        TextTest::Ends(part) => value.str().ends_with(text(part)),
        TextTest::Contains(part) => value.str().contains_literal(text(part)),
        TextTest::Matches(regex) => value.str().contains(text(regex), true),
    }
}

fn coalesce(values: Vec<Expr>) -> Expr {
    let mut values = values.into_iter().rev();
    let last = values.next().unwrap_or_else(kernels::null);
    values.fold(last, |rest, value| when(value.clone().is_not_null()).then(value).otherwise(rest))
}

/// All values joined two by two, so that the tree is no deeper than it must be.
fn balanced(mut values: Vec<Expr>, join: &dyn Fn(Expr, Expr) -> Expr) -> Expr {
    while values.len() > 1 {
        let mut pairs = values.into_iter();
        let mut joined = Vec::new();
        while let Some(a) = pairs.next() {
            joined.push(match pairs.next() {
                Some(b) => join(a, b),
                None => a,
            });
        }
        values = joined;
    }
    values.pop().unwrap_or_else(kernels::null)
}
