"""Who may use the console, and from where. It decides; it knows nothing of what is shown or done.

A browser sends what it knows of a user with every request that any page makes it send, so what changes something must
come from the console's own pages: by `Sec-Fetch-Site` where the browser sends it, else by `Origin`. A program sends
neither, and is let through by its token alone.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import inspect
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import TypeAlias
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import Response

from .problem import problem

Auth: TypeAlias = Callable[[Request], bool | Response | Awaitable[bool | Response]]
"""Says whether the request may see and steer: True or False, or a response to give instead, such as a redirect to where
one logs in. It may be async. What it raises is the app's."""

SAFE = ("GET", "HEAD", "OPTIONS")
SHORTEST_TOKEN = 16
_CHALLENGE = {"www-authenticate": 'Basic realm="asgi-resync console", charset="UTF-8", Bearer'}


def is_cross_site(method: str, headers: Headers) -> bool:
    """Return whether a request that changes something comes from a page of somebody else.

    Fetch Metadata (W3C), which browsers send since 2020 or 2023; before that, `Origin` (RFC 6454 §7).
    """
    if method in SAFE:
        return False
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site not in ("same-origin", "none")
    origin = headers.get("origin")
    return origin is not None and urlsplit(origin).netloc.lower() != headers.get("host", "").lower()


def presented(headers: Headers) -> Iterator[str]:
    """Yield the tokens in *headers*: a bearer token (RFC 6750), the password of Basic (RFC 7617), `Fastly-Key`."""
    if key := headers.get("fastly-key"):
        yield key
    scheme, _, given = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        yield given.strip()
    elif scheme.lower() == "basic":
        try:
            _, colon, password = base64.b64decode(given.strip(), validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return
        if colon:
            yield password


def is_known(headers: Headers, tokens: Sequence[str]) -> bool:
    """Return whether *headers* present one of *tokens*. The time it takes tells nothing of them."""
    return any(hmac.compare_digest(given.encode(), token.encode()) for given in presented(headers) for token in tokens)


class Access:
    """Lets in who presents one of *tokens*, or whom *auth* lets in; everybody if *is_open*."""

    def __init__(self, tokens: Callable[[], Sequence[str]], auth: Auth | None, *, is_open: bool) -> None:
        self._tokens = tokens
        self._auth = auth
        self._is_open = is_open

    async def refusal(self, request: Request) -> Response | None:
        """Return what to answer *request* with instead; None if it may go on."""
        if is_cross_site(request.method, request.headers):
            return problem(403, "Another site sent this", "Changes are taken from the console's own pages alone.")
        tokens = self._tokens()
        if self._is_open or is_known(request.headers, tokens):
            return None
        if self._auth is not None:
            said = self._auth(request)
            said = await said if inspect.isawaitable(said) else said
            if isinstance(said, Response):
                return said
            if said is True:
                return None
            if not tokens:
                return problem(403, "Not allowed", "The app does not let you use the console.")
        return problem(
            401,
            "Who are you?",
            "Send RESYNC_CONSOLE_TOKEN as a bearer token, or as the password of any user name.",
            headers=_CHALLENGE,
        )
