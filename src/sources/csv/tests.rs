use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use proptest::collection::vec;
use proptest::prelude::*;
use tempfile::TempDir;

use super::*;
use crate::error::ErrorKind;
use crate::events::{Reason, UseAs, shown};
use crate::sources::testing::{Content, Record, batches, content, gzip};
use crate::sources::{Encoding, TextOptions};

mod oracle;

const SMALL: Limits = Limits { record: 40, quoted_bytes: 14, quoted_lines: 3 };

/// A folder with one file in it.
struct OneFile {
    _folder: TempDir,
    path: PathBuf,
}

fn file(bytes: &[u8]) -> OneFile {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log.csv");
    fs::write(&path, bytes).unwrap();
    OneFile { _folder: folder, path }
}

fn tuning(block: usize, limits: Limits) -> Tuning {
    Tuning { block, limits }
}

fn csv(path: &Path, options: &TextOptions, tuning: Tuning) -> Result<Csv> {
    Csv::open(&mut Opening::new(path, options)?, tuning)
}

fn open_file(file: &OneFile, tuning: Tuning) -> Csv {
    csv(&file.path, &TextOptions::default(), tuning).unwrap()
}

/// A file that exists as long as its source.
struct Opened {
    csv: Csv,
    _file: OneFile,
}

impl std::ops::Deref for Opened {
    type Target = Csv;

    fn deref(&self) -> &Csv {
        &self.csv
    }
}

fn opened(bytes: impl AsRef<[u8]>, tuning: Tuning) -> Opened {
    let file = file(bytes.as_ref());
    Opened { csv: open_file(&file, tuning), _file: file }
}

fn opened_as(bytes: &[u8], options: &TextOptions) -> Opened {
    let file = file(bytes);
    Opened { csv: csv(&file.path, options, Tuning::default()).unwrap(), _file: file }
}

fn refused(bytes: &[u8]) -> Error {
    refused_with(bytes, &TextOptions::default())
}

fn refused_with(bytes: &[u8], options: &TextOptions) -> Error {
    csv(&file(bytes).path, options, Tuning::default()).err().unwrap()
}

fn want(columns: impl IntoIterator<Item = usize>) -> Vec<Wanted> {
    columns.into_iter().map(|column| Wanted { column, use_as: UseAs::Names }).collect()
}

fn content_of(csv: &Csv, columns: impl IntoIterator<Item = usize>, threads: usize) -> Result<Content> {
    content(csv, &want(columns), threads)
}

/// What is read of `text`, which must be the same in every way of reading it.
fn read(text: &str, limits: Limits) -> Content {
    read_bytes(text.as_bytes(), limits)
}

fn read_bytes(text: &[u8], limits: Limits) -> Content {
    let plain = file(text);
    let csv = open_file(&plain, tuning(1 << 20, limits));
    let all = 0..csv.columns.len();
    let content = content_of(&csv, all.clone(), 1).unwrap();
    let oracle = oracle::content(&text[csv.body.at as usize..], csv.delimiter, all.end, limits, csv.body.line);
    assert_eq!(content, oracle);
    for block in 1..64 {
        let csv = open_file(&plain, tuning(block, limits));
        for threads in [1, 2, 4] {
            assert_eq!(content_of(&csv, all.clone(), threads).unwrap(), content, "block {block}, {threads} threads");
        }
    }
    let packed = file(&gzip(text));
    for block in [1, 2, 3, 7, 64, 1 << 20] {
        let csv = open_file(&packed, tuning(block, limits));
        for threads in [1, 2] {
            assert_eq!(
                content_of(&csv, all.clone(), threads).unwrap(),
                content,
                "gzip, block {block}, {threads} threads"
            );
        }
    }
    content
}

fn record<const N: usize>(line: u64, fields: [&str; N]) -> (u64, Record) {
    let field = |field: &str| Some(field.as_bytes().to_vec()).filter(|field| !field.is_empty());
    (line, fields.map(field).to_vec())
}

fn reject(line: u64, reason: Reason, text: &str) -> (u64, Reason, Vec<u8>) {
    (line, reason, text.as_bytes().to_vec())
}

/// Reads `text`, in which all records are fine.
fn records(text: &str) -> Vec<(u64, Record)> {
    let content = read(text, Limits::default());
    assert_eq!(content.rejected, []);
    content.records
}

#[test]
fn plain_records() {
    assert_eq!(records("a,b\n1,2\n3,4\n"), [record(2, ["1", "2"]), record(3, ["3", "4"])]);
    assert_eq!(records("a,b\r\n1,2\r\n3,4"), [record(2, ["1", "2"]), record(3, ["3", "4"])]);
    assert_eq!(records("a,b\n1,\n,2\n,\n"), [record(2, ["1", ""]), record(3, ["", "2"]), record(4, ["", ""])]);
    assert_eq!(records("a,b"), []);
    assert_eq!(records("a,b\n"), []);
    assert_eq!(records("a\n1\n\n2"), [record(2, ["1"]), record(4, ["2"])]);
    let long = "a field that is longer than a view";
    assert_eq!(records(&format!("a,b\n{long},{long}")), [record(2, [long, long])]);
}

#[test]
fn blank_lines_are_no_records() {
    assert_eq!(records("\n\r\na,b\n\n1,2\n\r\n\n3,4\n\n"), [record(5, ["1", "2"]), record(8, ["3", "4"])]);
    assert_eq!(records("a\n\"\"\n"), [record(2, [""])]);
}

#[test]
fn a_lone_carriage_return_is_data() {
    assert_eq!(records("a,b\n1\r,\r2\r"), [record(2, ["1\r", "\r2\r"])]);
    assert_eq!(records("a\n\r"), [record(2, ["\r"])]);
    assert_eq!(records("a,b\n1,\r\r\n"), [record(2, ["1", "\r"])]);
}

#[test]
fn quoted_fields() {
    assert_eq!(records("a,b\n\"1,\n2\",\"\"\n3,4\n"), [record(2, ["1,\n2", ""]), record(4, ["3", "4"])]);
    assert_eq!(records("a,b\r\n\"1\",\"2\"\r\n\"3\",\"4\""), [record(2, ["1", "2"]), record(3, ["3", "4"])]);
    assert_eq!(records("a,b\n\"1\"\"2\",\"\"\"\"\n"), [record(2, ["1\"2", "\""])]);
    let long = r#""{""event"":""page_view"",""page"":""/""}""#;
    assert_eq!(records(&format!("a,b\n{long},\n")), [record(2, [r#"{"event":"page_view","page":"/"}"#, ""])]);
}

#[test]
fn a_quote_inside_a_bare_field_is_data() {
    assert_eq!(records("a,b\n1\"2\",3\"\n \"4\",5\n"), [record(2, ["1\"2\"", "3\""]), record(3, [" \"4\"", "5"])]);
}

#[test]
fn stray_quotes_cost_their_line() {
    let content = read("a,b\n\"1\"x,2\n3,4\n", Limits::default());
    assert_eq!(content.rejected, [reject(2, Reason::StrayQuote, "\"1\"x,2")]);
    assert_eq!(content.records, [record(3, ["3", "4"])]);

    let content = read("a,b\n1,\"2\n3,4\n", Limits::default());
    assert_eq!(content.rejected, [reject(2, Reason::StrayQuote, "1,\"2")]);
    assert_eq!(content.records, [record(3, ["3", "4"])]);

    // A CR that no LF follows is something else than a line end, at the end of the file too.
    let content = read("a,b\n1,\"2\"\r", Limits::default());
    assert_eq!(content.rejected, [reject(2, Reason::StrayQuote, "1,\"2\"")]);
}

#[test]
fn a_stray_quote_rejects_the_record_from_its_start() {
    let content = read("a,b,c\n\"1\n2\",3,\"4\n5,6,7\n", Limits::default());
    assert_eq!(content.rejected, [reject(2, Reason::StrayQuote, "\"1\n2\",3,\"4")]);
    assert_eq!(content.records, [record(4, ["5", "6", "7"])]);
}

#[test]
fn a_quoted_field_may_go_just_so_far() {
    // 14 bytes with the quotes are allowed, and 3 lines.
    assert_eq!(read("a,b\n\"345678901234\",\n", SMALL).records, [record(2, ["345678901234", ""])]);
    assert_eq!(
        read("a,b\n\"3456789012345\",\n", SMALL).rejected,
        [reject(2, Reason::StrayQuote, "\"3456789012345\",")]
    );
    assert_eq!(read("a,b\n\"1\n2\n3\",\n", SMALL).records, [record(2, ["1\n2\n3", ""])]);
    let content = read("a,b\n\"1\n2\n3\n4\",\n5,6\n", SMALL);
    assert_eq!(content.rejected[0], reject(2, Reason::StrayQuote, "\"1"));
    assert_eq!(content.records, [record(5, ["4\"", ""]), record(6, ["5", "6"])]);
}

#[test]
fn a_record_may_be_just_so_long() {
    let bytes = |count: usize| "x".repeat(count);
    // 40 bytes with the line end are allowed.
    assert_eq!(read(&format!("a,b\n1,{}\n2,3\n", bytes(37)), SMALL).records.len(), 2);
    let content = read(&format!("a,b\n1,{}\n2,3\n", bytes(38)), SMALL);
    assert_eq!(content.rejected, [reject(2, Reason::RecordTooLong, &format!("1,{}", bytes(38)))]);
    assert_eq!(content.records, [record(3, ["2", "3"])]);
    let content = read(&format!("a,b\n{}", bytes(200)), SMALL);
    assert_eq!(content.rejected, [reject(2, Reason::RecordTooLong, &bytes(40))]);
    // The line end that ends it counts even in a quoted field.
    let content = read(&format!("a,b\n{},\"1\n2\"\n3,4\n", bytes(37)), SMALL);
    assert_eq!(content.rejected[0].1, Reason::RecordTooLong);
    assert_eq!(content.rejected[1], reject(3, Reason::TooFewFields, "2\""));
    assert_eq!(content.records, [record(4, ["3", "4"])]);
}

#[test]
fn a_record_that_is_too_long_is_not_held_in_memory() {
    let limits = Limits { record: 1000, quoted_bytes: 100, quoted_lines: 10 };
    let text = format!("a,b\n1,2\n{}\n3,4\n", "x".repeat(3 << 20));
    for bytes in [text.as_bytes().to_vec(), gzip(text.as_bytes())] {
        let csv = opened(&bytes, tuning(500, limits));
        let reader = csv.read(&want([0])).unwrap();
        let mut rows = 0;
        while let Some(split) = reader.next().unwrap() {
            for batch in split.batches.map(Result::unwrap) {
                rows += batch.rows;
                let crate::events::Origin::Text(origin) = batch.origin else { panic!("text") };
                let block = origin.block();
                assert!(block.capacity() < 10_000);
            }
        }
        assert_eq!(rows, 2);
    }
}

#[test]
fn records_must_be_as_wide_as_the_header() {
    let content = read("a,b\n1\n1,2,3\n1,2,\n1,2,,\"\"\r\n1,2,,x\n", Limits::default());
    assert_eq!(content.records, [record(4, ["1", "2"]), record(5, ["1", "2"])]);
    assert_eq!(
        content.rejected,
        [
            reject(2, Reason::TooFewFields, "1"),
            reject(3, Reason::TooManyFields, "1,2,3"),
            reject(6, Reason::TooManyFields, "1,2,,x"),
        ]
    );
}

#[test]
fn columns_come_in_the_order_asked_for() {
    let csv = opened(b"a,b,c\n1,2,3\n", Tuning::default());
    assert_eq!(content_of(&csv, [2, 0, 2], 1).unwrap().records, [record(2, ["3", "1", "3"])]);
    assert_eq!(content_of(&csv, [], 1).unwrap().records, [record(2, [])]);
    assert_eq!(csv.read(&want([3])).err().unwrap().kind(), ErrorKind::Bug);
}

#[test]
fn headers() {
    let columns = |text: &str| opened(text, Tuning::default()).columns.clone();
    assert_eq!(
        columns("\u{feff}time,\"visitor\"\"s, id\",,time,\n"),
        ["time", "visitor\"s, id", "column_3", "time", "column_5"]
    );
    assert_eq!(columns("\u{feff}\"time\",\"a\nb\"\r\n"), ["time", "a\nb"]);
    assert_eq!(columns("one"), ["one"]);
}

#[test]
fn delimiters_are_found_out() {
    let describe = |text: &str| opened(text.as_bytes(), Tuning::default()).describe();
    assert_eq!(describe("a,b;c,d\n"), "CSV, comma");
    assert_eq!(describe("a\tb\n"), "CSV, tab");
    assert_eq!(describe("\"a,b,c\";d\n"), "CSV, semicolon");
    assert_eq!(describe("a|b\n1,2,3"), "CSV, bar");
    assert_eq!(describe("a|b;c"), "CSV, comma");
    assert_eq!(describe("a"), "CSV, comma");
    assert_eq!(records("a;b\n1,5;\"2;3\"\n"), [record(2, ["1,5", "2;3"])]);

    let given = TextOptions { delimiter: Some(1), ..TextOptions::default() };
    let csv = opened_as(b"a\x01b,\n1\x012\n", &given);
    assert_eq!(csv.columns, ["a", "b,"]);
    assert_eq!(csv.describe(), r"CSV, delimiter '\x01'");
    let quote = TextOptions { delimiter: Some(b'"'), ..TextOptions::default() };
    assert_eq!(refused_with(b"a", &quote).kind(), ErrorKind::Question);
}

#[test]
fn encodings_are_found_out() {
    let text = "zeit,seite\n1,/größe\n2,/日本\n";
    let utf16 = |bytes: fn(u16) -> [u8; 2], mark: &str| -> Vec<u8> {
        format!("{mark}{text}").encode_utf16().flat_map(bytes).collect()
    };
    let cases = [
        (text.as_bytes().to_vec(), "CSV, comma"),
        (format!("\u{feff}{text}").into_bytes(), "CSV, comma"),
        (utf16(u16::to_le_bytes, "\u{feff}"), "CSV, comma, UTF-16LE"),
        (utf16(u16::to_le_bytes, ""), "CSV, comma, UTF-16LE"),
        (utf16(u16::to_be_bytes, "\u{feff}"), "CSV, comma, UTF-16BE"),
        (utf16(u16::to_be_bytes, ""), "CSV, comma, UTF-16BE"),
    ];
    for (bytes, described) in cases {
        for (bytes, described) in [(gzip(&bytes), format!("{described}, gzip")), (bytes, described.to_owned())] {
            for block in [1, 5, 1 << 20] {
                let csv = opened(&bytes, tuning(block, Limits::default()));
                assert_eq!(csv.describe(), described);
                assert_eq!(csv.columns, ["zeit", "seite"]);
                let content = content_of(&csv, [0, 1], 2).unwrap();
                assert_eq!(content.records, [record(2, ["1", "/größe"]), record(3, ["2", "/日本"])]);
            }
        }
    }
}

#[test]
fn latin1_is_read_on_request() {
    let bytes = b"page\n/gr\xf6\xdfe \x80\n";
    let error = refused(bytes);
    assert_eq!(error.kind(), ErrorKind::Input);
    assert!(error.to_string().ends_with("log.csv is not valid UTF-8: byte 0xf6 at offset 8"), "{error}");
    assert_eq!(error.advice(), Some("--encoding latin1 reads it as Latin-1"));

    let options = TextOptions { encoding: Some(Encoding::Latin1), ..TextOptions::default() };
    let csv = opened_as(bytes, &options);
    assert_eq!(csv.describe(), "CSV, comma, Latin-1");
    assert_eq!(content_of(&csv, [0], 1).unwrap().records, [record(2, ["/größe €"])]);

    // Said to be UTF-8, it is read, and judged value by value later.
    let options = TextOptions { encoding: Some(Encoding::Utf8), ..TextOptions::default() };
    let csv = opened_as(bytes, &options);
    assert_eq!(content_of(&csv, [0], 1).unwrap().records, [(2, vec![Some(b"/gr\xf6\xdfe \x80".to_vec())])]);
}

#[test]
fn a_character_may_stand_across_the_end_of_the_head() {
    let mut text = "a\n".to_owned();
    text.push_str(&"x".repeat((1 << 20) - text.len() - 1));
    text.push_str("ö\n");
    let csv = opened(text.as_bytes(), Tuning::default());
    assert_eq!(content_of(&csv, [0], 2).unwrap().records.len(), 1);
}

#[test]
fn what_is_no_csv_is_refused() {
    assert!(refused(b"").to_string().ends_with("log.csv is empty"));
    assert!(refused(&gzip(b"")).to_string().ends_with("log.csv is empty"));
    assert!(refused(b"\n\n").to_string().ends_with("log.csv: no header: the file has only empty lines"));
    assert!(refused(b"PAR1\x15\x04\x00\x00\x00\n\x00\x00").to_string().ends_with("log.csv is not text"));
    assert!(refused(b"\x89PNG\r\n\x1a\n\0\0\0\x0d").to_string().ends_with("log.csv is not text"));
    assert!(refused(b"a,\"b\n1,2\n").to_string().ends_with("log.csv: the header in line 1 has a stray quote"));
    let wide = refused("a,".repeat(10_000).as_bytes()).to_string();
    assert!(wide.ends_with("log.csv: the header has 10001 columns; at most 10000 are read"), "{wide}");
    assert!(refused(&vec![b'a'; 2 << 20]).to_string().ends_with("the header does not end within the first MiB"));
}

#[test]
fn what_cannot_be_opened_is_an_io_error() {
    let folder = tempfile::tempdir().unwrap();
    let options = TextOptions::default();
    assert_eq!(crate::sources::open(&folder.path().join("missing.csv"), &options).err().unwrap().kind(), ErrorKind::Io);
    assert_eq!(crate::sources::open(folder.path(), &options).err().unwrap().kind(), ErrorKind::Io);
    let locked = file(b"a\n");
    fs::set_permissions(&locked.path, fs::Permissions::from_mode(0o000)).unwrap();
    // The superuser may read it all the same.
    assert!(crate::sources::open(&locked.path, &options).err().is_none_or(|error| error.kind() == ErrorKind::Io));
}

#[test]
fn gzip_members_follow_each_other() {
    let bytes = [gzip(b"a,b\n1,"), gzip(b"2\n"), gzip(b""), gzip(b"3,4")].concat();
    let csv = opened(&bytes, Tuning::default());
    assert_eq!(content_of(&csv, [0, 1], 2).unwrap().records, [record(2, ["1", "2"]), record(3, ["3", "4"])]);
}

#[test]
fn a_cut_gzip_is_told_after_its_records() {
    let text: String =
        std::iter::once("a,b\n".to_owned()).chain((0..5000).map(|n| format!("{n},{}\n", n * 7919))).collect();
    let whole = gzip(text.as_bytes());
    let cut = file(&whole[..whole.len() / 2]);
    for block in [100, 1 << 20] {
        let csv = open_file(&cut, tuning(block, Limits::default()));
        let reader = csv.read(&want([0])).unwrap();
        let mut rows = 0;
        let error = loop {
            match reader.next() {
                Ok(Some(split)) => rows += split.batches.map(|batch| batch.unwrap().rows).sum::<usize>(),
                Ok(None) => panic!("the end of a cut file was not noticed"),
                Err(error) => break error,
            }
        };
        assert!(rows > 100);
        assert_eq!(error.kind(), ErrorKind::Input);
        assert!(
            error.to_string().contains(&format!("log.csv: the gzip data break off, after {rows} records")),
            "{error}"
        );
        assert!(error.advice().is_some());
        assert!(reader.next().unwrap().is_none());
        assert!(content_of(&csv, [0], 4).is_err());
    }
}

#[test]
fn a_damaged_gzip_is_an_error() {
    let mut bytes = gzip("a,b\n1,2\n".repeat(1000).as_bytes());
    let checksum = bytes.len() - 8;
    bytes[checksum] ^= 1;
    let csv = opened(&bytes, Tuning::default());
    let error = content_of(&csv, [0], 1).err().unwrap();
    assert!(error.to_string().contains("the gzip data are damaged"), "{error}");
}

#[test]
fn a_failure_hangs_nobody() {
    let text = "a,b\n".to_owned() + &"1,2\n".repeat(100_000);
    for left in [0, 4, 100_001, 399_000] {
        let shrinking = file(text.as_bytes());
        let csv = open_file(&shrinking, tuning(1000, Limits::default()));
        let reader = csv.read(&want([0])).unwrap();
        fs::File::options().write(true).open(&shrinking.path).unwrap().set_len(left).unwrap();
        let error = batches(reader.as_ref(), 4).err().unwrap();
        assert!(error.to_string().ends_with("log.csv became shorter while it was read"), "{error}");
    }
}

#[test]
fn splits_may_be_dropped_unread() {
    let csv = opened(("a,b\n".to_owned() + &"1,2\n".repeat(1000)).as_bytes(), tuning(100, Limits::default()));
    let reader = csv.read(&want([0])).unwrap();
    let mut splits = 0;
    while let Some(split) = reader.next().unwrap() {
        drop(split);
        splits += 1;
    }
    assert_eq!(splits, 40);
    assert_eq!(content_of(&csv, [0], 2).unwrap().records.len(), 1000, "a file can be read again");
}

#[test]
fn pipes_are_read_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pipe");
    assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
    std::thread::scope(|scope| {
        scope.spawn(|| fs::write(&path, "a,b\n".to_owned() + &"1,2\n".repeat(1_000_000)).unwrap());
        let csv = csv(&path, &TextOptions::default(), Tuning::default()).unwrap();
        assert_eq!(csv.bytes(), 0);
        let reader = csv.read(&want([0])).unwrap();
        let rows: usize = batches(reader.as_ref(), 2).unwrap().iter().map(|batch| batch.rows).sum();
        assert_eq!(rows, 1_000_000);
        assert_eq!(csv.read(&want([0])).err().unwrap().kind(), ErrorKind::Input);
    });
}

/// A text that is mostly quotes, delimiters and line ends, behind a header.
fn hostile_text() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        4 => Just("\""), 3 => Just(","), 3 => Just("\n"), 2 => Just("\r\n"), 1 => Just("\r"), 3 => Just("x"),
        2 => Just("\",\""), 2 => Just("\"\n\""), 2 => Just("\"\""), 1 => Just("1,2,3\n"), 1 => Just("\"1\",\"2\",\"3\"\n"),
        1 => Just("ö"), 1 => Just("longer than one view"),
    ];
    (prop_oneof![Just("a\n"), Just("a,b\n"), Just("a,b,c\r\n")], vec(piece, 0..60))
        .prop_map(|(header, pieces)| header.to_owned() + &pieces.concat())
}

/// A log as real ones are, long enough for many windows, with a few broken records.
fn real_text() -> impl Strategy<Value = String> {
    let field = prop_oneof![
        6 => "[a-z0-9/]{0,20}", 6 => "[a-z0-9/]{0,20}".prop_map(|text| format!("\"{text}\"")),
        1 => Just("\"a \"\"b\"\" c\"".to_owned()), 1 => Just("\"1,\n2\"".to_owned()), 1 => Just("a\"b".to_owned()),
    ];
    let line_end = prop_oneof![10 => Just("\n"), 3 => Just("\r\n"), 1 => Just("\n\n"), 1 => Just(",\n"), 1 => Just("\"\n"), 1 => Just(",x\n")];
    let record = (vec(field, 3), line_end).prop_map(|(fields, line_end)| fields.join(",") + line_end);
    vec(record, 0..200).prop_map(|records| "a,b,c\n".to_owned() + &records.concat())
}

fn limits() -> impl Strategy<Value = Limits> {
    prop_oneof![Just(Limits::default()), Just(SMALL), Just(Limits { record: 100, quoted_bytes: 70, quoted_lines: 2 })]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn hostile_texts_are_read_by_the_rules(text in hostile_text(), limits in limits(), block in 1usize..64, threads in 1usize..5) {
        check(&text, limits, block, threads);
    }

    #[test]
    fn real_texts_are_read_by_the_rules(text in real_text(), limits in limits(), block in 1usize..2000, threads in 1usize..5) {
        check(&text, limits, block, threads);
    }
}

/// Compares the reader with the oracle.
fn check(text: &str, limits: Limits, block: usize, threads: usize) {
    let plain = file(text.as_bytes());
    let Ok(csv) = csv(&plain.path, &TextOptions::default(), tuning(1 << 20, limits)) else { return };
    let columns = csv.columns.len();
    let expected =
        oracle::content(&text.as_bytes()[csv.body.at as usize..], csv.delimiter, columns, limits, csv.body.line);
    assert_eq!(content_of(&csv, 0..columns, 1).unwrap(), expected);
    let csv = open_file(&plain, tuning(block, limits));
    assert_eq!(content_of(&csv, 0..columns, threads).unwrap(), expected, "in blocks");
    let csv = opened(gzip(text.as_bytes()), tuning(block, limits));
    assert_eq!(content_of(&csv, 0..columns, threads).unwrap(), expected, "in gzip");
}

#[test]
fn rejected_records_are_shown_short() {
    let content = read_bytes(("a,b\n".to_owned() + &"x".repeat(9000)).as_bytes(), Limits::default());
    assert_eq!(content.rejected, [(2, Reason::TooFewFields, shown("x".repeat(9000).as_bytes()))]);
}
