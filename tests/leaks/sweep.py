"""The judge of the canary sweep: everything in an answer must be allowed by the oracle and be in the log."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx

from hub import clock
from hub.models.catalogue import KINDS, fields_of
from tests import logbook
from tests.leaks import oracle
from tests.leaks.canaries import FOUND, Filed
from tests.leaks.oracle import CLEAR, MASKED, Who
from tests.leaks.seed import Seeded
from tests.world import World

MASKED_HEAD = {"id", "status", "status_text", "kinds", "records", "shared", "masked", "withheld"}
Place = tuple[str, str, int]
"""Record id ('' for the case itself), category, form."""
Shown = frozenset[Place]
"""Where something shown may have come from; one of the places must be in the log."""


async def entries_since(world: World, at: Any) -> list[dict[str, Any]]:
    """The opened bodies of the log's entries since a time."""
    services, found = world.services, []
    for row in await logbook.rows(services, "at >= $1", at):
        what = await logbook.groups(services, row)
        head = {"outcome": row["outcome"], "status": row["status"]}
        found.append(logbook.body(services, row) | head | {"what": what})
    return found


def walk(value: Any) -> Iterator[dict[str, Any]]:
    """Every JSON object inside a value."""
    if isinstance(value, dict):
        yield value
        value = list(value.values())
    if isinstance(value, list):
        for item in value:
            yield from walk(item)


def place_of(filed: Filed, name: str, value: Any) -> tuple[str, int]:
    """Category and form of a field shown of a record, under its own name or as any report would call it."""
    form = CLEAR if value in filed.values.values() or FOUND.search(str(value)) else MASKED
    kind = filed.kind if name in filed.values else "report"
    return next((i.category for i in fields_of(KINDS[kind]) if i.name == name), "?"), form


@dataclass(slots=True)
class Sweep:
    """Asks as many callers and judges every answer about one seeded case."""

    world: World
    seeded: Seeded
    case: Any
    requests: int = 0
    shown: set[Place] = field(default_factory=set)
    _known: dict[Any, dict[str, int]] = field(default_factory=dict)

    def allowed(self, who: Who, filed: Filed | None = None) -> dict[str, int]:
        """The oracle's outcomes about the case, or about one record of it."""
        true = oracle.facts(who, self.case, UUID(filed.author) if filed else None)
        key = (who.unit_type, who.role, who.purpose, frozenset(true))
        if key not in self._known:
            self._known[key] = oracle.outcomes(self.world.services.policy.rules.rows, who, true)
        return self._known[key]

    async def ask(self, who: Who, method: str, url: str, *, listed: bool = False, **rest: Any) -> list[str]:
        """One request; returns what was wrong with its answer or its log entry."""
        at = clock.now() - timedelta(milliseconds=1)
        answer = await who.caller.send(method, url, **rest)
        self.requests += 1
        problems, shown = self.judge(who, answer, listed)
        self.shown |= set().union(*shown)
        if shown:
            problems += self.unlogged(who, shown, await entries_since(self.world, at))
        return [f"{who.name} {who.purpose} {method} {url}: {p}" for p in problems]

    def judge(self, who: Who, answer: httpx.Response, listed: bool) -> tuple[list[str], set[Shown]]:
        """What an answer shows, and what of it should not be there."""
        problems: list[str] = ["failed"] if answer.status_code >= 500 else []
        shown: set[Shown] = set()
        if answer.headers.get("content-type", "").startswith("application/json"):
            for item in walk(answer.json()):
                self._object(who, item, problems, shown)
        head = " ".join(f"{k}: {v}" for k, v in answer.headers.items())
        for token in set(FOUND.findall(answer.content.decode(errors="replace") + head)):
            places = {(*p, CLEAR) for p in self.seeded.book.tokens.get(token, set())}
            able = {p for p in places if self.allowed(who, self.seeded.book.records[p[0]])[p[1]] == CLEAR}
            problems += [f"canary of {places} in the clear"] if places and not able else []
            shown |= {frozenset(able)} if able and not able & set().union(*shown) else set()
        if listed:
            problems += [f"refuge in a list: {p}" for s in shown for p in s if p[1] == "refuge"]
        return problems, shown

    def _object(self, who: Who, item: dict[str, Any], problems: list[str], shown: set[Shown]) -> None:
        filed = self.seeded.book.records.get(str(item.get("id")))
        if filed is not None and "fields" in item:
            self._record(who, filed, item, problems, shown)
        elif item.get("id") == self.seeded.book.case_id and "fields" not in item:
            self._case(who, item, problems, shown)

    def _record(self, who: Who, filed: Filed, item: dict[str, Any], problems: list[str], shown: set[Shown]) -> None:
        allowed = self.allowed(who, filed)
        own = filed.author == str(who.author)
        for name, value in item["fields"].items():
            category, form = place_of(filed, name, value)
            if allowed.get(category, 0) < form:
                problems.append(f"{filed.kind}.{name} ({category}) shown as {form}, allowed {allowed.get(category)}")
            shown.add(frozenset({(filed.id, category, form)}))
        if allowed["routine"] < CLEAR:
            problems.append(f"that a {filed.kind} exists")
        origin = KINDS[filed.kind].origin
        if not own and origin != "routine" and allowed[origin] < CLEAR:
            if (item["kind"], item["unit"]) != ("report", None):
                problems.append(f"origin of a {filed.kind}")
            strange = set(item["fields"]) - {i.name for i in fields_of(KINDS["report"]) if allowed[i.category]}
            problems += [f"{filed.kind} betrayed by its fields {sorted(strange)}"] if strange else []
        if "withheld" in item:
            self._lists(item, allowed, problems)

    def _case(self, who: Who, item: dict[str, Any], problems: list[str], shown: set[Shown]) -> None:
        allowed = self.allowed(who)
        if not any(allowed.values()) and not any(f.author == str(who.author) for f in self._filed()):
            problems.append("the case exists")
        if "status" in item:
            shown.add(frozenset({("", "routine", allowed["routine"])}))
        if allowed["routine"] < CLEAR:
            strange = set(item) - MASKED_HEAD
            own = {f.kind for f in self._filed() if f.author == str(who.author)}
            problems += [f"routine members {sorted(strange)}"] if strange else []
            problems += ["kinds of others"] if not set(item.get("kinds", [])) <= own else []
        self._shared(who, item.get("shared", {}), problems, shown)
        self._lists(item, allowed, problems)

    def _shared(self, who: Who, values: dict[str, Any], problems: list[str], shown: set[Shown]) -> None:
        """Fields shown apart from their records: some hidden record must hold each, in a category that is open."""
        for name, value in values.items():
            able = set()
            for filed in self._filed():
                if name in filed.values or KINDS[filed.kind].origin != "routine":
                    category, form = place_of(filed, name, value)
                    if self.allowed(who, filed).get(category, 0) >= form and not (
                        category == "routine" and form == MASKED
                    ):
                        able.add((filed.id, category, form))
            problems += [] if able else [f"shared field {name}"]
            shown |= {frozenset(able)} if able else set()

    def _filed(self) -> Iterator[Filed]:
        return iter(self.seeded.book.records.values())

    @staticmethod
    def _lists(item: dict[str, Any], allowed: dict[str, int], problems: list[str]) -> None:
        for name, form in (("masked", MASKED), ("withheld", 0)):
            expected = [c for c, o in allowed.items() if o == form]
            if item.get(name) != expected:
                problems.append(f"{name} says {item.get(name)}, not {expected}")

    def unlogged(self, who: Who, shown: set[Shown], entries: list[dict[str, Any]]) -> list[str]:
        """What was shown and stands in no entry of this caller."""
        mine = [e for e in entries if e["outcome"] == "permit" and self._by(who, e)]
        groups = [group for entry in mine for group in entry["what"]]
        return [f"not logged: {set(s)}" for s in shown if not any(self._covers(g, p) for g in groups for p in s)]

    @staticmethod
    def _by(who: Who, entry: dict[str, Any]) -> bool:
        by = entry["who"]
        unit = who.unit.code if who.unit else ""
        return bool(by["role"] == who.role and by["unit"] == unit and entry["purpose"] == who.purpose)

    def _covers(self, group: dict[str, Any], place: Place) -> bool:
        record, category, form = place
        wanted = (self.case["ref"], UUID(record) if record else None)
        named = group.get("clear", []) + (group.get("masked", []) if form == MASKED else [])
        return category in named and any(row[0] == wanted[0] and wanted[1] in (None, row[1]) for row in group["rows"])
