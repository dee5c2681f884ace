"""Running alembic from the `hub` command: `upgrade` to the newest schema, `pending` to ask."""

from alembic.config import Config

from alembic import command
from hub.settings import ROOT


def upgrade(owner_url: str, target: str = "head") -> None:
    """Bring the schema up to date, as its owner."""
    config = Config(str(ROOT / "alembic.ini"))
    config.attributes["url"] = owner_url
    command.upgrade(config, target)
