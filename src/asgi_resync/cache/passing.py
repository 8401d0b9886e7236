"""The short way for what lately proved uncacheable: pass it on at once, and look only whether it still is."""

from __future__ import annotations

from .._asgi import Message, Scope, Send
from ..events import CacheKey
from .cache import Cache
from .exchange import Exchange
from .forward import header_lines
from .opening import may_opt_in


class PassOn:
    """Forwards the messages of one response; if the response may be kept after all, an exchange takes over."""

    __slots__ = ("_asked", "_cache", "_key", "_scope", "_send", "exchange")

    def __init__(self, cache: Cache, key: CacheKey, scope: Scope, send: Send) -> None:
        self._cache = cache
        self._key = key
        self._scope = scope
        self._send = send
        # Purges from here on concern the answer, and so does the time that it takes.
        self._asked = (cache.ledger.version, cache.drops, cache.clock())
        self.exchange: Exchange | None = None

    async def send(self, message: Message) -> None:
        """Take one message from the app."""
        if self.exchange is not None:
            await self.exchange.send(message)
            return
        if message["type"] == "http.response.start":
            message, headers = header_lines(message)
            if headers and may_opt_in(headers, self._cache.options.targets):
                cache, scope = self._cache, self._scope
                self.exchange = Exchange(
                    cache,
                    None,
                    key=self._key,
                    method=scope["method"],
                    headers=scope["headers"],
                    request_time=self._asked[2],
                    client=self._send,
                    reply=None,
                )
                self.exchange.epoch, self.exchange.moment = self._asked[:2]
                await self.exchange.send(message)
                return
        await self._send(message)
