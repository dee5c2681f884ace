"""Units, people and systems made for one test, so that it may disable them."""

import itertools
import uuid
from dataclasses import dataclass
from typing import Any

import pyotp

from hub import admin, signing
from tests.world import HOME, PASSWORD, Caller, World, call, someone

BOTH = "cases:read records:write"
_serial = itertools.count(1)


@dataclass(slots=True)
class Agency:
    """A unit with one system (whose id is the unit's code) and the accounts `worker` and `second`."""

    world: World
    code: str
    ids: dict[str, uuid.UUID]

    async def caller(self, person: str = "worker", *, scope: str = "", client: str = "") -> Caller:
        """The unit's system with a fresh token, acting for a person ('' for nobody)."""
        token = await self.world.token(client or self.code, scope=scope)
        headers = {"Authorization": f"Bearer {token}", "Purpose-Of-Use": "case_handling" if person else "sync"}
        return Caller(self.world.http, headers | ({"On-Behalf-Of": person} if person else {}))

    async def case(self) -> dict[str, str]:
        """A case that this unit filed."""
        return await (await self.caller()).filed("police_call", call())


async def client(world: World, unit: str, client_id: str, scopes: str = BOTH) -> str:
    """Register one more system of a unit."""
    pem = world.people["pems"][client_id] = signing.new_signing_key()
    await admin.add_client(world.services, client_id, unit, {"keys": [signing.public_jwk(pem)]}, scopes)
    return client_id


async def agency(world: World, unit_type: str = "police", scopes: str = BOTH, region: str = HOME) -> Agency:
    """A new unit, in the home county unless told where."""
    code = f"{HOME}-{unit_type}-{next(_serial)}"
    await admin.add_units(world.services, [admin.NewUnit(code, f"新设{code}", unit_type, region)])
    await client(world, code, code, scopes)
    people = [admin.NewAccount(code, name, "caseworker", someone()["id_number"]) for name in ("worker", "second")]
    made = await admin.add_accounts(world.services, people)
    return Agency(world, code, {account.name: account.id for account in made})


@dataclass(slots=True)
class Login:
    """A person with password and TOTP. Codes of past half minutes may be made usable again by `rewind`."""

    world: World
    login: str
    id: uuid.UUID
    totp: str

    def code(self) -> str:
        return pyotp.TOTP(self.totp).now()

    async def rewind(self) -> None:
        """Forget that this half minute's code was used."""
        await self.world.services.database.execute("UPDATE account SET totp_step = 0 WHERE id = $1", self.id)

    async def tries(self, **changes: str) -> Any:
        """The answer to a login; right unless changed."""
        body = {"login": self.login, "password": PASSWORD, "code": self.code()} | changes
        return await self.world.http.post("/v1/sessions", json=body)

    async def enters(self, purpose: str = "case_handling") -> Caller:
        """A new session."""
        await self.rewind()
        answer = await self.tries()
        assert answer.status_code == 201, answer.text
        token = answer.json()["token"]
        return Caller(self.world.http, {"Authorization": f"Bearer {token}", "Purpose-Of-Use": purpose})

    async def account(self) -> dict[str, Any]:
        """The account's row."""
        sql = "SELECT failures, locked_until FROM account WHERE id = $1"
        return dict(await self.world.services.database.fetchrow(sql, self.id))


async def person(world: World, unit: str = f"{HOME}-police", role: str = "caseworker", id_number: str = "") -> Login:
    """A new account with a login."""
    name = f"person-{next(_serial)}"
    new = admin.NewAccount(unit, name, role, id_number or someone()["id_number"], login=name, password=PASSWORD)
    (made,) = await admin.add_accounts(world.services, [new])
    return Login(world, name, made.id, made.totp)
