"""The load: `wrk` when it is installed, else asyncio over plain sockets. Both replay the same requests."""

import asyncio
import itertools
import json
import os
import shutil
import subprocess
import time
from collections.abc import Generator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

from benchmarks.machine import REST_CORE

FRESH = "@"
"""A header value that stands for something new in every request."""
CONNECTIONS = 16


@dataclass(frozen=True, slots=True)
class Call:
    method: str
    path: str
    body: bytes = b""
    purpose: str = ""
    """Stated in this call, where those of one caller state several."""


Script = Generator[Call, bytes, None]
"""Yields calls and is sent each answer's body: how a client follows a cursor."""


@dataclass(slots=True)
class Answers:
    """What came back: times in milliseconds."""

    requests: int
    seconds: float
    p50: float
    p99: float
    bytes: int
    errors: int

    @property
    def rate(self) -> float:
        return self.requests / self.seconds


def replay(
    url: str, calls: list[Call], headers: dict[str, str], seconds: float, folder: Path, connections: int = CONNECTIONS
) -> Answers:
    """So many connections, round robin, for so many seconds."""
    if wrk := shutil.which("wrk"):
        return _wrk([wrk, f"-c{connections}", f"-d{seconds:.0f}s"], url, calls, headers, folder)
    turns = itertools.cycle(calls)

    def endless() -> Script:
        yield from turns

    return asyncio.run(_run(url, [endless() for _ in range(connections)], headers, seconds))


def follow(url: str, script: Script, headers: dict[str, str], seconds: float) -> Answers:
    """One connection, each request made from the answer before."""
    return asyncio.run(_run(url, [script], headers, seconds))


def once(url: str, call: Call, headers: dict[str, str]) -> tuple[int, bytes]:
    """One answer, for looking at."""
    return asyncio.run(_one(url, call, headers))


def _wrk(wrk: list[str], url: str, calls: list[Call], headers: dict[str, str], folder: Path) -> Answers:
    lines, heads = folder / "requests.txt", folder / "headers.txt"
    lines.write_text("".join(f"{c.method}\t{c.path}\t{c.purpose}\t{c.body.decode()}\n" for c in calls))
    heads.write_text("".join(f"{k}: {v}\n" for k, v in headers.items()))
    command = [*wrk, "-t1", "--latency", "--timeout", "30s"]
    command += ["-s", str(Path(__file__).with_name("replay.lua")), url]
    command += ["--", str(lines), str(heads), uuid4().hex[:12]]
    done = subprocess.run(
        command, capture_output=True, check=True, text=True, preexec_fn=lambda: os.sched_setaffinity(0, {REST_CORE})
    )
    return Answers(**json.loads(done.stdout.split("RESULT ")[1]))


@dataclass(slots=True)
class Connection:
    """One keep-alive HTTP/1.1 connection."""

    host: str
    port: int
    head: bytes
    reader: asyncio.StreamReader = field(init=False)
    writer: asyncio.StreamWriter = field(init=False)

    async def open(self) -> "Connection":
        self.reader, self.writer = await asyncio.open_connection(self.host, self.port, limit=2**24)
        return self

    async def send(self, call: Call) -> tuple[int, bytes]:
        head = self.head.replace(b": @\r", b": %b\r" % uuid4().hex.encode())
        head += f"Purpose-Of-Use: {call.purpose}\r\n".encode() if call.purpose else b""
        head += b"content-length: %d\r\n" % len(call.body) if call.body else b""
        self.writer.write(f"{call.method} {call.path} HTTP/1.1\r\n".encode() + head + b"\r\n" + call.body)
        answer = (await self.reader.readuntil(b"\r\n\r\n")).lower()
        size = int(answer.partition(b"content-length:")[2].split(b"\r", 1)[0] or 0)
        return int(answer[9:12]), await self.reader.readexactly(size)


async def _connect(url: str, headers: dict[str, str]) -> Connection:
    parts = urlsplit(url)
    assert parts.hostname and parts.port
    lines = {"host": parts.netloc} | headers
    return await Connection(
        parts.hostname, parts.port, "".join(f"{k}: {v}\r\n" for k, v in lines.items()).encode()
    ).open()


async def _one(url: str, call: Call, headers: dict[str, str]) -> tuple[int, bytes]:
    connection = await _connect(url, headers)
    answer = await connection.send(call)
    connection.writer.close()
    return answer


async def _run(url: str, scripts: list[Script], headers: dict[str, str], seconds: float) -> Answers:
    os.sched_setaffinity(0, {REST_CORE})
    times: list[float] = []
    counts = {"bytes": 0, "errors": 0}
    connections = [await _connect(url, headers) for _ in scripts]
    begun = time.perf_counter()

    async def one(connection: Connection, script: Script) -> None:
        call = next(script)
        while not times or time.perf_counter() - begun < seconds:
            sent = time.perf_counter()
            status, body = await connection.send(call)
            times.append((time.perf_counter() - sent) * 1000)
            counts["bytes"] += len(body)
            counts["errors"] += status >= 400
            call = script.send(body)
        connection.writer.close()

    await asyncio.gather(*map(one, connections, scripts))
    took = time.perf_counter() - begun
    times.sort()
    ranks = (times[len(times) // 2], times[len(times) * 99 // 100])
    return Answers(len(times), took, *ranks, **counts)
