"""`hub demo`: build the province, serve, replay, and say where to look."""

import asyncio
import json
import socket
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pyotp
import typer
from rich.console import Console
from rich.progress import Progress

from hub import keyfile, keys, people
from hub.db import Database
from hub.demo.province import accounts_of, build, load_cases, places, write_once
from hub.demo.replay import Replay, ReplayFailed
from hub.main import create_app, open_services
from hub.runtime import Stopped, listen, server_of, set_aside, with_database, with_key
from hub.settings import Settings

console = Console()
EXAMPLE, READER = "spc2025-lu", "banan-police"
"""A case, and a login that may open it."""


def demo(config: Settings, port: int, *, once: bool = False, fresh: bool = False, as_json: bool = False) -> None:
    """Run the demo until Ctrl-C (or, with `once`, until it is loaded)."""
    console.stderr = as_json
    listening = listen("127.0.0.1", port)
    if fresh and config.database_url:
        raise Stopped(
            "--fresh 只用于内嵌数据库；请换一个空库。--fresh is for the embedded database: name an empty one."
        )
    if fresh:
        _anew(config)
    with suppress(KeyboardInterrupt):
        ready = with_key(with_database(config))
        if not asyncio.run(_ours(ready)):
            if config.database_url:
                raise Stopped(
                    "HUB_DATABASE_URL 的库属于另一演示（密钥不同），请换一个空库。"
                    "HUB_DATABASE_URL holds another demo's data, under another key: name an empty database."
                )
            _anew(config)
            ready = with_key(with_database(config))
        asyncio.run(_demo(ready, listening, port, once, as_json))
    console.print("已停止。Stopped.")


def _anew(config: Settings) -> None:
    aside = set_aside(config)
    console.print(
        f"旧演示数据已移到 {aside}，另起新的。Data from before was moved there; starting anew.", soft_wrap=True
    )


async def _ours(config: Settings) -> bool:
    """Is the database empty, or that of this key and of these files? After `.hub` was removed it may be neither."""
    vault, path = keyfile.load(config.key_file, demo=True, suite=config.suite), config.data / "demo" / "accounts.json"
    database = await Database(config.database_url, 2).connect()
    try:
        sql = "SELECT id, login, totp FROM account WHERE login = ANY($1) AND totp IS NOT NULL"
        rows = await database.fetch(sql, [n.login for n in accounts_of(places(load_cases())) if n.login])
    finally:
        await database.close()
    made = {account["login"]: account["totp"] for account in json.loads(path.read_text())} if path.exists() else {}
    with suppress(keys.SealBroken):
        found = [people.open_totp(vault, row["id"], row["totp"]) == made.get(row["login"]) for row in rows]
        return any(found) or not found
    return False


async def _demo(config: Settings, listening: socket.socket, port: int, once: bool, as_json: bool) -> None:
    folder = config.data / "demo"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    console.print("演示省份：区划、单位、账号、机构系统 … Building the demo province …")
    services = await open_services(config)
    await build(services, folder)
    await services.database.close()
    server = server_of(create_app(config))
    serving = asyncio.create_task(server.serve([listening]))
    while not server.started:
        await asyncio.sleep(0.02)
    try:
        await _replay(config, port, folder)
    except (ReplayFailed, httpx.HTTPError) as failed:
        server.should_exit = True
        await serving
        raise Stopped(
            f"演示案例未能装载，请另起新的。The cases did not load; start anew with: hub demo --fresh\n{failed}"
        ) from None
    if as_json:
        typer.echo(json.dumps(_ready(port, folder), ensure_ascii=False))
    else:
        _say(port, folder)
    if once:
        server.should_exit = True
    await serving


async def _replay(config: Settings, port: int, folder: Path) -> None:
    """Replay what has not been replayed; a case is marked when all its steps are in."""
    marks = folder / "replayed.json"
    done: dict[str, dict[str, object]] = json.loads(marks.read_text()) if marks.exists() else {}
    cases = load_cases()
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=30) as http:
        replay = Replay(http, folder, config.issuer)
        waiting = [(n, case) for n, case in enumerate(cases) if case["id"] not in done]
        if not waiting:
            return
        with Progress(console=console) as progress:
            task = progress.add_task("回放公开案例 Replaying published cases", total=len(waiting))
            for n, case in waiting:
                await replay.run(case, n)
                done[case["id"]] = {"case": replay.cases[case["id"]]["id"], "title": case["title"]}
                write_once(marks, json.dumps(done, ensure_ascii=False, indent=1))
                progress.advance(task)


def _ready(port: int, folder: Path) -> dict[str, Any]:
    """Where to look, and who can log in."""
    replayed = json.loads((folder / "replayed.json").read_text())
    return {
        "address": f"http://127.0.0.1:{port}",
        "cases": {name: case["case"] for name, case in replayed.items()},
        "accounts": json.loads((folder / "accounts.json").read_text()),
        "agency_keys": str(folder / "clients"),
    }


def _say(port: int, folder: Path) -> None:
    """The same for a person, with the codes of this half minute."""
    ready = _ready(port, folder)
    console.print(f"\n[bold]联护演示已就绪。The demo is ready.[/bold]  {ready['address']}")
    console.print(f"已回放 {len(ready['cases'])} 个公开案例，人员与号码均为虚构。All people are invented.")
    console.print(f"接口说明 API description: {ready['address']}/openapi.json")
    console.print(f"数据目录 catalogue:       {ready['address']}/v1/catalogue")
    console.print("登录 log in: POST /v1/sessions {login, password, code}", highlight=False)
    for account in ready["accounts"]:
        code = pyotp.TOTP(account["totp"]).now()
        console.print(
            f"  {account['login']:<18}{account['role']:<14} 口令 password {account['password']}  动态码 code {code}"
            f"  (TOTP {account['totp']})",
            highlight=False,
            soft_wrap=True,
        )
    console.print(f"机构系统密钥 agency keys: {ready['agency_keys']}（docs/integration.md）", soft_wrap=True)
    console.print("试一试 try it:", *_example(ready), sep="\n", highlight=False, markup=False, soft_wrap=True)
    console.print("Ctrl-C 停止 stops.")


def _example(ready: dict[str, Any]) -> list[str]:
    """Three lines for a shell that work as they are printed: report with one click, log in, read a case. A login's code
    is made when the line runs, since it is good for a minute, once."""
    hub, case = ready["address"], ready["cases"][EXAMPLE]
    account = next(account for account in ready["accounts"] if account["login"] == READER)
    code = f"$({sys.executable} -c 'import pyotp; print(pyotp.TOTP(\"{account['totp']}\").now())')"
    body = (
        f'{{\\"login\\":\\"{account["login"]}\\",\\"password\\":\\"{account["password"]}\\",\\"code\\":\\"{code}\\"}}'
    )
    login = f'curl -s {hub}/v1/sessions -H Content-Type:application/json --data "{body}"'
    return [
        f'curl -s {hub}/v1/reports --data \'{{"place":"重庆市巴南区某路1号","happening_now":true}}\'',
        f'TOKEN=$({login} | sed \'s/.*"token":"\\([^"]*\\).*/\\1/\')',
        f'curl -s {hub}/v1/cases/{case} -H "Authorization: Bearer $TOKEN" -H "Purpose-Of-Use: case_handling"',
    ]
