"""A report reaches the unit on duty for its place, which a text in words finds: the finest division that it names,
never a namesake elsewhere."""

import uuid
from typing import Any

import pytest

from hub.models.legal_codes import ReportCircumstance
from hub.policies.services import Services
from tests.test_intake import case_of, report
from tests.world import AWAY, HOME, World, instant, pair

PLACES = [
    ("重庆市渝北区某路1号", "500112"),
    ("渝北区某路1号", "500112"),
    ("重庆市江北区观音桥", "500105"),
    ("浙江省宁波市江北区", "330205"),
    ("宁波市江北区", "330205"),
    ("江北区", ""),
    ("北京市朝阳区某小区", "110105"),
    ("吉林省长春市朝阳区某小区", "220104"),
    ("四川省成都市武侯区", "510107"),
    ("四川省武侯区", "510107"),
    ("四川省成都市某处", "5101"),
    ("四川省某处", "51"),
    ("重庆市", "50"),
    ("在家里", ""),
    ("", ""),
]


@pytest.mark.parametrize(("place", "region"), PLACES)
def test_places(services: Services, place: str, region: str) -> None:
    assert services.directory.locate(place) == (region and region.ljust(12, "0"))


async def reported(world: World, parties: dict[str, str], *, mandatory: bool, region: str) -> str:
    """The case to which a report about the pair went, by a school or by a neighbour."""
    if not mandatory:
        made = await report(world, what="正在打人", reporter_phone="19999123123", region=region, **parties)
        return str((await case_of(world.services, made))["id"])
    told = {"circumstance": next(iter(ReportCircumstance)).value, "detail": "正在打人", "reported_at": instant()}
    school = await world.agency("school", region=region)
    filed = await school.filed("mandatory_report", told | {"region": region, "reporter_phone": "19999123123"} | parties)
    return filed["case_id"]


@pytest.mark.parametrize("mandatory", [False, True])
@pytest.mark.parametrize("known_to", ["nobody", "womens_federation", "police elsewhere", "police"])
async def test_the_unit_on_duty_gets_every_report(world: World, known_to: str, mandatory: bool) -> None:
    """Whoever works on a case of the same people already, the police of the place read the report; unless they work
    on that case themselves, it has an alert and shows their intake who reported. A school's report comes to the case
    that is there and brings the police in; a neighbour's, which anybody could send, opens nothing that is there."""
    parties, before = pair(), ""
    if known_to != "nobody":
        author = await world.agency(known_to.split()[0], region=AWAY if "elsewhere" in known_to else HOME)
        sent: dict[str, Any] = {"received_at": instant(), "detail": "x"} | parties
        before = (await author.filed("case_form", sent))["case_id"]
    case = await reported(world, parties, mandatory=mandatory, region=HOME)
    intake = await world.agency("police", person="intake", purpose="intake")
    listed = {item["id"]: item for item in (await intake.get("/v1/cases?limit=1000")).json()["items"]}
    opened = await intake.get(f"/v1/cases/{case}")
    assert case in listed and "正在打人" in opened.text
    assert "19999123123" in opened.text
    row = await world.services.database.fetchrow("SELECT * FROM cases WHERE id = $1", uuid.UUID(case))
    assert row is not None and row["alert_open"] == (known_to != "police")
    assert row["intake"] == [world.services.directory.codes[f"{HOME}-police"].id]
    assert (case == before) == (known_to == "police" or (mandatory and known_to != "nobody"))
