"""The last thing that happens on a loop: the connections are closed that the app has used and nobody has closed."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping

from .events import Listener, ResourceAbandoned
from .upstream import Upstream

GRACE = 0.2
"""Seconds that there are at least: what came before may have taken all of them."""


def closing(
    close: Callable[[], Awaitable[None]], upstreams: Mapping[str, Upstream], on_event: Listener | None
) -> Callable[[float], Awaitable[None]]:
    """Return what calls *close*, then releases *upstreams* side by side, within so many seconds.

    Of the upstreams, what takes longer, or raises, is told by name, and abandoned.
    """

    async def closed(seconds: float) -> None:
        await close()
        tasks = {asyncio.ensure_future(one.release()): name for name, one in upstreams.items() if one.has_clients}
        if not tasks:
            return
        try:
            _, late = await asyncio.wait(tasks, timeout=max(GRACE, seconds))
        finally:
            for task in tasks:
                task.cancel()
        if late:
            await asyncio.wait(late, timeout=GRACE)
        for task, name in tasks.items():
            error = task.exception() if task.done() and not task.cancelled() else None
            cause = "TimeoutError" if task in late else type(error).__name__ if error is not None else None
            if cause is not None and on_event is not None:
                on_event(ResourceAbandoned(resource=name, phase="clients", cause=cause))

    return closed
