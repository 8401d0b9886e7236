"""Opens clients of an upstream: an AsyncClient of httpx2 or httpx with the guards in place. It sends nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..errors import RuleError
from ..events import Listener
from .budget import RetryBudget
from .bulkhead import Bulkhead
from .ports import Breaker
from .schedule import RetryPolicy
from .transport import retrying_transport

if TYPE_CHECKING:
    import httpx
    import httpx2

OF_THE_TRANSPORT = ("verify", "cert", "http1", "http2", "limits", "trust_env", "proxy")
"""What an AsyncClient hands to the transport it makes, and drops without a word if it is given one."""


def open_client(
    transport: httpx2.AsyncBaseTransport | httpx.AsyncBaseTransport | None,
    options: dict[str, Any],
    *,
    policy: RetryPolicy | None,
    budget: RetryBudget,
    breaker: Breaker,
    bulkhead: Bulkhead | None,
    on_event: Listener | None,
) -> httpx2.AsyncClient | httpx.AsyncClient:
    """Return a client of the library that *transport* belongs to, by default httpx2, made with *options*.

    Raises MissingExtra if that is not installed, RuleError for options of a transport beside one.
    """
    for_transport = {name: options.pop(name) for name in OF_THE_TRANSPORT if name in options}
    if transport is None:
        from .httpx2 import new_transport

        transport = new_transport(**for_transport)
    elif for_transport:
        name, value = next(iter(for_transport.items()))
        raise RuleError(name, value, "give it to the transport, which is the one that would use it")
    wrapped = retrying_transport(
        transport,
        policy=policy,
        budget=budget,
        breaker=breaker,
        bulkhead=bulkhead,
        on_event=on_event,
    )
    return wrapped.client(**options)
