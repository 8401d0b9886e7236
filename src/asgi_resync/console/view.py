"""What there is to see at one moment, as a value, and as JSON whose names stay."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from ..resources.graph import Graph
from ..resources.health import Health
from ..telemetry.recorder import Recording


class Process(msgspec.Struct, frozen=True, kw_only=True):
    """The process that answers; `since` is when its console was made, in seconds since the epoch."""

    pid: int
    host: str
    since: float


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """How everything is. `recording` is None where no Recorder listens. `config_file` is the watched one, if any."""

    version: str
    process: Process
    health: Health
    recording: Recording | None
    graph: Graph
    config_file: str | None = None


class _Status(msgspec.Struct, frozen=True, kw_only=True):
    version: str
    process: Process
    health: Health
    recording: Recording | None
    graph: msgspec.Raw


def as_json(view: View) -> bytes:
    """Return *view* as one object: `version`, `process`, `health`, `recording` and `graph`."""
    return msgspec.json.encode(
        _Status(
            version=view.version,
            process=view.process,
            health=view.health,
            recording=view.recording,
            graph=msgspec.Raw(view.graph.as_json().encode()),
        )
    )
