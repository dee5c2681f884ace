"""Reading the access log as it lies in the database, under the role that may: for tests of what was logged."""

import base64
from typing import Any
from uuid import UUID

import orjson

from hub.audit.entry import bound_to
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


async def opened(services: Services, row: Row) -> tuple[bytes, bytes]:
    """The opening and the canonical body of an entry."""
    key = services.vault.log
    if len(row["case_refs"]) == 1:
        case = await services.database.fetchrow(
            "SELECT id, key_wrapped, key_id FROM cases WHERE ref = $1", row["case_refs"][0]
        )
        if case is not None:
            key = services.vault.case_key(case["id"], case["key_wrapped"], case["key_id"]).log
    plain = key.open(row["body"], bound_to(row["w"], row["n"]))
    return plain[:32], plain[32:]


async def body(services: Services, row: Row) -> dict[str, Any]:
    made: dict[str, Any] = orjson.loads((await opened(services, row))[1])
    return made


def leaf(row: Row) -> dict[str, Any]:
    made: dict[str, Any] = orjson.loads(row["leaf"])
    return made


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
