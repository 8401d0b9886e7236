"""What a call of Redis says to a breaker: the rules, apart from the clients that follow them.

A connection that breaks, is refused or is silent is a failure, an error reply is an answer, and what went wrong in this
process, a full pool or a command that cannot be sent, says nothing. Nothing imports this but what loads redis.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable
from typing import TypeVar

from redis.exceptions import ClusterDownError, ConnectionError, MaxConnectionsError, ResponseError, TimeoutError

from .._deadline import current
from ..breaker.breaker import Breaker
from ..errors import BreakerOpen, DeadlineExceeded

T = TypeVar("T")

FAILURES = (ConnectionError, TimeoutError, ClusterDownError, OSError)

PATIENT = frozenset(
    {"BLMOVE", "BLMPOP", "BLPOP", "BRPOP", "BRPOPLPUSH", "BZMPOP", "BZPOPMAX", "BZPOPMIN", "WAIT", "WAITAOF"}
)
"""Commands that wait on purpose, so that the time they take says nothing."""


class Guard:
    """Books calls with *breaker*, within the deadline that is in force."""

    __slots__ = ("_breaker",)

    def __init__(self, breaker: Breaker) -> None:
        self._breaker = breaker

    async def call(self, work: Callable[[], Awaitable[T]], command: tuple[object, ...] = ()) -> T:
        """Return what *work* does. Raises BreakerOpen, DeadlineExceeded, and what *work* raises."""
        limit = current.get()
        remaining = math.inf if limit is None else limit.remaining()
        if limit is not None and remaining <= 0:
            raise DeadlineExceeded(self._breaker.name, limit.seconds)
        permit = self._breaker.admit()
        scope = asyncio.timeout(remaining if remaining < math.inf else None)
        try:
            async with scope:
                result = await work()
        except BaseException as error:
            if limit is not None and scope.expired():
                late = DeadlineExceeded(self._breaker.name, limit.seconds)
                # One that was nearly spent elsewhere when this call began says nothing of Redis.
                if remaining >= limit.seconds / 2 and not _waits(command):
                    permit.failed(late)
                else:
                    permit.withdrawn()
                raise late from error
            if isinstance(error, FAILURES) and not isinstance(error, MaxConnectionsError):
                if isinstance(error, TimeoutError) and _waits(command):
                    permit.withdrawn()
                else:
                    permit.raised(error)
            elif isinstance(error, ResponseError):
                permit.succeeded()
            else:
                permit.withdrawn()
            raise
        if _waits(command):
            permit.withdrawn()
        else:
            permit.succeeded()
        return result

    async def listening(self, work: Callable[[], Awaitable[T]]) -> T:
        """Return what *work* reads, which waits on purpose: only a connection that breaks is booked. Raises as `call`.

        It asks for no admission: who listens already, listens, and would hold the place of a probe for ever.
        """
        limit = current.get()
        scope = asyncio.timeout(None if limit is None or limit.remaining() == math.inf else limit.remaining())
        try:
            async with scope:
                return await work()
        except BaseException as error:
            if limit is not None and scope.expired():
                raise DeadlineExceeded(self._breaker.name, limit.seconds) from error
            if isinstance(error, FAILURES) and not isinstance(error, MaxConnectionsError):
                self._broke(error)
            raise

    def _broke(self, error: Exception) -> None:
        try:
            permit = self._breaker.admit()
        except BreakerOpen:
            return  # It is known.
        permit.raised(error)


def _waits(command: tuple[object, ...]) -> bool:
    if not command:
        return False
    name = str(command[0]).upper()
    return name in PATIENT or (name.startswith("XREAD") and any(part in (b"BLOCK", "BLOCK") for part in command))
