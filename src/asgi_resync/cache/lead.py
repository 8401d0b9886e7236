"""Leading a flight: the app is called in a task of its own, so that the call outlives its client if others wait for it.

As long as nobody else waits, it behaves as if the app were called in place: cancelling the request cancels the app and
sees it end, exceptions come through, context variables that the app sets are set, and a disconnect is told.
"""

from __future__ import annotations

import asyncio
import contextvars
import sys
from collections.abc import Coroutine
from typing import TYPE_CHECKING

from .._asgi import Message, Receive, Send
from .entry import StoredResponse
from .flight import Flight, FlightKey

if TYPE_CHECKING:
    from .cache import Cache
    from .exchange import Exchange

_UNSET = object()


def start_task(work: Coroutine[object, object, None], context: contextvars.Context) -> asyncio.Task[None]:
    """Start *work* as a task in *context*, at once where Python can (3.12): an app that never waits costs no turn."""
    loop = asyncio.get_running_loop()
    if sys.version_info >= (3, 12):
        return asyncio.Task(work, loop=loop, context=context, eager_start=True)
    return loop.create_task(work, context=context)


async def lead(
    cache: Cache,
    exchange: Exchange,
    flight: Flight[StoredResponse],
    client: Send,
    work: Coroutine[object, object, None],
) -> None:
    """Run *work*, which calls the app for *exchange*, to its end; send to *client* meanwhile. Raises what it raises."""
    context = contextvars.copy_context()
    task = start_task(work, context)
    if not task.done():
        cache.own(task)
        outbox = exchange.delivery.outbox
        assert outbox is not None
        task.add_done_callback(lambda _: outbox.wake())
        try:
            await outbox.drain(client, task)
        except asyncio.CancelledError:
            if flight.followers and not flight.is_over:
                # Others wait: the call goes on without its client, owned by the cache, for as long as they do.
                exchange.delivery.client = None
                flight.on_deserted = task.cancel
                raise
            if task.done() and (task.cancelled() or task.exception() is None):
                # The app has ended and does not hear of it, so its caller must.
                raise
            await _cancelled(task)
            if task.cancelled():
                raise
    for variable in context:
        if variable.get(_UNSET) is not (value := context[variable]):
            variable.set(value)
    task.result()


async def flown(
    cache: Cache, key: FlightKey, flight: Flight[StoredResponse], work: Coroutine[object, object, None]
) -> None:
    """Run *work* and take *flight* off the board, whatever happens."""
    try:
        await work
    finally:
        cache.flights.end(key, flight)
        flight.fail()


def shared_receive(receive: Receive, flight: Flight[StoredResponse]) -> Receive:
    """Return the app's `receive`: a disconnect of the client is not told while others wait for the answer."""

    async def shared() -> Message:
        message = await receive()
        if message["type"] == "http.disconnect":
            while flight.followers and not flight.is_over:
                await flight.change()
        return message

    return shared


async def _cancelled(task: asyncio.Task[None]) -> None:
    """Cancel *task* and see it end, however often we are cancelled meanwhile."""
    task.cancel()
    while not task.done():
        try:
            await asyncio.wait({task})
        except asyncio.CancelledError:
            continue
