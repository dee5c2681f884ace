"""Where to begin, health, readiness, and the catalogue of kinds and fields."""

import asyncio

import orjson
from fastapi import APIRouter, Response

from hub import __version__
from hub.api.bodies import json_response
from hub.api.deps import ServicesDep
from hub.models.catalogue import KINDS, fields_of

router = APIRouter(tags=["系统 system"])


START = {
    "name": "联护 Lianhu",
    "version": __version__,
    "description": "/openapi.json",
    "catalogue": "/v1/catalogue",
    "report": "/v1/reports",
}


@router.get("/")
async def start() -> Response:
    """从何处开始：接口说明、数据目录、报警。Where to begin."""
    return json_response(orjson.dumps(START))


@router.get("/healthz")
async def healthz() -> Response:
    """进程存活。The process lives."""
    return json_response(b'{"status":"ok"}')


@router.get("/readyz")
async def readyz(services: ServicesDep) -> Response:
    """能否写访问日志；不能则不放行任何数据。503 while the log cannot be written."""
    asked = asyncio.create_task(services.database.fetchrow("SELECT 1"))
    await asyncio.wait({asked}, timeout=services.settings.log_timeout)
    if not asked.done():
        asked.cancel()  # and not waited for: a server that hangs answers no cancellation either
    ready = asked.done() and asked.exception() is None
    ready = ready and (services.committer.ready or await services.committer.probe())
    return json_response(b'{"status":"ready"}' if ready else b'{"status":"log unavailable"}', 200 if ready else 503)


@router.get("/v1/catalogue")
async def catalogue(services: ServicesDep) -> Response:
    """数据目录：各种记录、由哪类单位提交、字段、类别。Derived from the classes; who submits which, from the policy."""
    policy = services.policy
    kinds = [
        {
            "kind": kind,
            "title": model.title,
            "submitted_by": [t for t in policy.rules.unit_types if policy.may_write(t, kind)],
            "fields": [{"name": f.name, "title": f.title, "category": f.category} for f in fields_of(model)],
        }
        for kind, model in KINDS.items()
    ]
    return json_response(orjson.dumps({"kinds": kinds}))
