"""What is sent again because no answer came has one effect: reports, what is added to them, files."""

import asyncio
import os
from typing import Any

import pytest

from hub.embedded import Embedded
from hub.receipts import UNGUESSABLE
from tests import logbook, outages
from tests.test_attachments import PNG, attach, filed, stored
from tests.test_intake import PLACE, case_of, held, settled
from tests.world import HOME, World

COPIES = 6
KEY = "5f0c6a3e-again-and-again"


async def report(world: World, key: str = "", **fields: Any) -> tuple[str, str]:
    headers = {"Idempotency-Key": key.encode()} if key else {}
    answer = await world.http.post("/v1/reports", json={"place": PLACE, "region": HOME} | fields, headers=headers)
    assert answer.status_code == 201, answer.text
    return answer.json()["receipt"], answer.json()["secret"]


async def records(world: World, what: str, made: set[tuple[str, str]]) -> set[Any]:
    """The records that lie behind these receipts, each of which shows its own."""
    found = set()
    for code, secret in made:
        assert what in (await held(world, {"receipt": code}, secret)).text
        found.add((await case_of(world.services, {"receipt": code}))["record_id"])
    return found


@pytest.mark.parametrize("claim", [None, True])
async def test_a_report(world: World, claim: bool | None) -> None:
    """One key and text, at once and later: one receipt, one record, one entry, also for who says she is the victim."""
    said = {"what": f"重发{claim}"} | ({"reporter_is_victim": True} if claim else {})
    made = set(await asyncio.gather(*(report(world, KEY, **said) for _ in range(COPIES))))
    await settled(world)
    made.add(await report(world, KEY, **said))
    assert len(made) == 1
    (record,) = await records(world, said["what"], made)
    assert await logbook.count(world.services, "w = $1", record) == 1


async def test_what_is_another_report(world: World) -> None:
    """Other words, another key, no key, or one that strangers might send too: each is a report of its own, and none is
    refused for its key."""
    short = "1" * (UNGUESSABLE - 1)
    keys = [KEY, KEY[::-1], "", "", short, short, "键" * 300]
    sent = [(KEY, "乙"), *((key, "甲") for key in keys)]
    made = [await report(world, key, what=what) for key, what in sent]
    assert len(await records(world, "", set(made))) == len(sent)


@pytest.mark.parametrize("outage", [outages.blocked, outages.down])
async def test_a_report_while_the_database_is_away(world: World, embedded: Embedded, outage: Any) -> None:
    """Taken to disk, sent again from there and when the database is back: the same receipt, filed once."""
    said = {"what": f"断网重发{outage.__name__}"}
    async with outage(embedded, "cases"):
        made = {await report(world, KEY, **said) for _ in range(2)}
    made.add(await report(world, KEY, **said))
    await settled(world)
    assert len(made) == 1
    (record,) = await records(world, said["what"], made)
    assert await logbook.count(world.services, "w = $1", record) == 1


async def test_an_addition(world: World) -> None:
    """Once for a key, and once for each without."""
    code, secret = await report(world, what="起初")
    url, holder = f"/v1/reports/{code}/additions", {"Receipt-Secret": secret}
    headers = [holder | {"Idempotency-Key": "1"}] * 3 + [holder | {"Idempotency-Key": "2"}] + [holder] * 2
    answers = [await world.http.post(url, json={"text": "后来"}, headers=sent) for sent in headers]
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.json()["id"] for answer in answers}) == 4
    assert (await held(world, {"receipt": code}, secret)).text.count("后来") == 4


async def test_a_file(world: World) -> None:
    """The same bytes under the same name are the same file, sent one by one or at once; its pieces lie there once.
    Other bytes, another name, another record: another file."""
    police, record, _ = await filed(world)
    content = PNG + os.urandom(300_000)
    made = [(await attach(police, record, content)).json()]
    made += [
        answer.json() for answer in await asyncio.gather(*(attach(police, record, content) for _ in range(COPIES)))
    ]
    assert made == [made[0]] * len(made)
    kept = "SELECT (SELECT count(*) FROM attachment_chunk) AS all, (SELECT sum(chunks) FROM attachment) AS ours"
    (row,) = await world.services.database.fetch(kept)
    assert row["all"] == row["ours"]
    (head,) = await stored(world, record)
    assert await logbook.count(world.services, "w = $1", head["id"]) == 1
    _, other, _ = await filed(world)
    for sent in ((record, content, "other.png"), (record, content + b"1", "photo.png"), (other, content, "photo.png")):
        assert (await attach(police, *sent)).json()["id"] != made[0]["id"]
    assert (len(await stored(world, record)), len(await stored(world, other))) == (3, 1)
    assert (await police.get(f"/v1/attachments/{made[0]['id']}")).content == content
