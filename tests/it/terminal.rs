//! Colour, the progress bar and quiet, where the program talks to a terminal: `script` plays one.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use crate::support::{clickpath, neutral, root, shop};

const ESCAPE: &str = "\u{1b}[";

/// Runs `command` in a shell on a terminal; `$clickpath` is the program, `$log` the sample log. What it prints on both streams, or
/// nothing where no terminal can be played.
fn on_a_terminal(folder: &Path, command: &str, env: &[(&str, &str)]) -> Option<String> {
    let mut script = neutral(Command::new("script"), folder);
    script.args(["--quiet", "--return", "--command", command, "/dev/null"]);
    script.env("clickpath", env!("CARGO_BIN_EXE_clickpath")).env("log", shop()).env("TERM", "xterm");
    match script.envs(env.iter().copied()).output() {
        Ok(Output { status, stdout, .. }) if status.success() => Some(String::from_utf8(stdout).unwrap()),
        Ok(output) => {
            panic!("{command}: {}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
        }
        Err(error) => {
            println!("skipped: script: {error}");
            None
        }
    }
}

#[test]
fn colour_is_for_terminals_and_for_those_who_ask() {
    // A bar moves the cursor, which is no colour.
    let summary = "\"$clickpath\" summary \"$log\" --no-progress";
    for (flags, env, coloured) in [
        ("", &[][..], true),
        ("", &[("NO_COLOR", "1")][..], false),
        ("", &[("NO_COLOR", "")][..], true),
        ("--color never", &[][..], false),
        ("--color never", &[("FORCE_COLOR", "1")][..], false),
        ("--color always", &[("NO_COLOR", "1")][..], true),
    ] {
        let Some(shown) = on_a_terminal(root(), &format!("{summary} {flags}"), env) else { return };
        assert!(shown.contains("Key figures"), "a terminal gets a table: {shown}");
        assert_eq!(shown.contains(ESCAPE), coloured, "{flags} {env:?}");
    }
}

#[test]
fn colour_without_a_terminal_must_be_asked_for() {
    for (flags, env, coloured) in [
        (&[][..], &[][..], false),
        (&["--color", "auto"][..], &[][..], false),
        (&["--color", "always"][..], &[][..], true),
        (&[][..], &[("FORCE_COLOR", "1")][..], true),
        (&[][..], &[("CLICOLOR_FORCE", "1")][..], true),
        (&[][..], &[("FORCE_COLOR", "1"), ("NO_COLOR", "1")][..], false),
    ] {
        let mut command = clickpath(root());
        command.arg("summary").arg(shop()).args(["--format", "table"]).args(flags).envs(env.iter().copied());
        let Output { status, stdout, stderr } = command.output().unwrap();
        assert!(status.success());
        assert_eq!(String::from_utf8(stdout).unwrap().contains(ESCAPE), coloured, "{flags:?} {env:?}");
        assert!(!String::from_utf8(stderr).unwrap().contains(ESCAPE), "what is said is never coloured");
    }
    // Data are never coloured.
    for format in ["json", "csv"] {
        let mut command = clickpath(root());
        command.arg("summary").arg(shop()).args(["--format", format, "--color", "always"]);
        assert!(!String::from_utf8(command.output().unwrap().stdout).unwrap().contains(ESCAPE), "{format}");
    }
}

/// Whatever form is asked for, nothing of a log reaches the terminal as it is.
#[test]
fn a_terminal_is_not_at_the_mercy_of_a_log() {
    let folder = tempfile::tempdir().unwrap();
    let log = "visitor,time,event,de\u{1b}[1mvice\nv,1700000000,a\u{1b}[2J\u{202e},x\u{9b}31m\nv,1700000009,b,\u{7}\nv,\u{1b}]0;t\u{9c},b,\n";
    // Enough of plain text that nobody takes it for something else.
    let log = log.to_owned() + &"v,1700000010,plain,plain\n".repeat(20);
    fs::write(folder.path().join("a\u{1b}[31m.csv"), log).unwrap();
    for question in [
        "inspect",
        "graph",
        "funnel --steps \"'a\u{1b}[2Jx'\"",
        "summary --by \"de\u{1b}[1mvice\"",
        "check fine.toml --table columns",
    ] {
        fs::write(folder.path().join("fine.toml"), "[[summary]]\nby = \"de\\u001b[1mvice\"\n").unwrap();
        for format in ["table", "json", "csv"] {
            let command = format!(
                "\"$clickpath\" {question} a*.csv --format {format} --color never --no-progress --max-rejects 50%"
            );
            let command =
                if question.starts_with("check") { command.replace("--max-rejects 50%", "") } else { command };
            let Some(shown) = on_a_terminal(folder.path(), &command, &[]) else { return };
            let hostile = shown.chars().find(|c| (c.is_control() && !"\r\n".contains(*c)) || *c == '\u{202e}');
            assert_eq!(hostile, None, "{command}\n{shown}");
            assert!(shown.contains("u{1b}") || shown.contains("u001b"), "{command}\n{shown}");
        }
    }
}

/// A log that comes slowly, so that the bar has its second.
fn slow_summary(flags: &str, done: impl Fn(&str) -> bool) -> Option<String> {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log.csv");
    assert!(Command::new("mkfifo").arg(&log).status().unwrap().success());
    let shown = folder.path().join("shown");
    let mut script = neutral(Command::new("script"), folder.path());
    let command = format!("\"$clickpath\" summary log.csv {flags}");
    script.args(["--quiet", "--flush", "--return", "--command", &command]).arg(&shown);
    script.env("clickpath", env!("CARGO_BIN_EXE_clickpath")).env("TERM", "xterm").stdout(Stdio::null());
    let mut child = match script.spawn() {
        Ok(child) => child,
        Err(error) => {
            println!("skipped: script: {error}");
            return None;
        }
    };
    let mut pipe = fs::OpenOptions::new().read(true).write(true).open(&log).unwrap();
    // More than a pipe holds: when it is written, the program reads.
    pipe.write_all(("visitor,time,event\n".to_owned() + &"v,1700000000,a\n".repeat(20_000)).as_bytes()).unwrap();
    let start = Instant::now();
    let so_far = || String::from_utf8_lossy(&fs::read(&shown).unwrap_or_default()).into_owned();
    while !done(&so_far()) && start.elapsed() < Duration::from_secs(60) {
        std::thread::sleep(Duration::from_millis(20));
    }
    drop(pipe);
    assert!(child.wait().unwrap().success(), "{}", so_far());
    Some(so_far())
}

#[test]
fn a_bar_shows_how_far_a_long_run_is_unless_it_is_not_wanted() {
    let Some(shown) = slow_summary("", |shown| shown.contains("events/s")) else { return };
    assert!(shown.contains("events/s"), "no bar in a minute: {shown}");
    for flags in ["--no-progress", "--quiet"] {
        // Twice as long as it takes to appear where it is wanted.
        let start = Instant::now();
        let Some(shown) = slow_summary(flags, |_| start.elapsed() > Duration::from_secs(3)) else { return };
        assert!(!shown.contains("events/s"), "{flags}: {shown}");
        assert_eq!(shown.contains("reading log.csv"), flags != "--quiet", "{flags}: {shown}");
        assert!(shown.contains("Key figures"), "{flags}: {shown}");
    }
}
