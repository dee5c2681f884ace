"""Where a request's time goes: `python -m benchmarks.profile W1` samples the hub's process while it answers.

The application is called as uvicorn calls it, one request after another, so the figures hold everything but the
client's socket. Samples are taken every millisecond of CPU time: work in C counts for the function that called it.
"""

import argparse
import signal
import time
from collections import Counter
from collections.abc import MutableMapping
from dataclasses import replace
from types import CodeType, FrameType
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import uvloop

from benchmarks import workloads
from benchmarks.client import FRESH, Call
from benchmarks.stage import prepare
from hub.main import create_app

REPEAT = {"W1": 4_000, "W2": 400, "W3": 1_000, "W4": 40, "W5": 1_000, "W6": 4_000}
WARM = 50


def scope_of(call: Call, headers: dict[str, str]) -> dict[str, Any]:
    """What uvicorn would pass on."""
    parts, new = urlsplit(call.path), uuid4().hex
    headers = headers | ({"purpose-of-use": call.purpose} if call.purpose else {})
    lines = [(k.lower().encode(), (new if v == FRESH else v).encode()) for k, v in headers.items()]
    made = {"type": "http", "http_version": "1.1", "asgi": {"version": "3.0"}, "method": call.method}
    made |= {"path": parts.path, "raw_path": parts.path.encode(), "query_string": parts.query.encode()}
    return made | {"headers": lines, "scheme": "http", "root_path": "", "client": ("127.0.0.1", 1), "server": None}


async def send(app: Any, call: Call, headers: dict[str, str]) -> int:
    """One request; returns its status."""
    statuses = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": call.body, "more_body": False}

    async def answered(message: MutableMapping[str, Any]) -> None:
        statuses.append(message.get("status", 0))

    await app(scope_of(call, headers), receive, answered)
    return int(statuses[0])


class Sampler:
    """Counts, by function, the samples it was at work in (`own`) and those it was on the stack of (`total`)."""

    def __init__(self) -> None:
        self.own: Counter[CodeType] = Counter()
        self.total: Counter[CodeType] = Counter()
        self.cpu = 0.0

    def __enter__(self) -> "Sampler":
        signal.signal(signal.SIGPROF, self._take)
        signal.setitimer(signal.ITIMER_PROF, 0.001, 0.001)
        self.cpu = -time.process_time()
        return self

    def __exit__(self, *_: object) -> None:
        signal.setitimer(signal.ITIMER_PROF, 0)
        self.cpu += time.process_time()

    def _take(self, _: int, frame: FrameType | None) -> None:
        if frame is not None:
            self.own[frame.f_code] += 1
        seen = set()
        while frame is not None:
            seen.add(frame.f_code)
            frame = frame.f_back
        self.total.update(seen)

    def show(self, requests: int, lines: int) -> None:
        """Microseconds of CPU a request, by function."""
        each = self.cpu * 1e6 / requests / (sum(self.own.values()) or 1)
        print(f"{requests} requests, {self.cpu * 1000 / requests:.3f} ms of CPU each")
        for title, counts in (("by function", self.own), ("with what it calls", self.total)):
            print(f"\n{'us':>8} {'share':>6}  {title}")
            for code, count in counts.most_common(lines):
                place = "/".join(code.co_filename.split("/")[-3:])
                share = count / sum(self.own.values())
                print(f"{count * each:8.1f} {share:6.1%}  {code.co_qualname}  {place}:{code.co_firstlineno}")


async def run(app: Any, calls: list[Call], headers: dict[str, str], sampler: Sampler) -> None:
    async with app.router.lifespan_context(app):
        for warm in calls[:WARM]:
            await send(app, warm, headers)
        with sampler:
            for call in calls[WARM:]:
                status = await send(app, call, headers)
                assert status < 300, status


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.profile", description=__doc__)
    parser.add_argument("workload", choices=list(REPEAT))
    parser.add_argument("--cases", type=int, default=100_000)
    parser.add_argument("--log", type=int, default=1_000_000)
    parser.add_argument("--lines", type=int, default=40)
    chosen = parser.parse_args()
    stage, sampler = prepare(chosen.cases, chosen.log), Sampler()
    server = stage.hub()
    try:
        _, hub = workloads.sides(stage, server.url, server.url)
        headers, count = hub.headers(chosen.workload), REPEAT[chosen.workload] + WARM
        if chosen.workload == "W4":
            calls = [next(hub.script())] * count
        else:
            once = hub.calls(chosen.workload)
            calls = (once * (count // len(once) + 1))[:count]
        app = create_app(replace(stage.config, issuer=server.url))
        uvloop.run(run(app, calls, headers, sampler))
    finally:
        server.stop()
        stage.embedded.stop()
    sampler.show(REPEAT[chosen.workload], chosen.lines)


if __name__ == "__main__":
    main()
