from tests.world import World, call, pair


async def test_police_reads_what_it_filed(world: World) -> None:
    police = await world.agency("police")
    made = await police.filed("police_call", call())
    answer = await police.get(f"/v1/cases/{made['case_id']}")
    assert answer.status_code == 200, answer.text
    assert answer.json()["records"][0]["fields"]["content"] == "邻居报称听到打骂声"


async def test_same_pair_same_case(world: World) -> None:
    parties = pair()
    police, court = await world.agency("police"), await world.agency("court")
    one = await police.filed("police_call", call(parties))
    two = await court.filed(
        "order_application", {"applied_at": call()["called_at"], "facts_and_reasons": "x"} | parties
    )
    assert one["case_id"] == two["case_id"]
    log = await world.log(case=one["case_id"])
    assert log
