"""A08: a failure injected at each step of the read path, on every data route, lets no byte of a case leave.

Each broken answer is a problem document without the canary (nor the injected error's text); the same request
unbroken releases the canary and leaves a new entry. The control opens with tickets that no entry backs.
"""

import asyncio
import itertools
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import asyncpg
import httpx
import pytest

from hub import casework, keys, oversight
from hub.api import records
from hub.attachments import File
from hub.audit import committer
from hub.audit.committer import Committer
from hub.db import Lease
from hub.models import views
from hub.policies.decide import Table
from hub.policies.gate import Gate
from tests import logbook
from tests.forms import PUBLIC
from tests.world import Caller, World, call

SECRET = "注入的错误文字"
PNG = b"\x89PNG\r\n\x1a\n" + b"\x00\x00\x00\rIHDR"
PNG += b"\x00\x00\x00\x01\x00\x00\x00\x01\x08\x06\x00\x00\x00\x1f\x15\xc4\x89" + bytes(64)


class Injected(RuntimeError):
    """Its text would be a leak if it left."""


def boom(*_: Any, **__: Any) -> Any:
    raise Injected(SECRET)


async def aboom(*_: Any, **__: Any) -> Any:
    raise Injected(SECRET)


async def lost(*_: Any, **__: Any) -> Any:
    raise OSError(SECRET)


async def refused(*_: Any, **__: Any) -> bool:
    return False


def unsealed(*_: Any, **__: Any) -> Any:
    raise keys.SealBroken


def unlogged(*_: Any, **__: Any) -> Any:
    raise keys.NotLogged


Patch = tuple[Any, str, Any]
STEPS: dict[str, list[Patch]] = {
    "fetch": [(Lease, "__aenter__", aboom)],
    "fetch lost": [(asyncpg.Connection, "fetch", lost), (asyncpg.Connection, "fetchrow", lost)],
    "decide": [(Table, "decide", boom), (oversight, "_only_auditors", boom)],
    "draft": [(Gate, "_draft", boom), (Gate, "draft", boom)],
    "enqueue": [(Committer, "enter", boom)],
    "columns": [(committer, "columns", boom)],
    "flush refused": [(Committer, "_insert", refused)],
    "flush": [(Committer, "_insert", aboom)],
    "ticket": [(keys.Ticket, "take", unlogged), (oversight, "_shown", unlogged)],
    "unwrap": [(keys.Vault, "case_key", boom), (keys.Vault, "log", boom)],
    "open": [(keys, "open_row", unsealed), (keys.Sealer, "open", unsealed), (oversight, "bound_to", boom)],
    "render": [
        (views, "case_head", boom),
        (views, "record_head", boom),
        (File, "shown", boom),
        (records, "quote", boom),
        (oversight, "_shown", boom),
        (casework, "etag", boom),
    ],
}
NOT_DATA = {
    ("GET", "/"),
    ("GET", "/healthz"),
    ("GET", "/readyz"),
    ("GET", "/v1/catalogue"),
    ("GET", "/v1/units"),
    ("GET", "/v1/regions"),
    ("GET", "/oauth/jwks"),
    ("POST", "/oauth/token"),
    ("POST", "/v1/sessions"),
    ("DELETE", "/v1/sessions/current"),
    ("POST", "/v1/reports"),
    ("POST", "/v1/reports/{code}/additions"),
    ("POST", "/v1/reports/{code}/photos"),
    ("POST", "/v1/records/{record_id}/attachments"),
    ("PATCH", "/v1/records/{record_id}"),
}
"""Routes that answer no stored case data: they are covered by the tests of what they write."""


@dataclass(frozen=True)
class Target:
    """One data route, healthy: `send` releases `canary` and adds an entry that `where` counts."""

    method: str
    path: str
    send: Callable[[], Awaitable[httpx.Response]]
    canary: bytes
    where: str
    args: tuple[Any, ...]


ABOUT = "case_refs @> ARRAY[$1::uuid]"


def of_a_case(police: Caller, case: str, record: str, file: str, number: str, ref: Any) -> list[Target]:
    """The routes that an agency reads by."""
    text = "案情金丝雀".encode()

    def get(path: str, url: str, canary: bytes = text) -> Target:
        return Target("GET", path, lambda: police.get(url), canary, ABOUT, (ref,))

    def search() -> Awaitable[httpx.Response]:
        return police.post("/v1/cases/search", json={"case_number": number})

    return [
        get("/v1/cases/{case_id}", f"/v1/cases/{case}"),
        get("/v1/cases", "/v1/cases?limit=200"),
        Target("POST", "/v1/cases/search", search, text, ABOUT, (ref,)),
        get("/v1/cases/{case_id}/records", f"/v1/cases/{case}/records"),
        get("/v1/cases/{case_id}/records/{record_id}", f"/v1/cases/{case}/records/{record}"),
        get("/v1/cases/{case_id}/history", f"/v1/cases/{case}/history"),
        get("/v1/records/{record_id}", f"/v1/records/{record}"),
        get("/v1/records/{record_id}/attachments", f"/v1/records/{record}/attachments", b"canary-file-name"),
        get("/v1/attachments/{attachment_id}", f"/v1/attachments/{file}", b"canary-bytes"),
    ]


@pytest.fixture(scope="module")
async def targets(world: World) -> list[Target]:
    police = await world.agency("police")
    made = await police.filed("police_call", call(content="案情金丝雀"))
    case, record = made["case_id"], made["id"]
    name = {"File-Name": "canary-file-name.png"}
    file = (await police.post(f"/v1/records/{record}/attachments", content=PNG + b"canary-bytes", headers=name)).json()
    report = {"place": "重庆市巴南区", "what": "报案金丝雀", "reporter_is_victim": True}
    receipt = (await world.http.post("/v1/reports", json=report)).json()
    services = world.services
    (filed,) = await logbook.rows(services, "w = $1", uuid.UUID(record))
    ref = filed["case_refs"][0]
    own = await services.database.fetchrow(
        "SELECT c.ref FROM receipt r JOIN cases c ON c.id = r.case_id WHERE r.code_hash = $1",
        services.vault.lookup("receipt", receipt["receipt"].replace(" ", "")),
    )
    number = (await police.get(f"/v1/cases/{case}")).json()["number"]

    def read_report() -> Awaitable[httpx.Response]:
        return world.http.get(f"/v1/reports/{receipt['receipt']}", headers={"Receipt-Secret": receipt["secret"]})

    return [
        *of_a_case(police, case, record, file["id"], number, ref),
        Target("GET", "/v1/reports/{code}", read_report, "报案金丝雀".encode(), ABOUT, (own["ref"],)),
        *of_the_log(await world.person("auditor", "audit"), case, record, str(ref).encode()),
    ]


def of_the_log(auditor: Caller, case: str, record: str, ref: bytes) -> list[Target]:
    """The routes of a security officer."""

    def listed() -> Awaitable[httpx.Response]:
        return auditor.get(f"/v1/audit/entries?case={case}&act=create")

    def opened() -> Awaitable[httpx.Response]:
        return auditor.post(f"/v1/audit/entries/{record}/1", json={"reason": "金丝雀"})

    looked = ("act = $1", ("audit-read",))
    return [
        Target("GET", "/v1/audit/entries", listed, ref, *looked),
        Target("POST", "/v1/audit/entries/{chain}/{n}", opened, b'"record":"%b"' % record.encode(), *looked),
    ]


async def leaks(world: World, target: Target) -> tuple[httpx.Response, bool, bool]:
    """Send; was the canary released, and was a new entry durable?"""
    before = await logbook.count(world.services, target.where, *target.args)
    answer = await asyncio.wait_for(target.send(), 20)
    entered = await logbook.count(world.services, target.where, *target.args) > before
    return answer, target.canary in answer.content, entered


def test_every_data_route_is_here(world: World, targets: list[Target]) -> None:
    """A route that is neither a target nor known to answer no case data fails here."""
    submits = {("POST", f"/v1/records/{kind}") for kind in PUBLIC}
    described = world.app.openapi()["paths"].items()
    found = {(method.upper(), path) for path, methods in described for method in methods}
    assert found - submits - {(t.method, t.path) for t in targets} == NOT_DATA


async def healthy(world: World, target: Target) -> None:
    answer, released, entered = await leaks(world, target)
    assert (answer.status_code, released, entered) == (200, True, True), target.path


@pytest.mark.parametrize("step", STEPS)
async def test_a_broken_step_releases_nothing(
    world: World,
    targets: list[Target],
    step: str,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    broken = 0
    for target in targets:
        await healthy(world, target)
        with monkeypatch.context() as patch:
            for owner, name, value in STEPS[step]:
                patch.setattr(owner, name, value)
            answer = await asyncio.wait_for(target.send(), 20)
        assert target.canary not in answer.content and SECRET not in answer.text, target.path
        if answer.status_code != 200:
            assert answer.status_code in (404, 500, 503), (target.path, answer.status_code)
            assert answer.headers["content-type"] == "application/problem+json"
            assert answer.json()["status"] == answer.status_code
            broken += 1
    assert broken >= len(targets) - 1, f"{step} broke only {broken} of {len(targets)} routes"
    for target in targets:
        await healthy(world, target)
    assert SECRET not in "".join(capfd.readouterr()) + caplog.text


def granted(ticket: keys.Ticket) -> asyncio.Future[keys.Ticket]:
    """A ticket at once, as if its entry were durable."""
    future: asyncio.Future[keys.Ticket] = asyncio.get_running_loop().create_future()
    future.set_result(ticket)
    return future


async def test_a_planted_bug_is_caught(world: World, targets: list[Target], monkeypatch: pytest.MonkeyPatch) -> None:
    """The control: tickets that no durable entry backs. Every route releases, no entry appears, all are caught."""

    def forged(self: Committer, draft: committer.Draft) -> asyncio.Future[keys.Ticket]:
        return granted(keys.Ticket((self.w, 0), draft.rows))

    monkeypatch.setattr(Committer, "enter", forged)
    caught = [await leaks(world, target) for target in targets]
    assert [(released, entered) for _, released, entered in caught] == [(True, False)] * len(targets)


async def test_a_plant_without_ticket_is_refused(
    world: World, targets: list[Target], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A gate that forgets to log at all has no ticket, and so nothing to show."""

    def forgetful(self: Committer, draft: committer.Draft) -> asyncio.Future[keys.Ticket]:
        return granted(keys.Ticket((self.w, 0), {}))

    monkeypatch.setattr(Committer, "enter", forgetful)
    for target in itertools.islice(targets, 10):
        answer = await target.send()
        assert answer.status_code == 500 and target.canary not in answer.content
