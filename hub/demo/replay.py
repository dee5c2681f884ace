"""Replay the published cases through the HTTP API, each step sent by the system of the agency that acted.

Steps carry fixed idempotency keys, so a replay that was cut off is simply run again.
"""

import json
import time
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from hub.api.auth import sign
from hub.demo.province import TYPES, Place, client_key, load_cases, people_of, write_once
from hub.models.catalogue import KINDS
from hub.signing import public_jwk

ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


class ReplayFailed(RuntimeError):
    """The hub did not accept a step; the text names case, step and the problem document."""


def client_assertion(client_id: str, pem: str, audience: str) -> str:
    """A `private_key_jwt` assertion (RFC 7523), good once, for one minute."""
    now = int(time.time())
    claims = {"iss": client_id, "sub": client_id, "aud": audience, "iat": now, "exp": now + 60, "jti": uuid.uuid4().hex}
    return sign(claims, pem, kid=public_jwk(pem)["kid"], typ="JWT")


@dataclass(slots=True)
class Agency:
    """One unit's system: its key and its token."""

    http: httpx.AsyncClient
    place: Place
    pem: str
    issuer: str
    _token: str = ""
    _until: float = 0.0

    async def headers(self, purpose: str = "case_handling", person: str = "caseworker") -> dict[str, str]:
        """Authorization, the person acted for, and the purpose."""
        if time.monotonic() > self._until:
            assertion = client_assertion(self.place.code, self.pem, self.issuer)
            answer = await self.http.post(
                "/oauth/token",
                data={
                    "grant_type": "client_credentials",
                    "client_assertion_type": ASSERTION,
                    "client_assertion": assertion,
                },
            )
            answer.raise_for_status()
            self._token, self._until = answer.json()["access_token"], time.monotonic() + 240
        made = {"Authorization": f"Bearer {self._token}", "Purpose-Of-Use": purpose}
        return made | ({"On-Behalf-Of": person} if person else {})


def party_fields(kind: str, people: dict[str, Any], relation: str, *, children: bool) -> dict[str, Any]:
    """The identity fields that a kind has, filled from the case's people."""
    known = set(KINDS[kind].model_fields)
    values = {f"{role}_{k}": v for role in ("victim", "respondent") for k, v in people[role].items()}
    values["relation"] = relation
    if children and people["children"]:
        values["children"] = people["children"]
    return {k: v for k, v in values.items() if k in known}


@dataclass(slots=True)
class Replay:
    """All agencies, and what the replay learned: case ids and numbers by script id."""

    http: httpx.AsyncClient
    folder: Path
    issuer: str
    agencies: dict[Place, Agency] = field(default_factory=dict)
    cases: dict[str, dict[str, Any]] = field(default_factory=dict)

    def agency(self, region: str, unit_type: str) -> Agency:
        place = Place(region, unit_type)
        if place not in self.agencies:
            pem = client_key(self.folder / "clients", place)
            self.agencies[place] = Agency(self.http, place, pem, self.issuer)
        return self.agencies[place]

    async def run(self, case: dict[str, Any], index: int) -> int:
        """Send every step of one case, then let every agency that acted read its view."""
        people, actors = people_of(case, index), dict[Place, Agency]()
        for n, step in enumerate(case["steps"]):
            if step["unit"] not in TYPES:
                await self._report(case, step, people)
                continue
            agency = self.agency(step.get("region", case["region"]), step["unit"])
            actors[agency.place] = agency
            await self._submit(case, n, step, people, agency)
        for agency in actors.values():
            await self.view(case["id"], agency)
        return len(case["steps"])

    async def view(self, case_id: str, agency: Agency, purpose: str = "case_handling") -> dict[str, Any]:
        """What one agency sees of a case."""
        url = f"/v1/cases/{self.cases[case_id]['id']}"
        answer = await self.http.get(url, headers=await agency.headers(purpose))
        if answer.status_code != 200:
            raise ReplayFailed(f"{case_id} {agency.place.code}: {answer.status_code} {answer.text}")
        seen: dict[str, Any] = answer.json()
        return seen

    async def _submit(
        self, case: dict[str, Any], n: int, step: dict[str, Any], people: dict[str, Any], agency: Agency
    ) -> None:
        region = step.get("region", case["region"])
        body = {k: _units(v, region) for k, v in step["fields"].items()}
        body |= party_fields(step["kind"], people, case["relation"], children=step.get("children", False))
        headers = await agency.headers() | {"Idempotency-Key": f"demo-{case['id']}-{n}"}
        if "victim_name" not in body or body.get("reporter_confirmed"):
            headers["Case-Number"] = await self._named(case["id"], body, headers)
        answer = await self.http.post(f"/v1/records/{step['kind']}", json=body, headers=headers)
        if answer.status_code != 201:
            raise ReplayFailed(f"{case['id']} #{n} {step['unit']} {step['kind']}: {answer.status_code} {answer.text}")
        made = answer.json()
        known = self.cases.setdefault(case["id"], {"id": made["case_id"], "records": []})
        if known["id"] != made["case_id"]:
            raise ReplayFailed(f"{case['id']} #{n}: 归入了另一个案 / filed under another case")
        known["records"].append(made["id"])

    async def _named(self, case_id: str, body: dict[str, Any], headers: dict[str, str]) -> str:
        """The case to file under; one that nobody has filed on yet is found by the victim's id number."""
        if case_id not in self.cases:
            wanted = {"id_number": body["victim_id_number"]}
            answer = await self.http.post("/v1/cases/search", json=wanted, headers=headers)
            if answer.status_code != 200 or not answer.json()["items"]:
                raise ReplayFailed(f"{case_id}: {answer.status_code}, 找不到个案 / no case is found")
            return str(answer.json()["items"][0]["id"])
        return str(self.cases[case_id]["id"])

    async def _report(self, case: dict[str, Any], step: dict[str, Any], people: dict[str, Any]) -> None:
        """A one-click report and its receipt, which whoever tries the demo reads it by."""
        path = self.folder / "receipts" / f"{case['id']}.json"
        region = step.get("region", case["region"])
        body = step["fields"] | party_fields("report", people, case["relation"], children=False)
        body |= {"region": region, "reporter_is_victim": step["fields"].get("reporter_is_victim", True)}
        key = {"Idempotency-Key": f"lianhu-demo-report-{case['id']}"}
        answer = await self.http.post("/v1/reports", json=body, headers=key)
        if answer.status_code != 201:
            raise ReplayFailed(f"{case['id']} report: {answer.status_code} {answer.text}")
        path.parent.mkdir(parents=True, exist_ok=True)
        write_once(path, json.dumps(answer.json(), ensure_ascii=False))


def _units(value: Any, region: str) -> Any:
    """`@court` in a script means the court of the step's place."""
    if isinstance(value, list):
        return [_units(item, region) for item in value]
    if isinstance(value, str) and value.startswith("@"):
        return Place(region, value[1:]).code
    return value


__all__ = ["Agency", "Replay", "ReplayFailed", "client_assertion", "load_cases"]
