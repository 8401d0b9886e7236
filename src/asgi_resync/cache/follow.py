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
    key: FlightKey,
    flight: Flight[StoredResponse],
    variant: Callable[[tuple[bytes, ...]], tuple[object, ...]],
    patience: float | None,
) -> StoredResponse | FlightKey | Missed:
    """Wait for *flight*, found under *key*. Returns what it brought, or the key of the flight that fits better.

    Else `alone`: its response is not for others; `failed`: there is none; `stalled`: the leader's client holds it up.
    *variant* gives what this request sends in the fields that the response turns out to vary on. *patience* bounds, in
    seconds, the wait for a response that nobody said may be shared.
    """
    flight.followers += 1
    try:
        while flight.state == "aloft":
            if not await _changed(flight, patience):
                return "alone"
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
    result = flight.result
    # What a 304 or an error brought was chosen for the leader, by whichever fields it varies on.
    return result if variant(result.vary) == result.variant else "alone"


async def _progress(flight: Flight[StoredResponse]) -> bool:
    """Wait for *flight* to change; False if its leader's client holds it up for too long."""
    if not flight.is_sending:
        await flight.change()
        return True
    return await _changed(flight, STALL_SECONDS) or not flight.is_sending


async def _changed(flight: Flight[StoredResponse], seconds: float | None) -> bool:
    """Wait for *flight* to change; False if that takes more than *seconds*."""
    if seconds is None:
        await flight.change()
        return True
    try:
        async with asyncio.timeout(seconds):
            await flight.change()
    except TimeoutError:
        return False
    return True
