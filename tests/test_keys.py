"""Keys: both suites end to end, rotation that touches no field, key files that are refused, A38 moved ciphertext."""

import asyncio
import base64
import itertools
import json
import os
import shutil
import stat
import uuid
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from hub import admin, ids, keyfile, keys, migrations
from hub.embedded import Embedded
from hub.main import open_services
from hub.models.fields import INDEX
from hub.models.sealed import CLEAR_COLUMNS, MASKED_COLUMNS, versions
from hub.settings import Settings
from tests.commands import run
from tests.conftest import free_port
from tests.servers import serving
from tests.test_attachments import PNG
from tests.world import World, call, pair

SUITES = ("aes", "sm")
COLUMNS = (*CLEAR_COLUMNS, *MASKED_COLUMNS)


@pytest.fixture
async def own(config: Settings, embedded: Embedded, tmp_path: Path) -> AsyncIterator[Settings]:
    """A deployment of its own: database, data folder, key file."""
    name = f"hub_{uuid.uuid4().hex[:8]}"
    embedded.create_database(name)
    await asyncio.to_thread(migrations.upgrade, embedded.url("hub_owner", name))
    keyfile.create(tmp_path / "master.key", demo=True)
    urls = {"database_url": embedded.url("hub_app", name), "owner_url": embedded.url("hub_owner", name)}
    yield replace(config, data=tmp_path, **urls)


def test_sm4_gcm_is_rfc_8998() -> None:
    """Appendix A.1; a changed tag (the control) does not open."""
    key, nonce = bytes.fromhex("0123456789ABCDEFFEDCBA9876543210"), bytes.fromhex("00001234567800000000ABCD")
    plain = b"".join(bytes([b]) * 8 for b in (0xAA, 0xBB, 0xCC, 0xDD, 0xEE, 0xFF, 0xEE, 0xAA))
    bound = bytes.fromhex("FEEDFACEDEADBEEFFEEDFACEDEADBEEFABADDAD2")
    sealed = bytes.fromhex(
        "17F399F08C67D5EE19D0DC9969C4BB7D5FD46FD3756489069157B282BB200735"
        "D82710CA5C22F0CCFA7CBF93D496AC15A56834CBCF98C397B4024A2691233B8D"
        "83DE3541E4C2B58177E065A9BF7B62EC"
    )
    cipher = keys.Sm4Gcm(key)
    assert cipher.encrypt(nonce, plain, bound) == sealed and cipher.decrypt(nonce, sealed, bound) == plain
    sealer = keys.Sealer("sm", key)
    with pytest.raises(keys.SealBroken):
        sealer.open(b"\x02" + nonce + sealed[:-1] + b"\x00", bound)


@pytest.mark.parametrize("suite", SUITES)
def test_a_suite_seals(tmp_path: Path, suite: str) -> None:
    """Every changed bit, short text, other place, other key and other suite is refused; the right one opens."""
    path = tmp_path / "k"
    keyfile.create(path, demo=True)
    vault, other = (keyfile.load(path, demo=True, suite=s) for s in (suite, "sm" if suite == "aes" else "aes"))
    sealed = vault.misc.seal("内容".encode(), b"place")
    assert vault.misc.open(sealed, b"place") == "内容".encode()
    assert sealed != vault.misc.seal("内容".encode(), b"place") and sealed[0] == (1 if suite == "aes" else 2)
    changed = [sealed[:i] + bytes([sealed[i] ^ 1 << b]) + sealed[i + 1 :] for i in range(len(sealed)) for b in range(8)]
    tried = [(vault.misc, c, b"place") for c in changed] + [
        (vault.misc, sealed[:i], b"place") for i in range(len(sealed))
    ]
    tried += [(vault.misc, sealed, b"elsewhere"), (vault.whole_log, sealed, b"place"), (other.misc, sealed, b"place")]
    for sealer, text, bound in tried:
        with pytest.raises(keys.SealBroken):
            sealer.open(text, bound)
    assert vault.lookup("id", "a") != other.lookup("id", "a") and len(vault.lookup("id", "a")) == 16
    assert len({vault.lookup(*v) for v in (("id", "a"), ("phone", "a"), ("id", "a", ""), ("id", "", "a"))}) == 4


@pytest.mark.parametrize("suite", SUITES)
def test_the_log_changes_its_key(tmp_path: Path, suite: str) -> None:
    """Thirty days have one key, the next thirty another; neither is the key that older entries have."""
    keyfile.create(tmp_path / "k", demo=True)
    vault = keyfile.load(tmp_path / "k", demo=True, suite=suite)
    first = datetime.fromordinal(739_800).replace(tzinfo=UTC)
    assert first.toordinal() % 30 == 0
    sealed = vault.log(first).seal(b"body", b"place")
    assert vault.log(first + timedelta(days=29, hours=23)).open(sealed, b"place") == b"body"
    for other in (vault.log(first - timedelta(seconds=1)), vault.log(first + timedelta(days=30)), vault.whole_log):
        with pytest.raises(keys.SealBroken):
            other.open(sealed, b"place")


@pytest.mark.parametrize("suite", SUITES)
async def test_a_suite_end_to_end(own: Settings, suite: str) -> None:
    """A hub in this suite: report, record, attachment, search, amendment, log; every envelope bears its mark."""
    async with serving(replace(own, suite=suite), free_port()) as world:
        police, parties = await world.agency("police"), pair()
        made = await police.filed("police_call", call(parties, content="国密往返"))
        record = f"/v1/records/{made['id']}"
        file = await police.post(f"{record}/attachments", content=PNG)
        assert (await police.get(file.headers["location"])).content == PNG
        seen = await police.get(record)
        patch = {"headers": {"If-Match": seen.headers["etag"]}, "json": {"content": "国密更正"}}
        assert (await police.send("PATCH", record, **patch)).status_code == 204
        found = await police.post("/v1/cases/search", json={"id_number": parties["victim_id_number"]})
        assert "国密更正" in found.text
        receipt = (await world.http.post("/v1/reports", json={"place": "重庆市巴南区", "what": "国密报案"})).json()
        told = await world.http.get(f"/v1/reports/{receipt['receipt']}", headers={"Receipt-Secret": receipt["secret"]})
        assert "国密报案" in told.text
        assert any(entry["body"]["act"] == "read" for entry in await world.log(case=made["case_id"]))
        rows = await world.services.database.fetch("SELECT c_facts, m_facts FROM record")
        rows += await world.services.database.fetch("SELECT key_wrapped FROM cases")
        rows += await world.services.database.audit.fetch("SELECT body FROM access_log")
        marks = {bytes(value)[:1] for row in rows for value in row if value is not None}
        assert marks == {keys.SUITES[suite][0]}


async def snapshot(world: World) -> dict[str, list[tuple[Any, ...]]]:
    database = world.services.database
    return {
        "record": [tuple(r) for r in await database.fetch("SELECT * FROM record ORDER BY id, version")],
        "files": [tuple(r) for r in await database.fetch("SELECT * FROM attachment_chunk ORDER BY attachment_id, n")],
        "keys": [tuple(r) for r in await database.fetch("SELECT id, key_wrapped, key_id FROM cases ORDER BY id")],
    }


def _break_off(_: int) -> None:
    raise KeyboardInterrupt


async def test_rotation_rewraps_only(own: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """A new master key: case keys re-wrapped, no byte of a record changed, all readable, the old key removable."""
    async with serving(own, free_port()) as world:
        police = await world.agency("police")
        made = [await police.filed("police_call", call(content=f"轮换前{i}")) for i in range(5)]
        await police.post(f"/v1/records/{made[0]['id']}/attachments", content=PNG)
        before, people = await snapshot(world), world.people
    old = json.loads(own.key_file.read_text())["masters"][0]["id"]
    new = keyfile.rotate(own.key_file)
    assert new != old and stat.S_IMODE(own.key_file.stat().st_mode) == 0o600
    async with serving(own, free_port(), people) as world:
        police = await world.agency("police")
        assert "轮换前0" in (await police.get(f"/v1/records/{made[0]['id']}")).text, "readable between the steps"
        monkeypatch.setattr(admin, "AT_ONCE", 2)
        with pytest.raises(KeyboardInterrupt):  # broken off after two
            await admin.rotate_keys(world.services, _break_off)
        told = list[int]()
        assert await admin.rotate_keys(world.services, told.append) == len(before["keys"]) - 2 == told[-1]
        assert await admin.rotate_keys(world.services) == 0
        after = await snapshot(world)
    assert after["record"] == before["record"] and after["files"] == before["files"]
    assert {key_id for _, _, key_id in after["keys"]} == {new} and after["keys"] != before["keys"]
    raw = json.loads(own.key_file.read_text())
    raw["masters"] = raw["masters"][:1]
    own.key_file.write_text(json.dumps(raw))
    forgetful = keyfile.load(own.key_file, demo=True)
    with pytest.raises(keys.SealBroken):  # the control: without rotation the old key is needed
        forgetful.case_key(dict(zip(("case_id", "key_wrapped", "key_id"), before["keys"][0], strict=True)))
    async with serving(own, free_port(), people) as world:
        police = await world.agency("police")
        for i, one in enumerate(made):
            assert f"轮换前{i}" in (await police.get(f"/v1/records/{one['id']}")).text
        files = (await police.get(f"/v1/records/{made[0]['id']}/attachments")).json()["items"]
        assert (await police.get(f"/v1/attachments/{files[0]['id']}")).content == PNG


async def test_moved_ciphertext_does_not_open(world: World) -> None:
    """A38: every envelope tried at every other row, version, column and case: 0 open; at its own place each does."""
    police, database, vault = await world.agency("police"), world.services.database, world.services.vault
    ids = [uuid.UUID((await police.filed("police_call", call(weapon="刀")))["id"]) for _ in range(4)]
    rows = await database.fetch(
        "SELECT r.*, c.key_wrapped, c.key_id FROM record r JOIN cases c ON c.id = r.case_id WHERE r.id = ANY($1)", ids
    )
    places = [(row, name, version) for row in rows for name in COLUMNS for version in (1, 2)]
    right = wrong = 0
    for row, name in itertools.product(rows, COLUMNS):
        if row[name] is None:
            continue
        for at, column, version in places:
            key = vault.case_key(at)
            ticket = keys.Ticket((uuid.uuid4(), 1), {(at["id"], 1): frozenset({column})})
            own = at is row and column == name and version == versions(row["last_changed"])[INDEX[name[2:]]]
            try:
                where = [(column, keys.ending(column, version))]
                keys.open_row(ticket, key, (at["id"], 1), {column: row[name]}, where)
            except keys.SealBroken:
                assert not own
                wrong += 1
            else:
                assert own, (name, column)
                right += 1
    assert right >= 4 * 8 and wrong > 5_000


def test_key_files(tmp_path: Path) -> None:
    """0600 and never replaced; refused: missing, readable by others, demo outside a demo, unknown form or suite."""
    path = tmp_path / "deep" / "master.key"
    keyfile.create(path, demo=True)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    kept = path.read_bytes()
    with pytest.raises(FileExistsError):
        keyfile.create(path, demo=False)
    assert path.read_bytes() == kept and keyfile.load(path, demo=True)
    for mode in (0o640, 0o604, 0o644, 0o660, 0o610, 0o601):
        path.chmod(mode)
        with pytest.raises(keyfile.KeyRefused, match="0600"):
            keyfile.load(path, demo=True)
    path.chmod(0o600)
    refused: list[tuple[Path, bool, str]] = [(path, False, "aes"), (tmp_path / "x", True, "aes"), (path, True, "des")]
    for tried, demo, suite in refused:
        with pytest.raises(keyfile.KeyRefused):
            keyfile.load(tried, demo=demo, suite=suite)
    path.write_text(json.dumps(json.loads(kept) | {"format": 2}))
    with pytest.raises(keyfile.KeyRefused):
        keyfile.load(path, demo=True)
    production = tmp_path / "production.key"
    keyfile.create(production, demo=False)
    assert keyfile.load(production, demo=False).key_id
    raw = json.loads(production.read_text())
    material = [raw["masters"][0]["key"], *(raw[name] for name in ("lookup", "pseudonym", "log", "misc"))]
    assert len({base64.b64decode(m) for m in material}) == 5 and all(len(base64.b64decode(m)) == 32 for m in material)


async def test_a_hub_does_not_start_with_the_key_of_another(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else it would answer 500 for every case and file new ones beside them; with its own (the control) it starts."""
    await (await world.agency("police")).filed("police_call", call())
    config = world.services.settings
    await (await open_services(config)).database.close()
    with pytest.raises(keyfile.KeyRefused):
        await open_services(replace(config, suite="sm" if config.suite == "aes" else "aes"))
    monkeypatch.setenv("HUB_KEY_FILE", str(tmp_path / "other.key"))
    keyfile.create(tmp_path / "other.key", demo=True)
    with pytest.raises(keyfile.KeyRefused):
        await open_services(config)


async def test_nor_with_its_own_from_before_a_rotation(world: World, config: Settings, tmp_path: Path) -> None:
    """Though it opens the newest: processes wrap by the key that they began with, until they are restarted."""
    police = await world.agency("police")
    await police.filed("police_call", call())
    before = tmp_path / "before.key"
    shutil.copy2(config.key_file, before)
    assert (await asyncio.to_thread(run, config, "keys", "rotate")).returncode == 0
    for _ in range(5):
        await police.filed("police_call", call())
    done = await asyncio.to_thread(run, config, "check", HUB_KEY_FILE=str(before))
    assert done.returncode == 1 and "rotation" in done.stderr and "Traceback" not in done.stderr
    done = await asyncio.to_thread(run, config, "check")
    assert done.returncode == 0, "control"


def test_an_id_made_of_drawn_bytes_is_that_of_the_standard_library() -> None:
    """A record's id is made of its key: one that looked otherwise would be filed again by a newer version."""
    for drawn in (os.urandom(16) for _ in range(200)):
        made = ids.random_form(drawn)
        assert made == uuid.UUID(bytes=drawn, version=4) == ids.of_text(str(made)) and made.version == 4
        assert hash(made) == hash(uuid.UUID(str(made))) and made != uuid.UUID(bytes=drawn[::-1], version=4)


def test_two_rotations_at_once_lose_no_key(tmp_path: Path) -> None:
    path = tmp_path / "master.key"
    keyfile.create(path, demo=True)
    with ThreadPoolExecutor(8) as several:
        made = list(several.map(keyfile.rotate, [path] * 24))
    held = [master["id"] for master in json.loads(path.read_bytes())["masters"]]
    assert len(held) == 25 and set(made) < set(held)
    assert [file.name for file in tmp_path.iterdir()] == ["master.key"] and path.stat().st_mode & 0o777 == 0o600
