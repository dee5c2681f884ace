"""Answers are what the description says, member by member, whoever asks; schemathesis holds the same to less."""

from collections.abc import AsyncIterator
from typing import Any

import jsonschema_rs
import pytest

from hub.api import answers, bodies
from hub.main import ROUTERS
from tests.leaks import callers, seed
from tests.leaks.province import settle
from tests.leaks.seed import Seeded
from tests.world import Caller, World, call

Asked = tuple[str, Caller, str, str, dict[str, Any]]
"""The name of the handler, who asks, and what."""


def _strict(schema: Any) -> Any:
    """The same, but for objects without a member that is not told of."""
    if isinstance(schema, list):
        return [_strict(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    made = {key: _strict(part) for key, part in schema.items()}
    return made | (
        {"additionalProperties": False} if "properties" in made and "additionalProperties" not in made else {}
    )


def wrong(world: World, shape: str, answer: Any) -> list[str]:
    """Where an answer is not what the description says."""
    components = _strict(world.app.openapi()["components"])
    validator = jsonschema_rs.validator_for({"$ref": f"#/components/schemas/{shape}", "components": components})
    return [f"{shape} {error.instance_path}: {error.message}"[:300] for error in validator.iter_errors(answer)]


@pytest.fixture(scope="module")
async def made(world: World) -> Seeded:
    await settle(world)
    return await seed.every_kind(world)


async def looks(world: World, made: Seeded) -> AsyncIterator[Asked]:
    """Reads by callers who see all, little, and nothing but that there is something."""
    record, case = next(iter(made.book.records)), f"/v1/cases/{made.book.case_id}"
    for relation, unit_type, role, purpose in (
        ("involved", "police", "caseworker", "case_handling"),
        ("involved", "hospital", "caseworker", "medical_care"),
        ("named", "school", "caseworker", "case_handling"),
        ("referred", "justice", "caseworker", "case_handling"),
        ("territorial", "police", "caseworker", "follow_up"),
        ("superior", "police", "supervisor", "supervision"),
        ("involved", "court", "system", "sync"),
    ):
        who = (await callers.agency(world, relation, unit_type, role, purpose)).caller
        yield "list_cases", who, "GET", "/v1/cases?limit=2", {}
        yield "open_case", who, "GET", case, {}
        yield "list_records", who, "GET", f"{case}/records", {}
        yield "history", who, "GET", f"{case}/history", {}
        for one in made.book.records:
            yield "read_record", who, "GET", f"/v1/records/{one}", {}
        for one in {*made.files.values(), record}:
            yield "list_attachments", who, "GET", f"/v1/records/{one}/attachments", {}
        wanted = {"id_number": made.pair["victim_id_number"]}
        yield "search", who, "POST", "/v1/cases/search", {"json": wanted}
    for role in ("reporter_receipt", "reporter_self"):
        yield (
            "read_report",
            callers.reporter(world, made, 0, role).caller,
            "GET",
            f"/v1/reports/{made.receipts[0][0]}",
            {},
        )


async def others(world: World, made: Seeded) -> AsyncIterator[Asked]:
    """What is filed, reviewed and looked up."""
    police, auditor = await world.agency("police"), await world.person("auditor")
    headers = {"Idempotency-Key": "answers-1"}
    yield "submit_police_call", police, "POST", "/v1/records/police_call", {"json": call(), "headers": headers}
    own = (await police.filed("police_call", call()))["id"]
    yield "attach", police, "POST", f"/v1/records/{own}/attachments", {"content": seed.PNG}
    anyone, (code, secret, _) = Caller(world.http, {}), made.receipts[0]
    yield "report", anyone, "POST", "/v1/reports", {"json": {"place": "重庆市巴南区"}}
    shown = {"headers": {"Receipt-Secret": secret}}
    yield "add_text", anyone, "POST", f"/v1/reports/{code}/additions", {"json": {"text": "补充"}} | shown
    yield "add_photo", anyone, "POST", f"/v1/reports/{code}/photos", {"content": seed.PNG} | shown
    yield "entries", auditor, "GET", "/v1/audit/entries?limit=200", {}
    (entry, *_) = await world.log(act="read")
    url = f"/v1/audit/entries/{entry['chain']}/{entry['n']}"
    yield "entry", auditor, "POST", url, {"json": {"reason": "例行抽查"}}
    for name, url in (("units", "/v1/units"), ("regions", "/v1/regions"), ("catalogue", "/v1/catalogue")):
        yield name, police, "GET", url, {}
    for name, url in (("start", "/"), ("healthz", "/healthz"), ("readyz", "/readyz")):
        yield name, anyone, "GET", url, {}


async def test_answers_are_as_described(world: World, made: Seeded) -> None:
    """By all handlers; what is refused is a problem document. With more or less in it (the control) none is right."""
    met = {"token", "open_session"}  # FastAPI's own way: models
    found: list[str] = []
    last: Any = None
    for asking in (looks, others):
        async for name, who, method, url, rest in asking(world, made):
            answer = await who.send(method, url, **rest)
            shape = answers.answer_of(name).__name__ if answer.is_success else "Problem"
            found += [f"{name} {url}: {text}" for text in wrong(world, shape, answer.json())]
            if answer.is_success:
                met.add(name)
                last = (shape, answer.json()) if name == "open_case" else last
    assert found == [] and met == {*answers.ANSWERS, "submit_police_call"}
    shape, told = last
    assert wrong(world, shape, told) == []
    assert wrong(world, shape, told | {"more": 1}) and wrong(world, shape, {k: told[k] for k in told if k != "id"})


def test_every_route_says_what_it_answers(world: World) -> None:
    """But those that answer nothing, or a file; and no answer takes a name that a body has."""
    silent = {"amend_record", "close_session", "download", "jwks"}
    names = {route.name for router in ROUTERS for route in router.routes if getattr(route, "include_in_schema", False)}
    assert {name for name in names if answers.answer_of(name) is None} == silent
    both = answers.schemas().keys() & bodies.schemas().keys()
    assert all(answers.schemas()[name] == bodies.schemas()[name] for name in both)


def test_what_a_client_made_from_the_description_needs(world: World) -> None:
    """A file comes as what it is; where 304 may be answered its header is told of, and nowhere else; 500 everywhere."""
    paths = world.app.openapi()["paths"]
    file = paths["/v1/attachments/{attachment_id}"]["get"]["responses"]["200"]["content"]
    assert file == {"*/*": {"schema": {"type": "string", "format": "binary"}}}
    conditional = set()
    for path, operations in paths.items():
        for operation in operations.values():
            assert "Problem" in str(operation["responses"]["500"])
            asks = "if-none-match" in [parameter["name"] for parameter in operation.get("parameters", ())]
            assert asks is ("304" in operation["responses"]), path
            conditional |= {path} if asks else set()
    assert conditional == {"/v1/cases/{case_id}"}
