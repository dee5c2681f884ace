"""`python -m benchmarks.reports`: one-click reports accepted a second, every one of them found on disk afterwards.

After the load the server is killed, so that only what was durable counts: rows in the database and, were the
database too slow, reports in the sealed spool.
"""

import argparse
import asyncio
import random

import orjson

from benchmarks import client, machine, sample
from benchmarks.client import Call
from benchmarks.stage import Stage, prepare

COUNT = "SELECT (SELECT count(*) FROM receipt) AS receipts, (SELECT count(*) FROM access_log) AS entries"


def bodies(count: int) -> list[Call]:
    """Reports by strangers: a place, a few words; some say who is hurt."""
    dice, region = random.Random(1), next(p.code for p in sample.places() if p.level == "community")
    made = []
    for i in range(count):
        body = {"place": sample.words(dice, 20), "region": region, "what": sample.words(dice, 60)}
        body |= {"happening_now": True} if i % 3 else {"victim_name": sample.person(i, "female")["name"]}
        made.append(Call("POST", "/v1/reports", orjson.dumps(body)))
    return made


def run(stage: Stage, seconds: float, connections: int) -> None:
    server = stage.hub()
    machine.pin(stage.database_pid, machine.REST_CORE)
    calls = bodies(2_000)
    client.replay(server.url, calls, {}, 1, stage.config.data, connections)
    (before,), waiting = asyncio.run(stage.sql(COUNT)), _spooled(stage)
    app, database = machine.cpu_seconds(server.pid), machine.cpu_seconds(stage.database_pid)
    answers = client.replay(server.url, calls, {}, seconds, stage.config.data, connections)
    n = answers.requests
    app, database = machine.cpu_seconds(server.pid) - app, machine.cpu_seconds(stage.database_pid) - database
    server.process.kill()
    server.process.wait()
    (after,) = asyncio.run(stage.sql(COUNT))
    receipts, spooled = after["receipts"] - before["receipts"], _spooled(stage) - waiting
    print(f"{n:,} accepted in {answers.seconds:.1f} s: {answers.rate:,.0f}/s (goal 1,000), errors {answers.errors}")
    print(f"p50 {answers.p50:.1f} ms, p99 {answers.p99:.1f} ms; CPU {(app + database) * 1000 / n:.2f} ms a report")
    print(f"on disk after kill -9: {receipts:,} receipts, {after['entries'] - before['entries']:,} entries")
    print(f"in the spool: {spooled:,}")
    if receipts + spooled < n - answers.errors:
        raise SystemExit("LOST: fewer reports on disk than were answered")


def _spooled(stage: Stage) -> int:
    """Reports that wait in whole spool files, a line each."""
    return sum(len(path.read_bytes().split()) for path in stage.config.spool.glob("*.sealed"))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.reports", description=__doc__)
    parser.add_argument("--cases", type=int, default=100_000)
    parser.add_argument("--log", type=int, default=1_000_000)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--connections", type=int, default=64, help="how many report at once")
    chosen = parser.parse_args()
    stage = prepare(chosen.cases, chosen.log)
    try:
        run(stage, chosen.seconds, chosen.connections)
    finally:
        stage.embedded.stop()


if __name__ == "__main__":
    main()
