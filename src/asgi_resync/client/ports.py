"""What the transport core asks of a breaker and of an HTTP library. Shapes only."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, MutableMapping
from dataclasses import dataclass
from typing import Any, Protocol

from ..errors import DeadlineExceeded


class Permit(Protocol):
    """That one call may be made. Exactly one of its methods is called once, when the outcome is known."""

    def succeeded(self) -> None:
        """The upstream answered, and the whole of it came."""

    def failed(self, cause: BaseException | int, /) -> None:
        """The upstream answered with a status that counts as a failure."""

    def raised(self, error: BaseException, /) -> None:
        """The call raised *error*; the breaker judges what that says."""

    def withdrawn(self) -> None:
        """The call says nothing of the upstream: it was cancelled, or failed by the caller's own doing."""

    def pause(self) -> None:
        """Nobody waits for the upstream from now on: until `resume`, or its outcome, time is none of its own."""

    def resume(self) -> None:
        """The upstream is waited for again."""


class Breaker(Protocol):
    """Whoever decides whether an upstream may be called. `asgi_resync.Breaker` is one."""

    @property
    def retry_after(self) -> float:
        """The seconds for which nobody is admitted; 0 if somebody is now."""

    @property
    def name(self) -> str:
        """The name of the upstream."""

    @property
    def is_failed_status(self) -> Callable[[int], bool]:
        """Tells whether an answer with a status counts as a failure."""

    def admit(self) -> Permit:
        """Return a permit at once, or raise BreakerOpen."""


class HeaderLines(Protocol):
    """Headers as httpx and httpx2 have them."""

    def get_list(self, key: str, /) -> list[str]: ...
    def __contains__(self, key: object, /) -> bool: ...
    def __setitem__(self, key: str, value: str, /) -> None: ...


class ByteStream(Protocol):
    """A body to come, or to be sent."""

    def __aiter__(self) -> AsyncIterator[bytes]: ...
    async def aclose(self) -> None: ...


class ClientRequest(Protocol):
    """A request as httpx and httpx2 have it."""

    @property
    def method(self) -> str: ...
    @property
    def headers(self) -> HeaderLines: ...
    @property
    def extensions(self) -> MutableMapping[str, Any]: ...


class ClientResponse(Protocol):
    """A response as httpx and httpx2 have it."""

    @property
    def status_code(self) -> int: ...
    @property
    def is_closed(self) -> bool: ...
    @property
    def headers(self) -> HeaderLines: ...
    async def aclose(self) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Faults:
    """The exceptions of an HTTP library, by what they mean.

    `network` is the root of those that a transport raises. Of these, at `unsent` ones no connection was made, so the
    upstream saw nothing; `own` ones are the caller's doing or a lack of this process, and say nothing of the upstream.
    `late` is our DeadlineExceeded as that library's timeout.
    """

    network: type[Exception]
    unsent: tuple[type[Exception], ...]
    own: tuple[type[Exception], ...]
    late: type[DeadlineExceeded]
