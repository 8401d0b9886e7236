"""Taking turns with other processes: the right to call the app for a key. A port and its empty hand; no behaviour.

A process that has a claim calls the app; others wait for a bounded time, look into the store again, and call it
themselves if nothing is there. Claims save calls. They exclude nobody, and nothing that is correct rests on them.
"""

from __future__ import annotations

from typing import Protocol

from ..events import CacheKey


class Claim(Protocol):
    """The right to call the app for a key, until `end`."""

    def end(self, *, is_stored: bool) -> None:
        """Give it back in the background, after what was stored can be found; only the first call counts."""


class Claims(Protocol):
    """Hands out claims. `longest` is how many seconds one lasts at most."""

    @property
    def longest(self) -> float: ...

    async def claim(self, key: CacheKey, patience: float | None, *, is_absent: bool) -> Claim | None:
        """Return a claim on *key*, or None if another process has just ended its own: then look into the store again.

        Waits for another's claim up to *patience* seconds (None: as long as claims last), and then returns one that
        claims nothing, as where nobody can be asked. With a patience of 0, None says that another has it. *is_absent*:
        nothing was stored under *key* when the caller looked, so that something there now is worth a look.
        """
