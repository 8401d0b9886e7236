"""Opens clients of an upstream: an AsyncClient of httpx2 or httpx with the guards in place. It sends nothing."""

from __future__ import annotations

import logging
import ssl
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from ..errors import RuleError
from ..events import Listener
from .budget import RetryBudget
from .bulkhead import Bulkhead
from .core import OPT, Adjustable
from .options import ClientOptions
from .ports import Breaker
from .schedule import RetryPolicy
from .transport import retrying_transport

if TYPE_CHECKING:
    import httpx
    import httpx2

Library: TypeAlias = Literal["httpx", "httpx2"]

_log = logging.getLogger("asgi_resync")

OF_THE_TRANSPORT = ("verify", "cert", "http1", "http2", "limits", "trust_env", "proxy")
"""What an AsyncClient hands to the transport it makes, and drops without a word if it is given one."""


def open_client(
    transport: httpx2.AsyncBaseTransport | httpx.AsyncBaseTransport | None,
    options: dict[str, Any],
    *,
    library: Library | None,
    wanted: ClientOptions,
    policy: RetryPolicy | None,
    budget: RetryBudget,
    breaker: Breaker,
    bulkhead: Bulkhead | None,
    on_event: Listener | None,
    made: Callable[[Adjustable, bool], object],
) -> httpx2.AsyncClient | httpx.AsyncClient:
    """Return a client of the library that *transport* belongs to, else of *library*, by default httpx2.

    It is made as *wanted*, and with *options*, which win; *made* is called with what later settings reach, and whether
    its connections are nobody's but this client's. Raises MissingExtra if the library is not installed, RuleError for
    options of a transport beside one, and for a file of certificates that cannot be read.
    """
    if library not in (None, "httpx", "httpx2"):
        raise RuleError("library", library, "give 'httpx2' or 'httpx'")
    for_transport = {name: options.pop(name) for name in OF_THE_TRANSPORT if name in options}
    is_given = transport is not None
    if transport is None:
        for_transport.setdefault("verify", _trust(wanted))
        if for_transport["verify"] is False:
            _log.warning("the certificate of the upstream %s is not checked: verify is off", breaker.name)
        if library == "httpx":
            from .httpx import new_transport as of_httpx

            transport = of_httpx(wanted, **for_transport)
        else:
            from .httpx2 import new_transport as of_httpx2

            transport = of_httpx2(wanted, **for_transport)
    elif library is not None:
        raise RuleError("library", library, "a transport is of one already; give either")
    elif for_transport:
        name, value = next(iter(for_transport.items()))
        raise RuleError(name, value, "give it to the transport, which is the one that would use it")
    wrapped = retrying_transport(
        transport,
        policy=policy,
        budget=budget,
        breaker=breaker,
        bulkhead=bulkhead,
        deadline_header=wanted.deadline_header,
        on_event=on_event,
    )
    made(wrapped, not is_given)
    return wrapped.client(wanted, **options)


async def ask_health(client: httpx2.AsyncClient | httpx.AsyncClient, path: str) -> None:
    """Ask *client* for *path* once. Raises what it raises, and its HTTPStatusError unless the answer is 2xx."""
    response = await client.get(path, extensions={OPT: False})
    response.raise_for_status()


def _trust(wanted: ClientOptions) -> bool | ssl.SSLContext:
    if not wanted.verify or wanted.ca_file is None:
        return wanted.verify
    try:
        return ssl.create_default_context(cafile=wanted.ca_file)
    except OSError as error:  # an SSLError is one
        remedy = f"give a readable file of certificates (PEM); this one says {error}"
        raise RuleError("ca_file", wanted.ca_file, remedy) from error
