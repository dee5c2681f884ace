"""Reading request bodies and describing them: validation by the noun's own class, straight from the bytes."""

import hashlib
from typing import Any, TypeVar

import orjson
from fastapi import Request, Response
from pydantic import BaseModel, ValidationError

from hub.api.problems import invalid
from hub.errors import BadRequest
from hub.models.catalogue import KINDS

M = TypeVar("M", bound=BaseModel)


async def parse(request: Request, model: type[M]) -> tuple[M, bytes]:
    """The body as an instance of the model, and the body's digest."""
    body = await request.body()
    try:
        return model.model_validate_json(body), hashlib.sha256(body).digest()
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


def json_response(body: bytes, status: int = 200, **headers: str) -> Response:
    """Ready bytes."""
    return Response(body, status, {k.replace("_", "-"): v for k, v in headers.items()}, "application/json")


def described(model: type[BaseModel]) -> dict[str, Any]:
    """`openapi_extra` for a body read by `parse`; the schema itself is added in `hub/main.py`."""
    ref = {"$ref": f"#/components/schemas/{model.__name__}"}
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": ref}}}}


def schemas() -> dict[str, Any]:
    """JSON schemas of all kinds, with their vendor extensions, for `components`."""
    found: dict[str, Any] = {}
    for model in KINDS.values():
        schema = model.model_json_schema(ref_template="#/components/schemas/{model}")
        found |= schema.pop("$defs", {})
        found[model.__name__] = schema | {"title": model.title}
    return found
