"""Attacks on a verifier of compact JWS, each wrong in one place (RFC 8725, RFC 7515 to 7519).

`attacks(forge)` gives them by name, for a client assertion as for an access token.
"""

import json
import time
import zlib
from collections.abc import Iterator
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa

from hub.signing import public_jwk
from tests.forge import ABSENT, Forge, always, b64, ecdsa, encoded, es256, mac, private, public_forms
from tests.jose_shapes import Attack, alterations, encodings, shapes, signatures, sizes


def attacks(forge: Forge) -> dict[str, str]:
    """All attacks by name. Names and tokens are distinct."""
    groups = (
        algorithms,
        confusions,
        foreign_algorithms,
        keys,
        headers,
        broken_json,
        missing,
        mistyped,
        times,
        audiences,
        names,
        encodings,
        shapes,
        sizes,
        signatures,
        alterations,
    )
    made = [attack for group in groups for attack in group(forge)]
    found = dict(made)
    assert len(found) == len(made) == len(set(found.values()))
    return found


def algorithms(forge: Forge) -> Iterator[Attack]:
    """`alg` none in every spelling, and values that are no algorithm."""
    for name in ("none", "None", "NONE", "nOnE"):
        yield f"alg {name}", forge.token(forge.head(alg=name), sign=always(b""))
        yield f"alg {name}, signed", forge.headed(alg=name)
    for value in ("", "es256", "ES256 ", "ES256\x00", "ES512", None, 0, True, ["ES256"], {"alg": "ES256"}):
        yield f"alg value {value!r}", forge.headed(alg=value)
    yield "alg missing", forge.headed(alg=ABSENT)
    yield "alg missing, unsigned", forge.token(forge.head(alg=ABSENT), sign=always(b""))


def confusions(forge: Forge) -> Iterator[Attack]:
    """The public key taken for an HMAC secret (CVE-2015-9235, CVE-2024-33663)."""
    for name, secret in public_forms(forge.pem).items():
        yield f"HS256 with {name}", forge.token(forge.head(alg="HS256"), sign=mac(secret))
    pem = public_forms(forge.pem)["PEM"]
    yield "HS384 with PEM", forge.token(forge.head(alg="HS384"), sign=mac(pem, "sha384"))
    yield "HS512 with PEM", forge.token(forge.head(alg="HS512"), sign=mac(pem, "sha512"))
    yield "HMAC under alg ES256", forge.token(sign=mac(pem))
    yield "HMAC of 64 bytes under alg ES256", forge.token(sign=mac(pem, "sha512"))


def foreign_algorithms(forge: Forge) -> Iterator[Attack]:
    """Sound signatures of other algorithms."""
    rsa_key, edwards = rsa.generate_private_key(65537, 2048), ed25519.Ed25519PrivateKey.generate()
    pss = padding.PSS(padding.MGF1(hashes.SHA256()), 32)
    signers: dict[str, Any] = {
        "RS256": lambda data: rsa_key.sign(data, padding.PKCS1v15(), hashes.SHA256()),
        "PS256": lambda data: rsa_key.sign(data, pss, hashes.SHA256()),
        "EdDSA": edwards.sign,
        "ES384": ecdsa(ec.generate_private_key(ec.SECP384R1()), hashes.SHA384(), 48),
        "ES256K": ecdsa(ec.generate_private_key(ec.SECP256K1()), hashes.SHA256(), 32),
    }
    for name, signer in signers.items():
        yield name, forge.token(forge.head(alg=name), sign=signer)
        yield f"{name} under alg ES256", forge.token(sign=signer)
    yield "ES256 with SHA-384", forge.token(sign=ecdsa(private(forge.pem), hashes.SHA384(), 32))


def keys(forge: Forge) -> Iterator[Attack]:
    """Which key: foreign, another's, brought along, or named by a kid that reaches elsewhere."""
    foreign = public_jwk(forge.foreign)
    by_foreign = es256(forge.foreign)
    yield "foreign key, right kid", forge.token(sign=by_foreign)
    yield "foreign key, its own kid", forge.token(forge.head(kid=foreign["kid"]), sign=by_foreign)
    yield (
        "foreign issuer, foreign key",
        forge.token(
            forge.head(kid=foreign["kid"]), forge.body(iss="https://elsewhere.example", sub="stranger"), by_foreign
        ),
    )
    yield "kid of another", forge.headed(kid=forge.other_kid)
    for name, value in (("jwk", foreign), ("jku", "https://127.0.0.1:1/jwks"), ("x5u", "https://127.0.0.1:1/x")):
        yield f"{name} brought along", forge.token(forge.head(**{name: value}), sign=by_foreign)
        yield f"{name} instead of kid", forge.token(forge.head(kid=ABSENT, **{name: value}), sign=by_foreign)
    yield "jwk of its own", forge.headed(jwk=public_jwk(forge.pem))
    yield "x5c brought along", forge.token(forge.head(x5c=["MIIB"]), sign=by_foreign)
    kid = str(forge.header["kid"])
    reaching = ["", " ", "*", "%", kid + " ", " " + kid, kid + "\x00", kid + "\n", kid.swapcase(), kid[:-1], kid + "="]
    reaching += ["../../../../dev/null", "/etc/passwd", "' OR '1'='1", "x' UNION SELECT 'secret'--", "$(id)", "\ud800"]
    reaching += ["http://127.0.0.1:1/key", "ⓀⒾⒹ", "k" * 4000, None, 0, -1, True, 1.5, [kid], {"kid": kid}]
    for n, value in enumerate(reaching):
        yield f"kid {n}: {ascii(value)[:50]}", forge.headed(kid=value)
    yield "kid missing", forge.headed(kid=ABSENT)


def headers(forge: Forge) -> Iterator[Attack]:
    """Members that change what a signature means, and types for other uses."""
    yield "crit exp", forge.headed(crit=["exp"])
    yield "crit empty", forge.headed(crit=[])
    yield "crit unknown", forge.headed(crit=["urn:x"], **{"urn:x": True})
    yield "crit null", forge.headed(crit=None)
    yield "b64 false", forge.headed(b64=False)
    yield "b64 true", forge.headed(b64=True)
    head, body = encoded(forge.head(b64=False, crit=["b64"])), encoded(forge.body())
    signature = b64(es256(forge.pem)(b64(head).encode() + b"." + body))
    yield "b64 false, payload encoded after", f"{b64(head)}.{b64(body)}.{signature}"
    yield "b64 false, payload bare", f"{b64(head)}.{body.decode()}.{signature}"
    yield "b64 false, payload detached", f"{b64(head)}..{signature}"
    yield "zip", forge.token(forge.head(zip="DEF"), zlib.compress(body)[2:-4])
    for name, value in (("cty", "JWT"), ("enc", "A256GCM"), ("x5t", "AAAA"), ("p2c", 10**9), ("kids", []), ("iss", "")):
        yield f"header member {name}", forge.headed(**{name: value})
    for value in ("JWE", "secevent+jwt", "dpop+jwt", "jwt", "", 1, ["JWT"], {}, True):
        yield f"typ {value!r}", forge.headed(typ=value)
    yield "nested JWT", forge.token(claims=forge.token().encode())


def _twice(part: dict[str, Any], name: str, value: Any, *, first: bool) -> bytes:
    """An object with one member twice, the other value before or after the good one."""
    extra = f"{json.dumps(name)}:{json.dumps(value)}"
    text = json.dumps(part)
    return (f"{{{extra},{text[1:]}" if first else f"{text[:-1]},{extra}}}").encode()


def broken_json(forge: Forge) -> Iterator[Attack]:
    """Duplicate members, and JSON that parsers read differently (RFC 8259 section 4)."""
    for name, value in (("alg", "none"), ("kid", forge.other_kid), ("alg", "ES256")):
        for first in (True, False):
            yield f"header {name} {value} twice {first}", forge.token(_twice(forge.head(), name, value, first=first))
    far = int(time.time()) + 10**8
    for name, value in (("exp", far), ("iss", forge.other_client), ("sub", forge.other_client), ("aud", "x")):
        for first in (True, False):
            yield f"{name} twice {first}", forge.token(claims=_twice(forge.body(), name, value, first=first))
    yield "the same jti twice", forge.token(claims=_twice(b := forge.body(), "jti", b["jti"], first=True))
    yield "a duplicate deep inside", forge.token(claims=encoded(forge.body())[:-1] + b',"x":[{"a":1,"a":2}]}')
    for name, raw in (("array", b"[]"), ("string", b'"x"'), ("number", b"1"), ("null", b"null"), ("empty", b"")):
        yield f"header is {name}", forge.token(raw)
        yield f"payload is {name}", forge.token(claims=raw)
    good = encoded(forge.body())
    for name, raw in (
        ("NaN", good[:-1] + b',"x":NaN}'),
        ("Infinity", good[:-1] + b',"x":-Infinity}'),
        ("trailing comma", good[:-1] + b",}"),
        ("two objects", good + good),
        ("comment", good + b"/**/"),
        ("byte order mark", b"\xef\xbb\xbf" + good),
        ("UTF-16", good.decode().encode("utf-16")),
        ("invalid UTF-8", good[:-1] + b',"x":"\xff\xfe"}'),
        ("bare control character", good[:-1] + b',"x":"\x00"}'),
        ("number of 5,000 digits", good[:-1] + b',"x":' + b"9" * 5000 + b"}"),
        ("lists 2,500 deep", good[:-1] + b',"x":' + b"[" * 2500 + b"]" * 2500 + b"}"),
        ("objects 900 deep", good[:-1] + b',"x":' + b'{"":' * 900 + b"1" + b"}" * 900 + b"}"),
    ):
        yield f"payload: {name}", forge.token(claims=raw)


def missing(forge: Forge) -> Iterator[Attack]:
    for name in forge.body():
        yield f"{name} missing", forge.claiming(**{name: ABSENT})
        yield f"{name} null", forge.claiming(**{name: None})
    yield "no claims", forge.token(claims={})


def mistyped(forge: Forge) -> Iterator[Attack]:
    now = int(time.time())
    for value in (str(now + 60), now + 60.5, 1e300, True, [now + 60], {}, -1, 0, "", 10**4000, -(10**400), "∞"):
        yield f"exp {str(value)[:12]!r} {type(value).__name__}", forge.claiming(exp=value)
    for value in (str(now), float(now), 1e300, True, [now], {}, -1, 0, -(10**4000)):
        yield f"iat {str(value)[:12]!r} {type(value).__name__}", forge.claiming(iat=value)
    for value in (str(now), float(now), 1e300, False, [now], now + 120, 10**300):
        yield f"nbf {str(value)[:12]!r} {type(value).__name__}", forge.claiming(nbf=value)
    yield "exp 1E400", forge.token(claims=encoded(forge.body(exp=ABSENT))[:-1] + b',"exp":1E400}')
    for name in ("iss", "sub", "jti"):
        good = forge.body()[name]
        for value in ("", 1, True, [good], {"": good}, good * 9 + "x" * 257, "\ud800"):
            yield f"{name} {str(value)[:20]!r} {type(value).__name__}", forge.claiming(**{name: value})


def times(forge: Forge) -> Iterator[Attack]:
    now = int(time.time())
    yield "expired", forge.claiming(iat=now - 120, exp=now - 60)
    yield "expires now", forge.claiming(exp=now)
    yield "expires before issued", forge.claiming(iat=now + 20, exp=now + 10)
    yield "issued in the future", forge.claiming(iat=now + 120, exp=now + 180)
    yield "lifetime 301", forge.claiming(exp=now + 301)
    yield "lifetime of an old one", forge.claiming(iat=now - 1000, exp=now + 60)
    yield "year 9999", forge.claiming(exp=253402300799)
    yield "milliseconds", forge.claiming(iat=now * 1000, exp=(now + 60) * 1000)
    yield "64 bits and more", forge.claiming(exp=2**64 + now)


def audiences(forge: Forge) -> Iterator[Attack]:
    aud = str(forge.claims["aud"])
    for value in ([aud], [aud, "https://elsewhere.example"], [], "", {}, 1, True, "https://elsewhere.example", "*"):
        yield f"aud {value!r}", forge.claiming(aud=value)
    for value in (aud + "/", aud.upper(), aud + "/v1", aud + ".evil.example", aud[:-1], aud + "\x00", " " + aud):
        yield f"aud {value!r} near", forge.claiming(aud=value)


def names(forge: Forge) -> Iterator[Attack]:
    other = forge.other_client
    yield "iss of another", forge.claiming(iss=other)
    yield "sub of another", forge.claiming(sub=other)
    yield "iss and sub of another", forge.claiming(iss=other, sub=other)
    yield (
        "iss and sub of another, its kid",
        forge.token(forge.head(kid=forge.other_kid), forge.body(iss=other, sub=other)),
    )
    for value in (
        "nobody",
        forge.claims["iss"] + "\x00",
        forge.claims["iss"].swapcase() + " ",
        "' OR 1=1 --",
        "%",
        "\x00",
    ):
        yield f"iss and sub {value!r}", forge.claiming(iss=value, sub=value)
        yield f"sub {value!r} alone", forge.claiming(sub=value)
