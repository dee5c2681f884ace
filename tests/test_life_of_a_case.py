"""The life of one published case, from the call to the fine for the breach, as each agency sees it.

Every field of every record is asserted for police, court, committee, federation, school and civil affairs, and
every one of those reads is in the access log with its categories.
"""

from pathlib import Path
from typing import Any

import orjson
import pytest

from hub.demo.province import load_cases, people_of
from hub.demo.replay import Replay, _units, party_fields
from hub.models.catalogue import KINDS, FieldInfo, fields_of
from hub.models.fields import CATEGORIES
from hub.models.sealed import plain
from tests.world import HOME, World

# What an involved unit sees for `case_handling`, in the order of `Category`: C clear, M masked, . withheld.
# routine facts victim contact whereabouts refuge respondent minor reporter medical evidence measures judicial
# risk support visit internal. She moved out into shelter: whereabouts stay with police and federation alone.
VIEWS = {
    "police": "CCCCC.CC.MCCMCMCM",
    "court": "CCCC..CC.CCCCCMCM",
    "residents_committee": "CMCC..CM...C.MMCM",
    "womens_federation": "CCCCC.CC.M.CMCCCC",
    "school": "C.M....C...C..M.M",
    "civil_affairs": "CMCC..MC.M.C.CCMM",
}
# The notice of assistance names the school: that gives it `routine` and `measures` in clear.
OWN = {unit: "CCCCC.CC.CCCCCCCC" if unit in ("police", "womens_federation") else "CCCC..CC.CCCCCCCC" for unit in VIEWS}
"""What a unit sees of its own records: what `case_handling` opens at most, less whereabouts once relocated."""


def masked(info: FieldInfo, value: Any) -> Any:
    """The masked form, written here a second time."""
    if isinstance(value, list) and info.item is not None:
        return [{i.name: masked(i, v[i.name]) for i in fields_of(info.item) if i.name in v} for v in value]
    if not isinstance(value, str) or info.pii == "code":
        return "***"
    forms = {"name": value[:1] + "*", "phone": "*" * 9 + value[-2:], "id_number": value[:6] + "*" * 11 + value[-1]}
    forms |= {"date": value[:7], "text": f"（{len(value)}字，未开放 withheld）"}
    return forms[info.pii]


def seen_as(step: dict[str, Any], values: dict[str, Any], view: str) -> dict[str, Any]:
    """The fields of one record under a view."""
    letters = dict(zip((c.value for c in CATEGORIES), view, strict=True))
    shown = {}
    for info in fields_of(KINDS[step["kind"]]):
        if info.name in values and letters[info.category] != ".":
            clear = letters[info.category] == "C"
            shown[info.name] = values[info.name] if clear else masked(info, values[info.name])
    return shown


@pytest.fixture(scope="module")
async def life(
    world: World, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Replay, list[tuple[dict[str, Any], Any]]]:
    """Replay the case; returns the replay and each agency step with the values it sent."""
    folder: Path = tmp_path_factory.mktemp("life")
    (folder / "clients").mkdir()
    for code, pem in world.people["pems"].items():
        (folder / "clients" / f"{code}.pem").write_text(pem)
    case = next(c for c in load_cases() if c["id"] == "spc2025-lu")
    replay = Replay(world.http, folder, world.url)
    await replay.run(case, 77)
    people, steps = people_of(case, 77), []
    for step in case["steps"]:
        if step["unit"] == "reporter":
            body = step["fields"] | party_fields("report", people, "spouse", children=False) | {"region": HOME}
        else:
            body = {k: _units(v, HOME) for k, v in step["fields"].items()}
            body |= party_fields(step["kind"], people, "spouse", children=step.get("children", False))
        steps.append((step, plain(KINDS[step["kind"]].model_validate_json(orjson.dumps(body)))))
    return replay, steps


@pytest.mark.parametrize("unit", VIEWS)
async def test_field_by_field(life: Any, world: World, unit: str) -> None:
    replay, steps = life
    seen = await replay.view("spc2025-lu", replay.agency(HOME, unit))
    expected = [seen_as(step, values, OWN[unit] if step["unit"] == unit else VIEWS[unit]) for step, values in steps]
    assert [record["fields"] for record in seen["records"]] == expected
    assert [r["kind"] for r in seen["records"]] == [s["kind"] for s, _ in steps]
    assert seen["number"].startswith(HOME) and seen["risk_level"] == "high" and seen["stage"] == "protected"
    letters = dict(zip((c.value for c in CATEGORIES), VIEWS[unit], strict=True))
    assert seen["withheld"] == [name for name, letter in letters.items() if letter == "."]
    assert seen["masked"] == [name for name, letter in letters.items() if letter == "M"]


@pytest.mark.parametrize("unit", VIEWS)
async def test_each_look_is_in_the_log_with_its_categories(life: Any, world: World, unit: str) -> None:
    replay, _ = life
    case_id = replay.cases["spc2025-lu"]["id"]
    await replay.view("spc2025-lu", replay.agency(HOME, unit))
    entry = (await world.log(case=case_id, unit=f"{HOME}-{unit}", act="read"))[0]
    assert entry["purpose"] == "case_handling" and entry["outcome"] == "permit" and len(entry["cases"]) == 1
    who = entry["body"]["who"]
    assert who["role"] == "caseworker" and who["client"] == f"{HOME}-{unit}" and who["account"]
    logged = {name for group in entry["body"]["what"] for name in group["clear"] + group["masked"]}
    letters = dict(zip((c.value for c in CATEGORIES), VIEWS[unit], strict=True))
    authored = any(step["unit"] == unit for step, _ in life[1])
    assert logged == {n for n, letter in letters.items() if letter != "."} | (
        {c.value for c, letter in zip(CATEGORIES, OWN[unit], strict=True) if letter == "C"} if authored else set()
    )


async def test_the_order_the_breach_and_the_fine(life: Any, world: World) -> None:
    """The committee's visit finds the breach, the court fines; police and federation see the fine."""
    replay, _ = life
    for unit in ("police", "womens_federation", "residents_committee"):
        seen = await replay.view("spc2025-lu", replay.agency(HOME, unit))
        fines = [r["fields"].get("fine_yuan") for r in seen["records"] if r["kind"] == "order_breach"]
        assert fines[-1] == 500
        ruling = next(r for r in seen["records"] if r["kind"] == "order_ruling")
        assert ruling["fields"]["result"] == "issued"


async def test_shelter_is_opened_by_its_own_purpose_alone(life: Any) -> None:
    """Where she is sheltered: civil affairs for shelter relief; nobody else, for no purpose of theirs."""
    replay, _ = life
    for unit, purpose in (
        ("civil_affairs", "shelter_relief"),
        ("police", "case_handling"),
        ("court", "protection_order"),
        ("womens_federation", "shelter_relief"),
        ("civil_affairs", "case_handling"),
    ):
        seen = await replay.view("spc2025-lu", replay.agency(HOME, unit), purpose)
        told = any("shelter_address" in record["fields"] for record in seen["records"])
        assert told == (purpose == "shelter_relief" and unit == "civil_affairs"), (unit, purpose)


async def test_the_reporter_follows_her_own_report(life: Any, world: World) -> None:
    """With the receipt she reads status words; with the second secret, measures and what she wrote."""
    replay, _ = life
    receipt = orjson.loads((replay.folder / "receipts" / "spc2025-lu.json").read_bytes())
    code = receipt["receipt"].replace(" ", "")
    words = (await world.http.get(f"/v1/reports/{code}")).json()
    assert words["status_text"] and "number" not in words and words["records"] == [] and words["shared"] == {}
    own = (await world.http.get(f"/v1/reports/{code}", headers={"Receipt-Secret": receipt["secret"]})).json()
    written = [r for r in own["records"] if r["authored"]]
    assert written and written[0]["fields"]["weapon"] == "菜刀"
    others = [name for r in own["records"] if r["kind"] == "police_call" for name in r["fields"]]
    assert "called_at" in others and "content" not in others and "victim_name" not in others
