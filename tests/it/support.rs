//! What all of these tests share: running the program, and what must hold of every run.

pub mod ipc;
pub mod parquet;

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

/// The project's folder.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The sample log.
pub fn shop() -> PathBuf {
    root().join("sample-data/shop.csv.gz")
}

/// The text of the sample log.
pub fn shop_text() -> String {
    let file = std::fs::File::open(shop()).unwrap();
    std::io::read_to_string(flate2::read::MultiGzDecoder::new(file)).unwrap()
}

/// What a user's environment may say that would change what is printed.
const UNSET: [&str; 6] =
    ["RUST_BACKTRACE", "RUST_LIB_BACKTRACE", "NO_COLOR", "FORCE_COLOR", "CLICOLOR_FORCE", "COLUMNS"];

/// The program, to be run in `folder` in a neutral environment.
pub fn clickpath(folder: &Path) -> Command {
    neutral(Command::new(env!("CARGO_BIN_EXE_clickpath")), folder)
}

/// `command`, to be run in `folder` in a neutral environment.
pub fn neutral(mut command: Command, folder: &Path) -> Command {
    for name in UNSET {
        command.env_remove(name);
    }
    command.current_dir(folder).stdin(Stdio::null());
    command
}

/// What came of a run of the program.
pub struct Run {
    /// The arguments, for messages.
    pub shown: String,
    /// `None` if a signal ended it.
    pub exit: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Run {
    /// Runs `command`, which was given `args`.
    pub fn of<S: AsRef<str>>(command: &mut Command, args: &[S]) -> Run {
        let args: Vec<&str> = args.iter().map(AsRef::as_ref).collect();
        let Output { status, stdout, stderr } = command.args(&args).output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("the program writes UTF-8");
        let shown = format!("clickpath {}", args.join(" "));
        Run { shown, exit: status.code(), stdout: text(stdout), stderr: text(stderr) }
    }

    pub fn json(&self) -> Option<Value> {
        serde_json::from_str(&self.stdout).ok()
    }

    /// What is wrong with this run, whatever was asked.
    pub fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        for (name, text) in [("stdout", &self.stdout), ("stderr", &self.stderr)] {
            if text.contains("panicked at") {
                problems.push(format!("{name} tells of a panic"));
            }
            if text.contains(|c: char| c.is_control() && c != '\n') {
                problems.push(format!("{name} has a control character"));
            }
        }
        match self.exit {
            Some(0) => {}
            // Answered, but a wanted rate was missed.
            Some(1) if self.stderr.lines().any(|line| line.starts_with("missed: ")) => {}
            // Clap's messages come without an empty line before the usage, ours with a hint: both begin in the same way.
            Some(2) if !self.stdout.is_empty() => problems.push("data were printed although the run failed".into()),
            Some(2) if self.stderr.lines().any(|line| line.starts_with("error: ")) => {}
            Some(2) => problems.push("the run failed without an error message".into()),
            other => problems.push(format!("the exit code {other:?} has no meaning")),
        }
        if let Some(json) = self.json() {
            problems.extend(account_problems(&json));
        }
        problems
    }
}

/// Where the accounts in a document do not add up.
fn account_problems(document: &Value) -> Vec<String> {
    let answers = document["answers"].as_array().map_or(std::slice::from_ref(document), Vec::as_slice);
    answers.iter().filter_map(account_problem).collect()
}

fn account_problem(answer: &Value) -> Option<String> {
    let account = answer.get("account")?;
    // A check reads no record.
    if answer["schema"] == "clickpath.check/1" {
        return None;
    }
    let count = |key: &str| account[key].as_u64();
    let parts = ["used", "filtered", "duplicates", "rejected"].map(count);
    let sum = parts.iter().copied().sum::<Option<u64>>();
    // Every format that is read now has one event in a record.
    let adds_up = sum.is_some() && sum == count("events_read") && sum == count("records");
    (!adds_up).then(|| format!("the account does not add up: {account}"))
}

/// Runs the program in `folder`, where it must succeed, and gives what it printed on standard output.
pub fn answer_in<S: AsRef<str>>(folder: &Path, args: &[S]) -> String {
    let run = Run::of(&mut clickpath(folder), args);
    let problems = run.problems();
    assert!(run.exit == Some(0) && problems.is_empty(), "{}\n{problems:?}\n{}", run.shown, run.stderr);
    run.stdout
}

/// Asks a question about the files `inputs`; the answer as JSON.
pub fn ask(question: &str, inputs: &[&Path], flags: &[&str]) -> Value {
    serde_json::from_str(&ask_bytes(question, inputs, flags)).unwrap()
}

/// Asks a question about the files `inputs`; the answer as it was printed in JSON.
pub fn ask_bytes(question: &str, inputs: &[&Path], flags: &[&str]) -> String {
    let inputs = inputs.iter().map(|path| path.to_str().unwrap());
    let args: Vec<&str> = [question].into_iter().chain(inputs).chain(flags.iter().copied()).collect();
    let args = [args, vec!["--format", "json"]].concat();
    answer_in(root(), &args)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_that_does_not_add_up_is_found() {
        let account = |rejected: u64| {
            serde_json::json!({ "account": {
                "records": 10, "events_read": 10, "used": 7, "filtered": 1, "duplicates": 0, "rejected": rejected,
            }})
        };
        assert_eq!(account_problems(&account(2)), Vec::<String>::new());
        assert_eq!(account_problems(&account(1)).len(), 1);
        assert_eq!(account_problems(&serde_json::json!({ "answers": [account(2), account(3)] })).len(), 1);
        assert_eq!(account_problems(&serde_json::json!({ "account": {} })).len(), 1);
    }

    #[test]
    fn bad_manners_are_found() {
        let run = |exit, stdout: &str, stderr: &str| {
            let run = Run { shown: String::new(), exit, stdout: stdout.into(), stderr: stderr.into() };
            run.problems().len()
        };
        assert_eq!(run(Some(0), "fine\n", "note: fine\n"), 0);
        assert_eq!(run(Some(2), "", "error: no\n"), 0);
        assert_eq!(run(Some(1), "{}\n", "missed: funnel: 1% is under 2%\n"), 0);
        assert_eq!(run(Some(1), "{}\n", ""), 1);
        assert_eq!(run(Some(2), "", "no\n"), 1);
        assert_eq!(run(Some(2), "half", "error: no\n"), 1);
        assert_eq!(run(None, "", ""), 1);
        assert_eq!(run(Some(101), "", "thread 'main' panicked at src/x.rs\n"), 2);
        assert_eq!(run(Some(0), "\u{1b}[31mred", ""), 1);
    }
}
