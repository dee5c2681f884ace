"""Facts (PIP): name -> one SQL boolean about (subject, case), never NULL, all in the SELECT of the row.

`c` is the case; in statements about records `r` is the record. `{name}` stands for a subject parameter, or for
the caller's unit type or role: these two are written into the text, of which there is one for each kind of
caller, so that the planner drops what cannot hold for it. The facts of a row travel as one integer, bit i for
the i-th fact, which is also the key of the decision.
"""

PARAMETERS = (
    "unit:uuid",
    "area:text",
    "path:text",
    "person_keys:bytea[]",
    "account:uuid",
    "account_rev:int",
    "client:text",
    "client_rev:int",
    "own_case:uuid",
)

_INVOLVED = "{unit} = ANY(c.involved)"
_IN_AREA = "starts_with(c.region_code, {area})"
_REFERRED = "{unit} = ANY(c.referred)"
_NAMED = "{unit} = ANY(c.named)"
_SUPERIOR = (
    "CASE WHEN {unit_type} = 'joint_centre'"
    f" THEN {_IN_AREA} AND length({{area}}) < length(c.handler_area)"
    " ELSE starts_with(c.handler_path, {path}) END"
)

FACTS: dict[str, str] = {
    # The unit handles the case, has accepted a referral, or has submitted a record to it.
    "involved": _INVOLVED,
    # The caller submitted this record (statements about cases alone know no author).
    "authored": "r.unit_id = {unit}",
    # The case lies in the unit's area, and the unit is not involved.
    "territorial": f"{_IN_AREA} AND NOT ({_INVOLVED})",
    # An open referral is addressed to the unit.
    "referred_in": _REFERRED,
    # An assistance notice names the unit.
    "named_in_order": _NAMED,
    # The unit stands above the handling unit: same line, or a joint centre over its area.
    "superior": _SUPERIOR,
    # Role intake at a unit on duty that has a report not yet handed over.
    "intake_duty": "{role} = 'intake' AND {unit} = ANY(c.intake)",
    # Risk is high or an alert is unanswered, and the case is this unit's by place or by work: an
    # emergency elsewhere opens nothing here.
    "emergency": f"(c.risk_level = 'high' OR c.alert_open) AND ({_IN_AREA} OR {_INVOLVED} OR {_REFERRED} OR {_NAMED})",
    # The caller holds the receipt, or its unit made the mandatory report.
    "own_report": "c.id = {own_case} OR c.reporting_unit_id = {unit}",
    # The victim has moved out (2022 seven-organ opinion art. 4).
    "relocated": "c.relocated",
    # Court or minor's record sealed by another unit.
    "sealed": "c.sealed_by IS NOT NULL AND c.sealed_by IS DISTINCT FROM {unit}",
    # The person asking shares an id number or phone with a party, or has none to compare.
    "party_conflict": "c.party_keys && {person_keys} OR {account} IS NOT NULL AND cardinality({person_keys}) = 0",
    # The person or the system was disabled or changed since it was authenticated, or neither is stated. That their
    # unit is disabled is a change of theirs (see `hub/changes.py`).
    "suspended": "{unit_type} <> 'reporter' AND NOT (CASE WHEN {role} = 'system' THEN {client} IS NOT NULL ELSE"
    " EXISTS (SELECT FROM account s WHERE s.id = {account} AND s.rev = {account_rev} AND s.disabled_at IS NULL) END"
    " AND ({client} IS NULL OR"
    " EXISTS (SELECT FROM client s WHERE s.id = {client} AND s.rev = {client_rev} AND s.disabled_at IS NULL)))",
}

BY_PLACE = ("territorial", "emergency")
"""Facts that a case's place alone can make true, and for a joint centre `superior`. The others hold only for units
that the table `case_unit` names beside the case."""

EXCLUDES = {"involved": "territorial"}
"""Where the first holds the second does not, and is not asked for."""

NAMES: tuple[str, ...] = tuple(FACTS)
BIT: dict[str, int] = {name: 1 << i for i, name in enumerate(NAMES)}
FIRST_FREE = len(PARAMETERS) + 1
"""The number of the first `$n` that a statement may use for itself."""

_PLACES = {p.split(":")[0]: f"${i}::{p.split(':')[1]}" for i, p in enumerate(PARAMETERS, 1)}

Who = tuple[str, str]
"""Unit type and role in SQL: the kind of caller that a text is made for."""


def written(unit_type: str, role: str, *_: str) -> Who:
    """As words, for a text of this kind's own."""
    unit_type, role = ("'" + word.replace("'", "''") + "'::text" for word in (unit_type, role))
    return unit_type, role


def given(first: int) -> Who:
    """As parameters, the first of them `$first`, for a text that serves every kind."""
    return f"${first}::text", f"${first + 1}::text"


def raw(name: str, who: Who, *, records: bool = False) -> str:
    """One fact as SQL, possibly NULL. Without records nothing is authored."""
    if name == "authored" and not records:
        return "FALSE"
    return FACTS[name].format(**_PLACES, unit_type=who[0], role=who[1])


def mask(who: Who, *, records: bool = False) -> str:
    """All facts of a row as one integer; what is NULL does not hold."""

    def when(name: str) -> str:
        then = f"WHEN {raw(name, who, records=records)} THEN {BIT[name]} "
        return then + (when(EXCLUDES[name]) if name in EXCLUDES else "")

    return " | ".join(f"CASE {when(name)}ELSE 0 END" for name in NAMES if name not in EXCLUDES.values())


def true_in(bits: int) -> tuple[str, ...]:
    """The names of the facts that hold."""
    return tuple(name for name in NAMES if bits & BIT[name])
