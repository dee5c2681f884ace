"""Looking for canaries in whatever is left behind: in any encoding somebody might have written them in."""

import base64
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from hub.settings import Settings
from tests.conftest import free_port

ROOT = Path(__file__).resolve().parent.parent.parent


def _gbk(value: str) -> bytes:
    return value.encode("gb18030")


def forms(value: str) -> dict[str, bytes]:
    """How a text may look in a file: five character encodings, escaped, hexadecimal, and base64 at any offset."""
    utf8 = value.encode()
    found = {"utf-8": utf8, "utf-16-le": value.encode("utf-16-le"), "utf-16-be": value.encode("utf-16-be")}
    found |= {"gbk": _gbk(value), "escaped": value.encode("unicode_escape").replace(b"\\x", b"\\u00")}
    found |= {"hex": utf8.hex().encode(), "HEX": utf8.hex().upper().encode()}
    found |= {"percent": "".join(f"%{b:02X}" for b in utf8).encode(), "octal": b"".join(b"\\%03o" % b for b in utf8)}
    for shift in range(3):
        coded = base64.b64encode(b"\0" * shift + utf8)
        inner = coded[-(-shift * 8 // 6) : len(coded) - 4]
        found |= {f"base64+{shift}": inner, f"base64url+{shift}": inner.translate(bytes.maketrans(b"+/", b"-_"))}
    return found


def hits(data: bytes, values: Iterable[str]) -> set[tuple[str, str]]:
    """Values found in the data, with the form in which they were."""
    return {(value, name) for value in values for name, form in forms(value).items() if form in data}


def files_in(*folders: Path) -> Iterator[tuple[Path, bytes]]:
    for folder in folders:
        for path in [folder] if folder.is_file() else sorted(folder.rglob("*")):
            if path.is_file():
                yield path, path.read_bytes()


@dataclass(slots=True)
class Served:
    """A hub running as its own process: where it listens, and all that it printed."""

    url: str
    output: Path


@contextmanager
def serve(config: Settings, output: Path, *before: str) -> Iterator[Served]:
    """`hub serve` as an operator runs it; `before` is Python run first in the process (for controls)."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    script = "\n".join((*before, "from hub.cli import app", f"app(['serve', '--port', '{port}'])"))
    environment = os.environ | {
        "HUB_DATABASE_URL": config.database_url,
        "HUB_OWNER_DATABASE_URL": config.owner_url,
        "HUB_DATA": str(config.data),
        "HUB_DEMO": "1",
        "HUB_ISSUER": url,
        "PYTHONPATH": str(ROOT),
    }
    with output.open("wb") as file:
        process = subprocess.Popen([sys.executable, "-c", script], stdout=file, stderr=file, env=environment, cwd=ROOT)
        try:
            _wait(process, url)
            yield Served(url, output)
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(timeout=30)


def _wait(process: subprocess.Popen[bytes], url: str) -> None:
    for _ in range(300):
        try:
            httpx.get(f"{url}/healthz", timeout=1)
            return
        except httpx.HTTPError:
            assert process.poll() is None, "the hub did not start"
            time.sleep(0.1)
    raise AssertionError("the hub does not answer")
