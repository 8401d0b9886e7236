"""The transport for httpx. It is imported only where httpx is wanted; nothing else imports httpx."""

from __future__ import annotations

import weakref
from collections.abc import AsyncIterator, Callable
from typing import Any

from ..errors import DeadlineExceeded, MissingExtra

try:
    import httpx
except ImportError as error:  # pragma: no cover - the tests have it
    raise MissingExtra("A client", "httpx", "httpx") from error

from .attempt import Booking, Observed
from .core import Core, Guards
from .options import ClientOptions, authorizing
from .ports import Faults
from .repeat import Repeat


class Late(DeadlineExceeded, httpx.TimeoutException):
    """DeadlineExceeded, and httpx.TimeoutException too, so that handlers of either catch it."""

    # What httpx sets in a constructor that ours does not reach, as OSError stands between.
    _request = None


FAULTS = Faults(
    network=httpx.TransportError,
    unsent=(httpx.ConnectError, httpx.ConnectTimeout, httpx.ProxyError),
    own=(httpx.PoolTimeout, httpx.UnsupportedProtocol, httpx.LocalProtocolError),
    late=Late,
)


class ObservedStream(Observed, httpx.AsyncByteStream):
    """A response body that settles its booking."""


class WatchedStream(httpx.AsyncByteStream):
    """A request body that can be sent once, and tells whether that began."""

    def __init__(self, stream: httpx.AsyncByteStream) -> None:
        self._stream = stream
        self.has_begun = False

    async def __aiter__(self) -> AsyncIterator[bytes]:
        self.has_begun = True
        async for chunk in self._stream:
            yield chunk

    async def aclose(self) -> None:
        await self._stream.aclose()


class RetryingTransport(Core[httpx.Request, httpx.Response], httpx.AsyncBaseTransport):
    """Wraps an httpx transport; see `asgi_resync.retrying_transport`."""

    _faults = FAULTS

    def __init__(
        self, transport: httpx.AsyncBaseTransport | None, guards: Guards, repeat: Repeat[httpx.Response]
    ) -> None:
        self._client: weakref.ref[httpx.AsyncClient] | None = None
        self._transport = transport if transport is not None else httpx.AsyncHTTPTransport()
        super().__init__(self._transport.handle_async_request, guards, repeat)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Return the answer to *request*, of the last attempt if there were several."""
        return await self._exchange(request)

    def client(self, wanted: ClientOptions, **options: Any) -> httpx.AsyncClient:  # noqa: ANN401 - those of httpx
        """Return a client as *wanted*, but for *options*, that sends through this transport, and closes it."""
        client = httpx.AsyncClient(transport=self, **{"timeout": timeout_of(wanted), **options})
        if "timeout" not in options:
            self._client = weakref.ref(client)
        if wanted.authorization is not None and "auth" not in options:
            client.auth = authorizing(wanted.authorization, client.base_url, httpx.Request)
        return client

    def retime(self, wanted: ClientOptions) -> None:
        """Have the client that was made here wait as *wanted*, unless it was told how long to wait."""
        client = self._client() if self._client is not None else None
        if client is not None:
            client.timeout = timeout_of(wanted)

    async def aclose(self) -> None:
        """Close the wrapped transport."""
        await self._transport.aclose()

    def _observe(self, response: httpx.Response, booking: Booking) -> None:
        if response.is_closed:
            # Read already, as those of MockTransport are.
            booking.succeed()
            return
        assert isinstance(response.stream, httpx.AsyncByteStream)
        response.stream = ObservedStream(response.stream, booking)

    def _watch(self, request: httpx.Request) -> Callable[[], bool]:
        stream = request.stream
        if isinstance(stream, httpx.ByteStream) or not isinstance(stream, httpx.AsyncByteStream):
            return _always
        watched = WatchedStream(stream)
        request.stream = watched
        # A transport that read the body into memory has made it one that can be sent again.
        return lambda: not watched.has_begun or isinstance(request.stream, httpx.ByteStream)


def timeout_of(wanted: ClientOptions) -> httpx.Timeout:
    """Return the times of *wanted* as httpx has them."""
    return httpx.Timeout(
        connect=wanted.connect_timeout,
        read=wanted.read_timeout,
        write=wanted.write_timeout,
        pool=wanted.pool_timeout,
    )


def new_transport(wanted: ClientOptions, **options: Any) -> httpx.AsyncHTTPTransport:  # noqa: ANN401 - those of httpx
    """Return httpx's own transport as *wanted*, but for *options*, which say how certificates are checked."""
    limits = httpx.Limits(max_connections=wanted.max_connections, max_keepalive_connections=wanted.max_keepalive)
    options.setdefault("limits", limits)
    return httpx.AsyncHTTPTransport(**options)


def _always() -> bool:
    return True
