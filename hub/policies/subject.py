"""Who asks and why. A subject is frozen; it travels with the request and cannot be left behind."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from uuid import UUID

from hub.models.account import ADMIN_ROLES, CASE_ROLES

REPORTER_ROLES = ("reporter_receipt", "reporter_victim", "reporter_other")
SYSTEM = "system"
ROLES = (*CASE_ROLES, *ADMIN_ROLES, SYSTEM, *REPORTER_ROLES)
REPORTER = "reporter"
"""The unit type of somebody who holds a receipt."""


class Purpose(StrEnum):
    """Why the caller asks: a closed list, stated on every request that touches a case."""

    zh: str

    def __new__(cls, value: str, zh: str) -> "Purpose":
        self = str.__new__(cls, value)
        self._value_ = value
        self.zh = zh
        return self

    emergency_response = "emergency_response", "紧急处置"
    case_handling = "case_handling", "个案处置"
    intake = "intake", "接报"
    protection_order = "protection_order", "保护令"
    prosecution = "prosecution", "检察监督与公诉"
    medical_care = "medical_care", "医疗救治"
    shelter_relief = "shelter_relief", "庇护救助"
    follow_up = "follow_up", "跟踪回访"
    supervision = "supervision", "督导考评"
    sync = "sync", "系统对接"
    statistics = "statistics", "统计"
    audit = "audit", "审计"
    own_report = "own_report", "查询本人报案"


PURPOSES = frozenset(purpose.value for purpose in Purpose)


@dataclass(frozen=True, slots=True, eq=False)
class Subject:
    """The authenticated caller: a person's session, an agency system (for a person or for itself), or the
    holder of a receipt (then `unit_id` is the report's id once the second secret was shown, and `key` a pseudonym of
    the receipt). `barred` is what the log calls the cases to which an auditor is a party."""

    unit_type: str
    role: str
    unit_id: UUID | None = None
    unit_code: str = ""
    area: str = "-"
    path: str = "-"
    account_id: UUID | None = None
    account_rev: int = 0
    client_id: str | None = None
    client_rev: int = 0
    key: str = ""
    session: str = ""
    token_hash: bytes = b""
    person_keys: tuple[bytes, ...] = ()
    own_case: UUID | None = None
    scopes: frozenset[str] = frozenset()
    barred: frozenset[UUID] = frozenset()

    @property
    def actor(self) -> bytes:
        """What the log's pseudonym of this caller is made from: the person, else the system."""
        if self.account_id is not None:
            return self.account_id.bytes
        return (self.client_id or str(self.own_case)).encode()

    def parameters(self) -> tuple[Any, ...]:
        """The values of `facts.PARAMETERS`, in that order. Everything lies in an area of no digits: who has none is
        nowhere. What stands below a unit begins with its path and a stroke."""
        return (
            self.unit_id,
            self.area or "-",
            self.path + "/",
            list(self.person_keys),
            self.account_id,
            self.account_rev,
            self.client_id,
            self.client_rev,
            self.own_case,
        )
