"""`python -m benchmarks.sizes`: what a request costs beside ten and a hundred times as many cases and log entries.

Each size is a database of its own, filled once, and a hub of its own, in turns. A million cases take 25 minutes and
45 GB to fill. With fewer than a million entries a page of the log would not be full.
"""

import argparse
import asyncio
import statistics

from benchmarks import machine, workloads
from benchmarks.__main__ import measure
from benchmarks.stage import Stage, prepare

GOAL = 1.3
"""The dearest size over the cheapest, at most."""
ENTRIES, FEWEST = 10, 1_000_000
"""Entries of the log a case, and at least."""


def compare(stages: list[Stage], chosen: list[str], rounds: int, seconds: float) -> None:
    servers = [stage.hub() for stage in stages]
    try:
        sides = [workloads.sides(stage, at.url, at.url)[1] for stage, at in zip(stages, servers, strict=True)]
        turns = list(zip(stages, sides, servers, strict=True))
        for w in chosen:
            for turn in turns:
                measure(*turn, w, 0, 1)
            found = [[measure(*turn, w, n, seconds) for turn in turns] for n in range(rounds)]
            assert not any(m.errors for many in found for m in many)
            costs = [statistics.median(m.cpu_ms for m in many) for many in zip(*found, strict=True)]
            spread = statistics.median(max(c) / min(c) for c in ([m.cpu_ms for m in many] for many in found))
            of = ", ".join(f"{cost:.3f} ms at {stage.cases:,}" for cost, stage in zip(costs, stages, strict=True))
            print(
                f"{w}: {of}; dearest over cheapest {max(costs) / min(costs):.2f}, of a round {spread:.2f} (goal {GOAL})"
            )
    finally:
        for server in servers:
            server.stop()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.sizes", description=__doc__)
    parser.add_argument(
        "--cases", default="10000,100000,1000000", help="sizes, each with ten entries a case, a million at least"
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3)
    parser.add_argument("--workloads", default="W1,W2,W5")
    chosen = parser.parse_args()
    stages = [prepare(cases, max(FEWEST, cases * ENTRIES)) for cases in map(int, chosen.cases.split(","))]
    machine.pin(stages[0].database_pid, machine.REST_CORE)
    try:
        (version,) = asyncio.run(stages[0].sql("SELECT version() AS v"))
        print(", ".join(f"{k} {v}" for k, v in machine.description(version["v"]).items()))
        compare(stages, chosen.workloads.split(","), chosen.rounds, chosen.seconds)
    finally:
        stages[0].embedded.stop()


if __name__ == "__main__":
    main()
