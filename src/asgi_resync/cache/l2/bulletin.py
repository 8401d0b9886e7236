"""What the breakers of this process are at, told to the others: the last word on each, and as it is when it is sent.

It decides nothing about breakers, and nobody waits for it. While the backplane is not live nothing is sent; what has
changed meanwhile is told when it is live again.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import TypeAlias

from .messages import BreakerTold, Message

Look: TypeAlias = Callable[[str], tuple[str, float] | None]
"""Returns the state of the breaker of an upstream and the seconds that belong to it, or None to say nothing."""


class Bulletin:
    """Tells what *look* says of those that are posted. *tell* publishes, as the process that *node* names."""

    __slots__ = ("_look", "_node", "_posted", "_tell", "_waker")

    def __init__(self, look: Look, *, tell: Callable[[Message], Awaitable[bool]], node: Callable[[], str]) -> None:
        self._look = look
        self._tell = tell
        self._node = node
        self._posted: dict[str, None] = {}
        self._waker: tuple[asyncio.AbstractEventLoop, asyncio.Event] | None = None

    def post(self, upstream: str) -> None:
        """Have the others told of *upstream*. For any thread; it returns at once."""
        self._posted[upstream] = None
        if self._waker is not None:
            loop, wake = self._waker
            with contextlib.suppress(RuntimeError):  # That loop has been closed: the next `run` finds what is posted.
                loop.call_soon_threadsafe(wake.set)

    def forget(self) -> None:
        """Be as if new, in a process that was forked: what is posted is the parent's to tell."""
        self._posted.clear()
        self._waker = None

    async def run(self) -> None:
        """Tell what is posted, until cancelled. What Redis does not take is told no more: it would be old by then."""
        waker = self._waker = (asyncio.get_running_loop(), asyncio.Event())
        waker[1].set()
        try:
            while True:
                await waker[1].wait()
                waker[1].clear()
                while self._posted:
                    upstream = next(iter(self._posted))
                    # Before it is looked at: what changes from now on is posted anew.
                    del self._posted[upstream]
                    said = self._look(upstream)
                    if said is not None:
                        await self._tell(BreakerTold(self._node(), upstream, *said))
        finally:
            if self._waker is waker:
                self._waker = None
