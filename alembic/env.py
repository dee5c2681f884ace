"""Migrations run as the schema's owner, over the engine that `hub.db` makes."""

import asyncio
import os

from alembic import context
from sqlalchemy import Connection
from sqlmodel import SQLModel

from hub.db import migration_engine
from hub import tables

assert tables.ALL, "the tables are known to SQLModel once this module is imported"


def _run(connection: Connection) -> None:
    context.configure(connection=connection, target_metadata=SQLModel.metadata, compare_type=True)
    with context.begin_transaction():
        context.run_migrations()


async def _main() -> None:
    engine = migration_engine(os.environ["HUB_OWNER_DATABASE_URL"])
    async with engine.connect() as connection:
        await connection.run_sync(_run)
        await connection.commit()
    await engine.dispose()


asyncio.run(_main())
