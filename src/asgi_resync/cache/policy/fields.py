"""What the cache reads of a response's header section, gathered in one pass. It decides nothing."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from ..._asgi import RawHeaders
from ..._headers import delta_seconds, http_date, split_list
from .control import Control, parse_response_control, parse_targeted

OWN_TARGET = b"resync-cache-control"
"""Our own targeted field (RFC 9213): obeyed before any other, and never sent on."""

_NONE: list[bytes] = []
_LONGEST_LENGTH = 18


@dataclass(slots=True, kw_only=True)
class ResponseFields:
    """A final response as policy sees it. Times in seconds since the epoch.

    `control` is the targeted field that applies (RFC 9213 §2.2), else Cache-Control; `targeted` tells which.
    `expires` is None for no Expires, and minus infinity for one that is invalid (§5.3: in the past). `content_length`
    is None for no Content-Length, and -1, which no body has, for one that is no number or comes twice.
    """

    status: int
    control: Control
    targeted: bool
    date: float | None
    expires: float | None
    age: int
    etag: bytes | None
    last_modified: float | None
    content_length: int | None
    content_type: bytes
    vary: Sequence[bytes]
    has_set_cookie: bool
    has_own_target: bool
    tags: tuple[str, ...]
    lines: dict[bytes, list[bytes]]


def read_fields(
    status: int, headers: RawHeaders, *, now: float, targets: Sequence[bytes] = (), tag_fields: Sequence[bytes] = ()
) -> ResponseFields:
    """Gather what policy needs from *headers*. *targets* are the targeted fields obeyed, first match wins."""
    lines: dict[bytes, list[bytes]] = {}
    for name, value in headers:
        if type(name) is not bytes or type(value) is not bytes:
            raise TypeError(f"header line {name!r}: {value!r} is not bytes")
        name = name.lower()
        if name in lines:
            lines[name].append(value)
        else:
            lines[name] = [value]
    get = lines.get
    targeted: Control | None = None
    own = get(OWN_TARGET)
    if own is not None:
        targeted = parse_targeted(tuple(own))
    if targeted is None:
        for target in targets:
            found = get(target)
            if found is not None and (targeted := parse_targeted(tuple(found))) is not None:
                break
    control = targeted if targeted is not None else parse_response_control(tuple(get(b"cache-control", _NONE)))
    etags = get(b"etag")
    tags: list[str] = []
    for name in tag_fields:
        for value in get(name, _NONE):
            tags.extend(tag.decode("latin-1") for tag in value.replace(b",", b" ").split())
    modified = get(b"last-modified")
    dates = get(b"date")
    return ResponseFields(
        status=status,
        control=control,
        targeted=targeted is not None,
        date=http_date(dates[0], now) if dates else None,
        # RFC 9213 §2.2: a targeted field that applies makes Expires count for nothing.
        expires=None if targeted is not None else _expires(get(b"expires", _NONE), now),
        age=_age(get(b"age", _NONE)),
        # Two ETag lines name no representation, and neither does an empty one: treated as none.
        etag=etags[0] or None if etags and len(etags) == 1 else None,
        last_modified=http_date(modified[0], now) if modified and len(modified) == 1 else None,
        content_length=_content_length(get(b"content-length")),
        content_type=get(b"content-type", [b""])[0],
        vary=get(b"vary", _NONE),
        has_set_cookie=b"set-cookie" in lines,
        has_own_target=own is not None,
        tags=tuple(tags),
        lines=lines,
    )


def _expires(found: Sequence[bytes], now: float) -> float | None:
    if not found:
        return None
    # §5.3: invalid means already expired; §4.2.1: conflicting duplicates are best taken as stale, so the least counts.
    dates = [http_date(value, now) for value in found]
    return min(date if date is not None else -math.inf for date in dates)


def _content_length(found: Sequence[bytes] | None) -> int | None:
    if found is None:
        return None
    value = found[0]
    return int(value) if len(found) == 1 and value.isdigit() and len(value) <= _LONGEST_LENGTH else -1


def _age(found: Sequence[bytes]) -> int:
    if not found:
        return 0
    # §5.1: of a list the first member counts; what is not a non-negative integer is ignored.
    members = split_list(found)
    age = delta_seconds(members[0]) if members else None
    return 0 if age is None else age
