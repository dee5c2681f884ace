"""The application: services of one process, routers, headers, OpenAPI."""

import asyncio
import gc
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from functools import partial
from itertools import chain
from typing import Any

import structlog
from fastapi import FastAPI, Request
from starlette.exceptions import HTTPException
from starlette.routing import BaseRoute, Match
from starlette.types import Message, Receive, Scope, Send

from hub import __version__, clock, keyfile, keys, migrations, people, settings
from hub.api import audit, cases, directory, meta, openapi, problems, records, reports, tokens
from hub.api.auth import Tokens
from hub.api.deps import STREAMING, Asked, ShortRoute
from hub.audit.committer import FIRST, INSERT, Committer, Draft, columns
from hub.audit.entry import GENESIS, Act
from hub.db import FAILED, UNMIGRATED, Connection, Database, as_auditor, unreachable
from hub.errors import TooLarge, Unreachable, Weakened
from hub.ids import new_id
from hub.intake import Intake
from hub.models.directory import Directory
from hub.policies.decide import Policy
from hub.policies.services import Services
from hub.together import Reads
from hub.writer import Writer

log = structlog.get_logger("hub")
AWAY_SECONDS = 1.0
ROUTERS = tuple(module.router for module in (cases, records, reports, audit, directory, tokens, meta))
SAMPLE = " UNION ALL ".join(
    f"(SELECT id AS case_id, key_wrapped, key_id FROM cases ORDER BY opened_at {way}, id {way} LIMIT 5)"
    for way in ("DESC", "ASC")
)
"""The five newest cases, and the five oldest."""
OWN_WORDS = (Unreachable, Weakened, keyfile.KeyRefused)
"""Errors whose text is ours: that of a database's may hold what is stored."""
HEADERS = [
    (b"cache-control", b"no-store"),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
]


async def open_services(config: settings.Settings, *, waits: bool = False, owner: bool = False) -> Services:
    """Everything a process needs, connected and checked; the committer is started by the caller. One that `waits` for a
    database that is away, or not migrated yet, gets it shut: reports go to disk, all else is refused, until `let_in`.
    A command may be the schema's `owner`, and nothing else may."""
    vault = keyfile.load(config.key_file, demo=config.demo, suite=config.suite)
    policy, database = Policy.load(config.policy), Database(config.database_url, config.pool_size)
    committer, directory = Committer(database, vault, config.log_timeout), Directory(database)
    reads = Reads(database.main), Reads(database.audit)
    services = Services(config, database, vault, committer, directory, policy, *reads)
    try:
        await _connect(services, owner=owner)
    except BaseException as error:
        if not (waits and isinstance(error, Unreachable) and error.away):
            await database.close()
            raise
    return services


async def _connect(services: Services, *, owner: bool = False) -> None:
    if services.database.shut:
        checks = partial(_check_role, owner=owner), _check_schema, partial(_check_key, services.vault)
        await services.database.connect("HUB_DATABASE_URL", *checks)
    try:
        await services.directory.refresh()
    except UNMIGRATED as error:
        raise unreachable("HUB_DATABASE_URL", error) from None


async def _check_role(connection: Connection, *, owner: bool) -> None:
    """The log can only be added to because the service's role may do no more: who may is not to serve, nor check."""
    may_erase = await connection.fetchval("SELECT has_table_privilege('access_log', 'DELETE')")
    if may_erase and not owner:
        raise Unreachable(
            "HUB_DATABASE_URL：须用 hub_app：此用户可改、可删访问日志 / must be hub_app: this role may alter the log"
        )
    if owner and not may_erase:
        raise Unreachable("HUB_DATABASE_URL：须用 hub_owner / must be hub_owner")


async def _check_schema(connection: Connection) -> None:
    """Code on an older schema fails where it meets what is not there, be it while a report is filed. A process waits
    for it as for a database that is away: an upgrade may start it before it migrates."""
    if not await connection.fetchval(migrations.NEWEST):
        raise Unreachable(str(unreachable("HUB_DATABASE_URL", UNMIGRATED[0]())), away=True)


async def _check_key(vault: keys.Vault, connection: Connection) -> None:
    """Another key file, or another suite, would answer 500 for every case, and file new ones beside them; a file from
    before a rotation for those that were there then, be the newest wrapped by a process that had not been restarted."""
    rows = await connection.fetch(SAMPLE)
    if not all(vault.holds(row["key_id"]) for row in rows):
        raise keyfile.KeyRefused(
            "主密钥文件缺少个案所用的密钥，或为轮换之前的旧文件"
            " / the key file lacks a key that cases are under: it may be from before a rotation"
        )
    for row in rows:
        with suppress(keys.SealBroken):
            vault.case_key(row)
            return
    if not rows:  # accounts come before the first case
        rows = await connection.fetch("SELECT id, totp FROM account WHERE totp IS NOT NULL ORDER BY id LIMIT 5")
        for row in rows:
            with suppress(keys.SealBroken):
                people.open_totp(vault, row["id"], row["totp"])
                return
    if rows:
        raise keyfile.KeyRefused(
            "主密钥文件或 HUB_SUITE 与此库不符 / the key file or HUB_SUITE is not that of this database"
        )


async def check_log(services: Services) -> None:
    """Can entries be written? Tried as a start does it, and taken back. Raises `Unreachable`."""
    w, connection = new_id(), await services.database.dedicated()
    row, _ = columns(services.vault, Draft(Act.start, {"act": "start"}), w, 1, GENESIS)
    try:
        async with as_auditor(connection):
            await connection.fetch("SELECT 1 FROM access_log LIMIT 1")
        await connection.execute("BEGIN")
        await connection.execute(f"{FIRST} {INSERT}", [row], [(w, "open", clock.now(), 0)])
    except FAILED as error:
        zh, en = "访问日志不可写：除报案外一概不受理", "the access log cannot be written: nothing but reports is taken"
        raise Unreachable(f"HUB_DATABASE_URL：{zh} / {en} ({type(error).__name__})") from None
    finally:
        connection.terminate()


async def _begin(services: Services, *, connected: bool = False) -> str:
    """Begin the work of a process; says what keeps it from that, if anything does."""
    try:
        if not connected:
            await _connect(services)
        await services.committer.start()
    except Exception as error:
        with suppress(*FAILED):
            await services.committer.stop()
        return str(error) if isinstance(error, OWN_WORDS) else type(error).__name__
    return ""


async def let_in(services: Services) -> None:
    """Begin the work of a process that came up before its database, or while the log could not be written: as soon as
    that answers, and all that a start checks is right. What is wrong is said once; until it is put right reports go on
    to disk."""
    said = ""
    while not services.committer.ready:
        await asyncio.sleep(AWAY_SECONDS)
        if (why := await _begin(services)) not in ("", said):
            said = why
            log.error("database", error=why)


class Hub(FastAPI):
    """Safe headers on every answer, a limit on bodies that do not stream, and a short way to the routes that take it.
    FastAPI describes these and serves the rest: what has no such route, or not by this method."""

    def __init__(self, config: settings.Settings, routes: Sequence[BaseRoute], **rest: Any) -> None:
        super().__init__(**rest)
        self.limit, ours = config.body_limit, [route for route in routes if isinstance(route, ShortRoute)]
        self.router.routes += routes
        self.whole: dict[str, list[ShortRoute]] = {}
        for route in ours:
            self.whole.setdefault(route.path, []).append(route)
        self.patterns = [route for route in ours if "{" in route.path]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await super().__call__(scope, receive, send)
            return
        if bare := scope["method"] == "HEAD":  # a GET that is not told the content (RFC 9110, 9.3.2)
            scope = {**scope, "method": "GET"}
        started = False

        async def headed(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                message["headers"] = [*message.get("headers", ()), *HEADERS]
            elif bare:
                message["body"] = b""
            await send(message)

        if scope["method"] != "GET" and not scope["path"].endswith(STREAMING):
            declared = dict(scope["headers"]).get(b"content-length", b"0")
            if declared.isdigit() and int(declared) > self.limit:
                await problems.document(Request(scope), TooLarge())(scope, receive, headed)
                return
            receive = self._limited(receive)
        try:
            await self._serve(scope, receive, headed)
        except Exception as error:  # its text may hold values, so no server log may see it
            said = await problems.unexpected(Request(scope), error)
            if not started:
                await said(scope, receive, headed)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        route = self._find(scope)
        if route is None:
            with suppress(Exception):  # answered and logged by `problems.unexpected`, then raised again
                await super().__call__(scope, receive, send)
            return
        scope.update(app=self, route=route)
        asked = Asked(scope, receive)
        try:
            said = await route.answer(asked)
        except Exception as error:
            said = await problems.answer(asked, error)
        await said(scope, receive, send)

    def _find(self, scope: Scope) -> ShortRoute | None:
        """The route of this path and method: one without parameters at once (a kind of record has one each), the
        others one by one."""
        for route in chain(self.whole.get(scope["path"], ()), self.patterns):
            match, child = route.matches(scope)
            if match is Match.FULL:
                scope.update(child)
                return route
        return None

    def _limited(self, receive: Receive) -> Receive:
        left = self.limit

        async def limited() -> Message:
            nonlocal left
            message = await receive()
            left -= len(message.get("body", b""))
            if left < 0:
                raise HTTPException(413)  # the one error that FastAPI lets through while it reads a body
            return message

        return limited


def create_app(config: settings.Settings | None = None, opened: Services | None = None) -> Hub:
    """The application for these settings (the environment's by default). A command that tells a person what is wrong
    has `opened` the services before."""
    config = config or settings.current()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        services = opened or await open_services(config)
        if not services.database.shut:
            await _begin(services, connected=True)
        app.state.services, app.state.tokens = services, Tokens(services)
        app.state.writer = Writer(services)
        app.state.intake = Intake(services, app.state.writer)
        await app.state.intake.start()
        if unread := settings.unread():
            log.warning("settings", unread=unread)
        background = [asyncio.create_task(services.directory.follow())]
        if not services.committer.ready:
            background.append(asyncio.create_task(let_in(services)))
        gc.collect()
        gc.freeze()  # what start-up made stays: the collector need not walk it again and again
        yield
        for task in background:
            task.cancel()
        await asyncio.gather(*background, return_exceptions=True)
        await app.state.intake.stop()
        await app.state.writer.stop()
        await services.committer.stop()
        await services.database.close()

    routes = [route for router in ROUTERS for route in router.routes]
    about: dict[str, Any] = {"title": "联护 Lianhu", "version": __version__, "docs_url": None, "redoc_url": None}
    app = Hub(config, routes, lifespan=lifespan, **about)
    problems.install(app)
    app.openapi = lambda: openapi.described(app)  # type: ignore[method-assign]
    return app
