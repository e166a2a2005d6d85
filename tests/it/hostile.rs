//! Inputs that are made to hurt: records that are too long, and small files that become large ones.

use std::fs::File;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::Command;

use flate2::Compression;
use flate2::write::GzEncoder;

use crate::support::{Run, ask, neutral, root};

const MIB: usize = 1 << 20;

/// A folder with one file in it, which `write` fills.
fn written(name: &str, write: impl FnOnce(&mut File) -> io::Result<()>) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    write(&mut File::create(&path).unwrap()).unwrap();
    (folder, path)
}

/// Writes `start`, so many MiB of `middle`, then `end`.
fn fill(into: &mut impl Write, start: &str, middle: &str, mebibytes: usize, end: &str) -> io::Result<()> {
    let block = middle.repeat(MIB / middle.len());
    into.write_all(start.as_bytes())?;
    (0..mebibytes).try_for_each(|_| into.write_all(block.as_bytes()))?;
    into.write_all(end.as_bytes())
}

/// A run with no more than so many MiB of address space, by one thread.
fn confined(mebibytes: usize, args: &[&str]) -> Run {
    let mut shell = neutral(Command::new("bash"), root());
    let script = format!("ulimit -d {}; exec \"$@\"", mebibytes * 1024);
    let program = env!("CARGO_BIN_EXE_clickpath");
    shell.args(["-c", &script, "bash", program]);
    Run::of(&mut shell, &[args, &["--threads", "1", "--memory", "64MiB", "--format", "json"]].concat())
}

#[test]
fn a_record_over_16_mib_costs_itself_alone() {
    let csv = ("visitor,time,event\nv,1700000000,a\nv,1700000001,", "\nv,1700000002,b\n");
    let record = |event: &str| format!("{{\"visitor\":\"v\",\"time\":1700000000,\"event\":\"{event}");
    let ndjson = (format!("{}a\"}}\n{}", record(""), record("")), format!("\"}}\n{}b\"}}\n", record("")));
    for (name, start, end) in [("log.csv", csv.0, csv.1), ("log.ndjson", &*ndjson.0, &*ndjson.1)] {
        for (mebibytes, used) in [(15, 3), (17, 2)] {
            let (_folder, path) = written(name, |file| fill(file, start, "x", mebibytes, end));
            let inspected = ask("inspect", &[&path], &["--max-rejects", "50%"]);
            assert_eq!(inspected["account"]["used"], used, "{name}, {mebibytes} MiB");
            let reasons = &inspected["account"]["rejected_reasons"]["record too long"];
            assert_eq!(reasons.as_u64().unwrap_or_default(), 3 - used, "{name}, {mebibytes} MiB");
        }
    }
}

/// A small file that holds an endless record: it is read in less memory than the record has.
#[test]
fn bombs_are_read_piece_by_piece() {
    const START: &str = "visitor,time,event\nv,1700000000,a\n";
    const END: &str = "\nv,1700000001,b\n";
    let (_zstd, zstd) = written("log.csv.zst", |file| {
        let mut encoder = zstd::stream::write::Encoder::new(file, 1)?;
        fill(&mut encoder, START, "x", 256, END)?;
        encoder.finish().map(drop)
    });
    // Gzip is slow without optimisation: of many members only one is packed.
    let (_gzip, gzip) = written("log.csv.gz", |file| {
        let packed = |text: &str| {
            let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
            encoder.write_all(text.as_bytes())?;
            encoder.finish()
        };
        let members = std::iter::repeat_n(packed(&"x".repeat(MIB))?, 160);
        [packed(START)?].into_iter().chain(members).chain([packed(END)?]).try_for_each(|member| file.write_all(&member))
    });
    for path in [zstd, gzip] {
        assert!(path.metadata().unwrap().len() < 2 * MIB as u64);
        let run = confined(150, &["inspect", path.to_str().unwrap(), "--max-rejects", "50%"]);
        assert_eq!((run.exit, run.problems()), (Some(0), Vec::new()), "{}\n{}", run.shown, run.stderr);
        let account = run.json().unwrap()["account"].clone();
        assert_eq!(account["used"], 2, "{}", run.shown);
        assert_eq!(account["rejected_reasons"]["record too long"], 1, "{}", run.shown);
    }
}

/// Many different names in a small file do not fit into the memory that was given, and that is an error.
#[test]
fn a_bomb_of_names_is_a_limit() {
    let (_folder, path) = written("log.ndjson.zst", |file| {
        let mut encoder = zstd::stream::write::Encoder::new(file, 1)?;
        for number in 0..300_000 {
            writeln!(encoder, "{{\"visitor\":\"v\",\"time\":1700000000,\"event\":\"{number}-{:0100}\"}}", 0)?;
        }
        encoder.finish().map(drop)
    });
    let run = confined(400, &["inspect", path.to_str().unwrap()]);
    assert_eq!((run.exit, run.problems()), (Some(2), Vec::new()));
    assert!(
        run.stderr.contains("too many different names for event") && run.stderr.contains("hint: "),
        "{}",
        run.stderr
    );
}
