"""What the commands share: running a verb against the database, and printing for people or machines."""

import asyncio
import csv
import json
import sys
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text
from typer import rich_utils

from hub import keyfile, settings
from hub.db import FAILED, UNMIGRATED, unreachable
from hub.embedded import EmbeddedFailed
from hub.errors import HubError, Unreachable, Weakened
from hub.main import open_services
from hub.migrations import MigrationFailed
from hub.policies.rules import PolicyRefused
from hub.policies.services import Services
from hub.runtime import Stopped, with_database, with_key
from hub.sheets import Counted, Fault, Refused

out, err = Console(), Console(stderr=True)
Json = Annotated[bool, typer.Option("--json", help="输出 JSON。Print JSON.")]
Yes = Annotated[bool, typer.Option("--yes", help="不再询问。Do not ask.")]
STARTING = (
    keyfile.KeyRefused,
    settings.SettingRefused,
    EmbeddedFailed,
    PolicyRefused,
    Unreachable,
    Weakened,
    MigrationFailed,
    Stopped,
)
"""What keeps a command from starting; the text says what to do."""


def _without_end(line: Text, size: int) -> None:
    """Rich counts characters where it measures lines in cells: after Chinese it kept the blank at the end of a full
    line, and cut the last letters for it."""
    blanks, over = len(line.plain) - len(line.plain.rstrip()), cell_len(line.plain) - size
    if blanks and over > 0:
        line.right_crop(min(blanks, over))


Text.rstrip_end = _without_end  # type: ignore[assignment,method-assign]

# What typer says itself, around our texts. Of a wrong use it names the word, in English, below these.
rich_utils.ERRORS_PANEL_TITLE = "用法有误 Error"
rich_utils.RICH_HELP = "用法见 [blue]'{command_path} {help_option}'[/]。Try it for help."
rich_utils.OPTIONS_PANEL_TITLE, rich_utils.ARGUMENTS_PANEL_TITLE = "选项 Options", "参数 Arguments"
rich_utils.COMMANDS_PANEL_TITLE, rich_utils.ABORTED_TEXT = "命令 Commands", "已中止。Aborted."
rich_utils.DEFAULT_STRING, rich_utils.REQUIRED_LONG_STRING = "[默认 default: {}]", "[必填 required]"


@contextmanager
def starting() -> Iterator[None]:
    """Tell a person what keeps the command from starting, and end it."""
    try:
        yield
    except STARTING as error:
        fail(str(error))
    except FAILED as error:
        fail(_failed(error))


def _failed(error: BaseException) -> str:
    """What the system or the database said, by its name: the text of a database's error may hold what is stored."""
    if isinstance(error, UNMIGRATED):
        return str(unreachable("HUB_DATABASE_URL", error))
    if isinstance(error, OSError) and error.filename:
        return f"无法使用 {error.filename}，请检查是否存在、可否读写。Cannot use it: {error.strerror}"
    name = error.strerror if isinstance(error, OSError) and error.strerror else type(error).__name__
    return f"操作失败，未改动；稍后再试，仍不行请看 PostgreSQL 日志。It failed and changed nothing: {name}"


def configured() -> settings.Settings:
    """The settings, or a sentence about the one that is wrong."""
    with starting():
        return settings.current()


def with_services(
    work: Callable[[Services], Coroutine[Any, Any, Any]], places: Sequence[str] = (), *, owner: bool = False
) -> Any:
    """Run one administrative verb against the database, with errors a person can act on. `places` say where in a file
    each row stands. As the schema's `owner` run changes that the running hub may not make."""

    async def main() -> Any:
        services = await open_services(config, owner=owner)
        try:
            return await work(services)
        finally:
            await services.database.close()

    with starting():
        try:
            config = with_key(with_database(settings.current()))
            if owner and not config.owner_url:
                fail(
                    "须设 HUB_OWNER_DATABASE_URL（hub_owner）。Set HUB_OWNER_DATABASE_URL: hub_app may not change this."
                )
            config = replace(config, database_url=config.owner_url) if owner else config
            return asyncio.run(main())
        except Unreachable as error:
            setting = "HUB_OWNER_DATABASE_URL" if owner else "HUB_DATABASE_URL"
            fail(str(error).replace("HUB_DATABASE_URL", setting))
        except HubError as error:
            fail(_refusal(error, places))


def _refusal(error: HubError, places: Sequence[str]) -> str:
    """Every fault with its place: line and column of a file, else the option."""
    faults = error.faults if isinstance(error, Refused) else ()
    if not faults:
        return "\n".join(dict.fromkeys((error.zh, error.en)))
    said = [f"{_where(fault, places)}{fault.zh}。{fault.en}." for fault in faults]
    if places:
        count = len({fault.row for fault in faults})
        said.append(f"{count} 行有误，未改动任何数据。{count} of {len(places)} are wrong; nothing was changed.")
    return "\n".join(said)


def _where(fault: Fault, places: Sequence[str]) -> str:
    if places:
        return f"{places[fault.row]}, {fault.column}: "
    option = "--" + fault.column.replace("_", "-")
    return f"{option if any(given.partition('=')[0] == option for given in sys.argv) else fault.column}: "


def fail(text: str) -> NoReturn:
    err.print(text, style="red", markup=False, soft_wrap=True)
    raise typer.Exit(1)


def confirmed(question: str, yes: bool) -> None:
    """Ask before what stops somebody's work; where nobody can answer, --yes must have been given."""
    try:
        agreed = yes or typer.confirm(question, err=True)
    except typer.Abort:
        err.print()
        fail("未改动；无人应答时加 --yes。Nothing was changed; where nobody can answer, add --yes.")
    if not agreed:
        fail("未改动。Nothing was changed.")


def counted(what: Counted, as_json: bool, **more: Any) -> None:
    """What a list did."""
    a, c, u = what.added, what.changed, what.unchanged
    text = f"新增 {a}、修改 {c}、未变 {u}。Added {a}, changed {c}, unchanged {u}."
    done(text, as_json, added=a, changed=c, unchanged=u, **more)


def done(text: str, as_json: bool, **facts: Any) -> None:
    """What a command did: a sentence for a person, the facts for a machine."""
    if as_json:
        print(json.dumps(facts, ensure_ascii=False, default=str))
    else:
        out.print(text)


@dataclass(frozen=True, slots=True)
class Sheet:
    """The rows of a file, and where each stands in it."""

    rows: list[dict[str, str]]
    places: list[str]


def rows_of(path: Path, columns: tuple[str, ...], optional: tuple[str, ...] = ()) -> Sheet:
    """The rows of a CSV file (UTF-8) that must have these columns, and may have the optional ones."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, strict=True)
            known = list(reader.fieldnames or ())
            found = [(reader.line_num, row) for row in reader]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        if isinstance(error, OSError):
            fail(f"打不开 {path}。Cannot be opened: {error.strerror}")
        hint = "须为 UTF-8 的 CSV（Excel：另存为“CSV UTF-8”）。Cannot read it as CSV in UTF-8"
        fail(f"无法读取 {path}：{hint}: {type(error).__name__}")
    if missing := [name for name in columns if name not in known]:
        fail(f"{path} 缺少列 columns are missing: {', '.join(missing)}")
    if twice := sorted({name for name in known if known.count(name) > 1}):
        fail(f"{path} 有重复的列 columns stand twice: {', '.join(twice)}")
    if strange := [name for name in known if name not in (*columns, *optional)]:
        fail(f"{path} 有未知的列 unknown columns: {', '.join(strange)}; 可用 known: {', '.join((*columns, *optional))}")
    if long := [n for n, row in found if None in row]:
        fail("\n".join(f"第{n}行 line {n}: 列数多于表头。It has more columns than the first line." for n in long))
    filled = [(n, {name: (row[name] or "").strip() for name in known}) for n, row in found if any(row.values())]
    return Sheet([row for _, row in filled], [f"第{n}行 line {n}" for n, _ in filled])


def json_of(path: Path) -> Any:
    """The content of a JSON file (UTF-8)."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        fail(f"打不开 {path}。Cannot be opened: {error.strerror}")
    except ValueError as error:
        fail(f"无法读取 {path}：须为 UTF-8 的 JSON。Cannot read it as JSON: {type(error).__name__}")


def show(rows: list[dict[str, Any]], as_json: bool) -> None:
    """Rows as a table, or as JSON when asked."""
    if as_json:
        print(json.dumps(rows, ensure_ascii=False, default=str))
        return
    if len(rows) == 1:  # what is shown once, perhaps, and copied from here
        for name, value in rows[0].items():
            out.print(f"{name}: {'' if value is None else value}", markup=False, highlight=False, soft_wrap=True)
        return
    table = RichTable()
    for name in rows[0] if rows else ("（空 empty）",):
        table.add_column(name, overflow="fold")  # a code or a secret that is cut off is lost
    for row in rows:
        table.add_row(*("" if value is None else str(value) for value in row.values()))
    out.print(table)
