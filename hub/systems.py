"""`hub clients`: agencies' systems, registered by their public keys."""

from pathlib import Path
from typing import Annotated

import typer

from hub import admin
from hub.console import Json, Yes, confirmed, counted, done, fail, json_of, with_services

clients = typer.Typer(
    no_args_is_help=True,
    help="机构系统：以公钥登记，见 docs/integration.md。Agency systems, registered by their public keys.",
)
Unit = Annotated[str, typer.Argument(help="单位代码，见 hub units list。Code of the unit.")]


@clients.command("add")
def clients_add(
    client_id: Annotated[str, typer.Argument(help="系统编号，即令牌请求的 iss。Its id, the assertion's iss.")],
    unit: Unit,
    jwks: Annotated[Path, typer.Option(help="公钥文件（JWKS，P-256，每个含 kid）。Public keys, 1 to 4.")],
    scopes: Annotated[str, typer.Option(help="权限范围。What its tokens may do at most.")] = admin.SCOPES,
    as_json: Json = False,
) -> None:
    """登记机构系统。Register a system. 例 Example: hub clients add lixia-police 370102-police --jwks jwks.json"""
    new = admin.NewClient(client_id, unit, json_of(jwks), scopes)
    counted(with_services(lambda services: admin.add_clients(services, [new])), as_json, id=client_id)


@clients.command("import")
def clients_import(
    path: Annotated[Path, typer.Argument(help='JSON：[{"id","unit","jwks"[,"scopes"]}]')], as_json: Json = False
) -> None:
    """批量登记机构系统；全部成功或全部不变。Register systems from one JSON file; all of them or none.

    已登记且相同的不动；有误则逐项列出。What is registered in the same words is left alone; every faulty item is named.
    例 Example:

    echo '[{"id": "lixia-2", "unit": "370102-police", "jwks":' > systems.json

    cat jwks.json >> systems.json && echo '}]' >> systems.json

    hub clients import systems.json
    """
    found = json_of(path)
    if not isinstance(found, list) or not all(isinstance(c, dict) for c in found):
        fail(f"{path} 应为列表，每项含 id、unit、jwks。A list is expected, each item with id, unit and jwks.")
    if strange := sorted({name for c in found for name in c} - {"id", "unit", "jwks", "scopes"}):
        fail(f"{path} 有未知的成员 unknown members: {', '.join(strange)}; 可用 known: id, unit, jwks, scopes")
    new = [
        admin.NewClient(c.get("id", ""), c.get("unit", ""), c.get("jwks"), c.get("scopes", admin.SCOPES)) for c in found
    ]
    places = [f"第{n}项 item {n}" for n in range(1, len(found) + 1)]
    counted(with_services(lambda services: admin.add_clients(services, new), places), as_json)


@clients.command("change")
def clients_change(
    client_id: Annotated[str, typer.Argument(help="系统编号。Its id.")],
    add_keys: Annotated[
        Path | None, typer.Option(help="增加的公钥文件（JWKS）；至多共4个。Public keys to add; 4 at most in all.")
    ] = None,
    remove_key: Annotated[
        list[str] | None, typer.Option(help="删去的公钥的 kid，可重复。The kid of a key to remove; may be repeated.")
    ] = None,
    scopes: Annotated[str, typer.Option(help="权限范围。What its tokens may do at most.")] = "",
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """换公钥或权限范围，服务不断。Change a system's keys or scopes, without an outage.

    换钥：先 --add-keys 新公钥，机构改用新钥后，再 --remove-key 旧 kid（见 clients list）。被删公钥的令牌、
    缩小的范围，五秒内生效。以 HUB_OWNER_DATABASE_URL 连接。To rotate: add the new key, let the agency use it,
    then remove the old one (kids: clients list). Tokens of a removed key, and scopes taken away, end within five
    seconds. Connects by HUB_OWNER_DATABASE_URL.
    例 Example: hub clients change lixia-police --add-keys new.json
    """
    if add_keys is None and not remove_key and not scopes:
        fail("请说明改什么。Say what to change: --add-keys --remove-key --scopes")
    given, gone = json_of(add_keys) if add_keys else None, tuple(remove_key or ())
    if gone:
        confirmed(f"删去 {client_id} 的公钥 {' '.join(gone)}？Remove these keys?", yes)
    kids = with_services(lambda services: admin.change_client(services, client_id, given, gone, scopes), owner=True)
    done(f"已改 {client_id}，现有公钥 {' '.join(kids)}。Changed; its keys are these.", as_json, id=client_id, keys=kids)
