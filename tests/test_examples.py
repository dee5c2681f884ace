"""The guide's scripts, as an agency runs them: a key, its public part, a token that opens something."""

import asyncio
import subprocess
from pathlib import Path

import pytest

from hub.settings import ROOT, Settings
from tests import enrol
from tests.commands import run
from tests.world import World

EXAMPLES = ROOT / "docs" / "examples"


async def script(name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [EXAMPLES / name, *arguments]
    return await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True)


def key(path: Path) -> str:
    make = ["openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", str(path)]
    subprocess.run(make, check=True, capture_output=True)
    return str(path)


async def test_a_key_becomes_a_token(world: World, config: Settings, tmp_path: Path) -> None:
    """Made by openssl, registered by the command, signed with by the script; the token is the system's, with the scope
    asked for. Another key has none (the control)."""
    unit, own, jwks = (await enrol.agency(world)).code, key(tmp_path / "key.pem"), tmp_path / "jwks.json"
    jwks.write_text((await script("jwks.sh", own)).stdout)
    added = await asyncio.to_thread(run, config, "clients", "add", "by-script", unit, "--jwks", str(jwks))
    assert added.returncode == 0, added.stderr
    for scope, status in ((), 400), (("cases:read",), 403):  # without an Idempotency-Key; without the scope
        made = await script("token.sh", world.url, "by-script", own, *scope)
        assert made.returncode == 0, made.stderr
        headers = {"Authorization": f"Bearer {made.stdout.strip()}"}
        assert (await world.http.get("/v1/units?limit=1", headers=headers)).status_code == 200
        headers |= {"On-Behalf-Of": "worker", "Purpose-Of-Use": "case_handling"}
        assert (await world.http.post("/v1/records/police_call", headers=headers)).status_code == status
    refused = await script("token.sh", world.url, "by-script", key(tmp_path / "other.pem"))
    assert (refused.returncode, refused.stdout) == (1, "") and "invalid_client" in refused.stderr


@pytest.mark.parametrize("name", ["jwks.sh", "token.sh"])
async def test_without_arguments_they_say_how(name: str) -> None:
    done = await script(name)
    assert done.returncode == 1 and f"用法 usage: {name} " in done.stderr and "unbound" not in done.stderr
