"""A28: no kind takes a member that the server owns, at any depth, and no class can hold a field without a category."""

import os
import uuid
from typing import Any

import orjson
import pytest

from hub.api import reports
from hub.demo.province import TYPES
from hub.models.base import Governed, RecordFields
from hub.models.catalogue import KINDS, fields_of
from hub.models.fields import Category, governed
from hub.models.sealed import CLEAR_COLUMNS, Record
from hub.models.values import Short
from tests.leaks.canaries import body
from tests.world import HOME, World

SERVER = [column.name for column in Record.__table__.columns if column.name not in CLEAR_COLUMNS]  # type: ignore[attr-defined]
NAMES = [
    *SERVER,
    *("status", "stage", "number", "ref", "region_code", "handler_id", "involved", "referred", "named", "acting"),
    *("party_keys", "key_wrapped", "key_id", "sealed_by", "intake", "alert_open", "reporting_unit_id"),
    *("risk_level", "relocated", "role", "purpose", "category", "authored", "withheld", "masked", "origin"),
    *("c_victim", "m_victim", "x-category", "x-owner", "model_config", "__class__", "_id", "id ", "ID", "受害人姓名"),
]
NESTED = NAMES if os.environ.get("HUB_TEST_FULL") else NAMES[::9]
COUNTS = "SELECT (SELECT count(*) FROM record) AS records, (SELECT count(*) FROM cases) AS cases"


async def counted(world: World) -> tuple[int, int]:
    row = await world.services.database.fetchrow(COUNTS)
    return row["records"], row["cases"]


async def offer(world: World, kind: str, sent: dict[str, Any]) -> int:
    """Submit a body as a unit that owns the kind, or on the public page; returns the status."""
    if kind == "report":
        return (await world.http.post("/v1/reports", json=sent)).status_code
    unit_type = next((t for t in TYPES if world.services.policy.may_write(t, kind)), "police")
    return (await (await world.agency(unit_type)).submit(kind, sent)).status_code


def whole(kind: str) -> dict[str, Any]:
    """Every field, and no case named: then nobody is confirmed."""
    made = body(kind, named=[], referred=f"{HOME}-justice", accepted=False)
    return made | ({"reporter_confirmed": False} if "reporter_confirmed" in made else {})


@pytest.mark.parametrize("kind", [k for k in KINDS if k != "report_addition"])
async def test_server_names_are_refused(world: World, kind: str) -> None:
    """Each name beside a good body, and inside its nested objects: 422, and nothing is written."""
    own = {info.name for info in fields_of(KINDS[kind])}
    good = whole(kind)
    before = await counted(world)
    for name in [n for n in NAMES if n not in own]:
        assert await offer(world, kind, good | {name: 1}) == 422, name
        for nested in [n for n, v in good.items() if isinstance(v, list) and v and isinstance(v[0], dict)]:
            inside = good | {nested: [good[nested][0] | {name: 1}]}
            if name in NESTED and name not in good[nested][0]:
                assert await offer(world, kind, inside) == 422, (nested, name)
    assert await counted(world) == before
    assert await offer(world, kind, good) == 201, "control: the body itself is good"
    if kind != "report":
        assert await counted(world) > before, "control: a write is counted"


async def test_amendments_take_no_server_names(world: World) -> None:
    police = await world.agency("police")
    made = await police.filed("police_call", body("police_call"))
    tag = (await police.get(f"/v1/records/{made['id']}")).headers["etag"]
    before = await world.services.database.fetch("SELECT * FROM record WHERE id = $1", uuid.UUID(made["id"]))
    for name in [n for n in NAMES if n not in KINDS["police_call"].model_fields]:
        answer = await police.send("PATCH", f"/v1/records/{made['id']}", json={name: 1}, headers={"If-Match": tag})
        assert answer.status_code == 422, name
    for patch in ({"children": [{"id": 1}]}, {"fields": {"content": "x"}}):
        answer = await police.send("PATCH", f"/v1/records/{made['id']}", json=patch, headers={"If-Match": tag})
        assert answer.status_code == 422
    after = await world.services.database.fetch("SELECT * FROM record WHERE id = $1", uuid.UUID(made["id"]))
    assert [dict(r) for r in after] == [dict(r) for r in before]


async def test_a_unit_writes_only_what_its_type_owns(world: World) -> None:
    """Each kind by each type of unit: 201 for an owner, else 403, which writes nothing."""
    before = (await counted(world))[0]
    accepted = 0
    for kind in [k for k, m in KINDS.items() if m.public]:
        sent = whole(kind)
        for unit_type in TYPES:
            owner = world.services.policy.may_write(unit_type, kind)
            status = (await (await world.agency(unit_type)).submit(kind, sent)).status_code
            assert status == (201 if owner else 403), (kind, unit_type)
            accepted += status == 201
    assert (await counted(world))[0] == before + accepted


async def test_a_careless_reader_is_found(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Control: a reader that drops what it does not know takes a body with server names, and a write is counted."""

    async def careless(request: Any, model: Any) -> Any:
        sent = orjson.loads(await request.body())
        return model(**{name: value for name, value in sent.items() if name in model.model_fields}), b""

    monkeypatch.setattr(reports, "parse", careless)
    before = await counted(world)
    assert await offer(world, "report", {"place": "家里", "handler_id": 1}) == 201
    assert await counted(world) > before


def test_a_field_without_a_category_fails_at_import() -> None:
    with pytest.raises(TypeError, match="has no category"):

        class Stray(RecordFields):
            note: Short | None = None

    with pytest.raises(TypeError, match="has no category"):

        class Nested(Governed):
            site: str

    class Good(RecordFields):
        """Control: with a category the same class is made."""

        note: Short | None = governed(Category.internal, "备注")

    assert [info.category for info in fields_of(Good)] == ["internal"]


def test_every_field_has_one_known_category() -> None:
    for model in KINDS.values():
        for info in fields_of(model):
            assert info.category in set(Category)
            inner = fields_of(info.item) if info.item else ()
            assert {i.category for i in inner} <= {info.category}, "a list is sealed under one category"
