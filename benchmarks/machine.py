"""Processes: started on their core, their CPU time counted to the nanosecond, ended by their own handle."""

import os
import platform
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path

CORES = sorted(os.sched_getaffinity(0))
APP_CORE, REST_CORE = CORES[0], CORES[-1]
TICKS = os.sysconf("SC_CLK_TCK")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _stat(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


def tree(root: int) -> list[int]:
    """A process and its living descendants."""
    children: dict[int, list[int]] = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                children.setdefault(int(_stat(int(entry))[1]), []).append(int(entry))
            except OSError:
                continue
    found, todo = [], [root]
    while todo:
        found.append(todo.pop())
        todo += children.get(found[-1], [])
    return found


def cpu_seconds(root: int) -> float:
    """Scheduler time of a tree: nanoseconds of every living thread, ticks of children already reaped."""
    total = 0.0
    for pid in tree(root):
        try:
            stat = _stat(pid)
            total += (int(stat[13]) + int(stat[14])) / TICKS
            for thread in Path(f"/proc/{pid}/task").iterdir():
                total += int((thread / "schedstat").read_text().split()[0]) / 1e9
        except OSError:
            continue
    return total


def resident_mb(root: int) -> float:
    """Resident memory of a process."""
    lines = Path(f"/proc/{root}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) / 1024


def pin(root: int, core: int) -> None:
    for pid in tree(root):
        for thread in Path(f"/proc/{pid}/task").iterdir():
            os.sched_setaffinity(int(thread.name), {core})


@dataclass(slots=True)
class Server:
    """One application server on the first core."""

    process: subprocess.Popen[bytes]
    url: str
    started: float = 0.0

    @property
    def pid(self) -> int:
        return self.process.pid

    def stop(self) -> None:
        self.process.send_signal(signal.SIGINT)
        self.process.wait(timeout=30)


def serve(arguments: list[str], port: int, health: str, log: Path, **environment: str) -> Server:
    """Start `python -m ...` pinned, and wait until it answers; `started` is how long that took."""
    begun = time.perf_counter()
    with log.open("ab") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", *arguments],
            env=os.environ | environment,
            stdout=output,
            stderr=output,
            preexec_fn=lambda: os.sched_setaffinity(0, {APP_CORE}),
        )
    server = Server(process, f"http://127.0.0.1:{port}")
    while process.poll() is None and time.perf_counter() - begun < 60:
        try:
            urllib.request.urlopen(server.url + health, timeout=2).close()
        except urllib.error.HTTPError:
            break
        except OSError:
            time.sleep(0.005)
        else:
            break
    if process.poll() is not None:
        raise SystemExit(f"{arguments[0]} did not start; see {log}")
    server.started = time.perf_counter() - begun
    return server


def description(postgres: str) -> dict[str, str]:
    """What the figures were measured on."""
    info = dict(
        line.split(":", 1) for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")
    )
    model = next(iter(info.values()), platform.machine()).strip()
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return {
        "date": time.strftime("%Y-%m-%d %H:%M"),
        "cpu": f"{len(CORES)} x {model}",
        "memory": f"{memory:.0f} GiB",
        "python": platform.python_version(),
        "postgresql": postgres.split(" (")[0].removeprefix("PostgreSQL "),
        "load at start": f"{os.getloadavg()[0]:.1f}",
    }
