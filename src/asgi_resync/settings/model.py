"""The settings: every name, default, bound, unit and word of documentation, here and in the rooms it imports.

The names of the environment, the README's table and `asgi-resync settings` are made from it. It reads
nothing; `environment.py` does.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Literal, TypeAlias

import msgspec

from .breaker import OF_BREAKERS
from .cache import CacheSettings
from .upstream import REDIS, UpstreamSettings, unset_upstream
from .variable import PLACEHOLDER, Room, Variable, setting, variables_of

Profile: TypeAlias = Literal["development", "production"]

LogLevel: TypeAlias = Literal["debug", "info", "warning", "error", "critical"]

_HOUR = 3600


class RedisSettings(Room, frozen=True, kw_only=True):
    """L2. Without `url` there is none."""

    url: (
        Annotated[
            str,
            setting(
                "url",
                "L2, e.g. `redis://localhost:6379/0`; without it there is L1 only",
                pattern=r"\A(?i:rediss?|valkeys?|unix)(?i:\+[a-z]+)?://",
                expected="a URL such as redis://localhost:6379/0",
                aliases=["REDIS_URL"],
            ),
        ]
        | None
    ) = None
    timeout: Annotated[
        float,
        setting("duration", "Deadline of one operation; then it is a miss", low=0.001, high=60),
    ] = 0.05


class Settings(Room, frozen=True, kw_only=True):
    """Everything an operator can set; frozen, checked when made, and safe to print.

    Raises SettingsError for values that cannot be used. `Settings()` is the defaults, without any environment.
    """

    profile: (
        Annotated[
            Profile,
            setting("choice", "`development` or `production`: a set of defaults, nothing more", aliases=["APP_ENV"]),
        ]
        | None
    ) = None
    config_file: (
        Annotated[
            str,
            setting(
                "text",
                "TOML or JSON with the names of this table, watched; the environment wins over it",
                pattern=r"\A[^\0]+\Z",
                expected="the path of a file, such as resync.toml",
            ),
        ]
        | None
    ) = None
    reload_on_sighup: Annotated[
        bool,
        setting("flag", "Read that file again on SIGHUP too; who handles that signal already is called as well"),
    ] = False
    startup_timeout: Annotated[
        float,
        setting("duration", "Time within which everything critical must have started", low=0.01, high=_HOUR),
    ] = 30.0
    startup_wait: Annotated[
        float,
        setting(
            "duration", "Time that start-up gives to what is not critical before it goes on without", low=0, high=_HOUR
        ),
    ] = 0.0
    shutdown_timeout: Annotated[
        float,
        setting("duration", "Bound of the whole shutdown", low=0, high=_HOUR),
    ] = 10.0
    health_path: (
        Annotated[
            str,
            setting(
                "text",
                "Where `/livez`, `/readyz` and `/healthz` are answered, e.g. `/` or `/-`; without it, nowhere",
                pattern=r"\A/[!-~]*\Z",
                expected="a path that begins with /, such as /-",
            ),
        ]
        | None
    ) = None
    health_interval: Annotated[
        float,
        setting("duration", "Time for which the result of a resource's check holds", low=0, high=_HOUR),
    ] = 5.0
    log_level: (
        Annotated[
            LogLevel,
            setting(
                "choice",
                "Level of the logger `asgi_resync`, one for the process; without it, as the app's logging has it",
            ),
        ]
        | None
    ) = None
    console_token: (
        Annotated[
            str,
            setting(
                "text",
                "Lets its bearer use the console, see `help(asgi_resync.console.Console)`; without it, nobody so",
                pattern=r"\A[A-Za-z0-9._~+/=-]{16,}\Z",
                expected="16 characters at least, as RFC 6750 allows them in a token",
                secret=True,
            ),
        ]
        | None
    ) = None
    console_url: (
        Annotated[
            str,
            setting(
                "url",
                "Where `asgi-resync status`, `purge` and `top` find the console, e.g. `http://127.0.0.1:8000/resync`",
                pattern=r"\A(?i:https?)://",
                expected="a URL such as http://127.0.0.1:8000/resync",
            ),
        ]
        | None
    ) = None
    cache: CacheSettings = msgspec.field(default_factory=CacheSettings)
    redis: RedisSettings = msgspec.field(default_factory=RedisSettings)
    upstreams: Mapping[str, UpstreamSettings] = msgspec.field(default_factory=dict)
    """By name in lower case; `redis` is always among them."""

    def __post_init__(self) -> None:
        super().__post_init__()
        upstreams = {REDIS: unset_upstream(REDIS), **self.upstreams}
        msgspec.structs.force_setattr(self, "upstreams", MappingProxyType(upstreams))

    def upstream(self, name: str) -> UpstreamSettings:
        """The settings of *name*, or the defaults; `partner-api` finds what `RESYNC_UPSTREAM_PARTNER_API_URL` set."""
        key = re.sub(r"[^a-z0-9]", "_", name.lower())
        return self.upstreams.get(name) or self.upstreams.get(key) or unset_upstream(key)

    @classmethod
    def from_env(cls, environ: Mapping[str, str] | None = None) -> Settings:
        """What *environ* says: its variables, then the config file and the profile it names, then the defaults.

        It opens that file, and nothing else. Raises SettingsError, which lists every problem at once. `load` also
        tells where each value came from.
        """
        from .load import read  # the reader knows the model, so not at the top

        return read(environ)


TOP = variables_of(Settings, "RESYNC_")
CACHE = variables_of(CacheSettings, "RESYNC_CACHE_")
REDIS_ROOM = variables_of(RedisSettings, "RESYNC_REDIS_")
UPSTREAM = variables_of(UpstreamSettings, f"RESYNC_UPSTREAM_{PLACEHOLDER}_")

VARIABLES: tuple[Variable, ...] = (TOP[0], *CACHE, *REDIS_ROOM, *UPSTREAM, *TOP[1:])
"""Every variable, in the order of the README; those of the upstreams with a placeholder for the name."""


def variables_of_upstream(name: str) -> tuple[Variable, ...]:
    """The variables of one upstream; `redis` has those of its breaker alone, and RESYNC_REDIS_URL."""
    return tuple(variable.named(name) for variable in UPSTREAM if name != REDIS or variable.field in OF_BREAKERS)
