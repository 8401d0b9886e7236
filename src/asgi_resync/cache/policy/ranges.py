"""Byte ranges out of a complete stored response (RFC 9110 §14). One range at most; others are answered whole."""

from __future__ import annotations

import re
from dataclasses import dataclass

RANGE = re.compile(rb"bytes=(\d*)-(\d*)", re.IGNORECASE)
LONGEST_DIGITS = 18


@dataclass(frozen=True, slots=True)
class Part:
    """Bytes *first* to *last*, both included, of *total*."""

    first: int
    last: int
    total: int

    @property
    def content_range(self) -> bytes:
        """The value of Content-Range (§14.4)."""
        return b"bytes %d-%d/%d" % (self.first, self.last, self.total)


@dataclass(frozen=True, slots=True)
class Unsatisfiable:
    """The range lies outside of *total* bytes: 416 (§15.5.17)."""

    total: int

    @property
    def content_range(self) -> bytes:
        """The value of Content-Range in a 416."""
        return b"bytes */%d" % self.total


def part_of(value: bytes, total: int) -> Part | Unsatisfiable | None:
    """Return what a Range *value* asks of *total* bytes; None if it is to be ignored (§14.2).

    Ignored are other units, several ranges, and what is not valid.
    """
    match = RANGE.fullmatch(value.strip())
    if match is None:
        return None
    first_digits, last_digits = match.groups()
    if len(first_digits) > LONGEST_DIGITS or len(last_digits) > LONGEST_DIGITS:
        return None
    if not first_digits:
        if not last_digits:
            return None
        suffix = int(last_digits)
        if suffix == 0 or total == 0:
            return Unsatisfiable(total)
        return Part(max(0, total - suffix), total - 1, total)
    first = int(first_digits)
    if last_digits and int(last_digits) < first:
        return None
    if first >= total:
        return Unsatisfiable(total)
    last = min(int(last_digits), total - 1) if last_digits else total - 1
    return Part(first, last, total)
