#!/usr/bin/env python3
"""Runs answers.sql on shop.csv.gz and writes answers.json: per section the list of its rows.

Needs Python 3.9 or later and `pip install duckdb`. Three funnels whose steps overlap are answered here, by trying
every possible attempt; the funnels of answers.sql are counted a second time in the same way and must agree.
"""

import json
import os
from collections import Counter
from pathlib import Path
from statistics import median

import duckdb

FIVE = ["catalog", "product_view", "add_to_cart", "shipping_details", "purchase"]
THREE = ["product_view", "add_to_cart", "purchase"]
WEEK = 7 * 86400
MARCH = (1_709_251_200, 1_711_929_600)  # from 2024-03-01 to 2024-04-01, UTC

# Steps are alternatives separated by |, a hop is ">" (later, or at the same time) or ">>" (the very next event).
BY_TRYING_EVERYTHING = {
    "funnel_repeated_step": ("visitor", ["product_view", "product_view", "product_view", "add_to_cart"], ">", WEEK),
    "funnel_overlap": ("visitor", ["add_to_cart|cart", "cart|shipping_details", "shipping_details|add_to_cart", "purchase"], ">", 3600),
    "funnel_overlap_sessions": ("session", ["add_to_cart|cart", "cart|add_to_cart", "cart|purchase"], ">", None),
    "funnel_strict_sessions": ("session", ["add_to_cart", "cart", "shipping_details"], ">>", None),
}


def sections(text):
    """Splits the SQL into the preparation and the named queries."""
    setup, *rest = text.split("\n-- name: ")
    return setup, {name.strip(): sql for name, _, sql in (part.partition("\n") for part in rest)}


def rows(db, sql):
    cursor = db.execute(sql)
    columns = [column[0] for column in cursor.description]
    return [dict(zip(columns, row)) for row in cursor.fetchall()]


def reported_attempt(journey, steps, hop, within, entered=None):
    """The reported attempt of one journey, a list of (event, t) in journey order: positions of e1 … ek, or [].

    With `entered`, a pair of times, the first step must not lie before the first nor at or after the second. Every choice of different events is tried. Under ">" only the times must not go back, so events of one second may
    be used in any order. The best one is the deepest; of those the one that ends first; then the one that starts
    last; then the one with the earliest second, third … step; then the one with the earliest events.
    """
    wanted = [set(step.split("|")) for step in steps]
    times = [t for _, t in journey]
    best_key, best = (0,), []

    def extend(chosen):
        nonlocal best_key, best
        if chosen:
            t = [times[i] for i in chosen]
            key = (-len(chosen), t[-1], -t[0], t, chosen)
            if key < best_key:
                best_key, best = key, chosen
        if len(chosen) == len(wanted):
            return
        for i, (event, t) in enumerate(journey):
            if event not in wanted[len(chosen)] or i in chosen:
                continue
            if chosen and (t < times[chosen[-1]] or (within is not None and t - times[chosen[0]] > within)):
                continue
            if chosen and hop == ">>" and i != chosen[-1] + 1:
                continue
            if not chosen and entered and not entered[0] <= t < entered[1]:
                continue
            extend(chosen + [i])

    extend([])
    return best


def funnel(journeys, steps, hop, within, entered=None):
    """The same columns as the funnels of answers.sql, for a dictionary of journeys."""
    found = [[journey[i][1] for i in reported_attempt(journey, steps, hop, within, entered)] for journey in journeys.values()]
    answer = []
    for k, step in enumerate(steps):
        reached = [t for t in found if len(t) > k]
        previous = [t[k] - t[k - 1] for t in reached] if k else []
        first = [t[k] - t[0] for t in reached] if k else []
        row = {"number": k + 1, "step": step, "entered": len(reached), "stopped_here": sum(len(t) == k + 1 for t in reached)}
        for name, seconds in (("previous", previous), ("first", first)):
            ranked = sorted(seconds)
            row[f"from_{name}_mean_s"] = round(sum(seconds) / len(seconds), 6) if seconds else None
            row[f"from_{name}_median_s"] = float(median(seconds)) if seconds else None
            row[f"from_{name}_p90_s"] = ranked[(90 * len(ranked) + 99) // 100 - 1] if seconds else None
        answer.append(row)
    return answer


def journeys(db, grain, log="events"):
    found = {}
    for journey, event, t in db.execute(f"SELECT {grain}, event, t FROM {log} ORDER BY visitor, t, arrival").fetchall():
        found.setdefault(journey, []).append((event, t))
    return found


def check(answers, by_grain):
    """Laws that the answers must keep."""
    assert answers["funnel_five"] == funnel(by_grain["visitor"], FIVE, ">", WEEK)
    assert answers["funnel_three"] == funnel(by_grain["visitor"], THREE, ">", WEEK)
    assert answers["funnel_five_sessions"] == funnel(by_grain["session"], FIVE, ">", None)
    assert answers["funnel_five_mobile"] == funnel(by_grain["mobile visitor"], FIVE, ">", WEEK)
    assert answers["funnel_three_mobile_sessions"] == funnel(by_grain["mobile session"], THREE, ">", None)
    assert answers["funnel_three_entered"] == funnel(by_grain["visitor"], THREE, ">", WEEK, MARCH)
    for row in answers["funnel_five"]:
        assert row["entered"] == sum(by[row["step"]] for by in answers["funnel_five_by_platform"])
    # A path number equals the funnel number for the same neighbouring pair.
    hop = answers["strict_hop"][0]
    (pair,) = [row for row in answers["transitions_keep"] if (row["from"], row["to"]) == ("add_to_cart", "cart")]
    assert (hop["sessions_step_2"], hop["visitors_step_2"]) == (pair["sessions"], pair["visitors"])
    strict = funnel(by_grain["session"], ["add_to_cart", "cart"], ">>", None)
    assert [row["entered"] for row in strict] == [hop["sessions_step_1"], hop["sessions_step_2"]]
    # Flow: what comes in goes out, in every node of every column.
    links_in, links_out = Counter(), Counter()
    for row in answers["flow_links"]:
        links_out[row["position"], row["from"]] += row["count"]
        links_in[row["position"] + 1, row["to"]] += row["count"]
    for row in answers["flow_columns"]:
        place = row["position"], row["node"]
        assert row["through"] == row["entered"] + links_in[place] == links_out[place] + row["dropped"] + row["beyond"]
    # Graph: a node's occurrences are its transitions out plus its exits, and its transitions in plus its entries.
    out, into = Counter(), Counter()
    for row in answers["transitions"]:
        out[row["from"]] += row["count"]
        into[row["to"]] += row["count"]
    for row in answers["nodes"]:
        assert row["count"] == out[row["node"]] + row["exits"] == into[row["node"]] + row["entries"]
    # Every column of the step matrix holds every session, and so does the one around a node the sessions that have it.
    sessions = answers["sessions"][0]["sessions"]
    column, around = Counter(), Counter()
    for row in answers["matrix"]:
        column[row["position"]] += row["sessions"]
    for row in answers["matrix_around"] + answers["matrix_around_ends"]:
        around[row["position"]] += row["sessions"]
    (carts,) = [row["sessions"] for row in answers["nodes"] if row["node"] == "add_to_cart"]
    assert column == {position: sessions for position in range(1, 11)}
    assert around == {position: carts for position in range(-3, 4)}
    # What each session is once adds up to all of them.
    for fact in {row["fact"] for row in answers["sessions_by_fact"]} - {"day"}:
        assert sum(row["sessions"] for row in answers["sessions_by_fact"] if row["fact"] == fact) == sessions
    exits = {row["node"]: row["exits"] for row in answers["nodes"]}
    for row in answers["dropoff"]:
        assert row["dropped"] <= row["exits"] == exits[row["node"]]
    converting = answers["summary"][0]["converting_sessions"]
    assert sum(row["dropped"] for row in answers["dropoff"]) == sessions - converting
    for row in answers["abandonment_sessions"]:
        assert row["abandoned"] == row["recovered"] + row["too_recent"] + row["lost"]


def main():
    os.chdir(Path(__file__).resolve().parent)
    setup, queries = sections(Path("answers.sql").read_text(encoding="utf-8"))
    with duckdb.connect() as db:
        db.execute(setup)
        answers = {name: rows(db, sql) for name, sql in queries.items()}
        by_grain = {grain: journeys(db, grain) for grain in ("visitor", "session")}
        by_grain |= {f"mobile {grain}": journeys(db, grain, "mobile_events") for grain in ("visitor", "session")}
    for name, (grain, steps, hop, within) in BY_TRYING_EVERYTHING.items():
        answers[name] = funnel(by_grain[grain], steps, hop, within)
    check(answers, by_grain)
    blocks = []
    for name, found in answers.items():
        lines = ",\n".join("    " + json.dumps(row, ensure_ascii=False) for row in found)
        blocks.append(f"  {json.dumps(name)}: [\n{lines}\n  ]")
    Path("answers.json").write_text("{\n" + ",\n".join(blocks) + "\n}\n", encoding="utf-8")
    print(f"answers.json: {len(answers)} sections")


if __name__ == "__main__":
    main()
