"""Public keys as agencies hand them in (RFC 7517): what is wrong with them, in words."""

import base64
import binascii
from typing import Any, TypeAlias

from hub.signing import thumbprint

Wrong: TypeAlias = tuple[str, str] | None
"""What is wrong, in Chinese and in English."""
MOST = 4
_P = 2**256 - 2**224 + 2**192 + 2**96 - 1
_B = 0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B
"""P-256 (NIST SP 800-186): y^2 = x^3 - 3x + b."""


def wrong_set(jwks: Any) -> Wrong:
    """What is wrong with a set: 1 to 4 public keys, told apart by their `kid`."""
    found = jwks.get("keys") if isinstance(jwks, dict) else None
    if not isinstance(found, list) or not 1 <= len(found) <= MOST:
        return f'须为 {{"keys": […]}}，含1至{MOST}个公钥', f'must be {{"keys": [...]}} with 1 to {MOST} public keys'
    for number, key in enumerate(found, 1):
        if wrong := wrong_key(key):
            return f"第{number}个公钥{wrong[0]}", f"key {number} {wrong[1]}"
    if len({key["kid"] for key in found}) < len(found):
        return "有两个公钥的 kid 相同，须各不相同", "two keys have the same kid; each needs its own"
    return None


def wrong_key(key: Any) -> Wrong:
    """What is wrong with one key. Nothing of it is repeated: it may be a private one."""
    if not isinstance(key, dict):
        return "不是 JSON 对象", "is no JSON object"
    if "d" in key:
        return (
            "含私钥（d）：只登记公钥；此私钥已外泄，请换新",
            "has its private part (d): hand in the public part of a new key",
        )
    if key.get("kty") != "EC" or key.get("crv") != "P-256":
        return "不是 P-256（须 kty 为 EC、crv 为 P-256）", "is not P-256 (kty EC, crv P-256)"
    if not isinstance(key.get("kid"), str) or not 1 <= len(key["kid"]) <= 128 or not key["kid"].isprintable():
        return "缺少 kid（1至128个字符）", "needs a kid (1 to 128 characters)"
    if key.get("use", "sig") != "sig" or key.get("alg", "ES256") != "ES256":
        return "不是签名用（use 须为 sig、alg 须为 ES256，或不写）", "is not for ES256 signatures (use sig, alg ES256)"
    x, y = _number(key.get("x")), _number(key.get("y"))
    if x is None or y is None or (y * y - x * x * x + 3 * x - _B) % _P:
        return "的 x、y 不是 P-256 上的点", "has x and y that are no point of P-256"
    return None


def _number(text: Any) -> int | None:
    """A coordinate: 32 bytes in base64url without padding."""
    try:
        raw = base64.urlsafe_b64decode(f"{text}=") if isinstance(text, str) and len(text) == 43 else b""
    except (ValueError, binascii.Error):
        return None
    number = int.from_bytes(raw, "big")
    return number if len(raw) == 32 and number < _P else None


def same(one: dict[str, Any], other: dict[str, Any]) -> bool:
    return thumbprint(one) == thumbprint(other)
