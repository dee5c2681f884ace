"""A37: canaries of sealed categories are nowhere but in sealed columns.

Searched, in thirteen forms: pg_dump, the data files and write-ahead log, the server's log, what `hub serve` prints,
the spool, and every error document. A unit's name, kept in plain, is found by the same search.
"""

import asyncio
import base64
import os
import subprocess
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest

from hub import admin, clock
from hub.demo.province import TYPES
from hub.embedded import Embedded
from hub.models.catalogue import KINDS
from hub.settings import Settings
from hub.spool import Spool
from tests.leaks import canaries, storage
from tests.leaks.canaries import FOUND, MARK, body
from tests.leaks.seed import PNG
from tests.world import HOME, Caller, World

PLAIN = "标记派出所" + MARK[::-1]
"""A unit's name: not sealed, so the search must find it."""


async def errors(caller: Caller, number: str) -> list[str]:
    """Requests that carry canaries where they are refused; the documents they are refused with."""
    wrong: list[dict[str, Any]] = [
        {"called_at": canaries.text(), "content": canaries.text()},
        {"called_at": "2020-01-01T00:00:00Z", "content": [canaries.text()]},
        {"victim_id_number": "990000" + "1" * 12, "victim_phone": canaries.text(), "content": canaries.text()},
        {"victim_sex": canaries.text(), "victim_birth_date": canaries.text(), "relation": canaries.text()},
        {"content": canaries.text() + "\x00"},
        {"region": canaries.text(), "children": [{"id_number": canaries.text(), "sex": canaries.text()}]},
    ]
    answers = [await caller.submit("police_call", sent) for sent in wrong]
    answers.append(await caller.submit("police_call", body("police_call"), case=number + "X"))
    answers.append(await caller.submit("penalty", body("penalty", penalty=canaries.text())))
    answers.append(await caller.post("/v1/records/police_call", content=f'{{"content": "{canaries.text()}'.encode()))
    answers.append(await caller.post("/v1/cases/search", json={"name": canaries.text()}))
    answers.append(await caller.get("/v1/cases", params={"cursor": MARK, "region": MARK}))
    answers.append(await caller.get(f"/v1/records/{MARK}"))
    answers.append(await caller.post("/v1/sessions", json={"login": MARK, "password": canaries.text(), "code": "0"}))
    assert all(400 <= a.status_code < 500 for a in answers), [a.status_code for a in answers]
    return [answer.text for answer in answers]


async def life(world: World, url: str) -> tuple[list[str], list[str]]:
    """Every kind filed, amended, read and searched through a hub at `url`; returns ids used and error texts."""
    async with httpx.AsyncClient(base_url=url, timeout=30) as http:
        other = World(world.services, world.app, url, world.people)
        other.http = http
        police, case, used = await other.agency("police"), "", []
        for kind in [k for k, m in KINDS.items() if m.public]:
            writer = next(t for t in TYPES if world.services.policy.may_write(t, kind))
            caller, sent = await other.agency(writer), body(kind)
            used += FOUND.findall(str(sent))
            made = await caller.filed(kind, sent, case=case)
            case = case or made["case_id"]
            for path in (f"/v1/cases/{case}", f"/v1/records/{made['id']}", f"/v1/cases/{case}/history"):
                assert (await caller.get(path)).status_code == 200
            await caller.post(f"/v1/records/{made['id']}/attachments", content=PNG + canaries.text().encode())
        sent = body("report")
        used += FOUND.findall(str(sent))
        assert (await http.post("/v1/reports", json=sent)).status_code == 201
        await police.post("/v1/cases/search", json={"name": sent["victim_name"], "phone": sent["victim_phone"]})
        return used, await errors(police, case)


@pytest.fixture(scope="module")
async def lived(
    world: World, config: Settings, embedded: Embedded, tmp_path_factory: pytest.TempPathFactory
) -> tuple[set[str], list[str], Path]:
    """A whole life through `hub serve`, then everything of the database on disk."""
    await admin.add_units(world.services, [admin.NewUnit("marked", PLAIN, "justice", HOME)])
    output = tmp_path_factory.mktemp("served") / "output"
    with storage.serve(config, output) as served:
        used, texts = await life(world, served.url)
    owner = embedded.url("postgres")
    done = await asyncio.to_thread(subprocess.run, [str(embedded.bin / "psql"), owner, "-c", "CHECKPOINT"])
    assert done.returncode == 0
    numbers = {token for token in used if token.isascii()}
    assert len(numbers) > 100
    return {MARK} | set(sorted(numbers)[:: 1 if os.environ.get("HUB_TEST_FULL") else 12]), texts, output


async def test_the_dump(lived: tuple[set[str], list[str], Path], config: Settings, embedded: Embedded) -> None:
    dump = await asyncio.to_thread(
        subprocess.run, [str(embedded.bin / "pg_dump"), embedded.url("postgres")], capture_output=True, check=True
    )
    assert len(dump.stdout) > 1_000_000
    assert storage.hits(dump.stdout, lived[0]) == set()
    assert (PLAIN, "utf-8") in storage.hits(dump.stdout, [PLAIN]), "control: what is kept in plain is found"


async def test_data_files_and_log(lived: tuple[set[str], list[str], Path], embedded: Embedded) -> None:
    found, control, wal = set(), set(), 0
    for path, data in storage.files_in(embedded.data / "base", embedded.data / "pg_wal"):
        found |= storage.hits(data, lived[0])
        control |= {path.parent.name} if PLAIN.encode() in data else set()
        wal += path.parent.name == "pg_wal"
    assert found == set()
    assert wal and "pg_wal" in control and len(control) > 1, "control: found in the log and in a table's file"


def test_what_the_processes_print(lived: tuple[set[str], list[str], Path], embedded: Embedded) -> None:
    printed = lived[2].read_bytes() + (embedded.home / "server.log").read_bytes()
    assert storage.hits(printed, lived[0]) == set()


def test_error_documents(lived: tuple[set[str], list[str], Path]) -> None:
    assert len(lived[1]) > 10
    for text in lived[1]:
        assert storage.hits(text.encode(), lived[0]) == set(), text


def test_the_spool(lived: tuple[set[str], list[str], Path], world: World, tmp_path: Path) -> None:
    """A report that waits on disk is sealed there too."""
    sent = body("report")
    record = uuid4()
    waiting = (sent, "report", b"\1" * 16, b"\2" * 16, clock.now(), record)
    Spool(tmp_path, world.services.vault.misc).append([waiting])
    ((path, data),) = storage.files_in(tmp_path)
    assert path.suffix == ".sealed" and storage.hits(data, lived[0] | set(FOUND.findall(str(sent)))) == set()


async def test_a_talkative_process_is_noticed(world: World, config: Settings, tmp_path: Path) -> None:
    """Control: a hub that prints what it recognises is caught by the search of its output."""
    planted = (
        "from hub import exchange",
        "plain = exchange.plain",
        "exchange.plain = lambda fields: (print(plain(fields), flush=True), plain(fields))[1]",
    )
    with storage.serve(config, tmp_path / "output", *planted) as served:
        async with httpx.AsyncClient(base_url=served.url, timeout=30) as http:
            other = World(world.services, world.app, served.url, world.people)
            other.http = http
            await (await other.agency("police")).filed("police_call", body("police_call"))
    assert (MARK, "utf-8") in storage.hits((tmp_path / "output").read_bytes(), [MARK])


def test_every_form_is_found() -> None:
    """Control of the search itself: each form, at any offset, inside other bytes."""
    value = MARK + "000001"
    for name, form in storage.forms(value).items():
        assert (value, name) in storage.hits(b"x" * 7 + form + b"y" * 5, [value])
    for shift in range(5):
        coded = base64.b64encode(b"z" * shift + value.encode() + b"tail")
        assert storage.hits(coded, [value])
    assert storage.hits(b"nothing here", [value]) == set()
