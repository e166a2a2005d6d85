//! Random expressions over random rows against an evaluator that works value by value and was written from `docs/sql.md`.

use std::sync::Arc;

use arrow_array::{Array, ArrayRef, BinaryViewArray, BooleanArray, Float64Array, Int64Array, StringViewArray};
use proptest::prelude::*;

use super::super::Expression;

/// A value in one row.
#[derive(Clone, Debug, PartialEq)]
enum Value {
    Null,
    Truth(bool),
    Whole(i64),
    Number(f64),
    Text(String),
}

/// What a value is, whatever the row says.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Truth,
    Whole,
    Number,
    Text,
}

/// Columns: two of texts (one raw), one of whole numbers, one of numbers, one of truth values.
const COLUMNS: [(&str, Kind); 5] =
    [("raw", Kind::Text), ("t", Kind::Text), ("n", Kind::Whole), ("f", Kind::Number), ("b", Kind::Truth)];

#[derive(Clone, Debug)]
enum Sql {
    Column(usize),
    Literal(Value),
    Compare(&'static str, Box<Sql>, Box<Sql>),
    And(Box<Sql>, Box<Sql>),
    Or(Box<Sql>, Box<Sql>),
    Not(Box<Sql>),
    IsNull(Box<Sql>),
    IsTrue(Box<Sql>),
    In(Box<Sql>, Vec<Value>),
    Between(Box<Sql>, Box<Sql>, Box<Sql>),
    Plus(Box<Sql>, Box<Sql>),
    Over(Box<Sql>, Box<Sql>),
    Case(Box<Sql>, Box<Sql>, Box<Sql>),
    Coalesce(Box<Sql>, Box<Sql>),
    Starts(Box<Sql>, &'static str),
}

fn write(sql: &Sql) -> String {
    match sql {
        Sql::Column(column) => COLUMNS[*column].0.to_owned(),
        Sql::Literal(value) => literal(value),
        Sql::Compare(sign, a, b) => format!("({} {sign} {})", write(a), write(b)),
        Sql::And(a, b) => format!("({} AND {})", write(a), write(b)),
        Sql::Or(a, b) => format!("({} OR {})", write(a), write(b)),
        Sql::Not(a) => format!("(NOT {})", write(a)),
        Sql::IsNull(a) => format!("({} IS NULL)", write(a)),
        Sql::IsTrue(a) => format!("({} IS TRUE)", write(a)),
        Sql::In(a, list) => format!("({} IN ({}))", write(a), list.iter().map(literal).collect::<Vec<_>>().join(", ")),
        Sql::Between(a, low, high) => format!("({} BETWEEN {} AND {})", write(a), write(low), write(high)),
        Sql::Plus(a, b) => format!("({} + {})", write(a), write(b)),
        Sql::Over(a, b) => format!("({} / {})", write(a), write(b)),
        Sql::Case(a, b, c) => format!("(CASE WHEN {} THEN {} ELSE {} END)", write(a), write(b), write(c)),
        Sql::Coalesce(a, b) => format!("COALESCE({}, {})", write(a), write(b)),
        Sql::Starts(a, text) => format!("({} LIKE '{text}%')", write(a)),
    }
}

fn literal(value: &Value) -> String {
    match value {
        Value::Null => "NULL".to_owned(),
        Value::Truth(truth) => truth.to_string().to_uppercase(),
        Value::Whole(number) => number.to_string(),
        Value::Number(number) => format!("{number:?}"),
        Value::Text(text) => format!("'{}'", text.replace('\'', "''")),
    }
}

fn kind(sql: &Sql) -> Option<Kind> {
    match sql {
        Sql::Column(column) => Some(COLUMNS[*column].1),
        Sql::Literal(value) => kind_of(value),
        Sql::Plus(..) | Sql::Over(..) => Some(Kind::Number),
        Sql::Case(_, a, b) | Sql::Coalesce(a, b) => common(&[kind(a), kind(b)]).or(Some(Kind::Text)),
        _ => Some(Kind::Truth),
    }
}

fn kind_of(value: &Value) -> Option<Kind> {
    match value {
        Value::Null => None,
        Value::Truth(_) => Some(Kind::Truth),
        Value::Whole(_) => Some(Kind::Whole),
        Value::Number(_) => Some(Kind::Number),
        Value::Text(_) => Some(Kind::Text),
    }
}

/// Where values meet: equal kinds stay, truth beside text is truth, everything else is a number.
fn common(kinds: &[Option<Kind>]) -> Option<Kind> {
    let known: Vec<Kind> = kinds.iter().flatten().copied().collect();
    let first = *known.first()?;
    if known.iter().all(|kind| *kind == first) {
        return Some(first);
    }
    let only = |a: Kind, b: Kind| known.iter().all(|kind| *kind == a || *kind == b);
    Some(if only(Kind::Truth, Kind::Text) {
        Kind::Truth
    } else if only(Kind::Truth, Kind::Whole) {
        Kind::Whole
    } else {
        Kind::Number
    })
}

fn to(value: Value, kind: Option<Kind>) -> Value {
    let Some(kind) = kind else { return value };
    match (value, kind) {
        (Value::Text(text), Kind::Number) => number(&text).map_or(Value::Null, Value::Number),
        (Value::Text(text), Kind::Truth) => match text.to_lowercase().as_str() {
            "true" | "1" => Value::Truth(true),
            "false" | "0" => Value::Truth(false),
            _ => Value::Null,
        },
        (Value::Whole(number), Kind::Number) => Value::Number(number as f64),
        (Value::Whole(number), Kind::Truth) => Value::Truth(number != 0),
        (Value::Number(number), Kind::Truth) => Value::Truth(number != 0.0),
        (Value::Truth(truth), Kind::Whole) => Value::Whole(i64::from(truth)),
        (Value::Truth(truth), Kind::Number) => Value::Number(f64::from(truth)),
        (Value::Whole(number), Kind::Text) => Value::Text(number.to_string()),
        (Value::Number(number), Kind::Text) => Value::Text(number.to_string()),
        (Value::Truth(truth), Kind::Text) => Value::Text(truth.to_string()),
        (value, _) => value,
    }
}

fn number(text: &str) -> Option<f64> {
    text.trim().parse().ok().filter(|number: &f64| number.is_finite())
}

type Row = [Value; 5];

fn evaluate(sql: &Sql, row: &Row) -> Value {
    let truth = |sql: &Sql| match to(evaluate(sql, row), Some(Kind::Truth)) {
        Value::Truth(truth) => Some(truth),
        _ => None,
    };
    let given = |truth: Option<bool>| truth.map_or(Value::Null, Value::Truth);
    let figure = |sql: &Sql| match to(evaluate(sql, row), Some(Kind::Number)) {
        Value::Number(number) => Some(number),
        _ => None,
    };
    let finite = |number: Option<f64>| number.filter(|n| n.is_finite()).map_or(Value::Null, Value::Number);
    match sql {
        Sql::Column(column) => row[*column].clone(),
        Sql::Literal(value) => value.clone(),
        Sql::Compare(sign, a, b) => {
            let kind = common(&[kind(a), kind(b)]);
            given(compare(sign, &to(evaluate(a, row), kind), &to(evaluate(b, row), kind)))
        }
        Sql::And(a, b) => given(match (truth(a), truth(b)) {
            (Some(false), _) | (_, Some(false)) => Some(false),
            (Some(true), Some(true)) => Some(true),
            _ => None,
        }),
        Sql::Or(a, b) => given(match (truth(a), truth(b)) {
            (Some(true), _) | (_, Some(true)) => Some(true),
            (Some(false), Some(false)) => Some(false),
            _ => None,
        }),
        Sql::Not(a) => given(truth(a).map(|truth| !truth)),
        Sql::IsNull(a) => Value::Truth(evaluate(a, row) == Value::Null),
        Sql::IsTrue(a) => Value::Truth(truth(a) == Some(true)),
        Sql::In(a, list) => {
            let kinds: Vec<Option<Kind>> = std::iter::once(kind(a)).chain(list.iter().map(kind_of)).collect();
            let kind = common(&kinds);
            let value = to(evaluate(a, row), kind);
            let found: Vec<Option<bool>> =
                list.iter().map(|item| compare("=", &value, &to(item.clone(), kind))).collect();
            let unknown = found.iter().any(Option::is_none);
            given(if found.contains(&Some(true)) { Some(true) } else { (!unknown).then_some(false) })
        }
        Sql::Between(a, low, high) => {
            let kind = common(&[kind(a), kind(low), kind(high)]);
            let [a, low, high] = [a, low, high].map(|sql| to(evaluate(sql, row), kind));
            given(match (compare(">=", &a, &low), compare("<=", &a, &high)) {
                (Some(false), _) | (_, Some(false)) => Some(false),
                (Some(true), Some(true)) => Some(true),
                _ => None,
            })
        }
        Sql::Plus(a, b) => finite(figure(a).zip(figure(b)).map(|(a, b)| a + b)),
        Sql::Over(a, b) => finite(figure(a).zip(figure(b)).map(|(a, b)| a / b)),
        Sql::Case(a, b, c) => {
            let chosen = if truth(a) == Some(true) { b } else { c };
            to(evaluate(chosen, row), kind(sql))
        }
        Sql::Coalesce(a, b) => match to(evaluate(a, row), kind(sql)) {
            Value::Null => to(evaluate(b, row), kind(sql)),
            value => value,
        },
        Sql::Starts(a, start) => match to(evaluate(a, row), Some(Kind::Text)) {
            Value::Text(text) => Value::Truth(text.starts_with(start)),
            _ => Value::Null,
        },
    }
}

fn compare(sign: &str, a: &Value, b: &Value) -> Option<bool> {
    let order = match (a, b) {
        (Value::Truth(a), Value::Truth(b)) => a.cmp(b),
        (Value::Whole(a), Value::Whole(b)) => a.cmp(b),
        (Value::Number(a), Value::Number(b)) => a.partial_cmp(b)?,
        (Value::Text(a), Value::Text(b)) => a.cmp(b),
        _ => return None,
    };
    Some(match sign {
        "=" => order.is_eq(),
        "<>" => order.is_ne(),
        "<" => order.is_lt(),
        "<=" => order.is_le(),
        ">" => order.is_gt(),
        _ => order.is_ge(),
    })
}

const TEXTS: [&str; 9] = ["", "a", "ab", "b'", "1", "01", "2.5", "-0", "true"];

/// Literals of texts that read as everything, so that no expression is refused for one.
fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        1 => Just(Value::Null),
        2 => (0i64..4).prop_map(Value::Whole),
        2 => prop::sample::select(vec![0.0, 1.0, 2.5]).prop_map(Value::Number),
        2 => prop::sample::select(vec!["1", "0"]).prop_map(|text| Value::Text(text.to_owned())),
        1 => any::<bool>().prop_map(Value::Truth),
    ]
}

fn sql() -> impl Strategy<Value = Sql> {
    let leaf = prop_oneof![3 => (0usize..5).prop_map(Sql::Column), 1 => value().prop_map(Sql::Literal)];
    leaf.prop_recursive(4, 24, 3, |inner| {
        let one = || inner.clone().prop_map(Box::new);
        let signs = prop::sample::select(vec!["=", "<>", "<", "<=", ">", ">="]);
        prop_oneof![
            4 => (signs, one(), one()).prop_map(|(sign, a, b)| Sql::Compare(sign, a, b)),
            2 => (one(), one()).prop_map(|(a, b)| Sql::And(a, b)),
            2 => (one(), one()).prop_map(|(a, b)| Sql::Or(a, b)),
            1 => one().prop_map(Sql::Not),
            1 => one().prop_map(Sql::IsNull),
            1 => one().prop_map(Sql::IsTrue),
            1 => (one(), prop::collection::vec(value(), 1..4)).prop_map(|(a, list)| Sql::In(a, list)),
            1 => (one(), one(), one()).prop_map(|(a, b, c)| Sql::Between(a, b, c)),
            1 => (one(), one()).prop_map(|(a, b)| Sql::Plus(a, b)),
            1 => (one(), one()).prop_map(|(a, b)| Sql::Over(a, b)),
            1 => (one(), one(), one()).prop_map(|(a, b, c)| Sql::Case(a, b, c)),
            1 => (one(), one()).prop_map(|(a, b)| Sql::Coalesce(a, b)),
            1 => one().prop_map(|a| Sql::Starts(a, "a")),
        ]
    })
}

fn row() -> impl Strategy<Value = Row> {
    let text = || prop_oneof![1 => Just(None), 4 => prop::sample::select(TEXTS.to_vec()).prop_map(Some)];
    // The empty text is no value.
    let text = move || {
        text()
            .prop_map(|text| text.filter(|text| !text.is_empty()).map_or(Value::Null, |text| Value::Text(text.into())))
    };
    let whole = prop_oneof![1 => Just(Value::Null), 4 => (-1i64..4).prop_map(Value::Whole)];
    let number = prop_oneof![
        1 => Just(Value::Null),
        4 => prop::sample::select(vec![-1.0, 0.0, 1.0, 2.5]).prop_map(Value::Number)
    ];
    let truth = prop_oneof![1 => Just(Value::Null), 4 => any::<bool>().prop_map(Value::Truth)];
    (text(), text(), whole, number, truth).prop_map(|(raw, t, n, f, b)| [raw, t, n, f, b])
}

fn array(rows: &[Row], name: &str) -> ArrayRef {
    let column = COLUMNS.iter().position(|(known, _)| *known == name).expect("a column of the rows");
    let values = || rows.iter().map(|row| &row[column]);
    let text = |value: &Value| if let Value::Text(text) = value { Some(text.clone()) } else { None };
    match COLUMNS[column] {
        // Nothing, the empty text and broken text are the same.
        ("raw", _) => Arc::new(BinaryViewArray::from_iter(values().enumerate().map(|(at, value)| {
            text(value).map(String::into_bytes).or([None, Some(Vec::new()), Some(b"\xff\xfe".to_vec())][at % 3].clone())
        }))),
        (_, Kind::Text) => Arc::new(values().map(text).collect::<StringViewArray>()),
        (_, Kind::Whole) => Arc::new(
            values().map(|value| if let Value::Whole(n) = value { Some(*n) } else { None }).collect::<Int64Array>(),
        ),
        (_, Kind::Number) => Arc::new(
            values().map(|value| if let Value::Number(n) = value { Some(*n) } else { None }).collect::<Float64Array>(),
        ),
        (_, Kind::Truth) => Arc::new(
            values().map(|value| if let Value::Truth(b) = value { Some(*b) } else { None }).collect::<BooleanArray>(),
        ),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn every_expression_means_what_it_says(sql in sql(), rows in prop::collection::vec(row(), 1..24), cut in 1usize..24) {
        let text = write(&sql);
        let expression = Expression::parse(&text).unwrap();
        let columns = |rows: &[Row]| expression.columns().iter().map(|name| array(rows, name)).collect::<Vec<_>>();
        let found = expression.matches(&columns(&rows), rows.len());
        let found = found.unwrap_or_else(|error| panic!("{text}: {error}"));
        prop_assert_eq!(found.null_count(), 0);
        for (at, row) in rows.iter().enumerate() {
            let expected = to(evaluate(&sql, row), Some(Kind::Truth)) == Value::Truth(true);
            prop_assert_eq!(found.value(at), expected, "{} in row {:?}", text, row);
        }
        // However the rows are cut.
        let (front, back) = rows.split_at(cut.min(rows.len()));
        let cut: Vec<bool> = [front, back]
            .iter()
            .flat_map(|rows| expression.matches(&columns(rows), rows.len()).unwrap().values().iter().collect::<Vec<_>>())
            .collect();
        prop_assert_eq!(found.values().iter().collect::<Vec<_>>(), cut);
        // And whoever slices the arrays.
        let sliced: Vec<ArrayRef> = columns(&rows).iter().map(|array| array.slice(rows.len() / 2, rows.len() - rows.len() / 2)).collect();
        let tail = expression.matches(&sliced, rows.len() - rows.len() / 2).unwrap();
        prop_assert_eq!(tail.values().iter().collect::<Vec<_>>(), found.values().iter().skip(rows.len() / 2).collect::<Vec<_>>());
    }
}
