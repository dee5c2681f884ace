"""The access log, for security officers."""

from fastapi import APIRouter, Response

from hub import oversight
from hub.api import bodies
from hub.api.deps import Asked, ReviewRoute
from hub.oversight import LogFilters
from hub.policies.subject import Purpose

router = APIRouter(prefix="/v1/audit", tags=["审计 audit"], route_class=ReviewRoute)


@router.get("/entries", openapi_extra={"parameters": bodies.parameters(LogFilters)})
async def entries(request: Asked) -> Response:
    """查阅访问日志。Role auditor only; the look is an entry itself."""
    request.gate.purpose = Purpose.audit
    return bodies.json_response(await oversight.entries(request.gate, bodies.query(request, LogFilters)))
