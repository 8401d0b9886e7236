"""A call of the app that is made when it is this process's turn, or not at all if another process has made it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator

from ..events import CacheKey
from .claims import Claim, Claims
from .entry import StoredResponse
from .flight import FlightKey
from .lookup import Found

MAX_TURNS = 3
"""Calls of other processes that are waited for, one after another: if none brings what fits, this one is made."""


def claim_key(key: FlightKey) -> CacheKey:
    """Return the key of the claim on the call known as *key*; it is the primary key where no variants are known."""
    primary, names, variant = key
    assert isinstance(primary, tuple)
    return (*primary, names, variant) if names or variant else primary


def patiences(claims: Claims, patience: float | None) -> Iterator[float | None]:
    """Yield the patience for each turn: the first has all of it, and together they take no longer than one may."""
    clock = asyncio.get_running_loop().time
    until = clock() + (claims.longest if patience is None else min(patience, claims.longest))
    yield patience
    for _ in range(MAX_TURNS - 1):
        if (left := until - clock()) <= 0:
            return
        yield left


async def take_turn(
    claims: Claims,
    key: FlightKey,
    patience: float | None,
    *,
    is_absent: bool,
    look: Callable[[], Awaitable[Found]],
    fits: Callable[[Found], bool],
) -> Claim | StoredResponse | None:
    """Return a claim on the call known as *key*, or what another process stored meanwhile. None: call without either.

    *patience* and *is_absent* are as of `Claims.claim`. *look* looks into the store again, and *fits* says whether what
    it found answers the request. What is found there may show that another call fits better: a claim is made on that.
    """
    for left in patiences(claims, patience):
        claim = await claims.claim(claim_key(key), left, is_absent=is_absent)
        if claim is not None:
            return claim
        found = await look()
        if found.entry is not None and fits(found):
            return found.entry
        key, is_absent = found.flight_key, found.is_absent
    return None
