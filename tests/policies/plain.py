"""A second, plain reading of who may see what, written from the requirements and not from `policy.csv`.

Outcomes are letters in the order of `CATEGORIES`: C clear, M masked, . withheld. Nothing here imports the hub.
"""

from collections.abc import Collection
from functools import cache


def words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


CATEGORIES = words(
    "routine facts victim contact whereabouts refuge respondent minor reporter medical evidence measures judicial"
    " risk support visit internal"
)
LETTERS = ".MC"
NOTHING = "." * len(CATEGORIES)

INVOLVED = {
    "police": "CCCCC.CC.MCCMCMCM",
    "procuratorate": "CCCM..CC.MCCCCMMM",
    "court": "CCCC..CC.CCCCCMCM",
    "hospital": "M.CC...C.C......M",
    "civil_affairs": "CMCCMCMC.M.C.CCMM",
    "womens_federation": "CCCCC.CC.M.CMCCCC",
    "residents_committee": "CMCCC.CM...C.MMCM",
    "joint_centre": "CCCCM.CM.M.C.CCCC",
    "justice": "CMCC..M....CM.C.M",
    "school": "M.M....C......M.M",
    "social_work": "CMCC..MM...M.CCCM",
}
AGENCIES = frozenset(INVOLVED)
REPORTER = "reporter"
UNIT_TYPES = (*INVOLVED, REPORTER)

PEOPLE = frozenset({"intake", "caseworker", "supervisor"})
ADMINISTRATORS = frozenset({"auditor", "policy_admin", "sysadmin"})
REPORTERS = frozenset({"reporter_receipt", "reporter_victim", "reporter_other"})
SYSTEM = "system"
ROLES = (*PEOPLE, *ADMINISTRATORS, *REPORTERS, SYSTEM)

BARRED = frozenset({"party_conflict", "suspended", "sealed"})
WORKING = frozenset({"involved", "authored", "referred_in", "named_in_order", "own_report"})
"""A fact that gives the unit work on the case; place or rank alone is none."""
LINE = frozenset({"police", "womens_federation", "joint_centre"})
"""Unit types with superiors, and those that see their area."""
MANDATED = frozenset({"hospital", "school", "residents_committee", "civil_affairs", "social_work"})
FACTS = words(
    "involved authored territorial referred_in named_in_order superior intake_duty emergency own_report relocated"
    " sealed party_conflict suspended"
)

Words = frozenset[str]
ALL = frozenset(CATEGORIES)


def _of(text: str) -> Words:
    assert ALL.issuperset(words(text)), text
    return frozenset(words(text))


# fact, unit types, roles (none: any), purpose (none: any), clear, masked
OPENS: list[tuple[str, Collection[str], Collection[str], str, Words, Words]] = [
    ("authored", UNIT_TYPES, (), "", ALL, _of("")),
    ("territorial", LINE, (), "", _of("routine risk measures"), _of("victim respondent")),
    ("territorial", ("residents_committee",), (), "", _of("routine"), _of("")),
    ("referred_in", UNIT_TYPES, (), "", _of("routine internal"), _of("victim support risk facts")),
    ("named_in_order", UNIT_TYPES, (), "", _of("routine measures"), _of("victim")),
    ("superior", LINE, (), "", _of("routine risk measures internal"), _of("visit support")),
    (
        "intake_duty",
        ("police", "joint_centre"),
        ("intake",),
        "",
        _of("routine facts contact whereabouts victim respondent minor reporter"),
        _of(""),
    ),
    ("emergency", ("police",), (), "emergency_response", _of("contact whereabouts refuge minor facts"), _of("")),
    ("own_report", (REPORTER,), ("reporter_receipt", "reporter_other"), "", _of(""), _of("routine")),
    ("own_report", (REPORTER,), ("reporter_victim",), "", _of("routine measures"), _of("support")),
    ("own_report", MANDATED, (), "", _of(""), _of("routine")),
]

# purpose: clear at most, masked at most
CEILINGS: dict[str, tuple[Words, Words]] = {
    "emergency_response": (
        _of("routine facts victim contact whereabouts refuge respondent minor measures risk"),
        _of("medical"),
    ),
    "case_handling": (ALL - _of("refuge reporter"), _of("")),
    "intake": (_of("routine facts victim contact whereabouts respondent minor reporter"), _of("")),
    "protection_order": (ALL - _of("whereabouts refuge reporter support"), _of("")),
    "prosecution": (ALL - _of("contact whereabouts refuge reporter support"), _of("")),
    "medical_care": (_of("routine victim contact minor medical"), _of("")),
    "shelter_relief": (_of("routine victim contact minor refuge risk support measures"), _of("facts medical")),
    "follow_up": (_of("routine victim contact whereabouts respondent measures visit minor"), _of("risk support")),
    "supervision": (_of("routine risk measures internal"), _of("visit support")),
    "sync": (ALL - _of("refuge reporter whereabouts"), _of("")),
    "statistics": (_of(""), _of("")),
    "audit": (_of(""), _of("")),
    # What a report can hold, and what its holder is told beside.
    "own_report": (ALL - _of("refuge medical judicial risk visit internal"), _of("")),
}

STATED_BY: dict[str, Collection[str]] = {
    "emergency_response": ("police", "joint_centre", "hospital", "residents_committee"),
    "protection_order": ("court", "police", "procuratorate", "womens_federation", "residents_committee"),
    "prosecution": ("procuratorate", "police", "court"),
    "medical_care": ("hospital",),
    "shelter_relief": ("civil_affairs", "womens_federation"),
    "follow_up": ("police", "residents_committee", "womens_federation", "joint_centre", "court", "social_work"),
    "statistics": AGENCIES,
}
"""Purposes that rest on the unit's type alone; the others are in `stated`."""


def exists(unit_type: str, role: str) -> bool:
    """Reporters have reporters' roles, agencies the others."""
    return unit_type in UNIT_TYPES and role in ROLES and (unit_type == REPORTER) == (role in REPORTERS)


def stated(unit_type: str, role: str, purpose: str, facts: Collection[str]) -> bool:
    """May this caller ask for this purpose about a case with these facts?"""
    if purpose in STATED_BY:
        return unit_type in STATED_BY[purpose]
    if purpose in ("case_handling", "sync"):
        right_role = purpose == "case_handling" or role == SYSTEM
        return unit_type in AGENCIES and right_role and not WORKING.isdisjoint(facts)
    if purpose == "supervision":
        return unit_type == "procuratorate" or (unit_type in LINE and "superior" in facts)
    if purpose == "own_report":
        return unit_type == REPORTER and "own_report" in facts
    return purpose == "intake" and role == "intake"


@cache
def opened(unit_type: str, role: str, purpose: str, fact: str) -> tuple[int, ...]:
    """What one fact opens, before ceilings and directives."""
    best = [LETTERS.index(x) for x in INVOLVED.get(unit_type, NOTHING)] if fact == "involved" else [0] * len(CATEGORIES)
    for name, types, roles, only, clear, masked in OPENS:
        if name == fact and unit_type in types and (not roles or role in roles) and only in ("", purpose):
            best = [max(b, 2 * (c in clear), c in masked) for b, c in zip(best, CATEGORIES, strict=True)]
    return tuple(best)


@cache
def ceiling(purpose: str) -> tuple[int, ...]:
    clear, masked = CEILINGS[purpose]
    return tuple(max(2 * (c in clear), c in masked) for c in CATEGORIES)


def outcomes(unit_type: str, role: str, purpose: str, facts: Collection[str]) -> str:
    """One letter a category: the least over all layers."""
    if role in ADMINISTRATORS or not exists(unit_type, role) or not BARRED.isdisjoint(facts):
        return NOTHING
    if not facts or not stated(unit_type, role, purpose, facts):
        return NOTHING
    best = map(max, zip(*(opened(unit_type, role, purpose, fact) for fact in facts), strict=True))
    least = [min(pair) for pair in zip(best, ceiling(purpose), strict=True)]
    if "relocated" in facts and unit_type not in ("police", "womens_federation", "reporter"):
        least[CATEGORIES.index("whereabouts")] = 0
    return "".join(LETTERS[outcome] for outcome in least)
