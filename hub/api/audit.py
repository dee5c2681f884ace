"""The access log, for auditors."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path, Response

from hub import oversight
from hub.api import bodies
from hub.api.deps import Asked, ReviewRoute
from hub.oversight import LogFilters, Reason
from hub.policies.subject import Purpose

router = APIRouter(prefix="/v1/audit", tags=["审计 audit"], route_class=ReviewRoute)


@router.get("/entries", openapi_extra={"parameters": bodies.parameters(LogFilters)})
async def entries(request: Asked) -> Response:
    """查阅访问日志。Role auditor only; the look is an entry itself. Bodies name cases by pseudonym and no records."""
    request.gate.purpose = Purpose.audit
    return bodies.json_response(await oversight.entries(request.gate, bodies.query(request, LogFilters)))


@router.post("/entries/{chain}/{n}", openapi_extra=bodies.described(Reason))
async def entry(chain: UUID, n: Annotated[int, Path(ge=1, lt=2**63)], request: Asked) -> Response:
    """打开一条日志，见所涉记录；须说明事由。One entry with the records it names, for a reason: that looks at cases."""
    request.gate.purpose = Purpose.audit
    why, _ = await bodies.parse(request, Reason)
    return bodies.json_response(await oversight.entry(request.gate, chain, n, why))
