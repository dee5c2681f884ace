"""T07: how long an answer that shows nothing took does not tell whether there was something.

The fastest of many tries is compared, as somebody would who asks again and again. Everywhere else in the tests the
evening out of times is off; here it is on, and off for the control.
"""

import time
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from typing import Any

import pytest

from hub import admin
from hub.settings import Settings
from tests.conftest import free_port
from tests.servers import serving
from tests.test_intake import report
from tests.world import AWAY, HOME, Caller, World, call, pair, someone

STEP, TRIES, TOLERANCE = 0.1, 12, 0.0045
Request = tuple[str, str, dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Heavy:
    """A case with long records, the officer who is its respondent, what others may not know of it, and receipts of two
    reports: of one that is alone in its case, and of one that went to this case."""

    case: str
    record: str
    file: str
    officer: str
    victim: str
    receipts: tuple[str, str]


@pytest.fixture(scope="module")
async def heavy(world: World) -> Heavy:
    people, officer = pair(), f"party-{uuid.uuid4().hex[:6]}"
    new = admin.NewAccount(f"{HOME}-police", officer, "caseworker", people["respondent_id_number"])
    await admin.add_accounts(world.services, [new])
    police, long = await world.agency("police"), "长" * 20_000
    made = await police.filed("police_call", call(people, content=long))
    for _ in range(70):
        await police.filed("police_dispatch", {"handling": long, "scene": long, "history": long}, case=made["case_id"])
    file = await police.post(f"/v1/records/{made['id']}/attachments", content=b"%PDF-1.4 evidence")
    told = [(await report(world, region=HOME, **who))["receipt"] for who in (pair(), people)]
    return Heavy(
        made["case_id"], made["id"], file.json()["id"], officer, people["victim_id_number"], (told[0], told[1])
    )


@pytest.fixture(scope="module", params=[STEP, 0.0], ids=["on", "off"])
async def hub(world: World, config: Settings, request: pytest.FixtureRequest) -> AsyncIterator[World]:
    async with serving(replace(config, even_out=request.param), free_port(), world.people) as made:
        yield made


def asked(heavy: Heavy) -> list[tuple[str, Request, Request]]:
    """A name, a request for what is not there, and the same for what is not to be known."""
    nothing = str(uuid.uuid4())
    made: list[tuple[str, Request, Request]] = [
        (path, ("GET", path.format(nothing), {}), ("GET", path.format(hidden), {}))
        for path, hidden in (
            ("/v1/cases/{}", heavy.case),
            ("/v1/cases/{}/history", heavy.case),
            ("/v1/records/{}", heavy.record),
            ("/v1/attachments/{}", heavy.file),
        )
    ]
    numbers = (someone()["id_number"], heavy.victim)
    search = [("POST", "/v1/cases/search", {"json": {"id_number": n}}) for n in numbers]
    return [*made, ("search", search[0], search[1])]


async def fastest(caller: Caller, request: Request) -> float:
    method, url, rest = request
    times = []
    for _ in range(TRIES):
        began = time.perf_counter()
        answer = await caller.send(method, url, **rest)
        times.append(time.perf_counter() - began)
        assert answer.status_code == 404 or answer.json().get("items", []) == []
    return min(times)


async def test_nothing_takes_as_long_as_something_hidden(hub: World, heavy: Heavy) -> None:
    callers = [await hub.agency("police", person=heavy.officer), await hub.agency("court", region=AWAY)]
    apart = {}
    for caller in callers:
        for name, absent, hidden in asked(heavy):
            if (name, caller) == ("search", callers[1]):
                continue  # the court elsewhere finds no one, by the clause and not by a denial
            times = [await fastest(caller, request) for request in (absent, hidden)]
            apart[name] = max(abs(times[1] - times[0]), apart.get(name, 0.0))
            assert min(times) >= hub.services.settings.even_out
    reporter, urls = Caller(hub.http, {}), [f"/v1/reports/{receipt}" for receipt in heavy.receipts]
    fresh, joined = [await fastest(reporter, ("GET", url, {})) for url in urls]
    assert min(fresh, joined) >= hub.services.settings.even_out
    if hub.services.settings.even_out:
        assert abs(joined - fresh) < TOLERANCE
        assert max(apart.values()) < TOLERANCE, apart
    else:
        assert max(apart.values()) > TOLERANCE, f"control: {apart}"
