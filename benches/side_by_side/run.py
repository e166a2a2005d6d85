#!/usr/bin/env python3
"""The journey job in clickpath and in other engines, in turn, on the same log: seconds, peak memory, and whether all answers agree.

usage: run.py CLICKPATH [LOG ...] [--events 15M] [--rounds 5] [--threads 2] [--formats parquet,csv] [--engines duckdb,clickhouse,polars]
needs: the packages of requirements.txt beside this file (the engine `plain` needs none)

CLICKPATH is a release build of the program; it makes the logs too, unless there are some already. Each round runs each engine once, as a process of its own from its
start to its answers, so that a slow moment of the machine meets all of them. Medians are printed with the fastest and slowest run.
"""
import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).parent


def measured(command):
    """Seconds and peak memory in GB of one process, and what it printed."""
    start = time.perf_counter()
    process = subprocess.Popen([str(part) for part in command], stdout=subprocess.PIPE)
    out = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - start
    if status != 0:
        sys.exit(f"failed: {' '.join(map(str, command))}")
    return seconds, usage.ru_maxrss / 1e6, out


def clickpath(program, file, threads):
    with tempfile.TemporaryDirectory() as folder:
        command = [program, "run", HERE / "job.toml", file, "--output-dir", folder, "--threads", threads, "--quiet"]
        seconds, peak, _ = measured(command)
        return seconds, peak, answer(lambda name: json.loads((Path(folder) / f"{name}.json").read_text())["report"])


def answer(read):
    """What engines.py says, from the reports."""
    summary, checkout = read("summary"), read("abandonment")["checkout"]["sessions"]
    hops = lambda rows, *keys: sorted([*(row[key] for key in keys), row["count"]] for row in rows)
    paths = sorted(([row["path"], row["count"]] for row in read("paths")["paths"]), key=lambda row: (-row[1], row[0]))
    return {
        "sessions": summary["sessions"],
        "events": summary["events"],
        "duration_s": round(summary["duration_s"]["mean"], 3),
        "bounce": round(summary["bounce_rate"], 6),
        "transitions": hops(read("graph")["transitions"], "from", "to"),
        "flow": hops(read("flow")["links"], "position", "from", "to"),
        "paths": paths,
        "checkout": [checkout["started"], checkout["abandoned"]],
        "funnel": [step["entered"] for step in read("funnel")["steps"]],
    }


def engine(name, file, threads):
    seconds, peak, out = measured([sys.executable, HERE / "engines.py", name, file, threads])
    return seconds, peak, json.loads(out)


def compare(file, program, engines, rounds, threads):
    """Runs everything in turn; returns whether all answers agree."""
    runs = {"clickpath": lambda: clickpath(program, file, threads)}
    runs.update({name: lambda name=name: engine(name, file, threads) for name in engines})
    results = {name: [] for name in runs}
    for _ in range(rounds):
        for name, run in runs.items():
            results[name].append(run())
    ours = statistics.median(seconds for seconds, _, _ in results["clickpath"])
    print(f"\n{Path(file).name}, {threads} threads, {rounds} rounds in turn, load {os.getloadavg()[0]:.1f}")
    print("| engine | seconds (fastest to slowest) | against clickpath | peak memory |\n|---|---|---|---|")
    for name, runs in results.items():
        seconds = sorted(run[0] for run in runs)
        median, peak = statistics.median(seconds), max(run[1] for run in runs)
        print(f"| {name} | {median:.2f} ({seconds[0]:.2f} to {seconds[-1]:.2f}) | {median / ours:.1f} × | {peak:.2f} GB |")
    expected = results["clickpath"][0][2]
    fine = True
    for name, runs in results.items():
        for key in expected:
            for _, _, found in runs:
                if found[key] != expected[key]:
                    fine = False
                    print(f"{name} DIFFERS in {key}: {str(found[key])[:200]} and not {str(expected[key])[:200]}")
    if fine:
        rows = sum(len(value) for value in expected.values() if isinstance(value, list))
        print(f"all agree: {expected['sessions']} sessions, funnel {expected['funnel']}, {rows} rows of answers")
    return fine


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clickpath", type=Path)
    parser.add_argument("logs", nargs="*")
    parser.add_argument("--events", default="15M")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--formats", default="parquet,csv")
    parser.add_argument("--engines", default="duckdb,clickhouse,polars")
    options = parser.parse_args()
    fine = True
    run = lambda log: compare(str(log), options.clickpath, options.engines.split(","), options.rounds, options.threads)
    for log in options.logs:
        fine &= run(log)
    with tempfile.TemporaryDirectory() as folder:
        for suffix in [] if options.logs else options.formats.split(","):
            log = Path(folder) / f"log.{suffix}"
            subprocess.run([options.clickpath, "generate", "--events", options.events, "-o", log], check=True, stderr=subprocess.DEVNULL)
            fine &= run(log)
            log.unlink()
    sys.exit(0 if fine else "the answers differ")


if __name__ == "__main__":
    main()
