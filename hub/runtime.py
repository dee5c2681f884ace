"""What a command or a server stands on: its database (HUB_DATABASE_URL, else the embedded one), its key, its socket."""

import asyncio
import atexit
import errno
import os
import shutil
import socket
import sys
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TextIO, cast

import structlog
import uvicorn
from fastapi import FastAPI

from hub import keyfile, migrations
from hub.embedded import Embedded, open_embedded
from hub.settings import Settings

_started: list[Embedded] = []


def with_database(config: Settings) -> Settings:
    """Settings whose database answers. The embedded one is started when needed, and stopped at exit by
    the process that started it; its schema is kept up to date."""
    if config.database_url:
        return config
    embedded = open_embedded(config.data / "pg", config.pg_bin).start()
    if embedded.process is not None:
        _started.append(embedded)
        atexit.register(_stop_all)
    migrations.upgrade(embedded.owner_url)
    return replace(config, database_url=embedded.app_url, owner_url=embedded.owner_url)


def _stop_all() -> None:
    while _started:
        _started.pop().stop()


def with_key(config: Settings) -> Settings:
    """Make the demo's key file when there is none; elsewhere an operator makes it with `hub keys create`."""
    if config.demo and not config.key_file.exists():
        keyfile.create(config.key_file, demo=True)
    return config


class Lines:
    """Standard output for the log's lines. Where it cannot be written (nobody reads the pipe, a full disk) a line is
    lost, and the work that it tells of goes on."""

    def write(self, text: str) -> None:
        with suppress(OSError, ValueError):
            sys.stdout.write(text)

    def flush(self) -> None:
        with suppress(OSError, ValueError):
            sys.stdout.flush()


def log_to_stdout() -> None:
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(cast(TextIO, Lines())))


class Stopped(RuntimeError):
    """A command cannot go on with what there is; the text says what to do."""


def listen(host: str, port: int) -> socket.socket:
    """Take the port before anything else, so that a busy one is said at once."""
    listening = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
        listening.listen(2048)  # two that bind the same port both succeed until one listens
    except OSError as error:
        listening.close()
        if error.errno == errno.EADDRINUSE:
            raise Stopped(
                f"端口 {port} 已被占用，用 --port 另选。Port {port} is in use; choose another: --port"
            ) from None
        why = error.strerror or "no such host"
        raise Stopped(f"无法监听 {host} 的端口 {port}，请检查 --host、--port。Cannot listen there: {why}") from None
    return listening


def socket_path(path: str) -> str:
    """Where a unix socket can be made; what is no socket is left alone, and one on which somebody listens too."""
    there = Path(path).absolute()
    if not os.access(there.parent, os.W_OK) or (there.exists() and not there.is_socket()):
        raise Stopped(f"无法在 {there} 建套接字：请检查目录与权限（--uds）。No socket can be made there: check --uds")
    with socket.socket(socket.AF_UNIX) as trying:
        trying.settimeout(1)
        if trying.connect_ex(str(there)) not in (errno.ENOENT, errno.ECONNREFUSED):  # refused: nobody's any more
            raise Stopped(f"套接字 {there} 已被占用，用 --uds 另选。It is in use; choose another: --uds")
    return path


def server_of(app: FastAPI, uds: str = "") -> uvicorn.Server:
    """What serves the application on a socket that `listen` made, or on the unix socket `uds`. No access log: paths
    hold receipts and ids."""
    return uvicorn.Server(
        uvicorn.Config(
            app,
            uds=uds or None,
            log_level="warning",
            access_log=False,
            server_header=False,
            proxy_headers=False,
            http="httptools",
            timeout_graceful_shutdown=20,  # seconds for what is under way; systemd waits thirty
        )
    )


async def watched(server: uvicorn.Server) -> None:
    """Tell systemd when the server listens, then that the process still turns (sd_notify(3), `WatchdogSec`): one that
    hangs, which nobody else would notice, is begun anew. Does nothing where systemd did not ask."""
    while not server.started:
        await asyncio.sleep(0.05)
    _notify("READY=1")
    pause = int(os.environ.get("WATCHDOG_USEC") or 0) / 3e6
    while pause:
        _notify("WATCHDOG=1")
        await asyncio.sleep(pause)


def _notify(state: str) -> None:
    place = os.environ.get("NOTIFY_SOCKET", "")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as telling, suppress(OSError):
        telling.sendto(state.encode(), f"\0{place[1:]}" if place.startswith("@") else place)


def set_aside(config: Settings) -> Path:
    """Move the embedded database and the demo's files out of the way; nothing is deleted but what was moved there
    before. The database is started anew by `with_database`."""
    _stop_all()
    embedded = open_embedded(config.data / "pg", config.pg_bin)
    if embedded.home.exists() and embedded.running():
        raise Stopped(
            "演示数据库正由另一进程使用，请先停止它。Another process uses the demo's database: stop that first."
        )
    for path in (embedded.home, config.data / "demo"):
        aside = path.with_name(f"{path.name}.old")
        shutil.rmtree(aside, ignore_errors=True)
        with suppress(FileNotFoundError):
            path.rename(aside)
    return embedded.home.with_name(f"{embedded.home.name}.old")
