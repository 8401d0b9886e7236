"""The port between the cache and what keeps its records. It knows no HTTP.

Every adapter passes the contract suite in `asgi_resync.testing`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol, TypeAlias

from ..events import CacheKey
from .entry import OVERHEAD, StoredResponse, weigh


@dataclass(frozen=True, slots=True, kw_only=True)
class Variants:
    """Stands under the key of a URI whose responses vary, and says how to find them (RFC 9111 §4.1).

    `names` are the lists of request fields that responses named in Vary, newest first, and an empty one last.
    `generation` is part of every variant's own key, so that dropping this one record makes all variants unreachable at
    once. `listed` are the keys of the variants, oldest first, so that their number can be bounded.
    """

    key: CacheKey
    generation: str
    names: tuple[tuple[bytes, ...], ...]
    listed: tuple[CacheKey, ...]
    keep_until: float
    seen: int = 0
    """As that of the response which was stored last."""
    size: int = field(init=False)

    def __post_init__(self) -> None:
        # Listed keys share their parts with this record, but for the last: what a request sent, which only they keep
        # alive when the variant has been evicted.
        listed = sum(128 + weigh(key[-1]) for key in self.listed)
        weight = OVERHEAD // 3 + weigh(self.key) + weigh(self.names) + listed
        object.__setattr__(self, "size", weight)


Record: TypeAlias = StoredResponse | Variants


class Store(Protocol):
    """Keeps records by key until their `keep_until`, or for less time if it lacks room.

    A store never raises for what it cannot reach: an unreachable record is a miss, told as an event.
    """

    @property
    def is_remote(self) -> bool:
        """True if `get` may find what `near` does not."""

    def near(self, key: CacheKey) -> Record | None:
        """Return the record if this process holds it, expired ones included until swept. Never waits."""

    async def get(self, key: CacheKey) -> Record | None:
        """Return the record wherever it is held, or None."""

    async def set(self, key: CacheKey, record: Record) -> None:
        """Keep *record* under *key* in place of what was there."""

    async def delete(self, key: CacheKey) -> None:
        """Forget *key*; no error if it is not there."""

    async def clear(self) -> None:
        """Forget everything."""

    async def aclose(self) -> None:
        """Release what the store holds. Idempotent."""
