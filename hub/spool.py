"""The spool: reports that the database could not take in time, sealed, one file a batch, on this machine's disk."""

import base64
import os
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import orjson

from hub import clock
from hub.keys import Sealer

Spooled = tuple[dict[str, Any], str, bytes, bytes, datetime, UUID]
"""Values, kind, hashes of code and secret, time of acceptance, record id."""


class Spool:
    """`append` returns when the batch is on disk; files are read back in the order they were written."""

    def __init__(self, folder: Path, sealer: Sealer) -> None:
        self.folder, self._sealer = folder, sealer

    def append(self, batch: list[Spooled]) -> None:
        """Write and fsync, the file and its folder. Raises `OSError` when the disk does not take it."""
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        path = self.folder / f"{clock.micros()}-{batch[0][-1]}.sealed"  # no clock set back, no other process has that
        temporary = path.with_suffix(".part")
        try:
            with temporary.open("wb") as file:
                for values, kind, code, secret, at, record_id in batch:
                    raw = orjson.dumps([values, kind, code.hex(), secret.hex(), at, str(record_id)])
                    file.write(base64.b64encode(self._sealer.seal(raw, b"spool")) + b"\n")
                file.flush()
                os.fsync(file.fileno())
        except BaseException:  # what did not fit must not take the room of what would
            temporary.unlink(missing_ok=True)
            raise
        temporary.replace(path)
        handle = os.open(self.folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)

    def files(self) -> list[Path]:
        return sorted(self.folder.glob("*.sealed"))

    def lines(self, path: Path) -> list[bytes]:
        """One report a line, sealed; none if another process has filed them meanwhile."""
        try:
            return path.read_bytes().split()
        except FileNotFoundError:
            return []

    def opened(self, line: bytes) -> Spooled:
        raw = orjson.loads(self._sealer.open(base64.b64decode(line), b"spool"))
        values, kind, code, secret, at, record_id = raw
        return values, kind, bytes.fromhex(code), bytes.fromhex(secret), datetime.fromisoformat(at), UUID(record_id)
