"""The loop that runs here, if there is one, and work on it that takes no haste. It knows no resource."""

from __future__ import annotations

import asyncio


def running_loop() -> asyncio.AbstractEventLoop | None:
    """Return the asyncio loop that runs here; None outside of any, and on those of others, such as trio's."""
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


async def unhurried(task: asyncio.Task[None]) -> None:
    """Wait until *task* is done, and raise what it raises; cancelled, raise CancelledError only then."""
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait({task})
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        raise cancelled
    task.result()
