use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::events::Reason;
use crate::sources::TextOptions;
use crate::sources::testing::{Content, all, content, file, gzip, zstd};

fn forced(delimiter: Option<u8>) -> TextOptions {
    TextOptions { format: Some(&FORMAT), delimiter, ..TextOptions::default() }
}

fn tsv(bytes: &[u8], block: usize) -> Content {
    let file = file("log.tsv", bytes);
    let mut opening = Opening::new(&file.path, &forced(None)).unwrap();
    let (text, head) = opening.text().unwrap();
    let (columns, body) = header(head, first_line(head), b'\t').unwrap();
    let tsv = Tsv { text: Arc::clone(text), columns, delimiter: b'\t', body, block };
    let one = content(&tsv, &all(&tsv), 1).unwrap();
    assert_eq!(content(&tsv, &all(&tsv), 3).unwrap(), one, "block {block}");
    one
}

/// What a text holds, which must be the same in every way of reading it.
fn read(text: &[u8]) -> Content {
    let expected = tsv(text, 1 << 20);
    for bytes in [text.to_vec(), gzip(text), zstd(text)] {
        for block in [1, 2, 3, 5, 8, 13, 64] {
            assert_eq!(tsv(&bytes, block), expected, "block {block}");
        }
    }
    expected
}

fn records(text: &str) -> Vec<(u64, Vec<Option<String>>)> {
    let content = read(text.as_bytes());
    assert_eq!(content.rejected, []);
    let text = |value: Option<Vec<u8>>| value.map(|value| String::from_utf8(value).unwrap());
    content.records.into_iter().map(|(line, record)| (line, record.into_iter().map(text).collect())).collect()
}

fn record<const N: usize>(line: u64, fields: [&str; N]) -> (u64, Vec<Option<String>>) {
    (line, fields.map(|field| Some(field.to_owned()).filter(|field| !field.is_empty())).to_vec())
}

#[test]
fn escapes_are_resolved_and_quotes_are_data() {
    let text = "a\tb\n1\\t2\t\\N\n\"x\ty\"\r\n\\\\N\tC:\\\\t\n\\q\\\tz\n";
    let expected = [record(2, ["1\t2", ""]), record(3, ["\"x", "y\""]), record(4, ["\\N", "C:\\t"])];
    let content = read(text.as_bytes());
    assert_eq!(content.rejected, [(5, Reason::TooFewFields, b"\\q\\\tz".to_vec())]);
    assert_eq!(records(&text[..text.len() - 6]), expected);
    assert_eq!(records("a\tb\n\\q\\x\tz\\"), [record(2, ["\\q\\x", "z\\"])]);
    assert_eq!(records("a\n\\b\\f\\v\\0\\r\n"), [record(2, ["\u{8}\u{c}\u{b}\0\r"])]);
}

#[test]
fn a_backslash_makes_a_real_tab_or_line_end_data() {
    assert_eq!(records("a\tb\nx\\\ty\\\nz\t1\n3\t4\n"), [record(2, ["x\ty\nz", "1"]), record(4, ["3", "4"])]);
}

#[test]
fn records_are_as_wide_as_the_header() {
    let content = read(b"\n\na\t\tc\n1\t2\t3\n\n1\t2\n1\t2\t3\t\n1\t2\t3\t4\n");
    assert_eq!(content.records.iter().map(|(line, _)| *line).collect::<Vec<_>>(), [4, 7]);
    let reasons: Vec<_> = content.rejected.iter().map(|(line, reason, _)| (*line, *reason)).collect();
    assert_eq!(reasons, [(6, Reason::TooFewFields), (8, Reason::TooManyFields)]);
}

#[test]
fn a_file_with_tabs_is_this_only_if_its_nulls_say_so() {
    let describe = |text: &str, options: &TextOptions| {
        let file = file("log.tsv", text.as_bytes());
        crate::sources::open(&file.path, options).map(|source| source.describe()).map_err(|error| error.to_string())
    };
    let auto = TextOptions::default();
    assert_eq!(describe("a\tb\n1\t\\N\n", &auto).unwrap(), "TSV, backslash escapes");
    assert_eq!(describe("a\tb\n\"x\" y\t\\N\n", &auto).unwrap(), "TSV, backslash escapes");
    for text in ["a\tb\n1\t2\n", "a\tb\n1\t\"\\N\"\n", "a\tb\n\"1\"\t\\N\n", "a\tb\n1\t\\Nx\n"] {
        assert_eq!(describe(text, &auto).unwrap(), "CSV, tab", "{text:?}");
    }
    assert_eq!(describe("a,b\n1,\\N\n", &auto).unwrap(), "CSV, comma");
    assert_eq!(describe("a\tb\n1\t2\n", &forced(None)).unwrap(), "TSV, backslash escapes");
    assert_eq!(describe("a,b\n1,2\n", &forced(Some(b','))).unwrap(), "TSV, comma, backslash escapes");
    let csv = TextOptions { format: Some(&crate::sources::csv::FORMAT), ..auto };
    assert_eq!(describe("a\tb\n1\t\\N\n", &csv).unwrap(), "CSV, tab");
}

/// What an exporter writes for a field.
fn escaped(field: &str) -> String {
    let field = field.replace('\\', "\\\\").replace('\t', "\\t").replace('\n', "\\n").replace('\r', "\\r");
    if field.is_empty() { "\\N".to_owned() } else { field }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn what_was_escaped_comes_back(rows in vec(("[a\\\\\t\n\rN\"é]{0,6}", "[a\\\\\t\n\rN]{0,20}"), 0..6)) {
        let lines: String = rows.iter().map(|(a, b)| format!("{}\t{}\n", escaped(a), escaped(b))).collect();
        let found: Vec<_> = records(&format!("first\tsecond\n{lines}")).into_iter().map(|(_, record)| record).collect();
        let expected: Vec<_> = rows.iter().map(|(a, b)| record(0, [a, b]).1).collect();
        prop_assert_eq!(found, expected);
    }

    /// Any bytes give the same records in blocks of any size.
    #[test]
    fn blocks_do_not_matter(body in "[a\\\\\t\n\rN]{0,40}") {
        read(format!("first\tsecond\n{body}").as_bytes());
    }
}
