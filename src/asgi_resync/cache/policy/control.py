"""Cache-Control and its targeted kin (RFC 9111 §5.2, RFC 9213), parsed. What follows from them it leaves to others.

What is malformed is read in the way that caches less:

- A freshness lifetime or window that is no plain number of seconds is 0 (§4.2.1: better taken as stale).
- Of a repeated one the smallest counts (§4.2.1: the first, or stale; the smallest is never fresher than either).
- A directive that forbids counts whatever its argument; one that permits (`public`, `immutable`, `must-understand`,
  `only-if-cached`) only without an argument, as it is defined.
- `private` and `no-cache` whose field names cannot be read are unqualified.
- Every word of a member that is no directive at all (`max-age=60; private`, `private="a`) counts as a directive with a
  bad argument, so that a wrong separator or an unclosed quote hides nothing that forbids.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, TypeAlias

from ..._asgi import RawHeaders
from ..._headers import delta_seconds, split_list, values
from ..._structured import InnerList, Member, Token, parse_dictionary


@dataclass(frozen=True, slots=True, kw_only=True)
class Control:
    """The directives of a response as a shared cache reads them (§5.2.2, RFC 5861, RFC 8246). Seconds are whole.

    `private` and `no_cache` are the unqualified forms; field names, in lower case, are then empty since all is meant.
    `present`: there is at least one directive, known or not.
    """

    present: bool = False
    no_store: bool = False
    no_cache: bool = False
    no_cache_fields: frozenset[bytes] = frozenset()
    private: bool = False
    private_fields: frozenset[bytes] = frozenset()
    public: bool = False
    must_revalidate: bool = False
    proxy_revalidate: bool = False
    must_understand: bool = False
    no_transform: bool = False
    immutable: bool = False
    max_age: int | None = None
    s_maxage: int | None = None
    stale_while_revalidate: int | None = None
    stale_if_error: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestControl:
    """The directives of a request (§5.2.1, RFC 5861 §4). Seconds are whole; `max_stale` without a value is infinite."""

    no_store: bool = False
    no_cache: bool = False
    no_transform: bool = False
    only_if_cached: bool = False
    max_age: int | None = None
    max_stale: float | None = None
    min_fresh: int | None = None
    stale_if_error: int | None = None


_Found: TypeAlias = Mapping[bytes, list[bytes | None]]
"""The arguments each directive came with: None for none, `b""` for one that cannot be used."""

_TCHAR: Final = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]"
_token = re.compile(_TCHAR + rb"+").fullmatch
_words = re.compile(_TCHAR + rb"+").findall
# §5.2: both forms of an argument are to be understood, whichever one the directive is defined with.
_directive = re.compile(
    rb"(?P<name>" + _TCHAR + rb"+)(?:=(?:(?P<token>" + _TCHAR + rb'+)|"(?P<quoted>(?:[^"\\]|\\.)*+)"))?', re.DOTALL
).fullmatch
# One that is not closed matches to the end, so that nobody searches it again from each of its quotes.
_quoted_string = re.compile(rb'"(?:[^"\\]++|\\.)*+("|\\?\Z)', re.DOTALL)
_quoted_pair = re.compile(rb"\\(.)", re.DOTALL)

_SECONDS: Final = frozenset({b"max-age", b"s-maxage", b"stale-while-revalidate", b"stale-if-error"})
_QUALIFIED: Final = frozenset({b"no-cache", b"private"})
_LONGEST_REMEMBERED: Final = 256


@lru_cache(maxsize=512)
def parse_response_control(values: tuple[bytes, ...]) -> Control:
    """Return the directives of all `Cache-Control` lines of a response (§5.2.2)."""
    return _control(_directives(values))


@lru_cache(maxsize=512)
def parse_targeted(values: tuple[bytes, ...]) -> Control | None:
    """Return the directives of all lines of one targeted field, such as `CDN-Cache-Control` (RFC 9213 §2.1).

    None if it is empty or no structured dictionary: then it MUST be ignored as if it were not there. That goes for
    names in upper case too, and of a repeated directive the last counts. Parameters are ignored.
    A value of a type that RFC 9213 does not infer for the directive is malformed: RFC 9213 forbids to send it and does
    not say how to receive it, so RFC 9111 §4.2.1 decides. Only the boolean false is as good as absence.
    """
    members = parse_dictionary(values)
    if not members:
        return None
    found: dict[bytes, list[bytes | None]] = {}
    for key, member in members.items():
        name = key.encode("ascii")
        if isinstance(member, InnerList) or member.value is not False:
            found[name] = [_targeted_argument(name, member)]
    return _control(found, present=True)


def parse_request_control(values: tuple[bytes, ...]) -> RequestControl:
    """Return the directives of all `Cache-Control` lines of a request (§5.2.1).

    They are wishes: a malformed `max-stale`, `min-fresh` or `stale-if-error` is none, a malformed `max-age` is 0.
    """
    # Clients choose what is remembered here, so they cannot make it large.
    if sum(map(len, values)) > _LONGEST_REMEMBERED:
        return _request_control(values)
    return _remembered_request_control(values)


def request_control(headers: RawHeaders) -> RequestControl:
    """Return the directives of a request with *headers*; Pragma counts only where Cache-Control is absent (§5.4)."""
    lines = values(headers, b"cache-control")
    if not lines and any(value.strip().lower() == b"no-cache" for value in values(headers, b"pragma")):
        lines = [b"no-cache"]
    return parse_request_control(tuple(lines))


def _request_control(values: tuple[bytes, ...]) -> RequestControl:
    found = _directives(values)
    return RequestControl(
        no_store=b"no-store" in found,
        no_cache=b"no-cache" in found,
        no_transform=b"no-transform" in found,
        only_if_cached=_is_bare(found, b"only-if-cached"),
        max_age=_lifetime(found, b"max-age"),
        max_stale=min(
            (math.inf if argument is None else float(argument) for argument in _wishes(found, b"max-stale")),
            default=None,
        ),
        min_fresh=max((argument for argument in _wishes(found, b"min-fresh") if argument is not None), default=None),
        stale_if_error=min(
            (argument for argument in _wishes(found, b"stale-if-error") if argument is not None), default=None
        ),
    )


_remembered_request_control = lru_cache(maxsize=512)(_request_control)


def _directives(lines: Iterable[bytes]) -> _Found:
    found: dict[bytes, list[bytes | None]] = {}
    for member in split_list(lines):
        if match := _directive(member):
            argument = match["token"]
            if (quoted := match["quoted"]) is not None:
                argument = _quoted_pair.sub(rb"\1", quoted)
            found.setdefault(match["name"].lower(), []).append(argument)
        else:
            unquoted = _quoted_string.sub(lambda quoted: b" " if quoted[1] == b'"' else quoted[0], member)
            for word in _words(unquoted):
                found.setdefault(word.lower(), []).append(b"")
    return found


def _targeted_argument(name: bytes, member: Member) -> bytes | None:
    value = None if isinstance(member, InnerList) else member.value
    if value is True:
        return None
    if name in _SECONDS and type(value) is int:
        return b"%d" % value
    if name in _QUALIFIED and isinstance(value, str) and type(value) in (str, Token):
        return value.encode("ascii")
    return b""


def _control(found: _Found, *, present: bool = False) -> Control:
    no_cache_fields = _fields(found, b"no-cache")
    private_fields = _fields(found, b"private")
    return Control(
        present=present or bool(found),
        no_store=b"no-store" in found,
        no_cache=b"no-cache" in found and not no_cache_fields,
        no_cache_fields=no_cache_fields,
        private=b"private" in found and not private_fields,
        private_fields=private_fields,
        public=_is_bare(found, b"public"),
        must_revalidate=b"must-revalidate" in found,
        proxy_revalidate=b"proxy-revalidate" in found,
        must_understand=_is_bare(found, b"must-understand"),
        no_transform=b"no-transform" in found,
        immutable=_is_bare(found, b"immutable"),
        max_age=_lifetime(found, b"max-age"),
        s_maxage=_lifetime(found, b"s-maxage"),
        stale_while_revalidate=_lifetime(found, b"stale-while-revalidate"),
        stale_if_error=_lifetime(found, b"stale-if-error"),
    )


def _is_bare(found: _Found, name: bytes) -> bool:
    return None in found.get(name, ())


def _seconds(argument: bytes | None) -> int | None:
    # No white space within the quotes either, which delta_seconds would take for that around a field value.
    return delta_seconds(argument) if argument is not None and argument.isdigit() else None


def _lifetime(found: _Found, name: bytes) -> int | None:
    return min((_seconds(argument) or 0 for argument in found.get(name, ())), default=None)


def _wishes(found: _Found, name: bytes) -> Iterable[int | None]:
    """Yield the seconds of each valid occurrence, None for one without an argument."""
    for argument in found.get(name, ()):
        if argument is None or argument.isdigit():
            yield _seconds(argument)


def _fields(found: _Found, name: bytes) -> frozenset[bytes]:
    """Return the field names that qualify *name* (§5.2.2.4, §5.2.2.7); none if one occurrence is unqualified."""
    names: set[bytes] = set()
    for argument in found.get(name, ()):
        listed = split_list([argument or b""])
        if not listed or not all(_token(field) for field in listed):
            return frozenset()
        names.update(field.lower() for field in listed)
    return frozenset(names)
