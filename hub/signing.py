"""Keys that sign: P-256 pairs as PEM and as JWK. What is sealed and hashed is in `hub/keys.py`."""

import base64
import hashlib
import json
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec


def new_signing_key() -> str:
    """A fresh P-256 private key, PEM (PKCS 8)."""
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return ec.generate_private_key(ec.SECP256R1()).private_bytes(*form).decode()


def public_jwk(pem: str) -> dict[str, str]:
    """The public JWK (RFC 7517) of a P-256 private key, with its RFC 7638 thumbprint as `kid`. Raises `ValueError`."""
    private = serialization.load_pem_private_key(pem.encode(), None)
    if not isinstance(private, ec.EllipticCurvePrivateKey):
        raise ValueError("no EC key")
    numbers = private.public_key().public_numbers()
    jwk = {"kty": "EC", "crv": "P-256"}
    for name, value in (("x", numbers.x), ("y", numbers.y)):
        jwk[name] = base64.urlsafe_b64encode(value.to_bytes(32, "big")).rstrip(b"=").decode()
    return jwk | {"kid": thumbprint(jwk), "use": "sig", "alg": "ES256"}


def thumbprint(jwk: dict[str, Any]) -> str:
    """RFC 7638, SHA-256, base64url."""
    canonical = json.dumps({k: jwk[k] for k in ("crv", "kty", "x", "y")}, separators=(",", ":"), sort_keys=True)
    return base64.urlsafe_b64encode(hashlib.sha256(canonical.encode()).digest()).rstrip(b"=").decode()
