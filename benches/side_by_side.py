#!/usr/bin/env python3
"""The journey job in clickpath and in DuckDB, in turn, on the same file: seconds, peak memory, and whether the answers agree.

usage: side_by_side.py CLICKPATH FILE [ROUNDS] [THREADS]         needs: duckdb from PyPI

CLICKPATH is a release build of the program; FILE is a Parquet or CSV log with the columns visitor_id, ts, event. Each round runs each
engine once, as a process of its own, so that a slow moment of the machine meets both. Medians are printed with the fastest and slowest.

The job: sessions (a gap of over 30 minutes), transitions, flow to depth 10, checkout abandonment (purchase anywhere in the session), and
a funnel of five steps within 7 days of the first, per visitor. clickpath reads it from peers.toml beside this file.
"""
import json
import os

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

STEPS = ["view_item", "add_to_cart", "begin_checkout", "add_payment_info", "purchase"]
GAP, WINDOW = 30 * 60 * 10**6, 7 * 86400 * 10**6


def clickpath(program, file, threads):
    with tempfile.TemporaryDirectory() as folder:
        here = Path(__file__).parent
        command = [program, "run", here / "peers.toml", file, "--output-dir", folder, "--threads", str(threads), "--quiet"]
        seconds, peak = measured(command)
        read = lambda name: json.loads((Path(folder) / f"{name}.json").read_text())["report"]
        summary, funnel, checkout = read("summary"), read("funnel"), read("abandonment")["checkout"]["sessions"]
        return seconds, peak, {
            "sessions": summary["sessions"],
            "events": summary["events"],
            "mean_s": round(summary["duration_s"]["mean"], 3),
            "transitions": len(read("graph")["transitions"]),
            "flow_links": len(read("flow")["links"]),
            "checkout": [checkout["started"], checkout["abandoned"]],
            "funnel": [step["entered"] for step in funnel["steps"]],
        }


def duckdb(file, threads):
    seconds, peak, out = measured([sys.executable, __file__, "--duckdb", file, str(threads)], capture=True)
    return seconds, peak, json.loads(out)


def measured(command, capture=False):
    """Seconds and peak memory in GB of one process, and what it printed."""
    start = time.perf_counter()
    process = subprocess.Popen([str(part) for part in command], stdout=subprocess.PIPE if capture else None)
    out = process.stdout.read() if capture else None
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - start
    if status != 0:
        sys.exit(f"failed: {command}")
    return (seconds, usage.ru_maxrss / 1e6, out) if capture else (seconds, usage.ru_maxrss / 1e6)


def duckdb_job(file, threads):
    """The same answers in SQL, as a data team would write them."""
    import duckdb as engine

    db = engine.connect()
    db.execute(f"set threads = {threads}; set enable_progress_bar = false; set preserve_insertion_order = false")
    source = f"read_parquet('{file}')" if file.endswith("parquet") else f"read_csv('{file}')"
    one = lambda sql: db.execute(sql).fetchone()
    db.execute(f"""
        create temp table cut as
        with ordered as (
            select hash(visitor_id) as visitor, epoch_us(ts) as t, event,
                   coalesce(epoch_us(ts) - lag(epoch_us(ts)) over same > {GAP}, true) as starts
            from {source} window same as (partition by visitor_id order by ts)),
        numbered as (select visitor, t, event, sum(starts::int) over (partition by visitor order by t rows unbounded preceding) as session from ordered)
        select visitor, session, event, t, row_number() over inside as place, lead(event) over inside as next
        from numbered window inside as (partition by visitor, session order by t)""")
    sessions, events, mean = one("""
        select count(*), sum(n), avg(length) / 1e6
        from (select count(*) as n, max(t) - min(t) as length from cut group by visitor, session)""")
    started, abandoned = one("""
        select count(*) filter (started), count(*) filter (started and not paid)
        from (select bool_or(event = 'begin_checkout') as started, bool_or(event = 'purchase') as paid from cut group by visitor, session)""")
    return {
        "sessions": sessions,
        "events": int(events),
        "mean_s": round(mean, 3),
        "transitions": one("select count(*) from (select distinct event, next from cut where next is not null)")[0],
        "flow_links": one("select count(*) from (select distinct place, event, next from cut where place < 10 and next is not null)")[0],
        "checkout": [started, abandoned],
        "funnel": funnel(one, source),
    }


def funnel(one, source):
    """Per visitor and step: the latest start of an attempt that has come so far. One pass per step."""
    names = ", ".join(f"'{step}'" for step in STEPS)
    sql = f"""with step1 as (select visitor, t, step, case when step = 1 then t end as start1 from (
        select hash(visitor_id) as visitor, epoch_us(ts) as t, list_position([{names}], event) as step
        from {source} where event in ({names})))"""
    for step in range(2, len(STEPS) + 1):
        before = f"max(start{step - 1}) over earlier"
        sql += f""", step{step} as (select *, case when step = {step} and t - {before} <= {WINDOW} then {before} end as start{step}
            from step{step - 1} window earlier as (partition by visitor order by t rows between unbounded preceding and 1 preceding))"""
    counts = ", ".join(f"count(distinct visitor) filter (start{step} is not null)" for step in range(1, len(STEPS) + 1))
    return list(one(f"{sql} select {counts} from step{len(STEPS)}"))


def main():
    if sys.argv[1] == "--duckdb":
        print(json.dumps(duckdb_job(sys.argv[2], int(sys.argv[3]))))
        return
    program, file = sys.argv[1], sys.argv[2]
    rounds = int(sys.argv[3]) if len(sys.argv) > 3 else 5
    threads = int(sys.argv[4]) if len(sys.argv) > 4 else 2
    runs = {"clickpath": [], "duckdb": []}
    for _ in range(rounds):
        runs["clickpath"].append(clickpath(program, file, threads))
        runs["duckdb"].append(duckdb(file, threads))
    print(f"{file}, {threads} threads, {rounds} rounds, load {os.getloadavg()[0]:.2f}")
    for engine, results in runs.items():
        seconds = sorted(result[0] for result in results)
        peak = max(result[1] for result in results)
        print(f"{engine:10} {statistics.median(seconds):7.2f} s  ({seconds[0]:.2f} to {seconds[-1]:.2f})  {peak:.2f} GB")
    medians = [statistics.median(result[0] for result in results) for results in runs.values()]
    print(f"ratio      {medians[1] / medians[0]:7.1f} ×")
    ours, theirs = runs["clickpath"][0][2], runs["duckdb"][0][2]
    for key, value in ours.items():
        print(f"{key:12} {value} {'agrees' if value == theirs[key] else f'DIFFERS: {theirs[key]}'}")


if __name__ == "__main__":
    main()
