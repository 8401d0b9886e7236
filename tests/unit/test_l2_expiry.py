"""How long records count in Redis."""

from __future__ import annotations

import inspect
import re

import pytest
from tests.contract.store_contract import NOW, response, variants

from asgi_resync.cache.l2.backplane import Backplane
from asgi_resync.cache.l2.expiry import HORIZON, MAX_PX, lifetime_there, px_of
from asgi_resync.cache.l2.journal_scripts import LOOK, WRITE


@pytest.mark.parametrize(
    ("age", "lifetime", "cap", "jitter", "lot", "expected"),
    [
        (0, 60, 600, 0, 1, 60),
        (0, 3600, 600, 0, 1, 600),
        (100, 3600, 600, 0, 1, 700),
        (0, 100, 600, 0.1, 0, 100),
        (0, 100, 600, 0.1, 1, 90),
        (50, 100, 600, 0.1, 1, 95),
        (60, 60, 600, 0.9, 1, 60),
        (100, 60, 600, 0.9, 1, 60),
    ],
)
def test_what_is_left_of_a_lifetime_is_cut(
    age: float, lifetime: float, cap: float, jitter: float, lot: float, expected: float
) -> None:
    """The cap and the lot apply to what is left; what is over already stays as it is."""
    entry = response(lifetime=lifetime)
    there = lifetime_there(entry, NOW + age, cap=cap, jitter=jitter, lot=lot)

    assert expected == pytest.approx(there)


def test_redis_keeps_a_record_for_its_longest_window() -> None:
    """The lifetime there, and the longest of the windows after it."""
    entry = response(lifetime=60)
    entry.stale_while_revalidate, entry.stale_if_error, entry.keep = 10, 300, 20

    assert 340_000 == px_of(entry, 40, NOW)
    assert 60_000 == px_of(variants(), 0, NOW)
    assert 0 >= px_of(variants(), 0, NOW + 61)
    assert MAX_PX == px_of(entry, 1e300, NOW)


def test_a_purge_is_remembered_for_longer_than_any_record_it_concerns() -> None:
    """A process that starts late finds no record whose purge was forgotten."""
    lasting = response(lifetime=60)
    lasting.stale_if_error = 86_400 * 365
    assert px_of(lasting, 60, NOW) / 1000 < HORIZON
    forgotten = re.findall(r"'PEXPIRE', name, (\d+)", WRITE.source + LOOK.source)
    assert forgotten
    assert all(int(milliseconds) / 1000 > HORIZON for milliseconds in forgotten)
    assert inspect.signature(Backplane).parameters["horizon"].default == HORIZON
