//! The program between pipes, as a shell puts it there.

use std::path::Path;
use std::process::Command;

use crate::support::{Run, neutral, root, shop};

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
    ] {
        let run = script(command);
        assert_eq!((run.exit, run.problems()), (Some(0), Vec::new()), "{command}\n{}", run.stderr);
        assert_eq!(run.stdout, expected, "{command}");
    }
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
