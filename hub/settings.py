"""One frozen settings object, read from the environment once.

Every name begins with HUB_. The hub refuses to start on a missing or demo key outside a demo.
"""

import math
import os
import pwd
import re
import ssl
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from urllib.parse import parse_qsl

ROOT = Path(__file__).resolve().parent.parent
ON, OFF = ("1", "true", "yes", "on"), ("", "0", "false", "no", "off")


class SettingRefused(RuntimeError):
    """A HUB_ variable does not say what it must; the text names it."""


_NAME = re.compile(r"HUB_[A-Z0-9_]*")
_READ: set[str] = set()
"""Variables that something reads."""


def _text(name: str, default: str = "") -> str:
    _READ.add(name)
    return os.environ.get(name, default)


def _flag(name: str) -> bool:
    text = _text(name).strip().lower()
    if text not in (*ON, *OFF):
        raise SettingRefused(f"{name} 须为 1 或 0，现为 {text!r}。Set {name} to 1 or 0.")
    return text in ON


def _number(name: str, default: float, low: float, high: float) -> float:
    text = _text(name).strip()
    try:
        value = float(text) if text else default
    except ValueError:
        value = math.nan
    if not low <= value <= high:
        zh, en = (
            f"{name} 须为 {low:g} 至 {high:g} 的数，现为 {text!r}",
            f"Set {name} to a number from {low:g} to {high:g}",
        )
        raise SettingRefused(f"{zh}。{en}.")
    return value


def _whole(name: str, default: int, low: int, high: int) -> int:
    value = _number(name, default, low, high)
    if value != int(value):
        raise SettingRefused(f"{name} 须为整数。Set {name} to a whole number.")
    return int(value)


def _address(name: str, default: str) -> str:
    text = _text(name) or default
    if not re.fullmatch(r"https?://[^\s/]+(/[^\s]*)?", text):
        raise SettingRefused(f"{name} 须为 http:// 或 https:// 地址。Set {name} to an http(s) address.")
    return text


def _database(name: str) -> str:
    """An address. Of a certificate that cannot be read the driver says what it says of a server that is away, and that
    would be waited for."""
    text = _text(name)
    asked = dict(parse_qsl(text.partition("?")[2]))
    mode = asked.get("sslmode") or os.environ.get("PGSSLMODE")
    path = asked.get("sslrootcert") or os.environ.get("PGSSLROOTCERT")
    if text and path and mode in ("require", "verify-ca", "verify-full"):
        try:
            ssl.create_default_context(cafile=path)
        except OSError as error:
            raise SettingRefused(
                f"打不开数据库的证书文件 {path}（PGSSLROOTCERT）。"
                f"Cannot read the certificate that PGSSLROOTCERT, or {name}, names: {error.strerror}"
            ) from None
    return text


def _path(name: str, default: Path) -> Path:
    return Path(_text(name) or default).absolute()


@dataclass(frozen=True, slots=True)
class Settings:
    """What a deployment decides. Times are seconds, sizes bytes."""

    demo: bool = field(default_factory=lambda: _flag("HUB_DEMO"))
    data: Path = field(default_factory=lambda: _path("HUB_DATA", ROOT / ".hub"))
    database_url: str = field(default_factory=lambda: _database("HUB_DATABASE_URL"))
    owner_url: str = field(default_factory=lambda: _database("HUB_OWNER_DATABASE_URL"))
    pg_bin: str = field(default_factory=lambda: _text("HUB_PG_BIN"))
    policy: Path = field(default_factory=lambda: _path("HUB_POLICY", ROOT / "policy.csv"))
    suite: str = field(default_factory=lambda: _text("HUB_SUITE", "aes"))
    issuer: str = field(default_factory=lambda: _address("HUB_ISSUER", "http://127.0.0.1:8000"))
    pool_size: int = field(default_factory=lambda: _whole("HUB_POOL_SIZE", 16, 2, 1000))
    log_timeout: float = field(default_factory=lambda: _number("HUB_LOG_TIMEOUT", 2, 0.1, 600))
    intake_timeout: float = field(default_factory=lambda: _number("HUB_INTAKE_TIMEOUT", 0.08, 0, 60))
    even_out: float = field(default_factory=lambda: _number("HUB_EVEN_OUT", 0.05, 0, 10))
    idle_session: int = 30 * 60
    longest_session: int = 12 * 60 * 60
    token_life: int = 300
    upload_limit: int = 20 * 1024 * 1024
    body_limit: int = 1024 * 1024

    @property
    def key_file(self) -> Path:
        """The master key file, mode 0600 (`HUB_KEY_FILE`)."""
        return _path("HUB_KEY_FILE", self.data / "master.key")

    @property
    def spool(self) -> Path:
        """Where reports are kept, sealed, while the database cannot take them."""
        return self.data / "spool"


@cache
def current() -> Settings:
    """The settings of this process."""
    return Settings()


def unread() -> list[str]:
    """Variables that begin like settings and that nothing reads: a slip, perhaps, or somebody else's. Only what a name
    may hold: `HUB_DATABASE_URL: postgresql://...?x=y` is a name too, to whoever cuts a line at its first `=`."""
    names = (found[0] for name in os.environ if name not in _READ and (found := _NAME.match(name)))
    return sorted(dict.fromkeys(names))


def operator() -> str:
    """Who ran the command, as this machine knows them; through `sudo`, both."""
    user = str(os.getuid())
    with suppress(KeyError):  # a container may know its user by number alone
        user = pwd.getpwuid(os.getuid()).pw_name
    return f"{os.environ['SUDO_USER']} as {user}" if "SUDO_USER" in os.environ else user
