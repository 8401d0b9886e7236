"""Turns samples into rows: the median ratio to the bare app, and how far it spread. It measures nothing."""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Literal

Place = Literal["in process", "over HTTP"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """What the design asks of a row: at most, or at least, so many times the bare app."""

    subject: str
    place: Place
    measure: Literal["ratio", "added", "to nginx"]
    at_most: float | None = None
    at_least: float | None = None

    def is_met(self, value: float) -> bool:
        """Tell whether *value* is on the right side."""
        return (self.at_most is None or value <= self.at_most) and (self.at_least is None or value >= self.at_least)

    def __str__(self) -> str:
        sign, limit = ("≤", self.at_most) if self.at_most is not None else ("≥", self.at_least)
        return f"{self.measure} {sign} {limit:g}"


BARS = [
    Bar(subject="asgi-resync: hit", place="in process", measure="ratio", at_most=7),
    Bar(subject="asgi-resync: miss and store", place="in process", measure="added", at_most=15),
    Bar(subject="asgi-resync: pass-through", place="in process", measure="added", at_most=4),
    Bar(subject="asgi-resync: hit", place="over HTTP", measure="ratio", at_least=0.9),
    Bar(subject="asgi-resync: hit", place="over HTTP", measure="to nginx", at_least=0.65),
]

NGINX = "nginx proxy_cache: hit"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One subject at one size. `values` are microseconds per call in process, requests per second over HTTP, one a
    round; `ratios` those to the bare app in the same round."""

    place: Place
    size: int
    subject: str
    values: Sequence[float]
    ratios: Sequence[float]
    note: str = ""

    @property
    def value(self) -> float:
        """The median of what was measured."""
        return statistics.median(self.values)

    @property
    def ratio(self) -> float:
        """The median ratio to the bare app."""
        return statistics.median(self.ratios)


def judge(row: Row, bar: Bar, rows: Iterable[Row]) -> float | None:
    """Return the number that *bar* is about, or None if what it compares with was not measured."""
    if bar.measure == "ratio":
        return row.ratio
    if bar.measure == "added":
        return row.ratio - 1
    for other in rows:
        if (other.place, other.size, other.subject) == (row.place, row.size, NGINX) and other.ratios:
            return row.ratio / other.ratio
    return None


def verdicts(rows: Sequence[Row]) -> list[tuple[Row, Bar, float]]:
    """Return each row that has a bar, with the bar and the number it is about."""
    return [
        (row, bar, number)
        for row in rows
        for bar in BARS
        if (bar.subject, bar.place) == (row.subject, row.place) and row.ratios
        if (number := judge(row, bar, rows)) is not None
    ]


def table(rows: Sequence[Row]) -> str:
    """Return *rows* as a Markdown table, with the bars of the design and whether they are met."""
    found = verdicts(rows)
    lines = [("where", "body", "subject", "median", "× bare", "min–max", "added", "bar")]
    for row in rows:
        where = (row.place, f"{row.size // 1024} KiB", row.subject)
        if not row.ratios:
            lines.append((*where, "–", "–", "–", "–", row.note))
            continue
        in_process = row.place == "in process"
        lines.append(
            (
                *where,
                f"{row.value:.2f} µs" if in_process else f"{row.value:,.0f}/s",
                f"{row.ratio:.2f}",
                f"{min(row.ratios):.2f}–{max(row.ratios):.2f}",
                f"{row.ratio - 1:z.2f}" if in_process else "",
                "; ".join(
                    f"{bar}: {number:.2f}, {'met' if bar.is_met(number) else 'MISSED'}"
                    for other, bar, number in found
                    if other is row
                ),
            )
        )
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    texts = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) + " |" for line in lines
    ]
    rule = "|" + "|".join("-" * (width + 2) for width in widths) + "|"
    return "\n".join([texts[0], rule, *texts[1:]])


def as_json(rows: Sequence[Row], about: dict[str, str]) -> str:
    """Return *rows* with every sample, and *about* the run."""
    found = [
        {"subject": row.subject, "place": row.place, "size": row.size, "bar": str(bar), "value": number}
        | {"met": bar.is_met(number)}
        for row, bar, number in verdicts(rows)
    ]
    return json.dumps({"about": about, "rows": [asdict(row) for row in rows], "bars": found}, indent=1) + "\n"
