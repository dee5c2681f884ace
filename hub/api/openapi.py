"""The API's description (OpenAPI 3.1): what FastAPI knows of the routes, and what it cannot know of ours, whose bodies
are read, and whose answers are joined, as bytes."""

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute

from hub.api import answers, bodies
from hub.api.deps import CallerRoute, GateRoute
from hub.policies.subject import Purpose

ALWAYS = ("idempotency-key", "if-match")
"""Headers that our own answer, not the framework's, asks for: 400 and 428."""
HEADERS = {"open_case": "ETag", "read_record": "ETag", "download": "ETag", "attach": "Location"}


def described(app: FastAPI) -> dict[str, Any]:
    """Made when it is first asked for."""
    if app.openapi_schema is None:
        schema = get_openapi(title=app.title, version=app.version, routes=app.routes)
        schema["components"]["schemas"] |= bodies.schemas() | answers.schemas()
        schema["components"]["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
        for route in (r for r in app.routes if isinstance(r, APIRoute) and r.include_in_schema):
            for method in route.methods or ():
                _complete(schema["paths"][route.path_format][method.lower()], route)
        app.openapi_schema = schema
    return app.openapi_schema


def _complete(operation: dict[str, Any], route: APIRoute) -> None:
    problem = {"description": "RFC 9457", "content": {"application/problem+json": {"schema": _ref("Problem")}}}
    responses, answer = operation["responses"], answers.answer_of(route.name)
    responses.pop("422", None)
    good = responses[str(route.status_code or 200)]
    if answer is not None:
        good["content"] = {"application/json": {"schema": _ref(answer.__name__)}}
    elif route.name == "download":
        good["content"] = {"*/*": bodies.BYTES["application/octet-stream"]}  # as it was recognised
    if header := "Location" if answer is answers.Filed else HEADERS.get(route.name):
        good["headers"] = {header: {"schema": {"type": "string"}}}
    responses |= {"4XX": problem, "500": problem, "503": good if route.name == "readyz" else problem}
    if isinstance(route, CallerRoute):
        operation["security"] = [{"token": []}]
        operation.setdefault("parameters", []).extend(_gate_headers(isinstance(route, GateRoute)))
        for parameter in operation["parameters"]:
            parameter["required"] |= parameter["name"] in ALWAYS


def _ref(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}


def _gate_headers(purposeful: bool) -> list[dict[str, Any]]:
    purposes = {"enum": [purpose.value for purpose in Purpose]}
    named: list[tuple[str, str, bool, dict[str, Any]]]
    named = [("On-Behalf-Of", "经办人在本单位的账号名，百分号编码 percent-encoded", False, {})]
    named += [("Purpose-Of-Use", "访问目的 why you ask", True, purposes)] if purposeful else []
    return [
        {"name": n, "in": "header", "required": r, "description": d, "schema": {"type": "string"} | more}
        for n, d, r, more in named
    ]
