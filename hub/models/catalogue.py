"""The catalogue: every kind and field, derived from the classes. Nothing here is written twice."""

from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any, get_args

from pydantic import AfterValidator, BaseModel, Field
from pydantic_core import PydanticKnownError

from hub.models import (
    admonition,
    appraisal,
    dispatch,
    evidence,
    medical,
    meeting,
    prosecution,
    protection_order,
    referral,
    report,
    risk,
    shelter,
    support,
    visit,
)
from hub.models.base import RecordFields
from hub.models.fields import Pii, kind_of_value

_NOUNS = (
    report,
    dispatch,
    admonition,
    protection_order,
    medical,
    appraisal,
    shelter,
    support,
    referral,
    prosecution,
    visit,
    risk,
    evidence,
    meeting,
)


def _declared() -> dict[str, type[RecordFields]]:
    found: dict[str, type[RecordFields]] = {}
    for module in _NOUNS:
        for value in vars(module).values():
            if isinstance(value, type) and issubclass(value, RecordFields) and value.kind:
                found[value.kind] = value
    return found


KINDS: dict[str, type[RecordFields]] = _declared()
ANONYMOUS = "report"
"""What a record is called for those who may not learn its origin."""


def _known(name: str) -> str:
    if name not in KINDS:
        raise PydanticKnownError("enum", {"expected": ", ".join(map(repr, KINDS))})
    return name


Kind = Annotated[str, AfterValidator(_known), Field(description="记录种类 kind", json_schema_extra={"enum": [*KINDS]})]
"""The name of a kind, as one asks for it."""


@dataclass(frozen=True, slots=True)
class FieldInfo:
    """One governed field as the catalogue knows it."""

    name: str
    title: str
    category: str
    pii: Pii
    lookup: str
    sets: str
    keep: str
    told_as: str
    item: type[BaseModel] | None


def _item(annotation: Any) -> type[BaseModel] | None:
    """The model inside `list[Model] | None`, if there is one."""
    for part in (annotation, *get_args(annotation)):
        for inner in get_args(part):
            if isinstance(inner, type) and issubclass(inner, BaseModel):
                return inner
    return None


@cache
def fields_of(model: type[BaseModel]) -> tuple[FieldInfo, ...]:
    """The governed fields of a class, in the order they were declared."""
    found = []
    for name, field in model.model_fields.items():
        extra = field.json_schema_extra
        assert isinstance(extra, dict)
        found.append(
            FieldInfo(
                name=name,
                title=field.title or name,
                category=str(extra["x-category"]),
                pii=kind_of_value(field.annotation, str(extra.get("x-pii", ""))),
                lookup=str(extra.get("x-lookup", "")),
                sets=str(extra.get("x-sets", "")),
                keep=str(extra["x-keep"]),
                told_as=str(extra.get("x-told-as", "")),
                item=_item(field.annotation),
            )
        )
    return tuple(found)
