//! What becomes of output files when a run is killed, the disk is full, or two runs write at once.
//!
//! Named pipes stop a run at a known place: as a log, while it is read; under the name of an answer, while answers are written.

use std::fs;
use std::io::Write;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::support::{Run, answer_in, clickpath, neutral, shop_text};

const JOB: &str = "input.files = ['log.csv']\n[[summary]]\n[[flow]]\n[output]\ndir = 'out'\n";

/// A folder with a job and its log.
fn workplace() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("job.toml"), JOB).unwrap();
    write_log(&folder.path().join("log.csv"));
    folder
}

/// Enough for an answer that does not fit into a few KiB.
fn write_log(path: &Path) {
    let text = shop_text();
    let lines: Vec<&str> = text.lines().take(2_000).collect();
    fs::write(path, lines.join("\n")).unwrap();
}

fn make_pipe(path: &Path) {
    assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
}

/// The names in a folder, in order.
fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<String> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn is_temporary(name: &str) -> bool {
    name.starts_with(".clickpath-") && name.ends_with(".part")
}

/// Waits for what is bound to come; that it does not come in a minute is a failure of another kind.
fn wait_for(what: &str, child: &mut Child, mut there: impl FnMut() -> bool) {
    let start = Instant::now();
    while !there() {
        assert!(child.try_wait().unwrap().is_none(), "the run ended before {what}");
        assert!(start.elapsed() < Duration::from_secs(60), "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// The signals that end a run: Ctrl-C, a shutdown, and the one that nobody can catch.
fn signals() -> Vec<i32> {
    // A test run that was started in the background hands a deaf ear for Ctrl-C on to its children.
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let ignored = ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or_default();
    let (heard, deaf): (Vec<i32>, Vec<i32>) =
        [2, 15, 9].into_iter().partition(|signal| ignored >> (signal - 1) & 1 == 0);
    deaf.iter().for_each(|signal| println!("skipped signal {signal}: it is ignored here"));
    heard
}

fn end(mut child: Child, signal: i32) {
    let id = child.id().to_string();
    assert!(Command::new("kill").args([format!("-{signal}"), id]).status().unwrap().success());
    assert_eq!(child.wait().unwrap().signal(), Some(signal));
}

fn start(folder: &Path, args: &[&str]) -> Child {
    clickpath(folder).args(args).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

#[test]
fn a_run_that_is_ended_while_it_reads_leaves_nothing() {
    for signal in signals() {
        let folder = workplace();
        let log = folder.path().join("log.csv");
        fs::remove_file(&log).unwrap();
        make_pipe(&log);
        // Open for both, so that neither side waits for the other.
        let mut pipe = fs::OpenOptions::new().read(true).write(true).open(&log).unwrap();
        let mut child = start(folder.path(), &["run", "job.toml", "--quiet"]);
        let line = "visitor,time,event\n".to_owned() + &"v,1700000000,a\n".repeat(20_000);
        // More than a pipe holds: when it is gone, most of it has been read.
        let writer = std::thread::spawn(move || {
            pipe.write_all(line.as_bytes()).unwrap();
            pipe
        });
        wait_for("the log to be read", &mut child, || writer.is_finished());
        let pipe = writer.join().unwrap();
        end(child, signal);
        assert_eq!(names(folder.path()), ["job.toml", "log.csv", "out"]);
        assert_eq!(names(&folder.path().join("out")), Vec::<String>::new());
        drop(pipe);

        fs::remove_file(&log).unwrap();
        write_log(&log);
        answer_in(folder.path(), &["run", "job.toml"]);
        assert_eq!(names(&folder.path().join("out")), ["flow.json", "run.json", "summary.json"]);
    }
}

#[test]
fn a_run_that_is_ended_while_it_writes_changes_nothing_and_the_next_one_cleans_up() {
    for signal in signals() {
        let folder = workplace();
        let out = folder.path().join("out");
        fs::create_dir(&out).unwrap();
        for name in ["summary.json", "run.json", ".clickpath-dead.part", ".clickpath-mine"] {
            fs::write(out.join(name), "old").unwrap();
        }
        make_pipe(&out.join("flow.json"));
        let mut child = start(folder.path(), &["run", "job.toml", "--quiet"]);
        let begun = |name: &String| is_temporary(name) && name != ".clickpath-dead.part";
        wait_for("a file to be begun", &mut child, || names(&out).iter().any(begun));
        assert!(!out.join(".clickpath-dead.part").exists(), "the file of a dead run is still there");
        end(child, signal);
        let visible: Vec<String> = names(&out).into_iter().filter(|name| !name.starts_with('.')).collect();
        assert_eq!(visible, ["flow.json", "run.json", "summary.json"]);
        for name in ["summary.json", "run.json"] {
            assert_eq!(fs::read_to_string(out.join(name)).unwrap(), "old");
        }

        fs::remove_file(out.join("flow.json")).unwrap();
        answer_in(folder.path(), &["run", "job.toml"]);
        assert_eq!(names(&out), [".clickpath-mine", "flow.json", "run.json", "summary.json"]);
        assert!(fs::read_to_string(out.join("run.json")).unwrap().contains("\"clickpath.run/1\""));
    }
}

#[test]
fn single_outputs_are_kept_from_harm_as_well() {
    let folder = workplace();
    make_pipe(&folder.path().join("b.json"));
    let args = ["summary", "log.csv", "--quiet", "-o", "a.json", "-o", "b.json"];
    let mut child = start(folder.path(), &args);
    wait_for("a file to be begun", &mut child, || names(folder.path()).iter().any(|name| is_temporary(name)));
    end(child, 9);
    assert!(!folder.path().join("a.json").exists());
    answer_in(folder.path(), &["summary", "log.csv", "-o", "a.json"]);
    assert_eq!(names(folder.path()), ["a.json", "b.json", "job.toml", "log.csv"]);
}

/// Files that may grow to two KiB stand for a disk that is full at an inconvenient moment.
#[test]
fn a_disk_that_fills_up_is_an_error_and_nothing_appears() {
    let folder = workplace();
    fs::write(folder.path().join("small.json"), "old").unwrap();
    let limited = |args: &str| {
        let mut shell = neutral(Command::new("bash"), folder.path());
        shell.env("clickpath", env!("CARGO_BIN_EXE_clickpath"));
        Run::of(&mut shell, &["-c", &format!("trap '' XFSZ; ulimit -f 2; exec \"$clickpath\" {args}")])
    };
    for (args, file) in [
        ("run job.toml", "out/flow.json"),
        ("flow log.csv -o small.json", "small.json"),
        ("flow log.csv -o new.json", "new.json"),
    ] {
        let run = limited(args);
        assert_eq!((run.exit, run.problems()), (Some(2), Vec::new()), "{args}\n{}", run.stderr);
        assert!(run.stderr.contains(&format!("error: {file}: File too large")), "{args}\n{}", run.stderr);
        assert_eq!(names(folder.path()), ["job.toml", "log.csv", "small.json"]);
    }
    assert_eq!(fs::read_to_string(folder.path().join("small.json")).unwrap(), "old");
}

/// A small file system of its own, which nobody else sees and which goes with its last process.
#[test]
fn a_full_file_system_is_an_error_and_nothing_appears() {
    let folder = workplace();
    fs::create_dir(folder.path().join("out")).unwrap();
    let script = "mount -t tmpfs -o size=24k none out || exit 77; echo old > out/run.json; \
                  \"$clickpath\" run job.toml --quiet; echo $?; ls -A out; cat out/run.json";
    let mut shell = neutral(Command::new("unshare"), folder.path());
    shell.env("clickpath", env!("CARGO_BIN_EXE_clickpath"));
    let output = match shell.args(["--mount", "--map-root-user", "bash", "-c", script]).output() {
        Ok(output) if output.status.success() => output,
        Ok(output) => {
            println!("skipped: no file system may be mounted here: {}", String::from_utf8_lossy(&output.stderr));
            return;
        }
        Err(error) => {
            println!("skipped: unshare: {error}");
            return;
        }
    };
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(stderr.starts_with("error: out/flow.json: No space left on device"), "{stderr}");
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "2\nrun.json\nold\n");
}

#[test]
fn runs_into_one_folder_at_once_all_succeed() {
    let folder = workplace();
    let mut children: Vec<Child> = (0..4).map(|_| start(folder.path(), &["run", "job.toml", "--quiet"])).collect();
    assert!(children.iter_mut().all(|child| child.wait().unwrap().success()));
    let out = folder.path().join("out");
    assert_eq!(names(&out), ["flow.json", "run.json", "summary.json"]);
    for name in names(&out) {
        serde_json::from_slice::<serde_json::Value>(&fs::read(out.join(name)).unwrap()).unwrap();
    }
}
