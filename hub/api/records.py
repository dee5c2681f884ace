"""Records: submit, read, amend, attach. One route per kind, made from the catalogue."""

import hashlib
from collections.abc import Callable
from typing import Annotated, Any
from urllib.parse import quote
from uuid import UUID

import orjson
from fastapi import APIRouter, Header, Path, Response
from fastapi.responses import StreamingResponse

from hub import amending, attachments, casework, exchange
from hub.api.bodies import FILE, check_length, described, json_response, parse, parse_object
from hub.api.deps import Asked, GateRoute, streamed, utf8
from hub.errors import BadRequest, NotFound
from hub.models.base import RecordFields
from hub.models.catalogue import KINDS

router = APIRouter(prefix="/v1", tags=["记录 records"], route_class=GateRoute)
Idempotency = Annotated[str | None, Header(max_length=255, pattern=r"^[\x21-\x7e]+$")]


def _submit_route(model: type[RecordFields]) -> Callable[..., Any]:
    async def submit(
        request: Asked,
        idempotency_key: Idempotency = None,
        case_number: Annotated[str | None, Header(max_length=40, description="归入此案号 file under this case")] = None,
    ) -> Response:
        if not idempotency_key:
            raise BadRequest("须带 Idempotency-Key。", "Idempotency-Key is required.")
        fields, digest = await parse(request, model)
        digest = hashlib.sha256(digest + model.kind.encode() + (case_number or "").encode()).digest()
        named = {"idempotency_key": idempotency_key, "case_number": case_number or ""}
        answer = await exchange.submit(request.gate, request.app.state.writer, fields, digest=digest, **named)
        return json_response(orjson.dumps(answer), 201, Location=f"/v1/records/{answer['id']}")

    submit.__doc__ = f"提交{model.title}。Submit: {model.__doc__ or model.kind}"
    return submit


for _kind, _model in KINDS.items():
    if _model.public:
        router.add_api_route(
            f"/records/{_kind}",
            _submit_route(_model),
            methods=["POST"],
            status_code=201,
            name=f"submit_{_kind}",
            openapi_extra=described(_model),
        )


@router.post("/records/{kind}", include_in_schema=False)
async def unknown_kind(kind: str, request: Asked) -> Response:
    """A kind that does not exist."""
    raise NotFound("没有此种类的记录，种类见 /v1/catalogue。", "There is no such kind; /v1/catalogue lists them.")


@router.get("/records/{record_id}")
async def read_record(record_id: UUID, request: Asked) -> Response:
    """读取一份记录。The ETag is what PATCH needs."""
    body, tag = await casework.read_record(request.gate, record_id)
    return json_response(body, ETag=tag)


@router.patch(
    "/records/{record_id}",
    status_code=204,
    openapi_extra={
        "requestBody": {"required": True, "content": {"application/merge-patch+json": {"schema": {"type": "object"}}}}
    },
)
async def amend_record(
    record_id: UUID,
    request: Asked,
    if_match: Annotated[str | None, Header(max_length=100)] = None,
) -> Response:
    """更正本单位的记录，成为新版本（RFC 7396）。428 without an ETag in If-Match, 412 on a stale one."""
    patch = await parse_object(request)
    await amending.amend(request.gate, record_id, patch, if_match or "")
    return Response(status_code=204)


@router.post(
    "/records/{record_id}/attachments",
    status_code=201,
    openapi_extra=FILE,
)
async def attach(
    record_id: UUID,
    request: Asked,
    file_name: Annotated[str, Header(max_length=600, description="文件名，百分号编码 percent-encoded")] = "file",
) -> Response:
    """上传附件，至多20MB，流式封存。Attach to your own record: pictures, sound, film, PDF, at most 20 MB."""
    check_length(request, request.gate.services.settings.upload_limit, attachments.TOO_LARGE)
    made = await attachments.store(request.gate, record_id, attachments.clean_name(utf8(file_name)), streamed(request))
    return json_response(orjson.dumps(made.shown()), 201, Location=f"/v1/attachments/{made.id}")


@router.get("/records/{record_id}/attachments")
async def list_attachments(record_id: UUID, request: Asked) -> Response:
    """记录的附件。The attachments of a record; none when their category is not clear to you."""
    files = await attachments.listing(request.gate, record_id)
    return json_response(orjson.dumps({"items": [file.shown() for file in files]}))


@router.get("/attachments/{attachment_id}")
async def download(attachment_id: Annotated[UUID, Path()], request: Asked) -> Response:
    """下载附件。The entry is durable before the first byte."""
    file, content = await attachments.download(request.gate, attachment_id)
    name = f"attachment; filename*=UTF-8''{quote(file.name)}"
    return StreamingResponse(
        content,
        media_type=file.media_type,
        headers={"Content-Length": str(file.size), "Content-Disposition": name, "ETag": f'"{file.sha256[:32]}"'},
    )
