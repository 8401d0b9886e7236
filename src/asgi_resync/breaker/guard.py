"""A breaker for those who take None for an answer: it never raises and never waits."""

from __future__ import annotations

from ..noted import notes_here
from .breaker import Breaker
from .permit import Permit


class BreakerGuard:
    """The guard of what may be left out, such as the second tier of a cache, behind *breaker*."""

    __slots__ = ("breaker",)

    def __init__(self, breaker: Breaker) -> None:
        self.breaker = breaker

    def admit(self) -> Permit | None:
        """Return a permit, or None if the upstream is not to be asked now.

        Nothing is built from what may be left out, and nothing is degraded without it: no notes are taken.
        """
        notes = notes_here.get()
        if notes is None:
            return self.breaker.ask()
        notes_here.set(None)
        try:
            return self.breaker.ask()
        finally:
            notes_here.set(notes)
