"""The master key file: made once, mode 0600, never replaced; rotation puts a new key in front of the old ones."""

import base64
import json
import os
import secrets
import stat
from pathlib import Path
from typing import Any

from hub import disk
from hub.keys import SUITES, Vault
from hub.signing import new_signing_key, public_jwk


class KeyRefused(RuntimeError):
    """The key file is missing, too open, a demo key, or of an unknown form."""


def create(path: Path, *, demo: bool) -> None:
    """Write a new key file of mode 0600; an existing one is never replaced."""
    raw = {
        "format": 1,
        "demo": demo,
        "masters": [_new_master()],
        "signing": new_signing_key(),
        **{name: base64.b64encode(os.urandom(32)).decode() for name in ("lookup", "pseudonym", "log", "misc")},
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    _write(path, raw)
    disk.settle(path.parent)


def rotate(path: Path) -> str:
    """Put a new master key in front of the old ones and return its id; then re-wrap the case keys. Each in its turn,
    and on disk before: a key that is not in the file is lost, and with it every case under it."""
    owned = private(path)
    with disk.alone(path.parent), disk.whole(path) as temporary:
        raw = _read(path)
        raw["masters"].insert(0, _new_master())
        _write(temporary, raw)
        os.chown(temporary, owned.st_uid, owned.st_gid)  # root rotates, the service reads
    return str(raw["masters"][0]["id"])


def load(path: Path, *, demo: bool, suite: str = "aes") -> Vault:
    """Read the key file; refuses one that others can read, and a demo key outside a demo."""
    if suite not in SUITES:
        raise KeyRefused(f"HUB_SUITE 只能是 aes 或 sm / must be aes or sm, not {suite!r}")
    private(path)
    raw = _read(path)
    if raw["demo"] and not demo:
        raise KeyRefused("演示密钥只可用于演示 / this is a demo key; a real deployment needs its own")
    try:
        vault = Vault(raw, suite, path)
        public_jwk(vault.signing_key)
    except (AttributeError, LookupError, TypeError, ValueError):
        raise _broken(path) from None
    return vault


def _read(path: Path) -> dict[str, Any]:
    """The file's members. Nothing of it is repeated in an error."""
    try:
        raw = json.loads(path.read_text())
    except OSError as error:
        why = error.strerror
        raise KeyRefused(
            f"无法读取主密钥文件 {path}（HUB_KEY_FILE） / cannot read the master key file: {why}"
        ) from None
    except ValueError:
        raise _broken(path) from None
    if not isinstance(raw, dict) or raw.get("format") != 1 or not isinstance(raw.get("demo"), bool):
        raise _broken(path)
    if not isinstance(raw.get("masters"), list):
        raise _broken(path)
    return raw


def _broken(path: Path) -> KeyRefused:
    return KeyRefused(
        f"{path} 不是完整的主密钥文件（HUB_KEY_FILE）：请指向 hub keys create 所生成的文件，或从备份恢复"
        " / this is no whole master key file: point HUB_KEY_FILE to the one that hub keys create made, or restore it"
    )


def _found(path: Path) -> os.stat_result:
    if not path.exists():
        raise KeyRefused(f"缺少主密钥文件 / no master key at {path}; make one with: hub keys create")
    return path.stat()


def private(path: Path) -> os.stat_result:
    """The file, if nobody else can read it; raises `KeyRefused`."""
    found = _found(path)
    if stat.S_IMODE(found.st_mode) & 0o077:
        raise KeyRefused(f"主密钥文件须为 0600；可能已被他人读取 / {path} must be mode 0600; others may have read it")
    return found


def _new_master() -> dict[str, str]:
    return {"id": secrets.token_hex(4), "key": base64.b64encode(os.urandom(32)).decode()}


def _write(path: Path, raw: dict[str, Any]) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w") as file:
        json.dump(raw, file, indent=1)
        file.flush()
        os.fsync(file.fileno())
