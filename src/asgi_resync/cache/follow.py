"""Following a flight: waiting until it lands, or until it is clear that it does not land here. It answers nobody."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias

from .._asgi import RawHeaders
from .entry import StoredResponse
from .flight import Flight, FlightKey

STALL_SECONDS = 0.5
"""How long those who wait bear with a leader whose client takes nothing."""

Missed: TypeAlias = Literal["alone", "failed", "stalled", "late"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Brought:
    """What a flight brought. *asked_first*: this request was there before the app began to answer.

    *is_timely*, *is_fallback*: as of the `Flight`. *own*: the lines that a fallback is told with.
    """

    entry: StoredResponse
    asked_first: bool = False
    is_timely: bool = False
    is_fallback: bool = False
    own: RawHeaders | None = None


async def follow(
    key: FlightKey,
    flight: Flight[StoredResponse],
    variant: Callable[[tuple[bytes, ...]], tuple[object, ...]],
    patience: float | None,
) -> Brought | FlightKey | Missed:
    """Wait for *flight*, found under *key*. Returns what it brought, or the key of the flight that fits better.

    Else `alone`: its response is not for others; `failed`: there is none; `stalled`: the leader's client holds it up;
    `late`: it takes long, and this request is the one to see whether another call is faster. *variant* gives what this
    request sends in the fields that the response turns out to vary on. *patience* is the length of a round of waiting,
    in seconds, for a response that nobody said may be shared.
    """
    flight.join()
    asked_first = flight.state == "aloft"
    try:
        while flight.state == "aloft":
            if patience is None or flight.is_promised:
                await flight.change()
            elif not await _changed(flight, flight.until_next_round(patience)) and flight.lets_go(patience):
                return "late"
        if flight.state in ("decided", "landed") and isinstance(flight.terms, tuple):
            names, theirs = flight.terms
            mine = variant(names)
            if mine != theirs:
                return (key[0], names, mine)
        while flight.state == "decided":
            if not await _progress(flight):
                return "stalled"
    finally:
        flight.leave()
    if flight.state == "failed":
        return "failed"
    if flight.state != "landed" or flight.result is None:
        return "alone"
    result = flight.result
    # What a 304 or an error brought was chosen for the leader, by whichever fields it varies on.
    if variant(result.vary) != result.variant:
        return "alone"
    return Brought(
        entry=result,
        asked_first=asked_first,
        is_timely=flight.is_timely,
        is_fallback=flight.is_fallback,
        own=flight.remark if isinstance(flight.remark, list) else None,
    )


async def _progress(flight: Flight[StoredResponse]) -> bool:
    """Wait for *flight* to change; False if its leader's client holds it up for too long."""
    if not flight.is_sending:
        await flight.change()
        return True
    return await _changed(flight, STALL_SECONDS) or not flight.is_sending


async def _changed(flight: Flight[StoredResponse], seconds: float) -> bool:
    """Wait for *flight* to change; False if that takes more than *seconds*."""
    try:
        async with asyncio.timeout(seconds):
            await flight.change()
    except TimeoutError:
        return False
    return True
