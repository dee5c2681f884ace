"""Bringing the schema up to date: alembic, in a process of its own, since a running hub has no use for it."""

import os
import re
import subprocess
import sys

from hub.settings import ROOT

NEWEST = "SELECT EXISTS (SELECT FROM pg_attribute WHERE attrelid = to_regclass('party_key') AND attname = 'finds')"
"""Is the schema as new as this code? Asked by something that the newest version of it (0013) added, and none after it
takes away. `alembic_version` is the owner's, and could not tell a newer schema, which is taken, from an older."""
_ERROR = re.compile(r"[\w.]+(Error|Exception|Util)\b.*:")
"""The line of a traceback that says what; SQLAlchemy's next say where to read about it."""


class MigrationFailed(RuntimeError):
    """The schema could not be brought up to date; the text is alembic's last word."""


def upgrade(owner_url: str, target: str = "head") -> None:
    """Bring the schema up to date, as its owner. The address travels by environment, where no list of processes
    shows it. Raises `MigrationFailed`."""
    done = subprocess.run(
        [sys.executable, "-m", "alembic", "--config", str(ROOT / "alembic.ini"), "upgrade", target],
        env=os.environ | {"HUB_OWNER_DATABASE_URL": owner_url},
        capture_output=True,
        check=False,
        text=True,
    )
    if done.returncode:
        lines = (done.stderr.strip() or done.stdout.strip()).splitlines()
        said = [line for line in lines if _ERROR.match(line)][-1:] or lines[-1:]
        raise MigrationFailed(f"数据库结构升级失败 / migration failed: {' '.join(said)}")
