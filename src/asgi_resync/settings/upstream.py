"""The settings of one upstream: where it is, how its clients reach it, and how often they try. It reads nothing."""

from __future__ import annotations

from typing import Annotated

import msgspec

from ..errors import SettingProblem
from .breaker import BreakerSettings
from .values import MASK
from .variable import setting

REDIS = "redis"
"""The upstream whose breaker guards L2. It has no client of this kind; its URL is RESYNC_REDIS_URL."""

_HOUR = 3600


class UpstreamSettings(BreakerSettings, frozen=True, kw_only=True):
    """One upstream, its breaker and its clients.

    `given` names the fields somebody chose, also where the choice equals the default, so that code can tell its own
    arguments from the operator's. An instance made by hand counts as chosen whole.
    """

    url: (
        Annotated[
            str,
            setting(
                "url",
                "Base URL of the upstream; of tws, `/twsd` is added where it has no path",
                pattern=r"\A(?i:https?)://",
                expected="a URL such as https://tws.example:31116",
                aliases=["TWS_BASE_URL", "TWS_HOST"],
            ),
        ]
        | None
    ) = None
    user: (
        Annotated[
            str,
            setting(
                "text",
                "User name (Basic authentication); credentials are sent to the origin of the URL alone",
                pattern=r"\A[^:\x00-\x1f\x7f\ud800-\udfff]+\Z",
                expected="a name without a colon",
                aliases=["TWS_USER"],
            ),
        ]
        | None
    ) = None
    password: (
        Annotated[
            str,
            setting(
                "text",
                "Password (Basic authentication)",
                pattern=r"\A[^\x00-\x1f\x7f\ud800-\udfff]+\Z",
                expected="a password without control characters",
                secret=True,
                aliases=["TWS_PASSWORD"],
            ),
        ]
        | None
    ) = None
    token: (
        Annotated[
            str,
            setting(
                "text",
                "Bearer token, instead of both",
                pattern=r"\A[A-Za-z0-9._~+/=-]+\Z",
                expected="a token as RFC 6750 allows",
                secret=True,
            ),
        ]
        | None
    ) = None
    verify: Annotated[
        bool,
        setting(
            "flag",
            "Whether its certificate is checked; `false` is for tests, and is warned of",
            aliases=["TWS_VERIFY", "TWS_VERIFY_SSL"],
        ),
    ] = True
    ca_file: (
        Annotated[
            str,
            setting(
                "text",
                "File of the certificates (PEM) that sign its own; without it, those that the system trusts",
                pattern=r"\A[^\0]+\Z",
                expected="the path of a file, such as /etc/ssl/tws.pem",
            ),
        ]
        | None
    ) = None
    connect_timeout: Annotated[
        float,
        setting(
            "duration",
            "Time to connect, TLS included",
            low=0.001,
            high=_HOUR,
            aliases=["TWS_CONNECT_TIMEOUT", "TWS_TIMEOUT_CONNECT"],
        ),
    ] = 5.0
    read_timeout: Annotated[
        float,
        setting(
            "duration",
            "Time between two pieces of its answer",
            low=0.001,
            high=_HOUR,
            aliases=["TWS_READ_TIMEOUT", "TWS_TIMEOUT_READ"],
        ),
    ] = 5.0
    write_timeout: Annotated[
        float,
        setting(
            "duration",
            "Time between two pieces of a request",
            low=0.001,
            high=_HOUR,
            aliases=["TWS_WRITE_TIMEOUT", "TWS_TIMEOUT_WRITE"],
        ),
    ] = 5.0
    pool_timeout: Annotated[
        float,
        setting(
            "duration",
            "Time to wait for one of its connections; that is no failure of the upstream",
            low=0.001,
            high=_HOUR,
            aliases=["TWS_POOL_TIMEOUT", "TWS_TIMEOUT_POOL"],
        ),
    ] = 5.0
    total_timeout: (
        Annotated[
            float,
            setting(
                "duration",
                "Time until its answer begins, retries and waits included; without it, no bound but the others",
                low=0.001,
                high=_HOUR,
                aliases=["TWS_REQUEST_TIMEOUT"],
            ),
        ]
        | None
    ) = None
    max_connections: Annotated[
        int,
        setting(
            "count",
            "Connections at a time, for each client",
            low=1,
            high=100_000,
            aliases=["TWS_MAX_CONNECTIONS"],
        ),
    ] = 100
    max_keepalive: Annotated[
        int,
        setting(
            "count",
            "Connections kept open while idle, for each client",
            low=0,
            high=100_000,
            aliases=["TWS_MAX_KEEPALIVE"],
        ),
    ] = 20
    max_calls: (
        Annotated[
            int,
            setting(
                "count",
                "Calls at a time (bulkhead); without it, any number",
                low=1,
                high=100_000,
                aliases=["TWS_MAX_CONCURRENT_REQUESTS"],
            ),
        ]
        | None
    ) = None
    max_waiting: Annotated[
        int,
        setting(
            "count",
            "Calls that wait for one of those to end; one more is refused at once",
            low=0,
            high=100_000,
        ),
    ] = 0
    retry_attempts: Annotated[
        int,
        setting(
            "count",
            "Attempts in all; 1 for no retries",
            low=1,
            high=20,
            aliases=["TWS_POOL_RETRY_ATTEMPTS", "TWS_RETRY_TOTAL"],
        ),
    ] = 3
    retry_backoff: Annotated[
        float,
        setting(
            "duration",
            "Bound of the random wait before the second attempt; it doubles with each further one",
            low=0,
            high=_HOUR,
            aliases=["TWS_POOL_RETRY_DELAY", "TWS_RETRY_BACKOFF_BASE"],
        ),
    ] = 0.1
    retry_backoff_max: Annotated[
        float,
        setting(
            "duration",
            "Cap of that bound",
            low=0,
            high=_HOUR,
            aliases=["TWS_RETRY_BACKOFF_MAX"],
        ),
    ] = 2.0
    retry_after_max: Annotated[
        float,
        setting(
            "duration",
            "Longest `Retry-After` that is waited for; a longer one ends it",
            low=0,
            high=_HOUR,
        ),
    ] = 30.0
    retry_share: Annotated[
        float,
        setting(
            "share",
            "Retry budget: retries for each request of the last ten seconds",
            low=0,
            high=1,
        ),
    ] = 0.2
    retry_floor: Annotated[
        int,
        setting(
            "count",
            "Retry budget: retries in ten seconds that are allowed however few requests there are",
            low=0,
            high=1_000_000,
        ),
    ] = 10
    health_path: (
        Annotated[
            str,
            setting(
                "text",
                "Path, below the URL, that answers 2xx while it is well (tws: `/engine/info`)",
                pattern=r"\A/[!-~]*\Z",
                expected="a path such as /health",
            ),
        ]
        | None
    ) = None
    deadline_header: (
        Annotated[
            str,
            setting(
                "text",
                "Field that tells it how many milliseconds are left, where there is a deadline",
                pattern=r"\A[A-Za-z0-9!#$%&'*+.^_`|~-]+\Z",
                expected="the name of a header field, such as Request-Timeout-Ms",
            ),
        ]
        | None
    ) = None
    shared: Annotated[
        bool,
        setting("flag", "With Redis, its breaker tells those of other processes what it finds out, and heeds them"),
    ] = True
    given: frozenset[str] = msgspec.field(default_factory=lambda: _all_fields())

    def contradictions(self) -> list[SettingProblem]:
        """Return the values that are right, but not together."""
        problems = super().contradictions()
        room = type(self).__name__
        if self.password is not None and self.user is None:
            problems.append(SettingProblem(f"{room}.password", MASK, f"expected {room}.user beside it"))
        if self.user is not None and self.password is None:
            problems.append(SettingProblem(f"{room}.user", self.user, f"expected {room}.password beside it"))
        if self.token is not None and self.user is not None:
            problems.append(SettingProblem(f"{room}.token", MASK, f"expected that alone, or {room}.user alone"))
        return problems


def _all_fields() -> frozenset[str]:
    return frozenset(UpstreamSettings.__struct_fields__) - {"given"}


def unset_upstream(name: str) -> UpstreamSettings:
    """The defaults of the upstream *name*, with nothing given."""
    if name == REDIS:
        return UpstreamSettings(fail_max=3, reset_timeout=30.0, given=frozenset())
    return UpstreamSettings(given=frozenset())
