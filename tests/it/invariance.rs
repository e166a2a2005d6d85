//! The same log gives the same bytes, however it is cut, stored and read.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use crate::support::{Run, ask_bytes, clickpath, ipc, parquet, shop, shop_text};

/// Questions and their flags; together they look at every part of an event and of a session.
const QUESTIONS: [&[&str]; 15] = [
    &["report"],
    &["summary", "--by", "acquisition_channel", "--session", "session_id"],
    &["funnel", "--steps", FIVE, "--by", "platform"],
    &["funnel", "--steps", "add_to_cart >> cart", "--grain", "session"],
    &["funnel", "--steps", FIVE, "--by", "platform", "--touch", "step:2", "--entry", "each", "--between", "3"],
    &["flow", "--depth", "10", "--top", "all"],
    &["graph", "--by", "platform", "--timeout", "10m"],
    &["graph", "--repeats", "keep", "--grain", "visitor"],
    &["dropoff", "--by", "platform", "--error", "error_page", "--repeats", "keep"],
    &["conversion", "--by", "platform", "--goal", "(cart | add_to_cart)", "--goal", "purchase"],
    &["paths", "--top", "all", "--by", "platform", "--matrix"],
    &["paths", "--grain", "visitor", "--repeats", "keep", "--around", "purchase"],
    &["abandonment", "--by", "platform", "--purchase-rule", "after-last"],
    &["gaps", "--of", "platform", "--by", "acquisition_channel"],
    &["gaps", "--of", "event", "--grain", "session", "--goal", "cart"],
];

/// Its hops may use equal times in any order, so the order of such rows does not matter to it.
const PLAIN_FUNNEL: &[&str] = &["funnel", "--steps", FIVE];
const FIVE: &str = "catalog > product_view > add_to_cart > shipping_details > purchase";

/// What the sample log answers to each of [`QUESTIONS`], read by one thread.
static EXPECTED: LazyLock<Vec<String>> = LazyLock::new(|| answers(&[&shop()], &["--threads", "1"]));

fn answers(inputs: &[&Path], flags: &[&str]) -> Vec<String> {
    QUESTIONS.iter().map(|question| asked(question, inputs, flags)).collect()
}

fn asked(question: &[&str], inputs: &[&Path], flags: &[&str]) -> String {
    ask_bytes(question[0], inputs, &[&question[1..], flags].concat())
}

/// Asserts that `inputs` give the `expected` answers, byte by byte.
fn assert_all(expected: &[String], inputs: &[&Path], flags: &[&str]) {
    for (question, (found, expected)) in QUESTIONS.iter().zip(answers(inputs, flags).iter().zip(expected)) {
        assert_bytes(question, found, expected);
    }
}

fn assert_bytes(question: &[&str], found: &str, expected: &str) {
    if found != expected {
        let difference =
            found.lines().zip(expected.lines()).enumerate().find(|(_, (found, expected))| found != expected);
        panic!("{question:?}: another answer; the first line that differs (found, expected): {difference:?}");
    }
}

/// A folder with `files` in it, and their paths.
fn written(files: &[(&str, String)]) -> (tempfile::TempDir, Vec<PathBuf>) {
    let folder = tempfile::tempdir().unwrap();
    let paths = files.iter().map(|(name, text)| {
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        path
    });
    let paths = paths.collect();
    (folder, paths)
}

/// The header and the rows of the sample log.
fn rows() -> (String, Vec<String>) {
    let text = shop_text();
    let mut lines = text.lines().map(str::to_owned);
    (lines.next().unwrap(), lines.collect())
}

fn joined<S: AsRef<str>>(header: &str, rows: &[S]) -> String {
    let rows = rows.iter().map(AsRef::as_ref);
    [header].into_iter().chain(rows).flat_map(|line| [line, "\n"]).collect()
}

/// The rows in an order that has nothing to do with theirs, the same in every run.
fn shuffled(mut rows: Vec<String>) -> Vec<String> {
    // Knuth's multiplier; the high bits are the good ones.
    let mut state = 1u64;
    for last in (1..rows.len()).rev() {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        rows.swap(last, (state >> 33) as usize % (last + 1));
    }
    rows
}

#[test]
fn threads_do_not_matter() {
    for threads in ["2", "7"] {
        assert_all(&EXPECTED, &[&shop()], &["--threads", threads]);
    }
}

#[test]
fn compression_and_memory_do_not_matter() {
    let (_folder, paths) = written(&[("shop.csv", shop_text())]);
    assert_all(&EXPECTED, &[&paths[0]], &["--threads", "2", "--memory", "100MiB"]);
}

/// A log of many short journeys, nearly each of which takes a path of its own.
fn many_paths() -> String {
    let mut text = "visitor,time,event,device\n".to_owned();
    for visitor in 0..30_000u32 {
        let (first, second) = (visitor * 7919 % 300, (visitor * 7919 + visitor / 300 * 31) % 300);
        let device = ["mobile", "desktop", ""][visitor as usize % 3];
        text += &format!("{visitor},1700000000,node {first},{device}\n{visitor},1700000001,node {second},{device}\n");
    }
    text
}

#[test]
fn counts_on_disk_do_not_matter() {
    let (folder, paths) = written(&[("log.csv", many_paths())]);
    let spill = tempfile::tempdir().unwrap();
    let (log, spill_dir) = (paths[0].to_str().unwrap(), spill.path().to_str().unwrap());
    for question in [&["--by", "device"][..], &["--by", "device", "--top", "all", "--matrix"]] {
        let run = |flags: &[&str]| {
            let run = Run::of(&mut clickpath(folder.path()), &[&["paths", log, "-v"], question, flags].concat());
            assert_eq!((run.exit, run.problems()), (Some(0), Vec::new()), "{}\n{}", run.shown, run.stderr);
            (run.stdout, run.stderr.contains(" on disk"))
        };
        let (expected, spilled) = run(&["--threads", "1", "--memory", "1GiB"]);
        assert!(!spilled && expected.contains("clickpath.paths/1"));
        for threads in ["1", "2"] {
            let (found, spilled) = run(&["--threads", threads, "--memory", "10MiB", "--spill-dir", spill_dir]);
            assert!(spilled, "10 MiB are enough for {question:?}: the log is too small for this test");
            assert_bytes(question, &found, &expected);
        }
    }
    assert_eq!(fs::read_dir(spill.path()).unwrap().count(), 0, "something is left in the folder");
}

#[test]
fn rows_of_attempts_are_the_same_in_the_same_order() {
    let (header, rows) = rows();
    let (folder, paths) = written(&[("shuffled.csv", joined(&header, &shuffled(rows)))]);
    let shop = shop();
    let file = |log: &Path, flags: &[&str]| {
        let question = [PLAIN_FUNNEL, &["--by", "platform", "--visitors-out", "who.csv"]].concat();
        let run = Run::of(
            &mut clickpath(folder.path()),
            &[&question[..1], &[log.to_str().unwrap()], &question[1..], flags].concat(),
        );
        assert_eq!((run.exit, run.problems()), (Some(0), Vec::new()), "{}\n{}", run.shown, run.stderr);
        fs::read_to_string(folder.path().join("who.csv")).unwrap()
    };
    let expected = file(&shop, &["--threads", "1"]);
    assert!(expected.lines().count() > 500, "{} rows", expected.lines().count());
    for flags in [&["--threads", "2"][..], &["--threads", "7"], &["--threads", "2", "--memory", "100MiB"]] {
        assert_bytes(flags, &file(&shop, flags), &expected);
    }
    assert_bytes(&["shuffled"], &file(&paths[0], &[]), &expected);
}

#[test]
fn cutting_into_files_does_not_matter() {
    let (header, rows) = rows();
    // Not at the borders of visitors, and one part is tiny.
    let parts = [&rows[..10_001], &rows[10_001..10_003], &rows[10_003..]];
    let [a, b, c] = parts.map(|part| joined(&header, part));
    let (_folder, paths) = written(&[("3.csv", a), ("1.csv", b), ("2.csv", c)]);
    let inputs: Vec<&Path> = paths.iter().map(PathBuf::as_path).collect();
    assert_all(&EXPECTED, &inputs, &[]);
}

#[test]
fn the_format_does_not_matter() {
    let (folder, _) = written(&[]);
    let path = folder.path().join("shop.parquet");
    parquet::write(&path, &shop_text(), 4096);
    assert_all(&EXPECTED, &[&path], &["--threads", "2"]);
}

/// The sample log as NDJSON: its columns as fields, those without a value left out.
fn ndjson() -> String {
    let (header, rows) = rows();
    let names: Vec<&str> = header.split(',').collect();
    let line = |row: &String| {
        let fields = names.iter().zip(row.split(',')).filter(|(_, value)| !value.is_empty());
        let fields = fields.map(|(name, value)| (name.to_string(), serde_json::Value::from(value)));
        serde_json::Value::Object(fields.collect()).to_string() + "\n"
    };
    rows.iter().map(line).collect()
}

#[test]
fn ndjson_is_the_same_log_plain_or_packed() {
    let (folder, paths) = written(&[("shop.ndjson", ndjson())]);
    let packed = folder.path().join("packed");
    fs::write(&packed, zstd::encode_all(ndjson().as_bytes(), 1).unwrap()).unwrap();
    assert_all(&EXPECTED, &[&paths[0]], &["--threads", "2"]);
    assert_all(&EXPECTED, &[&packed], &["--threads", "2"]);
}

#[test]
fn arrow_is_the_same_log_as_a_file_and_as_a_stream() {
    let (folder, _) = written(&[]);
    for kind in [ipc::Kind::File, ipc::Kind::Stream] {
        let path = folder.path().join("shop.arrow");
        ipc::write(&path, &shop_text(), 4096, kind);
        assert_all(&EXPECTED, &[&path], &["--threads", "2"]);
    }
}

#[test]
fn the_order_of_rows_matters_only_between_equal_times() {
    let (header, rows) = rows();
    let nudge = |(number, row): (usize, &String)| {
        let mut fields: Vec<String> = row.split(',').map(str::to_owned).collect();
        fields[3] = format!("{}.{number:06}", fields[3]);
        fields.join(",")
    };
    let nudged: Vec<String> = rows.iter().enumerate().map(nudge).collect();
    let ordered = joined(&header, &nudged);
    let (_folder, paths) = written(&[("ordered.csv", ordered), ("shuffled.csv", joined(&header, &shuffled(nudged)))]);
    let expected = answers(&[&paths[0]], &[]);
    assert_all(&expected, &[&paths[1]], &[]);
    assert_all(&expected, &[&paths[1]], &["--threads", "7"]);
}

#[test]
fn a_plain_funnel_does_not_see_the_order_of_rows_at_all() {
    let (header, rows) = rows();
    let (_folder, paths) = written(&[("shuffled.csv", joined(&header, &shuffled(rows)))]);
    assert_bytes(PLAIN_FUNNEL, &asked(PLAIN_FUNNEL, &[&paths[0]], &[]), &asked(PLAIN_FUNNEL, &[&shop()], &[]));
}

#[test]
fn a_shuffle_moves_rows_and_loses_none() {
    let rows: Vec<String> = (0..1000).map(|number| number.to_string()).collect();
    let mut moved = shuffled(rows.clone());
    let in_place = moved.iter().zip(&rows).filter(|(a, b)| a == b).count();
    assert!(in_place < 20, "{in_place} rows stand where they stood");
    let mut sorted = rows;
    moved.sort();
    sorted.sort();
    assert_eq!(moved, sorted);
}

/// A log of several blocks of 4 MiB: the sample log six times, each time with other visitors, now and then with a quoted line end, and
/// with a record that cannot be used.
fn large() -> String {
    let (header, rows) = rows();
    let mut text = header + "\n";
    for copy in 0..6 {
        for (number, row) in rows.iter().enumerate() {
            let row = row.replacen("user_", &format!("user_{copy}_"), 1);
            match (number + copy) % 997 {
                0 => text += &format!("{row}\nbroken \"{number}\"\n"),
                1 => text += &row.replacen(",desktop,", ",\"desk\ntop\",", 1),
                _ => text += &row,
            }
            text.push('\n');
        }
    }
    text
}

#[test]
fn blocks_read_by_many_threads_do_not_matter() {
    let text = large();
    assert!(text.len() > 14 << 20, "the log has {} bytes: too few for several blocks", text.len());
    let third = text.len() / 3;
    // Files are cut at line ends that are no part of a field: before a row of the sample's own.
    let cut = |from: usize| from + text[from..].find("\nuser_").unwrap() + 1;
    let (first, second) = (cut(third), cut(2 * third));
    let header = text[..=text.find('\n').unwrap()].to_owned();
    let (_folder, paths) = written(&[
        ("large.csv", text.clone()),
        ("a.csv", text[..first].to_owned()),
        ("b.csv", header.clone() + &text[first..second]),
        ("c.csv", header + &text[second..]),
    ]);
    let questions: [&[&str]; 2] = [&["report"], &["funnel", "--steps", FIVE, "--by", "platform"]];
    for question in questions {
        let expected = asked(question, &[&paths[0]], &["--threads", "1"]);
        for threads in ["2", "7"] {
            assert_bytes(question, &asked(question, &[&paths[0]], &["--threads", threads]), &expected);
        }
        // The note about rejected records names a file and a line, which are others here.
        let parts: Vec<&Path> = paths[1..].iter().map(PathBuf::as_path).collect();
        let unnamed =
            |answer: &str| -> String { answer.lines().filter(|line| !line.contains("rejected records: ")).collect() };
        let found = asked(question, &parts, &["--threads", "7"]);
        assert_bytes(question, &unnamed(&found), &unnamed(&expected));
    }
}
