"""One admitted call, and what is said of it. It carries; the breaker judges and counts."""

from __future__ import annotations

import math
from types import TracebackType
from typing import TYPE_CHECKING

from .state import Admission

if TYPE_CHECKING:
    from .breaker import Breaker


class Permit:
    """One admitted call. The first that is said of it counts, and anything after it does not.

    As a context manager it judges by what its block raises: `with breaker.admit(): …`, in threads too.
    """

    __slots__ = ("_admission", "_breaker", "_paused_at")

    def __init__(self, breaker: Breaker, admission: Admission) -> None:
        self._breaker = breaker
        self._admission: Admission | None = admission
        self._paused_at: float | None = None

    def succeeded(self) -> None:
        """The upstream answered."""
        admission = self.take()
        if admission is not None:
            self._breaker.book_success(admission)

    def failed(self, cause: BaseException | int) -> None:
        """It did not, or answered with a status that counts as a failure."""
        admission = self.take()
        if admission is not None:
            self._breaker.book_failure(admission, cause)

    def withdrawn(self) -> None:
        """Nothing can be said: the call was given up for another reason."""
        admission = self.take()
        if admission is not None:
            self._breaker.withdraw(admission)

    def answered(self, status: int) -> None:
        """It answered with *status*, which the breaker judges."""
        if self._breaker.is_failed_status(status):
            self.failed(status)
        else:
            self.succeeded()

    def raised(self, error: BaseException) -> None:
        """The call raised *error*, which the breaker judges."""
        admission = self.take()
        if admission is not None:
            self._breaker.book_error(admission, error)

    def pause(self) -> None:
        """Nobody waits for the upstream from now on: until `resume`, or a result, time makes no slow call."""
        # Infinite where nobody watches for slow calls, as on the one admission that calls in `closed` share.
        if self._admission is not None and self._admission.began < math.inf:
            self._paused_at = self._breaker.now()

    def resume(self) -> None:
        """The upstream is waited for again."""
        if self._paused_at is not None and self._admission is not None:
            self._admission.began += self._breaker.now() - self._paused_at
        self._paused_at = None

    def take(self) -> Admission | None:
        """Return the admission to whoever will give its result from now on; None if that was given."""
        if self._paused_at is not None:
            self.resume()
        admission, self._admission = self._admission, None
        return admission

    def __enter__(self) -> Permit:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if error is None:
            self.succeeded()
        else:
            self.raised(error)
