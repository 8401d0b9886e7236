"""Following a flight: waiting until it lands, or until it is clear that it does not land here. It answers nobody."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Literal, TypeAlias

from .entry import StoredResponse
from .flight import Flight, FlightKey

STALL_SECONDS = 0.5
"""How long those who wait bear with a leader whose client takes nothing."""

Missed: TypeAlias = Literal["alone", "failed", "stalled"]


async def follow(
    key: FlightKey, flight: Flight[StoredResponse], variant: Callable[[tuple[bytes, ...]], tuple[object, ...]]
) -> StoredResponse | FlightKey | Missed:
    """Wait for *flight*, found under *key*. Returns what it brought, or the key of the flight that fits better.

    Else `alone`: its response is not for others; `failed`: there is none; `stalled`: the leader's client holds it up.
    *variant* gives what this request sends in the fields that the response turns out to vary on.
    """
    flight.followers += 1
    try:
        while flight.state == "aloft":
            await flight.change()
        if flight.state in ("decided", "landed") and isinstance(flight.terms, tuple):
            names, theirs = flight.terms
            mine = variant(names)
            if mine != theirs:
                return (key[0], names, mine)
        while flight.state == "decided":
            if not await _progress(flight):
                return "stalled"
    finally:
        flight.followers -= 1
    if flight.state == "failed":
        return "failed"
    if flight.state != "landed" or flight.result is None:
        return "alone"
    return flight.result


async def _progress(flight: Flight[StoredResponse]) -> bool:
    """Wait for *flight* to change; False if its leader's client holds it up for too long."""
    if not flight.is_sending:
        await flight.change()
        return True
    try:
        async with asyncio.timeout(STALL_SECONDS):
            await flight.change()
    except TimeoutError:
        return not flight.is_sending
    return True
