"""Names and places that answers need beside case data: units and regions, held in memory."""

import asyncio
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import orjson

from hub.db import FAILED, Database
from hub.errors import HubError
from hub.models.region import area, prefix_of

REFRESH_SECONDS = 5.0
"""For as long a process may not know what another has changed of units and regions."""
REMEMBERED = 10_000
"""How many sets of units acting on a case are kept as they are shown."""


@dataclass(frozen=True, slots=True)
class UnitInfo:
    """A unit as answers and subjects need it."""

    id: UUID
    code: str
    name: str
    type: str
    region_code: str
    area: str
    path: str
    latitude: float | None
    longitude: float | None
    on_duty: bool
    active: bool

    def shown(self) -> bytes:
        return orjson.dumps({"code": self.code, "name": self.name, "type": self.type})


class Directory:
    """Reloaded at start and by `refresh`; authorisation never rests on it (see the fact `suspended`)."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.units: dict[UUID, UnitInfo] = {}
        self.codes: dict[str, UnitInfo] = {}
        self.regions: dict[str, str] = {}
        self._by_name: dict[str, list[str]] = {}
        self._places: dict[str, str] = {}
        self._placed: dict[str, bytes] = {}
        self._shown: dict[UUID, bytes] = {}
        self._several: dict[str, bytes] = {}
        self._duties: dict[tuple[str, str], UnitInfo | None] = {}
        self._seen: dict[str, tuple[Any, ...]] = {}

    async def refresh(self) -> None:
        """Load what has changed: rows are only ever added, renamed, disabled or enabled."""
        for table, load in (("unit", self._load_units), ("region", self._load_regions)):
            row = await self._database.fetchrow(
                "SELECT count(*) AS all, count(disabled_at) AS off, sum(extract(epoch FROM disabled_at)) AS when,"
                f" sum(hashtext(code || name)) AS named FROM {table}"
            )
            if row is not None and self._seen.get(table) != tuple(row):
                await load()
                self._seen[table] = tuple(row)

    async def follow(self) -> None:
        """Refresh for ever: another process may add units."""
        while True:
            await asyncio.sleep(REFRESH_SECONDS)
            with suppress(HubError, *FAILED):
                await self.refresh()

    async def _load_units(self) -> None:
        rows = await self._database.fetch(
            "SELECT id, code, name, type, region_code, area, path, latitude, longitude, on_duty,"
            ' disabled_at IS NULL AS active FROM unit ORDER BY code COLLATE "C"'
        )
        self.units = {row["id"]: UnitInfo(**dict(row)) for row in rows}
        self.codes = {unit.code: unit for unit in self.units.values()}
        self._shown, self._several = {unit.id: unit.shown() for unit in self.units.values()}, {}
        self._duties = {}

    async def _load_regions(self) -> None:
        rows = await self._database.fetch(
            'SELECT code, name FROM region WHERE disabled_at IS NULL ORDER BY code COLLATE "C"'
        )
        self.regions = {row["code"]: row["name"] for row in rows}
        self._by_name, self._places, self._placed = {}, {}, {}
        for code, name in self.regions.items():
            if len(name) > 2 and not name.startswith(("市辖区", "省直辖", "自治区直辖")):
                self._by_name.setdefault(name, []).append(code)

    def units_like(self, kind: str, within: str, name: str, after: str) -> Iterator[UnitInfo]:
        """Units in service after a code, in the order of codes: of a type, in a region, with such a name; "" is any."""
        for code, unit in self.codes.items():
            wanted = unit.active and kind in ("", unit.type) and name in unit.name
            if wanted and code > after and unit.region_code.startswith(prefix_of(within)):
                yield unit

    def regions_like(self, within: str, name: str, after: str) -> Iterator[tuple[str, str]]:
        """Divisions after a code, in the order of codes, with their names."""
        for code, called in self.regions.items():
            if code > after and code.startswith(prefix_of(within)) and name in called:
                yield code, called

    def shown(self, unit_id: UUID) -> bytes | None:
        """A unit as answers name it, in JSON."""
        return self._shown.get(unit_id)

    def serves(self, code: str) -> bool:
        """Is there a unit of this code, and in service?"""
        unit = self.codes.get(code)
        return unit is not None and unit.active

    def covers(self, unit_id: UUID, region_code: str) -> bool:
        """Does a place lie in the area of a unit?"""
        unit = self.units.get(unit_id)
        return unit is not None and region_code.startswith(unit.area)

    def several(self, unit_ids: str) -> bytes:
        """The same for units named in one text, joined by commas; whom the directory does not know is left out."""
        found = self._several.get(unit_ids)
        if found is None:
            if len(self._several) >= REMEMBERED:
                self._several.clear()
            known = (self._shown.get(UUID(unit)) for unit in unit_ids.split(",") if unit)
            found = self._several[unit_ids] = b",".join(filter(None, known))
        return found

    def place(self, code: str) -> bytes:
        """A case's place, to the township, as members of JSON."""
        found = self._placed.get(code)
        if found is None:
            region = code[:9].ljust(12, "0")
            found = self._placed[code] = orjson.dumps({"region": region, "place": self.place_name(region)})[1:-1]
        return found

    def place_name(self, code: str) -> str:
        """Province to township in words, as far as the table knows them."""
        name = self._places.get(code)
        if name is None:
            prefixes = dict.fromkeys(code[:digits].ljust(12, "0") for digits in (2, 4, 6, 9))
            names = [self.regions.get(prefix, "") for prefix in prefixes]
            name = self._places[code] = "".join(n for n in names if n not in ("市辖区", "县"))
        return name

    def locate(self, place: str) -> str:
        """The finest division whose name, and whose parents' names as far as given, occur in the text."""
        best = ("", 0, 0)
        for name, codes in self._by_name.items():
            if name not in place:
                continue
            for code in codes:
                above = dict.fromkeys(code[:digits].ljust(12, "0") for digits in (2, 4, 6, 9))
                parents = sum(self.regions.get(prefix, "\0") in place for prefix in above)
                score = (code, parents, len(area(code)))
                if score[1:] > best[1:] and (len(codes) == 1 or parents > 1):
                    best = score
        return best[0]

    def duty_unit(self, region_code: str, kind: str = "police") -> UnitInfo | None:
        """The unit on duty for a place: the longest area that covers it, else the widest of its type."""
        if (region_code, kind) not in self._duties:
            able = [u for u in self.units.values() if u.type == kind and u.on_duty and u.active]
            covering = [u for u in able if region_code and region_code.startswith(u.area)]
            widest = min(able, key=lambda u: (len(u.area), u.code), default=None)
            self._duties[region_code, kind] = max(covering, key=lambda u: (len(u.area), u.code), default=widest)
        return self._duties[region_code, kind]

    def nearest(self, latitude: float, longitude: float, kind: str = "police") -> UnitInfo | None:
        """The unit of the type nearest to a point, among those whose place is known."""
        able = [
            u
            for u in self.units.values()
            if u.type == kind and u.on_duty and u.active and u.latitude is not None and u.longitude is not None
        ]

        def distance(unit: UnitInfo) -> float:
            assert unit.latitude is not None and unit.longitude is not None
            # 0.85, cos 32°: degrees of longitude here, in degrees of latitude
            return (unit.latitude - latitude) ** 2 + (0.85 * (unit.longitude - longitude)) ** 2

        return min(able, key=distance, default=None)
