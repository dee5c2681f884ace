"""Random requests of several units on one case, each beside a second reckoning of what the case must say by now.

The reckoning knows the current texts, in the order in which they were filed, and when a unit was asked or answered:
who is named or referred to, who has worked on the case, its risk, whether it is closed. After every request the stored
case, what each unit can open and the growth of the log are compared with it.
"""

import asyncio
import itertools
import os
import random
import uuid
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests import logbook
from tests.forms import minimal
from tests.test_amend import patch, seen
from tests.test_case_state import row_of
from tests.world import AWAY, HOME, Caller, World, call

RUNS, STEPS = (40, 60) if os.environ.get("HUB_TEST_FULL") else (8, 40)
OWNERS = [(HOME, "police"), (HOME, "court"), (HOME, "womens_federation")]
GUESTS = [(AWAY, unit) for unit in ("civil_affairs", "justice", "hospital", "school", "police")]
CODES = [f"{region}-{unit}" for region, unit in GUESTS]
SAYING = {"coordination": "named_units", "order_service": "assist_units"}


@dataclass
class Said:
    """One record as it reads now."""

    id: str
    kind: str
    by: str
    fields: dict[str, Any]
    moved: int = 0
    """When a slip was addressed to its unit, or a reply answered as it does."""


@dataclass
class Reckoned:
    """What the case must say."""

    texts: list[Said] = field(default_factory=list)
    acted: set[str] = field(default_factory=set)
    clock: Iterator[int] = field(default_factory=itertools.count)

    def named(self) -> Counter[str]:
        texts = [t for t in self.texts if t.kind in SAYING]
        return Counter(c for t in texts for c in {*(t.fields.get(SAYING[t.kind]) or [])} - {t.by})  # nobody itself

    def referred(self) -> Counter[str]:
        replied = {t.by: t.moved for t in sorted(self.texts, key=lambda t: t.moved) if t.kind == "referral_reply"}
        slips = [t for t in self.texts if t.kind == "referral_slip" and t.fields["to_unit"] != t.by]
        return Counter(t.fields["to_unit"] for t in slips if t.moved > replied.get(t.fields["to_unit"], -1))

    def last(self, name: str, otherwise: Any) -> Any:
        return next((t.fields[name] for t in reversed(self.texts) if t.fields.get(name) is not None), otherwise)

    def closed(self) -> bool:
        return any(t.fields.get("close_case") for t in self.texts)

    def standing(self, code: str) -> bool:
        near = code.startswith(HOME)
        return near or code in self.acted or code in self.named() or code in self.referred()

    def opens(self, code: str) -> bool:
        own = any(t.by == code for t in self.texts)
        return own or code in self.acted or code in self.named() or code in self.referred()


class Play:
    """One case, and whoever asks about it."""

    def __init__(self, world: World, chance: random.Random) -> None:
        self.world, self.chance, self.must = world, chance, Reckoned()
        self.callers: dict[str, Caller] = {}
        self.case = ""
        self.told: list[str] = []

    async def begin(self) -> None:
        for region, unit_type in OWNERS + GUESTS:
            self.callers[f"{region}-{unit_type}"] = await self.world.agency(unit_type, region=region)
        code = f"{HOME}-police"
        made = await self.callers[code].filed("police_call", call())
        self.case = made["case_id"]
        self.must.texts.append(Said(made["id"], "police_call", code, {}))
        self.must.acted.add(code)

    def some_units(self) -> list[str]:
        return self.chance.sample(CODES, self.chance.randint(0, 3))

    async def submit(self) -> None:
        """A record under the case, sent twice: 404 without standing or when closed, else one effect."""
        code, fields = self.chance.choice(list(self.callers)), {}
        usual = ["coordination", "referral_slip", "referral_slip", "referral_reply", "evidence_head"]
        kind = self.chance.choice(usual if code in self.must.acted else [*usual, *["referral_reply"] * 12])
        if code == f"{HOME}-court" and self.chance.random() < 0.3:
            kind = "order_service"
        if code == f"{HOME}-police" and self.chance.random() < 0.3:
            kind = self.chance.choice(["police_dispatch", "risk_assessment"])
        if kind in SAYING:
            fields = {SAYING[kind]: self.some_units()}
        fields |= self.words(kind)
        if kind == "coordination" and self.chance.random() < 0.1:
            fields["close_case"] = True
        if kind == "referral_slip":
            fields = {"to_unit": self.chance.choice(CODES)}
        if kind == "referral_reply":
            fields = {"accepted": self.chance.random() < 0.2, "reason": "无"}
        expected = (
            404 if not self.must.standing(code) or self.must.closed() else 403 if self.blind(code, fields) else 201
        )
        key, body = uuid.uuid4().hex, minimal(kind, **fields)
        answer = await self.callers[code].submit(kind, body, key=key, case=self.case)
        self.told.append(f"{code} files {kind} {fields}: {answer.status_code}")
        assert answer.status_code == expected, answer.text
        again = await self.callers[code].submit(kind, body, key=key, case=self.case)
        assert (again.status_code, again.text == answer.text or expected == 404) == (expected, True)
        if expected == 201:
            self.file(Said(answer.json()["id"], kind, code, fields))

    def blind(self, code: str, fields: dict[str, Any]) -> bool:
        """Whether it would close the case and is not told how that is handled, as one named or referred to is."""
        masked = code.endswith(("hospital", "school")) and code not in (self.must.named() | self.must.referred())
        return bool(fields.get("close_case")) and masked

    def words(self, kind: str) -> dict[str, Any]:
        """What a record of the police says of the case, if anything."""
        if kind == "risk_assessment":
            return {"risk_level": self.chance.choice(["low", "middle", "high"])}
        return {"reporter_confirmed": self.chance.choice([True, False, None])} if kind == "police_dispatch" else {}

    def file(self, said: Said) -> None:
        said.moved = next(self.must.clock)
        if said.fields.get("accepted") is not False:
            self.must.acted.add(said.by)
        self.must.texts.append(said)

    def correction(self, said: Said) -> dict[str, Any]:
        """Another text for a record; `note` is a word that moves nothing."""
        chance = self.chance
        if said.kind in SAYING:
            fields: dict[str, Any] = {SAYING[said.kind]: self.some_units() or None}
            if said.kind == "coordination":
                fields["close_case"] = chance.choice([True, False, None, None, None])
                fields["decision"] = uuid.uuid4().hex
            return fields
        if said.kind == "referral_slip":
            fields = {"note": uuid.uuid4().hex}
            return fields if chance.random() < 0.3 else fields | {"to_unit": chance.choice(CODES)}
        if said.kind == "referral_reply":
            return chance.choice([{"result": uuid.uuid4().hex}, {"accepted": chance.random() < 0.3}])
        return self.words(said.kind)

    async def amend(self) -> None:
        """One or two corrections sent at once, by the author; of two that differ one is told that it was late."""
        closing = [text for text in self.must.texts if text.fields.get("close_case")]
        said = self.chance.choice(closing if closing and self.chance.random() < 0.5 else self.must.texts)
        bodies = [b for b in (self.correction(said) for _ in range(self.chance.choice([1, 1, 2]))) if b]
        caller = self.callers[said.by]
        _, tag = await seen(caller, said.id)
        answers = await asyncio.gather(*(patch(caller, said.id, body, tag) for body in bodies))
        self.told.append(f"{said.by} corrects {said.kind} {bodies}: {[a.status_code for a in answers]}")
        done = [b for b, a in zip(bodies, answers, strict=True) if a.status_code == 204]
        for body, answer in zip(bodies, answers, strict=True):
            late = answer.status_code == 412 and len(bodies) > 1
            void = answer.status_code == 403 and body.get("accepted") and not self.must.standing(said.by)
            anew = body.get("reporter_confirmed") and not said.fields.get("reporter_confirmed")
            void = void or (anew and answer.status_code == 422)
            closes = not said.fields.get("close_case") and self.blind(said.by, body)
            void = void or (closes and answer.status_code == 403)
            assert answer.status_code == 204 or late or void, answer.text
        moving = [b for b in done if any(b[name] != said.fields.get(name) for name in b)]
        assert len(moving) <= 1 or all(b == moving[0] for b in moving), "one of two, or both the same"
        if moving:
            self.correct(said, moving[0])

    def correct(self, said: Said, body: dict[str, Any]) -> None:
        if "accepted" in body and body["accepted"] != said.fields["accepted"]:
            said.moved = next(self.must.clock)
            if body["accepted"]:
                self.must.acted.add(said.by)
        if body.get("to_unit", said.fields.get("to_unit")) != said.fields.get("to_unit"):
            said.moved = next(self.must.clock)
        said.fields = said.fields | body

    async def check(self) -> None:
        row, units = await row_of(self.world, self.case), self.world.services.directory.units
        stored = {name: Counter(units[u].code for u in row[name]) for name in ("named", "referred", "involved")}
        assert stored["named"] == self.must.named(), self.told
        assert stored["referred"] == self.must.referred(), self.told
        assert stored["involved"] == Counter(self.must.acted), self.told
        assert (row["status"] == "closed") == self.must.closed(), self.told
        assert row["risk_level"] == self.must.last("risk_level", "unknown"), self.told
        assert row["reporter_confirmed"] == self.must.last("reporter_confirmed", False), self.told
        links = "SELECT unit_id FROM case_unit WHERE case_id = $1"
        linked = {r["unit_id"] for r in await self.world.services.database.fetch(links, uuid.UUID(self.case))}
        assert linked >= {*row["named"], *row["referred"], *row["involved"]}
        for code, caller in self.callers.items():
            before = len(await logbook.about(self.world.services, self.case))
            answer = await caller.get(f"/v1/cases/{self.case}")
            assert (answer.status_code == 200) == self.must.opens(code), (code, self.told)
            assert len(await logbook.about(self.world.services, self.case)) == before + 1, "every look is logged"
            if answer.status_code == 200 and code in self.must.acted and not code.endswith(("hospital", "school")):
                assert len(answer.json()["records"]) == len(self.must.texts), (code, self.told)


@pytest.mark.parametrize("seed", range(RUNS))
async def test_a_case_says_what_its_records_say(world: World, seed: int) -> None:
    chance = random.Random(seed)
    play = Play(world, chance)
    await play.begin()
    for step in range(STEPS):
        before = len(await logbook.rows(world.services))
        await (play.submit() if chance.random() < 0.5 else play.amend())
        assert len(await logbook.rows(world.services)) > before
        if step % 4 == 3:
            await play.check()
    await play.check()
