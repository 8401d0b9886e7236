"""What the console of a running app says of it, as a value. It asks nobody."""

from __future__ import annotations

import msgspec

from ..resources.health import Health
from ..telemetry.recorder import Recording


class Process(msgspec.Struct, frozen=True, kw_only=True):
    """The process that answered; `since` is when its console was made, in seconds since the epoch."""

    pid: int
    host: str
    since: float


class State(msgspec.Struct, frozen=True, kw_only=True):
    """How an app is. `recording` is None where nothing remembers the last minutes.

    Names that are not known here are passed over: the app may be newer than this program.
    """

    version: str
    process: Process
    health: Health
    recording: Recording | None


def state_of(raw: bytes) -> State:
    """Return what *raw* says. Raises ValueError if that is no state of an app."""
    try:
        return msgspec.json.decode(raw, type=State)
    except RecursionError:
        raise ValueError("nested too deep") from None
