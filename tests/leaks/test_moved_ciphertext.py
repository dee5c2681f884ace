"""A38: ciphertext moved by the owner of the database, between rows, columns, versions or cases, opens nowhere.

The API answers with an error and without data; a damaged row is never half an answer.
"""

import itertools
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import httpx
import pytest

from hub import keys
from hub.db import Database
from hub.models.fields import CATEGORIES
from hub.models.sealed import CLEAR_COLUMNS, MASKED_COLUMNS
from tests.leaks.canaries import FOUND, body, text
from tests.world import Caller, World

FORMS = dict(zip(CLEAR_COLUMNS, MASKED_COLUMNS, strict=True))


@dataclass(slots=True)
class Stolen:
    """Two cases of one unit, each with two full records (one amended) and a file; and the owner's connection."""

    owner: Database
    caller: Caller
    records: list[dict[str, str]]
    files: list[str]
    restore: Any


@pytest.fixture(scope="module")
async def stolen(world: World) -> AsyncIterator[Stolen]:
    owner = await Database(world.services.settings.owner_url, 1).connect()
    await owner.connect()
    police = await world.agency("police")
    records, files = [], []
    for _ in range(2):
        first = await police.filed("police_call", body("police_call"))
        records.append(first)
        records.append(await police.filed("police_dispatch", body("police_dispatch"), case=first["case_id"]))
        made = await police.post(f"/v1/records/{first['id']}/attachments", content=b"%PDF-1.4 " + text().encode())
        files.append(made.json()["id"])
    tag = (await police.get(f"/v1/records/{records[0]['id']}")).headers["etag"]
    patch = {"content": text(), "victim_name": text()}
    url = f"/v1/records/{records[0]['id']}"
    assert (await police.send("PATCH", url, json=patch, headers={"If-Match": tag})).status_code == 204
    ids = [UUID(r["id"]) for r in records]
    await owner.execute("UPDATE record SET c_common = NULL WHERE id = ANY($1)", ids)  # see `test_common.py`
    kept = await owner.fetch("SELECT * FROM record WHERE id = ANY($1)", ids)

    async def restore() -> None:
        names = [*CLEAR_COLUMNS, *MASKED_COLUMNS, "case_id"]
        sets = ", ".join(f"{name} = ${i + 3}" for i, name in enumerate(names))
        for row in kept:
            values = [row[name] for name in names]
            await owner.execute(
                f"UPDATE record SET {sets} WHERE id = $1 AND version = $2", row["id"], row["version"], *values
            )

    yield Stolen(owner, police, records, files, restore)
    await owner.close()


async def refused(stolen: Stolen, urls: list[str]) -> list[str]:
    """What an answer gave away, or that it was an answer at all."""
    problems = []
    for url in urls:
        try:
            answer = await stolen.caller.get(url)
        except httpx.HTTPError:
            continue
        if answer.status_code < 500 or FOUND.search(answer.text):
            problems.append(f"{url}: {answer.status_code} {answer.text[:200]}")
    return problems


def pages(record: dict[str, str]) -> list[str]:
    case = f"/v1/cases/{record['case_id']}"
    return [f"/v1/records/{record['id']}", case, f"{case}/records", f"{case}/history"]


async def set_column(stolen: Stolen, record: dict[str, str], column: str, value: Any) -> None:
    sql = f"UPDATE record SET {column} = $2 WHERE id = $1 AND current"
    await stolen.owner.execute(sql, UUID(record["id"]), value)


async def column_of(stolen: Stolen, record: dict[str, str], column: str, *, version: str = "current") -> Any:
    row = await stolen.owner.fetchrow(
        f"SELECT {column} AS v FROM record WHERE id = $1 AND {version}", UUID(record["id"])
    )
    return row["v"]


SHOWN = ["c_routine", "c_facts", "c_victim", "c_whereabouts", "c_minor"]


@pytest.mark.parametrize("column", SHOWN)
async def test_between_rows_and_cases(stolen: Stolen, column: str) -> None:
    """The same column of another record of the case, of another case, and of an older version."""
    target = stolen.records[0]
    for source in (stolen.records[1], stolen.records[2]):
        await set_column(stolen, target, column, await column_of(stolen, source, column))
        assert await refused(stolen, pages(target)) == []
        await stolen.restore()
    if column in ("c_facts", "c_victim"):
        await set_column(stolen, target, column, await column_of(stolen, target, column, version="version = 1"))
        assert await refused(stolen, pages(target)) == []
        await stolen.restore()
    assert (await stolen.caller.get(pages(target)[0])).status_code == 200, "control: put back, it opens"


async def test_between_columns(stolen: Stolen) -> None:
    """Every pair of clear columns of one row, and each mask in the place of its clear form."""
    target, tried, masks = stolen.records[1], 0, 0
    row = await stolen.owner.fetchrow("SELECT * FROM record WHERE id = $1", UUID(target["id"]))
    full = [f"c_{c}" for c in CATEGORIES if row[f"c_{c}"] is not None]
    for into, source in itertools.permutations(full, 2):
        await set_column(stolen, target, into, row[source])
        assert await refused(stolen, pages(target)[:1]) == []
        await set_column(stolen, target, into, row[into])
        tried += 1
    for clear, masked in FORMS.items():
        if row[masked] is not None:
            await set_column(stolen, target, clear, row[masked])
            assert await refused(stolen, pages(target)[:1]) == []
            await set_column(stolen, target, clear, row[clear])
            masks += 1
    assert tried >= 30 and masks >= 5


async def test_clear_under_the_mask(stolen: Stolen, world: World) -> None:
    """To put the clear form where the mask is gives a reader of masks nothing."""
    target = stolen.records[0]
    federation = await world.agency("womens_federation", purpose="protection_order")
    url = f"/v1/records/{target['id']}"
    assert (await federation.get(url)).json()["fields"]["victim_name"].endswith("*")
    await set_column(stolen, target, "m_victim", await column_of(stolen, target, "c_victim"))
    answer = await federation.get(url)
    assert answer.status_code >= 500 and not FOUND.search(answer.text)
    await stolen.restore()


async def test_a_row_moved_to_another_case(stolen: Stolen) -> None:
    """A record is sealed under its case's key."""
    target, other = stolen.records[1], stolen.records[2]
    await stolen.owner.execute(
        "UPDATE record SET case_id = $2 WHERE id = $1", UUID(target["id"]), UUID(other["case_id"])
    )
    assert await refused(stolen, pages({"id": target["id"], "case_id": other["case_id"]})) == []
    await stolen.restore()


async def test_a_case_key_moved_to_another_case(stolen: Stolen, world: World) -> None:
    """A wrapped key opens for its own case alone; what is remembered from before is forgotten first."""
    one, two = UUID(stolen.records[0]["case_id"]), UUID(stolen.records[2]["case_id"])
    rows = {r["id"]: r["key_wrapped"] for r in await stolen.owner.fetch("SELECT id, key_wrapped FROM cases")}
    await stolen.owner.execute("UPDATE cases SET key_wrapped = $2 WHERE id = $1", one, rows[two])
    world.services.vault._cache.clear()
    assert await refused(stolen, pages(stolen.records[0])) == []
    await stolen.owner.execute("UPDATE cases SET key_wrapped = $2 WHERE id = $1", one, rows[one])
    assert (await stolen.caller.get(pages(stolen.records[0])[0])).status_code == 200


async def test_files(stolen: Stolen) -> None:
    """Heads and pieces of one attachment in the place of another's."""
    one, two = (UUID(f) for f in stolen.files)
    for table, key, column in (("attachment", "id", "head"), ("attachment_chunk", "attachment_id", "sealed")):
        read = f"SELECT {column} AS v FROM {table} WHERE {key} = $1"
        own, other = [(await stolen.owner.fetchrow(read, f))["v"] for f in (one, two)]
        await stolen.owner.execute(f"UPDATE {table} SET {column} = $2 WHERE {key} = $1", one, other)
        assert await refused(stolen, [f"/v1/attachments/{one}"]) == []
        await stolen.owner.execute(f"UPDATE {table} SET {column} = $2 WHERE {key} = $1", one, own)
    assert (await stolen.caller.get(f"/v1/attachments/{one}")).status_code == 200


async def test_the_binding_is_what_stops_it(stolen: Stolen, monkeypatch: pytest.MonkeyPatch) -> None:
    """Control: sealed without its place, a moved ciphertext opens and the same check tells."""
    init, opener = keys.Sealer.__init__, keys.CaseKey.opener

    def anywhere(bound_to: bytes) -> bytes:
        return b"anywhere" if bound_to.startswith(b"record|") else bound_to

    def careless(own: keys.Sealer, suite: str, key: bytes) -> None:
        init(own, suite, key)
        encrypt = own.encrypt
        own.encrypt = lambda nonce, data, to: encrypt(nonce, data, anywhere(to))

    def opens_anywhere(own: keys.CaseKey) -> tuple[Any, int]:
        decrypt, mark = opener(own)
        return lambda nonce, data, to: decrypt(nonce, data, anywhere(to)), mark

    monkeypatch.setattr(keys.Sealer, "__init__", careless)
    monkeypatch.setattr(keys.CaseKey, "opener", opens_anywhere)
    case = await stolen.caller.filed("police_call", body("police_call"))
    other = await stolen.caller.filed("police_dispatch", body("police_dispatch"), case=case["case_id"])
    assert (await stolen.caller.get(pages(case)[0])).status_code == 200
    await set_column(stolen, case, "c_facts", await column_of(stolen, other, "c_facts"))
    assert await refused(stolen, pages(case)[:1])
