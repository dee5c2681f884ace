"""The reference: what FastAPI, asyncpg and orjson cost by themselves. No user, no policy, no log, nothing sealed.

`uvicorn benchmarks.limit:app` with LIMIT_DATABASE_URL. One flat table of 60 columns holding the hub's values.
"""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime
from typing import Annotated, Any
from uuid import uuid4

import asyncpg
import orjson
from fastapi import FastAPI, Query, Request, Response

from benchmarks import sample

HEAD = {"id": "text PRIMARY KEY", "street": "text", "created_at": "timestamptz", "rev": "bigint"}
HEAD |= {"number": "text", "status": "text"}
_TYPES = {bool: "boolean", int: "integer", float: "double precision", date: "date", datetime: "timestamptz"}


def flat_row(values: dict[str, Any]) -> dict[str, Any]:
    """A call or a form by column, dates and times as what they are."""
    made = sample.flat(values)
    made |= {n: date.fromisoformat(v) for n, v in made.items() if n.endswith("_date")}
    return made | {n: datetime.fromisoformat(v) for n, v in made.items() if n.endswith("_at")}


def _typed(values: dict[str, Any]) -> dict[str, str]:
    return {name: _TYPES.get(type(value), "text") for name, value in flat_row(values).items()}


_VALUES, _FORM = _typed(sample.call(0, "9", sample.START)), _typed(sample.form(0, "9", sample.START))
_EXTRA = {name: kind for name, kind in _FORM.items() if name not in _VALUES}
COLUMNS = (*HEAD, *_VALUES)
CREATED = ("id", "street", "created_at", "rev", *_FORM)
LOG = (
    "id bigint PRIMARY KEY, ts timestamptz, actor text, actor_unit text, action text, resource text, case_id bigint,"
    " field_count integer, purpose text, decision text, policy_rev integer, req_id text, prev_hash text, hash text"
)
SCHEMA = (
    f"CREATE TABLE cases ({', '.join(f'{n} {t}' for n, t in (HEAD | _VALUES | _EXTRA).items())});"
    f"CREATE TABLE access_log ({LOG}); CREATE SEQUENCE revision START 1000000000;"
    "CREATE INDEX ON cases (street, created_at DESC); CREATE INDEX ON cases (rev);"
    "CREATE INDEX ON access_log (actor, ts DESC)"
)
SELECT = f"SELECT {', '.join(COLUMNS)} FROM cases"
INSERT = (
    f"INSERT INTO cases ({', '.join(CREATED)}) VALUES ($1, $2, now(), nextval('revision'),"
    f" {', '.join(f'${i}' for i in range(3, 3 + len(CREATED) - 4))})"
)


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    async def keep(_: Any) -> None:
        """No reset round trip, as in the hub."""

    app.state.pool = await asyncpg.create_pool(os.environ["LIMIT_DATABASE_URL"], min_size=1, max_size=8, reset=keep)
    yield
    await app.state.pool.close()


app = FastAPI(lifespan=lifespan)


def _bytes(value: Any, status: int = 200) -> Response:
    return Response(orjson.dumps(value), status, media_type="application/json")


async def _rows(sql: str, *args: Any) -> list[dict[str, Any]]:
    async with app.state.pool.acquire() as connection:
        return [dict(row) for row in await connection.fetch(sql, *args)]


@app.get("/cases/{case_id}")
async def read(case_id: str) -> Response:
    return _bytes((await _rows(f"{SELECT} WHERE id = $1", case_id))[0])


@app.get("/cases")
async def listing(street: str, limit: int) -> Response:
    return _bytes(await _rows(f"{SELECT} WHERE street = $1 ORDER BY created_at DESC LIMIT $2", street, limit))


@app.get("/changes")
async def changes(since: int, limit: int) -> Response:
    return _bytes(await _rows(f"{SELECT} WHERE rev > $1 ORDER BY rev LIMIT $2", since, limit))


@app.post("/cases")
async def create(request: Request) -> Response:
    values = flat_row(orjson.loads(await request.body()))
    made = str(uuid4())
    async with app.state.pool.acquire() as connection:
        await connection.execute(INSERT, made, values["region"][:9], *(values[n] for n in CREATED[4:]))
    return _bytes({"id": made}, 201)


@app.get("/log")
async def review(actor: str, since: datetime, until: datetime, limit: Annotated[int, Query(le=200)] = 50) -> Response:
    sql = "SELECT * FROM access_log WHERE actor = $1 AND ts >= $2 AND ts < $3 ORDER BY ts DESC LIMIT $4"
    return _bytes(await _rows(sql, actor, since.astimezone(UTC), until.astimezone(UTC), limit))
