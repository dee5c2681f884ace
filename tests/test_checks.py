"""What a start, a check or a rotation refuses, so that what the hub promises holds: roles, spool, key file, names."""

import json
import os
import pwd
import shutil
import uuid
from pathlib import Path

import pytest

from hub import keyfile
from hub.embedded import Embedded
from hub.main import _check_key
from hub.settings import Settings
from hub.spool import Spool
from tests.commands import run
from tests.test_refusals import ADDRESSES, SERVE, UNIT, told
from tests.test_spool import report
from tests.world import World, someone


def test_a_role_that_may_alter_the_log_does_not_serve(config: Settings, embedded: Embedded) -> None:
    """That the log is only added to rests on the role of the service; and who may create nothing migrates nothing."""
    for role in ("hub_owner", "postgres"):
        for command in ("check", SERVE):
            said = told(config, *command.split(), HUB_DATABASE_URL=embedded.url(role, "hub"))
            assert "hub_app" in said and "HUB_DATABASE_URL" in said
    for command in ("migrate", f"units rename {UNIT} x"):
        said = told(config, *command.split(), HUB_OWNER_DATABASE_URL=config.database_url)
        assert "hub_owner" in said and "HUB_OWNER_DATABASE_URL" in said


def test_a_spool_that_cannot_be_written(config: Settings, tmp_path: Path) -> None:
    (tmp_path / "spool").write_text("")
    said = told(config, "check", HUB_DATA=str(tmp_path), HUB_KEY_FILE=str(config.key_file))
    assert str(tmp_path) in said


@pytest.mark.skipif(os.getuid() != 0, reason="gives folders to others")
def test_the_spool_belongs_to_the_service(config: Settings, world: World, tmp_path: Path) -> None:
    """What root makes by a check is its data folder's owner's; one that is another's is no good."""
    data, service = tmp_path / "data", pwd.getpwnam("nobody")
    data.mkdir(mode=0o700)
    os.chown(data, service.pw_uid, service.pw_gid)
    env = {"HUB_DATA": str(data), "HUB_KEY_FILE": str(config.key_file)}
    for _ in range(2):
        assert run(config, "check", **env).returncode == 0
    made = (data / "spool").stat()
    assert (made.st_uid, made.st_gid, made.st_mode & 0o777) == (service.pw_uid, service.pw_gid, 0o700)
    Spool(data / "spool", world.services.vault.misc).append([report("存")])
    (kept,) = (data / "spool").iterdir()
    assert kept.stat().st_uid == service.pw_uid
    os.chown(data / "spool", 0, 0)
    assert str(data / "spool") in told(config, "check", **env).replace("\n", "")


def test_a_spool_that_cannot_be_looked_into(config: Settings, world: World, tmp_path: Path) -> None:
    """`Filed 0` would be taken for an empty one, which one that is not there yet (the control) is."""
    assert run(config, "worker", "--once", HUB_DATA=str(tmp_path)).returncode == 0
    (tmp_path / "spool").write_text("")
    done = run(config, "worker", "--once", HUB_DATA=str(tmp_path), HUB_KEY_FILE=str(config.key_file))
    assert done.returncode == 1 and "Filed" not in done.stdout and "spool" in done.stderr.replace("\n", "")
    assert "NotADirectoryError" in done.stdout, "as a line of the log"
    if os.getuid() == 0:
        spool = Spool(tmp_path / "private", world.services.vault.misc)
        spool.probe()
        tmp_path.chmod(0o755)
        os.seteuid(65534)
        try:
            with pytest.raises(PermissionError):
                spool.files()
        finally:
            os.seteuid(0)


def test_a_setting_that_nothing_reads(config: Settings, world: World) -> None:
    """A slip would otherwise pass for what was meant. No reason not to start: others name theirs alike."""
    for name, read in (("HUB_EVENOUT", False), ("HUB_EVEN_OUT", True)):
        done = run(config, "check", "--json", **{name: "0.1"})
        assert (name in json.loads(done.stdout)["unread"]) is not read, done.stderr
    written = {"HUB_DATABASE_URL: postgresql://hub_app:pa55word@h/hub?sslmode": "require"}  # cut at the first `=`
    done = run(config, "check", **written)
    assert "HUB_DATABASE_URL" in done.stdout and "pa55" not in done.stdout + done.stderr


async def test_another_key_is_noticed_before_the_first_case(world: World, tmp_path: Path) -> None:
    """By an account that logs in: it would be answered 500. The deployment's own key (the control) opens it."""
    await world.person("auditor")
    file = tmp_path / "other.key"
    keyfile.create(file, demo=True)
    async with world.services.database.main.lease() as connection:
        await connection.execute("CREATE TEMP TABLE cases (LIKE public.cases)")
        try:
            await _check_key(world.services.vault, connection)
            with pytest.raises(keyfile.KeyRefused):
                await _check_key(keyfile.load(file, demo=True), connection)
        finally:
            await connection.execute("DROP TABLE pg_temp.cases")


def test_a_rotation_that_cannot_be_leaves_no_key(config: Settings, tmp_path: Path) -> None:
    """Neither where the database is away, nor where others may have read the file."""
    file = tmp_path / "master.key"
    shutil.copyfile(config.key_file, file)
    before = file.read_bytes()
    for mode, url in ((0o600, ADDRESSES["unreachable"]), (0o644, config.database_url)):
        file.chmod(mode)
        told(config, "keys", "rotate", HUB_KEY_FILE=str(file), HUB_DATABASE_URL=url)
        assert file.read_bytes() == before


def test_a_name_like_an_account_s_id(world: World, config: Settings) -> None:
    """The log would be searched for an account of this id, and find nothing."""
    number = someone()["id_number"]
    given = ("accounts", "add", UNIT, str(uuid.uuid4()), "caseworker", "--id-number", number)
    assert "UUID" in told(config, *given)
    assert "UUID" in told(config, *given[:3], "somebody", *given[4:], "--login", str(uuid.uuid4()))
