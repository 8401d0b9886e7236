"""Lines of text with tones, as a terminal shows them: with colour or without, and no wider than it is. Pure.

What comes from elsewhere is shown by `printable`, so that no name can act on the terminal.
"""

from __future__ import annotations

import sys
import unicodedata
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, TextIO, TypeAlias

Tone: TypeAlias = Literal["", "good", "warn", "bad", "dim", "bold"]

_CODES: Mapping[Tone, str] = {"good": "32", "warn": "33", "bad": "31", "dim": "2", "bold": "1"}
_ASCII = str.maketrans(
    {
        "✓": "+", "✗": "x", "–": "-", "·": "|", "…": ".", "→": ">", "×": "x", "─": "-",
        "▁": ".", "▂": ":", "▃": "-", "▄": "=", "▅": "+", "▆": "*", "▇": "#", "█": "@",
    }
)  # fmt: skip
"""What stands in where the encoding has ASCII only; each for one, so that widths stay."""
_SAMPLE = "✓✗–…→▁▄█"


class Span(NamedTuple):
    """A piece of a line, in one tone."""

    text: str
    tone: Tone = ""


Line: TypeAlias = Sequence[Span]


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """How lines are written: with colour, and with more than ASCII."""

    has_colour: bool = False
    is_ascii: bool = False

    def text(self, line: Line) -> str:
        """Return *line* as it is written."""
        return "".join(self._span(span) for span in line)

    def _span(self, span: Span) -> str:
        text = span.text.translate(_ASCII) if self.is_ascii else span.text
        return f"\x1b[{_CODES[span.tone]}m{text}\x1b[0m" if self.has_colour and span.tone and text else text


def look_of(stream: TextIO, environ: Mapping[str, str], platform: str = sys.platform) -> Look:
    """Return how to write to *stream*: with colour on a terminal that has it, or as NO_COLOR and FORCE_COLOR say."""
    return Look(has_colour=_has_colour(stream, environ, platform), is_ascii=not _takes(stream, _SAMPLE))


def _has_colour(stream: TextIO, environ: Mapping[str, str], platform: str) -> bool:
    if environ.get("NO_COLOR"):  # no-color.org; it wins, as it does in Python itself
        return False
    if environ.get("FORCE_COLOR"):
        return True
    if environ.get("TERM") == "dumb" or (platform == "win32" and not environ.get("WT_SESSION")):
        return False
    return stream.isatty()


def _takes(stream: TextIO, text: str) -> bool:
    try:
        text.encode(stream.encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def printable(text: str) -> str:
    """Return *text* with what would not be seen, or act on a terminal, spelled out: `\\x1b`."""
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() else ascii(one)[1:-1] for one in text)


def cells(text: str) -> int:
    """Return how many columns *text* takes: two for wide letters, none for those that join the one before."""
    if text.isascii():
        return len(text)
    return sum(_cells(one) for one in text)


def _cells(one: str) -> int:
    return 0 if unicodedata.combining(one) else 2 if unicodedata.east_asian_width(one) in "WF" else 1


def plain(line: Line) -> str:
    """Return the text of *line* alone."""
    return "".join(span.text for span in line)


def cut(line: Line, columns: int) -> Line:
    """Return *line*, or as much of it as fits into *columns*, with an ellipsis at the end."""
    if sum(cells(span.text) for span in line) <= columns:
        return line
    kept: list[Span] = []
    left = columns - 1
    for text, tone in line:
        fitting = ""
        for one in text:
            left -= _cells(one)
            if left < 0:
                return [*kept, Span(fitting, tone), Span("…" if columns > 0 else "", "dim")]
            fitting += one
        kept.append(Span(fitting, tone))
    return kept


def table(head: Sequence[str], rows: Sequence[Sequence[Span]], *, right: Collection[int] = ()) -> list[Line]:
    """Return *rows* in aligned columns below *head*; those columns whose places are in *right* stand to the right."""
    named: list[Sequence[Span]] = [[Span(name, "dim") for name in head], *rows]
    widths = [max(cells(row[place].text) for row in named) for place in range(len(head))]
    return [_row(row, widths, right) for row in named]


def _row(row: Sequence[Span], widths: Sequence[int], right: Collection[int]) -> Line:
    line: list[Span] = []
    for place, (span, width) in enumerate(zip(row, widths, strict=True)):
        space = " " * (width - cells(span.text))
        gap = "" if place == 0 else "  "
        if place in right:
            line += [Span(gap + space), span]
        elif place == len(row) - 1:
            line += [Span(gap), span]
        else:
            line += [Span(gap), span, Span(space)]
    return [span for span in line if span.text]
