"""`hub policy ...` and `hub keys ...`: review the rules, explain a case, look after the master key."""

import csv
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

import typer

from hub import admin, keys, settings
from hub.console import Json, err, fail, out, show, with_services
from hub.people import ACCOUNT, subject_of
from hub.policies import matrix
from hub.policies.decide import Policy
from hub.policies.gate import Gate
from hub.policies.rules import PolicyRefused
from hub.policies.services import Services
from hub.policies.subject import Purpose

policy = typer.Typer(no_args_is_help=True, help="共享规则 the sharing policy")
key_commands = typer.Typer(no_args_is_help=True, help="主密钥 the master key")


@policy.command("check")
def policy_check(path: Annotated[Path | None, typer.Argument()] = None) -> None:
    """检查规则文件，列出每个问题。Check a policy file; nothing is changed."""
    try:
        loaded = Policy.load(path or settings.current().policy)
    except PolicyRefused as refused:
        for problem in refused.problems:
            err.print(problem, style="red", markup=False)
        raise typer.Exit(1) from None
    out.print(f"规则可用。Good: {len(loaded.rules.rows)} rules, version {loaded.version[:16]}")


@policy.command("matrix")
def policy_matrix(
    format: Annotated[str, typer.Option(help="csv 每类一行；compact 每组事实一行，C M . 为明、遮、不开。")] = "compact",
) -> None:
    """打印全部规则的效果。Print what the whole policy does, for review."""
    loaded, writer = Policy.load(settings.current().policy), csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(matrix.COLUMNS if format == "csv" else ("unit_type", "role", "purpose", "facts", "outcomes"))
    writer.writerows(matrix.rows(loaded) if format == "csv" else matrix.compact(loaded))


@policy.command("explain")
def policy_explain(
    account: Annotated[UUID, typer.Option(help="账号编号。Account id (hub accounts list).")],
    case: Annotated[UUID, typer.Option(help="个案编号。Case id.")],
    purpose: Purpose = Purpose.case_handling,
    as_json: Json = False,
) -> None:
    """说明某账号对某个案各类数据看到什么、为什么。Outcome, layer and rule for each category; itself logged."""

    async def work(services: Services) -> list[dict[str, Any]]:
        row = await services.database.fetchrow(ACCOUNT + " a.id = $1", account)
        if row is None:
            fail("账号不存在。No such account.")
        gate = Gate(services, subject_of(row), purpose)
        bits = await gate.facts_of(case)
        return [asdict(reason) for reason in matrix.explain(gate.table, bits)]

    show(with_services(work), as_json)


@key_commands.command("create")
def keys_create() -> None:
    """生成主密钥文件（0600），不覆盖已有。Make the master key file; keep a copy where the database is not."""
    path = settings.current().key_file
    try:
        keys.create(path, demo=settings.current().demo)
    except FileExistsError:
        fail(f"已存在，未改动。It exists and was left alone: {path}")
    out.print(f"已生成 {path}。Created.")


@key_commands.command("rotate")
def keys_rotate() -> None:
    """换主密钥并重包各案密钥；字段不动。Rotate the master key; only case keys are re-wrapped. Restart servers after."""
    keys.rotate(settings.current().key_file)
    count = with_services(admin.rotate_keys)
    out.print(f"已重包 {count} 个案的密钥。Re-wrapped {count} case keys.")
