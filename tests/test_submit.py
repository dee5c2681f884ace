"""A41 idempotency: one effect for one key; filing joins the right case and never shows whether it did."""

import asyncio
import os
import uuid
from typing import Any

import asyncpg
import pytest

from hub import admin
from hub.demo.province import TYPES
from tests import logbook
from tests.forms import PUBLIC, minimal, write_rules
from tests.world import AWAY, HOME, Caller, World, call, instant, pair, someone

KEYS = 200 if os.environ.get("HUB_TEST_FULL") else 12
COPIES = 8


async def effects(world: World) -> tuple[int, int, int]:
    """Records, changes in the outbox and log entries there are in all: what one submission adds one to each of."""
    counts = "SELECT (SELECT count(*) FROM record) AS r, (SELECT count(*) FROM change) AS k"
    row = await world.services.database.fetchrow(counts)
    entries = await world.services.database.audit.fetchval("SELECT count(*) FROM access_log WHERE act = 'create'")
    assert row is not None
    return row["r"], row["k"], entries


async def test_racing_copies_have_one_effect(world: World) -> None:
    """A41: each key x 8 racing copies: 201 or 409, one record, one answer, also when asked again later."""
    police = await world.agency("police")
    for _ in range(KEYS):
        key, body = uuid.uuid4().hex, call()
        before = await effects(world)
        answers = await asyncio.gather(*(police.submit("police_call", body, key=key) for _ in range(COPIES)))
        assert {a.status_code for a in answers} <= {201, 409}
        assert all(a.headers["retry-after"] for a in answers if a.status_code == 409)
        made = {a.text for a in answers if a.status_code == 201}
        assert len(made) == 1
        again = await police.submit("police_call", body, key=key)
        assert again.status_code == 201 and again.text in made
        assert await effects(world) == tuple(n + 1 for n in before)
        told = await logbook.about(world.services, again.json()["case_id"], "read")
        said = [logbook.body(world.services, row)["query"] for row in told]
        assert said == ["again"] * sum(a.status_code == 201 for a in answers), "all but the first, and this one"


async def test_racing_keys_have_as_many_effects(world: World) -> None:
    """The control: 8 keys for one body are 8 records, on one case."""
    police, body = await world.agency("police"), call()
    before = await effects(world)
    answers = await asyncio.gather(*(police.submit("police_call", body) for _ in range(COPIES)))
    assert {a.status_code for a in answers} == {201}
    assert len({a.json()["id"] for a in answers}) == COPIES and len({a.json()["case_id"] for a in answers}) == 1
    assert await effects(world) == tuple(n + COPIES for n in before)


async def test_exact_refusals(world: World, embedded: Any) -> None:
    """400 without a key, 409 while a copy is in progress, 422 for other content: each a problem document."""
    police, key, body = await world.agency("police"), uuid.uuid4().hex, call()
    missing = await police.post("/v1/records/police_call", json=body)
    assert (missing.status_code, missing.json()["code"]) == (400, "bad_request")
    unit = world.services.directory.codes[f"{HOME}-police"].id
    hashed = world.services.vault.lookup("idempotency", str(unit), f"{HOME}-police", key)
    busy = await asyncpg.connect(embedded.app_url)
    record = uuid.UUID(bytes=hashed, version=4)
    await busy.execute("SELECT pg_advisory_lock($1)", int.from_bytes(record.bytes[:8], "big", signed=True))
    kept = world.services.database.main.idle.copy()
    answer = await police.submit("police_call", body, key=key)
    assert (answer.status_code, answer.json()["code"]) == (409, "in_progress")
    await busy.close()
    made = await police.submit("police_call", body, key=key)
    assert (made.status_code, made.json()["id"]) == (201, str(record))
    assert kept and not any(connection.is_closed() for connection in kept), "a copy costs no connection"
    for other in (body | {"content": "另一内容"}, body | {"weapon": "无"}):
        answer = await police.submit("police_call", other, key=key)
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid")
    denied = await world.log(case=made.json()["case_id"], act="deny")
    assert len(denied) == 2, "what a key was used for is a case, and is found under it"
    answer = await police.submit("case_form", minimal("case_form"), key=key)
    assert answer.status_code == 422
    answer = await police.submit("police_call", body, key=key, case=made.json()["case_id"])
    assert answer.status_code == 422
    bad = await police.submit("police_call", body, key="k" * 256)
    assert bad.status_code == 422


async def test_a_party_learns_nothing_by_a_colleague_s_key(world: World) -> None:
    """Right words or wrong, all is other content to him, and marked as a conflict; the colleague, and he himself for
    what he filed himself (the controls), are answered as at first."""
    his = someone()["id_number"]
    name = f"party-{uuid.uuid4().hex[:6]}"
    await admin.add_accounts(world.services, [admin.NewAccount(f"{HOME}-police", name, "caseworker", his)])
    police, party = await world.agency("police"), await world.agency("police", person=name)
    key, body = uuid.uuid4().hex, call(pair() | {"respondent_id_number": his})
    made = await police.submit("police_call", body, key=key)
    for tried in (body, body | {"content": "另一内容"}):
        answer = await party.submit("police_call", tried, key=key)
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid")
        assert made.json()["case_id"] not in answer.text
    conflicts = await world.log(case=made.json()["case_id"], outcome="conflict")
    assert [entry["body"]["alert"] for entry in conflicts] == [True, True]
    assert (await police.submit("police_call", body, key=key)).json() == made.json()
    own = [await party.submit("police_call", body, key=uuid.UUID(int=5).hex) for _ in range(2)]
    assert own[0].status_code == 201 and own[0].json() == own[1].json()


async def test_a_key_is_the_caller_s_own(world: World) -> None:
    key, body = uuid.uuid4().hex, call()
    one = await (await world.agency("police")).submit("police_call", body, key=key)
    two = await (await world.agency("police", region=AWAY)).submit("police_call", call(), key=key)
    assert one.status_code == two.status_code == 201 and one.json()["id"] != two.json()["id"]


async def test_the_closing_record_may_be_sent_again(world: World) -> None:
    """A lost answer: the same request again is answered the same, though the case it names is closed by now."""
    police, key = await world.agency("police"), uuid.uuid4().hex
    made = await police.filed("police_call", call())
    closing = {"held_at": instant(), "subject": "结案", "close_case": True}
    first = await police.submit("coordination", closing, key=key, case=made["case_id"])
    again = await police.submit("coordination", closing, key=key, case=made["case_id"])
    assert (first.status_code, first.text) == (again.status_code, again.text) == (201, first.text)
    other = await police.submit("coordination", closing | {"subject": "别的"}, key=key, case=made["case_id"])
    assert other.status_code == 422


def known_by(parties: dict[str, Any], *attributes: str) -> dict[str, Any]:
    """Victim and respondent named by some of their attributes only."""
    return {f"{role}_{a}": parties[f"{role}_{a}"] for role in ("victim", "respondent") for a in attributes}


async def test_joining(world: World) -> None:
    """By id number, by phone and name, by number or id given: one case. By anything less: another."""
    police, court = await world.agency("police"), await world.agency("court")
    parties = pair()
    case = (await police.filed("police_call", call(parties)))["case_id"]
    number = (await police.get(f"/v1/cases/{case}")).json()["number"]
    form = minimal("case_form")

    async def goes_to(body: dict[str, Any], named: str = "") -> str:
        return (await court.filed("case_form", form | body, case=named))["case_id"]

    assert await goes_to(known_by(parties, "id_number")) == case
    assert await goes_to(known_by(parties, "name", "phone")) == case
    assert await goes_to({}, number) == await goes_to({}, case) == case
    assert await goes_to(pair(), number) == case
    stranger = someone("male")
    less: list[dict[str, Any]] = [
        {},
        pair(),
        known_by(parties, "name"),
        known_by(parties, "phone"),
        known_by(parties, "name", "birth_date"),
        parties | {"respondent_id_number": stranger["id_number"], "respondent_phone": stranger["phone"]},
        {k: v for k, v in parties.items() if k.startswith("victim")},
        {
            k.replace("victim", "x").replace("respondent", "victim").replace("x", "respondent"): v
            for k, v in known_by(parties, "id_number").items()
        },
    ]
    found = [await goes_to(body) for body in less]
    assert case not in found and len(set(found)) == len(found)


async def test_one_phone_in_a_household(world: World) -> None:
    """He complains of her, by the phone that both use: his complaint is another case than hers, and joins it not."""
    police, court = await world.agency("police"), await world.agency("court")
    her, him = someone("female"), someone("male")
    hers = {"victim_name": her["name"], "respondent_name": him["name"]}
    his = {"victim_name": him["name"], "respondent_name": her["name"]}
    phone = {"victim_phone": her["phone"], "respondent_phone": her["phone"]}
    case = (await police.filed("police_call", call(hers | phone)))["case_id"]
    assert (await court.filed("case_form", minimal("case_form") | his | phone))["case_id"] != case
    assert (await court.filed("case_form", minimal("case_form") | hers | phone))["case_id"] == case, "control"


async def test_an_id_number_outweighs_name_and_phone(world: World) -> None:
    """Phone with name joins while no id number contradicts it, on either side; else somebody else's case opens up."""
    police, parties = await world.agency("police"), pair()
    first = (await police.filed("police_call", call(parties)))["case_id"]
    for role in ("victim", "respondent"):
        other = parties | {f"{role}_id_number": pair()[f"{role}_id_number"]}
        assert (await police.filed("police_call", call(other)))["case_id"] != first, role
        silent = {k: v for k, v in parties.items() if k != f"{role}_id_number"}
        assert (await police.filed("police_call", call(silent)))["case_id"] == first, role
    moved = parties | {"victim_phone": pair()["victim_phone"]}
    assert (await police.filed("police_call", call(moved)))["case_id"] == first


async def test_sealed_closed_and_conflict_are_not_joined(world: World) -> None:
    """A record on the same pair opens another case; the answers do not differ but in their ids."""
    police, court = await world.agency("police"), await world.agency("court")
    looks = set()

    async def looked_at(by: Caller, parties: dict[str, Any]) -> str:
        answer = await by.submit("case_form", minimal("case_form", **parties))
        headers = {k: v for k, v in answer.headers.items() if k not in ("date", "location")}
        looks.add((answer.status_code, tuple(answer.json()), str(headers), len(answer.text)))
        assert answer.headers["location"] == f"/v1/records/{answer.json()['id']}"
        return str(answer.json()["case_id"])

    joined, opened = pair(), pair()
    case = (await police.filed("police_call", call(joined)))["case_id"]
    assert await looked_at(police, joined) == case
    await looked_at(police, opened)
    sealed, closed, conflict = pair(), pair(), pair()
    cases = [(await police.filed("police_call", call(p)))["case_id"] for p in (sealed, closed, conflict)]
    seal = {"sealed": True, "decided_on": "2024-01-05"}
    await court.filed("sealing", seal, case=cases[0])
    await police.filed("coordination", {"held_at": instant(), "subject": "x", "close_case": True}, case=cases[1])
    name = f"relative-{uuid.uuid4().hex[:8]}"
    relative = admin.NewAccount(f"{HOME}-police", name, "caseworker", conflict["respondent_id_number"])
    await admin.add_accounts(world.services, [relative])
    himself = await world.agency("police", person=name)
    found = [await looked_at(by, p) for by, p in ((police, sealed), (police, closed), (himself, conflict))]
    assert not set(found) & set(cases) and len(looks) == 1
    assert await looked_at(police, conflict) == cases[2]


async def test_naming_a_case_one_may_not_know(world: World) -> None:
    """Foreign, absent and nonsense case numbers answer alike."""
    made = await (await world.agency("police")).filed("police_call", call())
    away = await world.agency("police", region=AWAY)
    form, answers = minimal("case_form"), []
    for name in (made["case_id"], str(uuid.uuid4()), "500113-2024-ABCDEFGH", "x"):
        answers.append(await away.submit("case_form", form, case=name))
    assert {(a.status_code, a.text) for a in answers} == {(404, answers[0].text)}


async def test_a_case_found_by_its_name_is_in_the_log_though_nothing_is_filed(world: World) -> None:
    """A refusal that comes after a named case was found tells that it is there: the entry names the case."""
    case = (await (await world.agency("police")).filed("police_call", call(region=HOME)))["case_id"]
    school, body = await world.agency("school"), minimal("referral_slip", to_unit="nowhere")
    before = len(await logbook.about(world.services, case, "deny"))
    absent = await school.submit("referral_slip", body, case=str(uuid.uuid4()))
    assert absent.status_code == 404 and len(await logbook.about(world.services, case, "deny")) == before
    assert (await school.submit("referral_slip", body, case=case)).status_code == 422
    (entry,) = (await logbook.about(world.services, case, "deny"))[before:]
    assert logbook.body(world.services, entry)["who"]["unit"] == f"{HOME}-school"


async def test_filing_under_a_closed_case_is_refused_under_that_case(world: World) -> None:
    """It answers as if there were none, and its entry names the case for whoever reviews it."""
    police = await world.agency("police")
    case, absent = (await police.filed("police_call", call()))["case_id"], str(uuid.uuid4())
    await police.filed("coordination", {"held_at": instant(), "subject": "x", "close_case": True}, case=case)
    answers = [await police.submit("case_form", minimal("case_form"), case=name) for name in (case, absent)]
    assert {(a.status_code, a.text) for a in answers} == {(404, answers[0].text)}
    (entry,) = await logbook.about(world.services, case, "deny")
    assert "involved" in logbook.body(world.services, entry)["facts"]


@pytest.mark.parametrize("unit_type", TYPES)
async def test_write_rules(world: World, unit_type: str) -> None:
    """Every unit type x kind: created when `policy.csv` has the rule, and the catalogue says so, else 403, without
    effect."""
    caller, rules = await world.agency(unit_type), write_rules()
    owned = {kind for kind in PUBLIC if (unit_type, kind) in rules}
    assert owned and owned != set(PUBLIC)
    kinds = (await caller.get("/v1/catalogue")).json()["kinds"]
    assert owned == {each["kind"] for each in kinds if unit_type in each["submitted_by"]}
    for kind in PUBLIC:
        before = await effects(world)
        answer = await caller.submit(kind, minimal(kind))
        assert answer.status_code == (201 if kind in owned else 403), (kind, answer.text)
        assert (await effects(world))[:2] == tuple(n + (kind in owned) for n in before[:2])
        if kind not in owned:
            assert answer.json()["kind"] == kind
    for private in ("report", "report_addition", "nonsense"):
        assert (await caller.submit(private, {"place": "x"})).status_code in (404, 405)
