"""Every case, played in one process on a clock moved by hand. Run `python -m tests.conformance` for the totals."""

from __future__ import annotations

import pytest
from tests.conformance.cases import BY_ID, CASES
from tests.conformance.inprocess import play_case, resync
from tests.conformance.model import CHECK, OPTIMAL, REQUIRED, Case
from tests.conformance.report import objections
from tests.conformance.unmet import UNMET

KINDS = {kind: [case for case in CASES if case.kind is kind] for kind in (REQUIRED, OPTIMAL, CHECK)}


@pytest.mark.parametrize("case", KINDS[REQUIRED], ids=lambda case: case.id)
async def test_required(case: Case) -> None:
    """No MUST is broken and no answer is wrong."""
    verdict = await play_case(case, resync)

    assert objections([verdict]) == []


@pytest.mark.parametrize("case", KINDS[OPTIMAL], ids=lambda case: case.id)
async def test_optimal(case: Case) -> None:
    """What was reached is not lost, and what is not reached is listed with its reason."""
    verdict = await play_case(case, resync)

    assert objections([verdict]) == []


@pytest.mark.parametrize("case", KINDS[CHECK], ids=lambda case: case.id)
async def test_chosen(case: Case) -> None:
    """Where the specifications leave a choice, it stays as we made it."""
    verdict = await play_case(case, resync)

    assert objections([verdict]) == []


def test_no_two_cases_share_an_id() -> None:
    """An id names one case."""
    assert len(BY_ID) == len(CASES)


@pytest.mark.parametrize("name", UNMET)
def test_what_is_unmet_is_a_case_and_not_required(name: str) -> None:
    """Nothing excuses a required case."""
    assert BY_ID[name].kind is not REQUIRED
    assert UNMET[name]
