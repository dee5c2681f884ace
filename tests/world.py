"""The invented province that tests run in: one county with every type of unit, a second county, superiors.

`world.agency("police")` is a unit's system acting for its caseworker; `world.person("auditor")` a logged-in person.
"""

import itertools
import time
import uuid
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

import httpx
import pyotp

from hub import admin, clock, signing
from hub.db import Database
from hub.demo.province import TYPES, demo_id_number, demo_phone
from hub.demo.replay import ASSERTION, client_assertion
from hub.policies.services import Services

HOME, AWAY = "500113", "500112"
_serial = itertools.count(1)
LOGINS = {
    "auditor": ("50-joint_centre", "auditor"),
    "policy_admin": ("50-joint_centre", "policy_admin"),
    "sysadmin": ("50-joint_centre", "sysadmin"),
    "officer": (f"{HOME}-police", "caseworker"),
    "intake": (f"{HOME}-police", "intake"),
    "locked": (f"{HOME}-police", "caseworker"),
}
PASSWORD = "a-long-test-password"


def someone(sex: str = "female", born: date | None = None) -> dict[str, str]:
    """An invented person nobody else in the run is: name, id number (area 990000), phone, birth date, sex."""
    n = next(_serial)
    born = born or date(1970, 1, 1) + timedelta(days=n * 7 % 12000)
    return {
        "name": f"张虚构{n}",
        "id_number": demo_id_number(born, n, sex),
        "phone": demo_phone(n),
        "birth_date": str(born),
        "sex": sex,
    }


def pair() -> dict[str, str]:
    """Identity fields of a fresh victim and respondent, as records carry them."""
    victim, respondent = someone("female"), someone("male")
    made = {f"victim_{k}": v for k, v in victim.items()} | {f"respondent_{k}": v for k, v in respondent.items()}
    return made | {"relation": "spouse"}


def instant(minutes_ago: int = 60) -> str:
    return clock.text(clock.now() - timedelta(minutes=minutes_ago))


async def populate(services: Services) -> dict[str, Any]:
    """Regions, units, accounts and clients; returns client keys and logins."""
    await admin.import_regions(services)
    units = [admin.NewUnit(f"50-{t}", f"省{TYPES[t]}", t, "500000") for t in ("police", "womens_federation")]
    units.append(admin.NewUnit("50-joint_centre", "省综治中心", "joint_centre", "500000"))
    for county in (HOME, AWAY):
        for kind, title in TYPES.items():
            parent = f"50-{kind}" if kind in ("police", "womens_federation", "joint_centre") else ""
            units.append(admin.NewUnit(f"{county}-{kind}", f"{county}{title}", kind, county, parent))
    await admin.add_units(services, units)
    accounts, pems = [], {}
    for unit in units:
        roles = ("caseworker", "supervisor", "intake")
        accounts += [admin.NewAccount(unit.code, role, role, someone()["id_number"]) for role in roles]
        pems[unit.code] = signing.new_signing_key()
        jwks = {"keys": [signing.public_jwk(pems[unit.code])]}
        await admin.add_client(services, unit.code, unit.code, jwks, "cases:read records:write")
    new = [
        admin.NewAccount(unit, f"login-{name}", role, someone()["id_number"], login=name, password=PASSWORD)
        for name, (unit, role) in LOGINS.items()
    ]
    await admin.add_accounts(services, accounts)
    made = await admin.add_accounts(services, new)
    both = list(zip(new, made, strict=True))
    return {"pems": pems, "totp": {n.login: m.totp for n, m in both}, "ids": {n.login: m.id for n, m in both}}


@dataclass(slots=True)
class Caller:
    """Somebody with credentials. `get`, `post`, `patch` send them; `purpose` may be set per call."""

    http: httpx.AsyncClient
    headers: dict[str, str]

    async def send(self, method: str, url: str, *, purpose: str | None = None, **rest: Any) -> httpx.Response:
        headers = self.headers | ({"Purpose-Of-Use": purpose} if purpose else {}) | rest.pop("headers", {})
        return await self.http.request(method, url, headers=headers, **rest)

    async def get(self, url: str, **rest: Any) -> httpx.Response:
        return await self.send("GET", url, **rest)

    async def post(self, url: str, **rest: Any) -> httpx.Response:
        return await self.send("POST", url, **rest)

    async def submit(self, kind: str, body: dict[str, Any], *, key: str = "", case: str = "") -> httpx.Response:
        """File a record under a fresh idempotency key."""
        headers = {"Idempotency-Key": key or uuid.uuid4().hex} | ({"Case-Number": case} if case else {})
        return await self.post(f"/v1/records/{kind}", json=body, headers=headers)

    async def filed(self, kind: str, body: dict[str, Any], *, case: str = "") -> dict[str, str]:
        """File a record that must be accepted; returns its id and case id."""
        answer = await self.submit(kind, body, case=case)
        assert answer.status_code == 201, answer.text
        made: dict[str, str] = answer.json()
        return made


@dataclass(slots=True)
class World:
    services: Services
    app: Any
    url: str
    people: dict[str, Any]
    http: httpx.AsyncClient = field(init=False)
    _tokens: dict[str, str] = field(default_factory=dict)
    _until: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.http = httpx.AsyncClient(base_url=self.url, timeout=30)

    async def close(self) -> None:
        await self.http.aclose()

    async def by_hand(self, sql: str, *args: Any) -> None:
        """As the owner of the tables: what the application itself may not do."""
        owner = await Database(self.services.settings.owner_url, 1).connect()
        try:
            await owner.execute(sql, *args)
        finally:
            await owner.close()

    async def token(self, client: str, *, scope: str = "") -> str:
        """A fresh access token for a client id (the unit's code)."""
        assertion = client_assertion(client, self.people["pems"][client], self.url)
        answer = await self.http.post(
            "/oauth/token",
            data={
                "grant_type": "client_credentials",
                "client_assertion_type": ASSERTION,
                "client_assertion": assertion,
                "scope": scope,
            },
        )
        assert answer.status_code == 200, answer.text
        token: str = answer.json()["access_token"]
        return token

    async def agency(
        self, unit_type: str, *, region: str = HOME, person: str = "caseworker", purpose: str = "case_handling"
    ) -> Caller:
        """The system of `<region>-<unit_type>` acting for one of caseworker, supervisor, intake (or nobody: '')."""
        code = f"{region}-{unit_type}"
        if time.monotonic() > self._until.get(code, 0.0):
            self._tokens[code], self._until[code] = await self.token(code), time.monotonic() + 200
        headers = {"Authorization": f"Bearer {self._tokens[code]}", "Purpose-Of-Use": purpose}
        return Caller(self.http, headers | ({"On-Behalf-Of": person} if person else {}))

    async def person(self, login: str, purpose: str = "case_handling") -> Caller:
        """Somebody logged in with password and TOTP."""
        if login not in self._tokens:
            await self.services.database.execute("UPDATE account SET totp_step = 0 WHERE login = $1", login)
            answer = await self.http.post(
                "/v1/sessions",
                json={
                    "login": login,
                    "password": PASSWORD,
                    "code": pyotp.TOTP(self.people["totp"][login]).now(),
                },
            )
            assert answer.status_code == 201, answer.text
            self._tokens[login] = answer.json()["token"]
        return Caller(self.http, {"Authorization": f"Bearer {self._tokens[login]}", "Purpose-Of-Use": purpose})

    async def log(self, **filters: Any) -> list[dict[str, Any]]:
        """The newest log entries, as a security officer reads them."""
        auditor = await self.person("auditor")
        answer = await auditor.get("/v1/audit/entries", params={k: str(v) for k, v in filters.items()})
        assert answer.status_code == 200, answer.text
        items: list[dict[str, Any]] = answer.json()["items"]
        return items


def call(parties: dict[str, str] | None = None, **fields: Any) -> dict[str, Any]:
    """A police call body."""
    return (
        {"called_at": instant(), "content": "邻居报称听到打骂声"}
        | (parties if parties is not None else pair())
        | fields
    )
