"""Administration: regions, units, accounts, clients. No case data passes here; every change is logged.

These verbs run from the `hub` command, on the machine, by its operator.
"""

import csv
import re
import secrets
from collections.abc import Container, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pyotp

from hub import clock, people
from hub.audit.committer import Draft, insert_entry
from hub.audit.entry import GENESIS, Act
from hub.db import Connection, UniqueViolation
from hub.errors import Invalid
from hub.keys import thumbprint
from hub.models.account import CASE_ROLES, ROLES
from hub.models.region import TIERS, area
from hub.models.values import id_number_of, phone_of
from hub.policies.services import Services

REGIONS = Path(__file__).with_name("data") / "regions.csv"
SCOPES = "cases:read records:write"
_CODE = re.compile(r"[A-Za-z0-9._-]{1,64}\Z")


class Refused(Invalid):
    """An administrative command that cannot be carried out; the text says why."""


def _refuse(zh: str, en: str) -> Refused:
    return Refused(zh, en, errors=[])


async def _log(connection: Connection, services: Services, command: str, **about: Any) -> None:
    body = {"act": "admin", "command": command, "about": {k: str(v) for k, v in about.items()}}
    await insert_entry(connection, services.vault, Draft(Act.admin, body), uuid4(), 1, GENESIS)


async def import_regions(services: Services, path: Path = REGIONS) -> int:
    """Load divisions (`code,name,level,parent`); known codes are renamed, none is removed."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        return await add_regions(services, list(csv.DictReader(file)))


async def add_regions(services: Services, rows: list[dict[str, str]]) -> int:
    """Add or rename divisions; a parent must be known or stand in the same list."""
    seen = {row["code"] for row in rows} | set(services.directory.regions)
    for number, row in enumerate(rows, 2):
        good = re.fullmatch(r"[0-9]{12}", row["code"] or "") and row["level"] in TIERS and row["name"]
        if not good or (row["parent"] and row["parent"] not in seen):
            raise _refuse(f"第{number}行不合规", f"line {number} is not a division")
    columns = [[row[name] for row in rows] for name in ("code", "name", "level", "parent")]
    async with services.database.transaction() as connection:
        await connection.execute(
            "INSERT INTO region (code, name, level, parent)"
            " SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[])"
            " ON CONFLICT (code) DO UPDATE SET name = EXCLUDED.name, level = EXCLUDED.level,"
            " parent = EXCLUDED.parent WHERE region.name <> EXCLUDED.name",
            *columns,
        )
        await _log(connection, services, "regions import", rows=len(rows))
    await services.directory.refresh()
    return len(rows)


@dataclass(frozen=True, slots=True)
class NewUnit:
    """A unit to add; `parent` is the code of its superior."""

    code: str
    name: str
    type: str
    region: str
    parent: str = ""
    latitude: float | None = None
    longitude: float | None = None


async def add_units(services: Services, units: Iterable[NewUnit]) -> int:
    """Add units, superiors first. A unit type must be one that the policy describes."""
    directory = services.directory
    rows, paths = [], {u.code: (u.id, u.path) for u in directory.codes.values()}
    for unit in units:
        _check_unit(services, unit, paths)
        parent, above = paths.get(unit.parent, (None, ""))
        path, region = (f"{above}/{unit.code}" if above else unit.code), unit.region.ljust(12, "0")
        paths[unit.code] = (uuid4(), path)
        made = (paths[unit.code][0], unit.code, unit.name, unit.type, region, area(region), parent, path)
        rows.append((*made, unit.latitude, unit.longitude))
    async with services.database.transaction() as connection:
        try:
            await connection.executemany(
                "INSERT INTO unit (id, code, name, type, region_code, area, parent_id, path, latitude, longitude,"
                " on_duty) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, TRUE)",
                rows,
            )
        except UniqueViolation:
            raise _refuse("单位代码已存在", "a unit with this code exists") from None
        await _log(connection, services, "units add", count=len(rows))
    await directory.refresh()
    return len(rows)


def _check_unit(services: Services, unit: NewUnit, known: Container[str]) -> None:
    if not _CODE.match(unit.code):
        raise _refuse(f"单位代码不合规：{unit.code}", f"bad unit code: {unit.code}")
    if unit.type not in services.policy.rules.unit_types:
        raise _refuse(f"政策中没有此单位类型：{unit.type}", f"no such unit type in the policy: {unit.type}")
    if unit.region.ljust(12, "0") not in services.directory.regions:
        raise _refuse(f"区划代码不存在：{unit.region}", f"unknown region: {unit.region}")
    if unit.parent and unit.parent not in known:
        raise _refuse(f"上级单位不存在：{unit.parent}", f"unknown superior: {unit.parent}")


@dataclass(frozen=True, slots=True)
class NewAccount:
    """A person. With `login` a password and TOTP are made; without, the agency's own system vouches."""

    unit: str
    name: str
    role: str
    id_number: str
    phone: str = ""
    login: str = ""
    password: str = ""
    totp: str = ""


@dataclass(frozen=True, slots=True)
class MadeAccount:
    """Shown once: the TOTP secret (base32) and the first password of an account with a login."""

    id: UUID
    name: str
    totp: str = ""
    password: str = ""


async def add_accounts(services: Services, accounts: Iterable[NewAccount]) -> list[MadeAccount]:
    """Add accounts. An administrator has no role beside (三员分立); the id number is kept as a keyed hash."""
    made = []
    async with services.database.transaction() as connection:
        await connection.execute("SELECT pg_advisory_xact_lock(hashtext('accounts'))")
        for account in accounts:
            made.append(await _add_account(connection, services, account))
        await _log(connection, services, "accounts add", count=len(made), ids=[str(m.id) for m in made][:50])
    return made


async def _add_account(connection: Connection, services: Services, new: NewAccount) -> MadeAccount:
    unit = services.directory.codes.get(new.unit)
    if unit is None:
        raise _refuse(f"单位不存在：{new.unit}", f"unknown unit: {new.unit}")
    if new.role not in ROLES:
        raise _refuse(f"角色不存在：{new.role}", f"unknown role: {new.role}; one of {', '.join(ROLES)}")
    if new.role not in CASE_ROLES and not new.login:
        raise _refuse("管理员须有登录名", "an administrator needs a login")
    try:
        id_number = id_number_of(new.id_number)
        phone = phone_of(new.phone) if new.phone.strip() else ""  # as parties' are: a conflict must show
    except ValueError as error:
        raise _refuse(*str(error).split(" / ")) from None
    key = services.vault.lookup("id", id_number)
    await _exclusive(connection, key, new.role)
    account_id, totp, password = uuid4(), "", ""
    if new.login:
        totp, password = new.totp or pyotp.random_base32(), new.password or secrets.token_urlsafe(12)
    try:
        await connection.execute(
            "INSERT INTO account (id, unit_id, name, role, login, id_key, phone_key, password, totp, totp_step,"
            " failures, rev) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 0, 0, 1)",
            account_id,
            unit.id,
            new.name,
            new.role,
            new.login or None,
            key,
            services.vault.lookup("phone", phone) if phone else None,
            people.hash_password(password) if password else None,
            people.seal_totp(services, account_id, totp) if totp else None,
        )
    except UniqueViolation:
        raise _refuse(f"账号已存在：{new.name}", f"the account exists: {new.name}") from None
    return MadeAccount(account_id, new.name, totp, password)


async def _exclusive(connection: Connection, key: bytes, role: str) -> None:
    """One person holds at most one of the three administrator roles, and no case role beside it."""
    others = {
        row["role"]
        for row in await connection.fetch(
            "SELECT DISTINCT role FROM account WHERE id_key = $1 AND disabled_at IS NULL", key
        )
    }
    admin = role not in CASE_ROLES
    if others - {role} and (admin or any(other not in CASE_ROLES for other in others)):
        raise _refuse("三员分立：此人已有不相容的角色", "this person already holds an incompatible role")


async def add_client(services: Services, client_id: str, unit_code: str, jwks: dict[str, Any], scopes: str) -> None:
    """Register an agency system by its public keys: P-256, for ES256, each with a `kid`."""
    unit = services.directory.codes.get(unit_code)
    if unit is None:
        raise _refuse(f"单位不存在：{unit_code}", f"unknown unit: {unit_code}")
    if not _CODE.match(client_id):
        raise _refuse("客户端编号不合规", "bad client id")
    _check_jwks(jwks)
    async with services.database.transaction() as connection:
        try:
            await connection.execute(
                "INSERT INTO client (id, unit_id, jwks, scopes, rev) VALUES ($1, $2, $3, $4, 1)",
                client_id,
                unit.id,
                jwks,
                scopes,
            )
        except UniqueViolation:
            raise _refuse("客户端编号已存在", "a client with this id exists") from None
        await _log(connection, services, "clients add", client=client_id, unit=unit_code)


def _check_jwks(jwks: dict[str, Any]) -> None:
    found = jwks.get("keys") if isinstance(jwks, dict) else None
    good = (
        isinstance(found, list)
        and 1 <= len(found) <= 4
        and all(
            isinstance(k, dict)
            and k.get("kty") == "EC"
            and k.get("crv") == "P-256"
            and "d" not in k
            and isinstance(k.get("kid"), str)
            and isinstance(k.get("x"), str)
            and isinstance(k.get("y"), str)
            for k in found
        )
    )
    if not good:
        raise _refuse(
            "JWKS 须含1至4个带 kid 的 P-256 公钥（不含私钥）",
            "the JWKS needs 1 to 4 public P-256 keys, each with a kid, and no private part",
        )
    for key in found or []:
        thumbprint(key)


DISABLE = {
    "accounts": "UPDATE account SET disabled_at = $2, rev = rev + 1 WHERE id::text = $1 OR login = $1 RETURNING id",
    "units": "WITH gone AS (UPDATE unit SET disabled_at = $2 WHERE code = $1 RETURNING id),"
    " people AS (UPDATE account SET rev = rev + 1 WHERE unit_id IN (SELECT id FROM gone)),"
    " systems AS (UPDATE client SET rev = rev + 1 WHERE unit_id IN (SELECT id FROM gone)) SELECT id FROM gone",
    "regions": "UPDATE region SET disabled_at = $2 WHERE code = $1 RETURNING code",
    "clients": "UPDATE client SET disabled_at = $2, rev = rev + 1 WHERE id = $1 RETURNING id",
}
"""Who speaks for a unit is changed with it: a read asks about the person and the system only."""
LIST = {
    "accounts": "SELECT a.id, u.code AS unit, a.name, a.role, a.login, a.disabled_at FROM account a"
    " JOIN unit u ON u.id = a.unit_id ORDER BY u.code, a.name",
    "units": "SELECT code, name, type, region_code, path, disabled_at FROM unit ORDER BY path",
    "clients": "SELECT k.id, u.code AS unit, k.scopes, k.disabled_at FROM client k JOIN unit u ON u.id = k.unit_id"
    " ORDER BY k.id",
    "regions": "SELECT code, name, level, parent, disabled_at FROM region ORDER BY code",
}


async def disable(services: Services, noun: str, name: str) -> None:
    """Stop an account, unit or client at once; nothing is deleted."""
    async with services.database.transaction() as connection:
        if await connection.fetchrow(DISABLE[noun], name, clock.now()) is None:
            raise _refuse(f"不存在：{name}", f"not found: {name}")
        await _log(connection, services, f"{noun} disable", name=name)
    await services.directory.refresh()


async def rotate_keys(services: Services) -> int:
    """Re-wrap every case key under the newest master key, in order of id as the writer does; no field is touched."""
    rows = await services.database.fetch(
        "SELECT id, key_wrapped, key_id FROM cases WHERE key_id <> $1 ORDER BY id", services.vault.key_id
    )
    wrapped = [(row["id"], *services.vault.rewrap(row["id"], row["key_wrapped"], row["key_id"])) for row in rows]
    async with services.database.transaction() as connection:
        await connection.executemany("UPDATE cases SET key_wrapped = $2, key_id = $3 WHERE id = $1", wrapped)
        await _log(connection, services, "keys rotate", cases=len(wrapped))
    return len(wrapped)
