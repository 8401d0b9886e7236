"""What an unsafe request makes invalid (RFC 9111 §4.4). It names URIs; it removes nothing."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import SplitResult, urljoin, urlsplit, urlunsplit

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "TRACE", "QUERY", "PROPFIND", "REPORT", "SEARCH"})
"""Methods that are known to be safe; §4.4 has all others invalidate, unknown ones included."""

DEFAULT_PORTS = {"http": 80, "https": 443}


def invalidates(method: str, status: int) -> bool:
    """Return whether *status* in answer to *method* invalidates: no error, to an unsafe method (§4.4)."""
    return method not in SAFE_METHODS and 200 <= status < 400


def same_origin_targets(target: str, references: Sequence[bytes]) -> list[str]:
    """Return the absolute forms of *references* (Location, Content-Location) of the same origin as *target*.

    Scheme and host are spelled as in *target*, as keys are. §4.4: a cache must not invalidate for another origin.
    """
    found = []
    for reference in references:
        try:
            own, other = urlsplit(target), urlsplit(urljoin(target, reference.decode("latin-1").strip()))
            if _origin(own) == _origin(other):
                found.append(urlunsplit((own.scheme, own.netloc, other.path, other.query, "")))
        except ValueError:
            continue
    return found


def _origin(url: SplitResult) -> tuple[str, str | None, int | None]:
    port = url.port
    return (url.scheme, url.hostname, DEFAULT_PORTS.get(url.scheme) if port is None else port)
