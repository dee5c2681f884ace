"""Regions and units: what the hub knows of places and of who answers for them. Lists are taken whole or not at all."""

import csv
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from hub.db import UniqueViolation
from hub.models.directory import UnitInfo
from hub.models.region import TIERS, area
from hub.models.values import CODE
from hub.policies.services import Services
from hub.sheets import Counted, Faults, Refused, lock, log, log_all

REGIONS = Path(__file__).with_name("data") / "regions.csv"
COLUMNS = ("code", "name", "level", "parent")
LONGEST = 100


def is_name(text: str, longest: int = LONGEST) -> bool:
    """Words on one line, without what nobody sees at its ends."""
    return 1 <= len(text) <= longest and text.isprintable() and text == text.strip()


def check_name(faults: Faults, n: int, text: str) -> None:
    if not is_name(text):
        faults.found(n, "name", f"须为1至{LONGEST}个字", f"must be 1 to {LONGEST} characters on one line")


async def import_regions(services: Services, path: Path = REGIONS) -> Counted:
    """Load divisions (`code,name,level,parent`); known codes are renamed, none is removed."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        return await add_regions(services, list(csv.DictReader(file)))


async def add_regions(services: Services, rows: list[dict[str, str]]) -> Counted:
    """Add or rename divisions; a parent must be known or stand in the same list."""
    _check_regions(services, rows)
    async with services.database.transaction() as connection:
        await lock(connection, "regions")
        found = await connection.fetch("SELECT code, name, level, parent FROM region")
        known = {row["code"]: tuple(row) for row in found}
        given = {row["code"]: tuple(row[name] for name in COLUMNS) for row in rows}
        new = [row for code, row in given.items() if known.get(code) != row]
        added = sum(row[0] not in known for row in new)
        counted = Counted(added, len(new) - added, len(rows) - len(new))
        await connection.execute(
            "INSERT INTO region (code, name, level, parent)"
            " SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[])"
            " ON CONFLICT (code) DO UPDATE SET name = EXCLUDED.name, level = EXCLUDED.level, parent = EXCLUDED.parent",
            *([row[n] for row in new] for n in range(len(COLUMNS))),
        )
        await log(connection, services, "regions import", rows=len(rows), added=added, changed=counted.changed)
    await services.directory.refresh()
    return counted


def _check_regions(services: Services, rows: list[dict[str, str]]) -> None:
    faults, seen = Faults(), set[str]()
    known = {row["code"] for row in rows} | set(services.directory.regions)
    for n, row in enumerate(rows):
        code, level, parent = row["code"], row["level"], row["parent"]
        if not re.fullmatch(r"[0-9]{12}", code):
            faults.found(n, "code", "须为12位数字", "must be 12 digits")
        elif code in seen:
            faults.found(n, "code", f"重复：{code}", f"stands twice in the list: {code}")
        check_name(faults, n, row["name"])
        if level not in TIERS:
            faults.found(n, "level", f"须为 {' '.join(TIERS)} 之一", f"must be one of {', '.join(TIERS)}")
        if parent and (parent not in known or parent == code):
            zh, en = f"上级区划不存在：{parent}（见 hub regions list）", f"unknown division above: {parent}"
            faults.found(n, "parent", zh, f"{en}; see hub regions list")
        seen.add(code)
    faults.settle()


@dataclass(frozen=True, slots=True)
class NewUnit:
    """A unit to add; `parent` is the code of its superior. A coordinate that was no number is NaN."""

    code: str
    name: str
    type: str
    region: str
    parent: str = ""
    latitude: float | None = None
    longitude: float | None = None

    @property
    def region_code(self) -> str:
        return self.region.ljust(12, "0")


async def add_units(services: Services, units: Iterable[NewUnit]) -> Counted:
    """Add units, superiors first. A unit type must be one that the policy describes. What is there already in the
    same words is left alone; other words are a fault, since neither a unit's type nor its area ever changes."""
    directory, faults, rows = services.directory, Faults(), list[tuple[Any, ...]]()
    await directory.refresh()
    paths: dict[str, tuple[UUID, str]] = {u.code: (u.id, u.path) for u in directory.codes.values()}
    number, seen = 0, set[str]()
    for number, unit in enumerate(units, 1):
        _check_unit(services, faults, number - 1, unit, paths, unit.code in seen)
        parent, above = paths.get(unit.parent, (None, ""))
        path, there = (f"{above}/{unit.code}" if above else unit.code), directory.codes.get(unit.code)
        seen.add(unit.code)
        if there is not None:
            _check_same(faults, number - 1, unit, path, there)
            continue
        paths[unit.code] = (uuid4(), path)
        made = (paths[unit.code][0], unit.code, unit.name, unit.type, unit.region_code, area(unit.region_code))
        rows.append((*made, parent, path, unit.latitude, unit.longitude))
    faults.settle()
    async with services.database.transaction() as connection:
        try:
            await connection.executemany(
                "INSERT INTO unit (id, code, name, type, region_code, area, parent_id, path, latitude, longitude,"
                " on_duty) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, TRUE)",
                rows,
            )
        except UniqueViolation:  # added by somebody else since the list was compared
            raise Refused("单位代码刚被登记，请再试", "a unit with this code was just added; try again") from None
        told = [{"unit": code, "type": kind, "region": region} for _, code, _, kind, region, *_ in rows]
        await log_all(connection, services, "units add", "units", told)
    await directory.refresh()
    return Counted(len(rows), 0, number - len(rows))


def _check_unit(
    services: Services, faults: Faults, n: int, unit: NewUnit, known: Mapping[str, Any], twice: bool
) -> None:
    if not re.fullmatch(CODE, unit.code):
        faults.found(n, "code", "须为1至64个字母、数字、. _ -", "must be 1 to 64 letters, digits, . _ -")
    elif twice:
        faults.found(n, "code", f"重复：{unit.code}", f"stands twice in the list: {unit.code}")
    check_name(faults, n, unit.name)
    if unit.type not in (types := services.policy.rules.agency_types):
        faults.found(n, "type", f"规则中没有此单位类型；可用 {' '.join(types)}", "not a unit type of the policy")
    if unit.region_code not in services.directory.regions:
        zh, en = f"区划代码不存在：{unit.region}（见 hub regions list）", f"unknown region: {unit.region}"
        faults.found(n, "region", zh, f"{en}; see hub regions list")
    if unit.parent and unit.parent not in known:
        zh, en = f"上级单位不存在：{unit.parent}（见 hub units list）", f"unknown superior: {unit.parent}"
        faults.found(n, "parent", zh, f"{en}; see hub units list, superiors come first")
    for column, value, most in (("latitude", unit.latitude, 90), ("longitude", unit.longitude, 180)):
        if value is not None and not -most <= value <= most:
            faults.found(n, column, f"须为 -{most} 至 {most} 的数", f"must be a number from -{most} to {most}")
    if (unit.latitude is None) is not (unit.longitude is None):
        faults.found(n, "latitude", "经纬度须同时填写", "latitude and longitude come together")


def _check_same(faults: Faults, n: int, unit: NewUnit, path: str, there: UnitInfo) -> None:
    """What is registered under this code must be the same, word for word."""
    place = {"latitude": unit.latitude, "longitude": unit.longitude}
    given = {"name": unit.name, "type": unit.type, "region": unit.region_code, "parent": path, **place}
    attributes = {"region": "region_code", "parent": "path"}
    for column, value in given.items() if not faults.bad(n) else ():
        if getattr(there, attributes.get(column, column)) != value:
            zh, en = f"单位 {unit.code} 已登记，此项不同", f"unit {unit.code} is registered with another one"
            how = ("改名用 hub units rename", "hub units rename") if column == "name" else ("此项不改", "it stays")
            faults.found(n, column, f"{zh}；{how[0]}", f"{en}; {how[1]}")
