"""The retry budget against a model that remembers every moment."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from asgi_resync import RetryBudget, RuleError

WINDOW = 10.0
SHARE = 0.25
FLOOR = 3


class BudgetMachine(RuleBasedStateMachine):
    """Requests, retries and time in any order, beside lists of when they were."""

    @initialize(start=st.integers(0, 10**6))
    def begin(self, start: int) -> None:
        self.budget = RetryBudget(share=SHARE, floor=FLOOR, window=WINDOW)
        self.now = float(start)
        self.requests: list[float] = []
        self.retries: list[float] = []

    @rule(seconds=st.sampled_from([0.0, 0.25, 0.5, 1.0, 2.5, 9.0, 10.0, 11.0, 1000.0]))
    def pass_time(self, seconds: float) -> None:
        self.now += seconds

    @rule(count=st.integers(1, 20))
    def ask(self, count: int) -> None:
        for _ in range(count):
            self.budget.earn(self.now)
            self.requests.append(self.now)

    @rule()
    def retry(self) -> None:
        retries, requests = self._recent(self.retries), self._recent(self.requests)

        may = self.budget.spend(self.now)

        assert may == (retries + 1 <= requests * SHARE + FLOOR)
        if may:
            self.retries.append(self.now)

    @invariant()
    def no_window_holds_more_than_its_floor_and_share(self) -> None:
        if not hasattr(self, "retries"):
            return
        # The budget as it was when each was granted: those of the window that ended there.
        for position, moment in enumerate(self.retries):
            within = [one for one in self.retries[: position + 1] if one > moment - WINDOW * 0.9]
            asked = [one for one in self.requests if moment - WINDOW < one <= moment]
            assert len(within) <= len(asked) * SHARE + FLOOR + 1e-9

    def _recent(self, moments: list[float]) -> int:
        slot = self.now // 1.0
        return sum(1 for moment in moments if moment // 1.0 > slot - 10)


TestBudget = BudgetMachine.TestCase


def test_a_quiet_upstream_has_the_floor() -> None:
    """So the first requests of a process may be retried too."""
    budget = RetryBudget(floor=2, share=0.2)

    assert [True, True, False] == [budget.spend(0.0) for _ in range(3)]


def test_what_was_spent_comes_back_with_time() -> None:
    """Not at once, and whole after a window."""
    budget = RetryBudget(floor=1, share=0, window=10)

    assert budget.spend(5.0)
    assert not budget.spend(13.9)
    assert budget.spend(15.0)


def test_under_an_outage_retries_stay_within_their_share() -> None:
    """Each of 1000 requests fails and wants two retries: 200 and the floor of each window get one."""
    budget = RetryBudget(share=0.2, floor=10, window=10)
    granted = 0
    for number in range(1000):
        now = number / 100  # a hundred each second, ten seconds
        budget.earn(now)
        granted += budget.spend(now) + budget.spend(now)

    assert granted == 210


def test_a_clock_that_goes_back_changes_nothing() -> None:
    """What was counted stays counted."""
    budget = RetryBudget(floor=1, share=0)
    budget.spend(100.0)

    assert not budget.spend(50.0)


@given(moments=st.lists(st.floats(0, 1e9), max_size=50))
def test_counts_never_go_below_zero(moments: list[float]) -> None:
    """Whatever times are given, in whatever order."""
    budget = RetryBudget(share=1, floor=0)
    for moment in moments:
        budget.earn(moment)
        assert budget.spend(moment)


@pytest.mark.parametrize(
    "arguments",
    [{"share": -1}, {"share": math.nan}, {"floor": -1}, {"window": 0}, {"window": math.inf}, {"share": True}],
)
def test_a_budget_that_cannot_work_is_refused(arguments: dict[str, float]) -> None:
    """By the name of what is wrong."""
    with pytest.raises(RuleError) as caught:
        RetryBudget(**arguments)  # type: ignore[arg-type] # that is the point

    assert caught.value.argument in arguments
