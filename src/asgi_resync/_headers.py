"""Raw header lines and the value forms that RFC 9110 shares among fields. It decides nothing about caching.

Every parser takes any bytes and never raises. What cannot be parsed is `None`, or kept as written where that is safer.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date
from enum import Enum
from functools import lru_cache
from typing import Final

from asgi_resync._asgi import RawHeaders

DELTA_SECONDS_MAX: Final = 2**31
"""What a larger number of seconds counts as (RFC 9111 §1.2.2)."""

# Clients choose what is remembered of their fields, so they cannot make it large.
_LONGEST_REMEMBERED: Final = 256

_OWS: Final = b" \t"
_TOKEN: Final = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
_token = re.compile(_TOKEN).fullmatch


class Wildcard(Enum):
    """The `*` that `Vary`, `If-Match` and `If-None-Match` may hold in place of a list."""

    ANY = "*"


def values(headers: RawHeaders, name: bytes) -> list[bytes]:
    """The values of all lines called *name* (lower case), in order."""
    return [value for key, value in headers if key == name]


# Lists, RFC 9110 §5.6.1

_quoted_part = re.compile(rb'((?:[^",]++|"(?:[^"\\]++|\\.)*+")*+)(["]?),?', re.DOTALL).match


def split_list(lines: Iterable[bytes]) -> list[bytes]:
    """The members of a comma list over several lines, stripped of white space and without empty ones (§5.6.1.2).

    A comma within a quoted-string parts nothing (§5.6.4). A quote that is never closed is a plain character: it must
    not hide the members after it.
    """
    members: list[bytes] = []
    for line in lines:
        parts = _split_quoted(line) if b'"' in line else line.split(b",")
        members += [member for part in parts if (member := part.strip(_OWS))]
    return members


def _split_quoted(line: bytes) -> list[bytes]:
    parts: list[bytes] = []
    at = 0
    while at < len(line):
        match = _quoted_part(line, at)
        assert match is not None  # every group may be empty
        if match[2]:
            head, *rest = line[match.start(2) :].split(b",")
            return [*parts, match[1] + head, *rest]
        parts.append(match[1])
        at = match.end()
    return parts


def connection_options(headers: RawHeaders) -> frozenset[bytes]:
    """The options of `Connection` in lower case: names of the fields that are for this hop only (RFC 9110 §7.6.1)."""
    lines = [value for key, value in headers if key == b"connection"]
    return frozenset(option.lower() for option in split_list(lines)) if lines else frozenset()


def field_names(lines: Iterable[bytes]) -> tuple[bytes, ...] | Wildcard:
    """The names in `Vary`: lower case, sorted, each once (RFC 9110 §12.5.5). `Wildcard.ANY` if any member is `*`.

    A member that cannot be a field name is taken for `*` too, since nobody can tell what the answer varies on.
    """
    return _field_names(tuple(lines))


@lru_cache(maxsize=256)
def _field_names(lines: tuple[bytes, ...]) -> tuple[bytes, ...] | Wildcard:
    names = {name.lower() for line in lines for part in line.split(b",") if (name := part.strip(_OWS))}
    if b"*" in names or not all(_token(name) for name in names):
        return Wildcard.ANY
    return tuple(sorted(names))


# Numbers and dates, RFC 9111 §1.2.2 and RFC 9110 §5.6.7


def delta_seconds(value: bytes) -> int | None:
    """Seconds as digits, at most `DELTA_SECONDS_MAX` (RFC 9111 §1.2.2). `None` for signs, fractions and the like."""
    digits = value.strip(_OWS)
    if not digits.isdigit():
        return None
    significant = digits.lstrip(b"0")
    return min(int(significant or b"0"), DELTA_SECONDS_MAX) if len(significant) <= 10 else DELTA_SECONDS_MAX


_WEEKDAYS: Final = (b"Mon", b"Tue", b"Wed", b"Thu", b"Fri", b"Sat", b"Sun")
_MONTHS: Final = (b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec")
_MONTH_NUMBERS: Final = {name.lower(): number for number, name in enumerate(_MONTHS, 1)}
_TIME: Final = rb"(?P<hour>\d\d):(?P<minute>\d\d):(?P<second>\d\d)"
_SHORT_DAY: Final = rb"(?:mon|tue|wed|thu|fri|sat|sun)"
_LONG_DAY: Final = rb"(?:monday|tuesday|wednesday|thursday|friday|saturday|sunday)"
_imf_fixdate = re.compile(
    _SHORT_DAY + rb", (?P<day>\d\d) (?P<month>[a-z]{3}) (?P<year>\d{4}) " + _TIME + rb" gmt"
).fullmatch
_rfc850_date = re.compile(
    _LONG_DAY + rb", (?P<day>\d\d)-(?P<month>[a-z]{3})-(?P<year>\d\d) " + _TIME + rb" gmt"
).fullmatch
_asctime_date = re.compile(
    _SHORT_DAY + rb" (?P<month>[a-z]{3}) (?P<day>\d\d| \d) " + _TIME + rb" (?P<year>\d{4})"
).fullmatch
_LONGEST_DATE: Final = len(b"Wednesday, 06-Nov-94 08:49:37 GMT")
_EPOCH: Final = date(1970, 1, 1).toordinal()
_FIRST_SECOND: Final = (1 - _EPOCH) * 86400
_LAST_SECOND: Final = (date.max.toordinal() - _EPOCH + 1) * 86400 - 1


def http_date(value: bytes, now: float) -> float | None:
    """Seconds since the epoch of a date in one of the three forms of RFC 9110 §5.6.7, and in no other.

    Case does not matter, and the weekday must be one but need not be the right one. The two digits of an RFC 850 year
    are read as the latest year that is not more than fifty years after *now* (seconds since the epoch).
    """
    text = value.strip(_OWS)
    if len(text) > _LONGEST_DATE:
        return None
    return _date_seconds(text.lower(), int(now // 86400) if b"-" in text else 0)


@lru_cache(maxsize=1024)
def _date_seconds(text: bytes, today: int) -> float | None:
    match = _imf_fixdate(text) or _rfc850_date(text) or _asctime_date(text)
    if match is None:
        return None
    month = _MONTH_NUMBERS.get(match["month"], 0)
    day, hour, minute, second = int(match["day"]), int(match["hour"]), int(match["minute"]), int(match["second"])
    # A leap second is the last one of a day; it is counted as the first one of the next, as POSIX time does.
    if hour > 23 or minute > 59 or second > (60 if (hour, minute) == (23, 59) else 59):
        return None
    year = int(match["year"])
    if len(match["year"]) == 2:
        year = _full_year(year, month, day, date.fromordinal(_EPOCH + today))
    try:
        days = date(year, month, day).toordinal() - _EPOCH
    except ValueError:
        return None
    return float(days * 86400 + hour * 3600 + minute * 60 + second)


def _full_year(digits: int, month: int, day: int, today: date) -> int:
    latest = today.year + 50
    year = latest - (latest - digits) % 100
    return year - 100 if (year, month, day) > (latest, today.month, today.day) else year


def format_http_date(seconds: float) -> bytes:
    """The IMF-fixdate of *seconds* since the epoch, rounded down; outside the years 1 to 9999 the nearest date."""
    return _formatted(int(min(max(seconds, _FIRST_SECOND), _LAST_SECOND) // 1))


@lru_cache(maxsize=256)
def _formatted(seconds: int) -> bytes:
    days, rest = divmod(seconds, 86400)
    day = date.fromordinal(_EPOCH + days)
    return b"%s, %02d %s %04d %02d:%02d:%02d GMT" % (
        *(_WEEKDAYS[day.weekday()], day.day, _MONTHS[day.month - 1], day.year),
        *(rest // 3600, rest // 60 % 60, rest % 60),
    )


# Entity tags, RFC 9110 §8.8.3


@dataclass(frozen=True, slots=True)
class EntityTag:
    """An entity tag: *opaque* with its quotes, as written, and whether it is *weak*.

    A malformed one (`abc`, `w/"abc"`) is kept whole as a strong tag. So it equals itself and no well-formed tag, and a
    client that sends back what the app gave is still understood.
    """

    opaque: bytes
    weak: bool


_tag_members = re.compile(rb'[ \t]*+(?P<weak>W/)?(?P<opaque>"[^"]*+")[ \t]*+(?=,|\Z)|(?P<malformed>[^,]++)').finditer


def entity_tags(lines: Iterable[bytes]) -> list[EntityTag] | Wildcard:
    """The tags of `If-Match` or `If-None-Match` (RFC 9110 §13.1.1, §13.1.2), or `Wildcard.ANY` if `*` is all there is.

    Opaque tags may hold commas and any byte but a quote. A `*` next to other members is a malformed tag.
    """
    tags: list[EntityTag] = []
    for line in lines:
        tags += _remembered_tags(line) if len(line) <= _LONGEST_REMEMBERED else _tags(line)
    return Wildcard.ANY if tags and all(tag.opaque == b"*" for tag in tags) else tags


def _tags(line: bytes) -> tuple[EntityTag, ...]:
    tags: list[EntityTag] = []
    for match in _tag_members(line):
        if opaque := match["opaque"]:
            tags.append(EntityTag(opaque, match["weak"] is not None))
        elif malformed := match["malformed"].strip(_OWS):
            tags.append(EntityTag(malformed, weak=False))
    return tuple(tags)


# A revalidating browser sends the same line again and again; parsed anew it would be most of the cost of a 304.
_remembered_tags = lru_cache(maxsize=1024)(_tags)


def strong_match(one: EntityTag, other: EntityTag) -> bool:
    """Whether both are strong and the same (RFC 9110 §8.8.3.2), as `If-Match` and `If-Range` ask."""
    return not one.weak and not other.weak and one.opaque == other.opaque


def weak_match(one: EntityTag, other: EntityTag) -> bool:
    """Whether both are the same but for weakness (RFC 9110 §8.8.3.2), as `If-None-Match` asks."""
    return one.opaque == other.opaque


# Quality values, RFC 9110 §12.4.2

_weighted = re.compile(rb"(" + _TOKEN + rb")(?:[ \t]*+;[ \t]*+[qQ]=(0(?:\.\d{0,3})?|1(?:\.0{0,3})?))?").fullmatch


def qualities(value: bytes) -> list[tuple[bytes, float]] | None:
    """The members of an `Accept-*` list in their order: lower case, with their weight from 0 to 1 (RFC 9110 §12.4.2).

    `None` if a member has another form or another parameter.
    """
    members: list[tuple[bytes, float]] = []
    for part in value.split(b","):
        if member := part.strip(_OWS):
            match = _weighted(member)
            if match is None:
                return None
            members.append((match[1].lower(), float(match[2] or b"1")))
    return members


def normalize_accept_encoding(value: bytes | None) -> bytes | None:
    """The same bytes for values that prefer the same codings (RFC 9110 §12.5.3): sorted by weight, then by name.

    No field (`None`) and an empty one (`b""`) differ in meaning and stay apart. A malformed value, one that names a
    coding twice, and one over 256 bytes come back as they are.
    """
    if value is None or len(value) > _LONGEST_REMEMBERED:
        return value
    return _normalized(value, _by_weight_and_name)


def normalize_accept_language(value: bytes | None) -> bytes | None:
    """The same bytes for values that prefer the same languages (RFC 9110 §12.5.4): sorted by weight only.

    §12.5.4: some recipients take the order of languages of one weight as descending priority, so it is kept.
    The rest is as in `normalize_accept_encoding`.
    """
    if value is None or len(value) > _LONGEST_REMEMBERED:
        return value
    return _normalized(value, _by_weight)


def _by_weight_and_name(member: tuple[bytes, float]) -> tuple[float, bytes]:
    return -member[1], member[0]


def _by_weight(member: tuple[bytes, float]) -> tuple[float, bytes]:
    return -member[1], b""


@lru_cache(maxsize=1024)
def _normalized(value: bytes, order: Callable[[tuple[bytes, float]], tuple[float, bytes]]) -> bytes:
    members = qualities(value)
    if members is None or len({token for token, _ in members}) < len(members):
        return value
    return b",".join(_weighted_member(token, weight) for token, weight in sorted(members, key=order))


def _weighted_member(token: bytes, weight: float) -> bytes:
    return token if weight == 1 else b"%s;q=%s" % (token, f"{weight:g}".encode())
