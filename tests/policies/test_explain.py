"""`hub policy explain`: outcome, layer and rule for each category; the look is the operator's, not the account's."""

import asyncio
import os
import sys
import uuid
from dataclasses import replace
from typing import Any

import orjson

from hub.audit.committer import NOBODY
from hub.models.fields import CATEGORIES
from hub.settings import ROOT, Settings
from tests import logbook
from tests.commands import run
from tests.forms import minimal
from tests.policies.files import BY_ID, SHIPPED, changed, instead
from tests.world import AWAY, HOME, World, call, instant, pair


async def explained(config: Settings, account: str, case: str) -> list[dict[str, Any]]:
    """The command, as an operator runs it."""
    env = {"HUB_DATABASE_URL": config.database_url, "HUB_DATA": str(config.data), "HUB_DEMO": "1"}
    words = ["-m", "hub.cli", "policy", "explain", "--account", account, "--case", case, "--json"]
    process = await asyncio.create_subprocess_exec(
        sys.executable, *words, cwd=ROOT, env=os.environ | env, stdout=asyncio.subprocess.PIPE
    )
    out, _ = await process.communicate()
    assert process.returncode == 0
    found: list[dict[str, Any]] = orjson.loads(out)
    return found


async def test_a_case_explained(world: World, config: Settings) -> None:
    """Each category with its reason; one entry names the case, by nobody, about the account."""
    services, made = world.services, await (await world.agency("police")).filed("police_call", call())
    unit = services.directory.codes[f"{HOME}-police"].id
    row = await services.database.fetchrow("SELECT id FROM account WHERE unit_id = $1 AND name = 'supervisor'", unit)
    assert row is not None
    reasons = {r["category"]: r for r in await explained(config, str(row["id"]), made["case_id"])}
    assert set(reasons) == {c.value for c in CATEGORIES}
    assert (reasons["facts"]["outcome"], reasons["facts"]["layer"]) == ("clear", "matrix")
    assert (reasons["reporter"]["outcome"], reasons["reporter"]["layer"]) == ("withheld", "matrix")
    assert all(r["rule"] for r in reasons.values())
    (entry,) = await logbook.about(services, made["case_id"], "policy")
    body = logbook.body(services, entry)
    assert (entry["actor"], entry["unit_id"], body["command"]) == (NOBODY, None, "policy explain")
    assert body["about"]["account"] == str(row["id"]) and "who" not in body
    case = await services.database.fetchrow("SELECT number FROM cases WHERE id = $1::uuid", made["case_id"])
    assert case is not None
    assert {r["category"]: r for r in await explained(config, str(row["id"]), case["number"])} == reasons


async def test_what_holds_and_what_is_missing_is_said(world: World, config: Settings) -> None:
    """Why one sees nothing: of what the purpose needs none holds."""
    case, said = (await (await world.agency("police")).filed("police_call", call()))["case_id"], []
    for county in (HOME, AWAY):
        unit = world.services.directory.codes[f"{county}-police"].id
        row = await world.services.database.fetchrow("SELECT id FROM account WHERE unit_id = $1 LIMIT 1", unit)
        given = ("policy", "explain", "--account", str(row["id"]), "--case", case)
        said.append((await asyncio.to_thread(run, config, *given)).stderr)
    assert "facts that hold: involved" in said[0] and "needs" not in said[0]
    assert "facts that hold: 无 none" in said[1] and "needs one of: involved" in said[1]


async def test_a_case_that_is_none(world: World, config: Settings) -> None:
    """Neither by id nor by number: what to give is said."""
    row = await world.services.database.fetchrow("SELECT id FROM account LIMIT 1")
    assert row is not None
    for case in (f"{HOME}-2026-NOTTHERE", str(uuid.uuid4())):
        given = ("policy", "explain", "--account", str(row["id"]), "--case", case)
        done = await asyncio.to_thread(run, config, *given)
        assert done.returncode == 1 and "No such case: give its id" in done.stderr


async def test_a_policy_that_masks_refuge_keeps_it_out_of_lists(world: World) -> None:
    """A deployer's own line: the mask is on the case, never in a list, and lists are answered."""
    line = BY_ID["matrix.involved.civil_affairs.refuge"]
    kept, bureau = world.services.policy, await world.agency("civil_affairs", purpose="shelter_relief")
    federation = await world.agency("womens_federation", purpose="shelter_relief")
    sent = {"admitted_at": instant(), "shelter_name": "某庇护所", "shelter_address": "某街9号"} | pair()
    case = (await bureau.filed("shelter_stay", sent))["case_id"]
    await federation.filed("support_service", minimal("support_service"), case=case)
    other = replace(line, id="masked.refuge", unit_type="womens_federation", outcome="masked")
    old = BY_ID["matrix.involved.womens_federation.refuge"]
    world.services.policy = changed(instead(old, other), kept)
    try:
        assert "shelter_address" in (await federation.get(f"/v1/cases/{case}")).text
        for path in ("/v1/cases", f"/v1/cases/{case}/records"):
            answer = await federation.get(path)
            assert answer.status_code == 200 and "shelter_address" not in answer.text
    finally:
        world.services.policy = kept
    assert SHIPPED.version == kept.version
