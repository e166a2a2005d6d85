//! Expressions over small batches.

mod oracle;

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{
    Array, ArrayRef, BinaryViewArray, DictionaryArray, Float64Array, Int64Array, StringArray, TimestampMillisecondArray,
};

use super::*;

fn column(name: &str) -> ArrayRef {
    match name {
        "event" => Arc::new(StringArray::from(vec![Some("purchase"), Some("view"), None, Some("")])),
        "revenue" => Arc::new(BinaryViewArray::from(vec![Some(&b"12.50"[..]), Some(b"9"), Some(b"x"), Some(b"\xff")])),
        "n" => Arc::new(Int64Array::from(vec![Some(1), Some(2), None, Some(9_007_199_254_740_993)])),
        "f" => Arc::new(Float64Array::from(vec![Some(1.5), Some(f64::NAN), None, Some(-4.0)])),
        "at" => {
            Arc::new(TimestampMillisecondArray::from(vec![0, 86_399_999, 1_710_331_200_000, -1]).with_timezone("UTC"))
        }
        "day" => Arc::new(StringArray::from(vec!["1970-01-01", "1970-01-02 03:04:05", "soon", "2024-03-13T12:00:00Z"])),
        "code" => {
            let codes: DictionaryArray<arrow_array::types::Int32Type> =
                vec![Some("a"), None, Some(""), Some("a")].into_iter().collect();
            Arc::new(codes)
        }
        other => panic!("{other}"),
    }
}

fn parsed(text: &str) -> Expression {
    Expression::parse(text).unwrap_or_else(|error| panic!("{error:?} {:?}", error.advice()))
}

fn columns(expression: &Expression) -> Vec<ArrayRef> {
    expression.columns().iter().map(|name| column(name)).collect()
}

fn rows(text: &str) -> Vec<usize> {
    let expression = parsed(text);
    let found = expression.matches(&columns(&expression), 4).unwrap_or_else(|error| panic!("{error:?}"));
    (0..4).filter(|row| found.value(*row)).collect()
}

/// The values of an expression as texts, by way of the expression itself.
fn values(text: &str) -> Vec<Option<String>> {
    let expression = parsed(&format!("CAST({text} AS TEXT)"));
    let values = expression.values(&columns(&expression), 4).unwrap_or_else(|error| panic!("{text}: {error:?}"));
    values.as_string_view().iter().map(|value| value.map(str::to_owned)).collect()
}

fn refused(text: &str) -> String {
    let answer = Expression::parse(text).and_then(|expression| expression.matches(&columns(&expression), 4));
    let error = answer.err().unwrap_or_else(|| panic!("{text} is answered"));
    assert_eq!(error.kind(), crate::error::ErrorKind::Question, "{error}");
    error.to_string()
}

#[test]
fn conditions_match_rows() {
    for (text, expected) in [
        ("event = 'purchase' AND revenue > 10", vec![0]),
        ("revenue < 10", vec![1]),
        ("event <> 'purchase'", vec![1]),
        ("NOT event = 'purchase'", vec![1]),
        ("event IS NULL", vec![2, 3]),
        ("event <> ''", vec![0, 1]),
        ("n IN (1, 4, NULL)", vec![0]),
        ("n NOT IN (1, 4)", vec![1, 3]),
        ("n NOT IN (1, NULL)", vec![]),
        ("event IN ('view', UPPER('x'), LOWER(event))", vec![0, 1]),
        ("true", vec![0, 1, 2, 3]),
        ("NULL", vec![]),
        ("f > 0", vec![0]),
        ("f IS NULL", vec![1, 2]),
        ("CASE WHEN n = 1 THEN 'a' WHEN n = 2 THEN 'b' END = 'b'", vec![1]),
        ("CASE n WHEN 1 THEN true ELSE false END", vec![0]),
        ("n BETWEEN 2 AND 4", vec![1]),
        ("event LIKE 'p_r%'", vec![0]),
        ("event ILIKE 'V%'", vec![1]),
        ("event NOT LIKE '%w'", vec![0]),
        ("event ~ '^(view|x)$' OR event REGEXP 'pur'", vec![0, 1]),
        ("REGEXP_LIKE(event, 'VIEW', 'i')", vec![1]),
        ("UPPER(event) = 'VIEW' OR n % 2 = 1", vec![0, 1]),
        ("at >= '1970-01-01 12:00' AND at < DATE '2000-01-01'", vec![1]),
        ("at - INTERVAL '1 day' = '2024-03-12 12:00:00'", vec![2]),
        ("CAST(at AS DATE) = '1970-01-01'", vec![0, 1]),
        ("day > TIMESTAMP '1970-01-01 00:00:01'", vec![1, 3]),
        ("code = 'a'", vec![0, 3]),
        ("code IS DISTINCT FROM 'a'", vec![1, 2]),
        ("NULLIF(event, 'view') IS NULL", vec![1, 2, 3]),
        ("(event = 'view') = true", vec![1]),
        // Whole numbers lose no digit, also against a quoted one.
        ("n = '9007199254740993'", vec![3]),
        ("n = 9007199254740992", vec![]),
    ] {
        assert_eq!(rows(text), expected, "{text}");
    }
}

#[test]
fn values_are_those_that_the_words_say() {
    let some = |texts: [&str; 4]| texts.map(|text| (!text.is_empty()).then(|| text.to_owned())).to_vec();
    for (text, expected) in [
        ("revenue + 1", ["13.5", "10", "", ""]),
        ("revenue / (n - 1)", ["", "9", "", ""]),
        ("-7 % 3", ["-1", "-1", "-1", "-1"]),
        ("COALESCE(revenue, 0)", ["12.5", "9", "0", "0"]),
        ("CAST('2.5' AS INTEGER)", ["3", "3", "3", "3"]),
        ("CAST(revenue AS INT)", ["13", "9", "", ""]),
        ("GREATEST(n, 2)", ["2", "2", "2", "9007199254740993"]),
        ("LEAST(event, 'q')", ["purchase", "q", "q", "q"]),
        ("event || '!'", ["purchase!", "view!", "", ""]),
        ("CONCAT(event, '-', n)", ["purchase-1", "view-2", "-", "-9007199254740993"]),
        ("LENGTH(event)", ["8", "4", "", ""]),
        ("SUBSTRING(event FROM 2 FOR 3)", ["urc", "iew", "", ""]),
        ("TRIM(BOTH 'pv' FROM event)", ["urchase", "iew", "", ""]),
        ("POSITION('w' IN event)", ["0", "4", "", ""]),
        ("REGEXP_EXTRACT(event, '(.)(.)$', 2)", ["e", "w", "", ""]),
        ("REGEXP_REPLACE(event, '([aeiu])', '<\\1>')", ["p<u>rch<a>s<e>", "v<i><e>w", "", ""]),
        ("ROUND(revenue / 3, 2)", ["4.17", "3", "", ""]),
        ("FLOOR(f)", ["1", "", "", "-4"]),
        ("SQRT(f)", ["1.224744871391589", "", "", ""]),
        ("EXTRACT(HOUR FROM at)", ["0", "23", "12", "23"]),
        ("DATE_PART('dow', at)", ["4", "4", "3", "3"]),
        (
            "DATE_TRUNC('month', at)",
            ["1970-01-01T00:00:00Z", "1970-01-01T00:00:00Z", "2024-03-01T00:00:00Z", "1969-12-01T00:00:00Z"],
        ),
        ("STRFTIME(at AT TIME ZONE 'Europe/Berlin', '%H:%M')", ["01:00", "00:59", "13:00", "00:59"]),
        ("EPOCH(at)", ["0", "86399.999", "1710331200", "-0.001"]),
        ("DATE(day)", ["1970-01-01", "1970-01-02", "", "2024-03-13"]),
        (
            "at + INTERVAL '1 month'",
            ["1970-02-01T00:00:00Z", "1970-02-01T23:59:59.999Z", "2024-04-13T12:00:00Z", "1970-01-31T23:59:59.999Z"],
        ),
        ("TO_TIMESTAMP(n) < '1970-01-01 00:00:02'", ["true", "false", "", ""]),
        ("IF(n = 1, 'one')", ["one", "", "", ""]),
        ("event = 'view'", ["false", "true", "", ""]),
    ] {
        assert_eq!(values(text), some(expected), "{text}");
    }
}

#[test]
fn what_does_not_look_at_one_row_is_refused_by_name() {
    for (text, name) in [
        ("COUNT(*) > 1", "COUNT"),
        ("sum(n) > 1", "SUM"),
        ("MAX(n) = n", "MAX"),
        ("AVG(n) OVER () > 1", "AVG OVER"),
        ("LAG(n) OVER (ORDER BY at) = 1", "LAG OVER"),
        ("ROW_NUMBER() = 1", "ROW_NUMBER"),
        ("RANK() OVER (ORDER BY n) = 1", "RANK OVER"),
        ("RANDOM() > 0", "RANDOM"),
        ("NOW() > at", "NOW"),
        ("CURRENT_DATE = at", "CURRENT_DATE"),
        ("CURRENT_TIMESTAMP > at", "CURRENT_TIMESTAMP"),
        ("n IN (SELECT 1)", "subquery"),
        ("EXISTS (SELECT 1)", "subquery"),
        ("n = (SELECT 1)", "subquery"),
        ("n = ANY(SELECT 1)", "ANY and ALL"),
        ("STRING_AGG(event, ',') = 'a'", "STRING_AGG"),
        ("SUM(n) FILTER (WHERE n > 1) > 0", "SUM"),
        ("UNNEST(n) = 1", "UNNEST is no function"),
        ("read_csv('/etc/passwd') = 1", "READ_CSV is no function"),
        ("n = ?", "`?`"),
        ("*", "an expression is needed where `*` stands"),
        ("(n, f) = (1, 2)", "a list in brackets"),
        ("event SIMILAR TO 'a'", "SIMILAR TO"),
        ("n & 1 = 1", "the operator `&`"),
    ] {
        let message = refused(text);
        assert!(message.contains(name), "{text}: {message}");
    }
}

#[test]
fn what_is_wrong_is_said_with_its_place() {
    for (text, part) in [
        ("", "is empty"),
        ("n >", "an expression is needed where the text ends"),
        ("n = 1 n = 2", "at character 7: the expression ends before `n`"),
        ("SELECT n", "at character 1: `SELECT` begins a statement"),
        ("n = 1; n = 2", "at character 6: `;` begins another statement"),
        ("n = 'x'", "at character 5: \"x\" is not a number"),
        ("at = 'yesterday'", "\"yesterday\" is not a time"),
        ("at > 5", "a whole number and a time do not go together"),
        ("at + 1 > 5", "a number is needed here, not a time"),
        ("n = 1 AND\nLOWR(event) = 'x'", "at line 2, character 1: LOWR is no function"),
        ("LOWER() = 'x'", "LOWER takes 1 argument, not 0"),
        ("SUBSTR(event) = 'x'", "SUBSTR takes 2 to 3 arguments, not 1"),
        ("event LIKE code", "a pattern must stand there as a text"),
        ("event ~ '('", "is not a regular expression"),
        ("event ~ '(a{1000}){1000}'", "is not a regular expression"),
        ("DATE_TRUNC('fortnight', at) = at", "\"fortnight\" is not a unit"),
        ("EXTRACT(century FROM at) = 1", "\"CENTURY\" is no part"),
        ("STRFTIME(at, '%Q') = '1'", "is not a format"),
        ("at AT TIME ZONE 'Mars' = at", "\"Mars\" is not a time zone"),
        ("at + INTERVAL '1 fortnight' = at", "is not a length of time"),
        ("CAST(n AS JSON) = 1", "the type JSON is not known"),
        ("n = 12345678901234567890", "too many digits"),
        ("event = ''", "nothing equals the empty text"),
        ("event = 'a", "nterminated"),
        ("event = x'00'", "is no value that is known here"),
    ] {
        let message = refused(text);
        assert!(message.contains(part), "{text}: {message}");
    }
}

#[test]
fn hostile_texts_are_errors_and_nothing_worse() {
    let deep = |open: &str, close: &str, times: usize| open.repeat(times) + "n" + &close.repeat(times);
    for text in [
        deep("(", ")", 20_000),
        deep("NOT ", "", 5_000),
        deep("- ", "", 5_000),
        deep("LOWER(", ")", 1_000),
        deep("CASE WHEN ", " THEN 1 END", 500),
        "n + ".repeat(1_500) + "1",
        "n = 1 OR ".repeat(40_000) + "false",
        deep("(", " BETWEEN 1 AND 2)", 50),
        deep("COALESCE(", ", 1)", 50),
        deep("NULLIF(", ", 1)", 50),
        "'".repeat(99_999),
        "\u{202e}\u{0}".to_owned(),
        "n".repeat(2 << 20),
    ] {
        let shown: String = text.chars().take(30).collect();
        let result = Expression::parse(&text).and_then(|expression| {
            let columns = vec![column("n"); expression.columns().len()];
            expression.matches(&columns, 4)
        });
        assert!(result.is_err(), "{shown}");
        assert!(result.unwrap_err().to_string().len() < 1_000, "{shown}");
    }
    // Long is not deep.
    let many = (0..1_000).map(|n| format!("n = {n}")).collect::<Vec<_>>().join(" OR ");
    assert_eq!(rows(&many), [0, 1]);
    let list = (0..50_000).map(|n| n.to_string()).collect::<Vec<_>>().join(", ");
    assert_eq!(rows(&format!("n IN ({list})")), [0, 1]);
    assert_eq!(rows("event = 'ż\u{0}\u{202e}'''"), Vec::<usize>::new());
}

#[test]
fn nothing_is_evaluated_by_threads_of_polars() {
    for text in ["n IN (1, 2) AND f > 0", "UPPER(event) = code", "CASE WHEN n > 1 THEN f ELSE n END > 1"] {
        rows(text);
    }
    let Ok(tasks) = std::fs::read_dir("/proc/self/task") else { return };
    let names = tasks.flatten().filter_map(|task| std::fs::read_to_string(task.path().join("comm")).ok());
    let polars: Vec<String> = names.filter(|name| name.starts_with("polars")).collect();
    assert!(polars.is_empty(), "{polars:?}");
}

#[test]
fn no_rows_and_no_columns() {
    let expression = parsed("1 = 1");
    assert_eq!(expression.matches(&[], 0).unwrap().len(), 0);
    assert_eq!(expression.matches(&[], 3).unwrap().true_count(), 3);
    let empty: ArrayRef = Arc::new(Int64Array::from(Vec::<i64>::new()));
    assert_eq!(parsed("LENGTH(n || 'x') + n > 1").matches(&[empty], 0).unwrap().len(), 0);
    let values = parsed("NULL").values(&[], 2).unwrap();
    assert_eq!((values.len(), values.null_count()), (2, 2));
}

#[test]
fn the_page_about_sql_names_every_function() {
    let page = include_str!("../../docs/sql.md");
    let words: Vec<&str> = page.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).collect();
    let missing: Vec<&str> = super::functions::names().filter(|name| *name != "||" && !words.contains(name)).collect();
    assert!(missing.is_empty(), "docs/sql.md does not name {missing:?}");
}
