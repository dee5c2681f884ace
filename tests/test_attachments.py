"""Attachments: streamed and sealed in pieces, typed by content, limited to 20 MB, the same bytes back, authors only."""

import asyncio
import hashlib
import os
import tracemalloc
import uuid
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from hub import admin
from hub.attachments import CHUNK, NAMED_AT_ONCE
from hub.models.fields import Category
from tests import enrol, logbook
from tests.world import AWAY, Caller, World, call, pair

LIMIT = 20 * 1024 * 1024
PNG = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x00\x01\x00\x00\x00\x01\x08\x06\x00\x00\x00\x1f\x15\xc4\x89"
TYPES = {
    "image/png": PNG + bytes(100),
    "image/jpeg": b"\xff\xd8\xff\xe0\x00\x10JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x00\x00" + bytes(100) + b"\xff\xd9",
    "image/gif": b"GIF89a\x01\x00\x01\x00" + bytes(50) + b"\x00;",
    "image/webp": b"RIFF\x24\x00\x00\x00WEBPVP8 " + bytes(60),
    "application/pdf": b"%PDF-1.7\n1 0 obj\n<<>>\nendobj\ntrailer\n<<>>\n%%EOF\n",
    "video/mp4": b"\x00\x00\x00\x18ftypmp42\x00\x00\x00\x00mp42isom" + bytes(60),
    "image/heif": b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic" + bytes(60),
    "video/quicktime": b"\x00\x00\x00\x14ftypqt  \x00\x00\x00\x00qt  " + bytes(60),
    "video/3gpp": b"\x00\x00\x00\x18ftyp3gp4\x00\x00\x00\x00isom3gp4" + bytes(60),
    "audio/mpeg": b"ID3\x03\x00\x00\x00\x00\x00\x00" + b"\xff\xfb\x90\x64" + bytes(200),
    "audio/wav": b"RIFF\x24\x00\x00\x00WAVEfmt \x10\x00\x00\x00\x01\x00\x01\x00" + bytes(60),
    "audio/ogg": b"OggS\x00\x02" + bytes(22) + b"\x01\x1e\x01vorbis" + bytes(60),
    "audio/amr": b"#!AMR\n" + bytes(60),
}
REFUSED = {
    "html": b"<!DOCTYPE html><html><script>alert(1)</script></html>",
    "svg": b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>',
    "text": "一段文字".encode() * 20,
    "zip": b"PK\x03\x04\x14\x00\x00\x00\x00\x00" + bytes(60),
    "exe": b"MZ\x90\x00\x03\x00\x00\x00\x04\x00\x00\x00\xff\xff" + bytes(100),
    "elf": b"\x7fELF\x02\x01\x01" + bytes(100),
    "shell": b"#!/bin/sh\nid\n",
    "script": b"<?php system('id'); ?>",
    "office": b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(500),
    "zeros": bytes(1000),
    "one byte": b"x",
}


async def filed(world: World) -> tuple[Caller, str, str]:
    police = await world.agency("police")
    made = await police.filed("police_call", call())
    return police, made["id"], made["case_id"]


async def attach(caller: Caller, record: str, content: Any, name: str | bytes = "photo.png") -> httpx.Response:
    return await caller.post(f"/v1/records/{record}/attachments", content=content, headers={"File-Name": name})


async def stream(size: int, first: bytes = PNG) -> AsyncIterator[bytes]:
    """A picture of this size in pieces that do not fit the hub's."""
    piece, left = bytes(65_537), size - len(first)
    yield first
    while left > 0:
        yield piece[:left]
        left -= len(piece)


async def stored(world: World, record: str) -> list[Any]:
    sql = "SELECT id, chunks, head FROM attachment WHERE record_id = $1 ORDER BY at"
    return await world.services.database.fetch(sql, uuid.UUID(record))


@pytest.mark.parametrize("media_type", TYPES)
async def test_accepted_types(world: World, media_type: str) -> None:
    """Typed by content whatever the name says; listed with size and SHA-256; downloaded byte for byte."""
    police, record, case = await filed(world)
    content = TYPES[media_type]
    answer = await attach(police, record, content, "%E7%85%A7%E7%89%87.exe")
    assert answer.status_code == 201, answer.text
    file = answer.json()
    digest = hashlib.sha256(content).hexdigest()
    assert (file["name"], file["size"], file["sha256"]) == ("照片.exe", len(content), digest)
    assert file["media_type"].split("/")[0] == media_type.split("/")[0]
    listed = (await police.get(f"/v1/records/{record}/attachments")).json()["items"]
    assert listed == [file]
    before = len(await logbook.about(world.services, case, "read"))
    down = await police.get(answer.headers["location"])
    assert down.content == content and down.headers["content-type"] == file["media_type"]
    assert down.headers["content-disposition"].startswith("attachment;")
    assert "照片".encode() not in down.headers["content-disposition"].encode()
    entries = (await logbook.about(world.services, case, "read"))[before:]
    assert entries
    for entry in entries:
        for group in logbook.body(world.services, entry)["what"]:
            assert "evidence" in group["clear"] and set(group["clear"]) <= {c.value for c in Category}


@pytest.mark.parametrize("what", REFUSED)
async def test_refused_types(world: World, what: str) -> None:
    police, record, _ = await filed(world)
    answer = await attach(police, record, REFUSED[what], "harmless.png")
    assert (answer.status_code, answer.json()["code"]) == (415, "unsupported_type")
    assert await stored(world, record) == []


async def test_sizes(world: World) -> None:
    """Empty 400; 20 MB exactly is kept; one byte more is 413, announced or streamed, and leaves no file."""
    police, record, _ = await filed(world)
    assert (await attach(police, record, b"")).status_code == 400
    for content in (stream(LIMIT + 1), PNG + bytes(LIMIT + 1 - len(PNG))):
        try:
            answer = await attach(police, record, content)
        except (httpx.WriteError, httpx.ReadError):  # refused before all of it was sent
            continue
        assert (answer.status_code, answer.json()["code"]) == (413, "too_large")
    assert await stored(world, record) == []
    answer = await attach(police, record, stream(LIMIT))
    assert answer.status_code == 201 and answer.json()["size"] == LIMIT
    (row,) = await stored(world, record)
    assert row["chunks"] == LIMIT // CHUNK


async def drained(caller: Caller, url: str) -> tuple[int, str]:
    size, digest = 0, hashlib.sha256()
    async with caller.http.stream("GET", url, headers=caller.headers) as answer:
        async for piece in answer.aiter_bytes():
            size, _ = size + len(piece), digest.update(piece)
    return size, digest.hexdigest()


async def test_memory_is_bounded(world: World) -> None:
    """20 MB up and down in less than 6 MB of memory, client and hub together; read at once (the control) it is more."""
    police, record, _ = await filed(world)
    tracemalloc.start()
    try:
        made = await attach(police, record, stream(LIMIT))
        size, digest = await drained(police, made.headers["location"])
        streamed = tracemalloc.get_traced_memory()[1]
        tracemalloc.reset_peak()
        whole = b"".join([piece async for piece in stream(LIMIT)])
        control = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert (size, digest) == (LIMIT, made.json()["sha256"]) == (len(whole), hashlib.sha256(whole).hexdigest())
    assert streamed < 6 * 1024 * 1024 < LIMIT <= control


async def test_pieces_are_sealed(world: World) -> None:
    """Neither content nor name lies in the database; a piece moved to another place does not open."""
    police, record, _ = await filed(world)
    secret = os.urandom(64)
    content = PNG + (secret + bytes(960)) * 600
    made = await attach(police, record, content, "secret-name.png")
    (row,) = await stored(world, record)
    database = world.services.database
    sql = "SELECT n, sealed FROM attachment_chunk WHERE attachment_id = $1 ORDER BY n"
    pieces = [bytes(p["sealed"]) for p in await database.fetch(sql, row["id"])]
    assert len(pieces) == 3 and sum(map(len, pieces)) < len(content) + 100
    assert secret in content and not any(secret in piece or PNG in piece for piece in pieces)
    assert b"secret-name" not in bytes(row["head"])
    move = "UPDATE attachment_chunk SET sealed = $3 WHERE attachment_id = $1 AND n = $2"
    await world.by_hand(move, row["id"], 1, pieces[0])
    with pytest.raises(httpx.HTTPError):
        await drained(police, made.headers["location"])
    await world.by_hand(move, row["id"], 1, pieces[1])
    assert (await police.get(made.headers["location"])).content == content


async def test_only_authors_attach(world: World) -> None:
    """Another unit on the case 403, strangers 404; who does not see evidence in clear sees no file."""
    police, parties = await world.agency("police"), pair()
    record = (await police.filed("police_call", call(parties)))["id"]
    url = (await attach(police, record, PNG)).headers["location"]
    federation, court = await world.agency("womens_federation"), await world.agency("court")
    for caller, kind in ((federation, "federation_complaint"), (court, "order_application")):
        times = {"received_at": "2024-01-05T00:00:00Z", "narrative": "x"}
        if kind == "order_application":
            times = {"applied_at": "2024-01-05T00:00:00Z", "facts_and_reasons": "x"}
        await caller.filed(kind, times | parties)
        assert (await attach(caller, record, PNG)).status_code == 403
    assert (await court.get(url)).content == PNG
    assert (await federation.get(url)).status_code == 404
    assert (await federation.get(f"/v1/records/{record}/attachments")).json()["items"] == []
    away = await world.agency("police", region=AWAY)
    for tried in (record, str(uuid.uuid4())):
        assert (await attach(away, tried, PNG)).status_code == 404
    absent = f"/v1/attachments/{uuid.uuid4()}"
    refused = [await away.get(url), await away.get(absent), await federation.get(absent)]
    assert {(a.status_code, a.text) for a in refused} == {(404, refused[0].text)}
    assert len(await stored(world, record)) == 1


async def test_however_many_are_listed(world: World) -> None:
    """More files than one entry can name: all are listed, and some entry names each."""
    police, record, case = await filed(world)
    made = [(await attach(police, record, PNG + bytes([n]))).json()["id"] for n in range(NAMED_AT_ONCE + 50)]
    answer = await police.get(f"/v1/records/{record}/attachments")
    assert answer.status_code == 200 and [file["id"] for file in answer.json()["items"]] == made
    entries = await logbook.about(world.services, case, "read")
    named = [row for e in entries for group in await logbook.groups(world.services, e) for row in group["rows"]]
    assert set(made) <= {str(file) for _, file, _ in named}


async def test_names_are_cleaned(world: World) -> None:
    police, record, _ = await filed(world)
    for sent, kept in (
        ("..%2F..%2Fetc%2Fpasswd", "passwd"),
        ("C:%5Cx%5Cy.png", "y.png"),
        ("a%00%0d%0ab.png", "ab.png"),
        ("%ED%A0%80.png", "\ufffd\ufffd\ufffd.png"),
        ("照片.png".encode(), "照片.png"),
        ("", "file"),
        ("x" * 300, "x" * 120),
    ):
        answer = await attach(police, record, PNG, sent)
        assert answer.status_code == 201 and answer.json()["name"] == kept
        assert (await police.get(answer.headers["location"])).status_code == 200


async def test_together(world: World) -> None:
    """Twelve at once, each its own bytes."""
    police, record, _ = await filed(world)
    contents = [PNG + os.urandom(300_000) for _ in range(12)]
    made = await asyncio.gather(*(attach(police, record, c) for c in contents))
    for answer, content in zip(made, contents, strict=True):
        assert (await police.get(answer.headers["location"])).content == content
    assert len(await stored(world, record)) == 12


async def test_who_is_disabled_while_he_sends_attaches_nothing(world: World) -> None:
    """An upload lasts as long as its sender likes: its end asks again. A colleague's (the control) goes on."""
    police = await enrol.agency(world)
    record = (await police.case())["id"]
    begun = asyncio.Event()

    async def slowly() -> AsyncIterator[bytes]:
        yield PNG
        await begun.wait()
        yield bytes(100)

    sending = [asyncio.create_task(attach(await police.caller(who), record, slowly())) for who in ("worker", "second")]
    await asyncio.sleep(0.5)
    await admin.disable(world.services, "accounts", str(police.ids["worker"]))
    begun.set()
    assert [(await task).status_code for task in sending] == [404, 201]
    assert len(await stored(world, record)) == 1
