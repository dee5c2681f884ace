"""Units that stand in every relation to one case: its area, a referral, an assistance notice, or none."""

from hub import admin, signing
from hub.demo.province import TYPES
from tests.world import AWAY, HOME, World, someone

ROLES = ("caseworker", "supervisor", "intake")
RELATIONS = {"involved": HOME, "territorial": "0t", "referred": "0r", "named": "0n", "none": AWAY}
SUPERIORS = ("police", "womens_federation", "joint_centre")


def code(relation: str, unit_type: str) -> str:
    return f"{RELATIONS.get(relation, '50')}-{unit_type}"


async def settle(world: World) -> None:
    """Add the units, people and systems that `tests/world.py` lacks; by their codes no report goes to them."""
    services = world.services
    if code("territorial", "police") in services.directory.codes:
        return
    units = [
        admin.NewUnit(code(relation, kind), f"{relation} {kind}", kind, HOME if relation == "territorial" else AWAY)
        for relation in ("territorial", "referred", "named")
        for kind in TYPES
    ]
    await admin.add_units(services, units)
    await admin.add_accounts(
        services, [admin.NewAccount(u.code, role, role, someone()["id_number"]) for u in units for role in ROLES]
    )
    for unit in units:
        world.people["pems"][unit.code] = signing.new_signing_key()
        jwks = {"keys": [signing.public_jwk(world.people["pems"][unit.code])]}
        await admin.add_client(services, unit.code, unit.code, jwks, "cases:read records:write")
