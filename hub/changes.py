"""Changing what was registered: accounts, keys of systems, disabling and enabling. Every change is logged.

The running hub's role in the database may write neither a role nor a password nor a key (schema 0008), and nobody who
takes it over may either: `change_account`, `change_client`, `rename_unit` run as the schema's owner, like a migration.
"""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

import pyotp

from hub import cases, clock, people
from hub.db import Connection, Row
from hub.enlist import check_role, check_scopes, exclusive, new_password, open_unit, ordered
from hub.jwks import MOST, same, wrong_set
from hub.places import check_name
from hub.policies.services import Services
from hub.sheets import Faults, Refused, lock, log

CASES_AT_ONCE = 100
"""So many does an entry name."""
NAMED = "(id::text = $1 OR login = $1)"
SWITCH = {
    "accounts": f"WITH gone AS (UPDATE account SET disabled_at = $2, rev = rev + 1 WHERE {NAMED} {{}}"
    " RETURNING id) SELECT id AS account FROM gone",
    "units": "WITH gone AS (UPDATE unit SET disabled_at = $2 WHERE code = $1 {} RETURNING id),"
    " people AS (UPDATE account SET rev = rev + 1 WHERE unit_id IN (SELECT id FROM gone) RETURNING id),"
    " systems AS (UPDATE client SET rev = rev + 1 WHERE unit_id IN (SELECT id FROM gone))"
    " SELECT people.id AS account FROM gone LEFT JOIN people ON TRUE",
    "regions": "UPDATE region SET disabled_at = $2 WHERE code = $1 {} RETURNING NULL::uuid AS account",
    "clients": "UPDATE client SET disabled_at = $2, rev = rev + 1 WHERE id = $1 {} RETURNING NULL::uuid AS account",
}
"""Who speaks for a unit is changed with it: a read asks about the person and the system only."""
CHANGING = " AND (disabled_at IS NULL) = ($2::timestamptz IS NOT NULL)"
THERE = {
    "accounts": f"SELECT id, id_key, role FROM account WHERE {NAMED}",
    "units": "SELECT code, name, (SELECT count(*) FROM account a WHERE a.unit_id = u.id AND a.disabled_at IS NULL) AS"
    " accounts, (SELECT count(*) FROM client c WHERE c.unit_id = u.id AND c.disabled_at IS NULL) AS clients"
    " FROM unit u WHERE code = $1",
    "regions": "SELECT code FROM region WHERE code = $1",
    "clients": "SELECT id FROM client WHERE id = $1",
}


async def there(services: Services, noun: str, name: str) -> Row:
    """What is registered under this name; raises `Refused` when nothing is."""
    row = await services.database.fetchrow(THERE[noun], name)
    if row is None:
        raise _absent(noun, name)
    return row


def _absent(noun: str, name: str) -> Refused:
    return Refused(f"不存在：{name}（见 hub {noun} list）", f"not found: {name}; see hub {noun} list")


async def disable(services: Services, noun: str, name: str) -> None:
    """Stop an account, unit or client at once; nothing is deleted. A unit hands over what waits for it: after the
    change, which decides to whom."""
    await _switch(services, noun, name, on=False)
    if noun == "units":
        await hand_over(services, name)


async def hand_over(services: Services, name: str) -> None:
    """Reports that wait for a disabled unit go to who is on duty now. For `REFRESH_SECONDS` other processes may not
    know that it is disabled, and give it more: after that it has to be done once again, unless it works by then."""
    async with services.database.transaction() as connection:
        await lock(connection, "units")
        await services.directory.refresh()
        if services.directory.codes[name].active:
            return
        moved = await cases.hand_over(connection, services.directory, services.directory.codes[name].id)
        for i in range(0, len(moved), CASES_AT_ONCE):  # whoever reviews one of them finds how that unit came to it
            some = moved[i : i + CASES_AT_ONCE]
            await log(connection, services, "units hand over", cases=some, name=name, moved=len(some))


async def enable(services: Services, noun: str, name: str) -> None:
    """Let it work again. Nobody goes on where they stopped: sessions from before stay ended."""
    await _switch(services, noun, name, on=True)


async def _switch(services: Services, noun: str, name: str, *, on: bool) -> None:
    faults = Faults()
    async with services.database.transaction() as connection:
        await lock(connection, noun)
        row = await there(services, noun, name)
        if on and noun == "accounts":  # meanwhile this person may have been given another role
            await exclusive(connection, faults, 0, row["id_key"], row["role"], row["id"])
            faults.settle()
        found = await connection.fetch(SWITCH[noun].format(CHANGING), name, None if on else clock.now())
        if found:
            await _end_sessions(connection, [row["account"] for row in found])
            await log(connection, services, f"{noun} {'enable' if on else 'disable'}", name=name)
    await services.directory.refresh()


async def rename_unit(services: Services, code: str, name: str) -> str:
    """Another name for a unit; returns the one it had. All else of it stays: its records, cases and people hang on its
    code, and its type and area decide what it sees. Processes show the name within five seconds."""
    faults = Faults()
    check_name(faults, 0, name)
    faults.settle()
    async with services.database.transaction() as connection:
        was = await connection.fetchrow("SELECT name FROM unit WHERE code = $1 FOR UPDATE", code)
        if was is None:
            raise _absent("units", code)
        if was["name"] != name:
            await connection.execute("UPDATE unit SET name = $2 WHERE code = $1", code, name)
            await log(connection, services, "units rename", unit=code, was=was["name"], now=name)
    await services.directory.refresh()
    return str(was["name"])


async def _end_sessions(connection: Connection, accounts: list[UUID]) -> int:
    """In a statement after that which changed the accounts: it sees sessions opened until then, and a login that is
    under way finds the account changed (`people.login`)."""
    sql = "UPDATE session SET ended_at = $2 WHERE account_id = ANY($1) AND ended_at IS NULL RETURNING 1"
    return len(await connection.fetch(sql, accounts, clock.now()))


@dataclass(frozen=True, slots=True)
class Change:
    """What to change of an account; what is empty stays."""

    password: bool = False
    totp: bool = False
    role: str = ""
    unit: str = ""


@dataclass(frozen=True, slots=True)
class Changed:
    """Shown once: the new password and TOTP secret, where there are."""

    id: UUID
    name: str
    login: str
    role: str
    unit: str
    password: str
    totp: str
    sessions_ended: int


async def change_account(services: Services, name: str, change: Change) -> Changed:
    """Another password, TOTP secret, role or unit. Sessions end; a new password also unlocks."""
    faults = Faults()
    async with services.database.transaction() as connection:
        await lock(connection, "accounts")
        row = await connection.fetchrow(
            "SELECT a.*, u.code FROM account a JOIN unit u ON u.id = a.unit_id"
            " WHERE (a.id::text = $1 OR a.login = $1) FOR UPDATE OF a",
            name,
        )
        if row is None:
            raise _absent("accounts", name)
        role, code = change.role or row["role"], change.unit or row["code"]
        await _check_change(connection, services, faults, row, change)
        faults.settle()
        password, totp = new_password() if change.password else "", pyotp.random_base32() if change.totp else ""
        await connection.execute(
            "UPDATE account SET rev = rev + 1, role = $2, unit_id = $3, password = coalesce($4, password),"
            " totp = coalesce($5, totp), totp_step = CASE WHEN $5::bytea IS NULL THEN totp_step ELSE 0 END,"
            " failures = CASE WHEN $4::text IS NULL THEN failures ELSE 0 END,"
            " locked_until = CASE WHEN $4::text IS NULL THEN locked_until END WHERE id = $1",
            row["id"],
            role,
            services.directory.codes[code].id,
            people.hash_password(password) if password else None,
            people.seal_totp(services, row["id"], totp) if totp else None,
        )
        ended = await _end_sessions(connection, [row["id"]])
        about: dict[str, Any] = {"password": "reset"} if password else {}
        about |= {"totp": "reset"} if totp else {}
        about |= {"role": f"{row['role']} -> {role}"} if role != row["role"] else {}
        about |= {"unit": f"{row['code']} -> {code}"} if code != row["code"] else {}
        await log(connection, services, "accounts change", account=row["id"], sessions_ended=ended, **about)
    return Changed(row["id"], row["name"], row["login"] or "", role, code, password, totp, ended)


async def _check_change(connection: Connection, services: Services, faults: Faults, row: Row, change: Change) -> None:
    for column, wanted in (("password", change.password), ("totp", change.totp)):
        if wanted and row["login"] is None:
            zh, en = (
                "此账号无登录名，经机构系统访问，没有口令与动态码",
                "this account has no login, so no password, no TOTP",
            )
            faults.found(0, column, zh, en)
    if change.role:
        check_role(faults, 0, change.role, row["login"] is not None)
        if row["disabled_at"] is None:
            await exclusive(connection, faults, 0, row["id_key"], change.role, row["id"])
    unit = open_unit(services, faults, 0, change.unit) if change.unit else None
    sql = "SELECT 1 FROM account WHERE unit_id = $1 AND name = $2 AND id <> $3"
    if unit is not None and await connection.fetchrow(sql, unit.id, row["name"], row["id"]) is not None:
        faults.found(0, "unit", f"该单位已有账号 {row['name']}", f"that unit has an account {row['name']}")


async def change_client(
    services: Services, client_id: str, jwks: Any = None, remove: tuple[str, ...] = (), scopes: str = ""
) -> list[str]:
    """Add or remove keys (a key that is there already stays as it is), or change scopes; returns the `kid`s it then
    has. A removed key's tokens end within five seconds; those of the others are not interrupted, so the revision,
    which a read compares, stays."""
    faults = Faults()
    async with services.database.transaction() as connection:
        await lock(connection, "clients")
        row = await connection.fetchrow("SELECT jwks, scopes FROM client WHERE id = $1 FOR UPDATE", client_id)
        if row is None:
            raise _absent("clients", client_id)
        held = {key["kid"]: key for key in row["jwks"]["keys"]}
        for kid in remove:
            if held.pop(kid, None) is None:
                faults.found(0, "remove_key", f"没有此公钥：{kid}；现有 {' '.join(held)}", "no such key (kid)")
        _join(faults, held, jwks)
        if scopes:
            check_scopes(faults, 0, scopes)
        faults.settle()
        kept = ordered(scopes) if scopes else row["scopes"]
        sql = "UPDATE client SET jwks = $2, scopes = $3 WHERE id = $1"
        await connection.execute(sql, client_id, {"keys": list(held.values())}, kept)
        about: dict[str, Any] = {
            "added": [k["kid"] for k in jwks["keys"]] if jwks else [],
            "removed": list(remove),
            "scopes": scopes or "as before",
        }
        await log(connection, services, "clients change", client=client_id, **about)
    return list(held)


def _join(faults: Faults, held: dict[str, Any], jwks: Any) -> None:
    """Add keys to those that are held, and see that the whole is what a client may have."""
    wrong = wrong_set(jwks) if jwks is not None else None
    for key in jwks["keys"] if jwks is not None and wrong is None else ():
        if not same(held.setdefault(key["kid"], key), key):
            wrong = "kid 已用于另一公钥，请换 kid", "has a kid that another key of this system has: give it another"
    if len(held) > MOST:
        wrong = f"超过{MOST}把公钥：先以 --remove-key 移除旧的", f"more than {MOST} keys: --remove-key an old one"
    if not held:
        wrong = "最后一把公钥：先加新的，或停用（hub clients disable）", "its last key: add another, or disable it"
    wrong = wrong or wrong_set({"keys": list(held.values())})
    if wrong is not None:
        faults.found(0, "add_keys" if jwks is not None else "remove_key", *wrong)
