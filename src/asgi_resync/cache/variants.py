"""How a variant joins the others of its URI (RFC 9111 §4.1). Pure."""

from __future__ import annotations

from ..events import CacheKey
from .entry import StoredResponse
from .store import Variants

MAX_NAME_LISTS = 4
"""Lists of fields that responses of one URI may vary on; each is one more look when a request comes."""


def with_variant(
    known: Variants | None, primary: CacheKey, generation: str, entry: StoredResponse, *, most: int
) -> tuple[Variants, tuple[CacheKey, ...]]:
    """Return the index of *primary* with *entry* in it, and the keys of its oldest variants beyond *most*."""
    names, listed = ((), ()) if known is None else (known.names, known.listed)
    listed = (*(other for other in listed if other != entry.key), entry.key)
    lists = (entry.vary, *(other for other in names if other != entry.vary))
    # §4.1: a response with Vary is preferred to one that omits it, however recent.
    ordered = (*(names for names in lists if names), *(names for names in lists if not names))
    index = Variants(
        key=primary,
        generation=generation,
        names=ordered[:MAX_NAME_LISTS],
        listed=listed[-most:],
        keep_until=entry.keep_until if known is None else max(entry.keep_until, known.keep_until),
        # It leads to what is older too: whoever dropped the key since refuses the whole of it.
        seen=entry.seen if known is None else min(entry.seen, known.seen),
    )
    return index, listed[: max(0, len(listed) - most)]
