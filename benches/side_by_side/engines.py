#!/usr/bin/env python3
"""The journey job in other engines, as somebody who knows each of them well would write it.

usage: engines.py plain|duckdb|clickhouse|polars FILE [THREADS]

FILE has the columns visitor_id, ts and event. What comes out is one line of JSON, the same for all engines:

  sessions, events   a session ends at a gap of over 30 minutes
  duration_s         the mean of a session's last time minus its first, to a millisecond
  bounce             the share of sessions with one event, to six digits
  transitions        [event, next event of the session, count]
  flow               [position, event, next event, count] of the first ten events of sessions
  paths              [events of the whole session, count], the twenty most frequent
  checkout           sessions with begin_checkout, and those of them without a purchase
  funnel             visitors by step reached, all steps within 7 days of the first

`plain` needs no package: it does the job step by step, as it is defined, and is the judge of the others.
"""
import collections
import json
import sys

STEPS = ["view_item", "add_to_cart", "begin_checkout", "add_payment_info", "purchase"]
GAP, WINDOW, DEPTH = 30 * 60 * 10**6, 7 * 86400 * 10**6, 10


def answer(sessions, events, mean_us, bounce, transitions, flow, paths, checkout, funnel):
    rows = lambda table: sorted([*row[:-1], int(row[-1])] for row in table)
    paths = sorted(([list(path), int(count)] for path, count in paths), key=lambda row: (-row[1], row[0]))
    return {
        "sessions": int(sessions), "events": int(events), "duration_s": round(float(mean_us) / 1e6, 3), "bounce": round(float(bounce), 6),
        "transitions": rows(transitions), "flow": rows([int(row[0]), *row[1:]] for row in flow), "paths": paths[:20],
        "checkout": [int(count) for count in checkout], "funnel": [int(count) for count in funnel],
    }


def plain(file, _threads):
    """CSV alone, one event at a time."""
    import csv
    from datetime import datetime

    visitors = collections.defaultdict(list)
    epoch = datetime.fromisoformat("1970-01-01T00:00:00+00:00")
    with open(file, newline="") as lines:
        for row in csv.DictReader(lines):
            since = datetime.fromisoformat(row["ts"].replace("Z", "+00:00")) - epoch
            visitors[row["visitor_id"]].append(((since.days * 86400 + since.seconds) * 10**6 + since.microseconds, row["event"]))
    transitions, flow, paths, funnel = (collections.Counter() for _ in range(4))
    sessions = events = length = bounces = started = abandoned = 0
    for journey in visitors.values():
        journey.sort(key=lambda event: event[0])
        cuts = [at for at in range(1, len(journey)) if journey[at][0] - journey[at - 1][0] > GAP]
        for begin, end in zip([0, *cuts], [*cuts, len(journey)]):
            names = [name for _, name in journey[begin:end]]
            sessions, events, bounces = sessions + 1, events + len(names), bounces + (len(names) == 1)
            length += journey[end - 1][0] - journey[begin][0]
            transitions.update(zip(names, names[1:]))
            flow.update((at + 1, *pair) for at, pair in enumerate(zip(names[:DEPTH], names[1:DEPTH])))
            paths[tuple(names)] += 1
            if "begin_checkout" in names:
                started, abandoned = started + 1, abandoned + ("purchase" not in names)
        funnel[depth(journey)] += 1
    table = lambda counter: [[*key, count] for key, count in counter.items()]
    reached = [sum(count for level, count in funnel.items() if level >= step) for step in range(1, len(STEPS) + 1)]
    return answer(sessions, events, length / sessions, bounces / sessions, table(transitions), table(flow), paths.items(),
                  [started, abandoned], reached)


def depth(journey):
    """How many steps the best attempt does: for each number of steps the latest first step of an attempt that has done them."""
    latest = [None] * (len(STEPS) + 1)
    for time, name in journey:
        if name not in STEPS:
            continue
        step = STEPS.index(name)
        first = time if step == 0 else latest[step]
        if first is not None and time - first <= WINDOW:
            latest[step + 1] = first
    return max((done for done in range(len(latest)) if latest[done] is not None), default=0)


def duckdb(file, threads):
    import duckdb as engine

    db = engine.connect()
    db.execute(f"set threads = {threads}; set enable_progress_bar = false; set preserve_insertion_order = false")
    source = f"read_parquet('{file}')" if file.endswith("parquet") else f"read_csv('{file}')"
    rows = lambda sql: db.execute(sql).fetchall()
    # Read once, with names as an enumeration and times as integers.
    names = ["page_view", "view_item_list", "view_item", "search", *STEPS[1:3], "add_shipping_info", *STEPS[3:]]
    db.execute(f"create type name as enum ({', '.join(map(repr, names))})")
    db.execute(f"""
        create temp table cut as
        with read as (select hash(visitor_id) as visitor, epoch_us(ts) as t, event::name as event from {source}),
        gaps as (select *, t - lag(t) over (partition by visitor order by t) as gap from read),
        numbered as (
            select visitor, t, event,
                   count(*) filter (gap is null or gap > {GAP}) over (partition by visitor order by t rows unbounded preceding) as session
            from gaps)
        select visitor, session, t, event, row_number() over inside as place, lead(event) over inside as next
        from numbered window inside as (partition by visitor, session order by t)""")
    db.execute("""
        create temp table visits as
        select count(*) as n, max(t) - min(t) as length, list(event order by place) as path,
               bool_or(event = 'begin_checkout') as started, bool_or(event = 'purchase') as paid
        from cut group by visitor, session""")
    whole = rows("""select count(*), sum(n), avg(length), avg((n = 1)::int), count(*) filter (started), count(*) filter (started and not paid)
                    from visits""")[0]
    return answer(
        *whole[:4],
        rows("select event, next, count(*) from cut where next is not null group by all"),
        rows(f"select place, event, next, count(*) from cut where place < {DEPTH} and next is not null group by all"),
        rows("select path, count(*) as n from visits group by path order by n desc limit 30"),
        whole[4:],
        duckdb_funnel(rows),
    )


def duckdb_funnel(rows):
    """One pass per step: the latest start of an attempt that has come so far."""
    names = ", ".join(map(repr, STEPS))
    sql = f"""with step1 as (select visitor, t, step, case when step = 1 then t end as start1 from (
        select visitor, t, list_position([{names}], event::varchar) as step from cut where event in ({names})))"""
    for step in range(2, len(STEPS) + 1):
        before = f"max(start{step - 1}) over earlier"
        sql += f""", step{step} as (select *, case when step = {step} and t - {before} <= {WINDOW} then {before} end as start{step}
            from step{step - 1} window earlier as (partition by visitor order by t rows between unbounded preceding and 1 preceding))"""
    counts = ", ".join(f"count(distinct visitor) filter (start{step} is not null)" for step in range(1, len(STEPS) + 1))
    return rows(f"{sql} select {counts} from step{len(STEPS)}")[0]


def clickhouse(file, threads):
    from chdb import session

    db = session.Session()
    settings = f"""settings max_threads = {threads}, allow_suspicious_low_cardinality_types = 1,
        schema_inference_make_columns_nullable = 0, date_time_input_format = 'best_effort'"""
    source = f"file('{file}', 'Parquet')" if file.endswith("parquet") else f"file('{file}', 'CSVWithNames')"
    rows = lambda sql: json.loads(str(db.query(f"{sql} {settings}", "JSONCompact")))["data"]
    conditions = ", ".join(f"event = '{step}'" for step in STEPS)
    time = "toUnixTimestamp64Micro(ts)"
    db.query("create database if not exists journeys engine = Atomic")
    # Read once: each visitor's sessions as arrays of (time, event), and the funnel beside them.
    db.query(f"""
        create table journeys.visitors engine = Memory as
        select level, arraySplit((event, gap) -> gap > {GAP}, events, arrayDifference(events.1)) as visits
        from (
            select arraySort(event -> event.1, groupArray(({time}, event::LowCardinality(String)))) as events,
                   windowFunnel({WINDOW})(toUInt64({time}), {conditions}) as level
            from {source} group by visitor_id)
        {settings}""")
    visits = "(select arrayJoin(visits) as visit from journeys.visitors)"
    whole = rows(f"""
        select count(), sum(length(visit)), avg(visit[-1].1 - visit[1].1), avg(length(visit) = 1),
               countIf(has(visit.2, 'begin_checkout')), countIf(has(visit.2, 'begin_checkout') and not has(visit.2, 'purchase'))
        from {visits}""")[0]
    pairs = "arrayZip(arrayPopBack(visit.2), arrayPopFront(visit.2))"
    levels = rows("select level, count() from journeys.visitors group by level")
    return answer(
        *whole[:4],
        rows(f"select pair.1, pair.2, count() from (select arrayJoin({pairs}) as pair from {visits}) group by 1, 2"),
        rows(f"""select hop.1, hop.2.1, hop.2.2, count() from (
                     select arrayJoin(arraySlice(arrayZip(arrayEnumerate({pairs}), {pairs}), 1, {DEPTH - 1})) as hop from {visits})
                 group by 1, 2, 3"""),
        rows(f"select visit.2 as path, count() as n from {visits} group by path order by n desc limit 30"),
        whole[4:],
        [sum(int(count) for level, count in levels if int(level) >= step) for step in range(1, len(STEPS) + 1)],
    )


def polars(file, threads):
    import os

    os.environ["POLARS_MAX_THREADS"] = str(threads)
    import polars as pl

    col = pl.col
    source = pl.scan_parquet(file) if file.endswith("parquet") else pl.scan_csv(file, try_parse_dates=True)
    read = source.select(visitor=col("visitor_id").hash(), t=col("ts").dt.epoch("us"), event=col("event").cast(pl.Categorical))
    other = col("visitor") != col("visitor").shift()
    cut = read.sort("visitor", "t", maintain_order=True).with_columns(
        session=(other | (col("t") - col("t").shift() > GAP)).fill_null(True).cum_sum()
    )
    last = (col("session") != col("session").shift(-1)).fill_null(True)
    events = cut.with_columns(
        next=pl.when(~last).then(col("event").shift(-1)), place=pl.int_range(1, pl.len() + 1).over("session")
    ).collect(engine="streaming")
    visits = events.lazy().group_by("session").agg(
        n=pl.len(), length=col("t").last() - col("t").first(), path=col("event"),
        started=(col("event") == "begin_checkout").any(), paid=(col("event") == "purchase").any(),
    ).collect()
    hops = events.lazy().filter(col("next").is_not_null())
    whole = visits.select(
        pl.len(), sum=col("n").sum(), mean=col("length").mean(), one=(col("n") == 1).mean(),
        started=col("started").sum(), abandoned=(col("started") & ~col("paid")).sum(),
    ).row(0)
    text = lambda *columns: [col(column).cast(pl.String) for column in columns]
    paths = visits.lazy().select(path=col("path").cast(pl.List(pl.String)).list.join(">"))
    return answer(
        *whole[:4],
        hops.group_by("event", "next").len().with_columns(text("event", "next")).collect().rows(),
        hops.filter(col("place") < DEPTH).group_by("place", "event", "next").len().with_columns(text("event", "next")).collect().rows(),
        [(path.split(">"), n) for path, n in paths.group_by("path").len().sort("len", descending=True).head(30).collect().rows()],
        whole[4:],
        polars_funnel(pl, events),
    )


def polars_funnel(pl, events):
    """One pass per step: the latest start of an attempt that has come so far."""
    col = pl.col
    steps = events.lazy().filter(col("event").is_in(STEPS)).select("visitor", "t", event=col("event").cast(pl.String))
    steps = steps.with_columns(start1=pl.when(col("event") == STEPS[0]).then("t"))
    for step in range(2, len(STEPS) + 1):
        before = col(f"start{step - 1}").cum_max().forward_fill().shift().over("visitor")
        here = (col("event") == STEPS[step - 1]) & (col("t") - before <= WINDOW)
        steps = steps.with_columns(pl.when(here).then(before).alias(f"start{step}"))
    reached = [col(f"start{step}").is_not_null().any() for step in range(1, len(STEPS) + 1)]
    return steps.group_by("visitor").agg(reached).select(pl.exclude("visitor").sum()).collect().row(0)


ENGINES = {"plain": plain, "duckdb": duckdb, "clickhouse": clickhouse, "polars": polars}

if __name__ == "__main__":
    name, file = sys.argv[1:3]
    print(json.dumps(ENGINES[name](file, int(sys.argv[3]) if len(sys.argv) > 3 else 2)))
