"""Reading the access log as it lies in the database, under the role that may: for tests of what was logged."""

import base64
import hashlib
from itertools import islice
from typing import Any
from uuid import UUID

import orjson

from hub import keys
from hub.audit.entry import bound_to, detail_bound_to, rows_of
from hub.policies.services import Services

Row = Any


async def rows(services: Services, where: str = "TRUE", *args: Any) -> list[Row]:
    """Raw entries, by chain and counter."""
    found = await services.database.audit.fetch(f"SELECT * FROM access_log WHERE {where} ORDER BY w, n", *args)
    return list(found)


async def about(services: Services, case_id: str | UUID, act: str = "%") -> list[Row]:
    """Entries that name a case."""
    ref = services.vault.pseudonym("case", UUID(str(case_id)).bytes)
    return await rows(services, "case_refs @> ARRAY[$1::uuid] AND act LIKE $2", ref, act)


async def count(services: Services, where: str = "TRUE", *args: Any) -> int:
    found: int = await services.database.audit.fetchval(f"SELECT count(*) FROM access_log WHERE {where}", *args)
    return found


def opened(services: Services, row: Row) -> tuple[bytes, bytes]:
    """The opening and the canonical body of an entry."""
    plain = services.vault.log(row["at"]).open(row["body"], bound_to(row["w"], row["n"]))
    return plain[:32], plain[32:]


def body(services: Services, row: Row) -> dict[str, Any]:
    made: dict[str, Any] = orjson.loads(opened(services, row)[1])
    return made


async def key_of(services: Services, row: Row) -> keys.Sealer:
    """What sealed the detail of an entry."""
    sql = "SELECT id AS case_id, key_wrapped, key_id FROM cases WHERE ref = $1"
    refs = row["case_refs"]
    case = await services.database.fetchrow(sql, refs[0]) if len(refs) == 1 else None
    if case is None:
        return services.vault.log(row["at"])
    return services.vault.case_key(case).log


async def groups(services: Services, row: Row) -> list[dict[str, Any]]:
    """What an entry says was opened: its groups, each with its own `rows`, as case, record and version."""
    said = body(services, row)
    if row["detail"] is None:
        return []
    assert said["detail"] == hashlib.sha256(row["detail"]).hexdigest()
    key = await key_of(services, row)
    rows = iter(rows_of(key.open(row["detail"], detail_bound_to(row["w"], row["n"]))))
    counted = zip(said.get("what", []), said["rows"], strict=False)
    return [group | {"rows": list(islice(rows, count))} for group, count in counted]


def leaf(row: Row) -> dict[str, Any]:
    made: dict[str, Any] = orjson.loads(row["leaf"])
    return made


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
