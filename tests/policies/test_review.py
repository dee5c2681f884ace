"""What an administrator reviews: the whole effect of the policy against its golden file, and one case explained."""

import csv
import io
import itertools
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import orjson

from hub.demo.province import TYPES
from hub.models.fields import CATEGORIES, INDEX
from hub.policies import facts
from hub.policies.subject import ROLES, Purpose
from hub.settings import ROOT, Settings
from tests.world import HOME, World, call

GOLDEN = Path(__file__).with_name("matrix.csv")
HEADER = ["unit_type", "role", "purpose", "facts", "category", "outcome"]
PAIRS = ["involved+authored", "involved+emergency", "involved+relocated", "involved+referred_in"]
PAIRS += ["involved+party_conflict", "involved+sealed", "territorial+emergency"]
LETTERS = {"clear": "C", "masked": "M", "withheld": "."}


def hub(*arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "hub.cli", *arguments]
    return subprocess.run(command, cwd=ROOT, env=os.environ | env, capture_output=True, text=True, check=False)


def golden() -> dict[tuple[str, ...], str]:
    rows = list(csv.reader(GOLDEN.read_text(encoding="utf-8").splitlines()))
    assert rows[0] == ["unit_type", "role", "purpose", "facts", "outcomes"]
    return {tuple(row[:4]): row[4] for row in rows[1:]}


def test_the_effect_is_the_one_reviewed() -> None:
    """A policy change shows as a change of `matrix.csv` (`make matrix`), to be reviewed by its effects.

    The golden file leaves out what is withheld throughout; the command prints every caller, purpose, fact set and
    category once.
    """
    done, letters = hub("policy", "matrix", "--format", "csv"), golden()
    assert done.returncode == 0, done.stderr
    printed = csv.reader(io.StringIO(done.stdout))
    assert next(printed) == HEADER
    expected = dict.fromkeys(
        itertools.product((*TYPES, "reporter"), ROLES, (p.value for p in Purpose), ["", *facts.NAMES, *PAIRS]), ""
    )
    assert letters.keys() <= expected.keys()
    for *who, category, outcome in printed:
        key, i = tuple(who), INDEX[category]
        assert len(expected[key]) == i, "each category once, in order"
        expected[key] += LETTERS[outcome]
        assert LETTERS[outcome] == letters.get(key, "." * len(INDEX))[i], (key, category)
    assert {len(row) for row in expected.values()} == {len(INDEX)}


def test_a_changed_rule_is_found(tmp_path: Path) -> None:
    """The control: one cell opened in the policy differs from the golden file at that cell alone."""
    text, cell = (ROOT / "policy.csv").read_text(encoding="utf-8"), "matrix, school, *, *, involved, facts, withheld"
    assert text.count(cell) == 1
    (tmp_path / "policy.csv").write_text(text.replace(cell, cell.replace("withheld", "masked")), encoding="utf-8")
    done = hub("policy", "matrix", HUB_POLICY=str(tmp_path / "policy.csv"))
    rows = {tuple(r[:4]): r[4] for r in itertools.islice(csv.reader(done.stdout.splitlines()), 1, None)}
    changed = {who for who in rows.keys() | golden().keys() if rows.get(who) != golden().get(who)}
    assert changed and all(who[0] == "school" and "involved" in who[3] for who in changed)


def test_an_unknown_format_is_refused() -> None:
    assert hub("policy", "matrix", "--format", "xml").returncode == 2


async def explained(world: World, config: Settings, account: Any, case: str, purpose: str) -> dict[str, Any]:
    env = {"HUB_DATABASE_URL": config.database_url, "HUB_KEY_FILE": str(config.key_file)}
    done = hub("policy", "explain", "--account", str(account), "--case", case, "--purpose", purpose, "--json", **env)
    assert done.returncode == 0, done.stderr
    return {row["category"]: row for row in orjson.loads(done.stdout)}


async def test_explain_names_outcome_layer_and_rule(world: World, config: Settings) -> None:
    """For every category; the outcomes are those of an actual read, and asking is an entry."""
    police = await world.agency("police")
    made = await police.filed("police_call", call())
    officer = world.people["ids"]["officer"]
    reasons = await explained(world, config, officer, made["case_id"], "case_handling")
    assert list(reasons) == [c.value for c in CATEGORIES]
    told = {name: (row["outcome"], row["layer"], row["rule"]) for name, row in reasons.items()}
    assert told["facts"] == ("clear", "matrix", "matrix.involved.police.facts")
    assert told["medical"] == ("masked", "matrix", "matrix.involved.police.medical")
    assert told["refuge"] == ("withheld", "matrix", "matrix.involved.police.refuge")
    seen = (await (await world.person("officer")).get(f"/v1/cases/{made['case_id']}")).json()
    for outcome in ("masked", "withheld"):
        assert seen[outcome] == [name for name, row in reasons.items() if row["outcome"] == outcome]
    narrower = await explained(world, config, officer, made["case_id"], "prosecution")
    assert narrower["contact"]["layer"] == "ceiling" and narrower["contact"]["rule"] == "ceiling.prosecution.contact"
    stranger = await explained(world, config, world.people["ids"]["auditor"], made["case_id"], "case_handling")
    assert {row["layer"] for row in stranger.values()} == {"hard"}
    assert (await world.log(case=made["case_id"], act="policy"))[0]["body"]["query"] == "explain"
    assert HOME in seen["number"]
