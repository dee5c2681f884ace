"""Folders: what is in them is on disk by name, and one process at a time changes it."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def _opened(folder: Path) -> Iterator[int]:
    handle = os.open(folder, os.O_RDONLY)
    try:
        yield handle
    finally:
        os.close(handle)


def settle(folder: Path) -> None:
    """fsync of a file makes its content durable; that it has its name is durable when its folder is synced."""
    with _opened(folder) as handle:
        os.fsync(handle)


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """One process at a time: a lock on the folder, which stays while files in it are replaced."""
    with _opened(folder) as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
