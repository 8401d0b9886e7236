"""The ports of the second tier: what speaks to Redis, whether it may be asked, and what holds records near it.

There is no behaviour here.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol

from ...events import CacheKey


class Unreachable(Exception):
    """Redis did not do it: no connection, no answer within the deadline, an error reply, or the guard is open.

    `cause` is the class name of what went wrong, or `open` where nothing was tried.
    """

    def __init__(self, cause: str) -> None:
        super().__init__(f"Redis could not be asked: {cause}.")
        self.cause = cause


class Permit(Protocol):
    """One admitted operation. Exactly one of these is called, once."""

    def succeeded(self) -> None:
        """Redis answered."""

    def failed(self, cause: BaseException) -> None:
        """It did not, or not in time."""

    def withdrawn(self) -> None:
        """Nothing can be said: the operation was given up for another reason."""


class Guard(Protocol):
    """The breaker in front of Redis. It never waits and never raises."""

    def admit(self) -> Permit | None:
        """Return a permit, or None if Redis is not to be asked now."""


@dataclass(frozen=True, slots=True)
class Script:
    """A Lua script. All names given to one call hash to one slot of a cluster."""

    source: str


class Link(Protocol):
    """Speaks to Redis: every call ends within one short deadline, and raises nothing but Unreachable.

    A cancelled caller costs no connection. Replies are as they come over RESP3, and nothing is made of them: texts are
    bytes (`b"OK"`), what is not there is None, numbers are int or float.
    """

    async def get(self, name: str) -> bytes | None:
        """Return the value of *name*. Gets of one turn of the event loop travel together."""

    async def execute(self, *command: str | bytes | int | float) -> object:
        """Return the reply to one command. In a cluster the second word decides the node."""

    async def script(self, script: Script, names: Sequence[str], arguments: Sequence[str | bytes | int]) -> object:
        """Return what *script* returns."""

    def listen(self, channel: str) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:
        """Subscribe to *channel* on a connection of its own; the iterator raises Unreachable when it is lost.

        Entering returns after the subscription is confirmed.
        """

    async def aclose(self) -> None:
        """Close all connections. Idempotent."""


class Near(Protocol):
    """What holds records in this process. None of these waits or raises."""

    def drop_near(self, keys: Iterable[CacheKey]) -> None:
        """Forget what is held under *keys*, with all variants, and keep nothing that is under way for them."""

    def replaced(self, key: CacheKey) -> None:
        """Forget the record under *key*: another process stored a newer one."""

    def woken(self, key: CacheKey) -> None:
        """Wake who waits for another process to store something under *key*."""
