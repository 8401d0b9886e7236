"""Bringing a 304 into what is stored (RFC 9111 §4.3.4). It answers nobody."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from .._asgi import RawHeaders
from ..events import CacheKey
from .build import Call, freshened
from .cache import Cache
from .entry import StoredResponse
from .opening import judge
from .policy.fields import ResponseFields
from .policy.storability import NotStorable, Storable


async def renew(
    cache: Cache,
    key: CacheKey,
    alike: tuple[StoredResponse, ...],
    update: RawHeaders,
    call: Call,
    *,
    variant: Callable[[tuple[bytes, ...]], tuple[object, ...]],
    moment: int,
    authorized: bool,
) -> tuple[StoredResponse, ResponseFields, Storable | NotStorable]:
    """Bring the 304 *update* into all that is *alike*. Returns the first renewed, its fields, and whether it is kept.

    *variant* gives what the request sends in the fields that something varies on; the rest is as of `renew_others`.
    """
    chosen = alike[0]
    # The app chose it for this request too, which may be another than that which brought it.
    others = alike if chosen.variant != variant(chosen.vary) else alike[1:]
    await renew_others(cache, key, others, update, call, moment=moment, authorized=authorized)
    entry, fields = freshened(chosen, update, call)
    entry.variant = variant(entry.vary)
    plan = judge(fields, call, has_authorization=authorized)
    if isinstance(plan, NotStorable):
        if plan.reason != "authorization":
            # §4.3.4: the update counts, also where it takes back the permission to store. That an answer is for one
            # user says nothing of what is stored for all.
            await cache.drop(key)
        return entry, fields, plan
    if plan.vary != entry.vary:
        # §4.1: what the update says it varies on selects from now on.
        entry.vary, entry.variant = plan.vary, variant(plan.vary)
    if not cache.dropped_since(key, moment):
        await cache.keep_variant(key, entry, moment=moment)
    return entry, fields, plan


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
