"""What hindered a connection, in words of ours: an exception may hold what others said, or a secret. It connects to
nothing.
"""

from __future__ import annotations

import errno
import http.client
import socket
import ssl
from collections.abc import Iterator
from typing import NamedTuple


class Hindrance(NamedTuple):
    """What `it` does, and what to do about that."""

    it: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.it}: {self.remedy}"


def hindrance(error: BaseException, timeout: float) -> Hindrance:
    """Return what *error*, or what caused it, means; *timeout*, in seconds, is how long was waited."""
    for one in causes(error):
        match one:
            case ssl.SSLCertVerificationError():
                why = getattr(one, "verify_message", "") or "it could not be verified"
                return Hindrance(f"has a certificate that is not trusted ({why})", "name the authority that signed it")
            case ssl.SSLError():
                return Hindrance("speaks no TLS that is understood", "is it meant to be without TLS?")
            case socket.gaierror():
                return Hindrance("has a host that is not known", "mend the name, or what looks it up (DNS)")
            case ConnectionRefusedError():
                return Hindrance("refuses the connection", "is it running, and is this its port?")
            case FileNotFoundError():
                return Hindrance("has a socket that is not there", "is it running, and is this its path?")
            case PermissionError():
                return Hindrance("may not be connected to by this user", "mend the permissions of its socket")
            case OSError(errno=errno.EHOSTUNREACH | errno.ENETUNREACH):
                return Hindrance("cannot be reached from here", "mend the address, or the route to it")
            case ConnectionError() | http.client.HTTPException():
                return Hindrance("breaks the connection, or speaks another protocol", "is this its port?")
            case TimeoutError():
                remedy = "is it up, is this its port, with TLS or without as the URL says, and does a firewall let it?"
                return Hindrance(f"does not answer within {timeout:g} s", remedy)
    return Hindrance(f"cannot be reached ({type(error).__name__})", "is it up, and is its URL right?")


def causes(error: BaseException) -> Iterator[BaseException]:
    """Yield *error* after all that caused it, the first cause first; each once."""
    found: list[BaseException] = []
    waiting = [error]
    while waiting:
        one = waiting.pop()
        if one in found:
            continue
        found.append(one)
        if isinstance(one, BaseExceptionGroup):
            waiting += one.exceptions
        waiting += [cause for cause in (one.__context__, one.__cause__) if cause is not None]
    return reversed(found)
