"""What all events are, and what listens to them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

CacheKey: TypeAlias = tuple[object, ...]
"""Opaque and hashable; made by `asgi_resync.cache.keys`."""


@dataclass(frozen=True, slots=True)
class Event:
    """The base of all events."""


Listener: TypeAlias = Callable[[Event], None]
