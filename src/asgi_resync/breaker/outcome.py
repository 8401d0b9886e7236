"""What an exception or a status says of the upstream that gave it. It counts nothing.

A request that was at fault says that the upstream is there; a caller that gave up says nothing.
"""

from __future__ import annotations

from ..errors import BreakerOpen


def is_failed_status(status: int) -> bool:
    """Return whether *status* counts as a failure: 5xx, and 429, which asks to be left alone."""
    return status >= 500 or status == 429


def status_of(error: BaseException) -> int | None:
    """Return the status that *error* carries, as the exceptions of HTTP clients and of frameworks do."""
    for owner in (error, getattr(error, "response", None)):
        status = getattr(owner, "status_code", None)
        if isinstance(status, int):
            return status
    return None


def is_neutral(error: BaseException) -> bool:
    """Return whether *error* says nothing of the upstream.

    So it is with cancellation and its like, with another breaker that is open, and with a client's own pool that had
    no connection to give (httpx calls that PoolTimeout).
    """
    if not isinstance(error, Exception) or isinstance(error, BreakerOpen):
        return True
    return any(kind.__name__ == "PoolTimeout" for kind in type(error).__mro__)
