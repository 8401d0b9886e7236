"""What a cache tells other processes through: a port, and no behaviour."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from ..events import CacheKey
from .undelivered import Delivery


class Plane(Protocol):
    """Carries purges to the other processes."""

    async def purge(
        self, tags: Iterable[str] = (), keys: Iterable[CacheKey] = (), *, soft: bool = False, confirm: bool = True
    ) -> Delivery:
        """Purge *tags* and drop *keys* here at once, and tell everybody. Never raises; keys are dropped hard.

        With *confirm* it waits a moment until the others have applied it.
        """


_ORDER = ("local", "delivered", "partial", "queued")


def worst(deliveries: Iterable[Delivery]) -> Delivery:
    """Return how far a purge got of which each of *deliveries* is a part."""
    found = list(deliveries)
    if not found:
        return Delivery(state="local")
    return Delivery(
        state=max((delivery.state for delivery in found), key=_ORDER.index),
        confirmed=min(delivery.confirmed for delivery in found),
        unconfirmed=max(delivery.unconfirmed for delivery in found),
    )
