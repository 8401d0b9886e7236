"""Bringing a 304 into what is stored (RFC 9111 §4.3.4). It answers nobody."""

from __future__ import annotations

from collections.abc import Iterable

from .._asgi import RawHeaders
from ..events import CacheKey
from .build import Call, freshened
from .cache import Cache
from .entry import StoredResponse
from .opening import judge
from .policy.storability import Storable


async def renew_others(
    cache: Cache,
    key: CacheKey,
    others: Iterable[StoredResponse],
    update: RawHeaders,
    call: Call,
    *,
    moment: int,
    authorized: bool,
) -> None:
    """Renew the stored responses that a 304 speaks of besides the one that answers the request.

    One that the update would no longer let be stored, or be selected as before, is left to go stale; and none comes
    back once *key* was dropped after *moment* of `Cache.drops`.
    """
    for entry in others:
        # Looked at each time, as storing the one before took a while.
        if cache.dropped_since(key, moment):
            return
        renewed, fields = freshened(entry, update, call)
        plan = judge(fields, call, has_authorization=authorized)
        if isinstance(plan, Storable) and plan.vary == entry.vary:
            await cache.keep_variant(key, renewed, moment=moment)
