"""One frozen settings object, read from the environment once.

Every name begins with HUB_. The hub refuses to start on a missing or demo key outside a demo.
"""

import os
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def _flag(name: str) -> bool:
    return os.environ.get(name, "").lower() in ("1", "true", "yes", "on")


def _path(name: str, default: Path) -> Path:
    return Path(os.environ.get(name) or default).absolute()


@dataclass(frozen=True, slots=True)
class Settings:
    """What a deployment decides. Times are seconds, sizes bytes."""

    demo: bool = field(default_factory=lambda: _flag("HUB_DEMO"))
    data: Path = field(default_factory=lambda: _path("HUB_DATA", ROOT / ".hub"))
    database_url: str = field(default_factory=lambda: os.environ.get("HUB_DATABASE_URL", ""))
    owner_url: str = field(default_factory=lambda: os.environ.get("HUB_OWNER_DATABASE_URL", ""))
    pg_bin: str = field(default_factory=lambda: os.environ.get("HUB_PG_BIN", ""))
    policy: Path = field(default_factory=lambda: _path("HUB_POLICY", ROOT / "policy.csv"))
    suite: str = field(default_factory=lambda: os.environ.get("HUB_SUITE", "aes"))
    issuer: str = field(default_factory=lambda: os.environ.get("HUB_ISSUER", "http://127.0.0.1:8000"))
    pool_size: int = field(default_factory=lambda: int(os.environ.get("HUB_POOL_SIZE", "16")))
    log_timeout: float = field(default_factory=lambda: float(os.environ.get("HUB_LOG_TIMEOUT", "2")))
    intake_timeout: float = field(default_factory=lambda: float(os.environ.get("HUB_INTAKE_TIMEOUT", "0.08")))
    even_out: float = field(default_factory=lambda: float(os.environ.get("HUB_EVEN_OUT", "0.05")))
    idle_session: int = 30 * 60
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
