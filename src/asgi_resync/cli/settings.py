"""`python -m asgi_resync settings`: the effective settings, where each came from, and no secret among them."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from ..errors import SettingsError
from ..settings.environment import Resolution
from ..settings.load import load
from ..settings.model import CACHE, REDIS_ROOM, TOP, Settings, variables_of_upstream
from ..settings.values import Value
from ..settings.variable import Variable
from .command import Status, parser_of

_NOT_SET = "-"


class Row(NamedTuple):
    """One setting as it is printed."""

    name: str
    value: Value
    shown: str
    origin: str


def main(argv: Sequence[str], environ: Mapping[str, str] | None = None) -> int:
    """Print what *environ* sets; 2 if it cannot be used, and then only why."""
    parser = parser_of("settings", "Print the effective settings and where each came from.")
    parser.add_argument("--json", action="store_true", help="durations in seconds, sizes in bytes")
    arguments = parser.parse_args(argv)
    try:
        resolution = load(environ)
    except SettingsError as error:
        print(error, file=sys.stderr)
        return Status.UNUSABLE
    print(as_json(resolution) if arguments.json else as_text(resolution))
    return Status.DONE


def rows(resolution: Resolution) -> Iterator[Row]:
    """Every variable in the order of the README, those of the upstreams once for each."""
    settings = resolution.settings
    for variable, room in _rooms(settings):
        value: Value = getattr(room, variable.field)
        shown = variable.show(value) if value not in (None, ()) else _NOT_SET
        if variable.facts.is_secret or variable.facts.kind == "url":
            value = None if shown == _NOT_SET else shown
        yield Row(variable.name, value, shown, resolution.origins[variable.name])


def as_text(resolution: Resolution) -> str:
    """Three aligned columns in human units, then the notes."""
    table = list(rows(resolution))
    name, shown = (max(len(row[column]) for row in [(r.name, r.shown) for r in table]) for column in (0, 1))
    lines = [f"{row.name:<{name}}  {row.shown:<{shown}}  {row.origin}" for row in table]
    return "\n".join([*lines, *(f"note: {note}" for note in resolution.notes)])


def as_json(resolution: Resolution) -> str:
    """One object: `settings` by variable, each with `value` (seconds, bytes), `shown` and `origin`; and `notes`."""
    settings = {row.name: {"value": row.value, "shown": row.shown, "origin": row.origin} for row in rows(resolution)}
    return json.dumps({"settings": settings, "notes": resolution.notes}, indent=2)


def _rooms(settings: Settings) -> Iterator[tuple[Variable, object]]:
    """Each variable with the struct that has its field."""
    profile, *rest = TOP
    yield profile, settings
    yield from ((variable, settings.cache) for variable in CACHE)
    yield from ((variable, settings.redis) for variable in REDIS_ROOM)
    for name, upstream in settings.upstreams.items():
        yield from ((variable, upstream) for variable in variables_of_upstream(name))
    yield from ((variable, settings) for variable in rest)
