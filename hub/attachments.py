"""Attachments: streamed in and out, sealed in pieces of 256 KiB, type sniffed, hash kept."""

import hashlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import unquote
from uuid import UUID, uuid4

import orjson
import puremagic

from hub import clock, keys
from hub.audit.committer import insert_entry
from hub.audit.entry import GENESIS, Act
from hub.casework import find_record, origin_known
from hub.errors import BadRequest, Forbidden, NotFound, TooLarge, Unavailable, UnsupportedType
from hub.policies.decide import CLEAR
from hub.policies.gate import Gate
from hub.policies.query import Seen

CHUNK = 256 * 1024
ACCEPTED = {
    "image/jpeg",
    "image/png",
    "image/webp",
    "image/gif",
    "image/heif",
    "application/pdf",
    "video/mp4",
    "video/quicktime",
    "video/3gpp",
    "audio/mpeg",
    "audio/mp4",
    "audio/wav",
    "audio/x-wav",
    "audio/wave",
    "audio/amr",
    "audio/ogg",
}
_UNNAMED = {".amr": "audio/amr"}
"""What phones record and the sniffer knows by extension only."""
PHOTO = "photo"
"""What every file that a reporter adds is called."""
NAMED_AT_ONCE = 200
"""Files that one entry names: its detail holds 8 KiB."""
TOO_LARGE = "附件不得超过20MB。", "An attachment may have at most 20 MB."
HEAD, ALL = frozenset({"head"}), frozenset({"head", "chunk"})


@dataclass(frozen=True, slots=True)
class File:
    """An opened attachment head. `size` in bytes, `sha256` of the content in hex."""

    id: UUID
    name: str
    media_type: str
    size: int
    sha256: str

    def shown(self) -> dict[str, Any]:
        return {
            "id": str(self.id),
            "name": self.name,
            "media_type": self.media_type,
            "size": self.size,
            "sha256": self.sha256,
        }


def sniff(first: bytes) -> str:
    """The media type by content; `UnsupportedType` unless it is an accepted picture, sound, film or PDF."""
    try:
        found = [match.mime_type or _UNNAMED.get(match.extension, "") for match in puremagic.magic_string(first)]
    except (puremagic.PureError, ValueError):
        found = []
    for media_type in found:
        if media_type in ACCEPTED:
            return str(media_type)
    raise UnsupportedType


def clean_name(encoded: str) -> str:
    """A percent-encoded file name without folders or control characters, at most 120 characters."""
    name = unquote(encoded, errors="replace").replace("\\", "/").rsplit("/", 1)[-1]
    return "".join(c for c in name if c.isprintable() and not 0xD800 <= ord(c) <= 0xDFFF)[:120] or "file"


def category_of(kind: str) -> str:
    """Pictures of injuries are `medical`; everything else attached is `evidence`."""
    return "medical" if kind in ("treatment", "appraisal") else "evidence"


async def pieces(stream: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Re-cut a stream into pieces of exactly 256 KiB but the last."""
    waiting = bytearray()
    async for data in stream:
        waiting += data
        while len(waiting) >= CHUNK:
            yield bytes(waiting[:CHUNK])
            del waiting[:CHUNK]
    if waiting:
        yield bytes(waiting)


async def store(gate: Gate, record_id: UUID, name: str, stream: AsyncIterator[bytes]) -> File:
    """Attach a file to one's own record. Pieces are written as they come; the head makes them a file, and what is left
    of an upload that broke off is removed by the worker.

    Raises `NotFound`, `Forbidden` (another unit's record), `TooLarge`, `UnsupportedType`, `BadRequest` (empty).
    """
    item = await find_record(gate, record_id, act=Act.amend)
    if "authored" not in item.decision.facts:
        await gate.refuse(Forbidden("只能为本单位的记录添加附件。", "Only the author of a record attaches to it."))
    return await _store(gate, item, name, stream)


async def _store(gate: Gate, item: Seen, name: str, stream: AsyncIterator[bytes]) -> File:
    services, row, file = gate.services, item.row, uuid4()
    key = services.vault.case_key(row)
    size, digest, media_type, n = 0, hashlib.sha256(), "", 0
    async for piece in pieces(stream):
        size += len(piece)
        if size > services.settings.upload_limit:
            await gate.refuse(TooLarge(*TOO_LARGE))
        media_type = media_type or sniff(piece)
        digest.update(piece)
        sealed = key.data.seal(piece, keys.bind("attachment", file, "chunk", n))
        await services.database.execute(
            "INSERT INTO attachment_chunk (attachment_id, n, at, sealed) VALUES ($1, $2, $3, $4)",
            file,
            n,
            clock.now(),
            sealed,
        )
        n += 1
    if not n:
        await gate.refuse(BadRequest("附件为空。", "The attachment is empty."))
    made = File(file, name, media_type, size, digest.hexdigest())
    await find_record(gate, row["id"], act=Act.amend)  # again: it came as slowly as its sender liked
    return await _write_head(gate, item, made, key, n)


async def _write_head(gate: Gate, item: Seen, made: File, key: keys.CaseKey, chunks: int) -> File:
    """The file as it now is: the one that was there, if the same came again because no answer had."""
    services, row = gate.services, item.row
    head = orjson.dumps(made.shown())
    digest = services.vault.lookup("attachment", str(row["id"]), made.name, made.sha256)
    draft = gate.draft(Act.create)
    draft.name(row["ref"], key, (made.id, 0))
    draft.body |= {"kind": "attachment", "count": 1}
    async with services.database.transaction() as connection:
        written = await connection.fetchrow(
            "INSERT INTO attachment (id, record_id, case_id, unit_id, category, at, chunks, head, digest)"
            " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (record_id, digest) DO NOTHING RETURNING id",
            made.id,
            row["id"],
            row["case_id"],
            row["unit_id"],
            category_of(row["kind"]),
            clock.now(),
            chunks,
            key.data.seal(head, keys.bind("attachment", made.id, "head", 0)),
            digest,
        )
        if written is None:
            await connection.execute("DELETE FROM attachment_chunk WHERE attachment_id = $1", made.id)
            same = "SELECT id FROM attachment WHERE record_id = $1 AND digest = $2"
            return replace(made, id=(await connection.fetchrow(same, row["id"], digest))["id"])
        there = await connection.fetchval("SELECT count(*) FROM attachment_chunk WHERE attachment_id = $1", made.id)
        if there < chunks:  # the worker took it for one that broke off: it took more than a day
            raise Unavailable("上传时间过长，请重新上传。", "The upload took too long. Send it again.")
        await insert_entry(connection, services.vault, draft, made.id, 1, GENESIS)
    return made


async def listing(gate: Gate, record_id: UUID) -> list[File]:
    """The attachments of a record that the caller may see; none when their category is not clear."""
    item = await find_record(gate, record_id)
    rows = await gate.services.database.fetch(
        "SELECT id, category, head FROM attachment WHERE record_id = $1 ORDER BY at, id", record_id
    )
    rows = [row for row in rows if item.decision.outcome(row["category"]) == CLEAR]
    heads = []
    key = gate.services.vault.case_key(item.row)
    for part in (rows[i : i + NAMED_AT_ONCE] for i in range(0, len(rows), NAMED_AT_ONCE)):
        ticket = await gate.release_files(item, part[0]["category"], [row["id"] for row in part], HEAD)
        heads += [_file(item, keys.file_opener(ticket, key, row["id"])("head", row["head"], 0)) for row in part]
    return heads


def _file(item: Seen, head: bytes) -> File:
    """As a reporter's picture when the record's origin is secret to the caller: the name would give it away."""
    raw = orjson.loads(head)
    name = raw["name"] if origin_known(item) else PHOTO
    return File(UUID(raw["id"]), name, raw["media_type"], raw["size"], raw["sha256"])


async def download(gate: Gate, attachment_id: UUID) -> tuple[File, AsyncIterator[bytes]]:
    """The head and the content as a stream; the entry is durable before the first byte."""
    database = gate.services.database
    row = await database.fetchrow("SELECT * FROM attachment WHERE id = $1", attachment_id)
    if row is None:
        await gate.refuse(NotFound())
    item = await find_record(gate, row["record_id"])
    if item.decision.outcome(row["category"]) != CLEAR:
        await gate.refuse(NotFound())
    ticket = await gate.release_files(item, row["category"], [attachment_id], ALL)
    key = gate.services.vault.case_key(item.row)
    opened = keys.file_opener(ticket, key, attachment_id)

    async def content() -> AsyncIterator[bytes]:
        for n in range(row["chunks"]):
            chunk = await database.fetchrow(
                "SELECT sealed FROM attachment_chunk WHERE attachment_id = $1 AND n = $2", attachment_id, n
            )
            if chunk is None:  # what was sent tells its length, so the receiver sees that it is not whole
                raise LookupError("a part of an attachment is missing")
            yield opened("chunk", chunk["sealed"], n)

    return _file(item, opened("head", row["head"], 0)), content()
