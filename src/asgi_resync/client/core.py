"""The transport itself, for either library: deadline > retry > breaker > bulkhead > the transport it wraps.

It knows requests and responses by shape only; `httpx.py` and `httpx2.py` give it their classes.
"""

from __future__ import annotations

import abc
import asyncio
import math
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Generic, Protocol, TypeAlias, TypeVar

from .._asgi import Clock
from .._deadline import Deadline, earlier, get_current
from ..errors import BulkheadFull
from ..events import UpstreamAnswered, UpstreamRefused, wants
from .attempt import Booking
from .budget import RetryBudget
from .bulkhead import Bulkhead
from .options import ClientOptions
from .ports import Breaker, ClientRequest, ClientResponse, Faults
from .repeat import Failed, Repeat
from .schedule import Failure, RetryPolicy, Sent, obstacle, retry_after
from .timed import timed

RequestT = TypeVar("RequestT", bound=ClientRequest)
ResponseT = TypeVar("ResponseT", bound=ClientResponse)

Send: TypeAlias = Callable[[RequestT], Awaitable[ResponseT]]

OPT = "resync.retry"
"""The extension by which one request says whether it may be retried: True or False."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Guards:
    """What stands between a caller and an upstream. None leaves a guard out; *deadline_header* is a field name."""

    policy: RetryPolicy
    budget: RetryBudget | None = None
    breaker: Breaker | None = None
    bulkhead: Bulkhead | None = None
    deadline_header: str | None = None
    clock: Clock = time.monotonic
    wall_clock: Clock = time.time


class Adjustable(Protocol):
    """A transport that can be given other figures while its client is in use."""

    def adjust(self, policy: RetryPolicy, budget: RetryBudget | None, bulkhead: Bulkhead | None) -> None:
        """Repeat, and let through, as these say from now on."""

    def retime(self, wanted: ClientOptions) -> None:
        """Wait as *wanted* from now on."""

    async def release(self) -> None:
        """Close the connections that were opened on this loop; a client that is used again connects again."""


class Core(abc.ABC, Generic[RequestT, ResponseT]):
    """Hands requests to *send*, the wrapped transport's method, again where the policy allows it."""

    _faults: Faults

    def __init__(self, send: Send[RequestT, ResponseT], guards: Guards, repeat: Repeat[ResponseT]) -> None:
        emit = repeat.emit
        if emit is not None and wants(emit, UpstreamAnswered):
            send = timed(send, emit, repeat.upstream, guards.clock)
        self._send: Send[RequestT, ResponseT] = self._first
        self._later = send
        self._loop: asyncio.AbstractEventLoop | None = None
        """That on which it was used first, and to which its connections belong."""
        self._guards = guards
        self._policy = guards.policy
        self._repeat = repeat
        self._is_bare = guards.breaker is None and guards.bulkhead is None

    def adjust(self, policy: RetryPolicy, budget: RetryBudget | None, bulkhead: Bulkhead | None) -> None:
        """Have these from now on; calls under way give their places back where they took them."""
        self._policy = policy
        self._guards = replace(self._guards, policy=policy, budget=budget, bulkhead=bulkhead)
        self._repeat = replace(self._repeat, policy=policy, budget=budget)
        self._is_bare = self._guards.breaker is None and bulkhead is None

    async def release(self) -> None:
        """Close the connections that were opened on this loop; a client that is used again connects again."""
        if self._loop is not None and self._loop is _running_loop():
            await self.aclose()

    def _first(self, request: RequestT) -> Awaitable[ResponseT]:
        self._loop = _running_loop()
        self._send = self._later
        return self._later(request)

    @abc.abstractmethod
    async def aclose(self) -> None:
        """Close the wrapped transport."""

    @abc.abstractmethod
    def _observe(self, response: ResponseT, booking: Booking) -> None:
        """Let the end of the body of *response* settle *booking*."""

    @abc.abstractmethod
    def _watch(self, request: RequestT) -> Callable[[], bool]:
        """Return what tells whether the body of *request*, as it is then, can be sent again."""

    async def _exchange(self, request: RequestT) -> ResponseT:
        """Return the answer to *request*, of the last attempt if there were several."""
        policy = self._policy
        limit = get_current()
        if policy.timeout is not None:
            limit = earlier(limit, policy.timeout, self._guards.clock)
        if self._guards.budget is not None:
            self._guards.budget.earn(self._guards.clock())
        is_replayable = self._watch(request)

        # The first attempt stands here and not in the closure below, which only a failure needs: half of what a
        # success cost.
        failed: Failed[ResponseT]
        try:
            response = await self._attempt(request, limit)
        except self._faults.network as error:
            failed = self._raised(request, error, is_replayable)
        else:
            if response.status_code not in policy.statuses:
                return response
            failed = self._answered(request, response, is_replayable)
        if failed.obstacle is not None:
            self._repeat.ended(failed, 1, failed.obstacle)
            return failed.outcome()

        async def attempt() -> ResponseT | Failed[ResponseT]:
            try:
                response = await self._attempt(request, limit)
            except self._faults.network as error:
                return self._raised(request, error, is_replayable)
            if response.status_code not in policy.statuses:
                return response
            return self._answered(request, response, is_replayable)

        return await self._repeat.after(failed, attempt, self._discard, limit)

    async def _attempt(self, request: RequestT, limit: Deadline | None) -> ResponseT:
        if limit is None and self._is_bare:
            return await self._send(request)
        guards = self._guards
        upstream = self._repeat.upstream
        if limit is not None:
            remaining = limit.remaining()
            if remaining <= 0:
                raise self._faults.late(upstream, limit.seconds)
            if guards.deadline_header is not None and remaining < math.inf:
                request.headers[guards.deadline_header] = str(max(1, int(remaining * 1000)))
        breaker = guards.breaker
        permit = breaker.admit() if breaker is not None else None
        booking = Booking(permit, limit, faults=self._faults, upstream=upstream)
        try:
            if guards.bulkhead is not None:
                await self._enter(booking, guards.bulkhead)
            response = await booking.bounded(self._send(request))
        except BaseException as error:
            booking.fail(error)
            raise
        if breaker is not None and breaker.is_failed_status(response.status_code):
            booking.refuse(response.status_code)
        booking.outlive(get_current())  # The policy's own timeout ends where the response begins.
        self._observe(response, booking)
        return response

    async def _enter(self, booking: Booking, bulkhead: Bulkhead) -> None:
        try:
            await booking.enter(bulkhead, self._guards.breaker.admit if self._guards.breaker is not None else None)
        except BulkheadFull:
            if (emit := self._repeat.emit) is not None:
                emit(UpstreamRefused(upstream=self._repeat.upstream, retry_after=0.0, by="bulkhead"))
            raise

    async def _discard(self, response: ResponseT) -> None:
        try:
            await response.aclose()
        except self._faults.network:
            pass  # It failed already; that its end fails too changes nothing.

    def _raised(self, request: RequestT, error: Exception, is_replayable: Callable[[], bool]) -> Failed[ResponseT]:
        faults = self._faults
        is_own = isinstance(error, (*faults.own, faults.late))
        is_unsent = not is_own and isinstance(error, faults.unsent)
        failure = Failure(cause=type(error).__name__, is_passing=not is_own, is_unsent=is_unsent)
        return Failed(failure=failure, error=error, obstacle=self._obstacle(request, failure, is_replayable))

    def _answered(self, request: RequestT, response: ResponseT, is_replayable: Callable[[], bool]) -> Failed[ResponseT]:
        asked = retry_after(response.headers.get_list("retry-after"), self._guards.wall_clock())
        failure = Failure(cause=str(response.status_code), retry_after=asked)
        return Failed(failure=failure, answer=response, obstacle=self._obstacle(request, failure, is_replayable))

    def _obstacle(self, request: RequestT, failure: Failure, is_replayable: Callable[[], bool]) -> str | None:
        sent = Sent(
            method=request.method,
            has_key="idempotency-key" in request.headers,
            may_repeat=request.extensions.get(OPT),
            is_replayable=is_replayable(),
        )
        return obstacle(self._policy, sent, failure)


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:  # trio
        return None
