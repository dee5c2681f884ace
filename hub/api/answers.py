"""What the routes answer, for the API's description: a line a member, so that an agency's engineer need not guess.

Nothing is made or checked here: answers are joined from bytes (`hub/models/views.py`), and a test holds them to this.
What may be missing is missing where the caller's rules do not open it; nothing is null that is not said to be.
"""

from typing import Annotated, Any, Literal, NotRequired

from pydantic import ConfigDict, Field, TypeAdapter
from typing_extensions import TypedDict

from hub.api.tokens import SessionOpened, Token
from hub.audit.entry import Act
from hub.models.codes import RiskLevel, Stage, Status
from hub.models.fields import Category
from hub.policies.subject import Purpose

Categories = list[Category]
Moment = Annotated[str, Field(json_schema_extra={"format": "date-time"})]
Id = Annotated[str, Field(json_schema_extra={"format": "uuid"})]
Fields = Annotated[
    dict[str, Any],
    Field(description="该种类中准看的字段；遮蔽者为文字 those of the kind's members that are granted, masked as text"),
]


class UnitShown(TypedDict):
    code: str
    name: str
    type: str


class Record(TypedDict):
    """一份记录。A record; `etag` on one's own, for If-Match; what `masked` and `withheld` say, beside it."""

    id: Id
    case_id: str
    kind: str
    title: str
    unit: UnitShown | None
    at: Moment
    authored: bool
    fields: Fields
    etag: NotRequired[str]
    masked: NotRequired[Categories]
    withheld: NotRequired[Categories]


class Case(TypedDict):
    """个案。A case: its head as far as `routine` is open, then its records; `shared`, where their existence is not
    told, what may be seen of them together. Under a receipt, `id` is the receipt's own name for it."""

    id: str
    status: NotRequired[Status]
    status_text: NotRequired[str]
    stage: NotRequired[Stage]
    stage_text: NotRequired[str]
    risk_level: NotRequired[RiskLevel]
    risk_text: NotRequired[str]
    region: NotRequired[str]
    place: NotRequired[str]
    number: NotRequired[str]
    opened_at: NotRequired[Moment]
    updated_at: NotRequired[Moment]
    kinds: NotRequired[list[str]]
    units: NotRequired[list[UnitShown]]
    records: list[Record]
    shared: NotRequired[Fields]
    masked: Categories
    withheld: Categories


class Cases(TypedDict):
    """一页个案。A page; `next` is the next one's `cursor`, null on the last."""

    items: list[Case]
    next: str | None


class Records(TypedDict):
    items: list[Record]
    masked: Categories
    withheld: Categories


class Version(TypedDict):
    version: int
    made_at: Moment
    record: Record


class History(TypedDict):
    """各记录依归档先后，各版本由旧到新。Records in order of filing, each with its versions, numbered for the caller."""

    items: list[Version]
    masked: Categories
    withheld: Categories


class Filed(TypedDict):
    """已归档。Where a record lies: `case_id` is new or was there; which, is not told."""

    id: Id
    case_id: Id


class Added(TypedDict):
    id: Id


class Receipt(TypedDict):
    """回执。Whoever has `receipt` sees status words; with `secret` what was told, and may add to it."""

    receipt: str
    secret: str
    received_at: Moment
    status_text: str


class File(TypedDict):
    id: Id
    name: str
    media_type: str
    size: int
    sha256: str


class Files(TypedDict):
    items: list[File]


class Entry(TypedDict):
    """访问日志的一条。An entry: `actor` and `cases` are pseudonyms; `body` is null where no key opens it."""

    act: Act
    purpose: Purpose | Literal[""]
    outcome: str
    at: Moment
    status: int
    actor: Id | None
    unit: str | None
    cases: list[Id]
    chain: Id
    n: int
    body: dict[str, Any] | None


class Entries(TypedDict):
    items: list[Entry]
    next: str | None


class RowNamed(TypedDict):
    case: Id
    record: Id
    version: int


class EntryOpened(Entry):
    """`rows` is null where the case's key is gone."""

    rows: list[RowNamed] | None


class UnitListed(UnitShown):
    region: str


class Units(TypedDict):
    items: list[UnitListed]
    next: str | None


class RegionListed(TypedDict):
    code: str
    name: str
    place: str


class Regions(TypedDict):
    items: list[RegionListed]
    next: str | None


class FieldOf(TypedDict):
    name: str
    title: str
    category: Category


class KindOf(TypedDict):
    kind: str
    title: str
    submitted_by: list[str]
    fields: list[FieldOf]


class Catalogue(TypedDict):
    kinds: list[KindOf]


class Start(TypedDict):
    """何处有什么。Where what is."""

    name: str
    version: str
    description: str
    catalogue: str
    report: str


class Health(TypedDict):
    status: str


class Fault(TypedDict):
    pointer: str
    detail: str


class Problem(TypedDict):
    """RFC 9457，按请求的语言。In the caller's language; never a value that was sent. Some carry further members, which
    `code` explains."""

    __pydantic_config__ = ConfigDict(extra="allow")  # type: ignore[misc]

    type: str
    title: str
    status: int
    detail: str
    code: str
    errors: NotRequired[list[Fault]]


ANSWERS: dict[str, Any] = {
    "open_case": Case,
    "list_cases": Cases,
    "search": Cases,
    "list_records": Records,
    "read_record": Record,
    "history": History,
    "attach": File,
    "add_photo": File,
    "list_attachments": Files,
    "report": Receipt,
    "read_report": Case,
    "add_text": Added,
    "entries": Entries,
    "entry": EntryOpened,
    "units": Units,
    "regions": Regions,
    "catalogue": Catalogue,
    "start": Start,
    "healthz": Health,
    "readyz": Health,
    "token": Token,
    "open_session": SessionOpened,
}
"""By the name of the handler; every `submit_...` answers `Filed`."""


def answer_of(name: str) -> Any | None:
    """What the handler of this name answers, where that is JSON."""
    return Filed if name.startswith("submit_") else ANSWERS.get(name)


def schemas() -> dict[str, Any]:
    """JSON schemas of all answers, for `components`."""
    found: dict[str, Any] = {}
    for shape in (*ANSWERS.values(), Filed, Problem):
        schema = TypeAdapter(shape).json_schema(ref_template="#/components/schemas/{model}")
        found |= schema.pop("$defs", {})
        found[shape.__name__] = schema
    return found
