"""Evidence heads (证据登记) and sealed attachments."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import Column, DateTime, Index, LargeBinary, text
from sqlmodel import Field, SQLModel

from hub.models.base import RecordFields, kind
from hub.models.fields import Category, Pii, governed, required
from hub.models.legal_codes import Consent, Evidence
from hub.models.values import Instant, Short, Text

C = Category


@kind("evidence_head", "证据登记")
class EvidenceHead(RecordFields):
    """What exists, who took it, who holds it; the file itself is an attachment of this record."""

    type: Evidence = required(C.evidence, "证据类型", pii=Pii.code)
    captured_by: Short | None = governed(C.evidence, "取得人", pii=Pii.name)
    captured_at: Instant = required(C.evidence, "取得时间")
    place: Short | None = governed(C.evidence, "取得地点")
    device: Short | None = governed(C.evidence, "设备")
    original_hash: Short | None = governed(C.evidence, "原件散列值")
    original_holder: Short | None = governed(C.evidence, "原件保管")
    custody: list[Short] | None = governed(C.evidence, "流转记录", max_length=50)
    consent: Consent | None = governed(C.evidence, "取得依据种类", pii=Pii.code)
    consent_basis: Short | None = governed(C.evidence, "取得依据")
    description: Text | None = governed(C.evidence, "说明")


class Attachment(SQLModel, table=True):
    """A sealed file. `head` seals name, size, media type and SHA-256 of the content; by the keyed `digest` of name and
    content the same file is known again."""

    __table_args__ = (Index("attachment_record", "record_id", "digest", unique=True),)

    id: UUID = Field(primary_key=True)
    record_id: UUID
    case_id: UUID = Field(foreign_key="cases.id")
    unit_id: UUID
    category: str
    at: datetime = Field(sa_column=Column(DateTime(timezone=True), nullable=False))
    chunks: int
    head: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    digest: bytes | None = Field(default=None, sa_column=Column(LargeBinary))


class AttachmentChunk(SQLModel, table=True):
    """256 KiB of a file, sealed alone so that a download streams."""

    __tablename__ = "attachment_chunk"
    __table_args__ = (Index("attachment_chunk_first", "at", postgresql_where=text("n = 0")),)

    attachment_id: UUID = Field(primary_key=True)
    n: int = Field(primary_key=True)
    at: datetime = Field(sa_column=Column(DateTime(timezone=True), nullable=False))
    sealed: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
