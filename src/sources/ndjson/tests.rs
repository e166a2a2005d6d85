use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::events::{Reason, shown};
use crate::sources::testing::{Content, OneFile, Record, all, content, file, gzip, zstd};
use crate::sources::{TextOptions, UseAs};

/// An NDJSON file and its bytes on disk.
struct Opened {
    ndjson: Ndjson,
    _file: OneFile,
}

fn options(named: &[&[&str]]) -> TextOptions {
    let list = |names: &&[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    TextOptions { named: named.iter().map(list).collect(), format: Some(&FORMAT), ..TextOptions::default() }
}

fn opened(bytes: &[u8], paths: &[&str]) -> Result<Opened> {
    let file = file("log.ndjson", bytes);
    let mut opening = Opening::new(&file.path, &options(&[]))?;
    let (text, head) = opening.text()?;
    // Any path is a column here: that the head shows it is tried elsewhere.
    let names = paths.iter().map(|path| (*path).to_owned()).collect();
    let ndjson = Ndjson {
        text: Arc::clone(text),
        mark: head.mark as u64,
        columns: Columns { names, ..Columns::default() },
        block: BLOCK,
        longest: LONGEST_RECORD,
    };
    Ok(Opened { ndjson, _file: file })
}

/// What is at `paths` in `text`, which must be the same in every way of reading it.
fn read(text: &[u8], paths: &[&str], longest: usize) -> Content {
    let mut known: Option<Content> = None;
    for bytes in [text.to_vec(), gzip(text), zstd(text)] {
        let mut opened = opened(&bytes, paths).unwrap();
        opened.ndjson.longest = longest;
        for block in [1, 2, 3, 5, 7, 16, 61, 1 << 20] {
            opened.ndjson.block = block;
            for threads in [1, 3] {
                let content = content(&opened.ndjson, &all(&opened.ndjson), threads).unwrap();
                match &known {
                    None => known = Some(content),
                    Some(known) => assert_eq!(&content, known, "block {block}, {threads} threads"),
                }
            }
        }
    }
    known.unwrap()
}

/// The values at `paths` of each record; nothing may be rejected.
fn values(text: &str, paths: &[&str]) -> Vec<Vec<Option<String>>> {
    let content = read(text.as_bytes(), paths, LONGEST_RECORD);
    assert_eq!(content.rejected, []);
    let text = |value: Option<Vec<u8>>| value.map(|value| String::from_utf8(value).unwrap());
    content.records.into_iter().map(|(_, record)| record.into_iter().map(text).collect()).collect()
}

/// The value at `path` of a single record.
fn value(text: &str, path: &str) -> Option<String> {
    values(text, &[path]).remove(0).remove(0)
}

fn rejected(text: &[u8]) -> Vec<(u64, Reason)> {
    read(text, &["a"], LONGEST_RECORD).rejected.into_iter().map(|(line, reason, _)| (line, reason)).collect()
}

#[test]
fn values_are_texts_numbers_words_and_raw_json() {
    let line = r#" { "s":"x", "i": 12, "f":-1.50e+3 ,"t":true,"n":null,"e":"","o":{"k": [1, 2]},"a":[{"k":1}, 2] } "#;
    let paths = ["s", "i", "f", "t", "n", "e", "o", "a", "o.k", "a.0.k", "a.1", "a.2", "missing", "s.x"];
    let expected = [
        Some("x"),
        Some("12"),
        Some("-1.50e+3"),
        Some("true"),
        None,
        None,
        Some(r#"{"k": [1, 2]}"#),
        Some(r#"[{"k":1}, 2]"#),
        Some("[1, 2]"),
        Some("1"),
        Some("2"),
        None,
        None,
        None,
    ];
    assert_eq!(values(line, &paths), [expected.map(|text| text.map(str::to_owned))]);
}

#[test]
fn a_name_with_points_wins_over_the_way_through_objects() {
    assert_eq!(value(r#"{"a.b":1,"a":{"b":2}}"#, "a.b").as_deref(), Some("1"));
    assert_eq!(value(r#"{"a":{"b":2},"a.b":1}"#, "a.b").as_deref(), Some("1"));
    assert_eq!(value(r#"{"a":{"b":2},"a.b":null}"#, "a.b"), None);
    assert_eq!(value(r#"{"a":{"b.c":3,"b":{"c":4}}}"#, "a.b.c").as_deref(), Some("3"));
    assert_eq!(value(r#"{"a.b":{"c":3},"a":{"b":{"c":4}}}"#, "a.b.c").as_deref(), Some("3"));
}

#[test]
fn of_several_fields_at_one_path_the_last_counts() {
    assert_eq!(value(r#"{"a":1,"a":2}"#, "a").as_deref(), Some("2"));
    assert_eq!(value(r#"{"a":1,"a":null}"#, "a"), None);
    assert_eq!(value(r#"{"a":{"b":1},"a":{"b":2}}"#, "a.b").as_deref(), Some("2"));
    assert_eq!(value(r#"{"a":{"b":1},"a":{"c":2}}"#, "a.b").as_deref(), Some("1"));
}

#[test]
fn escapes_are_resolved_in_texts_and_names() {
    assert_eq!(
        value(r#"{"a":"\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00"}"#, "a").as_deref(),
        Some("\"\\/\u{8}\u{c}\n\r\té😀")
    );
    assert_eq!(value(r#"{"\u0061":{"\n":1}}"#, "a.\n").as_deref(), Some("1"));
    // Half of a pair is no character.
    for (text, expected) in [(r"\ud83d", "\u{fffd}"), (r"\ude00x", "\u{fffd}x"), (r"\ud83d\u0041", "\u{fffd}A")] {
        assert_eq!(value(&format!("{{\"a\":\"{text}\"}}"), "a").as_deref(), Some(expected));
    }
    assert_eq!(value(r#"{"a":"\ud83d\ud83d\ude00"}"#, "a").as_deref(), Some("\u{fffd}😀"));
    // Raw JSON keeps its escapes.
    assert_eq!(value(r#"{"a":["\n"]}"#, "a").as_deref(), Some(r#"["\n"]"#));
}

#[test]
fn lines_end_as_they_may_and_blank_ones_are_no_records() {
    let content = read(b"\n{\"a\":1}\r\n \t\n{\"a\":2}", &["a"], LONGEST_RECORD);
    let record = |line, text: &str| (line, vec![Some(text.as_bytes().to_vec())]);
    assert_eq!(content.records, [record(2, "1"), record(4, "2")]);
    assert_eq!(value("\u{feff}{\"a\":1}\n", "a").as_deref(), Some("1"));
    assert_eq!(values("{}\n", &["a"]), [[None]]);
}

#[test]
fn what_is_no_object_is_rejected_with_a_reason() {
    let lines: [(&[u8], Reason); 16] = [
        (b"1", Reason::NotAnObject),
        (b"[{\"a\":1}]", Reason::NotAnObject),
        (b"a,b", Reason::NotAnObject),
        (b"{\"a\":1", Reason::MalformedJson),
        (b"{\"a\":1}}", Reason::MalformedJson),
        (b"{\"a\":1},", Reason::MalformedJson),
        (b"{\"a\":01}", Reason::MalformedJson),
        (b"{\"a\":.5}", Reason::MalformedJson),
        (b"{\"a\":1.}", Reason::MalformedJson),
        (b"{\"a\":nul}", Reason::MalformedJson),
        (b"{\"a\":\"\\x\"}", Reason::MalformedJson),
        (b"{\"a\":\"\\u12g4\"}", Reason::MalformedJson),
        (b"{\"a\":\"\t\"}", Reason::MalformedJson),
        (b"{\"a\":1,}", Reason::MalformedJson),
        (b"{\"\xff\":1}", Reason::InvalidUtf8),
        (b"{\"a\":\"\xed\xa0\x80\"}", Reason::InvalidUtf8),
    ];
    for (line, reason) in lines {
        let text = [b"{\"a\":0}\n", line, b"\n{\"a\":2}\n"].concat();
        assert_eq!(rejected(&text), [(2, reason)], "{}", line.escape_ascii());
    }
}

#[test]
fn nesting_may_go_just_so_deep() {
    let nested = |levels: usize| format!("{}1{}\n", "{\"a\":".repeat(levels), "}".repeat(levels));
    let path = vec!["a"; 64].join(".");
    assert_eq!(value(&nested(64), &path).as_deref(), Some("1"));
    assert_eq!(rejected(nested(65).as_bytes()), [(1, Reason::NestedTooDeep)]);
    let skipped = format!("{{\"b\":{}{}}}\n", "[".repeat(64), "]".repeat(64));
    assert_eq!(rejected(skipped.as_bytes()), [(1, Reason::NestedTooDeep)]);
    // However deep it is, it is not followed.
    assert_eq!(rejected("{\"a\":".repeat(1 << 10).as_bytes()), [(1, Reason::NestedTooDeep)]);
}

#[test]
fn a_record_may_be_just_so_long_and_have_just_so_many_fields() {
    let text = b"{\"a\":\"xxxxxxxxxx\"}\n{\"a\":\"xxxxxxxxxxx\"}\n{\"a\":\"x\"}\n";
    let content = read(text, &["a"], 19);
    assert_eq!(content.records.iter().map(|(line, _)| *line).collect::<Vec<_>>(), [1, 3]);
    assert_eq!(content.rejected, [(2, Reason::RecordTooLong, b"{\"a\":\"xxxxxxxxxxx\"}".to_vec())]);
    let wide = |fields: usize| (0..fields).map(|number| format!("\"f{number}\":1")).collect::<Vec<_>>().join(",");
    assert_eq!(rejected(format!("{{{}}}\n", wide(10_000)).as_bytes()), []);
    assert_eq!(rejected(format!("{{{}}}\n", wide(10_001)).as_bytes()), [(1, Reason::TooManyFields)]);
    assert_eq!(rejected(format!("{{\"items\":[{{{}}}]}}\n", wide(10_001)).as_bytes()), []);
}

fn found(text: &[u8], named: &[&[&str]]) -> Result<Box<dyn Source>> {
    let file = file("log.txt", text);
    crate::sources::open(&file.path, &TextOptions { format: None, ..options(named) })
}

#[test]
fn columns_are_the_paths_of_the_beginning() {
    let text = br#"{"b":{"y":1,"x":[{"k":1}],"o":{}},"a":null}
broken
{"c":{"p.q":true},"b":{"z":"2"}}
"#;
    let source = found(text, &[]).unwrap();
    assert_eq!(source.columns(), ["b.y", "b.x", "a", "c.p.q", "b.z"]);
    assert_eq!((source.describe().as_str(), source.notes()), ("NDJSON", Vec::new()));
    assert_eq!(found(&gzip(text), &[]).unwrap().describe(), "NDJSON, gzip");
    assert_eq!(found(&zstd(text), &[]).unwrap().describe(), "NDJSON, zstd");
    let wide: Vec<u8> = text.iter().flat_map(|byte| [*byte, 0]).collect();
    assert_eq!(found(&wide, &[]).unwrap().describe(), "NDJSON, UTF-16LE");
}

#[test]
fn a_path_that_is_named_is_a_column_if_it_may_occur() {
    let line = "{\"a\":[{\"k\":1}],\"o\":{\"p\":1}}\n";
    let named: &[&[&str]] = &[&["a.0.k"], &["o"], &["x", "A"], &["y", "z"], &["w", "none"]];
    // The whole file is known: what is not there is nowhere.
    assert_eq!(found(line.as_bytes(), named).unwrap().columns(), ["a", "o.p", "a.0.k", "o"]);
    let long = line.repeat(60_000);
    let source = found(long.as_bytes(), named).unwrap();
    assert_eq!(source.columns(), ["a", "o.p", "a.0.k", "o", "y"]);
    assert_eq!(source.notes().len(), 1);
    assert!(source.notes()[0].starts_with("no field \"y\" in the first MiB"));
}

#[test]
fn other_texts_are_left_to_others_or_refused_with_a_hint() {
    assert_eq!(found(b"a,b\n1,2\n", &[]).unwrap().describe(), "CSV, comma");
    let array = found(b" [\n {\"a\":1}]", &[]).err().unwrap();
    assert!(array.advice().unwrap().contains("jq -c '.[]'"), "{array}");
    let pretty = found(b"{\n  \"a\": 1\n}\n", &[]).err().unwrap();
    assert!(pretty.to_string().contains("line 1: malformed JSON") && pretty.advice().unwrap().contains("jq -c ."));
    let file = file("log.csv", b"a,b\n1,2\n");
    let forced = crate::sources::open(&file.path, &options(&[])).err().unwrap();
    assert!(forced.to_string().contains("line 1: not a JSON object"), "{forced}");
}

/// JSON without two fields of one name, written with white space here and there.
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (-1e9..1e9).prop_map(Value::from),
        "[a-c.\"\\\\\n\t é😀\u{1}]{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::from),
            vec(("[a-c]{0,2}", inner), 0..4).prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

/// Fields whose names have no points, so that a path says one thing only.
fn any_object() -> impl Strategy<Value = Value> {
    vec(("[a-c]{0,2}", any_json()), 0..5).prop_map(|fields| Value::Object(fields.into_iter().collect()))
}

/// What stands at a path, by its names.
fn at(object: &Value, path: &str) -> Option<Vec<u8>> {
    let step = |value: &Value, name: &str| match value {
        Value::Object(fields) => fields.get(name).cloned(),
        // `01` is no number of an element.
        Value::Array(elements) => elements.get(name.parse::<usize>().ok().filter(|n| n.to_string() == name)?).cloned(),
        _ => None,
    };
    let value = path.split('.').try_fold(object.clone(), |value, name| step(&value, name))?;
    let text = match value {
        Value::Null => return None,
        Value::String(text) => text,
        other => other.to_string(),
    };
    Some(text.into_bytes()).filter(|text| !text.is_empty())
}

const PATHS: [&str; 12] = ["a", "b", "c", "ab", "a.b", "a.0", "b.1.a", "a.a.a", "c.c", "aa.b.0", "ba.", ""];

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn values_are_those_that_serde_finds(objects in vec(any_object(), 0..4)) {
        let text: String = objects.iter().map(|object| format!("{object}\n")).collect();
        let expected: Vec<(u64, Record)> = objects.iter().zip(1..).map(|(object, line)| {
            (line, PATHS.iter().map(|path| at(object, path)).collect())
        }).collect();
        prop_assume!(!text.is_empty());
        let opened = opened(text.as_bytes(), &PATHS).unwrap();
        let content = content(&opened.ndjson, &all(&opened.ndjson), 1).unwrap();
        prop_assert_eq!(content.rejected, vec![]);
        prop_assert_eq!(content.records, expected);
    }

    #[test]
    fn a_line_is_rejected_exactly_if_serde_rejects_it(
        line in prop_oneof![
            vec(prop_oneof![
                Just("{"), Just("}"), Just("["), Just("]"), Just("\"a\""), Just(":"), Just(","), Just("1"), Just("-0.5e3"), Just("01"),
                Just("true"), Just("null"), Just("\"\\u00e9\\n\""), Just(" "), Just("\""), Just("\u{1}"), Just("é"), Just("\\"),
            ], 0..12).prop_map(|tokens| tokens.concat()),
            any_object().prop_map(|object| object.to_string()),
            (any_object(), any::<prop::sample::Index>(), "[\"\\\\{}:,a0é]").prop_map(|(object, at, with)| {
                let mut text: Vec<char> = object.to_string().chars().collect();
                let at = at.index(text.len());
                text.splice(at..=at, with.chars());
                text.into_iter().collect()
            }),
        ],
    ) {
        // Enough text around it that the file is no binary one.
        let fine = format!("{{\"k\":\"{}\"}}", "x".repeat(100));
        let text = format!("{fine}\n{line}\n{fine}\n");
        let content = read(text.as_bytes(), &["a", "a.b"], LONGEST_RECORD);
        let trimmed = line.trim_matches([' ', '\t', '\r']);
        let fine = serde_json::from_str::<serde_json::Map<String, Value>>(&line).is_ok();
        let expected = if trimmed.is_empty() || fine { vec![] } else { vec![(2, shown(line.as_bytes()))] };
        let rejected: Vec<_> = content.rejected.into_iter().map(|(line, _, text)| (line, text)).collect();
        prop_assert_eq!(rejected, expected);
        prop_assert_eq!(content.records.len(), 2 + usize::from(fine));
    }
}

#[test]
fn columns_come_in_the_order_asked_for() {
    let opened = opened(json!({ "a": 1, "b": 2 }).to_string().as_bytes(), &["a", "b"]).unwrap();
    let wanted: Vec<Wanted> = [1, 0, 1].map(|column| Wanted { column, use_as: UseAs::Ids }).to_vec();
    let content = content(&opened.ndjson, &wanted, 1).unwrap();
    assert_eq!(content.records, [(1, ["2", "1", "2"].map(|text| Some(text.as_bytes().to_vec())).to_vec())]);
    assert!(opened.ndjson.read(&[Wanted { column: 2, use_as: UseAs::Ids }]).is_err());
}
