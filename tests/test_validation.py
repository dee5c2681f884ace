"""What a submission may hold: each wrong value is a 422 that names the field, never the value, and has no effect."""

import json
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
from pydantic_core._pydantic_core import list_all_errors

from hub import settings
from hub.api import problems
from hub.models import values
from hub.models.values import DEMO_AREA, check_digit, id_number_of
from tests.world import AWAY, HOME, World, call, instant, pair, someone


def id_number(area: str = DEMO_AREA, born: str = "19900101", serial: str = "012") -> str:
    first = area + born + serial
    return first + check_digit(first)


GOOD = id_number()
WRONG_DIGIT = GOOD[:17] + ("0" if GOOD[17] != "0" else "1")
TOO_LONG = "字" * 20_001
BAD: list[tuple[str, Any]] = [
    *(
        ("victim_id_number", value)
        for value in (
            WRONG_DIGIT,
            GOOD[:17],
            GOOD + "0",
            GOOD[:5] + "A" + GOOD[6:],
            "９" + GOOD[1:],
            id_number(born="20991231"),
            id_number(born="19900231"),
            id_number(born="18490101"),
            id_number("500113"),
            id_number("110101"),
            GOOD.replace("9", "٩"),
            int(GOOD[:17]),
            True,
            [GOOD],
            {"x": GOOD},
            "",
        )
    ),
    *(
        ("victim_phone", value)
        for value in (
            "12",
            "12345678901",
            "1999900001",
            "199990000123",
            "+1 202 555 0100",
            "abc",
            "0" * 12,
            "１３９００００００００",
        )
    ),
    ("victim_phone", "1" * 41),
    ("victim_sex", "x"),
    ("victim_sex", ""),
    ("relation", "enemy"),
    ("violence", ["physical", "unknown"]),
    ("violence", "physical"),
    ("violence", ["physical"] * 8),
    ("called_at", instant(-10)),
    ("called_at", "2024-01-05T10:00:00"),
    ("called_at", "1899-12-31T00:00:00Z"),
    ("called_at", "not a time"),
    ("called_at", None),
    ("called_at", 1_700_000_000),
    ("called_at", "1700000000"),
    ("happened_at", 0.5),
    ("victim_birth_date", 0),
    ("victim_birth_date", "631152000"),
    ("victim_birth_date", "2024-02-30"),
    ("victim_birth_date", "2999-01-01"),
    ("region", "999999999999"),
    ("region", "500199"),
    ("region", "5001"),
    ("region", "重庆"),
    ("content", ""),
    ("content", "  \n "),
    ("content", TOO_LONG),
    ("content", "前\x00后"),
    ("weapon", "x" * 201),
    ("weapon", "x\x00"),
    ("level", 0),
    ("level", 5),
    ("level", 2**64),
    ("level", 10**300),
    ("level", 1.5),
    ("level", "一"),
    ("latitude", 90.5),
    ("latitude", "北"),
    ("injured", "perhaps"),
    ("children", [{"name": "x", "nickname": "y"}]),
    ("children", [{"id_number": WRONG_DIGIT}]),
    ("children", [{"name": "x"}] * 21),
    ("unit_id", "x"),
    ("case_id", "x"),
    ("version", 2),
    ("c_facts", "x"),
    ("__class__", "x"),
]


async def records(world: World) -> int:
    row = await world.services.database.fetchrow("SELECT count(*) AS n FROM record")
    assert row is not None
    return int(row["n"])


@pytest.mark.parametrize(("name", "value"), BAD)
async def test_wrong_values(world: World, name: str, value: Any) -> None:
    police, before = await world.agency("police"), await records(world)
    answer = await police.submit("police_call", call() | {name: value})
    assert answer.status_code == 422, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    pointers = [error["pointer"] for error in answer.json()["errors"]]
    assert all(pointer.split("/")[1] == name for pointer in pointers) and pointers
    if isinstance(value, str) and len(value) > 3:
        assert value not in answer.text
    assert await records(world) == before


async def test_right_values(world: World) -> None:
    """The control: the limits themselves are inside; the forms people write are made one."""
    police = await world.agency("police")
    right: list[tuple[str, Any, Any]] = [
        ("victim_id_number", f" {GOOD.lower()} ", GOOD),
        ("victim_phone", "+86 199-9900-0001", "19999000001"),
        ("victim_phone", "0086 19999000001", "19999000001"),
        ("victim_phone", "（023）6300 0000", "02363000000"),
        ("respondent_phone", "110-00", "11000"),
        ("region", AWAY, f"{AWAY}000000"),
        ("content", "字" * 20_000, "字" * 20_000),
        ("content", " \t引号\"'<b>\u202e😀\n行 ", "引号\"'<b>\u202e😀\n行"),
        ("level", 4, 4),
        ("children", [{"name": "小"}] * 20, [{"name": "小"}] * 20),
        ("victim_sex", None, None),
        ("victim_birth_date", "1990-02-28", "1990-02-28"),
    ]
    for name, sent, kept in right:
        made = await police.filed("police_call", call({}) | {name: sent})
        fields = (await police.get(f"/v1/records/{made['id']}")).json()["fields"]
        assert fields.get(name) == kept, name


RAW = [
    b'{"called_at":"2024-01-05T10:00:00Z","content":"\\ud800"}',
    b'{"called_at":"2024-01-05T10:00:00Z","content":"\\udc00\\ud800"}',
    b'{"called_at":"2024-01-05T10:00:00Z","content":"\xff\xfe"}',
    b'{"called_at":"2024-01-05T10:00:00Z","content":"\xed\xa0\x80"}',
    b'{"called_at":"2024-01-05T10:00:00Z","content":"a","\\ud800":1}',
    b'{"called_at":"2024-01-05T10:00:00Z","content":"a","level":1e400}',
    b'{"called_at":"2024-01-05T10:00:00Z","content":"a","latitude":NaN}',
    b'{"called_at":"2024-01-05T10:00:00Z","content":"a","level":' + b"9" * 5000 + b"}",
    b"[" * 100_000,
    b'{"a":' * 50_000,
    b"",
    b"null",
    b"[]",
    b'"x"',
    b"{",
    b'{"called_at":',
]


@pytest.mark.parametrize("raw", RAW)
@pytest.mark.parametrize("path", ["/v1/records/police_call", "/v1/reports", "/v1/cases/search"])
async def test_wrong_bytes(world: World, raw: bytes, path: str) -> None:
    police, before = await world.agency("police"), await records(world)
    headers = {"Idempotency-Key": "k", "Content-Type": "application/json"}
    answer = await police.post(path, content=raw, headers=headers)
    assert answer.status_code in (400, 422), answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert await records(world) == before


async def test_order_of_times(world: World) -> None:
    """Times may not run backwards, over every listed pair; equal and absent ones are in order."""
    police, court = await world.agency("police"), await world.agency("court")
    names = ("dispatched_at", "accepted_at", "arrived_at", "reported_at")
    times = {name: instant(40 - i * 10) for i, name in enumerate(names)}
    assert (await police.submit("police_dispatch", {"handling": "x"} | times)).status_code == 201
    assert (await police.submit("police_dispatch", {"handling": "x", "accepted_at": instant(9)})).status_code == 201
    for a, b in pairwise(names):
        swapped = times | {a: times[b], b: times[a]}
        answer = await police.submit("police_dispatch", {"handling": "x"} | swapped)
        assert answer.status_code == 422 and "早于" in answer.text
    skipping = {"handling": "x", "dispatched_at": instant(10), "reported_at": instant(20)}
    assert (await police.submit("police_dispatch", skipping)).status_code == 422
    ruling = {"ruled_at": "2024-02-20T10:00:00+08:00", "result": "issued", "valid_from": "2024-03-01"}
    for until, status in (("2024-03-01", 201), ("2024-02-29", 422)):
        answer = await court.submit("order_ruling", ruling | {"valid_until": until} | pair())
        assert answer.status_code == status, answer.text


async def test_units_named_must_exist(world: World) -> None:
    police = await world.agency("police")
    for code, status in ((f"{HOME}-court", 201), ("nowhere", 422), ("x" * 65, 422), ("a b", 422), ("../x", 422)):
        slip = {"to_unit": code, "sent_at": instant()} | pair()
        note = {"held_at": instant(), "subject": "x", "named_units": [f"{HOME}-school", code]}
        for kind, sent, pointer in (("referral_slip", slip, "/to_unit"), ("coordination", note, "/named_units/1")):
            answer = await police.submit(kind, sent)
            assert answer.status_code == status, code
            assert [error["pointer"] for error in answer.json().get("errors", [])] == [pointer] * (status == 422)


WORDS = [
    ("victim_name", "x" * 201, "文字过长，至多200字", "String should have at most 200 characters"),
    ("victim_phone", "x" * 41, "文字过长，至多40字", "String should have at most 40 characters"),
    ("content", " ", "文字过短，至少1字", "String should have at least 1 character"),
    ("children", [{"name": "x"}] * 21, "条目过多，至多20项", "List should have at most 20 items"),
    ("level", 5, "数值过大，至多4", "Input should be less than or equal to 4"),
    ("level", 0, "数值过小，至少1", "Input should be greater than or equal to 1"),
    ("injured", "perhaps", "应为 true 或 false", "Input should be a valid boolean"),
    ("level", 1.5, "应为整数", "Input should be a valid integer"),
    ("victim_birth_date", "2024-02-30", "不是合法的日期", "Input should be a valid date"),
]


@pytest.mark.parametrize(("name", "value", "zh", "en"), WORDS)
async def test_what_is_wrong_is_said_in_both_languages(world: World, name: str, value: Any, zh: str, en: str) -> None:
    police = await world.agency("police")
    for language, said in (("zh-CN", zh), ("en", en)):
        headers = {"Idempotency-Key": "k", "Accept-Language": language}
        answer = await police.post("/v1/records/police_call", json=call() | {name: value}, headers=headers)
        (error,) = answer.json()["errors"]
        assert error["pointer"] == f"/{name}" and error["detail"].startswith(said)


async def test_a_kind_that_is_none_is_told_the_kinds(world: World) -> None:
    """As every other code; one that nothing here is of tells nothing."""
    police = await world.agency("police")
    case = (await police.filed("police_call", call()))["case_id"]
    for path in ("/v1/cases", f"/v1/cases/{case}/records"):
        for language, said in (("zh", "不在代码表内，可用 'report', "), ("en", "not in the code list: 'report', ")):
            answer = await police.get(f"{path}?kind=foo", headers={"Accept-Language": language})
            (error,) = answer.json()["errors"]
            assert error["pointer"] == "/kind" and error["detail"].startswith(said) and "foo" not in answer.text
        assert (await police.get(f"{path}?kind=meeting")).status_code == 422
        assert (await police.get(f"{path}?kind=shelter_stay")).status_code == 200


def test_every_limit_is_one_that_pydantic_tells() -> None:
    """Each type of fault that has a Chinese text, in pydantic's own example."""
    examples = {error["type"]: error.get("example_context") or {} for error in list_all_errors()}
    for name, text in problems._ZH.items():
        assert "{" not in text.format(**examples[name]), name


def test_invented_numbers_are_for_demos_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """990000 only and always in a demo; outside, an area of a province is needed and 990000 refused."""
    real = id_number("500113")
    assert id_number_of(GOOD) == GOOD
    with pytest.raises(ValueError, match="990000"):
        id_number_of(real)
    production = replace(settings.current(), demo=False)
    monkeypatch.setattr(values.settings, "current", lambda: production)
    assert id_number_of(real) == real
    for bad in (GOOD, id_number("990001"), id_number("000000"), id_number("160000"), someone()["id_number"]):
        with pytest.raises(ValueError):
            id_number_of(bad)


async def test_bodies_have_a_limit(world: World) -> None:
    """1 MiB: announced or not, more is 413 and has no effect."""
    police, before = await world.agency("police"), await records(world)
    body = json.dumps(call() | {"nonsense": "x" * 1_100_000}).encode()

    async def pieces() -> Any:
        for i in range(0, len(body), 65536):
            yield body[i : i + 65536]

    for content in (body, pieces()):
        headers = {"Idempotency-Key": "big", "Content-Type": "application/json"}
        answer = await police.post("/v1/records/police_call", content=content, headers=headers)
        assert answer.status_code == 413, answer.text
        assert answer.headers["content-type"] == "application/problem+json"
        assert (answer.json()["code"], answer.json()["detail"]) == ("too_large", "内容过大。")
    assert await records(world) == before
