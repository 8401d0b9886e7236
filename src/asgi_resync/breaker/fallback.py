"""What a route answers in place of an upstream that is open. It decides nothing; it only answers.

Nothing of the upstream's is in it: neither its address nor its errors.
"""

from __future__ import annotations

import inspect
import json
import math
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import cast

from .._asgi import ASGIApp, Message, RawHeaders, Receive, Scope, Send
from ..errors import RuleError

BODILESS = frozenset({204, 205, 304})
"""Statuses of answers that have no content (RFC 9110 §6.4.1, §15.3.6)."""

_CONTROL = (b"cache-control", b"expires", b"surrogate-control")
"""Ends of the names of the fields that say how long a response may be kept, also by which caches (RFC 9213)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fallback:
    """An answer that stands in for an upstream: *content* with a status and header lines.

    A text is sent as plain text and bytes as they are, unless *headers* name a content type; anything else as JSON,
    but nothing at all with 204, 205 and 304.
    Raises RuleError for what cannot be sent.
    """

    content: object = None
    status: int = 200
    headers: Mapping[str, str] | Iterable[tuple[str, str]] = ()

    def __post_init__(self) -> None:
        status: object = self.status
        if isinstance(status, bool) or not isinstance(status, int) or not 200 <= status <= 599:
            raise RuleError("status", status, "give a final status, such as 200")
        encoded(self)


def encoded(fallback: Fallback) -> tuple[RawHeaders, bytes]:
    """Return the header lines and the body of *fallback*."""
    content = fallback.content
    if fallback.status in BODILESS and content is not None:
        raise RuleError("fallback", content, f"give no content: an answer with status {fallback.status} has none")
    kind, body = b"application/json", b""
    if isinstance(content, str):
        kind, body = b"text/plain; charset=utf-8", content.encode()
    elif isinstance(content, (bytes, bytearray, memoryview)):
        kind, body = b"application/octet-stream", bytes(content)
    else:
        try:
            body = json.dumps(content, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()
        except (TypeError, ValueError) as error:
            raise RuleError("fallback", content, f"give what JSON can hold, a text or bytes: {error}") from error
    given = fallback.headers.items() if isinstance(fallback.headers, Mapping) else fallback.headers
    try:
        lines = [(name.lower().encode("ascii"), value.encode("latin-1")) for name, value in given]
    except (AttributeError, TypeError, ValueError) as error:
        raise RuleError("headers", fallback.headers, "give names and values as texts") from error
    if any(b"\r" in text or b"\n" in text for line in lines for text in line):
        raise RuleError("headers", fallback.headers, "each must be on one line")
    lines = [line for line in lines if line[0] not in (b"content-length", b"transfer-encoding")]
    if fallback.status in BODILESS:
        return lines + ([(b"content-length", b"0")] if fallback.status == 205 else []), b""
    if not any(name == b"content-type" for name, _ in lines):
        lines.insert(0, (b"content-type", kind))
    return [*lines, (b"content-length", b"%d" % len(body))], body


def fallback_app(given: object) -> ASGIApp | None:
    """Return *given* as an ASGI app; None is none.

    It may be content, a Fallback, an ASGI app (which takes three arguments), or a function of none or of one argument,
    the scope, async or not, that returns content or a Fallback. Raises RuleError for anything else.
    """
    if given is None:
        return None
    if not callable(given):
        return _static(given if isinstance(given, Fallback) else Fallback(content=given))
    try:
        parameters = inspect.signature(given).parameters.values()
    except (TypeError, ValueError) as error:
        raise RuleError("fallback", given, "give content, a function of the scope, or an ASGI app") from error
    if any(p.kind is p.VAR_POSITIONAL for p in parameters):
        return cast(ASGIApp, given)
    positional = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    needed = sum(1 for p in positional if p.default is p.empty)
    if needed == 3:
        return cast(ASGIApp, given)
    if needed > 1:
        raise RuleError("fallback", given, "give a function of none or one argument, or an ASGI app, which takes three")
    return _computed(given, takes_scope=bool(positional))


def problem(retry_after: float) -> ASGIApp:
    """Return an app that answers 503 as RFC 9457, with `Retry-After` in whole seconds, rounded up, 1 at least."""
    seconds = max(1, math.ceil(retry_after))
    unit = "second" if seconds == 1 else "seconds"
    content = {
        "type": "about:blank",
        "title": "Service Unavailable",
        "status": 503,
        "detail": f"A service that this page needs is not available. Try again in {seconds} {unit}.",
    }
    headers = {"content-type": "application/problem+json", "retry-after": str(seconds)}
    return _static(Fallback(content=content, status=503, headers=headers))


def degraded(message: Message, names: Iterable[str], *, stands_in: bool = False) -> Message:
    """Return the start of a response, saying that it was made without the upstreams *names*, and is not to be kept.

    Where it *stands_in*, a cache around it is told that this is an error, which a stale response may answer instead.
    """
    lines = [(name, value) for name, value in message.get("headers", ()) if not name.lower().endswith(_CONTROL)]
    lines += [(b"cache-control", b"no-store"), (b"resync-degraded", ", ".join(sorted(names)).encode("latin-1"))]
    if stands_in:
        lines.append((b"resync-cache-control", b"no-store, if-error"))
    return {**message, "headers": lines}


def _static(fallback: Fallback) -> ASGIApp:
    headers, body = encoded(fallback)

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": fallback.status, "headers": list(headers)})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})

    return answer


def _computed(function: Callable[..., object], *, takes_scope: bool) -> ASGIApp:
    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        content = function(scope) if takes_scope else function()
        if inspect.isawaitable(content):
            content = await cast(Awaitable[object], content)
        await _static(content if isinstance(content, Fallback) else Fallback(content=content))(scope, receive, send)

    return answer
