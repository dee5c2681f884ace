"""Compact JOSE tokens built byte by byte, without the library that the hub verifies with."""

import base64
import hashlib
import hmac
import json
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from hub.signing import new_signing_key, public_jwk

ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
ABSENT: Any = ...
"""As a member's value: leave the member out."""
Signer = Callable[[bytes], bytes]
Part = dict[str, Any] | bytes


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def unb64(segment: str) -> bytes:
    return base64.urlsafe_b64decode(segment + "=" * (-len(segment) % 4))


def encoded(part: Part) -> bytes:
    return part if isinstance(part, bytes) else json.dumps(part, separators=(",", ":")).encode()


def private(pem: str) -> ec.EllipticCurvePrivateKey:
    key = serialization.load_pem_private_key(pem.encode(), None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    return key


def ecdsa(key: ec.EllipticCurvePrivateKey, algorithm: hashes.HashAlgorithm, size: int) -> Signer:
    """JWS signatures: r and s side by side (RFC 7518 section 3.4)."""

    def signed(data: bytes) -> bytes:
        r, s = decode_dss_signature(key.sign(data, ec.ECDSA(algorithm)))
        return r.to_bytes(size, "big") + s.to_bytes(size, "big")

    return signed


def es256(pem: str) -> Signer:
    return ecdsa(private(pem), hashes.SHA256(), 32)


def mac(secret: bytes, name: str = "sha256") -> Signer:
    return lambda data: hmac.digest(secret, data, name)


def always(signature: bytes) -> Signer:
    return lambda data: signature


def malleated(token: str) -> str:
    """The twin of an ECDSA signature, (r, n - s): as valid as the first."""
    signing, _, signature = token.rpartition(".")
    raw = unb64(signature)
    s = ORDER - int.from_bytes(raw[32:], "big")
    return f"{signing}.{b64(raw[:32] + s.to_bytes(32, 'big'))}"


def public_forms(pem: str) -> dict[str, bytes]:
    """Every spelling of a public key that a confused verifier might take for an HMAC secret."""
    public = private(pem).public_key()
    spki = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    jwk = public_jwk(pem)
    bare = {name: jwk[name] for name in ("crv", "kty", "x", "y")}
    return {
        "PEM": spki,
        "PEM without newline": spki.strip(),
        "DER": public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
        "point": public.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint),
        "compressed point": public.public_bytes(Encoding.X962, PublicFormat.CompressedPoint),
        "JWK": json.dumps(jwk).encode(),
        "canonical JWK": json.dumps(bare, separators=(",", ":"), sort_keys=True).encode(),
        "x": jwk["x"].encode(),
        "kid": jwk["kid"].encode(),
        "nothing": b"",
    }


@dataclass(frozen=True, slots=True)
class Forge:
    """A genuine key and the good header and claims, to be spoilt in one place at a time.

    `foreign` is the attacker's key, registered nowhere; `other_client` and `other_kid` are registered, another's.
    """

    pem: str
    header: dict[str, Any]
    claims: dict[str, Any]
    other_client: str
    other_kid: str
    foreign: str = field(default_factory=new_signing_key)

    def head(self, **changes: Any) -> dict[str, Any]:
        return {k: v for k, v in (self.header | changes).items() if v is not ABSENT}

    def body(self, **changes: Any) -> dict[str, Any]:
        now = int(time.time())
        fresh = self.claims | {"iat": now, "exp": now + 60, "jti": uuid.uuid4().hex} | changes
        return {k: v for k, v in fresh.items() if v is not ABSENT}

    def token(self, header: Part | None = None, claims: Part | None = None, sign: Signer | None = None) -> str:
        """A compact JWS; whatever is not given is good."""
        parts = [self.header if header is None else header, self.body() if claims is None else claims]
        signing = ".".join(b64(encoded(part)) for part in parts)
        return f"{signing}.{b64((sign or es256(self.pem))(signing.encode()))}"

    def headed(self, **changes: Any) -> str:
        return self.token(self.head(**changes))

    def claiming(self, **changes: Any) -> str:
        return self.token(claims=self.body(**changes))


def careless(token: str, pem: str) -> bool:
    """A verifier that does what the header says and knows every key: the attacks' control."""
    signing, _, signature = token.rpartition(".")
    try:
        header = json.loads(unb64(signing.partition(".")[0]))
        raw, algorithm = unb64(signature), str(header["alg"]).lower()
    except (ValueError, KeyError, TypeError):
        return False
    if algorithm == "none":
        return not raw
    if algorithm == "hs256":
        macs = [hmac.digest(secret, signing.encode(), hashlib.sha256) for secret in public_forms(pem).values()]
        return raw in macs
    jwk = header.get("jwk")
    return bool(jwk) and algorithm == "es256" and _verifies(jwk, signing.encode(), raw)


def _verifies(jwk: dict[str, str], data: bytes, raw: bytes) -> bool:
    """Is this an ES256 signature by the key that came along?"""
    numbers = ec.EllipticCurvePublicNumbers(*(int.from_bytes(unb64(jwk[n]), "big") for n in "xy"), ec.SECP256R1())
    r, s = int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big")
    try:
        numbers.public_key().verify(encode_dss_signature(r, s), data, ec.ECDSA(hashes.SHA256()))
    except InvalidSignature:
        return False
    return True
