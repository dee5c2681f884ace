"""`RecordFields`: what every kind of record is built from.

A kind is a class: `@kind("police_call", "接警单")` above `class PoliceCall(PartiesPart, RecordFields)`.
Importing a class with a field that has no category fails, so no field can escape the policy.
"""

from collections.abc import Callable
from datetime import date, datetime
from itertools import pairwise
from typing import Any, ClassVar, Self, TypeVar

from pydantic import BaseModel, ConfigDict, model_validator
from pydantic_core import PydanticCustomError
from sqlmodel import SQLModel

from hub.clock import CST
from hub.models.codes import Stage
from hub.models.fields import Category

T = TypeVar("T", bound="RecordFields")


class Governed(SQLModel):
    """A set of governed fields. Unknown members are refused, so nothing can be mass-assigned."""

    # What validates a kind is built when one first comes: for all of them that is a fifth of a start.
    model_config = ConfigDict(extra="forbid", validate_default=False, defer_build=True)  # type: ignore[assignment]
    # These are no tables: SQLModel's own is a second validation of the same values, or prepares for one.
    __init__, model_dump = BaseModel.__init__, BaseModel.model_dump

    def __new__(cls, **_: Any) -> Self:
        return object.__new__(cls)

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        super().__pydantic_init_subclass__(**kwargs)
        for name, field in cls.model_fields.items():
            extra = field.json_schema_extra
            if not isinstance(extra, dict) or "x-category" not in extra:
                raise TypeError(f"{cls.__name__}.{name} has no category: declare it with governed(...)")


class RecordFields(Governed):
    """The fields of one kind of record; the class variables are set by `@kind`."""

    kind: ClassVar[str] = ""
    title: ClassVar[str] = ""
    origin: ClassVar[Category] = Category.routine
    order: ClassVar[tuple[tuple[str, ...], ...]] = ()
    stage: ClassVar[Stage | None] = None
    public: ClassVar[bool] = True
    reports: ClassVar[bool] = False
    """Told without an account, or by duty: who told is a secret, and nobody may be able to tell the two apart."""

    @model_validator(mode="after")
    def _times_in_order(self) -> Self:
        given = self.__dict__  # as they are: asked one by one they cost as much as all checks of a time
        for names in self.order:
            for (earlier, a), (later, b) in pairwise([(n, given[n]) for n in names if given[n] is not None]):
                if _backwards(a, b):
                    raise PydanticCustomError(
                        "time_order",
                        "{later} 早于 {earlier} / {later} is before {earlier}",
                        {"later": later, "earlier": earlier},
                    )
        return self


def kind(
    word: str,
    title: str,
    *,
    origin: Category = Category.routine,
    order: tuple[tuple[str, ...], ...] = (),
    stage: Stage | None = None,
    public: bool = True,
) -> Callable[[type[T]], type[T]]:
    """Name a kind of record.

    `origin`: the category that must be open to learn the kind and its author (others see an anonymous
    report). `order`: fields whose times may not run backwards. `stage`: where the case moves when such a
    record arrives. `public=False` keeps the kind off `POST /v1/records/{kind}`.
    """

    def name(cls: type[T]) -> type[T]:
        cls.kind, cls.title, cls.origin = word, title, origin
        cls.order, cls.stage, cls.public = order, stage, public
        cls.reports = not public or origin != Category.routine
        return cls

    return name


def _backwards(a: date | datetime, b: date | datetime) -> bool:
    """Does `b` lie before `a`? A bare date is compared by days, as people here count them."""
    if isinstance(a, datetime) and isinstance(b, datetime):
        return b < a
    return _date(b) < _date(a)


def _date(value: date | datetime) -> date:
    return value.astimezone(CST).date() if isinstance(value, datetime) else value
