"""A16: over 200 distinct bad policy files, made systematically, are refused with reasons; the loaded policy stays."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from hub.cli import app
from hub.policies.decide import Policy
from hub.policies.matrix import compact
from hub.policies.rules import ANY, LAYERS, PolicyRefused, Rule, read
from tests.policies.files import FULL, SHIPPED, TEXT, line_of

LINES = TEXT.split("\n")
SAMPLES = {layer: [r for r in SHIPPED.rows if r.layer == layer][-1] for layer in LAYERS}
FIRST = SAMPLES["matrix"]
COLUMNS = ("id", "layer", "unit_type", "role", "purpose", "fact", "category", "outcome", "effect")
SLIPS: dict[str, Callable[[str], str]] = {
    "blank": lambda word: "",
    "typo": lambda word: word + ".x" if word == ANY else word[:1] + word,
    "capital": lambda word: word.capitalize() if word != ANY else "Any",
    "space": lambda word: f"{word[:1]} {word[1:]}x",
    "quoted": lambda word: f'"{word}"',
    "full width": lambda word: word[:-1] + chr(ord(word[-1]) + 0xFEE0),
    "dash": lambda word: "-",
    "null": lambda word: "\0",
    "expression": lambda word: '" || true',
}
NEEDED = {
    "a cell": lambda r: r.layer == "matrix" and r.fact in ("involved", "authored"),
    "a ceiling": lambda r: r.layer == "ceiling",
    "a hard deny": lambda r: r.layer == "hard" and r.effect == "deny",
    "a directive": lambda r: r.layer == "directive" and r.category != "whereabouts",
}
UNREAD = {"hard": ("category",), "purpose": ("category",), "ceiling": ("fact",), "write": ("role", "purpose", "fact")}
WORDS = {"category": "facts", "fact": "involved", "role": "caseworker", "purpose": "sync"}


def edited(rule: Rule, *lines: str) -> str:
    """The file with one line replaced by others."""
    at = LINES.index(f"{line_of(rule)}")
    return "\n".join([*LINES[:at], *lines, *LINES[at + 1 :]])


def slips() -> Iterator[tuple[str, str]]:
    """Every kind of slip in every column of a line of every layer."""
    for layer, rule in SAMPLES.items():
        cells = rule.cells()
        for i, column in enumerate(COLUMNS):
            for slip, spoil in SLIPS.items():
                if column == "id" and slip == "typo":
                    continue  # another id is as good
                spoilt = [*cells[:i], spoil(cells[i]), *cells[i + 1 :]]
                yield f"{slip} in {column} of {layer}", edited(rule, ", ".join(["p", *spoilt]))


def gaps() -> Iterator[tuple[str, str]]:
    """Each line that may not be missing, missing; each purpose that nobody may state; whole layers gone."""
    for name, needed in NEEDED.items():
        for n, rule in enumerate(filter(needed, SHIPPED.rows)):
            if FULL or n % 8 == 0 or name == "a hard deny":
                yield f"without {name}: {rule.id}", edited(rule)
    kept = [(line, line.split(", ")) for line in LINES]
    for purpose in {r.purpose for r in SHIPPED.rows} - {ANY}:
        text = "\n".join(line for line, cells in kept if cells[2:3] != ["purpose"] or cells[5] != purpose)
        yield f"nobody states {purpose}", text
    for layer in set(LAYERS) - {"write"}:
        yield f"no {layer}", "\n".join(line for line, cells in kept if cells[2:3] != [layer])
    yield (
        "relocated forgotten for whereabouts",
        "\n".join(line for line in LINES if "relocated.whereabouts" not in line),
    )


def doubles() -> Iterator[tuple[str, str]]:
    for layer, rule in SAMPLES.items():
        line = line_of(rule)
        yield f"{layer} twice", edited(rule, line, line)
        yield (
            f"{layer}, same id",
            edited(rule, line, f"p, {rule.id}, matrix, police, intake, sync, sealed, risk, masked, allow"),
        )
        yield f"{layer}, same condition", edited(rule, line, line.replace(rule.id, "again"))
        other = line.rsplit(", ", 1)[0] + (", deny" if rule.effect == "allow" else ", allow")
        yield f"{layer}, contradicted", edited(rule, line, other.replace(rule.id, "again"))


def shapes() -> Iterator[tuple[str, str]]:
    """Lines that are no lines of a policy, and cells where a layer does not look."""
    for layer, rule in SAMPLES.items():
        line, cells = line_of(rule), ["p", *rule.cells()]
        yield f"{layer}: one column less", edited(rule, ", ".join(cells[:-1]))
        yield f"{layer}: one column more", edited(rule, f"{line}, allow")
        yield f"{layer}: trailing comma", edited(rule, f"{line},")
        yield f"{layer}: a group", edited(rule, line.replace("p, ", "g, ", 1))
        yield f"{layer}: no p", edited(rule, ", ".join(cells[1:]))
        yield f"{layer}: semicolons", edited(rule, line.replace(",", ";"))
        yield f"{layer}: tabs", edited(rule, line.replace(", ", "\t"))
        yield f"{layer}: full-width commas", edited(rule, line.replace(",", "，"))
        yield f"{layer}: on two lines", edited(rule, *line.split(", *, ", 1))
        yield f"{layer}: comment behind", edited(rule, f"{line} # why")
        for column in UNREAD.get(layer, ()):
            narrowed = [WORDS[column] if c == column else w for c, w in zip(COLUMNS, rule.cells(), strict=True)]
            yield f"{layer}: {column} named", edited(rule, line, ", ".join(["p", "narrow", *narrowed[1:]]))
    sealed = next(r for r in SHIPPED.rows if r.id == "hard.sealed")
    for column, word in (("role", "caseworker"), ("unit_type", "police"), ("purpose", "sync")):
        narrowed = [word if c == column else w for c, w in zip(COLUMNS, sealed.cells(), strict=True)]
        yield f"sealed only for a {column}", edited(sealed, ", ".join(["p", *narrowed]))
    yield "open to all", edited(FIRST, line_of(FIRST), "p, all, hard, *, *, *, *, *, *, allow")
    yield "involved for all", edited(FIRST, line_of(FIRST), "p, all, matrix, *, *, *, involved, facts, clear, allow")


def wholes() -> Iterator[tuple[str, bytes]]:
    """Files that are no policy as a whole."""
    raw = TEXT.encode()
    yield "empty", b""
    yield "blank lines", b"\n\n \n"
    yield "comments only", b"\n".join(f"# {line}".encode() for line in LINES)
    yield "one line", line_of(FIRST).encode()
    yield "upper case", TEXT.upper().encode()
    yield "without line ends", raw.replace(b"\n", b" ")
    yield "old line ends", raw.replace(b"\n", b"\r")
    yield "zip", b"PK\x03\x04" + raw
    yield "gbk", raw + "# 规则\n".encode("gbk")
    yield "latin-1", raw + b"# caf\xe9\n"
    yield "surrogate", raw + b"# \xed\xa0\x80\n"
    yield "overlong", raw + b"# \xc0\xaf\n"
    yield "cut character", raw + "# 规".encode()[:-1]
    for encoding in ("utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-7"):
        yield encoding, TEXT.replace("+", "").encode(encoding) if encoding != "utf-7" else b"+" + raw
    end = raw.rindex(b"ceiling.audit")
    yield from ((f"cut at {n}", raw[: end * n // 20]) for n in range(1, 20))


def bad_files() -> dict[str, bytes]:
    texts = [*list(slips())[:: 1 if FULL else 2], *gaps(), *doubles(), *shapes()]
    return {name: text.encode() for name, text in texts} | dict(wholes())


BAD = bad_files()


def accepted(files: dict[str, bytes], path: Path) -> list[str]:
    """The files that are not refused; each refusal names its reasons."""
    taken = []
    for name, content in files.items():
        path.write_bytes(content)
        try:
            Policy.load(path)
            taken.append(name)
        except PolicyRefused as refused:
            assert refused.problems and all(refused.problems), name
    return taken


def test_enough_and_distinct() -> None:
    assert len(BAD) == len(set(BAD.values())) > 200
    assert TEXT.encode() not in BAD.values()


def test_bad_files_are_refused(tmp_path: Path) -> None:
    policy = Policy(SHIPPED)
    before, version = list(compact(policy)), policy.version
    assert not accepted(BAD, tmp_path / "policy.csv")
    assert (policy.version, list(compact(policy))) == (version, before)


def test_an_accepted_file_is_found(tmp_path: Path) -> None:
    """Control: among the bad ones, a file that only looks bad."""
    files = {"one": BAD["empty"], "fine": b"# a comment\n" + TEXT.encode(), "other": BAD["gbk"]}
    assert accepted(files, tmp_path / "policy.csv") == ["fine"]


@pytest.mark.parametrize("name", ["absent.csv", "."])
def test_no_file(tmp_path: Path, name: str) -> None:
    with pytest.raises(PolicyRefused):
        read(tmp_path / name)


@pytest.mark.parametrize(
    "harmless",
    [
        "\ufeff" + TEXT,
        TEXT.replace("\n", "\r\n"),
        TEXT + "\n# 说明\n\n",
        TEXT.replace(", ", ","),
        TEXT.replace(", ", " ,\t"),
    ],
    ids=["byte order mark", "windows", "comment", "tight", "loose"],
)
def test_good_files_are_read(tmp_path: Path, harmless: str) -> None:
    """Control: what changes no rule is accepted, under another version."""
    path = tmp_path / "policy.csv"
    path.write_text(harmless, encoding="utf-8", newline="")
    rules = read(path)
    assert rules.rows == SHIPPED.rows
    assert rules.version != SHIPPED.version


@pytest.mark.parametrize("separator", ["\v", "\f", "\x1c", "\x1d", "\x1e", "\x85", "\u2028", "\u2029", "\r"])
def test_no_rule_hides_in_a_comment(tmp_path: Path, separator: str) -> None:
    """What editors show as one line of comment is one."""
    path = tmp_path / "policy.csv"
    hidden = "p, hidden, purpose, school, *, emergency_response, *, *, *, allow"
    path.write_text(f"{TEXT}# harmless{separator}{hidden}\n", encoding="utf-8", newline="")
    assert read(path).rows == SHIPPED.rows
    path.write_text(f"{TEXT}# harmless\n{hidden}\n", encoding="utf-8", newline="")
    assert read(path).rows != SHIPPED.rows


def test_the_command_says_why(tmp_path: Path) -> None:
    path = tmp_path / "policy.csv"
    path.write_bytes(dict(slips())["typo in effect of ceiling"].encode())
    answer = CliRunner().invoke(app, ["policy", "check", str(path)])
    assert answer.exit_code == 1
    assert "effect" in answer.stderr and str(1 + LINES.index(line_of(SAMPLES["ceiling"]))) in answer.stderr
    path.write_bytes(dict(slips())["capital in id of write"].encode())
    answer = CliRunner().invoke(app, ["policy", "check", str(path)])
    assert answer.exit_code == 1 and "须以小写字母开头" in answer.stderr and "a lower-case letter" in answer.stderr
    path.write_text(TEXT)
    assert CliRunner().invoke(app, ["policy", "check", str(path)]).exit_code == 0
