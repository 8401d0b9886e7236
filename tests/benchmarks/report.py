"""Turns samples into tables: the median, and between which quartiles the rounds lie. It measures nothing.

A bar is about the number beside it: the median of the ratios of paired rounds, or of the values where nothing is
compared.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, replace

import msgspec


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """What the design asks of a number: at most, or at least, so much."""

    at_most: float | None = None
    at_least: float | None = None

    def is_met(self, number: float) -> bool:
        """Tell whether *number* is on the right side."""
        return (self.at_most is None or number <= self.at_most) and (self.at_least is None or number >= self.at_least)

    def __str__(self) -> str:
        return f"≤ {self.at_most:g}" if self.at_most is not None else f"≥ {self.at_least:g}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One subject under one circumstance. `values` are what was measured, one a round; `ratios` what each was beside
    that with which it is compared, in the same round."""

    subject: str
    where: str = ""
    values: Sequence[float] = ()
    ratios: Sequence[float] = ()
    bar: Bar | None = None
    note: str = ""

    @property
    def rounds(self) -> Sequence[float]:
        """What its bar is about, one a round."""
        return self.ratios or self.values

    @property
    def number(self) -> float:
        """What its bar is about: the median."""
        return statistics.median(self.rounds)

    @property
    def is_below(self) -> bool:
        """True if it was measured and misses its bar."""
        return self.bar is not None and bool(self.rounds) and not self.bar.is_met(self.number)


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """The rows of one measure. `by` says what the ratios are, and is empty where nothing is compared; `again` when it
    was measured, if that was not with the others."""

    name: str
    what: str
    unit: str
    by: str
    digits: int
    rows: Sequence[Row]
    again: str = ""

    @property
    def is_below(self) -> bool:
        """True if a row misses its bar."""
        return any(row.is_below for row in self.rows)


def quartiles(samples: Sequence[float]) -> tuple[float, float]:
    """Return the first and the third, which of a single sample are that."""
    if len(samples) < 2:
        return samples[0], samples[0]
    first, _, third = statistics.quantiles(samples, n=4, method="inclusive")
    return first, third


def plain(value: float) -> str:
    """Return *value* with three digits or more."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def spread(row: Row, digits: int) -> str:
    """Return between which quartiles the rounds of *row* lie; nothing of a single round."""
    if len(row.rounds) < 2:
        return ""
    first, third = quartiles(row.rounds)
    return f"{first:z.{digits}f} to {third:z.{digits}f}"


def verdict(row: Row) -> str:
    """Return the bar of *row* and whether it is met, or its note."""
    if row.bar is None or not row.rounds:
        return row.note
    said = f"{row.bar}: {'met' if row.bar.is_met(row.number) else '**below**'}"
    return f"{said}; {row.note}" if row.note else said


def markdown(head: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table."""
    rows = [head, ["---"] * len(head), *lines]
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def table(found: Table) -> str:
    """Return *found* as a Markdown table."""
    by = [found.by] if found.by else []
    lines = []
    for row in found.rows:
        if not row.rounds:
            lines.append([row.subject, row.where, "–", *("–" for _ in by), "", row.note])
            continue
        ratio = [f"{row.number:z.{found.digits}f}" if row.ratios else ""] if by else []
        value = plain(statistics.median(row.values))
        lines.append([row.subject, row.where, value, *ratio, spread(row, found.digits), verdict(row)])
    return markdown(["subject", "where", found.unit, *by, "quartiles", "bar"], lines)


def glance(tables: Sequence[Table]) -> str:
    """Return the table of all rows that have a bar."""
    lines = []
    for found in tables:
        for row in found.rows:
            if row.bar is None:
                continue
            bar = f"{row.bar} {found.by or found.unit}"
            what = [f"`{found.name}`", row.subject, row.where, bar]
            if not row.rounds:
                lines.append([*what, "not measured", row.note])
                continue
            between = spread(row, found.digits)
            number = f"{row.number:z.{found.digits}f}" + (f" ({between})" if between else "")
            lines.append([*what, number, "**below**" if row.is_below else "met"])
    return markdown(["row", "subject", "where", "bar", "measured (quartiles)", ""], lines)


class Kept(msgspec.Struct):
    """What is kept of a run, with every sample."""

    about: dict[str, str]
    tables: list[Table]

    def to_json(self) -> bytes:
        """Return it as JSON, a line each table."""
        parts = [msgspec.json.encode(msgspec.to_builtins(found)) for found in self.tables]
        return b'{"about": %b,\n"tables": [\n%b\n]}\n' % (msgspec.json.encode(self.about), b",\n".join(parts))

    @classmethod
    def from_json(cls, data: bytes) -> Kept:
        """Return what `to_json` wrote."""
        return msgspec.json.decode(data, type=cls)

    def renewed(self, tables: Sequence[Table], moment: str) -> Kept:
        """Return it with *tables*, measured again at *moment*, in place of those of their names."""
        new = {found.name: replace(found, again=moment) for found in tables}
        return Kept(self.about, [new.get(found.name, found) for found in self.tables])


def rounded(row: Row) -> Row:
    """Return *row* with as many digits as were measured."""
    values, ratios = ([float(f"{sample:.5g}") for sample in samples] for samples in (row.values, row.ratios))
    return replace(row, values=values, ratios=ratios)
