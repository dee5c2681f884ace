"""The spool's own disk: a batch that does not fit leaves nothing behind, and one that fits is taken after it."""

import asyncio
import resource
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from hub import clock
from hub.intake import Accepted
from hub.policies.services import Services
from hub.spool import Spool, Spooled
from tests.test_intake import settled
from tests.world import World


@contextmanager
def little_room(size: int) -> Iterator[None]:
    """No file of this process grows above `size` meanwhile, as on a disk that is nearly full."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def report(what: str) -> Spooled:
    return {"place": "家里", "what": what}, "report", uuid.uuid4().bytes, bytes(16), clock.now(), uuid.uuid4()


def test_a_full_disk_is_filled_no_further(services: Services, tmp_path: Path) -> None:
    spool, small = Spool(tmp_path, services.vault.misc), report("小")
    with little_room(4096):
        for _ in range(3):
            with pytest.raises(OSError):
                spool.append([report("大" * 10_000)])
        assert list(tmp_path.iterdir()) == []
        spool.append([small])
    (path,) = spool.files()
    assert [spool.opened(line) for line in spool.lines(path)] == [small]
    with pytest.raises(OSError), little_room(4096):  # the control: there was no more room than that
        (tmp_path / "control").write_bytes(bytes(8192))


async def test_a_long_report_takes_no_short_one_along(world: World) -> None:
    """Left at the same moment, they go into one file: the one for which there is no room is refused, the others are
    kept."""
    intake, now = world.app.state.intake, clock.now()
    sizes = (10_000, 1, 1, 1)
    sent = [Accepted({"place": "大" * n}, "report", uuid.uuid4().bytes, bytes(16), now) for n in sizes]
    with little_room(4096):
        assert await asyncio.gather(*map(intake._spooled, sent)) == [False, True, True, True]
    await settled(world)
    sql = "SELECT 1 FROM record WHERE id = ANY($1)"
    assert len(await world.services.database.fetch(sql, [accepted.record_id for accepted in sent])) == 3
