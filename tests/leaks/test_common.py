"""The one envelope of what most callers see: it shows what the single ones show, to nobody who may not see it all."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import pytest

from hub.db import Database
from hub.models.sealed import COMMON, COMMON_COLUMN
from tests.leaks.canaries import FOUND, body, text
from tests.leaks.test_moved_ciphertext import pages
from tests.world import Caller, World


@dataclass(slots=True)
class Held:
    """Two full records of different cases, who sees all that is common, and who sees it but for minors."""

    owner: Database
    police: Caller
    partial: Caller
    records: list[dict[str, str]]

    async def put(self, column: str, value: bytes | None) -> None:
        sql = f"UPDATE record SET {column} = $2 WHERE id = $1 AND current"
        await self.owner.execute(sql, UUID(self.records[0]["id"]), value)

    async def row(self, n: int = 0) -> Any:
        return await self.owner.fetchrow("SELECT * FROM record WHERE id = $1 AND current", UUID(self.records[n]["id"]))

    def pages(self) -> list[str]:
        return pages(self.records[0])


@pytest.fixture
async def held(world: World) -> AsyncIterator[Held]:
    owner = await Database(world.services.settings.owner_url, 1).connect()
    police = await world.agency("police")
    records = [await police.filed("police_call", body("police_call")) for _ in range(2)]
    partial = await world.agency("joint_centre")
    await partial.filed("coordination", body("coordination"), case=records[0]["case_id"])
    yield Held(owner, police, partial, records)
    await owner.close()


async def shown(caller: Caller, url: str) -> Any:
    answer = await caller.get(url)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_it_shows_what_the_single_ones_show(held: Held) -> None:
    row = await held.row()
    assert row[COMMON_COLUMN] is not None
    together = [await shown(held.police, url) for url in held.pages()]
    await held.put(COMMON_COLUMN, None)
    assert [await shown(held.police, url) for url in held.pages()] == together
    await held.put("c_victim", None)
    assert [await shown(held.police, url) for url in held.pages()] != together, "control: now the single ones count"


async def test_only_who_sees_all_of_it_opens_it(held: Held) -> None:
    """Damaged, it breaks every answer to him, and none to somebody who lacks one of its categories."""
    before = [await shown(held.partial, url) for url in held.pages()]
    assert all("minor" in page["masked"] + page["withheld"] for page in before) and "minor" in COMMON
    row = await held.row()
    await held.put(COMMON_COLUMN, row[COMMON_COLUMN][:-1] + bytes([row[COMMON_COLUMN][-1] ^ 1]))
    for url in held.pages():
        answer = await held.police.get(url)
        assert answer.status_code >= 500 and not FOUND.search(answer.text)
    assert [await shown(held.partial, url) for url in held.pages()] == before


@pytest.mark.parametrize("source", ["another record", "a single one", "another column"])
async def test_moved_it_does_not_open(held: Held, source: str) -> None:
    row, other = await held.row(), await held.row(1)
    if source == "another column":
        await held.put("c_facts", row[COMMON_COLUMN])
    else:
        await held.put(COMMON_COLUMN, other[COMMON_COLUMN] if source == "another record" else row["c_victim"])
    for url in held.pages():
        answer = await held.police.get(url)
        assert answer.status_code >= 500 and not FOUND.search(answer.text)


async def test_an_amendment_drops_it_or_leaves_it(held: Held) -> None:
    """Who amends may not see all of it: a version that changed some of it has none. Other changes leave it as it is."""
    url, sealed = held.pages()[0], (await held.row())[COMMON_COLUMN]
    for patch, kept in (({"content": text()}, sealed), ({"victim_name": text()}, None)):
        tag = (await held.police.get(url)).headers["etag"]
        assert (await held.police.send("PATCH", url, json=patch, headers={"If-Match": tag})).status_code == 204
        assert (await held.row())[COMMON_COLUMN] == kept
        fields = (await shown(held.police, url))["fields"]
        assert {name: fields[name] for name in patch} == patch
