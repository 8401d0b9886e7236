"""The values that are being made, and which of them wait for which: two may not wait for each other, for ever both.

It makes no value. Whoever would close a circle of those who wait is told at once, in whatever tasks the others are.
"""

from __future__ import annotations

import asyncio
from contextvars import ContextVar
from dataclasses import dataclass, field

from .._deadline import current
from ..errors import DeadlineExceeded, RuleError
from ..events import CacheKey
from .entry import StoredResponse
from .flight import Flight


@dataclass(slots=True, eq=False, kw_only=True)
class Making:
    """One value of *owner* that is being made, and those that it waits for at this moment."""

    owner: object
    key: CacheKey
    flight: Flight[StoredResponse]
    waits_for: list[Making] = field(default_factory=list)

    def reaches(self, other: Making) -> bool:
        """Return whether *other* is among what it waits for, or what that waits for, and so on; or is itself."""
        seen: set[int] = set()
        ahead = [self]
        while ahead:
            making = ahead.pop()
            if making is other:
                return True
            if id(making) not in seen and not making.flight.is_over:
                seen.add(id(making))
                ahead += making.waits_for
        return False


_chain: ContextVar[tuple[Making, ...]] = ContextVar("asgi_resync.values", default=())
"""The values that are being made here, each for the one before it: who asks for one of them would wait for itself."""


def enter(making: Making, *, is_refresh: bool) -> None:
    """Let what is asked for in this context be asked for by *making*; nobody waits for it where it is a refresh."""
    _chain.set((making,) if is_refresh else (*_chain.get(), making))


def refuse_itself(owner: object, key: CacheKey) -> None:
    """Raise RuleError if *key* is of a value that is being made here."""
    for making in _chain.get():
        if making.owner is owner and making.key == key and not making.flight.is_over:
            raise RuleError("key", key[1], "its function asks for the value that it is to make itself")


async def over(making: Making) -> None:
    """Wait until *making* is over, for as long as the deadline of who waits allows.

    Raises DeadlineExceeded after that, and RuleError where it waits in its turn for what is being made here.
    """
    chain = _chain.get()
    here = chain[-1] if chain else None
    if here is not None:
        if making.reaches(here):
            raise RuleError("key", making.key[1], f"its function waits for {here.key[1]!r}, which asks for it")
        here.waits_for.append(making)
    flight, limit = making.flight, current.get()
    flight.join()
    try:
        async with asyncio.timeout(None if limit is None else limit.remaining()):
            while not flight.is_over:
                await flight.change()
    except TimeoutError:
        raise DeadlineExceeded("", 0.0 if limit is None else limit.seconds) from None
    finally:
        flight.leave()
        if here is not None:
            here.waits_for.remove(making)
