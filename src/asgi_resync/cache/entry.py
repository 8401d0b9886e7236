"""A response as it is kept. It holds facts worked out when it was stored, so that a hit computes nothing.

All times are seconds since the epoch on the cache's clock.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from sys import getsizeof

from .._asgi import RawHeaders
from ..events import CacheKey

OVERHEAD = 1200
"""Bytes of Python objects per entry besides body, header and key texts, as measured by `tests/unit/test_memory.py`."""


def weigh(part: object) -> int:
    """Return the bytes that a key, or a part of one, takes: texts with their heads and slots, tuples all the way down.

    Clients choose what stands in keys and variants, so what this overlooks they could make us hold for nothing.
    """
    if not isinstance(part, tuple):
        return getsizeof(part) + 16  # A slot, and half of what the allocator rounds up.
    if not part:
        return 0
    weight = 64
    for inner in part:
        weight += weigh(inner) if isinstance(inner, tuple) else getsizeof(inner) + 16
    return weight


@dataclass(slots=True, kw_only=True, eq=False)
class StoredResponse:
    """A complete response and what RFC 9111 says of it. Treat it as immutable: many requests share it.

    `headers` are as they go out, without `Age` and our `Cache-Status` member. `born` is the moment at which the
    age was zero (§4.2.3), so `now - born` is the current age; `lifetime` is the freshness lifetime (§4.2.1).
    """

    key: CacheKey
    status: int
    headers: RawHeaders
    body: bytes
    stored_at: float
    date: float
    born: float
    lifetime: float
    stale_while_revalidate: float = 0.0
    stale_if_error: float = 0.0
    may_serve_stale: bool = True
    """False where must-revalidate, proxy-revalidate, s-maxage or no-cache forbid it (§4.2.4)."""
    always_validate: bool = False
    """True for an unqualified no-cache (§5.2.2.4)."""
    shared_with_authorization: bool = False
    """True where §3.5 lets it answer requests that carry Authorization."""
    etag: bytes | None = None
    last_modified: float | None = None
    app_validator: bool = False
    """True if ETag or Last-Modified came from the app, so that asking it can give a 304."""
    vary: tuple[bytes, ...] = ()
    variant: tuple[object, ...] = ()
    """What the request that brought it sent in the fields named by `vary`, normalised (§4.1)."""
    tags: tuple[str, ...] = ()
    learned: int = 0
    """How many of `tags`, the last ones, say what its body was built from: they stay as long as the body does."""
    route: str = ""
    hidden: RawHeaders = field(default_factory=list)
    """Lines of our own targeted field: they govern the entry, also after a 304, and never go out."""
    epoch: int = 0
    """The purge ledger's version when the app was asked: later purges of its tags concern it."""
    seen: int = 0
    """The newest purge of the cluster that was known when the app was asked: what counts is `epoch`, made from it."""
    asked_at: float = 0.0
    """When the app was asked for it, or last whether it is still good; 0 where this process did not ask."""
    keep: float = 0.0
    """Seconds it is kept beyond every window, to be validated."""

    fresh_until: float = field(init=False)
    keep_until: float = field(init=False)
    """After this moment it is of no use to anybody."""
    size: int = field(init=False)
    """Bytes it weighs: body, headers, key and the Python objects around them."""

    refresh_after: float = field(init=False, default=0.0, repr=False)
    """Before this moment no refresh is tried, since one has just failed."""

    # Memos of the middleware, valid for this object only: the header lines of a hit, the moment until which they hold
    # (the next second of age, or the end of freshness), and the ledger's version up to which no purge concerns it.
    # Without them a hit costs 0.6 bare app calls more.
    ready: RawHeaders = field(init=False, default_factory=list, repr=False)
    ready_until: float = field(init=False, default=-math.inf, repr=False)
    vouched: int = field(init=False, default=-1, repr=False)

    def __post_init__(self) -> None:
        fresh_until = self.born + self.lifetime
        # An entry that must always be validated is never fresh, which spares the hit a question.
        self.fresh_until = -math.inf if self.always_validate else fresh_until
        self.keep_until = fresh_until + max(self.stale_while_revalidate, self.stale_if_error, self.keep)
        size = OVERHEAD + len(self.body) + weigh(self.key) + weigh(self.vary) + weigh(self.variant) + weigh(self.tags)
        for lines in (self.headers, self.hidden):
            for name, value in lines:
                size += len(name) + len(value) + 144
        self.size = size

    @property
    def built_from(self) -> tuple[str, ...]:
        """Those of `tags` that were learned."""
        return self.tags[len(self.tags) - self.learned :]
