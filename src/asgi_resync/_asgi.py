"""The shapes of ASGI and of time. It defines names only: nothing here acts."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, TypeAlias

# ASGI messages are open dictionaries by specification, so `Any` is their honest type.
Scope: TypeAlias = MutableMapping[str, Any]
Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
ASGIApp: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]

AnyASGIApp: TypeAlias = Callable[..., Awaitable[None]]
"""An ASGI app however its framework spells the three types: as mappings, typed dictionaries or unions of them."""

RawHeaders: TypeAlias = list[tuple[bytes, bytes]]
"""Header lines as ASGI carries them: lower-case names, values without surrounding white space."""

Clock: TypeAlias = Callable[[], float]
"""Returns seconds. Caches use seconds since the epoch (`time.time`), since HTTP dates and other hosts do."""
