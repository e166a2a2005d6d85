//! Who may name whom, and how long files may be: what ARCHITECTURE.md says, held against the sources.
//!
//! The check reads lines, not Rust: `crate::…` paths in code, wherever they stand. Tests may name whatever they need.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::support::root;

/// What every file may name.
const VOCABULARY: [&str; 12] = [
    "error",
    "ids",
    "dictionary",
    "counts",
    "frame",
    "budget",
    "units",
    "durations",
    "rates",
    "contrast",
    "spill",
    "sync",
];

/// What the files of a module may name beside the vocabulary and their own module.
const EDGES: [(&str, &[&str]); 8] = [
    ("sources", &["events"]),
    ("events", &[]),
    ("journeys", &["events"]),
    ("reports", &[]),
    ("analyses", &["journeys", "reports"]),
    ("pipeline", &["sources", "events", "journeys", "analyses", "reports"]),
    ("generate", &["reports"]),
    ("cli", &["pipeline", "sources", "events", "analyses", "reports", "generate"]),
];

/// The front door, which may name everything.
const FREE: [&str; 2] = ["lib", "main"];

/// The only files that start threads.
const THREADS: [&str; 5] = ["pipeline.rs", "pipeline/read.rs", "pipeline/fold.rs", "generate.rs", "generate/visits.rs"];

/// Files are read at a glance: past this many lines one needs a reason in [`LONG`].
const MOST_LINES: usize = 600;
/// Past this many lines one is worth a thought.
const MANY_LINES: usize = 400;

/// Files that are longer than [`MOST_LINES`], and why.
const LONG: [(&str, &str); 0] = [];

/// A source file: its path inside of `src`, and its code without tests and comments.
struct Source {
    path: String,
    code: Vec<String>,
    lines: usize,
}

impl Source {
    fn new(path: &str, text: &str) -> Source {
        let code = text.lines().take_while(|line| line.trim() != "#[cfg(test)]" || !is_test_module(text, line));
        let code = code.map(|line| line.split("//").next().unwrap_or_default().to_owned());
        Source { path: path.to_owned(), code: code.collect(), lines: text.lines().count() }
    }

    /// The top-level module that the file belongs to.
    fn module(&self) -> &str {
        self.path.split(['/', '.']).next().unwrap_or_default()
    }

    /// The top-level modules that its code names.
    fn named(&self) -> BTreeSet<String> {
        let code = self.code.join("\n");
        let after = code.match_indices("crate::").filter(|(at, _)| starts_a_path(&code, *at));
        after.flat_map(|(at, found)| modules(&code[at + found.len()..])).collect()
    }

    /// The modules that it names and may not name.
    fn forbidden(&self) -> Vec<String> {
        let module = self.module();
        if FREE.contains(&module) {
            return Vec::new();
        }
        let allowed = EDGES.iter().find(|(from, _)| *from == module).map(|(_, to)| *to);
        if allowed.is_none() && !VOCABULARY.contains(&module) {
            return vec![format!("{}: the module {module} has no place in the list of edges", self.path)];
        }
        let fits = |to: &str| to == module || VOCABULARY.contains(&to) || allowed.unwrap_or_default().contains(&to);
        let named = self.named().into_iter().filter(|to| !fits(to));
        named.map(|to| format!("{} names crate::{to}", self.path)).collect()
    }
}

/// Whether what follows `#[cfg(test)]` is a module; a test's `use` may stand among the code.
fn is_test_module(text: &str, attribute: &str) -> bool {
    let place = attribute.as_ptr() as usize - text.as_ptr() as usize;
    let behind = text[place..].lines().skip(1).find(|line| !line.trim_start().starts_with("#[")).unwrap_or_default();
    // A module in a file of its own is passed over with that file, and code may follow its line.
    behind.contains("mod ") && behind.ends_with('{')
}

/// Not `other_crate::` nor `$crate::`, which are something else.
fn starts_a_path(code: &str, at: usize) -> bool {
    !code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_')
}

/// The first names of what follows `crate::`: one, or those of a list in braces.
fn modules(rest: &str) -> Vec<String> {
    let name =
        |text: &str| -> String { text.trim_start().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect() };
    let Some(list) = rest.strip_prefix('{') else { return vec![name(rest)] };
    let (mut depth, mut names, mut expected) = (0, Vec::new(), true);
    for (at, c) in list.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => expected = true,
            c if expected && !c.is_whitespace() => {
                names.push(name(&list[at..]));
                expected = false;
            }
            _ => {}
        }
    }
    names
}

/// Every source file that is not a test.
fn sources() -> Vec<Source> {
    let root = root().join("src");
    let (mut folders, mut sources) = (vec![root.clone()], Vec::new());
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true if path.ends_with("tests") => {}
                true => folders.push(path),
                false if is_code(&path) => {
                    let inside = path.strip_prefix(&root).unwrap().to_string_lossy().replace('\\', "/");
                    sources.push(Source::new(&inside, &std::fs::read_to_string(&path).unwrap()));
                }
                false => {}
            }
        }
    }
    sources.sort_by(|a, b| a.path.cmp(&b.path));
    assert!(sources.len() > 30, "only {} source files were found", sources.len());
    sources
}

fn is_code(path: &PathBuf) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    Path::new(path).extension().is_some_and(|suffix| suffix == "rs")
        && !["tests.rs", "testing.rs", "fixtures.rs"].contains(&&*name)
}

#[test]
fn no_module_names_what_it_may_not() {
    let forbidden: Vec<String> = sources().iter().flat_map(Source::forbidden).collect();
    assert!(forbidden.is_empty(), "\n{}\n", forbidden.join("\n"));
}

#[test]
fn every_module_of_the_list_exists_and_is_seen() {
    let sources = sources();
    let edges = EDGES.iter().flat_map(|(from, to)| to.iter().map(move |to| (*from, *to)));
    for (from, to) in edges {
        let seen = sources.iter().any(|source| source.module() == from && source.named().contains(to));
        assert!(seen, "{from} never names {to}: the list of edges allows too much, or the check sees too little");
    }
    for module in VOCABULARY {
        assert!(sources.iter().any(|source| source.module() == module), "there is no module {module}");
    }
}

#[test]
fn only_the_pipeline_starts_threads() {
    let names_rayon = |source: &&Source| source.code.iter().any(|line| line.contains("rayon"));
    let sources = sources();
    let users: Vec<&str> = sources.iter().filter(names_rayon).map(|source| source.path.as_str()).collect();
    assert!(users.iter().all(|path| THREADS.contains(path)), "{users:?} name rayon");
    assert!(users.contains(&"pipeline.rs"), "the check sees nothing");
}

#[test]
fn only_frame_names_polars() {
    let names_polars = |source: &&Source| {
        let polars = |line: &String| line.replace("\"polars\"", "").replace("to_polars", "").contains("polars");
        source.code.iter().any(polars)
    };
    let sources = sources();
    let users: Vec<&str> = sources.iter().filter(names_polars).map(Source::module).collect();
    assert!(users.iter().all(|module| *module == "frame"), "{users:?} name polars");
    assert!(users.contains(&"frame"), "the check sees nothing");
}

#[test]
fn files_stay_readable_at_a_glance() {
    let sources = sources();
    for source in sources.iter().filter(|source| source.lines > MANY_LINES) {
        println!("src/{} has {} lines", source.path, source.lines);
    }
    let reason = |path: &str| LONG.iter().find(|(long, _)| *long == path).map(|(_, reason)| *reason);
    for source in &sources {
        let (path, lines) = (&source.path, source.lines);
        assert!(lines <= MOST_LINES || reason(path).is_some(), "src/{path} has {lines} lines and no reason in LONG");
    }
    for (path, reason) in LONG {
        let long = sources.iter().any(|source| source.path == path && source.lines > MOST_LINES);
        assert!(long && !reason.is_empty(), "{path} is in LONG and needs no reason there");
    }
}

#[test]
fn a_forbidden_edge_is_found() {
    let forbidden = |path: &str, text: &str| Source::new(path, text).forbidden();
    assert_eq!(forbidden("reports/json.rs", "use crate::analyses::Kind;"), ["reports/json.rs names crate::analyses"]);
    assert_eq!(forbidden("analyses/flow.rs", "use crate::{error::Error, events::{Role, Roles}, ids};").len(), 1);
    assert_eq!(forbidden("sources/csv/rows.rs", "fn f() {\n    crate::pipeline::run();\n}").len(), 1);
    assert_eq!(forbidden("error.rs", "pub(crate) use crate::cli::main;").len(), 1);
    assert_eq!(forbidden("zebra.rs", "").len(), 1);
}

#[test]
fn what_is_allowed_is_not_found() {
    let forbidden = |path: &str, text: &str| Source::new(path, text).forbidden();
    let tests = "use crate::error::Result;\n#[cfg(test)]\nmod tests {\n    use crate::cli::main;\n}";
    for (path, text) in [
        ("reports/json.rs", "use crate::error::Result;\nuse super::analyses; // crate::analyses"),
        ("reports/json.rs", tests),
        (
            "analyses/flow.rs",
            "use crate::{\n    journeys::{Visitor, events},\n    reports::Table,\n};\nuse crate::analyses::By;",
        ),
        ("main.rs", "use crate::cli;"),
        ("budget.rs", "use other_crate::cli;"),
    ] {
        assert_eq!(forbidden(path, text), Vec::<String>::new(), "{path}: {text}");
    }
    // Code behind the line of a test module is looked at.
    assert_eq!(forbidden("reports/json.rs", "#[cfg(test)]\nmod tests;\nuse crate::cli;").len(), 1);
}
