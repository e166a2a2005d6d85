//! What the documents and the help texts show is what happens.
//!
//! In a block ```` ```console ````, a line `$ clickpath …` is run where a copy of `sample-data` lies, and the lines below it are what
//! it prints: all of it, but for `…` on a line of its own, which stands for any lines. A command with nothing below it only has to
//! succeed; one that fails shows what it writes to standard error. `cat`, `head` and `ls` are run too, so that files can be shown. Other
//! commands are not run.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use regex::Regex;

use crate::support::{Run, answer_in, clickpath, neutral, root};

/// A command of a document and the lines below it.
#[derive(Debug, PartialEq, Eq)]
struct Shown {
    /// Its line in the document, counted from 1.
    line: usize,
    command: String,
    output: Vec<String>,
}

/// The commands of the console blocks of a document.
fn shown(document: &str) -> Vec<Shown> {
    let mut commands: Vec<Shown> = Vec::new();
    let (mut inside, mut continued) = (false, false);
    for (number, line) in document.lines().enumerate() {
        let fence = line.trim_start().starts_with("```");
        if fence {
            inside = !inside && line.trim() == "```console";
            continued = false;
            // What stands in another block, or between blocks, belongs to no command.
            continue;
        }
        let (true, line) = (inside, line.trim_end()) else { continue };
        match (line.strip_prefix("$ "), commands.last_mut()) {
            (None, Some(last)) if continued => {
                last.command = format!("{} {}", last.command.trim_end_matches('\\').trim(), line.trim());
            }
            (Some(command), _) => {
                commands.push(Shown { line: number + 1, command: command.to_owned(), output: Vec::new() });
            }
            (None, Some(last)) => last.output.push(line.to_owned()),
            (None, None) => panic!("line {} of a console block comes before any command: {line}", number + 1),
        }
        continued = line.ends_with('\\');
    }
    commands
}

/// Whether `found` are the lines of `pattern`, in which a line `…` stands for any lines.
fn fits(pattern: &[String], found: &[&str]) -> bool {
    match (pattern.split_first(), found.split_first()) {
        (None, None) => true,
        (Some((line, rest)), _) if line.trim() == "…" => (0..=found.len()).any(|skip| fits(rest, &found[skip..])),
        (Some((line, pattern)), Some((first, found))) => line == first.trim_end() && fits(pattern, found),
        _ => false,
    }
}

/// The lines of `text` without empty ones at the end.
fn lines(text: &str) -> Vec<&str> {
    text.trim_end().lines().collect()
}

impl Shown {
    /// What is wrong with it, run in `folder`.
    fn problem(&self, folder: &Path) -> Option<String> {
        let command = match self.command.split(' ').next() {
            Some("clickpath") => as_in_a_terminal(&self.command),
            Some("cat" | "head" | "ls") => self.command.clone(),
            _ => return None,
        };
        let run = Run::of(&mut shell(folder), &["-c", &command]);
        let text = if run.exit == Some(0) { &run.stdout } else { &run.stderr };
        let mut output = self.output.clone();
        output.truncate(output.iter().rposition(|line| !line.is_empty()).map_or(0, |last| last + 1));
        let as_shown = match output.is_empty() {
            true => run.exit == Some(0),
            false => fits(&output, &lines(text)),
        };
        let problems = run.problems();
        let fine = as_shown && problems.is_empty();
        (!fine).then(|| format!("line {}: $ {command}\n{problems:?}\n{}{}", self.line, run.stdout, run.stderr))
    }
}

/// People see tables, where a pipe would get JSON.
fn as_in_a_terminal(command: &str) -> String {
    static QUOTED: LazyLock<Regex> = LazyLock::new(|| Regex::new(r#"'[^']*'|"[^"]*""#).unwrap());
    let bare = QUOTED.replace_all(command, "");
    let words: Vec<&str> = bare.split_whitespace().collect();
    let settled = ["--format", "-o", "--output", "--output-dir", "--help", "-h", "--version", "-V", "help"];
    // These print no answer.
    if words.get(1).is_some_and(|command| ["completions", "man"].contains(command)) {
        return command.to_owned();
    }
    let is_settled = |word: &&str| settled.iter().any(|flag| word == flag || word.starts_with(&format!("{flag}=")));
    if words.len() < 2 || words.iter().any(is_settled) || bare.contains(['|', '>', ';', '&']) {
        return command.to_owned();
    }
    format!("{command} --format table")
}

/// A shell in `folder` that knows our program.
fn shell(folder: &Path) -> Command {
    let binary = Path::new(env!("CARGO_BIN_EXE_clickpath"));
    let others = std::env::var_os("PATH").unwrap_or_default();
    let folders = [binary.parent().unwrap().to_owned()].into_iter().chain(std::env::split_paths(&others));
    let mut shell = neutral(Command::new("sh"), folder);
    shell.env("PATH", std::env::join_paths(folders).unwrap());
    shell
}

/// A folder with copies of `sample-data` and `docs/examples` in it, and what documents call by short names: a log `events.csv`, and the
/// jobs `job.toml` and `variables.toml`.
fn workplace() -> tempfile::TempDir {
    let workplace = tempfile::tempdir().unwrap();
    for folder in ["sample-data", "docs/examples"] {
        let copy = workplace.path().join(folder);
        fs::create_dir_all(&copy).unwrap();
        for entry in fs::read_dir(root().join(folder)).unwrap() {
            let path = entry.unwrap().path();
            if path.is_file() {
                fs::copy(&path, copy.join(path.file_name().unwrap())).unwrap();
            }
        }
    }
    let at = |name: &str| workplace.path().join(name);
    for (name, sample) in [("events.csv", "shop.csv.gz"), ("shop.csv.gz", "shop.csv.gz"), ("job.toml", "job.toml")] {
        fs::copy(at("sample-data").join(sample), at(name)).unwrap();
    }
    let job = "input.files = ['${log}']\n[[funnel]]\nname = '${day}'\nsteps = 'catalog > purchase'\n";
    fs::write(at("variables.toml"), job).unwrap();
    workplace
}

/// README.md and the documents of `docs`.
fn documents() -> Vec<PathBuf> {
    let docs = fs::read_dir(root().join("docs")).into_iter().flatten().map(|entry| entry.unwrap().path());
    let mut documents: Vec<PathBuf> =
        docs.filter(|path| path.extension().is_some_and(|suffix| suffix == "md")).collect();
    documents.push(root().join("README.md"));
    documents.sort();
    documents
}

#[test]
fn documents_show_what_happens() {
    if cfg!(not(feature = "polars")) {
        println!("skipped: the documents use SQL, which this build has not");
        return;
    }
    let mut problems = String::new();
    for path in documents() {
        let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let folder = workplace();
        let commands = shown(&text);
        println!("{}: {} commands", path.display(), commands.len());
        for problem in commands.iter().filter_map(|command| command.problem(folder.path())) {
            problems += &format!("\n=== {}, {problem}", path.display());
        }
    }
    assert!(problems.is_empty(), "{problems}");
}

/// The commands that `clickpath --help` lists.
fn subcommands() -> Vec<String> {
    let help = answer_in(root(), &["--help"]);
    let listed = help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    // A name stands behind two blanks; what is further in goes on with the line before.
    let names = listed.filter_map(|line| line.strip_prefix("  ").filter(|rest| !rest.starts_with(' ')));
    names.map(|line| line.split(' ').next().unwrap().to_owned()).filter(|name| name != "help").collect()
}

/// The examples at the end of a help text.
fn examples(help: &str) -> Vec<&str> {
    let behind = help.lines().skip_while(|line| *line != "Examples:").skip(1);
    behind.map(str::trim).filter(|line| !line.is_empty()).collect()
}

#[test]
fn the_examples_of_every_help_text_work() {
    let subcommands = subcommands();
    assert!(
        ["inspect", "report", "run", "check", "completions", "man", "funnel"]
            .iter()
            .all(|name| subcommands.iter().any(|found| found == name))
    );
    for name in subcommands {
        let folder = workplace();
        for flag in ["--help", "-h"] {
            let help = answer_in(folder.path(), &[name.as_str(), flag]);
            let examples = examples(&help);
            assert!(!examples.is_empty(), "`clickpath {name} {flag}` has no examples");
            for example in examples {
                // An example that the help text breaks over two lines cannot be copied.
                assert!(example.starts_with(&format!("clickpath {name} ")), "{name}: {example}");
                let run = Run::of(&mut shell(folder.path()), &["-c", example]);
                assert_eq!((run.exit, run.problems()), (Some(0), Vec::new()), "{example}\n{}", run.stderr);
            }
        }
    }
}

#[test]
fn the_examples_of_the_program_work() {
    let folder = workplace();
    let help = answer_in(folder.path(), &["--help"]);
    let examples = examples(&help);
    assert!(examples.len() > 2, "{help}");
    for example in examples {
        // What it does stands behind it.
        let command = example.split("   ").next().unwrap();
        let run = Run::of(&mut shell(folder.path()), &["-c", command]);
        assert_eq!((run.exit, run.problems()), (Some(0), Vec::new()), "{command}\n{}", run.stderr);
    }
}

#[test]
fn the_command_alone_says_how_to_go_on() {
    let run = Run::of(&mut clickpath(root()), &[] as &[&str]);
    assert_eq!((run.exit, run.stdout.as_str()), (Some(2), ""));
    assert!(run.stderr.contains("clickpath inspect"), "{}", run.stderr);
}

#[test]
fn commands_are_found_in_console_blocks_only() {
    let document = "\
$ clickpath nowhere
```sh
$ clickpath in another block
```
```console
$ clickpath one \\
    --flag
out

put
$ cargo test
```
text
```console
$ clickpath two
```
";
    let one =
        Shown { line: 6, command: "clickpath one --flag".into(), output: ["out", "", "put"].map(String::from).into() };
    let cargo = Shown { line: 11, command: "cargo test".into(), output: Vec::new() };
    let two = Shown { line: 15, command: "clickpath two".into(), output: Vec::new() };
    assert_eq!(shown(document), [one, cargo, two]);
}

#[test]
fn an_ellipsis_stands_for_any_lines() {
    let pattern = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
    for (wanted, found, expected) in [
        ("a\nb", "a\nb  ", true),
        ("a\nb", "a", false),
        ("a", "a\nb", false),
        ("…\nc", "a\nb\nc", true),
        ("a\n…", "a", true),
        ("a\n…\nb\n…", "a\nx\nb\ny", true),
        ("a\n…\nb", "a\nx", false),
    ] {
        assert_eq!(fits(&pattern(wanted), &lines(found)), expected, "{wanted:?} {found:?}");
    }
}

#[test]
fn tables_are_asked_for_unless_another_form_is() {
    let table = |command: &str| as_in_a_terminal(command).ends_with(" --format table");
    assert!(table("clickpath funnel log.csv --steps 'a > b | c'"));
    for command in [
        "clickpath",
        "clickpath report a -o b.json",
        "clickpath flow a --format=csv",
        "clickpath graph a | head",
        "clickpath man man1",
        "clickpath --help",
    ] {
        assert!(!table(command), "{command}");
    }
}

#[test]
fn a_document_that_shows_something_else_is_found() {
    let folder = workplace();
    let problem = |command: &str, output: &[&str]| {
        let output = output.iter().map(|line| (*line).to_owned()).collect();
        Shown { line: 1, command: command.into(), output }.problem(folder.path())
    };
    assert!(problem("clickpath --version", &["clickpath …"]).is_some());
    assert_eq!(problem("clickpath --version", &["…"]), None);
    assert!(problem("clickpath funnel nowhere.csv --steps a", &[]).is_some());
    assert!(problem("clickpath funnel nowhere.csv --steps a", &["error: nowhere.csv: …", "…"]).is_some());
    assert_eq!(problem("rm -rf nothing-is-run", &["whatever"]), None);
    assert_eq!(problem("ls sample-data/job.toml", &["sample-data/job.toml"]), None);
    assert!(problem("head -n 1 sample-data/job.toml", &["something else"]).is_some());
}
