"""Filling the databases: cases and entries as the hub itself makes and seals them, in bulk, by COPY.

The rows are those that the hub's own code makes for a submission; here they are copied. The reference's flat table is
filled with the same values in the same processes.
"""

import asyncio
import os
import random
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from multiprocessing import get_context
from typing import Any
from uuid import UUID, uuid4

import asyncpg

from benchmarks import sample
from benchmarks.limit import COLUMNS as FLAT
from benchmarks.limit import flat_row
from hub import admin, cases, clock, keys, signing
from hub.audit.committer import columns
from hub.audit.entry import GENESIS, Act
from hub.filing import Filing, Rows, filled, finish
from hub.main import open_services
from hub.models.case import packed
from hub.models.directory import UnitInfo
from hub.models.fields import CATEGORIES
from hub.parties import recognise
from hub.policies.gate import Gate
from hub.policies.services import Services
from hub.policies.subject import Purpose, Subject
from hub.settings import Settings

CLIENTS = (f"{sample.DISTRICT}-police", f"{sample.OTHER}-police")
ACTORS = 2_000
CHUNK = 2_000
ENTRIES_CHUNK = 20_000


@dataclass(slots=True)
class Share:
    """What one process makes: every `step`-th case from `first` on, and its part of the log."""

    first: int
    step: int
    cases: int
    entries: int
    made: list[tuple[UUID, UUID, UUID, keys.CaseKey]] = field(default_factory=list)


async def prepare(services: Services) -> dict[str, str]:
    """Regions, units, a caseworker each, the measured agencies' systems, an auditor; returns the secrets."""
    places = sample.places()
    divisions = [("990000000000", "虚构省", "province", ""), *((p.code, p.unit, p.level, p.parent) for p in places)]
    async with services.database.transaction() as connection:
        await connection.executemany(
            "INSERT INTO region (code, name, level, parent) VALUES ($1, $2, $3, $4)", divisions
        )
    await services.directory.refresh()
    units = {p.code: p.unit for p in places}
    await admin.add_units(
        services, [admin.NewUnit(p.unit, f"{p.unit}公安", "police", p.code, units.get(p.parent, "")) for p in places]
    )
    people_ = [
        admin.NewAccount(p.unit, "caseworker", "caseworker", sample.person(9_000_000 + i, "male")["id_number"])
        for i, p in enumerate(places)
    ]
    await admin.add_accounts(services, people_)
    auditor = admin.NewAccount("9901-police", "auditor", "auditor", sample.person(9_100_000, "male")["id_number"])
    (made,) = await admin.add_accounts(services, [auditor_with_login(auditor)])
    pem = signing.new_signing_key()
    jwks = {"keys": [signing.public_jwk(pem)]}
    for client in CLIENTS:
        await admin.add_client(services, client, client, jwks, "cases:read records:write")
    return {"pem": pem, "totp": made.totp, "password": made.password}


def auditor_with_login(account: admin.NewAccount) -> admin.NewAccount:
    return admin.NewAccount(account.unit, account.name, account.role, account.id_number, login="auditor")


def actor(number: int) -> UUID:
    """One of the accounts in whose name the old entries stand."""
    return UUID(int=(0xBE << 120) | number)


def fill(config: Settings, flat_url: str, cases_wanted: int, entries: int) -> None:
    """All processes' shares, then statistics; one process a core."""
    processes = os.cpu_count() or 1
    shares = [Share(i, processes, cases_wanted, entries // processes) for i in range(processes)]
    context = get_context("spawn")
    running = [context.Process(target=_fill_share, args=(config, flat_url, share)) for share in shares]
    for process in running:
        process.start()
    for process in running:
        process.join()
    if any(process.exitcode for process in running):
        raise SystemExit("loading failed")


def _fill_share(config: Settings, flat_url: str, share: Share) -> None:
    asyncio.run(_load(config, flat_url, share))


async def _load(config: Settings, flat_url: str, share: Share) -> None:
    services = await open_services(config)
    flat = await asyncpg.connect(flat_url)
    units = [services.directory.codes[p.unit] for p in sample.places() if p.level == "community"]
    moments = list(enumerate(sample.moments(share.cases)))[share.first :: share.step]
    for start in range(0, len(moments), CHUNK):
        rows, plain = Rows(), []
        for serial, at in moments[start : start + CHUNK]:
            plain.append(_case(services, rows, share, units, serial, at))
        await flat.copy_records_to_table("cases", records=plain, columns=list(FLAT))
        async with services.database.transaction() as connection:
            for (table, _), made in rows.tables.items():
                await _copy(connection, table, made)
    await _entries(services, share)
    await flat.close()
    await services.database.close()


async def _copy(connection: Any, table: str, rows: list[dict[str, Any]]) -> None:
    names = list(rows[0])
    await connection.copy_records_to_table(table, records=[[r[n] for n in names] for r in rows], columns=names)


def _case(services: Services, rows: Rows, share: Share, units: list[UnitInfo], serial: int, at: Any) -> tuple[Any, ...]:
    """One case with its call, filed by a community's police; the district above is involved as well."""
    unit = units[random.Random(serial).randrange(len(units))]
    values = sample.call(serial, unit.region_code, at)
    vault, kind = services.vault, "police_call"
    filing = Filing(kind, values, recognise(vault, values, kind), at, unit.id, lead=True)
    target = cases.new_target(vault, at, None, {})
    cases.add_case(
        rows, target, filing, cases.effects_of(filing, services.directory), unit, unit.region_code, services.directory
    )
    row = rows.tables["cases", False][-1]
    district = services.directory.codes[f"{unit.area[:6]}-police"].id
    row["involved"] = [unit.id, district]
    row["touched"] = packed([clock.to_micros(at + timedelta(hours=serial % 480))] * len(CATEGORIES))
    caller = Subject(
        "police", "caseworker", unit.id, unit.code, unit.area, unit.path, account_id=actor(serial % ACTORS)
    )
    finish(rows, vault, Gate(services, caller, Purpose.case_handling).draft(Act.create), filing, target)
    share.made.append((target.id, target.ref, filing.record_id, target.key))
    flat = flat_row(values)
    head = (str(target.id), unit.region_code[:9], at, serial, row["number"], row["status"])
    assert filled(filing)
    return (*head, *(flat[name] for name in FLAT[len(head) :]))


async def _entries(services: Services, share: Share) -> None:
    """Reads of half a year on this process's own chain, each sealed with the key of the case it is about."""
    dice, w, previous = random.Random(share.first), uuid4(), GENESIS
    unit = services.directory.codes[CLIENTS[0]]
    caller = Subject("police", "caseworker", unit.id, unit.code, unit.area, unit.path, account_id=actor(0))
    gate = Gate(services, caller, Purpose.follow_up)
    decision = gate.table.decide(0b1)
    actors = [services.vault.pseudonym("actor", actor(i).bytes) for i in range(ACTORS)]
    for start in range(0, share.entries, ENTRIES_CHUNK):
        rows = []
        for n in range(start + 1, min(start + ENTRIES_CHUNK, share.entries) + 1):
            _, ref, record, key = share.made[dice.randrange(len(share.made))]
            draft = gate.draft(Act.read)
            draft.body |= {"what": [decision.told], "query": "case", "count": 1}
            draft.actor = actors[dice.randrange(ACTORS)]
            draft.name(ref, key, (record, 1))
            at = clock.to_micros(sample.START + sample.SPAN * n / share.entries)
            row, previous = columns(services.vault, draft, w, n, previous, at)
            rows.append(row)
        async with services.database.transaction() as connection:
            await _copy(connection, "access_log", rows)


FLAT_LOG = """
INSERT INTO access_log SELECT i, TIMESTAMPTZ '2026-01-01 00:00Z' + interval '180 days' * i / {entries},
 'worker' || (hashint4(i) & 2147483647) % {actors}, '01.03', 'read', 'cases', hashint4(i), 36, '案件研判', 'allow', 7,
 md5(i::text), md5('p' || i) || md5('q' || i), md5('h' || i) || md5('g' || i) FROM generate_series(1, {entries}) i
"""


async def fill_flat_log(flat_url: str, entries: int) -> None:
    flat = await asyncpg.connect(flat_url)
    await flat.execute(FLAT_LOG.format(entries=entries, actors=ACTORS))
    await flat.close()


async def tidy(urls: Iterable[str]) -> None:
    """Statistics and visibility maps, as autovacuum would leave them."""
    for url in urls:
        connection = await asyncpg.connect(url)
        await connection.execute("VACUUM (ANALYZE)")
        await connection.close()
