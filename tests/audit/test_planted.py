"""Rows that stand where a chain's next entries are to come are no entries, whoever put them there (P1)."""

import asyncio

import pytest

from hub.audit.committer import Committer
from hub.embedded import Embedded
from hub.errors import Unavailable
from hub.policies.services import Services
from tests import logbook
from tests.audit.test_committer import committer, read
from tests.outages import superuser

__all__ = ["committer"]
PLANT = (
    "INSERT INTO access_log (w, n, at, act, purpose, outcome, status, actor, case_refs, leaf, body)"
    " SELECT $1, n, now(), 'read', '', 'permit', 200, $1, '{}', '', '' FROM generate_series($2::bigint, $3) n"
)
"""Rows of nobody's, where a chain's next entries are to come: the service's role may add what it likes."""


async def test_a_row_that_was_there_before_is_no_entry(services: Services, committer: Committer) -> None:
    before = committer.w
    await services.database.execute(PLANT, before, committer.last[0] + 1, committer.last[0] + 50)
    with pytest.raises(Unavailable):
        await committer.commit(read(i="hidden"))
    assert committer.w != before
    ticket = await committer.commit(read(i="next"))
    (row,) = await logbook.rows(services, "w = $1 AND n = $2", *ticket.chain)
    assert logbook.body(services, row)["i"] == "next"


async def test_nor_is_one_that_came_while_the_outcome_was_unknown(
    services: Services, committer: Committer, embedded: Embedded
) -> None:
    other = await superuser(embedded)
    for planted in (False, True):
        async with other.transaction():
            await other.execute("LOCK TABLE access_log IN EXCLUSIVE MODE")
            waiting = asyncio.create_task(committer.commit(read(i="hidden")))
            await asyncio.sleep(0.1)
            assert committer._connection is not None
            await other.execute("SELECT pg_terminate_backend($1)", committer._connection.get_server_pid())
            if planted:
                await other.execute(PLANT, committer.w, committer.last[0] + 1, committer.last[0] + 1)
        if planted:
            with pytest.raises(Unavailable):
                await waiting
        else:
            assert (await waiting).chain[0] == committer.w, "control"
    await other.close()
    assert await committer.commit(read(i="next"))
