"""Units and administrative divisions by their codes, which records name them by. Nothing of any case."""

from itertools import islice
from typing import Any

import orjson
from fastapi import APIRouter, Response
from pydantic import BaseModel, ConfigDict, Field

from hub.api import bodies
from hub.api.deps import Asked, CallerRoute
from hub.errors import Invalid
from hub.models.values import CODE

router = APIRouter(prefix="/v1", tags=["目录 directory"], route_class=CallerRoute)


class Listed(BaseModel):
    """What a list of codes may be asked for; in the order of codes, `next` of one page is `after` of the following."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field("", max_length=100, description="名称中的字 part of the name")
    within: str = Field("", pattern=r"^[0-9]{0,12}$", description="区划代码或其前几位 region code, or its first digits")
    after: str = Field("", pattern=f"^({CODE})?$", description="上一页的 next")
    limit: int = Field(100, ge=1, le=500)


class UnitsListed(Listed):
    type: str = Field("", pattern=r"^[a-z_]{0,64}$", description="单位类型 type of unit")


def _page(items: list[dict[str, Any]], limit: int) -> Response:
    """One more than `limit` was looked for, which tells whether there is a next page."""
    page = items[:limit]
    after = page[-1]["code"] if len(items) > limit else None
    return bodies.json_response(orjson.dumps({"items": page, "next": after}))


@router.get("/units", openapi_extra={"parameters": bodies.parameters(UnitsListed)})
async def units(request: Asked) -> Response:
    """单位及其代码：转介、通知、知会时填写。Units in service, with the codes that records name them by."""
    asked = bodies.query(request, UnitsListed)
    if asked.type and asked.type not in (types := request.gate.services.policy.rules.agency_types):
        zh, en = f"不在代码表内，可用 {', '.join(types)}", f"not in the code list: {', '.join(types)}"
        raise Invalid(errors=[{"pointer": "/type", "zh": zh, "en": en}])
    found = request.gate.services.directory.units_like(asked.type, asked.within, asked.name, asked.after)
    items = [
        {"code": u.code, "name": u.name, "type": u.type, "region": u.region_code}
        for u in islice(found, asked.limit + 1)
    ]
    return _page(items, asked.limit)


@router.get("/regions", openapi_extra={"parameters": bodies.parameters(Listed)})
async def regions(request: Asked) -> Response:
    """行政区划代码。Administrative divisions, as far as they are loaded here."""
    asked, directory = bodies.query(request, Listed), request.gate.services.directory
    found = directory.regions_like(asked.within, asked.name, asked.after)
    items = [
        {"code": code, "name": name, "place": directory.place_name(code)}
        for code, name in islice(found, asked.limit + 1)
    ]
    return _page(items, asked.limit)
