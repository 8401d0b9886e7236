"""One channel, on a connection of its own that proves twice a second that it is alive."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Sequence

from ..ports import Unreachable
from .connect import Opener, closed
from .packing import PING, packed
from .place import Address
from .wire import Wire

LAST_LOOK = 0.05
"""Seconds in which an answer that is there already is found, however long the event loop was held up."""


async def subscribed(opener: Opener, addresses: Sequence[Address | None], channel: str, within: float) -> Wire:
    """Return a connection that listens to *channel*, at the first of *addresses* that confirms it *within* seconds.

    Raises Unreachable if none does.
    """
    error: Exception = ConnectionError()
    for address in addresses:
        wire: Wire | None = None
        try:
            async with asyncio.timeout(within):
                wire = await opener.open(address)
                await wire.send_packed_command(packed(["SUBSCRIBE", channel]), check_health=False)
                while not _is(await wire.read_response(True, math.inf, push_request=True), b"subscribe"):
                    pass
                return wire
        except Exception as hindrance:
            error = hindrance
            if wire is not None:
                await closed(wire)
        except BaseException:
            if wire is not None:
                await closed(wire)
            raise
    raise Unreachable(type(error).__name__) from error


async def messages(wire: Wire, keepalive: float) -> AsyncIterator[bytes]:
    """Yield what is published. Raises Unreachable when the connection is lost, also one that died *keepalive* s ago."""
    try:
        while True:
            reply = await wire.read_response(True, keepalive / 2, push_request=True)
            if reply is None:
                await wire.send_packed_command(PING, check_health=False)
                reply = await wire.read_response(True, keepalive / 2 - LAST_LOOK, push_request=True)
                if reply is None:
                    reply = await wire.read_response(True, LAST_LOOK, push_request=True)
                if reply is None:
                    raise TimeoutError
            if _is(reply, b"message"):
                assert isinstance(reply, list)
                yield reply[2]
    except Exception as error:
        raise Unreachable(type(error).__name__) from error


def _is(reply: object, kind: bytes) -> bool:
    return isinstance(reply, list) and len(reply) == 3 and reply[0] == kind
