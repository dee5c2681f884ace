"""A case with more records than an answer holds shows the newest: what happened last is what a station needs."""

from hub.casework import RECORDS_AT_ONCE
from tests.forms import minimal
from tests.world import World, call


async def test_the_newest_records_are_shown(world: World) -> None:
    """In the order in which they were filed, in the case and in its list; the oldest (the control) give way."""
    police = await world.agency("police")
    first = await police.filed("police_call", call())
    path, filed = f"/v1/cases/{first['case_id']}", [first["id"]]
    for _ in range(RECORDS_AT_ONCE + 2):
        filed.append((await police.filed("visit", minimal("visit"), case=first["case_id"]))["id"])
    for url, name in ((path, "records"), (f"{path}/records", "items")):
        shown = [record["id"] for record in (await police.get(url)).json()[name]]
        assert shown == filed[-RECORDS_AT_ONCE:] and first["id"] not in shown
