"""A breaker in use: the state machine with a clock, randomness, listeners and a lock. It decides nothing itself.

It never waits, and asks nobody: what other processes know reaches it by `hear`.
"""

from __future__ import annotations

import logging
import random
import sys
import threading
import time
from collections.abc import Callable
from types import TracebackType

from .._asgi import Clock
from ..errors import BreakerOpen, RuleError
from ..events import (
    BreakerChanged,
    Event,
    Listener,
    UpstreamFailed,
    UpstreamRecovered,
    UpstreamRefused,
    guarded,
    wants,
)
from ..noted import get_notes
from .blocks import Entered, get_entered, leave_outer, set_entered
from .limits import BreakerLimits
from .outcome import is_failed_status, is_neutral, status_of
from .permit import Permit
from .report import BreakerReport
from .route import RouteNotes
from .state import Admission, Circuit, Heard, State

_log = logging.getLogger("asgi_resync")
_DEFAULT = is_failed_status


class Breaker:
    """Guards the calls of one upstream: `async with breaker: …`, or `permit = breaker.admit()`.

    Raises BreakerOpen where it does not admit. Whatever the block raises goes on unchanged. An exception counts as a
    failure if *is_failure* says so, by default unless it carries a status that *is_failed_status* does not mind; by
    default that minds 5xx and 429. Cancellation counts for nothing.

    *clock* gives monotonic seconds, *wall* those since the epoch, *spread* a random number from 0 to below 1.
    *on_event* is called with each event. It may be used on several loops, and `admit` in threads.
    """

    __slots__ = (
        "_block", "_circuit", "_clock", "_is_told_of_calls", "_listeners", "_lock", "_spread", "_wall",
        "is_failed_status", "is_failure", "name",
    )  # fmt: skip

    def __init__(
        self,
        name: str,
        limits: BreakerLimits | None = None,
        *,
        is_failure: Callable[[BaseException], bool] | None = None,
        is_failed_status: Callable[[int], bool] = is_failed_status,
        on_event: Listener | None = None,
        clock: Clock = time.monotonic,
        wall: Clock = time.time,
        spread: Callable[[], float] = random.random,
    ) -> None:
        given: object = limits
        if given is not None and not isinstance(given, BreakerLimits):
            raise RuleError("limits", given, "give BreakerLimits, such as BreakerLimits(fail_max=3)")
        self.name = name
        self.is_failed_status = is_failed_status if is_failed_status is _DEFAULT else self._guarded(is_failed_status)
        self.is_failure = is_failure
        self._circuit = Circuit(limits if limits is not None else BreakerLimits())
        self._block: Entered | None = None
        """That of a task which is in no other, while calls need not be told apart: made once for all of them."""
        self._clock = clock
        self._wall = wall
        self._spread = spread
        self._lock = threading.Lock()
        self._listeners: tuple[Listener, ...] = ()
        self._is_told_of_calls = False
        if on_event is not None:
            self.listen(on_event)

    # What it is at

    @property
    def limits(self) -> BreakerLimits:
        """Its limits."""
        return self._circuit.limits

    @property
    def state(self) -> State:
        """What it was told or found last; an `open` one whose time is over is `half-open` once somebody asks."""
        return self._circuit.state

    @property
    def is_admitting(self) -> bool:
        """Whether a call would be admitted now."""
        with self._lock:
            return self._circuit.would_admit(self._clock())

    @property
    def since(self) -> float | None:
        """When it opened, in seconds since the epoch; None where it is not open."""
        with self._lock:
            open_for = self._circuit.opened_for(self._clock())
            return self._wall() - open_for if self._circuit.is_open else None

    @property
    def retry_after(self) -> float:
        """The seconds after which it may be worth asking; 0 if now."""
        with self._lock:
            return self._circuit.retry_after(self._clock())

    def report(self) -> BreakerReport:
        """Return how it stands."""
        with self._lock:
            now, circuit = self._clock(), self._circuit
            circuit.window.expire(now)
            return BreakerReport(
                upstream=self.name,
                state=circuit.state.value,
                calls=circuit.window.calls,
                failures=circuit.window.failures,
                slow=circuit.window.slow,
                row=circuit.consecutive,
                open_for=circuit.opened_for(now),
                retry_after=circuit.retry_after(now),
            )

    def listen(self, listener: Listener) -> None:
        """Call *listener* with each event from now on; what it raises is logged and dropped."""
        self._listeners = (*self._listeners, guarded(listener))
        self._is_told_of_calls |= wants(listener, UpstreamFailed, UpstreamRefused)

    # Calls

    def admit(self) -> Permit:
        """Return a permit for one call; its result must be given. Raises BreakerOpen."""
        admission = self._admit()
        if admission is None:
            raise self.refusal()
        return Permit(self, admission)

    def ask(self) -> Permit | None:
        """Return a permit for one call, or None where `admit` would raise."""
        admission = self._circuit.standing
        if admission is None or get_notes() is not None:
            admission = self._admit()
        return None if admission is None else Permit(self, admission)

    def refusal(self) -> BreakerOpen:
        """Return the exception to raise now for a call that was not admitted."""
        with self._lock:
            now = self._clock()
            retry_after, open_for = self._circuit.retry_after(now), self._circuit.opened_for(now)
        if "purgatory.domain.model" in sys.modules:
            # Whoever could catch purgatory's exception has loaded it.
            from .opened import BreakerOpen as Opened

            return Opened(self.name, retry_after, self._wall() - open_for)
        return BreakerOpen(self.name, retry_after, self._wall() - open_for)

    async def __aenter__(self) -> Breaker:
        # As `enter`, without one call more: it is 0.06 of purgatory's whole.
        circuit = self._circuit
        admission = circuit.standing
        if admission is None or get_notes() is not None:
            self.enter()
        elif (outer := get_entered()) is not None:
            set_entered((circuit, admission, outer))
        elif (block := self._block) is not None and block[1] is admission:
            set_entered(block)
        else:
            self._block = block = (circuit, admission, None)
            set_entered(block)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if error is None:
            # As `leave`, where nothing changes.
            circuit, entered = self._circuit, get_entered()
            # What stands for calls in `closed` is this circuit's alone, so that its block can be no other's.
            if entered is not None and entered[1] is circuit.standing:
                window = circuit.window
                if window.is_calm and not circuit.consecutive:
                    set_entered(entered[2])
                    if (now := self._clock()) < window.ends:
                        window.counts[window.place] += 1
                    else:
                        window.succeed(now)
                    return
        self.leave(error)

    def enter(self) -> None:
        """Begin a block of this task's, as `async with` does. Raises BreakerOpen."""
        admission = self._circuit.standing
        if admission is None or get_notes() is not None:
            admission = self._admit()
            if admission is None:
                raise self.refusal()
        set_entered((self._circuit, admission, get_entered()))

    def leave(self, error: BaseException | None) -> None:
        """End the innermost block of this task's, which raised *error*.

        A block that was begun in another task counts for nothing; if it was a probe it loses its place in time.
        """
        entered = get_entered()
        if entered is not None and entered[0] is self._circuit:
            set_entered(entered[2])
            admission = entered[1]
        elif (found := leave_outer(self._circuit, entered)) is not None:
            admission = found
        else:
            return
        if error is None:
            self.book_success(admission)
        else:
            self.book_error(admission, error)

    # Operators and other processes

    def force_open(self) -> None:
        """Admit nobody until `reset`."""
        self._force(State.FORCED_OPEN)

    def force_closed(self) -> None:
        """Admit everybody and count nothing until `reset`."""
        self._force(State.FORCED_CLOSED)

    def metrics_only(self) -> None:
        """Admit everybody, and count, until `reset`."""
        self._force(State.METRICS_ONLY)

    def reset(self, *, cause: str = "operator") -> None:
        """Close, and forget what was; *cause* is what BreakerChanged says of it."""
        self._force(State.CLOSED, cause)

    def adjust(self, limits: BreakerLimits) -> None:
        """Go by *limits* from now on, and stay open, or closed, as it is."""
        with self._lock:
            self._circuit.adopt(limits, self._clock())

    def hear(self, heard: Heard) -> None:
        """Act on what another process says of the same upstream: open early, leave it the probe, or probe early."""
        with self._lock:
            self._circuit.hear(heard, self._clock(), self._spread())
            events = self._changes()
        self._emit(events)

    # For permits

    def now(self) -> float:
        """Return the time on its clock."""
        return self._clock()

    def book_success(self, admission: Admission) -> None:
        """Count a call that ended well."""
        circuit = self._circuit
        window = circuit.window
        if admission is circuit.standing and window.is_calm and not circuit.consecutive:
            # The common case, without the lock: nothing can change.
            window.succeed(self._clock())
            return
        with self._lock:
            row = circuit.consecutive if admission.generation == circuit.generation else 0
            circuit.succeed(admission, self._clock(), self._spread())
            events = self._changes()
        if row and not events:
            events.append(UpstreamRecovered(upstream=self.name))
        self._emit(events)

    def book_failure(self, admission: Admission, cause: BaseException | int) -> None:
        """Count a call that failed."""
        circuit = self._circuit
        with self._lock:
            row, is_current = circuit.consecutive, admission.generation == circuit.generation
            circuit.fail(admission, self._clock(), self._spread())
            events = self._changes()
        if is_current and self._is_told_of_calls:
            text = str(cause) if isinstance(cause, int) else type(cause).__name__
            events.insert(0, UpstreamFailed(upstream=self.name, cause=text, row=row + 1))
        self._emit(events)

    def book_error(self, admission: Admission, error: BaseException) -> None:
        """Count a call that raised, as it should be counted."""
        if is_neutral(error):
            self.withdraw(admission)
        elif self.is_error(error):
            self.book_failure(admission, error)
        else:
            self.book_success(admission)

    def withdraw(self, admission: Admission) -> None:
        """Count nothing, and give a probe's place back."""
        with self._lock:
            self._circuit.withdraw(admission)

    # Within

    def _admit(self) -> Admission | None:
        notes = get_notes()
        while notes is not None:
            notes.called.add(self.name)
            if isinstance(notes, RouteNotes) and (permit := notes.permits.pop(self.name, None)) is not None:
                # The route was admitted for this call. What it was given counts only where nothing has changed since.
                admission = permit.take()
                if admission is not None and admission.generation == self._circuit.generation:
                    return admission
            notes = notes.outer
        with self._lock:
            admission = self._circuit.admit(self._clock())
            events = self._changes()
        self._emit(events)
        if admission is None:
            self._note_refusal()
        return admission

    def _note_refusal(self) -> None:
        notes = get_notes()
        while notes is not None:
            if isinstance(notes, RouteNotes):
                notes.refused.add(self.name)
            notes = notes.outer
        if self._is_told_of_calls:
            self._emit([UpstreamRefused(upstream=self.name, retry_after=self.retry_after)])

    def is_error(self, error: BaseException) -> bool:
        """Return whether *error* counts as a failure."""
        try:
            if self.is_failure is not None:
                return self.is_failure(error)
            status = status_of(error)
            return status is None or self.is_failed_status(status)
        except Exception:
            _log.exception("The predicate of the breaker of %s raised; the call counts as failed.", self.name)
            return True

    def _guarded(self, predicate: Callable[[int], bool]) -> Callable[[int], bool]:
        """Return *predicate*, which counts what it raises on as failed."""

        def is_failed(status: int) -> bool:
            try:
                return predicate(status)
            except Exception:
                _log.exception("The predicate of the breaker of %s raised; the call counts as failed.", self.name)
                return True

        return is_failed

    def _force(self, state: State, cause: str = "operator") -> None:
        with self._lock:
            self._circuit.force(state, self._clock(), cause)
            events = self._changes()
        self._emit(events)

    def _changes(self) -> list[Event]:
        changes = self._circuit.changes
        if not changes:
            return []
        events: list[Event] = [
            BreakerChanged(
                upstream=self.name,
                before=change.before.value,
                after=change.after.value,
                cause=change.cause,
                open_for=change.open_for,
            )
            for change in changes
        ]
        changes.clear()
        return events

    def _emit(self, events: list[Event]) -> None:
        for event in events:
            for listener in self._listeners:
                listener(event)
