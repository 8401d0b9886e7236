"""Keeps one resource up: starts it, starts it again, and stops it, all in one task of its own.

It decides nothing about the others: it waits for those it needs, and at the end for those that need it.
"""

from __future__ import annotations

import asyncio
import inspect
import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace

from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type, retry_if_result, wait_random_exponential

from .._asgi import Clock
from ..events import (
    Event,
    ResourceAbandoned,
    ResourceDown,
    ResourceRetryScheduled,
    ResourceStopped,
    ResourceUp,
)
from .bell import Bell
from .faults import MISTAKES, Cancelled, CheckFailed, RunEnded
from .resource import Act, Resource
from .standing import Standing, State

Sleep = Callable[[float], Awaitable[None]]

WORD = re.compile(r"[A-Za-z][\w.-]{0,62}", re.ASCII)
"""What a cause may be that somebody else gives."""


class Keeper:
    """Keeps *resource* up from `begin` to its stop, for one loop and once. *needs* are the keepers of what it needs.

    *bell* rings at each change of any resource. *on_cancelled* is called where its task is cancelled by somebody else,
    as at the end of a loop that nobody stopped in order; it must ask all to stop.
    """

    def __init__(
        self,
        resource: Resource,
        needs: Sequence[Keeper],
        *,
        critical: bool,
        bell: Bell,
        tell: Callable[[Event], None],
        on_cancelled: Callable[[], None],
        wall: Clock,
        monotonic: Clock,
        sleep: Sleep,
    ) -> None:
        self.resource = resource
        self.needs = tuple(needs)
        self.needed_by: list[Keeper] = []
        for keeper in self.needs:
            keeper.needed_by.append(self)
        self.standing = Standing()
        self.error: Exception | None = None
        """What failed last; None while it is up."""
        self.task: asyncio.Task[None] | None = None
        self._critical = critical
        self._bell = bell
        self._tell = tell
        self._on_cancelled = on_cancelled
        self._wall = wall
        self._monotonic = monotonic
        self._sleep = sleep
        self._began = 0.0
        self._is_held = False
        """Whether `start` has returned and `stop` has not been called for it."""
        self._turn = 0
        """How often it has come up or gone down by its own task: what a check finds is of the turn that it began in."""
        self._running: asyncio.Task[object] | None = None
        self._looking: asyncio.Task[None] | None = None
        """What looks again at one that a check has found down."""
        self._stop_times: tuple[float, float] | None = None
        self._asked: asyncio.Future[None] | None = None

    @property
    def is_mistaken(self) -> bool:
        """Whether it failed by what no waiting mends."""
        return isinstance(self.error, MISTAKES)

    def _is_serving(self) -> bool:
        return self._is_held and self._stop_times is None

    def begin(self) -> None:
        """Start it in the background of this loop."""
        loop = asyncio.get_running_loop()
        self._asked = loop.create_future()
        self.task = loop.create_task(self._live(), name=f"resource {self.resource.name}")

    def ask_stop(self, begin_by: float, done_by: float) -> None:
        """Stop it: once nothing that needs it runs, or at *begin_by*, and until *done_by*, in the loop's time."""
        if self._stop_times is not None or self.task is None or self._asked is None:
            return
        self._stop_times = begin_by, done_by
        if self._is_held:
            self._asked.set_result(None)
        else:
            self.task.cancel()

    def abandon(self) -> None:
        """Give it up: the time is over, and it has not stopped."""
        if self.task is not None and not self.task.done():
            self.task.cancel()
            self._abandoned(TimeoutError())

    def told(self, cause: str | None) -> None:
        """Take the word of a resource that looks after itself."""
        if self._stop_times is not None:
            return
        if cause is None:
            # Once it was up, nobody here knows how long it took to come back: it was down, and tried by itself.
            self._up(None if self.standing.latency is not None else self._monotonic() - self._began)
        elif self.standing.state in ("up", "starting"):
            # It is shown to whoever asks for health, so no text of another service, nor an address, may be in it.
            self._down(cause if WORD.fullmatch(cause) else "Down")

    async def look(self) -> None:
        """Check it, unless it is not started."""
        check = self.resource.check
        if check is None or not self._is_serving():
            return
        began, turn = self._monotonic(), self._turn
        try:
            if await self._bounded(check) is False:
                raise CheckFailed
        except Exception as error:
            # It may have gone down, and up again, meanwhile.
            if self._is_serving() and turn == self._turn and self.standing.is_up:
                self._down(error)
                self._look_again()
        else:
            if self._is_serving() and turn == self._turn:
                self._up(self._monotonic() - began)

    def _look_again(self) -> None:
        """Have it looked at until it is up, whether or not anybody asks."""
        if self._looking is None or self._looking.done():
            self._looking = asyncio.get_running_loop().create_task(self._until_well())

    async def _until_well(self) -> None:
        has_waited = False

        async def is_down() -> bool:
            nonlocal has_waited
            if has_waited:
                await self.look()
            has_waited = True
            return self._is_serving() and self.standing.state == "down"

        backoff = self.resource.retry
        looking = AsyncRetrying(
            wait=wait_random_exponential(multiplier=backoff.first, max=backoff.most),
            retry=retry_if_result(bool),
            sleep=self._sleep,
        )
        await looking(is_down)

    # Its task

    async def _live(self) -> None:
        try:
            while self._stop_times is None:
                await self._retrying()(self._once)
        except asyncio.CancelledError:
            if self._stop_times is not None:
                await self._wind_down()
                return
            self._on_cancelled()
            await self._wind_down()
            raise
        await self._wind_down()

    def _retrying(self) -> AsyncRetrying:
        backoff = self.resource.retry
        return AsyncRetrying(
            wait=wait_random_exponential(multiplier=backoff.first, max=backoff.most),
            retry=retry_if_exception_type(Exception),
            before_sleep=self._will_retry,
            sleep=self._sleep,
        )

    async def _once(self) -> None:
        """Start it, and return once it is to stop, or has run for long; raises what ended it before."""
        if not all(keeper.standing.is_up for keeper in self.needs):
            self._change("waiting")
            while not all(keeper.standing.is_up for keeper in self.needs):
                await self._bell.wait()
        if self.standing.state != "down":
            self._change("starting")
        self.standing = replace(self.standing, attempts=self.standing.attempts + 1)
        self._began = self._monotonic()
        resource = self.resource
        try:
            if resource.start is not None:
                await self._bounded(resource.start)
        except Exception as error:
            self._down(error)
            raise
        self._is_held = True
        self._turn += 1
        if self._stop_times is not None:
            # It has finished all the same, so it is owed its stop.
            return
        if resource.tells is None:
            self._up(self._monotonic() - self._began)
        assert self._asked is not None
        if resource.run is None:
            # Not the future itself: whoever cancels this task would cancel that too.
            await asyncio.wait((self._asked,))
            return
        up_at = self._monotonic()
        self._running = asyncio.get_running_loop().create_task(_called(resource.run))
        await asyncio.wait((self._running, self._asked), return_when=asyncio.FIRST_COMPLETED)
        if self._asked.done():
            return
        end = _end_of(self._running)
        self._turn += 1
        self._down(end)
        await self._release(resource.timeout)
        if self._stop_times is not None:
            return
        if self._monotonic() - up_at < resource.retry.most:
            raise end
        # It ran for long, so the next waits begin anew.

    async def _wind_down(self) -> None:
        """Stop it when those that need it have."""
        assert self._stop_times is not None
        loop = asyncio.get_running_loop()
        begin_by, done_by = self._stop_times
        others = {keeper.task for keeper in self.needed_by if keeper.task is not None and not keeper.task.done()}
        if others:
            await asyncio.wait(others, timeout=max(0.0, begin_by - loop.time()))
        self._change("stopping")
        began = self._monotonic()
        was_held = self._is_held
        if await self._release(min(self.resource.timeout, max(0.0, done_by - loop.time()))):
            self._change("stopped")
            if was_held:
                self._tell(ResourceStopped(resource=self.resource.name, seconds=self._monotonic() - began))

    async def _release(self, timeout: float) -> bool:
        """End what runs, and call `stop` if it is owed; return whether that went well."""
        beside = {task for task in (self._running, self._looking) if task is not None}
        self._running = self._looking = None
        try:
            async with asyncio.timeout(timeout):
                for task in beside:
                    task.cancel()
                if beside:
                    # What heeds no cancellation leaves half of the time to `stop`.
                    await asyncio.wait(beside, timeout=timeout / 2)
                if self._is_held and self.resource.stop is not None:
                    await _called(self.resource.stop)
                if beside:
                    await asyncio.wait(beside)
        except (Exception, asyncio.CancelledError) as error:
            # Cancelled twice: the loop ends in earnest.
            self._abandoned(error)
            return False
        finally:
            self._is_held = False
        return True

    async def _bounded(self, act: Act) -> object:
        seconds = self.resource.timeout
        limit = asyncio.timeout(seconds)
        try:
            async with limit:
                return await _called(act)
        except TimeoutError as error:
            if limit.expired():
                raise TimeoutError(f"not done within {seconds:g} s") from error
            raise
        except asyncio.CancelledError as error:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            raise Cancelled(str(error)) from error

    # What it tells

    def _change(self, state: State) -> None:
        if state != self.standing.state:
            self.standing = replace(self.standing, state=state, since=self._wall())
            self._bell.ring()

    def _up(self, seconds: float | None) -> None:
        was, attempts, self.error = self.standing, self.standing.attempts, None
        self.standing = replace(was, cause=None, latency=was.latency if seconds is None else seconds)
        if was.is_up:
            return
        self._change("up")
        self.standing = replace(self.standing, attempts=0)
        self._tell(ResourceUp(resource=self.resource.name, attempts=attempts, seconds=seconds or 0.0))

    def _down(self, why: Exception | str) -> None:
        cause = why if isinstance(why, str) else type(why).__name__
        self.error = None if isinstance(why, str) else why
        was = self.standing
        self.standing = replace(was, cause=cause)
        self._change("down")
        if was.state != "down":
            self._tell(ResourceDown(resource=self.resource.name, cause=cause, critical=self._critical))

    def _will_retry(self, state: RetryCallState) -> None:
        self._tell(
            ResourceRetryScheduled(
                resource=self.resource.name,
                attempt=self.standing.attempts,
                wait=state.upcoming_sleep,
                cause=self.standing.cause or "",
            )
        )
        self._bell.ring()

    def _abandoned(self, error: BaseException) -> None:
        if self.standing.state == "abandoned":
            return
        cause = type(error).__name__
        self.standing = replace(self.standing, cause=cause)
        phase = self.standing.state
        if self._stop_times is not None:
            self._change("abandoned")
        self._tell(ResourceAbandoned(resource=self.resource.name, phase=phase, cause=cause))


async def _called(act: Act) -> object:
    result = act()
    return await result if inspect.isawaitable(result) else result


def _end_of(task: asyncio.Task[object]) -> Exception:
    if task.cancelled():
        return RunEnded()
    error = task.exception()
    return error if isinstance(error, Exception) else RunEnded()
