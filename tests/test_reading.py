"""Reading as promised: filters, pages, search, history, what is withheld, languages, the filters of the log."""

from datetime import timedelta
from typing import Any

import pytest

from hub import clock
from hub.demo.province import TYPES
from hub.models.fields import CATEGORIES
from tests import logbook
from tests.forms import minimal
from tests.world import AWAY, HOME, World, call, instant, pair, someone

ROUTES = (
    "/v1/cases",
    "/v1/cases/{case}",
    "/v1/cases/{case}/records",
    "/v1/cases/{case}/history",
    "/v1/records/{record}",
)


async def found(caller: Any, **filters: Any) -> list[str]:
    answer = await caller.get("/v1/cases", params={k: str(v) for k, v in filters.items()})
    assert answer.status_code == 200, answer.text
    return [item["id"] for item in answer.json()["items"]]


async def test_each_filter_selects_and_excludes(world: World) -> None:
    """Each filter with a value that the case has and one that it has not."""
    police = await world.agency("police")
    parties = pair()
    case = (await police.filed("police_call", call(parties, region=HOME)))["case_id"]
    await police.filed("risk_assessment", minimal("risk_assessment", risk_level="high") | parties)
    before = clock.text(clock.now() - timedelta(minutes=1))
    after = clock.text(clock.now() + timedelta(minutes=1))
    for name, has, has_not in (
        ("region", HOME, AWAY),
        ("region", HOME[:2], "11"),
        ("region", HOME[:5], HOME[:4] + "9"),
        ("region", f"{HOME}0", f"{HOME}1"),
        ("region", f"{HOME}000", f"{HOME}001"),
        ("region", f"{HOME}0000", f"{HOME}0001"),
        ("status", "open", "closed"),
        ("risk", "high", "low"),
        ("kind", "risk_assessment", "treatment"),
        ("updated_since", before, after),
        ("updated_since", "1900-01-01T00:00:00Z", after),
    ):
        assert case in await found(police, **{name: has}), name
        assert case not in await found(police, **{name: has_not}), name
    centre = await world.agency("joint_centre", purpose="follow_up")
    assert case in await found(centre) and case not in await found(centre, mine=True)
    assert case in await found(police, mine=True)


async def test_pages_give_each_case_once(world: World) -> None:
    """Newest first, by keyset: cases that arrive between two pages move nothing."""
    court = await world.agency("court", region=AWAY)
    made = [(await court.filed("judgment", minimal("judgment") | pair()))["case_id"] for _ in range(5)]
    seen, cursor = [], ""
    while True:
        answer = await court.get("/v1/cases", params={"limit": "2"} | ({"cursor": cursor} if cursor else {}))
        seen += [item["id"] for item in answer.json()["items"]]
        await court.filed("judgment", minimal("judgment") | pair())
        if not (cursor := answer.json()["next"] or ""):
            break
    assert [case for case in seen if case in made] == made[::-1] and len(seen) == len(set(seen))


async def test_search_by_each_way(world: World) -> None:
    """Exact: id number, phone, case number, name with phone or birth date; anything else is a 422."""
    police, parties = await world.agency("police"), pair()
    case = (await police.filed("police_call", call(parties)))["case_id"]
    number = (await police.get(f"/v1/cases/{case}")).json()["number"]
    name, born = parties["victim_name"], parties["victim_birth_date"]
    ways: list[dict[str, str]] = [
        {"id_number": parties["victim_id_number"]},
        {"id_number": parties["respondent_id_number"]},
        {"phone": "+86 " + parties["victim_phone"]},
        {"case_number": number},
        {"name": name, "phone": parties["victim_phone"]},
        {"name": name, "birth_date": born},
    ]
    for way in ways:
        answer = await police.post("/v1/cases/search", json=way)
        assert [item["id"] for item in answer.json()["items"]] == [case], way
    for way in ({"name": name}, {"birth_date": born}, {}, ways[0] | ways[2], {"victim": name}):
        assert (await police.post("/v1/cases/search", json=way)).status_code == 422, way
    nobody = await police.post("/v1/cases/search", json={"id_number": someone()["id_number"]})
    assert nobody.json() == {"items": [], "next": None}


async def test_a_case_is_found_among_many_reports(world: World) -> None:
    """Whoever knows her id number may send more reports in her name than a search brings; each opens a case of its
    own. The case on which police work is found first, the newest of the others (the control) after it."""
    police, parties = await world.agency("police"), pair()
    case = (await police.filed("police_call", call(parties, region=HOME)))["case_id"]
    sent = {"place": "x", "region": HOME, "reporter_is_victim": True} | parties
    for _ in range(51):
        assert (await world.http.post("/v1/reports", json=sent)).status_code == 201
    answer = await police.post("/v1/cases/search", json={"id_number": parties["victim_id_number"]})
    items = answer.json()["items"]
    assert len(items) == 50 and items[0]["id"] == case
    opened = [item["opened_at"] for item in items[1:]]
    assert opened == sorted(opened, reverse=True)


@pytest.mark.parametrize("unit", TYPES)
async def test_withheld_is_the_policy_s_list_not_the_data_s(world: World, unit: str) -> None:
    """Masked and withheld together with what is clear are all categories, alike on an empty and on a full case."""
    caller, police, lists = await world.agency(unit), await world.agency("police"), []
    for full in (False, True):
        parties = pair()
        case = (await police.filed("police_call", call(parties)))["case_id"]
        if full:
            await police.filed("police_dispatch", minimal("police_dispatch", injuries="伤", statements="录") | parties)
            await police.filed("risk_assessment", minimal("risk_assessment", reasons="因") | parties)
        await caller.filed("coordination", minimal("coordination"), case=(await number(world, case)))
        seen = (await caller.get(f"/v1/cases/{case}")).json()
        lists.append((seen["masked"], seen["withheld"]))
        listed = next(i for i in (await caller.get("/v1/cases")).json()["items"] if i["id"] == case)
        assert (listed["masked"], listed["withheld"]) == lists[-1]
    assert lists[0] == lists[1]
    assert {*lists[0][0], *lists[0][1]} <= {c.value for c in CATEGORIES}


async def number(world: World, case: str) -> str:
    row = await world.services.database.fetchrow("SELECT number FROM cases WHERE id = $1::uuid", case)
    assert row is not None
    return str(row["number"])


@pytest.mark.parametrize("unit", ["hospital", "school"])
async def test_masked_routine_names_the_kinds_one_submitted(world: World, unit: str) -> None:
    """Status in words and one's own kinds: not that a police call exists, and not nothing either."""
    caller, police, parties = await world.agency(unit), await world.agency("police"), pair()
    case = (await police.filed("police_call", call(parties)))["case_id"]
    await caller.filed("support_service", minimal("support_service") | parties)
    seen = (await caller.get(f"/v1/cases/{case}")).json()
    assert seen["kinds"] == ["support_service"] and seen["status_text"] and "number" not in seen
    listed = next(i for i in (await caller.get("/v1/cases")).json()["items"] if i["id"] == case)
    assert listed["kinds"] == ["support_service"]


async def test_what_is_shared_does_not_tell_who_brought_what(world: World) -> None:
    """Fields of one record or of two, as far as masked `routine` lets them through, are shown in the same bytes."""
    hospital, police = await world.agency("hospital"), await world.agency("police")
    name, phone = {"victim_name": "张虚构"}, {"victim_phone": "19999000001"}
    shown = []
    for bodies in ((name | phone, {}), (phone, name), (name, phone)):
        case = (await hospital.filed("treatment", minimal("treatment") | pair()))["case_id"]
        for body in bodies:
            await police.filed("police_call", call({}) | body, case=case)
        answer = (await hospital.get(f"/v1/cases/{case}")).text
        shown.append(answer.partition('"shared":')[2].partition("}")[0])
        (listed,) = [item for item in (await hospital.get("/v1/cases")).json()["items"] if item["id"] == case]
        assert listed["shared"] == {}  # what the record that opened the case says would tell what others brought
    assert shown == [shown[0]] * 3 and "19999000001" in shown[0] and "张虚构" in shown[0]


async def test_history_keeps_every_version(world: World) -> None:
    police = await world.agency("police")
    made = await police.filed("police_call", call(content="初次"))
    for content in ("二稿", "三稿"):
        tag = (await police.get(f"/v1/records/{made['id']}")).headers["etag"]
        headers = {"If-Match": tag}
        answer = await police.send("PATCH", f"/v1/records/{made['id']}", json={"content": content}, headers=headers)
        assert answer.status_code == 204
    items = (await police.get(f"/v1/cases/{made['case_id']}/history")).json()["items"]
    assert [(i["version"], i["record"]["fields"]["content"]) for i in items] == [(1, "初次"), (2, "二稿"), (3, "三稿")]


@pytest.mark.parametrize("route", ROUTES)
async def test_a_purpose_is_needed_on_whatever_touches_a_case(world: World, route: str) -> None:
    police = await world.agency("police")
    made = await police.filed("police_call", call())
    url = route.format(case=made["case_id"], record=made["id"])
    for headers, status in (({"Purpose-Of-Use": ""}, 400), ({"Purpose-Of-Use": "curiosity"}, 400), ({}, 200)):
        assert (await police.get(url, headers=headers)).status_code == status
    system = await world.agency("police", person="")
    assert (await system.get(url)).status_code == 403
    assert (await system.get(url, purpose="sync")).status_code == 200


async def test_head_tells_what_get_does_but_the_content(world: World) -> None:
    """RFC 9110, 9.3.2: the same status and headers, no content; of a case it is a look at it, and entered as one."""
    police = await world.agency("police")
    made = await police.filed("police_call", call(pair(), region=HOME))
    for path in (*(route.format(case=made["case_id"], record=made["id"]) for route in ROUTES[1:]), "/healthz", "/none"):
        looks = len(await logbook.about(world.services, made["case_id"]))
        whole, bare = await police.get(path), await police.send("HEAD", path)
        assert (whole.status_code, bare.content) == (bare.status_code, b""), path
        told = {name: value for name, value in whole.headers.items() if name != "date"}
        assert told == {name: value for name, value in bare.headers.items() if name != "date"}, path
        now = len(await logbook.about(world.services, made["case_id"]))
        assert now == looks + (2 if path.startswith("/v1") else 0), path
    refused = await police.send("HEAD", "/v1/records/police_call", purpose="none")
    assert (refused.status_code, refused.content) == (400, b"")
    answer = await police.post("/v1/cases")
    assert answer.status_code == 405 and {"GET", "HEAD"} <= {*answer.headers["allow"].split(", ")}


async def test_errors_speak_the_caller_s_language(world: World) -> None:
    """RFC 9457; Chinese unless English is preferred (RFC 9110 weights)."""
    police = await world.agency("police")
    for accept, language, title in (
        (None, "zh-CN", "未找到。"),
        ("zh", "zh-CN", "未找到。"),
        ("fr", "zh-CN", "未找到。"),
        ("en;q=0.4, zh;q=0.8", "zh-CN", "未找到。"),
        ("en-GB, zh;q=0.8", "en", "Not found"),
        ("zh; q=0.1, en; q=0.5", "en", "Not found"),
    ):
        headers = {"Accept-Language": accept} if accept else {}
        answer = await police.get("/v1/cases/00000000-0000-4000-8000-000000000000", headers=headers)
        assert answer.status_code == 404 and answer.headers["content-type"] == "application/problem+json"
        assert (answer.headers["content-language"], answer.json()["title"]) == (language, title)
        assert answer.json().keys() == {"type", "title", "status", "detail", "code"}


async def test_each_filter_of_the_log(world: World) -> None:
    """Who, unit, case, time, act, purpose, outcome; and each look at the log is itself in it."""
    police, start = await world.agency("police"), clock.now()
    made = await police.filed("police_call", call())
    await police.get(f"/v1/cases/{made['case_id']}", purpose="prosecution")
    (entry,) = await world.log(case=made["case_id"], act="read")
    account, client = entry["body"]["who"]["account"], entry["body"]["who"]["client"]
    assert account and client == f"{HOME}-police"
    since, until = clock.text(start), clock.text(clock.now() + timedelta(seconds=5))
    for name, has, has_not in (
        ("who", account, "00000000-0000-4000-8000-000000000000"),
        ("unit", f"{HOME}-police", f"{AWAY}-police"),
        ("since", since, until),
        ("until", until, since),
        ("act", "read", "search"),
        ("purpose", "prosecution", "follow_up"),
        ("outcome", "permit", "deny"),
        ("case", entry["cases"][0], "00000000-0000-4000-8000-000000000000"),
    ):
        narrow = {"case": made["case_id"]}
        assert entry in await world.log(**(narrow | {name: has})), name
        assert entry not in await world.log(**(narrow | {name: has_not})), name
    looks = await world.log(act="audit-read")
    assert looks[0]["body"]["query"].startswith("log:") and looks[0]["body"]["who"]["role"] == "auditor"
    assert instant(0) > since


async def test_no_system_vouches_for_an_auditor(world: World) -> None:
    """An administrator comes with password and second factor; an agency's system that names one is refused."""
    system = await world.agency("joint_centre", region="50", person="login-auditor", purpose="audit")
    answer = await system.get("/v1/audit/entries")
    assert answer.status_code == 401 and "items" not in answer.text
    assert (await (await world.person("auditor")).get("/v1/audit/entries")).status_code == 200


@pytest.mark.parametrize("when", ["0001-01-01T00:00:00+08:00", "9999-12-31T23:59:59-08:00"])
async def test_a_moment_that_is_none_is_refused(world: World, when: str) -> None:
    """Hours that UTC has not: the caller's fault, and no sign that the log or the database is away."""
    police, auditor = await world.agency("police"), await world.person("auditor")
    for caller, url, name in (
        (police, "/v1/cases", "updated_since"),
        (auditor, "/v1/audit/entries", "since"),
        (auditor, "/v1/audit/entries", "until"),
    ):
        answer = await caller.get(url, params={name: when})
        assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, f"/{name}")
