"""Sessions of people: how they end, and that nobody makes one but by logging in."""

import hashlib

from hub import clock
from tests import enrol
from tests.enrol import Login
from tests.test_people import knows
from tests.world import Caller, World


async def age(world: World, login: Login, minutes: int) -> None:
    """Let the sessions of somebody have been idle for so long."""
    sql = "UPDATE session SET seen_at = now() - $2 * interval '1 minute' WHERE account_id = $1"
    await world.services.database.execute(sql, login.id, minutes)


async def test_an_idle_session_ends(world: World) -> None:
    somebody = await enrol.person(world)
    caller = await somebody.enters()
    assert await knows(caller) == 200
    await age(world, somebody, 29)
    assert await knows(caller) == 200, "control: and being seen keeps it alive"
    row = await world.services.database.fetchrow("SELECT seen_at FROM session WHERE account_id = $1", somebody.id)
    assert (clock.now() - row["seen_at"]).total_seconds() < 60
    await age(world, somebody, 31)
    assert [await knows(caller), await knows(caller)] == [401, 401]
    assert await knows(await somebody.enters()) == 200


async def test_a_session_ends_after_twelve_hours_however_busy(world: World) -> None:
    somebody = await enrol.person(world)
    caller = await somebody.enters()
    began = "UPDATE session SET opened_at = now() - $2 * interval '1 minute' WHERE account_id = $1"
    await world.by_hand(began, somebody.id, 12 * 60 - 1)
    assert await knows(caller) == 200, "control"
    await world.by_hand(began, somebody.id, 12 * 60)
    assert [await knows(caller), await knows(caller)] == [401, 401]


async def test_a_session_made_in_the_database_is_none(world: World) -> None:
    """Who has the service's role in the database has not the key under which tokens are kept."""
    somebody, token = await enrol.person(world), "t" * 43
    sql = "INSERT INTO session (token_hash, account_id, opened_at, seen_at) VALUES ($1, $2, now(), now())"
    caller = Caller(world.http, {"Authorization": f"Bearer {token}", "Purpose-Of-Use": "case_handling"})
    await world.services.database.execute(sql, hashlib.sha256(token.encode()).digest(), somebody.id)
    assert await knows(caller) == 401
    await world.services.database.execute(sql, world.services.vault.lookup("session", token), somebody.id)
    assert await knows(caller) == 200, "control"


async def test_a_token_is_no_session_to_leave(world: World) -> None:
    police = await world.agency("police")
    assert (await police.send("DELETE", "/v1/sessions/current")).status_code == 404
    assert await knows(police) == 200


async def test_logout_ends_one_session(world: World) -> None:
    somebody = await enrol.person(world)
    one, two = await somebody.enters(), await somebody.enters()
    assert (await one.send("DELETE", "/v1/sessions/current")).status_code == 204
    assert (await knows(one), await knows(two)) == (401, 200)
    assert (await one.send("DELETE", "/v1/sessions/current")).status_code == 401
