"""The resources of an app together: started in order, side by side where they may be, and stopped the other way.

It starts nothing before `start`, is bound to no loop before, and can be started again after `stop`.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

from .._asgi import Clock
from ..errors import ResourceFailed
from ..events import Event, Listener, guarded
from .bell import Bell
from .loops import running_loop
from .order import in_order, required, stop_times
from .resource import Resource
from .standing import Standing

if TYPE_CHECKING:
    from .keeper import Keeper, Sleep

GRACE = 0.05
"""Seconds for a stop that was cancelled at its deadline to end."""


class Supervisor(Mapping[str, Standing]):
    """*resources* by name, and how each of them stands: `supervisor["database"].state`.

    *shutdown_timeout*, in seconds, is what they are given to stop where the loop ends and nobody has called `stop`.
    *wall* gives seconds since the epoch. Raises RuleError for resources that cannot be put in order.
    """

    def __init__(
        self,
        resources: Iterable[Resource] = (),
        *,
        shutdown_timeout: float = 10.0,
        on_event: Listener | None = None,
        wall: Clock = time.time,
        monotonic: Clock = time.monotonic,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self.resources = in_order(resources)
        self.required = required(self.resources)
        """The names of those without which the app does not start."""
        self._shutdown_timeout = shutdown_timeout
        self._tell: Listener = guarded(on_event) if on_event is not None else _untold
        self._wall = wall
        self._monotonic = monotonic
        self._sleep = sleep
        self._keepers: dict[str, Keeper] = {}
        self._bell: Bell | None = None
        self._home: tuple[asyncio.AbstractEventLoop, int] | None = None
        """The loop and the process in which they run."""
        self._stop_by: float | None = None
        for resource in self.resources:
            if resource.tells is not None:
                self._listen(resource)

    def __getitem__(self, name: str) -> Standing:
        if name in self._keepers:
            return self._keepers[name].standing
        if any(resource.name == name for resource in self.resources):
            return Standing()
        raise KeyError(f"no resource has the name {name!r}; there are {', '.join(self) or 'none'}")

    def __iter__(self) -> Iterator[str]:
        return (resource.name for resource in self.resources)

    def __len__(self) -> int:
        return len(self.resources)

    @property
    def is_running(self) -> bool:
        """Whether they were started, here or in another loop of this process that is not closed, and not stopped."""
        return self._home is not None and not self._home[0].is_closed() and self._home[1] == os.getpid()

    @property
    def is_here(self) -> bool:
        """Whether they were started in this loop, and not stopped."""
        return self.is_running and self._home is not None and self._home[0] is running_loop()

    @property
    def is_ready(self) -> bool:
        """Whether everything is up that the app cannot do without."""
        return all(self[name].is_up for name in self.required)

    @property
    def is_whole(self) -> bool:
        """Whether everything is up."""
        return all(standing.is_up for standing in self.values())

    def bound_shutdown(self, seconds: float) -> None:
        """See `Life.bound_shutdown`."""
        self._shutdown_timeout = seconds

    @property
    def left(self) -> float:
        """The seconds that are left to stop in; those of a whole shutdown while nothing stops."""
        if self._stop_by is None:
            return self._shutdown_timeout
        return max(0.0, self._stop_by - asyncio.get_running_loop().time())

    def begin(self) -> None:
        """Start all in the background of this loop, unless they run already."""
        if self.is_running or not self.resources:
            return
        from .keeper import Keeper  # which loads tenacity

        self._home = asyncio.get_running_loop(), os.getpid()
        self._stop_by = None
        self._bell = bell = Bell()
        self._keepers = {}
        for resource in self.resources:
            self._keepers[resource.name] = Keeper(
                resource,
                [self._keepers[name] for name in resource.depends_on],
                critical=resource.name in self.required,
                bell=bell,
                tell=self._tell,
                on_cancelled=self._ask_stop,
                wall=self._wall,
                monotonic=self._monotonic,
                sleep=self._sleep,
            )
        for keeper in self._keepers.values():
            keeper.begin()

    async def start(self, timeout: float, wait: float = 0.0) -> None:
        """Start all; return when everything required is up. What is not may take *wait* seconds in all, and no more.

        Raises ResourceFailed if something required is not up within *timeout* seconds, or failed by a mistake. Then,
        and if it is cancelled, what it has started is stopped first.
        """
        was_running = self.is_running
        self.begin()
        try:
            await self.ready(timeout, wait)
        except BaseException:
            if not was_running:
                await self.stop(self._shutdown_timeout)
            raise

    async def ready(self, timeout: float, wait: float = 0.0) -> None:
        """Wait for what `start` waits for, and raise what it raises; stop nothing."""
        if not self.is_here:
            return
        await self._until(lambda: self.is_ready or any(keeper.is_mistaken for keeper in self._needed()), timeout)
        if not self.is_ready:
            raise self._failure(timeout)
        await self._until(lambda: self.is_whole, wait)

    async def stop(self, timeout: float) -> None:
        """Stop all in reverse order within *timeout* seconds. What has not stopped by then is named and abandoned.

        Cancelling it shortens nothing: it has an end anyway. In another loop than theirs it does nothing.
        """
        loop = asyncio.get_running_loop()
        if not self.is_here:
            return
        self._ask_stop(timeout)
        keepers, until = list(self._keepers.values()), loop.time() + timeout + GRACE
        cancelled: asyncio.CancelledError | None = None
        while pending := {keeper.task for keeper in keepers if keeper.task is not None and not keeper.task.done()}:
            left = until - loop.time()
            if left <= 0:
                break
            try:
                await asyncio.wait(pending, timeout=left)
            except asyncio.CancelledError as error:
                cancelled = error
        for keeper in keepers:
            keeper.abandon()
        self._home = None
        if cancelled is not None:
            raise cancelled

    async def look(self, name: str) -> None:
        """Check one, if it is started and has a check. Raises nothing that the check raises."""
        keeper = self._keepers.get(name)
        if keeper is not None and self.is_here:
            await keeper.look()

    def _ask_stop(self, timeout: float | None = None) -> None:
        seconds = self._shutdown_timeout if timeout is None else timeout
        now = asyncio.get_running_loop().time()
        self._stop_by = now + seconds
        for name, (begin_by, done_by) in stop_times(self.resources, seconds).items():
            self._keepers[name].ask_stop(now + begin_by, now + done_by)

    async def _until(self, condition: Callable[[], bool], timeout: float) -> None:
        """Wait until *condition* holds, for *timeout* seconds at most."""
        assert self._bell is not None
        try:
            async with asyncio.timeout(timeout):
                while not condition():
                    await self._bell.wait()
        except TimeoutError:
            pass  # Whoever asks looks for himself.

    def _needed(self) -> list[Keeper]:
        return [keeper for name, keeper in self._keepers.items() if name in self.required]

    def _failure(self, timeout: float) -> ResourceFailed:
        missing = [keeper for keeper in self._needed() if not keeper.standing.is_up]
        # The one to name is the one that has failed, not those that wait for it.
        missing.sort(key=lambda keeper: (not keeper.is_mistaken, keeper.standing.state == "waiting"))
        first, *others = missing
        failure = ResourceFailed(
            first.resource.name,
            attempts=first.standing.attempts,
            seconds=timeout,
            cause=first.error,
            others=[keeper.resource.name for keeper in others],
        )
        failure.__cause__ = first.error
        return failure

    def _listen(self, resource: Resource) -> None:
        def report(cause: str | None) -> None:
            if (keeper := self._keepers.get(resource.name)) is not None:
                keeper.told(cause)

        assert resource.tells is not None
        resource.tells(report)


def _untold(event: Event) -> None:
    """Nobody listens."""
