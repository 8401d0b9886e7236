"""Whether a response may be stored (RFC 9111 §3). It does not say for how long it is fresh.

Stricter than the RFC in one way: nothing is stored unless the app opted in by an explicit freshness lifetime, a rule
or a marker, or the operator by the heuristic setting.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from ..._headers import Wildcard, field_names
from ..rules import Terms
from .fields import ResponseFields
from .freshness import Lifetime

UNDERSTOOD = frozenset(
    {200, 201, 202, 203, 204, 205, 300, 301, 302, 303, 305, 307, 308}
    | {400, 401, 402, 403, 404, 405, 406, 407, 408, 409, 410, 411, 412, 413, 414, 415, 416, 417, 421, 422, 426}
    | {425, 428, 429, 431, 451, 500, 501, 502, 503, 504, 505, 511}
)
"""Final statuses whose requirements on caches this cache meets (§3, must-understand); 206 and 304 are not stored."""

NEVER = frozenset({206, 304, 412, 416})
"""Statuses that answer a precondition or a range of one request, and say nothing to another."""

EVENT_STREAM = b"text/event-stream"


@dataclass(frozen=True, slots=True)
class Storable:
    """It may be stored. `vary` are the request fields to tell variants apart by, sorted, lower-case."""

    vary: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class NotStorable:
    """It must not be stored, or nobody asked for it; `reason` is a short token, stable, fit for events."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StorageLimits:
    """What the operator allows: the largest body in bytes, and what to do with Set-Cookie."""

    max_body: int
    set_cookie: Literal["refuse", "strip", "store"]


def storability(
    fields: ResponseFields,
    lifetime: Lifetime | None,
    terms: Terms,
    limits: StorageLimits,
    *,
    has_authorization: bool,
    keeps_stale: bool,
    has_trailers: bool = False,
) -> Storable | NotStorable:
    """Decide on a final response to a request whose method is cacheable and that did not say no-store.

    *keeps_stale*: some window or an app's validator makes it worth keeping even with no lifetime left.
    """
    control = fields.control
    status = fields.status
    if status < 200 or status in NEVER:
        return NotStorable("status")
    # §5.2.2.3: must-understand overrides no-store for a status that is understood, and only for that.
    if control.must_understand:
        if status not in UNDERSTOOD:
            return NotStorable("must-understand")
    elif control.no_store:
        return NotStorable("no-store")
    if control.private:
        return NotStorable("private")
    if has_authorization and not may_share_with_authorization(fields):
        return NotStorable("authorization")
    if lifetime is None and not control.no_cache:
        return NotStorable("no-lifetime")
    if not keeps_stale and (lifetime is None or lifetime.seconds <= 0):
        return NotStorable("no-lifetime")
    if _sets_cookie(fields, terms, limits):
        return NotStorable("set-cookie")
    if fields.content_type.lower().startswith(EVENT_STREAM):
        return NotStorable("event-stream")
    if fields.content_length is not None and fields.content_length > limits.max_body:
        return NotStorable("too-large")
    if has_trailers:
        return NotStorable("trailers")
    return _vary(tuple(fields.vary), terms.vary_fields)


def refused_update(
    fields: ResponseFields, terms: Terms, limits: StorageLimits, *, has_authorization: bool
) -> NotStorable | None:
    """Return why a 304, or a 200 to HEAD, with *fields* of its own must not bring them into what is stored for others.

    None if it may. The permission that is stored was given for what is stored, and vouches for nothing that another
    user was told since (§3.5); so it is with a cookie, whose whole response is for one.
    """
    if has_authorization and not may_share_with_authorization(fields):
        return NotStorable("authorization")
    return NotStorable("set-cookie") if _sets_cookie(fields, terms, limits) else None


def _sets_cookie(fields: ResponseFields, terms: Terms, limits: StorageLimits) -> bool:
    if not fields.has_set_cookie or (terms.set_cookie or limits.set_cookie) != "refuse":
        return False
    return not (b"set-cookie" in fields.control.private_fields or b"set-cookie" in fields.control.no_cache_fields)


# Apps choose what is remembered here, not clients. It takes 3 µs off each miss of a response with Vary.
@lru_cache(maxsize=256)
def _vary(found: tuple[bytes, ...], ruled: tuple[bytes, ...]) -> Storable | NotStorable:
    names = field_names(found)
    # §4.1: a member "*" never matches, in whatever company.
    if isinstance(names, Wildcard):
        return NotStorable("vary-star")
    return Storable(tuple(sorted({*names, *ruled})))


def may_share_with_authorization(fields: ResponseFields) -> bool:
    """Return whether §3.5 lets a response to a request with Authorization answer others."""
    control = fields.control
    return control.public or control.must_revalidate or control.s_maxage is not None
