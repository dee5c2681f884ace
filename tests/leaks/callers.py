"""Every kind of caller: units of each type in each relation, their people and systems, administrators, reporters."""

from collections.abc import AsyncIterator
from uuid import UUID

from hub.demo.province import TYPES
from hub.models.account import ADMIN_ROLES
from hub.policies.subject import SYSTEM, Purpose
from tests.leaks import oracle
from tests.leaks.oracle import Who
from tests.leaks.province import RELATIONS, ROLES, SUPERIORS, code
from tests.leaks.seed import Seeded
from tests.world import Caller, World

PURPOSES = tuple(p.value for p in Purpose if p != "own_report")
EVERY_FACT = {"involved", "authored", "referred_in", "named_in_order", "superior", "territorial", "own_report"}


async def agency(world: World, relation: str, unit_type: str, role: str, purpose: str) -> Who:
    """A unit's system, for one of its people or (role `system`) for itself."""
    caller = await world.agency(
        unit_type,
        region=RELATIONS.get(relation, "50"),
        person="" if role == SYSTEM else role,
        purpose=purpose,
    )
    unit = world.services.directory.codes[code(relation, unit_type)]
    return Who(f"{relation} {unit_type} {role}", caller, role, purpose, unit, unit_type)


def stateable(world: World, who: Who) -> bool:
    """May such a caller state the purpose, whatever the case? Read from the rules."""
    true = EVERY_FACT | {"intake_duty", "emergency"}
    return any(oracle.outcomes(world.services.policy.rules.rows, who, true).values())


async def units(world: World, *, full: bool) -> AsyncIterator[Who]:
    """Units; all roles and purposes in the full run, else case workers and whoever has a role of its own."""
    places = [(relation, t) for relation in RELATIONS for t in TYPES] + [("superior", t) for t in SUPERIORS]
    for relation, unit_type in places:
        for role in (*ROLES, SYSTEM):
            for purpose in PURPOSES:
                who = await agency(world, relation, unit_type, role, purpose)
                usual = role == "caseworker" or (relation == "involved" and purpose in ("sync", "intake"))
                if full or (usual and stateable(world, who)):
                    yield who


async def people(world: World) -> AsyncIterator[Who]:
    """Administrators and people with a session, who hold no case role in any of these purposes."""
    for login in ADMIN_ROLES:
        for purpose in ("case_handling", "supervision", "audit", "intake"):
            unit = world.services.directory.codes["50-joint_centre"]
            yield Who(login, await world.person(login, purpose), login, purpose, unit, unit.type)


def reporter(world: World, seeded: Seeded, n: int, role: str) -> Who:
    """The holder of the n-th receipt, with or without its second secret."""
    _, secret, record = seeded.receipts[n]
    shown = role != "reporter_receipt"
    headers = {"Receipt-Secret": secret} if shown else {}
    mine = UUID(record) if shown else None
    return Who(
        f"{role} {n}",
        Caller(world.http, headers),
        role,
        "own_report",
        own_case=UUID(seeded.book.case_id),
        record=mine,
    )
