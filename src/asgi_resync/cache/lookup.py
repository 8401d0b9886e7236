"""Finding what is stored for a request (RFC 9111 §4.1): the response it selects, and what else may be validated."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from .._asgi import RawHeaders
from ..events import CacheKey
from .cache import Cache
from .entry import StoredResponse
from .flight import FlightKey
from .keys import variant_key, variant_of
from .store import Variants
from .tags import MarkedStale

MAX_CANDIDATES = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What `look_up` found: the selected response or None, its tier, and since when a soft purge made it stale.

    `is_absent`: there was nothing at all under the key, not even what does not fit. `flight_key` is what a call of the
    app for this request is known by, `forward` why one would be made if nothing is found (RFC 9211 §2.2).
    """

    entry: StoredResponse | None
    is_absent: bool
    tier: Literal[b"l1", b"l2"]
    marked_stale_at: float | None
    flight_key: FlightKey
    forward: Literal["uri-miss", "vary-miss", "request", "stale"]


async def look_up(
    cache: Cache, key: CacheKey, headers: RawHeaders, unkeyed: tuple[object, ...], *, authorized: bool
) -> Found:
    """Return what *cache* holds for a request with *headers* under the primary *key*; nothing that was purged."""
    moment = cache.drops
    record = near = cache.near(key)
    if record is None:
        record = await cache.fetch(key)
    flight_key: FlightKey = (key, (), unkeyed)
    forward: Literal["uri-miss", "vary-miss", "request", "stale"] = "uri-miss"
    entry: StoredResponse | None = None
    if isinstance(record, Variants):
        forward = "vary-miss"
        keys: list[CacheKey] = []
        for names in record.names:
            variant = variant_of(headers, names, normalize=cache.options.normalize_vary, unkeyed=unkeyed)
            if not keys:
                flight_key = (key, names, variant)
            keys.append(variant_key(key, record.generation, names, variant))
        entry, is_near = await _first_response(cache, keys)
        if entry is not None and cache.dropped_since(key, moment):
            # While another tier was asked for what the list, now dropped, led to.
            entry = None
        near = entry if is_near else None
    elif record is not None and unkeyed:
        # It was made for a request without the fields that this one carries.
        forward = "vary-miss"
    else:
        entry = record
    marked: float | None = None
    if entry is not None:
        standing = cache.ledger.standing(entry)
        if standing == "purged":
            entry = None
        elif authorized and not entry.shared_with_authorization:
            # RFC 9211 §2.2: there is a fresh answer, and what the request carries forbids to use it.
            forward = "request" if cache.clock() < entry.fresh_until else "stale"
            entry = None
        elif isinstance(standing, MarkedStale):
            marked = standing.at
        else:
            entry.vouched = cache.ledger.version
    tier: Literal[b"l1", b"l2"] = b"l1" if near is not None else b"l2"
    return Found(
        entry=entry,
        is_absent=record is None,
        tier=tier,
        marked_stale_at=marked,
        flight_key=flight_key,
        forward=forward,
    )


async def _first_response(cache: Cache, keys: Sequence[CacheKey]) -> tuple[StoredResponse | None, bool]:
    """Return the first response that there is under *keys*, and whether this process had it."""
    for key in keys:
        if isinstance(found := cache.near(key), StoredResponse):
            return found, True
        if cache.store.is_remote:
            break  # An earlier key may be found elsewhere.
    if cache.store.is_remote:
        # All at once: a request waits for another tier no longer because responses differ in what they vary on.
        for record in await asyncio.gather(*(cache.fetch(key) for key in keys)):
            if isinstance(record, StoredResponse):
                return record, False
    return None, False


async def candidates_for(cache: Cache, key: CacheKey, entry: StoredResponse | None) -> tuple[StoredResponse, ...]:
    """Return what the app can be asked to validate: the selected *entry*, and other variants (RFC 9111 §4.3.1).

    Those by a strong ETag only: one that is weak, made of the version of a row perhaps, may be that of every variant,
    and the body that one user got would answer another.
    """
    first = (entry,) if entry is not None and entry.app_validator else ()
    record = await cache.fetch(key)
    if not isinstance(record, Variants):
        return first
    others = []
    for listed in reversed(record.listed[-MAX_CANDIDATES:]):
        other = cache.near(listed)  # Another tier is not asked sixteen times for what may spare a body.
        if not isinstance(other, StoredResponse) or other is entry or other.etag is None:
            continue
        if other.etag.startswith(b"W/"):
            continue
        if other.app_validator and cache.ledger.standing(other) != "purged":
            others.append(other)
    return (*first, *others)
