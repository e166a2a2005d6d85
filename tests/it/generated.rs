//! Logs that the program makes itself: the same log in every format, and logs that do not fit into the memory.

use std::fs;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use crate::support::{Run, ask_bytes, clickpath, neutral};

/// A folder with a generated log in it.
fn generated(events: &str, output: &str, flags: &[&str]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    generate(folder.path(), events, output, flags);
    folder
}

fn generate(folder: &Path, events: &str, output: &str, flags: &[&str]) {
    let run = Run::of(&mut clickpath(folder), &[&["generate", "--events", events, "-o", output], flags].concat());
    assert_eq!((run.exit, run.problems()), (Some(0), Vec::new()), "{}", run.stderr);
}

/// What a log answers to questions that look at every column.
fn answers(folder: &Path, files: &[&str]) -> Vec<String> {
    let questions: [&[&str]; 3] = [
        &["summary", "--by", "device", "--by", "source"],
        &["graph", "--repeats", "keep"],
        &["funnel", "--steps", "view_item > add_to_cart > begin_checkout > purchase"],
    ];
    let paths: Vec<_> = files.iter().map(|file| folder.join(file)).collect();
    let paths: Vec<&Path> = paths.iter().map(std::path::PathBuf::as_path).collect();
    questions.iter().map(|question| ask_bytes(question[0], &paths, &question[1..])).collect()
}

#[test]
fn formats_files_and_order_do_not_matter() {
    let folder = generated("30K", "log.parquet", &["--bots", "0.1%", "--pages", "500"]);
    let expected = answers(folder.path(), &["log.parquet"]);
    assert!(expected[0].contains("\"events\": 30000"), "{}", expected[0]);
    for (output, flags, files) in [
        ("log.csv", &[][..], &["log.csv"][..]),
        ("log.ndjson", &[], &["log.ndjson"]),
        ("parts.parquet", &["--files", "3"], &["parts-01.parquet", "parts-02.parquet", "parts-03.parquet"]),
        ("shuffled.csv", &["--shuffle"], &["shuffled.csv"]),
    ] {
        let flags = [&["--bots", "0.1%", "--pages", "500"], flags].concat();
        generate(folder.path(), "30K", output, &flags);
        assert!(answers(folder.path(), files) == expected, "{output} is another log");
    }
    let other = generated("30K", "log.parquet", &["--bots", "0.1%", "--pages", "500", "--seed", "2"]);
    assert!(answers(other.path(), &["log.parquet"]) != expected, "another seed makes the same log");
}

/// Parquet files whose times lie outside are not read, and that changes nothing: not even how many events were filtered.
#[test]
fn times_that_are_not_asked_for_are_filtered_alike_in_every_format() {
    let folder = generated("9K", "log.csv", &[]);
    generate(folder.path(), "9K", "log.parquet", &["--files", "9"]);
    let path = |file: &str| folder.path().join(file);
    let parts: Vec<_> = (1..=9).map(|part| path(&format!("log-{part:02}.parquet"))).collect();
    let parts: Vec<&Path> = parts.iter().map(std::path::PathBuf::as_path).collect();
    let ask = |files: &[&Path], flags: &[&str]| ask_bytes("summary", files, flags);
    let whole = ask(&[&path("log.csv")], &[]);
    for (from, to) in [("2026-10-01", "2026-10-02"), ("2026-09-20", "2026-11-01"), ("2020-01-01", "2026-09-15")] {
        let flags = ["--from", from, "--to", to];
        let expected = ask(&[&path("log.csv")], &flags);
        assert!(expected != whole && expected.contains("\"events_read\": 9000"), "{from}: {expected}");
        assert_eq!(ask(&parts, &flags), expected, "{from}");
    }
}

#[test]
fn the_same_options_give_the_same_bytes() {
    let read = |output: &str| fs::read(generated("5K", output, &["--ties", "10%"]).path().join(output)).unwrap();
    for output in ["log.parquet", "log.csv", "log.jsonl"] {
        assert!(read(output) == read(output), "{output}");
    }
}

const JOB: &str = "\
input.files = ['log.parquet']
[[summary]]
by = ['device']
[[summary]]
name = 'cut'
split_at_midnight = true
split_on_campaign = true
split_on = ['add_to_cart']
[[flow]]
end = 'purchase'
highlight = 'add_to_cart'
[[gaps]]
of = 'device'
[[graph]]
by = ['source']
[[paths]]
top = 50
pattern = 'view_item > !purchase* > end'
[[funnel]]
steps = 'view_item > add_to_cart > begin_checkout > purchase'
[[abandonment]]
";

/// Every answer of [`JOB`], and what the run said.
fn job(folder: &Path, flags: &[&str]) -> (Vec<(String, Vec<u8>)>, String) {
    let output = tempfile::tempdir().unwrap();
    let dir = output.path().to_str().unwrap();
    let run = Run::of(&mut clickpath(folder), &[&["run", "job.toml", "-v", "--output-dir", dir], flags].concat());
    assert_eq!((run.exit, run.problems()), (Some(0), Vec::new()), "{flags:?}: {}", run.stderr);
    let mut files: Vec<_> = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let files = files.iter().map(|path| (path.file_name().unwrap().to_string_lossy().into_owned(), path));
    // What a run took is another matter each time.
    let answers = files.filter(|(name, _)| name != "run.json").map(|(name, path)| (name, fs::read(path).unwrap()));
    (answers.collect(), run.stderr)
}

#[test]
fn events_on_disk_do_not_matter() {
    let folder = generated("400K", "log.parquet", &["--out-of-order", "5%", "--ties", "5%"]);
    fs::write(folder.path().join("job.toml"), JOB).unwrap();
    let spill = tempfile::tempdir().unwrap();
    let (expected, said) = job(folder.path(), &["--memory", "1GiB", "--threads", "2"]);
    assert!(expected.len() >= 5 && !said.contains(" on disk"), "{said}");
    for threads in ["1", "2", "5"] {
        let flags = ["--memory", "32MiB", "--threads", threads, "--spill-dir", spill.path().to_str().unwrap()];
        let (found, said) = job(folder.path(), &flags);
        assert!(said.contains(" on disk"), "32 MiB hold the whole log: it is too small for this test: {said}");
        assert!(found == expected, "other answers with {threads} threads");
    }
    assert_eq!(fs::read_dir(spill.path()).unwrap().count(), 0, "something is left in the folder");
}

#[test]
fn a_visitor_with_most_events_is_worked_on_alone() {
    let folder = generated("300K", "log.parquet", &["--skew", "80%"]);
    fs::write(folder.path().join("job.toml"), JOB).unwrap();
    let (expected, _) = job(folder.path(), &["--memory", "1GiB", "--threads", "1"]);
    let (found, said) = job(folder.path(), &["--memory", "64MiB", "--threads", "3"]);
    assert!(said.contains(" on disk"), "{said}");
    assert!(found == expected);
}

#[test]
fn a_full_disk_is_an_error_that_says_so() {
    let folder = generated("400K", "log.parquet", &[]);
    fs::write(folder.path().join("job.toml"), JOB).unwrap();
    let spill = tempfile::tempdir().unwrap();
    // Files may have half a MiB, and nobody is killed for wanting more.
    let script = "trap '' XFSZ; ulimit -f 512; exec \"$@\"";
    let mut shell = neutral(Command::new("bash"), folder.path());
    shell.args(["-c", script, "bash", env!("CARGO_BIN_EXE_clickpath")]);
    let spill_dir = spill.path().to_str().unwrap();
    let flags = ["run", "job.toml", "--output-dir", "out", "--memory", "32MiB", "--spill-dir", spill_dir];
    let run = Run::of(&mut shell, &flags);
    assert_eq!(run.exit, Some(2), "{}", run.stderr);
    assert!(run.stderr.contains(&format!("error: {spill_dir}")), "{}", run.stderr);
    assert!(run.stderr.contains("hint: ") && run.stderr.contains("--spill-dir"), "{}", run.stderr);
    assert_eq!(run.problems(), Vec::<String>::new());
    assert_eq!(fs::read_dir(spill.path()).unwrap().count(), 0, "something is left in the folder");
    assert!(!folder.path().join("out/summary.json").exists());
}
