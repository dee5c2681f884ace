"""How the twin worlds are made: what is submitted, amended and attached, and what differs between the two."""

from typing import Any

from hub.demo.province import TYPES
from hub.models.catalogue import KINDS, fields_of
from tests.leaks import canaries, seed
from tests.leaks.canaries import body
from tests.leaks.province import code
from tests.leaks.seed import PNG, RESPONDENT, VICTIM
from tests.leaks.twins import Twin
from tests.world import HOME

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
