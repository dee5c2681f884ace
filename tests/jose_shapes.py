"""Attacks on the outer form of a compact token: segments, sizes, signatures, encrypted twins."""

import os
import warnings
from collections.abc import Iterator

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from joserfc import jwe
from joserfc.jwk import ECKey, OctKey

from tests.forge import ORDER, Forge, b64, encoded, es256, private, public_forms, unb64

Attack = tuple[str, str]
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


def sloppy(segment: str) -> str:
    """The same bytes with other unused bits in the last character (RFC 4648 section 3.5)."""
    return next(
        segment[:-1] + last for last in ALPHABET if last != segment[-1] and unb64(segment[:-1] + last) == unb64(segment)
    )


def _segments(forge: Forge) -> tuple[str, str]:
    """Good header and payload, padded with blanks so that each leaves bits unused."""
    parts = [encoded(forge.head()), encoded(forge.body())]
    head, body = (b64(part + b" " * ((1 - len(part)) % 3)) for part in parts)
    return head, body


def _signed(forge: Forge, head: str, body: str) -> str:
    return f"{head}.{body}.{b64(es256(forge.pem)(f'{head}.{body}'.encode()))}"


def encodings(forge: Forge) -> Iterator[Attack]:
    """Base64url that is not canonical, each signed as it stands, so that only the form is wrong."""
    head, body = _segments(forge)
    for name, changed in (
        ("other unused bits", sloppy),
        ("padding", lambda s: s + "=="),
        ("one pad", lambda s: s + "="),
        ("a line break", lambda s: f"{s[:9]}\n{s[9:]}"),
        ("a blank", lambda s: f"{s[:9]} {s[9:]}"),
        ("a trailing blank", lambda s: s + " "),
        ("a foreign character", lambda s: f"{s[:9]}!{s[9:]}"),
        ("a wide character", lambda s: s[:9] + "Ａ" + s[9:]),
        ("a zero byte", lambda s: s[:9] + "\x00" + s[9:]),
        ("one character more", lambda s: s + "AAA"),
    ):
        yield f"header with {name}", _signed(forge, changed(head), body)
        yield f"payload with {name}", _signed(forge, head, changed(body))
        signing, _, signature = _signed(forge, head, body).rpartition(".")
        yield f"signature with {name}", f"{signing}.{changed(signature)}"
    other = str.maketrans("-_", "+/")
    body = b64(encoded(forge.body(x="~~~~~~")))
    yield "payload in the other alphabet", _signed(forge, head, body.translate(other))
    good = next(t for t in iter(forge.token, "") if set(t.rpartition(".")[2]) & set("-_"))
    signing, _, signature = good.rpartition(".")
    yield "signature in the other alphabet", f"{signing}.{signature.translate(other)}"


def shapes(forge: Forge) -> Iterator[Attack]:
    """More or fewer segments, other serialisations, and encrypted twins."""
    good = forge.token()
    head, body, signature = good.split(".")
    yield "no signature", f"{head}.{body}"
    yield "empty signature", f"{head}.{body}."
    yield "empty payload", f"{head}..{signature}"
    yield "empty header", f".{body}.{signature}"
    yield "three empty segments", ".."
    yield "dots alone", "." * 500
    yield "one segment", head
    yield "four segments", f"{good}.{signature}"
    yield "a trailing dot", f"{good}."
    yield "a leading dot", f".{good}"
    yield "twice", f"{good}.{good}"
    yield "wide full stops", good.replace(".", "。")
    yield "percent-encoded dots", good.replace(".", "%2E")
    yield "a blank behind", f"{good} "
    yield "a comma and another", f"{good},{good}"
    yield "flattened JSON", f'{{"protected":"{head}","payload":"{body}","signature":"{signature}"}}'
    yield "general JSON", f'{{"payload":"{body}","signatures":[{{"protected":"{head}","signature":"{signature}"}}]}}'
    yield "five segments", f"{head}.{body}.{signature}.{body}.{signature}"
    yield from _encrypted(forge)


def _encrypted(forge: Forge) -> Iterator[Attack]:
    """JWE with the public key, a bomb among them: a kilobyte that inflates to four megabytes."""
    public, kid = ECKey.import_key(public_forms(forge.pem)["PEM"]), forge.header["kid"]
    shared = OctKey.import_key(os.urandom(16))
    bomb = encoded(forge.body())[:-1] + b',"x":"' + b"0" * 4_000_000 + b'"}'
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        known = jwe.JWERegistry(algorithms=["ECDH-ES", "dir", "A128GCM", "DEF"])
        for name, header, text, key in (
            ("JWE", {"alg": "ECDH-ES", "enc": "A128GCM"}, forge.token().encode(), public),
            ("JWE bomb", {"alg": "ECDH-ES", "enc": "A128GCM", "zip": "DEF"}, bomb, public),
            ("JWE dir bomb", {"alg": "dir", "enc": "A128GCM", "zip": "DEF"}, bomb, shared),
        ):
            yield name, jwe.encrypt_compact(header | {"kid": kid}, text, key, registry=known)
    yield "JWE without key", f"{b64(encoded({'alg': 'dir', 'enc': 'A128GCM', 'kid': kid}))}.." + "AAAA.AAAA.AAAA"


def sizes(forge: Forge) -> Iterator[Attack]:
    """Above 8 KB, though sound in every other way."""
    for size in (8 * 1024, 20_000, 50_000):
        yield f"{size} bytes of payload", forge.claiming(filler="x" * size)
    yield "a long header", forge.headed(kid=forge.header["kid"] + "k" * 9000)
    yield "a long signature", forge.token() + "A" * 9000
    yield "dots, 9,000", "." * 9000


def signatures(forge: Forge) -> Iterator[Attack]:
    """Not 64 bytes, DER, numbers out of range (CVE-2022-21449), swapped, or over something else."""
    good = forge.token()
    signing, _, last = good.rpartition(".")
    raw = unb64(last)
    r, s, n, zero = raw[:32], raw[32:], ORDER.to_bytes(32, "big"), bytes(32)
    for name, value in (
        ("truncated", raw[:63]),
        ("lengthened", raw + b"\x00"),
        ("led by zero", b"\x00" + raw),
        ("halved", r),
        ("doubled", raw + raw),
        ("DER", private(forge.pem).sign(signing.encode(), ec.ECDSA(hashes.SHA256()))),
        ("r and s zero", zero + zero),
        ("r zero", zero + s),
        ("s zero", r + zero),
        ("r is the order", n + s),
        ("s is the order", r + n),
        ("both the order", n + n),
        ("both one", (b"\x00" * 31 + b"\x01") * 2),
        ("both 2^256 - 1", b"\xff" * 64),
        ("swapped", s + r),
        ("little-endian", r[::-1] + s[::-1]),
        ("one bit off", raw[:-1] + bytes([raw[-1] ^ 1])),
        ("inverted", bytes(b ^ 255 for b in raw)),
        ("over the payload alone", es256(forge.pem)(signing.partition(".")[2].encode())),
        ("over the decoded form", es256(forge.pem)(b".".join(unb64(part) for part in signing.split(".")))),
        ("of another token", unb64(forge.token().rpartition(".")[2])),
    ):
        yield f"signature {name}", f"{signing}.{b64(value)}"


def alterations(forge: Forge) -> Iterator[Attack]:
    """A good signature above a header or payload changed afterwards."""
    head, body, last = forge.token().split(".")
    for name, value in (("exp", forge.body()["exp"] + 100), ("sub", forge.other_client), ("scope", "everything")):
        yield f"{name} changed afterwards", f"{head}.{b64(encoded(forge.body(**{name: value})))}.{last}"
    yield "typ dropped afterwards", f"{b64(encoded(forge.head(typ=...)))}.{body}.{last}"
    yield "blank added afterwards", f"{b64(unb64(head) + b' ')}.{body}.{last}"
