"""What the commands share: running a verb against the database, and printing for people or machines."""

import asyncio
import json
from collections.abc import Callable, Coroutine
from typing import Annotated, Any, NoReturn

import typer
from rich.console import Console
from rich.table import Table as RichTable

from hub import keys, settings
from hub.db import FAILED, Weakened
from hub.embedded import EmbeddedFailed
from hub.errors import HubError
from hub.main import open_services
from hub.policies.rules import PolicyRefused
from hub.policies.services import Services
from hub.runtime import with_database, with_key

out, err = Console(), Console(stderr=True)
Json = Annotated[bool, typer.Option("--json", help="输出 JSON。Print JSON.")]
STARTING = (keys.KeyRefused, EmbeddedFailed, PolicyRefused, Weakened, *FAILED)
"""What keeps a command from starting; the text says what to do."""


def with_services(work: Callable[[Services], Coroutine[Any, Any, Any]]) -> Any:
    """Run one administrative verb against the database, with errors a person can act on."""

    async def main() -> Any:
        services = await open_services(config)
        try:
            return await work(services)
        finally:
            await services.database.close()

    try:
        config = with_key(with_database(settings.current()))
        return asyncio.run(main())
    except HubError as error:
        fail("\n".join(dict.fromkeys((error.zh, error.en))))
    except STARTING as error:
        fail(str(error))


def fail(text: str) -> NoReturn:
    err.print(text, style="red", markup=False)
    raise typer.Exit(1)


def show(rows: list[dict[str, Any]], as_json: bool) -> None:
    """Rows as a table, or as JSON when asked."""
    if as_json:
        print(json.dumps(rows, ensure_ascii=False, default=str))
        return
    table = RichTable(*(rows[0] if rows else ("（空 empty）",)))
    for row in rows:
        table.add_row(*("" if value is None else str(value) for value in row.values()))
    out.print(table)
