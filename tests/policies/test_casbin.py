"""The compiled table gives casbin's own answers, asked over the whole of policy.csv; and PyPI's dead `casbin`,
which installs over pycasbin, is refused at start.
"""

import os
import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from hub import settings
from hub.main import open_services
from hub.models.catalogue import KINDS
from hub.models.fields import CATEGORIES, INDEX
from hub.policies import facts
from hub.policies.decide import CLEAR, MASKED, Judge, Policy, enforcer
from hub.policies.rules import ANY, LAYERS, OUTCOMES, Rule
from hub.policies.subject import ROLES, Purpose
from tests.policies import plain
from tests.policies.files import FULL, PATH, SHIPPED, changed

QUESTIONS = 3000 if FULL else 200
Question = tuple[str, str, str, str, str, str, str]
WHOLE = enforcer(SHIPPED.rows)
WORDS = {"category": [c.value for c in CATEGORIES], "fact": list(facts.NAMES), "outcome": list(OUTCOMES[1:])}
CALLERS = [(u, r) for u in plain.UNIT_TYPES for r in ROLES if plain.exists(u, r)]
READ = {
    "hard": ("fact",),
    "directive": ("fact", "category"),
    "matrix": ("fact", "category", "outcome"),
    "purpose": ("fact",),
    "ceiling": ("category", "outcome"),
    "write": ("category",),
}


def questions(seed: int, count: int) -> Iterator[Question]:
    """Half at random, half such as a line of the policy speaks of; each layer equally often."""
    chance = random.Random(seed)
    lines = {layer: [r for r in SHIPPED.rows if r.layer == layer] for layer in LAYERS}
    for n in range(count):
        layer, line = LAYERS[n % len(LAYERS)], None
        if n // len(LAYERS) % 2:
            line = chance.choice(lines[layer])
        yield _question(chance, layer, line)


def _question(chance: random.Random, layer: str, line: Rule | None) -> Question:
    def word(column: str) -> str:
        stated = getattr(line, column) if line else ANY
        kinds = layer == "write" and column == "category"
        return str(stated) if stated != ANY else chance.choice(list(KINDS) if kinds else WORDS[column])

    able = [(u, r) for u, r in CALLERS if not line or (line.unit_type in (u, ANY) and line.role in (r, ANY))]
    unit_type, role = chance.choice(able)
    purpose = line.purpose if line and line.purpose != ANY else chance.choice(list(Purpose)).value
    rest = tuple(word(c) if c in READ[layer] else "-" for c in ("fact", "category", "outcome"))
    if layer in ("hard", "purpose") and chance.random() < 0.3:
        rest = ("-", "-", "-")
    who = (unit_type, "-", "-") if layer == "write" else (unit_type, role, purpose)
    return (layer, *who, *rest)  # type: ignore[return-value]


def compiled(policy: Policy, question: Question) -> bool:
    """The elementary answer, read off the compiled table."""
    layer, unit_type, role, purpose, fact, category, outcome = question
    if layer == "write":
        return policy.may_write(unit_type, category)
    table = policy.table(unit_type, role, purpose)
    if layer == "hard":
        return table.hard >= 0 if fact == "-" else not table.hard & facts.BIT[fact]
    if layer == "purpose":
        return table.purpose_any if fact == "-" else fact in table.purpose_facts
    if layer == "directive":
        return fact not in table.directive or bool(table.directive[fact][INDEX[category]])
    return (table.ceiling if layer == "ceiling" else table.matrix[fact])[INDEX[category]] == OUTCOMES.index(outcome)


def enforced(question: Question) -> bool:
    """Casbin's, every line considered. Masked is what is allowed masked and not clear."""
    layer, fact, outcome = question[0], question[4], question[6]
    if layer == "directive" and not any(r.layer == "directive" and r.fact == fact for r in SHIPPED.rows):
        return True
    if outcome == OUTCOMES[MASKED] and WHOLE.enforce(*question[:6], OUTCOMES[CLEAR]):
        return False
    return bool(WHOLE.enforce(*question))


def test_compiled_answers_are_casbins() -> None:
    policy, answers = Policy(SHIPPED), []
    for question in questions(5, QUESTIONS):
        answers.append(enforced(question))
        assert compiled(policy, question) == answers[-1], question
    assert len(answers) // 5 < sum(answers) < len(answers) * 4 // 5


class Deaf(Judge):
    """A wrong compilation: denies are not heard."""

    def slice(self, layer: str, unit_type: str, role: str, purpose: str, fact: str) -> tuple[Rule, ...]:
        return tuple(r for r in super().slice(layer, unit_type, role, purpose, fact) if r.effect == "allow")


class Narrow(Judge):
    """Another: `*` is taken for a word."""

    def slice(self, layer: str, unit_type: str, role: str, purpose: str, fact: str) -> tuple[Rule, ...]:
        return tuple(r for r in super().slice(layer, unit_type, role, purpose, fact) if r.unit_type != ANY)


@pytest.mark.parametrize("wrong", [Deaf, Narrow])
def test_a_wrong_compilation_is_found(wrong: type[Judge]) -> None:
    policy = changed(SHIPPED.rows)
    policy.judge = wrong(policy.rules)
    assert any(compiled(policy, question) != enforced(question) for question in questions(5, 200))


def installed(folder: Path, name: str) -> Path:
    """A folder for the path, where a distribution of this name is installed."""
    info = folder / f"{name}-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    return folder


async def test_impostor_is_refused_at_start(
    config: settings.Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(installed(tmp_path, "casbin"))
    with pytest.raises(RuntimeError, match="casbin"):
        Policy.load(PATH)
    with pytest.raises(RuntimeError, match="casbin"):
        await open_services(config)


@pytest.mark.parametrize(("name", "code"), [("casbin", 1), ("Casbin", 1), ("casbin_adapter", 0)])
def test_the_command_refuses_the_impostor(tmp_path: Path, name: str, code: int) -> None:
    """With a control: another package whose name begins alike."""
    environment = os.environ | {"PYTHONPATH": f"{settings.ROOT}{os.pathsep}{installed(tmp_path, name)}"}
    done = subprocess.run(
        [sys.executable, "-m", "hub.cli", "policy", "check", str(PATH)], env=environment, capture_output=True
    )
    assert done.returncode == code, done.stderr.decode()
