"""No forged, spoilt or misplaced token is taken, and none makes the hub fail (A29, A30).

Every attack goes to the token endpoint as a client assertion and to a case as an access token. Controls: tokens
made by another library are taken; a careless verifier takes the attacks; each guard removed is found out.
"""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import ECKey

from hub.api import auth
from hub.demo.replay import ASSERTION, client_assertion
from hub.signing import public_jwk
from tests.forge import ABSENT, Forge, careless, malleated, unb64
from tests.jose_attacks import attacks
from tests.world import HOME, World, call

CLIENT, OTHER = f"{HOME}-police", f"{HOME}-court"
Send = Callable[[str], Awaitable[int]]


async def exchange(world: World, assertion: str, **changes: str) -> httpx.Response:
    """The answer of the token endpoint to an assertion."""
    form = {"grant_type": "client_credentials", "client_assertion_type": ASSERTION, "client_assertion": assertion}
    return await world.http.post("/oauth/token", data=form | changes)


async def exchanged(world: World, assertion: str, **changes: str) -> int:
    return (await exchange(world, assertion, **changes)).status_code


async def shown(world: World, path: str, token: str) -> int:
    """The status of a case for an access token, by a bare socket: a client library would refuse to send some."""
    host, port = str(urlsplit(world.url).hostname), urlsplit(world.url).port
    reader, writer = await asyncio.open_connection(host, port)
    lines = [f"GET {path} HTTP/1.1", "Host: hub", "Connection: close", "On-Behalf-Of: caseworker"]
    lines += ["Purpose-Of-Use: case_handling", f"Authorization: Bearer {token}", "", ""]
    try:
        writer.write("\r\n".join(lines).encode())
        await writer.drain()
        return int((await reader.read()).split(b" ", 2)[1])
    finally:
        writer.close()
        await writer.wait_closed()


async def sweep(send: Send, tokens: dict[str, str], *, enough: int = 10**6) -> dict[str, int]:
    """The attacks that were not refused properly: taken, or answered by 5xx. Stops when it has found `enough`."""
    found: dict[str, int] = {}
    for name, token in tokens.items():
        if not 400 <= (status := await send(token)) < 500:
            found[name] = status
        if len(found) >= enough:
            break
    return found


@pytest.fixture(scope="module")
async def path(world: World) -> str:
    made = await (await world.agency("police")).filed("police_call", call())
    return f"/v1/cases/{made['case_id']}"


def client_forge(world: World) -> Forge:
    pem = world.people["pems"][CLIENT]
    header = {"alg": "ES256", "kid": public_jwk(pem)["kid"], "typ": "JWT"}
    other = public_jwk(world.people["pems"][OTHER])["kid"]
    return Forge(pem, header, {"iss": CLIENT, "sub": CLIENT, "aud": world.url}, OTHER, other)


def access_forge(world: World) -> Forge:
    """Tokens by the hub's own key: nobody has it, but a token of its must still be the right one for this use."""
    pem, client = world.services.vault.signing_key, client_forge(world)
    header = {"alg": "ES256", "kid": public_jwk(pem)["kid"], "typ": "at+jwt"}
    claims = {"iss": world.url, "sub": CLIENT, "aud": world.url, "scope": "cases:read"}
    claims["cnf"] = {"jkt": client.header["kid"]}
    return Forge(pem, header, claims, OTHER, client.header["kid"])


def misplaced(world: World) -> dict[str, str]:
    """Scope and binding of access tokens, wrong though signed by the hub."""
    forge, thumb = access_forge(world), public_jwk(world.people["pems"][OTHER])["kid"]
    values = {"scope": (1, ["cases:read"], "", "everything"), "cnf": ("x", [], {}, {"jkt": None}, {"jkt": thumb})}
    made = {f"{n} {v!r}": forge.claiming(**{n: v}) for n, given in values.items() for v in given}
    return made | {f"typ {typ}": forge.headed(typ=typ) for typ in ("JWT", "client-authentication+jwt", ABSENT)}


def by_joserfc(forge: Forge) -> str:
    """A good token by another library."""
    return jwt.encode(forge.header, forge.body(), ECKey.import_key(forge.pem), algorithms=["ES256"])


async def test_no_attack_is_taken_as_an_assertion(world: World) -> None:
    forge = client_forge(world)
    tokens = attacks(forge) | {
        "an access token": await world.token(CLIENT),
        "an access token by the hub's key": access_forge(world).token(),
        "typ at+jwt": forge.headed(typ="at+jwt"),
        "a session token": (await world.person("officer")).headers["Authorization"].removeprefix("Bearer "),
    }
    assert len(tokens) >= 300
    before = await _refusals(world)
    assert await exchanged(world, by_joserfc(forge)) == 200
    assert await sweep(lambda token: exchanged(world, token), tokens) == {}
    assert await exchanged(world, by_joserfc(forge)) == 200
    assert await _refusals(world) - before >= 300


async def _refusals(world: World) -> int:
    sql = "SELECT count(*) AS n FROM access_log WHERE act = 'login-fail'"
    found: int = (await world.services.database.audit.fetchrow(sql))["n"]
    return found


async def test_no_attack_is_taken_as_an_access_token(world: World, path: str) -> None:
    forge = access_forge(world)
    tokens = attacks(forge) | misplaced(world) | {"an assertion": client_forge(world).token()}
    tokens["an assertion for the token endpoint"] = client_forge(world).claiming(aud=f"{world.url}/oauth/token")
    assert len(tokens) >= 300
    assert await shown(world, path, by_joserfc(forge)) == 200
    assert await sweep(lambda token: shown(world, path, token), tokens) == {}
    assert await shown(world, path, by_joserfc(forge)) == 200


async def test_another_library_reads_what_the_hub_signs(world: World) -> None:
    """Access tokens verify by the published JWKS, carry typ and binding, and live 300 seconds."""
    (published,) = (await world.http.get("/oauth/jwks")).json()["keys"]
    assert "d" not in published
    token = jwt.decode(await world.token(CLIENT), ECKey.import_key(published), algorithms=["ES256"])
    assert token.header["typ"] == "at+jwt" and token.claims["exp"] - token.claims["iat"] == 300
    assert token.claims["cnf"] == {"jkt": public_jwk(world.people["pems"][CLIENT])["kid"]}


async def test_an_assertion_and_its_twin_are_good_once(world: World) -> None:
    forge = client_forge(world)
    good = forge.token()
    assert await exchanged(world, malleated(forge.token())) == 200, "control: the twin is a good signature"
    assert await exchanged(world, good) == 200
    assert [await exchanged(world, twin) for twin in (good, malleated(good))] == [401, 401]
    fresh = [forge.claiming(jti=json.loads(unb64(good.split(".")[1]))["jti"]) for _ in range(3)]
    assert [await exchanged(world, again) for again in fresh] == [401] * 3
    other = client_assertion(OTHER, world.people["pems"][OTHER], world.url)
    assert await exchanged(world, other) == 200, "a jti is spent per client"


async def test_a_malformed_request_for_a_token(world: World) -> None:
    """Right assertion, wrong request: refused, and the assertion is not spent by it."""
    good, words = client_forge(world).token(), {}
    for said, changes in {
        "unsupported_grant_type": {"grant_type": "password"},
        "invalid_request": {"grant_type": ""},
        "unsupported_grant_type ": {
            "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:saml2-bearer"
        },
        "invalid_request ": {"scope": "x" * 201},
    }.items():
        answer = await exchange(world, good, **changes)
        words[said] = (answer.status_code, answer.json()["error"], answer.json()["code"])
    assert words == {said: (400, said.strip(), said.strip()) for said in words}
    form = {"grant_type": "client_credentials", "client_assertion_type": ASSERTION, "client_assertion": good}
    assert (await world.http.post("/oauth/token", params=form)).status_code == 400
    assert (await world.http.post("/oauth/token", json=form)).status_code == 400
    assert await exchanged(world, good) == 200
    for scope in ("cases:read everything", "everything", "cases:READ"):
        answer = await exchange(world, client_forge(world).token(), scope=scope)
        assert (answer.status_code, answer.json()["error"]) == (400, "invalid_scope")
    assert await exchanged(world, client_forge(world).token(), scope="\x00") == 400
    answer = await exchange(world, good)
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client") and answer.json()[
        "error_description"
    ]


async def test_a_token_ends(world: World, path: str) -> None:
    """The hub remembers verified tokens, and still forgets them at `exp`."""
    forge = access_forge(world)
    token = forge.claiming(exp=int(time.time()) + 2)
    assert await shown(world, path, token) == 200
    await asyncio.sleep(2.1)
    assert await shown(world, path, token) == 401


def test_a_careless_verifier_takes_the_attacks(world: World) -> None:
    """Control: these attacks are attacks, not noise."""
    forge = client_forge(world)
    taken = [name for name, token in attacks(forge).items() if careless(token, forge.pem)]
    assert len(taken) >= 15


def _lenient(segment: str) -> Any:
    return json.loads(unb64(segment.rstrip("=")))


PLANTS: dict[str, dict[str, Any]] = {
    "other algorithms and no kid": {"_strict": lambda token, *_: tuple(_lenient(s) for s in token.split(".")[:2])},
    "sloppy segments": {"_part": _lenient},
    "duplicate members": {"_no_duplicates": dict},
    "floats": {"_refuse": float},
    "header members": {"HEADER_MEMBERS": {"alg", "kid", "typ", "crit", "b64", "zip", "jwk", "cty"}},
    "claims": {"_check_claims": lambda claims: None},
    "long life": {"LIFE_LIMIT": 10**9},
    "skew": {"SKEW": 1000},
    "types": {"ACCESS": ("at+jwt", *auth.ASSERTION)},
    "nesting": {"NESTING": 10**6},
    "size": {"SIZE_LIMIT": 10**6},
}


@pytest.mark.parametrize("plant", PLANTS)
async def test_a_missing_guard_is_found(world: World, path: str, plant: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Control: with one guard taken out, the same sweep reports something."""
    for name, value in PLANTS[plant].items():
        monkeypatch.setattr(auth, name, value)
    forged = misplaced(world) | attacks(access_forge(world))
    assert await sweep(lambda token: shown(world, path, token), forged, enough=1)


async def test_unspent_assertions_are_found(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Control: without the spending of `jti`, a replay is taken."""

    async def forgotten(*_: Any) -> None:
        return None

    monkeypatch.setattr(auth.Tokens, "_spend", forgotten)
    good = client_forge(world).token()
    assert [await exchanged(world, good) for _ in range(2)] == [200, 200]
