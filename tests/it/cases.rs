//! Runs `tests/cases/*.toml`: what is in a folder, what is typed there, and what must come of it.
//!
//! A case is a story in one file: `[[files]]` that are put into an empty folder, and one or more `[[run]]` of the program in
//! that folder. The keys are the fields of [`FileSpec`] and [`RunSpec`].

mod files;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde::Deserialize;
use serde_json::Value;

use self::files::FileSpec;
use crate::support::{Run, clickpath, neutral, root};

/// A case file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    /// Why it is so; read by people only.
    #[serde(rename = "about")]
    _about: String,
    /// The part of the program that it needs, which a build may lack.
    needs: Option<Needs>,
    #[serde(default)]
    files: Vec<FileSpec>,
    run: Vec<RunSpec>,
}

/// A part of the program that a build may lack.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Needs {
    Polars,
    /// A build without polars, and what it says.
    #[serde(rename = "no polars")]
    NoPolars,
}

impl Needs {
    fn are_met(&self) -> bool {
        match self {
            Needs::Polars => cfg!(feature = "polars"),
            Needs::NoPolars => cfg!(not(feature = "polars")),
        }
    }
}

/// One run of the program and what must come of it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RunSpec {
    args: Vec<String>,
    /// What the environment says beside what is neutral.
    #[serde(default)]
    env: BTreeMap<String, String>,
    /// The file that is standard input; none is an empty one.
    stdin: Option<String>,
    exit: i32,
    /// Whether file permissions must hold for whoever runs it, as they do not for root.
    #[serde(default)]
    unprivileged: bool,
    stdout: Option<String>,
    #[serde(default)]
    stdout_has: Vec<String>,
    #[serde(default)]
    stdout_lacks: Vec<String>,
    stderr: Option<String>,
    #[serde(default)]
    stderr_has: Vec<String>,
    #[serde(default)]
    stderr_lacks: Vec<String>,
    /// Values in standard output as JSON, by pointer.
    #[serde(default)]
    json: BTreeMap<String, toml::Value>,
    /// Pointers to what is null in standard output as JSON; TOML has no null.
    #[serde(default)]
    json_null: Vec<String>,
    /// Files that are there afterwards.
    #[serde(default)]
    out: Vec<OutSpec>,
    /// Paths that are not there afterwards.
    #[serde(default)]
    absent: Vec<String>,
}

/// A file that a run leaves behind.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct OutSpec {
    name: String,
    text: Option<String>,
    #[serde(default)]
    has: Vec<String>,
    #[serde(default)]
    json: BTreeMap<String, toml::Value>,
}

#[test]
fn every_case_holds() {
    let (mut failures, mut count) = (String::new(), 0);
    for path in case_files() {
        count += 1;
        let problems = check(&std::fs::read_to_string(&path).unwrap());
        if !problems.is_empty() {
            let name = path.file_name().unwrap().to_string_lossy();
            writeln!(failures, "\n=== tests/cases/{name}\n{}", problems.join("\n")).unwrap();
        }
    }
    assert!(failures.is_empty(), "{failures}");
    assert!(count > 60 || std::env::var_os("CASE").is_some(), "only {count} cases were found");
}

/// The case files by name; `CASE=part cargo test cases` leaves those whose names have this part.
fn case_files() -> Vec<PathBuf> {
    let wanted = std::env::var("CASE").unwrap_or_default();
    let entries = std::fs::read_dir(root().join("tests/cases")).unwrap();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let all = paths.iter().all(|path| path.extension().is_some_and(|suffix| suffix == "toml"));
    assert!(all, "tests/cases has something else than cases: {paths:?}");
    paths.retain(|path| path.to_string_lossy().contains(&wanted));
    paths
}

/// What does not hold in the case that `text` describes.
fn check(text: &str) -> Vec<String> {
    let case: Case = match toml::from_str(text) {
        Ok(case) => case,
        Err(error) => return vec![format!("the case itself is ill-formed: {error}")],
    };
    if case.needs.as_ref().is_some_and(|needs| !needs.are_met()) {
        return Vec::new();
    }
    let folder = tempfile::tempdir().unwrap();
    for file in &case.files {
        file.create(folder.path());
    }
    let problems = case.run.iter().flat_map(|run| run.check(folder.path())).collect();
    files::unlock(folder.path());
    problems
}

impl RunSpec {
    /// What does not hold of this run in `folder`.
    fn check(&self, folder: &Path) -> Vec<String> {
        if self.expects_nothing() {
            return vec![format!("{:?}: the case expects nothing but an exit code", self.args)];
        }
        let Some(mut program) = self.program(folder) else {
            println!("skipped {:?}: permissions do not hold for root, and setpriv is not here", self.args);
            return Vec::new();
        };
        if let Some(name) = &self.stdin {
            program.stdin(std::fs::File::open(folder.join(name)).unwrap());
        }
        let run = Run::of(program.envs(&self.env), &self.args);
        let mut problems = run.problems();
        if run.exit != Some(self.exit) {
            problems.push(format!("exit code {:?}, not {}", run.exit, self.exit));
        }
        problems.extend(text_problems(
            "stdout",
            &run.stdout,
            self.stdout.as_deref(),
            &self.stdout_has,
            &self.stdout_lacks,
        ));
        problems.extend(text_problems(
            "stderr",
            &run.stderr,
            self.stderr.as_deref(),
            &self.stderr_has,
            &self.stderr_lacks,
        ));
        problems.extend(self.json_problems(&run));
        problems.extend(self.out.iter().flat_map(|out| out.problems(folder)));
        problems
            .extend(self.absent.iter().filter(|path| folder.join(path).exists()).map(|path| format!("{path} exists")));
        if problems.is_empty() {
            return problems;
        }
        let seen = format!("$ {}\n--- stdout\n{}--- stderr\n{}", run.shown, cut(&run.stdout), run.stderr);
        problems.into_iter().map(|problem| format!("  - {problem}")).chain([seen]).collect()
    }

    fn expects_nothing(&self) -> bool {
        let texts = self.stdout.is_none() && self.stderr.is_none();
        let parts = [&self.stdout_has, &self.stderr_has, &self.absent, &self.json_null];
        texts && parts.iter().all(|part| part.is_empty()) && self.json.is_empty() && self.out.is_empty()
    }

    fn program(&self, folder: &Path) -> Option<Command> {
        if self.unprivileged && files::permissions_are_void(folder) {
            return as_nobody(folder);
        }
        Some(clickpath(folder))
    }

    fn json_problems(&self, run: &Run) -> Vec<String> {
        if self.json.is_empty() && self.json_null.is_empty() {
            return Vec::new();
        }
        let Some(json) = run.json() else { return vec!["stdout is no JSON".into()] };
        let nulls = self.json_null.iter().map(|pointer| (pointer, Value::Null));
        let values = self.json.iter().map(|(pointer, value)| (pointer, as_json(value)));
        values.chain(nulls).filter_map(|(pointer, value)| pointer_problem(&json, pointer, &value)).collect()
    }
}

impl OutSpec {
    fn problems(&self, folder: &Path) -> Vec<String> {
        let Ok(text) = std::fs::read_to_string(folder.join(&self.name)) else {
            return vec![format!("{} is missing", self.name)];
        };
        let mut problems = text_problems(&self.name, &text, self.text.as_deref(), &self.has, &[]);
        if !self.json.is_empty() {
            match serde_json::from_str::<Value>(&text) {
                Ok(json) => problems.extend(
                    self.json.iter().filter_map(|(pointer, value)| pointer_problem(&json, pointer, &as_json(value))),
                ),
                Err(error) => problems.push(format!("{} is no JSON: {error}", self.name)),
            }
        }
        problems
    }
}

fn text_problems(name: &str, text: &str, exact: Option<&str>, has: &[String], lacks: &[String]) -> Vec<String> {
    let differs =
        exact.filter(|exact| *exact != text).map(|exact| format!("{name} is not what it should be:\n{exact}"));
    let missing = has.iter().filter(|part| !text.contains(*part)).map(|part| format!("{name} lacks {part:?}"));
    let found = lacks.iter().filter(|part| text.contains(*part)).map(|part| format!("{name} has {part:?}"));
    differs.into_iter().chain(missing).chain(found).collect()
}

fn pointer_problem(json: &Value, pointer: &str, expected: &Value) -> Option<String> {
    match json.pointer(pointer) {
        None => Some(format!("there is no {pointer}")),
        Some(found) if !same(found, expected) => Some(format!("{pointer} is {found}, not {expected}")),
        Some(_) => None,
    }
}

/// Equal, numbers by value: TOML's `1` is also JSON's `1.0`.
fn same(found: &Value, expected: &Value) -> bool {
    match (found.as_f64(), expected.as_f64()) {
        (Some(found), Some(expected)) => (found - expected).abs() <= 1e-9 * expected.abs(),
        _ => found == expected,
    }
}

fn as_json(value: &toml::Value) -> Value {
    serde_json::to_value(value).unwrap()
}

/// The beginning of a long text.
fn cut(text: &str) -> String {
    let lines: Vec<&str> = text.lines().take(80).collect();
    if lines.is_empty() { String::new() } else { lines.join("\n") + "\n" }
}

/// The program run by a user who owns nothing. The binary is copied to where this user can reach it.
fn as_nobody(folder: &Path) -> Option<Command> {
    let binary = folder.join(".clickpath-for-nobody");
    std::fs::copy(env!("CARGO_BIN_EXE_clickpath"), &binary).unwrap();
    let setpriv = |program: &Path| {
        let mut command = Command::new("setpriv");
        command.args(["--reuid=65534", "--regid=65534", "--clear-groups", "--"]).arg(program);
        neutral(command, folder)
    };
    let works = setpriv(&binary).arg("--version").output().is_ok_and(|output| output.status.success());
    works.then(|| setpriv(&binary))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOG: &str = "about = ''\n[[files]]\nname = 'log.csv'\ntext = \"visitor,time,event\\nv,1700000000,a\\n\"\n";

    #[test]
    fn a_case_that_holds_has_no_problems() {
        let run =
            "[[run]]\nargs = ['funnel', 'log.csv', '--steps', 'a']\nexit = 0\njson.'/report/steps/0/entered' = 1\n";
        assert_eq!(check(&format!("{LOG}{run}")), Vec::<String>::new());
    }

    #[test]
    fn whatever_does_not_hold_is_found() {
        let wrong = [
            "exit = 2\nstdout_has = ['report']",
            "exit = 0\nstdout = 'other'",
            "exit = 0\nstdout_has = ['zebra']",
            "exit = 0\nstdout_has = ['report']\nstdout_lacks = ['report']",
            "exit = 0\nstderr_has = ['zebra']",
            "exit = 0\njson.'/report/steps/0/entered' = 2",
            "exit = 0\njson.'/report/nothing' = 1",
            "exit = 0\njson_null = ['/report']",
            "exit = 0\nabsent = ['log.csv']",
            "exit = 0\nout = [{ name = 'none.json' }]",
            "exit = 0\nout = [{ name = 'log.csv', has = ['zebra'] }]",
            "exit = 0",
            "exit = 0\nstdout_hsa = ['report']",
        ];
        for expectation in wrong {
            let run = format!("[[run]]\nargs = ['funnel', 'log.csv', '--steps', 'a']\n{expectation}\n");
            assert!(!check(&format!("{LOG}{run}")).is_empty(), "{expectation}");
        }
    }
}
