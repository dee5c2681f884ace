"""Administration: regions, units, accounts, clients. No case data passes here; every change is logged.

These verbs run from the `hub` command, on the machine, by its operator. They live in `places`, `enlist` and `changes`.
"""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from hub.changes import Change, Changed, change_account, change_client, disable, enable, hand_over, rename_unit, there
from hub.enlist import SCOPES, MadeAccount, NewAccount, NewClient, add_accounts, add_client, add_clients
from hub.keys import SealBroken
from hub.places import REGIONS, NewUnit, add_regions, add_units, import_regions
from hub.policies.services import Services
from hub.sheets import Counted, Refused, log

LIST = {
    "accounts": "SELECT a.id, u.code AS unit, a.name, a.role, a.login, a.disabled_at FROM account a"
    " JOIN unit u ON u.id = a.unit_id ORDER BY u.code, a.name",
    "units": "SELECT code, name, type, region_code, path, disabled_at FROM unit ORDER BY path",
    "clients": "SELECT k.id, u.code AS unit, k.scopes, jsonb_path_query_array(k.jwks, '$.keys[*].kid') AS keys,"
    " k.disabled_at FROM client k JOIN unit u ON u.id = k.unit_id"
    " ORDER BY k.id",
    "regions": "SELECT code, name, level, parent, disabled_at FROM region ORDER BY code",
}


AT_ONCE = 1_000
OLDER = "SELECT id, key_wrapped, key_id FROM cases WHERE key_id <> $1 AND id > $2::uuid ORDER BY id LIMIT $3"


async def rotate_keys(services: Services, told: Callable[[int], None] = lambda _: None) -> int:
    """Re-wrap every case key under the newest master key; no field is touched. A thousand at a time, so that nobody
    waits long for a case; broken off, it goes on where it was when called again. `told` hears how many are done."""
    vault, last, count, broken = services.vault, UUID(int=0), 0, list[UUID]()
    await _enter(services, "keys rotate", key=vault.key_id)
    while rows := await services.database.fetch(OLDER, vault.key_id, last, AT_ONCE):
        wrapped = []
        for row in rows:
            try:
                wrapped.append((row["id"], *vault.rewrap(row["id"], row["key_wrapped"], row["key_id"])))
            except SealBroken:  # one must not keep all that come after it under the old key
                broken.append(row["id"])
        async with services.database.transaction() as connection:
            await connection.executemany("UPDATE cases SET key_wrapped = $2, key_id = $3 WHERE id = $1", wrapped)
        last, count = rows[-1]["id"], count + len(wrapped)
        told(count)
    await _enter(services, "keys rewrapped", key=vault.key_id, count=count, broken=len(broken))
    if broken:
        named = " ".join(map(str, broken[:5]))
        zh = f"{len(broken)} 个个案的密钥用现有主密钥打不开，未换：{named}；其余 {count} 个已换"
        raise Refused(zh, f"the keys of {len(broken)} cases open under no master key that is here; {count} are done")
    return count


async def _enter(services: Services, command: str, **about: Any) -> None:
    async with services.database.transaction() as connection:
        await log(connection, services, command, **about)


__all__ = [
    "LIST",
    "REGIONS",
    "SCOPES",
    "Change",
    "Changed",
    "Counted",
    "MadeAccount",
    "NewAccount",
    "NewClient",
    "NewUnit",
    "Refused",
    "add_accounts",
    "add_client",
    "add_clients",
    "add_regions",
    "add_units",
    "change_account",
    "change_client",
    "disable",
    "enable",
    "hand_over",
    "import_regions",
    "rename_unit",
    "rotate_keys",
    "there",
]
