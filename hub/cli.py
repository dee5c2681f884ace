"""`hub`: run, migrate, administer. Every command explains itself with --help; --json prints the machine's form."""

import asyncio
import os
import socket
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer
import uvloop
from fastapi import FastAPI

from hub import __version__, clock, migrations, settings
from hub.console import Json, configured, done, err, fail, show, starting, with_services
from hub.db import Connection, Database
from hub.demo.run import demo as run_demo
from hub.errors import Unreachable
from hub.intake import Intake
from hub.main import check_log, create_app, open_services
from hub.models.catalogue import KINDS, fields_of
from hub.policies.services import Services
from hub.registers import accounts, regions, units
from hub.review import key_commands, policy
from hub.runtime import listen, log_to_stdout, server_of, socket_path, watched, with_database, with_key
from hub.systems import clients
from hub.writer import Writer

app = typer.Typer(
    no_args_is_help=True,
    help="联护 Lianhu：反家庭暴力数据共享平台。A data-sharing hub against domestic violence.\n\n"
    "先试：hub demo。First look: hub demo.\n\n"
    "部署：keys create → migrate → check → regions import → units add → accounts add → serve、worker，"
    "见 docs/operations.md。To deploy: in that order.\n\n"
    "配置全在 HUB_* 环境变量；用演示数据须设 HUB_DEMO=1。Settings are HUB_* variables; for the demo's data HUB_DEMO=1.",
    pretty_exceptions_enable=False,
)
for _name, _group in (
    ("accounts", accounts),
    ("units", units),
    ("clients", clients),
    ("regions", regions),
    ("policy", policy),
    ("keys", key_commands),
):
    app.add_typer(_group, name=_name)


def _tell(asked: bool) -> None:
    if asked:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def _hub(
    version: Annotated[
        bool, typer.Option("--version", callback=_tell, is_eager=True, help="版本号。The version.")
    ] = False,
) -> None:
    log_to_stdout()


@app.command()
def demo(
    port: Annotated[int, typer.Option(min=1, max=65535, help="监听端口。Port to listen on.")] = 8000,
    once: Annotated[bool, typer.Option("--once", help="装载后即退出。Load, then stop.")] = False,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="另起演示，旧数据移到一旁。Anew; data from before is moved aside.")
    ] = False,
    as_json: Json = False,
) -> None:
    """演示：内嵌数据库、演示省份、回放41个公开案例，在 127.0.0.1 提供服务。The demo.

    启动内嵌数据库，建演示省份，由各办案单位经 HTTP 接口回放41个公开案例，然后提供服务；打印演示账号。Ctrl-C 停止，
    再次启动只需数秒。

    Starts the embedded database, loads a demo province, replays 41 published cases through the HTTP API as
    the agencies that acted, and serves. Prints the demo accounts. Ctrl-C stops it; starting again takes seconds.
    """
    os.environ["HUB_DEMO"] = "1"
    settings.current.cache_clear()
    config = replace(configured(), demo=True, issuer=f"http://127.0.0.1:{port}")
    with starting():
        run_demo(config, port, once=once, fresh=fresh, as_json=as_json)


@app.command()
def serve(
    host: Annotated[str, typer.Option(help="监听地址；对外经反向代理。Address; outside, use a proxy.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="监听端口。Port to listen on.")] = 8000,
    uds: Annotated[str, typer.Option(help="改用 unix 套接字。Path of a unix socket instead.")] = "",
    as_json: Json = False,
) -> None:
    """提供服务（一个进程；多进程由 systemd 或容器各起一个）。Serve, one process; run several behind a proxy.

    须有主密钥与已升级的数据库（hub keys create、hub migrate）；先用 hub check 检查。Needs the master key and a
    migrated database; `hub check` says what is missing. SIGTERM stops it in order.
    """
    where = uds or f"http://{host}:{port}"
    with starting():
        config = with_key(with_database(settings.current()))
        listening = None if uds and socket_path(uds) else listen(host, port)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner, suppress(KeyboardInterrupt):
            services = runner.run(open_services(config, waits=True))
            with suppress(OSError, SystemExit):  # rich's, for a pipe that nobody reads: it starts all the same
                _tell_start(where, services, as_json)
            runner.run(_serve(create_app(config, services), listening, uds))


def _tell_start(where: str, services: Services, as_json: bool) -> None:
    if services.database.shut:
        err.print(
            "数据库不可达或结构过旧：先只收报案，存于本机。"
            "The database is away, or not migrated: reports only, kept here till it is back."
        )
    done(f"联护启动于 {where}。Starting.", as_json, address=where)


async def _serve(serving: FastAPI, listening: socket.socket | None, uds: str) -> None:
    server = server_of(serving, uds)
    telling = asyncio.create_task(watched(server))
    try:
        await server.serve([listening] if listening else None)
    finally:
        telling.cancel()
        if uds:
            Path(uds).unlink(missing_ok=True)


UNFINISHED = """
DELETE FROM attachment_chunk WHERE attachment_id IN (
 SELECT c.attachment_id FROM attachment_chunk c WHERE c.n = 0 AND c.at < now() - interval '1 day'
  AND c.at > now() - interval '30 days' AND NOT EXISTS (SELECT FROM attachment a WHERE a.id = c.attachment_id)
 LIMIT 20)
"""
"""Parts of files whose upload broke off, by the first of each, of a month: all chunks there are would take too long. A
few at a time: a file has eighty, and anybody with a receipt can break off as many as he likes."""


@app.command()
def worker(
    once: Annotated[bool, typer.Option("--once", help="做一遍即退出。One round, then stop.")] = False,
    as_json: Json = False,
) -> None:
    """后台：归档暂存的报案、清理过期数据，每机一个。Files spooled reports, removes what has expired; one a machine."""

    async def work(services: Services) -> int:
        intake, total, rounds = Intake(services, Writer(services)), 0, 0
        while True:
            total += await intake.drain()
            await services.database.execute("DELETE FROM spent_assertion WHERE expires_at < $1", clock.now())
            if rounds % 120 == 0:  # once an hour
                while await services.database.execute(UNFINISHED) != "DELETE 0":
                    pass
                month = clock.now() - timedelta(days=30)
                await services.database.execute("DELETE FROM session WHERE opened_at < $1", month)
            if once:
                return total
            rounds += 1
            await asyncio.sleep(30)

    filed = with_services(work)
    done(f"已归档 {filed} 件暂存报案。Filed {filed} spooled reports.", as_json, filed=filed)


@app.command()
def migrate(as_json: Json = False) -> None:
    """升级数据库结构（以 HUB_OWNER_DATABASE_URL 连接）。Bring the schema up to date, as its owner.

    只进不退，可重复执行；先备份。Forward only, safe to repeat; take a backup before.
    """
    config = configured()
    with starting():
        if config.owner_url:
            asyncio.run(_reach(config.owner_url))
            migrations.upgrade(config.owner_url)
        elif config.database_url:
            fail("须设 HUB_OWNER_DATABASE_URL（hub_owner）。Set HUB_OWNER_DATABASE_URL: hub_app may not migrate.")
        else:
            with_database(config)
    done("数据库结构已是最新。The schema is up to date.", as_json, migrated=True)


async def _reach(url: str) -> None:
    """Does the owner get in? alembic would say it in a traceback."""
    await (await Database(url).connect("HUB_OWNER_DATABASE_URL", _may_create)).close()


async def _may_create(connection: Connection) -> None:
    if not await connection.fetchval("SELECT has_schema_privilege('public', 'CREATE')"):
        raise Unreachable("HUB_OWNER_DATABASE_URL：须用 hub_owner / must be hub_owner: this role may create nothing")


@app.command()
def check(as_json: Json = False) -> None:
    """检查配置、密钥、数据库持久性与规则，有问题则退出码为1。Checks everything a start needs; exit code 1 if not."""

    async def work(services: Services) -> str:
        await check_log(services)
        spool = Intake(services, Writer(services)).spool
        spool.probe()
        if spool.foreign():
            fail(f"{spool.folder} 与上级目录属主不同，服务用不了，请 chown。Its owner is not its parent's: chown it")
        return services.policy.version

    version, unread = with_services(work), settings.unread()
    database = "HUB_DATABASE_URL" if settings.current().database_url else "内嵌 embedded"
    text = f"检查通过。All good. policy {version[:16]}, 数据库 database: {database}"
    if unread:
        text += f"\n无此设置，未采用 no such settings, not used: {', '.join(unread)}"
    done(text, as_json, good=True, policy=version, unread=unread)


@app.command("catalogue")
def print_catalogue(as_json: Json = False) -> None:
    """数据目录：各类记录的字段与类别，由类定义得出。Kinds, fields and categories, derived from the classes."""
    rows = [
        {"kind": kind, "title": model.title, "field": f.name, "名称": f.title, "category": f.category}
        for kind, model in KINDS.items()
        for f in fields_of(model)
    ]
    show(rows, as_json)


if __name__ == "__main__":
    app()
