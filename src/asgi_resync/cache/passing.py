"""The short way for what lately proved uncacheable: pass it on at once, and look only whether it still is."""

from __future__ import annotations

from .._asgi import Message, RawHeaders, Scope, Send
from ..events import CacheKey
from .cache import Cache
from .exchange import OPT_IN, Exchange
from .forward import header_lines
from .policy.control import parse_response_control
from .policy.fields import OWN_TARGET


def may_opt_in(headers: RawHeaders, targets: tuple[bytes, ...]) -> bool:
    """Return whether a response with *headers* could be storable without a rule."""
    control: list[bytes] = []
    other = False
    for name, value in headers:
        if name in OPT_IN:
            if name == b"cache-control":
                control.append(value)
            else:
                other = True
        elif len(name) == 20 and name.lower() == OWN_TARGET:
            other = True
    if targets and any(name.lower() in targets for name, _ in headers):
        return True
    if not control:
        return other
    # Most of what was not storable says so in Cache-Control, which is parsed once per distinct value.
    parsed = parse_response_control(tuple(control))
    forbids = (parsed.no_store and not parsed.must_understand) or (parsed.private and not parsed.private_fields)
    return other or not forbids


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
