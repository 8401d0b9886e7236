"""The Cache-Status field (RFC 9211). Pure; it builds one member for the list."""

from __future__ import annotations

from typing import Literal

from .._structured import serialize_string, serialize_token_or_string
from ..events import CacheKey

Forward = Literal["bypass", "method", "uri-miss", "vary-miss", "miss", "request", "stale", "partial"]


def name_with_key(name: str, key: CacheKey) -> bytes:
    """Return *name* with the parameter `key` (§2.7): what stands in *key* for host, path and query."""
    _, host, raw_path, _, query = key[:5]
    text = "".join(
        part.decode("latin-1") for part in (host, raw_path, query and b"?", query) if isinstance(part, bytes)
    )
    return name.encode("ascii") + b"; key=" + serialize_string(text)


def hit_member(name: bytes, ttl: int, detail: bytes) -> bytes:
    """Return the member for a response out of the cache; *ttl* in seconds, negative when stale (§2.4)."""
    return b"%b; hit; ttl=%d; detail=%b" % (name, ttl, detail)


def forward_member(
    name: bytes,
    forward: str,
    *,
    status: int | None = None,
    stored: bool = False,
    collapsed: bool = False,
    ttl: int | None = None,
    detail: str | None = None,
) -> bytes:
    """Return the member for a response that came from the app; *status* if it is not the one sent (§2.3)."""
    parts = [name, b"fwd=" + forward.encode("ascii")]
    if status is not None:
        parts.append(b"fwd-status=%d" % status)
    if ttl is not None:
        parts.append(b"ttl=%d" % ttl)
    if stored:
        parts.append(b"stored")
    if collapsed:
        parts.append(b"collapsed")
    if detail is not None:
        parts.append(b"detail=" + serialize_token_or_string(detail))
    return b"; ".join(parts)
