"""Thirty leaks, each a small change to the hub's own source, planted while a check runs."""

import importlib
import inspect
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from hub.models import sealed


@dataclass(frozen=True, slots=True)
class Leak:
    """In `where` (module:name or module:Class.name) `old` becomes `new`; `check` is who should notice."""

    name: str
    check: str
    where: str
    old: str
    new: str
    also: tuple[str, str, str] | None = None


def _edit(where: str, old: str, new: str) -> tuple[Any, str, Any]:
    """The object that holds a function, its name, and the function made again from changed source."""
    module_name, _, path = where.partition(":")
    module = importlib.import_module(module_name)
    *outer, name = path.split(".")
    holder: Any = module
    for part in outer:
        holder = getattr(holder, part)
    function = inspect.unwrap(getattr(holder, name))
    source = textwrap.dedent(inspect.getsource(function))
    assert source.count(old) == 1, f"{where}: {old!r} stands there {source.count(old)} times"
    made: dict[str, Any] = {}
    exec(compile(source.replace(old, new), f"planted {where}", "exec"), function.__globals__, made)
    return holder, name, made[name]


@contextmanager
def planted(leak: Leak, *policies: Any) -> Iterator[None]:
    """The leak is there while the block runs; what the policies have compiled is forgotten before and after."""
    edits = [_edit(leak.where, leak.old, leak.new)]
    edits += [_edit(*leak.also)] if leak.also else []
    kept = [(holder, name, getattr(holder, name)) for holder, name, _ in edits]
    for holder, name, function in edits:
        setattr(holder, name, function)
    _forget(policies)
    try:
        yield
    finally:
        for holder, name, function in kept:
            setattr(holder, name, function)
        _forget(policies)


def _forget(policies: tuple[Any, ...]) -> None:
    sealed._sealed_as.cache_clear()  # masks among it
    for table in [table for policy in policies for table in policy._tables.values()]:
        table._memo.clear()
        table.statements.clear()
        table.judge.alike.clear()
        vars(table).pop("given", None)


CASEWORK, FINDING, VIEWS, GATE = "hub.casework", "hub.finding", "hub.models.views", "hub.policies.gate:Gate"
OF_EVERY_CATEGORY = ('compress(versions(row["last_changed"]), decision.outcomes)', 'versions(row["last_changed"])')
LEAKS = [
    Leak(
        "record ETag over the whole row",
        "from a distance",
        f"{CASEWORK}:record_etag",
        'compress(versions(row["last_changed"]), decision.outcomes)',
        'versions(row["last_changed"])',
        (
            "hub.amending:record_etag",
            'compress(versions(row["last_changed"]), decision.outcomes)',
            'versions(row["last_changed"])',
        ),
    ),
    Leak(
        "updated_at from every category",
        "from a distance",
        "hub.policies.decide:_decision",
        "moments_of(outcomes)",
        "moments_of((1,) * N)",
    ),
    Leak(
        "version number shown",
        "from a distance",
        f"{VIEWS}:record_head",
        'b"true" if authored else b"false",',
        'b\'%b,"version":%d\' % (b"true" if authored else b"false", row["version"]),',
    ),
    Leak(
        "history shows hidden versions",
        "from a distance",
        f"{CASEWORK}:_changed_visibly",
        'item.row["version"] == 1 or',
        "True or",
    ),
    Leak(
        "history numbered by the row",
        "reporter and refuge",
        f"{CASEWORK}:history",
        'numbers.get(item.row["id"], 0) + 1',
        'len(seen) + item.row["version"]',
    ),
    Leak(
        "updated_since by hidden changes",
        "from a distance",
        f"{FINDING}:_visibly_touched",
        'return "(" + ',
        'return "{1}::bytea IS NOT NULL" or ',
    ),
    Leak(
        "kind of a secret origin",
        "anonymous or mandatory",
        f"{CASEWORK}:_shown_kind",
        "kind if origin_known(item) else ANONYMOUS",
        "kind",
    ),
    Leak(
        "unit of a secret origin",
        "anonymous or mandatory",
        f"{VIEWS}:record_head",
        ' if kind == row["kind"] else None',
        "",
    ),
    Leak(
        "fields of a secret origin",
        "anonymous or mandatory",
        f"{CASEWORK}:_told",
        "if origin_known(item):",
        "if True:",
    ),
    Leak(
        "filter by the stored kind",
        "anonymous or mandatory",
        f"{CASEWORK}:list_records",
        'kind in ("", _shown_kind(item))',
        'kind in ("", item.row["kind"])',
    ),
    Leak(
        "stored kind in the case's kinds",
        "anonymous or mandatory",
        "hub.cases:effects_of",
        "filing.kind if open_origin else ANONYMOUS",
        "filing.kind",
    ),
    Leak(
        "secret author among the acting units",
        "anonymous or mandatory",
        "hub.cases:effects_of",
        "[filing.unit_id] if open_origin else []",
        "[filing.unit_id]",
    ),
    Leak(
        "no alert for a mandatory report",
        "anonymous or mandatory",
        "hub.exchange:_case_rows",
        "alert=secret_origin",
        "alert=False",
    ),
    Leak(
        "records listed to whoever sees routine masked",
        "what the hospital must not know",
        f"{CASEWORK}:_listable",
        "item.decision.authored",
        "True",
    ),
    Leak(
        "a count of all records",
        "what the hospital must not know",
        f"{CASEWORK}:write_case",
        """out += b',"shared":',""",
        """out += b',"count":%d,"shared":' % len(seen),""",
    ),
    Leak(
        "hidden record opened by a guessed id",
        "what the hospital must not know",
        f"{CASEWORK}:find_record",
        "if not _listable(item):",
        "if False:",
    ),
    Leak(
        "hidden attachments listed",
        "from a distance",
        "hub.attachments:listing",
        'item.decision.outcome(row["category"]) == CLEAR',
        "True",
    ),
    Leak(
        "hidden attachment downloaded",
        "from a distance",
        "hub.attachments:download",
        'item.decision.outcome(row["category"]) != CLEAR',
        "False",
    ),
    Leak("hidden change touches routine", "from a distance", "hub.cases:touch_case", "if new_record", "if True"),
    Leak(
        "hidden change moves the stage",
        "reporter and refuge",
        "hub.amending:_write_version",
        "effects.stage = None",
        'effects.stage = "protected"',
    ),
    Leak(
        "the receipt shows who acts",
        "behind the receipt",
        f"{VIEWS}:case_head",
        "orjson.dumps(sorted(own_kinds))",
        'b"[%b]" % row["kinds"].encode()',
    ),
    Leak(
        "order by a hidden column",
        "reporter and refuge",
        f"{FINDING}:list_cases",
        "ORDER BY {key}.opened_at DESC",
        "ORDER BY (SELECT substr(c.touched, 8 * i + 1, 8) FROM generate_series(0, 16) i ORDER BY 1 DESC LIMIT 1) DESC",
    ),
    Leak(
        "cursor in plain",
        "cursors",
        "hub.cursors:make",
        "gate.services.vault.misc.seal(raw, _owner(gate, name))",
        "raw",
        ("hub.cursors:read", "gate.services.vault.misc.open(sealed, _owner(gate, name))", "sealed"),
    ),
    Leak(
        "refuge in lists",
        "sweep",
        f"{GATE}._open",
        "decision.listed if query.listed else decision.columns",
        "decision.columns",
        ("hub.policies.query:_fetched", 'if category == "refuge" and query.listed:', "if False:"),
    ),
    Leak(
        "a mask that shows the value",
        "sweep",
        "hub.models.sealed:_mask",
        "return masking(info.pii)",
        "return lambda value: value",
    ),
    Leak("withheld list left empty", "sweep", "hub.policies.decide:_decision", "orjson.dumps(by[WITHHELD])", "b'[]'"),
    Leak(
        "ceilings forgotten",
        "sweep",
        "hub.policies.decide:Table._least",
        "self.ceiling[i],",
        "2,",
        ("hub.policies.decide:Table.opening", " or self.ceiling[i] < outcome", ""),
    ),
    Leak(
        "reads not logged",
        "sweep",
        "hub.audit.committer:Committer.enter",
        "if self._task is None",
        'if draft.act == "read":\n        forged = asyncio.get_running_loop().create_future()\n'
        "        forged.set_result(keys.Ticket((self.w, 0), draft.rows))\n        return forged\n"
        "    if self._task is None",
    ),
    Leak("log names fewer categories", "sweep", f"{GATE}._draft", "d.told for d,", "{} for d,"),
    Leak(
        "the receipt alone opens all",
        "receipt",
        "hub.api.reports:receipt_subject",
        'return Subject(REPORTER, "reporter_receipt", own_case',
        'return Subject(REPORTER, "reporter_victim", unit_id=row["record_id"], own_case',
    ),
    Leak("the conflict is not marked", "same answer", f"{GATE}._deny", "if CONFLICT in facts_true:", "if False:"),
    Leak("predicates on what is hidden", "predicates", f"{GATE}.require", "< least:", "< 0:"),
    Leak(
        "errors repeat the value",
        "errors",
        "hub.api.bodies:invalid",
        '"zh": zh or',
        '"zh": str(error.get("input", "")) + zh or',
        ("hub.api.records:parse", "include_input=False", "include_input=True"),
    ),
]
