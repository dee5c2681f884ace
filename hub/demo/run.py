"""`hub demo`: build the province, serve, replay, and say where to look."""

import asyncio
import json
import socket
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pyotp
import typer
import uvicorn
from rich.console import Console
from rich.progress import Progress

from hub.demo.province import build, load_cases, write_once
from hub.demo.replay import Replay
from hub.main import create_app, open_services
from hub.settings import Settings

console = Console()


def demo(config: Settings, port: int, *, once: bool = False, as_json: bool = False) -> None:
    """Run the demo until Ctrl-C (or, with `once`, until it is loaded)."""
    console.stderr = as_json
    with suppress(KeyboardInterrupt):
        asyncio.run(_demo(config, port, once, as_json))
    console.print("已停止。Stopped.")


def _listen(port: int) -> socket.socket:
    """Take the port before anything else, so that a busy one is said at once."""
    listening = socket.socket()
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind(("127.0.0.1", port))
    except OSError:
        raise OSError(f"端口 {port} 已被占用，用 --port 另选。Port {port} is in use; choose another: --port") from None
    return listening


async def _demo(config: Settings, port: int, once: bool, as_json: bool) -> None:
    listening, folder = _listen(port), config.data / "demo"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    console.print("演示省份：区划、单位、账号、机构系统 … Building the demo province …")
    services = await open_services(config)
    await build(services, folder)
    await services.database.close()
    server = uvicorn.Server(
        uvicorn.Config(
            create_app(config),
            log_level="warning",
            access_log=False,
            server_header=False,
            http="httptools",
        )
    )
    serving = asyncio.create_task(server.serve([listening]))
    while not server.started:
        await asyncio.sleep(0.02)
    await _replay(config, port, folder)
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
    console.print(f"个案示例 a case to open:  /v1/cases/{ready['cases'].get('spc2025-lu', '')}", soft_wrap=True)
    console.print("Ctrl-C 停止 stops.")
