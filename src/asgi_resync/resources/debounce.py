"""When a burst of changes is over: after the last of them, not the first. It reads no clock and waits for nobody."""

from __future__ import annotations


class Debounce:
    """A burst is over once nothing has changed for *quiet* seconds.

    After *longest* it is over as soon as nothing has changed for a quarter of that: what changes faster is never whole.
    """

    __slots__ = ("_began", "_last", "longest", "quiet")

    def __init__(self, quiet: float, longest: float) -> None:
        self.quiet = quiet
        self.longest = longest
        self._began: float | None = None
        self._last = 0.0

    def note(self, now: float) -> None:
        """Note a change at *now*, in seconds."""
        if self._began is None:
            self._began = now
        self._last = now

    def left(self, now: float) -> float | None:
        """Return how many seconds are left until the burst is over; None if there is none."""
        if self._began is None:
            return None
        in_time = max(self._began + self.longest, self._last + self.quiet / 4)
        return max(0.0, min(self._last + self.quiet, in_time) - now)

    def end(self) -> None:
        """End the burst."""
        self._began = None
