"""The one-click report: no account, one required field, a receipt."""

from typing import Annotated

import orjson
from fastapi import APIRouter, Header, Path, Response

from hub import attachments, casework
from hub.api.bodies import FILE, check_length, described, json_response, parse
from hub.api.deps import Asked, ShortRoute
from hub.clock import text
from hub.intake import ADDITION, REPORT
from hub.policies.gate import Gate
from hub.receipts import receipt_subject, reporter_gate

router = APIRouter(prefix="/v1/reports", tags=["一键报警 reports"], route_class=ShortRoute)
Code = Annotated[str, Path(pattern=r"^[0-9 \-]{16,19}$", description="回执号，16位 receipt, 16 digits")]
Key = Annotated[
    str | None,
    Header(
        description="客户端取的随机值：无应答时同键同文再发，仍是同一次 a random value of the client's: sent again with"
        " it, the same words are the same report"
    ),
]
Secret = Annotated[str | None, Header(max_length=40, description="第二口令 second secret")]
WRONG = "-"
"""No second secret: where one is needed, none is a wrong one."""


@router.post("", status_code=201, openapi_extra=described(REPORT))
async def report(request: Asked, idempotency_key: Key = None) -> Response:
    """一键报警：只须说明地点。It is on disk before the answer."""
    fields, _ = await parse(request, REPORT)
    receipt = await request.intake.report(fields, idempotency_key or "")
    code = " ".join(receipt.code[i : i + 4] for i in range(0, 16, 4))
    secret = "-".join(receipt.secret[i : i + 4] for i in range(0, 12, 4))
    answer = {"receipt": code, "secret": secret, "received_at": text(receipt.at), "status_text": "已收到"}
    return json_response(orjson.dumps(answer), 201)


async def _holder(request: Asked, code: str, secret: str | None) -> Gate:
    gate = reporter_gate(request.services, await receipt_subject(request.services, code, secret or ""))
    request.state.gate = gate
    return gate


@router.get("/{code}")
async def read_report(code: Code, request: Asked, receipt_secret: Secret = None) -> Response:
    """凭回执查询。The receipt shows status words; with the second secret, what was submitted."""
    gate = await _holder(request, code, receipt_secret)
    assert gate.subject.own_case is not None
    body = await casework.open_case(gate, gate.subject.own_case)
    await gate.even_out()  # how much there is in the case that she cannot see must not show either
    return json_response(body)


@router.post("/{code}/additions", status_code=201, openapi_extra=described(ADDITION))
async def add_text(
    code: Code,
    request: Asked,
    receipt_secret: Secret = None,
    idempotency_key: Key = None,
) -> Response:
    """补充说明，须有第二口令。Add text later; needs the second secret."""
    gate = await _holder(request, code, receipt_secret or WRONG)
    fields, _ = await parse(request, ADDITION)
    return json_response(orjson.dumps({"id": str(await request.intake.add(gate, fields, idempotency_key or ""))}), 201)


@router.post(
    "/{code}/photos",
    status_code=201,
    openapi_extra=FILE,
)
async def add_photo(code: Code, request: Asked, receipt_secret: Secret = None) -> Response:
    """补充图片、音频、视频、PDF，须有第二口令。Add a picture, sound, film or PDF later; needs the second secret."""
    gate = await _holder(request, code, receipt_secret or WRONG)
    check_length(request, request.services.settings.upload_limit, attachments.TOO_LARGE)
    assert gate.subject.unit_id is not None
    made = await attachments.store(gate, gate.subject.unit_id, attachments.PHOTO, request.stream())
    return json_response(orjson.dumps(made.shown()), 201)
