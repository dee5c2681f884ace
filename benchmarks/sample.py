"""The invented data both sides are measured on: a city of 200 units in four tiers, calls of 55 values, forms of 20.

Everybody is invented (id numbers of area 990000), everything follows from the serial number.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from hub.clock import text
from hub.demo.province import demo_id_number, demo_phone
from hub.models.region import area

START = datetime(2026, 1, 1, tzinfo=UTC)
SPAN = timedelta(days=180)
TIERS = (("city", 1), ("county", 8), ("township", 31), ("community", 160))
DIGITS = {"city": 4, "county": 6, "township": 9, "community": 12}
DISTRICT = "990103"
"""Where the measured caller works; an eighth of the cases lie there."""
OTHER = "990108"
"""Where the measured submissions come from."""
STORY = (
    "接警后值班民警立即前往现场当事人情绪激动称长期遭受配偶殴打辱骂本次因家庭琐事再次发生争执对方持物击打头部及手臂"
    "邻居听到呼救后报警现场有孩子受到惊吓已安抚并告知可申请人身安全保护令和庇护救助社区与妇联将于三日内回访"
)
SURNAMES, GIVEN = "赵钱孙李周吴郑王冯陈褚卫蒋沈韩杨", "伟芳娜敏静丽强磊军洋勇艳杰娟涛明"


@dataclass(frozen=True, slots=True)
class Place:
    """A division of the invented city and the unit that answers for it."""

    code: str
    level: str
    parent: str

    @property
    def unit(self) -> str:
        return f"{area(self.code)}-police"


def places() -> list[Place]:
    """Superiors first: one city, 8 districts, 31 streets, 160 communities."""
    made: list[Place] = []
    above = [Place("990000000000", "province", "")]
    for level, count in TIERS:
        tier, born = [], dict.fromkeys(above, 0)
        for i in range(count):
            parent = above[i % len(above)]
            born[parent] += 1
            width = DIGITS[level] - len(area(parent.code))
            code = f"{area(parent.code)}{born[parent]:0{width}d}".ljust(12, "0")
            tier.append(Place(code, level, parent.code if made else ""))
        made += tier
        above = tier
    return made


def words(dice: random.Random, count: int) -> str:
    start = dice.randrange(len(STORY))
    return (STORY[start:] + STORY * (count // len(STORY) + 1))[:count]


def person(serial: int, sex: str) -> dict[str, str]:
    """Name, id number, birth date and phone, different for every serial number."""
    born = date(1950, 1, 1) + timedelta(days=serial // 400 % 20_000)
    name = f"{SURNAMES[serial % 16]}{GIVEN[serial // 16 % 16]}{GIVEN[serial // 256 % 16]}"
    id_number = demo_id_number(born, serial % 400, sex)
    return {"name": name, "id_number": id_number, "birth_date": str(born), "sex": sex, "phone": demo_phone(serial)}


def parties(serial: int, dice: random.Random) -> dict[str, Any]:
    """Victim, respondent and child, every field filled."""
    victim, respondent = person(serial, "female"), person(serial, "male")
    made: dict[str, Any] = {f"victim_{k}": v for k, v in victim.items()}
    made |= {f"respondent_{k}": v for k, v in respondent.items()} | {"relation": "spouse"}
    made |= {"victim_ethnicity": "汉族", "victim_occupation": "务工", "victim_marital_status": "已婚"}
    made |= {"victim_education": "初中", "victim_safe_times": words(dice, 12), "victim_safe_ways": words(dice, 20)}
    made |= {"victim_address": words(dice, 24), "victim_workplace": words(dice, 14), "victim_school": words(dice, 10)}
    made |= {"respondent_address": words(dice, 24), "respondent_workplace": words(dice, 14)}
    made |= {"respondent_occupation": "个体", "respondent_state_employee": False}
    child = person(serial + 7, "female") | {"birth_date": "2017-06-01"}
    made["children"] = [{k: child[k] for k in ("name", "birth_date", "sex")} | {"school": words(dice, 8)}]
    return made


def call(serial: int, region: str, at: datetime) -> dict[str, Any]:
    """A police call with every field of the form, as its validated JSON values."""
    dice = random.Random(serial)
    made = parties(serial, dice) | {"called_at": text(at), "happened_at": text(at - timedelta(minutes=20))}
    made |= {"call_number": f"J{serial:010d}", "linked_call_number": f"J{serial // 2:010d}", "region": region}
    made |= {"call_taker": "接警员", "call_kind": "110", "channel": "phone", "calling_number": demo_phone(serial)}
    made |= {"scene_address": words(dice, 24), "latitude": 29.5, "longitude": 106.5, "content": words(dice, 300)}
    made |= {"violence": ["physical", "threat"], "category_code": "110101", "level": dice.randint(1, 4)}
    made |= {"confidential": True, "ongoing": False, "weapon": words(dice, 6), "injured": True}
    made |= {"children_present": True, "order_in_force": False, "alcohol_or_drugs": True}
    made |= {"reporter_name": "李虚构", "reporter_phone": demo_phone(serial + 1), "reporter_relation": "邻居"}
    return made


def form(serial: int, region: str, at: datetime) -> dict[str, Any]:
    """A common case form of 20 fields, as an agency's system sends it."""
    dice = random.Random(serial)
    people = parties(serial, dice)
    names = [f"{r}_{k}" for r in ("victim", "respondent") for k in ("name", "id_number", "birth_date", "sex", "phone")]
    made = {k: people[k] for k in (*names, "relation", "victim_address", "respondent_address")}
    made |= {"received_at": text(at), "nature": "家庭暴力", "region": region, "history": words(dice, 60)}
    return made | {"violence": ["physical"], "detail": words(dice, 300), "injured": True}


def flat(values: dict[str, Any]) -> dict[str, Any]:
    """Leaf values by column name, for the reference's flat table."""
    made: dict[str, Any] = {}
    for name, value in values.items():
        if name == "children":
            made |= {f"child_{k}": v for k, v in value[0].items()}
        else:
            made[name] = "、".join(value) if isinstance(value, list) else value
    return made


def moments(cases: int) -> Iterator[datetime]:
    """When each case was opened: evenly over half a year."""
    for i in range(cases):
        yield START + SPAN * i / cases
