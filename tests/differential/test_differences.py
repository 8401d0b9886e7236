"""The table of differences speaks of cases that exist, once each. It is compared with life by `nox -s differential`."""

from __future__ import annotations

from tests.conformance.cases import BY_ID
from tests.differential.differences import BY_CASE, TABLE


def test_every_difference_names_a_case() -> None:
    """A difference belongs to a case, whose section decides it."""
    assert [difference.case for difference in TABLE if difference.case not in BY_ID] == []


def test_no_difference_is_listed_twice() -> None:
    """One case and one subject have one reason."""
    assert len(BY_CASE) == len(TABLE)


def test_what_others_do_not_offer_is_not_compared() -> None:
    """Nobody is wrong for lacking what is ours."""
    assert [difference.case for difference in TABLE if BY_ID[difference.case].is_ours] == []
