"""The exceptions this library raises. It does not translate exceptions of others.

ResyncError
├── SettingsError      the environment or the config file holds values that cannot be used
├── RuleError          a CacheRule or a marker was made with arguments that cannot work
├── MissingExtra       an optional dependency is needed and not installed
├── AlreadyWrapped     an app was wrapped twice by the same Resync
├── StoreClosed        a store was used after it was closed
├── ResourceFailed     the app cannot start, since something critical did not
├── ResourceUnavailable  a resource was to be written to while it is not up
├── BreakerOpen        an upstream was not called, since its breaker is open
├── DeadlineExceeded   the time that `deadline` or a RetryPolicy gave was over before an upstream had answered
├── BadAnswer          an upstream answered well by its status, and with something that cannot be read
└── BulkheadFull       an upstream has as many calls in flight, and as many waiting, as it may have
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


class ResyncError(Exception):
    """The root of every exception raised by asgi_resync."""


@dataclass(frozen=True, slots=True)
class SettingProblem:
    """One value that cannot be used: where it stands, what it is, what would be right.

    `value` is already masked if the setting is a secret.
    """

    name: str
    value: str
    expected: str

    def __str__(self) -> str:
        return f"{self.name}={self.value!r}: {self.expected}"


class SettingsError(ResyncError, ValueError):
    """Settings that cannot be used; `problems` lists every one of them, not just the first."""

    def __init__(self, problems: Sequence[SettingProblem]) -> None:
        self.problems: tuple[SettingProblem, ...] = tuple(problems)
        count = len(self.problems)
        head = "1 setting cannot be used" if count == 1 else f"{count} settings cannot be used"
        super().__init__("\n".join([f"{head}:", *(f"  {problem}" for problem in self.problems)]))


class RuleError(ResyncError, ValueError):
    """A rule's argument that cannot work: names the argument, its value, and what to write instead."""

    def __init__(self, argument: str, value: object, remedy: str) -> None:
        self.argument = argument
        self.value = value
        self.remedy = remedy
        super().__init__(f"{argument}={value!r} cannot work: {remedy}")


class MissingExtra(ResyncError, ImportError):
    """A feature was used whose optional dependency is not installed."""

    def __init__(self, feature: str, package: str, extra: str) -> None:
        self.feature = feature
        self.package = package
        self.extra = extra
        super().__init__(f"{feature} needs {package}: pip install 'asgi-resync[{extra}]'")


class AlreadyWrapped(ResyncError, RuntimeError):
    """The same Resync was put around an app it already wraps."""

    def __init__(self) -> None:
        super().__init__(
            "This app is already wrapped by this Resync, so it would be cached and started twice. "
            "Call resync(app) once, at the outside."
        )


class StoreClosed(ResyncError, RuntimeError):
    """A store was used after `aclose()`."""

    def __init__(self, store: str) -> None:
        super().__init__(f"{store} is closed. Make a new one, or use it within the app's lifespan.")


class ResourceFailed(ResyncError, RuntimeError):
    """The app did not start, since a resource that it cannot do without did not.

    `resource` is its name, `attempts` how often its start was tried within `seconds`, `cause` what it raised last (None
    if it raised nothing yet), and `others` are those that were not up either.
    """

    def __init__(
        self,
        resource: str,
        *,
        attempts: int,
        seconds: float,
        cause: BaseException | None = None,
        others: Sequence[str] = (),
    ) -> None:
        self.resource = resource
        self.attempts = attempts
        self.seconds = seconds
        self.cause = cause
        self.others = tuple(others)
        tried = "was tried once" if attempts == 1 else f"was tried {attempts} times"
        why = "it has not answered yet" if cause is None else f"{type(cause).__name__}: {cause}".rstrip(": ")
        also = f" Not up either: {', '.join(self.others)}." if self.others else ""
        super().__init__(
            f"The resource {resource!r} did not start: it {tried} within {seconds:g} s, and the last failure is: {why}."
            f"{also} Mend or start what it needs, give it longer with RESYNC_STARTUP_TIMEOUT, or make it "
            "critical=False, so that the app starts without it."
        )

    def __reduce__(self) -> tuple[object, ...]:
        return _failed_again, (self.resource, self.attempts, self.seconds, self.cause, self.others)


def _failed_again(
    resource: str, attempts: int, seconds: float, cause: BaseException | None, others: Sequence[str]
) -> ResourceFailed:
    return ResourceFailed(resource, attempts=attempts, seconds=seconds, cause=cause, others=others)


class ResourceUnavailable(ResyncError):
    """Something was to be written to a resource that is not up. Nothing was written; `resource` is its name."""

    def __init__(self, resource: str) -> None:
        self.resource = resource
        super().__init__(
            f"Nothing was written to {resource}: it is not up. It is tried again for ever, and `resync.health()` says "
            "how it stands; reads fall back to their defaults meanwhile."
        )

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self.resource,)


class BreakerOpen(ResyncError):
    """An upstream was not called. It is a new exception each time, and hashable.

    `upstream` is its name, `retry_after` the seconds after which it may be worth asking again, `since` when the
    breaker opened, in seconds since the epoch. Where purgatory is in use it is an `OpenedState` too.
    """

    def __init__(self, upstream: str, retry_after: float, since: float) -> None:
        self.upstream = upstream
        self.retry_after = retry_after
        self.since = since
        super().__init__(f"{upstream} was not called: its breaker is open. Try again in {retry_after:.1f} s.")

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self.upstream, self.retry_after, self.since)


class DeadlineExceeded(ResyncError, TimeoutError):
    """The time for a call was over. What a client raises is also a timeout of that client's library.

    `seconds` is how much time there was in all; `upstream` is "" where it has no name.
    """

    def __init__(self, upstream: str, seconds: float) -> None:
        self.upstream = upstream
        self.seconds = seconds
        super().__init__(f"{upstream or 'The upstream'} has not answered within the {seconds:g} s that there were.")

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self.upstream, self.seconds)


class BulkheadFull(ResyncError):
    """A call was refused at once, as `limit` were in flight to `upstream` and `waiting` were waiting for their turn."""

    def __init__(self, upstream: str, limit: int, waiting: int) -> None:
        self.upstream = upstream
        self.limit = limit
        self.waiting = waiting
        super().__init__(
            f"{upstream or 'The upstream'} has {limit} calls in flight and {waiting} waiting, which is all it may "
            "have. It is slower than it is asked; a larger limit helps only if it can bear more."
        )

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self.upstream, self.limit, self.waiting)


class BadAnswer(ResyncError, ValueError):
    """An answer to `call` that is not of the documented shape: malformed, cut off, empty, or another document."""

    def __init__(self, call: str, reason: str) -> None:
        self.call = call
        self.reason = reason
        super().__init__(f"The answer to {call} cannot be read: {reason}")

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self.call, self.reason)
