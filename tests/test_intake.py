"""A45, A09 intake: one required field, a strong receipt, durable whatever the database does, filed exactly once."""

import asyncio
import base64
import itertools
import re
import uuid
from typing import Any

import httpx
import pytest

from hub import admin, clock
from hub.cases import LETTERS
from hub.embedded import Embedded
from hub.intake import REPORT, Accepted
from hub.policies.services import Services
from tests import logbook, outages
from tests.test_attachments import PNG
from tests.world import AWAY, HOME, World, call, instant, pair

PLACE = "重庆市巴南区龙洲湾街道"


async def report(world: World, **fields: Any) -> dict[str, str]:
    answer = await world.http.post("/v1/reports", json={"place": PLACE} | fields)
    assert answer.status_code == 201, answer.text
    made: dict[str, str] = answer.json()
    return made


async def held(world: World, receipt: dict[str, str], secret: str | None = None) -> httpx.Response:
    headers = {"Receipt-Secret": secret} if secret is not None else {}
    return await world.http.get(f"/v1/reports/{receipt['receipt']}", headers=headers)


async def case_of(services: Services, receipt: dict[str, str]) -> Any:
    code = services.vault.lookup("receipt", receipt["receipt"].replace(" ", ""))
    return await services.database.fetchrow(
        "SELECT c.*, r.record_id FROM receipt r JOIN cases c ON c.id = r.case_id WHERE r.code_hash = $1", code
    )


async def test_only_where_is_required(world: World) -> None:
    """A place, or both coordinates; every other field may be absent, and any one may come alone beside it."""
    assert not [name for name, field in REPORT.model_fields.items() if field.is_required()]
    await report(world)
    for alone in ({"latitude": 29.4, "longitude": 106.5}, {"place": "说不清，在家"}):
        assert (await world.http.post("/v1/reports", json=alone)).status_code == 201
    for lacking in ({}, {"latitude": 29.4}, {"longitude": 106.5}, {"place": ""}, {"what": "救命"}, {"place": None}):
        answer = await world.http.post("/v1/reports", json=lacking)
        assert answer.status_code == 422 and "receipt" not in answer.json()
    for extra in ({"status": "closed"}, {"place": PLACE, "handler_id": "x"}):
        assert (await world.http.post("/v1/reports", json=extra)).status_code == 422


async def test_receipts(world: World) -> None:
    """16 digits and a second secret of 12 letters (58 bits), never twice; neither lies in the database."""
    made = await asyncio.gather(*(report(world) for _ in range(60)))
    assert all(re.fullmatch(r"\d{4} \d{4} \d{4} \d{4}", m["receipt"]) for m in made)
    assert all(re.fullmatch(f"([{LETTERS}]{{4}}-){{2}}[{LETTERS}]{{4}}", m["secret"]) for m in made)
    assert len({m["receipt"] for m in made}) == len({m["secret"] for m in made}) == 60
    assert len(set("".join(m["receipt"] for m in made))) == 11 and len(LETTERS) ** 12 > 2**58
    rows = await world.services.database.fetch("SELECT code_hash, secret_hash FROM receipt")
    kept = b"".join(bytes(v) for row in rows for v in row)
    for m in made:
        assert m["receipt"].replace(" ", "").encode() not in kept and m["secret"].replace("-", "").encode() not in kept


async def test_to_the_unit_on_duty(world: World) -> None:
    """By region code, by names in the place, by nearness, else the widest unit; its intake sees the report."""
    services = world.services
    units = services.directory.codes
    homes: list[tuple[dict[str, Any], str]] = [
        ({"place": "家里", "region": HOME}, f"{HOME}-police"),
        ({"place": "家里", "region": AWAY + "000000"}, f"{AWAY}-police"),
        ({"place": f"{services.directory.place_name(AWAY + '000000')}某路1号"}, f"{AWAY}-police"),
        ({"place": PLACE}, f"{HOME}-police"),
        ({"place": "家里", "region": "999999"}, "50-police"),
        ({"place": "不知道"}, "50-police"),
    ]
    for fields, unit in homes:
        case = await case_of(services, await report(world, what="接报测试", **fields))
        assert case["intake"] == [case["handler_id"]] == [units[unit].id], fields
    stations = [("370102", 36.66, 117.07), ("370103", 36.64, 116.99)]
    await admin.add_units(
        services, [admin.NewUnit(f"{r}-police", r, "police", r, latitude=x, longitude=y) for r, x, y in stations]
    )
    for at, unit in (((36.665, 117.1), "370102"), ((36.63, 116.9), "370103")):
        made = await report(world, place="这里", latitude=at[0], longitude=at[1])
        assert (await case_of(services, made))["intake"] == [services.directory.codes[f"{unit}-police"].id]
    url = f"/v1/cases/{(await case_of(services, await report(world, what='接报可见', region=HOME)))['id']}"
    seen = {
        (region, person): (
            await (await world.agency("police", region=region, person=person, purpose="intake")).get(url)
        )
        for region, person in itertools.product((HOME, AWAY), ("intake", "caseworker"))
    }
    assert "接报可见" in seen[HOME, "intake"].text
    assert {answer.status_code for key, answer in seen.items() if key != (HOME, "intake")} <= {403, 404}


async def test_adding_later(world: World) -> None:
    """Text and pictures go to the same case, under the second secret only; the unit on duty sees them."""
    made = await report(world, what="起初", region=HOME)
    url, secret = f"/v1/reports/{made['receipt']}", {"Receipt-Secret": made["secret"]}
    for bad in ({}, {"Receipt-Secret": "wrong"}):
        assert (await world.http.post(f"{url}/additions", json={"text": "x"}, headers=bad)).status_code == 404
        assert (await world.http.post(f"{url}/photos", content=PNG, headers=bad)).status_code == 404
    added = await world.http.post(f"{url}/additions", json={"text": "后来补充的话"}, headers=secret)
    photo = await world.http.post(f"{url}/photos", content=PNG, headers=secret)
    assert added.status_code == photo.status_code == 201
    assert (await world.http.post(f"{url}/photos", content=b"text", headers=secret)).status_code == 415
    assert (await world.http.post(f"{url}/additions", json={"text": ""}, headers=secret)).status_code == 422
    assert "后来补充的话" in (await held(world, made, made["secret"])).text
    case = await case_of(world.services, made)
    duty = await world.agency("police", person="intake", purpose="intake")
    assert "后来补充的话" in (await duty.get(f"/v1/cases/{case['id']}")).text
    files = await world.services.database.fetch("SELECT 1 FROM attachment WHERE record_id = $1", case["record_id"])
    assert len(files) == 1


async def test_a_report_joins_an_open_case(world: World) -> None:
    """Same victim and respondent: same case, still handled by whom it was; the reporter cannot tell."""
    police, parties = await world.agency("police"), pair()
    case = (await police.filed("police_call", call(parties)))["case_id"]
    joined, opened = await report(world, **parties), await report(world, **pair())
    assert str((await case_of(world.services, joined))["id"]) == case
    assert str((await case_of(world.services, opened))["id"]) != case
    assert joined.keys() == opened.keys()
    assert (await held(world, joined)).json().keys() == (await held(world, opened)).json().keys()
    await police.filed("coordination", {"held_at": instant(), "subject": "x", "close_case": True}, case=case)
    assert str((await case_of(world.services, await report(world, **parties)))["id"]) != case


async def test_reports_sent_at_once_open_one_case_a_pair(world: World) -> None:
    """Twelve pairs, three reports on each in one batch: twelve cases; on nobody in particular: a case each."""
    intake, pairs = world.app.state.intake, [pair() for _ in range(12)]
    sent = [{"place": PLACE} | who for who in (*pairs, *pairs, *pairs)] + [{"place": PLACE}] * 3
    batch = [Accepted(values, "report", uuid.uuid4().bytes, bytes(16), clock.now()) for values in sent]
    await asyncio.gather(*map(intake.keep, batch))
    await settled(world)
    sql = "SELECT DISTINCT case_id FROM record WHERE id = ANY($1)"
    ids = [accepted.record_id for accepted in batch]
    assert len(await world.services.database.fetch(sql, ids[:-3])) == len(pairs)
    assert len(await world.services.database.fetch(sql, ids[-3:])) == 3


async def spooled(world: World, count: int, text: str) -> tuple[list[dict[str, str]], bytes]:
    """Reports sent while the database takes nothing, and what lies on disk then."""
    made = await asyncio.gather(*(report(world, what=f"{text}{i}", region=HOME) for i in range(count)))
    folder = world.services.settings.spool
    assert folder.stat().st_mode & 0o777 == 0o700
    return list(made), b"".join(path.read_bytes() for path in sorted(folder.glob("*.sealed")))


async def settled(world: World) -> None:
    """Wait until the spool has been filed, with four drains racing the hub's own."""
    while list(world.services.settings.spool.glob("*.sealed")):
        await asyncio.gather(*(world.app.state.intake.drain() for _ in range(4)), return_exceptions=True)
        await asyncio.sleep(0.05)


@pytest.mark.parametrize("outage", [outages.blocked, outages.down, outages.hung])
async def test_spooled_while_the_database_is_away(world: World, embedded: Embedded, outage: Any) -> None:
    """A09: accepted with a receipt, sealed on disk, filed exactly once as soon as it is back; then all is ready."""
    police = await world.agency("police")
    case = (await police.filed("police_call", call()))["case_id"]
    await settled(world)
    async with outage(embedded, "cases"):
        began = asyncio.get_running_loop().time()
        made, kept = await spooled(world, 30, "断网时的报警")
        assert asyncio.get_running_loop().time() - began < 5, "nobody waits for a server that does not answer"
        if outage is outages.down:
            assert (await police.get(f"/v1/cases/{case}")).status_code == 503
    lines = [base64.b64decode(line) for line in kept.split()]
    for plain in ("断网时的报警", PLACE, HOME, made[0]["receipt"].replace(" ", ""), made[0]["secret"], "what"):
        assert plain.encode() not in b"".join(lines)
    assert len(lines) >= 30 and "断网时的报警0" in world.services.vault.misc.open(lines[0], b"spool").decode()
    await settled(world)
    for i, receipt in enumerate(made):
        answer = await held(world, receipt, receipt["secret"])
        assert answer.status_code == 200 and f"断网时的报警{i}" in answer.text
        record = (await case_of(world.services, receipt))["record_id"]
        assert await logbook.count(world.services, "w = $1", record) == 1
    assert (await world.http.get("/readyz")).status_code == 200
    assert (await police.get(f"/v1/cases/{case}")).status_code == 200


async def test_a_spooled_report_is_filed_once_though_it_was_written(world: World) -> None:
    """An unknown outcome: the report is in the database and on disk; filing finds it there and adds nothing."""
    intake, services = world.app.state.intake, world.services
    vault = services.vault
    twice = Accepted({"place": PLACE}, "report", vault.lookup("receipt", "1" * 16), bytes(16), clock.now())
    await intake.keep(twice)
    intake.spool.append([twice.spooled(), twice.spooled()])
    await settled(world)
    rows = await services.database.fetch("SELECT version FROM record WHERE id = $1", twice.record_id)
    assert len(rows) == 1 and await logbook.count(services, "w = $1", twice.record_id) == 1


async def test_a_bad_spool_file_holds_nothing_up(world: World) -> None:
    """Damaged files are set aside as they are; the reports behind them are filed."""
    intake, folder = world.app.state.intake, world.services.settings.spool
    folder.mkdir(exist_ok=True)
    bad = [folder / f"0-{i}.sealed" for i in range(3)]
    sealed = world.services.vault.misc.seal(b"[1]", b"spool")
    for path, content in zip(bad, (b"?", base64.b64encode(bytes(64)), base64.b64encode(sealed)), strict=True):
        path.write_bytes(content)
    good = Accepted({"place": PLACE}, "report", uuid.uuid4().bytes, bytes(16), clock.now())
    intake.spool.append([good.spooled()])
    await settled(world)
    assert await world.services.database.fetchrow("SELECT 1 FROM record WHERE id = $1", good.record_id)
    for path in bad:
        assert path.with_suffix(".bad").read_bytes().strip()


async def test_refused_only_when_no_disk_takes_it(world: World, embedded: Embedded) -> None:
    """Neither database nor disk: 503, the emergency number, and no receipt. The control to `accepted`."""
    intake, folder = world.app.state.intake, world.services.settings.spool
    before = intake.spool.folder
    intake.spool.folder = folder / "file" / "x"
    (folder / "file").touch()
    try:
        async with outages.blocked(embedded, "cases"):
            answer = await world.http.post("/v1/reports", json={"place": PLACE})
    finally:
        intake.spool.folder = before
        (folder / "file").unlink()
    assert answer.status_code == 503 and "110" in answer.text and "receipt" not in answer.json()
    await report(world)
