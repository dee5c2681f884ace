"""Two hubs on two databases that differ only in what an observer must not see, and what the observer gets of each."""

import asyncio
import re
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import httpx
import uvicorn

from hub import migrations
from hub.db import Database
from hub.embedded import Embedded
from hub.main import create_app, open_services
from hub.settings import Settings
from tests.conftest import free_port
from tests.leaks.province import settle
from tests.world import Caller, World, populate

DATA = "cases, mark, case_unit, record, party_key, receipt, change, attachment, attachment_chunk"
FRESH = re.compile(r"20(?:2[6-9]|[3-9]\d)-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z")
"""Times that the hub made; those in the bodies that tests send lie before 2026."""
NAMED = {
    "id": re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"),
    "tag": re.compile(r"\b[0-9a-f]{32}\b"),
    "number": re.compile(r"\b\d{6}-20\d\d-[2-9A-Z]{8}\b"),
}
CURSOR = re.compile(r'"next":"([^"]*)"')
Told = list[tuple[str, int, list[tuple[str, str]], str]]
"""What an observer was told: status, headers and body; the request stands before them for people, uncompared."""


@dataclass(slots=True)
class Twin:
    """One of the two worlds, its owner's connection, and what a scenario remembers: case, records, receipts."""

    world: World
    owner: Database
    other: bool
    kept: dict[str, Any] = field(default_factory=dict)

    async def empty(self) -> None:
        await self.owner.execute(f"TRUNCATE {DATA} CASCADE")
        self.kept.clear()


@asynccontextmanager
async def twin(embedded: Embedded, config: Settings, name: str, *, other: bool) -> AsyncIterator[Twin]:
    """A hub of its own database, served over loopback."""
    embedded.create_database(name)
    urls = {"database_url": embedded.url("hub_app", name), "owner_url": embedded.url("hub_owner", name)}
    await asyncio.to_thread(migrations.upgrade, urls["owner_url"])
    port, home = free_port(), config.data / name  # what a slow moment leaves to the spool is this hub's alone
    home.mkdir()
    shutil.copy(config.key_file, home)
    config = replace(config, **urls, data=home, issuer=f"http://127.0.0.1:{port}", pool_size=4)
    services = await open_services(config)
    people = await populate(services)
    await services.database.close()
    app = create_app(config)
    server = uvicorn.Server(uvicorn.Config(app, port=port, log_level="warning", access_log=False))
    serving = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.02)
    world, owner = World(app.state.services, app, config.issuer, people), Database(urls["owner_url"], 1)
    await owner.connect()
    await settle(world)
    yield Twin(world, owner, other)
    await owner.close()
    await world.close()
    server.should_exit = True
    await serving


def normal(told: Told) -> Told:
    """Random names by the order in which they first appear, the hub's times by their rank, cursors by their length."""
    known: dict[tuple[str, str], str] = {}
    times = sorted({t for _, _, headers, body in told for t in FRESH.findall(body + str(headers))})
    rank = {t: f"time{i}" for i, t in enumerate(times)}

    def plain(text: str) -> str:
        text = FRESH.sub(lambda m: rank[m[0]], text)
        text = CURSOR.sub(lambda m: f'"next":<{len(m[1])}>', text)
        for kind, pattern in NAMED.items():
            text = pattern.sub(lambda m, k=kind: known.setdefault((k, m[0]), f"{k}{len(known)}"), text)  # type: ignore[misc]
        return text

    return [(asked, status, [(k, plain(v)) for k, v in headers], plain(body)) for asked, status, headers, body in told]


@dataclass(slots=True)
class Ears:
    """Asks as one observer and keeps everything that came back."""

    caller: Caller
    told: Told = field(default_factory=list)

    async def ask(self, method: str, url: str, **rest: Any) -> httpx.Response:
        answer = await self.caller.send(method, url, **rest)
        headers = sorted((k, v) for k, v in answer.headers.items() if k != "date")
        self.told.append((f"{method} {url} {rest}", answer.status_code, headers, answer.text))
        return answer

    async def everything(self, case: str, extra: list[str], since: str, people: dict[str, str]) -> None:
        """Every reading route, as far as the answers lead, and where guesses lead (`extra`)."""
        page = await self.ask("GET", "/v1/cases?limit=1")
        while page.status_code == 200 and (cursor := page.json().get("next")):
            page = await self.ask("GET", "/v1/cases", params={"limit": 1, "cursor": cursor})
        for query in ("region=500113", "risk=high", "kind=police_call", "kind=report", "status=open", "mine=true"):
            await self.ask("GET", f"/v1/cases?{query}")
        for moment in ("2020-01-01T00:00:00Z", since):
            await self.ask("GET", "/v1/cases", params={"updated_since": moment})
        for wanted in ({"id_number": people["victim_id_number"]}, {"phone": people["respondent_phone"]}):
            await self.ask("POST", "/v1/cases/search", json=wanted)
        url = f"/v1/cases/{case}"
        opened = await self.ask("GET", url)
        await self.ask("GET", url, headers={"If-None-Match": opened.headers.get("etag", "")})
        listed = await self.ask("GET", f"{url}/records")
        for kind in ("report", "mandatory_report", "police_call", "shelter_stay"):
            await self.ask("GET", f"{url}/records?kind={kind}")
        await self.ask("GET", f"{url}/history")
        items = listed.json()["items"] if listed.status_code == 200 else []
        for record in [item["id"] for item in items]:
            await self.ask("GET", f"/v1/records/{record}")
            await self.ask("GET", f"/v1/records/{record}/attachments")
        for guess in extra:
            await self.ask("GET", guess)


Build = Callable[[Twin], Awaitable[None]]


async def both(pair: tuple[Twin, Twin], step: Build) -> None:
    """The same step in either world."""
    await asyncio.gather(*(step(t) for t in pair))


def differences(name: str, one: Told, two: Told) -> list[str]:
    """Where two accounts part."""
    found = [f"{name}: {len(one)} answers, {len(two)}"] if len(one) != len(two) else []
    for a, b in zip(normal(one), normal(two), strict=False):
        if a[1:] != b[1:]:
            place = next((i for i, (x, y) in enumerate(zip(a[3], b[3], strict=False)) if x != y), 0)
            shown = (a[3][max(0, place - 60) : place + 90], b[3][max(0, place - 60) : place + 90])
            heads = [x for x in (*a[2], *b[2]) if (x in a[2]) != (x in b[2])]
            found.append(f"{name}: {a[0]}: {a[1]} {b[1]} {heads} …{shown[0]} | …{shown[1]}")
    return found
