"""How often the same thing may be said. It keeps count; it says nothing itself, and knows no clock."""

from __future__ import annotations

from collections.abc import Hashable

_KNOWN = 1000
"""Things that are remembered. When there are more all are forgotten, so that memory is bounded: some say more then."""


class _Said:
    """What was said of one thing since `since`, in seconds of the caller's clock, and what was not."""

    __slots__ = ("hidden", "since", "times")

    def __init__(self, since: float) -> None:
        self.since = since
        self.times = 1
        self.hidden = 0


class Pace:
    """At most *burst* lines about the same thing within *interval* seconds, each `admit` naming its burst."""

    def __init__(self, interval: float) -> None:
        self._interval = interval
        self._said: dict[Hashable, _Said] = {}

    def admit(self, about: Hashable, now: float, burst: int = 1) -> int | None:
        """Return None if there is to be no line about *about* now, else how many there were not since the last one."""
        said = self._said.get(about)
        if said is None or not 0 <= now - said.since < self._interval:
            if said is None and len(self._said) >= _KNOWN:
                self._said.clear()
            self._said[about] = _Said(now)
            return 0 if said is None else said.hidden
        if said.times < burst:
            said.times += 1
            return 0
        said.hidden += 1
        return None
