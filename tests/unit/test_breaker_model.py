"""The breaker against a naive model of it, step by step, under random histories.

The model keeps every call for ever and counts anew each time. It shares the limits with what it tests, and no code.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from asgi_resync.breaker.limits import BreakerLimits
from asgi_resync.breaker.state import Admission, Circuit, State

WINDOW = 10
"""Seconds, so that a bucket is one second and the model can say which seconds count."""

limits = st.builds(
    BreakerLimits,
    fail_max=st.integers(1, 6),
    reset_timeout=st.sampled_from([5, 20]),
    failure_rate=st.sampled_from([None, 0.3, 0.5, 1.0]),
    minimum_calls=st.integers(1, 6),
    window=st.just(WINDOW),
    slow_call=st.sampled_from([None, 2.0]),
    slow_call_rate=st.sampled_from([0.5, 1.0]),
    probes=st.integers(1, 3),
    successes=st.integers(1, 3),
    probe_timeout=st.sampled_from([4, 50]),
    max_open_time=st.sampled_from([None, 50]),
    jitter=st.sampled_from([0.0, 0.2]),
)


@dataclass(slots=True)
class Call:
    """A call that the model has let go."""

    epoch: int
    began: float
    is_probe: bool
    ended: float | None = None
    failed: bool = False
    slow: bool = False


@dataclass(slots=True)
class Model:
    """What should be: a state, and the whole history."""

    limits: BreakerLimits
    state: str = "closed"
    epoch: int = 0
    until: float = 0.0
    openings: int = 0
    calls: list[Call] = field(default_factory=list)

    def turn(self, state: str) -> None:
        """Begin another epoch."""
        self.state, self.epoch = state, self.epoch + 1

    def admit(self, now: float) -> Call | None:
        """Return a call that may go."""
        if self.state == "open" and now >= self.until:
            self.turn("half-open")
        if self.state in ("open", "forced-open"):
            return None
        if self.state == "half-open":
            waiting = [call for call in self.of_now() if call.ended is None and self.in_time(call, now)]
            if len(waiting) >= self.limits.probes:
                return None
        call = Call(self.epoch, now, is_probe=self.state == "half-open")
        self.calls.append(call)
        return call

    def in_time(self, call: Call, now: float) -> bool:
        """Return whether a probe has not lost its place."""
        return now < call.began + self.limits.probe_timeout

    def of_now(self) -> list[Call]:
        """Return the calls of this epoch."""
        return [call for call in self.calls if call.epoch == self.epoch]

    def end(self, call: Call, now: float, *, failed: bool, spread: float) -> None:
        """Take a result."""
        if call.epoch != self.epoch or self.state == "forced-closed" or call not in self.calls:
            return
        if call.is_probe and not self.in_time(call, now):
            return
        call.ended, call.failed = now, failed
        call.slow = self.limits.slow_call is not None and now - call.began >= self.limits.slow_call
        ended = sorted((other for other in self.of_now() if other.ended is not None), key=self.calls.index)
        if self.state == "half-open":
            if call.failed or call.slow:
                self.open(now, spread)
            elif sum(1 for other in ended) >= self.limits.successes:
                self.turn("closed")
                self.openings = 0
            return
        self.order.append(call)
        row = 0
        for other in reversed([other for other in self.order if other.epoch == self.epoch]):
            if not other.failed:
                break
            row += 1
        recent = [other for other in ended if other.ended is not None and int(now) - int(other.ended) < WINDOW]
        failures, slow = sum(other.failed for other in recent), sum(other.slow for other in recent)
        rate = self.limits.failure_rate
        judged = len(recent) >= self.limits.minimum_calls
        if self.state == "closed" and (
            row >= self.limits.fail_max
            or (judged and rate is not None and failures / len(recent) >= rate)
            or (judged and self.limits.slow_call is not None and slow / len(recent) >= self.limits.slow_call_rate)
        ):
            self.open(now, spread)

    order: list[Call] = field(default_factory=list)
    """The calls in the order in which they ended."""

    def open(self, now: float, spread: float) -> None:
        """Open for a time."""
        longest = self.limits.max_open_time or self.limits.reset_timeout
        time = self.limits.reset_timeout
        for _ in range(self.openings):
            time = min(longest, time * 2)
        self.until = now + time - time * self.limits.jitter * spread
        self.openings += 1
        self.turn("open")


class BreakerMachine(RuleBasedStateMachine):
    """Both do the same things at the same time, and must say the same."""

    @initialize(given=limits)
    def begin(self, given: BreakerLimits) -> None:
        """Make both."""
        self.circuit, self.model = Circuit(given), Model(given)
        self.now = 0.0
        self.out: list[tuple[Admission, Call]] = []

    @rule(seconds=st.sampled_from([0.0, 0.5, 1.0, 3.0, 5.0, 20.0]))
    def wait(self, seconds: float) -> None:
        """Time passes."""
        self.now += seconds

    @rule(times=st.integers(1, 4))
    def admit(self, times: int) -> None:
        """Some ask at once."""
        for _ in range(times):
            expected = self.circuit.would_admit(self.now)
            admission, call = self.circuit.admit(self.now), self.model.admit(self.now)
            assert (call is not None) == (admission is not None) == expected
            if admission is not None and call is not None:
                self.out.append((admission, call))

    @rule(which=st.integers(0, 50), failed=st.booleans(), spread=st.sampled_from([0.0, 0.5, 0.99]))
    def end(self, which: int, failed: bool, spread: float) -> None:
        """A call ends, whichever of those that are out."""
        if self.out:
            admission, call = self.out.pop(which % len(self.out))
            (self.circuit.fail if failed else self.circuit.succeed)(admission, self.now, spread)
            self.model.end(call, self.now, failed=failed, spread=spread)

    @rule(which=st.integers(0, 50))
    def withdraw(self, which: int) -> None:
        """A call is cancelled."""
        if self.out:
            admission, call = self.out.pop(which % len(self.out))
            self.circuit.withdraw(admission)
            self.model.calls = [other for other in self.model.calls if other is not call]

    @rule(state=st.sampled_from([State.FORCED_OPEN, State.FORCED_CLOSED, State.METRICS_ONLY, State.CLOSED]))
    def force(self, state: State) -> None:
        """An operator steps in."""
        self.circuit.force(state, self.now)
        if state == "closed":
            self.model.openings = 0
        if state == "closed" or self.model.state != state:
            self.model.turn(state)

    @invariant()
    def agree(self) -> None:
        """The states are the same, and so is the time that callers are told."""
        if hasattr(self, "circuit"):
            assert self.model.state == self.circuit.state
            if self.model.state == "open":
                # The two round at other places.
                assert pytest.approx(max(0.0, self.model.until - self.now)) == self.circuit.retry_after(self.now)
            assert self.circuit.retry_after(self.now) >= 0


TestBreakerMachine = BreakerMachine.TestCase
TestBreakerMachine.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
