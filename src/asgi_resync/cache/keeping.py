"""Storing a response beside others of its URI, and never in place of a newer one. That it may be stored is known."""

from __future__ import annotations

import asyncio
import os

from ..events import CacheKey, NotStored
from .cache import Cache
from .entry import StoredResponse
from .keys import variant_key
from .store import Record, Variants
from .variants import with_variant


async def keep_variant(cache: Cache, primary: CacheKey, entry: StoredResponse, *, moment: int) -> bool:
    """Store *entry* under *primary*, by its `vary` and `variant`, beside the other variants (RFC 9111 §4.1).

    Not, and False, if *primary* was dropped after *moment* of `Cache.drops`, also while another tier is asked for them,
    or if what is stored there was asked for later: the most recent response is the one to use (§4).
    """
    record = cache.near(primary)
    if record is None and (entry.vary or entry.variant):
        # Without variants it takes the place of whatever another tier may have, which was looked for before.
        record = await cache.fetch(primary)
        if cache.dropped_since(primary, moment):
            return False
        # Another variant may have been stored meanwhile.
        near = cache.near(primary)
        record = near if near is not None else record
    elif cache.dropped_since(primary, moment):
        return False
    if not entry.vary and not entry.variant and not isinstance(record, Variants):
        entry.key = primary
        return not _is_superseded(cache, record, entry) and await cache.keep(primary, entry)
    known = record if isinstance(record, Variants) else None
    # Random each time: processes that share a tier, forked ones too, must not give one twice.
    generation = os.urandom(8).hex() if known is None else known.generation
    entry.key = key = variant_key(primary, generation, entry.vary, entry.variant)
    if _is_superseded(cache, cache.near(key), entry):
        return False
    index, surplus = with_variant(known, primary, generation, entry, most=cache.options.max_variants)
    is_kept = await cache.keep(key, entry) and await cache.keep(primary, index)
    if surplus and cache.store.is_remote:
        # Behind the response, which nobody should wait for longer because there are many variants.
        cache.own(asyncio.get_running_loop().create_task(cache.delete(*surplus)))
    else:
        await cache.delete(*surplus)
    return is_kept


def _is_superseded(cache: Cache, record: Record | None, entry: StoredResponse) -> bool:
    """Return whether *record*, which *entry* would take the place of, is the more recent one; that is told."""
    # One that is asked for later than now was so before the clock was set back.
    if not isinstance(record, StoredResponse) or not entry.asked_at < record.asked_at <= cache.clock():
        return False
    if cache.ledger.standing(record) != "good":
        # What a purge has made stale is nobody's rival.
        return False
    if cache.emit is not None:
        cache.emit(NotStored(key=entry.key, route=entry.route, reason="superseded"))
    return True


def is_current(cache: Cache, entry: StoredResponse) -> bool:
    """Return whether *entry*, found before the app was asked, may still be updated by what the app says of it.

    §4.3.4 and §4.3.5 update what is stored, which is no longer *entry* once another has taken its place here.
    """
    record = cache.near(entry.key)
    if record is None or record is entry:
        return True
    return isinstance(record, StoredResponse) and record.etag is not None and record.etag == entry.etag
