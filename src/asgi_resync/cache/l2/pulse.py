"""Whether Redis is worth asking: what its guard says, and what the backplane has noticed meanwhile. It asks nobody."""

from __future__ import annotations

from collections.abc import Callable

from .ports import Guard, Permit


class Pulse:
    """A guard before *guard*: once a call has failed, none is tried while *is_live* says that Redis is away.

    So it is not a request that finds out whether Redis is back. `is_well` is False from a failure, or a call that
    *guard* refused, to the next success.
    """

    __slots__ = ("_guard", "_is_live", "is_well")

    def __init__(self, guard: Guard | None, is_live: Callable[[], bool]) -> None:
        self._guard = guard
        self._is_live = is_live
        self.is_well = True

    def admit(self) -> Permit | None:
        """See `Guard.admit`."""
        if not self.is_well and not self._is_live():
            return None
        if self._guard is None:
            return _Beat(self, None)
        permit = self._guard.admit()
        if permit is None:
            # What was under way when the guard closed may have succeeded since, and says nothing of those it refuses.
            self.is_well = False
            return None
        return _Beat(self, permit)


class _Beat:
    """One admitted call."""

    __slots__ = ("_permit", "_pulse")

    def __init__(self, pulse: Pulse, permit: Permit | None) -> None:
        self._pulse = pulse
        self._permit = permit

    def succeeded(self) -> None:
        """See `Permit.succeeded`."""
        self._pulse.is_well = True
        if self._permit is not None:
            self._permit.succeeded()

    def failed(self, cause: BaseException) -> None:
        """See `Permit.failed`."""
        self._pulse.is_well = False
        if self._permit is not None:
            self._permit.failed(cause)

    def withdrawn(self) -> None:
        """See `Permit.withdrawn`."""
        if self._permit is not None:
            self._permit.withdrawn()
