"""`hub worker` removes what has expired, and nothing else, and files what a process left."""

import uuid
from pathlib import Path

from hub.settings import Settings
from hub.spool import Spool
from tests import enrol, logbook
from tests.commands import answered
from tests.test_spool import report
from tests.world import World

DAYS = (0, 2, 29, 31)
"""How old: an upload that broke off goes after one day, and is looked for until thirty; a session goes after thirty."""
FILE = "INSERT INTO attachment_chunk (attachment_id, n, at, sealed) VALUES ($1, $2, now() - $3 * interval '1 day', '')"
SESSION = (
    "INSERT INTO session (token_hash, account_id, opened_at, seen_at)"
    " SELECT uuid_send($1::uuid), $2, now() - d, now() - d FROM (SELECT $3 * interval '1 day' AS d) AS age"
)
SPENT = (
    "INSERT INTO spent_assertion (jti_hash, expires_at)"
    " VALUES (uuid_send($1::uuid), now() + interval '1 hour' - $2 * interval '1 day')"
)


async def test_what_has_expired_is_removed(world: World, config: Settings) -> None:
    somebody, database = await enrol.person(world), world.services.database
    ids = {days: uuid.uuid4() for days in DAYS}
    for days, made in ids.items():
        for n in range(2):
            await database.execute(FILE, made, n, days)
        await database.execute(SESSION, made, somebody.id, days)
        await database.execute(SPENT, made, days)

    async def kept(sql: str) -> list[int]:
        return [days for days, made in ids.items() if await database.fetchrow(sql, made)]

    assert answered(config, "worker", "--once") == {"filed": 0}
    assert await kept("SELECT 1 FROM attachment_chunk WHERE attachment_id = $1") == [0, 31]
    assert await kept("SELECT 1 FROM session WHERE token_hash = uuid_send($1::uuid)") == [0, 2, 29]
    assert await kept("SELECT 1 FROM spent_assertion WHERE jti_hash = uuid_send($1::uuid)") == [0]


async def test_what_a_process_left_is_filed(world: World, config: Settings, tmp_path: Path) -> None:
    """Each report once, with its entry; a second round finds nothing."""
    spool, left = Spool(tmp_path / "spool", world.services.vault.misc), [report(f"遗留之{n}") for n in range(3)]
    spool.append(left[:2])
    spool.append(left[2:])
    for filed in (3, 0):
        assert answered(config, "worker", "--once", HUB_DATA=str(tmp_path)) == {"filed": filed}
        assert spool.files() == []
    for *_, record in left:
        assert await logbook.count(world.services, "w = $1", record) == 1
