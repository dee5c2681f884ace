"""`hub accounts|units|clients|regions`: whom and what the hub knows; each with add, list, disable, import."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from hub import admin
from hub.console import Json, done, fail, json_of, rows_of, show, with_services
from hub.models.account import ROLES
from hub.models.region import TIERS
from hub.policies.services import Services

accounts = typer.Typer(
    no_args_is_help=True,
    help="人员账号。经机构系统访问的人员无口令，由机构导入；直接登录者有口令与动态码。People's accounts: without a "
    "password for those who act through their agency's system, with password and TOTP for those who log in here.",
)
units = typer.Typer(
    no_args_is_help=True,
    help="单位：代码、类型（规则所用）、所辖区划、上级。Units: code, type (a word of the policy), area, superior.",
)
clients = typer.Typer(
    no_args_is_help=True,
    help="机构系统：以公钥登记，见 docs/integration.md。Agency systems, registered by their public keys.",
)
regions = typer.Typer(
    no_args_is_help=True,
    help="区划：12位统计代码，五级。Administrative divisions: 12-digit codes, province to community.",
)
Unit = Annotated[str, typer.Argument(help="单位代码，见 hub units list。Code of the unit.")]


@regions.command("import")
def regions_import(
    path: Annotated[Path, typer.Argument(help="CSV：code,name,level,parent")] = admin.REGIONS,
    as_json: Json = False,
) -> None:
    """导入区划（默认随附的 GB/T 2260 省市县表）。Load divisions; by default those shipped.

    已有代码只改名称与上级，不删除；上级须已有或在同一文件中。Known codes are renamed, none is removed; a parent must
    be known or in the same file. 例 Example: hub regions import villages.csv
    """
    rows = rows_of(path, "code", "name", "level", "parent")
    count = with_services(lambda services: admin.add_regions(services, rows))
    done(f"已导入 {count} 条区划。Imported {count} divisions.", as_json, imported=count)


@regions.command("add")
def regions_add(
    code: Annotated[str, typer.Argument(help="12位代码。12 digits.")],
    name: Annotated[str, typer.Argument(help="名称。Its name.")],
    level: Annotated[str, typer.Option(help=" ".join(TIERS))],
    parent: Annotated[str, typer.Option(help="上级代码。Code of the division above.")] = "",
    as_json: Json = False,
) -> None:
    """增加一条区划，或改名。Add one division, or rename it; processes show a new name after a restart.

    例 Example: hub regions add 500113001001 某社区 --level community --parent 500113001000
    """
    row = {"code": code, "name": name, "level": level, "parent": parent}
    with_services(lambda services: admin.add_regions(services, [row]))
    done(f"已增加区划 {code}。Added.", as_json, added=code)


@units.command("import")
def units_import(
    path: Annotated[Path, typer.Argument(help="CSV：code,name,type,region[,parent,latitude,longitude]")],
    as_json: Json = False,
) -> None:
    """批量导入单位，上级在前；全部成功或全部不变。Import units, superiors first; all of them or none."""
    new = []
    for number, r in enumerate(rows_of(path, "code", "name", "type", "region"), 2):
        try:
            where = [float(r[n]) if r.get(n) else None for n in ("latitude", "longitude")]
        except ValueError:
            fail(f"第{number}行坐标不是数字。Line {number}: a coordinate is no number.")
        new.append(admin.NewUnit(r["code"], r["name"], r["type"], r["region"], r.get("parent", ""), *where))
    count = with_services(lambda services: admin.add_units(services, new))
    done(f"已导入 {count} 个单位。Imported {count} units.", as_json, imported=count)


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
    with_services(lambda services: admin.add_units(services, [new]))
    done(f"已增加单位 {code}。Added.", as_json, added=code)


@accounts.command("add")
def accounts_add(
    unit: Unit,
    name: Annotated[str, typer.Argument(help="在本单位系统中的账号名，用于 On-Behalf-Of。Name in the unit's system.")],
    role: Annotated[str, typer.Argument(help=" ".join(ROLES))],
    id_number: Annotated[
        str,
        typer.Option(prompt="身份证号 id number", hide_input=True, help="只存密钥散列。Kept as a keyed hash only."),
    ],
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
    new = admin.NewAccount(unit, name, role, id_number, phone, login)
    made = with_services(lambda services: admin.add_accounts(services, [new]))
    show([asdict(m) for m in made], as_json)


@accounts.command("import")
def accounts_import(
    path: Annotated[Path, typer.Argument(help="CSV：unit,name,role,id_number[,phone]")], as_json: Json = False
) -> None:
    """批量导入本单位人员，经其系统访问。Import a unit's people, who act through its system; all of them or none."""
    new = [
        admin.NewAccount(r["unit"], r["name"], r["role"], r["id_number"], r.get("phone", ""))
        for r in rows_of(path, "unit", "name", "role", "id_number")
    ]
    made = with_services(lambda services: admin.add_accounts(services, new))
    show([{"id": m.id, "name": m.name} for m in made], as_json)


@clients.command("add")
def clients_add(
    client_id: Annotated[str, typer.Argument(help="系统编号，即令牌请求的 iss。Its id, the assertion's iss.")],
    unit: Unit,
    jwks: Annotated[Path, typer.Option(help="公钥文件（JWKS，P-256，每个含 kid）。Public keys, 1 to 4.")],
    scopes: Annotated[str, typer.Option(help="权限范围。What its tokens may do at most.")] = admin.SCOPES,
    as_json: Json = False,
) -> None:
    """登记机构系统。Register a system. 例 Example: hub clients add lixia-police 370102-police --jwks keys.json"""
    found = json_of(jwks)
    with_services(lambda services: admin.add_client(services, client_id, unit, found, scopes))
    done(f"已登记 {client_id}。Registered.", as_json, registered=[client_id])


@clients.command("import")
def clients_import(
    path: Annotated[Path, typer.Argument(help='JSON：[{"id","unit","jwks"[,"scopes"]}]')], as_json: Json = False
) -> None:
    """批量登记机构系统。Register several systems from one JSON file, one after the other."""
    found = json_of(path)
    wanted = ("id", "unit", "jwks")
    if not isinstance(found, list) or not all(isinstance(c, dict) and all(n in c for n in wanted) for c in found):
        fail(f"{path} 应为列表，每项含 id、unit、jwks。A list is expected, each item with id, unit and jwks.")

    async def work(services: Services) -> None:
        for c in found:
            await admin.add_client(services, c["id"], c["unit"], c["jwks"], c.get("scopes", admin.SCOPES))

    with_services(work)
    done(f"已登记 {len(found)} 个机构系统。Registered {len(found)}.", as_json, registered=[c["id"] for c in found])


NAMED = {
    "accounts": "账号编号或登录名。Account id, or login.",
    "units": "单位代码。Code of the unit; its people and systems stop with it.",
    "clients": "系统编号。Client id; its tokens stop within five seconds.",
    "regions": "12位代码。12 digits; no new record may name it.",
}


def _add_shared(noun: str, group: typer.Typer) -> None:
    """`list` and `disable`, the same for every noun."""

    @group.command("list", help=f"列出全部，含已停用的。List all {noun}, the disabled ones too.")
    def listing(as_json: Json = False) -> None:
        rows = with_services(lambda services: services.database.fetch(admin.LIST[noun]))
        show([dict(row) for row in rows], as_json)

    @group.command(
        "disable", help="立即停用，不删除，不可重用。Stop at once; nothing is deleted, nothing is used again."
    )
    def disable(name: Annotated[str, typer.Argument(help=NAMED[noun])], as_json: Json = False) -> None:
        with_services(lambda services: admin.disable(services, noun, name))
        done(f"已停用 {name}。Disabled.", as_json, disabled=name)


for _noun, _group in (("accounts", accounts), ("units", units), ("clients", clients), ("regions", regions)):
    _add_shared(_noun, _group)
