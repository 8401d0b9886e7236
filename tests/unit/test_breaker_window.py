"""The window of a breaker against a list of all calls."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from asgi_resync.breaker.window import Window


@given(st.lists(st.tuples(st.sampled_from([0.0, 0.4, 1.0, 2.5, 9.0, 10.0, 100.0]), st.booleans(), st.booleans())))
def test_it_counts_what_ended_within_its_span(calls: list[tuple[float, bool, bool]]) -> None:
    """To a tenth of the span."""
    window, now, history = Window(10), 0.0, []
    for step, failed, slow in calls:
        now += step
        window.record(now, failed=failed, slow=slow)
        history.append((now, failed, slow))
    window.expire(now)
    kept = [call for call in history if int(now) - int(call[0]) < 10]

    assert len(kept) == window.calls
    assert sum(failed for _, failed, _ in kept) == window.failures
    assert sum(slow for *_, slow in kept) == window.slow


def test_it_forgets_without_calls() -> None:
    """Reading it late shows nothing old."""
    window = Window(10)
    window.record(1, failed=True, slow=True)
    window.expire(12)

    assert (0, 0, 0) == (window.calls, window.failures, window.slow)


def test_time_that_goes_back_stands_still() -> None:
    """Nothing is counted twice, and nothing is lost."""
    window = Window(10)
    window.succeed(50)
    window.succeed(3)
    window.expire(3)

    assert 2 == window.calls
