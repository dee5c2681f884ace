"""`hub`: run, migrate, administer. Every command explains itself with --help; --json prints the machine's form."""

import asyncio
import csv
import json
import os
from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated

import typer
import uvicorn

from hub import admin, migrations, settings
from hub.console import STARTING, Json, fail, out, show, with_services
from hub.demo.run import demo as run_demo
from hub.intake import Intake
from hub.main import create_app
from hub.models.catalogue import KINDS, fields_of
from hub.policies.services import Services
from hub.review import key_commands, policy
from hub.runtime import with_database, with_key

app = typer.Typer(
    no_args_is_help=True,
    help="联护 Lianhu：反家庭暴力数据共享平台。A data-sharing hub against domestic "
    "violence.\n\n先试：hub demo。First look: hub demo.",
    pretty_exceptions_enable=False,
)
accounts = typer.Typer(no_args_is_help=True, help="人员账号 people's accounts")
units = typer.Typer(no_args_is_help=True, help="单位 units")
clients = typer.Typer(no_args_is_help=True, help="机构系统 agency systems (clients)")
regions = typer.Typer(no_args_is_help=True, help="区划 administrative divisions")
for _name, _group in (
    ("accounts", accounts),
    ("units", units),
    ("clients", clients),
    ("regions", regions),
    ("policy", policy),
    ("keys", key_commands),
):
    app.add_typer(_group, name=_name)


@app.command()
def demo(port: int = 8000, once: Annotated[bool, typer.Option(help="装载后即退出。Load, then stop.")] = False) -> None:
    """演示：内嵌数据库、演示省份、回放41个公开案例，在 127.0.0.1 提供服务。

    Starts the embedded database, loads a demo province, replays 41 published cases through the HTTP API as
    the agencies that acted, and serves. Ctrl-C stops it; starting again takes seconds.
    """
    os.environ["HUB_DEMO"] = "1"
    settings.current.cache_clear()
    config = replace(settings.current(), demo=True, issuer=f"http://127.0.0.1:{port}")
    try:
        run_demo(with_key(with_database(config)), port, once=once)
    except STARTING as error:
        fail(str(error))


@app.command()
def serve(host: str = "127.0.0.1", port: int = 8000, uds: str = "") -> None:
    """提供服务（一个进程；多进程由 systemd 或容器各起一个）。Serve, one process; run several behind a proxy."""
    try:
        config = with_key(with_database(settings.current()))
    except STARTING as error:
        fail(str(error))
    uvicorn.run(
        create_app(config),
        host=host,
        port=port,
        uds=uds or None,
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        loop="uvloop",
        http="httptools",
    )


@app.command()
def worker(once: bool = False) -> None:
    """后台：归档暂存的报案、清理过期数据。Files spooled reports, removes what has expired; runs for ever."""

    async def work(services: Services) -> int:
        intake, total = Intake(services), 0
        while True:
            total += await intake.drain()
            await services.database.execute("DELETE FROM spent_assertion WHERE expires_at < now()")
            await services.database.execute(
                "DELETE FROM attachment_chunk c WHERE NOT EXISTS (SELECT FROM attachment a WHERE a.id ="
                " c.attachment_id) AND c.at < now() - interval '1 day'"
            )
            if once:
                return total
            await asyncio.sleep(30)

    with_services(work)


@app.command()
def migrate() -> None:
    """升级数据库结构（以 HUB_OWNER_DATABASE_URL 连接）。Bring the schema up to date, as its owner."""
    config = settings.current()
    if config.owner_url:
        migrations.upgrade(config.owner_url)
    else:
        with_database(config, migrate=True)
    out.print("数据库结构已是最新。The schema is up to date.")


@app.command()
def check() -> None:
    """检查配置、密钥、数据库持久性与规则，有问题则退出码为1。Checks everything a start needs."""

    async def work(services: Services) -> str:
        await services.database.check_durability()
        return services.policy.version

    version = with_services(work)
    out.print(f"检查通过。All good. policy {version[:16]}")


@regions.command("import")
def regions_import(
    path: Annotated[Path, typer.Argument(help="CSV：code,name,level,parent")] = admin.REGIONS,
) -> None:
    """导入区划（默认随附的 GB/T 2260 省市县表）。Load divisions; by default those shipped."""
    count = with_services(lambda services: admin.import_regions(services, path))
    out.print(f"已导入 {count} 条区划。Imported {count} divisions.")


@regions.command("add")
def regions_add(
    code: Annotated[str, typer.Argument(help="12位代码。12 digits.")],
    name: str,
    level: Annotated[str, typer.Option(help="province city county township community")],
    parent: Annotated[str, typer.Option(help="上级代码。Code of the division above.")] = "",
) -> None:
    """增加一条区划。Add one division, or rename it."""
    row = {"code": code, "name": name, "level": level, "parent": parent}
    with_services(lambda services: admin.add_regions(services, [row]))
    out.print(f"已增加区划 {code}。Added.")


@units.command("import")
def units_import(path: Path) -> None:
    """批量导入，CSV 列：code,name,type,region,parent,latitude,longitude（上级在前）。Superiors first."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        new = [
            admin.NewUnit(
                r["code"],
                r["name"],
                r["type"],
                r["region"],
                r.get("parent") or "",
                *(float(r[n]) if r.get(n) else None for n in ("latitude", "longitude")),
            )
            for r in csv.DictReader(file)
        ]
    count = with_services(lambda services: admin.add_units(services, new))
    out.print(f"已导入 {count} 个单位。Imported {count} units.")


@units.command("add")
def units_add(
    code: str,
    name: str,
    type: Annotated[str, typer.Option(help="单位类型，见 policy.csv。A unit type of the policy.")],
    region: Annotated[str, typer.Option(help="区划代码，6或12位。Region code.")],
    parent: Annotated[str, typer.Option(help="上级单位代码。Code of the superior.")] = "",
) -> None:
    """增加单位。例 Example: hub units add 370102-police 历下公安 --type police --region 370102"""
    new = admin.NewUnit(code, name, type, region, parent)
    with_services(lambda services: admin.add_units(services, [new]))
    out.print(f"已增加单位 {code}。Added.")


@accounts.command("add")
def accounts_add(
    unit: str,
    name: str,
    role: str,
    id_number: Annotated[str, typer.Option(prompt="身份证号 id number", hide_input=True)],
    phone: str = "",
    login: Annotated[str, typer.Option(help="个人登录名；经机构系统访问者不填。")] = "",
    as_json: Json = False,
) -> None:
    """增加账号。With --login a password and TOTP secret are made and shown once."""
    new = admin.NewAccount(unit, name, role, id_number, phone, login)
    made = with_services(lambda services: admin.add_accounts(services, [new]))
    show([asdict(m) for m in made], as_json)


@accounts.command("import")
def accounts_import(path: Path, as_json: Json = False) -> None:
    """批量导入，CSV 列：unit,name,role,id_number,phone。Import a unit's people; they act through its system."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        new = [
            admin.NewAccount(r["unit"], r["name"], r["role"], r["id_number"], r.get("phone") or "")
            for r in csv.DictReader(file)
        ]
    made = with_services(lambda services: admin.add_accounts(services, new))
    show([{"id": m.id, "name": m.name} for m in made], as_json)


@clients.command("add")
def clients_add(
    client_id: str,
    unit: str,
    jwks: Annotated[Path, typer.Option(help="公钥文件（JWKS，P-256，每个含 kid）。Public keys.")],
    scopes: str = admin.SCOPES,
) -> None:
    """登记机构系统。Example: hub clients add lixia-police 370102-police --jwks keys.json"""
    found = json.loads(jwks.read_text())
    with_services(lambda services: admin.add_client(services, client_id, unit, found, scopes))
    out.print(f"已登记 {client_id}。Registered.")


@clients.command("import")
def clients_import(path: Annotated[Path, typer.Argument(help='JSON：[{"id","unit","jwks","scopes"}]')]) -> None:
    """批量登记机构系统。Register several systems from one JSON file."""
    found = json.loads(path.read_text(encoding="utf-8"))

    async def work(services: Services) -> None:
        for c in found:
            await admin.add_client(services, c["id"], c["unit"], c["jwks"], c.get("scopes", admin.SCOPES))

    with_services(work)
    out.print(f"已登记 {len(found)} 个机构系统。Registered {len(found)}.")


def _add_shared(noun: str, group: typer.Typer) -> None:
    """`list` and `disable`, the same for every noun."""

    @group.command("list", help=f"列出 List {noun}.")
    def listing(as_json: Json = False) -> None:
        rows = with_services(lambda services: services.database.fetch(admin.LIST[noun]))
        show([dict(row) for row in rows], as_json)

    if noun in admin.DISABLE:

        @group.command("disable", help="立即停用，不删除。Stop at once; nothing is deleted.")
        def disable(name: str) -> None:
            with_services(lambda services: admin.disable(services, noun, name))
            out.print(f"已停用 {name}。Disabled.")


for _noun, _shared in (("accounts", accounts), ("units", units), ("clients", clients), ("regions", regions)):
    _add_shared(_noun, _shared)


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
