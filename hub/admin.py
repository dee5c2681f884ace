"""Administration: regions, units, accounts, clients. No case data passes here; every change is logged.

These verbs run from the `hub` command, on the machine, by its operator. They live in `places`, `enlist` and `changes`.
"""

from hub.changes import Change, Changed, change_account, change_client, disable, enable, rename_unit, there
from hub.enlist import SCOPES, MadeAccount, NewAccount, NewClient, add_accounts, add_client, add_clients
from hub.places import REGIONS, NewUnit, add_regions, add_units, import_regions
from hub.policies.services import Services
from hub.sheets import Counted, Refused, log

LIST = {
    "accounts": "SELECT a.id, u.code AS unit, a.name, a.role, a.login, a.disabled_at FROM account a"
    " JOIN unit u ON u.id = a.unit_id ORDER BY u.code, a.name",
    "units": "SELECT code, name, type, region_code, path, disabled_at FROM unit ORDER BY path",
    "clients": "SELECT k.id, u.code AS unit, k.scopes, jsonb_path_query_array(k.jwks, '$.keys[*].kid')::text AS keys,"
    " k.disabled_at FROM client k JOIN unit u ON u.id = k.unit_id"
    " ORDER BY k.id",
    "regions": "SELECT code, name, level, parent, disabled_at FROM region ORDER BY code",
}


async def rotate_keys(services: Services) -> int:
    """Re-wrap every case key under the newest master key, in order of id as the writer does; no field is touched."""
    rows = await services.database.fetch(
        "SELECT id, key_wrapped, key_id FROM cases WHERE key_id <> $1 ORDER BY id", services.vault.key_id
    )
    wrapped = [(row["id"], *services.vault.rewrap(row["id"], row["key_wrapped"], row["key_id"])) for row in rows]
    async with services.database.transaction() as connection:
        await connection.executemany("UPDATE cases SET key_wrapped = $2, key_id = $3 WHERE id = $1", wrapped)
        await log(connection, services, "keys rotate", cases=len(wrapped))
    return len(wrapped)


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
    "import_regions",
    "rename_unit",
    "rotate_keys",
    "there",
]
