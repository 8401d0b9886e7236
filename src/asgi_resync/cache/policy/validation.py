"""Validators and preconditions (RFC 9110 §8.8 and §13, RFC 9111 §4.3). It compares; it sends nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from ..._asgi import RawHeaders
from ..._headers import (
    Wildcard,
    connection_options,
    entity_tags,
    format_http_date,
    http_date,
    strong_match,
    values,
    weak_match,
)
from ..entry import StoredResponse

PRECONDITIONS = frozenset({b"if-match", b"if-none-match", b"if-modified-since", b"if-unmodified-since", b"if-range"})

HOP_BY_HOP = frozenset(
    {
        b"connection",
        b"keep-alive",
        b"proxy-connection",
        b"proxy-authenticate",
        b"proxy-authentication-info",
        b"proxy-authorization",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    }
)
"""Fields that §3.1 excepts from storage, beside those that Connection names."""

NOT_UPDATED = HOP_BY_HOP | {b"content-length", b"content-encoding", b"content-range"}
"""Fields that a 304 does not bring into the stored response (§3.2)."""

NOT_MODIFIED_FIELDS = frozenset(
    {
        b"cache-control",
        b"cdn-cache-control",
        b"content-location",
        b"date",
        b"etag",
        b"expires",
        b"vary",
        b"last-modified",
        b"set-cookie",
        b"cache-status",
        b"age",
        b"access-control-allow-origin",
        b"access-control-allow-credentials",
        b"access-control-expose-headers",
    }
)
"""What a 304 of ours carries (RFC 9110 §15.4.5), and what a browser needs to read it across origins."""

Verdict = Literal["proceed", "not-modified", "precondition-failed"]


def evaluate(
    headers: RawHeaders, etag: bytes | None, last_modified: float | None, now: float, *, date: float | None = None
) -> Verdict:
    """Evaluate the preconditions of a GET or HEAD against a representation, in the order of RFC 9110 §13.2.2.

    Meant for a representation that would be answered with 200. *date* is that of a stored response, which
    If-Modified-Since is compared with where there is no Last-Modified (RFC 9111 §4.3.2).
    """
    if_match = values(headers, b"if-match")
    if if_match:
        # §13.1.1: strong comparison.
        if not matches(if_match, etag, strong=True):
            return "precondition-failed"
    else:
        since = values(headers, b"if-unmodified-since")
        if len(since) == 1 and last_modified is not None:
            limit = http_date(since[0], now)
            if limit is not None and last_modified > limit:
                return "precondition-failed"
    if_none_match = values(headers, b"if-none-match")
    if if_none_match:
        # §13.1.2: weak comparison, and If-Modified-Since does not count beside it.
        return "not-modified" if matches(if_none_match, etag, strong=False) else "proceed"
    since = values(headers, b"if-modified-since")
    modified = last_modified if last_modified is not None else date
    if len(since) == 1 and modified is not None:
        asked = http_date(since[0], now)
        if asked is not None and modified <= asked:
            return "not-modified"
    return "proceed"


def matches(field: Sequence[bytes], etag: bytes | None, *, strong: bool) -> bool:
    """Return whether an If-Match or If-None-Match *field* names *etag*; `*` names any representation that exists."""
    tags = entity_tags(field)
    if isinstance(tags, Wildcard):
        return True
    if etag is None:
        return False
    own = entity_tags([etag])
    if isinstance(own, Wildcard) or not own:
        return False
    compare = strong_match if strong else weak_match
    return any(compare(tag, own[0]) for tag in tags)


def if_range_holds(headers: RawHeaders, entry: StoredResponse, now: float) -> bool:
    """Return whether If-Range, if present, lets a Range request be answered with a part (RFC 9110 §13.1.5)."""
    lines = values(headers, b"if-range")
    if not lines:
        return True
    if len(lines) != 1:
        return False
    value = lines[0].strip()
    if value.startswith((b'"', b"W/")):
        return matches([value], entry.etag, strong=True)
    # A date is a strong validator only if it is at least a second older than the response (§8.8.2.2).
    date = http_date(value, now)
    return date is not None and date == entry.last_modified and entry.last_modified <= entry.date - 1


def conditional_headers(headers: RawHeaders, candidates: Sequence[StoredResponse]) -> RawHeaders:
    """Return request *headers* that ask whether one of *candidates* is still good (§4.3.1).

    The client's own preconditions give way: the full answer is needed, and theirs are evaluated on it.
    """
    asked = [(name, value) for name, value in headers if name not in PRECONDITIONS]
    etags = [entry.etag for entry in candidates if entry.etag is not None and entry.app_validator]
    if etags:
        asked.append((b"if-none-match", b", ".join(dict.fromkeys(etags))))
    newest = candidates[0] if candidates else None
    if newest is not None and newest.app_validator and newest.last_modified is not None:
        asked.append((b"if-modified-since", format_http_date(newest.last_modified)))
    return asked


def selected(candidates: Sequence[StoredResponse], etag: bytes | None) -> StoredResponse | None:
    """Return which of *candidates*, newest first, a 304 with *etag* speaks of (§4.3.4), None if of none."""
    if etag is None:
        return candidates[0] if candidates else None
    for strong in (True, False):
        for entry in candidates:
            if entry.etag is not None and matches([etag], entry.etag, strong=strong):
                return entry
    return None


def stored_headers(headers: RawHeaders, stripped: frozenset[bytes]) -> RawHeaders:
    """Return the fields of *headers* to keep: not hop-by-hop, nor named by Connection (§3.1), nor *stripped*."""
    kept = [(name.lower(), value) for name, value in headers]
    excluded = HOP_BY_HOP | stripped | connection_options(kept)
    return [pair for pair in kept if pair[0] not in excluded and pair[0] != b"age"]


def updated_headers(stored: RawHeaders, update: RawHeaders, stripped: frozenset[bytes]) -> RawHeaders:
    """Return *stored* with the fields of a 304 or HEAD response in place of those of the same name (§3.2)."""
    fresh = [pair for pair in stored_headers(update, stripped) if pair[0] not in NOT_UPDATED]
    renewed = {name for name, _ in fresh}
    return [pair for pair in stored if pair[0] not in renewed] + fresh


def not_modified_headers(headers: RawHeaders) -> RawHeaders:
    """Return the fields of a 200 that a 304 in its place carries."""
    return [pair for pair in headers if pair[0] in NOT_MODIFIED_FIELDS]


def describes(entry: StoredResponse, headers: RawHeaders, now: float) -> bool:
    """Return whether the fields of a 200 to HEAD are those of *entry*'s representation (RFC 9111 §4.3.5)."""
    etags = values(headers, b"etag")
    if etags and not matches(etags[:1], entry.etag, strong=False) and entry.app_validator:
        return False
    modified = values(headers, b"last-modified")
    if modified and entry.last_modified is not None and http_date(modified[0], now) != entry.last_modified:
        return False
    lengths = values(headers, b"content-length")
    return not lengths or lengths[0] == b"%d" % len(entry.body)
