"""The `hub` command: help that teaches in both languages, JSON on request, and errors a person can act on."""

import asyncio
import os
import pty
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from rich.cells import cell_len
from typer import rich_utils
from typer.core import TyperGroup
from typer.main import get_command
from typer.testing import CliRunner

from hub import admin, signing
from hub.cli import app
from hub.errors import Locked
from hub.settings import Settings
from tests import outages
from tests.commands import answered, listed, run, sheet
from tests.world import HOME, World, someone

CHINESE, ENGLISH = re.compile("[\u4e00-\u9fff]"), re.compile("[A-Za-z]{3}")


def commands(group: Any, *names: str) -> Iterator[tuple[str, Any]]:
    for name, command in group.commands.items():
        if isinstance(command, TyperGroup):
            yield from commands(command, *names, name)
        else:
            yield " ".join((*names, name)), command


COMMANDS = dict(commands(get_command(app)))
PROMISED = {"demo", "serve", "worker", "migrate", "check", "policy matrix", "policy check", "policy explain"}
PROMISED |= {
    f"{n} {v}"
    for n in ("accounts", "units", "clients", "regions")
    for v in ("add", "list", "disable", "enable", "import")
}
PROMISED |= {"accounts change", "clients change"}


def test_every_promised_command_is_there() -> None:
    assert COMMANDS.keys() >= PROMISED


@pytest.mark.parametrize("name", COMMANDS)
def test_help_teaches(name: str) -> None:
    """What it does, and every argument and option, in both languages or in the words one has to type; and --json."""
    command = COMMANDS[name]
    assert CHINESE.search(command.help) and ENGLISH.search(command.help)
    for parameter in command.params:
        assert parameter.help, (name, parameter.name)
    assert "--json" in [option for parameter in command.params for option in parameter.opts]


@pytest.mark.parametrize("noun", ["accounts", "units", "clients", "regions"])
def test_enabling_is_not_told_as_disabling(noun: str) -> None:
    """What stops is said where it stops, and sessions are spoken of where somebody has one."""
    stopping, resuming = (
        (command.help or "") + "".join(parameter.help or "" for parameter in command.params)
        for command in (COMMANDS[f"{noun} disable"], COMMANDS[f"{noun} enable"])
    )
    assert re.search(r"[Ss]top|No new record", stopping) and not re.search(r"[Ss]top|[Nn]o new record", resuming)
    assert ("会话" in resuming and "Sessions" in resuming) is (noun == "accounts")


@pytest.mark.parametrize("width", [80, 100, 120])
def test_no_line_of_help_is_cut(width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rich_utils, "MAX_WIDTH", width)
    groups = {" ".join(name.split()[:-1]) for name in COMMANDS}
    shown = {name: CliRunner().invoke(app, [*name.split(), "--help"]).stdout for name in (*COMMANDS, *groups)}
    assert all(max(map(cell_len, text.splitlines())) == width for text in shown.values())
    assert not [line for text in shown.values() for line in text.splitlines() if "…" in line]
    for name, command in COMMANDS.items():
        said = [(command.help or "").split("\f")[0], *(parameter.help or "" for parameter in command.params)]
        assert all(word in shown[name] for text in said for word in text.split()), name


def count(added: int = 0, changed: int = 0, unchanged: int = 0, **more: Any) -> dict[str, Any]:
    return {"added": added, "changed": changed, "unchanged": unchanged} | more


def test_units_and_regions(world: World, config: Settings, tmp_path: Path) -> None:
    """Added and imported, listed, disabled and enabled: by the machine's form throughout. Again, nothing is added."""
    village = f"{HOME}009009"
    one = ("regions", "add", village, "某村", "--level", "community")
    assert [answered(config, *one) for _ in range(2)] == [count(1, code=village), count(0, 0, 1, code=village)]
    row = {"code": f"{HOME}009010", "name": "邻村", "level": "community", "parent": village}
    renamed = {"code": village, "name": "新村", "level": "community", "parent": ""}
    file = sheet(tmp_path / "r.csv", row, renamed)
    assert [answered(config, "regions", "import", file) for _ in range(2)] == [count(1, 1), count(0, 0, 2)]
    assert "Added 0" in run(config, "regions", "import", file).stdout
    assert answered(config, "regions", "disable", village, "--yes") == {"disabled": village}
    assert listed(config, "regions", code=village, name="新村")["disabled_at"]
    assert answered(config, "regions", "enable", village) == {"enabled": village}
    assert listed(config, "regions", code=village)["disabled_at"] is None
    court = ("units", "add", "cli-court", "某法院", "--type", "court", "--region", HOME)
    assert [answered(config, *court)["added"] for _ in range(2)] == [1, 0]
    more = {"code": "cli-school", "name": "某校", "type": "school", "region": HOME, "latitude": "29.4"}
    more |= {"longitude": "106.5", "parent": "cli-court"}
    file = sheet(tmp_path / "u.csv", more)
    assert [answered(config, "units", "import", file) for _ in range(2)] == [count(1), count(0, 0, 1)]
    assert listed(config, "units", code="cli-school")["type"] == "school"
    assert answered(config, "units", "disable", "cli-school", "--yes") == {"disabled": "cli-school"}
    assert answered(config, "check")["good"] and answered(config, "policy", "check")["rules"] > 700


def test_a_rotation_is_finished_without_another_key(world: World, config: Settings) -> None:
    held = [len(orjson.loads(config.key_file.read_text())["masters"])]
    for options in ((), ("--finish",)):
        assert answered(config, "keys", "rotate", *options).keys() == {"rewrapped"}
        held.append(len(orjson.loads(config.key_file.read_text())["masters"]))
    assert held == [held[0], held[0] + 1, held[0] + 1]


async def test_one_list_waits_for_another(world: World) -> None:
    """As long as that takes, which may be longer than a request would wait (the control)."""
    row = {"code": f"{HOME}009011", "name": "迟村", "level": "community", "parent": f"{HOME}000000"}
    lock = "SELECT pg_advisory_xact_lock(hashtext('regions'))"
    async with outages.ghost(world, lock):
        waiting = asyncio.create_task(admin.add_regions(world.services, [row]))
        with pytest.raises(Locked):
            async with world.services.database.transaction() as connection:
                await connection.execute(lock)
        await asyncio.sleep(0.5)
        assert not waiting.done()
    assert (await waiting).added == 1


def test_accounts_and_clients(world: World, config: Settings, tmp_path: Path) -> None:
    number, unit = someone()["id_number"], f"{HOME}-court"
    (made,) = answered(config, "accounts", "add", unit, "li", "caseworker", "--id-number", number, "--login", "li")
    assert made["totp"] and made["password"]
    assert number not in run(config, "accounts", "list").stdout
    new = {"unit": unit, "name": "wu", "role": "intake", "id_number": someone()["id_number"]}
    file = sheet(tmp_path / "a.csv", new)
    first, again = [answered(config, "accounts", "import", file) for _ in range(2)]
    assert first["accounts"][0]["name"] == "wu" and again == count(0, 0, 1, accounts=[])
    assert answered(config, "accounts", "disable", "li", "--yes") == {"disabled": "li"}
    assert listed(config, "accounts", login="li")["disabled_at"]
    jwks = {"keys": [signing.public_jwk(signing.new_signing_key())]}
    (tmp_path / "k.json").write_bytes(orjson.dumps(jwks))
    (tmp_path / "c.json").write_bytes(orjson.dumps([{"id": "cli-2", "unit": unit, "jwks": jwks}]))
    added = answered(config, "clients", "add", "cli-1", unit, "--jwks", str(tmp_path / "k.json"))
    assert added == count(1, id="cli-1")
    file = str(tmp_path / "c.json")
    assert [answered(config, "clients", "import", file) for _ in range(2)] == [count(1), count(0, 0, 1)]
    assert answered(config, "clients", "disable", "cli-2", "--yes") == {"disabled": "cli-2"}
    assert listed(config, "clients", id="cli-1")["disabled_at"] is None


WRONG = [
    ("units", "import", "{dir}/none.csv"),
    ("regions", "import", "{dir}/k.json"),
    ("accounts", "import", "{dir}/k.json"),
    ("clients", "import", "{dir}/bad.json"),
    ("clients", "import", "{dir}/k.json"),
    ("clients", "add", "x", f"{HOME}-court", "--jwks", "{dir}/bad.json"),
    ("clients", "add", "x", f"{HOME}-court", "--jwks", "{dir}/list.json"),
    ("clients", "add", "6f1a2b3c-0000-4000-8000-000000000001", f"{HOME}-court", "--jwks", "{dir}/k.json"),
    ("units", "add", "x y", "某", "--type", "court", "--region", HOME),
    ("units", "add", "x", "某", "--type", "library", "--region", HOME),
    ("units", "add", "x", "某", "--type", "reporter", "--region", HOME),
    ("units", "add", "x", "某", "--type", "court", "--region", "999999"),
    ("units", "add", f"{HOME}-court", "又名", "--type", "court", "--region", HOME),
    ("units", "rename", f"{HOME}-court", " "),
    ("accounts", "add", f"{HOME}-court", "a", "judge", "--id-number", "990000199106022049"),
    ("accounts", "add", f"{HOME}-court", "a", "intake", "--id-number", "990000199106022048"),
    ("accounts", "add", f"{HOME}-court", "a", "intake", "--id-number", "990000199106022049", "--phone", "12"),
    ("accounts", "disable", "nobody"),
    ("policy", "check", "{dir}/none.csv"),
]


@pytest.mark.parametrize("arguments", WRONG, ids=" ".join)
def test_errors_say_what_to_do(world: World, config: Settings, tmp_path: Path, arguments: tuple[str, ...]) -> None:
    """Exit code 1, a sentence in Chinese and English, no traceback, no value that was sent."""
    (tmp_path / "k.json").write_text('{"keys": []}')
    (tmp_path / "list.json").write_text("[1]")
    (tmp_path / "bad.json").write_text("nope")
    done = run(config, *(a.format(dir=tmp_path) for a in arguments))
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert CHINESE.search(done.stderr) or "none.csv" in done.stderr
    assert ENGLISH.search(done.stderr) and "19910602" not in done.stderr


def test_an_id_number_is_asked_for_where_somebody_can_answer() -> None:
    """Unseen, on the terminal; where there is none a sentence says so, not the library's warnings."""
    command = [sys.executable, "-m", "hub.cli", "accounts", "add", "u", "li", "intake"]
    away = os.environ | {"HUB_DATABASE_URL": "postgresql://x:y@127.0.0.1:1/hub"}
    done = subprocess.run(command, env=away, stdin=subprocess.DEVNULL, capture_output=True, start_new_session=True)
    assert done.returncode == 1 and not done.stdout
    assert done.stderr.decode().strip() == "此处无人应答，须写 --id-number。Nobody can answer here: give --id-number."
    ours, theirs = pty.openpty()
    with subprocess.Popen(command, env=away, stdin=theirs, stderr=subprocess.PIPE, start_new_session=True) as asked:
        assert asked.stderr is not None
        prompt = "身份证号 id number: ".encode()
        assert asked.stderr.read(len(prompt)) == prompt
        os.write(ours, b"990000199106022049\n")
        said = asked.stderr.read().decode()
    assert "HUB_DATABASE_URL" in said and "19910602" not in said


WRONG_USE = {"foo": ("foo",), "--typ": ("units", "add", "--typ", "x"), "code": ("units", "add"), "x": ("check", "x")}


@pytest.mark.parametrize("word", WRONG_USE)
def test_a_wrong_use_is_named(word: str) -> None:
    """An unknown command or option, an argument that is missing or too many: the word, under a title in both
    languages, and where to look."""
    done = CliRunner().invoke(app, WRONG_USE[word])
    assert done.exit_code == 2 and "用法有误 Error" in done.stderr and "用法见" in done.stderr
    assert re.search(rf"│.*(?<![\w-]){word}(?!\w).*│", done.stderr), done.stderr


def test_the_application_s_role_may_not_migrate(config: Settings) -> None:
    done = run(config, "migrate", HUB_OWNER_DATABASE_URL="")
    assert done.returncode == 1 and "HUB_OWNER_DATABASE_URL" in done.stderr


@pytest.mark.parametrize(("name", "setting"), [("keys rotate", "HUB_KEY_FILE"), ("policy matrix", "HUB_POLICY")])
def test_a_file_that_is_not_there_is_said_in_a_sentence(
    config: Settings, tmp_path: Path, name: str, setting: str
) -> None:
    done = run(config, *name.split(), **{setting: str(tmp_path / "nowhere")})
    assert done.returncode == 1 and "nowhere" in done.stderr.replace("\n", "") and "Traceback" not in done.stderr


def test_tables_cut_nothing_off(world: World, config: Settings) -> None:
    """On the narrowest of terminals a secret that is shown once can be put together again."""
    number, unit = someone()["id_number"], f"{HOME}-court"
    given = ("accounts", "add", unit, "fold", "caseworker", "--id-number", number, "--login", "fold")
    shown = run(config, *given, COLUMNS="60")
    assert shown.returncode == 0 and "\u2026" not in shown.stdout, shown.stdout
