"""The scripted origin: what it says to a request, as a value. It opens no socket and reads no clock."""

from __future__ import annotations

from dataclasses import dataclass, field

from tests.conformance.model import NUMBER, ORIGIN, Case, Exchange, Fault, Fields, Place

BODILESS = frozenset({204, 205, 304})
ASKED_FOR = {
    206: frozenset({"range"}),
    304: frozenset({"if-modified-since", "if-none-match"}),
    412: frozenset({"if-match", "if-none-match", "if-unmodified-since"}),
    416: frozenset({"range"}),
}
"""Statuses that answer a field of the request: a cache may have taken it away, and then the origin says 200."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrived:
    """A request as the origin saw it."""

    number: int
    method: str
    fields: Fields


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What goes back: `body` as far as it is sent, `length` as declared, None if the length is not."""

    status: int
    fields: Fields
    body: bytes
    length: int | None
    fault: Fault
    delay: float
    trailers: Fields = ()


@dataclass(slots=True, kw_only=True)
class Play:
    """One performance of one case: the script, and what has happened so far."""

    case: Case
    place: Place
    arrived: list[Arrived] = field(default_factory=list)

    def exchange(self, number: int) -> Exchange:
        return self.case.exchanges[number - 1]

    def body(self, number: int) -> bytes:
        """The complete body that exchange *number* has if the origin answers it."""
        body = self.exchange(number).body
        return f"{self.case.id} {number}".encode() if body is None else body.encode()

    def validators(self, number: int) -> tuple[set[str], set[str]]:
        """The entity tags and Last-Modified values that the origin gave before exchange *number*."""
        tags: set[str] = set()
        dates: set[str] = set()
        for exchange in self.case.exchanges[: number - 1]:
            for name, value in self.place.fields(exchange.answer, self.place.start):
                if name.lower() == "etag":
                    tags.add(value)
                elif name.lower() == "last-modified":
                    dates.add(value)
        return tags, dates

    def answer(self, method: str, fields: Fields, now: float) -> Answer:
        """Note the request and return the answer that the script has for it."""
        number = next((int(value) for name, value in fields if name.lower() == NUMBER.lower()), 1)
        self.arrived.append(Arrived(number=number, method=method, fields=fields))
        exchange = self.exchange(number)
        lines = list(self.place.fields(exchange.answer, now))
        if exchange.has_date and not any(name.lower() == "date" for name, _ in lines):
            lines.append(self.place.field("Date: @now", now))
        if exchange.may_validate and self._is_current(fields, number):
            return Answer(
                status=304, fields=tuple(lines), body=b"", length=None, fault=exchange.fault, delay=exchange.delay
            )

        lines.append((ORIGIN, str(number)))
        body, status = self.body(number), exchange.status
        asking = ASKED_FOR.get(status, frozenset())
        if _has(self.place.fields(exchange.send, now), asking) and not _has(fields, asking):
            status = 200
            body = body if exchange.whole is None else exchange.whole.encode()
            lines = [(name, value) for name, value in lines if name.lower() != "content-range"]
        length: int | None = len(body)
        if status in BODILESS or method == "HEAD":
            length = len(body) if status not in BODILESS else None
            body = b""
        elif exchange.fault in (Fault.CUT, Fault.SHORT):
            body = body[: len(body) // 2]
        elif exchange.fault is Fault.CUT_CHUNKED:
            body, length = body[: len(body) // 2], None
        return Answer(
            status=status,
            fields=tuple(lines),
            body=body,
            length=length,
            fault=exchange.fault,
            delay=exchange.delay,
            trailers=self.place.fields(exchange.trailers, now),
        )

    def _is_current(self, fields: Fields, number: int) -> bool:
        """RFC 9110 §13.2.2: If-None-Match decides alone if it is there."""
        tags, dates = self.validators(number)
        given = {name.lower(): value for name, value in fields}
        if "if-none-match" in given:
            return any(tag in given["if-none-match"] for tag in tags)
        return given.get("if-modified-since") in dates


def _has(fields: Fields, names: frozenset[str]) -> bool:
    return any(name.lower() in names for name, _ in fields)
