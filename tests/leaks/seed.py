"""One case with every field of every kind filled, each record by a unit whose type owns the kind."""

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from hub.demo.province import TYPES
from hub.models.catalogue import KINDS
from tests.leaks import canaries
from tests.leaks.canaries import Book
from tests.leaks.province import code
from tests.world import World

PNG = b"\x89PNG\r\n\x1a\n"
VICTIM = ("victim_name", "victim_id_number", "victim_phone", "victim_birth_date")
RESPONDENT = ("respondent_name", "respondent_id_number", "respondent_phone", "respondent_birth_date")


@dataclass(slots=True)
class Seeded:
    """A case, what was filed on it, and the keys that open it: receipts (code, secret, record) and files."""

    book: Book
    pair: dict[str, Any]
    receipts: list[tuple[str, str, str]] = field(default_factory=list)
    files: dict[str, str] = field(default_factory=dict)
    number: str = ""


async def report(world: World, sent: dict[str, Any]) -> tuple[str, str, str, str]:
    """A one-click report; returns receipt, secret, record id and case id (looked up, as no answer tells it)."""
    answer = await world.http.post("/v1/reports", json=sent)
    assert answer.status_code == 201, answer.text
    receipt = answer.json()["receipt"]
    hashed = world.services.vault.lookup("receipt", receipt.replace(" ", ""))
    for _ in range(100):
        row = await world.services.database.fetchrow("SELECT * FROM receipt WHERE code_hash = $1", hashed)
        if row is not None:
            return receipt, answer.json()["secret"], str(row["record_id"]), str(row["case_id"])
        await asyncio.sleep(0.1)
    raise AssertionError("the report was not filed")


async def reported(world: World, *, by_victim: bool, pair: dict[str, Any] | None = None) -> Seeded:
    """A case that holds a report with every field filled."""
    sent = canaries.body("report", reporter_is_victim=by_victim, **(pair or {}))
    receipt, secret, record_id, case_id = await report(world, sent)
    made = Seeded(Book(case_id), {name: sent[name] for name in (*VICTIM, *RESPONDENT)})
    made.book.add(record_id, "report", record_id, sent)
    made.receipts.append((receipt, secret, record_id))
    row = await world.services.database.fetchrow("SELECT number FROM cases WHERE id = $1::uuid", case_id)
    made.number = row["number"]
    return made


async def _again(world: World, made: Seeded) -> None:
    """A second report by somebody else about the same pair, with what is added under its receipt."""
    other = await reported(world, by_victim=False, pair=made.pair)
    assert other.book.case_id == made.book.case_id, "the same pair is one case"
    made.book.records |= other.book.records
    for token, places in other.book.tokens.items():
        made.book.tokens.setdefault(token, set()).update(places)
    made.receipts += other.receipts
    receipt, secret, record_id = made.receipts[0]
    headers, sent = {"Receipt-Secret": secret}, canaries.body("report_addition")
    answer = await world.http.post(f"/v1/reports/{receipt}/additions", json=sent, headers=headers)
    assert answer.status_code == 201, answer.text
    made.book.add(answer.json()["id"], "report_addition", record_id, sent)
    content = canaries.text()
    answer = await world.http.post(f"/v1/reports/{receipt}/photos", content=PNG + content.encode(), headers=headers)
    assert answer.status_code == 201, answer.text
    made.files[answer.json()["id"]] = record_id
    made.book.note(record_id, "evidence", content)


async def file(world: World, made: Seeded, unit_type: str, kind: str, **given: Any) -> str:
    """One full record by the involved unit of a type."""
    caller = await world.agency(unit_type)
    sent = canaries.body(kind, **given)
    answer = await caller.submit(kind, sent, case=made.book.case_id)
    assert answer.status_code == 201, (kind, answer.text)
    assert answer.json()["case_id"] == made.book.case_id
    author = world.services.directory.codes[code("involved", unit_type)].id
    made.book.add(answer.json()["id"], kind, str(author), sent)
    return str(answer.json()["id"])


async def attach(world: World, made: Seeded, unit_type: str, record_id: str, category: str) -> None:
    name, content = canaries.text(), canaries.text()
    caller = await world.agency(unit_type)
    answer = await caller.post(
        f"/v1/records/{record_id}/attachments", content=PNG + content.encode(), headers={"File-Name": _quoted(name)}
    )
    assert answer.status_code == 201, answer.text
    made.files[answer.json()["id"]] = record_id
    made.book.note(record_id, category, name + content)


def _quoted(name: str) -> str:
    return "".join(f"%{byte:02X}" for byte in name.encode())


async def every_kind(world: World) -> Seeded:
    """The whole case: both reports, every public kind, every type of unit involved, referred and named."""
    made = await reported(world, by_victim=True)
    await _again(world, made)
    filed = Counter(dict.fromkeys(TYPES, 0))
    for kind, model in KINDS.items():
        if not model.public:
            continue
        writer = min((t for t in TYPES if world.services.policy.may_write(t, kind)), key=filed.__getitem__)
        named = [code("named", t) for t in TYPES] if kind == "order_service" else None
        record_id = await file(world, made, writer, kind, **({"named": named} if named else {}))
        filed[writer] += 1
        if kind in ("evidence_head", "treatment"):
            await attach(world, made, writer, record_id, "medical" if kind == "treatment" else "evidence")
    for unit_type in [t for t, n in filed.items() if not n]:
        await file(world, made, unit_type, "coordination")
    for unit_type in TYPES:
        await file(world, made, "police", "referral_slip", referred=code("referred", unit_type))
    return made
