"""One picture of an app for a terminal of a given size: what matters most first, as much as fits. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from .look import Line, Span, cut, printable
from .report import Part, Stamp, answers, breakers, changes, head, impact, joined, resources, tiers

if TYPE_CHECKING:
    from .state import State

LIMITS = (None, 12, 8, 5, 3, 2, 1)
"""Rows of breakers, and of resources, from the most on."""
NEWS = 4
"""Lines of changes for which room is kept as long as others can do with less."""


def frame(state: State, *, columns: int, rows: int, stamp: Stamp, foot: Line = ()) -> list[Line]:
    """Return at most *rows* lines of at most *columns* columns each, with *foot* in the last row if there is one."""
    room = rows - bool(foot)
    body = _body(state, columns, max(room, 0), stamp)
    lines = body[:room] if room > 0 else []
    if foot:
        lines += [[]] * (room - len(lines))
        lines.append(foot)
    return [cut(line, columns) for line in lines[:rows]]


def foot(address: str, at: str, trouble: str | None) -> Line:
    """Return the last line: where it comes from and when, or why there is nothing newer than that."""
    if trouble is not None:
        return [Span(f"q ends  as of {at}, trying again: {printable(trouble)}", "bad")]
    return [Span(f"q ends  {at}  {printable(address)}", "dim")]


def _body(state: State, columns: int, room: int, stamp: Stamp) -> list[Line]:
    above: list[Line] = []
    for limit in LIMITS:
        parts = _parts(state, columns, limit)
        above = joined(parts)
        if len(above) + 1 + NEWS <= room:
            break
    else:
        if len(above) > room:  # then without the empty lines
            above = [line for line in above if line]
    return joined([above, changes(state.recording, stamp, max(room - len(above) - 1, 0))])


def _parts(state: State, columns: int, limit: int | None) -> Iterable[Part]:
    health, recording = state.health, state.recording
    return (
        head(state),
        answers(recording, columns),
        impact(health),
        breakers(health, recording, limit) if health.breakers else [],
        resources(health, limit) if health.resources else [],
        tiers(health, recording),
    )
