"""Enlisting accounts and clients. Lists are taken whole or not at all; every fault is named."""

import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

import pyotp

from hub import ids, people
from hub.db import Connection
from hub.jwks import wrong_set
from hub.models.account import CASE_ROLES, ROLES
from hub.models.directory import UnitInfo
from hub.models.values import CODE, id_number_of, phone_of
from hub.places import is_name
from hub.policies.services import Services
from hub.sheets import Counted, Faults, lock, log_all

SCOPES = "cases:read records:write"


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
    """Add accounts; those that are there already, the same, are left alone and left out of the answer. An
    administrator has no role beside (三员分立); the id number is kept as a keyed hash."""
    made, told, faults, given = list[MadeAccount](), list[dict[str, Any]](), Faults(), list(accounts)
    async with services.database.transaction() as connection:
        await lock(connection, "accounts")
        known = await _known(connection, services, given)
        for n, account in enumerate(given):
            keys = _check_account(services, faults, n, account)
            if not faults.bad(n) and await _is_new(connection, services, faults, n, account, keys, known):
                made.append(await _add_account(connection, services, account, keys))
                told.append({"account": made[-1].id, "unit": account.unit, "role": account.role})
        faults.settle()
        await log_all(connection, services, "accounts add", "accounts", told)
    return made


Known = dict[Any, Any]
"""Accounts that are there or were added from the same list: by unit and name, and by login."""


async def _known(connection: Connection, services: Services, given: list[NewAccount]) -> Known:
    units = {unit.id for new in given if (unit := services.directory.codes.get(new.unit))}
    rows = await connection.fetch(
        "SELECT unit_id, name, role, login, id_key, phone_key FROM account WHERE unit_id = ANY($1) OR login = ANY($2)",
        list(units),
        [new.login for new in given if new.login],
    )
    return {(row["unit_id"], row["name"]): dict(row) for row in rows} | {
        row["login"]: dict(row) for row in rows if row["login"]
    }


def open_unit(services: Services, faults: Faults, n: int, code: str) -> UnitInfo | None:
    """The unit of this code, if it may be given anything."""
    unit = services.directory.codes.get(code)
    if unit is None:
        faults.found(n, "unit", f"单位不存在：{code}（见 hub units list）", f"unknown unit: {code}; see hub units list")
    elif not unit.active:
        faults.found(
            n, "unit", f"单位已停用：{code}（见 hub units enable）", f"unit is disabled: {code}; hub units enable"
        )
    return unit


def _check_account(services: Services, faults: Faults, n: int, new: NewAccount) -> tuple[bytes, bytes | None]:
    """The keyed hashes of id number and phone."""
    key, phone_key = b"", None
    open_unit(services, faults, n, new.unit)
    if not is_name(new.name, 64):
        faults.found(n, "name", "须为1至64个字，首尾无空格", "must be 1 to 64 characters on one line")
    for column, name in (("name", new.name), ("login", new.login)):
        if ids.is_uuid(name):  # the log would be searched for an account of this id
            faults.found(n, column, "不得为 UUID", "must not look like a UUID, as ids of accounts do")
    if new.login and (not is_name(new.login, 64) or " " in new.login):
        faults.found(n, "login", "须为1至64个字，无空格", "must be 1 to 64 characters without spaces")
    check_role(faults, n, new.role, bool(new.login))
    try:
        key = services.vault.lookup("id", id_number_of(new.id_number))
    except ValueError as error:
        faults.found(n, "id_number", *str(error).split(" / "))
    try:
        if new.phone.strip():  # as parties' are: a conflict must show
            phone_key = services.vault.lookup("phone", phone_of(new.phone))
    except ValueError as error:
        faults.found(n, "phone", *str(error).split(" / "))
    return key, phone_key


def check_role(faults: Faults, n: int, role: str, login: bool) -> None:
    if role not in ROLES:
        faults.found(n, "role", f"角色不存在；可用 {' '.join(ROLES)}", f"no such role; one of {', '.join(ROLES)}")
    elif role not in CASE_ROLES and not login:
        faults.found(n, "role", "管理员须有登录名（--login）", "an administrator needs a login (--login)")


async def _is_new(
    connection: Connection,
    services: Services,
    faults: Faults,
    n: int,
    new: NewAccount,
    keys: tuple[bytes, bytes | None],
    known: Known,
) -> bool:
    """Is there nobody of this name in the unit, nor of this login? The same person in the same words is no fault."""
    place = services.directory.codes[new.unit].id, new.name
    there, key = known.get(place), {"id_key": keys[0], "phone_key": keys[1]}
    row = {"unit_id": place[0], "name": new.name, "role": new.role, "login": new.login or None} | key
    if there is not None and there != row:
        columns = ("role", "login", "id_key", "phone_key")
        column = next(column for column in columns if there[column] != row[column])
        named = {"id_key": "id_number", "phone_key": "phone"}.get(column, column)
        zh, en = f"账号 {new.name} 已登记，此项不同", f"account {new.name} is registered with another one"
        faults.found(n, named, f"{zh}（改：hub accounts change）", f"{en}; to change it: hub accounts change")
    elif there is None and new.login in known:
        faults.found(n, "login", f"登录名已有人用：{new.login}", f"somebody has this login: {new.login}")
    elif there is None:
        await exclusive(connection, faults, n, keys[0], new.role)
    known[place] = row
    if new.login:
        known.setdefault(new.login, row)
    return there is None and not faults.bad(n)


async def _add_account(
    connection: Connection, services: Services, new: NewAccount, keys: tuple[bytes, bytes | None]
) -> MadeAccount:
    account_id, totp, password = uuid4(), "", ""
    if new.login:
        totp, password = new.totp or pyotp.random_base32(), new.password or new_password()
    await connection.execute(
        "INSERT INTO account (id, unit_id, name, role, login, id_key, phone_key, password, totp, totp_step,"
        " failures, rev) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 0, 0, 1)",
        account_id,
        services.directory.codes[new.unit].id,
        new.name,
        new.role,
        new.login or None,
        *keys,
        people.hash_password(password) if password else None,
        people.seal_totp(services, account_id, totp) if totp else None,
    )
    return MadeAccount(account_id, new.name, totp, password)


def new_password() -> str:
    return secrets.token_urlsafe(12)


async def exclusive(
    connection: Connection, faults: Faults, n: int, key: bytes, role: str, but: UUID | None = None
) -> None:
    """One person holds at most one of the three administrator roles, and no case role beside it; `but` for the
    account that is itself being changed."""
    sql = "SELECT DISTINCT role FROM account WHERE id_key = $1 AND disabled_at IS NULL AND id IS DISTINCT FROM $2"
    others = {row["role"] for row in await connection.fetch(sql, key, but)}
    admin = role not in CASE_ROLES
    if others - {role} and (admin or any(other not in CASE_ROLES for other in others)):
        faults.found(n, "role", "三员分立：此人已有不相容的角色", "this person already holds an incompatible role")


@dataclass(frozen=True, slots=True)
class NewClient:
    """An agency's system by its public keys: P-256, for ES256, each with a `kid`."""

    id: str
    unit: str
    jwks: Any
    scopes: str = SCOPES


async def add_clients(services: Services, clients: Iterable[NewClient]) -> Counted:
    """Register systems. One that is there already, the same, is left alone."""
    given, faults, rows = list(clients), Faults(), dict[str, tuple[Any, ...]]()
    async with services.database.transaction() as connection:
        await lock(connection, "clients")
        sql = "SELECT id, unit_id, jwks, scopes FROM client WHERE id = ANY($1)"
        known = {row["id"]: tuple(row) for row in await connection.fetch(sql, [str(c.id) for c in given])}
        for n, client in enumerate(given):
            unit = _check_client(services, faults, n, client)
            if faults.bad(n) or unit is None:
                continue
            row = client.id, unit.id, client.jwks, ordered(client.scopes)
            if client.id in rows or known.get(client.id, row) != row:
                zh, en = f"系统 {client.id} 已登记且不同", f"{client.id} is registered, and differs"
                faults.found(n, "id", f"{zh}（改：hub clients change）", f"{en}; to change it: hub clients change")
            rows[client.id] = row
        faults.settle()
        new = [row for name, row in rows.items() if name not in known]
        await connection.executemany(
            "INSERT INTO client (id, unit_id, jwks, scopes, rev) VALUES ($1, $2, $3, $4, 1)", new
        )
        units = {client.id: client.unit for client in given}
        told = [{"client": name, "unit": units[name], "scopes": scopes} for name, _, _, scopes in new]
        await log_all(connection, services, "clients add", "clients", told)
    return Counted(len(new), 0, len(given) - len(new))


async def add_client(services: Services, client_id: str, unit_code: str, jwks: Any, scopes: str = SCOPES) -> Counted:
    """Register one system."""
    return await add_clients(services, [NewClient(client_id, unit_code, jwks, scopes)])


def _check_client(services: Services, faults: Faults, n: int, new: NewClient) -> UnitInfo | None:
    if not isinstance(new.id, str) or not re.fullmatch(CODE, new.id):
        faults.found(n, "id", "须为1至64个字母、数字、. _ -", "must be 1 to 64 letters, digits, . _ -")
    elif ids.is_uuid(new.id):  # the log would be searched for an account of this id
        faults.found(n, "id", "不得为 UUID", "must not look like a UUID, as ids of accounts do")
    check_scopes(faults, n, new.scopes)
    if wrong := wrong_set(new.jwks):
        faults.found(n, "jwks", *wrong)
    return open_unit(services, faults, n, str(new.unit))


def check_scopes(faults: Faults, n: int, scopes: Any) -> None:
    words, known = scopes.split() if isinstance(scopes, str) else [], SCOPES.split()
    if not words or len(set(words)) < len(words) or not set(words) <= set(known):
        faults.found(n, "scopes", f"须为 {' '.join(known)} 中的一或两个", f"must be one or both of: {SCOPES}")


def ordered(scopes: str) -> str:
    """Scopes as they are kept: in one order, so that the same ones are the same text."""
    return " ".join(sorted(scopes.split()))
