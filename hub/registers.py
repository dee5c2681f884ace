"""`hub accounts|units|regions`: whom and what the hub knows; with `list`, `disable`, `enable` for clients too."""

import asyncio
import math
import warnings
from dataclasses import asdict
from getpass import GetPassWarning, getpass
from pathlib import Path
from typing import Annotated, Any

import typer

from hub import admin
from hub.console import Json, Yes, confirmed, counted, done, err, fail, rows_of, show, with_services
from hub.models.account import ROLES
from hub.models.directory import REFRESH_SECONDS
from hub.models.region import TIERS
from hub.policies.services import Services
from hub.systems import Unit, clients

accounts = typer.Typer(
    no_args_is_help=True,
    help="人员账号。经机构系统访问者由机构导入，无口令；直接登录者有口令与 TOTP。People's accounts: without a "
    "password for those who act through their agency's system, with password and TOTP for those who log in here.",
)
units = typer.Typer(
    no_args_is_help=True,
    help="单位：代码、类型（规则所用）、所辖区划、上级。Units: code, type (a word of the policy), area, superior.",
)
regions = typer.Typer(
    no_args_is_help=True,
    help="区划：12位统计代码，五级。Administrative divisions: 12-digit codes, province to community.",
)


@regions.command("import")
def regions_import(
    path: Annotated[Path, typer.Argument(help="CSV：code,name,level,parent")] = admin.REGIONS,
    as_json: Json = False,
) -> None:
    """导入区划（默认随附的 GB/T 2260 省市县表）。Load divisions; by default those shipped.

    已有代码只改名称与上级，不删除；上级须已有或在同一文件中。Known codes are renamed, none is removed; a parent must
    be known or in the same file. 例 Example:

    hub regions import

    echo code,name,level,parent > villages.csv

    echo 500113001001,某社区,community,500113000000 >> villages.csv

    hub regions import villages.csv
    """
    sheet = rows_of(path, ("code", "name", "level", "parent"))
    counted(with_services(lambda services: admin.add_regions(services, sheet.rows), sheet.places), as_json)


@regions.command("add")
def regions_add(
    code: Annotated[str, typer.Argument(help="12位代码。12 digits.")],
    name: Annotated[str, typer.Argument(help="名称。Its name.")],
    level: Annotated[str, typer.Option(help=" ".join(TIERS))],
    parent: Annotated[str, typer.Option(help="上级代码。Code of the division above.")] = "",
    as_json: Json = False,
) -> None:
    """增加一条区划，或改名。Add one division, or rename it.

    例 Example: hub regions add 500113001001 某社区 --level community --parent 500113000000
    """
    row = {"code": code, "name": name, "level": level, "parent": parent}
    counted(with_services(lambda services: admin.add_regions(services, [row])), as_json, code=code)


@units.command("import")
def units_import(
    path: Annotated[
        Path, typer.Argument(help="CSV：code,name,type,region 及可选 and optional parent,latitude,longitude")
    ],
    as_json: Json = False,
) -> None:
    """批量导入单位，上级在前；全部成功或全部不变。Import units, superiors first; all of them or none.

    已登记且相同的不动；有误则逐行列出。What is registered in the same words is left alone; every faulty line is named.
    例 Example:

    echo code,name,type,region > units.csv

    echo 370102-court,历下法院,court,370102 >> units.csv

    hub units import units.csv
    """
    optional = ("parent", "latitude", "longitude")
    sheet = rows_of(path, ("code", "name", "type", "region"), optional)
    new = [
        admin.NewUnit(
            r["code"],
            r["name"],
            r["type"],
            r["region"],
            r.get("parent", ""),
            *(_coordinate(r.get(n)) for n in optional[1:]),
        )
        for r in sheet.rows
    ]
    counted(with_services(lambda services: admin.add_units(services, new), sheet.places), as_json)


def _coordinate(text: str | None) -> float | None:
    """NaN for what is no number: it is told with the other faults."""
    try:
        return float(text) if text else None
    except ValueError:
        return math.nan


@units.command("add")
def units_add(
    code: Annotated[str, typer.Argument(help="单位代码：字母、数字、. _ -，至多64位。Its code.")],
    name: Annotated[str, typer.Argument(help="名称。Its name.")],
    type: Annotated[str, typer.Option(help="单位类型，见 policy.csv。A unit type of the policy.")],
    region: Annotated[str, typer.Option(help="所辖区划代码，6或12位。Code of the area it answers for.")],
    parent: Annotated[str, typer.Option(help="上级单位代码。Code of the superior.")] = "",
    as_json: Json = False,
) -> None:
    """增加单位。Add a unit. 例 Example: hub units add 370102-police 历下公安 --type police --region 370102"""
    new = admin.NewUnit(code, name, type, region, parent)
    counted(with_services(lambda services: admin.add_units(services, [new])), as_json, code=code)


@units.command("rename")
def units_rename(
    code: Annotated[str, typer.Argument(help="单位代码，不变。Its code, which stays.")],
    name: Annotated[str, typer.Argument(help="新名称。Its new name.")],
    as_json: Json = False,
) -> None:
    """改名；代码、类型、区划、上级不变，个案与人员不动。Another name for a unit; all else of it stays.

    以 HUB_OWNER_DATABASE_URL 连接。Connects by HUB_OWNER_DATABASE_URL.
    例 Example: hub units rename 370102-police 历下区公安分局
    """
    was = with_services(lambda services: admin.rename_unit(services, code, name), owner=True)
    done(f"{code} 原名 {was}，现名 {name}。Renamed.", as_json, code=code, was=was, name=name)


@accounts.command("add")
def accounts_add(
    unit: Unit,
    name: Annotated[str, typer.Argument(help="在本单位系统中的账号名，用于 On-Behalf-Of。Name in the unit's system.")],
    role: Annotated[str, typer.Argument(help=" ".join(ROLES))],
    id_number: Annotated[
        str,
        typer.Option(
            help="只存密钥散列；不写则询问，无人应答处须写。Hashed; asked for, needed where nobody can answer."
        ),
    ] = "",
    phone: Annotated[str, typer.Option(help="电话，只存密钥散列，用于回避。For conflicts of interest, hashed.")] = "",
    login: Annotated[
        str, typer.Option(help="个人登录名；经机构系统访问者不填。Login of a person who signs in here.")
    ] = "",
    as_json: Json = False,
) -> None:
    """增加账号。Add an account. With --login a password and TOTP secret are made and shown once.

    auditor、policy_admin、sysadmin 三员互斥，且不得兼办案角色。The three administrators exclude each other and
    every case role. 例 Example: hub accounts add 50-police zhou auditor --login zhou
    """
    new = admin.NewAccount(unit, name, role, id_number or _typed(), phone, login)
    made = with_services(lambda services: admin.add_accounts(services, [new]))
    if not made:
        fail(f"账号 {name} 已登记且相同，未改动。It is registered already; to change it: hub accounts change")
    show([asdict(m) for m in made], as_json)


def _typed() -> str:
    """An id number as somebody types it, unseen."""
    try:
        with warnings.catch_warnings(action="error", category=GetPassWarning):  # there is no terminal
            return getpass("身份证号 id number: ")
    except GetPassWarning:
        fail("此处无人应答，须写 --id-number。Nobody can answer here: give --id-number.")


@accounts.command("import")
def accounts_import(
    path: Annotated[Path, typer.Argument(help="CSV：unit,name,role,id_number[,phone]")], as_json: Json = False
) -> None:
    """批量导入本单位人员，经其系统访问。Import a unit's people, who act through its system; all of them or none.

    已登记且相同的不动；有误则逐行列出。Who is registered in the same words is left alone; every faulty line is named.
    例 Example: hub accounts import people.csv（见 docs/integration.md 第2节）
    """
    sheet = rows_of(path, ("unit", "name", "role", "id_number"), ("phone",))
    new = [admin.NewAccount(r["unit"], r["name"], r["role"], r["id_number"], r.get("phone", "")) for r in sheet.rows]
    made = with_services(lambda services: admin.add_accounts(services, new), sheet.places)
    people = [{"id": m.id, "name": m.name} for m in made]
    if people and not as_json:
        show(people, as_json)
    counted(admin.Counted(len(made), 0, len(new) - len(made)), as_json, accounts=people)


@accounts.command("change")
def accounts_change(
    name: Annotated[str, typer.Argument(help="账号编号或登录名。Account id, or login.")],
    password: Annotated[
        bool, typer.Option("--password", help="换新口令，同时解锁。A new password; unlocks too.")
    ] = False,
    totp: Annotated[bool, typer.Option("--totp", help="换新动态码密钥。A new TOTP secret.")] = False,
    role: Annotated[str, typer.Option(help=" ".join(ROLES))] = "",
    unit: Annotated[str, typer.Option(help="新单位代码。Code of the new unit.")] = "",
    as_json: Json = False,
) -> None:
    """改口令、动态码、角色或单位；此人的会话立即结束。Change an account; the person's sessions end at once.

    新口令与动态码密钥只显示一次。以 HUB_OWNER_DATABASE_URL 连接：服务自身的数据库用户无权改。New secrets are shown
    once. Connects by HUB_OWNER_DATABASE_URL, since the running hub's role may not change them.
    例 Example: hub accounts change zhou --password --totp
    """
    change = admin.Change(password, totp, role, unit)
    if change == admin.Change():
        fail("请说明改什么。Say what to change: --password --totp --role --unit")
    made = with_services(lambda services: admin.change_account(services, name, change), owner=True)
    if as_json:
        return done("", as_json, **asdict(made))
    show([{key: value for key, value in asdict(made).items() if value != ""}], as_json)


NAMED = {
    "accounts": "账号编号或登录名。Account id, or login.",
    "units": "单位代码。Code of the unit.",
    "clients": "系统编号。Client id.",
    "regions": "12位代码。12 digits.",
}
STOPS = {
    "accounts": "其会话立即结束。The person's sessions end.",
    "units": "其人员、系统同停。Its people and systems stop with it.",
    "clients": "其令牌五秒内失效。Its tokens end within five seconds.",
    "regions": "新记录不得再用。No new record may name it.",
}
RESUMES = {
    "accounts": "停用前的会话不恢复，须重新登录。Sessions from before stay ended.",
    "units": "其人员须重新登录，系统须重新领取令牌。Its people log in anew, its systems fetch new tokens.",
    "clients": "停用前的令牌不恢复，须重新领取。Tokens from before stay ended: it fetches a new one.",
    "regions": "新记录又可使用。New records may name it again.",
}
EXAMPLES = {"accounts": "zhou", "units": "370102-police", "clients": "lixia-police", "regions": "500113001001"}


HANDING_OVER = (
    "已停用；等其他进程得知（数秒），再移交其间到的报案。Disabled; in a few seconds, when all processes know, what came"
    " to it meanwhile is handed over."
)


def _question(noun: str, name: str, row: Any) -> str:
    """What a person should know before it stops."""
    if noun == "units":
        zh = f"停用 {name}（{row['name']}），连同其 {row['accounts']} 个账号、{row['clients']} 个系统？"
        return f"{zh}Disable it, with its {row['accounts']} accounts and {row['clients']} systems?"
    return f"停用 {name}？Disable it?"


def _add_shared(noun: str, group: typer.Typer) -> None:
    """`list`, `disable` and `enable`, the same for every noun."""

    @group.command("list", help=f"列出全部，含已停用的。List all {noun}, the disabled ones too.")
    def listing(as_json: Json = False) -> None:
        rows = with_services(lambda services: services.database.fetch(admin.LIST[noun]))
        show([dict(row) for row in rows], as_json)

    @group.command(
        "disable",
        help="立即停用，须确认；不删除，代码不可重用，可用 enable 恢复。Stop at once, after asking; nothing is "
        f"deleted, no code is used again, `enable` takes it back.\n\n{STOPS[noun]}\n\n"
        f"例 Example: hub {noun} disable {EXAMPLES[noun]}",
    )
    def disable(
        name: Annotated[str, typer.Argument(help=NAMED[noun])], yes: Yes = False, as_json: Json = False
    ) -> None:
        async def work(services: Services) -> None:
            confirmed(_question(noun, name, await admin.there(services, noun, name)), yes)
            await admin.disable(services, noun, name)
            if noun == "units":
                err.print(HANDING_OVER)
                await asyncio.sleep(REFRESH_SECONDS + 1)
                await admin.hand_over(services, name)

        with_services(work)
        done(f"已停用 {name}。Disabled.", as_json, disabled=name)

    @group.command(
        "enable",
        help=f"重新启用。Let it work again.\n\n{RESUMES[noun]}\n\n例 Example: hub {noun} enable {EXAMPLES[noun]}",
    )
    def enable(name: Annotated[str, typer.Argument(help=NAMED[noun])], as_json: Json = False) -> None:
        with_services(lambda services: admin.enable(services, noun, name))
        done(f"已启用 {name}。Enabled.", as_json, enabled=name)


for _noun, _group in (("accounts", accounts), ("units", units), ("clients", clients), ("regions", regions)):
    _add_shared(_noun, _group)
