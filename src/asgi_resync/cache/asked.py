"""What the app was asked, and when: the facts that its answer is read by. It calls nobody."""

from __future__ import annotations

from dataclasses import dataclass

from .._asgi import RawHeaders
from ..events import CacheKey
from .build import Call
from .cache import Cache
from .keys import variant_of
from .rules import NO_TERMS, Terms


@dataclass(slots=True, kw_only=True, eq=False)
class Asked:
    """A question to the app, put at `request_time`: purges and drops from `epoch`, `seen` and `moment` on concern it.

    `epoch` is the ledger's version then, `seen` what it had heard of the cluster's, `moment` that of `Cache.drops`.
    `authorized`: the request has Authorization; `unkeyed`: what it has in fields that no key knows.
    """

    key: CacheKey
    headers: RawHeaders
    request_time: float
    epoch: int
    seen: int
    moment: int
    authorized: bool = False
    unkeyed: tuple[object, ...] = ()

    @classmethod
    def now(
        cls,
        cache: Cache,
        key: CacheKey,
        headers: RawHeaders,
        *,
        authorized: bool = False,
        unkeyed: tuple[object, ...] = (),
    ) -> Asked:
        """Return the question that a request with *headers* puts at this moment."""
        ledger = cache.ledger
        return cls(
            key=key,
            headers=headers,
            authorized=authorized,
            unkeyed=unkeyed,
            request_time=cache.clock(),
            epoch=ledger.version,
            seen=ledger.seen,
            moment=cache.drops,
        )

    def variant(self, cache: Cache, names: tuple[bytes, ...]) -> tuple[object, ...]:
        """Return what the request sends in the fields called *names*, as *cache* normalises it."""
        if not names:
            return self.unkeyed
        return variant_of(self.headers, names, normalize=cache.options.normalize_vary, unkeyed=self.unkeyed)

    def call(self, cache: Cache, terms: Terms | None, route: str) -> Call:
        """Return the circumstances of an answer that comes now, under *terms*."""
        return Call(
            terms=terms if terms is not None else NO_TERMS,
            options=cache.options,
            route=route,
            epoch=self.epoch,
            seen=self.seen,
            request_time=self.request_time,
            response_time=cache.clock(),
        )

    def is_void(self, cache: Cache) -> bool:
        """Return whether what it is about was dropped since, so that the answer must not be kept."""
        return cache.dropped_since(self.key, self.moment)
