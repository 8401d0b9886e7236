"""How long an upstream takes, told of each attempt. Only a transport whose listener wants to know it measures it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from .._asgi import Clock
from ..events import Listener, UpstreamAnswered
from .ports import ClientResponse

RequestT = TypeVar("RequestT")
ResponseT = TypeVar("ResponseT", bound=ClientResponse)


def timed(
    send: Callable[[RequestT], Awaitable[ResponseT]], emit: Listener, upstream: str, clock: Clock
) -> Callable[[RequestT], Awaitable[ResponseT]]:
    """Return *send*, telling *emit* how long each call of *upstream* took by *clock*, and what it came to."""

    async def send_timed(request: RequestT) -> ResponseT:
        began = clock()
        try:
            response = await send(request)
        except BaseException as error:
            emit(UpstreamAnswered(upstream=upstream, seconds=clock() - began, outcome=type(error).__name__))
            raise
        emit(UpstreamAnswered(upstream=upstream, seconds=clock() - began, outcome=str(response.status_code)))
        return response

    return send_timed
