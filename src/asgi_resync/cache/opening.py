"""The start of an app's response: whether it opts in, whether it is kept, and how it goes on to the client. Pure."""

from __future__ import annotations

from .._asgi import Message, RawHeaders
from .._headers import split_list
from .build import Call
from .policy.control import parse_response_control
from .policy.fields import OWN_TARGET, ResponseFields, read_fields
from .policy.reuse import ERROR_STATUSES
from .policy.storability import NotStorable, Storable, storability
from .policy.validation import Verdict, evaluate, not_modified_headers

OPT_IN = frozenset({b"cache-control", b"Cache-Control", b"expires", b"Expires", OWN_TARGET, b"Resync-Cache-Control"})
"""Fields without which no response is kept unless a rule or a marker says so; in the spellings that apps use."""


def opts_in(headers: RawHeaders, targets: tuple[bytes, ...]) -> bool:
    """Return whether *headers* hold a field that can give a lifetime."""
    return any(name in OPT_IN or (targets and name.lower() in targets) for name, _ in headers)


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


def judge(
    fields: ResponseFields, call: Call, *, has_authorization: bool, has_trailers: bool = False
) -> Storable | NotStorable:
    """Decide whether the response is kept; works out the lifetime and the windows of *call* on the way."""
    call.read(fields)
    has_validator = fields.etag is not None or fields.last_modified is not None
    return storability(
        fields,
        call.lifetime,
        call.terms,
        call.options.limits,
        has_authorization=has_authorization,
        keeps_stale=(has_validator and call.terms.revalidate) or any(call.windows),
        has_trailers=has_trailers,
    )


def is_error(status: int, headers: RawHeaders) -> bool:
    """Return whether a response is one that stale-if-error is for (RFC 5861 §4).

    So is one that stands in for an error, and says so to us alone by `Resync-Cache-Control: if-error`.
    """
    if status in ERROR_STATUSES:
        return True
    # Whole members only: `stale-if-error` is no such thing.
    return any(name == OWN_TARGET and b"if-error" in split_list([value]) for name, value in headers)


def degraded_lines(headers: RawHeaders) -> RawHeaders:
    """Return the lines that say for want of what a response is an error."""
    return [pair for pair in headers if pair[0] == b"resync-degraded"]


def makes_etag(fields: ResponseFields, call: Call) -> bool:
    """Return whether the response gets an ETag of ours: a 200 without a validator, unless switched off."""
    wanted = call.options.etag if call.terms.etag is None else call.terms.etag
    return wanted and fields.status == 200 and b"etag" not in fields.lines and fields.last_modified is None


def without_own_target(headers: RawHeaders) -> RawHeaders:
    """Return *headers* without our targeted field."""
    return [pair for pair in headers if pair[0].lower() != OWN_TARGET]


def verdict_on(fields: ResponseFields, request: RawHeaders, etag: bytes | None, now: float) -> Verdict:
    """Return what the preconditions of *request* make of a response of which *etag* is the tag (RFC 9110 §13.2)."""
    return evaluate(request, etag, fields.last_modified, now) if 200 <= fields.status < 300 else "proceed"


def verdict_on_passed(status: int, headers: RawHeaders, request: RawHeaders, now: float) -> Verdict:
    """Return what an app that compares validators would have made of the preconditions of *request*.

    It was asked without them, and its answer, with *status* and *headers*, is passed on. An app that gives no
    validators compares none.
    """
    fields = read_fields(status, headers, now=now)
    if fields.etag is None and fields.last_modified is None:
        return "proceed"
    return verdict_on(fields, request, fields.etag, now)


def in_its_place(verdict: Verdict, headers: RawHeaders, extra: RawHeaders) -> tuple[Message, Message]:
    """Return the messages of the 304 or 412 that goes out in place of a response with *headers*."""
    if verdict == "precondition-failed":
        start = {"type": "http.response.start", "status": 412, "headers": [(b"content-length", b"0"), *extra]}
    else:
        lowered = [(name.lower(), value) for name, value in headers]
        start = {"type": "http.response.start", "status": 304, "headers": not_modified_headers(lowered) + extra}
    return start, {"type": "http.response.body", "body": b""}
