"""Cases: list, search, open, records, history."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Header, Response

from hub import casework, finding
from hub.api import bodies
from hub.api.bodies import json_response
from hub.api.deps import Asked, GateRoute
from hub.models.catalogue import Kind

router = APIRouter(prefix="/v1/cases", tags=["个案 cases"], route_class=GateRoute)


@router.get("/{case_id}", responses={304: {"description": "与 If-None-Match 相同 the same as If-None-Match names"}})
async def open_case(
    case_id: UUID,
    request: Asked,
    if_none_match: Annotated[str | None, Header(description="上次的 ETag the last ETag")] = None,
) -> Response:
    """打开个案：所准字段与各记录。Only granted fields; masked ones masked; withheld categories listed."""
    body = await casework.open_case(request.gate, case_id)
    tag = casework.etag(request.gate, body)
    if if_none_match == tag:
        return Response(status_code=304, headers={"ETag": tag})
    return json_response(body, ETag=tag)


@router.get("", openapi_extra={"parameters": bodies.parameters(finding.Filters)})
async def list_cases(request: Asked) -> Response:
    """个案列表，新的在前。Keyset paging: pass `next` as `cursor`; there is no total."""
    return json_response(await finding.list_cases(request.gate, bodies.query(request, finding.Filters)))


@router.post("/search", openapi_extra=bodies.described(finding.Wanted))
async def search(request: Asked) -> Response:
    """按身份证号、电话、案号，或姓名加一项查找。Identifiers travel in the body, never in a URL."""
    wanted, _ = await bodies.parse(request, finding.Wanted)
    return json_response(await finding.search_cases(request.gate, wanted))


@router.get("/{case_id}/records")
async def list_records(case_id: UUID, request: Asked, kind: Kind | None = None) -> Response:
    """个案的记录。The records of a case, as far as granted."""
    return json_response(await casework.list_records(request.gate, case_id, kind or ""))


@router.get("/{case_id}/records/{record_id}")
async def read_record(case_id: UUID, record_id: UUID, request: Asked) -> Response:
    """个案中的一份记录。One record of a case."""
    body, tag = await casework.read_record(request.gate, record_id, case_id)
    return json_response(body, ETag=tag)


@router.get("/{case_id}/history")
async def history(case_id: UUID, request: Asked) -> Response:
    """各版本。A version that changed only what is withheld from the caller does not appear."""
    return json_response(await casework.history(request.gate, case_id))
