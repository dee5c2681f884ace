"""Folders: what is in them is on disk by name, and one process at a time changes it."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import uuid4


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


def hand_over(path: Path) -> None:
    """What root made belongs to whom its folder does: what a command makes, the service must be able to use."""
    if os.geteuid() == 0:
        owner = path.parent.stat()
        with suppress(PermissionError):  # root without that capability, in a container
            os.chown(path, owner.st_uid, owner.st_gid)


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """Where to write, and to sync, what is to stand at `path`, whole or not at all, when the block ends well."""
    temporary = path.with_name(f"{path.name}.{uuid4()}.part")  # nobody else's, who may be at the same file
    try:
        yield temporary
        temporary.replace(path)
    except BaseException:  # what did not fit must not take the room of what would, nor keys lie about
        temporary.unlink(missing_ok=True)
        raise
    settle(path.parent)


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """One process at a time: a lock on the folder, which stays while files in it are replaced."""
    with _opened(folder) as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
