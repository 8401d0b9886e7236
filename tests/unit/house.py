"""Resources that note what is done with them, for tests of their life. It asserts nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Any

from asgi_resync import Backoff, Resource
from asgi_resync.events import Event, ResourceEvent
from asgi_resync.resources.supervisor import Supervisor

QUICK = Backoff(first=1, most=8)


class House:
    """Makes resources whose starts and stops are noted in `order`, and a supervisor of them that tells `events`."""

    def __init__(self) -> None:
        self.order: list[str] = []
        self.events: list[Event] = []
        self.failing: dict[str, list[BaseException]] = {}
        """What the next starts of a name raise, first to last."""
        self.gates: dict[str, asyncio.Event] = {}
        """What the starts of a name wait for."""
        self.stuck: set[str] = set()
        """Names whose stop does not end until it is cancelled."""

    def make(self, name: str, *needs: str, **more: Any) -> Resource:
        async def start() -> None:
            self.order.append(f"start {name}")
            if name in self.gates:
                await self.gates[name].wait()
            if self.failing.get(name):
                raise self.failing[name].pop(0)
            self.order.append(f"{name} is up")

        async def stop() -> None:
            self.order.append(f"stop {name}")
            if name in self.stuck:
                await asyncio.Event().wait()

        more = {"retry": QUICK, "start": start, "stop": stop, **more}
        return Resource(name, depends_on=needs, **more)

    def supervisor(self, resources: Iterable[Resource], **more: Any) -> Supervisor:
        return Supervisor(
            resources, on_event=self.events.append, monotonic=lambda: asyncio.get_running_loop().time(), **more
        )

    def told(self, *kinds: type[ResourceEvent]) -> list[tuple[str, str]]:
        """Return kind and resource of the events told so far, of all kinds or of *kinds*."""
        found = [event for event in self.events if isinstance(event, kinds or (ResourceEvent,))]
        return [(type(event).__name__, event.resource) for event in found]


async def heedless(free: asyncio.Event) -> None:
    """Wait for *free*, whoever cancels it."""
    while not free.is_set():
        try:
            await free.wait()
        except asyncio.CancelledError:
            continue


async def until(condition: Callable[[], object], step: float = 0.01) -> None:
    """Let the loop turn, and its time pass by *step* seconds, until *condition* holds."""
    async with asyncio.timeout(100_000):
        while not condition():  # noqa: ASYNC110 - any condition, and on a loop whose time is virtual
            await asyncio.sleep(step)
