"""How a resource stands, as a value. It asks nobody."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

State: TypeAlias = Literal["idle", "waiting", "starting", "up", "down", "stopping", "stopped", "abandoned"]
"""`idle` before any start, `waiting` for what it depends on, `down` where it failed and is tried again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How a resource stands.

    `since` is when it came to this state, in seconds since the epoch; None before any start. `attempts` is how often a
    start was tried since it was last up. `cause` is the class name of what failed last, or a short word, and None while
    it is up. `latency` is how many seconds the last start or check took that succeeded.
    """

    state: State = "idle"
    since: float | None = None
    attempts: int = 0
    cause: str | None = None
    latency: float | None = None

    @property
    def is_up(self) -> bool:
        """Whether it can be used."""
        return self.state == "up"
