"""What the commands share: running a verb against the database, and printing for people or machines."""

import asyncio
import csv
import json
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from rich.console import Console
from rich.table import Table as RichTable

from hub import keyfile, settings
from hub.db import FAILED, Weakened
from hub.embedded import EmbeddedFailed
from hub.errors import HubError
from hub.main import open_services
from hub.migrations import MigrationFailed
from hub.policies.rules import PolicyRefused
from hub.policies.services import Services
from hub.runtime import with_database, with_key

out, err = Console(), Console(stderr=True)
Json = Annotated[bool, typer.Option("--json", help="输出 JSON。Print JSON.")]
STARTING = (keyfile.KeyRefused, EmbeddedFailed, PolicyRefused, Weakened, MigrationFailed, *FAILED)
"""What keeps a command from starting; the text says what to do."""


@contextmanager
def starting() -> Iterator[None]:
    """Tell a person what keeps the command from starting, and end it."""
    try:
        yield
    except STARTING as error:
        fail(str(error))


def with_services(work: Callable[[Services], Coroutine[Any, Any, Any]]) -> Any:
    """Run one administrative verb against the database, with errors a person can act on."""

    async def main() -> Any:
        services = await open_services(config)
        try:
            return await work(services)
        finally:
            await services.database.close()

    with starting():
        try:
            config = with_key(with_database(settings.current()))
            return asyncio.run(main())
        except HubError as error:
            fail("\n".join(dict.fromkeys((error.zh, error.en))))


def fail(text: str) -> NoReturn:
    err.print(text, style="red", markup=False)
    raise typer.Exit(1)


def done(text: str, as_json: bool, **facts: Any) -> None:
    """What a command did: a sentence for a person, the facts for a machine."""
    if as_json:
        print(json.dumps(facts, ensure_ascii=False, default=str))
    else:
        out.print(text)


def rows_of(path: Path, *columns: str) -> list[dict[str, str]]:
    """The rows of a CSV file (UTF-8) that must have these columns."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            known = reader.fieldnames or ()
            rows = list(reader)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        fail(f"无法读取 {path}：须为 UTF-8 的 CSV。Cannot read it as CSV in UTF-8: {type(error).__name__}")
    if missing := [name for name in columns if name not in known]:
        fail(f"{path} 缺少列 columns are missing: {', '.join(missing)}")
    return [{name: row[name] or "" for name in known} for row in rows]


def json_of(path: Path) -> Any:
    """The content of a JSON file (UTF-8)."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        fail(f"无法读取 {path}：须为 UTF-8 的 JSON。Cannot read it as JSON: {type(error).__name__}")


def show(rows: list[dict[str, Any]], as_json: bool) -> None:
    """Rows as a table, or as JSON when asked."""
    if as_json:
        print(json.dumps(rows, ensure_ascii=False, default=str))
        return
    table = RichTable()
    for name in rows[0] if rows else ("（空 empty）",):
        table.add_column(name, overflow="fold")  # a code or a secret that is cut off is lost
    for row in rows:
        table.add_row(*("" if value is None else str(value) for value in row.values()))
    out.print(table)
