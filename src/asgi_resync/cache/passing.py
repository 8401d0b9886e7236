"""The short way for what lately proved uncacheable: pass it on at once, and look only whether it still is."""

from __future__ import annotations

from .._asgi import ASGIApp, Message, RawHeaders, Receive, Scope, Send
from ..events import CacheKey
from .asked import Asked
from .cache import Cache
from .exchange import Exchange
from .forward import header_lines
from .learning import learn_route
from .marker import Mark
from .opening import may_opt_in


class PassOn:
    """Forwards the messages of one response; if the response may be kept after all, an exchange takes over."""

    __slots__ = ("_asked", "_cache", "_exchange", "_has_body", "_key", "_mark", "_receive", "_scope", "_send")

    def __init__(self, cache: Cache, key: CacheKey, scope: Scope, send: Send) -> None:
        self._cache = cache
        self._key = key
        self._scope = scope
        self._send = send
        # Purges from here on concern the answer, and so does the time that it takes.
        self._asked = (cache.ledger.version, cache.drops, cache.clock(), cache.ledger.seen)
        # What proved uncacheable may have been a refusal in front of a handler that is marked.
        self._mark = Mark()
        self._has_body = False
        self._exchange: Exchange | None = None

    async def run(self, app: ASGIApp, receive: Receive) -> None:
        """Call *app* to its end. Raises what it raises."""
        self._receive = receive
        self._mark.open()
        try:
            await app(self._scope, self.receive, self.send)
        except Exception as error:
            if self._exchange is not None:
                await self._exchange.crashed(error)
            raise
        finally:
            mark = self._mark
            mark.close()
            if mark.called or mark.values:
                learn_route(self._cache, None, self._scope, mark)
        if self._exchange is not None:
            await self._exchange.returned()

    async def receive(self) -> Message:
        """Give one message to the app, and note whether the request has a body."""
        message = await self._receive()
        if message.get("body"):
            self._has_body = True
            if self._exchange is not None:
                self._exchange.has_body = True
        return message

    async def send(self, message: Message) -> None:
        """Take one message from the app."""
        if self._exchange is not None:
            await self._exchange.send(message)
            return
        if message["type"] == "http.response.start":
            headers: RawHeaders = message.get("headers", [])
            if type(headers) is not list:
                message, headers = header_lines(message)
            if self._mark.terms is not None or (headers and may_opt_in(headers, self._cache.options.targets)):
                cache, scope = self._cache, self._scope
                epoch, moment, request_time, seen = self._asked
                asked = Asked(
                    key=self._key,
                    headers=scope["headers"],
                    request_time=request_time,
                    epoch=epoch,
                    seen=seen,
                    moment=moment,
                )
                self._exchange = Exchange(
                    cache,
                    None,
                    asked,
                    method=scope["method"],
                    client=self._send,
                    reply=None,
                    mark=self._mark,
                )
                self._exchange.has_body = self._has_body
                await self._exchange.send(message)
                return
        await self._send(message)
