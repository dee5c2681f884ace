"""The access log, for security officers."""

from typing import Annotated

from fastapi import APIRouter, Query, Response

from hub import oversight
from hub.api.bodies import json_response
from hub.api.deps import CallerDep
from hub.audit.entry import Act
from hub.models.values import Moment
from hub.policies.subject import Purpose

router = APIRouter(prefix="/v1/audit", tags=["审计 audit"])


@router.get("/entries")
async def entries(
    gate: CallerDep,
    who: Annotated[str, Query(max_length=64, description="账号或客户端编号 account or client id")] = "",
    unit: Annotated[str, Query(max_length=64, description="单位代码 unit code")] = "",
    case: Annotated[
        str, Query(max_length=40, description="个案编号或其在日志中的代号 case id, or its reference in the log")
    ] = "",
    since: Moment | None = None,
    until: Moment | None = None,
    act: Act | None = None,
    purpose: Purpose | None = None,
    outcome: Annotated[str, Query(pattern="^(permit|deny|conflict)$")] | None = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    cursor: Annotated[str, Query(max_length=500)] = "",
) -> Response:
    """查阅访问日志。Role auditor only; the look is an entry itself."""
    gate.purpose = Purpose.audit
    filters = oversight.LogFilters(
        who, unit, case, since, until, act or "", purpose or "", outcome or "", limit, cursor
    )
    return json_response(await oversight.entries(gate, filters))
