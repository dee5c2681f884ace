"""Reading bodies and queries, and describing them: validation by the noun's own class, straight from the bytes."""

import hashlib
from typing import Any, TypeVar
from urllib.parse import parse_qsl

import orjson
from fastapi import Request, Response
from pydantic import BaseModel, ValidationError

from hub.api.problems import invalid
from hub.errors import BadRequest, TooLarge
from hub.finding import Wanted
from hub.models.catalogue import KINDS
from hub.oversight import Reason
from hub.people import Login

M = TypeVar("M", bound=BaseModel)
BYTES = {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}
FILE: dict[str, Any] = {"requestBody": {"required": True, "content": BYTES}}
"""`openapi_extra` for a body that streams."""


async def parse(request: Request, model: type[M]) -> tuple[M, bytes]:
    """The body as an instance of the model, and the body's digest."""
    body = await request.body()
    try:
        return model.model_validate_json(body), hashlib.sha256(body).digest()
    except ValidationError as error:
        raise invalid(error.errors(include_url=False, include_input=False)) from None


def query(request: Request, model: type[M]) -> M:
    """The query string as an instance of the model; a parameter that is not the model's is refused."""
    try:
        given = parse_qsl(request.scope["query_string"].decode("latin-1"), keep_blank_values=True)
        if len(values := dict(given)) < len(given):
            raise BadRequest("同一参数只能给一次。", "A parameter may be given only once.")
        return model.model_validate(values)
    except ValidationError as error:
        raise invalid(error.errors(include_url=False, include_input=False)) from None


async def parse_object(request: Request) -> dict[str, Any]:
    """The body as a JSON object."""
    try:
        value = orjson.loads(await request.body())
    except orjson.JSONDecodeError:
        raise BadRequest("请求体不是 JSON。", "The body is not JSON.") from None
    if not isinstance(value, dict):
        raise BadRequest("请求体应为 JSON 对象。", "The body must be a JSON object.")
    return value


def check_length(request: Request, limit: int, said: tuple[str, str]) -> None:
    """Refuse (413) what announces itself as larger than `limit` bytes before one of them is read."""
    length = request.headers.get("content-length", "0")
    if length.isdigit() and int(length) > limit:
        raise TooLarge(*said)


def json_response(body: bytes, status: int = 200, **headers: str) -> Response:
    """Ready bytes."""
    return Response(body, status, {k.replace("_", "-"): v for k, v in headers.items()}, "application/json")


def described(model: type[BaseModel]) -> dict[str, Any]:
    """`openapi_extra` for a body read by `parse`; the schema itself is added in `hub/api/openapi.py`."""
    ref = {"$ref": f"#/components/schemas/{model.__name__}"}
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": ref}}}}


def parameters(model: type[BaseModel]) -> list[dict[str, Any]]:
    """`openapi_extra` for a query read by `query`."""
    schema = model.model_json_schema()
    named = schema.pop("$defs", {})

    def whole(part: Any) -> Any:
        if isinstance(part, dict):
            return (
                whole(named[part["$ref"].rsplit("/", 1)[1]])
                if "$ref" in part
                else {k: whole(v) for k, v in part.items()}
            )
        return [whole(item) for item in part] if isinstance(part, list) else part

    return [
        {"name": name, "in": "query", "required": False, "schema": whole(field)}
        for name, field in schema["properties"].items()
    ]


def schemas() -> dict[str, Any]:
    """JSON schemas of all kinds, with their vendor extensions, and of a search, for `components`."""
    found: dict[str, Any] = {}
    models: tuple[type[BaseModel], ...] = (*KINDS.values(), Wanted, Reason, Login)
    for model in models:
        schema = model.model_json_schema(ref_template="#/components/schemas/{model}")
        found |= schema.pop("$defs", {})
        found[model.__name__] = schema | {"title": getattr(model, "title", schema["title"])}
    return found
