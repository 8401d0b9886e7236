"""The settings of one breaker: every name, default, bound and word of documentation. It reads nothing."""

from __future__ import annotations

from typing import Annotated

from ..errors import SettingProblem, SettingsError
from .variable import PLACEHOLDER, Room, setting, variables_of

_HOUR = 3600


class BreakerSettings(Room, frozen=True, kw_only=True):
    """The breaker of one upstream."""

    fail_max: Annotated[
        int,
        setting(
            "count",
            "Failures in a row that open its breaker",
            low=1,
            high=100,
            aliases=[f"CIRCUIT_BREAKER_{PLACEHOLDER}_FAIL_MAX"],
        ),
    ] = 5
    reset_timeout: Annotated[
        float,
        setting(
            "duration",
            "Time its breaker stays open before it probes",
            low=0.1,
            high=_HOUR,
            aliases=[f"CIRCUIT_BREAKER_{PLACEHOLDER}_RESET_TIMEOUT"],
        ),
    ] = 60.0
    max_open_time: (
        Annotated[
            float,
            setting(
                "duration",
                "Cap of that time, which doubles each time the probes fail; without it, it stays as it is",
                low=0.1,
                high=24 * _HOUR,
            ),
        ]
        | None
    ) = None
    failure_rate: Annotated[
        float,
        setting("share", "Share of failures that opens its breaker; 0 for none", low=0, high=1),
    ] = 0.5
    minimum_calls: Annotated[
        int,
        setting("count", "Calls within the window below which no share opens its breaker", low=1, high=1_000_000),
    ] = 10
    window: Annotated[
        float,
        setting("duration", "Time over which its calls are counted", low=1, high=_HOUR),
    ] = 30.0
    slow_call: (
        Annotated[
            float,
            setting("duration", "Time from which a call counts as slow; without it, none does", low=0.001, high=_HOUR),
        ]
        | None
    ) = None
    slow_call_rate: Annotated[
        float,
        setting("share", "Share of slow calls that opens its breaker", low=0.01, high=1),
    ] = 1.0
    probes: Annotated[
        int,
        setting("count", "Calls let through at a time to find out whether it is back", low=1, high=1000),
    ] = 1
    successes: Annotated[
        int,
        setting("count", "Successful probes that close its breaker", low=1, high=1000),
    ] = 1
    probe_timeout: Annotated[
        float,
        setting("duration", "Time after which a probe that has not come back is given up", low=0.1, high=_HOUR),
    ] = 30.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if problems := self.contradictions():
            raise SettingsError(problems)

    def contradictions(self) -> list[SettingProblem]:
        """Return the values that are right, but not together."""
        if self.max_open_time is None or self.max_open_time >= self.reset_timeout:
            return []
        room = type(self).__name__
        shown = f"{self.max_open_time:g}s"
        return [SettingProblem(f"{room}.max_open_time", shown, f"expected at least {room}.reset_timeout")]


OF_BREAKERS = frozenset(variable.field for variable in variables_of(BreakerSettings))
"""The fields that upstreams have which are called by no client of ours, as `redis`."""
