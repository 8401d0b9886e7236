"""The console of a running app, as its API has it: asked over HTTP, and nothing made of what it says.

It follows no redirect, since the token would go along; loopback is asked directly, whatever proxies are named.
"""

from __future__ import annotations

import http.client
import ipaddress
import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NoReturn, TypeAlias
from urllib.parse import urlsplit

from .hindrance import hindrance
from .look import printable

LARGEST = 16 * 2**20
"""Bytes of an answer that are read."""
LONGEST_TEXT = 500
"""Characters of what a console says that are shown."""
USER_AGENT = "asgi-resync"
STREAM = "text/event-stream"

Body: TypeAlias = Mapping[str, object]


class Away(Exception):
    """The console was not reached, or it did not let us in. Its text says what to do."""


class Refused(Exception):
    """The console did not do what it was told. Its text says why."""


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *args: Any, **options: Any) -> None:  # noqa: ANN401 - as urllib calls it
        """Follow none."""


class Remote:
    """Asks the console at *url*, such as `http://127.0.0.1:8000/resync`, as the bearer of *token*.

    What does not come within *timeout* seconds is given up. Each call raises Away where there is nothing of use, and
    Refused where the console says that it does not do this.
    """

    def __init__(
        self, url: str, token: str | None, *, timeout: float = 10.0, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.url = url.rstrip("/")
        self._token = token
        self._timeout = timeout
        self._clock = clock
        handlers: list[urllib.request.BaseHandler] = [_NoRedirect()]
        if is_loopback(urlsplit(url).hostname or ""):
            handlers.append(urllib.request.ProxyHandler({}))
        self._opener = urllib.request.build_opener(*handlers)

    def get(self, path: str) -> bytes:
        """Return what stands at *path*."""
        return self._exchange("GET", path, None)

    def post(self, path: str, body: Body) -> bytes:
        """Tell it *body* at *path*, and return what it says."""
        return self._exchange("POST", path, json.dumps(body).encode())

    def events(self, path: str, name: str) -> Iterator[bytes]:
        """Yield the data of the events called *name* at *path*, until the console ends the stream.

        Nothing for *timeout* seconds ends it with Away.
        """
        try:
            with self._open("GET", path, None, STREAM) as response:
                if response.headers.get_content_type() != STREAM:
                    raise Away(self._no_console())
                yield from events(iter(lambda: response.readline(LARGEST), b""), name)
        except (OSError, http.client.HTTPException) as error:
            raise Away(self._told(error)) from None

    def not_understood(self) -> Away:
        """Return that what it says means nothing here."""
        return Away(f"{self._at()} says what this version does not understand: use that of the app.")

    def _exchange(self, method: str, path: str, body: bytes | None) -> bytes:
        deadline = self._clock() + self._timeout
        try:
            with self._open(method, path, body, "application/json") as response:
                if response.headers.get_content_type() != "application/json":
                    raise Away(self._no_console())
                return self._read(response, deadline)
        except (OSError, http.client.HTTPException) as error:
            raise Away(self._told(error)) from None

    def _open(self, method: str, path: str, body: bytes | None, accept: str) -> http.client.HTTPResponse:
        request = urllib.request.Request(f"{self.url}/{path}", data=body, method=method)
        request.add_header("Accept", accept)
        request.add_header("User-Agent", USER_AGENT)
        if body is not None:
            request.add_header("Content-Type", "application/json")
        if self._token is not None:
            # Unredirected, so that it goes to this origin alone, whatever handlers there are.
            request.add_unredirected_header("Authorization", f"Bearer {self._token}")
        try:
            response: http.client.HTTPResponse = self._opener.open(request, timeout=self._timeout)
        except urllib.error.HTTPError as error:
            with error:
                self._raise(error)
        return response

    def _read(self, response: http.client.HTTPResponse, deadline: float) -> bytes:
        parts = bytearray()
        while part := response.read1(65536):
            parts += part
            if len(parts) > LARGEST:
                raise Away(f"{self._at()} answers with more than {LARGEST} bytes, so it is no console.")
            if self._clock() > deadline:
                raise TimeoutError
        return bytes(parts)

    def _raise(self, error: urllib.error.HTTPError) -> NoReturn:
        """Raise what the status of *error* means."""
        said = self._problem(error)
        match error.code:
            case 401:
                how = "does not know this token" if self._token is not None else "asks for a token"
                raise Away(
                    f"{self._at()} {how}: set RESYNC_CONSOLE_TOKEN to the one the app has, or give --token-file."
                )
            case 403:
                raise Away(f"{self._at()} does not let you in{said}")
            case 404:
                if said:
                    raise Refused(said.lstrip(": "))
                raise Away(self._no_console())
            case status if 300 <= status < 400:
                raise Away(f"{self._at()} leads elsewhere ({status}), which is not followed: give the final URL.")
            case status if 400 <= status < 500 and said:
                raise Refused(said.lstrip(": "))
            case status:
                raise Away(f"{self._at()} answers {status}{said or ', and no more'}")

    def _problem(self, error: urllib.error.HTTPError) -> str:
        """Return what problem details (RFC 9457) in *error* say, after a colon; "" if there are none."""
        if error.headers.get_content_type() != "application/problem+json":
            return ""
        try:
            found = json.loads(error.read(LARGEST))
            texts = [found[name] for name in ("title", "detail") if isinstance(found.get(name), str)]
        except (ValueError, AttributeError, RecursionError, OSError, http.client.HTTPException):
            return ""
        return "".join(f": {printable(text[:LONGEST_TEXT])}" for text in texts)

    def _no_console(self) -> str:
        return f"{self._at()} is no console: give the path where the app mounts it, such as /resync."

    def _told(self, error: BaseException) -> str:
        what = hindrance(error, self._timeout)
        how = " with SSL_CERT_FILE" if "certificate" in what.it else ""
        return f"{self._at()} {what}{how}"

    def _at(self) -> str:
        return printable(self.url)


def events(lines: Iterator[bytes], name: str) -> Iterator[bytes]:
    """Yield the data of each event called *name* in *lines* of server-sent events (HTML Living Standard §9.2.6)."""
    called, data = "", list[bytes]()
    for line in lines:
        line = line.rstrip(b"\r\n")
        if not line:
            if data and called == name:
                yield b"\n".join(data)
            called, data = "", []
            continue
        field, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if field == b"event":
            called = value.decode(errors="replace")
        elif field == b"data":
            data.append(value)


def is_loopback(host: str) -> bool:
    """Return whether *host* is this machine, by its name or address alone."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
