"""The spool: reports that the database could not take in time, sealed, one file a batch, on this machine's disk."""

import base64
import os
from collections.abc import Iterable
from contextlib import suppress
from datetime import datetime
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import orjson

from hub import clock, disk
from hub.keys import Sealer

LEFT_SECONDS = 24 * 3600
"""Nobody writes a file for that long, and no two clocks differ by as much."""
HALF_WRITTEN = ("*.sealed.*.part", "*.bad.*.part", "*.probe.*.part", "*.probe")
Spooled = tuple[dict[str, Any], str, bytes, bytes, datetime, UUID]
"""Values, kind, hashes of code and secret, time of acceptance, record id."""


class Spool:
    """`append` returns when the batch is on disk; files are read back in the order they were written."""

    def __init__(self, folder: Path, sealer: Sealer) -> None:
        self.folder, self._sealer = folder, sealer

    def append(self, batch: list[Spooled]) -> None:
        """Write and fsync. Raises `OSError` when the disk does not take it."""
        self._there()
        raws = ([values, kind, code.hex(), secret.hex(), at, str(id_)] for values, kind, code, secret, at, id_ in batch)
        lines = (base64.b64encode(self._sealer.seal(orjson.dumps(raw), b"spool")) for raw in raws)
        # a name of its own, even where the clock is set back or another process writes in the same microsecond
        self._write(self.folder / f"{clock.micros()}-{batch[0][-1]}.sealed", lines)

    def probe(self) -> None:
        """Can it be written? Raises `OSError`: while the database is away, reports would be refused."""
        self._there()
        path = self.folder / f"{uuid4()}.probe"
        self._write(path, ())
        path.unlink()

    def _there(self) -> None:
        if not self.folder.is_dir():
            self.folder.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            self.folder.mkdir(exist_ok=True, mode=0o700)
            disk.hand_over(self.folder)
            disk.settle(self.folder.parent)

    def set_aside(self, path: Path, lines: list[bytes]) -> None:
        """Keep lines of a file that nobody can read beside it, for a person to look at, so that it need not stay."""
        bad = path.with_suffix(".bad")
        self._write(bad if not bad.exists() else path.with_suffix(f".{uuid4()}.bad"), lines)

    def _write(self, path: Path, lines: Iterable[bytes]) -> None:
        with disk.whole(path) as temporary, open(temporary, "wb", opener=partial(os.open, mode=0o600)) as file:
            file.writelines(line + b"\n" for line in lines)
            file.flush()
            os.fsync(file.fileno())
            disk.hand_over(temporary)

    def tidy(self) -> None:
        """Remove what a process that died left half written: nobody was told that it is there."""
        for path in chain.from_iterable(map(self.folder.glob, HALF_WRITTEN)):
            with suppress(OSError):
                if clock.seconds() - path.stat().st_mtime > LEFT_SECONDS:
                    path.unlink()

    def files(self) -> list[Path]:
        """Raises `OSError` where the folder is there and cannot be listed: `glob` would find nothing in it."""
        with suppress(FileNotFoundError):
            return sorted(path for path in self.folder.iterdir() if path.suffix == ".sealed")
        return []

    def foreign(self) -> bool:
        """Does it belong to somebody else than the folder it is in, and so not to the service?"""
        return self.folder.stat().st_uid != self.folder.parent.stat().st_uid

    def lines(self, path: Path) -> list[bytes]:
        """One report a line, sealed; none if another process has filed them meanwhile."""
        try:
            return path.read_bytes().split()
        except FileNotFoundError:
            return []

    def opened(self, line: bytes) -> Spooled:
        """Raises `ValueError` or `SealBroken` where the line is not one that `append` wrote under this key."""
        raw = orjson.loads(self._sealer.open(base64.b64decode(line), b"spool"))
        values, kind, code, secret, at, record_id = raw
        return values, kind, bytes.fromhex(code), bytes.fromhex(secret), datetime.fromisoformat(at), UUID(record_id)
