"""What an app needs while it runs, as a value: how it is started, looked at and stopped. It does none of it itself."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import TypeAlias

from ..errors import RuleError

NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,62}")

Act: TypeAlias = Callable[[], object]
"""A function of nothing, async or not. One that is not async runs on the event loop, so it must not wait."""

Report: TypeAlias = Callable[[str | None], None]
"""Called on the event loop with None when a resource has come up, or with a short word for why it went down.

A word has letters, digits, "_", "-" and ".", such as the name of an exception's class. Health shows it, and "Down" for
anything else.
"""


def _check_seconds(name: str, value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < math.inf:
        raise RuleError(name, value, "give seconds above 0, such as 5")


@dataclass(frozen=True, slots=True, kw_only=True)
class Backoff:
    """How long to wait between attempts: a random time up to `first` seconds, and up to twice that each time after.

    No wait is longer than `most` seconds. Raises RuleError for what cannot work.
    """

    first: float = 0.25
    most: float = 30.0

    def __post_init__(self) -> None:
        for name in ("first", "most"):
            _check_seconds(name, getattr(self, name))
        if self.most < self.first:
            raise RuleError("most", self.most, "give at least as much as first")


@dataclass(frozen=True, slots=True)
class Resource:
    """Something that an app needs while it runs: a database, a graph, a client, a task.

    `start` is called until it returns, with `retry` between the attempts; then the resource is up, and whatever
    `depends_on` it may start. `stop` is called once for each `start` that has returned, after everything that depends
    on it is stopped; a `start` that raises, or is cancelled, cleans up after itself. `run` is a task that lasts as long
    as the resource is up, such as a watcher: where it ends or raises, the resource is down, and is stopped and started
    again. `check` is called when somebody asks for the health of the app, and with the pauses of `retry` while it
    has failed: the resource is down while it raises or returns False. One that looks after itself has `tells` instead:
    that is called once, with a function to call with None when it has come up, and with a word when it has gone down.

    All of these take nothing and may be async or not; those that are not run on the event loop. `start`, `run`, and
    the `stop` that belongs to them are called in one task. `timeout` bounds each call but `run`, in seconds.

    The app does not start without a `critical` one, nor without what that depends on. One that is not critical delays
    no start (but see RESYNC_STARTUP_WAIT): it is tried in the background for ever, and the app is degraded until then.

    Raises RuleError for what cannot work.
    """

    name: str
    _: KW_ONLY
    start: Act | None = None
    stop: Act | None = None
    run: Act | None = None
    check: Act | None = None
    tells: Callable[[Report], object] | None = None
    depends_on: Sequence[str] = ()
    critical: bool = True
    timeout: float = 10.0
    retry: Backoff = Backoff()

    def __post_init__(self) -> None:
        name: object = self.name
        if not isinstance(name, str) or not NAME.fullmatch(name):
            raise RuleError("name", name, "give letters, digits, '-', '_' and '.', such as 'database'")
        for field in ("start", "stop", "run", "check", "tells"):
            act: object = getattr(self, field)
            if act is not None and not callable(act):
                raise RuleError(field, act, "give a function, async or not; hand over the function, not its result")
        if isinstance(self.depends_on, str) or not all(isinstance(other, str) for other in self.depends_on):
            raise RuleError("depends_on", self.depends_on, "give a list of names, such as ['database']")
        _check_seconds("timeout", self.timeout)
        if not isinstance(self.retry, Backoff):
            raise RuleError("retry", self.retry, "give Backoff, such as Backoff(first=1, most=60)")
        object.__setattr__(self, "depends_on", tuple(self.depends_on))
