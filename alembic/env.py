"""Migrations run as the schema's owner, over an engine of SQLAlchemy's: they alone need one."""

import asyncio
import os

import asyncpg
from alembic import context
from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import create_async_engine
from sqlmodel import SQLModel

from hub import tables

assert tables.ALL, "the tables are known to SQLModel once this module is imported"


def _run(connection: Connection) -> None:
    context.configure(connection=connection, target_metadata=SQLModel.metadata, compare_type=True)
    with context.begin_transaction():
        context.run_migrations()


async def _main() -> None:
    url = os.environ["HUB_OWNER_DATABASE_URL"]  # read by asyncpg, as the hub's own: SQLAlchemy knows no `sslmode`
    engine = create_async_engine("postgresql+asyncpg://", async_creator=lambda *_, **__: asyncpg.connect(url))
    async with engine.connect() as connection:
        await connection.run_sync(_run)
        await connection.commit()
    await engine.dispose()


asyncio.run(_main())
