//! The reference of the command line, completions, manual pages and the document about jobs come from what the program is, and work.

use std::fs;
use std::io::Write;
use std::process::Command;

use crate::support::{Run, answer_in, clickpath, root};

#[test]
fn the_reference_is_what_the_program_says() {
    let path = root().join("docs/cli.md");
    let reference = clickpath::cli::reference();
    if std::env::var("UPDATE").is_ok_and(|value| value == "1") {
        fs::write(&path, &reference).unwrap();
    }
    let written = fs::read_to_string(&path).unwrap_or_default();
    let drift = reference.lines().zip(written.lines()).find(|(is, was)| is != was);
    assert!(
        reference == written,
        "docs/cli.md is not what the program says: {drift:?}\n`UPDATE=1 cargo test --test it reference` writes it anew"
    );
}

/// No flag can be forgotten: all that help tells stands in the reference.
#[test]
fn every_flag_of_every_help_text_stands_in_the_reference() {
    let reference = clickpath::cli::reference();
    let mut flags = 0;
    for (name, section) in reference.split("\n## clickpath ").skip(1).map(|part| part.split_once('\n').unwrap()) {
        let help = answer_in(root(), &[name, "--help"]);
        // What begins with a blank behind the sign is one of the values of a flag.
        let is_flag = |line: &&str| line.starts_with('-') && !line.starts_with("- ") && line.contains("--");
        for line in help.lines().map(str::trim_start).filter(is_flag) {
            let flag = line.split_whitespace().find(|word| word.starts_with("--")).unwrap();
            // Behind a bracket stands a value that may be left out.
            let flag = flag.split('[').next().unwrap();
            let shown = ["`", " ", "["].iter().any(|behind| reference.contains(&format!("{flag}{behind}")));
            assert!(shown || ["--help", "--version"].contains(&flag), "{name}: {flag}");
            flags += 1;
        }
        assert!(section.contains("```console\n$ clickpath "), "{name} has no example");
    }
    assert!(flags > 100, "only {flags} flags were found");
}

#[test]
fn completions_are_scripts_of_their_shells() {
    let folder = tempfile::tempdir().unwrap();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let run = Run::of(&mut clickpath(root()), &["completions", shell]);
        assert_eq!((run.exit, run.stderr.as_str()), (Some(0), ""), "{shell}");
        for word in ["funnel", "abandonment", "fail-under", "timeout"] {
            assert!(run.stdout.contains(word), "{shell} does not know {word}");
        }
        let path = folder.path().join(shell);
        fs::write(&path, &run.stdout).unwrap();
        // The shell itself is the judge, where it is installed.
        match Command::new(shell).arg("-n").arg(&path).output() {
            Ok(output) if shell != "elvish" && shell != "powershell" => {
                assert!(output.status.success(), "{shell}: {}", String::from_utf8_lossy(&output.stderr));
            }
            _ => println!("not judged by {shell}: it is not here"),
        }
    }
    let run = Run::of(&mut clickpath(root()), &["completions", "tcsh"]);
    assert_eq!((run.exit, run.problems()), (Some(2), Vec::new()));
    assert!(run.stderr.contains("powershell"), "{}", run.stderr);
}

/// Bash completes with the script as a user has it.
#[test]
fn bash_completes_commands_and_flags() {
    let script = answer_in(root(), &["completions", "bash"]);
    for (command, begun, expected) in
        [("funnel", "--fail", "--fail-under"), ("flow", "--fail", ""), ("run", "--output-d", "--output-dir")]
    {
        let ask = format!(
            "COMP_WORDS=(clickpath {command} {begun}); COMP_CWORD=2; _clickpath clickpath {begun} {command}; echo \"${{COMPREPLY[@]}}\""
        );
        // From a file: it is longer than an argument may be.
        let mut file = tempfile::NamedTempFile::new().unwrap();
        writeln!(file, "{script}\n{ask}").unwrap();
        let output = Command::new("bash").arg(file.path()).output().unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), expected, "{command} {begun}");
    }
}

#[test]
fn the_manual_has_a_page_for_each_command() {
    let folder = tempfile::tempdir().unwrap();
    let printed = answer_in(folder.path(), &["man"]);
    assert_eq!(answer_in(folder.path(), &["man", "deep/man1"]), "");
    let page = |name: &str| fs::read_to_string(folder.path().join("deep/man1").join(name)).unwrap();
    assert_eq!(page("clickpath.1"), printed);
    let reference = clickpath::cli::reference();
    let commands: Vec<&str> =
        reference.split("\n## clickpath ").skip(1).map(|part| part.lines().next().unwrap()).collect();
    assert_eq!(fs::read_dir(folder.path().join("deep/man1")).unwrap().count(), commands.len() + 1);
    for command in commands {
        let page = page(&format!("clickpath-{command}.1"));
        assert!(page.starts_with(".ie") || page.contains(".TH"), "{command}");
        assert!(page.contains(".SH EXAMPLES") && page.contains(&format!("clickpath {command} ")), "{command}:\n{page}");
        assert!(printed.contains(&format!("clickpath\\-{command}(1)")), "{command} is not on the first page");
    }
    assert!(printed.contains(".SH \"EXIT CODES\""), "{printed}");
}

#[test]
fn the_jobs_of_the_documents_can_be_run() {
    let mut jobs = 0;
    for document in ["README.md", "docs/jobs.md"] {
        let text = fs::read_to_string(root().join(document)).unwrap();
        for block in text.split("```toml\n").skip(1).map(|rest| rest.split("```").next().unwrap()) {
            let folder = tempfile::tempdir().unwrap();
            fs::create_dir(folder.path().join("sample-data")).unwrap();
            fs::copy(root().join("sample-data/shop.csv.gz"), folder.path().join("sample-data/shop.csv.gz")).unwrap();
            fs::write(folder.path().join("job.toml"), block).unwrap();
            let args = ["check", "job.toml", "--set", "log=sample-data/shop.csv.gz", "--set", "day=monday"];
            let checked: serde_json::Value = serde_json::from_str(&answer_in(folder.path(), &args)).unwrap();
            assert!(!checked["report"]["files"].as_array().unwrap().is_empty(), "{document}: {block}");
            jobs += 1;
        }
    }
    assert!(jobs >= 2, "only {jobs} jobs were found");
}
