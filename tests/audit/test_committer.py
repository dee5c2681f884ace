"""The committer: no entry, no plaintext; what is acknowledged is in the log exactly once (P1, P4, A09)."""

import asyncio
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest

from hub import keys
from hub.audit.committer import BATCH, Committer, Draft
from hub.audit.entry import Act
from hub.db import Database, Pool
from hub.embedded import Embedded
from hub.errors import Unavailable, Weakened
from hub.policies.services import Services
from tests import logbook
from tests.outages import blocked, hung, superuser
from tests.world import World, call


@pytest.fixture
async def committer(services: Services) -> Any:
    """A writer of its own, with the time limit of production."""
    made = Committer(services.database, services.vault)
    await made.start()
    yield made
    await made.stop()


def read(**body: Any) -> Draft:
    return Draft(Act.read, {"act": "read"} | body)


async def test_batching(services: Services, committer: Committer) -> None:
    """1,000 waiting entries go out in four inserts (one transaction each), gap-free, at most 256 at a time."""
    made = await asyncio.gather(*(committer.commit(read(i=i)) for i in range(1000)))
    assert sorted(ticket.chain[1] for ticket in made) == list(range(2, 1002))
    transactions = await services.database.audit.fetch(
        "SELECT count(*) AS n FROM access_log WHERE w = $1 GROUP BY xmin::text", committer.w
    )
    sizes = sorted(row["n"] for row in transactions)
    assert sizes == [1, 1000 - 3 * BATCH, BATCH, BATCH, BATCH]


async def commit_all(committer: Committer, start: int, count: int, done: dict[int, keys.Ticket]) -> None:
    async def one(i: int) -> None:
        try:
            done[i] = await committer.commit(read(i=i))
        except Unavailable:
            return

    waiting = []
    for i in range(start, start + count):
        waiting.append(asyncio.create_task(one(i)))
        if i % 40 == 0:
            await asyncio.sleep(0)
    await asyncio.gather(*waiting)


async def test_unknown_outcome(services: Services, committer: Committer, embedded: Embedded) -> None:
    """Its backend killed 20 times while busy: every ticket's entry is there once, under the ticket's own counter."""
    killer, done = await superuser(embedded), dict[int, keys.Ticket]()
    for round_ in range(20):
        load = asyncio.create_task(commit_all(committer, round_ * 600, 600, done))
        await asyncio.sleep(0.002 * (round_ % 5))
        pid = committer._connection.get_server_pid() if committer._connection is not None else 0
        await killer.execute("SELECT pg_terminate_backend($1)", pid)
        await load
    await killer.close()
    assert len(done) == 20 * 600
    found = await logbook.rows(services, "w = $1 AND act = 'read'", committer.w)
    by_n = {row["n"]: logbook.body(services, row)["i"] for row in found}
    assert {ticket.chain[1]: i for i, ticket in done.items()} == by_n
    assert sorted(by_n) == list(range(2, len(by_n) + 2))


async def test_503_and_recovery(world: World, embedded: Embedded) -> None:
    """The log blocked: data routes answer 503 without a byte of the case, readyz too; then all is well again."""
    police = await world.agency("police")
    made = await police.filed("police_call", call(content="阻塞期间不得外流"))
    url, writer = f"/v1/cases/{made['case_id']}", world.services.committer.w
    async with blocked(embedded, "access_log"):
        answers = await asyncio.gather(*(police.get(url) for _ in range(20)))
        assert {a.status_code for a in answers} == {503}
        assert all(a.headers["content-type"] == "application/problem+json" and "阻塞" not in a.text for a in answers)
        assert (await world.http.get("/readyz")).status_code == 503
        assert (await world.http.get("/healthz")).status_code == 200
    assert (await world.http.get("/readyz")).status_code == 200
    assert "阻塞期间不得外流" in (await police.get(url)).text
    assert world.services.committer.w != writer


async def test_not_ready_while_the_database_hangs(world: World, embedded: Embedded) -> None:
    """A server that stands still breaks nothing, so nothing fails by itself: readiness says it in two seconds."""
    async with hung(embedded), asyncio.timeout(8):
        answers = await asyncio.gather(*(world.http.get("/readyz") for _ in range(12)))
        assert {a.status_code for a in answers} == {503}
        assert (await world.http.get("/healthz")).status_code == 200
    assert (await world.http.get("/readyz")).status_code == 200


async def test_a_late_row_of_an_abandoned_flush_harms_nothing(
    services: Services, committer: Committer, embedded: Embedded
) -> None:
    """An entry given up after the time limit gives no ticket; the writer takes a new chain that starts at 1."""
    before = committer.w
    async with blocked(embedded, "access_log"):
        with pytest.raises(Unavailable):
            await committer.commit(read(late=True))
    ticket = await committer.commit(read(late=False))
    assert committer.w != before and ticket.chain == (committer.w, 1)


async def test_stopping_while_the_log_is_away_is_no_error(services: Services, embedded: Embedded) -> None:
    """The last entry cannot be written: the chain stays open, as a dead process's, for the next start to close."""
    stopping = Committer(services.database, services.vault, 0.2)
    await stopping.start()
    async with blocked(embedded, "access_log"):
        await asyncio.wait_for(stopping.stop(), 8)
    assert stopping._task is not None and stopping._task.cancelled()


async def test_an_entry_that_cannot_be_written_stops_nobody_else(services: Services, committer: Committer) -> None:
    """A draft above 8 KiB is refused alone; its neighbours in the batch and the writer go on."""
    bad = [read(text="x" * 9000), read(text="\ud800"), read(n=2**60)]
    made = await asyncio.wait_for(
        asyncio.gather(*(committer.commit(d) for d in (read(), *bad, read())), return_exceptions=True), 20
    )
    assert [isinstance(m, keys.Ticket) for m in made] == [True, False, False, False, True]
    assert all(isinstance(m, Unavailable) for m in made[1:4])
    assert (await committer.commit(read())).chain[1] == made[4].chain[1] + 1


def test_tickets_are_single_use_and_exact() -> None:
    """`open_row` opens the row, version and columns that the ticket names, once, and nothing else."""
    row, other, key = (uuid4(), 1), (uuid4(), 1), keys.CaseKey("aes", bytes(range(64)))

    def sealed(column: str, of: tuple[UUID, int] = row) -> bytes:
        return key.data.seal(b'"a":1', keys.bind("record", of[0], column, of[1]))

    def opened(by: keys.Ticket, of: tuple[UUID, int], **envelopes: bytes) -> list[bytes]:
        return keys.open_row(by, key, of, envelopes, [(name, keys.ending(name, of[1])) for name in envelopes])

    def ticket() -> keys.Ticket:
        return keys.Ticket((uuid4(), 1), {row: frozenset({"c_facts", "m_victim"})})

    good = ticket()
    assert opened(good, row, c_facts=sealed("c_facts"), m_victim=sealed("m_victim")) == [b'"a":1'] * 2
    refused: list[tuple[keys.Ticket, tuple[UUID, int], str]] = [
        (good, row, "c_facts"),
        (ticket(), other, "c_facts"),
        (ticket(), (row[0], 2), "c_facts"),
        (ticket(), row, "c_victim"),
        (ticket(), row, "m_facts"),
        (keys.Ticket((uuid4(), 1), {}), row, "c_facts"),
    ]
    for tried, at, column in refused:
        with pytest.raises(keys.NotLogged):
            opened(tried, at, **{column: sealed(column, at)})
    with pytest.raises(keys.SealBroken):
        opened(ticket(), row, c_facts=sealed("m_victim"))
    with pytest.raises(keys.SealBroken):
        opened(ticket(), row, c_facts=sealed("c_facts", (row[0], 2)))


def test_file_tickets_are_exact() -> None:
    file, key = uuid4(), keys.CaseKey("aes", bytes(range(64)))
    chunk = key.data.seal(b"x", keys.bind("attachment", file, "chunk", 3))
    head_only = keys.Ticket((uuid4(), 1), {(file, 0): frozenset({"head"})})
    opener = keys.file_opener(head_only, key, file)
    with pytest.raises(keys.NotLogged):
        opener("chunk", chunk, 3)
    with pytest.raises(keys.NotLogged):
        keys.file_opener(head_only, key, file)
    both = keys.file_opener(keys.Ticket((uuid4(), 1), {(file, 0): frozenset({"head", "chunk"})}), key, file)
    assert both("chunk", chunk, 3) == b"x"
    with pytest.raises(keys.SealBroken):
        both("chunk", chunk, 4)


REFUSED = [
    "SELECT 1 FROM access_log",
    "SELECT count(*) FROM access_log",
    "UPDATE access_log SET act = 'read'",
    "DELETE FROM access_log",
    "TRUNCATE access_log",
    "INSERT INTO access_log (w, n) VALUES (gen_random_uuid(), 1) ON CONFLICT (w, n) DO UPDATE SET act = 'x'",
    "COPY access_log TO STDOUT",
    "ALTER TABLE access_log DISABLE TRIGGER ALL",
    "DROP TABLE access_log",
    "CREATE RULE r AS ON DELETE TO access_log DO INSTEAD NOTHING",
    "UPDATE log_writer SET n = 0",
    "DELETE FROM log_writer",
    "DELETE FROM record",
    "DELETE FROM cases",
    "UPDATE record SET c_facts = NULL",
    "UPDATE record SET case_id = id",
    "UPDATE cases SET region_code = '110101000000'",
    "UPDATE cases SET ref = id",
    "UPDATE party_key SET person_id = case_id",
    "UPDATE receipt SET case_id = record_id",
    "UPDATE attachment_chunk SET sealed = ''",
    "UPDATE account SET role = 'auditor'",
    "UPDATE account SET unit_id = id, password = NULL",
    "UPDATE client SET jwks = '{}'",
    "UPDATE unit SET area = ''",
    "SET ROLE hub_owner",
]
REFUSED_TO_AUDITOR = ["UPDATE access_log SET act = 'read'", "DELETE FROM access_log", "TRUNCATE access_log"]


async def test_the_application_may_only_insert(services: Services, embedded: Embedded) -> None:
    """hub_app is refused everything but INSERT, also as hub_auditor; the owner (the control) is not."""
    app = await asyncpg.connect(embedded.app_url)
    for sql in REFUSED:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await app.execute(sql)
    await app.execute("SET ROLE hub_auditor")
    assert await app.fetchval("SELECT count(*) FROM access_log") > 0
    for sql in (*REFUSED_TO_AUDITOR, "INSERT INTO access_log DEFAULT VALUES", "SELECT c_facts FROM record"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await app.execute(sql)
    await app.close()
    control = await asyncpg.connect(embedded.owner_url)
    assert await control.execute("DELETE FROM access_log WHERE FALSE") == "DELETE 0"
    await control.close()


WEAKENED = [
    ("ALTER SYSTEM SET synchronous_commit = off", "ALTER SYSTEM RESET synchronous_commit"),
    ("ALTER DATABASE hub SET synchronous_commit = off", "ALTER DATABASE hub RESET synchronous_commit"),
    ("ALTER ROLE hub_app SET synchronous_commit = off", "ALTER ROLE hub_app RESET synchronous_commit"),
    (
        "ALTER ROLE hub_app IN DATABASE hub SET synchronous_commit = off",
        "ALTER ROLE hub_app IN DATABASE hub RESET synchronous_commit",
    ),
    ("ALTER SYSTEM SET fsync = off", "ALTER SYSTEM RESET fsync"),
    ("ALTER SYSTEM SET full_page_writes = off", "ALTER SYSTEM RESET full_page_writes"),
]


@pytest.mark.parametrize(("weaken", "restore"), WEAKENED)
async def test_weakened_durability_refuses_to_start(
    services: Services, embedded: Embedded, weaken: str, restore: str
) -> None:
    """At every level, by name; the same database unweakened (the control) connects."""
    admin = await superuser(embedded)

    async def apply(sql: str) -> None:
        await admin.execute(sql)
        await admin.execute("SELECT pg_reload_conf()")
        await asyncio.sleep(0.1)

    weak = Database(embedded.app_url, 1)
    await apply(weaken)
    try:
        with pytest.raises(Weakened, match=weaken.rsplit(" SET ")[-1].split()[0]):
            await weak.connect()
    finally:
        await apply(restore)
        await weak.close()
        await admin.close()
    await (await Database(embedded.app_url, 1).connect()).close()


async def test_the_committer_insists_on_its_own_connection(
    services: Services, committer: Committer, embedded: Embedded
) -> None:
    """Weakened after the start, the log's connection still commits synchronously."""
    admin = await superuser(embedded)
    await admin.execute("ALTER ROLE hub_app SET synchronous_commit = off")
    try:
        fresh = await services.database.dedicated()
        assert await fresh.fetchval("SHOW synchronous_commit") == "on"
        await fresh.close()
    finally:
        await admin.execute("ALTER ROLE hub_app RESET synchronous_commit")
        await admin.close()


async def test_a_connection_that_cannot_be_made_ready_is_not_left_open(services: Services) -> None:
    """Else each attempt of an outage would leave one, and the server run out of them; as one that is used (the control)
    is there."""
    counted = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'unready'"

    def becomes(role: str) -> Pool:
        async def prepare(connection: Any) -> None:
            await connection.execute(f"SET ROLE {role}")

        return Pool(f"{services.settings.database_url}&application_name=unready", 2, prepare)

    ready = await becomes("hub_auditor").open()
    for _ in range(3):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await becomes("postgres").open()
    async with asyncio.timeout(5):
        while await services.database.main.fetchval(counted) != 1:
            await asyncio.sleep(0.05)
    await ready.close()
