"""Whether a host can be found and connected to, with TLS or without. It says nothing to whoever is there."""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Reached:
    """That it was: `seconds` it took, the version of `tls`, and until when its certificate is good (epoch seconds)."""

    seconds: float
    tls: str | None = None
    good_until: float | None = None


async def look_up(host: str, port: int) -> None:
    """Return once *host* is known. Raises gaierror.

    In a thread that nobody waits for: what looks names up may take longer than any timeout, and a program would wait
    for asyncio's own threads before it ends.
    """
    loop = asyncio.get_running_loop()
    found: asyncio.Future[None] = loop.create_future()

    def settle(error: OSError | None) -> None:
        if not found.done():
            if error is None:
                found.set_result(None)
            else:
                found.set_exception(error)

    def ask() -> None:
        error: OSError | None = None
        try:
            socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except UnicodeError:  # a label that is too long, say
            error = socket.gaierror(socket.EAI_NONAME, "no name")
        except OSError as raised:
            error = raised
        try:
            loop.call_soon_threadsafe(settle, error)
        except RuntimeError:
            pass  # The loop has ended: it took too long.

    threading.Thread(target=ask, name=f"look up {host}", daemon=True).start()
    await found


async def reach(host: str, port: int, context: ssl.SSLContext | None) -> Reached:
    """Connect, with TLS if there is a *context*, and close. Raises OSError, of which SSLError is one."""
    await look_up(host, port)
    loop = asyncio.get_running_loop()
    began = loop.time()
    _, writer = await asyncio.open_connection(host, port, ssl=context, server_hostname=host if context else None)
    seconds = loop.time() - began
    try:
        tls: ssl.SSLObject | None = writer.get_extra_info("ssl_object")
        if tls is None:
            return Reached(seconds=seconds)
        certificate = tls.getpeercert() or {}
        until = certificate.get("notAfter")
        good_until = float(ssl.cert_time_to_seconds(until)) if isinstance(until, str) else None
        return Reached(seconds=seconds, tls=tls.version(), good_until=good_until)
    finally:
        writer.transport.abort()
