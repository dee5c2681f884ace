"""What a command is told wrongly: a sentence that names the setting, the option or the line; never a traceback."""

import re
import socket
from pathlib import Path
from typing import Any

import certifi
import orjson
import pytest

from hub import signing
from hub.embedded import Embedded
from hub.jwks import wrong_set
from hub.settings import Settings
from tests.commands import answered, run, sheet
from tests.world import HOME, World, call, someone

CHINESE, ENGLISH = re.compile("[\u4e00-\u9fff]"), re.compile("[A-Za-z]{3}")
UNIT = f"{HOME}-court"
SERVE = "serve --port 0"
"""Whatever else listens on this machine: a demo, perhaps."""


def told(config: Settings, *arguments: str, **env: str) -> str:
    """What the command says of its refusal, in both languages."""
    done = run(config, *arguments, **env)
    assert done.returncode == 1, (done.returncode, done.stdout, done.stderr)
    assert "Traceback" not in done.stderr and CHINESE.search(done.stderr) and ENGLISH.search(done.stderr), done.stderr
    return done.stderr


SECRET = "pa55/word"
ADDRESSES = {
    "unreachable": "postgresql://hub_app:pa55word@127.0.0.1:1/hub",
    "no address": "pa55word",
    "unescaped": f"postgresql://hub_app:{SECRET}@127.0.0.1/hub",
    "other scheme": "mysql://hub_app:pa55word@127.0.0.1/hub",
    "no such host": "postgresql://hub_app:pa55word@nowhere.invalid/hub",
}


LEADS = [("check", wrong) for wrong in ADDRESSES]
LEADS += [(SERVE, "unescaped"), ("migrate", "unescaped"), ("migrate", "unreachable")]
LEADS += [("units list", "no address"), ("accounts change li --totp", "unreachable")]


@pytest.mark.parametrize(("command", "wrong"), LEADS)
def test_an_address_that_leads_nowhere(config: Settings, command: str, wrong: str) -> None:
    name = "HUB_OWNER_DATABASE_URL" if command[:3] in ("mig", "acc") else "HUB_DATABASE_URL"
    said = told(config, *command.split(), **{name: ADDRESSES[wrong]})
    assert re.search(rf"(?<!_OWNER_)\b{name}\b", said) and "pa55" not in said


@pytest.mark.parametrize("command", ["check", "migrate"])
def test_a_password_or_a_name_that_is_wrong(config: Settings, embedded: Embedded, command: str) -> None:
    name = "HUB_OWNER_DATABASE_URL" if command == "migrate" else "HUB_DATABASE_URL"
    good = config.owner_url if command == "migrate" else config.database_url
    password = good.split(":")[2].split("@")[0]
    for wrong, words in (
        (good.replace(password, "pa55word"), "role or password"),
        (good.replace("/hub?", "/x?"), "no d"),
    ):
        said = told(config, command, **{name: wrong})
        assert name in said and words in said and "pa55" not in said and password not in said
    assert run(config, command).returncode == 0, "control"


def test_a_certificate_that_cannot_be_read(config: Settings, tmp_path: Path) -> None:
    """Else it would be waited for, as a database that is away. One that can (the control) leads on to the database;
    one that nothing asks for is not read."""
    (tmp_path / "none.pem").write_text("nope")
    url = ADDRESSES["unreachable"] + "?sslmode=verify-full"
    for path in ("/nowhere/ca.pem", str(tmp_path), str(tmp_path / "none.pem")):
        for command, name in (("check", ""), (SERVE, ""), ("migrate", "OWNER_")):
            said = told(config, *command.split(), PGSSLROOTCERT=path, **{f"HUB_{name}DATABASE_URL": url})
            assert path in said and "PGSSLROOTCERT" in said and "pa55" not in said
    assert "no connection" in told(config, "check", HUB_DATABASE_URL=url, PGSSLROOTCERT=certifi.where())
    assert run(config, "check", PGSSLROOTCERT="/nowhere/ca.pem").returncode == 0


def test_a_database_without_a_schema(config: Settings, embedded: Embedded) -> None:
    embedded.create_database("empty")
    for command in ("check", SERVE, "units list"):
        assert "hub migrate" in told(config, *command.split(), HUB_DATABASE_URL=embedded.url("hub_app", "empty"))


SETTINGS = {
    "HUB_POOL_SIZE": ("many", "1", "2.5", "nan"),
    "HUB_LOG_TIMEOUT": ("-1",),
    "HUB_EVEN_OUT": ("yes",),
    "HUB_INTAKE_TIMEOUT": ("-1",),
    "HUB_DEMO": ("maybe",),
    "HUB_ISSUER": ("hub.example",),
    "HUB_SUITE": ("rot13",),
}


@pytest.mark.parametrize("name", SETTINGS)
def test_a_setting_that_is_badly_typed(config: Settings, name: str) -> None:
    for value in SETTINGS[name]:
        assert name in told(config, "check", **{name: value}), value


@pytest.mark.parametrize("command", [SERVE, "keys create", "migrate", "policy matrix", "demo"])
def test_every_command_says_so(config: Settings, command: str) -> None:
    assert "HUB_POOL_SIZE" in told(config, *command.split(), HUB_POOL_SIZE="many")


WRITTEN = {
    "no JSON": "nope",
    "binary": "\x00\x01",
    "a list": "[]",
    "another form": '{"format": 2}',
    "not whole": '{"format": 1, "demo": true, "masters": []}',
    "no keys in it": '{"format": 1, "demo": true, "masters": [{"id": "1", "key": "x"}], "lookup": "x"}',
}


@pytest.mark.parametrize("wrong", WRITTEN)
def test_a_key_file_that_is_none(config: Settings, tmp_path: Path, wrong: str) -> None:
    path = tmp_path / "master.key"
    path.touch(mode=0o600)
    path.write_text(WRITTEN[wrong])
    for command in ("check", SERVE, "keys rotate") if wrong in ("no JSON", "a list") else ("check",):
        assert "HUB_KEY_FILE" in told(config, *command.split(), HUB_KEY_FILE=str(path))
        assert path.read_text() == WRITTEN[wrong]


async def test_serve_with_another_key(world: World, config: Settings, tmp_path: Path) -> None:
    """The sentence alone: no server's log before it."""
    await (await world.agency("police")).filed("police_call", call())
    other = str(tmp_path / "other.key")
    assert run(config, "keys", "create", HUB_KEY_FILE=other).returncode == 0
    from_cases = run(config, "serve", "--port", "0", HUB_KEY_FILE=other)
    assert from_cases.returncode == 1 and len(from_cases.stderr.strip().splitlines()) == 1, from_cases.stderr


def test_a_port_that_is_taken(config: Settings, world: World) -> None:
    port = world.http.base_url.port
    assert str(port) in told(config, "serve", "--port", str(port))
    assert str(port) in told(config, "demo", "--port", str(port))
    assert "--host" in told(config, "serve", "--host", "192.0.2.1", "--port", "0")
    assert "--uds" in told(config, "serve", "--uds", "/nowhere/hub.sock")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    said = told(config, "serve", "--port", str(port), HUB_DATABASE_URL=ADDRESSES["unescaped"])
    assert "HUB_DATABASE_URL" in said, "control: the port is free again"


def jwk(**changes: Any) -> dict[str, Any]:
    made = signing.public_jwk(signing.new_signing_key()) | changes
    return {name: value for name, value in made.items() if value is not None}


KEYS: dict[str, tuple[list[Any], str]] = {
    "private": ([jwk(d="x" * 43)], "private part"),
    "wrong curve": ([jwk(crv="P-384")], "P-256"),
    "rsa": ([jwk(kty="RSA")], "P-256"),
    "no kid": ([jwk(kid=None)], "kid"),
    "kid no text": ([jwk(kid=1)], "kid"),
    "same kid": ([jwk(kid="a"), jwk(kid="a")], "same kid"),
    "encryption": ([jwk(use="enc")], "ES256"),
    "other algorithm": ([jwk(alg="ES384")], "ES256"),
    "no point": ([jwk(y="A" * 43)], "no point"),
    "short": ([jwk(x="AAAA")], "no point"),
    "no x": ([jwk(x=None)], "no point"),
    "no object": (["key"], "JSON object"),
    "none": ([], "1 to 4"),
    "five": ([jwk(kid=str(n)) for n in range(5)], "1 to 4"),
    "second": ([jwk(), jwk(crv="P-384")], "key 2"),
}


@pytest.mark.parametrize("wrong", KEYS)
def test_keys_that_are_not_fit(wrong: str) -> None:
    given, words = KEYS[wrong]
    said = wrong_set({"keys": given})
    assert said is not None and words in said[1] and CHINESE.search(said[0]) and "x" * 43 not in "".join(said)
    assert wrong_set({"keys": [jwk(), jwk(use=None, alg=None)]}) is None, "control"


def test_a_private_key_is_not_taken_nor_repeated(world: World, config: Settings, tmp_path: Path) -> None:
    file = tmp_path / "k.json"
    file.write_bytes(orjson.dumps({"keys": KEYS["private"][0]}))
    said = told(config, "clients", "add", "unfit", UNIT, "--jwks", str(file))
    assert "--jwks" in said and "private part" in said and "x" * 43 not in said


OPTIONS = [
    (("accounts", "add", UNIT, "", "intake"), "name"),
    (("accounts", "add", UNIT, "w\nu", "intake"), "name"),
    (("accounts", "add", "nowhere", "wu", "intake"), "unit"),
    (("accounts", "add", UNIT, "wu", "auditor"), "--login"),
    (("accounts", "add", UNIT, "wu", "intake", "--login", "w u"), "--login"),
    (("accounts", "add", UNIT, "wu", "intake", "--phone", "12"), "--phone"),
    (("units", "add", "x", "", "--type", "court", "--region", HOME), "name"),
    (("units", "add", "x", "某", "--type", "court", "--region", "999999"), "--region"),
    (("units", "add", "x", "某", "--type", "court", "--region", HOME, "--parent", "nowhere"), "--parent"),
    (("units", "add", UNIT, "别名", "--type", "court", "--region", HOME), "name"),
    (("regions", "add", f"{HOME}009099", "某村", "--level", "village"), "--level"),
    (("regions", "add", f"{HOME}009099", "某村", "--level", "community", "--parent", "1"), "--parent"),
    (("clients", "add", "y", UNIT, "--jwks", "{file}", "--scopes", "everything"), "--scopes"),
    (("clients", "add", "y y", UNIT, "--jwks", "{file}"), "id"),
]


@pytest.mark.parametrize(("arguments", "named"), OPTIONS)
def test_the_option_is_named(
    world: World, config: Settings, tmp_path: Path, arguments: tuple[str, ...], named: str
) -> None:
    file = tmp_path / "k.json"
    file.write_bytes(orjson.dumps({"keys": [jwk()]}))
    number = ("--id-number", someone()["id_number"]) if arguments[0] == "accounts" else ()
    said = told(config, *(a.replace("{file}", str(file)) for a in arguments), *number)
    assert named in said and (number[-1:] == () or number[-1] not in said)


def people(*changes: dict[str, str]) -> list[dict[str, str]]:
    return [
        {"unit": UNIT, "name": f"sheet-{n}", "role": "intake", "id_number": someone()["id_number"], "phone": ""}
        | change
        for n, change in enumerate(changes)
    ]


def test_every_faulty_line_of_people_is_named(world: World, config: Settings, tmp_path: Path) -> None:
    """All or nothing: the good line comes in only once the others are corrected."""
    wrong = people({}, {"role": "judge", "phone": "1"}, {"unit": "nowhere"}, {"id_number": "1"}, {"name": "sheet-0"})
    said = told(config, "accounts", "import", sheet(tmp_path / "a.csv", *wrong))
    for line, column in ((3, "role"), (3, "phone"), (4, "unit"), (5, "id_number"), (6, "id_number")):
        assert f"line {line}, {column}: " in said, said
    assert "line 2" not in said and "4 of 5" in said and "sheet-0" not in run(config, "accounts", "list").stdout
    good = answered(config, "accounts", "import", sheet(tmp_path / "a.csv", *people({}, {})))
    assert (good["added"], len(good["accounts"])) == (2, 2), "control"
    differs = people({"role": "supervisor"})
    assert "line 2, role: " in told(config, "accounts", "import", sheet(tmp_path / "a.csv", *differs))


def test_every_faulty_line_of_units_and_regions_is_named(world: World, config: Settings, tmp_path: Path) -> None:
    good = {"code": "u-1", "name": "某", "type": "court", "region": HOME, "parent": "", "latitude": "", "longitude": ""}
    wrong = [{"type": "x"}, {"code": "u 2", "region": "9"}, {"code": "u-3", "parent": "u-9"}, {"latitude": "north"}, {}]
    rows = [good | {"code": f"u-{n}"} | change for n, change in enumerate(wrong, 2)] + [good, good]
    said = told(config, "units", "import", sheet(tmp_path / "u.csv", *rows))
    for line, column in ((2, "type"), (3, "code"), (3, "region"), (4, "parent"), (5, "latitude"), (8, "code")):
        assert f"line {line}, {column}: " in said, said
    assert "u-1" not in run(config, "units", "list").stdout
    assert answered(config, "units", "import", sheet(tmp_path / "u.csv", good))["added"] == 1, "control"
    village = {"code": f"{HOME}009088", "name": "某村", "level": "community", "parent": ""}
    rows = [village, village, village | {"code": "1", "level": "x"}, village | {"code": f"{HOME}009087", "parent": "9"}]
    said = told(config, "regions", "import", sheet(tmp_path / "r.csv", *rows))
    for line, column in ((3, "code"), (4, "code"), (4, "level"), (5, "parent")):
        assert f"line {line}, {column}: " in said, said
    assert f"{HOME}009088" not in run(config, "regions", "list").stdout


def test_every_faulty_item_of_systems_is_named(world: World, config: Settings, tmp_path: Path) -> None:
    good, file = {"id": "sys-1", "unit": UNIT, "jwks": {"keys": [jwk()]}}, tmp_path / "c.json"
    file.write_bytes(orjson.dumps([good, {"id": "sys-2"}, good | {"id": 3, "scopes": 4}, good | {"scopes": "x"}, good]))
    said = told(config, "clients", "import", str(file))
    for item, column in ((2, "jwks"), (2, "unit"), (3, "id"), (3, "scopes"), (4, "scopes"), (5, "id")):
        assert f"item {item}, {column}: " in said, said
    assert "sys-1" not in run(config, "clients", "list").stdout
    file.write_bytes(orjson.dumps([good]))
    assert answered(config, "clients", "import", str(file))["added"] == 1, "control"


def test_files_that_are_no_sheets(world: World, config: Settings, tmp_path: Path) -> None:
    file = tmp_path / "u.csv"
    for content, words in (
        (b"code,name\n", "missing: type, region"),
        (b"code,name,type,region,colour\n", "unknown columns: colour"),
        (b"code,name,type,region,name\n", "columns stand twice: name"),
        ("code,name,type,region\na,某,court,500113,,,\n".encode(), "line 2"),
        (b"code,name,type,region\n" + "某法院".encode("gbk"), "UTF-8"),
    ):
        file.write_bytes(content)
        assert words in told(config, "units", "import", str(file))


def test_a_misspelt_member_of_a_system_gives_it_nothing(world: World, config: Settings, tmp_path: Path) -> None:
    """`scope` for `scopes` would give it both."""
    file = tmp_path / "systems.json"
    for scopes, said in (("scope", "unknown members: scope"), ("scopes", "")):
        file.write_bytes(
            orjson.dumps([{"id": "narrow", "unit": UNIT, "jwks": {"keys": [jwk()]}, scopes: "cases:read"}])
        )
        if said:
            assert said in told(config, "clients", "import", str(file))
        else:
            assert answered(config, "clients", "import", str(file))["added"] == 1, "control"
