"""When a breaker opens, how long it stays open, and what closes it. Numbers only; nothing here decides."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TypeGuard

from ..errors import RuleError


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakerLimits:
    """The limits of one breaker. All times in seconds, all rates as shares from 0 (exclusive) to 1.

    It opens after `fail_max` failures in a row; or when, of at least `minimum_calls` that ended within `window`, a
    share of `failure_rate` failed; or when a share of `slow_call_rate` took `slow_call` or longer. None turns off a
    rate, or the watch for slow calls.

    It stays open for `reset_timeout`; each time that its probes fail it stays open twice as long, up to
    `max_open_time`, and None keeps it at `reset_timeout`. Of every such time a random share of up to `jitter` is taken
    off, so that many processes do not probe at one moment.

    Then it admits up to `probes` calls at a time, and `successes` good ones close it. A probe that has not come back
    after `probe_timeout` gives up its place.

    Raises RuleError for what cannot work.
    """

    fail_max: int = 5
    reset_timeout: float = 60.0
    failure_rate: float | None = 0.5
    minimum_calls: int = 10
    window: float = 30.0
    slow_call: float | None = None
    slow_call_rate: float = 1.0
    probes: int = 1
    successes: int = 1
    probe_timeout: float = 30.0
    max_open_time: float | None = None
    jitter: float = 0.1

    def __post_init__(self) -> None:
        for name in ("fail_max", "minimum_calls", "probes", "successes"):
            count: object = getattr(self, name)
            if isinstance(count, bool) or not isinstance(count, int) or count < 1:
                raise RuleError(name, count, "give a whole number of 1 or more")
        for name in ("reset_timeout", "window", "slow_call", "probe_timeout", "max_open_time"):
            seconds: object = getattr(self, name)
            if seconds is None and name in ("slow_call", "max_open_time"):
                continue
            if not _is_number(seconds) or not 0 < seconds < math.inf:
                raise RuleError(name, seconds, "give seconds as a number above 0, such as 10 or 0.5")
        for name in ("failure_rate", "slow_call_rate"):
            rate: object = getattr(self, name)
            if rate is None and name == "failure_rate":
                continue
            if not _is_number(rate) or not 0 < rate <= 1:
                raise RuleError(name, rate, "give a share above 0 and up to 1, such as 0.5")
        if not _is_number(self.jitter) or not 0 <= self.jitter < 1:
            raise RuleError("jitter", self.jitter, "give a share from 0 to below 1, such as 0.1")
        if self.max_open_time is not None and self.max_open_time < self.reset_timeout:
            raise RuleError("max_open_time", self.max_open_time, "give at least reset_timeout, or None")


def _is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
