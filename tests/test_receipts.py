"""What the holder of a receipt is shown, and what a receipt must not tell."""

from dataclasses import replace
from typing import Any

import pytest

from hub import intake
from tests import logbook
from tests.test_intake import PLACE, case_of, held, report, settled
from tests.world import HOME, World, call, instant, pair


async def test_reading_by_receipt(world: World) -> None:
    """The receipt alone shows status words; with its secret, what was submitted; a wrong one is no receipt."""
    made = await report(world, what="他又动手了", reporter_name="张虚构", reporter_is_victim=True)
    bare, full = await held(world, made), await held(world, made, made["secret"])
    assert bare.status_code == 200 and bare.json()["status_text"] == "处理中"
    assert "他又动手了" not in bare.text and PLACE not in bare.text and "张虚构" not in bare.text
    assert "他又动手了" in full.text and PLACE in full.text and "张虚构" in full.text
    for spelt in (made["secret"].lower(), made["secret"].replace("-", ""), made["secret"].replace("-", " ")):
        assert (await held(world, made, spelt)).content == full.content
    other = await report(world)
    wrong = [await held(world, made, s) for s in ("x", "-", other["secret"], made["secret"][:-1], "字".encode("gbk"))]
    absent = {"receipt": "0000 0000 0000 0000"}
    wrong += [await held(world, absent), await held(world, absent, made["secret"])]
    assert {(a.status_code, a.text) for a in wrong} == {(404, wrong[0].text)}
    for malformed in ("12345", "x" * 16, "1" * 20):
        assert (await held(world, {"receipt": malformed})).status_code in (404, 422)
    case = await case_of(world.services, made)
    assert len(await logbook.about(world.services, case["id"], "read")) >= 4
    actor = world.services.vault.pseudonym("actor", str(case["id"]).encode())
    assert await logbook.count(world.services, "act = 'login-fail' AND actor = $1", actor) == 5, "each guess"
    assert len(await logbook.about(world.services, case["id"], "login-fail")) == 5, "and is found under the case"
    url, secret = f"/v1/reports/{made['receipt']}/additions", {"Receipt-Secret": made["secret"]}
    assert (await world.http.post(url, json={}, headers=secret)).status_code == 422, "which tells that it is right"
    assert len(await logbook.about(world.services, case["id"], "deny")) == 1


def shape(value: Any) -> Any:
    """An answer without its values: what it holds, at every depth."""
    if isinstance(value, dict):
        return {name: shape(inner) for name, inner in value.items()}
    return [shape(inner) for inner in value] if isinstance(value, list) else type(value).__name__


@pytest.mark.parametrize("claim", [True, False, None])
async def test_a_receipt_does_not_tell_whether_a_case_was_there(world: World, claim: bool | None) -> None:
    """Whoever names a pair, and says she is its victim or not, is shown the same with a case there and without;
    the police, to whom the case is no secret, see it grow (the control)."""
    police, parties = await world.agency("police"), pair()
    case = (await police.filed("police_call", call(parties, region=HOME)))["case_id"]
    said = {"region": HOME} | ({"reporter_is_victim": claim} if claim is not None else {})
    there, fresh = await report(world, **parties, **said), await report(world, **pair(), **said)
    await police.filed("criticism", {"given_at": instant(), "facts": "x"}, case=case)
    for secret in (False, True):
        shown = [(await held(world, r, r["secret"] if secret else None)).json() for r in (there, fresh)]
        assert shape(shown[0]) == shape(shown[1])
        assert shown[0]["status"] == shown[1]["status"] and shown[0]["withheld"] == shown[1]["withheld"]
    assert len((await police.get(f"/v1/cases/{case}/records")).json()["items"]) == (2 if claim else 3)


@pytest.mark.parametrize("moved_out", [False, True])
async def test_two_receipts_do_not_tell_it_together(world: World, moved_out: bool) -> None:
    """Who reports twice, once in her name (a case of its own) and once not (it joins the oldest of the pair), is shown
    the same with her case there and without: no id by which the two are one case or two, and all of his own words."""
    police, known = await world.agency("police"), pair()
    case = (await police.filed("police_call", call(known, region=HOME)))["case_id"]
    if moved_out:
        await police.filed("police_dispatch", {"handling": "x", "victim_moved_out": True}, case=case)
    seen = []
    for parties in (known, pair()):
        both = [await report(world, region=HOME, reporter_is_victim=claim, **parties) for claim in (True, False)]
        joined = [str((await case_of(world.services, made))["id"]) for made in both]
        assert (joined[0] == joined[1]) is (parties is not known), "control: the second report joined"
        for secrets in (False, True):
            shown = [(await held(world, made, made["secret"] if secrets else None)).json() for made in both]
            ids = [(s["id"], *(r["case_id"] for r in s["records"])) for s in shown]
            assert {i for one in ids for i in one}.isdisjoint((case, *joined)) and set(ids[0]).isdisjoint(ids[1])
            seen.append([(shape(s), s["status"], s["withheld"], [r["withheld"] for r in s["records"]]) for s in shown])
    assert seen[:2] == seen[2:]


async def test_a_claim_opens_nothing_until_it_is_confirmed(world: World) -> None:
    """An abuser may report in her name before she does. The police's records join his case; his receipt, claim and
    second secret show him what any reporter sees, until an officer has met the person and says who it was."""
    parties = pair()
    made = await report(world, region=HOME, reporter_is_victim=True, what="抢先报案", **parties)
    alone = (await held(world, made, made["secret"])).json()
    police = await world.agency("police")
    case = (await police.filed("police_call", call(parties, region=HOME)))["case_id"]
    assert case == str((await case_of(world.services, made))["id"])
    await police.filed("criticism", {"given_at": instant(), "facts": "批评教育经过"}, case=case)
    shown = await held(world, made, made["secret"])
    assert shape(shown.json()) == shape(alone) and "criticism" not in shown.text and "given_at" not in shown.text
    for said, visible in ((True, True), (False, False)):
        sheet = {"handling": "到场核实", "reporter_confirmed": said}
        await police.filed("police_dispatch", sheet, case=case)
        assert ("given_at" in (await held(world, made, made["secret"])).text) is visible
    assert "given_at" not in (await held(world, made)).text


async def test_who_was_met_is_said_of_a_case_by_its_number(world: World) -> None:
    """He says first that he is she; then she reports, and an officer meets her. A sheet that only names the pair would
    come to the older case, his, and open it to him: it is refused. Under the number of hers it opens hers to her."""
    police, parties = await world.agency("police"), pair()
    his, hers = [await report(world, region=HOME, reporter_is_victim=True, **parties) for _ in range(2)]
    case = str((await case_of(world.services, hers))["id"])
    sheet = {"handling": "到场见到受害人", "reporter_confirmed": True} | parties
    answer = await police.submit("police_dispatch", sheet)
    assert answer.status_code == 422 and answer.json()["errors"][0]["pointer"] == "/reporter_confirmed"
    plain = await police.filed("police_dispatch", sheet | {"reporter_confirmed": False})
    assert plain["case_id"] == str((await case_of(world.services, his))["id"]), "control: it came to his"
    await police.filed("police_dispatch", sheet, case=case)
    shown = [(await held(world, made, made["secret"])).json() for made in (his, hers)]
    assert ["number" in s for s in shown] == [False, True]


async def test_two_reports_that_draw_the_same_digits_are_both_filed(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once in millions: the digits find the first, and the second is on its case like any other."""
    drawn = intake.receipt_for

    def same(*told: Any) -> Any:
        return replace(drawn(*told), code="1234567890123456")

    monkeypatch.setattr(intake, "receipt_for", same)
    police = await world.agency("police")
    made = [await report(world, what=f"同号之{n}", region=HOME) for n in range(2)]
    await settled(world)
    assert [(await held(world, one, one["secret"])).status_code for one in made] == [200, 404]
    listed = (await police.get("/v1/cases", params={"limit": "20"})).json()["items"]
    texts = [(await police.get(f"/v1/cases/{one['id']}")).text for one in listed]
    for n in range(2):
        assert sum(f"同号之{n}" in text for text in texts) == 1
