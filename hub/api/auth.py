"""Tokens: client assertions in, access tokens out; the only importer of python-jose.

python-jose accepts much that it should not. Everything here passes `_strict` first: size, canonical base64url,
no duplicate members, a header of `alg kid typ` only, ES256 only, key by exact issuer and kid, all registered
claims present and integral, life at most 300 seconds; then `jti` is spent in the database, once for all
processes (RFC 7523, RFC 8725).
"""

import base64
import binascii
import hashlib
import json
import math
import secrets
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from jose import jwt
from jose.exceptions import JOSEError

from hub import clock
from hub.audit.entry import Act
from hub.errors import OAuthRefused, ScopeRefused, TokenRefused, Unauthenticated
from hub.models.account import CASE_ROLES
from hub.people import ACCOUNT, Sessions, of_unit, subject_of
from hub.policies.gate import Gate
from hub.policies.services import Services
from hub.policies.subject import SYSTEM, Subject
from hub.signing import public_jwk, thumbprint

SIZE_LIMIT = 8 * 1024
LIFE_LIMIT = 300
SKEW = 30
FRESH_SECONDS = 5
HEADER_MEMBERS = {"alg", "kid", "typ"}
NESTING = 32
ASSERTION = (None, "JWT", "client-authentication+jwt")
ACCESS = ("at+jwt",)
"""What `typ` may say: an assertion is no access token, nor the reverse (RFC 8725 section 3.11)."""
REQUIRED = ("iss", "sub", "aud", "exp", "iat", "jti")


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise TokenRefused
    return made


def _refuse(_: str) -> Any:
    raise TokenRefused


def _part(segment: str) -> dict[str, Any]:
    """One base64url segment as a JSON object, read as strictly as the formats allow."""
    try:
        raw = base64.urlsafe_b64decode(segment + "=" * (-len(segment) % 4))
        if base64.urlsafe_b64encode(raw).rstrip(b"=").decode() != segment:
            raise TokenRefused
        if raw.count(b"{") + raw.count(b"[") > NESTING:
            raise TokenRefused
        value = json.loads(raw, object_pairs_hook=_no_duplicates, parse_float=_refuse, parse_constant=_refuse)
    except (ValueError, binascii.Error, RecursionError):
        raise TokenRefused from None
    if not isinstance(value, dict):
        raise TokenRefused
    return value


def _strict(token: str, types: tuple[str | None, ...]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Header and claims of a compact JWS that is fit to be verified; everything else is refused."""
    if not isinstance(token, str) or len(token) > SIZE_LIMIT or not token.isascii() or token.count(".") != 2:
        raise TokenRefused
    head, body, signature = token.split(".")
    header, claims = _part(head), _part(body)
    try:
        raw = base64.urlsafe_b64decode(signature + "=" * (-len(signature) % 4))
    except (ValueError, binascii.Error):
        raise TokenRefused from None
    canonical = base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
    if len(raw) != 64 or canonical != signature or not set(header) <= HEADER_MEMBERS:
        raise TokenRefused
    if header.get("alg") != "ES256" or header.get("typ") not in types or not isinstance(header.get("kid"), str):
        raise TokenRefused
    return header, claims


def _check_claims(claims: dict[str, Any]) -> None:
    for name in REQUIRED:
        if name not in claims:
            raise TokenRefused
    for name in ("iss", "sub", "aud", "jti"):
        value = claims[name]
        if not isinstance(value, str) or not 1 <= len(value) <= 256 or not value.isprintable():
            raise TokenRefused
    times = [claims["exp"], claims["iat"], claims.get("nbf", claims["iat"])]
    if any(type(t) is not int for t in times):
        raise TokenRefused
    expires, issued, begins = times
    now = clock.seconds()
    if not (issued - SKEW <= now < expires and begins - SKEW <= now and 0 < expires - issued <= LIFE_LIMIT):
        raise TokenRefused


def verify(
    token: str, keys: list[dict[str, Any]], types: tuple[str | None, ...], *, audience: str, issuer: str
) -> dict[str, Any]:
    """The claims of a good token. `keys` are the issuer's own JWKs; the one named by `kid` must fit exactly."""
    header, claims = _strict(token, types)
    fitting = [
        k
        for k in keys
        if k.get("kid") == header["kid"]
        and k.get("kty") == "EC"
        and k.get("crv") == "P-256"
        and k.get("use", "sig") == "sig"
        and k.get("alg", "ES256") == "ES256"
        and "d" not in k
    ]
    if len(fitting) != 1:
        raise TokenRefused
    _check_claims(claims)
    public = {name: fitting[0][name] for name in ("kty", "crv", "x", "y")} | {"alg": "ES256"}
    try:
        jwt.decode(token, public, algorithms=["ES256"], audience=audience, issuer=issuer)
    except (JOSEError, ValueError, TypeError, KeyError):
        raise TokenRefused from None
    return claims


def sign(claims: dict[str, Any], pem: str, *, kid: str, typ: str) -> str:
    """A compact JWS, ES256."""
    return str(jwt.encode(claims, pem, algorithm="ES256", headers={"kid": kid, "typ": typ}))


def _of_system(row: Any, key: str, scopes: frozenset[str]) -> dict[str, Any]:
    """What a subject has of the system that speaks."""
    return {"client_id": row["id"], "client_rev": row["rev"], "key": key, "scopes": scopes}


def _alone(row: Any, system: dict[str, Any]) -> Subject:
    """A system by itself."""
    return Subject(role=SYSTEM, **of_unit(row), **system)


@dataclass(slots=True)
class Known:
    """A verified access token: until when, for whom, and when its client was last looked up; by `clock.ticks`, which
    nobody sets back."""

    expires: float
    client_id: str
    scopes: frozenset[str]
    jkt: str
    looked_up: float = -math.inf
    row: Any = None
    subjects: dict[str, Subject] = field(default_factory=dict)


class Tokens:
    """Issue and recognise access tokens. Verification is done once per token and remembered by its hash."""

    def __init__(self, services: Services) -> None:
        self.services = services
        self.jwk = public_jwk(services.vault.signing_key)
        self._known: dict[bytes, Known] = {}
        self.sessions = Sessions(services)

    @property
    def issuer(self) -> str:
        return self.services.settings.issuer

    async def exchange(self, assertion: str, scope: str) -> dict[str, Any]:
        """A client assertion (`private_key_jwt`) for an access token bound to the client's key."""
        header, claims = _strict(assertion, ASSERTION)
        _check_claims(claims)
        audience, client = claims["aud"], await self._client(claims["iss"])
        if client is None or claims["sub"] != client["id"]:
            raise TokenRefused
        if audience not in (self.issuer, f"{self.issuer}/oauth/token"):
            raise TokenRefused
        verify(assertion, client["jwks"]["keys"], ASSERTION, audience=audience, issuer=client["id"])
        jkt = next(thumbprint(k) for k in client["jwks"]["keys"] if k.get("kid") == header["kid"])
        allowed = frozenset(client["scopes"].split())
        wanted = frozenset(scope.split()) or allowed
        try:
            await self._spend(client["id"], claims["jti"], claims["exp"])
            if not wanted <= allowed:
                raise ScopeRefused
        except OAuthRefused as refused:  # who it is, is known: a replay is found among what this system did
            system = _alone(client, _of_system(client, jkt, allowed))
            await Gate(self.services, system, None).enter_refusal(refused, Act.login_fail)
            raise
        now, life = clock.seconds(), self.services.settings.token_life
        claims = {"iss": self.issuer, "sub": client["id"], "aud": self.issuer, "iat": now, "exp": now + life}
        claims |= {"jti": secrets.token_hex(16), "scope": " ".join(sorted(wanted)), "cnf": {"jkt": jkt}}
        token = sign(claims, self.services.vault.signing_key, kid=self.jwk["kid"], typ="at+jwt")
        return {"access_token": token, "token_type": "Bearer", "expires_in": life, "scope": " ".join(sorted(wanted))}

    async def _client(self, client_id: str) -> Any:
        return await self.services.database.fetchrow(
            "SELECT k.id, k.unit_id, k.jwks, k.scopes, k.rev, u.code, u.type, u.area, u.path"
            " FROM client k JOIN unit u ON u.id = k.unit_id"
            " WHERE k.id = $1 AND k.disabled_at IS NULL AND u.disabled_at IS NULL",
            client_id,
        )

    async def _spend(self, client_id: str, jti: str, expires: int) -> None:
        hashed = hashlib.sha256(f"{client_id}\x00{jti}".encode()).digest()
        done = await self.services.database.execute(
            "INSERT INTO spent_assertion (jti_hash, expires_at) VALUES ($1, $2) ON CONFLICT DO NOTHING",
            hashed,
            clock.now() + timedelta(seconds=expires - clock.seconds() + SKEW),
        )
        if done != "INSERT 0 1":
            raise TokenRefused

    async def subject(self, token: str, on_behalf_of: str, *, asks: bool = False) -> Subject:
        """Who holds this token: a person's session, or a system, alone or for a person of its unit.

        `asks`: the verb itself asks whether a session still lives (`people.still_living`).
        """
        if token.count(".") != 2:
            return await self.sessions.subject(token, asks)
        known = await self._recognise(token)
        subjects = known.subjects  # of this look-up: the next has its own, and must not be given what is older
        subject = subjects.get(on_behalf_of)
        if subject is None:
            subject = subjects[on_behalf_of] = await self._subject(known, on_behalf_of)
        return subject

    async def _subject(self, known: Known, on_behalf_of: str) -> Subject:
        row, scopes = known.row, known.scopes & set(known.row["scopes"].split())  # as asked for, and as registered now
        system = _of_system(row, known.jkt, scopes)
        alone = _alone(row, system)
        if not on_behalf_of:
            return alone
        try:
            return subject_of(await self._person(row, on_behalf_of), **system)
        except Unauthenticated as refused:  # who the system is, is known: this refusal is an access
            await Gate(self.services, alone, None).enter_refusal(refused)
            raise

    async def _recognise(self, token: str) -> Known:
        """A token seen before costs one hash; its client is looked up again after five seconds."""
        hashed, now = hashlib.sha256(token.encode()).digest(), clock.ticks()
        known = self._known.get(hashed)
        if known is None:
            try:
                claims = verify(token, [self.jwk], ACCESS, audience=self.issuer, issuer=self.issuer)
                scopes, jkt = frozenset(claims["scope"].split()), claims["cnf"]["jkt"]
            except (TokenRefused, KeyError, TypeError, AttributeError):
                raise Unauthenticated from None
            known = Known(now + claims["exp"] - clock.seconds(), claims["sub"], scopes, jkt)
            self._forget(now)
            self._known[hashed] = known
        if known.expires <= now:
            raise Unauthenticated
        if now - known.looked_up >= FRESH_SECONDS:
            row = await self._client(known.client_id)
            if row is not None and row["unit_id"] not in self.services.directory.units:
                await self.services.directory.refresh()
            held = [thumbprint(k) for k in row["jwks"]["keys"]] if row is not None else []
            known.row, known.looked_up, known.subjects = row if known.jkt in held else None, now, {}
        if known.row is None:
            raise Unauthenticated
        return known

    def _forget(self, now: float) -> None:
        if len(self._known) > 10_000:
            self._known = {h: k for h, k in self._known.items() if k.expires > now}

    async def _person(self, client: Any, name: str) -> Any:
        """The account that the agency imported under this name; the request is refused without one, or when the
        system is disabled meanwhile: a read would ask that itself, a submission does not.

        An administrator comes with a password and second factor or not at all: no system speaks for one.
        """
        if not name.isprintable():
            raise Unauthenticated
        sql = ACCOUNT + (
            " a.unit_id = $1 AND a.name = $2 AND EXISTS"
            " (SELECT FROM client k WHERE k.id = $3 AND k.rev = $4 AND k.disabled_at IS NULL)"
        )
        row = await self.services.database.fetchrow(sql, client["unit_id"], name, client["id"], client["rev"])
        if row is None or row["role"] not in CASE_ROLES:
            raise Unauthenticated("On-Behalf-Of 所指人员未登记。", "On-Behalf-Of names no account of your unit.")
        return row
