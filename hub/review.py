"""`hub policy ...` and `hub keys ...`: review the rules, explain a case, look after the master key."""

import csv
import json
import sys
from dataclasses import asdict
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import Progress, TaskID

from hub import admin, keyfile, settings
from hub.console import Json, configured, done, err, fail, show, starting, with_services
from hub.errors import NotFound
from hub.people import ACCOUNT, subject_of
from hub.policies import facts, matrix
from hub.policies.decide import Policy, Table
from hub.policies.gate import Gate
from hub.policies.rules import PolicyRefused
from hub.policies.services import Services
from hub.policies.subject import Purpose

policy = typer.Typer(
    no_args_is_help=True,
    help="共享规则：检查、看效果、解释。The sharing policy: check it, see its effect, explain a case. docs/policy.md",
)
key_commands = typer.Typer(
    no_args_is_help=True,
    help="主密钥文件；丢失则数据永久不可读。The master key file: without it nothing can be read, ever.",
)


class Format(StrEnum):
    """How the matrix is printed."""

    csv = "csv"
    compact = "compact"


@policy.command("check")
def policy_check(
    path: Annotated[
        Path | None, typer.Argument(help="规则文件，默认现行规则。A policy file; by default that in force.")
    ] = None,
    as_json: Json = False,
) -> None:
    """检查规则文件，列出每个问题，不改动任何东西。Check a policy file; lists every problem, changes nothing.

    例 Example: hub policy check copy.csv
    """
    try:
        loaded = Policy.load(path or configured().policy)
    except PolicyRefused as refused:
        if as_json:
            done("", True, good=False, problems=list(refused.problems))
        for problem in refused.problems if not as_json else ():
            err.print(problem, style="red", markup=False)
        raise typer.Exit(1) from None
    rules, version = len(loaded.rules.rows), loaded.version
    done(f"规则可用。Good: {rules} rules, version {version[:16]}", as_json, good=True, rules=rules, version=version)


@policy.command("matrix")
def policy_matrix(
    format: Annotated[
        Format,
        typer.Option(
            help="csv：每类一行。compact：每组事实一行，C M . 为明、遮、不开。csv: one line a category; compact: one a "
            "set of facts, C clear, M masked, . withheld, what is wholly withheld left out."
        ),
    ] = Format.compact,
    as_json: Json = False,
) -> None:
    """打印全部规则的效果，供审阅。Print what the whole policy does, for review.

    例 Example: HUB_POLICY=$PWD/copy.csv hub policy matrix | diff tests/policies/matrix.csv -
    """
    with starting():
        loaded, writer = Policy.load(settings.current().policy), csv.writer(sys.stdout, lineterminator="\n")
    full = format is Format.csv
    columns = matrix.COLUMNS if full else ("unit_type", "role", "purpose", "facts", "outcomes")
    rows = matrix.rows(loaded) if full else matrix.compact(loaded)
    if as_json:
        typer.echo("[" + ",\n".join(json.dumps(dict(zip(columns, row, strict=True))) for row in rows) + "]")
        return
    writer.writerow(columns)
    writer.writerows(rows)


@policy.command("explain")
def policy_explain(
    account: Annotated[str, typer.Option(help="账号编号或登录名。Account id (hub accounts list), or login.")],
    case: Annotated[str, typer.Option(help="个案编号或案号。Case id, or number.")],
    purpose: Annotated[Purpose, typer.Option(help="所陈述的目的。The purpose stated.")] = Purpose.case_handling,
    as_json: Json = False,
) -> None:
    """说明某账号对某个案各类数据看到什么、为什么。Outcome, layer and rule for each category.

    不打开任何数据，本身记入日志。Opens nothing, and is itself an entry of the access log.
    """

    async def work(services: Services) -> list[dict[str, Any]]:
        row = await services.database.fetchrow(ACCOUNT + " (a.id::text = $1 OR a.login = $1)", account)
        if row is None:
            fail("账号不存在或已停用（见 hub accounts list）。No such account, or disabled; see hub accounts list.")
        gate = Gate(services, subject_of(row), purpose)
        try:
            bits = await gate.facts_of(case)
        except NotFound:
            fail("个案不存在：请给编号或案号。No such case: give its id (case_id), or its number.")
        err.print(_facts(gate.table, bits), markup=False, highlight=False, soft_wrap=True)
        return [asdict(reason) for reason in matrix.explain(gate.table, bits)]

    show(with_services(work), as_json)


def _facts(table: Table, bits: int) -> str:
    """What holds between the account and the case; and of what one fact must, where that is all that bars."""
    held = facts.true_in(bits)
    said = f"成立的事实 facts that hold: {', '.join(held) or '无 none'}"
    if table.stateable and not table.purpose_any and not set(held) & set(table.purpose_facts):
        said += f"；此目的须有其一 this purpose needs one of: {', '.join(table.purpose_facts)}"
    return said


def _done(progress: Progress, task: TaskID, count: int) -> None:
    progress.update(task, completed=count)


@key_commands.command("create")
def keys_create(as_json: Json = False) -> None:
    """生成主密钥文件（0600），不覆盖已有。Make the master key file; an existing one is left alone.

    另存一份于数据库备份之外。Keep a sealed copy where the database's backups are not.
    """
    config = configured()
    path = config.key_file
    with starting():
        try:
            keyfile.create(path, demo=config.demo)
        except FileExistsError:
            fail(f"已存在，未改动。It exists and was left alone: {path}")
    done(f"已生成 {path}。Created.", as_json, created=path)


async def _answers(services: Services) -> None:
    """The database is there, and the key is its own: opening the services has found so."""


@key_commands.command("rotate")
def keys_rotate(
    finish: Annotated[bool, typer.Option("--finish", help="只重包，不加新密钥。Only re-wrap, add no key.")] = False,
    as_json: Json = False,
) -> None:
    """换主密钥并重包各案密钥；字段不动，服务不停。Rotate the master key; only case keys are re-wrapped.

    运行中的进程会从文件读到新密钥；重启后才用它包新案，故重启后再以 --finish 重包其间的新案；中断的轮换亦以此做完。
    Running processes read the new key from the file; they wrap new cases with it after a restart. So after that, or
    when it was broken off, run it with --finish, which adds no key.
    """
    if not finish:
        with starting():
            keyfile.private(settings.current().key_file)
        with_services(_answers)  # else each attempt would leave one more key
        with starting():
            keyfile.rotate(settings.current().key_file)
    with Progress("{task.description}", "{task.completed}", console=err) as progress:
        task = progress.add_task("重包 re-wrapping", total=None)
        count = with_services(lambda services: admin.rotate_keys(services, partial(_done, progress, task)))
    done(f"已重包 {count} 个案的密钥。Re-wrapped {count} case keys.", as_json, rewrapped=count)
