"""How the clients of an upstream connect to it and who they say they are. It connects to nothing."""

from __future__ import annotations

import base64
import math
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

from ..errors import RuleError

_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_BEARER = re.compile(r"[!-~]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientOptions:
    """What a client of `Upstream.client()` is made with. All times are seconds.

    `connect_timeout`, `read_timeout` (between two pieces of an answer), `write_timeout` and `pool_timeout` (until one
    of `max_connections` is free) are those of httpx; `max_keepalive` connections are kept open while idle.

    `user` with `password`, or `token`, are sent to the origin of the base URL and to no other, so neither a redirect
    nor an absolute URL carries them away; but httpx keeps them where a redirect leads from http to https of one host.
    `verify` False turns the check of certificates off; `ca_file` (PEM) names those to trust instead of the system's.
    `health_path`, below the base URL, is what `Upstream.check` asks for.
    `deadline_header` is the field that tells the upstream how many whole milliseconds are left, where there is a
    deadline. Raises RuleError for what cannot work.
    """

    connect_timeout: float = 5.0
    read_timeout: float = 5.0
    write_timeout: float = 5.0
    pool_timeout: float = 5.0
    max_connections: int = 100
    max_keepalive: int = 20
    user: str | None = field(default=None, repr=False)
    password: str | None = field(default=None, repr=False)
    token: str | None = field(default=None, repr=False)
    verify: bool = True
    ca_file: str | None = None
    health_path: str | None = None
    deadline_header: str | None = None

    def __post_init__(self) -> None:
        for name in ("connect_timeout", "read_timeout", "write_timeout", "pool_timeout"):
            seconds: object = getattr(self, name)
            if isinstance(seconds, bool) or not isinstance(seconds, (int, float)) or not 0 < seconds < math.inf:
                raise RuleError(name, seconds, "give seconds above 0, such as 5")
        for name, low in (("max_connections", 1), ("max_keepalive", 0)):
            count: object = getattr(self, name)
            if isinstance(count, bool) or not isinstance(count, int) or count < low:
                raise RuleError(name, count, f"give a whole number of {low} or more")
        for name in ("user", "password", "token", "ca_file", "health_path", "deadline_header"):
            text: object = getattr(self, name)
            if text is not None and not isinstance(text, str):
                raise RuleError(name, "***" if name in ("password", "token") else text, "give a text")
        if (self.user is None) != (self.password is None):
            raise RuleError("user", self.user, "give user and password together")
        if self.token is not None and self.user is not None:
            raise RuleError("user", self.user, "give either user and password, or token")
        if self.user is not None and ":" in self.user:
            raise RuleError("user", self.user, "give a name without a colon (RFC 7617)")
        if self.token is not None and not _BEARER.fullmatch(self.token):
            raise RuleError("token", "***", "give a token as RFC 6750 allows")
        verify: object = self.verify
        if not isinstance(verify, bool):
            raise RuleError("verify", verify, "give True or False; ca_file names certificates to trust")
        if self.health_path is not None and not self.health_path.startswith("/"):
            raise RuleError("health_path", self.health_path, "give a path, such as '/health'")
        if self.deadline_header is not None and not _TOKEN.fullmatch(self.deadline_header):
            raise RuleError("deadline_header", self.deadline_header, "give a field name, such as 'Request-Timeout-Ms'")

    @property
    def authorization(self) -> str | None:
        """The value of the field of that name (RFC 7617, RFC 6750), None if there are no credentials."""
        if self.token is not None:
            return f"Bearer {self.token}"
        if self.user is None:
            return None
        return "Basic " + base64.b64encode(f"{self.user}:{self.password}".encode()).decode()


class URL(Protocol):
    """A URL as httpx and httpx2 have it."""

    @property
    def scheme(self) -> str: ...
    @property
    def host(self) -> str: ...
    @property
    def port(self) -> int | None: ...


class Fields(Protocol):
    """Headers as httpx and httpx2 have them."""

    def setdefault(self, key: str, default: str, /) -> str: ...


class Authorized(Protocol):
    """A request as httpx and httpx2 have it."""

    @property
    def url(self) -> URL: ...
    @property
    def headers(self) -> Fields: ...


RequestT = TypeVar("RequestT", bound=Authorized)


def authorizing(value: str, home: URL, kind: type[RequestT]) -> Callable[[RequestT], RequestT]:
    """Return what puts *value* on requests for the origin of *home*, and on no others.

    Without a host in *home*, which is a client without a base URL, it goes on all. A request of *kind* that has the
    field keeps its own.
    """
    origin = (home.scheme, home.host, home.port)

    def authorize(request: RequestT) -> RequestT:
        if not home.host or (request.url.scheme, request.url.host, request.url.port) == origin:
            request.headers.setdefault("Authorization", value)
        return request

    return authorize
