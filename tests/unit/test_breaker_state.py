"""The states of a breaker, turned by hand: what opens it, who probes, what closes it, what counts for nothing."""

from __future__ import annotations

from typing import Any

import pytest

from asgi_resync.breaker.limits import BreakerLimits
from asgi_resync.breaker.state import Admission, Change, Circuit, Heard, State
from asgi_resync.errors import RuleError


def circuit(**limits: Any) -> Circuit:
    """Return a circuit that opens after two failures for ten seconds, unless *limits* say otherwise."""
    return Circuit(BreakerLimits(**{"fail_max": 2, "reset_timeout": 10, "failure_rate": None, "jitter": 0, **limits}))


def admitted(subject: Circuit, now: float = 0.0) -> Admission:
    """Return an admission that must be given."""
    admission = subject.admit(now)
    assert admission is not None
    return admission


def fail(subject: Circuit, now: float = 0.0, times: int = 1, spread: float = 0.0) -> None:
    """Let calls fail, one after the other."""
    for _ in range(times):
        subject.fail(admitted(subject, now), now, spread)


def succeed(subject: Circuit, now: float = 0.0, times: int = 1) -> None:
    """Let calls succeed, one after the other."""
    for _ in range(times):
        subject.succeed(admitted(subject, now), now, 0.0)


def opened(**limits: Any) -> Circuit:
    """Return a circuit that opened at 0, for ten seconds."""
    subject = circuit(**limits)
    fail(subject, times=subject.limits.fail_max)
    assert subject.state is State.OPEN
    return subject


def test_failures_in_a_row_open_it() -> None:
    """`fail_max` of them, and a success in between begins the count anew."""
    subject = circuit(fail_max=3)
    fail(subject, times=2)
    succeed(subject)
    fail(subject, times=2)
    before = subject.state
    fail(subject)

    assert (State.CLOSED, State.OPEN) == (before, subject.state)
    assert [Change(before=State.CLOSED, after=State.OPEN, cause="failures", open_for=10.0)] == subject.changes


def test_a_share_of_failures_opens_it_once_there_were_enough_calls() -> None:
    """Half of ten; half of eight is too few calls to judge by."""
    subject = circuit(fail_max=100, failure_rate=0.5, minimum_calls=10)
    for _ in range(4):
        fail(subject)
        succeed(subject)
    before = subject.state
    fail(subject)
    succeed(subject)

    assert (State.CLOSED, State.OPEN) == (before, subject.state)
    assert "failure-rate" == subject.changes[0].cause


def test_failures_older_than_the_window_do_not_count() -> None:
    """Nine failures, half a minute of silence, one more: no share of anything."""
    subject = circuit(fail_max=100, failure_rate=0.5, minimum_calls=10, window=30)
    fail(subject, now=0, times=9)
    fail(subject, now=40)

    assert State.CLOSED == subject.state
    assert (1, 1) == (subject.window.calls, subject.window.failures)


def test_calls_that_take_too_long_open_it_though_they_succeed() -> None:
    """An upstream that hangs is as good as one that fails."""
    subject = circuit(slow_call=5, slow_call_rate=0.5, minimum_calls=4)
    for began in (0.0, 1.0):
        subject.succeed(admitted(subject, began), began + 5, 0.0)
    for began in (6.0, 6.5):
        subject.succeed(admitted(subject, began), began + 4.9, 0.0)

    assert State.OPEN == subject.state
    assert "slow-calls" == subject.changes[0].cause


def test_while_open_nobody_is_admitted_and_everybody_is_told_how_long() -> None:
    """Until its time is over, to the second."""
    subject = opened()

    assert [None, None] == [subject.admit(0), subject.admit(9.9)]
    assert [10, 0.5, 0] == [subject.retry_after(0), subject.retry_after(9.5), subject.retry_after(11)]
    assert subject.admit(10) is not None


@pytest.mark.parametrize("probes", [1, 3])
def test_half_open_admits_so_many_and_no_more(probes: int) -> None:
    """However many ask at once."""
    subject = opened(probes=probes, successes=5)

    assert probes == sum(subject.admit(10) is not None for _ in range(100))
    assert State.HALF_OPEN == subject.state


def test_enough_successes_close_it() -> None:
    """One after the other, each in the place that the one before gave back."""
    subject = opened(successes=2)
    succeed(subject, now=10)
    before = subject.state
    succeed(subject, now=10)

    assert (State.HALF_OPEN, State.CLOSED) == (before, subject.state)
    assert ["failures", "time", "successes"] == [change.cause for change in subject.changes]


def test_one_failed_probe_opens_it_again() -> None:
    """Whatever the others that are out say later."""
    subject = opened(probes=3, successes=1)
    first, second = admitted(subject, 10), admitted(subject, 10)
    subject.fail(first, 11, 0.0)
    subject.succeed(second, 12, 0.0)

    assert State.OPEN == subject.state
    assert subject.admit(20.9) is None
    assert subject.admit(21) is not None


def test_a_slow_probe_is_a_failed_one() -> None:
    """It would open again with the next few calls."""
    subject = opened(slow_call=2)
    subject.succeed(admitted(subject, 10), 12, 0.0)

    assert State.OPEN == subject.state


@pytest.mark.parametrize("ending", ["fail", "succeed"])
def test_what_was_admitted_before_a_change_counts_for_nothing_after_it(ending: str) -> None:
    """A late success closes nothing while a probe is out, and a late failure opens nothing."""
    subject = circuit()
    late, later = admitted(subject), admitted(subject)
    fail(subject, times=2)
    probe = admitted(subject, 10)
    getattr(subject, ending)(late, 10, 0.0)
    during = subject.state
    subject.succeed(probe, 11, 0.0)
    for _ in range(5):
        getattr(subject, ending)(later, 11, 0.0)

    assert (State.HALF_OPEN, State.CLOSED) == (during, subject.state)
    assert (0, 0) == (subject.window.calls, subject.consecutive)


def test_a_withdrawn_call_counts_for_nothing_and_gives_its_place_back() -> None:
    """A thousand clients that went away open nothing, and a cancelled probe lets the next one go."""
    subject = circuit()
    for _ in range(1000):
        subject.withdraw(admitted(subject))
    fail(subject, times=2)
    subject.withdraw(admitted(subject, 10))

    assert subject.admit(10) is not None
    assert State.HALF_OPEN == subject.state


def test_a_probe_that_never_comes_back_loses_its_place() -> None:
    """Another may go after `probe_timeout`, and the result of the lost one counts for nothing."""
    subject = opened(probe_timeout=30)
    lost = admitted(subject, 10)
    refused = subject.admit(39)
    admitted(subject, 40)
    subject.succeed(lost, 41, 0.0)

    assert refused is None
    assert State.HALF_OPEN == subject.state
    assert subject.admit(41) is None


def test_a_probe_counts_once() -> None:
    """Whoever hands it back twice has given one result."""
    subject = opened(successes=2)
    probe = admitted(subject, 10)
    subject.succeed(probe, 10, 0.0)
    subject.succeed(probe, 10, 0.0)

    assert State.HALF_OPEN == subject.state


def test_it_stays_open_longer_each_time_its_probes_fail_up_to_a_cap_and_less_a_random_share() -> None:
    """10, 20, 40, 45, 45 seconds, of which up to a tenth is taken off; closing begins anew."""
    subject = circuit(max_open_time=45, jitter=0.1)
    now, times = 0.0, []
    fail(subject, times=2)
    for spread in (0.0, 0.0, 0.0, 0.5):
        times.append(subject.retry_after(now))
        now += times[-1]
        fail(subject, now, spread=spread)
    times.append(subject.retry_after(now))
    now += times[-1]
    succeed(subject, now)
    fail(subject, now, times=2)

    assert pytest.approx([10, 20, 40, 45, 45 * 0.95]) == times
    assert 10 == subject.retry_after(now)


def test_it_stays_open_as_long_each_time_unless_told_otherwise() -> None:
    """So that recovery is noticed within the reset time, however long the outage was; a million failures overflow
    nothing.
    """
    subject = opened()
    now = 0.0
    for _ in range(3000):
        now += subject.retry_after(now)
        fail(subject, now)

    assert 10 == subject.retry_after(now)


@pytest.mark.parametrize("forced", [State.FORCED_CLOSED, State.METRICS_ONLY])
def test_forced_closed_and_metrics_only_let_everything_pass(forced: State) -> None:
    """A hundred failures open nothing; only the latter counts them."""
    subject = opened(failure_rate=0.5)
    subject.force(forced, 1)
    fail(subject, 1, times=100)
    succeed(subject, 1)

    assert forced == subject.state
    assert (100 if forced is State.METRICS_ONLY else 0) == subject.window.failures
    assert (101 if forced is State.METRICS_ONLY else 0) == subject.window.calls


def test_forced_open_admits_nobody_until_it_is_reset() -> None:
    """However long it takes."""
    subject = circuit()
    subject.force(State.FORCED_OPEN, 0)
    answers = [subject.admit(now) for now in (0, 10, 1e9)]
    subject.force(State.CLOSED, 1e9)

    assert [None] * 3 == answers
    assert subject.admit(1e9) is not None
    assert ["operator"] * 2 == [change.cause for change in subject.changes]


def test_a_reset_forgets() -> None:
    """What has failed before, also where it was closed already."""
    subject = circuit()
    fail(subject)
    late = admitted(subject)
    subject.force(State.CLOSED, 0)
    subject.fail(late, 0, 0.0)
    fail(subject)

    assert State.CLOSED == subject.state
    assert [] == subject.changes


def test_what_was_admitted_before_an_operator_stepped_in_counts_for_nothing() -> None:
    """A probe that comes back to a breaker forced open leaves it so."""
    subject = opened()
    probe = admitted(subject, 10)
    subject.force(State.FORCED_OPEN, 10)
    subject.succeed(probe, 11, 0.0)

    assert State.FORCED_OPEN == subject.state


def test_it_opens_early_when_another_process_did() -> None:
    """For what the other has left, and no longer than its own limits allow."""
    subject, other = circuit(), circuit()
    subject.hear(Heard(state=State.OPEN, open_for=4), 0, 0.0)
    other.hear(Heard(state=State.OPEN, open_for=1e9), 0, 0.0)

    assert [State.OPEN, State.OPEN] == [subject.state, other.state]
    assert [4, 10] == [subject.retry_after(0), other.retry_after(0)]
    assert "heard" == subject.changes[0].cause


def test_what_it_knows_itself_counts_for_more_than_hearsay() -> None:
    """One process that is cut off does not take the upstream from the others; but their next failure opens them."""
    subject = circuit()
    good = admitted(subject)
    subject.succeed(good, 0, 0.0)
    subject.hear(Heard(state=State.OPEN, open_for=4), 1, 0.0)
    states = [subject.state]
    fail(subject, 2)
    states.append(subject.state)

    assert [State.CLOSED, State.OPEN] == states
    assert "failures" == subject.changes[0].cause


@pytest.mark.parametrize("later", ["time", "closed"])
def test_a_suspicion_ends(later: str) -> None:
    """When the time is over that the other stays open, or it has closed."""
    subject = circuit()
    subject.succeed(admitted(subject), 0, 0.0)
    subject.hear(Heard(state=State.OPEN, open_for=4), 1, 0.0)
    if later == "closed":
        subject.hear(Heard(state=State.CLOSED), 2, 0.0)
    fail(subject, 5 if later == "time" else 2)

    assert State.CLOSED == subject.state


def test_who_has_failures_of_his_own_believes_others() -> None:
    """It opens before it has as many as its limits ask for; so does who knows nothing lately."""
    subject, idle = circuit(), circuit()
    subject.succeed(admitted(subject), 0, 0.0)
    fail(subject, 1)
    subject.hear(Heard(state=State.OPEN, open_for=4), 1, 0.0)
    idle.succeed(admitted(idle), 0, 0.0)
    idle.hear(Heard(state=State.OPEN, open_for=4), 1000, 0.0)

    assert [State.OPEN, State.OPEN] == [subject.state, idle.state]


def test_a_good_probe_is_knowledge_of_its_own() -> None:
    """The process that is cut off hears that it closed, probes in vain, and says so: nobody opens for that."""
    subject = opened()
    subject.succeed(admitted(subject, 10), 11, 0.0)
    subject.hear(Heard(state=State.OPEN, open_for=4), 12, 0.0)

    assert State.CLOSED == subject.state


def test_it_leaves_the_probe_to_another_process_but_not_for_ever() -> None:
    """Until the other is done, or its probe must be lost."""
    subject = opened(probe_timeout=3)
    subject.hear(Heard(state=State.HALF_OPEN, open_for=100), 10, 0.0)

    assert subject.admit(12.9) is None
    assert subject.admit(13) is not None


def test_it_stays_open_when_the_probe_of_another_failed() -> None:
    """Its own would have."""
    subject = opened()
    subject.hear(Heard(state=State.OPEN, open_for=8), 9, 0.0)

    assert subject.admit(16.9) is None
    assert subject.admit(17) is not None


def test_it_probes_early_when_another_process_closed_but_does_not_close_on_hearsay() -> None:
    """The next caller is the probe."""
    subject = opened()
    subject.hear(Heard(state=State.CLOSED), 1, 0.0)
    admission = subject.admit(1)

    assert admission is not None
    assert State.HALF_OPEN == subject.state


@pytest.mark.parametrize("forced", [State.FORCED_OPEN, State.FORCED_CLOSED, State.METRICS_ONLY])
@pytest.mark.parametrize("said", [State.OPEN, State.HALF_OPEN, State.CLOSED])
def test_what_an_operator_forced_no_other_process_changes(forced: State, said: State) -> None:
    """Each process has its own operator."""
    subject = circuit()
    subject.force(forced, 0)
    subject.hear(Heard(state=said, open_for=5), 0, 0.0)

    assert forced == subject.state


@pytest.mark.parametrize(
    "limits",
    [
        {"fail_max": 0}, {"fail_max": True}, {"probes": 1.5}, {"successes": 0}, {"minimum_calls": 0}, {"window": 0},
        {"reset_timeout": -1}, {"reset_timeout": None}, {"reset_timeout": float("inf")}, {"slow_call": "5"},
        {"failure_rate": 0}, {"failure_rate": 50}, {"slow_call_rate": None}, {"jitter": 1}, {"probe_timeout": 0},
        {"max_open_time": 5},
    ],
)  # fmt: skip
def test_limits_that_cannot_work_are_refused(limits: dict[str, Any]) -> None:
    """By name, when they are made."""
    with pytest.raises(RuleError) as refused:
        BreakerLimits(**limits)

    assert next(iter(limits)) == refused.value.argument


def test_new_limits_leave_the_state_and_the_row_as_they_are() -> None:
    """One failure that was counted counts on under the new limit."""
    subject = circuit(fail_max=3)
    fail(subject)
    subject.adopt(BreakerLimits(fail_max=2, failure_rate=None), 0.0)
    before = subject.state
    fail(subject)

    assert (before, subject.state) == (State.CLOSED, State.OPEN)


def test_an_open_breaker_probes_as_early_as_new_limits_say() -> None:
    """Who shortens the time does not wait for the longer one to end, and who lengthens it does not end it."""
    subject = opened()
    subject.adopt(BreakerLimits(reset_timeout=3), 1.0)
    assert 3.0 == subject.retry_after(1.0)
    subject.adopt(BreakerLimits(reset_timeout=60), 1.0)

    assert subject.state is State.OPEN
    assert 3.0 == subject.retry_after(1.0)


def test_calls_from_before_anybody_watched_for_slow_ones_are_not_slow() -> None:
    """Nobody noted when they began."""
    subject = circuit()
    early = admitted(subject, 100.0)
    subject.adopt(BreakerLimits(slow_call=1, slow_call_rate=0.5, minimum_calls=2), 100.0)
    subject.succeed(early, 200.0, 0.0)

    assert (subject.window.calls, subject.window.slow) == (1, 0)
    late = admitted(subject, 200.0)
    subject.succeed(late, 202.0, 0.0)
    assert subject.state is State.OPEN
