"""Says whether a case went as written. It looks at what was seen only, never at how a subject works."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tests.conformance.model import (
    CACHED,
    LM_VALIDATED,
    NOT_CACHED,
    ORIGIN,
    Case,
    Exchange,
    Fault,
    Fields,
    Kind,
    Lines,
)
from tests.conformance.origin import BODILESS, Play


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A response as the client received it; `broken` says why it is not complete, "" if it is."""

    status: int
    fields: Fields
    body: bytes
    broken: str = ""

    def joined(self, name: str) -> str | None:
        """The value of the field *name*, its lines joined, or None."""
        return _joined(self.fields, name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What came of one case: no `problems` means that it went as written."""

    case: Case
    problems: tuple[str, ...]
    observed: str
    """Status and source of each response, such as `200 from origin, 200 from 1`."""
    is_idle: bool = False
    """True if a required case says what a stored response must be like, and the subject correctly used none."""

    @property
    def passed(self) -> bool:
        return not self.problems


def judge(play: Play, seen: Sequence[Seen]) -> Verdict:
    """Compare what was *seen* with the script."""
    problems: list[str] = []
    is_idle = False
    for number, (exchange, response) in enumerate(zip(play.case.exchanges, seen, strict=False), 1):
        is_idle = play.case.kind is Kind.REQUIRED and _is_idle(play, number, exchange, response)
        if is_idle:
            problems.append(f"{number}: no stored response used")
            break
        problems.extend(f"{number}: {text}" for text in _problems(play, number, exchange, response))
    if len(seen) < len(play.case.exchanges):
        problems.append(f"only {len(seen)} of {len(play.case.exchanges)} exchanges took place")
    observed = ", ".join(_source(play, number, response) for number, response in enumerate(seen, 1))
    return Verdict(case=play.case, problems=tuple(problems), observed=observed, is_idle=is_idle and len(problems) == 1)


def served_from(response: Seen) -> int | None:
    """The exchange that brought *response* from the origin, or None if it does not say."""
    value = response.joined(ORIGIN)
    return int(value) if value is not None and value.isdigit() else None


def _was_asked(play: Play, number: int) -> bool:
    return any(arrived.number == number for arrived in play.arrived)


def _is_cached(play: Play, number: int, response: Seen) -> bool:
    source = served_from(response)
    if source is not None:
        return source < number
    # An error that names no exchange is the subject's own: it refused.
    return response.status < 400 and not _was_asked(play, number)


def _is_idle(play: Play, number: int, exchange: Exchange, response: Seen) -> bool:
    """True if a response from the cache is expected and the origin was rightly asked instead."""
    is_from_cache = exchange.expect is CACHED or (exchange.served is not None and exchange.served < number)
    return is_from_cache and not _is_cached(play, number, response)


def _source(play: Play, number: int, response: Seen) -> str:
    source = served_from(response)
    if source is None:
        where = "origin" if _was_asked(play, number) else "cache"
    else:
        where = "origin" if source == number else str(source)
    validated = any(
        name.lower() in ("if-none-match", "if-modified-since")
        for arrived in play.arrived
        if arrived.number == number
        for name, _ in arrived.fields
    )
    return f"{response.status} from {where}{' validated' if validated else ''}{' broken' if response.broken else ''}"


def _problems(play: Play, number: int, exchange: Exchange, response: Seen) -> Iterator[str]:
    yield from _unsound(play, number, exchange, response)
    source = served_from(response)
    match exchange.expect:
        case None:
            pass
        case expect if expect is CACHED:
            if not _is_cached(play, number, response):
                yield "not from the cache"
        case expect if expect is NOT_CACHED:
            if _is_cached(play, number, response):
                yield "from the cache"
        case expect:
            yield from _unvalidated(play, number, expect is LM_VALIDATED)
            if source == number:
                yield "sent anew, not validated"
    if exchange.served is not None and source != exchange.served:
        yield f"response of exchange {source}, not {exchange.served}"
    if exchange.statuses and response.status not in exchange.statuses:
        yield f"status {response.status}, not {' or '.join(map(str, exchange.statuses))}"
    if exchange.body_seen is not None and response.body != exchange.body_seen.encode():
        yield f"body {response.body!r}, not {exchange.body_seen!r}"
    if exchange.part_seen is not None and response.status == 206 and response.body != exchange.part_seen.encode():
        yield f"part {response.body!r}, not {exchange.part_seen!r}"
    if exchange.body_unseen is not None and response.body == exchange.body_unseen.encode():
        yield f"body {response.body!r}"
    if exchange.age is not None:
        value = response.joined("Age")
        least, most = exchange.age
        if value is None or not value.isdigit() or not least <= int(value) <= most:
            yield f"Age is {value}, not from {least} to {most}"

    for line in exchange.want:
        yield from _missing(play, response.fields, line, "response")
    yield from _present(play, response.fields, exchange.unwanted, "response")
    asked = [arrived.fields for arrived in play.arrived if arrived.number == number]
    for line in exchange.at_origin:
        yield from _missing(play, asked[0] if asked else (), line, "request at the origin")
    for fields in asked:
        yield from _present(play, fields, exchange.not_at_origin, "request at the origin")


def _unsound(play: Play, number: int, exchange: Exchange, response: Seen) -> Iterator[str]:
    """What no case allows: a body that is not the one of the exchange named in the response."""
    source = served_from(response)
    if response.broken and exchange.fault is Fault.NONE:
        yield f"broken response: {response.broken}"
    if source is None or exchange.method == "HEAD" or play.exchange(source).fault is not Fault.NONE:
        return
    if response.status in (*BODILESS, 206, 416) or response.status != play.exchange(source).status:
        return
    if not 1 <= source <= number or response.body != play.body(source):
        yield f"body {response.body!r} under the fields of exchange {source}"


def _unvalidated(play: Play, number: int, by_date: bool) -> Iterator[str]:
    tags, dates = play.validators(number)
    name, values = ("If-Modified-Since", dates) if by_date else ("If-None-Match", tags)
    asked = [arrived for arrived in play.arrived if arrived.number == number]
    if not asked:
        yield "origin not asked"
    elif not any(value in (_joined(arrived.fields, name) or "") for arrived in asked for value in values):
        yield f"origin asked without a matching {name}"


def _joined(fields: Fields, name: str) -> str | None:
    values = [value for field, value in fields if field.lower() == name.lower()]
    return ", ".join(values) if values else None


def _missing(play: Play, fields: Fields, line: str, what: str) -> Iterator[str]:
    name, wanted = play.place.field(line, play.place.start)
    value = _joined(fields, name)
    if value is None:
        yield f"no {name} in the {what}"
    elif wanted.startswith("~"):
        if re.search(wanted[1:], value) is None:
            yield f"{name} in the {what} is {value!r}, which has no {wanted[1:]!r}"
    elif wanted and value != wanted:
        yield f"{name} in the {what} is {value!r}, not {wanted!r}"


def _present(play: Play, fields: Fields, lines: Lines, what: str) -> Iterator[str]:
    for line in lines:
        name, unwanted = play.place.field(line, play.place.start)
        for field, value in fields:
            if field.lower() == name.lower() and (not unwanted or _matches(unwanted, value)):
                yield f"{name}: {value} in the {what}"
                break


def _matches(pattern: str, value: str) -> bool:
    return re.search(pattern[1:], value) is not None if pattern.startswith("~") else value == pattern
