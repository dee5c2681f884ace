"""What differs between the twin worlds, for whom it is hidden, and how the observers ask."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from hub import clock
from hub.demo.province import TYPES
from tests.leaks.province import RELATIONS
from tests.leaks.scenes import (
    behind_the_receipt,
    bodies,
    case,
    evidence_changes,
    hospital_case,
    incident,
    joined,
    nothing,
    only_there,
    secrets_change,
)
from tests.leaks.twins import Ears, Told, Twin, both, differences
from tests.world import Caller

Observer = tuple[str, str, str, str]
"""Relation, unit type, role, purpose."""
Scene = Callable[[Twin, dict[str, dict[str, Any]]], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Scenario:
    """`first` builds the worlds; `later` changes only what is hidden; `hidden` names the categories."""

    name: str
    hidden: frozenset[str]
    observers: tuple[Observer, ...]
    first: Scene
    later: Scene


SCENARIOS = [
    Scenario(
        "reporter and refuge",
        frozenset({"reporter", "refuge"}),
        (
            ("involved", "court", "caseworker", "case_handling"),
            ("involved", "womens_federation", "caseworker", "shelter_relief"),
            ("involved", "procuratorate", "caseworker", "case_handling"),
            ("involved", "residents_committee", "caseworker", "follow_up"),
            ("involved", "joint_centre", "caseworker", "case_handling"),
            ("involved", "justice", "caseworker", "case_handling"),
            ("involved", "school", "caseworker", "case_handling"),
            ("involved", "social_work", "supervisor", "follow_up"),
            ("involved", "court", "system", "sync"),
            ("territorial", "womens_federation", "caseworker", "follow_up"),
            ("superior", "police", "supervisor", "supervision"),
            ("referred", "justice", "caseworker", "case_handling"),
            ("named", "school", "caseworker", "case_handling"),
        ),
        case,
        secrets_change,
    ),
    Scenario(
        "what the hospital must not know",
        frozenset({"facts", "whereabouts", "respondent", "reporter", "evidence", "measures", "judicial", "support"}),
        (
            ("involved", "hospital", "caseworker", "case_handling"),
            ("involved", "hospital", "caseworker", "medical_care"),
        ),
        hospital_case,
        nothing,
    ),
    Scenario(
        "anonymous or mandatory",
        frozenset({"reporter"}),
        (
            ("territorial", "police", "caseworker", "emergency_response"),
            ("involved", "police", "caseworker", "case_handling"),
            ("involved", "police", "supervisor", "protection_order"),
            ("involved", "police", "caseworker", "emergency_response"),
            ("territorial", "police", "caseworker", "follow_up"),
            ("superior", "police", "supervisor", "supervision"),
            ("superior", "joint_centre", "supervisor", "supervision"),
            ("involved", "womens_federation", "caseworker", "follow_up"),
            ("involved", "residents_committee", "caseworker", "follow_up"),
        ),
        incident,
        joined,
    ),
    Scenario(
        "a case elsewhere",
        frozenset(),
        tuple(("none", unit_type, "caseworker", "case_handling") for unit_type in TYPES)
        + tuple(("none", unit_type, "caseworker", "follow_up") for unit_type in ("police", "court", "joint_centre")),
        only_there,
        nothing,
    ),
    Scenario(
        "behind the receipt",
        frozenset(),
        (("receipt", "", "", ""), ("secret", "", "", "")),
        behind_the_receipt,
        secrets_change,
    ),
    Scenario(
        "from a distance",
        frozenset({"facts", "contact", "whereabouts", "minor", "reporter", "medical", "evidence", "judicial"}),
        (
            ("territorial", "police", "caseworker", "follow_up"),
            ("named", "school", "caseworker", "case_handling"),
            ("territorial", "residents_committee", "caseworker", "follow_up"),
            ("superior", "police", "supervisor", "supervision"),
            ("superior", "womens_federation", "caseworker", "supervision"),
            ("superior", "joint_centre", "caseworker", "supervision"),
            ("named", "police", "caseworker", "case_handling"),
            ("named", "hospital", "caseworker", "medical_care"),
            ("territorial", "joint_centre", "caseworker", "follow_up"),
        ),
        case,
        evidence_changes,
    ),
]


async def listen(twin: Twin, observer: Observer, ears: Ears, since: str, people: dict[str, str]) -> None:
    """All that one observer can get, guesses at hidden ids included."""
    if observer[0] in ("receipt", "secret"):
        await ears.ask("GET", f"/v1/reports/{twin.kept['receipt']}")
        return
    absent = "00000000-0000-4000-8000-000000000001"
    hidden = [f"/v1/records/{twin.kept.get(k, absent)}" for k in ("penalty", "police_call", "mandatory_report")]
    guesses = [*hidden, f"/v1/attachments/{twin.kept.get('file', absent)}"]
    await ears.everything(twin.kept.get("case", absent), guesses, since, people)


async def ears_of(twin: Twin, observer: Observer) -> Ears:
    relation, unit_type, role, purpose = observer
    if relation in ("receipt", "secret"):
        return Ears(Caller(twin.world.http, {"Receipt-Secret": twin.kept["secret"]} if relation == "secret" else {}))
    person = "" if role == "system" else role
    region = RELATIONS.get(relation, "50")
    return Ears(await twin.world.agency(unit_type, region=region, person=person, purpose=purpose))


async def run(pair: tuple[Twin, Twin], scenario: Scenario, *, observers: int = 99) -> list[str]:
    """Build both worlds, listen, change what is hidden, listen again; what the observers could tell apart."""
    one, two = bodies(scenario.hidden)
    told: list[dict[Observer, Told]] = []

    async def live(twin: Twin) -> None:
        sent, heard = two if twin.other else one, {}
        await twin.empty()
        await scenario.first(twin, sent)
        watching = {o: await ears_of(twin, o) for o in scenario.observers[:observers]}
        for moment in (None, clock.text(clock.now())):
            if moment:
                await scenario.later(twin, sent)
            for observer, ears in watching.items():
                await listen(twin, observer, ears, moment or "2021-01-01T00:00:00Z", one["police_call"])
                heard[observer] = ears.told
        told.append({"world": twin.other} | heard)  # type: ignore[dict-item]

    await both(pair, live)
    a, b = sorted(told, key=lambda t: bool(t["world"]))  # type: ignore[index]
    return [p for o in scenario.observers[:observers] for p in differences(f"{scenario.name} {o}", a[o], b[o])]
