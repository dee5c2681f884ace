"""The house keeps its budget: file and function sizes, layers, cycles, single importers, one commit site."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SOURCES = sorted((ROOT / "hub").rglob("*.py"))
BUDGETED = sorted(path for folder in ("hub", "tests", "benchmarks") for path in (ROOT / folder).rglob("*.py"))
"""All that people change. A schema version is written once and stays as it is."""
FILE_LIMIT, FUNCTION_LIMIT = 300, 40
LEVELS = [
    ["errors", "clock", "ids", "settings", "disk"],
    ["keys", "keyfile", "signing", "db", "embedded", "spool", "migrations"],
    ["together"],
    ["models"],
    ["audit"],
    ["tables", "policies"],
    [
        "cursors",
        "casework",
        "finding",
        "parties",
        "filing",
        "marks",
        "cases",
        "writer",
        "exchange",
        "amending",
        "attachments",
        "receipts",
        "intake",
        "oversight",
        "people",
        "jwks",
        "sheets",
        "places",
        "enlist",
        "changes",
        "admin",
    ],
    ["api"],
    ["main", "runtime", "demo", "console", "registers", "systems", "review", "cli", "__main__"],
]
ONLY_IN = {
    "casbin": {"hub/policies/decide.py"},
    "jose": {"hub/api/auth.py"},
    "cryptography": {"hub/keys.py", "hub/signing.py"},
    "asyncpg": {"hub/db.py", "hub/ids.py"},
}


def module_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def imports(tree: ast.AST) -> Iterator[tuple[str, ast.stmt]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module, node
            yield from ((f"{node.module}.{alias.name}", node) for alias in node.names)


def trees() -> dict[str, ast.Module]:
    return {module_of(path): ast.parse(path.read_text()) for path in SOURCES}


def edges(found: dict[str, ast.Module]) -> dict[str, set[str]]:
    return {
        name: {target for target, _ in imports(tree) if target in found and target != name}
        for name, tree in found.items()
    }


def cycle(graph: dict[str, set[str]]) -> list[str]:
    """A cycle among modules, or an empty list."""
    done: set[str] = set()

    def walk(node: str, path: list[str]) -> list[str]:
        if node in path:
            return [*path[path.index(node) :], node]
        if node in done:
            return []
        for target in sorted(graph[node]):
            if found := walk(target, [*path, node]):
                return found
        done.add(node)
        return []

    return next((found for node in sorted(graph) if (found := walk(node, []))), [])


def level(module: str) -> int:
    part = module.split(".")[1] if "." in module else ""
    return next((i for i, names in enumerate(LEVELS) if part in names), -1)


def upward(graph: dict[str, set[str]]) -> list[tuple[str, str]]:
    return [(a, b) for a, targets in graph.items() for b in targets if "." in a and "." in b and level(a) < level(b)]


def beyond(text: str) -> list[str]:
    """What of a file exceeds the budget: its length, a function's, an import inside a function."""
    found = ["file"] if len(text.splitlines()) > FILE_LIMIT else []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert node.end_lineno is not None
            found += [node.name] if node.end_lineno - node.lineno + 1 > FUNCTION_LIMIT else []
            nested = [n for n in ast.walk(node) if isinstance(n, ast.Import | ast.ImportFrom)]
            found += [f"{node.name} imports"] if nested else []
    return found


@pytest.mark.parametrize("path", BUDGETED, ids=lambda p: str(p.relative_to(ROOT)))
def test_sizes(path: Path) -> None:
    assert beyond(path.read_text()) == []


def test_no_cycle_and_no_upward_import() -> None:
    graph = edges(trees())
    assert cycle(graph) == []
    assert upward(graph) == []
    assert all(level(name) >= 0 for name in graph if "." in name), "every module has a level"
    parts = [part for names in LEVELS for part in names]
    assert sorted(parts) == sorted({name.split(".")[1] for name in graph if "." in name}), "no level names what is gone"


def test_the_checks_can_fail() -> None:
    """Control: a planted cycle, a planted upward import; a long file, a long function, an import in one."""
    assert cycle({"hub.a": {"hub.b"}, "hub.b": {"hub.a"}}) == ["hub.a", "hub.b", "hub.a"]
    assert upward({"hub.errors": {"hub.casework"}, "hub.casework": set()}) == [("hub.errors", "hub.casework")]
    assert upward({"hub.casework": {"hub.api.cases"}, "hub.api.cases": set()}) == [("hub.casework", "hub.api.cases")]
    assert beyond("x = 1\n" * (FILE_LIMIT + 1)) == ["file"] and beyond("x = 1\n" * FILE_LIMIT) == []
    assert beyond("def f():\n" + "    x = 1\n" * FUNCTION_LIMIT) == ["f"]
    assert beyond("def f():\n    import os\n") == ["f imports"]
    assert committing({"hub.people": ast.parse("await transaction.commit()")}) == ["hub.people"]


@pytest.mark.parametrize("package", ONLY_IN)
def test_single_importers(package: str) -> None:
    found = {
        str(path.relative_to(ROOT))
        for path in SOURCES
        if any(name.split(".")[0] == package for name, _ in imports(ast.parse(path.read_text())))
    }
    assert found == ONLY_IN[package]


def calls(parsed: dict[str, ast.Module]) -> Iterator[tuple[str, str]]:
    """Everything that is called: in which module, and as what."""
    for module, tree in parsed.items():
        yield from ((module, ast.unparse(node.func)) for node in ast.walk(tree) if isinstance(node, ast.Call))


def committing(parsed: dict[str, ast.Module]) -> list[str]:
    """Where something other than the committer is told to commit."""
    told = [(m, called) for m, called in calls(parsed) if called.endswith(".commit")]
    own = ("hub.audit.committer", "self.commit")
    return [m for m, called in told if not called.endswith("committer.commit") and (m, called) != own]


def test_one_commit_site() -> None:
    """`transaction.commit()` stands in one place; the log's committer has a verb of the same name."""
    assert committing(trees()) == ["hub.db"]


def test_tickets_are_minted_by_the_committer_alone() -> None:
    minted = [module for module, called in calls(trees()) if called in ("keys.Ticket", "Ticket")]
    assert minted == ["hub.audit.committer"]


def test_records_are_read_through_the_gate_alone() -> None:
    """SELECTs on `record` stand in the Gate's queries, where a version is superseded, where a repeated request is known
    again (its digest and its case's id, nothing sealed), and where a case that is handed over has changed (ids)."""
    allowed = {"hub.amending", "hub.cases", "hub.casework", "hub.exchange", "hub.finding", "hub.writer"}
    reading = {
        module
        for module, tree in trees().items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and any(word in node.value for word in ("FROM record", "JOIN record"))
    }
    assert reading <= allowed | {"hub.policies.query"}
