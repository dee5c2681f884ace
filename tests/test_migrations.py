"""A database of an older version comes along with what it holds, and back."""

import asyncio
import os
import subprocess
import sys
import uuid
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from hub import admin, migrations
from hub.embedded import Embedded
from hub.main import open_services
from hub.models.case import moments_of
from hub.models.fields import CATEGORIES
from hub.models.sealed import versions
from hub.settings import ROOT, Settings
from tests.commands import run
from tests.test_start import early, ready, reported

AT = datetime(2026, 3, 9, 8, 30, 0, 123456, tzinfo=UTC)
CASE, REF, CITY, COUNTY, COURT, PERSON, PARTY, RECORD_ID = (uuid.UUID(int=n) for n in range(1, 9))
REGION = "INSERT INTO region (code, name, level, parent) VALUES ('500000000000', '重庆市', 'province', '')"
UNIT = (
    "INSERT INTO unit (id, code, name, type, region_code, area, path, on_duty)"
    " VALUES ($1, $2, $2, 'police', '500000000000', $4, $3, TRUE)"
)
HELD = (
    "INSERT INTO cases (id, ref, number, status, stage, risk_level, region_code, opened_at, touched_at, touched,"
    " handler_id, handler_path, handler_area, duty_unit_id, intake_open, alert_open, relocated, involved, named,"
    " key_wrapped, key_id, acting, kinds)"
    " VALUES ($1, $2, 'n', 'open', 'handling', 'low', '500113000000', $3, $3, $4, $5, 'city/county', '500113', $5,"
    " TRUE, FALSE, FALSE, ARRAY[$5::uuid], ARRAY[$6::uuid], '-', '-', ARRAY[$5, $6]::uuid[], ARRAY['visit', 'report'])"
)
KEPT = (
    "INSERT INTO party (id, case_id, role, person_id, unit_id, at) VALUES ($1, $2, 'victim', $3, $4, now())",
    "INSERT INTO party_key (key, case_id, role, kind, party_id) VALUES ('k', $2, 'victim', 'id', $1),"
    " ('p', $2, 'victim', 'phone', $1), ('pn', $2, 'victim', 'phone_name', $1), ('q', $2, 'reporter', 'phone', $1)",
)
RECORD = (
    "INSERT INTO record (id, version, case_id, kind, unit_id, at, made_at, current, lead, changed, last_changed,"
    " leaf_hash) VALUES ($1, 300, $2, 'visit', $3, now(), now(), TRUE, TRUE, '{}', $4, '-')"
)
VERSIONS = [{"facts": 300, "victim": 2}.get(category, 1) for category in CATEGORIES]
TOUCHED = [AT + timedelta(hours=i) for i in range(len(CATEGORIES))]


@pytest.fixture
def owner(embedded: Embedded) -> str:
    name = f"old_{uuid.uuid4().hex[:8]}"
    embedded.create_database(name)
    return embedded.url("hub_owner", name)


async def fill(connection: Any) -> None:
    """One case as version 0001 kept it."""
    await connection.execute(REGION)
    for unit, code, path in ((CITY, "city", "city"), (COUNTY, "county", "city/county"), (COURT, "court", "court")):
        await connection.execute(UNIT, unit, code, path, "37" if unit == COURT else "50")
    await connection.execute(HELD, CASE, REF, AT, TOUCHED, COUNTY, COURT)
    await connection.execute(KEPT[0], PARTY, CASE, PERSON, COUNTY)
    await connection.execute(KEPT[1], PARTY, CASE)
    await connection.execute(RECORD, RECORD_ID, CASE, COUNTY, VERSIONS)


async def test_there_and_back(owner: str) -> None:
    migrations.upgrade(f"{owner}&sslmode=disable", "0001")  # an address as asyncpg reads it
    connection = await asyncpg.connect(owner)
    await fill(connection)
    for _ in range(2):
        migrations.upgrade(owner)
        await connection.reload_schema_state()
        row = await connection.fetchrow("SELECT * FROM cases")
        micros = tuple(round(at.timestamp() * 1_000_000) for at in TOUCHED)
        assert (moments_of((1,) * len(CATEGORIES))(row["touched"]), row["reporter_confirmed"]) == (micros, False)
        record = await connection.fetchrow("SELECT * FROM record")
        assert versions(record["last_changed"]) == tuple(VERSIONS)
        linked = {r["unit_id"]: r["outside"] for r in await connection.fetch("SELECT * FROM case_unit")}
        assert linked.keys() == {CITY, COUNTY, COURT}, "whom it involves, whom it names, and who stands above"
        assert linked == {CITY: False, COUNTY: False, COURT: True}
        keys = await connection.fetch("SELECT key, named, person_id FROM party_key ORDER BY key")
        assert [tuple(key) for key in keys] == [(b"k", b"", PERSON), (b"p", b"pn", PERSON), (b"q", b"", PERSON)]
        assert (row["victim_ids"], row["respondent_ids"]) == ([b"k"], [])
        assert (row["acting"], row["kinds"]) == (f"{COUNTY},{COURT}", '"visit","report"')
        marks = await connection.fetch("SELECT stamp, value, record_id FROM mark ORDER BY stamp")
        before = uuid.UUID(int=0)
        assert [tuple(mark) for mark in marks] == [("named", str(COURT), before), ("risk_level", "low", before)]
        assert row["intake"] == [COUNTY]
        down(owner)
        await connection.reload_schema_state()
        row = await connection.fetchrow("SELECT * FROM cases")
        assert (list(row["touched"]), row["touched_at"]) == (TOUCHED, TOUCHED[-1])
        assert (row["acting"], row["kinds"]) == ([COUNTY, COURT], ["visit", "report"])
        record = await connection.fetchrow("SELECT * FROM record")
        assert record["last_changed"] == VERSIONS
        assert (PERSON, "victim") in await connection.fetch("SELECT person_id, role FROM party")
        kinds = await connection.fetch("SELECT key, kind FROM party_key ORDER BY key")
        assert [tuple(k) for k in kinds] == [(b"k", "id"), (b"p", "phone"), (b"pn", "phone_name"), (b"q", "phone")]
    await connection.close()


@pytest.mark.parametrize("end", ["status = 'closed'", "sealed_by = handler_id", "risk_level = 'high'"])
async def test_an_alert_that_nobody_can_answer_is_taken_back(owner: str, end: str) -> None:
    """0011, on a case that was closed or sealed with its alert open; one that is neither (the control) keeps it."""
    migrations.upgrade(owner, "0001")
    connection = await asyncpg.connect(owner)
    await fill(connection)
    migrations.upgrade(owner, "0010")
    await connection.execute(f"UPDATE cases SET alert_open = TRUE, {end}")
    migrations.upgrade(owner)
    await connection.reload_schema_state()
    assert (await connection.fetchrow("SELECT alert_open FROM cases"))["alert_open"] == ("risk" in end)
    with pytest.raises(asyncpg.CheckViolationError):
        await connection.execute("UPDATE cases SET alert_open = TRUE, status = 'closed'")
    await connection.close()


async def test_code_newer_than_the_schema_waits_for_it(
    config: Settings, embedded: Embedded, owner: str, tmp_path: Path
) -> None:
    """A check says what to do; a process takes reports, and nothing else, until the schema is there. One that is newer
    than the code (the control) is taken."""
    config = replace(config, database_url=embedded.url("hub_app", owner.partition("?")[0].rsplit("/", 1)[1]))
    migrations.upgrade(owner)
    services = await open_services(config)
    await admin.import_regions(services)
    await admin.add_units(services, [admin.NewUnit("50-police", "市局", "police", "500000")])
    await services.database.close()
    down(owner, "-1")
    connection = await asyncpg.connect(owner)
    assert not await connection.fetchval(migrations.NEWEST), "it asks for what the newest version added"
    done = await asyncio.to_thread(run, config, "check")
    assert done.returncode == 1 and "hub migrate" in done.stderr and "Traceback" not in done.stderr
    async with early(config, tmp_path) as http:
        receipt = await reported(http)
        assert (await http.get(f"/v1/reports/{receipt['receipt']}")).status_code == 503 and not await ready(http)
        migrations.upgrade(owner)
        async with asyncio.timeout(20):
            while not await ready(http) or list((tmp_path / "spool").glob("*")):
                await asyncio.sleep(0.05)
        assert (await http.get(f"/v1/reports/{receipt['receipt']}")).status_code == 200
    await connection.execute("UPDATE alembic_version SET version_num = '9999'")
    await connection.execute("CREATE TABLE later (id integer)")
    assert (await asyncio.to_thread(run, config, "check")).returncode == 0
    await connection.close()


def down(owner: str, target: str = "0001") -> None:
    command = [sys.executable, "-m", "alembic", "--config", str(ROOT / "alembic.ini"), "downgrade", target]
    subprocess.run(command, env=os.environ | {"HUB_OWNER_DATABASE_URL": owner}, check=True, capture_output=True)


def test_what_went_wrong_is_said_without_the_address(owner: str) -> None:
    with pytest.raises(migrations.MigrationFailed) as failed:
        migrations.upgrade(owner, "nowhere")
    password = owner.partition(":")[2].partition(":")[2].partition("@")[0]
    assert password not in str(failed.value) and "nowhere" in str(failed.value)


def test_the_classes_and_the_migrations_agree(owner: str) -> None:
    """`alembic check` finds nothing to add; behind by a version, it does (the control)."""
    command = [sys.executable, "-m", "alembic", "--config", str(ROOT / "alembic.ini"), "check"]
    environment = os.environ | {"HUB_OWNER_DATABASE_URL": owner}
    migrations.upgrade(owner, "0001")
    assert subprocess.run(command, env=environment, check=False, capture_output=True).returncode
    migrations.upgrade(owner)
    done = subprocess.run(command, env=environment, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
