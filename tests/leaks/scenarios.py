"""What differs between the twin worlds, for whom it is hidden, and how the observers ask."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any

from hub import clock
from hub.demo.province import TYPES
from hub.models.catalogue import KINDS, fields_of
from tests.leaks import canaries, seed
from tests.leaks.canaries import body
from tests.leaks.province import RELATIONS, code
from tests.leaks.seed import PNG, RESPONDENT, VICTIM
from tests.leaks.twins import Ears, Told, Twin, both, differences
from tests.world import HOME, Caller

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


SAME = ("treatment", "coordination")
"""Kinds that observers file themselves: what they wrote they see, so it is the same in both worlds."""


def bodies(hidden: frozenset[str]) -> tuple[dict[str, dict[str, Any]], dict[str, dict[str, Any]]]:
    """The bodies of all kinds for one world, and for the other: hidden fields changed, left out, or longer."""
    pair = {k: v for k, v in body("police_call").items() if k in (*VICTIM, *RESPONDENT)}
    named = {"named": [code("named", t) for t in TYPES], "referred": code("referred", "justice")}
    one, two = {}, {}
    for kind, model in KINDS.items():
        parties = {k: v for k, v in pair.items() if k in model.model_fields}
        one[kind] = body(kind, **parties, **named)
        fresh, two[kind] = body(kind, **named), dict(one[kind])
        if kind in SAME:
            continue
        for n, info in enumerate(i for i in fields_of(model) if i.category in hidden and not i.sets):
            if not model.model_fields[info.name].is_required() and n % 3 == 0:
                two[kind].pop(info.name, None)
            elif isinstance(fresh[info.name], str) and info.pii == "text" and "T01:" not in fresh[info.name]:
                two[kind][info.name] = canaries.text() + "加长" * n
            else:
                two[kind][info.name] = fresh[info.name]
    return one, two


async def submit(twin: Twin, unit_type: str, kind: str, sent: dict[str, Any]) -> str:
    """File on the scenario's case, which the first record opens."""
    caller = await twin.world.agency(unit_type)
    made = await caller.filed(kind, sent, case=twin.kept.get("case", ""))
    twin.kept.setdefault("case", made["case_id"])
    twin.kept[kind] = made["id"]
    return str(made["id"])


async def amend(twin: Twin, unit_type: str, kind: str, patch: dict[str, Any], purpose: str = "case_handling") -> None:
    person = "intake" if purpose == "intake" else "caseworker"
    caller = await twin.world.agency(unit_type, purpose=purpose, person=person)
    url = f"/v1/records/{twin.kept[kind]}"
    tag = (await caller.get(url)).headers["etag"]
    answer = await caller.send("PATCH", url, json=patch, headers={"If-Match": tag})
    assert answer.status_code == 204, answer.text


async def attach(twin: Twin, unit_type: str, kind: str) -> None:
    caller = await twin.world.agency(unit_type)
    answer = await caller.post(f"/v1/records/{twin.kept[kind]}/attachments", content=PNG + b"evidence")
    assert answer.status_code == 201, answer.text
    twin.kept["file"] = answer.json()["id"]


async def nothing(twin: Twin, sent: dict[str, dict[str, Any]]) -> None:
    """No later change."""


ACTS = {
    "police_call": "police",
    "admonition": "police",
    "shelter_stay": "civil_affairs",
    "order_service": "court",
    "treatment": "hospital",
    "referral_slip": "police",
}
MEETS = (
    "procuratorate",
    "womens_federation",
    "residents_committee",
    "joint_centre",
    "justice",
    "school",
    "social_work",
)


async def case(twin: Twin, sent: dict[str, dict[str, Any]]) -> None:
    """A case with six acting units, on which everybody else has met."""
    for kind, unit_type in ACTS.items():
        await submit(twin, unit_type, kind, sent[kind])
    for unit_type in MEETS:
        await submit(twin, unit_type, "coordination", sent["coordination"])
    newer = {k: v for k, v in sent["criticism"].items() if k not in _PARTIES}
    twin.kept["newer"] = (await (await twin.world.agency("police")).filed("criticism", newer))["case_id"]


async def secrets_change(twin: Twin, sent: dict[str, dict[str, Any]]) -> None:
    """Who reported and where the shelter is change, twice; only in one world."""
    for n in range(2 if twin.other else 0):
        await amend(twin, "police", "police_call", {"reporter_name": f"李{n}", "confidential": bool(n)}, "intake")
        await amend(twin, "civil_affairs", "shelter_stay", {"room": str(n)}, "shelter_relief")


async def hospital_case(twin: Twin, sent: dict[str, dict[str, Any]]) -> None:
    """What the hospital filed, and in one world three records with nothing in them that it may see."""
    await submit(twin, "hospital", "treatment", sent["treatment"])
    bare = {"penalty": "police", "judgment": "court", "prosecution": "procuratorate"}
    for kind, unit_type in bare.items() if twin.other else ():
        visible = {"victim", "contact", "minor", "medical", "internal", "routine"}
        closed = {i.name for i in fields_of(KINDS[kind]) if i.category in visible}
        await submit(twin, unit_type, kind, {k: v for k, v in sent[kind].items() if k not in closed})
    if twin.other:
        await attach(twin, "police", "penalty")
        await amend(twin, "police", "penalty", {"basis": "改"})


async def incident(twin: Twin, sent: dict[str, dict[str, Any]]) -> None:
    """The same story, from an anonymous reporter in one world and from a school in the other."""
    parties = {k: v for k, v in sent["police_call"].items() if k in (*VICTIM, *RESPONDENT)}
    story = sent["mandatory_report"]
    if twin.other:
        mandatory = {k: v for k, v in story.items() if k not in _PARTIES} | parties
        await submit(twin, "school", "mandatory_report", mandatory | {"region": HOME})
        return
    child = {
        "name": story["subject_name"],
        "id_number": story["subject_id_number"],
        "sex": story["subject_sex"],
        "phone": story["subject_phone"],
        "address": story["subject_address"],
        "guardian": story["guardian_name"],
        "guardian_phone": story["guardian_phone"],
    }
    told = {"what": story["detail"], "happened_at": story["found_at"], "children": [child], "place": "重庆市巴南区"}
    _, _, record, twin.kept["case"] = await seed.report(twin.world, parties | told)
    twin.kept["mandatory_report"] = record


_PARTIES = {n for n in KINDS["police_call"].model_fields if n.startswith(("victim_", "respondent_"))} | {
    "children",
    "relation",
}


async def joined(twin: Twin, sent: dict[str, dict[str, Any]]) -> None:
    """Later a station acts on the incident, in both worlds."""
    await submit(twin, "police", "police_dispatch", sent["police_dispatch"])


async def only_there(twin: Twin, sent: dict[str, dict[str, Any]]) -> None:
    """A whole case that exists in one world only."""
    if twin.other:
        await case(twin, sent)
        await attach(twin, "police", "police_call")


async def behind_the_receipt(twin: Twin, sent: dict[str, dict[str, Any]]) -> None:
    """A report; in one world the agencies act on it."""
    receipt, secret, _, case_id = await seed.report(twin.world, sent["report"] | {"reporter_is_victim": False})
    twin.kept |= {"case": case_id, "receipt": receipt, "secret": secret}
    if twin.other:
        await case(twin, {k: {n: v for n, v in b.items() if n not in _PARTIES} for k, b in sent.items()})


async def evidence_changes(twin: Twin, sent: dict[str, dict[str, Any]]) -> None:
    """In one world: attachments, and new versions of what happened."""
    if twin.other:
        await attach(twin, "police", "police_call")
        await amend(twin, "police", "admonition", {"letter_text": "改", "facts": "改"})
        await amend(twin, "police", "police_call", {"content": "改", "victim_address": "改", "injured": False})
        await amend(twin, "hospital", "treatment", {"diagnosis": "改"})


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


def named(name: str, **changes: Any) -> Scenario:
    return replace(next(s for s in SCENARIOS if s.name == name), **changes)
