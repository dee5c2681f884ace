"""Cases: list, search, open, records, history."""

from datetime import datetime
from typing import Annotated, Self
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, ConfigDict, model_validator

from hub import casework
from hub.api.bodies import json_response
from hub.api.deps import GateDep
from hub.models.catalogue import KINDS
from hub.models.codes import RiskLevel, Status
from hub.models.values import IdNumber, Moment, PastDay, Phone, Short

router = APIRouter(prefix="/v1/cases", tags=["个案 cases"])
Kind = Annotated[str, Query(pattern="^(" + "|".join(KINDS) + ")$", description="记录种类 kind")]


@router.get("/{case_id}")
async def open_case(case_id: UUID, request: Request, gate: GateDep) -> Response:
    """打开个案：所准字段与各记录。Only granted fields; masked ones masked; withheld categories listed."""
    body = await casework.open_case(gate, case_id)
    tag = casework.etag(gate, body)
    if request.headers.get("if-none-match") == tag:
        return Response(status_code=304, headers={"ETag": tag})
    return json_response(body, ETag=tag)


@router.get("")
async def list_cases(
    gate: GateDep,
    region: Annotated[
        str, Query(pattern="^[1-9][0-9]{1,11}$", description="区划代码，2至12位 region code, 2 to 12 digits")
    ]
    | None = None,
    status: Annotated[Status | None, Query(description="状态 status")] = None,
    risk: Annotated[RiskLevel | None, Query(description="风险等级 risk level")] = None,
    updated_since: Annotated[Moment | None, Query(description="此后有所见变动 changed since, as you can see")] = None,
    kind: Kind | None = None,
    mine: Annotated[bool, Query(description="仅本单位参与处置的 only those your unit is involved in")] = False,
    limit: Annotated[int, Query(ge=1, le=1000, description="每页条数 items a page")] = 50,
    cursor: Annotated[str, Query(max_length=500, description="上页的 next the last page's next")] | None = None,
) -> Response:
    """个案列表，新的在前。Keyset paging: pass `next` as `cursor`; there is no total."""
    since: datetime | None = updated_since
    filters = casework.Filters(region or "", status or "", risk or "", since, kind or "", mine, limit, cursor or "")
    return json_response(await casework.list_cases(gate, filters))


class Search(BaseModel):
    """Exactly one of: id_number, phone, case_number, or name with phone or birth_date."""

    model_config = ConfigDict(extra="forbid")

    id_number: IdNumber | None = None
    phone: Phone | None = None
    case_number: Short | None = None
    name: Short | None = None
    birth_date: PastDay | None = None

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        given = frozenset(name for name, value in self if value is not None)
        ways = ({"id_number"}, {"phone"}, {"case_number"}, {"name", "phone"}, {"name", "birth_date"})
        if given not in [frozenset(way) for way in ways]:
            raise ValueError(
                "请用身份证号、电话、案号之一，或姓名加电话或出生日期 / "
                "give id_number, phone or case_number, or name with phone or birth_date"
            )
        return self


@router.post("/search")
async def search(gate: GateDep, body: Search) -> Response:
    """按身份证号、电话、案号，或姓名加一项查找。Identifiers travel in the body, never in a URL."""
    values = body.model_dump(mode="json", exclude_none=True)
    return json_response(await casework.search_cases(gate, casework.Wanted(**values)))


@router.get("/{case_id}/records")
async def list_records(case_id: UUID, gate: GateDep, kind: Kind | None = None) -> Response:
    """个案的记录。The records of a case, as far as granted."""
    return json_response(await casework.list_records(gate, case_id, kind or ""))


@router.get("/{case_id}/records/{record_id}")
async def read_record(case_id: UUID, record_id: UUID, gate: GateDep) -> Response:
    """个案中的一份记录。One record of a case."""
    body, tag = await casework.read_record(gate, record_id, case_id)
    return json_response(body, ETag=tag)


@router.get("/{case_id}/history")
async def history(case_id: UUID, gate: GateDep) -> Response:
    """各版本。A version that changed only what is withheld from the caller does not appear."""
    return json_response(await casework.history(gate, case_id))
