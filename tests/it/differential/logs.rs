//! Small random logs, and the program asked about hundreds of them at once.
//!
//! One file holds all logs, each with visitors of its own and its number in a column `log`; `--by log` answers for each apart. A few
//! logs are asked about alone as well, so that nothing hangs on `--by`.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::sync::LazyLock;

use chrono::DateTime;
use serde_json::Value;

use super::oracle::{self, Edge, Event};
use crate::support::{answer_in, ask, root};

/// How many logs lie in one file, and how many are asked about alone, beside two in which no event has the name of a page view.
const LOGS: u64 = 300;
const ALONE: usize = 5;

pub const MINUTE: i64 = 60_000_000;
pub const TIMEOUT: i64 = 30 * MINUTE;
/// The names of page views that these logs use.
const PAGE_VIEW: &[&str] = &["page_view"];
/// The passive events that these logs use.
pub const PASSIVE: &[&str] = &["scroll"];

/// A log and the file that it lies in.
pub struct Log {
    pub seed: u64,
    pub events: Vec<Event>,
    /// The names of page views, if one of them occurs in the file.
    pub page_views: &'static [&'static str],
}

impl Log {
    /// Its sessions by the default rule, visitor by visitor.
    pub fn sessions(&self) -> Vec<Vec<Event>> {
        oracle::all_sessions(&self.events, TIMEOUT, Edge::Exceeds)
    }

    /// Each visitor's sessions.
    pub fn sessions_of_visitors(&self) -> Vec<Vec<Vec<Event>>> {
        oracle::order(&self.events).values().map(|events| oracle::sessions(events, TIMEOUT, Edge::Exceeds)).collect()
    }

    /// Its visitors' whole histories.
    pub fn visitors(&self) -> Vec<Vec<Event>> {
        oracle::order(&self.events).into_values().collect()
    }

    /// The same log with fewer events.
    pub fn only(&self, keep: impl Fn(&Event) -> bool) -> Log {
        let events: Vec<Event> = self.events.iter().filter(|event| keep(event)).cloned().collect();
        // Whether page views have names is decided by the events of the file that are used; where many logs lie together, one has them.
        let named = self.page_views.is_empty()
            || !is_alone(self)
            || events.iter().any(|event| PAGE_VIEW.contains(&event.event.as_str()));
        Log { seed: self.seed, events, page_views: if named { self.page_views } else { &[] } }
    }
}

/// Steele's splitmix64: the same numbers from the same seed, for ever.
pub struct Random(pub u64);

impl Random {
    pub fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % n
    }

    pub fn one<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len() as u64) as usize]
    }
}

/// A Saturday, four hours before April and before summer time begins in much of Europe.
const BASE: &str = "2024-03-30T20:00:00Z";

/// The log of a seed: few visitors, names and instants, so that ties and repeats abound.
fn log(seed: u64) -> Vec<Event> {
    let mut random = Random(seed);
    // Seconds: ties and rage; 15 minutes: gaps of exactly the timeout; 5 hours: days, weeks and months.
    let step = random.one(&[1_000_000, 5 * MINUTE, 15 * MINUTE, 300 * MINUTE]);
    let base = DateTime::parse_from_rfc3339(BASE).unwrap().timestamp_micros();
    let (visitors, events) = (1 + random.below(4), 1 + random.below(25));
    let mut event = || Event {
        visitor: format!("{seed}/{}", random.below(visitors)),
        time: base + random.below(14) as i64 * step,
        event: random.one(&["page_view", "page_view", "A", "B", "cart", "purchase", "scroll"]).into(),
        page: random.one(&["", "/", "/a", "/b"]).into(),
        device: random.one(&["", "mobile", "desktop"]).into(),
        value: random.one(&[None, Some(-3), Some(5), Some(7)]).map(|units| units * 1_000_000),
    };
    (0..events).map(|_| event()).collect()
}

/// A file of logs.
pub struct File {
    _folder: tempfile::TempDir,
    pub path: PathBuf,
    pub logs: Vec<Log>,
}

/// The logs of `seeds` in one file.
fn file(seeds: std::ops::Range<u64>) -> File {
    let all: Vec<(u64, Vec<Event>)> = seeds.map(|seed| (seed, log(seed))).collect();
    let named = all.iter().flat_map(|(_, events)| events).any(|event| PAGE_VIEW.contains(&event.event.as_str()));
    let mut text = String::from("log,visitor,ts,event,page,device,value\n");
    for (seed, events) in &all {
        for Event { visitor, time, event, page, device, value } in events {
            let time = DateTime::from_timestamp_micros(*time).unwrap().to_rfc3339();
            let value = value.map(|value| (value / 1_000_000).to_string()).unwrap_or_default();
            text += &format!("{seed},{visitor},{time},{event},{page},{device},{value}\n");
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("logs.csv");
    fs::write(&path, text).unwrap();
    let page_views = if named { PAGE_VIEW } else { &[] };
    let logs = all.into_iter().map(|(seed, events)| Log { seed, events, page_views }).collect();
    File { _folder: folder, path, logs }
}

static TOGETHER: LazyLock<File> = LazyLock::new(|| file(0..LOGS));
static APART: LazyLock<Vec<File>> = LazyLock::new(|| {
    let named = |seed: &u64| log(*seed).iter().any(|event| PAGE_VIEW.contains(&event.event.as_str()));
    let unnamed = (1000..).filter(|seed| !named(seed) && log(*seed).len() > 4).take(2);
    (1000..).filter(named).take(ALONE).chain(unnamed).map(|seed| file(seed..seed + 1)).collect()
});

/// The file in which hundreds of logs lie together.
pub fn together_file() -> &'static File {
    &TOGETHER
}

/// Whether a log is asked about alone.
pub fn is_alone(log: &Log) -> bool {
    log.seed >= 1000
}

/// The time of the last event of the file that this log lies in.
pub fn end_of_file(log: &Log) -> i64 {
    let mut files = APART.iter().chain([&*TOGETHER]);
    let file = files.find(|file| file.logs.iter().any(|of_file| of_file.seed == log.seed)).unwrap();
    file.logs.iter().flat_map(|log| &log.events).map(|event| event.time).max().unwrap()
}

/// The answers by the number of the log, of a question that was asked `--by log`.
pub fn segments_of_logs(report: &Value) -> BTreeMap<String, Value> {
    segments(report).iter().map(|segment| (value(segment, "log"), segment.clone())).collect()
}

/// What a question answers about each log.
pub fn whole(question: &str, flags: &[&str]) -> Vec<(&'static Log, Value)> {
    let parts = |(log, mut parts): (&'static Log, BTreeMap<String, Value>)| {
        let part = parts.remove("");
        (log, part.unwrap_or(Value::Null))
    };
    together(question, &[], flags).into_iter().map(parts).chain(apart(question, flags)).collect()
}

/// What a question answers about each log and each value of the dimension `by`.
pub fn by(question: &str, by: &str, flags: &[&str]) -> Vec<(&'static Log, BTreeMap<String, Value>)> {
    let alone = apart(question, &[&["--by", by], flags].concat()).into_iter().map(|(log, report)| {
        let parts = segments(&report).iter().map(|segment| (value(segment, by), segment.clone()));
        (log, parts.collect())
    });
    together(question, &[by], flags).into_iter().chain(alone).collect()
}

fn together(question: &str, by: &[&str], flags: &[&str]) -> Vec<(&'static Log, BTreeMap<String, Value>)> {
    let dimensions = ["log"].iter().chain(by).flat_map(|by| ["--by", by]);
    let flags: Vec<&str> = dimensions.chain(flags.iter().copied()).collect();
    let report = ask(question, &[&TOGETHER.path], &flags)["report"].take();
    let mut found: BTreeMap<String, BTreeMap<String, Value>> = BTreeMap::new();
    for segment in segments(&report) {
        let part = by.first().map(|by| value(segment, by)).unwrap_or_default();
        found.entry(value(segment, "log")).or_default().insert(part, segment.clone());
    }
    // A funnel looks for the log among the events of its steps: journeys without any stand apart, and have entered nothing.
    if question == "funnel" {
        found.remove("");
    }
    let of = |log: &'static Log| (log, found.remove(&log.seed.to_string()).unwrap_or_default());
    let answers = TOGETHER.logs.iter().map(of).collect();
    assert!(found.is_empty(), "segments of no log: {:?}", found.keys());
    answers
}

fn apart(question: &str, flags: &[&str]) -> Vec<(&'static Log, Value)> {
    APART.iter().map(|file| (&file.logs[0], ask(question, &[&file.path], flags)["report"].take())).collect()
}

fn segments(report: &Value) -> &[Value] {
    report["segments"].as_array().map_or(&[], Vec::as_slice)
}

/// The value of the dimension `by` in a segment.
fn value(segment: &Value, by: &str) -> String {
    segment["by"][by].as_str().unwrap_or_else(|| panic!("no {by} in {}", segment["by"])).to_owned()
}

/// The rows of a question that answers with rows, for each log, by the names of their columns.
pub fn rows(question: &str, flags: &[&str]) -> Vec<(&'static Log, Vec<BTreeMap<String, String>>)> {
    let ask = |file: &'static File| {
        let args = [&[question, file.path.to_str().unwrap(), "--format", "csv"], flags].concat();
        let mut of_log: BTreeMap<String, Vec<BTreeMap<String, String>>> = BTreeMap::new();
        for row in csv(&answer_in(root(), &args)) {
            let (seed, _) = row["visitor"].split_once('/').unwrap();
            of_log.entry(seed.to_owned()).or_default().push(row);
        }
        let found = |log: &'static Log| (log, of_log.remove(&log.seed.to_string()).unwrap_or_default());
        let found: Vec<_> = file.logs.iter().map(found).collect();
        assert!(of_log.is_empty(), "rows of no log: {:?}", of_log.keys());
        found
    };
    APART.iter().chain([&*TOGETHER]).flat_map(ask).collect()
}

/// The rows of a CSV document by the names of its columns. No field here has a line end.
pub fn csv(text: &str) -> Vec<BTreeMap<String, String>> {
    let mut lines = text.lines().map(fields);
    let header = lines.next().unwrap();
    let row = |fields: Vec<String>| {
        assert_eq!(fields.len(), header.len(), "{fields:?}");
        header.iter().cloned().zip(fields).collect()
    };
    lines.map(row).collect()
}

/// The fields of a line, their quotes taken off.
fn fields(line: &str) -> Vec<String> {
    let mut fields = vec![String::new()];
    let mut quoted = false;
    let mut signs = line.chars().peekable();
    while let Some(sign) = signs.next() {
        let last = fields.len() - 1;
        match sign {
            '"' if quoted && signs.peek() == Some(&'"') => {
                signs.next();
                fields[last].push('"');
            }
            '"' => quoted = !quoted,
            ',' if !quoted => fields.push(String::new()),
            sign => fields[last].push(sign),
        }
    }
    fields
}

#[test]
fn quotes_of_fields_are_taken_off() {
    assert_eq!(fields(r#"a,"[""b"",""c""]",,"""#), ["a", r#"["b","c"]"#, "", ""]);
}

#[test]
fn logs_are_full_of_ties_and_edges() {
    let logs = &TOGETHER.logs;
    let ties = |log: &Log| log.visitors().iter().any(|events| events.windows(2).any(|two| two[0].time == two[1].time));
    assert!(logs.iter().filter(|log| ties(log)).count() > 200);
    let edge = |log: &Log| {
        log.visitors().iter().any(|events| events.windows(2).any(|two| two[1].time - two[0].time == TIMEOUT))
    };
    assert!(logs.iter().filter(|log| edge(log)).count() > 40);
    assert!(logs.iter().filter(|log| log.sessions().len() > log.visitors().len()).count() > 100);
    assert!(APART.iter().any(|file| file.logs[0].page_views.is_empty()), "no log without the name of a page view");
    assert_eq!(log(7), log(7), "a seed is a log");
}
