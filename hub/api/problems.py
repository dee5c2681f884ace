"""Errors become problem documents (RFC 9457) here and nowhere else, in the caller's language, Chinese first.

A refusal after authentication is an access: if nobody logged it yet, it is logged before the document leaves.
"""

import re
import traceback
from pathlib import Path
from typing import Any

import orjson
import structlog
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from hub.errors import BadRequest, HubError, Invalid, MethodNotAllowed, NotFound, TooLarge, Unavailable
from hub.policies.gate import Gate

log = structlog.get_logger("hub")
RULES = ("time_order", "where", "reason", "red_flag")
"""Rules of the nouns across several fields; their texts hold both languages."""
_ZH = {  # with the limits that pydantic tells
    "missing": "缺少必填项",
    "extra_forbidden": "不认识的字段",
    "string_too_long": "文字过长，至多{max_length}字",
    "string_too_short": "文字过短，至少{min_length}字",
    "int_parsing": "应为整数",
    "int_type": "应为整数",
    "bool_parsing": "应为 true 或 false",
    "bool_type": "应为 true 或 false",
    "string_type": "应为文字",
    "json_invalid": "不是合法的 JSON",
    "list_type": "应为列表",
    "too_long": "条目过多，至多{max_length}项",
    "too_short": "条目过少，至少{min_length}项",
    "float_type": "应为数字",
    "float_parsing": "应为数字",
    "int_from_float": "应为整数",
    "string_pattern_mismatch": "含有不允许的字符，或长度不符",
    "datetime_from_date_parsing": "不是合法的时间",
    "datetime_parsing": "不是合法的时间",
    "date_from_datetime_inexact": "应为日期 YYYY-MM-DD，不带时间",
    "date_from_datetime_parsing": "不是合法的日期，应为 YYYY-MM-DD",
    "date_parsing": "不是合法的日期，应为 YYYY-MM-DD",
    "timezone_aware": "时间须带时区",
    "greater_than_equal": "数值过小，至少{ge}",
    "less_than_equal": "数值过大，至多{le}",
    "uuid_parsing": "编号格式不正确",
    "dict_type": "应为对象",
    "model_type": "应为对象",
    "model_attributes_type": "应为对象",
}


def wants_english(request: Request) -> bool:
    """Does Accept-Language (RFC 9110 section 12.5.4) prefer English to Chinese? Absent means Chinese."""
    best = {"zh": 0.0, "en": 0.0}
    for part in request.headers.get("accept-language", "")[:200].lower().split(","):
        tag, _, weight = part.replace(" ", "").partition(";q=")
        try:
            quality = float(weight) if weight else 1.0
        except ValueError:
            quality = 0.0
        name = tag[:2]
        if name in best:
            best[name] = max(best[name], quality)
    return best["en"] > best["zh"]


def _title(error: HubError) -> str:
    """NotFound -> Not found."""
    return re.sub(r"(?<=[a-z])[A-Z]", lambda found: " " + found[0].lower(), type(error).__name__)


def document(request: Request, error: HubError) -> Response:
    """The problem document of an error."""
    english = wants_english(request)
    extra = dict(error.extra)
    if "errors" in extra:
        items: Any = extra["errors"]
        extra["errors"] = [{"pointer": e["pointer"], "detail": e["en" if english else "zh"]} for e in items]
    body = {
        "type": f"urn:lianhu:problem:{error.code}",
        "title": _title(error) if english else error.zh,
        "status": error.status,
        "detail": error.en if english else error.zh,
        "code": error.code,
        **extra,
    }
    headers = {"Content-Language": "en" if english else "zh-CN"}
    if error.status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    if error.status in (409, 503):
        headers["Retry-After"] = "2"
    return Response(orjson.dumps(body), error.status, headers, "application/problem+json")


def invalid(errors: Any) -> Invalid:
    """Pydantic's findings as pointers (RFC 6901) and reasons, never the value."""
    items = []
    for error in errors[:50]:
        where = [str(part) for part in error["loc"] if part not in ("body", "query", "path", "header")]
        zh, en = _ZH.get(error["type"], "").format(**error.get("ctx", {})), str(error["msg"])
        if error["type"] in ("value_error", *RULES):
            text = en.removeprefix("Value error, ")
            zh, _, en = text.partition(" / ")
        elif "Input should be" in en and error["type"] in ("enum", "literal_error"):
            listed = en.removeprefix("Input should be ")
            zh, en = f"不在代码表内，可用 {listed.replace(' or ', ', ')}", f"not in the code list: {listed}"
        pointer = "".join("/" + part.replace("~", "~0").replace("/", "~1") for part in where)[:200]
        items.append({"pointer": pointer, "zh": zh or "格式不正确", "en": en or zh})
    return Invalid(errors=items)


async def _logged(request: Request, error: HubError) -> HubError:
    """Log a refusal that nobody logged; when that fails the caller learns only that the log is down."""
    gate: Gate | None = getattr(request.state, "gate", None)
    if gate is None or error.entered or isinstance(error, Unavailable):
        return error
    try:
        await gate.enter_refusal(error)
    except HubError as worse:
        return worse
    except Exception:  # whatever else fails in logging, it is the log that failed
        return Unavailable()
    return error


async def unexpected(request: Request, error: Exception) -> Response:
    """A failure of ours. Its type and place are logged, never its text: texts carry values."""
    frames = [f"{Path(f.filename).name}:{f.lineno}" for f in traceback.extract_tb(error.__traceback__)[-4:]]
    route = getattr(request.scope.get("route"), "path", "")
    log.error("unexpected", error=type(error).__name__, route=route, at=" < ".join(reversed(frames)))
    return document(request, await _logged(request, HubError()))


async def answer(request: Request, error: Exception) -> Response:
    """The document of whatever a handler raised; what may be answered is logged as refused before."""
    if isinstance(error, HubError):
        refused = document(request, await _logged(request, error))
        if isinstance(error, NotFound) and hasattr(request.state, "gate"):
            await request.state.gate.even_out()
        return refused
    if isinstance(error, ClientDisconnect):  # nobody reads the answer, and nothing of ours failed
        return document(request, await _logged(request, BadRequest()))
    if isinstance(error, RequestValidationError | ValidationError):
        return document(request, await _logged(request, invalid(error.errors())))
    if isinstance(error, HTTPException):
        mapped: HubError = {404: NotFound, 405: MethodNotAllowed, 413: TooLarge}.get(error.status_code, BadRequest)()
        mapped.status = error.status_code
        said = document(request, await _logged(request, mapped))
        for name, value in (error.headers or {}).items():
            said.headers[name] = value.replace("GET", "GET, HEAD") if name == "Allow" else value  # `Hub` takes both
        return said
    return await unexpected(request, error)


def install(app: FastAPI) -> None:
    """Answer what FastAPI meets by itself in the same way."""
    for kind in (HubError, RequestValidationError, ValidationError, HTTPException, ClientDisconnect):
        app.add_exception_handler(kind, answer)
    app.add_exception_handler(Exception, unexpected)
