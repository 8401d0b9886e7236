"""How a stored response answers a request: whole, as 304, 206 or 416, with the fields of the moment. Pure."""

from __future__ import annotations

from .._asgi import Message, RawHeaders
from .._headers import DELTA_SECONDS_MAX, values
from .entry import StoredResponse
from .policy.ranges import Unsatisfiable, part_of
from .policy.reuse import current_age
from .policy.validation import evaluate_stored, if_range_holds, not_modified_headers
from .status import hit_member


def age_fields(
    entry: StoredResponse,
    now: float,
    name: bytes | None,
    detail: bytes = b"l1",
    *,
    marked_stale_at: float | None = None,
) -> RawHeaders:
    """Return the fields that a hit adds: Age (RFC 9111 §5.1), and Cache-Status unless *name* is None.

    What a soft purge marked stale has no lifetime left, whatever it was given (RFC 9211 §2.4).
    """
    age = min(int(current_age(entry, now)), DELTA_SECONDS_MAX)
    fields = [(b"age", b"%d" % age)]
    if name is not None:
        ttl = int(entry.lifetime) - age
        if marked_stale_at is not None:
            ttl = min(ttl, int(marked_stale_at - now), 0)
        fields.append((b"cache-status", hit_member(name, ttl, detail)))
    return fields


def answer(
    entry: StoredResponse, method: str, request: RawHeaders, extra: RawHeaders, now: float, *, conditional: bool
) -> tuple[Message, Message]:
    """Return the start and the body message with which *entry* answers *method*.

    *extra* are fields of the moment, as of `age_fields`. *conditional*: the request has preconditions or a Range.
    """
    status, headers, body = entry.status, entry.headers, entry.body
    if conditional:
        # RFC 9110 §13.2.1: preconditions count only where the answer would be a success without them.
        if 200 <= status < 300:
            verdict = evaluate_stored(request, entry.etag, entry.last_modified, now, date=entry.date)
            if verdict == "not-modified":
                status, headers, body = 304, not_modified_headers(headers), b""
        if status == 200 and method == "GET":
            status, headers, body = _ranged(entry, request, now)
    return (
        {"type": "http.response.start", "status": status, "headers": headers + extra},
        {"type": "http.response.body", "body": b"" if method == "HEAD" else body},
    )


def _ranged(entry: StoredResponse, request: RawHeaders, now: float) -> tuple[int, RawHeaders, bytes]:
    asked = values(request, b"range")
    whole = entry.status, entry.headers, entry.body
    if len(asked) != 1 or not if_range_holds(request, entry, now):
        return whole
    part = part_of(asked[0], len(entry.body))
    if part is None:
        return whole
    others = [pair for pair in entry.headers if pair[0] != b"content-length"]
    if isinstance(part, Unsatisfiable):
        return 416, [(b"content-range", part.content_range), (b"content-length", b"0")], b""
    body = entry.body[part.first : part.last + 1]
    return 206, [*others, (b"content-range", part.content_range), (b"content-length", b"%d" % len(body))], body
