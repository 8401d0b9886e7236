"""The state machine of a breaker. It knows no clock, no randomness and no upstream: all three come in as arguments.

    closed ── too many failures ──> open ── its time is over ──> half-open ── enough successes ──> closed
                                     ^                               │
                                     └────────── a probe failed ─────┘

`forced-open`, `forced-closed` and `metrics-only` are entered and left by hand. Rules that hold in every state:

- Every change of state begins a generation. The result of a call counts only in the generation that admitted it.
- A withdrawn call (cancelled, or given up for a reason of the caller's) counts for nothing and gives its place back.
- In `half-open` at most `probes` calls are out at a time; one that is out for `probe_timeout` has lost its place.
- `forced-closed` counts nothing. `metrics-only` counts, and never opens.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

from .limits import BreakerLimits
from .window import Window


class State(StrEnum):
    """What a breaker is at."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half-open"
    FORCED_OPEN = "forced-open"
    FORCED_CLOSED = "forced-closed"
    METRICS_ONLY = "metrics-only"


class Admission:
    """That one call, or in `closed` any number of them, may go; handed back with its result.

    `began` is when it was admitted, infinite where nobody watched for slow calls; `probe` numbers the probes, others
    have 0.
    """

    __slots__ = ("began", "generation", "probe")

    def __init__(self, generation: int, began: float = math.inf, probe: int = 0) -> None:
        self.generation = generation
        self.began = began
        self.probe = probe


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A change of state. `open_for` is how long nobody is admitted, in seconds; 0 where somebody is.

    `cause` is `failures`, `failure-rate`, `slow-calls`, `probe`, `time`, `successes`, `operator`, `connected` or
    `heard`.
    """

    before: State
    after: State
    cause: str
    open_for: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """What another process says of its breaker for the same upstream.

    `open_for` is how many seconds more it stays `open`; in `half-open`, how long it may take over its probe.
    """

    state: State
    open_for: float = 0.0


_ADMITTING = frozenset({State.CLOSED, State.FORCED_CLOSED, State.METRICS_ONLY})
_FORCED = frozenset({State.FORCED_OPEN, State.FORCED_CLOSED, State.METRICS_ONLY})


class Circuit:
    """One breaker's state under *limits*. Times are seconds of one monotonic clock.

    `state`, `generation` and `window` may be read. `changes` are those nobody has told yet, in order: whoever acts on
    them takes them out.

    While calls need not be told apart, `standing` is the admission of all of them, else None; and while
    `window.is_calm` and nothing failed in a row, a success under it is only `window.succeed(now)`.
    """

    __slots__ = (
        "_next_probe", "_opened", "_openings", "_probes", "_successes", "_suspect_until", "_until", "_well_at",
        "changes", "consecutive", "generation", "limits", "standing", "state", "window",
    )  # fmt: skip

    def __init__(self, limits: BreakerLimits) -> None:
        self.limits = limits
        self.window = Window(limits.window)
        self.changes: list[Change] = []
        self.generation = 0
        self.consecutive = 0
        self._openings = 0
        self._next_probe = 0
        self._opened = 0.0
        self._until = 0.0
        self._well_at: float | None = None
        """When probes last closed it."""
        self._probes: dict[int, float] = {}
        self._enter(State.CLOSED)

    def admit(self, now: float) -> Admission | None:
        """Return an admission, or None if the upstream is not to be called at *now*."""
        if self.state in _ADMITTING:
            return self.standing if self.standing is not None else Admission(self.generation, now)
        if self.state is State.OPEN and now >= self._until:
            self._change(State.HALF_OPEN, "time")
        if self.state is not State.HALF_OPEN:
            return None
        self._expire(now)
        if len(self._probes) >= self.limits.probes:
            return None
        self._next_probe += 1
        self._probes[self._next_probe] = now + self.limits.probe_timeout
        return Admission(self.generation, now, self._next_probe)

    def retry_after(self, now: float) -> float:
        """Return the seconds after which it may be worth asking again; a guess where an operator decides."""
        if self.state is State.FORCED_OPEN:
            return self.limits.reset_timeout
        if self.state is State.HALF_OPEN and len(self._probes) >= self.limits.probes:
            # The probes are out. They come back, or lose their place, by then; and one second is a fair guess.
            return max(0.0, min(1.0, min(self._probes.values()) - now))
        return max(0.0, self._until - now) if self.state not in _ADMITTING else 0.0

    @property
    def is_open(self) -> bool:
        """Whether it has opened and not closed since; half-open counts as open."""
        return self.state not in _ADMITTING

    def opened_for(self, now: float) -> float:
        """Return the seconds since it opened; 0 where it is not open."""
        return max(0.0, now - self._opened) if self.is_open else 0.0

    def would_admit(self, now: float) -> bool:
        """Return whether `admit` would give an admission, without taking one."""
        if self.state in _ADMITTING:
            return True
        if self.state is State.FORCED_OPEN or now < self._until:
            return False
        out = sum(1 for deadline in self._probes.values() if deadline > now)
        return self.state is State.OPEN or out < self.limits.probes

    def succeed(self, admission: Admission, now: float, spread: float) -> None:
        """Count a call that ended well at *now*. *spread* is random, from 0 to below 1: it may have been too slow."""
        if not self._counts(admission, now):
            return
        slow = self._is_slow(admission, now)
        if self.state is State.HALF_OPEN:
            if slow:
                self._open(now, spread, "probe")
                return
            self._successes += 1
            if self._successes >= self.limits.successes:
                self._well_at = now
                self._change(State.CLOSED, "successes")
            return
        self.consecutive = 0
        self.window.record(now, failed=False, slow=slow)
        self._judge(now, spread)

    def fail(self, admission: Admission, now: float, spread: float) -> None:
        """Count a call that failed at *now*. *spread* is random, from 0 to below 1."""
        if not self._counts(admission, now):
            return
        if self.state is State.HALF_OPEN:
            self._open(now, spread, "probe")
            return
        self.consecutive += 1
        self.window.record(now, failed=True, slow=self._is_slow(admission, now))
        self._judge(now, spread)

    def withdraw(self, admission: Admission) -> None:
        """Give back the place of a call of which nothing can be said."""
        if admission.generation == self.generation:
            self._probes.pop(admission.probe, None)

    def force(self, state: State, now: float, cause: str = "operator") -> None:
        """Enter *state* by hand: one of the three forced ones until told otherwise, or closed as if new."""
        if state is State.CLOSED:
            self._openings = 0
        if state not in _ADMITTING:
            self._opened = now
        if state is not self.state:
            self._change(state, cause)
        elif state is State.CLOSED:
            self._enter(state)

    def adopt(self, limits: BreakerLimits, now: float) -> None:
        """Go by *limits* from now on, and stay what it is. With another window, calls are counted anew.

        One that is open stays so no longer than *limits* would have it.
        """
        before, self.limits = self.limits, limits
        if limits.window != before.window:
            self.window = Window(limits.window)
        self._until = min(self._until, now + (limits.max_open_time or limits.reset_timeout))
        self._stand()

    def hear(self, heard: Heard, now: float, spread: float) -> None:
        """Act on what another process says: open early, leave it the probe, or probe early. *spread* is random.

        What it knows itself counts for more, or one process that is cut off from the upstream would take it from all:
        while the last that was heard of the upstream here is good, one failure opens it, but not hearsay alone. It
        never closes on hearsay, never stays open for longer than its own limits allow, and what an operator has forced
        stays forced.
        """
        if self.state in _FORCED:
            return
        longest = self.limits.max_open_time or self.limits.reset_timeout
        hold = min(max(0.0, heard.open_for), longest) * (1 - self.limits.jitter * spread)
        match heard.state:
            case State.OPEN if self.state is State.CLOSED and self._is_well(now):
                self._suspect_until = now + hold
            case State.OPEN if self.state is State.CLOSED and hold > 0:
                self._opened = now
                self._openings = 1
                self._until = now + hold
                self._change(State.OPEN, "heard", hold)
            case State.OPEN if self.state is State.OPEN:
                # Its probe failed just now, so ours would have.
                self._until = max(self._until, now + hold)
            case State.HALF_OPEN if self.state is State.OPEN:
                self._until = max(self._until, now + min(hold, self.limits.probe_timeout))
            case State.CLOSED if self.state is State.OPEN:
                self._until = min(self._until, now)
            case State.CLOSED:
                self._suspect_until = 0.0

    def _is_well(self, now: float) -> bool:
        """Return whether a call has ended well here lately, and none has failed since."""
        if self.consecutive:
            return False
        self.window.expire(now)
        is_lately = self._well_at is not None and now - self._well_at < self.limits.window
        return is_lately or self.window.calls > self.window.failures

    def _counts(self, admission: Admission, now: float) -> bool:
        if admission.generation != self.generation or self.state is State.FORCED_CLOSED:
            return False
        if admission.probe:
            self._expire(now)
            return self._probes.pop(admission.probe, None) is not None
        return True

    def _is_slow(self, admission: Admission, now: float) -> bool:
        limit = self.limits.slow_call
        return limit is not None and now - admission.began >= limit

    def _judge(self, now: float, spread: float) -> None:
        if self.state is not State.CLOSED:
            return
        limits, window = self.limits, self.window
        if self.consecutive >= limits.fail_max or (self.consecutive and now < self._suspect_until):
            self._open(now, spread, "failures")
        elif window.calls >= limits.minimum_calls:
            if limits.failure_rate is not None and window.failures / window.calls >= limits.failure_rate:
                self._open(now, spread, "failure-rate")
            elif window.slow / window.calls >= limits.slow_call_rate:
                self._open(now, spread, "slow-calls")

    def _expire(self, now: float) -> None:
        for probe in [probe for probe, deadline in self._probes.items() if deadline <= now]:
            del self._probes[probe]

    def _open(self, now: float, spread: float, cause: str) -> None:
        limits = self.limits
        longest = limits.max_open_time or limits.reset_timeout
        # 2.0 ** 1024 overflows; after a thousand openings the cap has long been reached.
        grown = limits.reset_timeout * 2.0 ** min(self._openings, 1000)
        open_for = min(grown, longest) * (1 - limits.jitter * spread)
        if self._openings == 0:
            self._opened = now
        self._openings += 1
        self._until = now + open_for
        self._change(State.OPEN, cause, open_for)

    def _change(self, state: State, cause: str, open_for: float = 0.0) -> None:
        self.changes.append(Change(before=self.state, after=state, cause=cause, open_for=open_for))
        if state is State.CLOSED:
            self._openings = 0
        self._enter(state)

    def _enter(self, state: State) -> None:
        self.state = state
        self.generation += 1
        self.consecutive = 0
        self._successes = 0
        self._suspect_until = 0.0
        self._probes.clear()
        self.window.clear()
        self._stand()

    def _stand(self) -> None:
        is_plain = self.state in (State.CLOSED, State.METRICS_ONLY) and self.limits.slow_call is None
        self.standing = Admission(self.generation) if is_plain else None
