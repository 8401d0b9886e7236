"""Bringing a 304 into what is stored (RFC 9111 §4.3.4). It answers nobody."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from .._asgi import RawHeaders
from .asked import Asked
from .build import Call, freshened
from .cache import Cache
from .entry import StoredResponse
from .keeping import is_current, keep_variant
from .opening import judge
from .policy.fields import read_fields
from .policy.storability import NotStorable, Storable, refused_update


@dataclass(frozen=True, slots=True, kw_only=True)
class Renewed:
    """What a 304 made of a stored response, for the request that it answers; `is_kept` says whether for others too."""

    entry: StoredResponse
    plan: Storable | NotStorable
    is_timely: bool = False
    """As of the `Flight`."""
    is_kept: bool = False


async def renew(
    cache: Cache, asked: Asked, alike: tuple[StoredResponse, ...], update: RawHeaders, call: Call
) -> Renewed:
    """Bring the 304 *update* to the question *asked* into all that is *alike*, and return what becomes of the first.

    None comes back that was dropped since it was asked, or that something else has taken the place of.
    """
    chosen, key, authorized = alike[0], asked.key, asked.authorized
    entry, fields = freshened(chosen, update, call)
    entry.variant = asked.variant(cache, entry.vary)
    plan = judge(fields, call, has_authorization=authorized)
    if isinstance(plan, Storable):
        own = read_fields(200, update, now=call.response_time, targets=call.options.targets)
        if refusal := refused_update(own, call.terms, call.options.limits, has_authorization=authorized):
            return Renewed(entry=entry, plan=refusal)
    # The app chose it for this request too, which may be another than that which brought it.
    others = alike if chosen.variant != entry.variant else alike[1:]
    await _renew_others(cache, asked, others, update, call)
    if isinstance(plan, NotStorable):
        if plan.reason != "authorization":
            # §4.3.4: the update counts, also where it takes back the permission to store. That an answer is for one
            # user says nothing of what is stored for all.
            await cache.drop(key)
        return Renewed(entry=entry, plan=plan)
    if plan.vary != entry.vary:
        # §4.1: what the update says it varies on selects from now on.
        entry.vary, entry.variant = plan.vary, asked.variant(cache, plan.vary)
    is_kept = is_current(cache, chosen) and await keep_variant(cache, key, entry, moment=asked.moment)
    is_timely = call.lives_beyond_delay(fields) and not fields.control.no_cache
    return Renewed(entry=entry, plan=plan, is_timely=is_timely, is_kept=is_kept)


async def _renew_others(
    cache: Cache, asked: Asked, others: Iterable[StoredResponse], update: RawHeaders, call: Call
) -> None:
    """Renew the stored responses that a 304 speaks of besides the one that answers the request.

    One that the update would no longer let be stored, or be selected as before, is left to go stale.
    """
    for entry in others:
        renewed, fields = freshened(entry, update, call)
        plan = judge(fields, call, has_authorization=asked.authorized)
        if isinstance(plan, Storable) and plan.vary == entry.vary and is_current(cache, entry):
            await keep_variant(cache, asked.key, renewed, moment=asked.moment)
