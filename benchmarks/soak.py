"""`python -m benchmarks.soak`: forty submissions a second for ten minutes beside reads: memory and failures.

Submissions leave on a clock, whether or not earlier ones were answered; two readers open cases and lists as fast as
they are answered. Memory of the worker is taken each half minute; growth is the last third against the middle one.
"""

import argparse
import asyncio
import itertools
import statistics
import time
from collections import Counter
from collections.abc import Iterator
from uuid import uuid4

import httpx

from benchmarks import machine, workloads
from benchmarks.client import FRESH, Call
from benchmarks.stage import prepare
from benchmarks.workloads import Side

LIMITS = httpx.Limits(max_connections=64, max_keepalive_connections=64)


class Soak:
    """One run: what was answered, by workload and status, and the memory measured."""

    def __init__(self, hub: Side, pid: int) -> None:
        self.hub, self.pid = hub, pid
        self.answers: Counter[tuple[str, int]] = Counter()
        self.times: dict[str, list[float]] = {"W1": [], "W2": [], "W3": []}
        self.memory: list[float] = []

    async def ask(self, http: httpx.AsyncClient, w: str, call: Call) -> None:
        headers = {k: uuid4().hex if v == FRESH else v for k, v in self.headers[w].items()}
        begun = time.perf_counter()
        try:
            answer = await http.request(call.method, call.path, content=call.body, headers=headers)
            self.answers[w, answer.status_code] += 1
        except httpx.HTTPError:
            self.answers[w, 0] += 1
        self.times[w].append((time.perf_counter() - begun) * 1000)

    async def submit(self, http: httpx.AsyncClient, rate: float, until: float) -> None:
        forms, running = itertools.chain.from_iterable(self.hub.calls("W3") for _ in itertools.count()), set()
        due = time.monotonic()
        while due < until:
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            task = asyncio.create_task(self.ask(http, "W3", next(forms)))
            running.add(task)
            task.add_done_callback(running.discard)
            due += 1 / rate
        await asyncio.gather(*running)

    async def read(self, http: httpx.AsyncClient, w: str, calls: Iterator[Call], until: float) -> None:
        while time.monotonic() < until:
            await self.ask(http, w, next(calls))

    async def watch(self, until: float) -> None:
        while time.monotonic() < until:
            self.headers = {w: await asyncio.to_thread(self.hub.headers, w) for w in self.times}
            self.memory.append(machine.resident_mb(self.pid))
            print(f"  {self.memory[-1]:.0f} MB, {sum(self.answers.values()):,} answered", flush=True)
            await asyncio.sleep(30)

    async def run(self, rate: float, seconds: float) -> None:
        self.headers = {w: self.hub.headers(w) for w in self.times}
        until = time.monotonic() + seconds
        async with httpx.AsyncClient(base_url=self.hub.url, limits=LIMITS, timeout=30) as http:
            readers = [self.read(http, w, itertools.cycle(self.hub.calls(w)), until) for w in ("W1", "W2")]
            await asyncio.gather(self.submit(http, rate, until), self.watch(until), *readers)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak", description=__doc__)
    parser.add_argument("--cases", type=int, default=100_000)
    parser.add_argument("--log", type=int, default=1_000_000)
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--rate", type=float, default=40)
    chosen = parser.parse_args()
    stage = prepare(chosen.cases, chosen.log)
    server = stage.hub()
    try:
        soak = Soak(workloads.sides(stage, server.url, server.url)[1], server.pid)
        asyncio.run(soak.run(chosen.rate, chosen.seconds))
    finally:
        server.stop()
        stage.embedded.stop()
    failed = sum(n for (_, status), n in soak.answers.items() if not 200 <= status < 300)
    third = len(soak.memory) // 3 or 1
    middle, last = statistics.mean(soak.memory[third : 2 * third] or soak.memory), statistics.mean(soak.memory[-third:])
    for w, times in soak.times.items():
        times.sort()
        p50, p99 = times[len(times) // 2], times[len(times) * 99 // 100]
        print(f"{w}: {len(times):,} answered, p50 {p50:.1f} ms, p99 {p99:.1f} ms")
    print(f"failed: {failed}; memory {middle:.0f} MB in the middle third, {last:.0f} MB in the last")
    if failed:
        raise SystemExit(f"FAILED: {dict(soak.answers)}")


if __name__ == "__main__":
    main()
