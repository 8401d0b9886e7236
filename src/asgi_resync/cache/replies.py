"""Answering a client out of the store, and telling so. It decides nothing: `answer` says what the messages are."""

from __future__ import annotations

from .._asgi import RawHeaders, Send
from ..events import CacheHit, CacheKey, Collapsed, RefreshFailed, StaleServed
from .answer import age_fields, answer
from .cache import Cache
from .entry import StoredResponse
from .status import forward_member
from .tags import MarkedStale


class Replies:
    """The answers that one request can get without a call of the app of its own."""

    __slots__ = ("_cache", "_headers", "_key", "_method", "_send", "is_conditional")

    def __init__(self, cache: Cache, key: CacheKey, method: str, headers: RawHeaders, send: Send) -> None:
        self._cache = cache
        self._key = key
        self._method = method
        self._headers = headers
        self._send = send
        self.is_conditional = False
        """True if the request has preconditions or a Range."""

    @property
    def _name(self) -> bytes | None:
        return self._cache.options.status_name(self._key)

    async def _answer(self, entry: StoredResponse, extra: RawHeaders, now: float) -> None:
        start, body = answer(entry, self._method, self._headers, extra, now, conditional=self.is_conditional)
        await self._send(start)
        await self._send(body)

    async def _forwarded(self, entry: StoredResponse, own: RawHeaders, member: bytes | None, now: float) -> None:
        extra = age_fields(entry, now, None) + own
        if member is not None:
            extra.append((b"cache-status", member))
        await self._answer(entry, extra, now)

    async def hit(self, entry: StoredResponse, tier: bytes, now: float) -> None:
        """Answer with a fresh *entry* found in *tier*."""
        if self._cache.emit is not None:
            self._cache.emit(CacheHit(key=self._key, route=entry.route, tier=tier.decode(), age=now - entry.born))
        await self._answer(entry, age_fields(entry, now, self._name, tier), now)

    async def stale(self, entry: StoredResponse, reason: str, now: float, own: RawHeaders | None = None) -> None:
        """Answer with a stale *entry*; *reason* as in `StaleServed`, *own* are header lines for this client alone."""
        standing = self._cache.ledger.standing(entry)
        marked = standing.at if isinstance(standing, MarkedStale) else None
        if self._cache.emit is not None:
            fresh_until = entry.born + entry.lifetime
            staleness = now - (fresh_until if marked is None else min(fresh_until, marked))
            self._cache.emit(StaleServed(key=self._key, route=entry.route, reason=reason, staleness=staleness))
        detail = b"stale-" + reason.encode()
        fields = age_fields(entry, now, self._name, detail, marked_stale_at=marked)
        await self._answer(entry, fields if own is None else [*fields, *own], now)

    async def stand_in(self, entry: StoredResponse, cause: str, own: RawHeaders | None = None) -> None:
        """Answer with a stale *entry* in place of the app, which failed as *cause* and the lines of *own* say."""
        if self._cache.emit is not None:
            self._cache.emit(RefreshFailed(key=self._key, route=entry.route, cause=cause))
        await self.stale(entry, "if-error", self._cache.clock(), own)

    async def validated(self, entry: StoredResponse, own: RawHeaders, forward: str, *, stored: bool) -> None:
        """Answer with an *entry* that the app has just said to be good; *forward* is why it was asked.

        *own* are fields of the app's 304 that are for this client alone; *stored* says that the rest was kept.
        """
        name = self._name
        member = forward_member(name, forward, status=304, stored=stored) if name is not None else None
        await self._forwarded(entry, own, member, self._cache.clock())

    async def collapsed(self, entry: StoredResponse, forward: str, now: float) -> None:
        """Answer with what another request's call of the app brought."""
        if self._cache.emit is not None:
            self._cache.emit(Collapsed(key=self._key, route=entry.route))
        name = self._name
        member = forward_member(name, forward, collapsed=True) if name is not None else None
        await self._forwarded(entry, [], member, now)

    async def gateway_timeout(self) -> None:
        """Answer 504 to a request that takes nothing but what is stored (RFC 9111 §5.2.1.7)."""
        body = b"Nothing that may be reused is stored, and the request allows nothing else (only-if-cached).\n"
        headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", b"%d" % len(body))]
        if (name := self._name) is not None:
            headers.append((b"cache-status", name + b"; detail=only-if-cached"))
        await self._send({"type": "http.response.start", "status": 504, "headers": headers})
        await self._send({"type": "http.response.body", "body": b"" if self._method == "HEAD" else body})
