//! The program between pipes, as a shell puts it there.

use std::path::Path;
use std::process::Command;

use crate::support::{Run, neutral, root, shop, shop_text};

/// Runs `script` in a shell where `$clickpath` is the program and `$log` the sample log.
fn script(script: &str) -> Run {
    let mut shell = neutral(Command::new("bash"), root());
    shell.env("clickpath", env!("CARGO_BIN_EXE_clickpath")).env("log", shop());
    Run::of(&mut shell, &["-c", script])
}

#[test]
fn a_pipe_is_read_as_a_file_is() {
    if !Path::new("/dev/stdin").exists() {
        println!("skipped: there is no /dev/stdin");
        return;
    }
    let expected = script("\"$clickpath\" summary \"$log\" --quiet").stdout;
    assert!(expected.contains("\"visitors\": 600"), "{expected}");
    for command in [
        "cat \"$log\" | \"$clickpath\" summary /dev/stdin --quiet",
        "gzip -dc \"$log\" | \"$clickpath\" summary /dev/stdin --quiet",
        "\"$clickpath\" summary <(gzip -dc \"$log\") --quiet",
        "cat \"$log\" | \"$clickpath\" summary - --quiet",
        "\"$clickpath\" summary - --quiet < \"$log\"",
    ] {
        let run = script(command);
        assert_eq!((run.exit, run.problems()), (Some(0), Vec::new()), "{command}\n{}", run.stderr);
        assert_eq!(run.stdout, expected, "{command}");
    }
}

/// What was read of standard input by somebody else is no part of the log.
#[test]
fn standard_input_is_read_from_where_it_stands() {
    let log = "printf 'no log\\nvisitor,time\\nv,1700000000\\n' > \"$folder/log\"";
    let run = script(&format!(
        "folder=$(mktemp -d); {log}; {{ read -r line; \"$clickpath\" summary - --quiet; }} < \"$folder/log\"; rm -r \"$folder\""
    ));
    assert_eq!((run.exit, run.problems()), (Some(0), Vec::new()), "{}", run.stderr);
    assert!(run.stdout.contains("\"visitors\": 1"), "{}", run.stdout);
}

#[test]
fn parquet_and_arrow_come_through_pipes_too_and_leave_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let [parquet, arrow] = ["shop.parquet", "shop.arrow"].map(|name| folder.path().join(name));
    crate::support::parquet::write(&parquet, &shop_text(), 4096);
    crate::support::ipc::write(&arrow, &shop_text(), 4096, crate::support::ipc::Kind::Stream);
    let expected = script("\"$clickpath\" summary \"$log\" --quiet").stdout;
    let temporary = folder.path().join("temporary");
    std::fs::create_dir(&temporary).unwrap();
    for path in [parquet, arrow] {
        let (path, temporary) = (path.display(), temporary.display());
        let run = script(&format!("cat '{path}' | TMPDIR='{temporary}' \"$clickpath\" summary - --quiet"));
        assert_eq!((run.exit, run.problems()), (Some(0), Vec::new()), "{path}\n{}", run.stderr);
        assert_eq!(run.stdout, expected, "{path}");
    }
    assert_eq!(std::fs::read_dir(&temporary).unwrap().count(), 0);
    let run = script(
        "cat \"$clickpath\" | head -c 100 | cat <(printf PAR1) - | TMPDIR=/nowhere/at/all \"$clickpath\" summary -",
    );
    assert_eq!((run.exit, run.problems()), (Some(2), Vec::new()));
    assert!(run.stderr.contains("temporary file") && run.stderr.contains("hint: "), "{}", run.stderr);
}

#[test]
fn a_reader_that_goes_away_had_what_it_wanted() {
    let run = script("set -o pipefail; \"$clickpath\" flow \"$log\" --depth 50 --top all --quiet | head -n 1");
    assert_eq!((run.exit, run.stdout.as_str(), run.stderr.as_str()), (Some(0), "{\n", ""));
}

#[test]
fn a_full_disk_is_an_error() {
    if !Path::new("/dev/full").exists() {
        println!("skipped: there is no /dev/full");
        return;
    }
    let run = script("\"$clickpath\" flow \"$log\" --quiet > /dev/full");
    assert_eq!((run.exit, run.problems()), (Some(2), Vec::new()));
    assert!(run.stderr.starts_with("error: standard output: "), "{}", run.stderr);
}
