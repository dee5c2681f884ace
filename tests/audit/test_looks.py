"""A security officer's look at one case is in the log under that case (T12), and names no case it did not find."""

import uuid

from tests import logbook
from tests.world import World, call


async def looks(world: World, case: str) -> list[str]:
    """Acts of the entries that name the case, oldest first."""
    return [row["act"] for row in sorted(await logbook.about(world.services, case), key=lambda row: row["at"])]


async def test_a_look_at_a_case_is_found_there(world: World) -> None:
    """By the case's id or by its reference in the log; a look at everything (the control) names no case."""
    police, auditor = await world.agency("police"), await world.person("auditor")
    case = (await police.filed("police_call", call()))["case_id"]
    await auditor.get("/v1/audit/entries")
    assert await looks(world, case) == ["create"]
    ref = world.services.vault.pseudonym("case", uuid.UUID(case).bytes)
    for n, name in enumerate((case, str(ref)), 1):
        shown = (await auditor.get("/v1/audit/entries", params={"case": name})).json()["items"]
        assert len(shown) == n and all(item["body"] for item in shown)
        assert await looks(world, case) == ["create"] + ["audit-read"] * n
    (newest,) = (await auditor.get("/v1/audit/entries", params={"case": case, "limit": 1})).json()["items"]
    assert newest["act"] == "audit-read" and newest["body"]["query"] == "log:case"


async def test_a_look_at_no_case_names_none(world: World) -> None:
    auditor, nothing = await world.person("auditor"), str(uuid.uuid4())
    assert (await auditor.get("/v1/audit/entries", params={"case": nothing})).json()["items"] == []
    assert await looks(world, nothing) == []
