"""What a 200 to HEAD does to the stored response to GET (RFC 9111 §4.3.5): it updates it, or shows that it is gone."""

from __future__ import annotations

from .._asgi import Message, RawHeaders, Send
from ..events import CacheKey
from .build import Call, freshened
from .cache import Cache
from .entry import StoredResponse
from .keeping import is_current, keep_variant
from .opening import degraded_lines
from .policy.fields import read_fields
from .policy.storability import Storable, refused_update, storability
from .policy.validation import describes
from .rules import NO_TERMS, Terms


def watch_head(
    cache: Cache, key: CacheKey, entry: StoredResponse | None, rule: Terms | None, send: Send, *, authorized: bool
) -> Send:
    """Return a `send` for a HEAD that goes to the app now, and lets its 200 update the selected *entry*.

    *authorized*: the request has Authorization.
    """
    request_time, moment = cache.clock(), cache.drops

    async def watch(message: Message) -> None:
        if message["type"] == "http.response.start" and message["status"] == 200 and entry is not None:
            headers: RawHeaders = list(message.get("headers", ()))
            call = Call(
                terms=rule if rule is not None else NO_TERMS,
                options=cache.options,
                route=entry.route,
                epoch=entry.epoch,
                seen=entry.seen,
                request_time=request_time,
                response_time=cache.clock(),
            )
            try:
                # What was made for want of an upstream says nothing of what is stored.
                if not degraded_lines(headers) and not cache.dropped_since(key, moment):
                    await _update(cache, key, entry, headers, call, moment=moment, authorized=authorized)
            except Exception as error:
                cache.failed("head", error)
        await send(message)

    return watch


async def _update(
    cache: Cache,
    key: CacheKey,
    entry: StoredResponse,
    headers: RawHeaders,
    call: Call,
    *,
    moment: int,
    authorized: bool,
) -> None:
    if not is_current(cache, entry):
        # It speaks of what was stored when it was asked for, which is no more.
        return
    if not describes(entry, headers, call.response_time):
        await cache.drop(key)
        return
    renewed, fields = freshened(entry, headers, call)
    own = read_fields(200, headers, now=call.response_time, targets=call.options.targets)
    if entry.always_validate and entry.app_validator and own.etag is None and own.last_modified is None:
        # Without a validator it validates nothing, so that what must be validated goes on to be.
        return
    plan = storability(
        fields, call.lifetime, call.terms, call.options.limits, has_authorization=authorized, keeps_stale=True
    )
    if isinstance(plan, Storable) and plan.vary != renewed.vary:
        # Nobody knows what the GET sent in the fields that it turns out to vary on.
        await cache.drop(key)
    elif isinstance(plan, Storable):
        if refused_update(own, call.terms, call.options.limits, has_authorization=authorized) is None:
            await keep_variant(cache, key, renewed, moment=moment)
    elif plan.reason not in ("no-lifetime", "authorization"):
        # It takes back the permission to store. That this answer is not for others says nothing of what is stored.
        await cache.drop(key)
