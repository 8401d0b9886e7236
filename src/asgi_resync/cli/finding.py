"""What `check` finds: one value for each thing that was tried, and one line for each of them. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from .look import Line, Span, Tone, cells, printable

Level: TypeAlias = Literal["well", "notice", "wrong"]

MARKS: Mapping[Level, Span] = {"well": Span("✓", "good"), "notice": Span("!", "warn"), "wrong": Span("✗", "bad")}
_TONES: Mapping[Level, Tone] = {"well": "", "notice": "", "wrong": "bold"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Of *subject*, such as `redis`: what it `says`, and `remedy`, what to do about it; "" where all is well."""

    level: Level
    subject: str
    says: str
    remedy: str = ""


def is_wrong(findings: Sequence[Finding]) -> bool:
    """Return whether anything is wrong; a notice is not."""
    return any(finding.level == "wrong" for finding in findings)


def lines(findings: Sequence[Finding]) -> list[Line]:
    """Return *findings*, one a line, and a last line that sums them up."""
    width = max((cells(printable(finding.subject)) for finding in findings), default=0)
    return [*(_line(finding, width) for finding in findings), [], _sum(findings)]


def _line(finding: Finding, width: int) -> Line:
    subject = printable(finding.subject)
    return [
        MARKS[finding.level],
        Span(" "),
        Span(subject + " " * (width - cells(subject)), "dim"),
        Span("  "),
        Span(printable(finding.says), _TONES[finding.level]),
        Span(f": {printable(finding.remedy)}" if finding.remedy else ""),
    ]


def _sum(findings: Sequence[Finding]) -> Line:
    wrong, notices = (sum(one.level == level for one in findings) for level in ("wrong", "notice"))
    noticed = f", {notices} to look at" if notices else ""
    if wrong:
        return [Span(f"{wrong} wrong{noticed}", "bad")]
    return [Span(f"all well{noticed}", "good")]
