"""The demo province: units, people and agency systems around the places where the published cases happened.

Everybody here is invented: id numbers carry the unassigned area code 990000 (GB 11643), phones begin 19999.
"""

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pyotp

from hub import admin, signing
from hub.models.values import DEMO_AREA, check_digit
from hub.policies.services import Services

CASES = Path(__file__).with_name("cases")
TYPES = {
    "police": "公安局",
    "procuratorate": "检察院",
    "court": "人民法院",
    "hospital": "人民医院",
    "civil_affairs": "民政局",
    "womens_federation": "妇联",
    "residents_committee": "社区居委会",
    "joint_centre": "综治中心",
    "justice": "司法局",
    "school": "学校",
    "social_work": "社会工作站",
}
LINES = ("police", "womens_federation", "joint_centre")
"""Lines that have superiors at province level in the demo."""


def demo_id_number(born: date, serial: int, sex: str) -> str:
    """An invented id number that can belong to nobody: area 990000, valid GB 11643 check digit."""
    order = serial * 2 % 998 + (0 if sex == "female" else 1)
    first = f"{DEMO_AREA}{born:%Y%m%d}{order:03d}"
    return first + check_digit(first)


def demo_phone(serial: int) -> str:
    return f"19999{serial % 1_000_000:06d}"


def load_cases() -> list[dict[str, Any]]:
    """The replay scripts, in a fixed order."""
    return [json.loads(path.read_text(encoding="utf-8")) for path in sorted(CASES.glob("*.json"))]


def people_of(case: dict[str, Any], index: int) -> dict[str, Any]:
    """The case's parties with invented identifiers, the same at every run."""
    dice = random.Random(case["id"])
    made: dict[str, Any] = {"children": []}
    people = [("victim", case["people"]["victim"]), ("respondent", case["people"]["respondent"])]
    people += [("children", child) for child in case["people"].get("children", [])]
    for n, (role, person) in enumerate(people):
        born = date(person["birth_year"], 1, 1) + timedelta(days=dice.randrange(364))
        id_number = demo_id_number(born, index * 12 + n, person["sex"])
        shown = {"name": person["name"], "sex": person["sex"], "id_number": id_number, "birth_date": str(born)}
        if role == "children":
            made["children"].append(shown)
        else:
            made[role] = shown | {"phone": demo_phone(index * 100 + n)}
    return made


@dataclass(frozen=True, slots=True)
class Place:
    """One unit of the demo: its code is `<region>-<type>`."""

    region: str
    type: str

    @property
    def code(self) -> str:
        return f"{self.region}-{self.type}"


def mentioned(case: dict[str, Any]) -> Iterator[Place]:
    """The units that a case's steps act as or name."""
    for step in case["steps"]:
        region = step.get("region", case["region"])
        if step["unit"] in TYPES:
            yield Place(region, step["unit"])
        for value in step["fields"].values():
            for name in value if isinstance(value, list) else [value]:
                if isinstance(name, str) and name.startswith("@"):
                    yield Place(region, name[1:])
        yield Place(region, "police")
        yield Place(region, "joint_centre")


def places(cases: list[dict[str, Any]]) -> list[Place]:
    return list(dict.fromkeys(place for case in cases for place in mentioned(case)))


def units_of(services: Services, found: list[Place]) -> list[admin.NewUnit]:
    """Provincial superiors of the three lines, then the units themselves."""
    made = []
    provinces = dict.fromkeys(place.region[:2] for place in found)
    for province in provinces:
        name = services.directory.place_name(province.ljust(12, "0"))
        for line in LINES:
            made.append(
                admin.NewUnit(f"{province}-{line}", f"{name}{_superior(line)}（演示）", line, province.ljust(6, "0"))
            )
    for place in found:
        name = services.directory.place_name(place.region.ljust(12, "0"))
        parent = f"{place.region[:2]}-{place.type}" if place.type in LINES else ""
        made.append(admin.NewUnit(place.code, f"{name}{TYPES[place.type]}（演示）", place.type, place.region, parent))
    return made


def _superior(line: str) -> str:
    return {"police": "公安厅", "womens_federation": "妇联", "joint_centre": "综治中心"}[line]


def accounts_of(found: list[Place]) -> list[admin.NewAccount]:
    """A caseworker everywhere, intake at police and centres, a supervisor above, three administrators."""
    made: list[admin.NewAccount] = []

    def add(unit: str, name: str, role: str, login: str = "") -> None:
        serial = 40_000 + len(made)
        born = date(1980, 1, 1) + timedelta(days=serial % 7000)
        made.append(
            admin.NewAccount(
                unit,
                name,
                role,
                demo_id_number(born, serial, "female"),
                demo_phone(500_000 + serial),
                login,
                "demo-password-1" if login else "",
            )
        )

    for place in found:
        add(place.code, "caseworker", "caseworker")
        if place.type in ("police", "joint_centre"):
            add(place.code, "intake", "intake")
    for province in dict.fromkeys(place.region[:2] for place in found):
        for line in LINES:
            add(f"{province}-{line}", "supervisor", "supervisor")
    first = "500113-police"
    add(first, "值班民警", "intake", "banan-intake")
    add(first, "办案民警", "caseworker", "banan-police")
    add("500113-womens_federation", "妇联干部", "caseworker", "banan-federation")
    for role in ("auditor", "policy_admin", "sysadmin"):
        add("50-joint_centre", role, role, role)
    return made


def write_once(path: Path, text: str) -> None:
    """A file of mode 0600 that is there whole or not at all."""
    part = path.with_suffix(".part")
    part.touch(mode=0o600)
    part.write_text(text)
    part.replace(path)


def client_key(folder: Path, place: Place) -> str:
    """The private key of a unit's system, made on first use, mode 0600."""
    path = folder / f"{place.code}.pem"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_once(path, signing.new_signing_key())
    return path.read_text()


def _logins(path: Path, new: list[admin.NewAccount]) -> list[admin.NewAccount]:
    """The accounts, each login with a TOTP secret that is on disk before the account is made."""
    if not path.exists():
        made = [
            {"login": n.login, "role": n.role, "unit": n.unit, "password": n.password, "totp": pyotp.random_base32()}
            for n in new
            if n.login
        ]
        write_once(path, json.dumps(made, ensure_ascii=False, indent=1))
    secrets = {login["login"]: login["totp"] for login in json.loads(path.read_text())}
    return [replace(n, totp=secrets[n.login]) if n.login else n for n in new]


async def build(services: Services, folder: Path) -> None:
    """Load regions, units, accounts and clients, whichever are not there: a build that was cut off goes on."""
    found, known = places(load_cases()), services.directory
    if not known.regions:
        await admin.import_regions(services)
    if units := [unit for unit in units_of(services, found) if unit.code not in known.codes]:
        await admin.add_units(services, units)
    rows = await services.database.fetch("SELECT unit_id, name FROM account")
    there = {(row["unit_id"], row["name"]) for row in rows}
    new = _logins(folder / "accounts.json", accounts_of(found))
    await admin.add_accounts(services, [n for n in new if (known.codes[n.unit].id, n.name) not in there])
    clients = {row["id"] for row in await services.database.fetch("SELECT id FROM client")}
    for place in found:
        if place.code not in clients:
            jwk = signing.public_jwk(client_key(folder / "clients", place))
            await admin.add_client(services, place.code, place.code, {"keys": [jwk]}, "cases:read records:write")
