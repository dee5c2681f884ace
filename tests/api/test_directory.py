"""The codes that records name units and places by can be looked up, page by page, by whoever is known."""

from typing import Any

import pytest

from tests import enrol
from tests.world import AWAY, HOME, World


async def listed(world: World, path: str, **asked: Any) -> list[dict[str, Any]]:
    """All pages."""
    police, items, after = await world.agency("police"), [], ""
    while True:
        answer = await police.get(path, params=asked | {"after": after})
        assert answer.status_code == 200, answer.text
        page = answer.json()
        items += page["items"]
        if page["next"] is None:
            return items
        after = page["next"]


@pytest.mark.parametrize("limit", [1, 2, 500])
async def test_units(world: World, limit: int) -> None:
    """By type, region and name; every unit in service once, in the order of codes, whatever the page."""
    all_police = await listed(world, "/v1/units", type="police", limit=limit)
    codes = [unit["code"] for unit in all_police]
    assert codes == sorted(set(codes)) and {f"{HOME}-police", f"{AWAY}-police", "50-police"} <= set(codes)
    here = await listed(world, "/v1/units", type="police", within=HOME, limit=limit)
    assert f"{HOME}-police" in (found := {unit["code"] for unit in here}) and f"{AWAY}-police" not in found
    assert await listed(world, "/v1/units", within=f"{HOME}000000", type="police", limit=limit) == here
    assert {unit["type"] for unit in await listed(world, "/v1/units", name="法院", limit=limit)} == {"court"}


async def test_a_type_that_no_unit_can_be_of(world: World) -> None:
    """Told the types, as of every other code; a type of which no unit is there finds nothing."""
    police = await world.agency("police")
    for name in ("nothing", "reporter"):
        answer = await police.get("/v1/units", params={"type": name}, headers={"Accept-Language": "en"})
        (error,) = answer.json()["errors"]
        assert (answer.status_code, error["pointer"]) == (422, "/type")
        assert error["detail"].startswith("not in the code list: police, ") and "reporter" not in error["detail"]
    assert await listed(world, "/v1/units", type="court", within="99") == []


async def test_a_unit_that_left_is_not_offered(world: World) -> None:
    made = await enrol.agency(world, "school")
    await world.services.directory.refresh()
    assert made.code in {unit["code"] for unit in await listed(world, "/v1/units", type="school")}, "control"
    await world.by_hand("UPDATE unit SET disabled_at = now() WHERE code = $1", made.code)
    await world.services.directory.refresh()
    assert made.code not in {unit["code"] for unit in await listed(world, "/v1/units", type="school")}


async def test_regions(world: World) -> None:
    """By the first digits and by name, with the names of what they lie in."""
    here = await listed(world, "/v1/regions", within="5001", limit=7)
    codes = [region["code"] for region in here]
    assert codes == sorted(set(codes)) and all(code.startswith("5001") for code in codes)
    (found,) = [region for region in here if region["code"] == f"{HOME}000000"]
    assert found["place"].endswith(found["name"]) and found["place"] != found["name"]
    assert found in await listed(world, "/v1/regions", name=found["name"])
    for digits in ("50", "5001", f"{HOME}", f"{HOME}000000", "500", "50011", f"{HOME}0"):
        within = [region["code"] for region in await listed(world, "/v1/regions", within=digits, limit=500)]
        assert within and all(code.startswith(digits.removesuffix("000000")) for code in within), digits


async def test_who_may_look(world: World) -> None:
    """Whoever is known, of any role; a stranger is not answered, and an unknown parameter is refused."""
    for path in ("/v1/units", "/v1/regions"):
        assert (await world.http.get(path)).status_code == 401
        for caller in (await world.person("auditor"), await world.agency("police", person="")):
            assert (await caller.get(path)).status_code == 200
            for wrong in ("limit=0", "limit=501", "no=thing", "within=x", "after=%00", "name=" + "x" * 101):
                assert (await caller.get(f"{path}?{wrong}")).status_code == 422, wrong
            assert (await caller.get(f"{path}?limit=1&limit=2")).status_code == 400, "neither wins silently"
            answer = await caller.post(path)
            assert (answer.status_code, answer.json()["code"]) == (405, "method_not_allowed")
