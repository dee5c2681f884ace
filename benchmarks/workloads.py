"""The workloads, for both sides: what is asked, and in whose name.

The hub's caller is a caseworker of one district's police, through the agency's system; for W5 an auditor. W3 is
sent by another district, so that what it creates is not in what the others read.
"""

import asyncio
import itertools
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote, urlencode

import httpx
import orjson
import pyotp

from benchmarks import load, sample
from benchmarks.client import FRESH, Call, Script
from benchmarks.stage import Stage
from hub.clock import now, text
from hub.demo.replay import ASSERTION, client_assertion

PURPOSES = ("follow_up", "case_handling", "emergency_response", "protection_order", "supervision", "prosecution")
PURPOSE = PURPOSES[0]
"""Opens 34 of the 55 values of a call to an involved police unit: all but facts, reporter and what is internal."""
READ, PAGE, PULLED, FORMS = 5_000, 50, 1_000, 6_000
W = {
    "W1": "read one case",
    "W2": f"list the {PAGE} newest cases of a street",
    "W3": "create from a form of 20 fields",
    "W4": f"pull {PULLED:,} changed cases",
    "W5": "audit: one actor, 60 days, newest 50",
    "W6": f"W1, for {len(PURPOSES)} purposes in turn",
}


@dataclass(slots=True)
class Side:
    """The hub or the reference, as the load sees it."""

    name: str
    url: str
    calls: Callable[[str], list[Call]]
    script: Callable[[], Script]
    headers: Callable[[str], dict[str, str]]


@dataclass(slots=True)
class Picked:
    """What is asked for, the same on both sides."""

    ids: list[str]
    streets: list[str]
    actors: list[int]
    days: list[int]


async def pick(stage: Stage) -> Picked:
    """Cases of the caller's district, its streets, actors and first days of a review."""
    rows = await stage.sql(
        "SELECT id FROM cases WHERE county = $1 ORDER BY md5(id::text) LIMIT $2", sample.DISTRICT, READ
    )
    streets = sorted(
        {p.code[:9] for p in sample.places() if p.level == "township" and p.code.startswith(sample.DISTRICT)}
    )
    dice = random.Random(5)
    people = [dice.randrange(load.ACTORS) for _ in range(500)]
    return Picked([str(row["id"]) for row in rows], streets, people, [dice.randrange(120) for _ in range(500)])


def _days(first: int) -> tuple[datetime, datetime]:
    return sample.START + timedelta(days=first), sample.START + timedelta(days=first + 60)


def _forms() -> list[bytes]:
    """Forms about people nobody has reported before, this run included."""
    first, region = int(time.time() * 1000) % 7_000_000 + 1_000_000, _community()
    at = now() - timedelta(hours=1)
    return [orjson.dumps(sample.form(first + i, region, at)) for i in range(FORMS)]


def _community() -> str:
    return next(p.code for p in sample.places() if p.level == "community" and p.code.startswith(sample.OTHER))


def _calls(picked: Picked, hub: bool) -> Callable[[str], list[Call]]:
    def made(w: str) -> list[Call]:
        if w in ("W1", "W6"):
            stated = itertools.cycle(PURPOSES if hub and w == "W6" else [""])
            return [Call("GET", f"{'/v1' if hub else ''}/cases/{case}", b"", next(stated)) for case in picked.ids]
        if w == "W2":
            path = "/v1/cases?region={}&limit={}" if hub else "/cases?street={}&limit={}"
            return [Call("GET", path.format(street, PAGE)) for street in picked.streets]
        if w == "W3":
            return [Call("POST", "/v1/records/case_form" if hub else "/cases", body) for body in _forms()]
        return [Call("GET", _review(hub, a, *_days(d))) for a, d in zip(picked.actors, picked.days, strict=True)]

    return made


def _review(hub: bool, actor: int, since: datetime, until: datetime) -> str:
    times = {"since": text(since), "until": text(until), "limit": 50}
    if hub:
        return "/v1/audit/entries?" + urlencode({"who": str(load.actor(actor))} | times)
    return "/log?" + urlencode({"actor": f"worker{actor}"} | times)


def _hub_pull() -> Script:
    """From one moment after the other, page after page to the end."""
    dice = random.Random(4)
    while True:
        since = sample.START + sample.SPAN * dice.random() * 0.85
        path, after = f"/v1/cases?updated_since={quote(text(since))}&limit={PULLED}", ""
        while after is not None:
            body = yield Call("GET", path + (f"&cursor={after}" if after else ""))
            after = orjson.loads(body)["next"]


def _limit_pull(cases: int) -> Callable[[], Script]:
    def script() -> Script:
        dice = random.Random(4)
        while True:
            yield Call("GET", f"/changes?since={dice.randrange(int(cases * 0.85))}&limit={PULLED}")

    return script


def sides(stage: Stage, hub_url: str, limit_url: str) -> tuple[Side, Side]:
    """The reference and the hub."""
    picked = asyncio.run(pick(stage))
    limit = Side("limit", limit_url, _calls(picked, False), _limit_pull(stage.cases), lambda w: {})
    login = Login(stage, hub_url)
    return limit, Side("hub", hub_url, _calls(picked, True), _hub_pull, login.headers)


@dataclass(slots=True)
class Login:
    """Credentials at the hub: tokens live five minutes, so each use asks whether it must be renewed."""

    stage: Stage
    url: str
    tokens: dict[str, tuple[str, float]] = field(default_factory=dict)
    session: str = ""

    def headers(self, w: str) -> dict[str, str]:
        if w == "W5":
            return {"Authorization": f"Bearer {self._session()}"}
        token = self._token(f"{sample.OTHER if w == 'W3' else sample.DISTRICT}-police")
        made = {"Authorization": f"Bearer {token}", "On-Behalf-Of": "caseworker"}
        if w == "W3":
            return made | {"Purpose-Of-Use": "case_handling", "Idempotency-Key": FRESH}
        return made | ({} if w == "W6" else {"Purpose-Of-Use": PURPOSE})

    def _token(self, client: str) -> str:
        token, until = self.tokens.get(client, ("", 0.0))
        if time.monotonic() > until:
            assertion = client_assertion(client, self.stage.secrets["pem"], self.url)
            form = {"grant_type": "client_credentials", "client_assertion_type": ASSERTION}
            token = self._post("/oauth/token", data=form | {"client_assertion": assertion})["access_token"]
            self.tokens[client] = (token, time.monotonic() + 200)
        return token

    def _session(self) -> str:
        if not self.session:
            asyncio.run(self.stage.sql("UPDATE account SET totp_step = 0 WHERE login = 'auditor'"))
            secrets = self.stage.secrets
            body = {"login": "auditor", "password": secrets["password"], "code": pyotp.TOTP(secrets["totp"]).now()}
            self.session = self._post("/v1/sessions", json=body)["token"]
        return self.session

    def _post(self, path: str, **body: Any) -> Any:
        answer = httpx.post(self.url + path, **body)
        answer.raise_for_status()
        return answer.json()
