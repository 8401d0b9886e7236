"""What follows a first failure: tenacity asks the schedule whether to go on, and waits. A success never comes here."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from tenacity import AsyncRetrying, RetryCallState, wait_random_exponential

from .._asgi import Clock
from .._deadline import Deadline
from ..events import Listener, RetriesEnded, RetryBudgetSpent, RetryScheduled
from .budget import RetryBudget
from .ports import Breaker
from .schedule import Failure, RetryPolicy, ending, pause

T = TypeVar("T")
Sleep = Callable[[float], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed(Generic[T]):
    """An attempt that failed, by an answer or by an error; *obstacle* is why none may follow, if so."""

    failure: Failure
    answer: T | None = None
    error: Exception | None = None
    obstacle: str | None = None

    def outcome(self) -> T:
        """Return the answer or raise the error: what the caller gets if nothing follows."""
        if self.error is not None:
            raise self.error
        assert self.answer is not None
        return self.answer


@dataclass(frozen=True, slots=True, kw_only=True)
class Repeat(Generic[T]):
    """How one transport repeats: its policy, its budget, how it waits, and whom it tells."""

    policy: RetryPolicy
    budget: RetryBudget | None
    clock: Clock
    sleep: Sleep = asyncio.sleep
    emit: Listener | None = None
    upstream: str = ""
    breaker: Breaker | None = None

    async def after(
        self,
        first: Failed[T],
        attempt: Callable[[], Awaitable[T | Failed[T]]],
        discard: Callable[[T], Awaitable[None]],
        limit: Deadline | None,
    ) -> T:
        """Return the answer of an *attempt* after the *first*, or what the last one gave or raised.

        Before each, the answer of the one before is *discarded*. None starts past *limit*.
        """
        given: list[Failed[T]] = [first]
        backoff = wait_random_exponential(multiplier=self.policy.backoff, max=self.policy.backoff_max)

        async def replayed() -> T | Failed[T]:
            # The first attempt was made before tenacity came; it is handed over, so that all are counted as one.
            return given.pop() if given else await attempt()

        async def discarded(state: RetryCallState) -> None:
            failed = _failed(state)
            if failed.answer is not None:
                await discard(failed.answer)

        retrying = AsyncRetrying(
            retry=lambda state: isinstance(_result(state), Failed),
            wait=lambda state: pause(_failed(state).failure, backoff(state)),
            stop=lambda state: self._ends(state, limit),
            before_sleep=discarded,
            sleep=self.sleep,
            retry_error_callback=_result,
        )
        last: T | Failed[T] = await retrying(replayed)
        return last.outcome() if isinstance(last, Failed) else last

    def ended(self, failed: Failed[Any], attempts: int, reason: str) -> None:
        """Tell that a call was given up, unless nobody could have wanted another attempt."""
        if self.emit is not None and reason != "failure":
            self.emit(
                RetriesEnded(upstream=self.upstream, attempts=attempts, reason=reason, cause=failed.failure.cause)
            )

    def _ends(self, state: RetryCallState, limit: Deadline | None) -> bool:
        failed, attempts, wait = _failed(state), state.attempt_number, state.upcoming_sleep
        remaining = limit.remaining() if limit is not None else None
        reason = failed.obstacle or ending(
            self.policy,
            failed.failure,
            attempts=attempts,
            wait=wait,
            remaining=remaining,
            shut_for=self.breaker.retry_after if self.breaker is not None else 0.0,
        )
        if reason is not None:
            self.ended(failed, attempts, reason)
            return True
        cause = failed.failure.cause
        if self.budget is not None and not self.budget.spend(self.clock()):
            if self.emit is not None:
                self.emit(RetryBudgetSpent(upstream=self.upstream, attempts=attempts, cause=cause))
            return True
        if self.emit is not None:
            self.emit(RetryScheduled(upstream=self.upstream, attempt=attempts, wait=wait, cause=cause))
        return False


def _result(state: RetryCallState) -> object:
    assert state.outcome is not None
    return state.outcome.result()


def _failed(state: RetryCallState) -> Failed[Any]:
    failed = _result(state)
    assert isinstance(failed, Failed)
    return failed
