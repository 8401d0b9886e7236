"""What can happen to calls of upstreams, and to requests for want of one."""

from __future__ import annotations

from dataclasses import dataclass

from .base import Event


@dataclass(frozen=True, slots=True, kw_only=True)
class UpstreamEvent(Event):
    """Something happened to one upstream; `upstream` is its name, fit for metric labels."""

    upstream: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakerChanged(UpstreamEvent):
    """A breaker went from one state to another.

    `before` and `after` are `closed`, `open`, `half-open`, `forced-open`, `forced-closed` or `metrics-only`; `cause`
    is `failures`, `failure-rate`, `slow-calls`, `probe`, `time`, `successes`, `operator`, `connected` (Redis is
    there again) or `heard` (from another process); `open_for` is how many seconds nobody is admitted, 0 where
    somebody is.
    """

    before: str
    after: str
    cause: str
    open_for: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class UpstreamAnswered(UpstreamEvent):
    """A client of the upstream made one attempt, and it began to answer, or failed, after `seconds`.

    `outcome` is a status or an exception class name, such as `CancelledError` where a deadline had passed.
    """

    seconds: float
    outcome: str


@dataclass(frozen=True, slots=True, kw_only=True)
class UpstreamFailed(UpstreamEvent):
    """A call was counted as failed: `cause` is an exception class name or a status, `row` how many failed in a row."""

    cause: str
    row: int


@dataclass(frozen=True, slots=True, kw_only=True)
class UpstreamRecovered(UpstreamEvent):
    """A call succeeded after others had failed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UpstreamRefused(UpstreamEvent):
    """A call was not admitted; `retry_after` in seconds, 0 if that is not known. `by` is `breaker` or `bulkhead`."""

    retry_after: float
    by: str = "breaker"


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryScheduled(UpstreamEvent):
    """A call failed, and will be made again in `wait` seconds; `attempt` is the number of the one that failed, from 1.

    `cause` is a status or the name of an exception.
    """

    attempt: int
    wait: float
    cause: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RetriesEnded(UpstreamEvent):
    """A call that another attempt might have mended was given up after `attempts`, and the caller got the failure.

    `reason` is `attempts`, `deadline`, `retry-after`, `breaker` (it has opened), `method`, `body` or `opted-out`.
    """

    attempts: int
    reason: str
    cause: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryBudgetSpent(UpstreamEvent):
    """A call was not made again since its upstream has had as many retries of late as its budget allows."""

    attempts: int
    cause: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DegradedAnswer(UpstreamEvent):
    """A request was answered for want of an upstream; `by` is `fallback` or `refusal` (503).

    `route` is the pattern of the rule that applied, or "".
    """

    route: str
    by: str
