"""The words in which cases are written. Nothing here plays or judges them.

A header line is one string, `"Name: value"`. Within a value `@now+30` is the HTTP-date half a minute from the moment
of sending, `@start-30` the one half a minute before the case began, `@rfc850:now` and `@asctime:now` the obsolete
forms; `{path}` is the path of the case and `{host}` the authority it is reached by.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.utils import formatdate
from enum import StrEnum
from types import MappingProxyType
from typing import TypeAlias

Lines: TypeAlias = tuple[str, ...]
Fields: TypeAlias = tuple[tuple[str, str], ...]


class Kind(StrEnum):
    """What follows from a case that does not go as written."""

    REQUIRED = "required"
    """A MUST is broken, or an answer is wrong."""
    OPTIMAL = "optimal"
    """Correct, but a cache could have done better."""
    CHECK = "check"
    """The specifications leave it open; the case records what we chose."""


class Expect(StrEnum):
    """Where the response to an exchange comes from."""

    CACHED = "cached"
    NOT_CACHED = "not cached"
    ETAG_VALIDATED = "validated by ETag"
    LM_VALIDATED = "validated by Last-Modified"


class Fault(StrEnum):
    """How the origin breaks."""

    NONE = "none"
    CLOSE = "closes instead of answering"
    CUT = "closes within a body of declared length"
    CUT_CHUNKED = "closes within a body of unknown length"
    SHORT = "ends the body before its declared length"


REQUIRED, OPTIMAL, CHECK = Kind.REQUIRED, Kind.OPTIMAL, Kind.CHECK
CACHED, NOT_CACHED = Expect.CACHED, Expect.NOT_CACHED
ETAG_VALIDATED, LM_VALIDATED = Expect.ETAG_VALIDATED, Expect.LM_VALIDATED

NUMBER = "Exchange-Number"
"""Request field that tells the origin which exchange it plays."""
ORIGIN = "Origin-Exchange"
"""Response field that tells which exchange brought a response; a 304 never has it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """One request, what the origin says if it is asked, and what the client and the origin must then have seen."""

    method: str = "GET"
    path: str = ""
    """Appended to the path of the case; may begin with a query."""
    send: Lines = ()
    content: bytes = b""

    status: int = 200
    answer: Lines = ()
    """Response fields; `Date: @now` is added unless there is a Date line or `has_date` is false."""
    has_date: bool = True
    body: str | None = None
    """None stands for a text that no other exchange has."""
    whole: str | None = None
    """The body of the 200 that a 206 becomes if no Range reaches the origin."""
    trailers: Lines = ()
    """Trailer fields; in one process only."""
    fault: Fault = Fault.NONE
    delay: float = 0.0
    """Seconds the origin takes to answer."""
    validates: bool = False
    """True if the origin says 304 to a validator it gave earlier in the case."""

    expect: Expect | None = None
    served: int | None = None
    """The exchange (from 1) whose response the client must have received."""
    statuses: tuple[int, ...] = ()
    want: Lines = ()
    """`Name` present, `Name: value` equal once lines are joined, `Name: ~regex` found."""
    unwanted: Lines = ()
    """`Name` absent, `Name: value` on no line."""
    at_origin: Lines = ()
    not_at_origin: Lines = ()
    body_seen: str | None = None
    part_seen: str | None = None
    """The body if the status is 206."""
    body_unseen: str | None = None
    age: tuple[int, int] | None = None
    """Least and greatest value of Age."""
    pause: float = 0.0
    """Seconds that go by after the exchange."""

    @property
    def may_validate(self) -> bool:
        return self.validates or self.expect in (ETAG_VALIDATED, LM_VALIDATED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A sequence of exchanges about one URI (and its neighbours), and the paragraph that decides it."""

    id: str
    kind: Kind
    section: str
    exchanges: tuple[Exchange, ...]
    settings: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    on_wire: bool = True
    """False where a server, a client library or the time it takes stands in the way."""
    is_ours: bool = False
    """True for what the subjects we compare with do not offer at all."""


def settings(**values: str) -> Mapping[str, str]:
    """Return RESYNC_CACHE_* settings from lower-case names."""
    return MappingProxyType({f"RESYNC_CACHE_{name.upper()}": value for name, value in values.items()})


NO_SETTINGS = settings()
HONOUR = settings(client_directives="honour")
HEURISTIC = settings(heuristic="true")
TARGETED = settings(targeted="CDN-Cache-Control")

FRESH = "Cache-Control: max-age=3600"
SHORT = "Cache-Control: max-age=1"
"""Stale after a pause of three seconds, whatever a cache rounds."""
PAUSE = 3.0


def reuse(
    name: str,
    kind: Kind,
    section: str,
    *answer: str,
    expect: Expect = CACHED,
    pause: float = 0.0,
    send: Lines = (),
    then: Lines | None = None,
    status: int = 200,
    has_date: bool = True,
    env: Mapping[str, str] = NO_SETTINGS,
    on_wire: bool = True,
) -> Case:
    """Return the commonest case: *answer* is given to a GET; is it used for the same GET after *pause* seconds?

    *send* are the fields of both requests, *then* those of the second if they differ.
    """
    first = Exchange(send=send, status=status, answer=answer, has_date=has_date, pause=pause)
    second = Exchange(
        send=send if then is None else then, status=status, answer=answer, has_date=has_date, expect=expect
    )
    return Case(id=name, kind=kind, section=section, exchanges=(first, second), settings=env, on_wire=on_wire)


def case(
    name: str,
    kind: Kind,
    section: str,
    *exchanges: Exchange,
    env: Mapping[str, str] = NO_SETTINGS,
    on_wire: bool = True,
    is_ours: bool = False,
) -> Case:
    """Return a case of any *exchanges*."""
    return Case(
        id=name, kind=kind, section=section, exchanges=exchanges, settings=env, on_wire=on_wire, is_ours=is_ours
    )


# --- rendering -------------------------------------------------------------------------------------------------------

_DATE = re.compile(r"@(?:(rfc850|asctime):)?(now|start)([+-]\d+)?")
_WEEKDAYS = {day[:3]: day for day in ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")}


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where and when a case is played."""

    path: str
    host: str
    start: float

    def field(self, line: str, now: float) -> tuple[str, str]:
        """Return name and value of *line*, dates and places filled in."""
        name, _, value = line.partition(":")
        value = value.strip(" ").replace("{path}", self.path).replace("{host}", self.host)
        return name, _DATE.sub(lambda match: self._date(match, now), value)

    def fields(self, lines: Lines, now: float) -> Fields:
        return tuple(self.field(line, now) for line in lines)

    def _date(self, match: re.Match[str], now: float) -> str:
        form, base, offset = match.groups()
        moment = (now if base == "now" else self.start) + int(offset or 0)
        fixdate = formatdate(int(moment), usegmt=True)
        weekday, day, month, year, clock, _ = fixdate.replace(",", "").split(" ")
        match form:
            case "rfc850":
                return f"{_WEEKDAYS[weekday]}, {day}-{month}-{year[2:]} {clock} GMT"
            case "asctime":
                return f"{weekday} {month} {int(day):2d} {clock} {year}"
            case _:
                return fixdate
