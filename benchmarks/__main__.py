"""`python -m benchmarks`: the hub and the bare reference in one run, in turns, and what one costs of the other."""

import argparse
import asyncio
import json
import statistics
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import orjson

from benchmarks import client, machine, workloads
from benchmarks.stage import Stage, prepare
from benchmarks.workloads import Side, W

RESULTS = Path(__file__).with_name("results.json")
GOALS = {"W1": 1.5, "W2": 1.3, "W3": 1.6, "W4": 1.5, "W5": 1.2, "W6": 1.5}
"""CPU of the hub over CPU of the reference, at most."""


@dataclass(frozen=True, slots=True)
class Measured:
    """One side, one workload, one round. CPU is milliseconds a request, of the server and of PostgreSQL."""

    side: str
    workload: str
    round: int
    app_ms: float
    database_ms: float
    rate: float
    p50: float
    p99: float
    errors: int
    entries: float
    transactions: float

    @property
    def cpu_ms(self) -> float:
        return self.app_ms + self.database_ms


def counters(stage: Stage, server: machine.Server) -> tuple[float, float]:
    return machine.cpu_seconds(server.pid), machine.cpu_seconds(stage.database_pid)


def database_counts(stage: Stage) -> tuple[int, int]:
    """Entries in the log and transactions committed, once PostgreSQL has summed its statistics."""
    time.sleep(1.1)
    name = stage.owner_url.partition("?")[0].rpartition("/")[2]
    (entries,) = asyncio.run(stage.sql("SELECT count(*) AS n FROM access_log"))
    (done,) = asyncio.run(stage.sql("SELECT xact_commit AS n FROM pg_stat_database WHERE datname = $1", name))
    return entries["n"], done["n"]


def measure(stage: Stage, side: Side, server: machine.Server, w: str, number: int, seconds: float) -> Measured:
    headers, before = side.headers(w), database_counts(stage)
    calls = [] if w == "W4" else side.calls(w)
    app, database = counters(stage, server)
    if w == "W4":
        answers = client.follow(side.url, side.script(), headers, seconds)
    else:
        answers = client.replay(side.url, calls, headers, seconds, stage.config.data)
    app_after, database_after = counters(stage, server)
    entries, done = (b - a for a, b in zip(before, database_counts(stage), strict=True))
    n = answers.requests
    cpu = ((app_after - app) * 1000 / n, (database_after - database) * 1000 / n)
    speed = (answers.rate, answers.p50, answers.p99, answers.errors)
    return Measured(side.name, w, number, *cpu, *speed, entries / n, done / n)


def rounds(stage: Stage, chosen: list[str], count: int, seconds: float) -> list[Measured]:
    """Round 0 warms up and is not counted; within a round the sides alternate."""
    servers = {"limit": stage.limit(), "hub": stage.hub()}
    machine.pin(stage.database_pid, machine.REST_CORE)
    found = []
    try:
        both = workloads.sides(stage, servers["hub"].url, servers["limit"].url)
        for w in chosen:
            look(stage, both, w)
            for number in range(count + 1):
                for side in both:
                    made = measure(stage, side, servers[side.name], w, number, seconds if number else 1)
                    if number:
                        found.append(made)
                        show_round(made)
    finally:
        for server in servers.values():
            server.stop()
    return found


def look(stage: Stage, both: tuple[Side, ...], w: str) -> None:
    """Show what one answer holds, so that a side that answers less, or too much, is seen."""
    if w == "W3":
        return
    for side in both:
        call = next(side.script()) if w == "W4" else side.calls(w)[0]
        status, body = client.once(side.url, call, side.headers(w))
        if status != 200:
            raise SystemExit(f"{side.name} {w}: {status} {body[:300]!r}")
        answer = orjson.loads(body)
        items = answer.get("items", [answer]) if isinstance(answer, dict) else answer
        leaves = _leaves(items[0]) if items else 0
        print(f"  {w} {side.name}: {len(body):,} bytes, {len(items)} items of {leaves} values", file=sys.stderr)


def _leaves(value: Any) -> int:
    if isinstance(value, dict):
        return sum(_leaves(v) for k, v in value.items() if k not in ("masked", "withheld"))
    return sum(map(_leaves, value)) if isinstance(value, list) else 1


def show_round(m: Measured) -> None:
    print(
        f"  {m.workload} round {m.round} {m.side:5} {m.cpu_ms:8.3f} ms ({m.app_ms:.3f} + {m.database_ms:.3f})"
        f" {m.rate:8.0f}/s p50 {m.p50:7.2f} p99 {m.p99:7.2f} entries {m.entries:.2f} commits {m.transactions:.2f}"
        f" errors {m.errors}",
        file=sys.stderr,
    )


def summary(found: list[Measured]) -> list[dict[str, Any]]:
    """A line a workload: medians of the rounds, and the ratio of each round with its quartiles."""
    lines = []
    for w in dict.fromkeys(m.workload for m in found):
        by = {side: [m for m in found if m.workload == w and m.side == side] for side in ("limit", "hub")}
        ratios = sorted(h.cpu_ms / r.cpu_ms for h, r in zip(by["hub"], by["limit"], strict=True))
        quartiles = statistics.quantiles(ratios, n=4, method="inclusive") if len(ratios) > 1 else ratios * 3
        line: dict[str, Any] = {"workload": w, "ratio": quartiles[1], "q1": quartiles[0], "q3": quartiles[2]}
        line |= {"goal": GOALS[w]}
        for side, many in by.items():
            for name in ("cpu_ms", "app_ms", "database_ms", "rate", "p50", "p99", "entries", "transactions"):
                line[f"{side}_{name}"] = statistics.median(getattr(m, name) for m in many)
        lines.append(line)
    return lines


def show(lines: list[dict[str, Any]]) -> None:
    print(f"{'':3} {'':38} {'CPU ms a request':>24} {'requests/s':>14} {'p50 / p99 ms (hub)':>20}")
    print(f"{'':3} {'':38} {'limit':>7} {'hub':>7} {'ratio':>8} {'limit':>7} {'hub':>6}")
    for x in lines:
        w, verdict = x["workload"], "met" if x["ratio"] <= x["goal"] else "NOT met"
        print(
            f"{w:3} {W[w]:38} {x['limit_cpu_ms']:7.3f} {x['hub_cpu_ms']:7.3f} {x['ratio']:7.2f}x"
            f" {x['limit_rate']:7.0f} {x['hub_rate']:6.0f} {x['hub_p50']:9.2f} / {x['hub_p99']:.2f}"
            f"   [{x['q1']:.2f}-{x['q3']:.2f}] goal {x['goal']} {verdict}"
        )


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--cases", type=int, default=100_000)
    parser.add_argument("--log", type=int, default=1_000_000, help="entries in the access log")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2, help="a side, a workload, a round")
    parser.add_argument("--workloads", default=",".join(W), help="such as W1,W3")
    chosen = parser.parse_args()
    stage = prepare(chosen.cases, chosen.log)
    try:
        (version,) = asyncio.run(stage.sql("SELECT version() AS v"))
        about = machine.description(version["v"])
        found = rounds(stage, chosen.workloads.split(","), chosen.rounds, chosen.seconds)
    finally:
        stage.embedded.stop()
    lines = summary(found)
    print("\n" + ", ".join(f"{k} {v}" for k, v in about.items()))
    show(lines)
    sizes = {"cases": chosen.cases, "log": chosen.log, "rounds": chosen.rounds, "seconds": chosen.seconds}
    result = {"machine": about, "sizes": sizes, "summary": lines, "rounds": [asdict(m) for m in found]}
    RESULTS.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
