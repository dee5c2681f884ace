"""Bodies that take their time, or never come whole: who asks is who may ask when the body is there, not when its head
came."""

import asyncio
import uuid
from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

import orjson
import pytest

from hub.api.deps import AT_ONCE_SECONDS
from tests.test_attachments import PNG
from tests.world import Caller, World, call, pair


async def slowly(world: World, caller: Caller, path: str, body: bytes, meanwhile: Callable[[], Awaitable[None]]) -> int:
    """POST, whose body is whole only after `meanwhile`; the status of the answer."""
    url = urlsplit(world.url)
    reader, writer = await asyncio.open_connection(url.hostname, url.port)
    sent = caller.headers | {"Host": url.netloc, "Content-Length": str(len(body)), "Connection": "close"}
    sent["Idempotency-Key"] = uuid.uuid4().hex
    head = f"POST {path} HTTP/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in sent.items())
    writer.write(head.encode() + b"\r\n" + body[:20])
    await writer.drain()
    await asyncio.sleep(AT_ONCE_SECONDS + 0.1)
    await meanwhile()
    writer.write(body[20:])
    await writer.drain()
    answer = await reader.read()
    writer.close()
    return int(answer.split(b" ", 2)[1])


@pytest.mark.parametrize("leaves", [False, True])
async def test_who_has_left_meanwhile(world: World, leaves: bool) -> None:
    """A search, a record and a file of somebody who logs out while they come: refused, and he is involved in nothing.
    Who stays (the control) gets his answer, however slow he is."""
    parties = pair()
    made = await (await world.agency("police")).filed("police_call", call(parties))
    mine = await (await world.person("officer")).filed("police_call", call())
    bodies = {
        "/v1/cases/search": orjson.dumps({"id_number": parties["victim_id_number"]}),
        "/v1/records/police_call": orjson.dumps(call()),
        f"/v1/records/{mine['id']}/attachments": PNG,
    }
    for path, body in bodies.items():
        officer = await world.person("officer")

        async def meanwhile(officer: Caller = officer) -> None:
            if leaves:
                assert (await officer.send("DELETE", "/v1/sessions/current")).status_code == 204

        status = await slowly(world, officer, path, body, meanwhile)
        assert status == (401 if leaves else 200 if path.endswith("search") else 201), path
        if path.endswith("search"):
            assert len(await world.log(case=made["case_id"], act="search")) == (not leaves)
        if leaves:
            world._tokens.pop("officer", None)
    listed = await (await world.person("officer")).get(f"/v1/records/{mine['id']}/attachments")
    assert len(listed.json()["items"]) == (0 if leaves else 1)


async def test_who_goes_away_in_the_middle_is_no_fault_of_ours(world: World, capfd: pytest.CaptureFixture[str]) -> None:
    """A network that breaks is no `unexpected` line, which is what is watched for. A fault (the control) is one."""
    police = await world.agency("police")
    made = await police.filed("police_call", call())
    sent = "".join(f"{name}: {value}\r\n" for name, value in police.headers.items())
    form = "Content-Type: application/x-www-form-urlencoded\r\n"
    ways = {"/v1/reports": "", "/oauth/token": form, "/v1/records/police_call": f"{sent}Idempotency-Key: gone\r\n"}
    ways[f"/v1/records/{made['id']}/attachments"] = f"{sent}File-Name: a.png\r\n"
    for path, headers in ways.items():
        _, writer = await asyncio.open_connection("127.0.0.1", int(world.url.rsplit(":", 1)[1]))
        writer.write(f"POST {path} HTTP/1.1\r\nHost: x\r\n{headers}Content-Length: 1000\r\n\r\n{{".encode())
        await writer.drain()
        await asyncio.sleep(0.2)
        writer.close()
        await writer.wait_closed()
    await asyncio.sleep(0.5)
    assert "unexpected" not in "".join(capfd.readouterr())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(world.app.state.intake, "report", None)
        assert (await world.http.post("/v1/reports", json={"place": "家里"})).status_code == 500
    assert "unexpected" in "".join(capfd.readouterr())
