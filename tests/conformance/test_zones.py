"""The zone of the machine is nothing to a date (RFC 9111 §4.2)."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from tests.conformance.cases.expires import CASES
from tests.conformance.inprocess import play_case, resync
from tests.conformance.model import Case


@pytest.fixture(params=["Asia/Tokyo", "America/Los_Angeles"])
def zone(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setenv("TZ", request.param)
    time.tzset()
    yield request.param
    monkeypatch.undo()
    time.tzset()


@pytest.mark.skipif(not hasattr(time, "tzset"), reason="Windows cannot change the zone of a process")
@pytest.mark.usefixtures("zone")
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
async def test_local_zones_do_not_matter(case: Case) -> None:
    """Whether Expires is past or future does not depend on where the machine stands."""
    verdict = await play_case(case, resync)

    assert verdict.problems == ()
