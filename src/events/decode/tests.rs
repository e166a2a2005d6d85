use std::sync::Arc;

use arrow_array::{BinaryViewArray, Int64Array, StringArray, TimestampMicrosecondArray};
use chrono_tz::Tz;

use super::super::columns::Roles;
use super::super::predicate::{Comparison, Condition};
use super::*;

/// The columns visitor, time and those of `more`, read as a log would be.
fn decode(
    scan: Scan,
    more: &[(&str, ArrayRef)],
    visitor: ArrayRef,
    time: ArrayRef,
) -> (EventBatch, Tally, Dictionaries) {
    decode_between(scan, more, visitor, time, None, None)
}

fn decode_between(
    scan: Scan,
    more: &[(&str, ArrayRef)],
    visitor: ArrayRef,
    time: ArrayRef,
    from: Option<i64>,
    to: Option<i64>,
) -> (EventBatch, Tally, Dictionaries) {
    let columns: Vec<(&str, ArrayRef)> =
        [("visitor", visitor), ("time", time)].into_iter().chain(more.iter().cloned()).collect();
    let names: Vec<String> = columns.iter().map(|(name, _)| (*name).to_owned()).collect();
    let mapping = Mapping::new(&names, &Roles::default(), &scan).unwrap();
    let raw = RawBatch {
        rows: columns[0].1.len(),
        columns: mapping.wanted.iter().map(|wanted| Arc::clone(&columns[wanted.column].1)).collect(),
        origin: Origin::Rows { first: 1 },
        rejected: Vec::new(),
        bytes: 0,
    };
    let dictionaries = Dictionaries::new(scan.dimensions.len());
    let reading =
        Reading { scan, page: PageRule::default(), clock: Clock::new(Tz::UTC, None), from, to, keep_rejects: true };
    let (budget, mut batch) = (Budget::new(1 << 30), EventBatch::default());
    let mut decoder = Decoder::new(&reading, &dictionaries, &budget);
    decoder.decode(0, &raw, &mapping, &mut batch).unwrap();
    let tally = decoder.finish();
    assert_eq!(tally.account.records, tally.account.events_read(), "the account adds up");
    (batch, tally, dictionaries)
}

fn texts(values: &[&[u8]]) -> ArrayRef {
    Arc::new(BinaryViewArray::from_iter(values.iter().map(|value| (!value.is_empty()).then_some(*value))))
}

#[test]
fn each_record_is_judged_in_order() {
    let visitor = texts(&[b"ann", b"", b"ann", b"\xff", b"ann", b""]);
    let time = texts(&[b"100", b"100", b"soon", b"100", b"", b"999"]);
    let (batch, tally, _) = decode_between(Scan::default(), &[], visitor, time, None, Some(500_000_000));
    assert_eq!(batch.columns.time, [100_000_000]);
    let account = tally.account;
    assert_eq!((account.used, account.filtered), (1, 1), "outside the range comes before a missing visitor");
    let reasons: Vec<(Reason, u64)> = account.rejected.into_iter().collect();
    assert_eq!(reasons, [(Reason::InvalidUtf8, 1), (Reason::NoVisitor, 1), (Reason::NoTime, 1), (Reason::BadTime, 1)]);
    let places: Vec<u64> = tally.rejects.iter().map(|(_, reject)| reject.place).collect();
    assert_eq!(places, [3, 5, 2, 4]);
}

#[test]
fn times_beyond_reason_are_rejected() {
    let typed = |times: Vec<i64>| Arc::new(TimestampMicrosecondArray::from(times).with_timezone("UTC")) as ArrayRef;
    let (batch, tally, _) =
        decode(Scan::default(), &[], texts(&[b"a", b"a", b"a"]), typed(vec![i64::MIN, 7, i64::MAX]));
    assert_eq!((batch.columns.time, tally.account.rejected()), (vec![7], 2));
    assert_eq!(tally.span, Some((7, 7)));
}

#[test]
fn columns_follow_the_kept_rows_and_bad_values_are_null() {
    let scan = Scan {
        event: true,
        value: true,
        dimensions: vec!["device".into()],
        conditions: vec![Condition::Compare {
            column: "value".into(),
            comparison: Comparison::Greater,
            literal: "5".into(),
        }],
        ..Scan::default()
    };
    let more: [(&str, ArrayRef); 3] = [
        ("event", texts(&[b"view", b"view", b"\xfe", b"buy"])),
        ("value", texts(&[b"1", b"2", b"much", b"9.5"])),
        ("device", Arc::new(StringArray::from(vec![Some("phone"), None, None, Some("phone")]))),
    ];
    let time: ArrayRef = Arc::new(Int64Array::from(vec![1, 2, 3, 4]));
    let (batch, tally, dictionaries) = decode(scan, &more, texts(&[b"a", b"", b"a", b"a"]), time);
    let (events, _, dimensions) = dictionaries.close();
    let names: Vec<&str> = batch.columns.event.iter().map(|code| events.name(*code)).collect();
    assert_eq!(names, ["view", "", "buy"]);
    assert_eq!(batch.columns.value, [1_000_000, NO_VALUE, 9_500_000]);
    let devices: Vec<&str> = batch.columns.dimensions[0].iter().map(|code| dimensions[0].name(*code)).collect();
    assert_eq!(devices, ["phone", "", "phone"]);
    assert_eq!(batch.columns.bits, [0, 0, 1]);
    let nulled: Vec<(&str, u64)> =
        tally.account.nulled.iter().map(|(column, count)| (column.as_str(), *count)).collect();
    assert_eq!(nulled, [("event", 1), ("value", 1)]);
}

#[test]
#[cfg(feature = "polars")]
fn sql_sees_roles_as_questions_do_and_columns_as_they_stand() {
    let sql = |text: &str| Condition::sql(&crate::frame::Expression::parse(text).unwrap());
    let scan = Scan {
        conditions: vec![
            sql("page = '/a' AND value >= 9.5"),
            sql("url LIKE '%x=1' OR time < '1970-01-01 00:00:02'"),
            sql("visitor = '7' AND \"visitor\" IS NOT NULL"),
        ],
        ..Scan::default()
    };
    let more: [(&str, ArrayRef); 2] = [
        ("url", texts(&[b"http://h/a/?x=1", b"/a", b"/b?x=1", b"/a/index.html"])),
        ("value", texts(&[b"9.50", b"2", b"much", b"9.5"])),
    ];
    let time: ArrayRef = Arc::new(Int64Array::from(vec![1, 2, 3, 4]));
    let (batch, _, _) = decode(scan, &more, texts(&[b"7", b"", b"a", b"7"]), time);
    assert_eq!(batch.columns.bits, [0b111, 0b010, 0b101]);
}

#[test]
fn names_of_rows_that_are_not_used_are_not_known() {
    let scan = Scan { event: true, ..Scan::default() };
    let event = texts(&[b"used", b"unused"]);
    let time: ArrayRef = Arc::new(Int64Array::from(vec![1, 2]));
    let (_, _, dictionaries) = decode(scan, &[("event", event)], texts(&[b"a", b""]), time);
    let (events, _, _) = dictionaries.close();
    assert_eq!((events.code("used"), events.code("unused")), (Some(1), None));
}

#[test]
fn pages_are_read_until_names_tell_the_views() {
    let views = |names: &[&str]| Scan {
        event: true,
        views: names.iter().map(|name| vec!["none".to_owned(), (*name).to_owned()]).collect(),
        ..Scan::default()
    };
    let run = |scan: Scan| {
        let more = [("event", texts(&[b"view", b"buy", b"view"])), ("page", texts(&[b"/a", b"\xff", b""]))];
        let time: ArrayRef = Arc::new(Int64Array::from(vec![1, 2, 3]));
        let reads = scan.clone();
        let (batch, mut tally, dictionaries) = decode(scan, &more, texts(&[b"a", b"a", b"a"]), time);
        let reading = Reading {
            scan: reads,
            page: PageRule::default(),
            clock: Clock::new(Tz::UTC, None),
            from: None,
            to: None,
            keep_rejects: false,
        };
        tally.settle(&reading, &dictionaries);
        (batch.columns.page, tally.account.nulled.get("page").copied())
    };
    assert_eq!(run(views(&[])), (vec![], None));
    assert_eq!(run(views(&["view"])), (vec![0, 0, 0], None));
    assert_eq!(run(views(&["view", "buy"])), (vec![0, 0, 0], None));
    assert_eq!(run(views(&["view", "click"])), (vec![1, 0, 0], Some(1)));
    assert_eq!(run(Scan { page: true, ..views(&["view"]) }), (vec![1, 0, 0], Some(1)));
}

#[test]
fn too_many_names_are_an_error_that_shows_some() {
    let scan = Scan { event: true, ..Scan::default() };
    let names: Vec<String> = (0..5_000).map(|n| format!("/a/rather/long/name/{n}")).collect();
    let event = texts(&names.iter().map(String::as_bytes).collect::<Vec<_>>());
    let columns = ["visitor", "time", "event"].map(str::to_owned);
    let mapping = Mapping::new(&columns, &Roles::default(), &scan).unwrap();
    let raw = RawBatch {
        rows: 5_000,
        columns: vec![texts(&[b"a".as_slice(); 5_000]), Arc::new(Int64Array::from(vec![1; 5_000])), event],
        origin: Origin::Rows { first: 1 },
        rejected: Vec::new(),
        bytes: 0,
    };
    let dictionaries = Dictionaries::new(0);
    let clock = Clock::new(Tz::UTC, None);
    let reading = Reading { scan, page: PageRule::default(), clock, from: None, to: None, keep_rejects: false };
    let budget = Budget::new(1 << 20);
    let mut decoder = Decoder::new(&reading, &dictionaries, &budget);
    let error = decoder.decode(0, &raw, &mapping, &mut EventBatch::default()).unwrap_err();
    assert_eq!(error.kind(), crate::error::ErrorKind::Limit);
    assert!(error.to_string().contains("/a/rather/long/name/0") && error.advice().is_some(), "{error}");
}
