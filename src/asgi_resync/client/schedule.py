"""When a failed request may be sent again, and how long to wait before. It sends nothing and waits for nobody.

The rules, in the order in which they are asked:

1. The failure must be one that another attempt can mend: a status of `statuses`, or an error of the network.
2. Sending twice must do no harm: the method is idempotent (RFC 9110 §9.2.2), the request carries an `Idempotency-Key`,
   the caller said so, or the connection was never made, so that the upstream saw nothing.
3. The body must be there to be sent again.
4. There must be attempts left, and time: no attempt starts past the deadline, and one that could only start past it is
   given up at once, not after the wait.
5. An upstream that asks for more patience than `retry_after_max` (RFC 9110 §10.2.3) is left alone.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import TypeGuard

from .._headers import delta_seconds, http_date
from ..errors import RuleError

IDEMPOTENT = frozenset({"GET", "HEAD", "PUT", "DELETE", "OPTIONS", "TRACE", "QUERY"})
"""RFC 9110 §9.2.2, and QUERY."""

PASSING = frozenset({429, 502, 503, 504})
"""Statuses that say `not now`. 500 says `not ever` as often as not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """How often, how soon and for what a request is sent again. All times are seconds.

    There are at most `attempts` in all; 1 turns retries off. Before the second, the wait is a random time between 0
    and `backoff`; that bound doubles with each further one, up to `backoff_max`. `Retry-After` makes it longer, and
    beyond `retry_after_max` ends it. `timeout` bounds everything until the response begins, waits included, of
    each request, and one that follows a redirect is another; None leaves it to the client's own timeouts and to
    `deadline`.

    Only `statuses` and errors of the network are retried, and only for `methods`, with an `Idempotency-Key`, or where
    a request says `extensions={"resync.retry": True}` (False turns it off). Raises RuleError for what cannot work.
    """

    attempts: int = 3
    backoff: float = 0.1
    backoff_max: float = 2.0
    retry_after_max: float = 30.0
    timeout: float | None = None
    statuses: Collection[int] = PASSING
    methods: Collection[str] = IDEMPOTENT

    def __post_init__(self) -> None:
        attempts: object = self.attempts
        if isinstance(attempts, bool) or not isinstance(attempts, int) or attempts < 1:
            raise RuleError("attempts", attempts, "give a whole number; 1 means that nothing is retried")
        for name in ("backoff", "backoff_max", "retry_after_max", "timeout"):
            seconds: object = getattr(self, name)
            if seconds is None and name == "timeout":
                continue
            if not _is_number(seconds) or not 0 <= seconds < math.inf:
                raise RuleError(name, seconds, "give seconds as a number of 0 or more, such as 0.5")
        if self.timeout == 0:
            raise RuleError("timeout", 0, "give seconds above 0, or None")
        if not isinstance(self.statuses, (str, bytes)) and isinstance(self.statuses, Iterable):
            # Once: what gives them may be exhausted then.
            object.__setattr__(self, "statuses", tuple(self.statuses))
        if not isinstance(self.statuses, tuple) or not all(_is_status(status) for status in self.statuses):
            raise RuleError("statuses", self.statuses, "give statuses from 400 to 599, such as {429, 503}")
        if isinstance(self.methods, (str, bytes)) or not all(isinstance(method, str) for method in self.methods):
            raise RuleError("methods", self.methods, "give names of methods, such as {'GET'}")
        object.__setattr__(self, "statuses", frozenset(self.statuses))
        object.__setattr__(self, "methods", frozenset(method.upper() for method in self.methods))


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """How an attempt failed.

    `cause` is a status or the name of an exception. `is_passing` says that another attempt can mend it, `is_unsent`
    that the upstream saw nothing of the request. `retry_after` is what the upstream asked for, in seconds.
    """

    cause: str
    is_passing: bool = True
    is_unsent: bool = False
    retry_after: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """What matters of the request. `may_repeat` is the caller's own word, None if there is none."""

    method: str
    has_key: bool = False
    may_repeat: bool | None = None
    is_replayable: bool = True


def obstacle(policy: RetryPolicy, sent: Sent, failure: Failure) -> str | None:
    """Why no attempt may ever follow: `failure`, `opted-out`, `method` or `body`; None if one may."""
    if not failure.is_passing:
        return "failure"
    if sent.may_repeat is False:
        return "opted-out"
    harmless = sent.may_repeat or sent.has_key or failure.is_unsent or sent.method in policy.methods
    if not harmless:
        return "method"
    return None if sent.is_replayable else "body"


def pause(failure: Failure, backoff: float) -> float:
    """Return the seconds to wait, *backoff* being what full jitter drew: never less than the upstream asked for."""
    return backoff if failure.retry_after is None else max(backoff, failure.retry_after)


def ending(
    policy: RetryPolicy,
    failure: Failure,
    *,
    attempts: int,
    wait: float,
    remaining: float | None,
    shut_for: float = 0.0,
) -> str | None:
    """Why no attempt follows now, after *attempts*: `attempts`, `retry-after`, `deadline`, `breaker`; None if one may.

    It would start after *wait*; *remaining* is the time to the deadline, None if there is none, and *shut_for* that for
    which the breaker admits nobody.
    """
    if attempts >= policy.attempts:
        return "attempts"
    if failure.retry_after is not None and failure.retry_after > policy.retry_after_max:
        return "retry-after"
    if remaining is not None and wait >= remaining:
        return "deadline"
    if shut_for > wait:
        # It would be waited for in vain, and what is known would be lost.
        return "breaker"
    return None


def retry_after(values: Collection[str], now: float) -> float | None:
    """Return the seconds that `Retry-After` asks for at *now*, in seconds since the epoch (RFC 9110 §10.2.3).

    Both forms are read. None if there is no such field, if it comes more than once with different values, if it
    cannot be read, or if its date is not to come: then the normal backoff applies.
    """
    if len({value.strip() for value in values}) != 1:
        return None
    text = next(iter(values)).strip().encode("latin-1", "replace")
    seconds = delta_seconds(text)
    if seconds is not None:
        return float(seconds)
    date = http_date(text, now)
    return date - now if date is not None and date > now else None


def _is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _is_status(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 400 <= value <= 599
