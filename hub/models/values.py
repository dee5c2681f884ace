"""Value types with their rules: id numbers, phones, text, times, region codes.

Each raises `ValueError` with a bilingual reason that never repeats the value.
"""

import re
from datetime import UTC, date, datetime, timedelta
from operator import mul
from typing import Annotated, Any

from pydantic import AfterValidator, AwareDatetime, BeforeValidator, StringConstraints

from hub import clock, settings

TEXT_LIMIT = 20_000
NO_NUL = r"^[^\x00]*$"
"""PostgreSQL keeps none."""
CODE = r"[A-Za-z0-9._-]{1,64}"
"""Codes of units, ids of systems."""
DEMO_AREA = "990000"
_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_PROVINCES = re.compile(r"1[1-5]|2[1-3]|3[1-7]|4[1-6]|5[0-4]|6[1-5]|71|8[1-3]")
_ID_NUMBER = re.compile(r"[0-9]{17}[0-9X]", re.ASCII)
_PHONE = re.compile(r"1[3-9][0-9]{9}|0[1-9][0-9]{8,11}|[1-9][0-9]{4,7}|400[0-9]{7}", re.ASCII)
_SEPARATORS, _CHINA = re.compile(r"[\s()（）-]"), re.compile(r"^(\+|00)86")
_WRITTEN = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


def check_digit(first17: str) -> str:
    """The 18th character of a citizen id number: ISO 7064 MOD 11-2 (GB 11643-1999)."""
    total = sum(map(mul, first17.encode(), _WEIGHTS)) - ord("0") * sum(_WEIGHTS)
    return "10X98765432"[total % 11]


def id_number_of(value: str) -> str:
    """A valid id number, upper case; raises `ValueError` with the reason."""
    value = value.strip().upper()
    if not _ID_NUMBER.fullmatch(value):
        raise ValueError("身份证号应为18位 / an id number has 18 characters")
    if check_digit(value[:17]) != value[17]:
        raise ValueError("身份证号校验位不符 (GB 11643) / the id number's check digit is wrong")
    if value[:6] == DEMO_AREA:
        if not settings.current().demo:
            raise ValueError("演示号段只可用于演示系统 / invented id numbers are for demo deployments only")
    elif settings.current().demo:
        raise ValueError("演示系统只接受990000号段 / a demo deployment accepts only area 990000")
    elif not _PROVINCES.match(value):
        raise ValueError("身份证号地区码不存在 / the id number's area code does not exist")
    try:
        born = date(int(value[6:10]), int(value[10:12]), int(value[12:14]))
    except ValueError:
        raise ValueError("身份证号出生日期不成立 / the id number's birth date is no date") from None
    if not date(1850, 1, 1) <= born <= clock.today():
        raise ValueError("身份证号出生日期超出范围 / the id number's birth date is out of range")
    return value


def phone_of(value: str) -> str:
    """A phone as it is kept and compared: digits alone, without +86; raises `ValueError` with the reason."""
    value = _CHINA.sub("", _SEPARATORS.sub("", value))
    if not _PHONE.fullmatch(value):
        raise ValueError("电话号码格式不正确 / not a phone number")
    return value


def _written(value: Any) -> Any:
    """Only what is written as RFC 3339 has it: a bare number is no time, whatever a parser makes of it."""
    if isinstance(value, date) or (isinstance(value, str) and _WRITTEN.match(value)):
        return value
    raise ValueError("时间须按 RFC 3339 书写 / a time is written as in RFC 3339, a day as YYYY-MM-DD")


def _anywhere(value: datetime) -> datetime:
    """In UTC it is a moment too: the first and the last day of all calendars have hours that are none."""
    try:
        value.astimezone(UTC)
    except OverflowError:
        raise ValueError("时间超出范围 / the time is out of range") from None
    return value


def _past(value: datetime) -> datetime:
    if not datetime(1900, 1, 1, tzinfo=value.tzinfo) <= value <= clock.now() + timedelta(minutes=5):
        raise ValueError("时间不能在将来或早于1900年 / a time lies in the future or before 1900")
    return value


def _day(value: date) -> date:
    if not date(1900, 1, 1) <= value <= clock.today() + timedelta(days=3650):
        raise ValueError("日期超出范围 / the date is out of range")
    return value


def _past_day(value: date) -> date:
    if not date(1900, 1, 1) <= value <= clock.today():
        raise ValueError("日期不能在将来或早于1900年 / the date lies in the future or before 1900")
    return value


def _due(value: datetime) -> datetime:
    _day(value.date())
    return value


def _region(value: str) -> str:
    if not re.fullmatch(r"[1-9][0-9]{5}([0-9]{6})?", value, re.ASCII):
        raise ValueError("区划代码应为6位或12位数字 / a region code has 6 or 12 digits")
    return value.ljust(12, "0")


def _line(longest: int) -> StringConstraints:
    """Some text, without outer blanks."""
    return StringConstraints(strip_whitespace=True, min_length=1, max_length=longest, pattern=NO_NUL)


Text = Annotated[str, _line(TEXT_LIMIT)]
"""Free text, at most 20,000 characters; outer blanks removed. A lone surrogate is no JSON and comes not this far."""
Short = Annotated[str, _line(200)]
"""One line: a name, a title, an address."""
IdNumber = Annotated[str, AfterValidator(id_number_of)]
"""Citizen id number, GB 11643-1999. Area 990000 (unassigned) only and always in a demo deployment."""
Phone = Annotated[str, StringConstraints(max_length=40), AfterValidator(phone_of)]
"""Mainland mobile, landline with area code, or short service number; +86 and separators removed."""
Moment = Annotated[AwareDatetime, BeforeValidator(_written), AfterValidator(_anywhere)]
"""Any moment: RFC 3339 with offset."""
Instant = Annotated[Moment, AfterValidator(_past)]
"""A moment that has happened: RFC 3339 with offset, at most 5 minutes ahead of the hub's clock."""
Due = Annotated[Moment, AfterValidator(_due)]
"""A moment that may lie ahead, at most ten years."""
PastDay = Annotated[date, BeforeValidator(_written), AfterValidator(_past_day)]
Day = Annotated[date, BeforeValidator(_written), AfterValidator(_day)]
RegionCode = Annotated[str, StringConstraints(strip_whitespace=True), AfterValidator(_region)]
"""GB/T 2260 code of 6 digits or statistical code of 12; checked against the loaded table on submission."""
UnitCode = Annotated[str, StringConstraints(strip_whitespace=True, pattern=f"^{CODE}$")]
