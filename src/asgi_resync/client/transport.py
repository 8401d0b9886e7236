"""The public door to the clients: picks the adapter for the HTTP library at hand, and imports no other."""

from __future__ import annotations

import asyncio
import importlib.util
import sys
import time
from typing import TYPE_CHECKING, Any, overload

from .._asgi import Clock
from ..errors import MissingExtra, RuleError
from ..events import Listener, guarded
from .budget import RetryBudget
from .bulkhead import Bulkhead
from .core import Guards
from .ports import Breaker
from .repeat import Repeat, Sleep
from .schedule import RetryPolicy

if TYPE_CHECKING:
    import httpx
    import httpx2

    from .httpx import RetryingTransport as OfHttpx
    from .httpx2 import RetryingTransport as OfHttpx2


@overload
def retrying_transport(
    transport: httpx2.AsyncBaseTransport | None = None,
    *,
    policy: RetryPolicy | None = None,
    budget: RetryBudget | None = None,
    breaker: Breaker | None = None,
    bulkhead: Bulkhead | None = None,
    upstream: str = "",
    deadline_header: str | None = None,
    on_event: Listener | None = None,
    clock: Clock = time.monotonic,
    wall_clock: Clock = time.time,
    sleep: Sleep = asyncio.sleep,
) -> OfHttpx2: ...
@overload
def retrying_transport(
    transport: httpx.AsyncBaseTransport,
    *,
    policy: RetryPolicy | None = None,
    budget: RetryBudget | None = None,
    breaker: Breaker | None = None,
    bulkhead: Bulkhead | None = None,
    upstream: str = "",
    deadline_header: str | None = None,
    on_event: Listener | None = None,
    clock: Clock = time.monotonic,
    wall_clock: Clock = time.time,
    sleep: Sleep = asyncio.sleep,
) -> OfHttpx: ...
def retrying_transport(
    transport: httpx2.AsyncBaseTransport | httpx.AsyncBaseTransport | None = None,
    *,
    policy: RetryPolicy | None = None,
    budget: RetryBudget | None = None,
    breaker: Breaker | None = None,
    bulkhead: Bulkhead | None = None,
    upstream: str = "",
    deadline_header: str | None = None,
    on_event: Listener | None = None,
    clock: Clock = time.monotonic,
    wall_clock: Clock = time.time,
    sleep: Sleep = asyncio.sleep,
) -> OfHttpx2 | OfHttpx:
    """Return *transport* wrapped, for `AsyncClient(transport=...)` of the library it belongs to.

    Without one, it is httpx2's own. Its order is deadline > retry > breaker > bulkhead > *transport*: each attempt asks
    the *breaker*, whose refusal is not retried. The result of an attempt is booked once its body has been read, has
    failed or was closed; being cancelled books nothing.

    *policy* is RetryPolicy() by default, and *budget* a RetryBudget() of this transport's own; give the same one to
    all transports of an upstream. When it is spent the first failure is returned at once. *deadline_header* names a
    field that tells the upstream how many whole milliseconds are left, where there is a deadline. *upstream* is
    what events and errors call it, by default the breaker's name.

    *clock* is monotonic, *wall_clock* is seconds since the epoch, for dates in `Retry-After`; *sleep* waits.

    What is raised is what *transport* raises, besides BreakerOpen, BulkheadFull, and DeadlineExceeded in a form that
    is a TimeoutException of the library too. Raises MissingExtra if the library is not installed, and RuleError for a
    transport of neither, or an argument of the wrong kind.
    """
    _check("policy", policy, RetryPolicy, "a RetryPolicy, such as RetryPolicy(attempts=3)")
    _check("budget", budget, RetryBudget, "a RetryBudget, one for all transports of an upstream")
    _check("bulkhead", bulkhead, Bulkhead, "a Bulkhead, such as Bulkhead(10)")
    if breaker is not None and not callable(getattr(breaker, "admit", None)):
        raise RuleError("breaker", breaker, "give a Breaker, such as resync.upstreams['tws'].breaker")
    kept = policy if policy is not None else RetryPolicy()
    spent_from = budget if budget is not None else RetryBudget()
    guards = Guards(
        policy=kept,
        budget=spent_from,
        breaker=breaker,
        bulkhead=bulkhead,
        deadline_header=deadline_header,
        clock=clock,
        wall_clock=wall_clock,
    )
    name = upstream or (breaker.name if breaker is not None else "")
    emit = guarded(on_event) if on_event is not None else None
    repeat: Repeat[Any] = Repeat(  # of either library's responses
        policy=kept, budget=spent_from, clock=clock, sleep=sleep, emit=emit, upstream=name, breaker=breaker
    )

    if transport is None:
        if importlib.util.find_spec("httpx2") is None:
            raise MissingExtra("retrying_transport() without a transport", "httpx2", "httpx2")
    elif _is_of("httpx", transport):
        from .httpx import RetryingTransport as OfHttpx

        return OfHttpx(
            transport,  # type: ignore[arg-type] # that is what was asked
            guards,
            repeat,
        )
    elif not _is_of("httpx2", transport):
        raise RuleError("transport", transport, "give an AsyncBaseTransport of httpx2 or httpx, an instance of it")
    from .httpx2 import RetryingTransport as OfHttpx2

    return OfHttpx2(
        transport,  # type: ignore[arg-type] # that is what was asked
        guards,
        repeat,
    )


def _check(argument: str, value: object, kind: type, remedy: str) -> None:
    if value is not None and not isinstance(value, kind):
        raise RuleError(argument, value, f"give {remedy}")


def _is_of(library: str, transport: object) -> bool:
    # An instance can only be there if its library has been imported.
    module = sys.modules.get(library)
    return module is not None and isinstance(transport, module.AsyncBaseTransport)
