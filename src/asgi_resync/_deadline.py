"""The time by which everything under it must be done, carried by the context. It cancels nothing: clients ask it."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from ._asgi import Clock
from .errors import RuleError


@dataclass(frozen=True, slots=True, kw_only=True)
class Deadline:
    """`expires` in seconds of `clock`; `seconds` is how long it was when it was set."""

    expires: float
    seconds: float
    clock: Clock

    def remaining(self) -> float:
        """Return the seconds left; negative once it has passed."""
        return self.expires - self.clock()


current: ContextVar[Deadline | None] = ContextVar("asgi_resync_deadline", default=None)
get_current = current.get


@contextmanager
def deadline(seconds: float, *, clock: Clock = time.monotonic) -> Iterator[Deadline]:
    """Bound everything under it by *seconds* from now: `with deadline(2.0): ...`.

    Each client of this library that is called within, in this task or in one started within, is done by then: with an
    answer, with its body, or with DeadlineExceeded. No attempt starts past it, across retries and upstreams. Of nested
    ones the earlier counts, so an inner one can only shorten. *seconds* of 0 or less have passed already.

    Code that calls no client is not interrupted: that is what `asyncio.timeout` does. Raises RuleError for what is no
    number.
    """
    value: object = seconds
    if isinstance(value, bool) or not isinstance(value, (int, float)) or math.isnan(value):
        raise RuleError("seconds", value, "give seconds as a number, such as 2.0")
    token = current.set(earlier(current.get(), seconds, clock))
    try:
        effective = current.get()
        assert effective is not None
        yield effective
    finally:
        current.reset(token)


def earlier(outer: Deadline | None, seconds: float, clock: Clock) -> Deadline:
    """Return *outer*, or a deadline in *seconds* if that is earlier."""
    if outer is not None and outer.remaining() <= seconds:
        return outer
    return Deadline(expires=clock() + seconds, seconds=seconds, clock=clock)
