"""Which keys lately proved uncacheable, so that nobody waits for the like of them."""

from __future__ import annotations

from ..events import CacheKey

MAX_PASSES = 4096
PASS_SECONDS = 120.0
"""How long what proved uncacheable is passed on at once. It is looked at all the same, so a change is noticed."""


class Passes(dict[int, float]):
    """Until when each passes, by the hash of its key: clients choose keys, and their length is not ours to pay for.

    Keys that collide share a fate. Bounded: full, it is emptied, which costs one wait per key.
    """

    __slots__ = ()

    def holds(self, key: CacheKey, now: float) -> bool:
        """Return whether *key* lately proved uncacheable."""
        until = self.get(hash(key))
        return until is not None and now < until

    def note(self, key: CacheKey, now: float) -> None:
        """Note that *key* proved uncacheable."""
        if len(self) >= MAX_PASSES:
            self.clear()
        self[hash(key)] = now + PASS_SECONDS

    def forget(self, key: CacheKey) -> None:
        """Note that *key* is cacheable after all."""
        self.pop(hash(key), None)
