"""A minute without the upstream, at steady load: what reaches it, and what breaker, budget and bulkhead save it."""

from __future__ import annotations

import functools

import pytest
from tests.benchmarks.outage import OUTAGES, SUBJECTS, Outcome, line, simulated
from tests.unit.virtual_time import run_at_once


@functools.cache
def minute(subject: str, outage: str, rate: int = 100) -> Outcome:
    """Return how a minute at *rate* requests a second went; it takes none of the real time."""
    found: list[Outcome] = []

    async def run() -> None:
        found.append(await simulated(SUBJECTS[subject], outage, rate=rate))

    run_at_once(run())
    return found[0]


@pytest.mark.parametrize("outage", OUTAGES)
@pytest.mark.parametrize("subject", ["breaker and budget", "and a bulkhead of 10"])
def test_at_most_one_in_a_hundred_reaches_an_upstream_that_is_out(subject: str, outage: str) -> None:
    """Those that were under way before anybody could know, and one probe each ten seconds; retries within budget."""
    outcome = minute(subject, outage)

    assert 6000 == outcome.requests
    assert outcome.share <= 0.01
    assert outcome.retries <= outcome.allowed
    assert outcome.calls >= 5 + 5  # It did find out, and went on asking.


def test_the_budget_alone_bounds_retries() -> None:
    """Also where nothing stops the requests themselves; without it the same minute has many times as many."""
    bounded, unbounded = minute("budget", "503", 20), minute("retries alone", "503", 20)

    assert bounded.retries <= bounded.allowed
    assert bounded.calls == bounded.requests + bounded.retries
    assert unbounded.retries == 2 * unbounded.requests
    assert unbounded.retries > 7 * bounded.retries


def test_a_bulkhead_bounds_what_silence_takes_in() -> None:
    """Before the first timeout nobody knows, and only a bound on what is under way helps."""
    assert minute("and a bulkhead of 10", "silence").calls < minute("breaker and budget", "silence").calls


def test_a_row_of_the_table_says_it() -> None:
    """As the benchmark prints it."""
    row = line("503", "budget", Outcome(requests=6000, calls=12, retries=2, allowed=1270))

    assert ["503", "budget", "6000", "12", "0.20%", "2", "1270"] == [cell.strip() for cell in row.strip("|").split("|")]
