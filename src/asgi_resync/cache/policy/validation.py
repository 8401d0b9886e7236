"""Validators and preconditions (RFC 9110 §8.8 and §13, RFC 9111 §4.3). It compares; it sends nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from ..._asgi import RawHeaders
from ..._headers import (
    EntityTag,
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

NOT_STORED = HOP_BY_HOP | {b"age"}

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


def evaluate(headers: RawHeaders, etag: bytes | None, last_modified: float | None, now: float) -> Verdict:
    """Evaluate the preconditions of a GET or HEAD as the origin does, in the order of RFC 9110 §13.2.2.

    Meant for a representation that would be answered with 200, and that the app has given just now.
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
    return evaluate_stored(headers, etag, last_modified, now)


def evaluate_stored(
    headers: RawHeaders, etag: bytes | None, last_modified: float | None, now: float, *, date: float | None = None
) -> Literal["proceed", "not-modified"]:
    """Evaluate the preconditions of a GET or HEAD that a cache may (RFC 9111 §4.3.2) against what is stored.

    If-Match and If-Unmodified-Since are for the origin alone, which may have another representation by now: a cache
    ignores them (RFC 9110 §13.1.1, §13.1.4). *date* is that of the stored response, which If-Modified-Since is compared
    with where there is no Last-Modified.
    """
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
    own = _one_tag(etag)
    if own is None:
        return False
    compare = strong_match if strong else weak_match
    return any(compare(tag, own) for tag in tags)


def _one_tag(etag: bytes | None) -> EntityTag | None:
    """Return the entity tag that *etag* is; None if it is none, or more than one."""
    if etag is None:
        return None
    tags = entity_tags([etag])
    return tags[0] if not isinstance(tags, Wildcard) and len(tags) == 1 else None


def if_range_holds(headers: RawHeaders, entry: StoredResponse, now: float) -> bool:
    """Return whether If-Range, if present, lets a Range request be answered with a part (RFC 9110 §13.1.5)."""
    lines = values(headers, b"if-range")
    if not lines:
        return True
    if len(lines) != 1:
        return False
    value = lines[0].strip()
    if value.startswith((b'"', b"W/")):
        asked, own = _one_tag(value), _one_tag(entry.etag)
        return asked is not None and own is not None and strong_match(asked, own)
    # A date is a strong validator only if it is at least a second older than the response (§8.8.2.2).
    date = http_date(value, now)
    return date is not None and date == entry.last_modified and entry.last_modified <= entry.date - 1


def conditional_headers(headers: RawHeaders, candidates: Sequence[StoredResponse]) -> RawHeaders:
    """Return request *headers* that ask whether one of *candidates* is still good (§4.3.1).

    The client's own preconditions give way: the full answer is needed, and theirs are evaluated on it.
    """
    asked = [(name, value) for name, value in headers if name not in PRECONDITIONS]
    # One that is no single tag is not sent: `*` would ask whether there is anything at all.
    etags = [entry.etag for entry in candidates if entry.etag and entry.app_validator and _one_tag(entry.etag)]
    if etags:
        asked.append((b"if-none-match", b", ".join(dict.fromkeys(etags))))
    if len(candidates) == 1 and (date := _date_to_ask_with(candidates[0])) is not None:
        asked.append((b"if-modified-since", format_http_date(date)))
    return asked


def _date_to_ask_with(entry: StoredResponse) -> float | None:
    # An app that looks at no more than the date would take that of one variant for that of another, and those of other
    # variants are asked about by their tags.
    is_variant = bool(entry.vary or entry.variant)
    return entry.last_modified if entry.app_validator and (entry.etag is None or not is_variant) else None


def identified(candidates: Sequence[StoredResponse], update: RawHeaders, now: float) -> tuple[StoredResponse, ...]:
    """Return which of *candidates*, newest first, a 304 with the fields *update* speaks of (§4.3.4); () if of none.

    A strong ETag speaks of all that have it, a weak one of the newest that matches. One without an ETag speaks of the
    only candidate, if there is only one, unless its Last-Modified is another. That goes further than the RFC where the
    304 has no validator at all: it answers a question about a single response, so there is no doubt of which.
    """
    lowered = [(name.lower(), value) for name, value in update]
    etags = values(lowered, b"etag")
    if not etags:
        modified = values(lowered, b"last-modified")
        date = http_date(modified[0], now) if len(modified) == 1 else None
        known = len(candidates) == 1 and (date is None or date == candidates[0].last_modified)
        return tuple(candidates) if known else ()
    tag = _one_tag(etags[0])
    if tag is None:
        return ()
    compare = weak_match if tag.weak else strong_match
    found = [entry for entry in candidates if (own := _one_tag(entry.etag)) is not None and compare(tag, own)]
    return tuple(found[:1] if tag.weak else found)


def stored_headers(headers: RawHeaders, stripped: frozenset[bytes]) -> RawHeaders:
    """Return the fields of *headers* to keep: not hop-by-hop, nor named by Connection (§3.1), nor *stripped*."""
    kept = [(name.lower(), value) for name, value in headers]
    excluded = NOT_STORED | stripped | connection_options(kept)
    return [pair for pair in kept if pair[0] not in excluded]


def updated_headers(stored: RawHeaders, update: RawHeaders, stripped: frozenset[bytes]) -> RawHeaders:
    """Return *stored* with the fields of a 304 or HEAD response in place of those of the same name (§3.2).

    What is *stripped* is taken from both: directives of the update speak of the stored response too.
    """
    fresh = [pair for pair in stored_headers(update, stripped) if pair[0] not in NOT_UPDATED]
    renewed = {name for name, _ in fresh} | stripped
    return [pair for pair in stored if pair[0] not in renewed] + fresh


def not_modified_headers(headers: RawHeaders) -> RawHeaders:
    """Return the fields of a 200 that a 304 in its place carries."""
    return [pair for pair in headers if pair[0] in NOT_MODIFIED_FIELDS]


def describes(entry: StoredResponse, headers: RawHeaders, now: float) -> bool:
    """Return whether the fields of a 200 to HEAD are those of *entry*'s representation (RFC 9111 §4.3.5)."""
    if entry.status != 200:
        return False
    lowered = [(name.lower(), value) for name, value in headers]
    etags = values(lowered, b"etag")
    # The app knows nothing of a tag that is ours: whatever it says is another.
    if etags and not (entry.app_validator and matches(etags[:1], entry.etag, strong=False)):
        return False
    modified = values(lowered, b"last-modified")
    if modified and http_date(modified[0], now) != entry.last_modified:
        return False
    lengths = values(lowered, b"content-length")
    return not lengths or lengths[0] == b"%d" % len(entry.body)
