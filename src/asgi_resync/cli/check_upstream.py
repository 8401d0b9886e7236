"""Whether an upstream is there and well: a connection, its certificate, and its health where there is a path for it."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Callable
from importlib.util import find_spec
from urllib.parse import urlsplit

from ..errors import MissingExtra, RuleError
from ..telemetry.units import took
from ..upstream import Upstream, spelled
from .finding import Finding, Level
from .hindrance import hindrance
from .reach import Reached, reach

SOON = 14 * 86400.0
"""Seconds before its end from which a certificate is worth a word."""
_PORTS = {"http": 80, "https": 443}


async def check_upstream(upstream: Upstream, timeout: float, wall: Callable[[], float] = time.time) -> list[Finding]:
    """Return what was found of *upstream*, which has a URL; each of its steps takes at most *timeout* seconds."""
    subject, prefix = f"upstream {upstream.name}", f"RESYNC_UPSTREAM_{spelled(upstream.name).upper()}_"
    found: list[Finding] = []

    def say(level: Level, says: str, remedy: str = "") -> None:
        found.append(Finding(level=level, subject=subject, says=says, remedy=remedy))

    try:
        parts = urlsplit(upstream.base_url or "")
        host, port = parts.hostname or "", parts.port or _PORTS[parts.scheme]
    except (ValueError, KeyError):
        say("wrong", "has a URL that is none of http or https", f"mend {prefix}URL, or what the code says")
        return found
    try:
        context = trust(upstream) if parts.scheme == "https" else None
    except OSError:
        say("wrong", "has a file of certificates that cannot be read", f"mend {prefix}CA_FILE")
        return found
    try:
        async with asyncio.timeout(timeout):
            reached = await reach(host, port, context)
    except OSError as error:  # of which TimeoutError is one
        what = hindrance(error, timeout)
        is_tls = what.it.startswith("has a certificate")
        say("wrong", what.it, f"{what.remedy} with {prefix}CA_FILE" if is_tls else f"{what.remedy} ({prefix}URL)")
        return found
    if reached.good_until is not None and reached.good_until - wall() < SOON:
        days = max(int((reached.good_until - wall()) / 86400), 0)
        say("notice", f"has a certificate that ends in {days} days", "have it renewed")
    if context is not None and context.verify_mode is ssl.CERT_NONE:
        say("notice", "has its certificate not checked", f"that is for tests: leave {prefix}VERIFY away")
    path = upstream.http.health_path
    if path is None:
        say("well", f"takes connections{_how(reached)}; {prefix}HEALTH_PATH would have its health asked, too")
        return found
    await _ask(upstream, path, prefix, timeout, say)
    return found


async def _ask(
    upstream: Upstream, path: str, prefix: str, timeout: float, say: Callable[[Level, str, str], None]
) -> None:
    """Say how it answers to its health path."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    try:
        async with asyncio.timeout(timeout):
            await upstream.check()
    except MissingExtra as error:
        say("notice", "takes connections, and could not be asked for more", str(error))
    except RuleError as error:
        say("wrong", "has options that cannot work", f"mend {prefix}{error.argument.upper()}")
    except Exception as error:  # of either library, and of whatever it stands on
        status: object = getattr(getattr(error, "response", None), "status_code", None)
        if isinstance(status, int):
            say("wrong", f"answers {status} to {path}", _remedy(status, prefix))
        else:
            what = hindrance(error, timeout)
            is_silent = what.it.startswith("does not answer")
            it = what.it if is_silent else f"gives no answer that is understood ({type(error).__name__})"
            say("wrong", f"takes connections, but {it}", f"look at its log ({prefix}HEALTH_PATH is {path})")
    else:
        say("well", f"is well: {path} answers in {took(loop.time() - began)}", "")


def trust(upstream: Upstream) -> ssl.SSLContext:
    """Return what its clients check certificates with. Raises OSError for a file that cannot be read."""
    wanted = upstream.http
    if not wanted.verify:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return context
    if wanted.ca_file is not None:
        return ssl.create_default_context(cafile=wanted.ca_file)
    # What they trust by default is theirs to say: it may be the system's, or what comes with a package.
    if find_spec("httpx2") is not None:
        import httpx2

        return httpx2.create_ssl_context()
    if find_spec("httpx") is not None:
        import httpx

        return httpx.create_ssl_context()
    return ssl.create_default_context()


def _how(reached: Reached) -> str:
    tls = f" by {reached.tls}" if reached.tls else ""
    return f"{tls} in {took(reached.seconds)}"


def _remedy(status: int, prefix: str) -> str:
    if status in (401, 403):
        return f"mend {prefix}USER and {prefix}PASSWORD, or {prefix}TOKEN"
    if status == 404:
        return f"mend {prefix}HEALTH_PATH or {prefix}URL"
    if status < 400:
        return f"give {prefix}HEALTH_PATH, or {prefix}URL, as it is after that redirect"
    return "it is up and not well: look at its log"
