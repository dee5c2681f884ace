"""The entry's form is RFC 8785 and RFC 6962, its chains have no gap: P2, P3 of the access log, over real traffic."""

import asyncio
import hashlib
import hmac
import json
import unicodedata
from collections import defaultdict
from typing import Any
from uuid import UUID, uuid4

import pytest

from hub import keys
from hub.audit import entry
from hub.audit.committer import INSERT, Committer, Draft, columns
from hub.audit.entry import BODY_LIMIT, GENESIS, ORIGIN, Act, canonical, leaf_bytes, leaf_hash
from hub.errors import Unavailable
from hub.policies.services import Services
from tests import logbook
from tests.world import World, call

VECTORS = [
    ({}, "{}"),
    ({"b": 1, "a": 2, "A": 3, "a_": 4, "aa": 5}, '{"A":3,"a":2,"a_":4,"aa":5,"b":1}'),
    ({"10": 1, "9": 2, "": 3}, '{"":3,"10":1,"9":2}'),
    ({"o": {"z": [], "y": {}}, "l": [3, 1, [True, False]]}, '{"l":[3,1,[true,false]],"o":{"y":{},"z":[]}}'),
    ({"s": '"\\/'}, '{"s":"\\"\\\\/"}'),
    ({"s": "\b\t\n\f\r"}, '{"s":"\\b\\t\\n\\f\\r"}'),
    ({"s": "\x00\x01\x0f\x1b\x1f"}, '{"s":"\\u0000\\u0001\\u000f\\u001b\\u001f"}'),
    ({"s": "\x7f\x80\u2028\ufeff"}, '{"s":"\x7f\x80\u2028\ufeff"}'),
    ({"s": '€$\u000f\nA\'B"\\\\"/'}, '{"s":"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}'),
    ({"s": "张三，重庆😀"}, '{"s":"张三，重庆😀"}'),
    ({"s": "e\u0301 A\u030a"}, '{"s":"é Å"}'),
    ({"s": "\u212b \uf900"}, '{"s":"Å 豈"}'),
    ({"n": 0, "m": -1, "x": 2**53 - 1, "y": -(2**53) + 1}, '{"m":-1,"n":0,"x":9007199254740991,"y":-9007199254740991}'),
    ({"t": True, "f": False, "n": None}, '{"f":false,"n":null,"t":true}'),
]


@pytest.mark.parametrize(("value", "expected"), VECTORS)
def test_canonical_vectors(value: dict[str, Any], expected: str) -> None:
    assert canonical(value) == expected.encode()


def test_canonical_agrees_with_a_second_writer() -> None:
    """Python's own `json`, sorted and normalised, writes the same bytes; unsorted (the control) it does not."""
    value = {f"k{i * 7919 % 97}": [f"值{i}\u0301", i, {"b": i % 2 == 0, "a": "\n"}] for i in range(60)}
    second = json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    assert canonical(value) == unicodedata.normalize("NFC", second).encode()
    assert canonical(value) != json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


@pytest.mark.parametrize("value", [{"n": 2**53}, {"n": -(2**53)}, {1: "x"}, {"s": "\ud800"}, {"a": {"b": object()}}])
def test_what_an_entry_may_not_hold(value: Any) -> None:
    with pytest.raises((ValueError, TypeError)):
        canonical(value)


def test_body_limit() -> None:
    room = BODY_LIMIT - len(b'{"s":""}')
    assert len(canonical({"s": "x" * room})) == BODY_LIMIT
    for text in ("x" * (room + 1), "字" * (room // 3 + 1)):
        with pytest.raises(ValueError, match="8 KiB"):
            canonical({"s": text})


def test_leaf_commitment_and_hash() -> None:
    """Leaf, commitment and hash recomputed with the standard library alone; one bit off (the control) differs."""
    w, opening, text = UUID(int=7), bytes(range(32)), b'{"act":"read"}'
    committed = hmac.new(opening, text, hashlib.sha256).digest()
    assert keys.commitment(opening, text) == committed != keys.commitment(opening, text + b" ")
    leaf = leaf_bytes(w, 3, b"\xff" * 32, 1_700_000_000_123_456, committed)
    expected = {
        "c": logbook.b64(committed),
        "n": 3,
        "o": ORIGIN,
        "p": logbook.b64(b"\xff" * 32),
        "t": 1_700_000_000_123_456,
        "v": 1,
        "w": w.hex,
    }
    assert leaf == json.dumps(expected, sort_keys=True, separators=(",", ":")).encode() == canonical(expected)
    assert 150 < len(leaf) < 256
    assert leaf_hash(leaf) == hashlib.sha256(b"\0" + leaf).digest() != hashlib.sha256(leaf).digest()


def chain_faults(rows: list[Any]) -> list[tuple[UUID, int]]:
    """Where a chain has a gap, a wrong predecessor or a leaf that is not its row's."""
    chains: dict[UUID, list[Any]] = defaultdict(list)
    for row in rows:
        chains[row["w"]].append(row)
    faults = []
    for w, chain in chains.items():
        previous = GENESIS
        for i, row in enumerate(sorted(chain, key=lambda r: r["n"]), 1):
            leaf = logbook.leaf(row)
            good = (leaf["w"], leaf["n"], leaf["p"]) == (w.hex, i, logbook.b64(previous)) and row["n"] == i
            faults += [] if good and canonical(leaf) == bytes(row["leaf"]) else [(w, row["n"])]
            previous = leaf_hash(row["leaf"])
    return faults


async def traffic(world: World) -> list[dict[str, str]]:
    """Filing, reading, amending, being refused, all at once."""
    police, hospital = await world.agency("police"), await world.agency("hospital")
    made = await asyncio.gather(*(police.filed("police_call", call(content=f"第{i}次")) for i in range(8)))
    reads = [police.get(f"/v1/cases/{m['case_id']}") for m in made for _ in range(4)]
    denied = [hospital.get(f"/v1/cases/{m['case_id']}") for m in made]
    answers = await asyncio.gather(*reads, *denied, police.get("/v1/cases"))
    assert {a.status_code for a in answers} == {200, 404}
    for version in range(3):
        tag = (await police.get(f"/v1/records/{made[0]['id']}")).headers["etag"]
        changed = await police.send(
            "PATCH", f"/v1/records/{made[0]['id']}", json={"content": f"更正{version}"}, headers={"If-Match": tag}
        )
        assert changed.status_code == 204
    return list(made)


async def test_chains_over_real_traffic(world: World) -> None:
    """Every chain in the log, writers' and records', counts 1..n and names its predecessor; bodies fit leaves."""
    services = world.services
    made = await traffic(world)
    found = await logbook.rows(services)
    assert len(found) > 60 and chain_faults(found) == []
    for row in found:
        if row["w"] in (services.committer.w, UUID(made[0]["id"])):
            opening, text = logbook.opened(services, row)
            assert logbook.leaf(row)["c"] == logbook.b64(keys.commitment(opening, text))
            assert canonical(json.loads(text)) == text and json.loads(text)["act"] == row["act"]
    record = [row for row in found if row["w"] == UUID(made[0]["id"])]
    assert [row["act"] for row in record] == ["create", "amend", "amend", "amend"]
    last = await services.database.fetch(
        "SELECT version, leaf_hash FROM record WHERE id = $1 ORDER BY version", UUID(made[0]["id"])
    )
    assert [bytes(r["leaf_hash"]) for r in last] == [leaf_hash(r["leaf"]) for r in record]


async def test_chain_faults_are_seen(world: World) -> None:
    """The control: one row dropped, moved, repeated or re-written in a good chain is a fault each time."""
    await traffic(world)
    good = await logbook.rows(world.services, "w = $1", world.services.committer.w)
    assert chain_faults(good) == []
    middle = len(good) // 2
    assert chain_faults(good[:middle] + good[middle + 1 :])
    assert chain_faults([*good, good[middle]])
    for name, value in (("n", 10**6), ("leaf", good[middle]["leaf"].replace(b'"v":1', b'"v":2'))):
        assert chain_faults([*good[:middle], dict(good[middle]) | {name: value}, *good[middle + 1 :]])


async def test_an_entry_opens_only_at_its_place(world: World) -> None:
    """Body and detail; nor is one the other."""
    await traffic(world)
    (row, *_) = await logbook.rows(world.services, "w = $1 AND act = 'read'", world.services.committer.w)
    where, log, case = (
        (row["w"], row["n"]),
        world.services.vault.log(row["at"]),
        await logbook.key_of(world.services, row),
    )
    parts = [(log, row["body"], entry.bound_to), (case, row["detail"], entry.detail_bound_to)]
    for key, sealed, binding in parts:
        assert key.open(sealed, binding(*where))
        for moved in ((row["w"], row["n"] + 1), (uuid4(), row["n"])):
            with pytest.raises(keys.SealBroken):
                key.open(sealed, binding(*moved))
    for key, sealed, binding in ((log, row["detail"], entry.detail_bound_to), (log, row["detail"], entry.bound_to)):
        with pytest.raises(keys.SealBroken):
            key.open(sealed, binding(*where))


async def lost(services: Services, writer: Committer) -> None:
    """Its connection is gone, and PostgreSQL has noticed."""
    assert writer._connection is not None
    writer._connection.terminate()
    while await services.database.fetchrow(
        "SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND granted AND (classid::bigint << 32) + objid::bigint"
        " = $1::bigint & x'ffffffffffffffff'::bigint",
        int.from_bytes(writer.w.bytes[:8], "big", signed=True),
    ):
        await asyncio.sleep(0.02)


async def test_a_chain_that_was_closed_is_not_written_on(world: World) -> None:
    """A process whose connection broke while it was idle is taken for dead by the next that starts. Its tail would be
    proved by nothing: it refuses once, then goes on in a new chain. One that nobody closed (the control) goes on."""
    services = world.services
    idle = Committer(services.database, services.vault)
    await idle.start()
    first = idle.w
    await lost(services, idle)
    await idle.commit(Draft(Act.read, {"act": "read"}))
    assert idle.w == first, "control"
    await lost(services, idle)
    heir = Committer(services.database, services.vault)
    await heir.start()
    with pytest.raises(Unavailable):
        await idle.commit(Draft(Act.read, {"act": "read"}))
    await idle.commit(Draft(Act.read, {"act": "read"}))
    assert idle.w != first and await logbook.count(services, "w = $1", first) == 2
    assert await logbook.count(services, "w = $1", idle.w) == 1
    await idle.stop()
    await heir.stop()


async def test_an_outage_leaves_no_chains(world: World) -> None:
    """Fifty attempts that fail are told of nowhere; one that succeeds (the control) is."""
    services, opened = world.services, "SELECT count(*) FROM log_writer WHERE event = 'open'"
    writer = Committer(services.database, services.vault, 0.1)
    await writer.start()
    before = await services.database.main.fetchval(opened)
    await world.by_hand("REVOKE INSERT ON access_log FROM hub_app")
    try:
        assert not any([await writer.probe() for _ in range(50)])
    finally:
        await world.by_hand("GRANT INSERT ON access_log TO hub_app")
    assert await services.database.main.fetchval(opened) == before
    assert await writer.probe() and await services.database.main.fetchval(opened) == before + 1
    await writer.stop()


async def left(services: Services, count: int) -> set[str]:
    """So many chains of dead processes, with two entries each."""
    made = set()
    for _ in range(count):
        w, previous, rows = uuid4(), GENESIS, []
        for n in (1, 2):
            row, previous = columns(services.vault, Draft(Act.read, {"act": "read"}), w, n, previous)
            rows.append(row)
        await services.database.execute("INSERT INTO log_writer VALUES ($1, 'open', now(), 0)", w)
        await services.database.execute(INSERT, rows)
        made.add(w.hex)
    return made


async def test_every_close_is_named_by_an_entry(world: World) -> None:
    """More than one entry holds, after a start whose entries could not be written: they are closed by the next, and
    what is closed is what entries say."""
    services, dead = world.services, await left(world.services, 130)
    closed = "SELECT w, n FROM log_writer WHERE event = 'close' AND w = ANY($1::uuid[])"
    broken = Committer(services.database, services.vault, 0.2)
    await world.by_hand("REVOKE INSERT ON access_log FROM hub_app")
    try:
        with pytest.raises(Unavailable):
            await broken.start()
    finally:
        await world.by_hand("GRANT INSERT ON access_log TO hub_app")
    await broken.stop()
    assert await services.database.fetch(closed, list(dead)) == []
    heir = Committer(services.database, services.vault)
    await heir.start()
    rows = await logbook.rows(services, "w = $1 AND act = 'start'", heir.w)
    named = [close for row in rows for close in logbook.body(services, row)["closes"]]
    assert len(rows) > 2 and dead <= {close["w"] for close in named}
    assert all(close["n"] == 2 for close in named if close["w"] in dead)
    assert {tuple(row) for row in await services.database.fetch(closed, list(dead))} == {(UUID(w), 2) for w in dead}
    await heir.stop()


async def test_start_entry_closes_dead_writers(world: World) -> None:
    """A dead process's chain is closed once, at its last entry; a living one's (the control) is not."""
    services = world.services
    dead = Committer(services.database, services.vault)
    await dead.start()
    for _ in range(5):
        await dead.commit(Draft(Act.read, {"act": "read"}))
    (last,) = await logbook.rows(services, "w = $1 AND n = 6", dead.w)
    assert dead._task is not None and dead._connection is not None
    dead._task.cancel()
    await lost(services, dead)
    heirs = [Committer(services.database, services.vault) for _ in range(2)]
    for heir in heirs:
        await heir.start()
    first, second = [(await logbook.rows(services, "w = $1 AND n = 1", heir.w))[0] for heir in heirs]
    closes = [logbook.body(services, row)["closes"] for row in (first, second)]
    assert {"w": dead.w.hex, "n": 6, "p": leaf_hash(last["leaf"]).hex()} in closes[0]
    alive = {services.committer.w.hex, heirs[0].w.hex}
    assert closes[1] == [] and alive.isdisjoint(close["w"] for close in closes[0])
    for heir in heirs:
        await heir.stop()
