//! Funnels against ClickHouse's `windowFunnel`, visitor by visitor, where Python has the package `chdb`.
//!
//! `CONTRIBUTING.md` says how to install it. Both read the same file; ClickHouse's levels come from one query, ours from one job
//! whose funnels write a row for each visitor that entered.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Write as _};
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use chrono::DateTime;

use crate::differential::logs::{Random, csv};
use crate::support::{answer_in, neutral, root, shop, shop_text};

/// What `--like clickhouse` can be: every set of the modes of a scan, `strict_once`, and that with `strict_increase`. An empty mode
/// is the default of `windowFunnel`.
const LIKE: [&str; 14] = [
    "",
    "strict_order",
    "strict_deduplication",
    "strict_increase",
    "strict_order+strict_deduplication",
    "strict_order+strict_increase",
    "strict_deduplication+strict_increase",
    "strict_order+strict_deduplication+strict_increase",
    "strict_order+allow_reentry",
    "strict_order+allow_reentry+strict_deduplication",
    "strict_order+allow_reentry+strict_increase",
    "strict_order+allow_reentry+strict_deduplication+strict_increase",
    "strict_once",
    "strict_increase+strict_once",
];

/// The mode of `windowFunnel` that a funnel without any preset has: the plain definition.
const PLAIN: &str = "strict_once";

/// A funnel in one mode.
struct Asked {
    /// Alternatives in brackets, `>` between steps.
    steps: &'static str,
    /// In milliseconds.
    window: u64,
    /// `None` asks without any preset.
    like: Option<&'static str>,
}

impl Asked {
    /// Each funnel with each window, plain and in every mode.
    fn all(steps: &[&'static str], windows: &[u64]) -> Vec<Asked> {
        let modes = [None].into_iter().chain(LIKE.map(Some));
        let of = |steps| {
            modes.clone().flat_map(move |like| windows.iter().map(move |&window| Asked { steps, window, like }))
        };
        steps.iter().flat_map(|&steps| of(steps)).collect()
    }

    fn steps(&self) -> impl Iterator<Item = impl Iterator<Item = &'static str>> {
        self.steps.split(" > ").map(|step| step.trim_matches(['(', ')']).split('|'))
    }

    /// The level of a visitor, in SQL.
    fn sql(&self) -> String {
        let mut sql = format!("windowFunnel({}000", self.window);
        let modes = self.like.unwrap_or(PLAIN).split('+').filter(|mode| !mode.is_empty());
        modes.for_each(|mode| write!(sql, ", '{mode}'").unwrap());
        sql += ")(micros";
        for step in self.steps() {
            write!(sql, ", event in ('{}')", step.collect::<Vec<_>>().join("', '")).unwrap();
        }
        sql + ")"
    }

    /// The table of a job that writes the levels to `file`.
    fn table(&self, number: usize, file: &str) -> String {
        let Asked { steps, window, like } = self;
        let like = match like {
            None => String::new(),
            Some("") => "like = 'clickhouse'".into(),
            Some(mode) => format!("like = 'clickhouse:{mode}'"),
        };
        format!(
            "[[funnel]]
             name = 'f{number}'
             steps = '{steps}'
             window = '{window}ms'
             visitors_out = '{file}'
             {like}\n"
        )
    }
}

impl fmt::Display for Asked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Asked { steps, window, like } = self;
        write!(f, "{steps} within {window} ms, {}", like.map_or("plain".into(), |mode| format!("mode {mode:?}")))
    }
}

/// A log that both read.
struct Log<'a> {
    path: &'a Path,
    text: &'a str,
    /// What its columns of visitors and times are called.
    columns: [&'a str; 2],
}

/// For each visitor, how far it comes in each funnel.
type Levels = BTreeMap<String, Vec<usize>>;

impl Log<'_> {
    fn visitors(&self) -> BTreeSet<String> {
        csv(self.text).into_iter().map(|mut row| row.remove(self.columns[0]).unwrap()).collect()
    }

    fn theirs(&self, python: &str, asked: &[Asked]) -> Levels {
        let levels = asked.iter().map(Asked::sql).collect::<Vec<_>>().join(",\n");
        let ([visitor, time], path) = (self.columns, self.path.display());
        let sql = format!(
            "select {visitor}, {levels}
             from (select {visitor}, event, toUInt64(toUnixTimestamp64Micro(parseDateTime64BestEffort({time}, 6, 'UTC'))) as micros
                   from file('{path}', 'CSVWithNames', '{visitor} String, {time} String, event String'))
             group by {visitor}
             settings max_memory_usage = 2000000000"
        );
        let level = |field: &str| field.parse().unwrap();
        let row = |line: &str| {
            let (visitor, levels) = line.split_once('\t').unwrap();
            (visitor.to_owned(), levels.split('\t').map(level).collect())
        };
        query(python, &sql).lines().map(row).collect()
    }

    fn ours(&self, asked: &[Asked]) -> Levels {
        let folder = tempfile::tempdir().unwrap();
        let file = |number: usize| format!("f{number}.csv");
        let tables = asked.iter().enumerate().map(|(number, asked)| asked.table(number, &file(number)));
        fs::write(folder.path().join("job.toml"), tables.collect::<String>()).unwrap();
        answer_in(folder.path(), &["run", "job.toml", self.path.to_str().unwrap(), "--output-dir", "."]);
        // Who did not enter has no row.
        let mut levels: Levels = self.visitors().into_iter().map(|visitor| (visitor, vec![0; asked.len()])).collect();
        for number in 0..asked.len() {
            for row in csv(&fs::read_to_string(folder.path().join(file(number))).unwrap()) {
                let of_visitor = levels.get_mut(&row["visitor"]).expect("no visitor is made up");
                assert_eq!(of_visitor[number], 0, "{} has two rows", row["visitor"]);
                of_visitor[number] = row["reached"].parse().unwrap();
            }
        }
        levels
    }

    /// Asserts that both say the same of every visitor; gives what they say.
    fn compare(&self, python: &str, asked: &[Asked]) -> Levels {
        let (ours, theirs) = (self.ours(asked), self.theirs(python, asked));
        assert!(ours.keys().eq(theirs.keys()), "not the same visitors");
        let levels = |visitor| asked.iter().zip(&ours[visitor]).zip(&theirs[visitor]);
        let all = ours
            .keys()
            .flat_map(|visitor| levels(visitor).map(move |((asked, our), their)| (visitor, asked, our, their)));
        let differ: Vec<_> = all.filter(|(_, _, our, their)| our != their).collect();
        let shown = differ.iter().take(5).map(|(visitor, asked, our, their)| {
            format!("{asked}: {our}, ClickHouse has {their}\n{}", self.events(visitor))
        });
        assert!(differ.is_empty(), "{} levels differ, among them\n{}", differ.len(), shown.collect::<String>());
        ours
    }

    /// The events of a visitor, for messages.
    fn events(&self, visitor: &str) -> String {
        let rows = csv(self.text).into_iter().filter(|row| row[self.columns[0]] == visitor);
        rows.fold(String::new(), |text, row| text + &format!("  {} {}\n", row[self.columns[1]], row["event"]))
    }
}

/// An interpreter that has the package; `None`, and a word about it, where there is none.
fn python() -> Option<String> {
    let named = std::env::var("CLICKPATH_PYTHON").ok();
    let python = named.as_deref().unwrap_or("python3");
    let import = Command::new(python).args(["-c", "import chdb"]).output();
    if import.is_ok_and(|import| import.status.success()) {
        return Some(python.to_owned());
    }
    assert!(named.is_none(), "CLICKPATH_PYTHON names {python}, which has no package chdb");
    println!("skipped: {python} has no package chdb");
    None
}

/// What ClickHouse answers to a query, fields divided by tabs.
fn query(python: &str, sql: &str) -> String {
    const PROGRAM: &str = "import sys, chdb; print(chdb.query(sys.stdin.read(), 'TabSeparated'), end='')";
    let mut command = neutral(Command::new(python), root());
    command.args(["-c", PROGRAM]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(sql.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}: {sql}\n{}", output.status, String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Visitors with few names and few instants, half a second apart, so that ties and repeats abound. They are small because ClickHouse
/// keeps every way through an instant in `strict_once`: seven steps and twenty events of one instant took it gigabytes.
fn random_log(visitors: u64) -> String {
    let mut random = Random(26);
    let mut text = String::from("visitor,ts,event\n");
    for visitor in 0..visitors {
        let instants = random.one(&[3, 8, 24]);
        for _ in 0..1 + random.below(12) {
            let millis = 500 * random.below(instants) as i64;
            let time = DateTime::from_timestamp_millis(1_714_521_600_000 + millis).unwrap().to_rfc3339();
            writeln!(text, "v{visitor},{time},{}", random.one(&["A", "A", "B", "B", "C", "C", "X"])).unwrap();
        }
    }
    text
}

/// Steps that overlap, and one that repeats.
const FUNNELS: [&str; 5] =
    ["A > B", "A > B > C", "A > A > B", "(A|B) > (B|C) > (A|C)", "(A|C) > B > (A|B) > C > (A|B|C)"];

#[test]
fn random_logs_with_ties() {
    let Some(python) = python() else { return };
    let folder = tempfile::tempdir().unwrap();
    let (path, text) = (folder.path().join("log.csv"), random_log(300));
    fs::write(&path, &text).unwrap();
    let asked = Asked::all(&FUNNELS, &[500, 2000, 12000]);
    let levels = Log { path: &path, text: &text, columns: ["visitor", "ts"] }.compare(&python, &asked);
    assert_eq!(levels.len(), 300);

    // The logs are such that every level occurs, and that each mode is told from all others.
    for steps in FUNNELS {
        let numbers = || asked.iter().enumerate().filter(|(_, asked)| asked.steps == steps).map(|(number, _)| number);
        let met: BTreeSet<usize> = levels.values().flat_map(|levels| numbers().map(|number| levels[number])).collect();
        assert!(met.into_iter().eq(0..=steps.split(" > ").count()), "{steps}");
    }
    let answers = |like: &str| -> Vec<usize> {
        let numbers =
            || asked.iter().enumerate().filter(|(_, asked)| asked.like == Some(like)).map(|(number, _)| number);
        levels.values().flat_map(|levels| numbers().map(|number| levels[number])).collect()
    };
    let mut told_apart: BTreeMap<Vec<usize>, &str> = BTreeMap::new();
    for like in LIKE {
        let same = told_apart.insert(answers(like), like);
        assert_eq!(same, None, "the same answers as in mode {like:?}");
    }
}

#[test]
fn the_shop() {
    let Some(python) = python() else { return };
    let hour = 3_600_000;
    let asked = Asked::all(&["catalog > product_view > purchase"], &[hour, 7 * 24 * hour]);
    let levels = Log { path: &shop(), text: &shop_text(), columns: ["user_id", "timestamp"] }.compare(&python, &asked);
    let deepest = |number: usize| levels.values().filter(|levels| levels[number] == 3).count();
    assert!(0 < deepest(0) && deepest(0) < deepest(1), "the windows are told apart");
}
