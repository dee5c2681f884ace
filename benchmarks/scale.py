"""`python -m benchmarks.scale`: what a second worker brings, on requests a CPU second.

One worker alone, then two at once on the same database, each with a load of its own, in turns. With two cores the
workers share them with PostgreSQL and the load, so requests a second say little; what a request costs says whether
workers stand in each other's way (locks, caches, a shared log). 1.7x on free cores means at most 1.18x the cost.
"""

import argparse
import asyncio
import statistics
from concurrent.futures import ThreadPoolExecutor

from benchmarks import client, machine, workloads
from benchmarks.stage import Stage, prepare


def costs(stage: Stage, servers: list[machine.Server], w: str, seconds: float) -> tuple[float, float]:
    """CPU milliseconds a request, workers and PostgreSQL together, and requests a second."""
    sides = [workloads.sides(stage, server.url, server.url)[1] for server in servers]
    asked = [(side.url, side.calls(w), side.headers(w), stage.config.data / str(i)) for i, side in enumerate(sides)]
    for _, _, _, folder in asked:
        folder.mkdir(exist_ok=True)
    pids = [stage.database_pid, *(server.pid for server in servers)]
    before = sum(map(machine.cpu_seconds, pids))
    with ThreadPoolExecutor() as pool:
        done = list(pool.map(lambda a: client.replay(*a[:3], seconds, a[3]), asked))
    spent, n = sum(map(machine.cpu_seconds, pids)) - before, sum(answers.requests for answers in done)
    assert not any(answers.errors for answers in done)
    return spent * 1000 / n, sum(answers.rate for answers in done)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scale", description=__doc__)
    parser.add_argument("--cases", type=int, default=100_000)
    parser.add_argument("--log", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=4)
    parser.add_argument("--workloads", default="W1,W2,W3")
    chosen = parser.parse_args()
    stage = prepare(chosen.cases, chosen.log)
    servers = [stage.hub(), stage.hub()]
    machine.pin(servers[1].pid, machine.REST_CORE)
    try:
        (version,) = asyncio.run(stage.sql("SELECT version() AS v"))
        print(", ".join(f"{k} {v}" for k, v in machine.description(version["v"]).items()))
        for w in chosen.workloads.split(","):
            costs(stage, servers, w, 1)
            rounds = [
                (costs(stage, servers[:1], w, chosen.seconds), costs(stage, servers, w, chosen.seconds))
                for _ in range(chosen.rounds)
            ]
            one, two = (statistics.median(r[i][0] for r in rounds) for i in (0, 1))
            rates = [statistics.median(r[i][1] for r in rounds) for i in (0, 1)]
            gain = 2 * statistics.median(r[0][0] / r[1][0] for r in rounds)
            print(
                f"{w}: {one:.3f} ms a request with one worker, {two:.3f} with two: {gain:.2f}x where cores allow"
                f" (goal 1.7); {rates[0]:.0f}/s and {rates[1]:.0f}/s on {len(machine.CORES)} cores"
            )
    finally:
        for server in servers:
            server.stop()
        stage.embedded.stop()


if __name__ == "__main__":
    main()
